{{ config(materialized='ephemeral') }}

-- The occupations of "chantiers à Paris" gathered into sites: those of one CITE request. A part without a request
-- stands alone. The site runs from its first part's start to its last part's end and disrupts as its worst part
-- does.
with parts as (
    select
        *,
        coalesce(cite_request_id, part_id) as site_id,
        case disruption
            when 'lane_restricted' then 4
            when 'cycle_lane' then 3
            when 'sidewalk' then 2
            when 'parking' then 1
            else 0
        end as disruption_rank
    from {{ ref('stg_mobility__paris_chantiers') }}
),

announcements as (
    select
        site_id,
        unnest(announced_versions) as announced
    from parts
),

announced_by_snapshot as (
    select
        site_id,
        announced.snapshot_on as snapshot_on,
        min(announced.start_on) as start_on,
        max(announced.end_on) as end_on
    from announcements
    group by site_id, announced.snapshot_on
),

histories as (
    select
        site_id,
        list(
            struct_pack(snapshot_on := snapshot_on, start_on := start_on, end_on := end_on)
            order by snapshot_on
        ) as announced_versions
    from announced_by_snapshot
    group by site_id
)

select
    parts.site_id,
    min(parts.cite_request_id) as cite_request_id,
    min(parts.kind) as kind,
    min(parts.purpose) as purpose,
    arg_max(parts.disruption, parts.disruption_rank) as disruption,
    bool_or(parts.occupies_carriageway) as occupies_carriageway,
    min(parts.responsible_body) as responsible_body,
    cast(sum(cast(parts.surface_m2 as decimal(18, 2))) as double) as surface_m2,
    min(parts.start_on) as start_on,
    max(parts.end_on) as end_on,
    min(parts.district_code) as district_code,
    count(*) as parts_count,
    bool_or(parts.in_latest_snapshot) as in_latest_snapshot,
    any_value(histories.announced_versions) as announced_versions,
    {{ collect_geometries('parts.geometry', 'parts.part_id') }} as geometry,
    {{ mean_degrees('parts.lon') }} as lon,
    {{ mean_degrees('parts.lat') }} as lat
from parts
inner join histories on parts.site_id = histories.site_id
group by parts.site_id
