-- What became of each commune from one loaded vintage to the next. A municipal district does not change on its own: it
-- is shown with the city that it is a part of, under a level of its own.
with names as (
    select
        vintage,
        commune_type,
        commune_code,
        commune_name,
        parent_code,
        source
    from {{ ref('int_territory__communes') }}
    where commune_type in ('COM', 'ARM')
),

communes as (
    select
        from_vintage,
        from_code,
        to_vintage,
        to_code,
        'commune' as level,
        relation,
        evidence
    from {{ ref('int_territory__commune_steps') }}
),

districts as (
    select
        communes.from_vintage,
        names.commune_code as from_code,
        communes.to_vintage,
        communes.to_code,
        'municipal_district' as level,
        'part_of' as relation,
        communes.evidence
    from names
    inner join communes on names.vintage = communes.from_vintage and names.parent_code = communes.from_code
    where names.commune_type = 'ARM'
),

united as (
    select * from communes
    union all
    select * from districts
)

select
    concat(
        united.from_vintage, ':', coalesce(united.from_code, '-'), '>',
        united.to_vintage, ':', coalesce(united.to_code, '-')
    ) as passage_id,
    united.from_vintage,
    united.from_code,
    before.commune_name as from_name,
    united.to_vintage,
    united.to_code,
    after.commune_name as to_name,
    united.level,
    united.relation,
    united.evidence,
    coalesce(before.source, after.source) as source
from united
left join names as before
    on united.from_vintage = before.vintage
    and united.from_code = before.commune_code
    and before.commune_type = case when united.level = 'commune' then 'COM' else 'ARM' end
left join names as after
    on united.to_vintage = after.vintage and united.to_code = after.commune_code and after.commune_type = 'COM'
