{%- set lags = effect_setting('correlation_days') | int -%}
{{ config(by_period=true, period_column='period_third') }}

-- By how much the level of a counter during a spell of works departs from that of the days to which it compares, in
-- logarithm, with the variance of that departure.
--
-- Comparable days: those of the same counter, up to 91 days before and after, on which the works within reach were a
-- part of those of the spell: none at all where there are 14 such days, else the largest part with as many. What
-- differs between the two is what the estimate is of.
--
-- Least squares on: the spell, the day of the week, a slope. The estimate is a weighted sum of days whose weights are
-- known beforehand, so that its variance is that of a day times the sum over pairs of days of weight x weight x
-- correlation (int_mobility__counter_noise), plus what is not known of the loading. The variance of a day is read from
-- the residuals, by their expectation under that correlation; the degrees of freedom are those of Satterthwaite.
--
-- Kept by the third of a month in which the spell starts, which bounds the memory; days and correlations count for
-- every part.
with spells as (
    select
        source,
        counter_id,
        from_on,
        to_on,
        site_keys,
        period_third
    from {{ ref('int_mobility__works_spells') }}
),

days as (
    select
        source,
        counter_id,
        direction,
        measure,
        day_on,
        day_no,
        weekday,
        coalesce(spell_from_on, date '1900-01-01') as spell_from_on,
        controls_count,
        measured_hours,
        day_log,
        movement,
        loading_variance,
        level_log
    from {{ ref('int_mobility__counter_day_levels') }}
    where left_out is null
),

spell_days as (
    select
        days.*,
        spells.to_on,
        spells.site_keys,
        spells.period_third
    from days
    inner join spells
        on days.source = spells.source
        and days.counter_id = spells.counter_id
        and days.spell_from_on = spells.from_on
    where len(spells.site_keys) > 0 and {{ in_stale('spells.period_third') }}
),

-- A number stands for a spell and measure from here on: millions of days are gathered by it.
measured_spells as (
    select
        source,
        counter_id,
        direction,
        measure,
        spell_from_on,
        any_value(to_on) as to_on,
        any_value(site_keys) as site_keys,
        any_value(period_third) as period_third,
        row_number() over (order by source, counter_id, direction, measure, spell_from_on) as spell_no
    from spell_days
    group by source, counter_id, direction, measure, spell_from_on
    having count(*) >= {{ effect_setting('least_spell_days') }}
),

-- Other spells of the counter, near in time, whose works are a part of this one's.
parts as (
    select
        measured_spells.* exclude (site_keys),
        spells.from_on as part_from_on,
        spells.site_keys as part_keys,
        dense_rank() over (partition by measured_spells.spell_no order by spells.site_keys) as part_no
    from measured_spells
    inner join spells
        on measured_spells.source = spells.source
        and measured_spells.counter_id = spells.counter_id
        and spells.from_on <= measured_spells.to_on + {{ effect_setting('season_days') }}
        and spells.to_on >= measured_spells.spell_from_on - {{ effect_setting('season_days') }}
    where len(spells.site_keys) < len(measured_spells.site_keys)
        and list_has_all(measured_spells.site_keys, spells.site_keys)
),

candidates as (
    select
        parts.spell_no,
        parts.part_no,
        len(parts.part_keys) as part_sites,
        0 as in_spell,
        days.day_no,
        days.weekday,
        days.controls_count,
        days.measured_hours,
        cast(null as decimal(9, 6)) as day_log,
        days.movement,
        days.loading_variance,
        days.level_log
    from parts
    inner join days
        on parts.source = days.source
        and parts.counter_id = days.counter_id
        and parts.direction = days.direction
        and parts.measure = days.measure
        and parts.part_from_on = days.spell_from_on
        and days.day_on between parts.spell_from_on - {{ effect_setting('season_days') }}
        and parts.to_on + {{ effect_setting('season_days') }}
),

ranked as (
    select
        spell_no,
        part_no,
        row_number() over (
            partition by spell_no
            order by part_sites = 0 desc, part_sites desc, count(*) desc, part_no
        ) as preference
    from candidates
    group by spell_no, part_no, part_sites
    having count(*) >= {{ effect_setting('least_baseline_days') }}
),

baselines as (
    select
        spell_no,
        part_no
    from ranked
    where preference = 1
),

compared as (
    select candidates.* exclude (part_no, part_sites)
    from candidates
    inner join baselines on candidates.spell_no = baselines.spell_no and candidates.part_no = baselines.part_no
    union all
    select
        measured_spells.spell_no,
        1 as in_spell,
        spell_days.day_no,
        spell_days.weekday,
        spell_days.controls_count,
        spell_days.measured_hours,
        spell_days.day_log,
        spell_days.movement,
        spell_days.loading_variance,
        spell_days.level_log
    from spell_days
    inner join measured_spells
        on spell_days.source = measured_spells.source
        and spell_days.counter_id = measured_spells.counter_id
        and spell_days.direction = measured_spells.direction
        and spell_days.measure = measured_spells.measure
        and spell_days.spell_from_on = measured_spells.spell_from_on
    inner join baselines on measured_spells.spell_no = baselines.spell_no
),

weeks as (
    select
        spell_no,
        weekday,
        count(*) as n,
        avg(in_spell) as in_spell,
        avg(day_no) as day_no,
        avg(level_log) as level_log
    from compared
    group by spell_no, weekday
),

-- Beside the day of the week: each value less its mean over the days of its name.
weekly as (
    select
        compared.*,
        compared.in_spell - weeks.in_spell as spell_part,
        compared.day_no - weeks.day_no as time_part,
        cast(compared.level_log as double) - weeks.level_log as level_part,
        1 / sqrt(weeks.n) as week_part,
        coalesce(
            lead(compared.day_no) over (partition by compared.spell_no order by compared.day_no) - compared.day_no, 1
        ) as gap
    from compared
    inner join weeks on compared.spell_no = weeks.spell_no and compared.weekday = weeks.weekday
),

