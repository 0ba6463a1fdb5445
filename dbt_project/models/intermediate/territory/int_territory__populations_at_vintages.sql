-- Each year's legal populations in the perimeters of the loaded vintages next to their boundaries: the last one up to
-- the boundaries' year and the first one from it on. Between the two, the year's own list of communes says what had
-- changed by then: communes that are all still listed had not merged, parts that are all listed had been split.
-- A commune whose perimeter was another one by then is not here. is_sum: its parts were still apart, and are added.
-- is_proven: what leads from the boundaries to the vintage is known; not so beyond the loaded vintages when INSEE's
-- events do not reach as far.
with communes as (
    select
        vintage,
        commune_code
    from {{ ref('int_territory__communes') }}
    where commune_type = 'COM'
),

vintages as (
    select distinct vintage from communes
),

populations as (
    select
        population_year,
        boundaries_year,
        commune_code,
        municipal_population
    from {{ ref('int_territory__populations') }}
    where commune_type = 'COM'
),

years as (
    select distinct
        population_year,
        boundaries_year
    from populations
),

frames as (
    select
        years.population_year,
        years.boundaries_year,
        max(vintages.vintage) filter (where vintages.vintage <= years.boundaries_year) as before_vintage,
        min(vintages.vintage) filter (where vintages.vintage >= years.boundaries_year) as after_vintage
    from years
    cross join vintages
    group by years.population_year, years.boundaries_year
),

-- Both ends of every passage that spans the boundaries' year, with what that year's list says of them.
links as (
    select
        frames.population_year,
        steps.from_vintage,
        steps.from_code,
        steps.to_vintage,
        steps.to_code,
        steps.relation,
        origins.municipal_population as from_population,
        ends.municipal_population as to_population,
        coalesce(steps.from_code <> steps.to_code, false) as changes_code
    from frames
    inner join {{ ref('int_territory__commune_steps') }} as steps
        on frames.before_vintage = steps.from_vintage
        and frames.after_vintage = steps.to_vintage
    left join populations as origins
        on frames.population_year = origins.population_year and steps.from_code = origins.commune_code
    left join populations as ends
        on frames.population_year = ends.population_year and steps.to_code = ends.commune_code
    where frames.before_vintage < frames.after_vintage
),

compared as (
    select
        *,
        count(*) over (partition by population_year, to_code) as origins,
        count(from_population) over (partition by population_year, to_code) as origins_listed,
        count(from_population) filter (where changes_code)
            over (partition by population_year, to_code) as others_listed,
        count(*) over (partition by population_year, from_code) as parts,
        count(to_population) over (partition by population_year, from_code) as parts_listed,
        count(to_population) filter (where changes_code)
            over (partition by population_year, from_code) as offshoots_listed
    from links
),

-- Seen from the vintage before: a commune that was to merge is taken while all of them are listed, one that was to be
-- split while no offshoot is.
from_before as (
    select distinct
        population_year,
        from_vintage as vintage,
        from_code as commune_code,
        case
            when relation = 'merged' and origins_listed < origins then null
            when relation = 'split' and offshoots_listed > 0 then null
            when relation = 'recoded' then coalesce(from_population, to_population)
            else from_population
        end as municipal_population,
        false as is_sum
    from compared
    where from_code is not null
),

-- Seen from the vintage after: the sum of those still apart, or what is listed once nothing but the whole is.
from_after as (
    select
        population_year,
        to_vintage as vintage,
        to_code as commune_code,
        case
            when bool_or(relation = 'split') and (max(origins) > 1 or max(parts_listed) < max(parts)) then null
            when bool_or(relation = 'split') then max(to_population)
            when max(origins_listed) = max(origins) then sum(from_population)
            when max(others_listed) = 0 then max(to_population)
        end as municipal_population,
        coalesce(bool_or(relation = 'merged') and max(origins_listed) = max(origins), false) as is_sum
    from compared
    where to_code is not null
    group by population_year, to_vintage, to_code
),

-- The boundaries of a loaded vintage itself.
at_vintage as (
    select
        populations.population_year,
        communes.vintage,
        communes.commune_code,
        populations.municipal_population,
        false as is_sum
    from populations
    inner join communes
        on populations.boundaries_year = communes.vintage and populations.commune_code = communes.commune_code
),

spanned as (
    select * from from_before
    union all
    select * from from_after
    union all
    select * from at_vintage
),

-- Boundaries beyond the loaded vintages: only INSEE's events say what happened up to the first or since the last.
beyond as (
    select
        population_year,
        coalesce(before_vintage, after_vintage) as vintage,
        make_date(least(boundaries_year, coalesce(before_vintage, after_vintage)), 1, 1) as after_on,
        make_date(greatest(boundaries_year, coalesce(before_vintage, after_vintage)), 1, 1) as until_on
    from frames
    where before_vintage is null or after_vintage is null
),

events as (
    select
        effective_on,
        from_code,
        to_code
    from {{ ref('stg_territory__insee_mouvements_communes') }}
    where from_type = 'COM' and to_type = 'COM' and in_latest_snapshot
),

history as (
    select max(effective_on) as reaches_on from events
),

touched as (
    select distinct
        beyond.population_year,
        unnest([events.from_code, events.to_code]) as commune_code
    from beyond
    inner join events
        on events.effective_on > beyond.after_on
        and events.effective_on <= beyond.until_on
    where events.from_code <> events.to_code
),

untouched as (
    select
        beyond.population_year,
        communes.vintage,
        communes.commune_code,
        populations.municipal_population,
        coalesce(history.reaches_on >= beyond.until_on, false) as is_proven
    from beyond
    cross join history
    inner join communes on beyond.vintage = communes.vintage
    inner join populations
        on beyond.population_year = populations.population_year
        and communes.commune_code = populations.commune_code
    left join touched
        on beyond.population_year = touched.population_year
        and communes.commune_code = touched.commune_code
    where touched.commune_code is null
)

select
    population_year,
    vintage,
    commune_code,
    cast(municipal_population as integer) as municipal_population,
    is_sum,
    true as is_proven
from spanned
where municipal_population is not null
union all
select
    population_year,
    vintage,
    commune_code,
    municipal_population,
    false as is_sum,
    is_proven
from untouched
