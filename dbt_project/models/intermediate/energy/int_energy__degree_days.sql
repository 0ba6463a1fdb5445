-- Heating degree days by station and year, as the ministry's statistical service computes them (SDES, « Évaluation des
-- degrés-jours unifiés au niveau régional et départemental », notice of January 2021): the mean temperature of a day is
-- half the sum of its extremes; a day counts for what this mean lacks to 17 °C; the days of the heating season are
-- added up, January to May and October to December. Enedis and the Cegibat count otherwise (other bases, all the year):
-- their figures are not comparable with these.
--
-- A season that lacks a day has no degree days: a mild week lost in January would pass for a mild winter. A temperature
-- that Météo-France holds for doubtful (quality 2) is lost as well. Sums in tenths, as the stations measure; halved
-- last.
with days as (
    select
        station_id,
        station_name,
        lon,
        lat,
        day_on,
        cast(date_part('year', day_on) as integer) as year,
        cast(min_temperature_c as decimal(6, 1)) + cast(max_temperature_c as decimal(6, 1)) as twice_mean_c
    from {{ ref('stg_energy__meteofrance_temperatures_quotidiennes') }}
    where date_part('month', day_on) not between 6 and 9 and not is_doubtful
),

seasons as (
    select
        station_id,
        arg_max(station_name, day_on) as station_name,
        arg_max(lon, day_on) as lon,
        arg_max(lat, day_on) as lat,
        year,
        cast(count(twice_mean_c) as integer) as known_days,
        cast(sum(greatest(0, 34 - twice_mean_c)) as double) / 2 as degree_days_c_d
    from days
    group by station_id, year
),

judged as (
    select
        *,
        case when date_part('day', last_day(make_date(year, 2, 1))) = 29 then 244 else 243 end as season_days
    from seasons
    where known_days > 0
)

select
    station_id,
    station_name,
    lon,
    lat,
    year,
    season_days,
    known_days,
    known_days = season_days as is_complete,
    case when known_days = season_days then degree_days_c_d end as degree_days_c_d
from judged
