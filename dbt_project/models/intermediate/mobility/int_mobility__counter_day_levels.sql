-- The kept days of each counter, corrected by the common movement of the counters that no works are near.
--
-- Common movement: each control (a counter without works within reach that day) has its own level by day of the week
-- and its own slope; what the controls of a source and measure depart from them on a day has the median as common
-- movement. Two rounds without slopes serve to find them and the exceptional days (median polish: Tukey, Exploratory
-- Data Analysis, 1977). A counter that is itself a control is left out of its own median.
--
-- Counters share the movement each to its degree (a ring road has no August): its loading, by least squares over its
-- days without works beside its week and slope, drawn towards 1 by a normal prior of standard deviation 0.3.
--
-- Public holidays of the counter's département are set aside, and so are exceptional days: those on which the common
-- movement is far from its own course (snow, strike), where counters share it each in another way.
with measured as (
    select
        days.source,
        days.counter_id,
        days.direction,
        days.measure,
        days.day_on,
        days.day_log,
        days.usual_hours,
        days.measured_hours,
        cast(extract('isodow' from days.day_on) as integer) as weekday,
        date_diff('day', date '2000-01-01', days.day_on) as day_no,
        spells.from_on as spell_from_on,
        hash(spells.site_keys) as works_hash,
        coalesce(spells.sites_count, 0) = 0 as is_clear
    from {{ ref('int_mobility__counter_day_measures') }} as days
    inner join {{ ref('int_territory__calendar') }} as calendar on days.day_on = calendar.day_on
    left join {{ ref('int_mobility__counter_holidays') }} as laws
        on days.source = laws.source and days.counter_id = laws.counter_id
    asof left join {{ ref('int_mobility__works_spells') }} as spells
        on days.source = spells.source
        and days.counter_id = spells.counter_id
        and days.day_on >= spells.from_on
    where days.day_log is not null
        and not calendar.is_public_holiday
        and not (calendar.is_public_holiday_alsace_moselle and coalesce(laws.is_alsace_moselle, false))
),

-- Days told by fewer hours of the clock than is usual for the counter would stand lower than the others.
whole as (
    select
        *,
        max(usual_hours) over (partition by source, counter_id, direction, measure) as most_usual_hours
    from measured
),

controls as (
    select * from whole where is_clear and usual_hours = most_usual_hours
),

-- Medians by day of the week: one day of snow would else lower all days of its name, and hide behind them.
first_weeks as (
    select
        source,
        counter_id,
        direction,
        measure,
        weekday,
        cast(median(day_log) as decimal(9, 6)) as weekday_log
    from controls
    group by source, counter_id, direction, measure, weekday
),

first_movement as (
    select
        controls.source,
        controls.measure,
        controls.day_on,
        cast(median(controls.day_log - first_weeks.weekday_log) as decimal(9, 6)) as movement
    from controls
    inner join first_weeks
        on controls.source = first_weeks.source
        and controls.counter_id = first_weeks.counter_id
        and controls.direction = first_weeks.direction
        and controls.measure = first_weeks.measure
        and controls.weekday = first_weeks.weekday
    group by controls.source, controls.measure, controls.day_on
),

-- Again: counters that no works are near at other times of the year have taken its season into their first levels.
first_own as (
    select
        controls.*,
        controls.day_log - first_movement.movement as own_log
    from controls
    inner join first_movement
        on controls.source = first_movement.source
        and controls.measure = first_movement.measure
        and controls.day_on = first_movement.day_on
),

second_weeks as (
    select
        source,
        counter_id,
        direction,
        measure,
        weekday,
        cast(median(own_log) as decimal(9, 6)) as weekday_log
    from first_own
    group by source, counter_id, direction, measure, weekday
),

second_movement as (
    select
        controls.source,
        controls.measure,
        controls.day_on,
        cast(median(controls.day_log - second_weeks.weekday_log) as decimal(9, 6)) as movement
    from controls
    inner join second_weeks
        on controls.source = second_weeks.source
        and controls.counter_id = second_weeks.counter_id
        and controls.direction = second_weeks.direction
        and controls.measure = second_weeks.measure
        and controls.weekday = second_weeks.weekday
    group by controls.source, controls.measure, controls.day_on
),

