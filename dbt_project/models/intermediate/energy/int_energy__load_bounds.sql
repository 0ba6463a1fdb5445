-- The months between which the load of a zone is known, per source. Only months: what changes every day here would have
-- every month of the load built again every day.
select
    source,
    zone_level,
    zone_code,
    max(zone_name) as zone_name,
    min(period_month) as first_month,
    max(period_month) as last_month
from {{ ref('int_energy__loads') }}
where load_status <> 'not_available'
group by source, zone_level, zone_code
