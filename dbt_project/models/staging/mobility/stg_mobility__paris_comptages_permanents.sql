{{ config(
    key=['counter_id', 'hour_start_at'],
    period='period_month',
) }}

-- Hourly flow and occupancy of the City of Paris's permanent loops, from the rolling export, the API and the
-- archives.
--
-- Time: an hour is labelled by its end (a day runs from 01:00 to 00:00 of the next day, in archives as in exports),
-- hence the hour taken off. Exports carry the offset; archives are naive legal time. The archives always have 24
-- rows a day: the 02:00 of the spring change does not exist (01:00 to 02:00 winter time is labelled 03:00) and is
-- refused; the single 02:00 of the autumn change is read as winter time, the one that the exports keep.
--
-- Contradictory duplicates: weekly archives overlap, and the same hour appears with an occupancy of four decimals in
-- one and five in the other; the unrounded one is believed (`_preference`).
--
-- 'Invalide' as arc state covers up to 99 % of rows with perfectly good measures: it is kept, never used to refuse.
with published as not materialized (
    select * from {{ raw('paris__comptages_permanents') }}
),

-- The hours are few and told by every counter: each is read once (calendars are the dearest part of typing).
texts as (
    select distinct t_1h from published
),

instants as (
    select
        t_1h,
        {{ parse_instant('t_1h', 'Europe/Paris') }} as hour_end_at,
        {{ is_missing_local_time('t_1h', 'Europe/Paris') }} as is_missing_hour
    from texts
),

clock as (
    select
        *,
        {{ month_of(legal_time('hour_end_at - interval 1 hour', 'Europe/Paris')) }} as period_month
    from instants
),

typed as (
    select
        _delivery_id,
        _record_no,
        published.t_1h as hour_end_text,
        q as flow_text,
        k as occupancy_text,
        geo_shape as geometry_text,
        trim(iu_ac) as counter_id,
        clock.hour_end_at,
        clock.period_month,
        clock.is_missing_hour,
        {{ parse_number('q') }} as flow_veh_h,
        {{ parse_number('k') }} as occupancy_pct,
        case
            when etat_trafic in ('Fluide', '1') then 'fluid'
            when etat_trafic in ('Pré-saturé', '2') then 'pre_saturated'
            when etat_trafic in ('Saturé', '3') then 'saturated'
            when etat_trafic in ('Bloqué', '4') then 'blocked'
            when etat_trafic in ('Inconnu', '0') or etat_trafic is null then 'unknown'
        end as traffic_state,
        etat_trafic as traffic_state_text,
        case
            when etat_barre in ('Ouvert', '1') then 'open'
            when etat_barre in ('Barré', '2') then 'closed'
            when etat_barre in ('Invalide', '3') then 'invalid'
            else 'unknown'
        end as arc_state,
        replace(libelle, '_', ' ') as street,
        {{ point_lon('geo_point_2d') }} as lon,
        {{ point_lat('geo_point_2d') }} as lat,
        length(split_part(replace(k, ',', '.'), '.', 2)) as occupancy_decimals
    from published
    left join clock on published.t_1h = clock.t_1h
)

select
    _delivery_id,
    _record_no,
    counter_id,
    -- An arc is directed: a street with two directions has two arcs.
    'one_way' as direction,
    'all' as vehicle_class,
    hour_end_at - interval 1 hour as hour_start_at,
    period_month,
    flow_veh_h,
    occupancy_pct,
    traffic_state,
    arc_state,
    arc_state = 'closed' as is_barred,
    street,
    lon,
    lat,
    {{ geojson_geometry('geometry_text') }} as geometry,
    coalesce(occupancy_decimals, 0) as _preference,
    false as _out_of_scope,
    case
        when counter_id is null or counter_id = '' then 'no arc identifier'
        when hour_end_text is null then 'no date and hour'
        when hour_end_at is null then 'the date and hour cannot be read: ' || hour_end_text
        when is_missing_hour then 'this hour does not exist in legal time (spring change): ' || hour_end_text
        when date_trunc('hour', hour_end_at) <> hour_end_at then 'not on a whole hour: ' || hour_end_text
        when {{ is_not_a_number('flow_text') }} then 'the flow is not a number: ' || flow_text
        when {{ is_not_a_number('occupancy_text') }} then 'the occupancy is not a number: ' || occupancy_text
        when flow_veh_h < 0 then 'negative flow: ' || flow_text
        when occupancy_pct < 0 or occupancy_pct > 100 then 'occupancy outside 0 to 100 %: ' || occupancy_text
        when traffic_state is null then 'unknown traffic state: ' || traffic_state_text
    end as _reject_reason
from typed
