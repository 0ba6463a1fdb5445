{{ config(reads=['geometry']) }}

-- Sites that two files of the City of Paris describe: the CTV identifier of a disruptive site is the CITE request of
-- an occupation (formats §3.1: 15 occupations, 1 to 24 m apart). An identifier is only a claim: pairs further apart
-- than 250 m are refused, ten times the largest distance measured on true pairs; false pairs of other identifiers
-- lie kilometres apart.
with claimed as (
    select
        perturbing.source as left_source,
        perturbing.site_id as left_site_id,
        occupying.source as right_source,
        occupying.site_id as right_site_id,
        perturbing.request_id,
        geo_distance_m(perturbing.geometry, occupying.geometry) as distance_m
    from {{ ref('int_mobility__works_announced') }} as perturbing
    inner join {{ ref('int_mobility__works_announced') }} as occupying
        on perturbing.request_id = occupying.request_id
    where perturbing.source = 'paris_chantiers_perturbants' and occupying.source = 'paris_chantiers'
)

select
    left_source,
    left_site_id,
    right_source,
    right_site_id,
    'cite:' || request_id as site_group_id,
    'identifiant_ctv = demande_cite_id' as match_rule,
    request_id as match_value,
    cast(distance_m as decimal(9, 1)) as distance_m
from claimed
where distance_m <= 250