courses as (
    select
        *,
        abs(movement - median(movement) over (
            partition by source, measure
            order by day_on
            range between interval {{ effect_setting('exceptional_days_around') }} days preceding
            and interval {{ effect_setting('exceptional_days_around') }} days following
        )) as off_course
    from second_movement
),

scales as (
    select
        source,
        measure,
        1.4826 * median(off_course) as scale
    from courses
    group by source, measure
),

judged_days as (
    select
        courses.source,
        courses.measure,
        courses.day_on,
        courses.movement,
        courses.off_course > greatest(
            {{ effect_setting('exceptional_scales') }} * scales.scale, {{ effect_setting('exceptional_at_least') }}
        ) as is_exceptional
    from courses
    inner join scales on courses.source = scales.source and courses.measure = scales.measure
),

own as (
    select
        controls.*,
        controls.day_log - judged_days.movement as own_log
    from controls
    inner join judged_days
        on controls.source = judged_days.source
        and controls.measure = judged_days.measure
        and controls.day_on = judged_days.day_on
    where not judged_days.is_exceptional
),

own_weeks as (
    select
        *,
        own_log - cast(avg(own_log) over (
            partition by source, counter_id, direction, measure, weekday
        ) as decimal(9, 6)) as own_departure
    from own
),

slopes as (
    select
        source,
        counter_id,
        direction,
        measure,
        avg(day_no) as mean_day_no,
        coalesce(
            cast(count(*) * sum(day_no * own_departure) - sum(day_no) * sum(own_departure) as double)
            / nullif(count(*) * sum(day_no * day_no) - sum(day_no) * sum(day_no), 0),
            0
        ) as slope
    from own_weeks
    group by source, counter_id, direction, measure
),

own_lines as (
    select
        own.*,
        cast(slopes.slope * (own.day_no - slopes.mean_day_no) as decimal(9, 6)) as line
    from own
    inner join slopes
        on own.source = slopes.source
        and own.counter_id = slopes.counter_id
        and own.direction = slopes.direction
        and own.measure = slopes.measure
),

departures as (
    select
        *,
        day_log - line - cast(avg(own_log - line) over (
            partition by source, counter_id, direction, measure, weekday
        ) as decimal(9, 6)) as departure
    from own_lines
),

sorted as (
    select
        source,
        measure,
        day_on,
        count(*) as controls_count,
        list(departure order by departure) as departures
    from departures
    group by source, measure, day_on
),

