{{ config(key=['year', 'commune_code', 'network_name', 'indicator']) }}

-- Heat networks, one indicator per record (ORCAE): ten productions, a length, a density and a rate of CO2.
--
-- Units. The column of units says MWh of everything. It is right for productions; the density is the total production
-- over the length, which is rounded (1.8 km, 10,124 MWh, 5,624.44), hence MWh per km; a rate of CO2 up to 0.3 is in kg
-- per kWh. The unit here is that of the indicator, not the one declared.
--
-- The total is the sum of the nine productions, in each of the 99 years of networks measured (20 networks, of 1 to 13
-- years each). A blank ends the name of one indicator.
with published as (
    select
        _delivery_id,
        _record_no,
        {{ filled('annee') }} as year_text,
        {{ filled('code_insee') }} as zone_code,
        'commune' as zone_level,
        {{ filled('nom_commune') }} as commune_name,
        {{ filled('nom_reseau') }} as network_name,
        lower({{ filled('indicateur') }}) as indicator_text,
        {{ filled('valeur') }} as value_text
    from {{ raw('orcae__reseaux_chaleur') }}
),

indicators (indicator_text, indicator, energy_source, unit) as (
    values
    ('production totale', 'production', 'total', 'MWh'),
    ('production biogaz', 'production_biogas', 'biogas', 'MWh'),
    ('production biomasse solide', 'production_solid_biomass', 'solid_biomass', 'MWh'),
    ('production chaleur fatale', 'production_waste_heat', 'waste_heat', 'MWh'),
    ('production charbon', 'production_coal', 'coal', 'MWh'),
    ('production chaudiere électrique', 'production_electric_boiler', 'electric_boiler', 'MWh'),
    ('production gaz naturel', 'production_gas', 'gas', 'MWh'),
    ('production produits pétroliers', 'production_oil', 'oil', 'MWh'),
    ('production enr hors bois', 'production_other_renewable', 'other_renewable', 'MWh'),
    ('production autres', 'production_other', 'other', 'MWh'),
    ('longueur réseau', 'length', null, 'km'),
    ('densité', 'density', null, 'MWh/km'),
    ('niveau de rejet en co2 des réseaux', 'co2_rate', null, 'kg/kWh')
),

zones as (
    {{ zones_out_of_scope('published') }}
),

typed as (
    select
        published.*,
        indicators.indicator,
        indicators.energy_source,
        indicators.unit,
        coalesce(zones.is_outside, false) as is_outside,
        {{ parse_year('published.year_text') }} as year,
        {{ parse_number('published.value_text') }} as value
    from published
    left join indicators on published.indicator_text = indicators.indicator_text
    left join zones on published.zone_level = zones.zone_level and published.zone_code = zones.zone_code
)

select
    _delivery_id,
    _record_no,
    year,
    coalesce({{ whole_city_of('zone_code') }}, zone_code) as commune_code,
    commune_name,
    network_name,
    indicator,
    energy_source,
    unit,
    value,
    {{ published_status('value', '0') }} as value_status,
    0 as _preference,
    is_outside as _out_of_scope,
    case
        when is_outside then null
        {{ zone_year_reasons() }}
        when network_name is null then 'no name of a network'
        when indicator is null then 'the indicator is not known: ' || coalesce(indicator_text, '')
        when {{ is_not_a_number('value_text') }} then 'the value is not a number: ' || value_text
        when value < 0 then 'negative value: ' || value_text
    end as _reject_reason
from typed
