{{ config(
    key=['station_id', 'minute_of_day'],
) }}

-- The mean working day of counting stations of the DIR Méditerranée, by six minutes. It has no date, and none is made
-- up: a time of day is not an instant, so this joins no family of measures.
--
-- The station is only in the name of its file (M3b_O_JOB.csv); a file called otherwise is its own station.
--
-- Unit of the flow: vehicles in six minutes, not an hour. Occupancy x speed / flow is the length of road that one
-- vehicle occupies: 1.4 m (a vehicle of 4.3 m on one lane of three) if flows are of six minutes, 14 m if they are of an
-- hour, which no mean vehicle has. The day then counts 53,000 vehicles, as a motorway does, and not 5,300. An hourly
-- rate is ten times as much. Occupancy is published as a ratio and becomes a percentage.
with published as (
    select * from {{ raw('dirmed__siredo_profil_6min') }}
),

named as (
    select
        published.*,
        coalesce(
            nullif(regexp_extract(deliveries.file_name, '(?:^|[_/])(M[0-9][A-Za-z](?:_[OE])?)[_.]', 1), ''),
            regexp_replace(deliveries.file_name, '\.[^.]*$', '')
        ) as station_id
    from published
    left join {{ source('ops', 'deliveries') }} as deliveries
        on deliveries.source = 'dirmed_siredo_profil_6min' and published._delivery_id = deliveries.delivery_id
),

typed as (
    select
        _delivery_id,
        _record_no,
        station_id,
        heure as time_text,
        vitesse as speed_text,
        debit as flow_text,
        occupation as occupancy_text,
        try_strptime(trim(heure), ['%H:%M', '%H:%M:%S']) as time_of_day,
        {{ parse_number('vitesse') }} as speed_kmh,
        {{ parse_number('debit') }} as flow_veh_6min,
        {{ parse_number('occupation') }} as occupancy_ratio
    from named
)

select
    _delivery_id,
    _record_no,
    station_id,
    cast(hour(time_of_day) * 60 + minute(time_of_day) as integer) as minute_of_day,
    speed_kmh,
    flow_veh_6min * 10 as flow_veh_h,
    occupancy_ratio * 100 as occupancy_pct,
    0 as _preference,
    false as _out_of_scope,
    case
        when station_id is null then 'no station: the delivery has no file name'
        when time_text is null then 'no time of day'
        when time_of_day is null then 'the time of day cannot be read: ' || time_text
        when minute(time_of_day) % 6 <> 0 or second(time_of_day) <> 0 then 'not on six minutes: ' || time_text
        when {{ is_not_a_number('speed_text') }} then 'the speed is not a number: ' || speed_text
        when {{ is_not_a_number('flow_text') }} then 'the flow is not a number: ' || flow_text
        when {{ is_not_a_number('occupancy_text') }} then 'the occupancy is not a number: ' || occupancy_text
        when speed_kmh < 0 or speed_kmh > 250 then 'speed outside 0 to 250 km/h: ' || speed_text
        when flow_veh_6min < 0 then 'negative flow: ' || flow_text
        when occupancy_ratio < 0 or occupancy_ratio > 1 then 'occupancy outside 0 to 1: ' || occupancy_text
    end as _reject_reason
from typed
