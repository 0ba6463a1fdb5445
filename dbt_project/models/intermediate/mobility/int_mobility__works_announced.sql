-- Works sites of every source in one shape, one row per source and site: several parts (occupations, records of a
-- situation) make one site, from the first start to the last end, as disruptive as its worst part. A part without an
-- announced end leaves the site without one. `request_id` is the number by which several files name the same site.
with parts as (
    select * from {{ ref('int_mobility__works_parts') }}
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
        case when bool_and(period_precision = 'instant') then min(start_at) end as start_at,
        case when bool_and(period_precision = 'instant') and count(end_at) = count(*) then max(end_at) end as end_at,
        case
            when bool_and(period_precision = 'instant') then 'instant'
            when bool_and(period_precision = 'text') then 'text'
            else 'date'
        end as period_precision,
        min(period_text) as period_text,
        min(announced_state) as announced_state,
        case when count(distinct stated_phase) <= 1 then min(stated_phase) end as stated_phase,
        case when count(distinct commune_code) <= 1 then min(commune_code) end as commune_code,
        case when count(distinct commune_name) <= 1 then min(commune_name) end as commune_name,
        min(district_code) as district_code,
        count(*) as parts_count,
        -- A source that does not list all its works at once never says that one has gone.
        bool_or(coalesce(in_latest_snapshot, true)) as in_latest_snapshot,
        any_value(announced_versions) as versions_of_a_part,
        {{ collect_geometries('geometry', 'part_id') }} as geometry,
        {{ mean_degrees('lon') }} as lon,
        {{ mean_degrees('lat') }} as lat
    from parts
    group by source, site_id
),

told as (
    select
        sites.* exclude (versions_of_a_part),
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
