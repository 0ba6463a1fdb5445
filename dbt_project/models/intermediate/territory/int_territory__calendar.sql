{{ config(reads=['as_of', 'territory']) }}

-- One row per date, from 1990 to the end of the second year after the data (so that a new day of data changes nothing
-- here before the year does). Public holidays are those of the law (Code du travail, L3133-1; in Alsace and Moselle
-- Good Friday and 26 December as well, by the ordinance of 16 August 1892, L3134-13). Easter is computed by the
-- Gregorian algorithm of Meeus, Jones and Butcher. The regional holidays of overseas departments are not here.
{%- set zone = var('time_zone', 'Europe/Paris') %}
with bounds as (
    select
        date '1990-01-01' as first_on,
        make_date(cast(greatest(extract(year from as_of), 1990) as integer) + 2, 12, 31) as last_on
    from {{ source('ops', 'territory') }}
),

days as (
    select cast(unnest(generate_series(first_on, last_on, interval 1 day)) as date) as day_on
    from bounds
),

years as (
    select distinct cast(extract(year from day_on) as integer) as year
    from days
),

golden as (
    select
        year,
        year % 19 as a,
        {{ quotient('year', 100) }} as b,
        year % 100 as c
    from years
),

epact as (
    select
        *,
        {{ quotient('b', 4) }} as d,
        b % 4 as e,
        {{ quotient('b - ' ~ quotient('b + 8', 25) ~ ' + 1', 3) }} as g,
        {{ quotient('c', 4) }} as i,
        c % 4 as k
    from golden
),

moon as (
    select
        *,
        (19 * a + b - d - g + 15) % 30 as h
    from epact
),

sunday as (
    select
        *,
        (32 + 2 * e + 2 * i - h - k) % 7 as l
    from moon
),

shift as (
    select
        *,
        {{ quotient('a + 11 * h + 22 * l', 451) }} as m
    from sunday
),

easter as (
    select
        year,
        make_date(year, {{ quotient('h + l - 7 * m + 114', 31) }}, (h + l - 7 * m + 114) % 31 + 1) as easter_on
    from shift
),

fixed as (
    select
        easter.year,
        make_date(easter.year, listed.month, listed.day) as day_on,
        listed.name_fr,
        listed.name_en,
        listed.is_local
    from easter
    cross join (
        values
        (1, 1, 'Jour de l''An', 'New Year''s Day', false),
        (5, 1, 'Fête du Travail', 'Labour Day', false),
        (5, 8, 'Victoire 1945', 'Victory in Europe Day', false),
        (7, 14, 'Fête nationale', 'National Day', false),
        (8, 15, 'Assomption', 'Assumption', false),
        (11, 1, 'Toussaint', 'All Saints'' Day', false),
        (11, 11, 'Armistice 1918', 'Armistice Day', false),
        (12, 25, 'Noël', 'Christmas Day', false),
        (12, 26, 'Saint-Étienne', 'St Stephen''s Day', true)
    ) as listed (month, day, name_fr, name_en, is_local)
),

moving as (
    select
        easter.year,
        easter.easter_on + listed.days_after as day_on,
        listed.name_fr,
        listed.name_en,
        listed.is_local
    from easter
    cross join (
        values
        (-2, 'Vendredi saint', 'Good Friday', true),
        (1, 'Lundi de Pâques', 'Easter Monday', false),
        (39, 'Ascension', 'Ascension Day', false),
        (50, 'Lundi de Pentecôte', 'Whit Monday', false)
    ) as listed (days_after, name_fr, name_en, is_local)
),

holidays as (
    select * from fixed
    union all
    select * from moving
),

-- Two holidays may fall on one day (Ascension and 1 May in 2008).
named as (
    select
        day_on,
        string_agg(name_fr, ' / ' order by name_fr) filter (where not is_local) as public_holiday_fr,
        string_agg(name_en, ' / ' order by name_en) filter (where not is_local) as public_holiday_en,
        string_agg(name_fr, ' / ' order by name_fr) as alsace_moselle_holiday_fr,
        string_agg(name_en, ' / ' order by name_en) as alsace_moselle_holiday_en
    from holidays
    group by day_on
),

