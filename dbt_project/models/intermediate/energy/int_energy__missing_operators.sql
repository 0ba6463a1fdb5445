{{ config(reads=['deliveries of energy_consumption']) }}

-- The operators that are not there in a year, by source, level and carrier. ORE's file of the Métropole de Lyon has
-- in 2023 the gas of the transport network (2.2 TWh) and none of the distributor's (6.3 TWh the year before); in 2011
-- it lacks the transport network's electricity (1.2 TWh the year after). Nothing in these years says so: only the
-- others do.
--
-- An operator is missing when it reports in most years of the source but nowhere that year, inside the territory or
-- outside: a factory that closes takes it out of a commune, and out of no file. Another that never reports beside it
-- and stands in at least half of its zones has taken its place (a new name: ERDF and Enedis, GRTgaz and NaTran): then
-- nothing is missing. Half, because a newcomer elsewhere in the country has taken nobody's place.
with reports as (
    select distinct
        source,
        zone_level,
        zone_code,
        carrier,
        year,
        operator
    from {{ ref('int_energy__consumption_cells') }}
    where operator is not null
    union
    select
        source,
        zone_level,
        zone_code,
        carrier,
        year,
        operator
    from {{ ref('int_energy__operators_outside') }}
),

operator_years as (
    select distinct
        source,
        zone_level,
        carrier,
        year,
        operator
    from reports
),

operator_zones as (
    select distinct
        source,
        zone_level,
        carrier,
        operator,
        zone_code
    from reports
),

years as (
    select distinct
        source,
        zone_level,
        carrier,
        year
    from operator_years
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
        operator_years.source,
        operator_years.zone_level,
        operator_years.carrier,
        operator_years.operator
    from operator_years
    inner join year_counts
        on operator_years.source = year_counts.source
        and operator_years.zone_level = year_counts.zone_level
        and operator_years.carrier = year_counts.carrier
    group by operator_years.source, operator_years.zone_level, operator_years.carrier, operator_years.operator
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
    left join operator_years
        on usual.source = operator_years.source
        and usual.zone_level = operator_years.zone_level
        and usual.carrier = operator_years.carrier
        and usual.operator = operator_years.operator
        and years.year = operator_years.year
    where operator_years.operator is null
),

neighbours as (
    select distinct
        one.source,
        one.zone_level,
        one.carrier,
        one.operator,
        other.operator as other_operator
    from operator_years as one
    inner join operator_years as other
        on one.source = other.source
        and one.zone_level = other.zone_level
        and one.carrier = other.carrier
        and one.year = other.year
),

zone_counts as (
    select
        source,
        zone_level,
        carrier,
        operator,
        count(*) as zones
    from operator_zones
    group by source, zone_level, carrier, operator
),

-- How many of the zones of a silent operator another has that year, of those that never report beside it.
stand_ins as (
    select
        silences.source,
        silences.zone_level,
        silences.carrier,
        silences.operator,
        silences.year,
        reports.operator as other_operator,
        count(*) as zones
    from silences
    inner join operator_zones
        on silences.source = operator_zones.source
        and silences.zone_level = operator_zones.zone_level
        and silences.carrier = operator_zones.carrier
        and silences.operator = operator_zones.operator
    inner join reports
        on silences.source = reports.source
        and silences.zone_level = reports.zone_level
        and silences.carrier = reports.carrier
        and silences.year = reports.year
        and operator_zones.zone_code = reports.zone_code
    left join neighbours
        on silences.source = neighbours.source
        and silences.zone_level = neighbours.zone_level
        and silences.carrier = neighbours.carrier
        and silences.operator = neighbours.operator
        and reports.operator = neighbours.other_operator
    where neighbours.other_operator is null
    group by
        silences.source, silences.zone_level, silences.carrier, silences.operator, silences.year, reports.operator
),

successors as (
    select distinct
        stand_ins.source,
        stand_ins.zone_level,
        stand_ins.carrier,
        stand_ins.operator,
        stand_ins.year
    from stand_ins
    inner join zone_counts
        on stand_ins.source = zone_counts.source
        and stand_ins.zone_level = zone_counts.zone_level
        and stand_ins.carrier = zone_counts.carrier
        and stand_ins.operator = zone_counts.operator
    where 2 * stand_ins.zones >= zone_counts.zones
)

select
    silences.source,
    silences.zone_level,
    silences.carrier,
    silences.operator,
    silences.year
from silences
left join successors
    on silences.source = successors.source
    and silences.zone_level = successors.zone_level
    and silences.carrier = successors.carrier
    and silences.operator = successors.operator
    and silences.year = successors.year
where successors.operator is null
