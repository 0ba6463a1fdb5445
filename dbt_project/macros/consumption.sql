{#
    Yearly consumption as the producers of local energy data publish it (Agence ORE, SDES, Enedis): the same notions
    under various names, codes that change with the year, and values that may be hidden.

    The value statuses are those of expectations/value_statuses.py. A total beside secret cells is a floor; a total of
    zero, or an empty one, beside secret cells is secret: nothing of it is known. Without secret cells an empty total is
    not available and a zero is a zero.
#}

{# SQL: a text without its blanks, NULL when nothing is left. #}
{% macro filled(text) -%}
    nullif(trim({{ text }}), '')
{%- endmacro %}

{# SQL: a year written as 2018, 2018.0 or 2018-01-01; NULL when it cannot be read. #}
{% macro parse_year(text) -%}
    try_cast(nullif(regexp_extract({{ text }}, '^([12][0-9]{3})(\.0|-01-01.*)?$', 1), '') as integer)
{%- endmacro %}

{# SQL: what is conveyed, from a letter or a word (E, Electricité, Gaz, C for chaleur, F for froid), or NULL. #}
{% macro energy_carrier(text) -%}
    case upper(substr({{ text }}, 1, 1))
        when 'E' then 'electricity'
        when 'É' then 'electricity'
        when 'G' then 'gas'
        when 'C' then 'heat'
        when 'F' then 'cold'
    end
{%- endmacro %}

{# SQL: the sector, from a letter or a word (R, RESIDENTIEL, X, INCONNU); NULL when unknown. #}
{% macro energy_sector(text) -%}
    case
        when upper({{ text }}) in ('R', 'RESIDENTIEL', 'RÉSIDENTIEL') then 'residential'
        when upper({{ text }}) in ('T', 'TERTIAIRE') then 'tertiary'
        when upper({{ text }}) in ('I', 'INDUSTRIE') then 'industry'
        when upper({{ text }}) in ('A', 'AGRICULTURE') then 'agriculture'
        when upper({{ text }}) in ('P', 'PROFESSIONNEL') then 'professional'
        when upper({{ text }}) in ('X', 'INCONNU', 'SECTEUR INCONNU', 'SECTEUR NON AFFECTÉ') then 'unassigned'
    end
{%- endmacro %}

{# SQL: the basis of an energy: producers count gas by its gross calorific value (PCS); others have none. #}
{% macro heating_value_basis(carrier) -%}
    case {{ carrier }} when 'gas' then 'gross' else 'not_applicable' end
{%- endmacro %}

{# SQL: the level of a record, that of the finest of the codes of `zone_columns` which it has. #}
{% macro zone_level() -%}
    case
        when iris_code is not null then 'iris'
        when ({{ whole_city_of('commune_text') }}) is not null then 'municipal_district'
        when commune_text is not null then 'commune'
        when epci_code is not null then 'epci'
        when department_code is not null then 'department'
        when region_code is not null then 'region'
    end
{%- endmacro %}

{#
    SQL: the zone of a record, which is that of the finest code it has. Columns zone_level, zone_code, zone_name and
    commune_code, from iris_code, commune_text, epci_code, department_code, region_code and their names. A district's
    commune is its city.
#}
{% macro zone_columns() -%}
    {{ zone_level() }} as zone_level,
    coalesce(iris_code, commune_text, epci_code, department_code, region_code) as zone_code,
    case
        when iris_code is not null then iris_name
        when commune_text is not null then commune_name
        when epci_code is not null then epci_name
        when department_code is not null then department_name
        else region_name
    end as zone_name,
    coalesce(
        {{ whole_city_of("coalesce(commune_text, substr(iris_code, 1, 5))") }}, commune_text, substr(iris_code, 1, 5)
    ) as commune_code
{%- endmacro %}

{# SQL: the columns of `zone_columns`, from those of a card that names every level. #}
{% macro published_zone_columns() -%}
    {{ filled('code_iris') }} as iris_code,
        {{ filled('nom_iris') }} as iris_name,
        {{ filled('code_commune') }} as commune_text,
        {{ filled('nom_commune') }} as commune_name,
        {{ filled('code_epci') }} as epci_code,
        {{ filled('nom_epci') }} as epci_name,
        {{ filled('code_departement') }} as department_code,
        {{ filled('nom_departement') }} as department_name,
        {{ filled('code_region') }} as region_code,
        {{ filled('nom_region') }} as region_name
{%- endmacro %}

{#
    SQL, a query: each zone of `relation` once, and whether it is another territory's. Zones are few and told by every
    record. A code that is none is nobody's: it has to be refused. Consumption assigned to no region (Fr, XX) is
    another's.
#}
{% macro zones_out_of_scope(relation) -%}
    select
        zone_level,
        zone_code,
        {{ is_zone_code() }} and {{ is_out_of_scope('checked_level', 'zone_code') }} as is_outside
    from (
        select distinct
            zone_level,
            zone_code,
            case zone_level when 'municipal_district' then 'commune' else zone_level end as checked_level
        from {{ relation }}
    ) as named
{%- endmacro %}

{# SQL, boolean: the code is one of its level. A commune alone known in a file of IRIS ends with four X. #}
{% macro is_zone_code() -%}
    case zone_level
        when 'iris' then regexp_full_match(zone_code, '([0-9]{2}|2[AB])[0-9]{3}([0-9]{4}|X{4})')
        when 'municipal_district' then true
        when 'commune' then {{ is_commune_code('zone_code') }}
        when 'epci' then regexp_full_match(zone_code, '[0-9]{9}')
        when 'department' then regexp_full_match(zone_code, '[0-9]{2,3}|2[AB]')
        when 'region' then regexp_full_match(zone_code, '[0-9]{2}|Fr|XX')
        else false
    end
{%- endmacro %}

{# Why a yearly record of a zone cannot be kept, whatever it measures; to be used in a CASE. #}
{% macro zone_year_reasons() -%}
    when year is null then 'the year cannot be read: ' || coalesce(year_text, '')
        when zone_code is null then 'no zone'
        when not {{ is_zone_code() }} then 'the code is not that of a zone: ' || zone_code
{%- endmacro %}

{# SQL: the status of a value published beside `secret_parts` secret cells. #}
{% macro published_status(value, secret_parts) -%}
    case
        when coalesce({{ secret_parts }}, 0) > 0 and coalesce({{ value }}, 0) = 0 then 'secret'
        when coalesce({{ secret_parts }}, 0) > 0 then 'partial'
        when {{ value }} is null then 'not_available'
        else 'measured'
    end
{%- endmacro %}

{#
    SQL: a text whose accents were written in UTF-8 and read in Windows-1252 (RhÃ´ne), mended for the letters of French
    names. Other texts are left as they are: no French name holds these pairs.
#}
{% macro mended_accents(text) -%}
    {%- set mended = namespace(sql=text) -%}
    {%- for broken, letter in {
        'Ã©': 'é', 'Ã¨': 'è', 'Ãª': 'ê', 'Ã«': 'ë', 'Ã¢': 'â', 'Ã§': 'ç', 'Ã®': 'î', 'Ã¯': 'ï', 'Ã´': 'ô', 'Ã»': 'û',
        'Ã¹': 'ù', 'Ã¼': 'ü', 'Ã‰': 'É', 'Ãˆ': 'È', 'ÃŽ': 'Î', 'Ã‡': 'Ç', 'Å“': 'œ', 'â€™': '’', 'Ã\u00a0': 'à'
    }.items() -%}
        {%- set mended.sql = "replace(" ~ mended.sql ~ ", '" ~ broken ~ "', '" ~ letter ~ "')" -%}
    {%- endfor -%}
    {{ mended.sql }}
{%- endmacro %}

{#
    SQL: the percentage of a consumption that follows the temperature, as text: thermosensitivity (kWh per degree day)
    times the degree days of the year, over the consumption. The column that should say it is per mille under a label of
    per cent, and zero where nothing is known (stg_energy__ore_consommation_commune).
#}
{% macro heating_percentage() -%}
    case
            when {{ parse_number('thermosensibilite_totale_kwh_dju') }} > 0
                then cast(
                    {{ parse_number('thermosensibilite_totale_kwh_dju') }} * {{ parse_number('dju_tr') }}
                    / (10 * nullif({{ parse_number('conso_totale_mwh') }}, 0)) as varchar
                )
        end
{%- endmacro %}

{#
    SQL, a derived table: yearly records of `relation` in the shape of the family energy_consumption, judged.
    `relation` gives as text: operator, year_text, carrier_text, category_text, sector_text, naf_text, the columns of
    `zone_columns`, consumption_text (MWh), points_text, secret_text and points_secret_text (secret cells within),
    measured_text (0 to 1), heating_text (per cent), and the columns named in `passed`.

    Points of zero beside a consumption are points that are not known (37 records of the national file by NAF division).

    A measured share of 0 is one that is not told: the gas transport networks, whose customers are all metered, give 1
    until 2017 and 0 since, and so does the main distributor. Shares beyond 1 (1.27, 100, 1820) are none.
#}
{% macro yearly_consumption(relation, passed=[]) -%}
(
    with zoned as (
        select
            *,
            {{ zone_columns() }}
        from {{ relation }}
    ),

    zones as (
        {{ zones_out_of_scope('zoned') }}
    ),

    typed as (
        select
            zoned.*,
            coalesce(zones.is_outside, false) as is_outside,
            {{ parse_year('year_text') }} as year,
            {{ energy_carrier('carrier_text') }} as carrier,
            {{ energy_sector('sector_text') }} as sector,
            coalesce(upper(replace(category_text, '-', '_')), 'all') as customer_category,
            nullif(naf_text, '0') as naf_code,
            {{ parse_number('consumption_text') }} as published_mwh,
            {{ parse_number('points_text') }} as published_points,
            {{ parse_number('secret_text') }} as secret_cells,
            {{ parse_number('points_secret_text') }} as secret_points,
            {{ parse_number('measured_text') }} as quality_index,
            {{ parse_number('heating_text') }} / 100 as published_heating_share
        from zoned
        left join zones on zoned.zone_level = zones.zone_level and zoned.zone_code = zones.zone_code
    ),

    told as (
        select
            *,
            {{ published_status('published_mwh', 'secret_cells') }} as consumption_status,
            case when published_points > 0 or coalesce(published_mwh, 0) = 0 then published_points end as known_points
        from typed
    ),

    counted as (
        select
            *,
            {{ published_status('known_points', 'secret_points') }} as delivery_points_status
        from told
    )

    select
        _delivery_id,
        _record_no,
        year,
        zone_level,
        zone_code,
        zone_name,
        commune_code,
        carrier,
        sector,
        customer_category,
        naf_code,
        coalesce(naf_code, 'all') as activity,
        operator,
        {% for column in passed -%}
        {{ column }},
        {% endfor -%}
        case when {{ is_known('consumption_status') }} then published_mwh end as consumption_mwh,
        consumption_status,
        {{ heating_value_basis('carrier') }} as heating_value_basis,
        case when {{ is_known('delivery_points_status') }} then cast(known_points as bigint) end as delivery_points,
        delivery_points_status,
        case when quality_index > 0 and quality_index <= 1 then quality_index end as measured_share,
        case when published_heating_share between 0 and 1 then published_heating_share end as heating_share,
        cast(coalesce(secret_cells, 0) as integer) as secret_parts,
        12 as months_known,
        is_outside as _out_of_scope,
        case
            when is_outside then null
            {{ zone_year_reasons() }}
            when operator is null then 'no operator'
            when carrier is null then 'the energy is not known: ' || coalesce(carrier_text, '')
            when sector is null then 'the sector is not known: ' || coalesce(sector_text, '')
            when {{ is_not_a_number('consumption_text') }} then 'the consumption is not a number: ' || consumption_text
            when published_mwh < 0 then 'negative consumption: ' || consumption_text
            when {{ is_not_a_number('points_text') }} or published_points < 0
                or published_points <> floor(published_points)
                then 'the delivery points are not a whole number: ' || points_text
            when {{ is_not_a_number('secret_text') }} or secret_cells < 0 or secret_cells <> floor(secret_cells)
                then 'the secret cells are not a whole number: ' || secret_text
            when {{ is_not_a_number('measured_text') }} then 'the measured share is not a number: ' || measured_text
            when {{ is_not_a_number('heating_text') }} then 'the heating share is not a number: ' || heating_text
        end as _reject_reason
    from counted
)
{%- endmacro %}

{#
    Files that have a block of columns per sector or per source: in each block a number of sites and an energy in MWh.
    A record stays one row in staging (sites_<block>, energy_<block>_mwh), and an intermediate model parts it.
#}
{# SQL: the texts of each block, from the columns nb_sites_<block> and <energy>_<block>_mwh of a card. #}
{% macro published_blocks(blocks, energy) -%}
    {%- for block in blocks -%}
        {{ filled('nb_sites_' ~ block) }} as sites_text_{{ block }},
        {{ filled(energy ~ '_' ~ block ~ '_mwh') }} as energy_text_{{ block }}{{ ",\n        " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# SQL: the numbers of each block. #}
{% macro typed_blocks(blocks) -%}
    {%- for block in blocks -%}
        {{ parse_number('sites_text_' ~ block) }} as sites_{{ block }},
        {{ parse_number('energy_text_' ~ block) }} as energy_{{ block }}_mwh{{ ",\n        " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# SQL: the columns of each block, to be selected. #}
{% macro block_columns(blocks) -%}
    {%- for block in blocks -%}
        cast(sites_{{ block }} as bigint) as sites_{{ block }},
        energy_{{ block }}_mwh{{ ",\n        " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# Why a cell of a block cannot be kept; to be used in a CASE. #}
{% macro block_reasons(blocks) -%}
    {%- for block in blocks -%}
        when {{ is_not_a_number('energy_text_' ~ block) }} or energy_{{ block }}_mwh < 0
            then 'the energy ({{ block }}) is not a quantity: ' || energy_text_{{ block }}
        when {{ is_not_a_number('sites_text_' ~ block) }} or sites_{{ block }} < 0
            or sites_{{ block }} <> floor(sites_{{ block }})
            then 'the sites ({{ block }}) are not a whole number: ' || sites_text_{{ block }}
        {{ "" if loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# SQL: the column `prefix`<block>`suffix` of the block that `name` stands for; `blocks` goes from name to block. #}
{% macro of_block(name, blocks, prefix, suffix='') -%}
    case {{ name }}
        {%- for value, block in blocks.items() %}
        when '{{ value }}' then {{ prefix }}{{ block }}{{ suffix }}
        {%- endfor %}
    end
{%- endmacro %}
