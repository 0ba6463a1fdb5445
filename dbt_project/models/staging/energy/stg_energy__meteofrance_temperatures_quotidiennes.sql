{{ config(
    key=['station_id', 'day_on'],
    period='period_month',
) }}

-- Daily extremes of temperature by station. TN runs from 18:00 UTC of the day before, TX from 06:00 UTC of the day:
-- both bear the day's date, as climatologists count, and no time of ours is read into them.
--
-- Four stations in five measure rain only: an empty temperature is no defect. A doubtful one (quality code 2, being
-- checked) is kept and told; files of the last two years are published again every day, and the latest counts.
with published as (
    select * from {{ raw('meteofrance__temperatures_quotidiennes') }}
),

typed as (
    select
        *,
        trim(num_poste) as station_id,
        {{ parse_date('trim(aaaammjj)', 'Europe/Paris') }} as day_on,
        {{ parse_number('lat') }} as lat_deg,
        {{ parse_number('lon') }} as lon_deg,
        {{ parse_number('alti') }} as altitude_m,
        {{ parse_number('tn') }} as min_temperature_c,
        {{ parse_number('tx') }} as max_temperature_c
    from published
)

select
    _delivery_id,
    _record_no,
    station_id,
    nullif(trim(nom_usuel), '') as station_name,
    lat_deg as lat,
    lon_deg as lon,
    altitude_m,
    day_on,
    {{ month_of('day_on') }} as period_month,
    min_temperature_c,
    max_temperature_c,
    coalesce(trim(qtn) = '2', false) or coalesce(trim(qtx) = '2', false) as is_doubtful,
    0 as _preference,
    false as _out_of_scope,
    case
        when station_id is null or not regexp_full_match(station_id, '[0-9]{8}')
            then 'the station has no number of eight digits: ' || coalesce(num_poste, '')
        when day_on is null then 'the day cannot be read: ' || coalesce(aaaammjj, '')
        when lat_deg is null or lon_deg is null then 'the station has no place'
        when {{ is_not_a_number('tn') }} then 'the minimum temperature is not a number: ' || tn
        when {{ is_not_a_number('tx') }} then 'the maximum temperature is not a number: ' || tx
        when min_temperature_c not between -50 and 50 then 'the minimum temperature is impossible in France: ' || tn
        when max_temperature_c not between -50 and 50 then 'the maximum temperature is impossible in France: ' || tx
        when min_temperature_c > max_temperature_c then 'the minimum exceeds the maximum: ' || tn || ' > ' || tx
    end as _reject_reason
from typed
