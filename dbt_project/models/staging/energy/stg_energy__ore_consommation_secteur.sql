{{ config(key=['operator', 'year', 'carrier', 'zone_level', 'zone_code', 'customer_category', 'sector', 'activity']) }}

-- Electricity and gas by sector and zone, all operators (Agence ORE); one dataset per level, all of one form. No
-- extract was at hand: the form is that of the file by NAF division. Statuses, zones and refusals:
-- macros/consumption.sql.
with published as (
    select
        _delivery_id,
        _record_no,
        {{ filled('operateur') }} as operator,
        {{ filled('annee') }} as year_text,
        {{ filled('filiere') }} as carrier_text,
        {{ filled('code_categorie_consommation') }} as category_text,
        {{ filled('code_grand_secteur') }} as sector_text,
        {{ filled('code_naf') }} as naf_text,
        {{ published_zone_columns() }},
        {{ filled('conso') }} as consumption_text,
        {{ filled('pdl') }} as points_text,
        {{ filled('nombre_mailles_secretisees') }} as secret_text,
        {{ filled('nombre_mailles_secretisees') }} as points_secret_text,
        {{ filled('indqual') }} as measured_text,
        cast(null as varchar) as heating_text
    from {{ raw('ore__consommation_secteur') }}
)

select
    *,
    0 as _preference
from {{ yearly_consumption('published') }} as judged
