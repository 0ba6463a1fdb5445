-- The operators that are not there in a year, by source, level and carrier. ORE's file of the Métropole de Lyon has in
-- 2023 the gas of the transport network (2.2 TWh) and none of the distributor's (6.3 TWh the year before); in 2011 it
-- lacks the transport network's electricity (1.2 TWh the year after). Nothing in these years says so: only the others
-- do.
--
-- An operator is missing when it reports in most years of the source but in none of its zones that year. Another that
-- never reports beside it has taken its place (a new name: ERDF and Enedis, GRTgaz and NaTran): then nothing is
-- missing.
with reports as (
    select distinct
        source,
        zone_level,
        carrier,
        year,
        operator
    from {{ ref('int_energy__consumption_cells') }}
    where operator is not null
),

years as (
    select distinct
        source,
        zone_level,
        carrier,
        year
    from reports
),

year_counts as (
    select
        source,
        zone_level,
        carrier,
        count(*) as years
    from years
    group by source, zone_level, carrier
),

usual as (
    select
        reports.source,
        reports.zone_level,
        reports.carrier,
        reports.operator
    from reports
    inner join year_counts
        on reports.source = year_counts.source
        and reports.zone_level = year_counts.zone_level
        and reports.carrier = year_counts.carrier
    group by reports.source, reports.zone_level, reports.carrier, reports.operator
    having 2 * count(*) > max(year_counts.years)
),

silences as (
    select
        usual.*,
        years.year
    from usual
    inner join years
        on usual.source = years.source
        and usual.zone_level = years.zone_level
        and usual.carrier = years.carrier
    left join reports
        on usual.source = reports.source
        and usual.zone_level = reports.zone_level
        and usual.carrier = reports.carrier
        and usual.operator = reports.operator
        and years.year = reports.year
    where reports.operator is null
),

neighbours as (
    select distinct
        one.source,
        one.zone_level,
        one.carrier,
        one.operator,
        other.operator as other_operator
    from reports as one
    inner join reports as other
        on one.source = other.source
        and one.zone_level = other.zone_level
        and one.carrier = other.carrier
        and one.year = other.year
)

select
    silences.source,
    silences.zone_level,
    silences.carrier,
    silences.operator,
    silences.year
from silences
inner join reports
    on silences.source = reports.source
    and silences.zone_level = reports.zone_level
    and silences.carrier = reports.carrier
    and silences.year = reports.year
left join neighbours
    on silences.source = neighbours.source
    and silences.zone_level = neighbours.zone_level
    and silences.carrier = neighbours.carrier
    and silences.operator = neighbours.operator
    and reports.operator = neighbours.other_operator
group by silences.source, silences.zone_level, silences.carrier, silences.operator, silences.year
having count(*) = count(neighbours.other_operator)
