{%- set blocks = {
    'photovoltaic': 'photovoltaique',
    'wind': 'eolien',
    'hydro': 'hydraulique',
    'bioenergy': 'bio_energie',
    'cogeneration': 'cogeneration',
    'other': 'autres_filieres',
} -%}
-- One row per zone, year, voltage domain and source, from a file that has two columns per source. The producer says
-- that an empty cell is secret and that a zero is none.
with sources (energy_source) as (
    values ('photovoltaic'), ('wind'), ('hydro'), ('bioenergy'), ('cogeneration'), ('other')
),

parted as (
    select
        zones.year,
        zones.zone_level,
        zones.zone_code,
        zones.zone_name,
        zones.commune_code,
        zones.voltage_domain,
        sources.energy_source,
        {{ of_block('sources.energy_source', blocks, 'zones.sites_') }} as sites,
        {{ of_block('sources.energy_source', blocks, 'zones.energy_', '_mwh') }} as production_mwh
    from {{ ref('stg_energy__enedis_production_filiere') }} as zones
    cross join sources
)

select
    year,
    zone_level,
    zone_code,
    zone_name,
    commune_code,
    'electricity' as carrier,
    energy_source,
    voltage_domain,
    'Enedis' as operator,
    sites,
    case when sites is null then 'secret' else 'measured' end as sites_status,
    production_mwh,
    case when production_mwh is null then 'secret' else 'measured' end as production_status
from parted
