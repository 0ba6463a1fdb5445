{{ config(reads=['territory']) }}

-- The station whose degree days correct the territory's consumption, and its normal: one row, none without
-- temperatures.
--
-- The normal is the mean over the complete seasons of 1991-2020, the period of the national figures since 2022. The
-- World Meteorological Organization (WMO-No. 1203) asks a normal for four years in five, 24 of 30, and calls a mean
-- over ten years or more a period average: a station with the first goes before one with the second, and below ten
-- years there is no reference. Then comes the station that has the most of the years of consumption (one that closed
-- corrects nothing), then the nearest to the middle of the territory's box. Altitudes are not corrected: the station is
-- named.
with stations as (
    select
        station_id,
        arg_max(station_name, year) as station_name,
        arg_max(lon, year) as lon,
        arg_max(lat, year) as lat,
        cast(count(*) filter (where is_complete and year between 1991 and 2020) as integer) as reference_years,
        min(year) filter (where is_complete and year between 1991 and 2020) as reference_first_year,
        max(year) filter (where is_complete and year between 1991 and 2020) as reference_last_year,
        cast(
            sum(cast(degree_days_c_d as decimal(12, 2))) filter (where is_complete and year between 1991 and 2020)
            as double
        ) as reference_sum_c_d
    from {{ ref('int_energy__degree_days') }}
    group by station_id
),

years as (
    select distinct year from {{ ref('int_energy__consumption_years') }}
),

covered as (
    select
        degree_days.station_id,
        count(*) as covered_years
    from {{ ref('int_energy__degree_days') }} as degree_days
    inner join years on degree_days.year = years.year
    where degree_days.is_complete
    group by degree_days.station_id
),

middle as (
    select
        (min_lon + max_lon) / 2 as lon,
        (min_lat + max_lat) / 2 as lat
    from {{ source('ops', 'territory') }}
),

ranked as (
    select
        stations.*,
        row_number() over (
            order by
                case when stations.reference_years >= 24 then 1 when stations.reference_years >= 10 then 2 else 3 end,
                coalesce(covered.covered_years, 0) desc,
                power((stations.lon - middle.lon) * cos(radians(middle.lat)), 2) + power(stations.lat - middle.lat, 2),
                stations.station_id
        ) as choice
    from stations
    cross join middle
    left join covered on stations.station_id = covered.station_id
)

select
    station_id,
    station_name,
    reference_years,
    reference_first_year,
    reference_last_year,
    case when reference_years >= 10 then reference_sum_c_d / reference_years end as reference_degree_days_c_d
from ranked
where choice = 1
