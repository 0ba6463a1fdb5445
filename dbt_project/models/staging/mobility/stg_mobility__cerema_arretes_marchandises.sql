{{ config(key=['commune_code', 'rule_id']) }}

-- Permanent rules on goods traffic, from municipal orders in the national schema (one file per commune, identifiers of
-- its own). NC means unknown, which is not the same as empty: neither is a value. A threshold is what the rule is about
-- (forbidden above 19 t), not a property of a vehicle. Permanent, and without geometry so far: no works site.
with published as (
    select * from {{ raw('cerema__arretes_marchandises') }}
),

known as (
    select
        _delivery_id,
        _record_no,
        trim(coll_insee) as commune_code,
        trim(id) as rule_id,
        nullif(nullif(trim(coll_nom), ''), 'NC') as coll_nom,
        nullif(nullif(trim(arr_date), ''), 'NC') as arr_date,
        nullif(nullif(trim(arr_ref), ''), 'NC') as arr_ref,
        nullif(nullif(trim(arr_objet), ''), 'NC') as arr_objet,
        nullif(nullif(trim(regl_article), ''), 'NC') as regl_article,
        nullif(nullif(trim(regl_modalite), ''), 'NC') as regl_modalite,
        nullif(nullif(trim(veh_types), ''), 'NC') as veh_types,
        nullif(nullif(trim(veh_tonnage_modalite), ''), 'NC') as veh_tonnage_modalite,
        nullif(nullif(trim(veh_tonnage), ''), 'NC') as veh_tonnage,
        nullif(nullif(trim(veh_usages), ''), 'NC') as veh_usages,
        nullif(nullif(trim(sauf_veh_usages), ''), 'NC') as sauf_veh_usages,
        nullif(nullif(trim(veh_long), ''), 'NC') as veh_long,
        nullif(nullif(trim(veh_larg), ''), 'NC') as veh_larg,
        nullif(nullif(trim(veh_haut), ''), 'NC') as veh_haut,
        nullif(nullif(trim(periode_jh), ''), 'NC') as periode_jh,
        nullif(nullif(trim(periode_debut), ''), 'NC') as periode_debut,
        nullif(nullif(trim(periode_fin), ''), 'NC') as periode_fin,
        nullif(nullif(trim(emprise_zone), ''), 'NC') as emprise_zone,
        nullif(nullif(trim(emprise_designation), ''), 'NC') as emprise_designation,
        nullif(nullif(trim(emprise_debut), ''), 'NC') as emprise_debut,
        nullif(nullif(trim(emprise_fin), ''), 'NC') as emprise_fin,
        nullif(nullif(trim(emprise_sens), ''), 'NC') as emprise_sens,
        nullif(nullif(trim(geom_wkt), ''), 'NC') as geom_wkt
    from published
),

typed as (
    select
        *,
        {{ parse_date('arr_date', 'Europe/Paris') }} as order_on,
        {{ parse_number('veh_tonnage') }} as threshold_weight_t,
        {{ parse_number('veh_long') }} as threshold_length_m,
        {{ parse_number('veh_larg') }} as threshold_width_m,
        {{ parse_number('veh_haut') }} as threshold_height_m
    from known
)

select
    _delivery_id,
    _record_no,
    commune_code,
    rule_id,
    coll_nom as commune_name,
    order_on,
    arr_ref as order_ref,
    arr_objet as order_purpose,
    regl_article as article,
    case
        when regl_modalite ilike 'interdit%' then 'forbidden'
        when regl_modalite ilike 'autoris%' then 'allowed'
        else 'unknown'
    end as rule,
    string_split(veh_types, '|') as vehicle_types,
    veh_tonnage_modalite as threshold_weight_kind,
    threshold_weight_t,
    threshold_length_m,
    threshold_width_m,
    threshold_height_m,
    string_split(veh_usages, '|') as uses,
    string_split(sauf_veh_usages, '|') as exempted_uses,
    periode_jh as schedule,
    periode_debut as season_start,
    periode_fin as season_end,
    coalesce(emprise_designation, emprise_zone) as street,
    emprise_debut as from_place,
    emprise_fin as to_place,
    case
        when emprise_sens ilike 'deux sens%' then 'both'
        when emprise_sens is null then 'unknown'
        else 'one'
    end as direction,
    geom_wkt as geometry_wkt,
    0 as _preference,
    false as _out_of_scope,
    case
        when commune_code is null or commune_code = '' then 'no commune code'
        when not regexp_full_match(commune_code, '([0-9]{2}|2[AB])[0-9]{3}')
            then 'the commune code is not an INSEE code: ' || commune_code
        when rule_id is null or rule_id = '' then 'no rule identifier'
        when arr_date is not null and order_on is null then 'the date of the order is not a date: ' || arr_date
        when {{ is_not_a_number('veh_tonnage') }} then 'the weight is not a number: ' || veh_tonnage
        when {{ is_not_a_number('veh_long') }} then 'the length is not a number: ' || veh_long
        when {{ is_not_a_number('veh_larg') }} then 'the width is not a number: ' || veh_larg
        when {{ is_not_a_number('veh_haut') }} then 'the height is not a number: ' || veh_haut
    end as _reject_reason
from typed
