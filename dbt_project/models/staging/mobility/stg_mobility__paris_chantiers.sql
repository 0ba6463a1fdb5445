{{ config(
    key=['part_id'],
    versions=['start_on', 'end_on', 'start_at', 'end_at'],
    reads=['territory'],
) }}

-- Every occupation of public space by works in Paris ("chantiers à Paris"). A record is one occupation (emprise);
-- several make one site, known by its CITE request. More than half are private building works: they stay, under
-- their own kind. Lists come as "A,B" in exports and as JSON arrays from the API.
with published as (
    select * from {{ raw('paris__chantiers') }}
),

typed as (
    select
        _delivery_id,
        _record_no,
        trim(num_emprise) as part_id,
        nullif(trim(demande_cite_id), '') as request_id,
        cp_arrondissement as district_code,
        chantier_categorie as category,
        chantier_synthese as purpose,
        moa_principal as responsible_body,
        surface as surface_text,
        date_debut as start_text,
        date_fin as end_text,
        coalesce(geo_shape, geometry) as geometry_text,
        coalesce(localisation_detail, '') as occupations,
        coalesce(localisation_stationnement, '') as parking,
        {{ parse_number('surface') }} as surface_m2,
        {{ parse_date('date_debut', 'Europe/Paris') }} as start_on,
        {{ parse_date('date_fin', 'Europe/Paris') }} as end_on,
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
    coalesce(request_id, part_id) as site_id,
    part_id,
    request_id,
    case
        when category like 'Tiers%' then 'building_works'
        when category like 'Opérateurs de réseau%' then 'network_works'
        when purpose ilike '%réseau%' then 'network_works'
        when purpose ilike '%voirie%' then 'road_works'
        when purpose ilike '%édifice%' then 'building_works'
        else 'public_space_works'
    end as kind,
    purpose,
    -- The occupation says what is taken from whom; how traffic is managed around it is not published here.
    case
        when occupations like '%EMPRISE_CHAUSSEE%' then 'lane_restricted'
        when occupations like '%EMPRISE_PISTE_CYCLABLE%' then 'cycle_lane'
        when occupations like '%EMPRISE_TROTTOIR%' then 'sidewalk'
        when parking not in ('', '[]') then 'parking'
        else 'unknown'
    end as disruption,
    occupations like '%EMPRISE_CHAUSSEE%' as occupies_carriageway,
    responsible_body,
    surface_m2,
    start_on,
    end_on,
    cast(null as timestamp) as start_at,
    cast(null as timestamp) as end_at,
    'date' as period_precision,
    district_code,
    geometry,
    lon,
    lat,
    0 as _preference,
    coalesce(place = 'outside', false) as _out_of_scope,
    case
        when part_id is null or part_id = '' then 'no reference'
        when start_text is not null and start_on is null then 'the start is not a date: ' || start_text
        when end_text is not null and end_on is null then 'the end is not a date: ' || end_text
        when end_on < start_on then 'ends before it starts: ' || start_text || ' to ' || end_text
        when {{ is_not_a_number('surface_text') }} then 'the surface is not a number: ' || surface_text
        when {{ is_bad_geometry('geometry_text') }} then 'the geometry is not GeoJSON'
        when place = 'swapped' then 'longitude and latitude look swapped'
    end as _reject_reason
from placed
