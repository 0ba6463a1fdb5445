{{ config(reads=['communes']) }}

-- The one vintage through which themes are crossed: that of territory.yml when it is loaded, else the nearest one
-- loaded, the later of two. No row when no vintage is loaded.
with loaded as (
    select distinct vintage from {{ ref('int_territory__communes') }}
),

wanted as (
    select max(vintage) as vintage from {{ source('ops', 'territory_communes') }}
)

select
    loaded.vintage as reference_vintage,
    wanted.vintage as territory_vintage
from loaded
cross join wanted
order by abs(loaded.vintage - wanted.vintage), loaded.vintage desc
limit 1
