{#
    Situations of DATEX II (versions 2 and 3), as works sites: one situation is one site, one of its records one part.
    What a producer adds to the standard belongs in its staging model; lines written latitude first serve CIFS too.
#}

{# A raw cell as JSON, NULL when it is plain text: looking into that would stop the model. #}
{% macro nested(text) -%}
    case when json_valid({{ text }}) then {{ text }} end
{%- endmacro %}

{# The texts that a JSON path leads to, as a list; an element with attributes comes as an object with "#text". #}
{% macro datex2_texts(json, path) -%}
    list_transform(
        json_extract_string({{ json }}, '{{ path }}'),
        item -> case when starts_with(item, '{{ "{" }}') then json_extract_string(item, '$."#text"') else item end
    )
{%- endmacro %}

{#
    GeoJSON positions, as texts, from "lat lon lat lon …" (blanks or commas between): latitude comes FIRST in CIFS and
    in the posList of DATEX II. NULL when a latitude has no longitude.
#}
{% macro positions_of_lat_lon(text) -%}
    {%- set numbers = "string_split_regex(trim(" ~ text ~ "), '[\\s,]+')" -%}
    case
        when len({{ numbers }}) % 2 = 0
            then list_transform(
                range(1, len({{ numbers }}), 2),
                place -> '[' || {{ numbers }}[place + 1] || ', ' || {{ numbers }}[place] || ']'
            )
    end
{%- endmacro %}

{# GeoJSON positions from a list of latitudes and one of longitudes, in the same order. #}
{% macro positions_of_lists(latitudes, longitudes) -%}
    list_transform(
        range(1, least(len({{ latitudes }}), len({{ longitudes }})) + 1),
        place -> '[' || {{ longitudes }}[place] || ', ' || {{ latitudes }}[place] || ']'
    )
{%- endmacro %}

{# A GeoJSON geometry of one list of positions (Point, MultiPoint, LineString). #}
{% macro geometry_of_positions(type, positions) -%}
    '{"type": "{{ type }}", "coordinates": '
    || {% if type == 'Point' -%}
        {{ positions }}[1]
    {%- else -%}
        '[' || array_to_string({{ positions }}, ', ') || ']'
    {%- endif %} || '}'
{%- endmacro %}

{# Longitude (axis 1) or latitude (axis 2) of the first or last position of a GeoJSON geometry. #}
{% macro edge_position(geometry, edge, axis) -%}
    {%- set number = "(-?[0-9.]+(?:[eE][+-]?[0-9]+)?)" -%}
    try_cast(
        regexp_extract(
            {{ geometry }},
            '{{ "(?s).*" if edge == "last" else "" }}\[\s*{{ number }}\s*,\s*{{ number }}',
            {{ axis }}
        ) as double
    )
{%- endmacro %}

{#
    Typed records of a raw table of situation records. Its columns are those of the cards bisonfute_evenements and
    bw_baustellen. `zone` is the legal time of bounds without offset, and of the dates.

    Several locations come at once. The path is believed (gmlLineString), then a point, then the two ends of a TPEG
    line, which are NOT the path between them: `location_kind` says which was used.
#}
{% macro datex2_works(raw_table, zone) -%}
with published as (
    select * from {{ raw(raw_table) }}
),

typed as (
    select
        _delivery_id,
        _record_no,
        trim(situation_id) as site_id,
        trim(record_id) as part_id,
        record_type,
        try_cast(record_version as integer) as record_version,
        probability,
        validity_status,
        operator_action_status,
        information_status,
        {{ nested('location') }} as location_text,
        overall_start_time as start_text,
        overall_end_time as end_text,
        managed_cause_id,
        lane_management_type,
        constriction_type,
        coalesce(life_cycle_end = 'true', false) as is_ended,
        coalesce(life_cycle_cancel = 'true', false) as is_cancelled,
        concat_ws(
            ', ', nullif(validity_status, 'definedByValidityTimeSpec'), probability, operator_action_status
        ) as announced_state,
        -- Several kinds of maintenance come as a JSON array.
        translate(
            coalesce(
                maintenance_type, construction_type, lane_management_type, rerouting_type, speed_management_type
            ),
            '[]"', ''
        ) as purpose,
        concat_ws(' / ', source_identification, source_name) as responsible_body,
        try_cast(capacity_remaining_pct as double) as capacity_remaining_pct,
        try_cast(lanes_restricted as integer) as lanes_restricted,
        try_cast(lanes_operational as integer) as lanes_operational,
        try_cast(lanes_original as integer) as lanes_original,
        {{ parse_instant('overall_start_time', zone) }} as start_at,
        {{ parse_instant('overall_end_time', zone) }} as end_at,
        {{ datex2_texts(nested('valid_period'), '$..startTimeOfPeriod') }} as day_starts,
        {{ datex2_texts(nested('valid_period'), '$..endTimeOfPeriod') }} as day_ends,
        valid_period,
        record_type in ('MaintenanceWorks', 'ConstructionWorks')
        or (
            record_type = 'RoadOrCarriagewayOrLaneManagement'
            and (
                coalesce(cause_type = 'roadMaintenance', false)
                or coalesce(lane_management_type = 'newRoadworksLayout', false)
            )
        ) as is_works
    from published
),

-- A closure may name the works that cause it by their record, in the same situation.
caused as (
    select
        *,
        coalesce(
            list_contains(
                list(case when is_works then part_id end) over (partition by _delivery_id, site_id), managed_cause_id
            ),
            false
        ) as is_caused_by_works
    from typed
),

located as (
    select
        *,
        {{ datex2_texts('location_text', '$..posList') }} as paths,
        {{ datex2_texts('location_text', '$..point.pointCoordinates.latitude') }} as point_lats,
        {{ datex2_texts('location_text', '$..point.pointCoordinates.longitude') }} as point_lons,
        {{ datex2_texts('location_text', '$..pointByCoordinates.pointCoordinates.latitude') }} as plain_lats,
        {{ datex2_texts('location_text', '$..pointByCoordinates.pointCoordinates.longitude') }} as plain_lons,
        {{ datex2_texts('location_text', '$..from.pointCoordinates.latitude') }} as from_lats,
        {{ datex2_texts('location_text', '$..from.pointCoordinates.longitude') }} as from_lons,
        {{ datex2_texts('location_text', '$..to.pointCoordinates.latitude') }} as to_lats,
        {{ datex2_texts('location_text', '$..to.pointCoordinates.longitude') }} as to_lons,
        {{ datex2_texts('location_text', '$..openlrCoordinate.latitude') }} as openlr_lats,
        {{ datex2_texts('location_text', '$..openlrCoordinate.longitude') }} as openlr_lons,
        list_concat(
            {{ datex2_texts('location_text', '$..locationForDisplay.latitude') }},
            {{ datex2_texts('location_text', '$..coordinatesForDisplay.latitude') }}
        ) as shown_lats,
        list_concat(
            {{ datex2_texts('location_text', '$..locationForDisplay.longitude') }},
            {{ datex2_texts('location_text', '$..coordinatesForDisplay.longitude') }}
        ) as shown_lons,
        {{ datex2_texts('location_text', '$..roadNumber') }} as road_numbers,
        {{ datex2_texts('location_text', '$..roadName.values.value') }} as road_names,
        list_concat(
            {{ datex2_texts('location_text', '$..descriptor.values.value') }},
            {{ datex2_texts('location_text', '$..referentIdentifier') }}
        ) as place_names,
        list_concat(
            list_concat(
                {{ datex2_texts('location_text', '$..tpegDirection') }},
                {{ datex2_texts('location_text', '$..alertCDirectionCoded') }}
            ),
            list_concat(
                {{ datex2_texts('location_text', '$..directionRelativeOnLinearSection') }},
                {{ datex2_texts('location_text', '$..directionRelativeAtPoint') }}
            )
        ) as directions
    from caused
),

positioned as (
    select
        *,
        list_transform(paths, path -> {{ positions_of_lat_lon('path') }}) as lines,
        list_concat(
            {{ positions_of_lists('point_lats', 'point_lons') }}, {{ positions_of_lists('plain_lats', 'plain_lons') }}
        ) as points,
        list_concat(
            {{ positions_of_lists('from_lats', 'from_lons') }}, {{ positions_of_lists('to_lats', 'to_lons') }}
        ) as ends,
        {{ positions_of_lists('openlr_lats', 'openlr_lons') }} as openlr_points,
        {{ positions_of_lists('shown_lats', 'shown_lons') }} as shown_points,
        try_cast(coalesce(shown_lons[1], point_lons[1], plain_lons[1]) as double) as lon,
        try_cast(coalesce(shown_lats[1], point_lats[1], plain_lats[1]) as double) as lat
    from located
),

drawn as (
    select
        *,
        case
            when len(lines) > 0 then 'path'
            when len(points) > 0 then 'point'
            when len(ends) > 0 then 'ends'
            when len(openlr_points) > 0 then 'ends'
            when len(shown_points) > 0 then 'display_point'
        end as location_kind,
        case
            when list_contains(list_transform(lines, line -> line is null), true) then null
            when len(lines) = 1 then {{ geometry_of_positions('LineString', 'lines[1]') }}
            when len(lines) > 1
                then '{"type": "MultiLineString", "coordinates": ['
                    || array_to_string(list_transform(lines, line -> '[' || array_to_string(line, ', ') || ']'), ', ')
                    || ']}'
            when len(points) = 1 then {{ geometry_of_positions('Point', 'points') }}
            when len(points) > 1 then {{ geometry_of_positions('MultiPoint', 'points') }}
            when len(ends) > 0 then {{ geometry_of_positions('MultiPoint', 'ends') }}
            when len(openlr_points) > 0 then {{ geometry_of_positions('MultiPoint', 'openlr_points') }}
            when len(shown_points) > 0 then {{ geometry_of_positions('Point', 'shown_points') }}
        end as geometry
    from positioned
),

edged as (
    select
        *,
        {{ edge_position('geometry', 'first', 1) }} as first_lon,
        {{ edge_position('geometry', 'first', 2) }} as first_lat,
        {{ edge_position('geometry', 'last', 1) }} as last_lon,
        {{ edge_position('geometry', 'last', 2) }} as last_lat
    from drawn
),

-- Works across the border of the territory are in it: only those with both ends outside are not.
placed as (
    select
        *,
        {{ place_in_box('first_lon', 'first_lat') }} as first_place,
        {{ place_in_box('last_lon', 'last_lat') }} as last_place
    from edged
),

-- `capacityRemaining` 0 and as many lanes restricted as there are say that the carriageway is closed.
judged as (
    select
        *,
        case
            when lane_management_type in ('roadClosed', 'carriagewayClosures') then 'road_closed'
            when constriction_type in ('roadBlocked', 'carriagewayBlocked') then 'road_closed'
            when lane_management_type = 'singleAlternateLineTraffic' then 'alternating'
            when capacity_remaining_pct = 0 or lanes_restricted >= lanes_original then 'road_closed'
            when lane_management_type in (
                'laneClosures', 'narrowLanes', 'contraflow', 'laneDeviated', 'newRoadworksLayout',
                'intermittentShortTermClosures'
            ) then 'lane_restricted'
            when constriction_type in (
                'lanesBlocked', 'lanesPartiallyObstructed', 'carriagewayPartiallyObstructed', 'roadPartiallyObstructed'
            ) then 'lane_restricted'
            when lanes_restricted > 0 or lanes_operational < lanes_original then 'lane_restricted'
            when record_type = 'SpeedManagement' then 'speed_restricted'
            else 'unknown'
        end as disruption,
        regexp_extract(
            regexp_replace(coalesce(road_numbers[1], road_names[1], ''), '^R([ND])', '\1'),
            '^([A-Z]{1,3}) ?0*([0-9]+[0-9A-Z]*)$',
            ['letters', 'number']
        ) as road
    from placed
)

select
    _delivery_id,
    _record_no,
    site_id,
    part_id,
    record_type,
    record_version,
    case
        when is_works or is_caused_by_works then 'road_works'
        when record_type = 'RoadOrCarriagewayOrLaneManagement' then 'closure'
        when record_type = 'PublicEvent' then 'event'
        when record_type in (
            'Accident', 'AbnormalTraffic', 'VehicleObstruction', 'GeneralObstruction', 'AnimalPresenceObstruction',
            'EnvironmentalObstruction', 'InfrastructureDamageObstruction', 'EquipmentOrSystemFault',
            'PoorEnvironmentConditions', 'NonWeatherRelatedRoadConditions', 'WeatherRelatedRoadConditions',
            'DisturbanceActivity', 'AuthorityOperation'
        ) then 'incident'
        else 'other'
    end as kind,
    purpose,
    disruption,
    -- What is only a risk takes nothing yet; diversions and limits are measures around the works.
    case
        when probability = 'riskOf' then false
        when disruption in ('road_closed', 'lane_restricted', 'alternating') then true
        when record_type like '%Management' then false
    end as occupies_carriageway,
    list_filter(
        road_names, name -> not regexp_full_match(name, '[A-Z]{1,3} ?[0-9]+[0-9A-Z]*')
    )[1] as street,
    nullif(
        array_to_string(list_filter(place_names, (name, place) -> list_position(place_names, name) = place), ', '), ''
    ) as location_detail,
    nullif(road.letters || road.number, '') as road_ref,
    case
        when len(directions) = 0 or directions is null then null
        when list_has_any(directions, ['bothWays', 'allDirections', 'both']) then 'both'
        when list_has_any(directions, ['unknown']) then 'unknown'
        else 'one'
    end as direction,
    coalesce(lanes_original - lanes_operational, lanes_restricted) as lanes_closed,
    case
        when len(day_starts) > 0
            then array_to_string(
                list_transform(
                    range(1, least(len(day_starts), len(day_ends)) + 1), i -> day_starts[i] || '-' || day_ends[i]
                ),
                ', '
            )
        else valid_period
    end as schedule,
    nullif(responsible_body, '') as responsible_body,
    cast({{ legal_time('start_at', zone) }} as date) as start_on,
    cast({{ legal_time('end_at', zone) }} as date) as end_on,
    start_at,
    end_at,
    case when coalesce(start_at, end_at) is null then 'date' else 'instant' end as period_precision,
    nullif(announced_state, '') as announced_state,
    case
        when is_cancelled then 'cancelled'
        when is_ended then 'ended'
        when validity_status = 'suspended' then 'suspended'
        when validity_status = 'planned' or probability = 'riskOf' then 'planned'
        when validity_status = 'active' then 'ongoing'
    end as stated_phase,
    location_kind,
    geometry,
    lon,
    lat,
    -- Of two versions of a record in one delivery, the higher.
    least(coalesce(record_version, 0), 99) as _preference,
    coalesce(first_place = 'outside' and last_place = 'outside', false) as _out_of_scope,
    case
        when part_id is null or part_id = '' then 'no record identifier'
        when site_id is null or site_id = '' then 'no situation identifier'
        when information_status not in ('real') then 'not a real situation: ' || information_status
        when start_text is not null and start_at is null then 'the start cannot be read: ' || start_text
        when end_text is not null and end_at is null then 'the end cannot be read: ' || end_text
        when {{ is_missing_local_time('start_text', zone) }}
            then 'this time does not exist in legal time (spring change): ' || start_text
        when {{ is_missing_local_time('end_text', zone) }}
            then 'this time does not exist in legal time (spring change): ' || end_text
        when end_at < start_at then 'ends before it starts: ' || start_text || ' to ' || end_text
        when location_kind = 'path' and geometry is null
            then 'the path is not pairs of latitude and longitude: ' || left(array_to_string(paths, ' | '), 80)
        when {{ is_bad_geometry('geometry') }}
            then 'a coordinate is not a number: ' || left(geometry, 120)
        when not coalesce(first_lat between -90 and 90 and last_lat between -90 and 90, true)
            then 'a latitude beyond 90 degrees: ' || left(geometry, 120)
        when first_place = 'swapped' then 'longitude and latitude look swapped'
    end as _reject_reason
from judged
{%- endmacro %}
