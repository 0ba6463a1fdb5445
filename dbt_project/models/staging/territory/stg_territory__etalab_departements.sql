{{ config(key=['vintage', 'department_code']) }}

-- The departments of the administrative division on 1 January of a year, overseas collectivities included.
with published as (
    select * from {{ raw('etalab__departements') }}
),

typed as (
    select
        _delivery_id,
        _record_no,
        {{ vintage_of_file('etalab_departements') }} as vintage,
        nullif(trim(code), '') as department_code,
        nullif(trim(nom), '') as department_name,
        nullif(trim(region), '') as region_code,
        nullif(trim(chef_lieu), '') as seat_code
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
