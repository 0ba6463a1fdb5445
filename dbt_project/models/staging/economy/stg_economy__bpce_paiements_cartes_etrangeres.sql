{%- set this_source = 'bpce_paiements_cartes_etrangeres' -%}
{%- set mapping = mapping_of(this_source) -%}
{{ config(key=['zone_level', 'zone_code', 'month', 'card_country']) }}

-- Published indices of payments by foreign cards, at the merchants of one bank. Columns, signs of numbers, codes and
-- base are those that the territory maps (macros/mapped.sql): nothing here is the name of a column of the producer.
--
-- Departments and regions share codes (11 is the Aude and Île-de-France): the level is stated, never guessed.
-- A number that is not written as the mapping says is refused: read otherwise, 1.234 would become 1,234.
-- A hidden figure is `secret`, an empty one `not_available`; neither is a zero.
-- A producer that changes its base does not change the files received before: each is read on its own base.
--
-- What the figures cover is told with them: face-to-face payments by cards issued abroad, at the merchants of one bank,
-- 10 to 15 % of the French market of cards.
with published as (
    select
        records.*,
        deliveries.file_name as _file_name
    from {{ raw('bpce__paiements_cartes_etrangeres') }} as records
    left join {{ source('ops', 'deliveries') }} as deliveries
        on deliveries.source = '{{ this_source }}' and records._delivery_id = deliveries.delivery_id
),

texts as (
    select
        _delivery_id,
        _record_no,
        _file_name,
        {{ mapped_text(this_source, 'period') }} as period_text,
        {{ mapped_text(this_source, 'territory_level') }} as zone_level,
        {{ mapped_text(this_source, 'territory_code') }} as zone_text,
        {{ mapped_text(this_source, 'card_country') }} as country_text,
        {{ mapped_text(this_source, 'value_index') }} as value_text,
        {{ mapped_text(this_source, 'volume_index') }} as volume_text
    from published
),

told as (
    select
        *,
        {{ is_secret(this_source, 'value_text') }} as is_value_secret,
        {{ is_secret(this_source, 'volume_text') }} as is_volume_secret,
        coalesce(lower(value_text) in ('nd', 'n.d.', 'na', '-'), true) as is_value_missing,
        coalesce(lower(volume_text) in ('nd', 'n.d.', 'na', '-'), true) as is_volume_missing
    from texts
),

typed as (
    select
        *,
        -- A spreadsheet eats the zero of 01.
        case when length(zone_text) = 1 then '0' || zone_text else upper(zone_text) end as zone_code,
        {{ mapped_month(this_source, 'period_text') }} as month,
        upper(country_text) as card_country,
        case when not is_value_secret then {{ mapped_number(this_source, 'value_text') }} end as value_index,
        case when not is_volume_secret then {{ mapped_number(this_source, 'volume_text') }} end as volume_index
    from told
),

judged as (
    select
        *,
        max(month) over (partition by _delivery_id) as last_month,
        coalesce({{ is_out_of_scope('zone_level', 'zone_code') }}, false) as is_outside
    from typed
)

select
    _delivery_id,
    _record_no,
    zone_level,
    zone_code,
    month,
    card_country,
    value_index,
    case
        when is_value_secret then 'secret'
        when is_value_missing then 'not_available'
        else 'measured'
    end as value_status,
    volume_index,
    case
        when is_volume_secret then 'secret'
        when is_volume_missing then 'not_available'
        else 'measured'
    end as volume_status,
    '{{ mapping['unit'] }}' as unit,
    {{ mapped_base(this_source, '_file_name', 'last_month') }} as base_period,
    'face_to_face_foreign_cards_one_bank' as scope,
    10 as market_share_min_pct,
    15 as market_share_max_pct,
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
        when card_country is null then 'no country of the card'
        when not regexp_full_match(card_country, '[A-Z]{2}')
            then 'this country has no code in the mapping: ' || country_text
        when card_country = 'FR' then 'a French card is not a foreign one'
        when not is_value_secret and not is_value_missing and value_index is null
            then 'the value index is not written as the mapping says: ' || value_text
        when not is_volume_secret and not is_volume_missing and volume_index is null
            then 'the volume index is not written as the mapping says: ' || volume_text
        when value_index < 0 then 'negative value index: ' || value_text
        when volume_index < 0 then 'negative volume index: ' || volume_text
    end as _reject_reason
from judged
