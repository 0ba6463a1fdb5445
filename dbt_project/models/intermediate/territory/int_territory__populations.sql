-- Legal populations by year and code. Until 2020 Paris, Lyon and Marseille are published by their districts alone: the
-- whole city is made here, by its municipal population only, since the population counted apart of a city is not the
-- sum of its districts'. A year's figures are for the boundaries of two years later and come into force in the third.
with published as (
    select
        population_year,
        commune_code,
        commune_name,
        {{ whole_city_of('commune_code') }} as city_code,
        municipal_population,
        counted_apart_population,
        total_population
    from {{ ref('stg_territory__insee_populations_legales') }}
),

missing_cities as (
    select
        districts.population_year,
        districts.city_code as commune_code,
        cast(sum(districts.municipal_population) as integer) as municipal_population
    from published as districts
    left join published as cities
        on districts.population_year = cities.population_year and districts.city_code = cities.commune_code
    where districts.city_code is not null and cities.commune_code is null
    group by districts.population_year, districts.city_code
),

city_names as (
    select
        city_code,
        city_name
    from (values ('75056', 'Paris'), ('69123', 'Lyon'), ('13055', 'Marseille')) as cities (city_code, city_name)
),

united as (
    select
        population_year,
        commune_code,
        commune_name,
        case when city_code is null then 'COM' else 'ARM' end as commune_type,
        municipal_population,
        counted_apart_population,
        total_population,
        false as is_sum_of_districts
    from published
    union all
    select
        missing_cities.population_year,
        missing_cities.commune_code,
        city_names.city_name as commune_name,
        'COM' as commune_type,
        missing_cities.municipal_population,
        cast(null as integer) as counted_apart_population,
        cast(null as integer) as total_population,
        true as is_sum_of_districts
    from missing_cities
    inner join city_names on missing_cities.commune_code = city_names.city_code
)

select
    *,
    population_year + 2 as boundaries_year,
    population_year + 3 as in_force_year
from united
