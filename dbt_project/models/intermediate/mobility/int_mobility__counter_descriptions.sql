{{ config(materialized='ephemeral') }}

-- Where counters are, as the referentials of every producer say it: the whole family, whoever joins it. A referential
-- may serve two measuring sources whose counters have the same codes.
select * from {{ family('counters') }} as descriptions
union all
select * replace (also_measures_source as measures_source)
from {{ family('counters') }} as descriptions
where also_measures_source is not null
