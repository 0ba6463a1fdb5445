-- One row per counter that has ever measured or is in a referential: its street and its latest known geometry.
-- Measures carry a fresher place than the yearly referential, which fills the gaps (archives have no geometry).
with measured as (
    select
        source,
        counter_id,
        arg_max(street, last_hour_at) as street,
        arg_max(lon, last_hour_at) filter (where lon is not null) as lon,
        arg_max(lat, last_hour_at) filter (where lon is not null) as lat,
        arg_max(geometry, last_hour_at) filter (where lon is not null) as geometry
    from {{ ref('int_mobility__counter_places') }}
    group by source, counter_id
),

described as (
    select * from {{ ref('int_mobility__counter_descriptions') }}
),

latest_validity as (
    select
        measures_source,
        counter_id,
        max(valid_from_on) as valid_from_on
    from described
    group by measures_source, counter_id
),

referenced as (
    select
        arcs.measures_source as source,
        arcs.counter_id,
        min(arcs.street) as street,
        min(arcs.road_ref) as road_ref,
        min(arcs.commune_code) as commune_code,
        min(arcs.department_code) as department_code,
        cast(sum(cast(arcs.length_m as decimal(12, 2))) as double) as length_m,
        -- The parts of an arc are short: the mean of their points stands for the arc.
        {{ mean_degrees('arcs.lon') }} as lon,
        {{ mean_degrees('arcs.lat') }} as lat,
        {{ collect_geometries('arcs.geometry', 'arcs.geometry') }} as geometry
    from described as arcs
    inner join latest_validity
        on arcs.measures_source = latest_validity.measures_source
        and arcs.counter_id = latest_validity.counter_id
        -- A referential without validities has one description of each counter.
        and arcs.valid_from_on is not distinct from latest_validity.valid_from_on
    group by arcs.measures_source, arcs.counter_id
)

select
    coalesce(measured.source, referenced.source) as source,
    coalesce(measured.counter_id, referenced.counter_id) as counter_id,
    coalesce(measured.street, referenced.street) as street,
    referenced.road_ref,
    referenced.commune_code,
    referenced.department_code,
    referenced.length_m,
    -- A tenth of a metre: exports differ in the decimals beyond, and a place that only seems to move would have every
    -- month of its counter built again.
    cast(cast(coalesce(measured.lon, referenced.lon) as decimal(9, 6)) as double) as lon,
    cast(cast(coalesce(measured.lat, referenced.lat) as decimal(9, 6)) as double) as lat,
    coalesce(measured.geometry, referenced.geometry) as geometry,
    measured.counter_id is not null as has_measures
from measured
full outer join referenced
    on measured.source = referenced.source and measured.counter_id = referenced.counter_id
