{{ config(key=['operator', 'year', 'carrier', 'zone_level', 'zone_code', 'customer_category', 'sector', 'activity']) }}

-- Electricity and gas by NAF division and zone, all operators (Agence ORE). Statuses, zones and refusals:
-- macros/consumption.sql.
--
-- Measured on the file by region (18,128 records, semicolons where other exports have commas): the key is unique. 156
-- totals are 0 with 0 points beside secret cells: secret, not zero; 272 are 0 with 0 points and no secret cell: zeros.
-- Of 319 beside secret cells the total is a floor. The index of quality is a share, but for eleven records (up to
-- 1820). Categories: RES-PRO, ENT and X until 2017; RES, PRO, ENT and ENT_PRO since.
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
    from {{ raw('ore__consommation_naf_region') }}
)

select
    *,
    0 as _preference
from {{ yearly_consumption('published') }} as judged
