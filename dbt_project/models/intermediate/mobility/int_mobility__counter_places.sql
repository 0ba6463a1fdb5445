{{ config(by_period=true, period_column='period_month', reads=['territory']) }}

-- Where each counter said it was, month by month: the last place published with its measures. Places outside the
-- territory's box, or with longitude and latitude exchanged, are not places.
with hours as (
    select
        source,
        counter_id,
        period_month,
        hour_start_at,
        street,
        lon,
        lat,
        geometry
    from {{ ref('int_mobility__traffic_hours') }}
    where {{ in_stale('period_month') }}
),

last_said as (
    select
        source,
        counter_id,
        period_month,
        max(hour_start_at) as last_hour_at,
        arg_max(street, hour_start_at) as street,
        arg_max(lon, hour_start_at) filter (where lon is not null) as lon,
        arg_max(lat, hour_start_at) filter (where lon is not null) as lat,
        arg_max(geometry, hour_start_at) filter (where lon is not null) as geometry
    from hours
    group by source, counter_id, period_month
),

placed as (
    select
        *,
        {{ place_in_box('lon', 'lat') }} as place
    from last_said
)

select
    source,
    counter_id,
    period_month,
    last_hour_at,
    street,
    case when place = 'inside' then lon end as lon,
    case when place = 'inside' then lat end as lat,
    case when place = 'inside' then geometry end as geometry
from placed
