{%- set blocks = {
    'residential': 'residentiel',
    'professional': 'professionnel',
    'agriculture': 'agriculture',
    'industry': 'industrie',
    'tertiary': 'tertiaire',
    'unassigned': 'secteur_non_affecte',
} -%}
-- One row per zone, year and sector, from a file that has a block of columns per sector. Households and small
-- professionals are categories of their own; the other sectors are those of companies.
with sectors (sector, customer_category) as (
    values
    ('residential', 'RES'),
    ('professional', 'PRO'),
    ('agriculture', 'ENT'),
    ('industry', 'ENT'),
    ('tertiary', 'ENT'),
    ('unassigned', 'ENT')
),

parted as (
    select
        zones.year,
        zones.zone_level,
        zones.zone_code,
        zones.zone_name,
        zones.commune_code,
        sectors.sector,
        sectors.customer_category,
        {{ of_block('sectors.sector', blocks, 'zones.energy_', '_mwh') }} as consumption_mwh,
        {{ of_block('sectors.sector', blocks, 'zones.sites_') }} as delivery_points
    from {{ ref('stg_energy__enedis_consommation_secteur') }} as zones
    cross join sectors
)

select
    year,
    zone_level,
    zone_code,
    zone_name,
    commune_code,
    'electricity' as carrier,
    sector,
    customer_category,
    cast(null as varchar) as naf_code,
    'Enedis' as operator,
    consumption_mwh,
    {{ published_status('consumption_mwh', '0') }} as consumption_status,
    'not_applicable' as heating_value_basis,
    delivery_points,
    {{ published_status('delivery_points', '0') }} as delivery_points_status,
    cast(null as double) as measured_share,
    cast(null as double) as heating_share,
    0 as secret_parts,
    12 as months_known
from parted
