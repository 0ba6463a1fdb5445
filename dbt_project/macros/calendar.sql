{# The date of a midnight of any French territory, written plain or as an instant: see the staging of school holidays. #}
{% macro holiday_date(text) -%}
    case
        when {{ has_offset(text) }}
            then cast(timezone('UTC', try_cast({{ text }} as timestamptz)) + interval 12 hour as date)
        else {{ parse_date(text, 'UTC') }}
    end
{%- endmacro %}
