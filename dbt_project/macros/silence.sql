{#
    When a nought is silence and not traffic, in one place: where 20 vehicles an hour (or 1 % of occupancy) are usual at
    that hour. Under Poisson's law such a nought would come once in 500 million hours. No vehicle has a speed of zero.
#}

{# SQL, boolean: a value (not NULL) was measured. A nought of which nothing usual is known (NULL) was not. #}
{% macro is_no_silence(measure, value, usual) -%}
    {%- set never_nought = {
        'flow': effect_setting('expected_flow_never_zero_veh_h'),
        'occupancy': effect_setting('expected_occupancy_never_zero_pct'),
        'speed': 0,
    } -%}
    ({{ value }} > 0 or {{ value }} = 0 and {{ usual }} < {{ never_nought[measure] }})
{%- endmacro %}

{# SQL: the kind of a legal day: 5 from Monday to Friday, 6 on Saturday, 7 on Sunday. #}
{% macro day_type(day_on) -%}
    least(greatest(extract('isodow' from {{ day_on }}), 5), 7)
{%- endmacro %}

{#
    SQL, a derived table: the month's own profile of each series. For each `key`, period_month and clock_hour of `hours`,
    and for each measure, <measure>_5, <measure>_6 and <measure>_7: the mean by type of day of the hours above nought that
    are `is_<measure>_usable`. An hour that no day of its type measured in the month is told by the other days; NULL when
    none did. `hours` has these columns, the measures as decimals, and day_type.
#}
{% macro hourly_profiles(hours, key, measures) -%}
    {%- set day_types = [5, 6, 7] -%}
    (
        select
            {{ key | join(', ') }},
            period_month,
            {% for measure in measures %}
                {% for type in day_types %}
                    coalesce(
                        {{ measure }}_{{ type }},
                        cast(list_avg([{{ measure }}_5, {{ measure }}_6, {{ measure }}_7]) as decimal(12, 3))
                    ) as {{ measure }}_{{ type }},
                {% endfor %}
            {% endfor %}
            clock_hour
        from (
            select
                {{ key | join(', ') }},
                period_month,
                {% for measure in measures %}
                    {% for type in day_types %}
                        cast(avg({{ measure }}) filter (
                            where is_{{ measure }}_usable and {{ measure }} > 0 and day_type = {{ type }}
                        ) as decimal(12, 3)) as {{ measure }}_{{ type }},
                    {% endfor %}
                {% endfor %}
                clock_hour
            from {{ hours }}
            group by {{ key | join(', ') }}, period_month, clock_hour
        ) as usual_hours
    )
{%- endmacro %}

{# SQL: what a row of hourly_profiles tells for a type of day. #}
{% macro usual_of(profiles, measure, day_type) -%}
    case {{ day_type }}
        when 5 then {{ profiles }}.{{ measure }}_5
        when 6 then {{ profiles }}.{{ measure }}_6
        else {{ profiles }}.{{ measure }}_7
    end
{%- endmacro %}
