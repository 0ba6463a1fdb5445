{{ config(period_column='period_month') }}

-- The hours of each counter during which brief works within reach are in force: set aside, with and without other
-- works. An hour in part is an hour. Hours are those of the legal clock, 0 to 23.
with brief as (
    select
        source,
        counter_id,
        start_on,
        end_on,
        start_at,
        end_at
    from {{ ref('int_mobility__works_within_reach') }}
    where is_brief
),

timed as (
    select
        source,
        counter_id,
        unnest(generate_series(
            date_trunc('hour', start_at), end_at - interval 1 microsecond, interval 1 hour
        )) as hour_start_at
    from brief
    where start_at is not null and end_at > start_at
),

dated as (
    select
        source,
        counter_id,
        start_on as day_on,
        unnest(range(24)) as clock_hour
    from brief
    where start_at is null
),

hours as (
    select
        source,
        counter_id,
        cast({{ legal_time('hour_start_at', var('time_zone', 'Europe/Paris')) }} as date) as day_on,
        extract('hour' from {{ legal_time('hour_start_at', var('time_zone', 'Europe/Paris')) }}) as clock_hour
    from timed
    union all
    select
        source,
        counter_id,
        day_on,
        clock_hour
    from dated
)

select distinct
    source,
    counter_id,
    day_on,
    cast(clock_hour as integer) as clock_hour,
    {{ month_of('day_on') }} as period_month
from hours
