{{ config(by_period=true, period_column='period_month') }}

select
    day_on,
    period_month,
    cast(sum(vehicles) as bigint) as vehicles
from {{ ref('stg_counting__town_counts') }}
where {{ in_stale('period_month') }}
group by day_on, period_month
