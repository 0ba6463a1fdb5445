{{ config(
    key=['site_id'],
    versions=['start_on', 'end_on', 'start_at', 'end_at'],
    reads=['territory'],
) }}

-- Night closures of the ring road, tunnels and ramps of Paris. The ISO bounds carry the legal offset and are
-- believed; the text period is the same in UTC, one or two hours early (formats §3.1), and is not read. A planned
-- closure ("Planifié") is an announcement, not an observation.
with published as (
    select * from {{ raw('paris__fermetures_voirie') }}
),

typed as (
    select
        _delivery_id,
        _record_no,
        trim(identifiant) as site_id,
        type_fermeture as closure_type,
        localisation as street,
        sens as direction_text,
        etat as state_text,
        date_debut as start_text,
        date_fin as end_text,
        coalesce(geo_shape, geometry) as geometry_text,
        {{ parse_instant('date_debut', 'Europe/Paris') }} as start_at,
        {{ parse_instant('date_fin', 'Europe/Paris') }} as end_at,
        {{ geojson_geometry('coalesce(geo_shape, geometry)') }} as geometry,
        {{ point_lon('geo_point_2d') }} as lon,
        {{ point_lat('geo_point_2d') }} as lat
    from published
),

placed as (
    select
        *,
        {{ place_in_box('lon', 'lat') }} as place
    from typed
)

select
    _delivery_id,
    _record_no,
    site_id,
    'closure' as kind,
    closure_type as purpose,
    'road_closed' as disruption,
    true as occupies_carriageway,
    street,
    direction_text as location_detail,
    case when direction_text is not null then 'one' else 'unknown' end as direction,
    state_text as announced_state,
    case
        when state_text like 'Planifi%' then 'planned'
        when state_text like 'Termin%' then 'ended'
        when state_text like 'Annul%' then 'cancelled'
    end as stated_phase,
    cast({{ legal_time('start_at', 'Europe/Paris') }} as date) as start_on,
    cast({{ legal_time('end_at', 'Europe/Paris') }} as date) as end_on,
    start_at,
    end_at,
    case when coalesce(start_at, end_at) is null then 'date' else 'instant' end as period_precision,
    geometry,
    lon,
    lat,
    0 as _preference,
    coalesce(place = 'outside', false) as _out_of_scope,
    case
        when site_id is null or site_id = '' then 'no identifier'
        when start_text is not null and start_at is null then 'the start cannot be read: ' || start_text
        when end_text is not null and end_at is null then 'the end cannot be read: ' || end_text
        when end_at < start_at then 'ends before it starts: ' || start_text || ' to ' || end_text
        when {{ is_bad_geometry('geometry_text') }} then 'the geometry is not GeoJSON'
        when place = 'swapped' then 'longitude and latitude look swapped'
    end as _reject_reason
from placed
