{{ config(
    key=['site_id'],
    versions=['start_on', 'end_on', 'start_at', 'end_at'],
    reads=['territory'],
) }}

-- Work zones in the WZDx standard, of any producer: version 3 flat, version 4 with `core_details`, from which the card
-- takes its parts; one road name comes as text, several as a list. Times are UTC, but both bounds at midnight UTC are
-- calendar dates (midnight UTC is an afternoon where most feeds are from) and are kept as dates. A MultiPoint is the
-- two ends, not the path between. A speed limit of 0 says nothing.
with published as (
    select * from {{ raw('wzdx__work_zones') }}
),

-- A member is nested or, in some feeds, a plain text.
opened as (
    select
        *,
        {{ nested('road_names') }} as road_list,
        {{ nested('lanes') }} as lane_list,
        {{ nested('types_of_work') }} as work_list
    from published
),

unpacked as (
    select
        _delivery_id,
        _record_no,
        trim(event_id) as site_id,
        start_date as start_text,
        end_date as end_text,
        event_status,
        vehicle_impact,
        geometry as geometry_text,
        work_list,
        beginning_cross_street,
        ending_cross_street,
        event_type,
        direction as direction_text,
        data_source_id,
        coalesce(
            road_name,
            nullif(array_to_string(json_extract_string(road_list, '$[*]'), ', '), ''),
            case when not starts_with(road_names, '[') then road_names end,
            road_number
        ) as street,
        try_cast(reduced_speed_limit_kph as double) as speed_limit_kmh,
        list_transform(
            list_filter(
                json_extract(lane_list, '$[*]'), lane -> json_extract_string(lane, '$.status') = 'closed'
            ),
            lane -> coalesce(json_extract_string(lane, '$.type'), 'general')
        ) as closed_lane_types
    from opened
),

-- Lanes that are none for vehicles do not count as closed lanes.
counted as (
    select
        *,
        list_filter(
            closed_lane_types,
            lane_type -> lane_type not in ('sidewalk', 'bike-lane', 'shoulder', 'parking', 'median')
        ) as closed_traffic_lanes,
        {{ parse_instant('start_text', 'UTC') }} as start_instant,
        {{ parse_instant('end_text', 'UTC') }} as end_instant,
        {{ geojson_geometry('geometry_text') }} as geometry
    from unpacked
),

dated as (
    select
        *,
        coalesce(start_instant = date_trunc('day', start_instant), true)
        and coalesce(end_instant = date_trunc('day', end_instant), true) as are_dates,
        {{ edge_position('geometry', 'first', 1) }} as first_lon,
        {{ edge_position('geometry', 'first', 2) }} as first_lat,
        {{ edge_position('geometry', 'last', 1) }} as last_lon,
        {{ edge_position('geometry', 'last', 2) }} as last_lat
    from counted
),

placed as (
    select
        *,
        {{ place_in_box('first_lon', 'first_lat') }} as first_place,
        {{ place_in_box('last_lon', 'last_lat') }} as last_place
    from dated
),

judged as (
    select
        *,
        case
            when vehicle_impact = 'all-lanes-closed' then 'road_closed'
            when vehicle_impact in ('alternating-one-way', 'flagging', 'temporary-traffic-signal') then 'alternating'
            when vehicle_impact like 'some-lanes-closed%' then 'lane_restricted'
            when len(closed_traffic_lanes) > 0 then 'lane_restricted'
            when speed_limit_kmh > 0 then 'speed_restricted'
            when list_contains(closed_lane_types, 'bike-lane') then 'cycle_lane'
            when list_contains(closed_lane_types, 'sidewalk') then 'sidewalk'
            when list_contains(closed_lane_types, 'parking') then 'parking'
            when vehicle_impact like 'all-lanes-open%' then 'none'
            else 'unknown'
        end as disruption
    from placed
)

select
    _delivery_id,
    _record_no,
    site_id,
    case
        when event_type = 'work-zone' then 'road_works'
        when event_type = 'restriction' then 'traffic_order'
        when event_type = 'incident' then 'incident'
        else 'other'
    end as kind,
    nullif(array_to_string(json_extract_string(work_list, '$[*].type_name'), ', '), '') as purpose,
    disruption,
    case
        when disruption in ('road_closed', 'lane_restricted', 'alternating') then true
        when vehicle_impact like 'all-lanes-open%' then false
    end as occupies_carriageway,
    street,
    nullif(concat_ws(' - ', beginning_cross_street, ending_cross_street), '') as location_detail,
    case
        when direction_text in ('undefined', 'unknown') or direction_text is null then 'unknown' else 'one'
    end as direction,
    cast(nullif(len(closed_traffic_lanes), 0) as integer) as lanes_closed,
    data_source_id,
    case
        when are_dates then cast(start_instant as date)
        else cast({{ legal_time('start_instant', var('time_zone', 'Europe/Paris')) }} as date)
    end as start_on,
    case
        when are_dates then cast(end_instant as date)
        else cast({{ legal_time('end_instant', var('time_zone', 'Europe/Paris')) }} as date)
    end as end_on,
    case when not are_dates then start_instant end as start_at,
    case when not are_dates then end_instant end as end_at,
    case when are_dates then 'date' else 'instant' end as period_precision,
    event_status as announced_state,
    case
        when event_status in ('planned', 'pending') then 'planned'
        when event_status = 'active' then 'ongoing'
        when event_status = 'completed' then 'ended'
        when event_status = 'cancelled' then 'cancelled'
    end as stated_phase,
    geometry,
    cast(null as double) as lon,
    cast(null as double) as lat,
    0 as _preference,
    coalesce(first_place = 'outside' and last_place = 'outside', false) as _out_of_scope,
    case
        when site_id is null or site_id = '' then 'no identifier'
        when start_text is not null and start_instant is null then 'the start cannot be read: ' || start_text
        when end_text is not null and end_instant is null then 'the end cannot be read: ' || end_text
        when end_instant < start_instant then 'ends before it starts: ' || start_text || ' to ' || end_text
        when {{ is_bad_geometry('geometry_text') }} then 'the geometry is not GeoJSON'
        when not coalesce(first_lat between -90 and 90, true)
            then 'a latitude beyond 90 degrees: ' || left(geometry, 120)
        when first_place = 'swapped' then 'longitude and latitude look swapped'
    end as _reject_reason
from judged
