{{ config(
    key=['station_id', 'lon', 'lat'],
    reads=['territory'],
) }}

-- Posts of temporary counts around Rennes, as announced: no measures, no dates, so nothing in a mart.
--
-- A name may stand for two places (35210_8 is a counter and a post of an origin-destination survey), hence the place in
-- the key. The code that begins a name is not always that of the commune (35266_1 is in 35363): it is not believed.
-- Absent values are empty texts.
with published as (
    select * from {{ raw('rennes__stations_comptage') }}
),

typed as (
    select
        _delivery_id,
        _record_no,
        nullif(trim(nom), '') as station_id,
        nullif(trim(description), '') as description,
        nullif(trim(commune_insee), '') as commune_code,
        nullif(trim(commune_nom), '') as commune_name,
        geometry as geometry_text,
        {{ geojson_geometry('geometry') }} as geometry
    from published
),

located as (
    select
        *,
        try_cast(json_extract_string(geometry, '$.coordinates[0]') as double) as lon,
        try_cast(json_extract_string(geometry, '$.coordinates[1]') as double) as lat
    from typed
),

placed as (
    select
        *,
        {{ place_in_box('lon', 'lat') }} as place
    from located
)

select
    _delivery_id,
    _record_no,
    station_id,
    description,
    commune_code,
    commune_name,
    lon,
    lat,
    geometry,
    0 as _preference,
    coalesce(place = 'outside', false) as _out_of_scope,
    case
        when station_id is null then 'no post name'
        when {{ is_bad_geometry('geometry_text') }} then 'the geometry is not GeoJSON'
        when lon is null or lat is null then 'no point: ' || coalesce(geometry_text, 'the geometry is absent')
        when place = 'swapped' then 'longitude and latitude look swapped'
    end as _reject_reason
from placed
