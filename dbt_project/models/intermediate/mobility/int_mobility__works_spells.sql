{{ config(period_column='period_third') }}

-- The time of each counter parted into spells: longest periods of legal days with the same set of disruptive works
-- within reach, periods without any included. A counter that never had works within reach has none.
with sites as (
    select *
    from {{ ref('int_mobility__works_within_reach') }}
    where not is_brief
),

turns as (
    select
        source,
        counter_id,
        start_on as from_on
    from sites
    union
    select
        source,
        counter_id,
        end_on + 1 as from_on
    from sites
    union
    select
        source,
        counter_id,
        date '1900-01-01' as from_on
    from sites
),

periods as (
    select
        source,
        counter_id,
        from_on,
        coalesce(
            lead(from_on) over (partition by source, counter_id order by from_on) - 1, date '9999-12-31'
        ) as to_on
    from turns
),

sets as (
    select
        periods.source,
        periods.counter_id,
        periods.from_on,
        periods.to_on,
        coalesce(
            list(sites.site_key order by sites.site_key) filter (where sites.site_key is not null),
            cast([] as varchar[])
        ) as site_keys,
        coalesce(bool_or(sites.is_open), false) as is_open,
        list(
            {
                'source': sites.works_source,
                'site_id': sites.site_id,
                'site_group_id': sites.site_group_id,
                'kind': sites.kind,
                'disruption': sites.disruption,
                'position': sites.position,
                'distance_m': sites.distance_m
            }
            order by sites.site_key
        ) filter (where sites.site_key is not null) as sites
    from periods
    left join sites
        on periods.source = sites.source
        and periods.counter_id = sites.counter_id
        and periods.from_on between sites.start_on and sites.end_on
    group by periods.source, periods.counter_id, periods.from_on, periods.to_on
)

select
    source,
    counter_id,
    from_on,
    to_on,
    site_keys,
    cast(len(site_keys) as integer) as sites_count,
    -- The spell still runs when the data end, as far as is announced.
    is_open and to_on = max(to_on) filter (where to_on < date '9999-12-31')
        over (partition by source, counter_id) as is_open,
    sites,
    -- By thirds of a month: what hangs from a spell is built some parts at a time, and a city has many at once.
    {{ month_of('from_on') }} || '-' || least((extract('day' from from_on) - 1) // 10 + 1, 3) as period_third
from sets
