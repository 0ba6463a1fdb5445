{#
    Families: records of the same kind from several producers, in one shape. A card joins a family by naming it
    (`family: works`); `members(family)` (macros/_members.sql, written when the project is assembled) gives its staging
    models. A member gives the columns that it knows, under these names; the others are NULL. `source` is added.

    works            one record per part of a site (site_id, part_id)
    traffic_hours    one record per counter, direction, vehicle class and hour
    traffic_samples  one record per counter, direction, vehicle class and window shorter than an hour
    counters         one record per counter, validity and part of its geometry: where the counters of `measures_source` are
    road_events      one record per snapshot of a feed of road events, and per event in a snapshot
    energy_loads     one record per zone, nature and time step: mean power over the step
    energy_consumption  one record per zone, year, carrier, sector, category, activity and operator
    foreign_card_payments  one record per zone, month and country of the card: indices, which add up to nothing
    card_payments       one record per zone, month, origin of the cards and activity: amounts and counts in confidence
    energy_production   one record per zone, year, carrier, energy source, voltage domain and operator

    Where one record holds several of these (a column per sector), the member is not the staging model but an
    intermediate one of the source's name, int_<theme>__<source>, that parts it.
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
            'first_absent_on': 'date',
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
            'department_code': 'varchar',
            'length_m': 'double',
            'lon': 'double',
            'lat': 'double',
            'geometry': 'varchar',
        },
        'road_events': {
            'record_type': 'varchar',
            'snapshot_start_at': 'timestamp',
            'event_id': 'varchar',
            'period_month': 'varchar',
            'event_type': 'varchar',
            'event_subtype': 'varchar',
            'street': 'varchar',
            'direction': 'varchar',
            'direction_basis': 'varchar',
            'is_closed': 'boolean',
            'level': 'integer',
            'delay_s': 'double',
            'length_m': 'double',
            'lanes': 'integer',
            'speed_kmh': 'double',
            'blocking_alert_id': 'varchar',
            'first_published_at': 'timestamp',
            'lon': 'double',
            'lat': 'double',
        },
        'energy_loads': {
            'zone_level': 'varchar',
            'zone_code': 'varchar',
            'zone_name': 'varchar',
            'nature': 'varchar',
            'step_start_at': 'timestamp',
            'step_start_local': 'timestamp',
            'step_s': 'integer',
            'period_month': 'varchar',
            'consumption_mw': 'double',
            'production_mw': 'double',
            'thermal_mw': 'double',
            'nuclear_mw': 'double',
            'wind_mw': 'double',
            'solar_mw': 'double',
            'hydro_mw': 'double',
            'pumping_mw': 'double',
            'bioenergy_mw': 'double',
            'physical_exchanges_mw': 'double',
            'load_status': 'varchar',
        },
        'energy_consumption': {
            'year': 'integer',
            'zone_level': 'varchar',
            'zone_code': 'varchar',
            'zone_name': 'varchar',
            'commune_code': 'varchar',
            'carrier': 'varchar',
            'sector': 'varchar',
            'customer_category': 'varchar',
            'naf_code': 'varchar',
            'operator': 'varchar',
            'consumption_mwh': 'double',
            'consumption_status': 'varchar',
            'heating_value_basis': 'varchar',
            'delivery_points': 'bigint',
            'delivery_points_status': 'varchar',
            'measured_share': 'double',
            'heating_share': 'double',
            'secret_parts': 'integer',
            'months_known': 'integer',
        },
        'foreign_card_payments': {
            'zone_level': 'varchar',
            'zone_code': 'varchar',
            'month': 'varchar',
            'card_country': 'varchar',
            'value_index': 'double',
            'value_status': 'varchar',
            'volume_index': 'double',
            'volume_status': 'varchar',
            'unit': 'varchar',
            'base_period': 'varchar',
            'scope': 'varchar',
            'market_share_min_pct': 'integer',
            'market_share_max_pct': 'integer',
        },
        'card_payments': {
            'zone_level': 'varchar',
            'zone_code': 'varchar',
            'month': 'varchar',
            'card_country': 'varchar',
            'activity': 'varchar',
            'amount_eur': 'decimal(18,2)',
            'amount_eur_status': 'varchar',
            'transactions': 'bigint',
            'transactions_status': 'varchar',
            'merchants': 'bigint',
            'merchants_status': 'varchar',
            'cards': 'bigint',
            'cards_status': 'varchar',
            'largest_merchant_eur': 'decimal(18,2)',
            'largest_merchant_eur_status': 'varchar',
            'second_merchant_eur': 'decimal(18,2)',
            'second_merchant_eur_status': 'varchar',
            'siren_groups': 'bigint',
            'siren_groups_status': 'varchar',
            'market_share_pct': 'double',
        },
        'energy_production': {
            'year': 'integer',
            'zone_level': 'varchar',
            'zone_code': 'varchar',
            'zone_name': 'varchar',
            'commune_code': 'varchar',
            'carrier': 'varchar',
            'energy_source': 'varchar',
            'voltage_domain': 'varchar',
            'operator': 'varchar',
            'sites': 'bigint',
            'sites_status': 'varchar',
            'production_mwh': 'double',
            'production_status': 'varchar',
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
