select
    cast('town_sites' as varchar) as source,
    sites.site_id,
    sites.start_on,
    sites.end_on,
    cast(len(sites.announced_versions) as integer) as announced_versions,
    sites.in_latest_snapshot,
    days.counted_days,
    days.vehicles
from {{ ref('stg_digging__town_sites') }} as sites
inner join {{ ref('int_digging__site_days') }} as days on sites.site_id = days.site_id
