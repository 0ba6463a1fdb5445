{{ config(reads=['as_of']) }}

-- Works sites as announced, one row per site and source, with what can be told of their state on the date up to
-- which data are known. A stated phase is not believed against the dates; a site absent from the latest complete
-- snapshot has ended (or was given up, if it had not begun).
with sites as (
    select * from {{ ref('int_mobility__works_announced') }}
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

grouped as (
    select
        sites.*,
        evidence.match_evidence,
        coalesce(evidence.site_group_id, sites.source || ':' || sites.site_id) as site_group_id
    from sites
    left join evidence on sites.source = evidence.source and sites.site_id = evidence.site_id
),

-- One site of a group stands for it in counts: the file of disruptive works first, which says most.
ranked as (
    select
        *,
        row_number() over (
            partition by site_group_id
            order by source = 'paris_chantiers_perturbants' desc, source, site_id
        ) as rank_in_group
    from grouped
)

select
    ranked.source,
    ranked.site_id,
    ranked.site_group_id,
    ranked.rank_in_group = 1 as is_group_primary,
    ranked.match_evidence,
    ranked.kind,
    ranked.purpose,
    ranked.disruption,
    ranked.disruption_level,
    ranked.street,
    ranked.location_detail,
    ranked.responsible_body,
    ranked.start_on,
    ranked.end_on,
    ranked.start_at,
    ranked.end_at,
    ranked.period_precision,
    case
        when ranked.announced_state = 'cancelled' then 'cancelled'
        when ranked.start_on is null then 'unknown'
        when ranked.start_on > territory.as_of and not ranked.in_latest_snapshot then 'cancelled'
        when ranked.start_on > territory.as_of then 'planned'
        when ranked.end_on < territory.as_of or not ranked.in_latest_snapshot then 'ended'
        else 'ongoing'
    end as status,
    cast(to_json(ranked.announced_versions) as varchar) as announced_versions,
    cast(len(ranked.announced_versions) as integer) as version_count,
    try_cast(substr(ranked.announced_versions[1]."end", 1, 10) as date) as first_announced_end_on,
    cast(date_diff(
        'day', try_cast(substr(ranked.announced_versions[1]."end", 1, 10) as date), ranked.end_on
    ) as integer) as end_slippage_days,
    cast(ranked.parts_count as integer) as parts_count,
    ranked.occupies_carriageway,
    ranked.surface_m2,
    ranked.district_code,
    ranked.geometry,
    ranked.lon,
    ranked.lat
from ranked
cross join {{ source('ops', 'territory') }} as territory
