{{ config(materialized='ephemeral') }}

-- Snapshots of road events and the events in them, of every producer: the whole family, whoever joins it.
select * from {{ family('road_events') }} as records
