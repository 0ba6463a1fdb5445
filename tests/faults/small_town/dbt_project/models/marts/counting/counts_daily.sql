{{ config(by_period=true, period_column='period_month') }}

select
    cast('town_counts' as varchar) as source,
    counter_id,
    day_on,
    vehicles,
    period_month
from {{ ref('stg_counting__town_counts') }}
where {{ in_stale('period_month') }}
