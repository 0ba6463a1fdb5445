{{ config(by_period=true, period_column='period_month') }}

-- The legal days on which a counter was heard, with how many of their hours it measured.
with hours as (
    select
        source,
        counter_id,
        period_month,
        measure_kind,
        cast(substr(hour_start_local, 1, 10) as date) as day_on
    from {{ ref('traffic_hourly') }}
    where {{ in_stale('period_month') }}
)

select
    source,
    counter_id,
    day_on,
    period_month,
    cast(count(*) filter (where measure_kind <> 'none') as integer) as measured_hours
from hours
group by source, counter_id, day_on, period_month
