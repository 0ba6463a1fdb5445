{{ config(
    key=['part_id'],
    versions=['start_on', 'end_on', 'start_at', 'end_at'],
    reads=['territory'],
) }}

-- Closures and incidents in the CIFS standard, of any producer. The polyline gives latitude first; an accident's is
-- often two points invented around it. Times should carry an offset: one without is read in legal time of Paris, an
-- assumption that `is_zone_assumed` keeps in sight. A bare date stays a date. `location` is the standard's old form.
with published as (
    select * from {{ raw('cifs__incidents') }}
),

-- A member is an object or, in some feeds, a plain text.
opened as (
    select
        *,
        {{ nested('location') }} as old_location,
        {{ nested('parent_event') }} as parent_object,
        {{ nested('source') }} as source_object,
        {{ nested('lane_impact') }} as impact_object,
        {{ nested('lanes') }} as lanes_object
    from published
),

unpacked as (
    select
        _delivery_id,
        _record_no,
        trim(id) as part_id,
        coalesce(
            nullif(trim(json_extract_string(parent_object, '$."@id"')), ''),
            nullif(trim(json_extract_string(parent_object, '$.id')), ''),
            case when not starts_with(parent_event, '{') then nullif(trim(parent_event), '') end,
            trim(id)
        ) as site_id,
        upper(trim(type)) as incident_type,
        upper(trim(subtype)) as subtype,
        starttime as start_text,
        endtime as end_text,
        schedule,
        coalesce(street, json_extract_string(old_location, '$.street')) as street,
        coalesce(polyline, json_extract_string(old_location, '$.polyline')) as polyline,
        coalesce(direction, json_extract_string(old_location, '$.direction')) as direction_text,
        json_extract_string(old_location, '$.location_description') as location_detail,
        coalesce(
            nullif(json_extract_string(source_object, '$.name'), ''),
            reference,
            json_extract_string(source_object, '$.reference'),
            case when not starts_with(source, '{') then nullif(trim(source), '') end
        ) as responsible_body,
        try_cast(json_extract_string(impact_object, '$.total_closed_lanes') as integer) as closed_lanes_told,
        len(
            list_filter(
                coalesce({{ datex2_texts('lanes_object', '$..status') }}, []),
                status -> status in ('CLOSED_LANE', 'CLOSE', 'CLOSED')
            )
        ) as closed_lanes_listed
    from opened
),

typed as (
    select
        *,
        coalesce(closed_lanes_told, cast(nullif(closed_lanes_listed, 0) as integer)) as lanes_closed,
        {{ parse_date('start_text', 'Europe/Paris') }} as start_on,
        {{ parse_date('end_text', 'Europe/Paris') }} as end_on,
        case when start_text like '%:%' then {{ parse_instant('start_text', 'Europe/Paris') }} end as start_at,
        case when end_text like '%:%' then {{ parse_instant('end_text', 'Europe/Paris') }} end as end_at,
        {{ positions_of_lat_lon('polyline') }} as positions
    from unpacked
),

drawn as (
    select
        *,
        case
            when len(positions) > 1 then {{ geometry_of_positions('LineString', 'positions') }}
            when len(positions) = 1 then {{ geometry_of_positions('Point', 'positions') }}
        end as geometry
    from typed
),

edged as (
    select
        *,
        {{ edge_position('geometry', 'first', 1) }} as first_lon,
        {{ edge_position('geometry', 'first', 2) }} as first_lat,
        {{ edge_position('geometry', 'last', 1) }} as last_lon,
        {{ edge_position('geometry', 'last', 2) }} as last_lat
    from drawn
),

placed as (
    select
        *,
        {{ place_in_box('first_lon', 'first_lat') }} as first_place,
        {{ place_in_box('last_lon', 'last_lat') }} as last_place
    from edged
),

judged as (
    select
        *,
        case
            when incident_type = 'ROAD_CLOSED' or subtype like 'ROAD_CLOSED%' then 'road_closed'
            when lanes_closed > 0 or subtype = 'HAZARD_ON_ROAD_LANE_CLOSED' then 'lane_restricted'
            else 'unknown'
        end as disruption
    from placed
)

select
    _delivery_id,
    _record_no,
    site_id,
    part_id,
    case
        when incident_type = 'CONSTRUCTION' or subtype like '%_CONSTRUCTION' then 'road_works'
        when subtype = 'ROAD_CLOSED_EVENT' then 'event'
        when incident_type = 'ROAD_CLOSED' then 'closure'
        else 'incident'
    end as kind,
    coalesce(nullif(subtype, ''), incident_type) as purpose,
    disruption,
    case
        when disruption in ('road_closed', 'lane_restricted') then true
        when subtype like 'HAZARD_ON_SHOULDER%' then false
    end as occupies_carriageway,
    street,
    location_detail,
    case
        when direction_text = 'BOTH_DIRECTIONS' then 'both'
        when direction_text = 'ONE_DIRECTION' then 'one'
        else 'unknown'
    end as direction,
    lanes_closed,
    schedule,
    responsible_body,
    start_on,
    end_on,
    start_at,
    end_at,
    case
        when start_at is not null or (start_on is null and end_at is not null) then 'instant' else 'date'
    end as period_precision,
    coalesce(start_at is not null and not {{ has_offset('start_text') }}, false) as is_zone_assumed,
    geometry,
    case when len(positions) = 1 then first_lon end as lon,
    case when len(positions) = 1 then first_lat end as lat,
    0 as _preference,
    coalesce(first_place = 'outside' and last_place = 'outside', false) as _out_of_scope,
    case
        when part_id is null or part_id = '' then 'no identifier'
        when start_text is not null and start_on is null then 'the start cannot be read: ' || start_text
        when end_text is not null and end_on is null then 'the end cannot be read: ' || end_text
        when {{ is_missing_local_time('start_text', 'Europe/Paris') }}
            then 'this time does not exist in legal time (spring change): ' || start_text
        when {{ is_missing_local_time('end_text', 'Europe/Paris') }}
            then 'this time does not exist in legal time (spring change): ' || end_text
        when end_at < start_at or end_on < start_on
            then 'ends before it starts: ' || start_text || ' to ' || end_text
        when polyline is not null and geometry is null
            then 'the polyline is not pairs of latitude and longitude: ' || left(polyline, 80)
        when {{ is_bad_geometry('geometry') }} then 'a coordinate is not a number: ' || left(polyline, 80)
        when not coalesce(first_lat between -90 and 90 and last_lat between -90 and 90, true)
            then 'a latitude beyond 90 degrees: ' || left(polyline, 80)
        when first_place = 'swapped' then 'longitude and latitude look swapped'
    end as _reject_reason
from judged
