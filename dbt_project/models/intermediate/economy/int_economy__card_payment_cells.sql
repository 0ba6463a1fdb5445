{%- set figures = payment_figures() -%}

-- Aggregates of card payments by cell: as delivered, and regions summed from their departments.
--
-- A region is summed, for one month, origin of cards and activity, when every one of its departments gives that cell:
-- a sum over those that happen to be there would pass for the region. Both kinds stand side by side, told apart by
-- `aggregation`, and are never added to each other.
--
-- Amounts, transactions and merchants add up. Cards and companies do not, since one card pays and one company trades in
-- several departments; nor does the rank of a merchant: they are not_applicable to a sum. A sum of which a part is
-- secret is secret itself: the part would be known from what is left.
with delivered as (
    select * from {{ family('card_payments') }} as payments
),

region_sizes as (
    select
        region_code,
        count(*) as departments
    from {{ ref('int_territory__region_departments') }}
    group by region_code
),

summed as (
    select
        delivered.source,
        divided.region_code as zone_code,
        delivered.month,
        delivered.card_country,
        delivered.activity,
        {%- for figure in ['amount_eur', 'transactions', 'merchants'] %}
            case when count(delivered.{{ figure }}) = count(*) then sum(delivered.{{ figure }}) end as {{ figure }},
            {{ summed_status('delivered.' ~ figure, 'delivered.' ~ figure ~ '_status') }} as {{ figure }}_status,
        {%- endfor %}
        min(delivered.market_share_pct) as market_share_pct,
        count(distinct delivered.zone_code) as departments_known,
        max(region_sizes.departments) as departments_expected
    from delivered
    inner join {{ ref('int_territory__region_departments') }} as divided
        on delivered.zone_code = divided.department_code
    inner join region_sizes on divided.region_code = region_sizes.region_code
    where delivered.zone_level = 'department'
    group by delivered.source, divided.region_code, delivered.month, delivered.card_country, delivered.activity
)

select
    source,
    zone_level,
    zone_code,
    month,
    card_country,
    activity,
    'delivered' as aggregation,
    {%- for figure in figures %}
        {{ figure }},
        {{ figure }}_status,
    {%- endfor %}
    market_share_pct,
    cast(null as integer) as departments_known,
    cast(null as integer) as departments_expected
from delivered
union all
select
    source,
    'region' as zone_level,
    zone_code,
    month,
    card_country,
    activity,
    'summed' as aggregation,
    cast(amount_eur as decimal(18, 2)) as amount_eur,
    amount_eur_status,
    cast(transactions as bigint) as transactions,
    transactions_status,
    cast(merchants as bigint) as merchants,
    merchants_status,
    cast(null as bigint) as cards,
    'not_applicable' as cards_status,
    cast(null as decimal(18, 2)) as largest_merchant_eur,
    'not_applicable' as largest_merchant_eur_status,
    cast(null as decimal(18, 2)) as second_merchant_eur,
    'not_applicable' as second_merchant_eur_status,
    cast(null as bigint) as siren_groups,
    'not_applicable' as siren_groups_status,
    market_share_pct,
    cast(departments_known as integer) as departments_known,
    cast(departments_expected as integer) as departments_expected
from summed
where departments_known = departments_expected
