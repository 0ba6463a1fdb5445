{{ config(key=['vintage', 'commune_type', 'commune_code']) }}

-- The same code as INSEE's, with overseas collectivities, SIREN, population and the codes that each commune bore or
-- took in. The population is that in force in the vintage; its year is not published, and is not made up here.
with published as (
    select * from {{ raw('etalab__communes') }}
),

typed as (
    select
        _delivery_id,
        _record_no,
        {{ vintage_of_file('etalab_communes') }} as vintage,
        type as type_text,
        case type
            when 'commune-actuelle' then 'COM'
            when 'commune-deleguee' then 'COMD'
            when 'commune-associee' then 'COMA'
            when 'arrondissement-municipal' then 'ARM'
        end as commune_type,
        trim(code) as commune_code,
        nullif(trim(nom), '') as commune_name,
        nullif(trim(departement), '') as department_code,
        nullif(trim(region), '') as region_code,
        nullif(trim(arrondissement), '') as arrondissement_code,
        nullif(trim(coalesce(chef_lieu, commune)), '') as parent_code,
        nullif(trim(siren), '') as siren,
        population as population_text,
        try_cast(population as integer) as municipal_population,
        anciens_codes as former_codes_text,
        case when json_valid(anciens_codes) then cast(json(anciens_codes) as varchar[]) end as former_codes
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
    siren,
    municipal_population,
    former_codes,
    0 as _preference,
    false as _out_of_scope,
    case
        {{ reference_reasons('commune_name') }}
        when commune_type is null then 'the type of commune is not known: ' || coalesce(type_text, '')
        when commune_code is null or not {{ is_commune_code('commune_code') }}
            then 'the code is not that of a commune: ' || coalesce(commune_code, '')
        when commune_type <> 'COM' and parent_code is null then 'no parent commune: ' || commune_code
        when commune_type = 'COM' and department_code is null then 'no department: ' || commune_code
        when population_text is not null and coalesce(municipal_population, -1) < 0
            then 'the population is not a number of persons: ' || population_text
        when former_codes_text is not null and former_codes is null
            then 'the former codes are not a list: ' || former_codes_text
    end as _reject_reason
from typed
