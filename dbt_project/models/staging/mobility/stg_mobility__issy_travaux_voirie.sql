{{ config(
    key=['part_id'],
    versions=['start_on', 'end_on', 'start_at', 'end_at'],
    reads=['territory'],
) }}

-- Temporary traffic orders of Issy-les-Moulineaux. An order may name several places, one record each, under one
-- reference: the reference is the site, reference and place are the part. Dates are plain calendar dates. Lists are
-- packed into one text by "[]"; `mesure_titre` and `mesures` have the same order, so that the hours of the measure
-- that disrupts most are found in its own text ("un barrage de voie la demi journée du 23/05/2022 de 8h00 à 13h00").
with published as (
    select
        *,
        lower(coalesce(mesure_titre, '')) as titles,
        lower(coalesce(impact_circulation, '')) as impact,
        lower(coalesce(etat_travaux, '')) as progress,
        upper(coalesce(nature_titre, '')) as nature,
        string_split(coalesce(mesures, ''), '[]') as articles
    from {{ raw('issy__travaux_voirie') }}
),

typed as (
    select
        *,
        trim(reference) as site_id,
        concat_ws(' / ', trim(reference), trim(rue_principal), trim(complemnt_localisation)) as part_id,
        {{ parse_date('date_debut', 'Europe/Paris') }} as start_on,
        {{ parse_date('date_fin', 'Europe/Paris') }} as end_on,
        coalesce({{ point_lon('geolocalisation') }}, {{ parse_number('longitude') }}) as lon,
        coalesce({{ point_lat('geolocalisation') }}, {{ parse_number('lattitude') }}) as lat,
        case
            when regexp_matches(titles, 'barrage|barrée|circulation interdite') or impact like '%fermée%'
                then 'road_closed'
            when titles like '%sens unique%' then 'one_way'
            when titles like '%altern%' then 'alternating'
            when regexp_matches(titles, 'r[ée]tr[ée]ciss|empi[èé]t|neutralisation .*(voie|file|chaussée)')
                then 'lane_restricted'
            when titles like '%vitesse%' then 'speed_restricted'
            when titles like '%cyclable%' then 'cycle_lane'
            when regexp_matches(titles, 'piéton|trottoir') then 'sidewalk'
            when titles like '%stationnement%' then 'parking'
            when impact = 'aucun impact' then 'none'
            else 'unknown'
        end as disruption
    from published
),

-- The article that orders the disruption, by its own words.
ordered as (
    select
        *,
        list_filter(articles, article -> regexp_matches(lower(article), case disruption
            when 'road_closed' then '(un barrage|barr[ée]|interdit)'
            when 'one_way' then 'sens unique'
            when 'alternating' then 'altern'
            when 'lane_restricted' then '(r[ée]tr[ée]cissement|neutralis|empi[èé]t)'
            when 'speed_restricted' then 'vitesse'
            else '^$'
        end))[1] as article
    from typed
),

placed as (
    select
        *,
        {{ place_in_box('lon', 'lat') }} as place
    from ordered
)

select
    _delivery_id,
    _record_no,
    site_id,
    part_id,
    case
        when regexp_matches(nature, '(ECHAFAUDAGE|ÉCHAFAUDAGE|GRUE|BENNE|RAVALEMENT|EMPRISE)') then 'building_works'
        when regexp_matches(nature, '(TOURNAGE|MANIFESTATION|EV[EÈ]NEMENT|ÉV[EÉÈ]NEMENT|BROCANTE)') then 'event'
        when nature = 'TRAVAUX' then 'road_works'
        else 'traffic_order'
    end as kind,
    nature_titre as purpose,
    disruption,
    case
        when disruption in ('road_closed', 'one_way', 'alternating', 'lane_restricted') then true
        when disruption <> 'unknown' then false
    end as occupies_carriageway,
    rue_principal as street,
    complemnt_localisation as location_detail,
    nullif(
        regexp_extract(
            article,
            '((la (demi[ -])?journée )?(du|le) [0-9]{2}/[0-9]{2}/[0-9]{4} )?'
            || '(de|entre) [0-9]{1,2} ?h ?[0-9]{0,2} (à|et) [0-9]{1,2} ?h ?[0-9]{0,2}'
        ),
        ''
    ) as schedule,
    start_on,
    end_on,
    cast(null as timestamp) as start_at,
    cast(null as timestamp) as end_at,
    'date' as period_precision,
    etat_travaux as announced_state,
    case
        when progress like '%annul%' then 'cancelled'
        when progress like '%suspend%' then 'suspended'
        when regexp_matches(progress, '(termin|achev)') then 'ended'
        when progress like '%en cours%' then 'ongoing'
        when regexp_matches(progress, '(venir|prév|programm)') then 'planned'
    end as stated_phase,
    commune as commune_name,
    coalesce(
        {{ geojson_geometry('geometry') }}, '{"type":"Point","coordinates":[' || lon || ',' || lat || ']}'
    ) as geometry,
    lon,
    lat,
    0 as _preference,
    coalesce(place = 'outside', false) as _out_of_scope,
    case
        when site_id is null or site_id = '' then 'no reference'
        when date_debut is not null and start_on is null then 'the start is not a date: ' || date_debut
        when date_fin is not null and end_on is null then 'the end is not a date: ' || date_fin
        when end_on < start_on then 'ends before it starts: ' || date_debut || ' to ' || date_fin
        when {{ is_not_a_number('longitude') }} then 'the longitude is not a number: ' || longitude
        when {{ is_not_a_number('lattitude') }} then 'the latitude is not a number: ' || lattitude
        when {{ is_bad_geometry('geometry') }} then 'the geometry is not GeoJSON'
        when abs(lon) > 180 or abs(lat) > 90 then 'the coordinates are not degrees: ' || lon || ', ' || lat
        when place = 'swapped' then 'longitude and latitude look swapped'
    end as _reject_reason
from placed
