{#
    Values made of parts (operators, categories of customers, activities, districts), each with its value status
    (expectations/value_statuses.py). What is hidden is never rebuilt: no total less its known parts, no mean of neighbours.
#}

{# SQL, boolean: a part of this status has a value. #}
{% macro is_known(status) -%}
    {{ status }} in ('measured', 'estimated', 'partial')
{%- endmacro %}

{#
    SQL, aggregate: the sum of the parts that have a value, NULL when none has. In decimals, to the sixth: a sum of
    doubles depends on the order in which an engine adds.
#}
{% macro sum_of_parts(value, status) -%}
    cast(sum(cast({{ value }} as decimal(18, 6))) filter (where {{ is_known(status) }}) as double)
{%- endmacro %}

{#
    SQL, aggregate: the status of that sum. A part that is secret, not available or itself a floor makes it a floor
    ('partial'); with no part known it is secret as soon as one part is, since a figure exists and is hidden. Parts to
    which the question does not apply do not count.
#}
{% macro status_of_parts(status) -%}
    case
        when count(*) filter (where {{ is_known(status) }}) = 0
            then case
                when count(*) filter (where {{ status }} = 'secret') > 0 then 'secret'
                when count(*) filter (where {{ status }} = 'not_applicable') = count(*) then 'not_applicable'
                else 'not_available'
            end
        when count(*) filter (where {{ status }} in ('partial', 'secret', 'not_available')) > 0 then 'partial'
        when count(*) filter (where {{ status }} = 'estimated') > 0 then 'estimated'
        else 'measured'
    end
{%- endmacro %}
