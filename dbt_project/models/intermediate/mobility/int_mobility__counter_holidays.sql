{{ config(reads=['communes']) }}

-- By which law each counter has its public holidays: in Bas-Rhin, Haut-Rhin and Moselle there are two more (Good Friday
-- and 26 December). The département is that of the commune in whose outline the counter stands, else what a referential
-- says; for a counter of which nothing is known, what all communes of the territory have in common.
{%- set departments = "('57', '67', '68')" %}
with territory as (
    select coalesce(bool_and(left(commune_code, 2) in {{ departments }}), false) as is_alsace_moselle
    from {{ source('ops', 'territory_communes') }}
)

select
    counters.source,
    counters.counter_id,
    coalesce(
        left(communes.commune_code, 2) in {{ departments }},
        left(counters.commune_code, 2) in {{ departments }},
        counters.department_code in {{ departments }},
        territory.is_alsace_moselle
    ) as is_alsace_moselle
from {{ ref('int_mobility__counters') }} as counters
cross join territory
left join {{ ref('int_mobility__counter_communes') }} as communes
    on counters.source = communes.source and counters.counter_id = communes.counter_id
