{{ config(key=['vintage', 'epci_code']) }}

-- The territories of Greater Paris (EPT), which lie within one intermunicipality on 1 January of a year. The
-- populations published with them are sums of their members': those of the members are read from the communes.
with published as (
    select * from {{ raw('etalab__ept') }}
),

typed as (
    select
        _delivery_id,
        _record_no,
        {{ vintage_of_file('etalab_ept') }} as vintage,
        nullif(trim(code), '') as epci_code,
        nullif(trim(nom), '') as epci_name,
        nullif(trim(type), '') as epci_type,
        case
            when json_valid(membres) then cast(json_extract_string(membres, '$[*].code') as varchar[])
        end as member_codes
    from published
)

select
    _delivery_id,
    _record_no,
    vintage,
    epci_code,
    epci_name,
    epci_type,
    member_codes,
    0 as _preference,
    false as _out_of_scope,
    case
        {{ reference_reasons('epci_name') }}
        when epci_code is null or not regexp_full_match(epci_code, '[0-9]{9}')
            then 'the code is not a SIREN: ' || coalesce(epci_code, '')
        when epci_type is null then 'no type: ' || epci_code
        when coalesce(len(member_codes), 0) = 0 then 'no member commune: ' || epci_code
    end as _reject_reason
from typed
