{# Comparisons of an index with itself. #}

{# SQL, an aggregate over the months of a year: their mean when all twelve are there, else NULL. #}
{% macro mean_of_twelve(column) -%}
    case when count({{ column }}) = 12 then cast(sum(cast({{ column }} as decimal(18, 6))) as double) / 12 end
{%- endmacro %}

{#
    SQL: the status of a change between two figures; `now` and `before` are their statuses. What needs a secret figure is
    secret itself; nothing grows from zero: not_applicable.
#}
{% macro change_status(change, now, before) -%}
    case
        when {{ change }} is not null then 'measured'
        when {{ now }} = 'secret' or {{ before }} = 'secret' then 'secret'
        when {{ now }} = 'measured' and {{ before }} = 'measured' then 'not_applicable'
        else 'not_available'
    end
{%- endmacro %}

{# SQL: the status of a seasonal ratio; `now` is that of the month's figure. #}
{% macro season_status(ratio, now) -%}
    case
        when {{ ratio }} is not null then 'measured'
        when {{ now }} = 'secret' then 'secret'
        else 'not_available'
    end
{%- endmacro %}
