-- Indices of payments by foreign cards, as delivered, level by level: a region is never made of its departments, a
-- total never of its countries. An index has no weight: it does not add up, has no mean over zones or countries, and
-- gives no share. It is compared with itself, in two ways, and only on one base: 100 is not the same of another.
--
-- Year on year: a month over the same month a year before, when both are there. That is what a month may be compared
-- with: the one before has another season.
--
-- Seasonal ratio: a month over the mean of the twelve months of its year, of the same zone and country. It takes a
-- whole year, and three whole years in the series: a single year tells its own events as much as its season. Sums in
-- decimals: a sum of doubles depends on the order in which an engine adds.
with delivered as (
    select
        source,
        zone_level,
        zone_code,
        month,
        card_country,
        value_index,
        value_status,
        volume_index,
        volume_status,
        unit,
        base_period,
        scope,
        market_share_min_pct,
        market_share_max_pct,
        substr(month, 1, 4) as year,
        cast(cast(substr(month, 1, 4) as integer) - 1 as varchar) || substr(month, 5) as month_before
    from {{ family('foreign_card_payments') }} as payments
),

years as (
    select
        source,
        zone_level,
        zone_code,
        card_country,
        year,
        base_period,
        {{ mean_of_twelve('value_index') }} as value_mean,
        {{ mean_of_twelve('volume_index') }} as volume_mean
    from delivered
    group by source, zone_level, zone_code, card_country, year, base_period
),

series as (
    select
        *,
        count(value_mean) over (partition by source, zone_level, zone_code, card_country, base_period) as value_years,
        count(volume_mean) over (partition by source, zone_level, zone_code, card_country, base_period) as volume_years
    from years
),

compared as (
    select
        delivered.*,
        before.value_status as value_status_before,
        before.volume_status as volume_status_before,
        before.month is not null and coalesce(delivered.base_period <> before.base_period, true) as is_of_other_base,
        case
            when delivered.base_period = before.base_period
                then (delivered.value_index / nullif(before.value_index, 0) - 1) * 100
        end as value_change_1y_pct,
        case
            when delivered.base_period = before.base_period
                then (delivered.volume_index / nullif(before.volume_index, 0) - 1) * 100
        end as volume_change_1y_pct,
        case when series.value_years >= 3 then delivered.value_index / nullif(series.value_mean, 0) end
            as value_seasonal_ratio,
        case when series.volume_years >= 3 then delivered.volume_index / nullif(series.volume_mean, 0) end
            as volume_seasonal_ratio,
        greatest(series.value_years, series.volume_years) as complete_years
    from delivered
    inner join series
        on delivered.source = series.source
        and delivered.zone_level = series.zone_level
        and delivered.zone_code = series.zone_code
        and delivered.card_country = series.card_country
        and delivered.year = series.year
        and delivered.base_period is not distinct from series.base_period
    left join delivered as before
        on delivered.source = before.source
        and delivered.zone_level = before.zone_level
        and delivered.zone_code = before.zone_code
        and delivered.card_country = before.card_country
        and delivered.month_before = before.month
)

select
    source,
    zone_level,
    zone_code,
    month,
    card_country,
    value_index,
    value_status,
    volume_index,
    volume_status,
    unit,
    base_period,
    value_change_1y_pct,
    case
        when is_of_other_base then 'not_applicable'
        else {{ change_status('value_change_1y_pct', 'value_status', 'value_status_before') }}
    end as value_change_1y_status,
    volume_change_1y_pct,
    case
        when is_of_other_base then 'not_applicable'
        else {{ change_status('volume_change_1y_pct', 'volume_status', 'volume_status_before') }}
    end as volume_change_1y_status,
    value_seasonal_ratio,
    {{ season_status('value_seasonal_ratio', 'value_status') }} as value_seasonal_status,
    volume_seasonal_ratio,
    {{ season_status('volume_seasonal_ratio', 'volume_status') }} as volume_seasonal_status,
    cast(complete_years as integer) as complete_years,
    scope,
    market_share_min_pct,
    market_share_max_pct
from compared
