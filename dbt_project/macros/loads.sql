{#
    The steps and measures of éCO2mix files, the same for every zone.

    Time is legal, without offset, the START of the step, and every day has the same rows. The column that combines date
    and hour is not read: in spring it gives two rows one instant, and portals render it in whatever zone was asked for.

    Spring: the steps from 02:00 to 02:59 do not exist. Their rows are refused, filled or not: a value at a time that never
    was is invented, and ND there is not a measure that is missing. The ledger counts them as refused, with the reason.

    Autumn: the hour that occurs twice is published once, and nothing says which one it is (the night of 29 October 2017
    does not tell: 806, then 752, 801, 774, 731, then 720). It is read as the later, winter time, as everywhere here
    (macros/time.sql); the mart states the other as not available.

    ND (and, for flows, a dash) is a measure that is missing; so is an empty cell, as future rows have.
#}

{# SQL: the texts of measures, NULL where the producer says that there is none. #}
{% macro published_load_columns(measures) -%}
    {%- for measure in measures -%}
        case when trim({{ measure }}) not in ('', 'ND', '-') then trim({{ measure }}) end as {{ measure }}
        {{- ",\n        " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# SQL: the texts that a step is known by. #}
{% macro published_step_columns() -%}
    nature as nature_text,
        date as date_text,
        heure as time_text,
        trim(date) || ' ' || trim(heure) as step_text
{%- endmacro %}

{# SQL, a query: each step's text once, with its instant and legal time. Times are few and told by every zone. #}
{% macro load_clock(relation) -%}
    select
        step_text,
        {{ naive_timestamp('step_text') }} as step_start_local,
        {{ parse_instant('step_text', 'Europe/Paris') }} as step_start_at,
        {{ is_missing_local_time('step_text', 'Europe/Paris') }} as is_missing_step
    from (select distinct step_text from {{ relation }}) as steps
{%- endmacro %}

{# The nature of the data, from the producer's words (Données temps réel, consolidées, définitives); NULL when unknown. #}
{% macro load_nature(text) -%}
    case
        when regexp_matches(lower({{ text }}), 'temps r[ée]el') then 'real_time'
        when regexp_matches(lower({{ text }}), 'consolid[ée]e') then 'consolidated'
        when regexp_matches(lower({{ text }}), 'd[ée]finitive') then 'final'
    end
{%- endmacro %}

{# Why a step or one of its measures cannot be kept; to be used in a CASE. #}
{% macro load_reasons(measures) -%}
    when date_text is null or time_text is null then 'no date, or no time'
        when step_start_at is null then 'the date and time cannot be read: ' || step_text
        when is_missing_step and consommation is null
            then 'this time does not exist in legal time (spring change): ' || step_text
        when is_missing_step
            then 'this time does not exist in legal time (spring change), yet has a value: ' || step_text
        when date_part('minute', step_start_local) % 15 <> 0 or date_part('second', step_start_local) <> 0
            then 'not on a quarter of an hour: ' || step_text
        when nature is null then 'the nature of the data is not known: ' || coalesce(nature_text, '')
        {%- for measure in measures %}
        when {{ is_not_a_number(measure) }} then 'not a number in {{ measure }}: ' || {{ measure }}
        {%- endfor %}
{%- endmacro %}

{# The sources of production; pumping is power drawn. #}
{% macro sources_of_power() -%}
    {{ return(['thermal_mw', 'nuclear_mw', 'wind_mw', 'solar_mw', 'hydro_mw', 'bioenergy_mw']) }}
{%- endmacro %}

{# SQL: how many sources a row gives. #}
{% macro count_of_sources() -%}
    {%- for source in sources_of_power() -%}
        case when {{ source }} is null then 0 else 1 end{{ " + " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# SQL: the production of the sources that a row gives, in decimals. #}
{% macro sum_of_sources() -%}
    {%- for source in sources_of_power() -%}
        coalesce(cast({{ source }} as decimal(18, 4)), 0){{ " + " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# SQL, an aggregate: the mean of the steps that give a power. In decimals: doubles depend on the order of adding. #}
{% macro mean_power(column) -%}
    cast(sum(cast({{ column }} as decimal(18, 4))) as double) / nullif(count({{ column }}), 0)
{%- endmacro %}

{# SQL: the instant at which a legal month ('YYYY-MM') begins, or the month that many months later. #}
{% macro start_of_month(month, later, zone) -%}
    timezone('UTC', timezone('{{ zone }}', cast({{ month }} || '-01' as timestamp) + interval {{ later }} month))
{%- endmacro %}
