{{ config(
    key=['day'],
    period='period_month',
) }}

-- Daily deviation of traffic in Paris from a reference situation (before March 2020; the file does not give it): -0.10
-- is a tenth less than the reference. It is no flow and cannot be added, so it joins no family of measures.
--
-- NA marks an absent value: the means over seven days lack their first six. "-0.00" is a small fall, rounded: adding
-- zero takes off the sign, which would make two texts of one number.
with published as (
    select
        _delivery_id,
        _record_no,
        trim(day) as day_text,
        nullif(nullif(trim(iq), 'NA'), '') as iq_text,
        nullif(nullif(trim(ito), 'NA'), '') as ito_text,
        nullif(nullif(trim(m7iq), 'NA'), '') as m7iq_text,
        nullif(nullif(trim(m7ito), 'NA'), '') as m7ito_text
    from {{ raw('cerema__indices_trafic') }}
),

typed as (
    select
        *,
        {{ parse_date('day_text', 'Europe/Paris') }} as day,
        {{ parse_number('iq_text') }} + 0 as flow_deviation_ratio,
        {{ parse_number('ito_text') }} + 0 as occupancy_deviation_ratio,
        {{ parse_number('m7iq_text') }} + 0 as flow_deviation_7d_ratio,
        {{ parse_number('m7ito_text') }} + 0 as occupancy_deviation_7d_ratio
    from published
)

select
    _delivery_id,
    _record_no,
    day,
    {{ month_of('day') }} as period_month,
    flow_deviation_ratio,
    occupancy_deviation_ratio,
    flow_deviation_7d_ratio,
    occupancy_deviation_7d_ratio,
    0 as _preference,
    false as _out_of_scope,
    case
        when day_text is null then 'no day'
        when day is null then 'the day is not a date: ' || day_text
        when {{ is_not_a_number('iq_text') }} then 'the flow index is not a number: ' || iq_text
        when {{ is_not_a_number('ito_text') }} then 'the occupancy index is not a number: ' || ito_text
        when {{ is_not_a_number('m7iq_text') }}
            then 'the flow index over seven days is not a number: ' || m7iq_text
        when {{ is_not_a_number('m7ito_text') }}
            then 'the occupancy index over seven days is not a number: ' || m7ito_text
        when flow_deviation_ratio < -1 then 'the flow index is below no traffic at all: ' || iq_text
        when occupancy_deviation_ratio < -1 then 'the occupancy index is below no traffic at all: ' || ito_text
        when flow_deviation_7d_ratio < -1
            then 'the flow index over seven days is below no traffic at all: ' || m7iq_text
        when occupancy_deviation_7d_ratio < -1
            then 'the occupancy index over seven days is below no traffic at all: ' || m7ito_text
    end as _reject_reason
from typed
