{#
    Congestion from feeds of road events: snapshots, headings, volumes.
#}

{# Seconds from one snapshot of such a feed to the next; the rhythm of the card of each member of road_events. #}
{% macro snapshot_rhythm_s() -%}
    120
{%- endmacro %}

{# SQL: the snapshots of a whole hour. #}
{% macro snapshots_per_hour() -%}
    {{ 3600 // (snapshot_rhythm_s() | int) }}
{%- endmacro %}

{# SQL: for how many minutes one snapshot stands. #}
{% macro snapshot_minutes() -%}
    {{ (snapshot_rhythm_s() | int) // 60 }}
{%- endmacro %}

{# An instant from the text of milliseconds since 1970, NULL outside 1970 to 2100 or for what is no whole number. #}
{% macro instant_of_millis(text) -%}
    make_timestamp_ms(
        case when try_cast({{ text }} as bigint) between 0 and 4102444800000 then try_cast({{ text }} as bigint) end
    )
{%- endmacro %}

{# The sector of a heading in degrees from north, clockwise: N, NE, ... NW, each of 45 degrees around its own. #}
{% macro sector_of(degrees) -%}
    (
        ['N', 'NE', 'E', 'SE', 'S', 'SW', 'W', 'NW']
    )[cast(floor((cast({{ degrees }} as decimal(6, 2)) + 22.5) / 45) as integer) % 8 + 1]
{%- endmacro %}

{#
    The heading from one point to another, in degrees from north, clockwise, on the plane tangent at the first: points of
    one line are near each other. NULL when they are the same.
#}
{% macro heading(lon, lat, to_lon, to_lat) -%}
    case
        when {{ lon }} <> {{ to_lon }} or {{ lat }} <> {{ to_lat }}
            then (
                degrees(
                    atan2(({{ to_lon }} - {{ lon }}) * cos(radians({{ lat }})), {{ to_lat }} - {{ lat }})
                ) + 360
            ) % 360
    end
{%- endmacro %}

{#
    SQL, aggregate: hour-kilometres of jams, hours x kilometres x lanes (Bison Futé, article 10317), of observations that
    stand for `minutes` each. Less than 500 m is no jam. Observations whose lanes are not known add nothing: length alone
    says nothing of how many vehicles stand. Divided last: a sum of doubles depends on the order in which an engine adds.
#}
{% macro hour_kilometres(length_m, lanes, minutes) -%}
    cast(
        sum(
            case when {{ length_m }} < 500 then 0 else cast({{ length_m }} as decimal(18, 3)) end
            * {{ lanes }} * {{ minutes }}
        ) as double
    ) / 60000
{%- endmacro %}
