{%- set codes = {
    'ore_consommation_commune': {'commune': 'code_commune'},
    'ore_consommation_secteur': {
        'iris': 'code_iris', 'commune': 'code_commune', 'epci': 'code_epci', 'department': 'code_departement',
        'region': 'code_region',
    },
    'ore_consommation_naf_region': {
        'iris': 'code_iris', 'commune': 'code_commune', 'epci': 'code_epci', 'department': 'code_departement',
        'region': 'code_region',
    },
    'sdes_chaleur_froid_iris': {
        'iris': 'case when length(trim(code_zone)) > 5 then code_zone end',
        'commune': 'case when length(trim(code_zone)) <= 5 then code_zone end',
    },
} -%}
{{ config(materialized='ephemeral') }}

-- Where each operator reports each year outside the territory, in the sources of the run that name several operators.
-- Staging keeps the territory's records alone; whether an operator is missing in a file must not depend on who reads
-- it.
with published as (
    select
        cast(null as varchar) as source,
        cast(null as varchar) as operator,
        cast(null as varchar) as year_text,
        cast(null as varchar) as carrier_text,
        cast(null as varchar) as iris_code,
        cast(null as varchar) as commune_text,
        cast(null as varchar) as epci_code,
        cast(null as varchar) as department_code,
        cast(null as varchar) as region_code
    where false
    {%- for member in members('energy_consumption') if member.split('__', 1)[1] in codes %}
    {%- set source_name = member.split('__', 1)[1] %}
    {%- set code_of = codes[source_name] %}
    union all
    select distinct
        '{{ source_name }}' as source,
        {{ filled('operateur') }} as operator,
        {{ filled('annee') }} as year_text,
        {{ filled('filiere') }} as carrier_text,
        {{ filled(code_of.get('iris', "''")) }} as iris_code,
        {{ filled(code_of.get('commune', "''")) }} as commune_text,
        {{ filled(code_of.get('epci', "''")) }} as epci_code,
        {{ filled(code_of.get('department', "''")) }} as department_code,
        {{ filled(code_of.get('region', "''")) }} as region_code
    from {{ source('raw', source_name | replace('_', '__', 1)) }}
    {%- endfor %}
),

zoned as (
    select
        source,
        operator,
        {{ parse_year('year_text') }} as year,
        {{ energy_carrier('carrier_text') }} as carrier,
        {{ zone_level() }} as zone_level,
        coalesce(iris_code, commune_text, epci_code, department_code, region_code) as zone_code
    from published
),

zones as (
    {{ zones_out_of_scope('zoned') }}
)

select
    zoned.source,
    zoned.zone_level,
    zoned.zone_code,
    zoned.carrier,
    zoned.year,
    zoned.operator
from zoned
inner join zones on zoned.zone_level = zones.zone_level and zoned.zone_code = zones.zone_code
where zones.is_outside and zoned.operator is not null and zoned.carrier is not null and zoned.year is not null
