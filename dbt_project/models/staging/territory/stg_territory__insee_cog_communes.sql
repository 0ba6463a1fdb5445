{{ config(key=['vintage', 'commune_type', 'commune_code']) }}

-- The official geographic code on 1 January of a year. A code is not a key: a delegated commune (COMD) often bears the
-- code of the commune that took it in, so that type and code are one. Delegated and associated communes are published
-- without department and region: they take those of their parent downstream.
with published as (
    select * from {{ raw('insee__cog_communes') }}
),

typed as (
    select
        _delivery_id,
        _record_no,
        {{ vintage_of_file('insee_cog_communes') }} as vintage,
        upper(trim(typecom)) as commune_type,
        trim(com) as commune_code,
        nullif(trim(libelle), '') as commune_name,
        nullif(trim(dep), '') as department_code,
        nullif(trim(reg), '') as region_code,
        nullif(trim(arr), '') as arrondissement_code,
        nullif(trim(comparent), '') as parent_code
    from published
)

select
    _delivery_id,
    _record_no,
    vintage,
    commune_type,
    commune_code,
    commune_name,
    department_code,
    region_code,
    arrondissement_code,
    parent_code,
    0 as _preference,
    false as _out_of_scope,
    case
        {{ reference_reasons('commune_name') }}
        when commune_type is null or commune_type not in ('COM', 'COMD', 'COMA', 'ARM')
            then 'the type of commune is not known: ' || coalesce(commune_type, '')
        when commune_code is null or not {{ is_commune_code('commune_code') }}
            then 'the code is not that of a commune: ' || coalesce(commune_code, '')
        when commune_type <> 'COM' and parent_code is null then 'no parent commune: ' || commune_code
        when commune_type = 'COM' and department_code is null then 'no department: ' || commune_code
    end as _reject_reason
from typed
