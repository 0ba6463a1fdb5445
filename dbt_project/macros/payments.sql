{# Aggregates of card payments: their figures, by the name that they have in our tables. #}

{# The role that a file gives each figure by, and what it is called in a sentence. #}
{% macro payment_figures() -%}
    {{ return({
        'amount_eur': {'role': 'amount', 'called': 'amount', 'is_amount': true},
        'transactions': {'role': 'transactions', 'called': 'number of transactions', 'is_amount': false},
        'merchants': {'role': 'merchants', 'called': 'number of merchants', 'is_amount': false},
        'cards': {'role': 'cards', 'called': 'number of cards', 'is_amount': false},
        'largest_merchant_eur': {
            'role': 'largest_merchant_amount', 'called': 'amount of the largest merchant', 'is_amount': true
        },
        'second_merchant_eur': {
            'role': 'second_merchant_amount', 'called': 'amount of the second merchant', 'is_amount': true
        },
        'siren_groups': {'role': 'siren_groups', 'called': 'number of companies', 'is_amount': false},
    }) }}
{%- endmacro %}

{# SQL, an aggregate: the status of a sum. It is secret as soon as one part is, and not known unless all of them are. #}
{% macro summed_status(figure, status) -%}
    case
        when count(*) filter (where {{ status }} = 'secret') > 0 then 'secret'
        when count({{ figure }}) = count(*) then 'measured'
        else 'not_available'
    end
{%- endmacro %}
