{#
    Times of producers. A text with an offset is an instant; a text without one is legal time of `zone`. Instants are
    kept as TIMESTAMP in UTC. DuckDB (ICU) reads a legal time that occurs twice in autumn as the later one (winter time),
    which is the one that the City of Paris publishes, and moves one that does not exist in spring forward: models
    refuse the latter with `is_missing_local_time`.
#}
{% macro has_offset(text) -%}
    regexp_matches({{ text }}, '(Z|[+-][0-9]{2}:?[0-9]{2})$')
{%- endmacro %}

{# A cast alone would read 31/09/25 as the 25th of September of the year 31: the year has to come first, in full. #}
{% macro iso_timestamp(text) -%}
    case when regexp_matches({{ text }}, '^[0-9]{4}-') then try_cast({{ text }} as timestamp) end
{%- endmacro %}

{% macro naive_timestamp(text) -%}
    coalesce(
        {{ iso_timestamp(text) }},
        try_strptime(
            {{ text }},
            ['%d/%m/%y %H:%M:%S', '%d/%m/%y %H:%M', '%d/%m/%Y %H:%M:%S', '%d/%m/%Y %H:%M', '%Y%m%d%H%M%S']
        )
    )
{%- endmacro %}

{% macro parse_instant(text, zone) -%}
    case
        when {{ has_offset(text) }} then timezone('UTC', try_cast({{ text }} as timestamptz))
        else timezone('UTC', timezone('{{ zone }}', {{ naive_timestamp(text) }}))
    end
{%- endmacro %}

{% macro is_missing_local_time(text, zone) -%}
    (
        not {{ has_offset(text) }}
        and timezone('{{ zone }}', timezone('{{ zone }}', {{ naive_timestamp(text) }})) <> {{ naive_timestamp(text) }}
    )
{%- endmacro %}

{# Legal time of an instant, as TIMESTAMP without zone. #}
{% macro legal_time(instant, zone) -%}
    timezone('{{ zone }}', timezone('UTC', {{ instant }}))
{%- endmacro %}

{# Legal time of an instant as ISO 8601 text with its offset: 2024-07-01T14:00:00+02:00. #}
{% macro legal_text(instant, zone) -%}
    strftime({{ legal_time(instant, zone) }}, '%Y-%m-%dT%H:%M:%S')
    || case
        when {{ legal_time(instant, zone) }} >= {{ instant }} then '+' else '-'
    end
    || strftime(
        timestamp '2000-01-01' + to_minutes(abs(date_diff('minute', {{ instant }}, {{ legal_time(instant, zone) }}))),
        '%H:%M'
    )
{%- endmacro %}

{#
    A calendar date. Portals render the same date plain (2023-07-31), French (31/07/2023, 31/07/23) or as an instant in
    whatever zone the caller asked for: an instant is read back in legal time.
    Two digits of a year are tried first: four would read them as the year 23.
#}
{% macro parse_date(text, zone) -%}
    case
        when regexp_full_match({{ text }}, '[0-9]{4}-[0-9]{2}-[0-9]{2}') then try_cast({{ text }} as date)
        when {{ has_offset(text) }}
            then cast({{ legal_time("timezone('UTC', try_cast(" ~ text ~ " as timestamptz))", zone) }} as date)
        else coalesce(
            cast({{ iso_timestamp(text) }} as date),
            cast(try_strptime({{ text }}, ['%d/%m/%y', '%d/%m/%Y', '%Y%m%d']) as date)
        )
    end
{%- endmacro %}

{# The month of a date or timestamp as 'YYYY-MM': the period by which large models are kept. #}
{% macro month_of(day) -%}
    strftime({{ day }}, '%Y-%m')
{%- endmacro %}
