{{ config(key=['year', 'zone_level', 'zone_code', 'customer_category', 'sector', 'activity']) }}

-- Electricity by zone, category, sector and NAF division, since 2018 (Enedis); one dataset per level, all of one form.
-- No extract was at hand: the form is the documented one, and that of the file by commune of Agence ORE. Statuses,
-- zones and refusals: macros/consumption.sql.
with published as (
    select
        _delivery_id,
        _record_no,
        'Enedis' as operator,
        {{ filled('annee') }} as year_text,
        'E' as carrier_text,
        {{ filled('code_categorie_consommation') }} as category_text,
        {{ filled('code_grand_secteur') }} as sector_text,
        {{ filled('code_secteur_naf2') }} as naf_text,
        {{ published_zone_columns() }},
        {{ filled('conso_totale_mwh') }} as consumption_text,
        {{ filled('nb_sites') }} as points_text,
        {{ filled('nombre_mailles_secretisees') }} as secret_text,
        {{ filled('nombre_mailles_secretisees') }} as points_secret_text,
        cast(null as varchar) as measured_text,
        {{ heating_percentage() }} as heating_text
    from {{ raw('enedis__consommation_territoire') }}
)

select
    *,
    0 as _preference
from {{ yearly_consumption('published') }} as judged
