{{ config(by_period=true, period_column='period_month') }}

-- Congestion as a feed of road events shows it, by street, commune, direction and hour. A feed shows the present: what
-- was not polled is not known, and `snapshots_seen` of `snapshots_expected` says how much of the hour was. A street
-- without an event in an hour that was seen has no row: nothing was reported there, which is not proof of free flow.
-- Means are over the snapshots seen. A closed road has no delay and no queue: it is counted apart.
with records as not materialized (
    select
        *,
        coalesce(street, 'unknown') as street_name,
        record_type = 'jam' and not is_closed as is_jam,
        cast(cast(lon as decimal(7, 3)) as double) as cell_lon,
        cast(cast(lat as decimal(7, 3)) as double) as cell_lat
    from {{ ref('int_mobility__road_records') }}
    where record_type in ('alert', 'jam', 'irregularity') and {{ in_stale('period_month') }}
),

snapshots as (
    select
        source,
        snapshot_start_at,
        hour_start_at
    from {{ ref('int_mobility__road_snapshots') }}
    where {{ in_stale('period_month') }}
),

hours as (
    select
        source,
        hour_start_at,
        {{ legal_text('hour_start_at', var('time_zone', 'Europe/Paris')) }} as hour_start_local,
        cast(count(*) as integer) as snapshots_seen
    from snapshots
    group by source, hour_start_at
),

cells as (
    select
        period_month,
        lon,
        lat,
        commune_code,
        commune_vintage
    from {{ ref('int_mobility__road_event_cells') }}
    where {{ in_stale('period_month') }}
),

blocking as (
    select distinct
        source,
        period_month,
        blocking_alert_id
    from records
    where record_type = 'jam' and blocking_alert_id is not null
),

observed as (
    select
        records.source,
        records.street_name,
        cells.commune_code,
        cells.commune_vintage,
        records.direction,
        records.direction_basis,
        snapshots.hour_start_at,
        records.period_month,
        records.record_type,
        records.event_id,
        records.is_jam,
        records.level,
        case when records.is_jam then cast(records.delay_s as decimal(18, 3)) end as delay_s,
        case when records.is_jam then cast(records.length_m as decimal(18, 3)) end as length_m,
        records.lanes,
        -- A road closed by an alert of the feed is counted where its line is, the alert alone where no line is.
        case
            when not records.is_closed or blocking.blocking_alert_id is not null then null
            else coalesce(records.blocking_alert_id, records.event_id)
        end as closure_id
    from records
    inner join snapshots
        on records.source = snapshots.source and records.snapshot_start_at = snapshots.snapshot_start_at
    left join cells
        on records.period_month = cells.period_month
        and records.cell_lon = cells.lon
        and records.cell_lat = cells.lat
    left join blocking
        on records.record_type = 'alert'
        and records.source = blocking.source
        and records.period_month = blocking.period_month
        and records.event_id = blocking.blocking_alert_id
),

summed as (
    select
        source,
        street_name as street,
        commune_code,
        commune_vintage,
        direction,
        hour_start_at,
        period_month,
        min(direction_basis) as direction_basis,
        count(*) filter (where is_jam) as jams_seen,
        count(delay_s) as delays_known,
        sum(delay_s) as delay_sum_s,
        count(length_m) as lengths_known,
        sum(length_m) as length_sum_m,
        count(length_m) filter (where lanes is not null) as volumes_known,
        {{ hour_kilometres('length_m', 'lanes', snapshot_minutes()) }} as congestion_hkm,
        max(level) filter (where is_jam) as level_max,
        cast(count(distinct event_id) filter (where is_jam) as integer) as events_count,
        cast(count(distinct event_id) filter (where record_type = 'irregularity') as integer) as irregularities_count,
        cast(count(distinct event_id) filter (where record_type = 'alert') as integer) as alerts_count,
        cast(count(distinct closure_id) as integer) as closures_count
    from observed
    group by source, street_name, commune_code, commune_vintage, direction, hour_start_at, period_month
),

covered as (
    select
        summed.*,
        hours.hour_start_local,
        hours.snapshots_seen,
        {{ snapshots_per_hour() }} as snapshots_expected,
        case
            when hours.snapshots_seen >= {{ snapshots_per_hour() }} then 'measured' else 'estimated'
        end as known_status
    from summed
    inner join hours on summed.source = hours.source and summed.hour_start_at = hours.hour_start_at
)

select
    source,
    street,
    commune_code,
    commune_vintage,
    case when commune_code is not null then 'contour' end as commune_origin,
    direction,
    direction_basis,
    hour_start_at,
    hour_start_local,
    cast(delay_sum_s as double) / nullif(delays_known, 0) as delay_s,
    case
        when jams_seen = 0 then 'not_applicable'
        when delays_known = 0 then 'not_available'
        else known_status
    end as delay_status,
    case
        when jams_seen = 0 then 0
        when delays_known > 0 then cast(delay_sum_s as double) / snapshots_seen
    end as delay_per_snapshot_s,
    case
        when jams_seen = 0 then known_status
        when delays_known = 0 then 'not_available'
        when delays_known < jams_seen then 'partial'
        else known_status
    end as delay_per_snapshot_status,
    case
        when jams_seen = 0 then 0
        when lengths_known > 0 then cast(length_sum_m as double) / snapshots_seen
    end as length_jammed_m,
    case
        when jams_seen = 0 then known_status
        when lengths_known = 0 then 'not_available'
        when lengths_known < jams_seen then 'partial'
        else known_status
    end as length_status,
    case when volumes_known = jams_seen and jams_seen > 0 then congestion_hkm end as congestion_hkm,
    case
        when jams_seen = 0 then 'not_applicable'
        when volumes_known < jams_seen then 'not_available'
        when known_status = 'measured' then 'measured'
        else 'partial'
    end as congestion_status,
    level_max,
    events_count,
    irregularities_count,
    alerts_count,
    closures_count,
    snapshots_seen,
    snapshots_expected,
    cast(least(snapshots_seen, snapshots_expected) / snapshots_expected as decimal(5, 4)) as measured_share,
    period_month
from covered
