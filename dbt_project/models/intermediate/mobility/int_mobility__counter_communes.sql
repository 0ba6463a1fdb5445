{{ config(reads=['geometry']) }}

-- The commune in whose contour each counter stands; none without contours, and none for a counter without a place.
with counters as (
    select
        source,
        counter_id,
        lon,
        lat
    from {{ ref('int_mobility__counters') }}
)

select
    located.source,
    located.counter_id,
    located.commune_code,
    located.commune_vintage
from {{ communes_of_points('counters', ['source', 'counter_id']) }} as located
