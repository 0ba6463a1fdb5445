-- For every code of every loaded vintage, the commune of the reference vintage that it lies in: what other themes join
-- to cross years. Delegated and associated communes and municipal districts go through their whole commune; a code that
-- is that of a commune and of a part of it is the commune's. reference_code is NULL where the passage would be a guess:
-- a commune that was split (going forward) or that came from several (going back), or of which nothing is known.
with recursive reference as (
    select reference_vintage from {{ ref('int_territory__reference_vintage') }}
),

codes as (
    select
        vintage,
        commune_code,
        case when commune_type = 'COM' then commune_code else parent_code end as whole_code,
        commune_type,
        row_number() over (
            partition by vintage, commune_code
            order by case commune_type when 'COM' then 1 when 'ARM' then 2 when 'COMD' then 3 else 4 end
        ) as choice
    from {{ ref('int_territory__communes') }}
),

-- One step in time, forward or back, towards the reference: where it leads when it leads to one commune.
forward_steps as (
    select
        from_vintage as at_vintage,
        from_code as at_code,
        max(to_vintage) as next_vintage,
        case when count(*) = 1 then max(to_code) end as next_code,
        case when count(*) = 1 then max(relation) else 'split' end as relation
    from {{ ref('int_territory__commune_steps') }}
    cross join reference
    where from_code is not null and to_vintage <= reference_vintage
    group by from_vintage, from_code
),

backward_steps as (
    select
        to_vintage as at_vintage,
        to_code as at_code,
        max(from_vintage) as next_vintage,
        case when count(*) = 1 then max(from_code) end as next_code,
        case when count(*) = 1 then max(relation) else 'merged' end as relation
    from {{ ref('int_territory__commune_steps') }}
    cross join reference
    where to_code is not null and from_vintage >= reference_vintage
    group by to_vintage, to_code
),

steps as (
    select * from forward_steps
    union all
    select * from backward_steps
),

walked as (
    select
        vintage,
        commune_code as start_code,
        vintage as at_vintage,
        commune_code as at_code,
        'unchanged' as relation,
        0 as step
    from codes
    where commune_type = 'COM'
    union all
    select
        walked.vintage,
        walked.start_code,
        steps.next_vintage as at_vintage,
        steps.next_code as at_code,
        case when steps.relation = 'unchanged' then walked.relation else steps.relation end as relation,
        walked.step + 1 as step
    from walked
    inner join steps on walked.at_vintage = steps.at_vintage and walked.at_code = steps.at_code
),

arrived as (
    select
        vintage,
        start_code,
        max(step) as steps,
        arg_max(relation, step) as relation,
        max(at_code) filter (where at_vintage = reference_vintage) as reference_code
    from walked
    cross join reference
    group by vintage, start_code
)

select
    codes.vintage,
    codes.commune_code,
    codes.commune_type,
    codes.whole_code,
    reference.reference_vintage,
    arrived.reference_code,
    coalesce(arrived.relation, 'unknown') as relation
from codes
cross join reference
left join arrived on codes.vintage = arrived.vintage and codes.whole_code = arrived.start_code
where codes.choice = 1
