{{ config(by_period=true, period_column='period_month') }}

-- Windows shorter than an hour (six minutes, three minutes) gathered into hours. A flow is the mean rate over the
-- windows that gave one: three six-minute values are not an hour, and `measured_share` says so. Speeds have a share of
-- their own: a window may have a flow without a speed, or the reverse. Speeds of a detector are those of the vehicles
-- that passed, weighted by their number (time-mean speed); speeds of floating cars along a section are harmonic means,
-- those of its mean travel time (space-mean speed; Wardrop 1952). Sums in decimals: a sum of doubles depends on the
-- order in which an engine adds.
with samples as (
    select
        source,
        counter_id,
        coalesce(direction, 'unknown') as direction,
        coalesce(vehicle_class, 'all') as vehicle_class,
        date_trunc('hour', window_start_at) as hour_start_at,
        period_month,
        window_s,
        is_floating_car,
        flow_veh_h,
        -- No vehicle has a speed of zero over a window: producers write it where none was measured. A detector's speed
        -- of which nobody says how many vehicles it is of cannot be weighed.
        case when speed_kmh > 0 and (is_floating_car or speed_weight > 0) then speed_kmh end as speed_kmh,
        speed_weight,
        street,
        lon,
        lat,
        geometry
    from {{ ref('int_mobility__traffic_samples') }}
    where {{ in_stale('period_month') }}
),

summed as (
    select
        source,
        counter_id,
        direction,
        vehicle_class,
        hour_start_at,
        period_month,
        coalesce(bool_or(is_floating_car), false) as is_floating_car,
        sum(window_s) filter (where flow_veh_h is not null) as flow_s,
        sum(cast(flow_veh_h as decimal(18, 4)) * window_s) as flow_weighted,
        sum(window_s) filter (where speed_kmh is not null) as speed_s,
        sum(cast(speed_weight as decimal(18, 4))) filter (where speed_kmh is not null) as weight,
        sum(cast(speed_kmh as decimal(18, 4)) * cast(speed_weight as decimal(12, 2))) as speed_weighted,
        sum(window_s * cast(1 / speed_kmh as decimal(18, 12))) as slowness_weighted,
        min(street) as street,
        min(lon) as lon,
        min(lat) as lat,
        min(geometry) as geometry
    from samples
    group by source, counter_id, direction, vehicle_class, hour_start_at, period_month
)

select
    source,
    counter_id,
    direction,
    vehicle_class,
    hour_start_at,
    period_month,
    cast(flow_weighted as double) / flow_s as flow_veh_h,
    cast(null as double) as occupancy_pct,
    case
        when is_floating_car then speed_s / cast(slowness_weighted as double)
        when weight > 0 then cast(speed_weighted as double) / cast(weight as double)
    end as speed_kmh,
    is_floating_car,
    cast(null as boolean) as is_barred,
    cast(null as varchar) as traffic_state,
    cast(least(coalesce(flow_s, speed_s, 0), 3600) / 3600.0 as decimal(5, 4)) as measured_share,
    cast(least(coalesce(speed_s, 0), 3600) / 3600.0 as decimal(5, 4)) as speed_measured_share,
    street,
    lon,
    lat,
    geometry
from summed
