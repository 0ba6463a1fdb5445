{#
    Schemas are named as they are read, without dbt's target prefix: a mart lies in the schema of its theme, which is its
    folder (models/marts/<theme>/), so that a territory's own theme needs no configuration.
#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if custom_schema_name -%} {{ custom_schema_name }}
    {%- elif node.fqn | length > 3 and node.fqn[1] == 'marts' -%} {{ node.fqn[2] }}
    {%- else -%} {{ target.schema }}
    {%- endif -%}
{%- endmacro %}
