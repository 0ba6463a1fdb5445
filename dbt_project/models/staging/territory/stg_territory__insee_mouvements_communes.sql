{{ config(
    key=['event_kind', 'effective_on', 'from_type', 'from_code', 'to_type', 'to_code'],
) }}

-- Events on communes since 1943: one row per passage from a commune to another. An event has several rows (a merger of
-- two communes has at least two). The newest file tells the whole history again: what it lacks was corrected by INSEE.
with published as (
    select * from {{ raw('insee__mouvements_communes') }}
),

typed as (
    select
        _delivery_id,
        _record_no,
        trim(mod) as event_kind,
        date_eff as effective_text,
        {{ parse_date('date_eff', 'Europe/Paris') }} as effective_on,
        upper(trim(typecom_av)) as from_type,
        trim(com_av) as from_code,
        libelle_av as from_name,
        upper(trim(typecom_ap)) as to_type,
        trim(com_ap) as to_code,
        libelle_ap as to_name
    from published
)

select
    _delivery_id,
    _record_no,
    event_kind,
    effective_on,
    from_type,
    from_code,
    from_name,
    to_type,
    to_code,
    to_name,
    0 as _preference,
    false as _out_of_scope,
    case
        when event_kind is null or event_kind = '' then 'no kind of event'
        when effective_on is null then 'the date of effect is not a date: ' || coalesce(effective_text, '')
        when from_type is null or from_type not in ('COM', 'COMD', 'COMA', 'ARM')
            then 'the type of commune before is not known: ' || coalesce(from_type, '')
        when to_type is null or to_type not in ('COM', 'COMD', 'COMA', 'ARM')
            then 'the type of commune after is not known: ' || coalesce(to_type, '')
        when from_code is null or not {{ is_commune_code('from_code') }}
            then 'the code before is not that of a commune: ' || coalesce(from_code, '')
        when to_code is null or not {{ is_commune_code('to_code') }}
            then 'the code after is not that of a commune: ' || coalesce(to_code, '')
    end as _reject_reason
from typed
