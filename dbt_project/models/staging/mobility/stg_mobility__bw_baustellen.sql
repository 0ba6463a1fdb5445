{{ config(
    key=['part_id'],
    versions=['start_on', 'end_on', 'start_at', 'end_at'],
    reads=['territory'],
) }}

-- Road works of Baden-Württemberg (DATEX II version 2, default namespace): one record per direction for the works, one
-- more for each closure, which names the works that cause it. The path comes with each (gmlLineString, latitude first).
-- Bounds at midnight and at 23:59 are conventions, kept as the instants that they are written as.
{{ datex2_works('bw__baustellen', 'Europe/Berlin') }}
