{#
    A number as French producers write it: decimal comma or dot, thousands set apart by a space, a no-break space
    (U+00A0) or a narrow one (U+202F). NULL when the text is not a number: models tell that from an empty cell.
    Most numbers are plain and are spared the rewriting, which costs four times the cast.
#}
{% macro parse_number(text) -%}
    coalesce(
        try_cast({{ text }} as double),
        try_cast(replace(regexp_replace({{ text }}, '[ \x{00A0}\x{202F}]', '', 'g'), ',', '.') as double)
    )
{%- endmacro %}

{# True when the cell holds something that is not a number; `not a number` texts such as NaN and inf count as such. #}
{% macro is_not_a_number(text) -%}
    (
        {{ text }} is not null
        and ({{ parse_number(text) }} is null or not isfinite({{ parse_number(text) }}))
    )
{%- endmacro %}
