{{ config(reads=['as_of']) }}

-- Works sites as announced, one row per site and source, with what can be told of their state on the date up to
-- which data are known. A stated phase is not believed against the dates; a site that a complete snapshot no longer
-- lists has ended (or was given up, if it had not begun).
with sites as (
    select * from {{ ref('int_mobility__works_announced') }}
),

places as (
    select * from {{ ref('int_mobility__works_places') }}
),

matched as (
    select
        left_source as source,
        left_site_id as site_id,
        site_group_id,
        match_rule,
        match_value,
        right_source as other_source,
        right_site_id as other_site_id,
        distance_m
    from {{ ref('int_mobility__works_matches') }}
    union all
    select
        right_source,
        right_site_id,
        site_group_id,
        match_rule,
        match_value,
        left_source,
        left_site_id,
        distance_m
    from {{ ref('int_mobility__works_matches') }}
),

evidence as (
    select
        source,
        site_id,
        min(site_group_id) as site_group_id,
        cast(to_json(list(
            {
                'rule': match_rule,
                'value': match_value,
                'source': other_source,
                'site_id': other_site_id,
                'distance_m': distance_m
            }
            order by other_source, other_site_id
        )) as varchar) as match_evidence
    from matched
    group by source, site_id
),

-- One site of a group stands for it in counts: the file of disruptive works first, which says most. A site alone is
-- compared with no other: what is said of it depends on its own source.
ranked as (
    select
        source,
        site_id,
        site_group_id,
        match_evidence,
        row_number() over (
            partition by site_group_id
            order by source = 'paris_chantiers_perturbants' desc, source, site_id
        ) as rank_in_group
    from evidence
),

grouped as (
    select
        sites.* exclude (lon, lat, commune_code),
        places.lon,
        places.lat,
        places.commune_code,
        places.commune_vintage,
        places.commune_origin,
        ranked.match_evidence,
        coalesce(ranked.rank_in_group, 1) as rank_in_group,
        coalesce(ranked.site_group_id, sites.source || ':' || sites.site_id) as site_group_id
    from sites
    left join places on sites.source = places.source and sites.site_id = places.site_id
    left join ranked on sites.source = ranked.source and sites.site_id = ranked.site_id
),

told as (
    select
        grouped.*,
        case
            when grouped.stated_phase = 'cancelled' then 'cancelled'
            when grouped.start_on is null then 'unknown'
            when grouped.last_day_on < grouped.start_on then 'cancelled'
            when grouped.start_on > territory.as_of then 'planned'
            when grouped.last_day_on < territory.as_of then 'ended'
            else 'ongoing'
        end as status
    from grouped
    cross join {{ source('ops', 'territory') }} as territory
)

select
    source,
    site_id,
    site_group_id,
    rank_in_group = 1 as is_group_primary,
    match_evidence,
    kind,
    purpose,
    disruption,
    disruption_level,
    street,
    location_detail,
    road_ref,
    direction,
    lanes_closed,
    schedule,
    responsible_body,
    start_on,
    end_on,
    start_at,
    end_at,
    period_precision,
    period_text,
    last_day_on,
    status,
    announced_state,
    stated_phase,
    coalesce(
        stated_phase in ('planned', 'ongoing', 'ended')
        and status <> 'unknown'
        and stated_phase <> status,
        false
    ) as phase_contradicts_dates,
    cast(to_json(announced_versions) as varchar) as announced_versions,
    cast(len(announced_versions) as integer) as version_count,
    try_cast(substr(announced_versions[1]."end", 1, 10) as date) as first_announced_end_on,
    cast(date_diff(
        'day', try_cast(substr(announced_versions[1]."end", 1, 10) as date), end_on
    ) as integer) as end_slippage_days,
    cast(parts_count as integer) as parts_count,
    occupies_carriageway,
    surface_m2,
    case when surface_m2 is null then 'not_available' else 'measured' end as surface_status,
    commune_code,
    commune_vintage,
    commune_origin,
    commune_name,
    district_code,
    geometry,
    lon,
    lat
from told
