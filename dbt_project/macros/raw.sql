{#
    The records of a source, as published, restricted to the deliveries that a `staged` model has to type again.
    `raw_table` is `<producer>__<dataset>`.
#}
{% macro raw(raw_table) -%}
(select * from {{ source('raw', raw_table) }} where {{ in_stale('_delivery_id') }})
{%- endmacro %}

{#
    Restricts a scan to the stale parts of the model being built. It renders as a condition that is always true, so that
    the compiled SQL (and so the build key) does not depend on what is stale; the materialisations put the list in its
    place just before they run the statement.
#}
{% macro in_stale(column) -%}
/*stale:{{ column }}*/ true
{%- endmacro %}

{% macro restrict_to(compiled_sql, parts) -%}
    {%- set listed -%}
        {%- for part in parts -%} '{{ part | replace("'", "''") }}' {{- ", " if not loop.last -}} {%- endfor -%}
    {%- endset -%}
    {%- if parts -%}
        {{ modules.re.sub('/\\*stale:([A-Za-z0-9_.]+)\\*/ true', '\\1 in (' ~ listed ~ ')', compiled_sql) }}
    {%- else -%}
        {{ modules.re.sub('/\\*stale:([A-Za-z0-9_.]+)\\*/ true', 'false', compiled_sql) }}
    {%- endif -%}
{%- endmacro %}
