"""What the pictures of the marts say: one query each, where ``{relation}`` stands for the mart.

The first column is what the title adds (the counter, the period), the same in all rows, or empty; the others are what
the drawing takes. Rows come in the order in which they are drawn, so that the same data give the same picture.
"""

CALENDAR = "intermediate.int_territory__calendar"
ESTIMATES = "intermediate.int_mobility__spell_estimates"
LEVELS = "intermediate.int_mobility__counter_day_levels"
SPELLS = "intermediate.int_mobility__works_spells"

# As far from a spell as its comparable days are looked for: effect_setting('season_days') of the dbt project.
SEASON_DAYS = 91
MOST_COUNTERS = 30
MOST_INTERVALS = 40

HOURS_MEASURED = """
select '', strftime(hour_start_at, '%Y-%m-%d'), measure_kind, count(*) from {relation} group by all order by all
"""

SITES = "select '', kind, status, count(*) from {relation} group by all order by all"

COUNTER_DAYS = "select '', period_month, disruption, count(*) from {relation} group by all order by all"

COMMUNES = "select '', cast(vintage as varchar), commune_type, count(*) from {relation} group by all order by all"

PASSAGES = """
select
    concat(min(min(from_vintage)) over (), ' to ', max(max(to_vintage)) over ()),
    replace(relation, '_', ' '),
    level,
    count(*)
from {relation}
group by relation, level
order by sum(count(*)) over (partition by relation) desc, relation, level
"""

# Counts first: a counter's flow says more than its occupancy or speed. Days off are what Sundays are to traffic.
COUNTER_PROFILE = f"""
with measured as not materialized (
    select *
    from {{relation}}
    where vehicle_class = 'all' and plausibility = 'plausible' and not is_barred
),

chosen as (
    select
        source,
        counter_id,
        direction,
        measure_kind
    from measured
    group by source, counter_id, direction, measure_kind
    order by measure_kind <> 'count', measure_kind <> 'occupancy', count(*) desc, source, counter_id, direction
    limit 1
),

hours as (
    select
        measured.*,
        cast(substr(measured.hour_start_local, 1, 10) as date) as legal_day,
        cast(substr(measured.hour_start_local, 12, 2) as integer) as clock_hour
    from measured
    inner join chosen
        on measured.source = chosen.source
        and measured.counter_id = chosen.counter_id
        and measured.direction = chosen.direction
        and measured.measure_kind = chosen.measure_kind
),

placed as (
    select
        hours.*,
        min(hours.legal_day) over () as first_day,
        max(hours.legal_day) over () as last_day,
        case
            when calendar.is_public_holiday or extract('isodow' from hours.legal_day) = 7
                then 'Sundays and public holidays'
            when extract('isodow' from hours.legal_day) = 6 then 'Saturdays'
            else 'working days'
        end as day_type
    from hours
    left join {CALENDAR} as calendar on hours.legal_day = calendar.day_on
)

select
    concat_ws(
        ' ', 'counter', counter_id, nullif(direction, 'one_way'), 'of', source || ',', first_day, 'to', last_day
    ),
    day_type,
    clock_hour,
    avg(
        cast(
            case measure_kind
                when 'count' then flow_veh_h when 'occupancy' then occupancy_pct else speed_kmh
            end as decimal(12, 3)
        )
    ),
    case measure_kind when 'count' then 'vehicles an hour' when 'occupancy' then 'occupancy, %' else 'km/h' end
from placed
group by source, counter_id, direction, measure_kind, first_day, last_day, day_type, clock_hour
order by day_type <> 'working days', day_type <> 'Saturdays', clock_hour
"""

# Of the zone with the most half-hours known; meteorological seasons, whose months are whole.
LOAD_PROFILE = """
with chosen as (
    select
        source,
        zone_code
    from {relation}
    where consumption_mw is not null
    group by source, zone_code
    order by count(*) desc, source, zone_code
    limit 1
),

known as (
    select
        loads.source,
        loads.zone_name,
        loads.consumption_mw,
        cast(substr(loads.start_local, 12, 2) as integer) as clock_hour,
        cast(substr(loads.period_month, 6, 2) as integer) as month_no
    from {relation} as loads
    inner join chosen on loads.source = chosen.source and loads.zone_code = chosen.zone_code
    where loads.consumption_mw is not null
),

seasons as (
    select
        *,
        case
            when month_no in (12, 1, 2) then 'winter'
            when month_no <= 5 then 'spring'
            when month_no <= 8 then 'summer'
            else 'autumn'
        end as season
    from known
)

select concat(zone_name, ', ', source), season, clock_hour, avg(cast(consumption_mw as decimal(12, 3))), 'MW'
from seasons
group by source, zone_name, season, clock_hour
order by source, zone_name, season <> 'winter', season <> 'spring', season <> 'summer', clock_hour
"""

# Of one source and level, those with the most figures: neither sources nor levels add up. Floors are drawn as they are.
CONSUMPTION = """
with known as (
    select *
    from {relation}
    where carrier = 'electricity' and sector <> 'all' and consumption_mwh is not null
),

chosen as (
    select
        source,
        zone_level
    from known
    group by source, zone_level
    order by count(*) desc, source, zone_level
    limit 1
)

select
    concat('MWh, ', known.source, ', ', replace(known.zone_level, '_', ' ')),
    cast(known.year as varchar),
    known.sector,
    cast(sum(cast(known.consumption_mwh as decimal(18, 3))) as bigint)
from known
inner join chosen on known.source = chosen.source and known.zone_level = chosen.zone_level
group by known.source, known.zone_level, known.year, known.sector
order by known.year, known.sector
"""

