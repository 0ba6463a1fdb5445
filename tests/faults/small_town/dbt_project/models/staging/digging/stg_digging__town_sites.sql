{{ config(key=['site_id'], versions=['start_on', 'end_on']) }}

select
    _delivery_id,
    _record_no,
    trim(site_id) as site_id,
    try_cast(start_on as date) as start_on,
    try_cast(end_on as date) as end_on,
    0 as _preference,
    false as _out_of_scope,
    case when try_cast(start_on as date) is null then 'the start is not a date: ' || coalesce(start_on, '') end
        as _reject_reason
from {{ raw('town__sites') }}
