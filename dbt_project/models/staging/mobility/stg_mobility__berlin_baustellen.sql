{{ config(
    key=['site_id'],
    versions=['start_on', 'end_on', 'start_at', 'end_at'],
    reads=['territory'],
) }}

-- Traffic messages of Berlin: works and closures, mixed with faults, dangers and accidents, which keep their own kind.
-- Bounds are legal time of Berlin without offset. "keine Sperrung" only says that the street is not closed: what is
-- taken from it is in the text. The field of the direction is mostly left at "Beidseitig", whatever the section says:
-- the section is believed when it names one. A message that says that all is free again has ended.
with published as (
    select * from {{ raw('berlin__baustellen') }}
),

unpacked as (
    select
        _delivery_id,
        _record_no,
        trim(id) as site_id,
        subtype,
        severity,
        direction as direction_text,
        is_future,
        validity as validity_text,
        geometry as geometry_text,
        trim(street) as street,
        trim(section) as section,
        trim(content) as content,
        nullif(trim(json_extract_string({{ nested('validity') }}, '$.from')), '') as start_text,
        nullif(trim(json_extract_string({{ nested('validity') }}, '$.to')), '') as end_text,
        try_cast(closed_lanes as integer) as lanes_closed,
        try_cast(total_lanes as integer) as total_lanes
    from published
),

-- dd.mm.yyyy HH:MM as ISO text, which the editors' recent feed writes, so that the macros of time read both.
rewritten as (
    select
        *,
        regexp_replace(start_text, '^(\d{2})\.(\d{2})\.(\d{4})', '\3-\2-\1') as start_iso,
        regexp_replace(end_text, '^(\d{2})\.(\d{2})\.(\d{4})', '\3-\2-\1') as end_iso
    from unpacked
),

typed as (
    select
        *,
        {{ parse_date('start_iso', 'Europe/Berlin') }} as start_on,
        {{ parse_date('end_iso', 'Europe/Berlin') }} as end_on,
        case when start_iso like '%:%' then {{ parse_instant('start_iso', 'Europe/Berlin') }} end as start_at,
        case when end_iso like '%:%' then {{ parse_instant('end_iso', 'Europe/Berlin') }} end as end_at,
        regexp_matches(content, 'wieder frei|nicht mehr|wieder in Betrieb|geräumt') as is_over,
        regexp_matches(content, '[Bb]austell|[Bb]auarbeiten|[Bb]aumaßnahme') as speaks_of_works,
        -- An empty collection is no place.
        case
            when {{ edge_position('geometry_text', 'first', 1) }} is not null
                then {{ geojson_geometry('geometry_text') }}
        end as geometry,
        -- The first position is the point of the message; the lines that follow in a collection are what is closed.
        {{ edge_position('geometry_text', 'first', 1) }} as lon,
        {{ edge_position('geometry_text', 'first', 2) }} as lat
    from rewritten
),

placed as (
    select
        *,
        {{ place_in_box('lon', 'lat') }} as place
    from typed
),

judged as (
    select
        *,
        case
            when severity = 'Vollsperrung' or lanes_closed >= total_lanes then 'road_closed'
            when subtype in ('Störung', 'Gefahr', 'Unfall') and not coalesce(speaks_of_works, false) then 'unknown'
            when regexp_matches(content, 'Baustellenampel|Gegenverkehrsregelung|wechselseitig|abwechselnd')
                then 'alternating'
            when subtype = 'Fahrstreifensperrung' or lanes_closed > 0 then 'lane_restricted'
            when regexp_matches(content, 'vereng|[Rr]eduzier|Fahrstreifen gesperrt') then 'lane_restricted'
            else 'unknown'
        end as disruption
    from placed
)

select
    _delivery_id,
    _record_no,
    site_id,
    case
        when subtype in ('Baustelle', 'Bauarbeiten') then 'road_works'
        when subtype in ('Sperrung', 'Fahrstreifensperrung') then 'closure'
        when subtype in ('Störung', 'Gefahr', 'Unfall') and speaks_of_works then 'road_works'
        when subtype in ('Störung', 'Gefahr', 'Unfall') then 'incident'
        when regexp_matches(subtype, 'Veranstaltung|fest') then 'event'
        else 'other'
    end as kind,
    content as purpose,
    disruption,
    case when disruption in ('road_closed', 'lane_restricted', 'alternating') then true end as occupies_carriageway,
    street,
    section as location_detail,
    case
        when regexp_matches(section, '(in|für) beiden? Richtungen') then 'both'
        when regexp_matches(section, '^(in )?Richtung |stadteinwärts|stadtauswärts| in Richtung ') then 'one'
        when direction_text = 'Beidseitig' then 'both'
        when direction_text = 'Einseitig' then 'one'
        else 'unknown'
    end as direction,
    lanes_closed,
    start_on,
    end_on,
    start_at,
    end_at,
    case
        when start_at is not null or (start_on is null and end_at is not null) then 'instant' else 'date'
    end as period_precision,
    subtype as announced_state,
    case
        when is_over then 'ended'
        when is_future = 'true' then 'planned'
    end as stated_phase,
    geometry,
    lon,
    lat,
    0 as _preference,
    coalesce(place = 'outside', false) as _out_of_scope,
    case
        when site_id is null or site_id = '' then 'no identifier'
        when validity_text is not null and not json_valid(validity_text)
            then 'the validity is not an object: ' || left(validity_text, 80)
        when start_text is not null and start_on is null then 'the start cannot be read: ' || start_text
        when end_text is not null and end_on is null then 'the end cannot be read: ' || end_text
        when {{ is_missing_local_time('start_iso', 'Europe/Berlin') }}
            then 'this time does not exist in legal time (spring change): ' || start_text
        when {{ is_missing_local_time('end_iso', 'Europe/Berlin') }}
            then 'this time does not exist in legal time (spring change): ' || end_text
        when end_at < start_at or end_on < start_on
            then 'ends before it starts: ' || start_text || ' to ' || end_text
        when {{ is_bad_geometry('geometry_text') }} then 'the geometry is not GeoJSON'
        when place = 'swapped' then 'longitude and latitude look swapped'
    end as _reject_reason
from judged
