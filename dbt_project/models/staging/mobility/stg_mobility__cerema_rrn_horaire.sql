{{ config(
    key=['counter_id', 'hour_start_at'],
    period='period_month',
) }}

-- Hourly flow of the national road network's counting stations, one file per urban area.
--
-- Time: naive legal time, the START of the hour. Nothing published says so; the file of Saint-Étienne does, thrice. It
-- is made of whole days from 00:00 to 23:00 (ends of hours would run from 01:00 to 00:00, as in Paris); on 17 March
-- 2020, when the lockdown began at noon, the rush is at 11:00 and the fall at 13:00; nights are emptiest at 02:00 and
-- traffic doubles at 04:00, as on the six-minute profile of another network, whose times are documented starts.
--
-- Spring: 02:00 does not exist in legal time and is filled with 0.0: refused. Autumn: one 02:00 is published, of the
-- level of a single hour (143 vehicles between 274 and 173, all stations, 25 October 2020): the other is lost. Which
-- one is not said; it is read as the later, as everywhere here (macros/time.sql).
--
-- A true zero and a missing measure are indistinguishable: 19 daytime hours have 0.0 at all stations at once, and some
-- stations are truly empty at night. 0.0 is kept as published, for the models that look for silences to judge.
--
-- The last character of a SIREDO code is the direction: every label that says one ("sens1", "(2)") agrees.
with published as not materialized (
    select * from {{ raw('cerema__rrn_horaire') }}
),

-- The hours are few and told by every station: each is read once.
texts as (
    select distinct horodate from published
),

instants as (
    select
        horodate,
        {{ parse_instant('horodate', 'Europe/Paris') }} as hour_start_at,
        {{ is_missing_local_time('horodate', 'Europe/Paris') }} as is_missing_hour
    from texts
),

clock as (
    select
        *,
        {{ month_of(legal_time('hour_start_at', 'Europe/Paris')) }} as period_month
    from instants
),

typed as (
    select
        _delivery_id,
        _record_no,
        published.horodate as hour_text,
        debit as flow_text,
        trim(code_pme) as counter_id,
        clock.hour_start_at,
        clock.period_month,
        clock.is_missing_hour,
        {{ parse_number('debit') }} as flow_veh_h
    from published
    left join clock on published.horodate = clock.horodate
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
    hour_start_at,
    period_month,
    flow_veh_h,
    false as is_floating_car,
    0 as _preference,
    false as _out_of_scope,
    case
        when counter_id is null or counter_id = '' then 'no station code'
        when hour_text is null then 'no date and hour'
        when hour_start_at is null then 'the date and hour cannot be read: ' || hour_text
        when is_missing_hour then 'this hour does not exist in legal time (spring change): ' || hour_text
        when date_trunc('hour', hour_start_at) <> hour_start_at then 'not on a whole hour: ' || hour_text
        when {{ is_not_a_number('flow_text') }} then 'the flow is not a number: ' || flow_text
        when flow_veh_h < 0 then 'negative flow: ' || flow_text
    end as _reject_reason
from typed
