{{ config(
    key=['site_id'],
    versions=['start_on', 'end_on', 'start_at', 'end_at'],
    reads=['territory', 'geometry'],
) }}

-- Works of Toulouse Métropole. Bounds are calendar dates published as midnight UTC: read in legal time they are still
-- that date, as are the local midnights of exports asked for in another zone. `circulation` is a list of measures of a
-- fixed vocabulary joined by " - " ("Alternat - Occupation de 1 file - Occupation du trottoir"): the worst one is the
-- disruption. "Gêne de la circulation" says that there is one, not which.
with published as (
    select
        *,
        lower(coalesce(circulation, '')) as measures,
        lower(coalesce(libelle, '')) as label
    from {{ raw('toulouse__chantiers') }}
),

typed as (
    select
        * exclude (geometry),
        trim(numero) as site_id,
        {{ parse_date('datedebut', 'Europe/Paris') }} as start_on,
        {{ parse_date('datefin', 'Europe/Paris') }} as end_on,
        coalesce({{ geojson_geometry('geo_shape') }}, {{ geojson_geometry('geometry') }}) as geometry,
        coalesce(geo_shape, geometry) as geometry_text,
        try_cast(nullif(regexp_extract(measures, 'occupation de ([0-9]+) files?', 1), '') as integer) as lanes_closed,
        case
            when regexp_matches(measures, '(rue|voie|route|chaussée) barrée') then 'road_closed'
            when measures like '%sens unique%' then 'one_way'
            when measures like '%alternat%' then 'alternating'
            when regexp_matches(measures, '[0-9]+ files?|couloir de bus|contre[- ]allée|rue travers|chaussée')
                then 'lane_restricted'
            when measures like '%cyclable%' then 'cycle_lane'
            when measures like '%trottoir%' then 'sidewalk'
            when measures like '%stationnement%' then 'parking'
            when measures like 'sans incidence%' then 'none'
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
        when regexp_matches(label, '(t[ée]l[ée]com|\beau\b|assainissement|\bgaz\b|[ée]lectri|[ée]clairage|réseau)')
            then 'network_works'
        -- Chambers of networks are raised to the level of the street.
        when label like '%mergences%' then 'network_works'
        when regexp_matches(label, '(b[âa]timent|immeuble|ravalement|construction|d[ée]molition|[ée]chafaudage|grue)')
            then 'building_works'
        when regexp_matches(label, '(ev[èe]nement|év[èe]nement|manifestation|tournage)') then 'event'
        when regexp_matches(label, '(espace vert|plantation|mobilier urbain)') then 'public_space_works'
        when regexp_matches(label, '(voirie|chauss[ée]e|trottoir|am[ée]nagement)') then 'road_works'
        else 'other'
    end as kind,
    -- The label repeats the street before the nature of the works.
    case when starts_with(libelle, voie || ' - ') then substr(libelle, length(voie) + 4) else libelle end as purpose,
    disruption,
    -- A hindrance that is not described may or may not take from the carriageway.
    case
        when disruption in ('road_closed', 'one_way', 'alternating', 'lane_restricted') then true
        when disruption <> 'unknown' then false
    end as occupies_carriageway,
    voie as street,
    lanes_closed,
    declarant as responsible_body,
    start_on,
    end_on,
    cast(null as timestamp) as start_at,
    cast(null as timestamp) as end_at,
    'date' as period_precision,
    commune as commune_name,
    geometry,
    lon,
    lat,
    0 as _preference,
    coalesce(place = 'outside', false) as _out_of_scope,
    case
        when site_id is null or site_id = '' then 'no number'
        when datedebut is not null and start_on is null then 'the start is not a date: ' || datedebut
        when datefin is not null and end_on is null then 'the end is not a date: ' || datefin
        when end_on < start_on then 'ends before it starts: ' || datedebut || ' to ' || datefin
        when {{ is_bad_geometry('geometry_text') }} then 'the geometry is not GeoJSON'
        when abs(lon) > 180 or abs(lat) > 90 then 'the coordinates are not degrees: ' || lon || ', ' || lat
        when place = 'swapped' then 'longitude and latitude look swapped'
    end as _reject_reason
from placed
