{{ config(key=['counter_id', 'day_on'], period='period_month') }}

select
    _delivery_id,
    _record_no,
    trim(counter_id) as counter_id,
    try_cast(day as date) as day_on,
    try_cast(vehicles as integer) as vehicles,
    substr(day, 1, 7) as period_month,
    0 as _preference,
    false as _out_of_scope,
    case
        when try_cast(day as date) is null then 'the day is not a date: ' || coalesce(day, '')
        when try_cast(vehicles as integer) is null then 'the count is not a number: ' || coalesce(vehicles, '')
    end as _reject_reason
from {{ raw('town__counts') }}