BUSIEST_COUNTERS = f"""
with latest as (
    select *
    from {{relation}}
    where vehicle_class = 'all' and mean_daily_traffic_veh_d is not null
    qualify year = max(year) over ()
),

busiest as (
    select *
    from latest
    order by mean_daily_traffic_veh_d desc, source, counter_id, direction
    limit {MOST_COUNTERS}
)

select
    concat(
        year, ', vehicles a day of the complete months',
        case when min(source) over () = max(source) over () then '; ' || source else '' end
    ),
    concat_ws(
        ' · ', counter_id, nullif(direction, 'one_way'), street,
        case when min(source) over () <> max(source) over () then source end
    ),
    coverage_status,
    mean_daily_traffic_veh_d
from busiest
order by mean_daily_traffic_veh_d desc, source, counter_id, direction
"""

# Level = mean of its day of the week + slope + departure in the spell: least squares, so that with the departure given
# the rest is found again as it was when the departure was (int_mobility__spell_estimates). The share of the common
# movement that was taken from the day's own figure goes back to what was expected.
LONGEST_SPELL = f"""
with chosen as (
    select
        marts.*,
        estimates.departure,
        estimates.baseline_keys
    from {{relation}} as marts
    inner join {ESTIMATES} as estimates
        on marts.source = estimates.source
        and marts.counter_id = estimates.counter_id
        and marts.direction = estimates.direction
        and marts.measure = estimates.measure
        and marts.start_on = estimates.spell_from_on
    where marts.estimate_status = 'estimated'
    order by
        marts.measure <> 'flow', marts.compared_days desc,
        marts.source, marts.counter_id, marts.direction, marts.measure, marts.start_on
    limit 1
),

compared as (
    select
        chosen.*,
        levels.day_on,
        levels.day_no,
        levels.weekday,
        levels.day_log,
        levels.day_log - levels.level_log as common,
        levels.level_log - case when spells.from_on = chosen.start_on then departure else 0 end as usual
    from chosen
    inner join {SPELLS} as spells
        on chosen.source = spells.source
        and chosen.counter_id = spells.counter_id
        and (spells.from_on = chosen.start_on or spells.site_keys = chosen.baseline_keys)
    inner join {LEVELS} as levels
        on chosen.source = levels.source
        and chosen.counter_id = levels.counter_id
        and chosen.direction = levels.direction
        and chosen.measure = levels.measure
        and spells.from_on = levels.spell_from_on
    where levels.left_out is null
        and levels.day_on between chosen.start_on - {SEASON_DAYS} and chosen.end_on + {SEASON_DAYS}
),

weekly as (
    select
        *,
        avg(usual) over (partition by weekday) as usual_of_weekday,
        usual - avg(usual) over (partition by weekday) as usual_part,
        day_no - avg(day_no) over (partition by weekday) as time_part
    from compared
),

sloped as (
    select
        *,
        coalesce(
            sum(usual_part * time_part) over () / nullif(sum(time_part * time_part) over (), 0), 0
        ) as slope
    from weekly
)

select
    concat_ws(
        ' ',
        format(
            '{{{{:+.1f}}}} % [{{{{:+.1f}}}}; {{{{:+.1f}}}}]:',
            cast(effect_pct as double), cast(lower_pct as double), cast(upper_pct as double)
        ),
        'counter', counter_id, nullif(direction, 'one_way'), 'of', source || ',', start_on, 'to', end_on
    ),
    day_on,
    exp(day_log),
    exp(usual_of_weekday + slope * time_part + common),
    start_on - interval 12 hours,
    end_on + interval 12 hours,
    case measure when 'flow' then 'vehicles a day' when 'occupancy' then 'occupancy, %' else 'km/h' end
from sloped
order by day_on
"""

# The narrowest as a ratio: a fall is not told better than a rise.
INTERVALS = f"""
with estimated as (
    select *
    from {{relation}}
    where estimate_status = 'estimated'
    qualify measure = first(measure) over (order by measure <> 'flow', measure)
),

narrowest as (
    select
        *,
        count(*) over () as estimates
    from estimated
    order by (upper_pct + 100.01) / (lower_pct + 100.01), source, counter_id, direction, start_on
    limit {MOST_INTERVALS}
)

select
    concat(
        measure, ', by counter, first day of the spell and position of the works',
        case when estimates > {MOST_INTERVALS} then '; the {MOST_INTERVALS} narrowest of ' || estimates else '' end
    ),
    concat_ws(
        ' · ', counter_id, nullif(direction, 'one_way'), start_on,
        case when min(source) over () <> max(source) over () then source end
    ),
    position,
    effect_pct,
    lower_pct,
    upper_pct
from narrowest
order by effect_pct desc, source, counter_id, direction, start_on
"""

REASONS = """
select
    'spells by what was compared',
    replace(estimate_status, '_', ' '),
    measure,
    count(*)
from {relation}
where not exists (select 1 from {relation} where estimate_status = 'estimated')
group by estimate_status, measure
order by sum(count(*)) over (partition by estimate_status) desc, estimate_status, measure
"""
