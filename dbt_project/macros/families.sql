{#
    Families: records of the same kind from several producers, in one shape. A card joins a family by naming it
    (`family: works`); `members(family)` (macros/_members.sql, written when the project is assembled) gives its staging
    models. A member gives the columns that it knows, under these names; the others are NULL. `source` is added.

    works            one record per part of a site (site_id, part_id)
    traffic_hours    one record per counter, direction, vehicle class and hour
    traffic_samples  one record per counter, direction, vehicle class and window shorter than an hour
    counters         one record per counter, validity and part of its geometry: where the counters of `measures_source` are
#}
{#
    SQL: the records of a family as a derived table: `source` and the columns listed here, by name, whichever of them the
    members have.
#}
{% macro family(name) -%}
    {%- set columns = {
        'works': {
            'site_id': 'varchar',
            'part_id': 'varchar',
            'request_id': 'varchar',
            'kind': 'varchar',
            'purpose': 'varchar',
            'disruption': 'varchar',
            'disruption_level': 'integer',
            'occupies_carriageway': 'boolean',
            'street': 'varchar',
            'location_detail': 'varchar',
            'road_ref': 'varchar',
            'direction': 'varchar',
            'lanes_closed': 'integer',
            'schedule': 'varchar',
            'responsible_body': 'varchar',
            'surface_m2': 'double',
            'start_on': 'date',
            'end_on': 'date',
            'start_at': 'timestamp',
            'end_at': 'timestamp',
            'period_precision': 'varchar',
            'period_text': 'varchar',
            'announced_state': 'varchar',
            'stated_phase': 'varchar',
            'commune_code': 'varchar',
            'commune_name': 'varchar',
            'district_code': 'varchar',
            'geometry': 'varchar',
            'lon': 'double',
            'lat': 'double',
            'in_latest_snapshot': 'boolean',
            'announced_versions':
                'struct(snapshot_on varchar, start_on date, end_on date, start_at timestamp, end_at timestamp)[]',
        },
        'traffic_hours': {
            'counter_id': 'varchar',
            'direction': 'varchar',
            'vehicle_class': 'varchar',
            'hour_start_at': 'timestamp',
            'period_month': 'varchar',
            'flow_veh_h': 'double',
            'occupancy_pct': 'double',
            'speed_kmh': 'double',
            'is_floating_car': 'boolean',
            'is_barred': 'boolean',
            'traffic_state': 'varchar',
            'street': 'varchar',
            'lon': 'double',
            'lat': 'double',
            'geometry': 'varchar',
        },
        'traffic_samples': {
            'counter_id': 'varchar',
            'direction': 'varchar',
            'vehicle_class': 'varchar',
            'window_start_at': 'timestamp',
            'window_s': 'integer',
            'period_month': 'varchar',
            'flow_veh_h': 'double',
            'speed_kmh': 'double',
            'speed_weight': 'double',
            'is_floating_car': 'boolean',
            'street': 'varchar',
            'lon': 'double',
            'lat': 'double',
            'geometry': 'varchar',
        },
        'counters': {
            'measures_source': 'varchar',
            'also_measures_source': 'varchar',
            'counter_id': 'varchar',
            'valid_from_on': 'date',
            'street': 'varchar',
            'road_ref': 'varchar',
            'commune_code': 'varchar',
            'length_m': 'double',
            'lon': 'double',
            'lat': 'double',
            'geometry': 'varchar',
        },
    }[name] -%}
    (
        select
            source,
            {{ columns | join(',\n            ') }}
        from (
            select
                cast(null as varchar) as source
                {%- for column, type in columns.items() %},
                cast(null as {{ type }}) as {{ column }}
                {%- endfor %}
            where false
            {%- for model in members(name) %}
            union all by name
            select '{{ model.split('__', 1)[1] }}' as source, * from {{ ref(model) }}
            {%- endfor %}
        ) as united
    )
{%- endmacro %}
