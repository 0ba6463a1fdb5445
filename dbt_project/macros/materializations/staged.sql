{#
    A source's records, typed once, and the one record per key that counts.

    The model casts the records of `raw(…)` and says in `_reject_reason` why a record does not fit (NULL when it does);
    it may say in `_out_of_scope` that a record lies outside the territory, and in `_preference` (0 to 99) which of two
    contradictory records of one delivery to believe. From it this materialisation makes, in one transaction:

      staging.<model>__records  every record, brought up to date by delivery; of a source that is cut to the territory
                                (is_out_of_scope), those of the territory: a national file leaves only its count behind
      staging.<model>           one row per key: the record of the latest delivery, with `_candidates`, how many
                                records claimed the key; brought up to date by month when the model names `period`
      ops.rejects               the records refused, with their text, place and reason
      ops.staging_outcomes      what became of the records of each delivery: the terms of the ledger

    Settings: key (columns), period (column 'YYYY-MM', optional), versions (columns whose successive values are kept in
    `announced_versions`). Where the card says that deliveries are snapshots, a record absent from the latest complete one
    has `in_latest_snapshot` false, and in `first_absent_on` the day of the first complete one that no longer lists it:
    that of its name or content, else that of its receipt.
#}
{% materialization staged, adapter='duckdb' %}
    {%- set source_name = model.name.split('__', 1)[1] -%}
    {%- set kept = this.incorporate(type='table') -%}
    {%- set records = api.Relation.create(
        database=this.database, schema=this.schema, identifier=this.identifier ~ '__records', type='table'
    ) -%}
    {%- set upstream = upstream_of(model) -%}
    {%- set settings = {
        'source': source_name,
        'records': records,
        'kept': kept,
        'key': config.require('key'),
        'period': config.get('period'),
        'versions': config.get('versions', []),
        'snapshot': raw_source_of(model).config.meta.follows == 'snapshot',
        'is_cut': 'int_territory__scope' in upstream[0],
    } -%}
    {#- What the table of kept records holds besides the model's columns is decided here: it is code of the model. -#}
    {%- set code_key = local_md5(
        sql ~ upstream[1] | join('') ~ settings['period'] ~ kept_records(settings, []) ~ config.get('reads', []) | join(',')
        ~ (env_var('HALLE_GEOMETRY', '') if 'geometry' in config.get('reads', []) else '')
    ) -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set fresh = existing is none or code_key_of_table(model.name ~ '__records') != code_key -%}
    {%- set stale = [] -%}
    {%- set found = run_query(stale_deliveries_sql(source_name, code_key, upstream[0], config.get('reads', []), fresh)) -%}
    {%- for row in found.rows -%}{%- do stale.append({'part': row[0], 'build_key': row[1]}) -%}{%- endfor -%}

    {{ refuse_undeclared_facts(sql, config.get('reads', [])) }}
    {{ run_hooks(pre_hooks) }}
    {% if not fresh and not stale %}
        {% call noop_statement('main', 'UNCHANGED', 'UNCHANGED', 0) -%} select 1 {%- endcall %}
    {% else %}
        {% call statement('records') -%}
            {{ retype_records(sql, settings, stale, fresh) }}
        {%- endcall %}
        {% call statement('main') -%}
            {{ choose_records(settings, stale, code_key, period_groups(settings)) }}
        {%- endcall %}
    {% endif %}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {% do persist_docs(kept, model) %}
    {{ return({'relations': [kept]}) }}
{% endmaterialization %}

{#
    SQL: deliveries to type again (build_key set) or to forget (build_key NULL). A delivery depends on its own records and
    on all that the model reads besides, such as references.
#}
{% macro stale_deliveries_sql(source_name, code_key, upstream, reads, fresh) -%}
    with besides as (
        select
            coalesce(string_agg(concat(model, ' ', part, ' ', content_key), '|' order by model, part), '') as content_keys
        from ops.build_keys
        where model in ({{ name_list(upstream) }})
    ),

    expected as (
        select
            delivery_id as part,
            md5(concat(
                '{{ code_key }}', {{ run_facts_sql(reads) }}, (select content_keys from besides), load_key
            )) as build_key
        from ops.deliveries
        where source = '{{ source_name }}' and status = 'loaded'
    ),

    recorded as (
        select part, build_key
        from ops.build_keys
        where model = '{{ model.name }}__records' {% if fresh %}and false{% endif %}
    )

    select
        coalesce(expected.part, recorded.part) as part,
        expected.build_key
    from expected
    full outer join recorded on expected.part = recorded.part
    where expected.build_key is distinct from recorded.build_key
    order by 1
{%- endmacro %}

{# The statements that bring the records up to date, by delivery, and list in `touched` the months concerned. #}
{% macro retype_records(compiled_sql, settings, stale, fresh) -%}
    {%- set parts = stale | map(attribute='part') | list -%}
    {%- set wanted = stale | selectattr('build_key') | map(attribute='part') | list -%}
    {%- set records = settings['records'] -%}
    create or replace temp table touched (_period varchar);
    create or replace temp table left_outside (_delivery_id varchar, records bigint);
    {% if fresh %}
        drop table if exists {{ settings['kept'] }};
        drop table if exists {{ records }};
        create table {{ records }} as {{ typed_records(restrict_to(compiled_sql, []), settings) }} limit 0;
        create table {{ settings['kept'] }} as {{ kept_records(settings, []) }} limit 0;
        delete from ops.build_keys where model in ('{{ model.name }}', '{{ model.name }}__records');
        delete from ops.staging_outcomes where source = '{{ settings['source'] }}';
        delete from ops.rejects where source = '{{ settings['source'] }}';
    {% endif %}
    insert into touched
    select distinct _period from {{ records }} where _delivery_id in ({{ name_list(parts) }});
    delete from {{ records }} where _delivery_id in ({{ name_list(parts) }});
    {% for group in wanted | batch(20) %}
        {% set typed = typed_records(restrict_to(compiled_sql, group), settings) %}
        {% if settings['is_cut'] %}
        insert into {{ records }}
        select * from ({{ typed }}) where _reject_reason is not null or not _out_of_scope;
        insert into left_outside
        select _delivery_id, count(*) from ({{ typed }})
        where _reject_reason is null and _out_of_scope
        group by _delivery_id;
        {% else %}
        insert into {{ records }} {{ typed }};
        {% endif %}
    {% endfor %}
    insert into touched
    select distinct _period from {{ records }} where _delivery_id in ({{ name_list(parts) }});
    {% if settings['snapshot'] %}
    -- What a snapshot does not list concerns the records of every month, even where it lists nothing at all.
    insert into touched select distinct _period from {{ records }};
    {% endif %}
{%- endmacro %}

{#
    The months to choose records in, in groups of a bounded number of records (a month is never parted): the memory that
    a run needs depends on the size of a month and not on that of the history.
#}
{% macro period_groups(settings) -%}
    {%- set found = run_query(
        "select _period, count(*) from " ~ settings['records']
        ~ " where _period in (select _period from touched) group by _period order by _period"
    ) -%}
    {%- set groups = [] -%}
    {%- set room = namespace(left=0) -%}
    {%- for row in found.rows -%}
        {%- if not groups or row[1] > room.left -%}
            {%- do groups.append([]) -%}
            {%- set room.left = 3000000 -%}
        {%- endif -%}
        {%- do groups[-1].append(row[0]) -%}
        {%- set room.left = room.left - row[1] -%}
    {%- endfor -%}
    {{ return(groups) }}
{%- endmacro %}

{# The statements that choose the one record per key in the months touched, and count what became of each record. #}
{% macro choose_records(settings, stale, code_key, groups) -%}
    {%- set parts = stale | map(attribute='part') | list -%}
    delete from {{ settings['kept'] }} where _period in (select _period from touched);
    {% for periods in groups %}
        insert into {{ settings['kept'] }} {{ kept_records(settings, periods) }};
    {% endfor %}

    {{ record_outcomes(settings, parts) }}
    {{ record_rejects(settings, parts) }}
    {{ record_staged_keys(settings, stale, code_key) }}
    drop table touched;
    drop table left_outside;
{%- endmacro %}

{#
    The typed records. A record without a key cannot be kept: the model has to refuse it, and this column set makes sure
    that it is at least not lost (`_period` is never NULL).
#}
{% macro typed_records(compiled_sql, settings) -%}
    {%- set period = settings['period'] -%}
    select
        *,
        {{ "coalesce(" ~ period ~ ", '-')" if period else "'*'" }} as _period
    from ({{ compiled_sql }})
{%- endmacro %}

{#
    One record per key. Order: delivery, then `_preference`, then position in the file (the later one). It is packed in
    one integer, which is unique, so that a join on it finds the record again. Most keys have one record: only those of
    contested keys are compared, and no aggregate ever holds a whole record (one that did took seven times the memory).
#}
{% macro kept_records(settings, periods) -%}
    with candidates as not materialized (
        select
            records.*,
            deliveries.delivery_order * 1000000000000
            + least(greatest(records._preference, 0), 99) * 10000000000
            + records._record_no as _order,
            deliveries.delivery_order as _delivery_order,
            coalesce(deliveries.file_date, '') as _snapshot_on
        from {{ settings['records'] }} as records
        inner join ops.deliveries as deliveries
            on deliveries.source = '{{ settings['source'] }}' and deliveries.delivery_id = records._delivery_id
        where records._reject_reason is null
            and not records._out_of_scope
            and records._period in ({{ name_list(periods) }})
    ),

    contested as (
        select
            {{ settings['key'] | join(', ') }},
            max(_order) as _chosen_order,
            count(*) as _claims
        from candidates
        group by {{ settings['key'] | join(', ') }}
        having count(*) > 1
    )
    {% if settings['snapshot'] %}
    ,

    -- A record that was refused still says that its key is there.
    seen as (
        select
            {{ settings['key'] | join(', ') }},
            max(deliveries.delivery_order) as _last_delivery_order
        from {{ settings['records'] }} as records
        inner join ops.deliveries as deliveries
            on deliveries.source = '{{ settings['source'] }}' and deliveries.delivery_id = records._delivery_id
        group by {{ settings['key'] | join(', ') }}
    ),

    snapshots as (
        select
            delivery_order,
            is_partial,
            cast(left(coalesce(file_date, received_at), 10) as date) as snapshot_on
        from ops.deliveries
        where source = '{{ settings['source'] }}' and status = 'loaded'
    ),

    followed as (
        select
            delivery_order,
            snapshot_on,
            first_value(case when not is_partial then snapshot_on end ignore nulls) over (
                order by delivery_order rows between 1 following and unbounded following
            ) as next_complete_on
        from snapshots
    ),

    -- On a day of several snapshots, what one of them lists was there that day.
    absences as (
        select
            delivery_order as _last_delivery_order,
            greatest(next_complete_on, snapshot_on + 1) as first_absent_on
        from followed
        where next_complete_on is not null
    )
    {% endif %}
    {% if settings['versions'] %}
    ,

    announced as (
        select
            {{ settings['key'] | join(', ') }},
            {{ settings['versions'] | join(', ') }},
            min(_order) as first_order,
            min(_snapshot_on) as snapshot_on
        from candidates
        group by {{ settings['key'] | join(', ') }}, {{ settings['versions'] | join(', ') }}
    ),

    histories as (
        select
            {{ settings['key'] | join(', ') }},
            list(
                struct_pack(
                    snapshot_on := snapshot_on
                    {%- for column in settings['versions'] %}, {{ column }} := {{ column }}{% endfor %}
                )
                order by first_order
            ) as announced_versions
        from announced
        group by {{ settings['key'] | join(', ') }}
    )
    {% endif %}

    select
        candidates.* exclude (
            _reject_reason, _out_of_scope, _preference, _order, _delivery_order, _snapshot_on
        ),
        {% if settings['versions'] %}histories.announced_versions,{% endif %}
        {% if settings['snapshot'] %}
        absences.first_absent_on is null as in_latest_snapshot,
        absences.first_absent_on,
        {% endif %}
        coalesce(contested._claims, 1) as _candidates
    from candidates
    left join contested on {{ same_key('candidates', 'contested', settings['key']) }}
    {% if settings['snapshot'] %}
    inner join seen on {{ same_key('candidates', 'seen', settings['key']) }}
    left join absences on seen._last_delivery_order = absences._last_delivery_order
    {% endif %}
    {% if settings['versions'] %}
    inner join histories on {{ same_key('candidates', 'histories', settings['key']) }}
    {% endif %}
    where contested._chosen_order is null or contested._chosen_order = candidates._order
{%- endmacro %}

{% macro same_key(left, right, key) -%}
    {%- for column in key -%}
        {{ left }}.{{ column }} = {{ right }}.{{ column }} {{- " and " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#
    The terms of the ledger, each counted on its own: refused and out of scope from the records of the delivery; kept
    from the table of kept records; duplicate and superseded from the records of contested keys, compared with the record
    that was kept (same content, or another).
#}
{% macro record_outcomes(settings, parts) -%}
    delete from ops.staging_outcomes
    where source = '{{ settings['source'] }}'
        and (period in (select _period from touched) or (period = '' and delivery_id in ({{ name_list(parts) }})));

    insert into ops.staging_outcomes (source, delivery_id, period, rejected, out_of_scope)
    with counted as (
        select
            _delivery_id,
            count(*) filter (where _reject_reason is not null) as rejected,
            count(*) filter (where _reject_reason is null and _out_of_scope) as outside
        from {{ settings['records'] }}
        where _delivery_id in ({{ name_list(parts) }})
        group by _delivery_id
        union all
        select _delivery_id, 0, records from left_outside
    )

    select '{{ settings['source'] }}', _delivery_id, '', sum(rejected), sum(outside)
    from counted
    group by _delivery_id;

    insert into ops.staging_outcomes (source, delivery_id, period, staged)
    select '{{ settings['source'] }}', _delivery_id, _period, count(*)
    from {{ settings['kept'] }}
    where _period in (select _period from touched)
    group by _delivery_id, _period;

    insert into ops.staging_outcomes (source, delivery_id, period, duplicate, superseded)
    with contested as (
        select * from {{ settings['kept'] }} where _candidates > 1 and _period in (select _period from touched)
    ),

    contested_content as (
        select
            {{ settings['key'] | join(', ') }},
            _delivery_id,
            _record_no,
            {{ content_hash() }} as content
        from contested
    ),

    claimed_content as (
        select
            {{ settings['key'] | join(', ') }},
            _delivery_id,
            _record_no,
            _period,
            {{ content_hash() }} as content
        from {{ settings['records'] }}
        where _reject_reason is null
            and not _out_of_scope
            and ({{ settings['key'] | join(', ') }}) in (select ({{ settings['key'] | join(', ') }}) from contested)
    ),

    losers as (
        select
            claimed._delivery_id,
            claimed._period,
            claimed.content = kept.content as is_same
        from claimed_content as claimed
        inner join contested_content as kept using ({{ settings['key'] | join(', ') }})
        where not (claimed._delivery_id = kept._delivery_id and claimed._record_no = kept._record_no)
    )

    select
        '{{ settings['source'] }}',
        _delivery_id,
        _period,
        count(*) filter (where is_same),
        count(*) filter (where not is_same)
    from losers
    group by _delivery_id, _period;
{%- endmacro %}

{# What two records of a key must share to say the same: every column of the model but its bookkeeping. #}
{% macro content_hash() -%}
    hash(*columns(
        name -> not starts_with(name, '_')
        and name not in ('announced_versions', 'in_latest_snapshot', 'first_absent_on')
    ))
{%- endmacro %}

{# The raw table that a staging model reads, as declared in its sources. #}
{% macro raw_source_of(node) -%}
    {%- for parent_id in node.depends_on.nodes if parent_id in graph.sources -%}
        {%- if graph.sources[parent_id].source_name == 'raw' -%}{{ return(graph.sources[parent_id]) }}{%- endif -%}
    {%- endfor -%}
    {{ exceptions.raise_compiler_error(node.name ~ ' is a staged model: it has to read one raw table with raw(…).') }}
{%- endmacro %}

{#
    The refused records with their text as published, read again from raw. Columns classed as personal are left out
    (never-load columns are not in raw at all).
#}
{% macro record_rejects(settings, parts) -%}
    {%- set raw_source = raw_source_of(model) -%}
    {%- set personal = raw_source.config.meta.get('personal_columns', []) -%}
    delete from ops.rejects
    where source = '{{ settings['source'] }}' and delivery_id in ({{ name_list(parts) }});

    insert into ops.rejects (source, delivery_id, record_no, reason, record)
    with refused as (
        select _delivery_id, _record_no, _reject_reason
        from {{ settings['records'] }}
        where _reject_reason is not null and _delivery_id in ({{ name_list(parts) }})
    ),

    published as (
        select
            _delivery_id,
            _record_no,
            to_json(struct_pack(
                {%- for name in raw_source.columns if name not in personal %}
                {{ adapter.quote(name) }} := {{ adapter.quote(name) }}{{ "," if not loop.last }}
                {%- endfor %}
            )) as record
        from {{ source('raw', raw_source.name) }}
        where _delivery_id in ({{ name_list(parts) }})
    )

    select
        '{{ settings['source'] }}',
        refused._delivery_id,
        refused._record_no,
        refused._reject_reason,
        cast(published.record as varchar)
    from refused
    left join published
        on refused._delivery_id = published._delivery_id and refused._record_no = published._record_no;
{%- endmacro %}

{% macro record_staged_keys(settings, stale, code_key) -%}
    delete from ops.build_keys
    where model = '{{ model.name }}__records'
        and part in ({{ name_list(stale | map(attribute='part') | list) }});
    {% for item in stale if item.build_key %}
        insert into ops.build_keys values
            ('{{ model.name }}__records', '{{ item.part }}', '{{ code_key }}', '{{ item.build_key }}', null);
    {% endfor %}
    delete from ops.build_keys
    where model = '{{ model.name }}' and part in (select _period from touched);
    insert into ops.build_keys
    select '{{ model.name }}', part, '{{ code_key }}', null, content_key
    from ({{ content_keys_sql(settings['kept'], '_period') }})
    where part in (select _period from touched);
    {# An empty source still has a content: without it, the models downstream could not tell it from one never built. #}
    insert into ops.build_keys
    select '{{ model.name }}__records', '', '{{ code_key }}', null, null
    where not exists (select 1 from ops.build_keys where model = '{{ model.name }}__records');
{%- endmacro %}
