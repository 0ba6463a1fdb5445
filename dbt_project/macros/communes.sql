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

{#
    SQL, boolean: a zone is none of the territory's and does not contain it. `level` (an SQL text) is commune, epci,
    department, region or iris; an IRIS goes by its commune, a municipal district by its city. NULL and unknown levels are
    not out of scope: the model has to refuse them. Neither text may name a column level_in_scope or code_in_scope, which
    are the scope's.
#}
{% macro is_out_of_scope(level, code) -%}
    (
        {{ level }} in ('commune', 'epci', 'department', 'region', 'iris')
        and {{ code }} is not null
        and exists (select 1 from {{ ref('int_territory__scope') }})
        and not exists (
            select 1
            from (
                select scope_level as level_in_scope, scope_code as code_in_scope from {{ ref('int_territory__scope') }}
            ) as scope
            where scope.level_in_scope = case when {{ level }} = 'iris' then 'commune' else {{ level }} end
                and scope.code_in_scope in (
                    case when {{ level }} = 'iris' then substr({{ code }}, 1, 5) else {{ code }} end,
                    case
                        when {{ level }} = 'iris' then {{ whole_city_of("substr(" ~ code ~ ", 1, 5)") }}
                        when {{ level }} = 'commune' then {{ whole_city_of(code) }}
                    end
                )
        )
    )
{%- endmacro %}

{# The region of a department since 1 January 2016 (law 2015-29 of 16 January 2015), or NULL. #}
{% macro region_of_department(code) -%}
    {%- set departments = {
        '11': ['75', '77', '78', '91', '92', '93', '94', '95'],
        '24': ['18', '28', '36', '37', '41', '45'],
        '27': ['21', '25', '39', '58', '70', '71', '89', '90'],
        '28': ['14', '27', '50', '61', '76'],
        '32': ['02', '59', '60', '62', '80'],
        '44': ['08', '10', '51', '52', '54', '55', '57', '67', '68', '88'],
        '52': ['44', '49', '53', '72', '85'],
        '53': ['22', '29', '35', '56'],
        '75': ['16', '17', '19', '23', '24', '33', '40', '47', '64', '79', '86', '87'],
        '76': ['09', '11', '12', '30', '31', '32', '34', '46', '48', '65', '66', '81', '82'],
        '84': ['01', '03', '07', '15', '26', '38', '42', '43', '63', '69', '73', '74'],
        '93': ['04', '05', '06', '13', '83', '84'],
        '94': ['2A', '2B'],
        '01': ['971'],
        '02': ['972'],
        '03': ['973'],
        '04': ['974'],
        '06': ['976'],
    } -%}
    case
        {%- for region, members in departments.items() %}
        when {{ code }} in ({% for member in members %}'{{ member }}'{{ ", " if not loop.last }}{% endfor %}) then '{{ region }}'
        {%- endfor %}
    end
{%- endmacro %}

{# Integer division of positive numbers, which every engine writes differently. #}
{% macro quotient(dividend, divisor) -%}
    cast(floor(({{ dividend }}) / {{ divisor }}) as integer)
{%- endmacro %}