-- Three values around the middle are enough to tell the median, and the median without any one of the controls.
movements as (
    select
        source,
        measure,
        day_on,
        controls_count,
        departures[controls_count // 2] as value_before,
        departures[controls_count // 2 + 1] as value_middle,
        departures[controls_count // 2 + 2] as value_after,
        cast(
            (departures[(controls_count + 1) // 2] + departures[controls_count // 2 + 1]) / 2 as decimal(9, 6)
        ) as movement
    from sorted
),

-- Without the counter's own departure, where it is one of the controls.
moved as (
    select
        whole.*,
        coalesce(judged_days.is_exceptional, false) as is_exceptional,
        movements.controls_count - case when departures.departure is null then 0 else 1 end as controls_count,
        cast(
            case
                when departures.departure is null then movements.movement
                when movements.controls_count % 2 = 0 and departures.departure <= movements.value_before
                    then movements.value_middle
                when movements.controls_count % 2 = 0 then movements.value_before
                when departures.departure > movements.value_middle
                    then (movements.value_before + movements.value_middle) / 2
                when departures.departure < movements.value_middle
                    then (movements.value_middle + movements.value_after) / 2
                else (movements.value_before + movements.value_after) / 2
            end as decimal(9, 6)
        ) as movement
    from whole
    left join judged_days
        on whole.source = judged_days.source
        and whole.measure = judged_days.measure
        and whole.day_on = judged_days.day_on
    left join movements
        on whole.source = movements.source
        and whole.measure = movements.measure
        and whole.day_on = movements.day_on
    left join departures
        on whole.source = departures.source
        and whole.counter_id = departures.counter_id
        and whole.direction = departures.direction
        and whole.measure = departures.measure
        and whole.day_on = departures.day_on
),

judged as (
    select
        *,
        case
            when usual_hours < most_usual_hours then 'unlike_hours'
            when is_exceptional then 'exceptional'
            when coalesce(controls_count, 0) < {{ effect_setting('least_controls') }} then 'no_control'
        end as left_out
    from moved
),

-- Sums of squares and products about the means of each day of the week.
weekly_sums as (
    select
        source,
        counter_id,
        direction,
        measure,
        weekday,
        count(*) as n,
        cast(sum(day_no * day_no) - sum(day_no) * sum(day_no) / count(*) as double) as tt,
        cast(sum(day_no * movement) - sum(day_no) * sum(movement) / count(*) as double) as tx,
        cast(sum(day_no * (day_log - movement)) - sum(day_no) * sum(day_log - movement) / count(*) as double) as ty,
        cast(sum(movement * movement) - sum(movement) * sum(movement) / count(*) as double) as xx,
        cast(sum(movement * (day_log - movement)) - sum(movement) * sum(day_log - movement) / count(*) as double) as xy,
        cast(
            sum((day_log - movement) * (day_log - movement))
            - sum(day_log - movement) * sum(day_log - movement) / count(*) as double
        ) as yy
    from judged
    where is_clear and left_out is null
    group by source, counter_id, direction, measure, weekday
),

sums as (
    select
        source,
        counter_id,
        direction,
        measure,
        {% for name in ['tt', 'tx', 'ty', 'xx', 'xy', 'yy'] %}
            list_sum(list({{ name }} order by weekday)) as {{ name }},
        {% endfor %}
        sum(n) as n
    from weekly_sums
    group by source, counter_id, direction, measure
),

-- The prior on the loading counts as so much movement seen.
beside_slopes as (
    select
        source,
        counter_id,
        direction,
        measure,
        greatest(xx - coalesce(tx * tx / nullif(tt, 0), 0), 0) as xx,
        xy - coalesce(tx * ty / nullif(tt, 0), 0) as xy,
        greatest(yy - coalesce(ty * ty / nullif(tt, 0), 0), 0) / greatest(n - 8, 1) as day_variance
    from sums
),

drawn as (
    select
        *,
        nullif(xx + day_variance / power({{ effect_setting('loading_spread') }}, 2), 0) as movement_seen
    from beside_slopes
),

loadings as (
    select
        source,
        counter_id,
        direction,
        measure,
        1 + coalesce(xy / movement_seen, 0) as loading,
        coalesce(day_variance / movement_seen, 0) as loading_variance
    from drawn
)

select
    judged.source,
    judged.counter_id,
    judged.direction,
    judged.measure,
    judged.day_on,
    cast(judged.day_no as integer) as day_no,
    judged.weekday,
    judged.spell_from_on,
    judged.works_hash,
    judged.is_clear,
    cast(coalesce(judged.controls_count, 0) as integer) as controls_count,
    judged.left_out,
    judged.measured_hours,
    judged.day_log,
    judged.movement,
    cast(coalesce(loadings.loading, 1) as decimal(9, 6)) as loading,
    cast(
        coalesce(loadings.loading_variance, power({{ effect_setting('loading_spread') }}, 2)) as decimal(12, 9)
    ) as loading_variance,
    cast(
        case
            when judged.left_out is null
                then judged.day_log - cast(coalesce(loadings.loading, 1) as decimal(9, 6)) * judged.movement
        end as decimal(9, 6)
    ) as level_log
from judged
left join loadings
    on judged.source = loadings.source
    and judged.counter_id = loadings.counter_id
    and judged.direction = loadings.direction
    and judged.measure = loadings.measure
