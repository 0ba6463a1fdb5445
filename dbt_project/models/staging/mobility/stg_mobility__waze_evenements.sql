{{ config(
    key=['record_type', 'snapshot_start_at', 'event_id'],
    period='period_month',
    reads=['territory'],
) }}

-- Snapshots of Waze for Cities, with the alerts, jams and irregularities in them; polls that failed stay among them.
--
-- Time: every instant comes in milliseconds; the texts beside them (UTC, a colon before the milliseconds; English
-- dates) say the same and are not read. A record stands at the start of its snapshot's window, a poll that failed at
-- its own time.
--
-- Generations: `uuid` is a text for alerts and a whole number for jams; irregularities, and jams of recent feeds, have
-- an `id`. WEATHERHAZARD became HAZARD. A jam's speed is in m/s, and also in km/h (speedKMH) of late; an irregularity's
-- is in km/h. Booleans may be texts.
--
-- A delay of -1 is no delay: the road is closed, at level 5. A subtype may be an empty text.
--
-- Place: the point of an alert; of a line its middle point. Direction: the heading from the first point of a line to
-- its last, which lie in the direction of travel; of an alert that of the road user, whose 0 also stands for unknown;
-- failing both, the crossings between which the event lies. Lanes are in no generation of the feed.
with published as not materialized (
    select * from {{ raw('waze__evenements') }}
),

opened as (
    select
        *,
        case when json_valid(line) then json_extract_string(line, '$[*].x') end as line_x,
        case when json_valid(line) then json_extract_string(line, '$[*].y') end as line_y,
        case when json_valid(location) then location end as point
    from published
),

typed as (
    select
        _delivery_id,
        _record_no,
        record_type,
        case when record_type = 'failed_poll' then polled_at else snapshot_start_millis end as time_text,
        case
            when record_type = 'failed_poll' then {{ parse_instant('polled_at', 'UTC') }}
            else {{ instant_of_millis('snapshot_start_millis') }}
        end as snapshot_start_at,
        coalesce(nullif(trim(uuid), ''), nullif(trim(id), '')) as own_id,
        record_type in ('alert', 'jam', 'irregularity') as is_event,
        case when type = 'WEATHERHAZARD' then 'HAZARD' else nullif(trim(type), '') end as event_type,
        nullif(trim(subtype), '') as event_subtype,
        nullif(trim(street), '') as street,
        nullif(trim(city), '') as city,
        nullif(trim(start_node), '') as start_node,
        nullif(trim(end_node), '') as end_node,
        try_cast(road_type as integer) as road_type,
        coalesce(level, jam_level) as level_text,
        try_cast(coalesce(level, jam_level) as integer) as level,
        coalesce(delay, delay_s) as delay_text,
        {{ parse_number('coalesce(delay, delay_s)') }} as delay_number,
        length as length_text,
        {{ parse_number('length') }} as length_m,
        coalesce(speed_kmh, speed) as speed_text,
        case
            when speed_kmh is not null then {{ parse_number('speed_kmh') }}
            when record_type = 'jam' then {{ parse_number('speed') }} * 3.6
            else {{ parse_number('speed') }}
        end as speed_kmh,
        {{ parse_number('regular_speed') }} as regular_speed_kmh,
        case lower(by_municipality) when 'true' then true when 'false' then false end as is_by_municipality,
        {{ instant_of_millis('coalesce(published_millis, detected_millis)') }} as first_published_at,
        nullif(trim(blocking_alert_uuid), '') as blocking_alert_id,
        try_cast(magvar as integer) as magvar,
        coalesce(
            try_cast(json_extract_string(point, '$.x') as double),
            try_cast(line_x[len(line_x) // 2 + 1] as double)
        ) as lon,
        coalesce(
            try_cast(json_extract_string(point, '$.y') as double),
            try_cast(line_y[len(line_y) // 2 + 1] as double)
        ) as lat,
        try_cast(line_x[1] as double) as first_lon,
        try_cast(line_y[1] as double) as first_lat,
        try_cast(line_x[len(line_x)] as double) as last_lon,
        try_cast(line_y[len(line_y)] as double) as last_lat
    from opened
),

headed as (
    select
        *,
        coalesce(
            {{ heading('first_lon', 'first_lat', 'last_lon', 'last_lat') }},
            case when record_type = 'alert' and magvar between 1 and 359 then magvar end
        ) as heading_deg,
        {{ place_in_box('lon', 'lat') }} as place
    from typed
)

select
    _delivery_id,
    _record_no,
    record_type,
    snapshot_start_at,
    case when is_event then own_id else '' end as event_id,
    {{ month_of(legal_time('snapshot_start_at', var('time_zone', 'Europe/Paris'))) }} as period_month,
    event_type,
    event_subtype,
    street,
    city,
    road_type,
    case
        when heading_deg is not null then {{ sector_of('heading_deg') }}
        when coalesce(start_node, end_node) is not null
            then concat(coalesce(start_node, '?'), ' > ', coalesce(end_node, '?'))
        when is_event then 'unknown'
    end as direction,
    case
        when heading_deg is not null then 'heading'
        when coalesce(start_node, end_node) is not null then 'crossings'
        when is_event then 'unknown'
    end as direction_basis,
    case
        when record_type = 'alert' then coalesce(event_type = 'ROAD_CLOSED', false)
        when is_event then coalesce(delay_number = -1, false) or coalesce(level = 5, false)
    end as is_closed,
    level,
    case when delay_number <> -1 then delay_number end as delay_s,
    length_m,
    cast(null as integer) as lanes,
    speed_kmh,
    regular_speed_kmh,
    is_by_municipality,
    blocking_alert_id,
    first_published_at,
    lon,
    lat,
    0 as _preference,
    is_event and coalesce(place = 'outside', false) as _out_of_scope,
    case
        when time_text is null and record_type = 'failed_poll' then 'no time of polling'
        when time_text is null then 'no start of the window (startTimeMillis)'
        when snapshot_start_at is null then 'the time cannot be read: ' || time_text
        when not is_event then null
        when own_id is null then 'no identifier'
        when record_type = 'alert' and event_type is null then 'an alert without a type'
        when level_text is not null and coalesce(level not between 0 and 5, true)
            then 'the level is none of 0 to 5: ' || level_text
        when {{ is_not_a_number('delay_text') }} then 'the delay is not a number: ' || delay_text
        when delay_number < -1 then 'negative delay: ' || delay_text
        when {{ is_not_a_number('length_text') }} then 'the length is not a number: ' || length_text
        when length_m < 0 then 'negative length: ' || length_text
        when {{ is_not_a_number('speed_text') }} then 'the speed is not a number: ' || speed_text
        when speed_kmh < 0 or speed_kmh > 300 then 'speed outside 0 to 300 km/h: ' || speed_text
        when place = 'swapped' then 'longitude and latitude are exchanged'
    end as _reject_reason
from headed
