{{ config(reads=['as_of']) }}

-- Disruptive works within reach of each counter: those that take from the carriageway, are not cancelled and have a
-- start. One row per counter and group of sites: where two files describe one site, the primary speaks for both, unless
-- only the other lies within reach. A site ends with the last day on which it can have been there; one without such a
-- day, or with one that lies ahead, is followed up to the date up to which data are known.
--
-- Brief works (a day, or a timed closure of up to a day, such as a night's) are too short to be measured by days, and
-- would cut every longer spell to pieces: they do not part spells, their hours are set aside.
with disruptive as (
    select
        sites.*,
        territory.as_of,
        coalesce(
            date_diff('minute', sites.start_at, sites.end_at) <= 60 * {{ effect_setting('brief_hours') }}, false
        ) as is_timed_briefly
    from {{ ref('works_sites') }} as sites
    cross join {{ source('ops', 'territory') }} as territory
    where sites.occupies_carriageway and sites.status <> 'cancelled' and sites.start_on <= territory.as_of
),

ranked as (
    select
        pairs.source,
        pairs.counter_id,
        pairs.works_source,
        pairs.site_id,
        pairs.distance_m,
        pairs.position,
        disruptive.site_group_id,
        disruptive.kind,
        disruptive.disruption,
        disruptive.start_on,
        least(disruptive.last_day_on, disruptive.as_of) as end_on,
        disruptive.status = 'ongoing' and coalesce(disruptive.last_day_on > disruptive.as_of, true) as is_open,
        disruptive.is_timed_briefly or coalesce(disruptive.last_day_on = disruptive.start_on, false) as is_brief,
        case when disruptive.is_timed_briefly then disruptive.start_at end as start_at,
        case when disruptive.is_timed_briefly then disruptive.end_at end as end_at,
        row_number() over (
            partition by pairs.source, pairs.counter_id, disruptive.site_group_id
            order by disruptive.is_group_primary desc, pairs.works_source, pairs.site_id
        ) as rank_in_group
    from {{ ref('int_mobility__counter_works_pairs') }} as pairs
    inner join disruptive on pairs.works_source = disruptive.source and pairs.site_id = disruptive.site_id
)

select
    source,
    counter_id,
    works_source,
    site_id,
    works_source || '/' || site_id as site_key,
    site_group_id,
    kind,
    disruption,
    distance_m,
    position,
    start_on,
    end_on,
    is_open,
    is_brief,
    start_at,
    end_at
from ranked
where rank_in_group = 1 and end_on >= start_on
