{{ config(
    key=['site_id'],
    versions=['start_at', 'end_at'],
    snapshot=true,
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
        geo_shape as geometry_text,
        {{ parse_instant('date_debut', 'Europe/Paris') }} as start_at,
        {{ parse_instant('date_fin', 'Europe/Paris') }} as end_at,
        {{ geojson_geometry('geo_shape') }} as geometry,
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
    closure_type,
    street,
    direction_text,
    case
        when state_text like 'Planifi%' then 'planned'
        when state_text like 'Termin%' then 'ended'
        when state_text like 'Annul%' then 'cancelled'
        else 'unknown'
    end as announced_state,
    start_at,
    end_at,
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
        when {{ is_bad_geometry('geometry_text') }} then 'the geometry is not valid JSON'
        when place = 'swapped' then 'longitude and latitude look swapped'
    end as _reject_reason
from placed
