{%- set blocks = ['photovoltaique', 'eolien', 'hydraulique', 'bio_energie', 'cogeneration', 'autres_filieres'] -%}
{{ config(key=['year', 'zone_level', 'zone_code', 'voltage_domain']) }}

-- Electricity produced by zone, year and voltage domain, two columns per source (Enedis). A record stays one row here;
-- int_energy__enedis_production_filiere makes a row of each source. No extract was at hand: the form is the documented
-- one. An empty cell is secret, a zero is none. Zones: macros/consumption.sql.
--
-- The domain is read by its letters and its sign, however the sign of "at most 36 kVA" is written or broken. One export
-- is known whose accents were read in the wrong encoding: names are mended, codes go by ASCII.
with published as (
    select
        _delivery_id,
        _record_no,
        {{ filled('annee') }} as year_text,
        {{ published_zone_columns() }},
        upper({{ filled('domaine_tension') }}) as domain_text,
        {{ published_blocks(blocks, 'energie') }}
    from {{ raw('enedis__production_filiere') }}
),

zoned as (
    select
        *,
        {{ parse_year('year_text') }} as year,
        {{ zone_columns() }},
        case
            when domain_text like 'HTA%' then 'medium'
            when domain_text like 'BT%' and domain_text like '%>%' then 'low_above_36_kva'
            when domain_text like 'BT%' and domain_text like '%36%' then 'low_up_to_36_kva'
        end as voltage_domain,
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
    {{ mended_accents('zone_name') }} as zone_name,
    commune_code,
    voltage_domain,
    {{ block_columns(blocks) }},
    0 as _preference,
    is_outside as _out_of_scope,
    case
        when is_outside then null
        {{ zone_year_reasons() }}
        when voltage_domain is null then 'the voltage domain is not known: ' || coalesce(domain_text, '')
        {{ block_reasons(blocks) }}
    end as _reject_reason
from scoped
