{{ config(reads=['geometry', 'territory']) }}

-- Counters and works sites within reach of each other, geometry to geometry. Envelopes widened by the reach choose
-- the pairs to measure: a degree of latitude is 111 km, one of longitude shrinks with its cosine.
with reach as (
    select
        reach_m,
        reach_m / 111000.0 as reach_lat,
        reach_m / (111000.0 * cos(radians(greatest(abs(min_lat), abs(max_lat))))) as reach_lon
    from {{ source('ops', 'territory') }}
),

counters as (
    select
        source,
        counter_id,
        geometry,
        geo_min_lon(geometry) as min_lon,
        geo_min_lat(geometry) as min_lat,
        geo_max_lon(geometry) as max_lon,
        geo_max_lat(geometry) as max_lat
    from {{ ref('int_mobility__counters') }}
    where has_measures and geometry is not null and geometry <> ''
),

sites as (
    select
        source,
        site_id,
        geometry,
        geo_min_lon(geometry) as min_lon,
        geo_min_lat(geometry) as min_lat,
        geo_max_lon(geometry) as max_lon,
        geo_max_lat(geometry) as max_lat
    from {{ ref('int_mobility__works_announced') }}
    where geometry is not null
),

near as (
    select
        counters.source,
        counters.counter_id,
        sites.source as works_source,
        sites.site_id,
        reach.reach_m,
        geo_distance_m(counters.geometry, sites.geometry) as distance_m,
        geo_position(counters.geometry, sites.geometry) as position
    from counters
    cross join reach
    inner join sites
        on sites.min_lon <= counters.max_lon + reach.reach_lon
        and sites.max_lon >= counters.min_lon - reach.reach_lon
        and sites.min_lat <= counters.max_lat + reach.reach_lat
        and sites.max_lat >= counters.min_lat - reach.reach_lat
)

select
    source,
    counter_id,
    works_source,
    site_id,
    cast(cast(distance_m as decimal(9, 1)) as double) as distance_m,
    position
from near
where distance_m <= reach_m
