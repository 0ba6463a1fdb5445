{{ config(
    key=['counter_id', 'window_start_at'],
    period='period_month',
) }}

-- Speeds and travel times of floating cars on the segments of Rennes Métropole: a speed is not a volume, and no flow is
-- made of it.
--
-- Time: one instant for a whole snapshot, one snapshot every three minutes. Whether the measure precedes or follows the
-- instant is not published: it is taken to hold until the next snapshot.
--
-- Nothing was measured where the reliability is 0: of the 298 such segments of November 2025, all without a floating
-- car, 267 have the speed limit for a speed. In 2025 they are called unknown; in 2022 they carry another state, so the
-- reliability decides. Travel times are then filled in as well.
--
-- Direction: _D as the segment is digitised, _G the other way; no suffix on one-way streets (all 1,325 of them).
with published as not materialized (
    select * from {{ raw('rennes__etat_trafic') }}
),

-- One time for a whole snapshot: each is read once.
texts as (
    select distinct datetime from published
),

instants as (
    select
        datetime,
        {{ parse_instant('datetime', 'Europe/Paris') }} as window_start_at,
        {{ is_missing_local_time('datetime', 'Europe/Paris') }} as is_missing_time
    from texts
),

clock as (
    select
        *,
        {{ month_of(legal_time('window_start_at', 'Europe/Paris')) }} as period_month
    from instants
),

typed as (
    select
        _delivery_id,
        _record_no,
        published.datetime as time_text,
        averagevehiclespeed as speed_text,
        traveltime as travel_time_text,
        traveltimereliability as reliability_text,
        vehicleprobemeasurement as probes_text,
        vitesse_maxi as limit_text,
        geo_shape as geometry_text,
        trim(predefinedlocationreference) as counter_id,
        clock.window_start_at,
        clock.period_month,
        clock.is_missing_time,
        {{ parse_number('averagevehiclespeed') }} as speed_kmh,
        {{ parse_number('traveltime') }} as travel_time_s,
        {{ parse_number('traveltimereliability') }} as reliability_pct,
        {{ parse_number('vehicleprobemeasurement') }} as probes,
        {{ parse_number('vitesse_maxi') }} as speed_limit_kmh,
        coalesce(nullif(trim(trafficstatus), ''), 'unknown') as state_text,
        nullif(trim(denomination), '') as street,
        nullif(trim(insee), '') as commune_code,
        nullif(trim(hierarchie), '') as road_rank,
        nullif(trim(func_class), '') as functional_class,
        {{ geojson_geometry('geo_shape') }} as geometry,
        {{ point_lon('geo_point_2d') }} as lon,
        {{ point_lat('geo_point_2d') }} as lat
    from published
    left join clock on published.datetime = clock.datetime
),

judged as (
    select
        *,
        coalesce(reliability_pct > 0, false) and state_text <> 'unknown' as is_measured,
        case
            when state_text = 'freeFlow' then 'free_flow'
            when state_text in ('heavy', 'congested', 'impossible', 'unknown') then state_text
        end as traffic_state
    from typed
)

select
    _delivery_id,
    _record_no,
    counter_id,
    case
        when regexp_matches(counter_id, '_[DG]$') then right(counter_id, 1)
        else 'one_way'
    end as direction,
    'all' as vehicle_class,
    window_start_at,
    180 as window_s,
    period_month,
    case when is_measured then speed_kmh end as speed_kmh,
    -- Snapshots from before the floating cars were counted weigh the same.
    case when is_measured then coalesce(probes, 1) end as speed_weight,
    case when is_measured then travel_time_s end as travel_time_s,
    reliability_pct,
    speed_limit_kmh,
    traffic_state,
    true as is_floating_car,
    street,
    commune_code,
    road_rank,
    functional_class,
    lon,
    lat,
    geometry,
    0 as _preference,
    false as _out_of_scope,
    case
        when counter_id is null or counter_id = '' then 'no segment identifier'
        when time_text is null then 'no date and time'
        when window_start_at is null then 'the date and time cannot be read: ' || time_text
        when is_missing_time then 'this time does not exist in legal time (spring change): ' || time_text
        when {{ is_not_a_number('speed_text') }} then 'the speed is not a number: ' || speed_text
        when {{ is_not_a_number('travel_time_text') }} then 'the travel time is not a number: ' || travel_time_text
        when {{ is_not_a_number('reliability_text') }} then 'the reliability is not a number: ' || reliability_text
        when {{ is_not_a_number('probes_text') }} then 'the number of floating cars is not a number: ' || probes_text
        when {{ is_not_a_number('limit_text') }} then 'the speed limit is not a number: ' || limit_text
        when speed_kmh < 0 or speed_kmh > 250 then 'speed outside 0 to 250 km/h: ' || speed_text
        when travel_time_s < 0 then 'negative travel time: ' || travel_time_text
        when reliability_pct < 0 or reliability_pct > 100 then 'reliability outside 0 to 100 %: ' || reliability_text
        when probes < 0 then 'negative number of floating cars: ' || probes_text
        when traffic_state is null then 'unknown traffic state: ' || state_text
        when {{ is_bad_geometry('geometry_text') }} then 'the geometry is not GeoJSON'
    end as _reject_reason
from judged
