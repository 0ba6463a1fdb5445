{{ config(
    key=['zone_code', 'nature', 'step_start_local'],
    period='period_month',
) }}

-- Power drawn by the métropoles, by the quarter-hour (éCO2mix). The rules of time and of missing measures are those of
-- all éCO2mix files: macros/loads.sql.
--
-- The portal's files name the métropole and give no code: the name is read by the word that tells it from the others
-- (Grand Lyon, Métropole de Lyon), and becomes the SIREN of the intermunicipality, which survives its changes of name
-- and of members. A name without such a word is looked up in the loaded references, where it has to end the name of one
-- intermunicipality alone; else it is refused rather than kept under a code of our own.
with published as not materialized (
    select
        _delivery_id,
        _record_no,
        trim(perimetre) as zone_name,
        {{ published_load_columns(['consommation', 'production', 'echanges_physiques']) }},
        {{ published_step_columns() }}
    from {{ raw('rte__eco2mix_metropoles') }}
),

metropoles as (
    select
        word,
        siren
    from (
        values
        ('aix', '200054807'),
        ('bordeaux', '243300316'),
        ('brest', '242900314'),
        ('clermont', '246300701'),
        ('dijon', '242100410'),
        ('grenoble', '200040715'),
        ('lille', '200093201'),
        ('lyon', '200046977'),
        ('metz', '200039865'),
        ('montpellier', '243400017'),
        ('nancy', '245400676'),
        ('nantes', '244400404'),
        ('nice', '200030195'),
        ('orl[ée]ans', '244500468'),
        ('paris', '200054781'),
        ('rennes', '243500139'),
        ('rouen', '200023414'),
        ('saint-[ée]tienne', '244200770'),
        ('strasbourg', '246700488'),
        ('toulon', '248300543'),
        ('toulouse', '243100518'),
        ('tours', '243700754')
    ) as listed (word, siren)
),

names as (
    select distinct zone_name from published where zone_name <> ''
),

intermunicipalities as (
    select distinct
        epci_code,
        epci_name
    from {{ ref('int_territory__epci_members') }}
    where grouping_kind = 'epci'
),

zones as (
    select
        names.zone_name,
        coalesce(
            min(metropoles.siren),
            case
                when count(distinct intermunicipalities.epci_code) = 1 then min(intermunicipalities.epci_code)
            end
        ) as zone_code
    from names
    left join metropoles
        on regexp_matches(lower(names.zone_name), '(^|[^a-zà-ÿ])' || metropoles.word || '([^a-zà-ÿ]|$)')
    left join intermunicipalities
        on ends_with(lower(intermunicipalities.epci_name), lower(names.zone_name))
    group by names.zone_name
),

clock as (
    {{ load_clock('published') }}
),

typed as (
    select
        published.*,
        zones.zone_code,
        clock.step_start_local,
        clock.step_start_at,
        clock.is_missing_step,
        {{ load_nature('published.nature_text') }} as nature,
        {{ parse_number('published.consommation') }} as consumption_mw,
        {{ parse_number('published.production') }} as production_mw,
        {{ parse_number('published.echanges_physiques') }} as physical_exchanges_mw
    from published
    left join zones on published.zone_name = zones.zone_name
    left join clock on published.step_text = clock.step_text
),

judged as (
    select
        *,
        coalesce({{ is_out_of_scope("'epci'", 'zone_code') }}, false) as is_outside
    from typed
)

select
    _delivery_id,
    _record_no,
    'metropolis' as zone_level,
    zone_code,
    zone_name,
    nature,
    step_start_at,
    step_start_local,
    900 as step_s,
    {{ month_of('step_start_local') }} as period_month,
    consumption_mw,
    production_mw,
    physical_exchanges_mw,
    case when consumption_mw is null then 'not_available' else 'measured' end as load_status,
    case when consumption_mw is null then 0 else 1 end as _preference,
    is_outside as _out_of_scope,
    case
        when zone_name is null or zone_name = '' then 'no perimeter'
        when zone_code is null then 'this perimeter is no métropole that is known: ' || zone_name
        when is_outside then null
        {{ load_reasons(['consommation', 'production', 'echanges_physiques']) }}
        when consumption_mw < 0 then 'negative consumption: ' || consommation
    end as _reject_reason
from judged
