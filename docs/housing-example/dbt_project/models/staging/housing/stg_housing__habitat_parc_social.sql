{{ config(key=['commune_code', 'year']) }}

-- A national file: a record of a commune that is not the territory's is out of scope, whatever else is wrong with it.
-- The producer writes why a figure is absent in its place: 's' under the secrecy of small communes, 'nd' when there is
-- none.
with published as (
    select * from {{ raw('habitat__parc_social') }}
),

typed as (
    select
        _delivery_id,
        _record_no,
        trim(code_commune) as commune_code,
        nullif(trim(commune), '') as commune_name,
        annee as year_text,
        try_cast(annee as integer) as year,
        lower(trim(coalesce(logements, ''))) as dwellings_text,
        lower(trim(coalesce(vacants, ''))) as vacant_text
    from published
),

told as (
    select
        *,
        {{ parse_number('dwellings_text') }} as dwellings,
        {{ parse_number('vacant_text') }} as vacant_dwellings,
        case dwellings_text
            when 's' then 'secret' when 'nd' then 'not_available' else 'measured'
        end as dwellings_status,
        case vacant_text
            when 's' then 'secret' when 'nd' then 'not_available' else 'measured'
        end as vacant_status,
        coalesce({{ is_out_of_scope("'commune'", 'commune_code') }}, false) as is_elsewhere
    from typed
)

select
    _delivery_id,
    _record_no,
    commune_code,
    commune_name,
    year,
    cast(dwellings as integer) as dwellings,
    dwellings_status,
    cast(vacant_dwellings as integer) as vacant_dwellings,
    vacant_status as vacant_dwellings_status,
    0 as _preference,
    is_elsewhere as _out_of_scope,
    case
        when is_elsewhere then null
        when not {{ is_commune_code('commune_code') }} then 'the code is not that of a commune: ' || commune_code
        when year is null then 'the year is not a number: ' || year_text
        when dwellings is null and dwellings_status = 'measured'
            then 'the dwellings are not a number: ' || dwellings_text
        when vacant_dwellings is null and vacant_status = 'measured'
            then 'the vacant dwellings are not a number: ' || vacant_text
        when vacant_dwellings > dwellings then 'more vacant dwellings than dwellings: ' || vacant_text
    end as _reject_reason
from told
