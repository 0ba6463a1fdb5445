-- The communes of each intermunicipality, by vintage. A commune belongs to one EPCI at most; those of Greater Paris
-- belong to a territory (EPT) as well, which is no EPCI with its own taxation and is kept apart.
with members as (
    select
        vintage,
        'epci' as grouping_kind,
        epci_code,
        epci_name,
        epci_type,
        unnest(member_codes) as commune_code
    from {{ ref('stg_territory__etalab_epci') }}
    union all
    select
        vintage,
        'ept' as grouping_kind,
        epci_code,
        epci_name,
        epci_type,
        unnest(member_codes) as commune_code
    from {{ ref('stg_territory__etalab_ept') }}
)

select distinct
    vintage,
    grouping_kind,
    epci_code,
    epci_name,
    epci_type,
    commune_code
from members
