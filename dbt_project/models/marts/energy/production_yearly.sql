-- Yearly energy production by source, zone, carrier, energy source and voltage domain: operators added up. A total that
-- the producer gives stays a row of its own (energy_source `total`) and none is made here: parts may be secret, and
-- what a producer does not name would be missing. See docs/energie.md.
with summed as (
    select
        source,
        zone_level,
        zone_code,
        max(zone_name) as zone_name,
        case when min(commune_code) = max(commune_code) then max(commune_code) end as commune_code,
        year,
        carrier,
        energy_source,
        voltage_domain,
        {{ sum_of_parts('production_mwh', 'production_status') }} as production_mwh,
        {{ status_of_parts('production_status') }} as production_status,
        cast(sum(sites) filter (where {{ is_known('sites_status') }}) as bigint) as sites,
        {{ status_of_parts('sites_status') }} as sites_status,
        cast(count(distinct operator) as integer) as operators_count
    from {{ ref('int_energy__production_cells') }}
    group by source, zone_level, zone_code, year, carrier, energy_source, voltage_domain
)

select
    summed.source,
    summed.zone_level,
    summed.zone_code,
    {{ name_of_zone('codes', 'summed') }} as zone_name,
    coalesce(summed.commune_code, codes.commune_code) as commune_code,
    codes.zone_vintage,
    codes.reference_code,
    codes.reference_vintage,
    summed.year,
    summed.carrier,
    summed.energy_source,
    summed.voltage_domain,
    summed.production_mwh,
    summed.production_status,
    summed.sites,
    summed.sites_status,
    summed.operators_count
from summed
left join {{ ref('int_energy__zone_codes') }} as codes on {{ is_code_of_zone('codes', 'summed') }}
