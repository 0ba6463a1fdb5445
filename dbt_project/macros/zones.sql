{#
    SQL, boolean: the row of int_energy__zone_codes (alias `codes`) by which to read the code of `zone`, a relation with
    zone_level, zone_code, commune_code and year. An IRIS, a heat network and whatever else has no code of its own in the
    official geographic code is read through its commune.
#}
{% macro is_code_of_zone(codes, zone) -%}
    {{ codes }}.code_level = case
        when {{ zone }}.zone_level in ('epci', 'department', 'region') then {{ zone }}.zone_level
        else 'commune'
    end
    and {{ codes }}.code = case
        when {{ zone }}.zone_level in ('commune', 'municipal_district', 'epci', 'department', 'region')
            then {{ zone }}.zone_code
        when {{ zone }}.zone_level = 'iris' then substr({{ zone }}.zone_code, 1, 5)
        else {{ zone }}.commune_code
    end
    and 2 * {{ zone }}.year > {{ codes }}.after_twice_year
    and 2 * {{ zone }}.year <= {{ codes }}.upto_twice_year
{%- endmacro %}

{# SQL: the name of `zone` as published, else as the official code has it where the zone itself is in it. #}
{% macro name_of_zone(codes, zone) -%}
    coalesce(
        {{ zone }}.zone_name,
        case
            when {{ zone }}.zone_level in ('commune', 'municipal_district', 'epci', 'department', 'region')
                then {{ codes }}.official_name
        end
    )
{%- endmacro %}

{# SQL: the department of a commune, by its code: three characters overseas. #}
{% macro department_of_commune(code) -%}
    substr({{ code }}, 1, case when substr({{ code }}, 1, 2) = '97' then 3 else 2 end)
{%- endmacro %}

{# SQL: three columns, the larger zones that the figures of `zone` are counted in: of a commune all, of a department its
region. IRIS and districts are counted in their commune. #}
{% macro larger_zones(codes, zone) -%}
    case when {{ zone }}.zone_level = 'commune' then {{ codes }}.epci_code end as epci_code,
    case
        when {{ zone }}.zone_level = 'commune' then {{ department_of_commune(zone ~ '.zone_code') }}
    end as department_code,
    case {{ zone }}.zone_level
        when 'commune' then {{ region_of_department(department_of_commune(zone ~ '.zone_code')) }}
        when 'department' then {{ region_of_department(zone ~ '.zone_code') }}
    end as region_code
{%- endmacro %}
