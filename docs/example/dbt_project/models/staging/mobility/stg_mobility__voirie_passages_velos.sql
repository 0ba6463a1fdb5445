{{ config(key=['counter_id', 'day_on'], period='period_month') }}

-- The model casts, and says why a record does not fit; the `staged` materialisation does the rest.
with published as (
    select * from {{ raw('voirie__passages_velos') }}
),

typed as (
    select
        _delivery_id,
        _record_no,
        trim(borne) as counter_id,
        jour as day_text,
        passages as passages_text,
        {{ parse_date('jour', 'Europe/Paris') }} as day_on,
        {{ parse_number('passages') }} as passages_count
    from published
)

select
    _delivery_id,
    _record_no,
    counter_id,
    day_on,
    cast(passages_count as integer) as passages_count,
    {{ month_of('day_on') }} as period_month,
    0 as _preference,
    false as _out_of_scope,
    case
        when counter_id is null or counter_id = '' then 'no identifier'
        when day_on is null then 'the day is not a date: ' || coalesce(day_text, '(empty)')
        when passages_count is null then 'the count is not a number: ' || coalesce(passages_text, '(empty)')
        when passages_count < 0 then 'the count is negative: ' || passages_text
    end as _reject_reason
from typed
