{{ config(
    key=['site_id'],
    versions=['start_on', 'end_on', 'start_at', 'end_at'],
    reads=['territory', 'geometry'],
) }}

-- Works and projects of the Département on its roads. The period is words ("2026 - 2027 (abattage en janvier 2025)"):
-- it is kept as such and no date is drawn from it. What traffic meets is not published: a project takes nothing from
-- the carriageway yet, works under way may. Lists are JSON arrays in the API and texts with commas in CSV.
with published as (
    select
        *,
        lower(coalesce(avancement, '')) as progress,
        lower(coalesce(type_travaux, '')) as works_types,
        regexp_extract_all(upper(voie), '\bR?D ?([0-9]+[A-Z]?)\b', 1) as road_numbers
    from {{ raw('hautsdeseine__travaux') }}
),

typed as (
    select
        * exclude (geometry),
        trim(objectid) as site_id,
        case
            when starts_with(communes, '[') and json_valid(communes)
                then array_to_string(json_extract_string(communes, '$[*]'), ', ')
            else regexp_replace(communes, ' *, *', ', ', 'g')
        end as commune_name,
        case
            when starts_with(type_travaux, '[') and json_valid(type_travaux)
                then array_to_string(json_extract_string(type_travaux, '$[*]'), ', ')
            else regexp_replace(type_travaux, ' *, *', ', ', 'g')
        end as works_type,
        case
            when regexp_matches(progress, '(annul|abandon)') then 'cancelled'
            when progress like '%suspend%' then 'suspended'
            when regexp_matches(progress, '(termin|achev|livr)') then 'ended'
            when progress like '%en cours%' then 'ongoing'
            when regexp_matches(progress, '(programm|étude|projet|venir)') then 'planned'
        end as stated_phase,
        coalesce({{ geojson_geometry('geo_shape') }}, {{ geojson_geometry('geometry') }}) as geometry,
        coalesce(geo_shape, geometry) as geometry_text
    from published
),

located as (
    select
        *,
        coalesce({{ point_lon('geo_point_2d') }}, (geo_min_lon(geometry) + geo_max_lon(geometry)) / 2) as lon,
        coalesce({{ point_lat('geo_point_2d') }}, (geo_min_lat(geometry) + geo_max_lat(geometry)) / 2) as lat
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
    site_id,
    -- Works only when they are said to be under way, or over.
    case
        when coalesce(stated_phase, 'planned') not in ('ongoing', 'suspended', 'ended') then 'project'
        when regexp_matches(works_types, '(réseau|assainissement|eau|électri|gaz)') then 'network_works'
        when regexp_matches(works_types, '(espaces? verts?|plantation|paysag)') then 'public_space_works'
        else 'road_works'
    end as kind,
    case
        when starts_with(description_travaux, works_type) then description_travaux
        else nullif(concat_ws(' - ', works_type, description_travaux), '')
    end as purpose,
    'unknown' as disruption,
    case when coalesce(stated_phase, 'planned') <> 'ongoing' then false end as occupies_carriageway,
    voie as street,
    delimitation as location_detail,
    nullif(array_to_string(list_transform(road_numbers, number -> 'D' || number), ', '), '') as road_ref,
    operateur as responsible_body,
    cast(null as date) as start_on,
    cast(null as date) as end_on,
    cast(null as timestamp) as start_at,
    cast(null as timestamp) as end_at,
    'text' as period_precision,
    date_travaux as period_text,
    avancement as announced_state,
    stated_phase,
    commune_name,
    geometry,
    lon,
    lat,
    0 as _preference,
    coalesce(place = 'outside', false) as _out_of_scope,
    case
        when site_id is null or site_id = '' then 'no identifier (objectid)'
        when {{ is_bad_geometry('geometry_text') }} then 'the geometry is not GeoJSON'
        when abs(lon) > 180 or abs(lat) > 90 then 'the coordinates are not degrees: ' || lon || ', ' || lat
        when place = 'swapped' then 'longitude and latitude look swapped'
    end as _reject_reason
from placed
