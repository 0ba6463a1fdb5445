{{ config(key=['vintage', 'commune_code'], reads=['territory', 'geometry']) }}

-- The outlines of communes in degrees. The files are national and weigh up to hundreds of megabytes: an outline whose
-- envelope does not touch the territory's box is out of scope, and its geometry is not kept. Coordinates beyond the
-- globe are metres of a projected system, which GeoJSON does not allow (RFC 7946).
with published as (
    select * from {{ raw('ign__contours_communes') }}
),

typed as (
    select
        _delivery_id,
        _record_no,
        {{ vintage_of_file('ign_contours_communes') }} as vintage,
        trim(code) as commune_code,
        nullif(trim(nom), '') as commune_name,
        {{ geojson_geometry('geometry') }} as geometry
    from published
),

boxed as (
    select
        *,
        geo_box(geometry) as box
    from typed
),

placed as (
    select
        boxed.*,
        boxed.box.max_lon >= territory.min_lon
        and boxed.box.min_lon <= territory.max_lon
        and boxed.box.max_lat >= territory.min_lat
        and boxed.box.min_lat <= territory.max_lat as is_near
    from boxed
    cross join {{ source('ops', 'territory') }} as territory
)

select
    _delivery_id,
    _record_no,
    vintage,
    commune_code,
    commune_name,
    case when is_near then geometry end as geometry,
    case when is_near then box.min_lon end as min_lon,
    case when is_near then box.min_lat end as min_lat,
    case when is_near then box.max_lon end as max_lon,
    case when is_near then box.max_lat end as max_lat,
    0 as _preference,
    not coalesce(is_near, true) as _out_of_scope,
    case
        when vintage is null then 'the file does not say of which year it is'
        when commune_code is null or not {{ is_commune_code('commune_code') }}
            then 'the code is not that of a commune: ' || coalesce(commune_code, '')
        when box.min_lon is null then 'no outline can be read: ' || commune_code
        when box.min_lon < -180 or box.max_lon > 180 or box.min_lat < -90 or box.max_lat > 90
            then 'the coordinates are not degrees: ' || commune_code
    end as _reject_reason
from placed
