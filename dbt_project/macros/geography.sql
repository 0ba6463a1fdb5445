{#
    Places as producers write them. Geometry proper (distances, envelopes) is computed by the functions that
    orchestration/dbt_functions.py registers: SQL cannot say it the same on every engine.
#}

{# The bare geometry as GeoJSON text, from a geometry, a Feature wrapping one, or NULL when there is none. #}
{% macro geojson_geometry(text) -%}
    case
        when not json_valid({{ text }}) then null
        when json_extract_string({{ text }}, '$.type') = 'Feature'
            then nullif(cast(json_extract({{ text }}, '$.geometry') as varchar), 'null')
        else {{ text }}
    end
{%- endmacro %}

{# True when the text is neither a GeoJSON geometry (RFC 7946, section 3.1) nor a feature. #}
{% macro is_bad_geometry(text) -%}
    (
        {{ text }} is not null
        and not coalesce(
            list_contains(
                [
                    'Point', 'MultiPoint', 'LineString', 'MultiLineString', 'Polygon', 'MultiPolygon',
                    'GeometryCollection', 'Feature'
                ],
                json_extract_string(case when json_valid({{ text }}) then {{ text }} end, '$.type')
            ),
            false
        )
    )
{%- endmacro %}

{# Longitude and latitude from "lat, lon", {"lon": …, "lat": …} or [lat, lon]. #}
{% macro point_lat(text) -%}
    try_cast(
        case
            when starts_with({{ text }}, '{{ "{" }}') then json_extract_string({{ text }}, '$.lat')
            else trim(split_part(trim({{ text }}, '[] '), ',', 1))
        end as double
    )
{%- endmacro %}

{% macro point_lon(text) -%}
    try_cast(
        case
            when starts_with({{ text }}, '{{ "{" }}') then json_extract_string({{ text }}, '$.lon')
            else trim(split_part(trim({{ text }}, '[] '), ',', 2))
        end as double
    )
{%- endmacro %}

{#
    Where a point stands with regard to the territory's box: 'inside', 'swapped' (longitude and latitude exchanged),
    'outside', or NULL when there is no point. The model must be configured with reads=['territory'].
#}
{% macro place_in_box(lon, lat) -%}
    (
        select
            case
                when {{ lon }} is null or {{ lat }} is null then null
                when {{ lon }} between box.min_lon and box.max_lon and {{ lat }} between box.min_lat and box.max_lat
                    then 'inside'
                when {{ lat }} between box.min_lon and box.max_lon and {{ lon }} between box.min_lat and box.max_lat
                    then 'swapped'
                else 'outside'
            end
        from {{ source('ops', 'territory') }} as box
    )
{%- endmacro %}

{# Several geometries as one: the geometry itself when alone, else a GeometryCollection, in a stated order. #}
{% macro collect_geometries(geometry, order_by) -%}
    case
        when count({{ geometry }}) = 0 then null
        when count({{ geometry }}) = 1 then min({{ geometry }})
        else
            '{"type": "GeometryCollection", "geometries": ['
            || string_agg({{ geometry }}, ', ' order by {{ order_by }})
            || ']}'
    end
{%- endmacro %}

{#
    The mean of coordinates in degrees. Summed as decimals: a sum of doubles depends on the order in which an engine adds.
#}
{% macro mean_degrees(column) -%}
    cast(avg(cast({{ column }} as decimal(12, 9))) as double)
{%- endmacro %}
