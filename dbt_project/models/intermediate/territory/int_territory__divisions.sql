-- The names of departments and regions, by vintage. INSEE's where it has one.
with departments as (
    select
        coalesce(insee.vintage, etalab.vintage) as vintage,
        'department' as division,
        coalesce(insee.department_code, etalab.department_code) as division_code,
        coalesce(insee.department_name, etalab.department_name) as division_name
    from {{ ref('stg_territory__insee_cog_departements') }} as insee
    full outer join {{ ref('stg_territory__etalab_departements') }} as etalab
        on insee.vintage = etalab.vintage and insee.department_code = etalab.department_code
),

regions as (
    select
        coalesce(insee.vintage, etalab.vintage) as vintage,
        'region' as division,
        coalesce(insee.region_code, etalab.region_code) as division_code,
        coalesce(insee.region_name, etalab.region_name) as division_name
    from {{ ref('stg_territory__insee_cog_regions') }} as insee
    full outer join {{ ref('stg_territory__etalab_regions') }} as etalab
        on insee.vintage = etalab.vintage and insee.region_code = etalab.region_code
)

select * from departments
union all
select * from regions
