-- One row per vintage, type and code. Where INSEE and Etalab both give a vintage, INSEE's row counts and Etalab's adds
-- what INSEE does not publish (SIREN, population); what only Etalab has (overseas collectivities) stays, under its
-- name. Delegated and associated communes without department take their parent's.
with united as (
    select
        coalesce(insee.vintage, etalab.vintage) as vintage,
        coalesce(insee.commune_type, etalab.commune_type) as commune_type,
        coalesce(insee.commune_code, etalab.commune_code) as commune_code,
        coalesce(insee.commune_name, etalab.commune_name) as commune_name,
        coalesce(insee.department_code, etalab.department_code) as department_code,
        coalesce(insee.region_code, etalab.region_code) as region_code,
        coalesce(insee.arrondissement_code, etalab.arrondissement_code) as arrondissement_code,
        coalesce(insee.parent_code, etalab.parent_code) as parent_code,
        etalab.siren,
        etalab.municipal_population,
        case when insee.commune_code is not null then 'insee_cog_communes' else 'etalab_communes' end as source
    from {{ ref('stg_territory__insee_cog_communes') }} as insee
    full outer join {{ ref('stg_territory__etalab_communes') }} as etalab
        on insee.vintage = etalab.vintage
        and insee.commune_type = etalab.commune_type
        and insee.commune_code = etalab.commune_code
),

whole as (
    select
        vintage,
        commune_code,
        department_code,
        region_code,
        arrondissement_code
    from united
    where commune_type = 'COM'
)

select
    united.vintage,
    united.commune_type,
    united.commune_code,
    united.commune_name,
    coalesce(united.department_code, whole.department_code) as department_code,
    coalesce(united.region_code, whole.region_code) as region_code,
    coalesce(united.arrondissement_code, whole.arrondissement_code) as arrondissement_code,
    united.parent_code,
    united.siren,
    united.municipal_population,
    united.source
from united
left join whole on united.vintage = whole.vintage and united.parent_code = whole.commune_code
