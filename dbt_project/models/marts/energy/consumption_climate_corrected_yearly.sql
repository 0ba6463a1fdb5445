-- Consumption at constant climate, beside the real one. What follows the temperature is brought from the degree days of
-- the year to those of the reference; the rest is left as it is:
--     corrected = consumption x (1 - s) + consumption x s x reference degree days / degree days of the year
-- where s, the share of the YEAR's consumption that follows the temperature, is the producer's. SDES writes it CR / (1
-- + p x (r - 1)) with p the share in a NORMAL year: the same correction, of another share. National shares by sector
-- and use are not taken in its place: a row without a share has no figure, and says so. Summer (air conditioning) is
-- not corrected. No temperatures, no rows: an empty mart is never released.
with corrected as (
    select
        years.*,
        reference.station_id,
        reference.station_name,
        reference.reference_years,
        reference.reference_first_year,
        reference.reference_last_year,
        reference.reference_degree_days_c_d,
        degree_days.degree_days_c_d,
        case
            when not {{ is_known('years.consumption_status') }} then 'no_consumption'
            when years.carrier = 'cold' then 'not_heating'
            when reference.reference_degree_days_c_d is null then 'reference_too_short'
            when degree_days.year is null then 'no_temperatures'
            when not degree_days.is_complete then 'days_missing'
            when degree_days.degree_days_c_d = 0 then 'not_heating'
            when years.lacks_heating_shares then 'heating_share_incomplete'
            when years.heating_share is null then 'no_heating_share'
            else 'corrected'
        end as correction_outcome
    from {{ ref('int_energy__consumption_years') }} as years
    cross join {{ ref('int_energy__reference_climate') }} as reference
    left join {{ ref('int_energy__degree_days') }} as degree_days
        on reference.station_id = degree_days.station_id and years.year = degree_days.year
)

select
    corrected.source,
    corrected.zone_level,
    corrected.zone_code,
    {{ name_of_zone('codes', 'corrected') }} as zone_name,
    coalesce(corrected.commune_code, codes.commune_code) as commune_code,
    {{ larger_zones('codes', 'corrected') }},
    codes.zone_vintage,
    codes.reference_code,
    codes.reference_vintage,
    corrected.year,
    corrected.carrier,
    corrected.sector,
    corrected.heating_value_basis,
    corrected.consumption_mwh,
    corrected.consumption_status,
    corrected.delivery_points,
    corrected.delivery_points_status,
    corrected.heating_share,
    case when corrected.heating_share is null then 'not_available' else 'estimated' end as heating_share_status,
    corrected.correction_outcome,
    case
        when corrected.correction_outcome = 'corrected'
            then corrected.consumption_mwh * (1 - corrected.heating_share)
                + corrected.consumption_mwh * corrected.heating_share * corrected.reference_degree_days_c_d
                / corrected.degree_days_c_d
    end as corrected_consumption_mwh,
    case corrected.correction_outcome
        when 'corrected' then case corrected.consumption_status when 'partial' then 'partial' else 'estimated' end
        when 'no_consumption' then corrected.consumption_status
        when 'not_heating' then 'not_applicable'
        else 'not_available'
    end as corrected_consumption_status,
    corrected.degree_days_c_d,
    case when corrected.degree_days_c_d is null then 'not_available' else 'measured' end as degree_days_status,
    corrected.reference_degree_days_c_d,
    case
        when corrected.reference_degree_days_c_d is null then 'not_available'
        when corrected.reference_years < 30 then 'estimated'
        else 'measured'
    end as reference_degree_days_status,
    corrected.degree_days_c_d / nullif(corrected.reference_degree_days_c_d, 0) as severity_index,
    cast(17 as double) as base_temperature_c,
    '1991-2020' as reference_period,
    corrected.reference_first_year,
    corrected.reference_last_year,
    corrected.reference_years,
    corrected.station_id,
    corrected.station_name
from corrected
left join {{ ref('int_energy__zone_codes') }} as codes on {{ is_code_of_zone('codes', 'corrected') }}
