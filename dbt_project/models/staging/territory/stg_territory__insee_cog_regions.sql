{{ config(key=['vintage', 'region_code']) }}

-- The regions of the official geographic code on 1 January of a year.
with published as (
    select * from {{ raw('insee__cog_regions') }}
),

typed as (
    select
        _delivery_id,
        _record_no,
        {{ vintage_of_file('insee_cog_regions') }} as vintage,
        nullif(trim(reg), '') as region_code,
        nullif(trim(libelle), '') as region_name,
        nullif(trim(cheflieu), '') as seat_code
    from published
)

select
    _delivery_id,
    _record_no,
    vintage,
    region_code,
    region_name,
    seat_code,
    0 as _preference,
    false as _out_of_scope,
    case
        {{ reference_reasons('region_name') }}
        when region_code is null or not regexp_full_match(region_code, '[0-9]{2,3}')
            then 'the code is not that of a region: ' || coalesce(region_code, '')
    end as _reject_reason
from typed
