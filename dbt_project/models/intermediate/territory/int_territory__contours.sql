{{ config(reads=['communes', 'geometry']) }}

-- The outlines of the communes that touch the territory's box, by vintage, with their envelopes. A point is placed by
-- its envelope first and by geo_contains next (macro communes_of_points), in one vintage: that of territory.yml where
-- its outlines are loaded, else the nearest, the later of two.
with outlines as (
    select
        vintage,
        commune_code,
        commune_name,
        geometry,
        min_lon,
        min_lat,
        max_lon,
        max_lat
    from {{ ref('stg_territory__ign_contours_communes') }}
),

wanted as (
    select max(vintage) as vintage from {{ source('ops', 'territory_communes') }}
),

nearest as (
    select outlines.vintage
    from outlines
    cross join wanted
    order by abs(outlines.vintage - wanted.vintage), outlines.vintage desc
    limit 1
)

select
    outlines.*,
    outlines.vintage = nearest.vintage as is_reference
from outlines
cross join nearest
