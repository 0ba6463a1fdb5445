{{ config(period_column='period_month', reads=['as_of']) }}

-- The months in which a counter within reach of an active site was heard. Kept by month, so that a new snapshot of
-- works touches the months whose sites it changes and no other. A site ends with the last day on which it can have
-- been there; without one it is followed up to the date up to which data are known. One without a start has no period
-- and is left out.
with heard as (
    select distinct
        source,
        counter_id,
        period_month
    from {{ ref('int_mobility__counter_days') }}
),

active as (
    select
        pairs.source,
        pairs.counter_id,
        pairs.works_source,
        pairs.site_id,
        pairs.distance_m,
        pairs.position,
        sites.site_group_id,
        sites.kind,
        sites.disruption,
        sites.disruption_level,
        sites.start_on,
        coalesce(sites.last_day_on, territory.as_of) as end_on
    from {{ ref('int_mobility__counter_works_pairs') }} as pairs
    inner join {{ ref('works_sites') }} as sites
        on pairs.works_source = sites.source and pairs.site_id = sites.site_id
    cross join {{ source('ops', 'territory') }} as territory
    where sites.start_on is not null and sites.status <> 'cancelled'
)

select
    active.*,
    heard.period_month
from active
inner join heard
    on active.source = heard.source
    and active.counter_id = heard.counter_id
    and heard.period_month between {{ month_of('active.start_on') }} and {{ month_of('active.end_on') }}
