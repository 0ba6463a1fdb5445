{{ config(
    key=['site_id'],
    versions=['start_on', 'end_on', 'start_at', 'end_at'],
    reads=['territory'],
) }}

-- Disruptive works of the City of Paris. Dates are calendar dates, whatever zone an export rendered them in; an
-- impossible one ("31/09/23") refuses the record; an absent one does not (the period is then unknown, never
-- invented). `statut` has no published labels: it is kept as announced and not believed.
with published as (
    select * from {{ raw('paris__chantiers_perturbants') }}
),

typed as (
    select
        _delivery_id,
        _record_no,
        trim(identifiant) as site_id,
        nullif(trim(identifiant_ctv), '') as request_id,
        cp_arrondissement as district_code,
        objet as purpose,
        voie as street,
        precision_localisation as location_detail,
        maitre_ouvrage as responsible_body,
        impact_circulation as impact,
        statut as announced_state,
        date_debut as start_text,
        date_fin as end_text,
        niveau_perturbation as level_text,
        coalesce(geo_shape, geometry) as geometry_text,
        try_cast(niveau_perturbation as integer) as disruption_level,
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
    site_id,
    request_id,
    case
        when purpose like '%_IMMEUBLE' then 'building_works'
        when purpose like '%RESEAU%' then 'network_works'
        when purpose = 'EVENEMENTIEL' then 'event'
        when purpose is null then 'other'
        else 'road_works'
    end as kind,
    purpose,
    -- A dead end (IMPASSE) closes the street to through traffic, which is what a counter sees.
    case
        when impact in ('BARRAGE_TOTAL', 'IMPASSE') then 'road_closed'
        when impact = 'SENS_UNIQUE' then 'one_way'
        when impact = 'RESTREINTE' then 'lane_restricted'
        else 'unknown'
    end as disruption,
    disruption_level,
    -- A disruptive site is one that takes from the carriageway, whatever it does to it.
    impact in ('BARRAGE_TOTAL', 'IMPASSE', 'SENS_UNIQUE', 'RESTREINTE') as occupies_carriageway,
    street,
    location_detail,
    responsible_body,
    start_on,
    end_on,
    cast(null as timestamp) as start_at,
    cast(null as timestamp) as end_at,
    'date' as period_precision,
    announced_state,
    district_code,
    geometry,
    lon,
    lat,
    0 as _preference,
    coalesce(place = 'outside', false) as _out_of_scope,
    case
        when site_id is null or site_id = '' then 'no identifier'
        when start_text is not null and start_on is null then 'the start is not a date: ' || start_text
        when end_text is not null and end_on is null then 'the end is not a date: ' || end_text
        when end_on < start_on then 'ends before it starts: ' || start_text || ' to ' || end_text
        when level_text is not null and disruption_level is null
            then 'the disruption level is not a number: ' || level_text
        when {{ is_bad_geometry('geometry_text') }} then 'the geometry is not GeoJSON'
        when place = 'swapped' then 'longitude and latitude look swapped'
    end as _reject_reason
from placed
