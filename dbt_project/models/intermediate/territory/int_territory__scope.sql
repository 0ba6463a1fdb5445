{{ config(reads=['communes', 'territory']) }}

-- The zones that a national file is cut to: what the territory is made of, and what contains it. No row for a territory
-- that lists no commune: nothing national is cut for it. Former communes count: figures of past years bear their codes.
-- Departments are read from the code of the commune (three characters overseas); regions are those of the loaded
-- vintages and, since a reference may not be loaded, those of the law of 16 January 2015.
with own as (
    select distinct commune_code from {{ source('ops', 'territory_communes') }}
),

former as (
    select
        commune_code,
        unnest(former_codes) as former_code
    from {{ ref('stg_territory__etalab_communes') }}
    where commune_type = 'COM'
),

communes as (
    select commune_code from own
    union
    select passage.commune_code
    from {{ ref('int_territory__commune_passage') }} as passage
    inner join own on own.commune_code in (passage.whole_code, passage.reference_code)
    union
    select former.former_code
    from former
    inner join own on former.commune_code = own.commune_code
),

divisions as (
    select
        own.commune_code,
        case when substr(own.commune_code, 1, 2) = '97' then 3 else 2 end as department_length
    from own
),

departments as (
    select distinct substr(commune_code, 1, department_length) as department_code from divisions
),

regions as (
    select {{ region_of_department('department_code') }} as region_code
    from departments
    union
    select communes_known.region_code
    from {{ ref('int_territory__communes') }} as communes_known
    inner join own on communes_known.commune_code = own.commune_code
),

intermunicipalities as (
    select members.epci_code
    from {{ ref('int_territory__epci_members') }} as members
    inner join own on members.commune_code = own.commune_code
    union
    select territory.siren
    from {{ source('ops', 'territory') }} as territory
    where exists (select 1 from own)
)

select
    'commune' as scope_level,
    commune_code as scope_code
from communes
union
select
    'epci' as scope_level,
    epci_code as scope_code
from intermunicipalities
union
select
    'department' as scope_level,
    department_code as scope_code
from departments
union
select
    'region' as scope_level,
    region_code as scope_code
from regions
where region_code is not null
