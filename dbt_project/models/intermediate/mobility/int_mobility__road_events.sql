-- The history of each event, from snapshots that only show the present: the same identifier is the same event, also
-- after snapshots that missed it. `is_over` says that a later snapshot of its feed no longer shows it.
with months as (
    select * from {{ ref('int_mobility__road_event_months') }}
),

latest as (
    select
        source,
        max(snapshot_start_at) as last_snapshot_at
    from {{ ref('int_mobility__road_snapshots') }}
    group by source
),

events as (
    select
        source,
        record_type,
        event_id,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at,
        cast(sum(snapshots_seen) as bigint) as snapshots_seen,
        min(first_published_at) as first_published_at,
        arg_max(event_type, last_seen_at) as event_type,
        arg_max(event_subtype, last_seen_at) as event_subtype,
        arg_max(street, last_seen_at) as street,
        max(level_max) as level_max,
        bool_or(was_closed) as was_closed,
        cast(sum(delay_sum_s) as double) / nullif(sum(delays_known), 0) as delay_s,
        max(length_max_m) as length_max_m
    from months
    group by source, record_type, event_id
)

select
    events.source,
    events.record_type,
    events.event_id,
    events.event_type,
    events.event_subtype,
    events.street,
    events.first_published_at,
    events.first_seen_at,
    events.last_seen_at,
    events.snapshots_seen,
    events.level_max,
    events.was_closed,
    events.delay_s,
    events.length_max_m,
    coalesce(events.last_seen_at < latest.last_snapshot_at, false) as is_over
from events
left join latest on events.source = latest.source
