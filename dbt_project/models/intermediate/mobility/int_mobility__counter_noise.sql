{%- set lags = effect_setting('correlation_days') | int -%}
{%- set sill_lags = effect_setting('sill_days') | int -%}
-- How the days of a counter hang together: the correlation of its level with that of 1 to 28 days later, on its days
-- without works, beside its week and slope. Windows of works play no part in it.
--
-- By the variogram: half the mean square difference of days k apart is 1 - correlation(k) of its sill, taken over lags
-- 29 to 42. Differences do not depend on the mean, so that short series bear no bias from it (Cressie, Statistics for
-- Spatial Data, 1993, 2.4); what week, slope and loading take from the sill is given back. A counter's own correlations
-- are drawn towards those of its source (weight of 40 pairs), then cut at the first that is not positive and made to
-- fall (initial monotone sequence: Geyer, Statistical Science, 1992).
with clear as (
    select
        source,
        counter_id,
        direction,
        measure,
        day_on,
        day_no,
        weekday,
        level_log
    from {{ ref('int_mobility__counter_day_levels') }}
    where is_clear and left_out is null
),

weekly as (
    select
        *,
        cast(avg(level_log) over (
            partition by source, counter_id, direction, measure, weekday
        ) as decimal(9, 6)) as week_level
    from clear
),

slopes as (
    select
        source,
        counter_id,
        direction,
        measure,
        avg(day_no) as mean_day_no,
        coalesce(
            cast(
                count(*) * sum(day_no * (level_log - week_level)) - sum(day_no) * sum(level_log - week_level) as double
            )
            / nullif(count(*) * sum(day_no * day_no) - sum(day_no) * sum(day_no), 0),
            0
        ) as slope
    from weekly
    group by source, counter_id, direction, measure
),

straight as (
    select
        weekly.* exclude (level_log, week_level),
        weekly.level_log - cast(slopes.slope * (weekly.day_no - slopes.mean_day_no) as decimal(9, 6)) as level_log
    from weekly
    inner join slopes
        on weekly.source = slopes.source
        and weekly.counter_id = slopes.counter_id
        and weekly.direction = slopes.direction
        and weekly.measure = slopes.measure
),

departures as (
    select
        *,
        cast(level_log as double) - avg(level_log) over (
            partition by source, counter_id, direction, measure, weekday
        ) as departure,
        coalesce(
            lead(day_no) over (partition by source, counter_id, direction, measure order by day_no) - day_no, 1
        ) as gap
    from straight
),

series as (
    select
        source,
        counter_id,
        direction,
        measure,
        count(*) as clear_days,
        list(struct_pack(gap := gap, departure := departure) order by day_no) as days
    from departures
    group by source, counter_id, direction, measure
),

filled as (
    select
        * exclude (days),
        {{ daily_list('days', 'day.departure') }} as departures,
        {{ daily_list('days', 'day.departure * day.departure') }} as squares,
        {{ daily_list('days', 'cast(1 as double)') }} as kept
    from series
),

lagged as (
    select
        *,
        {{ lag_products('departures', 'departures', lags + sill_lags) }} as products,
        {{ lag_products('squares', 'kept', lags + sill_lags) }} as squares_before,
        {{ lag_products('kept', 'squares', lags + sill_lags) }} as squares_after,
        {{ lag_products('kept', 'kept', lags + sill_lags) }} as pairs
    from filled
),

variograms as (
    select
        source,
        counter_id,
        direction,
        measure,
        clear_days,
        unnest(range(1, len(pairs) + 1)) as lag,
        unnest(pairs) as pairs,
        unnest(squares_before) / 2 + unnest(squares_after) / 2 - unnest(products) as half_squares
    from lagged
),

