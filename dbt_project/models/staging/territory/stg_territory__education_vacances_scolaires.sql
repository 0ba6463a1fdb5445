{{ config(key=['school_year', 'zone', 'location', 'holiday', 'population']) }}

-- School holidays. The portal renders midnights of the place concerned as instants (UTC, or any offset): midnights of
-- France's territories fall from 12:00 UTC of the day before (Wallis) to 10:00 UTC (Polynesia), so that twelve hours
-- later it is that date in UTC, everywhere. The end is the day of return: the first day at school. The newest summer is
-- published by its start alone, with the end equal to it: its end is not known.
with published as (
    select * from {{ raw('education__vacances_scolaires') }}
),

typed as (
    select
        _delivery_id,
        _record_no,
        nullif(trim(annee_scolaire), '') as school_year,
        nullif(trim(regexp_replace(zones, '^[Zz]one ', '')), '') as zone,
        nullif(trim(location), '') as location,
        nullif(trim(description), '') as holiday,
        coalesce(nullif(nullif(trim(population), '-'), ''), 'all') as population,
        start_date as start_text,
        end_date as end_text,
        {{ holiday_date('start_date') }} as start_on,
        {{ holiday_date('end_date') }} as end_on
    from published
)

select
    _delivery_id,
    _record_no,
    school_year,
    zone,
    location,
    holiday,
    population,
    start_on,
    case when end_on > start_on then end_on end as return_on,
    0 as _preference,
    false as _out_of_scope,
    case
        when school_year is null or not regexp_full_match(school_year, '[0-9]{4}-[0-9]{4}')
            then 'the school year is not known: ' || coalesce(school_year, '')
        when zone is null then 'no zone'
        when location is null then 'no academy'
        when holiday is null then 'no name of holiday'
        when start_on is null then 'the start is not a date: ' || coalesce(start_text, '')
        when end_on is null then 'the end is not a date: ' || coalesce(end_text, '')
        when end_on < start_on then 'ends before it starts: ' || start_text || ' to ' || end_text
    end as _reject_reason
from typed
