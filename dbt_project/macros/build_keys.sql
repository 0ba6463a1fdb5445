{#
    Build keys (DESIGN §7): the only incremental logic of the warehouse.

    ops.build_keys holds, for each model and part (a month, a delivery, or '*' for a model kept whole):
      code_key     hash of the model's compiled SQL and settings
      build_key    hash of code_key and of the content keys of every input of that part
      content_key  row count and sum of row hashes of what was built: what the models downstream depend on, so that a
                   rebuild which changes nothing stops there
    A part whose build key does not match is deleted by list and inserted again, in one transaction with its keys.
    `ops.build_keys` is created by orchestration/warehouse.py.
#}

{#
    SQL: one row per part of `relation` with its content key. Columns whose names start with '_' are bookkeeping, not
    content.
#}
{% macro content_keys_sql(relation, period_column) -%}
    select
        {{ period_column if period_column else "'*'" }} as part,
        concat(
            count(*), ':',
            coalesce(sum(cast(hash(*columns(name -> not starts_with(name, '_'))) as hugeint)), 0)
        ) as content_key
    from {{ relation }}
    {% if period_column %}group by {{ period_column }}{% endif %}
{%- endmacro %}

{#
    The models whose content a node depends on, and a digest of the code of the views between: views and ephemeral models
    hold no content of their own. Returns [names, code].
#}
{% macro upstream_of(node) -%}
    {%- set names = [] -%}
    {%- set code = [] -%}
    {%- for parent_id in node.depends_on.nodes if parent_id.startswith('model.') -%}
        {%- set parent = graph.nodes[parent_id] -%}
        {%- if parent.config.materialized in ['staged', 'keyed'] -%}
            {%- do names.append(parent.name) -%}
        {%- else -%}
            {%- set above = upstream_of(parent) -%}
            {%- do names.extend(above[0]) -%}
            {%- do code.append(parent.raw_code) -%}
            {%- do code.extend(above[1]) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return([names | unique | sort, code]) }}
{%- endmacro %}

{# SQL literal list of names; never empty, so that `in (…)` stays valid. #}
{% macro name_list(names) -%}
    {%- for name in names -%} '{{ name }}', {% endfor -%} ''
{%- endmacro %}

{#
    What a model reads of the run besides its parents: the territory's facts, its communes, the date up to which data
    are known, or the deliveries of a family ('deliveries of energy_consumption').
#}
{% macro run_facts_sql(reads) -%}
    (
        select
            md5(concat_ws(
                '|',
                ''
                {%- if 'territory' in reads %}, siren, min_lon, min_lat, max_lon, max_lat, reach_m, time_zone{% endif %}
                {%- if 'as_of' in reads %}, as_of{% endif %}
                {%- if 'communes' in reads %},
                (
                    select string_agg(concat(vintage, ' ', commune_code), ',' order by vintage, commune_code)
                    from ops.territory_communes
                )
                {%- endif %}
                {%- for fact in reads if fact.startswith('deliveries of ') %},
                (
                    select string_agg(concat_ws(' ', delivery_id, load_key, is_partial), ',' order by source, delivery_id)
                    from ops.deliveries
                    where status = 'loaded'
                        and source in (
                            select source from ops.sources where family = '{{ fact | replace('deliveries of ', '') }}'
                        )
                )
                {%- endfor %}
            ))
        from ops.territory
    )
{%- endmacro %}

{#
    A model that reads the territory without saying so would not be built again when the territory changes: it is refused.
#}
{% macro refuse_undeclared_facts(compiled_sql, reads) -%}
    {%- if '"ops"."territory"' in compiled_sql and 'territory' not in reads and 'as_of' not in reads -%}
        {{ exceptions.raise_compiler_error(
            model.name ~ " reads ops.territory (place_in_box does): add reads=['territory'] to its config."
        ) }}
    {%- endif -%}
{%- endmacro %}

{# SQL: each part of a keyed model with the key it should have and the key it has. #}
{% macro stale_parts_sql(model_name, code_key, upstream, by_period, reads) -%}
    with inputs as (
        select model, part, content_key from ops.build_keys where model in ({{ name_list(upstream) }})
    ),

    parts as (
        {% if by_period %}
        select distinct part from inputs where part <> '*'
        {% else %}
        select '*' as part
        {% endif %}
    ),

    expected as (
        select
            parts.part,
            md5(concat(
                '{{ code_key }}', {{ run_facts_sql(reads) }},
                coalesce(string_agg(
                    concat(inputs.model, ' ', inputs.part, ' ', inputs.content_key), '|'
                    order by inputs.model, inputs.part
                ), '')
            )) as build_key
        from parts
        left join inputs {% if by_period %}on inputs.part in (parts.part, '*'){% else %}on true{% endif %}
        group by parts.part
    ),

    recorded as (
        select part, build_key from ops.build_keys where model = '{{ model_name }}'
    )

    select
        coalesce(expected.part, recorded.part) as part,
        expected.build_key
    from expected
    full outer join recorded on expected.part = recorded.part
    where expected.build_key is distinct from recorded.build_key
    {% if not by_period %}and (expected.part is not null){% endif %}
    order by 1
{%- endmacro %}

{% macro code_key_of_table(model_name) -%}
    {%- set known = run_query("select any_value(code_key) from ops.build_keys where model = '" ~ model_name ~ "'") -%}
    {{ return(known.columns[0].values()[0] if known.rows | length else none) }}
{%- endmacro %}
