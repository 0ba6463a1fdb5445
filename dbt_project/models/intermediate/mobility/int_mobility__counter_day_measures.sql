{#- Each measure with the share of the hour over which it was measured. -#}
{%- set measures = {'flow': 'measured_share', 'occupancy': 'measured_share', 'speed': 'speed_measured_share'} -%}
{%- set series = ['source', 'counter_id', 'direction'] -%}
{{ config(by_period=true, period_column='period_month') }}

-- What each counter measured on each legal day: the day's total of vehicles, or its mean occupancy or speed, as a
-- logarithm. A day is told over the 24 hours of the clock, so that the days of the clock changes compare with others.
--
-- An hour is measured when at least three quarters of it were, the street was not barred, the measure does not
-- contradict itself, and no brief works were in force. A nought that is silence (macros/silence.sql) is no measure.
--
-- Hours that are missing are told by the month's own profile of the counter (mean by kind of day and hour): the
-- day's level over the hours measured, carried to the others. A day is kept when the hours measured carry at least
-- three quarters of the profile. A whole day is its own sum.
with published as not materialized (
    select *
    from {{ ref('traffic_hourly') }}
    where {{ in_stale('period_month') }} and vehicle_class = 'all'
),

instants as (
    select
        hour_start_at,
        any_value(hour_start_local) as hour_start_local
    from published
    group by hour_start_at
),

-- Legal time is read once per hour, not once per counter. Of two hours of one name the later is told: the one that
-- sources publish which publish only one.
clock as (
    select
        hour_start_at,
        cast(substr(hour_start_local, 1, 10) as date) as day_on,
        cast(substr(hour_start_local, 12, 2) as integer) as clock_hour,
        row_number() over (partition by substr(hour_start_local, 1, 13) order by hour_start_at desc) = 1 as is_told
    from instants
),

judged as not materialized (
    select
        published.source,
        published.counter_id,
        published.direction,
        published.period_month,
        clock.day_on,
        clock.clock_hour,
        {{ day_type('clock.day_on') }} as day_type,
        published.is_barred,
        brief.counter_id is not null as is_set_aside,
        {% for measure, share in measures.items() %}
            published.{{ share }} >= {{ effect_setting('measured_hour_share') }}
            and published.plausibility = 'plausible'
            and not published.is_barred
            and brief.counter_id is null
            and clock.is_told as is_{{ measure }}_usable,
        {% endfor %}
        cast(published.flow_veh_h as decimal(12, 3)) as flow,
        cast(published.occupancy_pct as decimal(12, 3)) as occupancy,
        cast(published.speed_kmh as decimal(12, 3)) as speed
    from published
    inner join clock on published.hour_start_at = clock.hour_start_at
    left join {{ ref('int_mobility__brief_works_hours') }} as brief
        on published.source = brief.source
        and published.counter_id = brief.counter_id
        and clock.day_on = brief.day_on
        and clock.clock_hour = brief.clock_hour
),

profiles as (
    select * from {{ hourly_profiles('judged', series, measures) }} as told
),

profile_totals as (
    select
        source,
        counter_id,
        direction,
        {% for measure in measures %}
            count({{ measure }}_5) as {{ measure }}_hours,
            {% for type in [5, 6, 7] %}
                sum({{ measure }}_{{ type }}) as {{ measure }}_{{ type }},
            {% endfor %}
        {% endfor %}
        period_month
    from profiles
    group by source, counter_id, direction, period_month
),

hours as (
    select
        judged.source,
        judged.counter_id,
        judged.direction,
        judged.period_month,
        judged.day_on,
        judged.day_type,
        judged.is_barred,
        judged.is_set_aside,
        {% for measure in measures %}
            judged.{{ measure }},
            judged.is_{{ measure }}_usable,
            {{ usual_of('profiles', measure, 'judged.day_type') }} as usual_{{ measure }},
        {% endfor %}
        judged.clock_hour
    from judged
    inner join profiles
        on judged.source = profiles.source
        and judged.counter_id = profiles.counter_id
        and judged.direction = profiles.direction
        and judged.period_month = profiles.period_month
        and judged.clock_hour = profiles.clock_hour
),

days as (
    select
        source,
        counter_id,
        direction,
        day_on,
        any_value(period_month) as period_month,
        any_value(day_type) as day_type,
        {% for measure in measures %}
            {%- set is_measured -%}
                is_{{ measure }}_usable and {{ is_no_silence(measure, measure, 'usual_' ~ measure) }}
            {%- endset %}
            count({{ measure }}) as {{ measure }}_published,
            count(*) filter (where {{ is_measured }}) as {{ measure }}_measured,
            sum({{ measure }}) filter (where {{ is_measured }}) as {{ measure }}_sum,
            sum(usual_{{ measure }}) filter (where {{ is_measured }}) as {{ measure }}_usual,
        {% endfor %}
        count(*) as heard_hours,
        count(*) filter (where is_barred) as barred_hours,
        count(*) filter (where is_set_aside) as set_aside_hours
    from hours
    group by source, counter_id, direction, day_on
),

-- A source gives rows for the measures that it gives for some counter that month.
known as (
    select
        source,
        {% for measure in measures %}
            sum({{ measure }}_published) > 0 as has_{{ measure }},
        {% endfor %}
        period_month
    from days
    group by source, period_month
),

told as (
    {% for measure in measures %}
        select
            days.source,
            days.counter_id,
            days.direction,
            days.period_month,
            days.day_on,
            '{{ measure }}' as measure,
            days.heard_hours,
            days.barred_hours,
            days.set_aside_hours,
            days.{{ measure }}_measured as measured_hours,
            cast(days.{{ measure }}_sum as double) as measured_sum,
            cast(days.{{ measure }}_usual as double) as usual_measured,
            profile_totals.{{ measure }}_hours as usual_hours,
            cast({{ usual_of('profile_totals', measure, 'days.day_type') }} as double) as usual_total
        from days
        inner join profile_totals
            on days.source = profile_totals.source
            and days.counter_id = profile_totals.counter_id
            and days.direction = profile_totals.direction
            and days.period_month = profile_totals.period_month
        inner join known on days.source = known.source and days.period_month = known.period_month
        where known.has_{{ measure }}
        {% if not loop.last %}
            union all
        {% endif %}
    {% endfor %}
),

levels as (
    select
        *,
        coalesce(usual_measured / usual_total, 0) as measured_share,
        measured_sum / usual_measured * usual_total as day_total
    from told
)

select
    source,
    counter_id,
    direction,
    measure,
    day_on,
    cast(heard_hours as integer) as heard_hours,
    cast(barred_hours as integer) as barred_hours,
    cast(set_aside_hours as integer) as set_aside_hours,
    cast(measured_hours as integer) as measured_hours,
    cast(usual_hours as integer) as usual_hours,
    cast(measured_share as decimal(5, 4)) as measured_share,
    cast(
        case
            when day_total > 0 and measured_share >= {{ effect_setting('measured_day_share') }}
                then ln(day_total / case when measure = 'flow' then 1 else usual_hours end)
        end as decimal(9, 6)
    ) as day_log,
    period_month
from levels
