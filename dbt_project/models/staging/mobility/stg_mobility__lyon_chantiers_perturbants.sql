{{ config(
    key=['site_id'],
    versions=['start_on', 'end_on', 'start_at', 'end_at'],
    reads=['territory', 'geometry'],
) }}

-- Disruptive works of the Métropole de Lyon. Dates are plain calendar dates. `typeperturbation` says what traffic
-- meets; hours and direction stand only in the published description ("7h-17h", "Dans le sens Est-Ouest"): a street
-- forbidden in one direction is closed, in that direction. `avancement` says "Chantier en cours" of every site, those
-- to come included: it is kept as stated, for marts to flag. `insee` is the arrondissement's in Lyon.
-- The service's CSV form gives the footprint as WKT, which is rewritten as GeoJSON in the same order of points.
with published as (
    select
        *,
        lower(coalesce(typeperturbation, '')) as hindrance,
        lower(coalesce(avancement, '')) as progress,
        coalesce(descripchantierinternet, '') as told,
        case
            when regexp_matches(the_geom, '^(SRID=[0-9]+; ?)?MULTIPOLYGON') then 'MultiPolygon'
            when regexp_matches(the_geom, '^(SRID=[0-9]+; ?)?POLYGON') then 'Polygon'
        end as wkt_type,
        regexp_replace(
            regexp_replace(the_geom, '^[^(]*', ''), '(-?[0-9.]+) (-?[0-9.]+)( -?[0-9.]+)?', '[\1,\2]', 'g'
        ) as wkt_body
    from {{ raw('lyon__chantiers_perturbants') }}
),

typed as (
    select
        *,
        trim(gid) as site_id,
        coalesce(geometry, the_geom) as geometry_text,
        case when trim(codeimportance) in ('1', '2') then cast(codeimportance as integer) end as disruption_level,
        {{ parse_date('debutchantier', 'Europe/Paris') }} as start_on,
        {{ parse_date('finchantier', 'Europe/Paris') }} as end_on,
        coalesce(
            {{ geojson_geometry('geometry') }},
            '{"type":"' || wkt_type || '","coordinates":'
            || replace(replace(wkt_body, '(', '['), ')', ']') || '}'
        ) as shape,
        trim(
            regexp_extract(told, '(de )?[0-9]{1,2} ?[hH] ?([0-9]{2})? ?(-|à|a) ?[0-9]{1,2} ?[hH] ?([0-9]{2})?')
        ) as hours,
        regexp_matches(lower(told), '\bsens\b') and not regexp_matches(lower(told), '(deux|2) sens') as tells_direction
    from published
),

readable as (
    select
        * exclude (shape),
        case when json_valid(shape) then shape end as shape
    from typed
),

-- A ring that an extract left open is closed by its own first point: no reader of GeoJSON takes it otherwise.
ringed as (
    select
        *,
        list_transform(
            try_cast(json_extract(shape, '$.coordinates') as json[][][]),
            part -> list_transform(
                part, ring -> case when ring[1] <> ring[-1] then list_append(ring, ring[1]) else ring end
            )
        ) as rings
    from readable
),

closed as (
    select
        * exclude (geometry, shape, rings),
        case
            when json_extract_string(shape, '$.type') = 'MultiPolygon'
                then '{"type":"MultiPolygon","coordinates":' || cast(to_json(rings) as varchar) || '}'
            else shape
        end as geometry
    from ringed
),

-- The middle of the footprint.
located as (
    select
        *,
        (geo_min_lon(geometry) + geo_max_lon(geometry)) / 2 as lon,
        (geo_min_lat(geometry) + geo_max_lat(geometry)) / 2 as lat
    from closed
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
        when regexp_matches(lower(nomchantier), '(réseau|canalis|branchement|assainissement|\beau\b|\bgaz\b|électri)')
            then 'network_works'
        when regexp_matches(lower(nomchantier), '(grutage|levage|bâtiment|immeuble|construction|démolition|ravalement)')
            then 'building_works'
        when regexp_matches(lower(nomchantier), '(voirie|chaussée|enrobé|piste cyclable|trottoir|carrefour)')
            then 'road_works'
        when regexp_matches(lower(nomchantier), '(événement|manifestation|marché|fête|tournage)') then 'event'
        else 'other'
    end as kind,
    nomchantier as purpose,
    case
        when hindrance like 'circulation interdite%' then 'road_closed'
        when hindrance like '%sens unique%' then 'one_way'
        when hindrance like '%altern%' then 'alternating'
        when hindrance like '%réduite%' then 'lane_restricted'
        else 'unknown'
    end as disruption,
    disruption_level,
    case when regexp_matches(hindrance, '(interdite|sens unique|altern|réduite)') then true end as occupies_carriageway,
    nom as street,
    nullif(concat_ws(' ; ', precisionlocalisation, case when tells_direction then told end), '') as location_detail,
    case when tells_direction then 'one' end as direction,
    coalesce(nullif(hours, ''), nullif(regexp_extract(hindrance, 'de (jour|nuit)'), '')) as schedule,
    -- "Autre" (other) names nobody.
    nullif(intervenant, 'Autre') as responsible_body,
    start_on,
    end_on,
    cast(null as timestamp) as start_at,
    cast(null as timestamp) as end_at,
    'date' as period_precision,
    avancement as announced_state,
    case
        when regexp_matches(progress, '(annul|abandon)') then 'cancelled'
        when progress like '%suspend%' then 'suspended'
        when regexp_matches(progress, '(termin|achev)') then 'ended'
        when progress like '%en cours%' then 'ongoing'
        when regexp_matches(progress, '(venir|prév|programm)') then 'planned'
    end as stated_phase,
    insee as commune_code,
    commune1 as commune_name,
    case when insee between '69381' and '69389' then insee end as district_code,
    geometry,
    lon,
    lat,
    0 as _preference,
    coalesce(place = 'outside', false) as _out_of_scope,
    case
        when site_id is null or site_id = '' then 'no identifier (gid)'
        when debutchantier is not null and start_on is null then 'the start is not a date: ' || debutchantier
        when finchantier is not null and end_on is null then 'the end is not a date: ' || finchantier
        when end_on < start_on then 'ends before it starts: ' || debutchantier || ' to ' || finchantier
        when geometry_text is not null and geometry is null
            then 'the footprint is neither GeoJSON nor a polygon in WKT: ' || substr(geometry_text, 1, 40)
        when abs(lon) > 180 or abs(lat) > 90 then 'the coordinates are not degrees: ' || lon || ', ' || lat
        when place = 'swapped' then 'longitude and latitude look swapped'
    end as _reject_reason
from placed
