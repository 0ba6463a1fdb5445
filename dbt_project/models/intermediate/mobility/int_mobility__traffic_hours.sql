{{ config(materialized='ephemeral') }}

-- Hourly measures of every counting source, in one shape. A source of another form (floating cars, several classes or
-- directions) joins here as a further branch.
select
    'paris_comptages_permanents' as source,
    counter_id,
    -- An arc is directed: a street with two directions has two arcs.
    'one_way' as direction,
    'all' as vehicle_class,
    hour_start_at,
    period_month,
    flow_veh_h,
    occupancy_pct,
    cast(null as double) as speed_kmh,
    traffic_state,
    street,
    lon,
    lat,
    geometry
from {{ ref('stg_mobility__paris_comptages_permanents') }}
