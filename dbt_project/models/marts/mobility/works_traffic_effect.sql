{{ config(period_column='period_month') }}

-- What was observed at a counter during works: one row per counter, direction, spell and measure. A spell is a longest
-- period with the same set of disruptive works within reach; its departure is told from days with fewer works, or none
-- (int_mobility__spell_estimates). Dates of works are announced, not observed: a departure observed during a spell is
-- not proof that its works caused it, nor that they took place on all its days.
--
-- A row without an estimate says why. Reasons are told in this order: the works are brief; the counter was barred, set
-- aside, silent or not measured on too many days; no counter out of reach to correct by; too few days to compare with;
-- the works last longer than the days around them can carry.
with spells as (
    select
        source,
        counter_id,
        from_on as start_on,
        to_on as end_on,
        site_keys,
        sites,
        sites_count,
        is_open,
        false as is_brief
    from {{ ref('int_mobility__works_spells') }}
    where sites_count > 0
    union all
    select
        source,
        counter_id,
        start_on,
        end_on,
        [site_key] as site_keys,
        [{
            'source': works_source,
            'site_id': site_id,
            'site_group_id': site_group_id,
            'kind': kind,
            'disruption': disruption,
            'position': position,
            'distance_m': distance_m
        }] as sites,
        1 as sites_count,
        is_open,
        true as is_brief
    from {{ ref('int_mobility__works_within_reach') }}
    where is_brief
),

days as (
    select * from {{ ref('int_mobility__counter_day_measures') }}
),

levels as (
    select * from {{ ref('int_mobility__counter_day_levels') }}
),

estimates as (
    select
        *,
        false as is_brief
    from {{ ref('int_mobility__spell_estimates') }}
),

series as (
    select distinct
        source,
        counter_id,
        direction,
        measure
    from days
),

rows_wanted as (
    select
        spells.*,
        series.direction,
        series.measure
    from spells
    inner join series on spells.source = series.source and spells.counter_id = series.counter_id
),

-- A counter's own first and last day: within them, a day without a record is silence.
histories as (
    select
        source,
        counter_id,
        direction,
        measure,
        min(day_on) as first_on,
        max(day_on) as last_on,
        sum(measured_hours) as measured_hours
    from days
    group by source, counter_id, direction, measure
),

heard as (
    select
        days.source,
        days.counter_id,
        days.direction,
        days.measure,
        spells.from_on as start_on,
        false as is_brief,
        sum(days.heard_hours) as heard_hours,
        sum(days.measured_hours) as measured_hours,
        sum(days.barred_hours) as barred_hours,
        sum(days.set_aside_hours) as set_aside_hours,
        count(days.day_log) as measured_days
    from days
    asof inner join {{ ref('int_mobility__works_spells') }} as spells
        on days.source = spells.source
        and days.counter_id = spells.counter_id
        and days.day_on >= spells.from_on
    where spells.sites_count > 0 and days.day_on <= spells.to_on
    group by days.source, days.counter_id, days.direction, days.measure, spells.from_on
),

compared as (
    select
        source,
        counter_id,
        direction,
        measure,
        spell_from_on as start_on,
        false as is_brief,
        count(*) filter (where left_out is null) as comparable_days,
        count(*) filter (where left_out = 'no_control') as days_without_controls,
        max(controls_count) as most_controls
    from levels
    group by source, counter_id, direction, measure, spell_from_on
),

gathered as (
    select
        wanted.*,
        date_diff('day', wanted.start_on, wanted.end_on) + 1 as spell_days,
        coalesce(heard.heard_hours, 0) as heard_hours,
        coalesce(heard.measured_hours, 0) as measured_hours,
        coalesce(heard.barred_hours, 0) as barred_hours,
        coalesce(heard.set_aside_hours, 0) as set_aside_hours,
        coalesce(heard.measured_days, 0) as measured_days,
        coalesce(compared.comparable_days, 0) as comparable_days,
        coalesce(compared.days_without_controls, 0) as days_without_controls,
        histories.measured_hours > 0
        and histories.first_on <= wanted.end_on
        and histories.last_on >= wanted.start_on as is_in_history,
        estimates.baseline_keys,
        estimates.baseline_days_kept,
        estimates.control_counters,
        estimates.hours_compared,
        estimates.noise_is_known,
        estimates.observed,
        estimates.departure,
        estimates.departure_variance,
        estimates.freedom,
        estimates.effective_days,
        {{ student_quantile_975('cast(estimates.freedom as double)') }}
        * sqrt(cast(estimates.departure_variance as double)) as margin
    from rows_wanted as wanted
    inner join histories
        on wanted.source = histories.source
        and wanted.counter_id = histories.counter_id
        and wanted.direction = histories.direction
        and wanted.measure = histories.measure
    left join heard
        on wanted.source = heard.source
        and wanted.counter_id = heard.counter_id
        and wanted.direction = heard.direction
        and wanted.measure = heard.measure
        and wanted.start_on = heard.start_on
        and wanted.is_brief = heard.is_brief
    left join compared
        on wanted.source = compared.source
        and wanted.counter_id = compared.counter_id
        and wanted.direction = compared.direction
        and wanted.measure = compared.measure
        and wanted.start_on = compared.start_on
        and wanted.is_brief = compared.is_brief
    left join estimates
        on wanted.source = estimates.source
        and wanted.counter_id = estimates.counter_id
        and wanted.direction = estimates.direction
        and wanted.measure = estimates.measure
        and wanted.start_on = estimates.spell_from_on
        and wanted.is_brief = estimates.is_brief
),

