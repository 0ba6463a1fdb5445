{{ config(materialized='ephemeral') }}

-- Yearly production as every producer publishes it, in one shape: the whole family, whoever joins it.
select * from {{ family('energy_production') }} as records
