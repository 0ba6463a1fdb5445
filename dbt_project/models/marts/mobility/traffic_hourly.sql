{{ config(by_period=true, period_column='period_month') }}

-- What passed each counter, hour by hour. A measure without flow is not a count: `measure_kind` says what was
-- measured, and the kinds are never mixed. Bounds of plausibility: 12,000 vehicles an hour is the capacity of five
-- motorway lanes (2,400 each, Highway Capacity Manual), more than any urban arc; a flow with nothing on the loop, or
-- a loop covered three quarters of the hour without a vehicle, contradicts itself. Vehicles that send their position
-- tell the speed of a section, not how many pass: flow and occupancy do not apply there.
with hours as not materialized (
    select *
    from {{ ref('int_mobility__traffic_hours') }}
    where {{ in_stale('period_month') }}
),

-- Legal time is told once per hour and source, not once per counter: hours shared by sources would mix what they lend.
instants as (
    select distinct
        source,
        hour_start_at
    from hours
),

clock as (
    select
        source,
        hour_start_at,
        {{ legal_text('hour_start_at', var('time_zone', 'Europe/Paris')) }} as hour_start_local
    from instants
),

counters as (
    select * from {{ ref('int_mobility__counter_labels') }}
)

select
    hours.source,
    hours.counter_id,
    hours.direction,
    hours.vehicle_class,
    hours.hour_start_at,
    clock.hour_start_local,
    case
        when hours.flow_veh_h is not null then 'count'
        when hours.occupancy_pct is not null then 'occupancy'
        when hours.speed_kmh is not null and hours.is_floating_car then 'floating_car_speed'
        when hours.speed_kmh is not null then 'speed'
        else 'none'
    end as measure_kind,
    hours.flow_veh_h,
    case
        when hours.flow_veh_h is not null then 'measured'
        when hours.is_floating_car then 'not_applicable'
        else 'not_available'
    end as flow_status,
    hours.occupancy_pct,
    case
        when hours.occupancy_pct is not null then 'measured'
        when hours.is_floating_car then 'not_applicable'
        else 'not_available'
    end as occupancy_status,
    hours.speed_kmh,
    case when hours.speed_kmh is null then 'not_available' else 'measured' end as speed_status,
    coalesce(hours.traffic_state, 'unknown') as traffic_state,
    hours.measured_share,
    hours.speed_measured_share,
    hours.is_barred,
    case
        when coalesce(hours.flow_veh_h, hours.occupancy_pct, hours.speed_kmh) is null then 'not_measured'
        when hours.flow_veh_h > 12000 then 'implausible_flow'
        when hours.flow_veh_h > 100 and hours.occupancy_pct = 0 then 'flow_without_occupancy'
        when hours.flow_veh_h = 0 and hours.occupancy_pct > 75 then 'occupancy_without_flow'
        else 'plausible'
    end as plausibility,
    counters.street,
    counters.lon,
    counters.lat,
    hours.period_month
from hours
inner join clock on hours.source = clock.source and hours.hour_start_at = clock.hour_start_at
left join counters
    on hours.source = counters.source and hours.counter_id = counters.counter_id
