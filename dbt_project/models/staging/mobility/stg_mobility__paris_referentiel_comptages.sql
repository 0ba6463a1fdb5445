{{ config(
    key=['counter_id', 'valid_from_on', 'geometry'],
    reads=['territory'],
) }}

-- The arcs of the City of Paris's permanent loops. An arc may have several rows of the same validity: they are the
-- parts of its geometry, and all are kept. Validity dates come out of a portal as instants shifted by a time zone
-- (2005-01-01T02:00:00+01:00): they are dates. They precede measurements that go on (formats §1.1), so an end of
-- validity never removes an arc.
with published as (
    select * from {{ raw('paris__referentiel_comptages') }}
),

typed as (
    select
        _delivery_id,
        _record_no,
        trim(iu_ac) as counter_id,
        replace(libelle, '_', ' ') as street,
        date_debut as valid_from_text,
        coalesce(geo_shape, geometry) as geometry_text,
        {{ parse_date('date_debut', 'Europe/Paris') }} as valid_from_on,
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
    'paris_comptages_permanents' as measures_source,
    counter_id,
    coalesce(valid_from_on, date '1900-01-01') as valid_from_on,
    coalesce(geometry, '') as geometry,
    street,
    lon,
    lat,
    0 as _preference,
    coalesce(place = 'outside', false) as _out_of_scope,
    case
        when counter_id is null or counter_id = '' then 'no arc identifier'
        when valid_from_text is not null and valid_from_on is null
            then 'the start of validity is not a date: ' || valid_from_text
        when {{ is_bad_geometry('geometry_text') }} then 'the geometry is not GeoJSON'
        when place = 'swapped' then 'longitude and latitude look swapped'
    end as _reject_reason
from placed
