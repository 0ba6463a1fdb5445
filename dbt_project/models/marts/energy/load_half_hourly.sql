{{ config(by_period=true, period_column='period_month') }}

-- Mean power of a zone by half-hour of legal time. Power is a mean over the step: the energy of a half-hour in MWh is
-- its power times 0.5 h.
--
-- Two quarter-hours make a half-hour: the mean of both. Of one alone, the half-hour is estimated from its half
-- (`measured_share` 0.5): the mean over half of the time may lie on either side of the truth, it is not a floor, so the
-- value is `estimated` and not `partial`. A production that lacks a source published at the zone's other steps of the
-- month is one: `partial`.
--
-- Natures replace each other: of a half-hour, the final data count, else the consolidated, else those of real time; a
-- nature that says nothing of a half-hour leaves it to the next.
--
-- Every half-hour is there from the first step delivered to the last one known: one that no row tells, such as the hour
-- lost in autumn, is `not_available`. What follows the last step known is the future, present and empty in the files:
-- counted by the ledger, not published. A month of which nothing was delivered has no row.
with delivered as not materialized (
    select
        *,
        {{ count_of_sources() }} as sources_known,
        date_trunc('hour', step_start_at)
        + case when date_part('minute', step_start_at) >= 30 then interval 30 minute else interval 0 minute end
            as start_at
    from {{ ref('int_energy__loads') }}
    where {{ in_stale('period_month') }}
),

-- A file of half-hours that comes after one of quarter-hours leaves a quarter past the hour behind: the longer step is
-- the whole half-hour.
steps as (
    select
        * exclude (production_mw),
        coalesce(production_mw, case when sources_known > 0 then {{ sum_of_sources() }} end) as production_mw,
        max(step_s) over (partition by source, zone_code, nature, start_at) as longest_s,
        max(sources_known) over (partition by source, zone_code, nature, period_month) as sources_usual
    from delivered
),

-- Sums in decimals: a sum of doubles depends on the order in which an engine adds.
halves as (
    select
        source,
        zone_code,
        nature,
        period_month,
        start_at,
        max(step_s) as step_s,
        cast(least(coalesce(sum(step_s) filter (where consumption_mw is not null), 0), 1800) / 1800.0 as decimal(5, 4))
            as measured_share,
        coalesce(sum(step_s) filter (where production_mw is not null), 0) as production_s,
        coalesce(sum(step_s) filter (where physical_exchanges_mw is not null), 0) as exchanges_s,
        coalesce(bool_or(sources_known < sources_usual and production_mw is not null), false) as lacks_source,
        {{ mean_power('consumption_mw') }} as consumption_mw,
        {{ mean_power('production_mw') }} as production_mw,
        {{ mean_power('thermal_mw') }} as thermal_mw,
        {{ mean_power('nuclear_mw') }} as nuclear_mw,
        {{ mean_power('wind_mw') }} as wind_mw,
        {{ mean_power('solar_mw') }} as solar_mw,
        {{ mean_power('hydro_mw') }} as hydro_mw,
        {{ mean_power('pumping_mw') }} as pumping_mw,
        {{ mean_power('bioenergy_mw') }} as bioenergy_mw,
        {{ mean_power('physical_exchanges_mw') }} as physical_exchanges_mw
    from steps
    where step_s = longest_s
    group by source, zone_code, nature, period_month, start_at
),

ranked as (
    select
        *,
        row_number() over (
            partition by source, zone_code, start_at
            order by
                measured_share = 0,
                case nature when 'final' then 1 when 'consolidated' then 2 else 3 end
        ) as rank
    from halves
),

bounds as (
    select * from {{ ref('int_energy__load_bounds') }}
),

months as (
    select
        source,
        zone_code,
        period_month,
        min(start_at) as first_at,
        max(start_at) filter (where measured_share > 0) as last_at,
        {{ start_of_month("period_month", 0, 'Europe/Paris') }} as month_start_at,
        {{ start_of_month("period_month", 1, 'Europe/Paris') }} as month_end_at
    from ranked
    group by source, zone_code, period_month
),

spans as (
    select
        bounds.source,
        bounds.zone_level,
        bounds.zone_code,
        bounds.zone_name,
        months.period_month,
        case when months.period_month = bounds.first_month then months.first_at else months.month_start_at end
            as from_at,
        case
            when months.period_month = bounds.last_month then months.last_at
            else months.month_end_at - interval 30 minute
        end as to_at
    from bounds
    inner join months on bounds.source = months.source and bounds.zone_code = months.zone_code
    where months.period_month between bounds.first_month and bounds.last_month
),

half_hours as (
    select
        source,
        zone_level,
        zone_code,
        zone_name,
        period_month,
        unnest(generate_series(from_at, to_at, interval 30 minute)) as start_at
    from spans
),

-- Told once per instant and source: instants shared by sources would mix what they lend.
clock as (
    select
        source,
        start_at,
        {{ legal_text('start_at', var('time_zone', 'Europe/Paris')) }} as start_local
    from (
        select distinct
            source,
            start_at
        from half_hours
    ) as instants
)

select
    half_hours.source,
    half_hours.zone_level,
    half_hours.zone_code,
    half_hours.zone_name,
    half_hours.start_at,
    clock.start_local,
    ranked.nature,
    ranked.step_s,
    ranked.consumption_mw,
    case
        when coalesce(ranked.measured_share, 0) = 0 then 'not_available'
        when ranked.measured_share < 1 then 'estimated'
        else 'measured'
    end as consumption_status,
    cast(coalesce(ranked.measured_share, 0) as decimal(5, 4)) as measured_share,
    ranked.production_mw,
    case
        when ranked.production_mw is null then 'not_available'
        when ranked.production_s < 1800 then 'estimated'
        when ranked.lacks_source then 'partial'
        else 'measured'
    end as production_status,
    ranked.thermal_mw,
    ranked.nuclear_mw,
    ranked.wind_mw,
    ranked.solar_mw,
    ranked.hydro_mw,
    ranked.bioenergy_mw,
    ranked.pumping_mw,
    ranked.physical_exchanges_mw,
    case
        when ranked.physical_exchanges_mw is null then 'not_available'
        when ranked.exchanges_s < 1800 then 'estimated'
        else 'measured'
    end as physical_exchanges_status,
    half_hours.period_month
from half_hours
inner join clock on half_hours.source = clock.source and half_hours.start_at = clock.start_at
left join ranked
    on half_hours.source = ranked.source
    and half_hours.zone_code = ranked.zone_code
    and half_hours.start_at = ranked.start_at
    and ranked.rank = 1
