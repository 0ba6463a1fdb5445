-- Yearly consumption by source, zone, carrier and sector: operators, categories and activities added up
-- (macros/parts.sql says how parts without value count). Sources are never added: ORE, SDES and Enedis publish the same
-- energy.
--
-- `all` is the sum of the sectors, or what the operator itself publishes as a total where it does: never both.
--
-- Small businesses: until 2017 the operators' residential figures hold them (category RES-PRO, or RES without any PRO
-- in the year); since 2018 they are a category of their own (PRO), in the sectors of business. The residential
-- consumption of the Métropole de Lyon falls from 3.5 to 2.5 TWh that year and nobody has saved a kilowatt-hour.
with parts as (
    select
        *,
        max(case when sector = 'all' then 1 else 0 end) over (
            partition by source, zone_level, zone_code, year, carrier, heating_value_basis, operator
        ) = 1 as has_published_total,
        nullif(upper(replace(customer_category, '_', '-')), 'ALL') as category,
        consumption_mwh * heating_share as heating_mwh,
        consumption_mwh * measured_share as measured_mwh
    from {{ ref('int_energy__consumption_parts') }}
),

years_with_small_businesses as (
    select distinct
        source,
        year
    from parts
    where category in ('PRO', 'ENT-PRO')
),

counted as (
    select
        *,
        sector as counted_sector,
        false as is_added
    from parts
    where sector <> 'all'
    union all
    select
        *,
        'all' as counted_sector,
        sector <> 'all' as is_added
    from parts
    where sector = 'all' or not has_published_total
),

summed as (
    select
        source,
        zone_level,
        zone_code,
        max(zone_name) as zone_name,
        case when min(commune_code) = max(commune_code) then max(commune_code) end as commune_code,
        year,
        carrier,
        counted_sector as sector,
        heating_value_basis,
        {{ sum_of_parts('consumption_mwh', 'consumption_status') }} as consumption_mwh,
        {{ status_of_parts('consumption_status') }} as consumption_status,
        cast(sum(delivery_points) filter (where {{ is_known('delivery_points_status') }}) as bigint) as delivery_points,
        {{ status_of_parts('delivery_points_status') }} as delivery_points_status,
        {{ sum_of_parts('measured_mwh', 'consumption_status') }} as measured_mwh,
        cast(
            sum(cast(consumption_mwh as decimal(18, 6))) filter (
                where {{ is_known('consumption_status') }} and measured_share is not null
            ) as double
        ) as judged_mwh,
        count(*) filter (where {{ is_known('consumption_status') }} and measured_share is not null) as judged_parts,
        {{ sum_of_parts('heating_mwh', 'consumption_status') }} as heating_mwh,
        count(*) filter (where {{ is_known('consumption_status') }}) as known_parts,
        count(*) filter (where {{ is_known('consumption_status') }} and heating_share is not null) as heating_parts,
        cast(sum(secret_parts) as integer) as secret_parts,
        cast(min(months_known) as integer) as months_known,
        cast(count(distinct operator) filter (where not is_missing) as integer) as operators_count,
        string_agg(distinct operator, ', ' order by operator) filter (where is_missing) as missing_operators,
        count(*) filter (where category = 'RES-PRO') as joint_parts,
        count(category) as categorised_parts,
        count(*) filter (where is_of_district) > 0
        and count(*) filter (where not is_of_district and not is_missing) = 0 as is_sum_of_districts,
        count(*) filter (where is_added) > 0 as is_sum_of_sectors
    from counted
    group by source, zone_level, zone_code, year, carrier, counted_sector, heating_value_basis
)

select
    summed.source,
    summed.zone_level,
    summed.zone_code,
    summed.zone_name,
    summed.commune_code,
    summed.year,
    summed.carrier,
    summed.sector,
    summed.heating_value_basis,
    summed.consumption_mwh,
    summed.consumption_status,
    summed.delivery_points,
    summed.delivery_points_status,
    summed.measured_mwh / nullif(summed.judged_mwh, 0) as measured_share,
    case
        when coalesce(summed.judged_mwh, 0) = 0 then 'not_available'
        when summed.judged_parts < summed.known_parts then 'estimated'
        else 'measured'
    end as measured_share_status,
    case
        when summed.heating_parts = summed.known_parts then summed.heating_mwh / nullif(summed.consumption_mwh, 0)
    end as heating_share,
    summed.heating_parts > 0 and summed.heating_parts < summed.known_parts as lacks_heating_shares,
    summed.secret_parts,
    summed.months_known,
    summed.operators_count,
    summed.missing_operators,
    case
        when summed.sector <> 'residential' or summed.categorised_parts = 0 then null
        else summed.joint_parts > 0 or small.year is null
    end as includes_small_businesses,
    summed.is_sum_of_districts,
    summed.is_sum_of_sectors
from summed
left join years_with_small_businesses as small on summed.source = small.source and summed.year = small.year
