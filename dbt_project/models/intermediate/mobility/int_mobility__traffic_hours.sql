{{ config(materialized='ephemeral') }}

-- Hourly measures of every counting source, in one shape: those published by the hour, and those gathered into hours
-- from shorter windows.
select
    source,
    counter_id,
    coalesce(direction, 'unknown') as direction,
    coalesce(vehicle_class, 'all') as vehicle_class,
    hour_start_at,
    period_month,
    flow_veh_h,
    occupancy_pct,
    speed_kmh,
    coalesce(is_floating_car, false) as is_floating_car,
    coalesce(is_barred, false) as is_barred,
    traffic_state,
    -- These sources publish whole hours or nothing.
    cast(
        case when coalesce(flow_veh_h, occupancy_pct, speed_kmh) is null then 0 else 1 end as decimal(5, 4)
    ) as measured_share,
    cast(case when speed_kmh is null then 0 else 1 end as decimal(5, 4)) as speed_measured_share,
    street,
    lon,
    lat,
    geometry
from {{ family('traffic_hours') }} as hours
union all
select
    source,
    counter_id,
    direction,
    vehicle_class,
    hour_start_at,
    period_month,
    flow_veh_h,
    occupancy_pct,
    speed_kmh,
    is_floating_car,
    coalesce(is_barred, false) as is_barred,
    traffic_state,
    measured_share,
    speed_measured_share,
    street,
    lon,
    lat,
    geometry
from {{ ref('int_mobility__traffic_sample_hours') }}
