-- Works sites of every source in one shape, one row per source and site. `cite_request_id` is the request number by
-- which the City's two files name the same site.
with perturbing as (
    select
        'paris_chantiers_perturbants' as source,
        site_id,
        cite_request_id,
        kind,
        purpose,
        disruption,
        disruption_level,
        street,
        location_detail,
        responsible_body,
        start_on,
        end_on,
        cast(null as timestamp) as start_at,
        cast(null as timestamp) as end_at,
        'date' as period_precision,
        announced_state,
        in_latest_snapshot,
        list_transform(
            announced_versions,
            version -> {
                'snapshot_on': version.snapshot_on,
                'start': cast(version.start_on as varchar),
                'end': cast(version.end_on as varchar)
            }
        ) as announced_versions,
        1 as parts_count,
        -- A disruptive site is one that takes from the carriageway, whatever it does to it.
        disruption <> 'unknown' as occupies_carriageway,
        cast(null as double) as surface_m2,
        district_code,
        geometry,
        lon,
        lat
    from {{ ref('stg_mobility__paris_chantiers_perturbants') }}
),

occupying as (
    select
        'paris_chantiers' as source,
        site_id,
        cite_request_id,
        kind,
        purpose,
        disruption,
        cast(null as integer) as disruption_level,
        cast(null as varchar) as street,
        cast(null as varchar) as location_detail,
        responsible_body,
        start_on,
        end_on,
        cast(null as timestamp) as start_at,
        cast(null as timestamp) as end_at,
        'date' as period_precision,
        cast(null as varchar) as announced_state,
        in_latest_snapshot,
        list_transform(
            announced_versions,
            version -> {
                'snapshot_on': version.snapshot_on,
                'start': cast(version.start_on as varchar),
                'end': cast(version.end_on as varchar)
            }
        ) as announced_versions,
        parts_count,
        occupies_carriageway,
        surface_m2,
        district_code,
        geometry,
        lon,
        lat
    from {{ ref('int_mobility__paris_chantiers_sites') }}
),

closures as (
    select
        'paris_fermetures_voirie' as source,
        site_id,
        cast(null as varchar) as cite_request_id,
        'closure' as kind,
        closure_type as purpose,
        'road_closed' as disruption,
        cast(null as integer) as disruption_level,
        street,
        direction_text as location_detail,
        cast(null as varchar) as responsible_body,
        cast({{ legal_time('start_at', var('time_zone', 'Europe/Paris')) }} as date) as start_on,
        cast({{ legal_time('end_at', var('time_zone', 'Europe/Paris')) }} as date) as end_on,
        start_at,
        end_at,
        'instant' as period_precision,
        announced_state,
        in_latest_snapshot,
        list_transform(
            announced_versions,
            version -> {
                'snapshot_on': version.snapshot_on,
                'start': strftime(version.start_at, '%Y-%m-%dT%H:%M:%SZ'),
                'end': strftime(version.end_at, '%Y-%m-%dT%H:%M:%SZ')
            }
        ) as announced_versions,
        1 as parts_count,
        true as occupies_carriageway,
        cast(null as double) as surface_m2,
        cast(null as varchar) as district_code,
        geometry,
        lon,
        lat
    from {{ ref('stg_mobility__paris_fermetures_voirie') }}
)

select * from perturbing
union all
select * from occupying
union all
select * from closures
