{#
    Conservation (DESIGN §2, property 1) for the source of a staging model: a record may be refused, never lost. Rows are
    the deliveries whose terms do not add up, with the difference in records.
#}
{% test ledger_balances(model) %}
select
    delivery_id,
    records_read - raw_rows - malformed as lost_while_reading,
    raw_rows - staged - rejected - superseded - duplicate - out_of_scope as lost_while_staging
from {{ source('ops', 'ledger') }}
where source = '{{ model.identifier.split('__', 1)[1] }}'
    and (
        records_read <> raw_rows + malformed
        or raw_rows <> staged + rejected + superseded + duplicate + out_of_scope
    )
{% endtest %}
