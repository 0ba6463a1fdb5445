{{ config(
    key=['part_id'],
    versions=['start_on', 'end_on', 'start_at', 'end_at'],
    reads=['territory'],
) }}

-- Traffic orders drawn up with Litteralis: an order is a site, each of its extents a part (each measure of an extent in
-- LIcommunication). Bounds written 01:00Z in winter, 02:00Z in summer (the offset applied the wrong way), or
-- YYYYMMDDHHMMSS, are calendar dates and no instants; the text "Dates de l'emprise" holds the same dates as the author
-- chose them, and is believed first. Hours are only in the text ("jours et horaires"). An order authorises: it does not
-- say that the street was closed, and one that names vehicles does not close it to the others.
with published as (
    select * from {{ raw('litteralis__arretes') }}
),

unpacked as (
    select
        _delivery_id,
        _record_no,
        trim(idarrete) as site_id,
        trim(idemprise) || coalesce('#' || nullif(trim(idmesure), ''), '') as part_id,
        arretesrcid as order_ref,
        documenttype,
        categoriesmodele,
        emprisetype,
        mesures,
        localisations,
        geometry as geometry_text,
        coalesce(nullif(trim(emprisedebut), ''), nullif(trim(arretedebut), '')) as start_text,
        coalesce(nullif(trim(emprisefin), ''), nullif(trim(arretefin), '')) as end_text,
        nullif(regexp_extract(parametresemprise, 'Du (\d{2}/\d{2}/\d{4})', 1), '') as stated_start_text,
        nullif(regexp_extract(parametresemprise, ' au (\d{2}/\d{2}/\d{4})', 1), '') as stated_end_text,
        nullif(
            trim(regexp_extract(
                concat_ws(' ; ', parametresemprise, parametresmesures), 'jours et horaires *: *([^;]*)', 1
            )),
            ''
        ) as schedule,
        coalesce(
            nullif(trim(collectiviteagencelibelle), ''), nullif(trim(collectivitelibelle), '')
        ) as responsible_body,
        lower(coalesce(mesures, '')) as measures,
        -- Vehicles named for a ban on traffic: the ban is theirs only.
        regexp_matches(
            lower(coalesce(parametresmesures, '')), '(circulation interdite[^;|]*\||^)[^;|]*véhicules concernés'
        ) as names_vehicles
    from published
),

typed as (
    select
        *,
        {{ parse_date("regexp_replace(start_text, '^(\\d{8})\\d{6}$', '\\1')", 'Europe/Paris') }} as bound_start_on,
        {{ parse_date("regexp_replace(end_text, '^(\\d{8})\\d{6}$', '\\1')", 'Europe/Paris') }} as bound_end_on,
        {{ parse_date('stated_start_text', 'Europe/Paris') }} as stated_start_on,
        {{ parse_date('stated_end_text', 'Europe/Paris') }} as stated_end_on,
        {{ geojson_geometry('geometry_text') }} as geometry,
        {{ edge_position('geometry_text', 'first', 1) }} as first_lon,
        {{ edge_position('geometry_text', 'first', 2) }} as first_lat
    from unpacked
),

dated as (
    select
        *,
        coalesce(stated_start_on, bound_start_on) as start_on,
        coalesce(stated_end_on, bound_end_on) as end_on,
        {{ place_in_box('first_lon', 'first_lat') }} as place
    from typed
),

-- The strongest measure of the extent. The extent of a diversion is where traffic is sent, not where works are.
judged as (
    select
        *,
        case
            when emprisetype = 'DEVIATION' then 'none'
            when regexp_matches(measures, 'circulation interdite|interruption de circulation|mise en impasse')
                and not names_vehicles then 'road_closed'
            when regexp_matches(measures, 'sens interdit|sens unique') then 'one_way'
            when measures like '%circulation alternée%' then 'alternating'
            when regexp_matches(measures, 'neutralisation de voie|rétrécissement') then 'lane_restricted'
            when measures like '%limitation de vitesse%' then 'speed_restricted'
            when measures like '%stationnement%' then 'parking'
            else 'unknown'
        end as disruption
    from dated
)

select
    _delivery_id,
    _record_no,
    site_id,
    part_id,
    order_ref,
    case
        when documenttype = 'ARRETE PERMANENT' or categoriesmodele ilike '%permanente' then 'traffic_order'
        when categoriesmodele ilike '%évènement%' or categoriesmodele ilike '%événement%' then 'event'
        when regexp_matches(measures, 'assainissement|eau potable|[eé]lectricité|gaz|télécom|chauffage|réseaux')
            then 'network_works'
        when categoriesmodele ilike 'travaux%' then 'road_works'
        when documenttype ilike 'AUTORISATION%' or categoriesmodele = 'ODP' then 'public_space_works'
        else 'other'
    end as kind,
    mesures as purpose,
    disruption,
    case
        when emprisetype = 'DEVIATION' then false
        when disruption in ('road_closed', 'one_way', 'alternating', 'lane_restricted') then true
        when disruption in ('parking', 'speed_restricted') then false
    end as occupies_carriageway,
    localisations as street,
    schedule,
    responsible_body,
    start_on,
    end_on,
    cast(null as timestamp) as start_at,
    cast(null as timestamp) as end_at,
    'date' as period_precision,
    coalesce(stated_start_on <> bound_start_on or stated_end_on <> bound_end_on, false) as bounds_disagree,
    geometry,
    cast(null as double) as lon,
    cast(null as double) as lat,
    0 as _preference,
    coalesce(place = 'outside', false) as _out_of_scope,
    case
        when part_id is null or part_id = '' then 'no extent identifier'
        when site_id is null or site_id = '' then 'no order identifier'
        when start_text is not null and bound_start_on is null then 'the start is not a date: ' || start_text
        when end_text is not null and bound_end_on is null then 'the end is not a date: ' || end_text
        when end_on < start_on
            then 'ends before it starts: ' || cast(start_on as varchar) || ' to ' || cast(end_on as varchar)
        when {{ is_bad_geometry('geometry_text') }} then 'the geometry is not GeoJSON'
        when place = 'swapped' then 'longitude and latitude look swapped'
    end as _reject_reason
from judged
