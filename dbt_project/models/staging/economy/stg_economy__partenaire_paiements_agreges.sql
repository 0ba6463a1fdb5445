{%- set this_source = 'partenaire_paiements_agreges' -%}
{%- set mapping = mapping_of(this_source) -%}
{%- set euros = 1000 if mapping['unit'] == 'thousand_eur' else 1 -%}
{%- set figures = payment_figures() -%}
{{ config(key=['zone_level', 'zone_code', 'month', 'card_country', 'activity']) }}

-- Aggregates of card payments that a partner lends. Columns, signs of numbers, codes and the unit of amounts are those
-- that the territory maps (macros/mapped.sql): nothing here is the name of a column of the partner.
--
-- Amounts become euros, in decimals: they are added up. Counts are counts, whatever the unit. A hidden figure is
-- `secret`, an empty one `not_available`; neither is a zero.
--
-- All departments of the territory's regions are kept, not only its own: a region is the sum of all of them or of none.
--
-- Figures that cannot all be true together are refused: the largest merchant takes no more than all of them do, more
-- companies than merchants, or more cards or merchants than transactions, are columns that were mapped the wrong way.
with lent as (
    select * from {{ raw('partenaire__paiements_agreges') }}
),

kept_zones as (
    select
        'region' as kept_level,
        scope_code as kept_code
    from {{ ref('int_territory__scope') }}
    where scope_level = 'region'
    union
    select
        'department' as kept_level,
        divided.department_code as kept_code
    from {{ ref('int_territory__region_departments') }} as divided
    inner join {{ ref('int_territory__scope') }} as scope
        on divided.region_code = scope.scope_code and scope.scope_level = 'region'
),

texts as (
    select
        _delivery_id,
        _record_no,
        {{ mapped_text(this_source, 'period') }} as period_text,
        {{ mapped_text(this_source, 'zone_level') }} as zone_level,
        {{ mapped_text(this_source, 'zone_code') }} as zone_text,
        {{ mapped_text(this_source, 'card_country') }} as country_text,
        {{ mapped_text(this_source, 'activity') }} as activity_text,
        {%- for figure, told in figures.items() %}
            {{ mapped_text(this_source, told['role']) }} as {{ figure }}_text,
        {%- endfor %}
        {{ mapped_text(this_source, 'market_share_pct') }} as market_share_text
    from lent
),

told as (
    select
        {%- for figure in figures %}
            {{ is_secret(this_source, figure ~ '_text') }} as is_{{ figure }}_secret,
            coalesce(lower({{ figure }}_text) in ('nd', 'n.d.', 'na', '-'), true) as is_{{ figure }}_missing,
        {%- endfor %}
        *
    from texts
),

numbers as (
    select
        {%- for figure in figures %}
            case when not is_{{ figure }}_secret then {{ mapped_number(this_source, figure ~ '_text') }} end
                as {{ figure }}_number,
        {%- endfor %}
        *
    from told
),

typed as (
    select
        *,
        -- A spreadsheet eats the zero of 01.
        case when length(zone_text) = 1 then '0' || zone_text else upper(zone_text) end as zone_code,
        {{ mapped_month(this_source, 'period_text') }} as month,
        case
            when country_text is null or lower(country_text) = 'all' then 'all'
            when lower(country_text) = 'foreign' then 'foreign'
            else upper(country_text)
        end as card_country,
        coalesce(activity_text, 'all') as activity,
        {%- for figure, told in figures.items() %}
            {%- if told['is_amount'] %}
                try_cast({{ figure }}_number * {{ euros }} as decimal(18, 2)) as {{ figure }},
            {%- else %}
                case
                    when {{ figure }}_number = floor({{ figure }}_number) then try_cast({{ figure }}_number as bigint)
                end as {{ figure }},
            {%- endif %}
        {%- endfor %}
        {{ mapped_number(this_source, 'market_share_text') }} as market_share_pct
    from numbers
),

placed as (
    select
        typed.*,
        kept_zones.kept_code is null and (select count(*) from kept_zones as any_zone) > 0 as is_elsewhere
    from typed
    left join kept_zones on typed.zone_level = kept_zones.kept_level and typed.zone_code = kept_zones.kept_code
),

judged as (
    select
        *,
        coalesce(is_elsewhere and zone_code is not null and zone_level in ('department', 'region'), false) as is_outside
    from placed
)

select
    _delivery_id,
    _record_no,
    zone_level,
    zone_code,
    month,
    card_country,
    activity,
    {%- for figure in figures %}
        {{ figure }},
        case
            when is_{{ figure }}_secret then 'secret'
            when is_{{ figure }}_missing then 'not_available'
            else 'measured'
        end as {{ figure }}_status,
    {%- endfor %}
    market_share_pct,
    0 as _preference,
    is_outside as _out_of_scope,
    case
        when zone_level is null or zone_level not in ('department', 'region')
            then 'the level is neither department nor region: ' || coalesce(zone_level, '')
        when zone_code is null then 'no code of zone'
        when
            not regexp_full_match(
                zone_code,
                case zone_level when 'department' then '[013-9][0-9]|2[0-9AB]|97[1-6]' else '[0-9]{2}' end
            )
            then 'not a code of ' || zone_level || ': ' || zone_text
        when is_outside then null
        when period_text is null then 'no month'
        when month is null then 'the month is not written as the mapping says: ' || period_text
        when not regexp_full_match(card_country, '[A-Z]{2}|all|foreign')
            then 'this origin of cards has no code in the mapping: ' || country_text
        {%- for figure, told in figures.items() %}
            when not is_{{ figure }}_secret and not is_{{ figure }}_missing and {{ figure }} is null
                then 'the {{ told['called'] }} is not written as the mapping says: ' || {{ figure }}_text
            when {{ figure }} < 0 then 'negative {{ told['called'] }}: ' || {{ figure }}_text
        {%- endfor %}
        when market_share_text is not null and coalesce(market_share_pct not between 0 and 100, true)
            then 'not a share of the market in percent: ' || market_share_text
        when largest_merchant_eur > amount_eur then 'the largest merchant takes more than all of them'
        when second_merchant_eur > largest_merchant_eur then 'the second merchant takes more than the largest'
        when largest_merchant_eur + second_merchant_eur > amount_eur then 'two merchants take more than all of them'
        when siren_groups > merchants then 'more companies than merchants'
        when cards > transactions then 'more cards than transactions'
        when merchants > transactions then 'more merchants than transactions'
        when merchants = 0 and (amount_eur > 0 or transactions > 0) then 'payments without a merchant'
    end as _reject_reason
from judged
