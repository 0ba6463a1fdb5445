{%- set sources = ['thermique', 'nucleaire', 'eolien', 'solaire', 'hydraulique', 'pompage', 'bioenergies'] -%}
{%- set measures = ['consommation'] + sources + ['ech_physiques'] -%}
{{ config(
    key=['zone_code', 'nature', 'step_start_local'],
    period='period_month',
) }}

-- Consumption, production and exchanges of the regions (éCO2mix). The rules of time and of missing measures are those
-- of all éCO2mix files: macros/loads.sql.
--
-- The step: 48 rows a day by the producer's description, 96 in the real-time file of 2020. It is read from the rows: a
-- day with a quarter past or to the hour is a day of quarter-hours. Balance measured on that file: consumption =
-- production + pumping (negative) + exchanges (positive when the region imports), within 2 MW of rounding.
--
-- Empty is not zero: nuclear is empty for a whole region that has no reactor.
with published as not materialized (
    select
        _delivery_id,
        _record_no,
        trim(code_insee_region) as region_text,
        trim(region) as zone_name,
        {{ published_load_columns(measures) }},
        {{ published_step_columns() }}
    from {{ raw('rte__eco2mix_regional') }}
),

clock as (
    {{ load_clock('published') }}
),

day_steps as (
    select
        published._delivery_id,
        published.region_text,
        published.nature_text,
        cast(clock.step_start_local as date) as day_on,
        case when bool_or(date_part('minute', clock.step_start_local) in (15, 45)) then 900 else 1800 end as step_s
    from published
    inner join clock on published.step_text = clock.step_text
    group by published._delivery_id, published.region_text, published.nature_text, cast(clock.step_start_local as date)
),

typed as (
    select
        published.*,
        -- The region's code is two characters: a spreadsheet eats the zero of Martinique's 02.
        case when length(published.region_text) = 1 then '0' else '' end || published.region_text as zone_code,
        clock.step_start_local,
        clock.step_start_at,
        clock.is_missing_step,
        day_steps.step_s,
        {{ parse_number('published.consommation') }} as consommation_mw,
        {{ parse_number('published.thermique') }} as thermique_mw,
        {{ parse_number('published.nucleaire') }} as nucleaire_mw,
        {{ parse_number('published.eolien') }} as eolien_mw,
        {{ parse_number('published.solaire') }} as solaire_mw,
        {{ parse_number('published.hydraulique') }} as hydraulique_mw,
        {{ parse_number('published.pompage') }} as pompage_mw,
        {{ parse_number('published.bioenergies') }} as bioenergies_mw,
        {{ parse_number('published.ech_physiques') }} as ech_physiques_mw,
        {{ load_nature('published.nature_text') }} as nature
    from published
    left join clock on published.step_text = clock.step_text
    left join day_steps
        on published._delivery_id is not distinct from day_steps._delivery_id
        and published.region_text = day_steps.region_text
        and published.nature_text = day_steps.nature_text
        and cast(clock.step_start_local as date) = day_steps.day_on
),

judged as (
    select
        *,
        coalesce({{ is_out_of_scope("'region'", 'zone_code') }}, false) as is_outside
    from typed
)

select
    _delivery_id,
    _record_no,
    'region' as zone_level,
    zone_code,
    zone_name,
    nature,
    step_start_at,
    step_start_local,
    step_s,
    {{ month_of('step_start_local') }} as period_month,
    consommation_mw as consumption_mw,
    thermique_mw as thermal_mw,
    nucleaire_mw as nuclear_mw,
    eolien_mw as wind_mw,
    solaire_mw as solar_mw,
    hydraulique_mw as hydro_mw,
    pompage_mw as pumping_mw,
    bioenergies_mw as bioenergy_mw,
    ech_physiques_mw as physical_exchanges_mw,
    case when consommation_mw is null then 'not_available' else 'measured' end as load_status,
    case when consommation_mw is null then 0 else 1 end as _preference,
    is_outside as _out_of_scope,
    case
        when region_text is null or region_text = '' then 'no code of region'
        when not regexp_full_match(zone_code, '[0-9]{2}') then 'not a code of region: ' || region_text
        when is_outside then null
        {{ load_reasons(measures) }}
        when consommation_mw < 0 then 'negative consumption: ' || consommation
    end as _reject_reason
from judged
