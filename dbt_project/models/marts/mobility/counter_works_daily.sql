{{ config(by_period=true, period_column='period_month') }}

-- The join of traffic and works: one row per counter, legal day on which it was heard, and site active that day
-- within reach. Several sites on one day are several rows: sums over sites count a day's traffic several times.
with days as (
    select *
    from {{ ref('int_mobility__counter_days') }}
    where {{ in_stale('period_month') }}
),

sites as (
    select *
    from {{ ref('int_mobility__counter_works_months') }}
    where {{ in_stale('period_month') }}
)

select
    days.source,
    days.counter_id,
    sites.works_source,
    sites.site_id,
    sites.site_group_id,
    days.day_on,
    sites.distance_m,
    sites.position,
    sites.kind,
    sites.disruption,
    sites.disruption_level,
    days.measured_hours,
    days.period_month
from days
inner join sites
    on days.source = sites.source
    and days.counter_id = sites.counter_id
    and days.period_month = sites.period_month
    and days.day_on between sites.start_on and sites.end_on
