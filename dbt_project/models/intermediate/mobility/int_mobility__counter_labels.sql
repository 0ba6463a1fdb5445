-- What a measure says of its counter: street and point. Apart from the geometry, so that months of measures are built
-- again when these change and not when a producer writes the same line otherwise.
select
    source,
    counter_id,
    street,
    lon,
    lat
from {{ ref('int_mobility__counters') }}
where has_measures
