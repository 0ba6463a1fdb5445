{{ config(key=[
        'operator', 'year', 'carrier', 'zone_level', 'zone_code', 'customer_category', 'sector', 'activity', 'part_no'
    ]) }}

-- Heat and cold networks by IRIS (SDES), and electricity and gas of the same collection. Statuses, zones and refusals:
-- macros/consumption.sql.
--
-- Three absences: `secret` is hidden; `nd` and an empty cell are not available. None is zero.
--
-- The key. The file of 2018 (16,864 records) gives the parts of a network one by one: up to 213 records for one
-- operator, IRIS and sector, with different amounts, so that none replaces another. Nothing names a part: 3,433 records
-- are the same as another in every column, 3,346 of them because both are secret. Parts of one key are therefore
-- numbered in the order of the file, and each counts, the identical ones too: they are as likely two dwellings as one
-- told twice, and a hidden one makes a floor of the sum either way. The file of 2020 has one record per key. The same
-- file sent again gives the same numbers. A partial delivery (rows corrected, or a file with unreadable ones) has
-- numbers of its own: its first part need not be the first of the file that it completes.
-- int_energy__sdes_chaleur_froid_iris says which parts count.
with published as (
    select
        _delivery_id,
        _record_no,
        {{ filled('operateur') }} as operator,
        {{ filled('annee') }} as year_text,
        {{ filled('filiere') }} as carrier_text,
        {{ filled('code_categorie_consommation') }} as category_text,
        {{ filled('code_grand_secteur') }} as sector_text,
        {{ filled('code_secteur_naf2') }} as naf_text,
        {{ filled('code_zone') }} as zone_text,
        {{ filled('nom_zone') }} as published_zone_name,
        lower({{ filled('conso') }}) as conso_text,
        lower({{ filled('pdl') }}) as pdl_text,
        {{ filled('indqual') }} as measured_text,
        -- PARTR is not read: no extract tells whether it is per cent or, as elsewhere, per mille.
        cast(null as varchar) as heating_text
    from {{ raw('sdes__chaleur_froid_iris') }}
),

partial_deliveries as (
    select
        delivery_id,
        cast(split_part(delivery_id, '-', 1) as bigint) as sequence
    from {{ source('ops', 'deliveries') }}
    where source = 'sdes_chaleur_froid_iris' and is_partial
),

numbered as (
    select
        *,
        row_number() over (
            partition by
                _delivery_id, operator, year_text, carrier_text, category_text, sector_text, naf_text, zone_text
            order by _record_no
        ) as place,
        cast(
            count(*) over (
                partition by
                    _delivery_id, operator, year_text, carrier_text, category_text, sector_text, naf_text, zone_text
            ) as integer
        ) as parts_told
    from published
),

parts as (
    select
        numbered.*,
        numbered.place + 1000000 * coalesce(partial_deliveries.sequence, 0) as part_no,
        max(numbered.parts_told) over (partition by numbered._delivery_id) > 1 as is_told_in_parts
    from numbered
    left join partial_deliveries on numbered._delivery_id = partial_deliveries.delivery_id
),

named as (
    select
        *,
        case when length(zone_text) > 5 then zone_text end as iris_code,
        case when length(zone_text) > 5 then published_zone_name end as iris_name,
        case when length(zone_text) <= 5 then zone_text end as commune_text,
        case when length(zone_text) <= 5 then published_zone_name end as commune_name,
        cast(null as varchar) as epci_code,
        cast(null as varchar) as epci_name,
        cast(null as varchar) as department_code,
        cast(null as varchar) as department_name,
        cast(null as varchar) as region_code,
        cast(null as varchar) as region_name,
        case when conso_text not in ('secret', 'nd') then conso_text end as consumption_text,
        case when pdl_text not in ('secret', 'nd') then pdl_text end as points_text,
        case when conso_text = 'secret' then '1' else '0' end as secret_text,
        case when pdl_text = 'secret' then '1' else '0' end as points_secret_text
    from parts
)

select
    *,
    0 as _preference
from {{ yearly_consumption('named', passed=['part_no', 'parts_told', 'is_told_in_parts']) }} as judged
