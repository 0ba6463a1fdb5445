-- The legal populations offered to each commune of each loaded vintage, in its own perimeter: that in force in the
-- vintage (of the third year before it) and that of the nearest boundaries, the later of two. From the boundaries to
-- the vintage the passages are followed. A figure stays that of a commune unchanged, renamed or recoded all the way;
-- going forward those of communes that merged are added. A split, or a merger going back, leaves nothing: no figure
-- says which part belonged to whom. What no passage tells is taken for the year in force alone, which is the law's for
-- that code. Municipal districts do not change on their own.
with recursive communes as (
    select
        vintage,
        commune_type,
        commune_code
    from {{ ref('int_territory__communes') }}
    where commune_type in ('COM', 'ARM')
),

vintages as (
    select distinct vintage from communes
),

years as (
    select distinct
        population_year,
        boundaries_year,
        in_force_year
    from {{ ref('int_territory__populations') }}
),

ranked as (
    select
        vintages.vintage,
        years.population_year,
        years.boundaries_year,
        years.in_force_year = vintages.vintage as is_in_force,
        row_number() over (
            partition by vintages.vintage
            order by abs(years.boundaries_year - vintages.vintage), years.boundaries_year desc
        ) as nearness
    from vintages
    cross join years
),

-- The passages are followed as far as the loaded vintage next to the boundaries, on the side of the commune's own.
chosen as (
    select
        ranked.vintage,
        ranked.population_year,
        ranked.is_in_force,
        case
            when ranked.vintage >= ranked.boundaries_year
                then min(vintages.vintage) filter (where vintages.vintage >= ranked.boundaries_year)
            else max(vintages.vintage) filter (where vintages.vintage <= ranked.boundaries_year)
        end as target_vintage
    from ranked
    cross join vintages
    where ranked.is_in_force or ranked.nearness = 1
    group by ranked.vintage, ranked.population_year, ranked.boundaries_year, ranked.is_in_force
),

steps as (
    select
        to_vintage as at_vintage,
        to_code as at_code,
        from_vintage as next_vintage,
        from_code as next_code,
        relation = 'split' as is_other_perimeter
    from {{ ref('int_territory__commune_steps') }}
    where to_code is not null
    union all
    select
        from_vintage as at_vintage,
        from_code as at_code,
        to_vintage as next_vintage,
        to_code as next_code,
        relation in ('merged', 'split') as is_other_perimeter
    from {{ ref('int_territory__commune_steps') }}
    where from_code is not null
),

walked as (
    select
        chosen.vintage,
        chosen.population_year,
        chosen.is_in_force,
        chosen.target_vintage,
        communes.commune_code,
        chosen.vintage as at_vintage,
        communes.commune_code as at_code,
        false as is_other_perimeter
    from chosen
    inner join communes on chosen.vintage = communes.vintage
    where communes.commune_type = 'COM'
    union all
    select
        walked.vintage,
        walked.population_year,
        walked.is_in_force,
        walked.target_vintage,
        walked.commune_code,
        steps.next_vintage as at_vintage,
        steps.next_code as at_code,
        walked.is_other_perimeter or steps.is_other_perimeter as is_other_perimeter
    from walked
    inner join steps
        on walked.at_vintage = steps.at_vintage
        and walked.at_code = steps.at_code
        and sign(walked.target_vintage - walked.at_vintage) = sign(steps.next_vintage - steps.at_vintage)
),

arrived as (
    select
        walked.vintage,
        walked.population_year,
        walked.is_in_force,
        walked.commune_code,
        cast(sum(coalesce(populations.municipal_population, untold.municipal_population)) as integer)
            as municipal_population,
        count(*) > 1 or coalesce(bool_or(populations.is_sum), false) as is_sum
    from walked
    left join {{ ref('int_territory__populations_at_vintages') }} as populations
        on walked.population_year = populations.population_year
        and walked.at_vintage = populations.vintage
        and walked.at_code = populations.commune_code
        and (populations.is_proven or walked.is_in_force)
    left join {{ ref('int_territory__populations') }} as untold
        on walked.population_year = untold.population_year
        and walked.commune_code = untold.commune_code
        and untold.commune_type = 'COM'
        and walked.is_in_force
        and walked.at_code is null
    where walked.at_vintage = walked.target_vintage or walked.at_code is null
    group by walked.vintage, walked.population_year, walked.is_in_force, walked.commune_code
    having
        not bool_or(walked.is_other_perimeter)
        and count(coalesce(populations.municipal_population, untold.municipal_population)) = count(*)
),

districts as (
    select
        chosen.vintage,
        chosen.population_year,
        chosen.is_in_force,
        communes.commune_code,
        populations.municipal_population
    from chosen
    inner join communes on chosen.vintage = communes.vintage
    inner join {{ ref('int_territory__populations') }} as populations
        on chosen.population_year = populations.population_year
        and communes.commune_type = populations.commune_type
        and communes.commune_code = populations.commune_code
    where communes.commune_type = 'ARM'
)

select
    vintage,
    'COM' as commune_type,
    commune_code,
    population_year,
    is_in_force,
    municipal_population,
    is_sum
from arrived
union all
select
    vintage,
    'ARM' as commune_type,
    commune_code,
    population_year,
    is_in_force,
    municipal_population,
    false as is_sum
from districts
