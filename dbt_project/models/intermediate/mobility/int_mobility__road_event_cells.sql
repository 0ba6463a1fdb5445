{{ config(by_period=true, period_column='period_month', reads=['geometry']) }}

-- The commune of each cell of a thousandth of a degree (about 100 m) in which an event was: that of the cell's middle.
-- A jam has another middle point at every snapshot, and asking for the commune of each would cost more than it tells.
with cells as (
    select distinct
        period_month,
        cast(cast(lon as decimal(7, 3)) as double) as lon,
        cast(cast(lat as decimal(7, 3)) as double) as lat
    from {{ ref('int_mobility__road_records') }}
    where record_type in ('alert', 'jam', 'irregularity')
        and lon is not null
        and lat is not null
        and {{ in_stale('period_month') }}
)

select
    located.period_month,
    located.lon,
    located.lat,
    located.commune_code,
    located.commune_vintage
from {{ communes_of_points('cells', ['period_month', 'lon', 'lat']) }} as located
