-- The cells of yearly production that producers publish. A network without voltage has none to tell: not_applicable; an
-- electric source that does not tell domains apart gives them all. Districts are told by their code. Nothing is added
-- up here, and no city is made of districts: no producer changes its level from one year to the next.
select
    source,
    cast(year as integer) as year,
    case
        when zone_level = 'commune' and {{ whole_city_of('zone_code') }} is not null then 'municipal_district'
        else zone_level
    end as zone_level,
    zone_code,
    zone_name,
    commune_code,
    carrier,
    energy_source,
    coalesce(voltage_domain, case when carrier = 'electricity' then 'all' else 'not_applicable' end) as voltage_domain,
    operator,
    sites,
    sites_status,
    production_mwh,
    production_status
from {{ ref('int_energy__production_records') }}
