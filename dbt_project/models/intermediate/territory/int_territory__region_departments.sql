-- The departments of each region: those of the latest vintage of communes that knows the region and, where no reference
-- is loaded, those of the law of 16 January 2015.
with vintages as (
    select
        vintage,
        region_code,
        department_code,
        max(vintage) over (partition by region_code) as latest_vintage
    from {{ ref('int_territory__communes') }}
    where commune_type = 'COM' and region_code is not null and department_code is not null
),

known as (
    select distinct
        region_code,
        department_code
    from vintages
    where vintage = latest_vintage
),

numbered as (
    select lpad(cast(unnest(generate_series(1, 95)) as varchar), 2, '0') as department_code
    union all
    select unnest(['2A', '2B', '971', '972', '973', '974', '976']) as department_code
),

by_law as (
    select
        {{ region_of_department('department_code') }} as region_code,
        department_code
    from numbered
)

select
    region_code,
    department_code
from known
union all
select
    by_law.region_code,
    by_law.department_code
from by_law
left join known on by_law.region_code = known.region_code
where by_law.region_code is not null and known.region_code is null
