{%- set series = ['source', 'counter_id', 'direction', 'vehicle_class'] -%}
{{ config(by_period=true, period_column='period_month') }}

-- Vehicles counted by counter and legal day, and in how many whole hours. An hour measured in part, not measured, or
-- beyond what a road can carry counts for none. So does a nought that is silence (macros/silence.sql); not while the
-- road was barred, and not at an hour at which no vehicle passes all month, unless none passes at any hour.
with hours as (
    select
        source,
        counter_id,
        direction,
        vehicle_class,
        period_month,
        flow_veh_h,
        is_barred,
        cast(flow_veh_h as decimal(12, 3)) as flow,
        cast(substr(hour_start_local, 1, 10) as date) as day_on,
        cast(substr(hour_start_local, 12, 2) as integer) as clock_hour,
        {{ day_type('cast(substr(hour_start_local, 1, 10) as date)') }} as day_type,
        measured_share >= 1 and plausibility <> 'implausible_flow' as is_whole,
        measured_share >= {{ effect_setting('measured_hour_share') }}
        and plausibility = 'plausible'
        and not is_barred as is_flow_usable
    from {{ ref('traffic_hourly') }}
    where {{ in_stale('period_month') }} and measure_kind = 'count'
),

profiles as (
    select
        *,
        max(flow_5) over (partition by {{ series | join(', ') }}, period_month) as most_usual
    from {{ hourly_profiles('hours', series, ['flow']) }} as told
),

silences as (
    select
        hours.source,
        hours.counter_id,
        hours.direction,
        hours.vehicle_class,
        hours.day_on,
        count(*) as silent_hours
    from hours
    inner join profiles
        on hours.source = profiles.source
        and hours.counter_id = profiles.counter_id
        and hours.direction = profiles.direction
        and hours.vehicle_class = profiles.vehicle_class
        and hours.period_month = profiles.period_month
        and hours.clock_hour = profiles.clock_hour
    where hours.flow_veh_h = 0
        and hours.is_whole
        and not hours.is_barred
        and not coalesce(
            {{ is_no_silence('flow', 'hours.flow', usual_of('profiles', 'flow', 'hours.day_type')) }},
            profiles.most_usual is not null
        )
    group by hours.source, hours.counter_id, hours.direction, hours.vehicle_class, hours.day_on
),

days as (
    select
        source,
        counter_id,
        direction,
        vehicle_class,
        day_on,
        period_month,
        count(*) filter (where is_whole) as whole_hours,
        sum(cast(flow_veh_h as decimal(18, 2))) filter (where is_whole) as vehicles
    from hours
    group by source, counter_id, direction, vehicle_class, day_on, period_month
)

select
    days.source,
    days.counter_id,
    days.direction,
    days.vehicle_class,
    days.day_on,
    days.period_month,
    cast(days.whole_hours - coalesce(silences.silent_hours, 0) as integer) as whole_hours,
    cast(days.vehicles as decimal(18, 2)) as vehicles
from days
left join silences
    on days.source = silences.source
    and days.counter_id = silences.counter_id
    and days.direction = silences.direction
    and days.vehicle_class = silences.vehicle_class
    and days.day_on = silences.day_on
