-- The cells of yearly consumption that producers publish, with those of cities that are published by district only.
--
-- Floors: a cell that counts hidden ones, or fewer than twelve months, is a floor whatever its producer calls it.
--
-- Shares that follow the temperature: a zero is read as unknown. Where producers compute them they lie between 10 and
-- 41 % of households' electricity; where they do not they publish zeros, of tertiary sectors too.
--
-- Cities in districts: ORE publishes Lyon, Paris and Marseille by municipal districts until 2017 and whole from 2018.
-- The cells of a city in a year for which an operator gives only districts are theirs, floors when one of the districts
-- is not there at all; in a year for which it gives the city, none of its own come from districts. Each operator is
-- taken as it is: the transport network may name the city in a year when the distributor names districts. Districts
-- keep their own level: told by their code, since some producers call them communes.
with published as (
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
        sector,
        customer_category,
        operator,
        consumption_mwh,
        case
            when consumption_status in ('measured', 'estimated') and (secret_parts > 0 or months_known < 12)
                then 'partial'
            else consumption_status
        end as consumption_status,
        heating_value_basis,
        delivery_points,
        delivery_points_status,
        measured_share,
        nullif(heating_share, 0) as heating_share,
        coalesce(secret_parts, case when consumption_status = 'secret' then 1 else 0 end) as secret_parts,
        months_known
    from {{ ref('int_energy__consumption_records') }}
),

districts as (
    select
        *,
        {{ whole_city_of('zone_code') }} as city_code
    from published
    where zone_level = 'municipal_district'
),

whole_cities as (
    select distinct
        source,
        carrier,
        year,
        operator,
        zone_code as city_code
    from published
    where zone_level = 'commune'
),

sizes as (
    select
        city_code,
        size
    from (values ('75056', 20), ('69123', 9), ('13055', 16)) as cities (city_code, size)
),

parted_cities as (
    select
        districts.source,
        districts.carrier,
        districts.year,
        districts.city_code,
        count(distinct districts.zone_code) < max(sizes.size) as lacks_districts
    from districts
    inner join sizes on districts.city_code = sizes.city_code
    group by districts.source, districts.carrier, districts.year, districts.city_code
)

select
    *,
    false as is_of_district
from published
union all
select
    districts.source,
    districts.year,
    'commune' as zone_level,
    districts.city_code as zone_code,
    cast(null as varchar) as zone_name,
    districts.city_code as commune_code,
    districts.carrier,
    districts.sector,
    districts.customer_category,
    districts.operator,
    districts.consumption_mwh,
    case
        when parted_cities.lacks_districts and {{ is_known('districts.consumption_status') }} then 'partial'
        else districts.consumption_status
    end as consumption_status,
    districts.heating_value_basis,
    districts.delivery_points,
    case
        when parted_cities.lacks_districts and {{ is_known('districts.delivery_points_status') }} then 'partial'
        else districts.delivery_points_status
    end as delivery_points_status,
    districts.measured_share,
    districts.heating_share,
    districts.secret_parts,
    districts.months_known,
    true as is_of_district
from districts
inner join parted_cities
    on districts.source = parted_cities.source
    and districts.carrier = parted_cities.carrier
    and districts.year = parted_cities.year
    and districts.city_code = parted_cities.city_code
left join whole_cities
    on districts.source = whole_cities.source
    and districts.carrier = whole_cities.carrier
    and districts.year = whole_cities.year
    and districts.operator is not distinct from whole_cities.operator
    and districts.city_code = whole_cities.city_code
where whole_cities.city_code is null
