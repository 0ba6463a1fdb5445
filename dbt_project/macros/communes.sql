{#
    Codes of the official geographic code, and the vintage of the files that hold them. The date of a file of reference
    is that of its vintage (landing refuses a file without one).
#}

{# SQL: the year of the file that the record of `published` comes from. #}
{% macro vintage_of_file(source_name) -%}
    (
        select cast(substr(files.file_date, 1, 4) as integer)
        from {{ source('ops', 'deliveries') }} as files
        where files.source = '{{ source_name }}' and files.delivery_id = published._delivery_id
    )
{%- endmacro %}

{# Codes are texts: 01001, 2A004, 97105. A spreadsheet that ate the first zero has lost the code. #}
{% macro is_commune_code(code) -%}
    regexp_full_match({{ code }}, '([0-9]{2}|2[AB])[0-9]{3}')
{%- endmacro %}

{# The whole city of a district (Paris 75101 to 75120, Lyon 69381 to 69389, Marseille 13201 to 13216), or NULL. #}
{% macro whole_city_of(code) -%}
    case
        when {{ code }} between '75101' and '75120' then '75056'
        when {{ code }} between '69381' and '69389' then '69123'
        when {{ code }} between '13201' and '13216' then '13055'
    end
{%- endmacro %}

{# Why a record of a reference cannot be kept, whatever it describes: no vintage, or no name; to be used in a CASE. #}
{% macro reference_reasons(name) -%}
    when vintage is null then 'the file does not say of which year it is'
        when {{ name }} is null then 'no name'
{%- endmacro %}

{#
    SQL, a derived table: the commune of each point of `points` (a relation with the columns of `key`, lon and lat, in
    degrees): the columns of the key, commune_code and commune_vintage. Points in no outline have no row; a point on a
    border belongs to the lower code. The model that uses it is configured with reads=['geometry'].
#}
{% macro communes_of_points(points, key) -%}
    (
        select
            {% for column in key %}points.{{ column }},
            {% endfor -%}
            min(contours.commune_code) as commune_code,
            min(contours.vintage) as commune_vintage
        from {{ points }} as points
        inner join {{ ref('int_territory__contours') }} as contours
            on contours.is_reference
            and points.lon between contours.min_lon and contours.max_lon
            and points.lat between contours.min_lat and contours.max_lat
            and geo_contains(contours.geometry, points.lon, points.lat)
        group by {% for column in key %}points.{{ column }}{{ ", " if not loop.last }}{% endfor %}
    )
{%- endmacro %}

{# Integer division of positive numbers, which every engine writes differently. #}
{% macro quotient(dividend, divisor) -%}
    cast(floor(({{ dividend }}) / {{ divisor }}) as integer)
{%- endmacro %}
