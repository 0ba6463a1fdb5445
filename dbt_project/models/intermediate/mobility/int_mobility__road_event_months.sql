{{ config(by_period=true, period_column='period_month') }}

-- What each event was over the snapshots of one month: the part of its history that a new delivery may change.
with seen as (
    select *
    from {{ ref('int_mobility__road_records') }}
    where record_type in ('alert', 'jam', 'irregularity') and {{ in_stale('period_month') }}
)

select
    source,
    record_type,
    event_id,
    period_month,
    min(snapshot_start_at) as first_seen_at,
    max(snapshot_start_at) as last_seen_at,
    count(*) as snapshots_seen,
    min(first_published_at) as first_published_at,
    arg_max(event_type, snapshot_start_at) as event_type,
    arg_max(event_subtype, snapshot_start_at) as event_subtype,
    arg_max(street, snapshot_start_at) as street,
    max(level) as level_max,
    bool_or(is_closed) as was_closed,
    count(delay_s) as delays_known,
    sum(cast(delay_s as decimal(18, 3))) as delay_sum_s,
    max(length_m) as length_max_m
from seen
group by source, record_type, event_id, period_month
