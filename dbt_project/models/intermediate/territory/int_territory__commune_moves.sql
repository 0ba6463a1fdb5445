-- The passages of communes from one loaded vintage to the next that something explains, with what explains them:
--   same_code        the code is in both vintages
--   movements        INSEE's events between the two dates of 1 January, followed one after the other
--   associated       the commune that disappeared is a delegated or associated commune of another one in the later
--                    vintage, or the commune that appeared was one in the earlier vintage
--   former_codes     Etalab lists the code among those that a commune took in or bore
-- A weaker explanation counts only where a stronger one gives nothing. What nothing explains is not here.
with recursive communes as (
    select
        vintage,
        commune_code
    from {{ ref('int_territory__communes') }}
    where commune_type = 'COM'
),

vintages as (
    select distinct vintage from communes
),

steps as (
    select
        vintage as from_vintage,
        lead(vintage) over (order by vintage) as to_vintage
    from vintages
),

departures as (
    select
        steps.from_vintage,
        steps.to_vintage,
        communes.commune_code as from_code
    from steps
    inner join communes on steps.from_vintage = communes.vintage
    where steps.to_vintage is not null
),

arrivals as (
    select
        steps.from_vintage,
        steps.to_vintage,
        communes.commune_code as to_code
    from steps
    inner join communes on steps.to_vintage = communes.vintage
),

kept as (
    select
        departures.from_vintage,
        departures.to_vintage,
        departures.from_code,
        arrivals.to_code
    from departures
    inner join arrivals
        on departures.from_vintage = arrivals.from_vintage
        and departures.to_vintage = arrivals.to_vintage
        and departures.from_code = arrivals.to_code
),

events as (
    select distinct
        effective_on,
        from_code,
        to_code
    from {{ ref('stg_territory__insee_mouvements_communes') }}
    where from_type = 'COM' and to_type = 'COM' and in_latest_snapshot
),

-- Each event with the next one that concerns the commune it leads to.
chained as (
    select
        events.effective_on,
        events.from_code,
        events.to_code,
        min(later.effective_on) as next_on
    from events
    left join events as later on events.to_code = later.from_code and later.effective_on > events.effective_on
    group by events.effective_on, events.from_code, events.to_code
),

-- The first event of each commune in the step: after 1 January of the earlier vintage, by 1 January of the later.
first_events as (
    select
        departures.from_vintage,
        departures.to_vintage,
        departures.from_code,
        min(events.effective_on) as next_on
    from departures
    inner join events
        on departures.from_code = events.from_code
        and events.effective_on > make_date(departures.from_vintage, 1, 1)
        and events.effective_on <= make_date(departures.to_vintage, 1, 1)
    group by departures.from_vintage, departures.to_vintage, departures.from_code
),

walked as (
    select
        from_vintage,
        to_vintage,
        from_code,
        from_code as to_code,
        next_on
    from first_events
    union all
    select
        walked.from_vintage,
        walked.to_vintage,
        walked.from_code,
        chained.to_code,
        chained.next_on
    from walked
    inner join chained on walked.to_code = chained.from_code and walked.next_on = chained.effective_on
    where walked.next_on <= make_date(walked.to_vintage, 1, 1)
),

moved as (
    select distinct
        walked.from_vintage,
        walked.to_vintage,
        walked.from_code,
        walked.to_code
    from walked
    inner join arrivals
        on walked.from_vintage = arrivals.from_vintage
        and walked.to_vintage = arrivals.to_vintage
        and walked.to_code = arrivals.to_code
    where walked.next_on is null or walked.next_on > make_date(walked.to_vintage, 1, 1)
),

known as (
    select
        from_vintage,
        to_vintage,
        from_code,
        to_code,
        'same_code' as evidence
    from kept
    union all
    select
        moved.from_vintage,
        moved.to_vintage,
        moved.from_code,
        moved.to_code,
        'movements' as evidence
    from moved
    where moved.from_code <> moved.to_code
),

parts as (
    select distinct
        vintage,
        commune_code,
        parent_code
    from {{ ref('int_territory__communes') }}
    where commune_type in ('COMD', 'COMA') and commune_code <> parent_code
),

became_parts as (
    select
        departures.from_vintage,
        departures.to_vintage,
        departures.from_code,
        arrivals.to_code
    from departures
    inner join parts on departures.to_vintage = parts.vintage and departures.from_code = parts.commune_code
    inner join arrivals
        on departures.from_vintage = arrivals.from_vintage
        and departures.to_vintage = arrivals.to_vintage
        and parts.parent_code = arrivals.to_code
    where (departures.from_vintage, departures.from_code) not in (select (from_vintage, from_code) from known)
),

were_parts as (
    select
        departures.from_vintage,
        departures.to_vintage,
        departures.from_code,
        arrivals.to_code
    from arrivals
    inner join parts on arrivals.from_vintage = parts.vintage and arrivals.to_code = parts.commune_code
    inner join departures
        on arrivals.from_vintage = departures.from_vintage
        and arrivals.to_vintage = departures.to_vintage
        and parts.parent_code = departures.from_code
    where (arrivals.to_vintage, arrivals.to_code) not in (select (to_vintage, to_code) from known)
),

associated as (
    select
        *,
        'associated' as evidence
    from (
        select * from became_parts
        union
        select * from were_parts
    )
),

former_codes as (
    select
        vintage,
        commune_code,
        unnest(former_codes) as former_code
    from {{ ref('stg_territory__etalab_communes') }}
    where commune_type = 'COM'
),

formerly as (
    select distinct
        departures.from_vintage,
        departures.to_vintage,
        departures.from_code,
        former_codes.commune_code as to_code,
        'former_codes' as evidence
    from departures
    inner join former_codes
        on departures.to_vintage = former_codes.vintage and departures.from_code = former_codes.former_code
    inner join arrivals
        on departures.from_vintage = arrivals.from_vintage
        and departures.to_vintage = arrivals.to_vintage
        and former_codes.commune_code = arrivals.to_code
    where
        (departures.from_vintage, departures.from_code) not in (select (from_vintage, from_code) from known)
        and (departures.from_vintage, departures.from_code) not in (select (from_vintage, from_code) from associated)
)

select * from known
union all
select * from associated
union all
select * from formerly
