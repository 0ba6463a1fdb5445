{{ config(key=['zone_code', 'consumption_month']) }}

-- Gas of the métropoles by month, as seen from the transport networks (ODRÉ). The producer presents the figures as
-- estimates, and that is their status; an empty month is not available. Energy by gross calorific value (PCS, at 0 °C),
-- in kWh: MWh here, on the same basis. The boundary, repeated on every row, is not loaded.
-- int_energy__odre_gaz_metropoles makes years of the months.
with published as (
    select
        _delivery_id,
        _record_no,
        {{ filled('mois') }} as month_text,
        {{ filled('code_epci') }} as zone_code,
        {{ filled('nom_epci') }} as zone_name,
        'epci' as zone_level,
        {{ filled('consommation_kwh_pcs') }} as consumption_text
    from {{ raw('odre__gaz_metropoles') }}
),

zones as (
    {{ zones_out_of_scope('published') }}
),

typed as (
    select
        published.*,
        coalesce(zones.is_outside, false) as is_outside,
        -- A portal may render a month as its first day.
        nullif(regexp_extract(month_text, '^([12][0-9]{3}-(0[1-9]|1[0-2]))(-01.*)?$', 1), '') as consumption_month,
        {{ parse_number('consumption_text') }} as consumption_kwh
    from published
    left join zones on published.zone_level = zones.zone_level and published.zone_code = zones.zone_code
)

select
    _delivery_id,
    _record_no,
    consumption_month,
    cast(substr(consumption_month, 1, 4) as integer) as year,
    zone_level,
    zone_code,
    zone_name,
    consumption_kwh / 1000 as consumption_mwh,
    case when consumption_kwh is null then 'not_available' else 'estimated' end as consumption_status,
    0 as _preference,
    is_outside as _out_of_scope,
    case
        when is_outside then null
        when consumption_month is null then 'the month cannot be read: ' || coalesce(month_text, '')
        when zone_code is null then 'no métropole'
        when not {{ is_zone_code() }} then 'the code is not that of a métropole: ' || zone_code
        when {{ is_not_a_number('consumption_text') }} then 'the consumption is not a number: ' || consumption_text
        when consumption_kwh < 0 then 'negative consumption: ' || consumption_text
    end as _reject_reason
from typed
