{{ config(
    key=['measures_source', 'counter_id'],
    reads=['territory'],
) }}

-- Stations of the national road network that Cerema follows. Absent values are the bare word NULL. Codes are compared
-- as they are written: MWL44.b1, MWL44.B1 and MWl44.B1 are three stations of one ring road.
--
-- The codes are those of Bison Futé's measures as well (#MZo57.2 is in both): `also_measures_source` says so. Both
-- directions of a station share one point; the length of its section is not published.
with published as (
    select
        _delivery_id,
        _record_no,
        nullif(nullif(trim(siredo), 'NULL'), '') as siredo,
        nullif(nullif(trim(libelle), 'NULL'), '') as libelle,
        nullif(nullif(trim(route), 'NULL'), '') as route,
        nullif(nullif(trim(dep), 'NULL'), '') as dep,
        nullif(nullif(trim(metropole), 'NULL'), '') as metropole,
        nullif(nullif(trim(longitude), 'NULL'), '') as longitude,
        nullif(nullif(trim(latitude), 'NULL'), '') as latitude
    from {{ raw('cerema__stations_tipi') }}
),

typed as (
    select
        _delivery_id,
        _record_no,
        siredo as counter_id,
        libelle as street,
        route as road_ref,
        dep as department_code,
        metropole as metropolitan_area,
        longitude as lon_text,
        latitude as lat_text,
        {{ parse_number('longitude') }} as lon,
        {{ parse_number('latitude') }} as lat
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
    'cerema_rrn_horaire' as measures_source,
    'bisonfute_qtv' as also_measures_source,
    counter_id,
    street,
    road_ref,
    department_code,
    metropolitan_area,
    lon,
    lat,
    '{"type": "Point", "coordinates": [' || lon || ', ' || lat || ']}' as geometry,
    0 as _preference,
    coalesce(place = 'outside', false) as _out_of_scope,
    case
        when counter_id is null then 'no station code'
        when {{ is_not_a_number('lon_text') }} then 'the longitude is not a number: ' || lon_text
        when {{ is_not_a_number('lat_text') }} then 'the latitude is not a number: ' || lat_text
        when place = 'swapped' then 'longitude and latitude look swapped'
    end as _reject_reason
from placed
