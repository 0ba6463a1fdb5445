-- What became of each commune from one loaded vintage to the next. The relation is read from the passages themselves:
--   split       several communes afterwards (nothing says which part of a figure belongs to which)
--   merged      the commune afterwards comes from several
--   recoded     the same commune under another code
--   renamed     the same code under another name
--   unchanged   the same code and name
--   created     a commune that comes from none that is known
--   not_listed  the other vintage does not list its department at all (overseas collectivities)
--   unknown     a commune that disappeared, and nothing says where to
with communes as (
    select
        vintage,
        commune_code,
        commune_name,
        department_code
    from {{ ref('int_territory__communes') }}
    where commune_type = 'COM'
),

departments as (
    select distinct
        vintage,
        department_code
    from communes
),

vintages as (
    select distinct vintage from communes
),

steps as (
    select
        vintage as from_vintage,
        lead(vintage) over (order by vintage) as to_vintage
    from vintages
),

moves as (
    select
        *,
        count(*) over (partition by from_vintage, from_code) as ways_out,
        count(*) over (partition by to_vintage, to_code) as ways_in
    from {{ ref('int_territory__commune_moves') }}
),

explained as (
    select
        moves.from_vintage,
        moves.from_code,
        moves.to_vintage,
        moves.to_code,
        case
            when moves.ways_out > 1 then 'split'
            when moves.ways_in > 1 then 'merged'
            when moves.from_code <> moves.to_code then 'recoded'
            when before.commune_name <> after.commune_name then 'renamed'
            else 'unchanged'
        end as relation,
        moves.evidence
    from moves
    inner join communes as before on moves.from_vintage = before.vintage and moves.from_code = before.commune_code
    inner join communes as after on moves.to_vintage = after.vintage and moves.to_code = after.commune_code
),

vanished as (
    select
        steps.from_vintage,
        communes.commune_code as from_code,
        steps.to_vintage,
        cast(null as varchar) as to_code,
        case when departments.department_code is null then 'not_listed' else 'unknown' end as relation,
        cast(null as varchar) as evidence
    from steps
    inner join communes on steps.from_vintage = communes.vintage
    left join departments
        on steps.to_vintage = departments.vintage and communes.department_code = departments.department_code
    left join moves on steps.from_vintage = moves.from_vintage and communes.commune_code = moves.from_code
    where steps.to_vintage is not null and moves.from_code is null
),

appeared as (
    select
        steps.from_vintage,
        cast(null as varchar) as from_code,
        steps.to_vintage,
        communes.commune_code as to_code,
        case when departments.department_code is null then 'not_listed' else 'created' end as relation,
        cast(null as varchar) as evidence
    from steps
    inner join communes on steps.to_vintage = communes.vintage
    left join departments
        on steps.from_vintage = departments.vintage and communes.department_code = departments.department_code
    left join moves on steps.to_vintage = moves.to_vintage and communes.commune_code = moves.to_code
    where moves.to_code is null
)

select * from explained
union all
select * from vanished
union all
select * from appeared