series as (
    select
        spell_no,
        count(*) as kept_days,
        bit_count(bit_or(1 << weekday)) as weekdays,
        count(*) filter (where in_spell = 1) as spell_days_kept,
        count(*) filter (where in_spell = 0) as baseline_days_kept,
        min(controls_count) as control_counters,
        sum(measured_hours) as hours_compared,
        avg(cast(exp(day_log) as decimal(18, 6))) filter (where in_spell = 1) as observed,
        max(loading_variance) as loading_variance,
        list(
            {
                'gap': gap,
                'spell': spell_part,
                'time': time_part,
                'level': level_part,
                'week': week_part,
                'movement': cast(movement as double)
            }
            order by day_no
        ) as days
    from weekly
    group by spell_no
),

filled as (
    select
        * exclude (days),
        {{ daily_list('days', 'day.spell') }} as spell_parts,
        {{ daily_list('days', 'day.time') }} as time_parts,
        {{ daily_list('days', 'day.level') }} as level_parts,
        {{ daily_list('days', 'day.week') }} as week_parts,
        {{ daily_list('days', 'day.movement') }} as movements
    from series
),

-- Beside the slope: the spell's own part, whose multiples are the weights.
crossed as (
    select
        *,
        list_dot_product(time_parts, time_parts) as time_square,
        list_dot_product(spell_parts, time_parts) as spell_time,
        list_dot_product(level_parts, time_parts) as level_time
    from filled
),

sloped as (
    select
        *,
        list_transform(
            list_zip(spell_parts, time_parts),
            pair -> pair[1] - coalesce(spell_time / nullif(time_square, 0), 0) * pair[2]
        ) as own_parts,
        list_dot_product(level_parts, level_parts)
        - coalesce(level_time * level_time / nullif(time_square, 0), 0) as level_square
    from crossed
),

fitted as (
    select
        sloped.*,
        measured_spells.source,
        measured_spells.counter_id,
        measured_spells.direction,
        measured_spells.measure,
        measured_spells.spell_from_on,
        measured_spells.period_third,
        cast(noise.correlations as double[]) as correlations,
        list_dot_product(sloped.own_parts, sloped.own_parts) as own_square,
        list_dot_product(sloped.own_parts, sloped.level_parts) as own_level,
        list_dot_product(sloped.own_parts, sloped.movements) as own_movement,
        {{ lag_products('sloped.own_parts', 'sloped.own_parts', lags) }} as own_products,
        {{ lag_products('sloped.time_parts', 'sloped.time_parts', lags) }} as time_products,
        -- Days of one name are whole weeks apart: other lags say nothing of the means by day of the week.
        list_transform(
            {{ lag_products('sloped.week_parts', 'sloped.week_parts', lags) }},
            (product, lag) -> case when lag % 7 = 0 then product else 0 end
        ) as week_products
    from sloped
    inner join measured_spells on sloped.spell_no = measured_spells.spell_no
    left join {{ ref('int_mobility__counter_noise') }} as noise
        on measured_spells.source = noise.source
        and measured_spells.counter_id = noise.counter_id
        and measured_spells.direction = noise.direction
        and measured_spells.measure = noise.measure
),

spread as (
    select
        *,
        own_level / own_square as departure,
        {{ correlated_square('own_parts', 'own_products', 'correlations') }} / own_square as own_correlated,
        -- What the fitted directions take from the residuals, in variances of a day.
        {{ correlated_square('own_parts', 'own_products', 'correlations') }} / own_square
        + coalesce(
            {{ correlated_square('time_parts', 'time_products', 'correlations') }} / nullif(time_square, 0), 0
        )
        + {{ correlated_square('week_parts', 'week_products', 'correlations') }} as taken,
        greatest(level_square - own_level * own_level / own_square, 0) as residual_square,
        1 + 2 * list_dot_product(correlations, correlations) as squared_correlations,
        kept_days - weekdays - 2 as free_days
    from fitted
    where own_square > 0.000001
),

baseline_keys as (
    select
        parts.spell_no,
        any_value(parts.part_keys) as part_keys
    from parts
    inner join baselines on parts.spell_no = baselines.spell_no and parts.part_no = baselines.part_no
    group by parts.spell_no
)

select
    spread.source,
    spread.counter_id,
    spread.direction,
    spread.measure,
    spread.spell_from_on,
    baseline_keys.part_keys as baseline_keys,
    cast(spell_days_kept as integer) as spell_days_kept,
    cast(baseline_days_kept as integer) as baseline_days_kept,
    cast(control_counters as integer) as control_counters,
    cast(hours_compared as integer) as hours_compared,
    correlations is not null as noise_is_known,
    observed,
    cast(departure as decimal(12, 9)) as departure,
    cast(
        case
            when kept_days - taken > 0 and free_days > 0
                then
                    residual_square / (kept_days - taken) * own_correlated / own_square
                    + cast(loading_variance as double) * power(own_movement / own_square, 2)
        end as decimal(18, 12)
    ) as departure_variance,
    cast(
        case
            when kept_days - taken > 0 and free_days > 0
                then power(kept_days - taken, 2) / (free_days * squared_correlations)
        end as decimal(12, 6)
    ) as freedom,
    -- A run of correlated days tells as much as so many independent ones.
    cast(spell_days_kept / own_correlated as decimal(12, 6)) as effective_days,
    spread.period_third
from spread
inner join baseline_keys on spread.spell_no = baseline_keys.spell_no
