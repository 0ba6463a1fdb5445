{{ config(reads=['deliveries of energy_consumption']) }}

{%- set key = 'zone_level, zone_code, carrier, year, sector, customer_category, naf_code, operator' -%}

-- The parts of each operator's network in a zone and a sector, summed: a floor as soon as one of them is hidden.
--
-- A complete file says everything of the zones that it names: parts that the latest one no longer has are gone. A
-- partial delivery (rows corrected and landed again) ends nothing but what it tells anew. Where the file has one
-- record per key, its record takes the place of the file's. Where the file tells parts one by one, nothing says which
-- part a corrected row is: it is added to those that were accepted. Corrected twice, a key has the rows of its last
-- correction, and those of earlier ones for as many parts as the file had refused.
with told as (
    select
        parts.*,
        coalesce(
            max(case when not deliveries.is_partial then parts._delivery_id end) over zones,
            min(parts._delivery_id) over zones
        ) as file_id
    from {{ ref('stg_energy__sdes_chaleur_froid_iris') }} as parts
    inner join {{ source('ops', 'deliveries') }} as deliveries
        on deliveries.source = 'sdes_chaleur_froid_iris' and parts._delivery_id = deliveries.delivery_id
    window zones as (partition by parts.zone_level, parts.zone_code, parts.carrier, parts.year)
),

current_parts as (
    select
        *,
        _delivery_id = file_id as is_of_file
    from told
    where _delivery_id >= file_id
),

judged as (
    select
        *,
        max(case when not is_of_file then _delivery_id end) over (partition by {{ key }}) as last_correction_id,
        coalesce(max(case when is_of_file then parts_told end) over (partition by {{ key }}), 0)
        - count(case when is_of_file then 1 end) over (partition by {{ key }}) as refused_parts,
        row_number() over (partition by {{ key }}, is_of_file order by part_no desc) as recency
    from current_parts
),

counted as (
    select *
    from judged
    where
        (is_of_file and (is_told_in_parts or last_correction_id is null))
        or (not is_of_file and (_delivery_id = last_correction_id or recency <= refused_parts))
)

select
    year,
    zone_level,
    zone_code,
    max(zone_name) as zone_name,
    max(commune_code) as commune_code,
    carrier,
    sector,
    customer_category,
    naf_code,
    operator,
    {{ sum_of_parts('consumption_mwh', 'consumption_status') }} as consumption_mwh,
    {{ status_of_parts('consumption_status') }} as consumption_status,
    max(heating_value_basis) as heating_value_basis,
    cast({{ sum_of_parts('delivery_points', 'delivery_points_status') }} as bigint) as delivery_points,
    {{ status_of_parts('delivery_points_status') }} as delivery_points_status,
    case when count(*) = 1 then max(measured_share) end as measured_share,
    case when count(*) = 1 then max(heating_share) end as heating_share,
    cast(sum(secret_parts) as integer) as secret_parts,
    12 as months_known
from counted
group by year, zone_level, zone_code, carrier, sector, customer_category, naf_code, operator
