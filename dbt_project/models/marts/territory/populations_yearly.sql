-- Legal populations, one row per year and code, apart from the communes: a year's figures hold for the boundaries of
-- two years later, so that they belong to no vintage of the communes. Municipal populations of rows of type COM add up,
-- each person once; those of municipal districts (ARM) are in their city's.
select
    population_year,
    commune_code,
    commune_type,
    commune_name,
    municipal_population,
    counted_apart_population,
    total_population,
    case when total_population is null then 'not_available' else 'measured' end as total_population_status,
    is_sum_of_districts,
    boundaries_year,
    in_force_year,
    'insee_populations_legales' as source
from {{ ref('int_territory__populations') }}
