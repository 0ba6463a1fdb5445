{{ config(key=['vintage', 'department_code']) }}

-- The departments of the official geographic code on 1 January of a year.
with published as (
    select * from {{ raw('insee__cog_departements') }}
),

typed as (
    select
        _delivery_id,
        _record_no,
        {{ vintage_of_file('insee_cog_departements') }} as vintage,
        nullif(trim(dep), '') as department_code,
        nullif(trim(libelle), '') as department_name,
        nullif(trim(reg), '') as region_code,
        nullif(trim(cheflieu), '') as seat_code
    from published
)

select
    _delivery_id,
    _record_no,
    vintage,
    department_code,
    department_name,
    region_code,
    seat_code,
    0 as _preference,
    false as _out_of_scope,
    case
        {{ reference_reasons('department_name') }}
        when department_code is null or not regexp_full_match(department_code, '[0-9]{2,3}|2[AB]')
            then 'the code is not that of a department: ' || coalesce(department_code, '')
        when region_code is null then 'no region: ' || department_code
    end as _reject_reason
from typed
