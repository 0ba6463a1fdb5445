{#
    A table kept whole, or by month when the model says `by_period=true`, under build keys (macros/build_keys.sql).

    Settings: period_column (the column that holds the part, 'YYYY-MM'; content keys are then kept per month), by_period
    (rebuild stale months only: the SQL restricts its inputs with `in_stale`), reads (what the SQL uses besides its
    parents: the facts 'territory', 'communes', 'as_of' and 'deliveries of <family>' of the run, the functions of
    'geometry').
#}
{% materialization keyed, adapter='duckdb' %}
    {%- set period_column = config.get('period_column') -%}
    {%- set by_period = config.get('by_period', false) -%}
    {%- set reads = config.get('reads', []) -%}
    {%- set relation = this.incorporate(type='table') -%}
    {%- set upstream = upstream_of(model) -%}
    {%- set code_key = local_md5(
        sql ~ upstream[1] | join('') ~ period_column ~ by_period ~ reads | join(',') ~ model.columns | string
        ~ (env_var('HALLE_GEOMETRY', '') if 'geometry' in reads else '')
    ) -%}

    {%- if config.get('contract').enforced -%}
        {{ get_assert_columns_equivalent(sql) }}
    {%- endif -%}

    {%- set existing = load_cached_relation(this) -%}
    {#- A model kept by month may have none yet: its code is remembered apart. -#}
    {%- set keeper = model.name ~ '__months' if by_period else model.name -%}
    {%- set fresh = existing is none or code_key_of_table(keeper) != code_key -%}
    {%- set stale = [] -%}
    {%- if fresh -%}
        {%- set found = run_query(stale_parts_sql('', code_key, upstream[0], by_period, reads)) -%}
    {%- else -%}
        {%- set found = run_query(stale_parts_sql(model.name, code_key, upstream[0], by_period, reads)) -%}
    {%- endif -%}
    {%- for row in found.rows -%}{%- do stale.append({'part': row[0], 'build_key': row[1]}) -%}{%- endfor -%}

    {{ refuse_undeclared_facts(sql, reads) }}
    {{ run_hooks(pre_hooks) }}
    {% if not fresh and not stale %}
        {% call noop_statement('main', 'UNCHANGED', 'UNCHANGED', 0) -%} select 1 {%- endcall %}
    {% else %}
        {% call statement('main') -%}
            {{ rebuild_parts(relation, sql, stale, fresh, period_column, by_period, code_key) }}
        {%- endcall %}
    {% endif %}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {% do persist_docs(relation, model) %}
    {{ return({'relations': [relation]}) }}
{% endmaterialization %}

{#
    The statements that bring a table up to date, in one transaction. Months are inserted a few at a time, so that the
    memory that a run needs depends on the size of a month and not on that of the history.
#}
{% macro rebuild_parts(relation, compiled_sql, stale, fresh, period_column, by_period, code_key) -%}
    {%- set parts = stale | map(attribute='part') | list -%}
    {%- set wanted = stale | selectattr('build_key') | map(attribute='part') | list -%}
    {% if fresh or not by_period %}
        drop table if exists {{ relation }};
        create table {{ relation }} as
        select * from (
            {{ restrict_to(compiled_sql, []) if by_period else compiled_sql }}
        ) {% if by_period %}limit 0{% endif %};
        delete from ops.build_keys where model = '{{ model.name }}';
    {% endif %}
    {% if by_period %}
        delete from ops.build_keys where model = '{{ model.name }}__months';
        insert into ops.build_keys values ('{{ model.name }}__months', '', '{{ code_key }}', null, null);
        delete from {{ relation }} where {{ period_column }} in ({{ name_list(parts) }});
        delete from ops.build_keys where model = '{{ model.name }}' and part in ({{ name_list(parts) }});
        {% for group in wanted | batch(6) %}
            insert into {{ relation }} {{ restrict_to(compiled_sql, group) }};
        {% endfor %}
    {% endif %}
    {{ record_keys(relation, stale, period_column, by_period, code_key) }}
{%- endmacro %}

{# Keys of the parts just built. A month that came out empty keeps a key, or it would be built again at every run. #}
{% macro record_keys(relation, stale, period_column, by_period, code_key) -%}
    {%- set built = stale | selectattr('build_key') | list -%}
    insert into ops.build_keys
    with content as (
        {{ content_keys_sql(relation, period_column) }}
    ),

    built as (
        select * from (values
            {% for item in built %}('{{ item.part }}', '{{ item.build_key }}'),{% endfor %}
            ('', '')
        ) as listed (part, build_key)
        where part <> ''
    )
    {% if by_period or not period_column %}
    select '{{ model.name }}', built.part, '{{ code_key }}', built.build_key, coalesce(content.content_key, '0:0')
    from built
    left join content on built.part = content.part
    {% else %}
    select '{{ model.name }}', '*', '{{ code_key }}', built.build_key, null
    from built
    union all
    select '{{ model.name }}', content.part, '{{ code_key }}', null, content.content_key
    from content
    {% endif %};
{%- endmacro %}
