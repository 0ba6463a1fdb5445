{{ config(materialized='ephemeral') }}

-- Measures over windows shorter than an hour, of every producer: the whole family, whoever joins it.
select * from {{ family('traffic_samples') }} as windows
