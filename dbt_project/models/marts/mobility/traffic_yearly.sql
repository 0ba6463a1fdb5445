{{ config(reads=['geometry']) }}

-- Mean daily traffic of the year (moyenne journalière annuelle, MJA) by its strict definition: vehicles of the complete
-- months over the days of these months. A day is complete when it has every hour that its source can publish (23 in
-- spring; 25 in autumn, or 24 where one of the two hours of the same name is lost); a month, when all its days are. A
-- nought that is silence is no hour (int_mobility__traffic_days). The mean of working days (moyenne des jours ouvrés,
-- MJO) is taken over the same months, with the holidays of the counter's département. Means are never added:
-- vehicle-kilometres are, where the length of the section is known.
with days as (
    select * from {{ ref('int_mobility__traffic_days') }}
),

calendar as (
    select
        day_on,
        duration_hours,
        is_working_day,
        is_working_day_alsace_moselle
    from {{ ref('int_territory__calendar') }}
),

judged as (
    select
        days.source,
        days.counter_id,
        days.direction,
        days.vehicle_class,
        days.period_month,
        days.vehicles,
        case when laws.is_alsace_moselle then calendar.is_working_day_alsace_moselle else calendar.is_working_day end
            as is_working_day,
        days.whole_hours >= case
            when calendar.duration_hours = 25 and sources.repeated_hour = 'lost' then 24
            else calendar.duration_hours
        end as is_complete,
        cast(date_part('day', last_day(days.day_on)) as integer) as days_in_month
    from days
    inner join calendar on days.day_on = calendar.day_on
    left join {{ source('ops', 'sources') }} as sources on days.source = sources.source
    left join {{ ref('int_mobility__counter_holidays') }} as laws
        on days.source = laws.source and days.counter_id = laws.counter_id
),

months as (
    select
        source,
        counter_id,
        direction,
        vehicle_class,
        cast(substr(period_month, 1, 4) as integer) as year,
        count(*) filter (where is_complete) as complete_days,
        count(*) filter (where is_complete and is_working_day) as working_days,
        sum(vehicles) filter (where is_complete) as vehicles,
        sum(vehicles) filter (where is_complete and is_working_day) as vehicles_on_working_days,
        count(*) filter (where is_complete) = max(days_in_month) as is_complete
    from judged
    group by source, counter_id, direction, vehicle_class, period_month
),

years as (
    select
        source,
        counter_id,
        direction,
        vehicle_class,
        year,
        count(*) filter (where is_complete) as months_kept,
        coalesce(sum(complete_days) filter (where is_complete), 0) as days_kept,
        coalesce(sum(working_days) filter (where is_complete), 0) as working_days_kept,
        sum(complete_days) as complete_days,
        sum(vehicles) filter (where is_complete) as vehicles,
        sum(vehicles_on_working_days) filter (where is_complete) as vehicles_on_working_days
    from months
    group by source, counter_id, direction, vehicle_class, year
),

counters as (
    select
        source,
        counter_id,
        street,
        road_ref,
        lon,
        lat,
        cast(coalesce(length_m, nullif(geo_length_m(geometry), 0)) as decimal(12, 1)) as length_m,
        length_m is null as is_length_of_line
    from {{ ref('int_mobility__counters') }}
),

communes as (
    select * from {{ ref('int_mobility__counter_communes') }}
)

select
    years.source,
    years.counter_id,
    years.direction,
    years.vehicle_class,
    years.year,
    case
        when years.months_kept = 12 then 'complete_year'
        when years.months_kept > 0 then 'some_months'
        else 'no_complete_month'
    end as coverage_status,
    cast(years.months_kept as integer) as months_kept,
    cast(years.days_kept as integer) as days_kept,
    cast(years.working_days_kept as integer) as working_days_kept,
    cast(years.complete_days as integer) as complete_days,
    case when date_part('day', last_day(make_date(years.year, 2, 1))) = 29 then 366 else 365 end as days_in_year,
    cast(years.vehicles as double) / nullif(years.days_kept, 0) as mean_daily_traffic_veh_d,
    case when years.days_kept = 0 then 'not_available' else 'measured' end as mean_daily_traffic_status,
    cast(years.vehicles_on_working_days as double) / nullif(years.working_days_kept, 0)
        as mean_working_day_traffic_veh_d,
    case when years.working_days_kept = 0 then 'not_available' else 'measured' end as mean_working_day_traffic_status,
    cast(counters.length_m as double) as section_length_m,
    case
        when counters.length_m is null then 'not_available'
        when counters.is_length_of_line then 'estimated'
        else 'measured'
    end as section_length_status,
    cast(years.vehicles * counters.length_m as double) / 1000 / nullif(years.days_kept, 0)
        as traffic_volume_veh_km_d,
    case
        when counters.length_m is null or years.days_kept = 0 then 'not_available'
        when counters.is_length_of_line then 'estimated'
        else 'measured'
    end as traffic_volume_status,
    counters.street,
    counters.road_ref,
    communes.commune_code,
    communes.commune_vintage,
    counters.lon,
    counters.lat
from years
left join counters on years.source = counters.source and years.counter_id = counters.counter_id
left join communes on years.source = communes.source and years.counter_id = communes.counter_id
