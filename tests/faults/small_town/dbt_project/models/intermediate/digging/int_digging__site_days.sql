select
    sites.site_id,
    cast(count(days.day_on) as integer) as counted_days,
    cast(sum(days.vehicles) as bigint) as vehicles
from {{ ref('stg_digging__town_sites') }} as sites
left join {{ ref('int_counting__town_days') }} as days on days.day_on between sites.start_on and sites.end_on
group by sites.site_id
