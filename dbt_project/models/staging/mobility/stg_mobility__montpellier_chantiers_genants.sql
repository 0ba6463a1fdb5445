{{ config(
    key=['site_id'],
    versions=['start_on', 'end_on', 'start_at', 'end_at'],
    reads=['territory', 'geometry'],
) }}

-- Works that hinder traffic in Montpellier Méditerranée Métropole, as points. Dates are calendar dates written
-- YYYYMMDD. "Fermeture" closes the street; "Deviation" sends traffic elsewhere without saying whether the street is
-- closed: what is taken is then unknown, though something is. `ch_etape` is a phase when it says "Ouvert" (opened);
-- "Autorisé" (allowed) tells of the permit, not of the works.
with published as (
    select
        *,
        lower(coalesce(incidence_circu, '')) as effect,
        lower(coalesce(incidence_station, '')) as parking,
        lower(coalesce(ch_etape, '')) as stage,
        lower(concat_ws(' ', ch_nature, ch_type)) as nature
    from {{ raw('montpellier__chantiers_genants') }}
),

typed as (
    select
        * exclude (geometry),
        trim(numero) as site_id,
        {{ parse_date('datedebut', 'Europe/Paris') }} as start_on,
        {{ parse_date('datefin', 'Europe/Paris') }} as end_on,
        geometry as geometry_text,
        {{ geojson_geometry('geometry') }} as shape,
        case
            when regexp_matches(effect, 'fermeture|barr|interdit') then 'road_closed'
            when effect like '%sens unique%' then 'one_way'
            when effect like '%altern%' then 'alternating'
            when regexp_matches(effect, 'r[ée]duction|r[ée]tr[ée]ci|neutralis') then 'lane_restricted'
            when regexp_matches(effect, 'd[ée]viation') then 'unknown'
            when effect not in ('', 'aucun impact') then 'unknown'
            when parking not in ('', 'aucun impact') then 'parking'
            when effect = 'aucun impact' then 'none'
            else 'unknown'
        end as disruption
    from published
),

located as (
    select
        *,
        coalesce(
            (geo_min_lon(shape) + geo_max_lon(shape)) / 2,
            {{ point_lon('geo_point_2d') }},
            {{ parse_number('longitude') }}
        ) as lon,
        coalesce(
            (geo_min_lat(shape) + geo_max_lat(shape)) / 2,
            {{ point_lat('geo_point_2d') }},
            {{ parse_number('latitude') }}
        ) as lat
    from typed
),

placed as (
    select
        *,
        coalesce(shape, '{"type":"Point","coordinates":[' || lon || ',' || lat || ']}') as geometry,
        {{ place_in_box('lon', 'lat') }} as place
    from located
)

select
    _delivery_id,
    _record_no,
    site_id,
    case
        when regexp_matches(nature, '^(voirie|tramway)') then 'road_works'
        when regexp_matches(nature, '(réseau|a\.e\.p|e\.[pu]\.|gaz|telecom|branchement|réparation|éclairage)')
            then 'network_works'
        when regexp_matches(nature, '(bâtiment|immeuble|construction|démolition)') then 'building_works'
        when regexp_matches(nature, '(voirie|chaussée|tram)') then 'road_works'
        else 'other'
    end as kind,
    nullif(concat_ws(' - ', ch_type, ch_nature), '') as purpose,
    disruption,
    case
        when disruption in ('road_closed', 'one_way', 'alternating', 'lane_restricted') then true
        when regexp_matches(effect, 'd[ée]viation') then true
        when disruption <> 'unknown' then false
    end as occupies_carriageway,
    intervenant as responsible_body,
    start_on,
    end_on,
    cast(null as timestamp) as start_at,
    cast(null as timestamp) as end_at,
    'date' as period_precision,
    ch_etape as announced_state,
    case
        when regexp_matches(stage, '(annul|refus|abandon)') then 'cancelled'
        when stage like '%suspend%' then 'suspended'
        when regexp_matches(stage, '(termin|achev|clos|clôt|fermé)') then 'ended'
        when stage = 'ouvert' or stage like '%en cours%' then 'ongoing'
        when regexp_matches(stage, '(venir|prév|programm)') then 'planned'
    end as stated_phase,
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
        when {{ is_not_a_number('longitude') }} then 'the longitude is not a number: ' || longitude
        when {{ is_not_a_number('latitude') }} then 'the latitude is not a number: ' || latitude
        when {{ is_bad_geometry('geometry_text') }} then 'the geometry is not GeoJSON'
        when abs(lon) > 180 or abs(lat) > 90 then 'the coordinates are not degrees: ' || lon || ', ' || lat
        when place = 'swapped' then 'longitude and latitude look swapped'
    end as _reject_reason
from placed
