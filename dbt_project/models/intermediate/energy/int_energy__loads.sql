{{ config(materialized='ephemeral') }}

-- Mean power over time steps, of every producer: the whole family, whoever joins it.
select * from {{ family('energy_loads') }} as steps
