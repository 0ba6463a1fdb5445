-- Yearly energy consumption by source, zone, carrier and sector. Rows of several sources tell the same energy: they are
-- compared, never added. Nor are levels: communes hold their IRIS and their districts. See docs/energie.md.
select
    years.source,
    years.zone_level,
    years.zone_code,
    {{ name_of_zone('codes', 'years') }} as zone_name,
    coalesce(years.commune_code, codes.commune_code) as commune_code,
    {{ larger_zones('codes', 'years') }},
    codes.zone_vintage,
    codes.reference_code,
    codes.reference_vintage,
    years.year,
    years.carrier,
    years.sector,
    years.heating_value_basis,
    years.consumption_mwh,
    years.consumption_status,
    years.delivery_points,
    years.delivery_points_status,
    years.measured_share,
    years.measured_share_status,
    years.secret_parts,
    years.months_known,
    years.operators_count,
    years.missing_operators,
    years.includes_small_businesses,
    years.is_sum_of_districts,
    years.is_sum_of_sectors
from {{ ref('int_energy__consumption_years') }} as years
left join {{ ref('int_energy__zone_codes') }} as codes on {{ is_code_of_zone('codes', 'years') }}
