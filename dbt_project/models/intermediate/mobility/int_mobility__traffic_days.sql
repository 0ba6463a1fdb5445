{{ config(by_period=true, period_column='period_month') }}

-- Vehicles counted by counter and legal day, and in how many whole hours. An hour measured in part, not measured, or
-- beyond what a road can carry counts for none.
with hours as (
    select
        source,
        counter_id,
        direction,
        vehicle_class,
        period_month,
        flow_veh_h,
        cast(substr(hour_start_local, 1, 10) as date) as day_on,
        measured_share >= 1 and plausibility <> 'implausible_flow' as is_whole
    from {{ ref('traffic_hourly') }}
    where {{ in_stale('period_month') }} and measure_kind = 'count'
)

select
    source,
    counter_id,
    direction,
    vehicle_class,
    day_on,
    period_month,
    cast(count(*) filter (where is_whole) as integer) as whole_hours,
    cast(sum(cast(flow_veh_h as decimal(18, 2))) filter (where is_whole) as decimal(18, 2)) as vehicles
from hours
group by source, counter_id, direction, vehicle_class, day_on, period_month
