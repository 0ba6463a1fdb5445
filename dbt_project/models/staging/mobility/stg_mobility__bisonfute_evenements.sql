{{ config(
    key=['part_id'],
    versions=['start_on', 'end_on', 'start_at', 'end_at'],
    reads=['territory'],
) }}

-- Situations of the French national road network (DATEX II version 2, in a SOAP envelope): works, and in the same
-- situation the diversions and limits around them. Most works have the two ends of a TPEG line for a place, no path.
-- `probable` is what the directorates write for works to come; the observation time is that of typing.
{{ datex2_works('bisonfute__evenements', 'Europe/Paris') }}
