{#
    Statistics of the effect of works (docs/decisions/0012-effect-of-works.md says why). Sums are taken over integers,
    decimals or lists in a stated order, never over doubles in whatever order an engine reads them: the same data give
    the same figure to the last bit.
#}

{# What the estimate of an effect takes for granted, in one place. Days are legal days. #}
{% macro effect_setting(name) -%}
    {{- {
        'measured_hour_share': 0.75,
        'measured_day_share': 0.75,
        'expected_flow_never_zero_veh_h': 20,
        'expected_occupancy_never_zero_pct': 1,
        'brief_hours': 24,
        'season_days': 91,
        'least_spell_days': 5,
        'longest_spell_days': 91,
        'least_baseline_days': 14,
        'least_controls': 5,
        'loading_spread': 0.3,
        'exceptional_days_around': 14,
        'exceptional_scales': 3,
        'exceptional_at_least': 0.03,
        'correlation_days': 28,
        'sill_days': 14,
        'least_sill_pairs': 30,
        'pooling_pairs': 40,
        'least_freedom': 4,
        'narrowest_margin': 0.0005,
        'widest_margin': 2.302585092994046,
    }[name] -}}
{%- endmacro %}

{#
    The 97.5 % quantile of Student's law with `freedom` degrees of freedom (not necessarily whole): the Cornish-Fisher
    expansion of Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 26.7.5, about the normal quantile
    x = 1.959963984540054. From 4 degrees on, the error is below 0.1 %.
#}
{% macro student_quantile_975(freedom) -%}
    (
        1.959963984540054
        + 2.372271230298562 / ({{ freedom }})
        + 2.822498615739611 / power({{ freedom }}, 2)
        + 2.555849679507722 / power({{ freedom }}, 3)
        + 1.589534053393823 / power({{ freedom }}, 4)
    )
{%- endmacro %}

{#
    One value of each kept day as a list over every day from the first to the last, 0.0 where a day is missing. `days`
    is a list of kept days in their order; `day` stands for one of them in `value`; day.gap is the number of days to
    the next (1 for the last).
#}
{% macro daily_list(days, value) -%}
    flatten(list_transform({{ days }}, day -> list_resize([{{ value }}], day.gap, cast(0 as double))))
{%- endmacro %}

{# For lags 1 to `lags` (fewer when the lists are shorter): the sum over days i of left[i] * right[i + lag]. #}
{% macro lag_products(left, right, lags) -%}
    list_transform(
        range(1, least({{ lags }} + 1, len({{ left }}))),
        lag -> list_dot_product({{ left }}[1:len({{ left }}) - lag], {{ right }}[lag + 1:])
    )
{%- endmacro %}

{#
    The variance of the sum of weighted days, in variances of a day: sum over i, j of w[i] w[j] correlation(|i - j|).
    `products` are the lag products of the weights, `correlations` those of lags 1, 2…
#}
{% macro correlated_square(weights, products, correlations) -%}
    (
        list_dot_product({{ weights }}, {{ weights }})
        + case
            when len({{ products }}) = 0 then 0
            else 2 * list_dot_product({{ correlations }}[1:len({{ products }})], {{ products }})
        end
    )
{%- endmacro %}
