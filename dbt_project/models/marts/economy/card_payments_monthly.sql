{%- set figures = payment_figures() -%}

-- Aggregates of card payments lent by partners, by zone, month, origin of the cards and activity: levels as delivered
-- and, told apart by `aggregation`, regions summed from all of their departments.
--
-- A share is that of an amount in the amounts of the origins given for the same zone, month, activity and aggregation,
-- and of nothing else: numbers of cards overlap. The whole is the sum of the countries and, where no foreign country is
-- given, of `foreign`; a row of `all` cards is no part. One secret part hides the whole, hence every share of it.
with cells as (
    select * from {{ ref('int_economy__card_payment_cells') }}
),

counted as (
    select
        *,
        sum(case when card_country not in ('FR', 'foreign', 'all') then 1 else 0 end) over (
            partition by source, zone_level, zone_code, month, activity, aggregation
        ) as foreign_countries
    from cells
),

parted as (
    select
        *,
        card_country = 'all' or (card_country = 'foreign' and foreign_countries > 0) as is_no_part
    from counted
),

wholes as (
    select
        source,
        zone_level,
        zone_code,
        month,
        activity,
        aggregation,
        {{ summed_status('amount_eur', 'amount_eur_status') }} as whole_status,
        case when count(amount_eur) = count(*) then sum(amount_eur) end as whole_eur
    from parted
    where not is_no_part
    group by source, zone_level, zone_code, month, activity, aggregation
),

-- The region in which a department is counted: of a source that tells no region, no sum is known.
regions as (
    select
        divided.department_code,
        max(divided.region_code) as region_code
    from {{ ref('int_territory__region_departments') }} as divided
    inner join (select distinct zone_code from cells where zone_level = 'region') as told
        on divided.region_code = told.zone_code
    group by divided.department_code
),

shared as (
    select
        parted.*,
        case when parted.zone_level = 'department' then regions.region_code end as region_code,
        wholes.whole_status,
        wholes.whole_eur,
        case
            when parted.card_country <> 'all'
                then cast(parted.amount_eur as double) * 100 / nullif(cast(wholes.whole_eur as double), 0)
        end as share_pct
    from parted
    left join wholes
        on parted.source = wholes.source
        and parted.zone_level = wholes.zone_level
        and parted.zone_code = wholes.zone_code
        and parted.month = wholes.month
        and parted.activity = wholes.activity
        and parted.aggregation = wholes.aggregation
    left join regions on parted.zone_code = regions.department_code
)

select
    source,
    zone_level,
    zone_code,
    region_code,
    month,
    card_country,
    activity,
    aggregation,
    {%- for figure in figures %}
        {{ figure }},
        {{ figure }}_status,
    {%- endfor %}
    share_pct,
    case
        when share_pct is not null then 'measured'
        when card_country = 'all' then 'not_applicable'
        when whole_status = 'secret' or amount_eur_status = 'secret' then 'secret'
        when whole_eur = 0 then 'not_applicable'
        else 'not_available'
    end as share_status,
    market_share_pct,
    departments_known,
    departments_expected
from shared