-- Holidays of pupils by zone. A summer whose end is not published lasts at least until 31 August.
school_periods as (
    select
        zone,
        school_year,
        start_on,
        coalesce(return_on, make_date(cast(right(school_year, 4) as integer), 9, 1)) as return_on
    from {{ ref('stg_territory__education_vacances_scolaires') }}
    where zone in ('A', 'B', 'C') and population <> 'Enseignants'
),

-- Outside the school years that are loaded, nobody knows.
school_years as (
    select
        zone,
        make_date(cast(left(school_year, 4) as integer), 9, 1) as first_on,
        make_date(cast(right(school_year, 4) as integer), 8, 31) as last_on
    from school_periods
    group by zone, school_year
),

school_days as (
    select
        days.day_on,
        school_years.zone,
        count(school_periods.start_on) > 0 as is_holiday
    from days
    inner join school_years on days.day_on between school_years.first_on and school_years.last_on
    left join school_periods
        on school_years.zone = school_periods.zone
        and days.day_on >= school_periods.start_on
        and days.day_on < school_periods.return_on
    group by days.day_on, school_years.zone
),

schools as (
    select
        day_on,
        bool_or(is_holiday) filter (where zone = 'A') as is_school_holiday_zone_a,
        bool_or(is_holiday) filter (where zone = 'B') as is_school_holiday_zone_b,
        bool_or(is_holiday) filter (where zone = 'C') as is_school_holiday_zone_c
    from school_days
    group by day_on
),

described as (
    select
        days.day_on,
        cast(extract(isodow from days.day_on) as integer) as iso_weekday,
        named.public_holiday_fr,
        named.public_holiday_en,
        named.alsace_moselle_holiday_fr,
        named.alsace_moselle_holiday_en,
        extract(isodow from days.day_on) >= 6 as is_weekend,
        extract(isodow from days.day_on) < 6 and named.public_holiday_fr is null as is_working_day,
        extract(isodow from days.day_on) < 6 and named.alsace_moselle_holiday_fr is null
            as is_working_day_alsace_moselle,
        cast(date_diff(
            'hour',
            timezone('UTC', timezone('{{ zone }}', cast(days.day_on as timestamp))),
            timezone('UTC', timezone('{{ zone }}', cast(days.day_on + 1 as timestamp)))
        ) as integer) as duration_hours,
        schools.is_school_holiday_zone_a,
        schools.is_school_holiday_zone_b,
        schools.is_school_holiday_zone_c
    from days
    left join named on days.day_on = named.day_on
    left join schools on days.day_on = schools.day_on
)

select
    day_on,
    cast(extract(year from day_on) as integer) as year,
    cast(extract(quarter from day_on) as integer) as quarter,
    cast(extract(month from day_on) as integer) as month,
    cast(extract(day from day_on) as integer) as day_of_month,
    cast(extract(doy from day_on) as integer) as day_of_year,
    cast(extract(isoyear from day_on) as integer) as iso_year,
    cast(extract(week from day_on) as integer) as iso_week,
    iso_weekday,
    {{ month_of('day_on') }} as period_month,
    is_weekend,
    public_holiday_fr is not null as is_public_holiday,
    public_holiday_fr,
    public_holiday_en,
    alsace_moselle_holiday_fr is not null as is_public_holiday_alsace_moselle,
    alsace_moselle_holiday_fr,
    alsace_moselle_holiday_en,
    is_working_day,
    is_working_day_alsace_moselle,
    is_working_day
    and not lag(is_working_day, 1, true) over (order by day_on)
    and not lead(is_working_day, 1, true) over (order by day_on) as is_bridge_day,
    duration_hours,
    is_school_holiday_zone_a,
    is_school_holiday_zone_b,
    is_school_holiday_zone_c
from described
