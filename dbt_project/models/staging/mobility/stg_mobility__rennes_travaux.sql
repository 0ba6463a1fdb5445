{{ config(
    key=['site_id'],
    versions=['start_on', 'end_on', 'start_at', 'end_at'],
    reads=['territory', 'geometry'],
) }}

-- Traffic measures of works in Rennes Métropole. The key is `id_evt`: `id` and `gml_id` number the rows of a view anew
-- at each publication. Bounds are calendar dates published as midnight UTC. `type` says what is done to traffic;
-- "Fermeture sens est-ouest" closes one direction, named by cardinal points only. `niv_perturbation` ranks the
-- hindrance, except for "Travaux de nuit", which says when. `commune` holds code and name.
with published as (
    select
        *,
        lower(coalesce(type, '')) as measure,
        lower(coalesce(libelle, '')) as label,
        lower(coalesce(niv_perturbation, '')) as level_text,
        regexp_extract_all(commune, '([0-9][0-9AB][0-9]{3}) ?-', 1) as commune_codes
    from {{ raw('rennes__travaux') }}
),

typed as (
    select
        * exclude (geometry),
        trim(id_evt) as site_id,
        {{ parse_date('date_deb', 'Europe/Paris') }} as start_on,
        {{ parse_date('date_fin', 'Europe/Paris') }} as end_on,
        coalesce({{ geojson_geometry('geo_shape') }}, {{ geojson_geometry('geometry') }}) as geometry,
        coalesce(geo_shape, geometry) as geometry_text,
        case
            when regexp_matches(measure, 'circulation interdite|interruption de circulation|^fermeture|barr|impasse')
                then 'road_closed'
            when regexp_matches(measure, 'sens unique|sens interdit') then 'one_way'
            when measure like '%altern%' then 'alternating'
            when measure like '%cyclable%' then 'cycle_lane'
            when regexp_matches(measure, 'rétrécissement|neutralisation|empi[èé]tement') then 'lane_restricted'
            when measure like '%vitesse%' then 'speed_restricted'
            when regexp_matches(measure, 'trottoir|piéton') then 'sidewalk'
            when measure like '%stationnement%' then 'parking'
            when level_text = 'impact nul' then 'none'
            else 'unknown'
        end as disruption
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
    case
        when regexp_matches(label, '(réseau|branchement|canalis|assainiss|\beau|\bgaz|électri|t[ée]l[ée]com|fibre)')
            then 'network_works'
        when regexp_matches(label, '(b[âa]timent|immeuble|ravalement|d[ée]molition|[ée]chafaudage|grue|toiture)')
            then 'building_works'
        when regexp_matches(label, '(manifestation|év[èé]nement|f[êe]te|march[ée]|tournage|course)') then 'event'
        when regexp_matches(label, '(espaces? verts?|plantation|[ée]lagage)') then 'public_space_works'
        when regexp_matches(label, '(voirie|chauss[ée]e|enrob[ée]|trottoir|carrefour)') then 'road_works'
        else 'other'
    end as kind,
    libelle as purpose,
    disruption,
    case level_text
        when 'secteur à éviter' then 1
        when 'circulation difficile' then 2
        when 'impact limité' then 3
        when 'impact nul' then 4
    end as disruption_level,
    case
        when disruption in ('road_closed', 'one_way', 'alternating', 'lane_restricted') then true
        when disruption <> 'unknown' then false
    end as occupies_carriageway,
    -- "171 Rue de Vern", "Rue Albert de Mun, du 16 jusqu'à la Rue Pierre Martin"
    nullif(regexp_replace(split_part(localisation, ',', 1), '^[0-9]+ ?(bis|ter)? +', ''), '') as street,
    localisation as location_detail,
    case when regexp_matches(measure, '^fermeture.*\bsens\b') then 'one' end as direction,
    case when level_text = 'travaux de nuit' then niv_perturbation end as schedule,
    start_on,
    end_on,
    cast(null as timestamp) as start_at,
    cast(null as timestamp) as end_at,
    'date' as period_precision,
    case when len(commune_codes) = 1 then commune_codes[1] end as commune_code,
    regexp_replace(commune, '[0-9][0-9AB][0-9]{3} ?- ?', '', 'g') as commune_name,
    nullif(regexp_extract(quartier, '^[0-9]+'), '') as district_code,
    geometry,
    lon,
    lat,
    0 as _preference,
    coalesce(place = 'outside', false) as _out_of_scope,
    case
        when site_id is null or site_id = '' then 'no event identifier (id_evt)'
        when date_deb is not null and start_on is null then 'the start is not a date: ' || date_deb
        when date_fin is not null and end_on is null then 'the end is not a date: ' || date_fin
        when end_on < start_on then 'ends before it starts: ' || date_deb || ' to ' || date_fin
        when {{ is_bad_geometry('geometry_text') }} then 'the geometry is not GeoJSON'
        when abs(lon) > 180 or abs(lat) > 90 then 'the coordinates are not degrees: ' || lon || ', ' || lat
        when place = 'swapped' then 'longitude and latitude look swapped'
    end as _reject_reason
from placed
