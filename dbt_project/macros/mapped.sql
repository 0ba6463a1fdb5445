{#
    Texts of files whose columns a territory maps (raw_sources/mapping.py): `mapping_of(source)`, written when the project
    is assembled, gives columns, constants, codes, signs, period format, unit, base period and secrecy marker. A role is
    the raw column of its name when the territory gives it a column.
#}

{# An SQL literal. #}
{% macro sql_text(value) -%}
    '{{ value | replace("'", "''") }}'
{%- endmacro %}

{# SQL: the text of a role, in our codes where the territory gives them; NULL for one that no file gives, or empty. #}
{% macro mapped_text(source_name, role) -%}
    {%- set mapping = mapping_of(source_name) -%}
    {%- if role in (mapping['constants'] or {}) -%}
        {{ sql_text(mapping['constants'][role]) }}
    {%- elif role not in (mapping['columns'] or {}) -%}
        cast(null as varchar)
    {%- else -%}
        {%- set text = "nullif(trim(" ~ role ~ "), '')" -%}
        {%- set codes = (mapping['codes'] or {})[role] -%}
        {%- if codes -%}
            case {{ text }}
            {%- for word, code in codes.items() %} when {{ sql_text(word) }} then {{ sql_text(code) }}{% endfor %} else {{ text }} end
        {%- else -%}
            {{ text }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{#
    SQL: a number written as the territory says; NULL for any other text, so that the model refuses it: 1.234 is not read
    as 1,234 where the point sets thousands apart.
#}
{% macro mapped_number(source_name, text) -%}
    {%- set mapping = mapping_of(source_name) -%}
    {%- set decimal = mapping['decimal'] -%}
    {%- set thousands = '[ \\x{00A0}\\x{202F}]' if mapping['thousands'] == ' ' else '[' ~ mapping['thousands'] ~ ']' -%}
    {%- set whole = '[0-9]+' if mapping['thousands'] == '' else '([0-9]{1,3}(' ~ thousands ~ '[0-9]{3})+|[0-9]+)' -%}
    {%- set pattern = '-?' ~ whole ~ '([' ~ decimal ~ '][0-9]+)?' -%}
    {%- set plain = text if mapping['thousands'] == ''
        else "regexp_replace(" ~ text ~ ", " ~ sql_text(thousands) ~ ", '', 'g')" -%}
    case
        when regexp_full_match({{ text }}, {{ sql_text(pattern) }})
            then try_cast(replace({{ plain }}, '{{ decimal }}', '.') as double)
    end
{%- endmacro %}

{# SQL: the month of a text written in the territory's format, as 'YYYY-MM'; NULL for any other text. #}
{% macro mapped_month(source_name, text) -%}
    strftime(try_strptime({{ text }}, {{ sql_text(mapping_of(source_name)['period_format']) }}), '%Y-%m')
{%- endmacro %}

{#
    SQL: the base period of an index, by the name of its file: that of `earlier_bases` whose pattern takes the name, else
    the declared one. NULL where the file ends (`last_month`, 'YYYY-MM') before the first month or year that the base
    names is over: the base may have changed since, and nobody has said what this file had.
#}
{% macro mapped_base(source_name, file_name, last_month) -%}
    {%- set mapping = mapping_of(source_name) -%}
    case
        {%- for pattern, base in (mapping['earlier_bases'] or {}).items() %}
        when {{ file_name }} glob {{ sql_text(pattern) }} then {{ sql_text(base) }}
        {%- endfor %}
        when
            {{ last_month }} < coalesce(
                nullif(regexp_extract({{ sql_text(mapping['base_period']) }}, '[12][0-9]{3}-(0[1-9]|1[0-2])'), ''),
                regexp_extract({{ sql_text(mapping['base_period']) }}, '[12][0-9]{3}') || '-12'
            ) then null
        else {{ sql_text(mapping['base_period']) }}
    end
{%- endmacro %}

{# SQL, boolean: the figure is hidden for secrecy. #}
{% macro is_secret(source_name, text) -%}
    {%- set marker = mapping_of(source_name)['secrecy_marker'] -%}
    {%- if marker -%} coalesce({{ text }} = {{ sql_text(marker) }}, false) {%- else -%} false {%- endif -%}
{%- endmacro %}
