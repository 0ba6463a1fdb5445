-- The heat that networks produce, by energy source: the records that are productions. `total` is the sum of the others.
-- A network has no code: its commune and its name make one.
select
    year,
    'heat_network' as zone_level,
    commune_code || ' ' || network_name as zone_code,
    network_name as zone_name,
    commune_code,
    'heat' as carrier,
    energy_source,
    'not_applicable' as voltage_domain,
    cast(null as varchar) as operator,
    cast(null as bigint) as sites,
    'not_applicable' as sites_status,
    value as production_mwh,
    value_status as production_status
from {{ ref('stg_energy__orcae_reseaux_chaleur') }}
where energy_source is not null
