{{ config(
    key=['counter_id', 'window_start_at'],
    period='period_month',
) }}

-- Six-minute flows and speeds of the national road network (DATEX II v2).
--
-- Time: measurementTimeDefault is the END of the window, six minutes after publicationTime, its start. The window is
-- told from the former: a station that has stopped repeats its last measure in later documents, with its own time.
--
-- Speed: 0.0 means that none was measured, whatever the flow. A vehicle that passes a loop has a speed: with a flow of
-- 7,114 or of 600 vehicles an hour, 0.0 cannot be one, even where 60 values are said to be used; without a flow there
-- is nothing whose speed it could be. 9999999 marks no value in the same feed (reported by its users).
--
-- Weight: numberOfInputValuesUsed is not everywhere a number of vehicles: 11 for 110 veh/h is (six minutes are a tenth
-- of an hour), 420 for a flow of 0, of 7,114 and of 9,171 is a constant. Vehicles are told from the flow instead, and
-- from that number only where there is no flow. With 0 values, a flow of 0 is a road without vehicles or a station
-- without a measure: it is kept, with `flow_values`.
--
-- `index` is 0 on every value and is no key. Identifiers are kept as they are written: '#MZo57.2' begins with a hash.
with published as not materialized (
    select * from {{ raw('bisonfute__qtv') }}
),

-- One time for a whole document: each is read once.
texts as (
    select distinct measurement_time from published
),

instants as (
    select
        measurement_time,
        {{ parse_instant('measurement_time', 'Europe/Paris') }} as window_end_at,
        {{ is_missing_local_time('measurement_time', 'Europe/Paris') }} as is_missing_time
    from texts
),

clock as (
    select
        *,
        window_end_at - interval 6 minute as window_start_at,
        {{ month_of(legal_time('window_end_at - interval 6 minute', 'Europe/Paris')) }} as period_month
    from instants
),

typed as (
    select
        _delivery_id,
        _record_no,
        published.measurement_time as time_text,
        flow as flow_text,
        speed as speed_text,
        flow_values as flow_values_text,
        speed_values as speed_values_text,
        trim(site_id) as counter_id,
        clock.window_start_at,
        clock.period_month,
        clock.is_missing_time,
        case when flow_error = 'true' then null else nullif({{ parse_number('flow') }}, 9999999) end as flow_veh_h,
        case when speed_error = 'true' then null else nullif({{ parse_number('speed') }}, 9999999) end as speed_kmh,
        {{ parse_number('flow_values') }} as flow_values,
        {{ parse_number('speed_values') }} as speed_values
    from published
    left join clock on published.measurement_time = clock.measurement_time
)

select
    _delivery_id,
    _record_no,
    counter_id,
    case
        when regexp_full_match(counter_id, '[A-Z][A-Za-z0-9]{4}\.[A-Za-z0-9][12]') then right(counter_id, 1)
        else 'unknown'
    end as direction,
    'all' as vehicle_class,
    window_start_at,
    360 as window_s,
    period_month,
    flow_veh_h,
    flow_values,
    nullif(speed_kmh, 0) as speed_kmh,
    case when speed_kmh <> 0 then coalesce(nullif(flow_veh_h, 0) / 10, nullif(speed_values, 0)) end as speed_weight,
    false as is_floating_car,
    0 as _preference,
    false as _out_of_scope,
    case
        when counter_id is null or counter_id = '' then 'no measuring site'
        when time_text is null then 'no measurement time'
        when window_start_at is null then 'the measurement time cannot be read: ' || time_text
        when is_missing_time then 'this time does not exist in legal time (spring change): ' || time_text
        when {{ is_not_a_number('flow_text') }} then 'the flow is not a number: ' || flow_text
        when {{ is_not_a_number('speed_text') }} then 'the speed is not a number: ' || speed_text
        when {{ is_not_a_number('flow_values_text') }}
            then 'the number of values of the flow is not a number: ' || flow_values_text
        when {{ is_not_a_number('speed_values_text') }}
            then 'the number of values of the speed is not a number: ' || speed_values_text
        when flow_veh_h < 0 then 'negative flow: ' || flow_text
        when speed_kmh < 0 or speed_kmh > 250 then 'speed outside 0 to 250 km/h: ' || speed_text
    end as _reject_reason
from typed
