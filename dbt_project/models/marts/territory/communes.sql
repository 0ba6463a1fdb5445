{{ config(reads=['communes']) }}

-- Communes by vintage, with what surrounds them in that vintage. Populations: the legal one in force in the vintage (of
-- the third year before it) where INSEE's file is loaded; else the one that the commune's own file gives, whose year is
-- not published; else the legal one of the nearest boundaries, whose year is told. A legal population counts only in
-- the commune's own perimeter (int_territory__commune_populations). Rows of municipal districts, delegated and
-- associated communes are parts of a commune: figures are never added across types.
with communes as (
    select * from {{ ref('int_territory__communes') }}
),

epci as (
    select * from {{ ref('int_territory__epci_members') }} where grouping_kind = 'epci'
),

ept as (
    select * from {{ ref('int_territory__epci_members') }} where grouping_kind = 'ept'
),

departments as (
    select * from {{ ref('int_territory__divisions') }} where division = 'department'
),

regions as (
    select * from {{ ref('int_territory__divisions') }} where division = 'region'
),

of_territory as (
    select distinct
        passage.vintage,
        passage.commune_code
    from {{ ref('int_territory__commune_passage') }} as passage
    inner join {{ source('ops', 'territory_communes') }} as own
        on own.commune_code in (passage.commune_code, passage.whole_code, passage.reference_code)
),

populated as (
    select
        communes.*,
        in_force.population_year as in_force_year,
        in_force.municipal_population as in_force_population,
        in_force.is_sum as in_force_is_sum,
        nearest.population_year as nearest_year,
        nearest.municipal_population as nearest_population
    from communes
    left join {{ ref('int_territory__commune_populations') }} as in_force
        on communes.vintage = in_force.vintage
        and communes.commune_type = in_force.commune_type
        and communes.commune_code = in_force.commune_code
        and in_force.is_in_force
    left join {{ ref('int_territory__commune_populations') }} as nearest
        on communes.vintage = nearest.vintage
        and communes.commune_type = nearest.commune_type
        and communes.commune_code = nearest.commune_code
        and not nearest.is_in_force
)

select
    populated.vintage,
    populated.commune_type,
    populated.commune_code,
    populated.commune_name,
    populated.parent_code,
    populated.siren,
    populated.arrondissement_code,
    populated.department_code,
    departments.division_name as department_name,
    populated.region_code,
    regions.division_name as region_name,
    epci.epci_code,
    epci.epci_name,
    epci.epci_type,
    ept.epci_code as ept_code,
    ept.epci_name as ept_name,
    coalesce(populated.in_force_population, populated.municipal_population, populated.nearest_population)
        as municipal_population,
    case
        when populated.in_force_is_sum then 'estimated'
        when coalesce(populated.in_force_population, populated.municipal_population) is not null then 'measured'
        when populated.nearest_population is not null then 'estimated'
        else 'not_available'
    end as municipal_population_status,
    case
        when populated.in_force_population is not null then populated.in_force_year
        when populated.municipal_population is not null then null
        when populated.nearest_population is not null then populated.nearest_year
    end as population_year,
    case
        when populated.in_force_population is not null then 'insee_populations_legales'
        when populated.municipal_population is not null then 'etalab_communes'
        when populated.nearest_population is not null then 'insee_populations_legales'
    end as population_source,
    passage.reference_vintage,
    passage.reference_code,
    of_territory.commune_code is not null as is_in_territory,
    populated.source
from populated
left join departments
    on populated.vintage = departments.vintage and populated.department_code = departments.division_code
left join regions on populated.vintage = regions.vintage and populated.region_code = regions.division_code
left join epci
    on populated.vintage = epci.vintage
    and case when populated.commune_type = 'COM' then populated.commune_code else populated.parent_code end
    = epci.commune_code
left join ept
    on populated.vintage = ept.vintage
    and case when populated.commune_type = 'COM' then populated.commune_code else populated.parent_code end
    = ept.commune_code
left join {{ ref('int_territory__commune_passage') }} as passage
    on populated.vintage = passage.vintage and populated.commune_code = passage.commune_code
left join of_territory
    on populated.vintage = of_territory.vintage and populated.commune_code = of_territory.commune_code
