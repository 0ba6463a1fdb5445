-- Works sites of every source in one shape, one row per source and site: several parts (occupations, records of a
-- situation) make one site, from the first start to the last end, as disruptive as its worst part. A part without an
-- announced end leaves the site without one. `request_id` is the number by which several files name the same site.
--
-- `last_day_on` is the last day on which the site can still have been there: that of its last part, which ends when
-- announced, at the latest on the day before the first complete snapshot that no longer lists it.
with parts as (
    select
        *,
        least(end_on, first_absent_on - 1) as last_day_on,
        start_on is not null or end_on is not null as is_dated
    from {{ ref('int_mobility__works_parts') }}
),

announcements as (
    select
        source,
        site_id,
        unnest(announced_versions) as announced
    from parts
),

announced_by_snapshot as (
    select
        source,
        site_id,
        announced.snapshot_on as snapshot_on,
        min(announced.start_on) as start_on,
        max(announced.end_on) as end_on,
        min(announced.start_at) as start_at,
        max(announced.end_at) as end_at
    from announcements
    group by source, site_id, announced.snapshot_on
),

histories as (
    select
        source,
        site_id,
        list(
            struct_pack(
                snapshot_on := snapshot_on,
                start_on := start_on,
                end_on := end_on,
                start_at := start_at,
                end_at := end_at
            )
            order by snapshot_on
        ) as announced_versions
    from announced_by_snapshot
    group by source, site_id
),

sites as (
    select
        source,
        site_id,
        min(request_id) as request_id,
        coalesce(min(kind) filter (where occupies_carriageway), min(kind)) as kind,
        min(purpose) as purpose,
        coalesce(arg_max(disruption, disruption_rank), 'unknown') as disruption,
        min(disruption_level) as disruption_level,
        coalesce(bool_or(occupies_carriageway), false) as occupies_carriageway,
        min(street) as street,
        min(location_detail) as location_detail,
        min(road_ref) as road_ref,
        case when count(distinct direction) <= 1 then min(direction) else 'unknown' end as direction,
        max(lanes_closed) as lanes_closed,
        min(schedule) as schedule,
        min(responsible_body) as responsible_body,
        cast(sum(cast(surface_m2 as decimal(18, 2))) as double) as surface_m2,
        min(start_on) as start_on,
        case when count(end_on) = count(*) then max(end_on) end as end_on,
        case when count(last_day_on) = count(*) then max(last_day_on) end as last_day_on,
        min(start_at) as first_start_at,
        case when count(end_at) = count(*) then max(end_at) end as last_end_at,
        -- A part without any date says nothing of how precise those of the others are.
        coalesce(bool_and(period_precision = 'instant') filter (where is_dated), false) as has_instants,
        bool_and(period_precision = 'text') as has_words,
        min(period_text) as period_text,
        min(announced_state) as announced_state,
        case when count(distinct stated_phase) <= 1 then min(stated_phase) end as stated_phase,
        case when count(distinct commune_code) <= 1 then min(commune_code) end as commune_code,
        case when count(distinct commune_name) <= 1 then min(commune_name) end as commune_name,
        min(district_code) as district_code,
        count(*) as parts_count,
        any_value(announced_versions) as versions_of_a_part,
        {{ collect_geometries('geometry', 'part_id') }} as geometry,
        {{ mean_degrees('lon') }} as lon,
        {{ mean_degrees('lat') }} as lat
    from parts
    group by source, site_id
),

told as (
    select
        sites.* exclude (versions_of_a_part, first_start_at, last_end_at, has_instants, has_words),
        case when sites.has_instants then sites.first_start_at end as start_at,
        case when sites.has_instants then sites.last_end_at end as end_at,
        case
            when sites.has_instants and coalesce(sites.first_start_at, sites.last_end_at) is not null then 'instant'
            when sites.has_words then 'text'
            else 'date'
        end as period_precision,
        case
            when sites.parts_count = 1 then sites.versions_of_a_part
            else histories.announced_versions
        end as versions
    from sites
    left join histories on sites.source = histories.source and sites.site_id = histories.site_id
)

select
    * exclude (versions),
    list_transform(
        versions,
        version -> {
            'snapshot_on': version.snapshot_on,
            'start': coalesce(
                strftime(version.start_at, '%Y-%m-%dT%H:%M:%SZ'), cast(version.start_on as varchar)
            ),
            'end': coalesce(strftime(version.end_at, '%Y-%m-%dT%H:%M:%SZ'), cast(version.end_on as varchar))
        }
    ) as announced_versions
from told