told as (
    select
        *,
        case
            when is_brief or spell_days < {{ effect_setting('least_spell_days') }} then 'too_short'
            when measured_days < {{ effect_setting('least_spell_days') }} and not is_in_history then 'not_measured'
            when measured_days < {{ effect_setting('least_spell_days') }} and 4 * barred_hours > heard_hours
                then 'barred'
            when measured_days < {{ effect_setting('least_spell_days') }} and 4 * set_aside_hours > heard_hours
                then 'set_aside'
            when measured_days < {{ effect_setting('least_spell_days') }} then 'silent'
            when comparable_days < {{ effect_setting('least_spell_days') }} and days_without_controls > 0
                then 'no_control'
            when comparable_days < {{ effect_setting('least_spell_days') }} then 'too_short'
            when departure is null then 'no_comparable_days'
            when spell_days > {{ effect_setting('longest_spell_days') }} then 'too_long'
            when not noise_is_known then 'noise_unknown'
            when departure_variance is null or freedom < {{ effect_setting('least_freedom') }} then 'no_comparable_days'
            -- A counter that says the same every day has stuck.
            when margin < {{ effect_setting('narrowest_margin') }} then 'silent'
            when margin > {{ effect_setting('widest_margin') }} then 'too_uncertain'
            else 'estimated'
        end as estimate_status
    from gathered
),

attributed as (
    select
        *,
        estimate_status = 'estimated' as is_estimated,
        list_filter(
            sites,
            site -> estimate_status <> 'estimated'
            or not list_contains(baseline_keys, site.source || '/' || site.site_id)
        ) as attributed_sites
    from told
)

select
    source,
    counter_id,
    direction,
    substr(
        md5(concat_ws('|', source, counter_id, start_on, is_brief, array_to_string(site_keys, '|'))), 1, 16
    ) as spell_id,
    measure,
    start_on,
    end_on,
    is_open,
    estimate_status,
    case when is_estimated then 'estimated' else 'not_available' end as effect_status,
    cast(case when is_estimated then 100 * (exp(departure) - 1) end as decimal(9, 2)) as effect_pct,
    cast(case when is_estimated then 100 * (exp(departure - margin) - 1) end as decimal(9, 2)) as lower_pct,
    cast(case when is_estimated then 100 * (exp(departure + margin) - 1) end as decimal(9, 2)) as upper_pct,
    cast(case when is_estimated then observed / exp(departure) end as decimal(12, 2)) as expected_per_day,
    cast(case when is_estimated then observed end as decimal(12, 2)) as observed_per_day,
    case
        when is_estimated and len(baseline_keys) = 0 then 'without_works' when is_estimated then 'fewer_works'
    end as baseline,
    case
        when is_estimated and len(attributed_sites) = 1 then 'site' when is_estimated then 'set'
    end as attribution,
    case
        when len(list_distinct(list_transform(attributed_sites, site -> site.position))) = 1
            then attributed_sites[1].position
        else 'mixed'
    end as position,
    list_min(list_transform(attributed_sites, site -> site.distance_m)) as distance_m,
    cast(sites_count as integer) as sites_count,
    cast(to_json(sites) as varchar) as sites,
    case
        when is_estimated
            then cast(to_json(list_transform(attributed_sites, site -> site.source || '/' || site.site_id)) as varchar)
    end as attributed_sites,
    case when is_estimated then cast(to_json(baseline_keys) as varchar) end as baseline_sites,
    cast(spell_days as integer) as spell_days,
    cast(comparable_days as integer) as compared_days,
    cast(case when is_estimated then baseline_days_kept end as integer) as baseline_days,
    cast(case when is_estimated then hours_compared end as integer) as compared_hours,
    cast(comparable_days / spell_days as decimal(5, 4)) as coverage_share,
    cast(measured_hours as integer) as measured_hours,
    cast(barred_hours as integer) as barred_hours,
    cast(set_aside_hours as integer) as set_aside_hours,
    cast(case when is_estimated then control_counters end as integer) as control_counters,
    cast(case when is_estimated then effective_days end as decimal(9, 1)) as effective_days,
    {{ month_of('start_on') }} as period_month
from attributed
