-- The codes by which energy figures name their zones, with the years that each vintage of a code is to be read for, and
-- the commune of the reference vintage that it lies in. Producers do not say which vintage they use, and publish past
-- years in that of the day of publication: a year is read in the nearest loaded vintage that has the code, the earlier
-- of two. Bounds are twice a year, so that the middle of two vintages is a whole number: a year is read here when 2 x
-- year lies after the first bound and up to the last (macro is_code_of_zone).
with names as (
    select
        vintage,
        commune_code,
        max(commune_name) as commune_name
    from {{ ref('int_territory__communes') }}
    where commune_type in ('COM', 'ARM')
    group by vintage, commune_code
),

-- The intermunicipality in the vintage of the code, else in the latest that has it: the larger zone of a sum.
latest_members as (
    select
        commune_code,
        max_by(epci_code, vintage) as epci_code
    from {{ ref('int_territory__epci_members') }}
    where grouping_kind = 'epci'
    group by commune_code
),

codes as (
    select
        'commune' as code_level,
        passage.commune_code as code,
        passage.vintage,
        names.commune_name as name,
        passage.reference_code,
        case when passage.reference_code is not null then passage.reference_vintage end as reference_vintage,
        coalesce(members.epci_code, latest_members.epci_code, latest_of_reference.epci_code) as epci_code
    from {{ ref('int_territory__commune_passage') }} as passage
    left join names on passage.vintage = names.vintage and passage.commune_code = names.commune_code
    left join {{ ref('int_territory__epci_members') }} as members
        on passage.vintage = members.vintage
        and passage.commune_code = members.commune_code
        and members.grouping_kind = 'epci'
    left join latest_members on passage.commune_code = latest_members.commune_code
    left join latest_members as latest_of_reference on passage.reference_code = latest_of_reference.commune_code
    union all
    select
        'epci' as code_level,
        epci_code as code,
        vintage,
        max(epci_name) as name,
        cast(null as varchar) as reference_code,
        cast(null as integer) as reference_vintage,
        cast(null as varchar) as epci_code
    from {{ ref('int_territory__epci_members') }}
    group by epci_code, vintage
    union all
    select
        division as code_level,
        division_code as code,
        vintage,
        max(division_name) as name,
        cast(null as varchar) as reference_code,
        cast(null as integer) as reference_vintage,
        cast(null as varchar) as epci_code
    from {{ ref('int_territory__divisions') }}
    group by division, division_code, vintage
)

select
    code_level,
    code,
    vintage as zone_vintage,
    name as official_name,
    case when code_level = 'commune' then code end as commune_code,
    reference_code,
    reference_vintage,
    epci_code,
    coalesce(vintage + lag(vintage) over (partition by code_level, code order by vintage), 0) as after_twice_year,
    coalesce(vintage + lead(vintage) over (partition by code_level, code order by vintage), 20000) as upto_twice_year
from codes
