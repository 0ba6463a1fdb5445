-- The parts that add up to a zone's yearly consumption: the cells, and one part without value for each operator that is
-- missing that year (int_energy__missing_operators), in each sector of each zone where it reports in other years, if
-- the source gives the zone at all that year. A total that lacks an operator is then a floor like any other.
with cells as (
    select * from {{ ref('int_energy__consumption_cells') }}
),

zones as (
    select distinct
        source,
        zone_level,
        zone_code,
        year
    from cells
),

missing as (
    select
        cells.source,
        silent.year,
        cells.zone_level,
        cells.zone_code,
        max(cells.commune_code) as commune_code,
        cells.carrier,
        cells.sector,
        cells.operator,
        cells.heating_value_basis
    from cells
    inner join {{ ref('int_energy__missing_operators') }} as silent
        on cells.source = silent.source
        and cells.zone_level = silent.zone_level
        and cells.carrier = silent.carrier
        and cells.operator = silent.operator
    inner join zones
        on cells.source = zones.source
        and cells.zone_level = zones.zone_level
        and cells.zone_code = zones.zone_code
        and silent.year = zones.year
    group by
        cells.source, silent.year, cells.zone_level, cells.zone_code, cells.carrier, cells.sector, cells.operator,
        cells.heating_value_basis
)

select
    source,
    year,
    zone_level,
    zone_code,
    zone_name,
    commune_code,
    carrier,
    sector,
    customer_category,
    operator,
    consumption_mwh,
    consumption_status,
    heating_value_basis,
    delivery_points,
    delivery_points_status,
    measured_share,
    heating_share,
    secret_parts,
    months_known,
    is_of_district,
    false as is_missing
from cells
union all
select
    source,
    year,
    zone_level,
    zone_code,
    cast(null as varchar) as zone_name,
    commune_code,
    carrier,
    sector,
    cast(null as varchar) as customer_category,
    operator,
    cast(null as double) as consumption_mwh,
    'not_available' as consumption_status,
    heating_value_basis,
    cast(null as bigint) as delivery_points,
    'not_available' as delivery_points_status,
    cast(null as double) as measured_share,
    cast(null as double) as heating_share,
    0 as secret_parts,
    cast(null as integer) as months_known,
    false as is_of_district,
    true as is_missing
from missing
