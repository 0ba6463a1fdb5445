-- The parts of each operator's network in a zone and a sector, summed: a floor as soon as one of them is hidden. A
-- publication says everything of a zone: parts that the latest one no longer has are gone.
with parts as (
    select
        *,
        max(_delivery_id) over (partition by zone_level, zone_code, carrier, year) as latest_delivery_id
    from {{ ref('stg_energy__sdes_chaleur_froid_iris') }}
)

select
    year,
    zone_level,
    zone_code,
    max(zone_name) as zone_name,
    max(commune_code) as commune_code,
    carrier,
    sector,
    customer_category,
    naf_code,
    operator,
    {{ sum_of_parts('consumption_mwh', 'consumption_status') }} as consumption_mwh,
    {{ status_of_parts('consumption_status') }} as consumption_status,
    max(heating_value_basis) as heating_value_basis,
    cast({{ sum_of_parts('delivery_points', 'delivery_points_status') }} as bigint) as delivery_points,
    {{ status_of_parts('delivery_points_status') }} as delivery_points_status,
    case when count(*) = 1 then max(measured_share) end as measured_share,
    case when count(*) = 1 then max(heating_share) end as heating_share,
    cast(sum(secret_parts) as integer) as secret_parts,
    12 as months_known
from parts
where _delivery_id = latest_delivery_id
group by year, zone_level, zone_code, carrier, sector, customer_category, naf_code, operator
