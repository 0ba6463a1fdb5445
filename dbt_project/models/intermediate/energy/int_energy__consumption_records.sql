{{ config(materialized='ephemeral') }}

-- Yearly consumption as every producer publishes it, in one shape: the whole family, whoever joins it.
select * from {{ family('energy_consumption') }} as records