-- Counters weigh by their days and not by their noise: each is first brought to the same scale.
sills as (
    select
        source,
        counter_id,
        direction,
        measure,
        clear_days,
        sum(cast(half_squares as decimal(24, 12))) / sum(pairs) as scale,
        cast(sum(cast(half_squares as decimal(24, 12))) filter (where lag > {{ lags }}) as double)
        / sum(pairs) filter (where lag > {{ lags }}) as sill
    from variograms
    group by source, counter_id, direction, measure, clear_days
    having sum(pairs) filter (where lag > {{ lags }}) >= {{ effect_setting('least_sill_pairs') }}
        and sum(cast(half_squares as decimal(24, 12))) filter (where lag > {{ lags }}) > 0
),

scaled as (
    select
        variograms.*,
        sills.sill,
        cast(variograms.half_squares / sills.scale as decimal(24, 12)) as scaled_half_squares
    from variograms
    inner join sills
        on variograms.source = sills.source
        and variograms.counter_id = sills.counter_id
        and variograms.direction = sills.direction
        and variograms.measure = sills.measure
),

pooled as (
    select
        source,
        measure,
        lag,
        cast(sum(scaled_half_squares) as double) / sum(pairs) as pooled_variogram,
        avg(clear_days) as mean_clear_days
    from scaled
    group by source, measure, lag
    having sum(pairs) > 0
),

pooled_sills as (
    select
        *,
        avg(cast(pooled_variogram as decimal(18, 12))) filter (where lag > {{ lags }}) over (
            partition by source, measure
        ) as pooled_sill
    from pooled
),

falling as (
    select
        *,
        greatest(
            min(1 - pooled_variogram / pooled_sill) over (partition by source, measure order by lag), 0
        ) as correlation
    from pooled_sills
),

-- Slope and loading, two directions of slow movement, have taken from the variance what their length of correlation
-- says.
biases as (
    select
        *,
        1 + 2 * cast(sum(cast(correlation as decimal(12, 9))) filter (where lag <= {{ lags }}) over (
            partition by source, measure
        ) as double) as correlation_length
    from falling
),

every_series as (
    select distinct
        source,
        counter_id,
        direction,
        measure
    from {{ ref('int_mobility__counter_day_levels') }}
),

mixed as (
    select
        every_series.source,
        every_series.counter_id,
        every_series.direction,
        every_series.measure,
        biases.lag,
        scaled.clear_days,
        first_lag.pairs / (first_lag.pairs + {{ effect_setting('pooling_pairs') }}) as own_weight,
        1 - biases.pooled_variogram
        / (biases.pooled_sill * (1 + 2 * biases.correlation_length / biases.mean_clear_days)) as source_correlation,
        1 - scaled.half_squares / nullif(scaled.pairs, 0)
        / (scaled.sill * (1 + 2 * biases.correlation_length / scaled.clear_days)) as own_correlation
    from every_series
    inner join biases
        on every_series.source = biases.source and every_series.measure = biases.measure
    left join scaled
        on every_series.source = scaled.source
        and every_series.counter_id = scaled.counter_id
        and every_series.direction = scaled.direction
        and every_series.measure = scaled.measure
        and biases.lag = scaled.lag
    left join scaled as first_lag
        on every_series.source = first_lag.source
        and every_series.counter_id = first_lag.counter_id
        and every_series.direction = first_lag.direction
        and every_series.measure = first_lag.measure
        and first_lag.lag = 1
    where biases.lag <= {{ lags }}
),

drawn as (
    select
        source,
        counter_id,
        direction,
        measure,
        lag,
        coalesce(clear_days, 0) as clear_days,
        least(greatest(min(
            case
                when own_correlation is null then source_correlation
                else own_weight * own_correlation + (1 - own_weight) * source_correlation
            end
        ) over (partition by source, counter_id, direction, measure order by lag), 0), 0.99) as correlation
    from mixed
)

select
    source,
    counter_id,
    direction,
    measure,
    cast(max(clear_days) as integer) as clear_days,
    list(cast(correlation as decimal(7, 6)) order by lag) as correlations
from drawn
group by source, counter_id, direction, measure
