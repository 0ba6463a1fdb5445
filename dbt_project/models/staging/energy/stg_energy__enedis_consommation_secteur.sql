{%- set blocks = [
    'residentiel', 'professionnel', 'agriculture', 'industrie', 'tertiaire', 'secteur_non_affecte'
] -%}
{{ config(key=['year', 'zone_level', 'zone_code']) }}

-- Electricity by zone and year, a block of columns per sector (Enedis, until 2017). A record stays one row here;
-- int_energy__enedis_consommation_secteur makes a row of each sector. Zones: macros/consumption.sql.
--
-- Measured on the file by department (658 records): every cell is a number. Nothing says what an empty cell would mean,
-- and the form counts no secret cells: an empty cell is not available. Geometry repeats on a seventh of the rows and is
-- not loaded.
with published as (
    select
        _delivery_id,
        _record_no,
        {{ filled('annee') }} as year_text,
        {{ published_zone_columns() }},
        {{ published_blocks(blocks, 'conso_totale') }}
    from {{ raw('enedis__consommation_secteur') }}
),

zoned as (
    select
        *,
        {{ parse_year('year_text') }} as year,
        {{ zone_columns() }},
        {{ typed_blocks(blocks) }}
    from published
),

zones as (
    {{ zones_out_of_scope('zoned') }}
),

scoped as (
    select
        zoned.*,
        coalesce(zones.is_outside, false) as is_outside
    from zoned
    left join zones on zoned.zone_level = zones.zone_level and zoned.zone_code = zones.zone_code
)

select
    _delivery_id,
    _record_no,
    year,
    zone_level,
    zone_code,
    zone_name,
    commune_code,
    {{ block_columns(blocks) }},
    0 as _preference,
    is_outside as _out_of_scope,
    case
        when is_outside then null
        {{ zone_year_reasons() }}
        {{ block_reasons(blocks) }}
    end as _reject_reason
from scoped
