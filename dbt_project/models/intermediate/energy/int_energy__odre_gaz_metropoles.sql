-- Years of gas from months: a year of less than twelve known months is a floor, and says how many it knows.
with years as (
    select
        year,
        zone_level,
        zone_code,
        max(zone_name) as zone_name,
        {{ sum_of_parts('consumption_mwh', 'consumption_status') }} as consumption_mwh,
        {{ status_of_parts('consumption_status') }} as status_of_months,
        cast(count(consumption_mwh) as integer) as months_known
    from {{ ref('stg_energy__odre_gaz_metropoles') }}
    group by year, zone_level, zone_code
)

select
    year,
    zone_level,
    zone_code,
    zone_name,
    cast(null as varchar) as commune_code,
    'gas' as carrier,
    'all' as sector,
    'all' as customer_category,
    cast(null as varchar) as naf_code,
    cast(null as varchar) as operator,
    consumption_mwh,
    case when months_known between 1 and 11 then 'partial' else status_of_months end as consumption_status,
    'gross' as heating_value_basis,
    cast(null as bigint) as delivery_points,
    'not_available' as delivery_points_status,
    cast(null as double) as measured_share,
    cast(null as double) as heating_share,
    0 as secret_parts,
    months_known
from years
