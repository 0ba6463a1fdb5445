select
    'habitat_parc_social' as source,
    commune_code,
    commune_name,
    year,
    dwellings,
    dwellings_status,
    vacant_dwellings,
    vacant_dwellings_status
from {{ ref('stg_housing__habitat_parc_social') }}
