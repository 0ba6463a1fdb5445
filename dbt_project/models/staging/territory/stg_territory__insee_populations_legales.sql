{{ config(key=['population_year', 'commune_code']) }}

-- Legal populations of one year. Two forms: until 2020, COM is the name and the code is made of CODDEP and CODCOM
-- (overseas the department has three characters and the commune repeats the last of them: 971 and 105 are 97105); since
-- 2021, COM is the code and Commune the name, with three more rows for Paris, Lyon and Marseille as a whole.
with published as (
    select * from {{ raw('insee__populations_legales') }}
),

named as (
    select
        *,
        {{ vintage_of_file('insee_populations_legales') }} as vintage,
        case
            when commune is not null then trim(com)
            when length(trim(coddep)) = 3 then trim(coddep) || right(trim(codcom), 2)
            else lpad(trim(coddep), 2, '0') || lpad(trim(codcom), 3, '0')
        end as commune_code,
        nullif(trim(coalesce(commune, com)), '') as commune_name
    from published
),

typed as (
    select
        *,
        cast({{ parse_number('pmun') }} as integer) as municipal_population,
        cast({{ parse_number('pcap') }} as integer) as counted_apart_population,
        cast({{ parse_number('ptot') }} as integer) as total_population
    from named
)

select
    _delivery_id,
    _record_no,
    vintage as population_year,
    commune_code,
    commune_name,
    municipal_population,
    counted_apart_population,
    total_population,
    0 as _preference,
    false as _out_of_scope,
    case
        {{ reference_reasons('commune_name') }}
        when commune_code is null or not {{ is_commune_code('commune_code') }}
            then 'the code is not that of a commune: ' || coalesce(commune_code, '')
        when municipal_population is null or municipal_population < 0
            then 'the municipal population is not a number of persons: ' || coalesce(pmun, '')
        when {{ is_not_a_number('pcap') }} then 'the population counted apart is not a number: ' || pcap
        when {{ is_not_a_number('ptot') }} then 'the total population is not a number: ' || ptot
        when municipal_population + counted_apart_population <> total_population
            then 'the total is not the sum of its parts: ' || pmun || ' + ' || pcap || ' <> ' || ptot
    end as _reject_reason
from typed
