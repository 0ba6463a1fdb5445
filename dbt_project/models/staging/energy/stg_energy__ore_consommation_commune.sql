{{ config(key=['operator', 'year', 'carrier', 'zone_code', 'customer_category', 'sector', 'activity']) }}

-- Electricity and gas by commune, operator, category, sector and NAF division (Agence ORE). Statuses, zones and
-- refusals: macros/consumption.sql.
--
-- Measured on the file of the Métropole de Lyon (18,230 records): the key is unique; 497 totals are empty beside secret
-- cells, 756 are present beside some, hence lower than the truth; 6 are empty without any. Thirteen zeros have a site
-- and no secret cell: they are zeros.
--
-- The share that follows the temperature is the thermosensitivity (kWh per degree day) times the degree days of the
-- year, over the consumption: 10 to 41 % of the households' electricity since 2018. The columns called share (%) and
-- thermosensitive consumption (MWh) hold per mille (up to 408) and kWh: on every record the second is that product, and
-- the first the second over the MWh. Where there are no degree days (before 2018, gas, businesses) the zeros published
-- are no measure: a tertiary sector that no cold ever touched does not exist. They are read as unknown.
--
-- Before 2018 there are neither activities nor small professionals, who count among the residential customers (RES; the
-- file by activity writes RES-PRO): in Lyon these fall by a third in 2018. The break is the producer's and stays.
--
-- Lyon comes as nine districts until 2017, whose commune is the whole city, and as one commune from 2018; both kinds
-- keep their own level, so that no sum takes a district beside its city.
--
-- An operator of another part of France may appear on a commune of the territory (one record, of the Gironde): it is
-- the producer's word, and its commune is in scope.
with published as (
    select
        _delivery_id,
        _record_no,
        {{ filled('operateur') }} as operator,
        {{ filled('annee') }} as year_text,
        {{ filled('filiere') }} as carrier_text,
        {{ filled('code_categorie_consommation') }} as category_text,
        {{ filled('code_grand_secteur') }} as sector_text,
        {{ filled('code_secteur_naf2') }} as naf_text,
        cast(null as varchar) as iris_code,
        cast(null as varchar) as iris_name,
        {{ filled('code_commune') }} as commune_text,
        {{ filled('nom_commune') }} as commune_name,
        cast(null as varchar) as epci_code,
        cast(null as varchar) as epci_name,
        cast(null as varchar) as department_code,
        cast(null as varchar) as department_name,
        cast(null as varchar) as region_code,
        cast(null as varchar) as region_name,
        {{ filled('conso_totale_mwh') }} as consumption_text,
        {{ filled('nb_sites') }} as points_text,
        {{ filled('nombre_mailles_secretisees') }} as secret_text,
        {{ filled('nombre_mailles_secretisees') }} as points_secret_text,
        cast(null as varchar) as measured_text,
        {{ heating_percentage() }} as heating_text
    from {{ raw('ore__consommation_commune') }}
)

select
    *,
    0 as _preference
from {{ yearly_consumption('published') }} as judged
