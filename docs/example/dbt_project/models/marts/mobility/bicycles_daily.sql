select
    'voirie_passages_velos' as source,
    counter_id,
    day_on,
    passages_count,
    period_month
from {{ ref('stg_mobility__voirie_passages_velos') }}
