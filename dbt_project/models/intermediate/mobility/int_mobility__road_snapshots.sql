{{ config(by_period=true, period_column='period_month') }}

-- The snapshots that stand for their hour: of each slot of the feed's rhythm the first. A feed polled more often than
-- it is renewed, or by two hands, does not count twice; a slot without a snapshot was not seen, which is not the same
-- as nothing to see.
with snapshots as (
    select
        source,
        snapshot_start_at,
        date_trunc('hour', snapshot_start_at) as hour_start_at,
        period_month,
        {{ quotient('date_part(\'minute\', snapshot_start_at)', snapshot_minutes()) }} as slot
    from {{ ref('int_mobility__road_records') }}
    where record_type = 'snapshot' and {{ in_stale('period_month') }}
)

select
    source,
    hour_start_at,
    slot,
    period_month,
    min(snapshot_start_at) as snapshot_start_at
from snapshots
group by source, hour_start_at, slot, period_month
