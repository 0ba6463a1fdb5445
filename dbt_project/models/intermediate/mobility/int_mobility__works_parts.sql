{{ config(materialized='ephemeral') }}

-- The parts of works sites of every producer, in one shape: the whole family, whoever joins it.
select
    *,
    -- The worse for traffic, the higher; no two alike, so that the worst part of a site is always the same word.
    case disruption
        when 'road_closed' then 10
        when 'one_way' then 9
        when 'alternating' then 8
        when 'lane_restricted' then 7
        when 'speed_restricted' then 6
        when 'cycle_lane' then 5
        when 'sidewalk' then 4
        when 'parking' then 3
        when 'none' then 2
        else 1
    end as disruption_rank
from {{ family('works') }} as parts
