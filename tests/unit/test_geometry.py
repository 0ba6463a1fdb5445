"""Distances, envelopes and positions, against formulas that the module does not use.

Reference distances are those of Vincenty's inverse formula, exact to a millimetre and itself checked on a published
pair; degrees of meridian and parallel are those of published WGS84 tables.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np
import pytest
import shapely

from orchestration.dbt_functions import register
from raw_sources import geometry

PARIS = (2.3522, 48.8566)
DUNKIRK = (2.3768, 51.0344)
CAYENNE = (-52.3261, 4.9224)
SAINT_DENIS = (55.4481, -20.8789)
PLACES = [PARIS, DUNKIRK, CAYENNE, SAINT_DENIS]

Point = tuple[float, float]


def text(kind: str, coordinates: Any) -> str:
    return json.dumps({"type": kind, "coordinates": coordinates})


def line(*points: Point) -> str:
    return text("LineString", points)


def distance(left: str | None, right: str | None) -> float:
    return float(geometry.distances_m(geometry.parse([left]), geometry.parse([right]))[0])


def position(left: str | None, right: str | None) -> str | None:
    (found,) = geometry.positions(geometry.parse([left]), geometry.parse([right]))
    return found


def vincenty_m(start: Point, end: Point) -> float:
    """Vincenty's inverse formula on WGS84 (Survey Review 176, 1975), iterated to 1e-12 radians."""
    major, flattening = 6_378_137.0, 1 / 298.257223563
    minor = major * (1 - flattening)
    span = math.radians(end[0] - start[0])
    first, second = (math.atan((1 - flattening) * math.tan(math.radians(lat))) for _, lat in (start, end))
    sin_1, cos_1, sin_2, cos_2 = math.sin(first), math.cos(first), math.sin(second), math.cos(second)
    angle = span
    for _ in range(100):
        sin_sigma = math.hypot(cos_2 * math.sin(angle), cos_1 * sin_2 - sin_1 * cos_2 * math.cos(angle))
        cos_sigma = sin_1 * sin_2 + cos_1 * cos_2 * math.cos(angle)
        sigma = math.atan2(sin_sigma, cos_sigma)
        sin_alpha = cos_1 * cos_2 * math.sin(angle) / sin_sigma
        cos_sq = 1 - sin_alpha**2
        middle = cos_sigma - 2 * sin_1 * sin_2 / cos_sq
        c = flattening / 16 * cos_sq * (4 + flattening * (4 - 3 * cos_sq))
        correction = sigma + c * sin_sigma * (middle + c * cos_sigma * (2 * middle**2 - 1))
        previous, angle = angle, span + (1 - c) * flattening * sin_alpha * correction
        if abs(angle - previous) < 1e-12:
            break
    u_sq = cos_sq * (major**2 - minor**2) / minor**2
    a = 1 + u_sq / 16384 * (4096 + u_sq * (-768 + u_sq * (320 - 175 * u_sq)))
    b = u_sq / 1024 * (256 + u_sq * (-128 + u_sq * (74 - 47 * u_sq)))
    series = cos_sigma * (2 * middle**2 - 1) - b / 6 * middle * (4 * sin_sigma**2 - 3) * (4 * middle**2 - 3)
    return minor * a * (sigma - b * sin_sigma * (middle + b / 4 * series))


# --- distances --------------------------------------------------------------------------------------------------


def test_the_reference_itself_is_right():
    # Flinders Peak to Buninyong (Geoscience Australia, GDA94 ellipsoid, which WGS84 equals to 0.1 mm): 54 972.271 m.
    flinders = (144 + 25 / 60 + 29.52440 / 3600, -(37 + 57 / 60 + 3.72030 / 3600))
    buninyong = (143 + 55 / 60 + 35.38390 / 3600, -(37 + 39 / 60 + 10.15610 / 3600))
    assert vincenty_m(flinders, buninyong) == pytest.approx(54_972.271, abs=0.01)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("bearing", [0, 37, 90, 135, 210, 300])
@pytest.mark.parametrize("metres", [1, 24, 500, 2000])
def test_distance_between_points_agrees_with_vincenty(place: Point, bearing: int, metres: int):
    lon, lat = place
    north = metres * math.cos(math.radians(bearing)) / 111_195
    east = metres * math.sin(math.radians(bearing)) / (111_195 * math.cos(math.radians(lat)))
    end = (lon + east, lat + north)
    assert distance(text("Point", place), text("Point", end)) == pytest.approx(vincenty_m(place, end), rel=1e-4)


def test_degrees_have_the_published_lengths():
    # Lengths of a degree on WGS84 at 0, 45 and 60 degrees of latitude.
    east, north = geometry.metres_per_degree(np.array([0.0, 45.0, 60.0]))
    assert east == pytest.approx([111_320, 78_847, 55_800], abs=1)
    assert north == pytest.approx([110_574, 111_132, 111_412], abs=1)


def test_distance_is_the_same_both_ways():
    left, right = line((2.30, 48.85), (2.31, 48.86)), text("Point", (2.32, 48.85))
    assert distance(left, right) == distance(right, left)


def test_distance_to_a_line_is_to_its_nearest_point_not_to_its_ends():
    street = line((2.30, 48.85), (2.34, 48.85))
    assert distance(street, text("Point", (2.32, 48.851))) == pytest.approx(111.2, abs=0.1)


def test_distance_agrees_with_shapely_on_coordinates_projected_once():
    left = [(2.3010, 48.8700), (2.3030, 48.8712), (2.3055, 48.8703)]
    right = [(2.3060, 48.8690), (2.3075, 48.8694), (2.3070, 48.8680), (2.3060, 48.8690)]

    def projected(points: Sequence[Point]) -> list[Point]:
        latitude = math.radians(48.87)
        return [
            (6_387_600 * math.cos(latitude) * math.radians(lon), 6_371_600 * math.radians(lat)) for lon, lat in points
        ]

    expected = shapely.distance(shapely.LineString(projected(left)), shapely.Polygon(projected(right)))
    assert distance(text("LineString", left), text("Polygon", [right])) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    "site",
    [
        text("Polygon", [[(2.29, 48.84), (2.35, 48.84), (2.35, 48.86), (2.29, 48.86), (2.29, 48.84)]]),
        line((2.32, 48.84), (2.32, 48.86)),
        text("Point", (2.30, 48.85)),
        json.dumps(
            {
                "type": "GeometryCollection",
                "geometries": [
                    {"type": "Point", "coordinates": [2.0, 48.0]},
                    {"type": "Point", "coordinates": [2.31, 48.85]},
                ],
            }
        ),
    ],
)
def test_what_touches_is_at_no_distance(site: str):
    assert distance(line((2.30, 48.85), (2.34, 48.85)), site) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("missing", [None, "", "{", "nothing", '{"type": "Point", "coordinates": []}'])
def test_a_missing_geometry_has_no_distance_and_no_position(missing: str | None):
    point = text("Point", PARIS)
    assert math.isnan(distance(missing, point))
    assert math.isnan(distance(point, missing))
    assert position(missing, point) is None
    assert position(line(PARIS, (2.36, 48.86)), missing) is None


def test_pairs_keep_their_places_around_missing_ones():
    lefts = geometry.parse([text("Point", PARIS), None, text("Point", CAYENNE)])
    rights = geometry.parse([text("Point", (PARIS[0], PARIS[1] + 0.001)), text("Point", PARIS), text("Point", CAYENNE)])
    found = geometry.distances_m(lefts, rights)
    assert found[0] == pytest.approx(111.2, abs=0.1)
    assert math.isnan(found[1])
    assert found[2] == 0


def test_each_pair_is_measured_on_its_own_plane():
    pairs = [(place, (place[0] + 0.01, place[1])) for place in PLACES]
    lefts, rights = (geometry.parse([text("Point", pair[side]) for pair in pairs]) for side in (0, 1))
    expected = [vincenty_m(*pair) for pair in pairs]
    assert geometry.distances_m(lefts, rights) == pytest.approx(expected, rel=1e-4)


def test_measuring_leaves_the_geometries_as_they_were():
    left, right = geometry.parse([text("Point", PARIS)]), geometry.parse([text("Point", DUNKIRK)])
    geometry.distances_m(left, right)
    assert shapely.get_coordinates(left).tolist() == [list(PARIS)]


def test_no_pairs_give_no_distances():
    assert geometry.distances_m(geometry.parse([]), geometry.parse([])).tolist() == []
    assert geometry.positions(geometry.parse([]), geometry.parse([])) == []


# --- lengths ----------------------------------------------------------------------------------------------------


def lengths(*texts: str | None) -> list[float]:
    return [float(one) for one in geometry.lengths_m(geometry.parse(texts))]


@pytest.mark.parametrize("place", PLACES)
def test_a_line_is_as_long_as_its_legs(place: Point):
    points = [place, (place[0] + 0.004, place[1] + 0.003), (place[0] - 0.002, place[1] + 0.005)]
    expected = sum(vincenty_m(start, end) for start, end in itertools.pairwise(points))
    assert lengths(line(*points)) == pytest.approx([expected], rel=1e-4)


def test_several_lines_are_as_long_as_all_of_them():
    legs = [[(2.30, 48.85), (2.31, 48.85)], [(2.33, 48.86), (2.33, 48.87), (2.34, 48.87)]]
    expected = sum(vincenty_m(start, end) for leg in legs for start, end in itertools.pairwise(leg))
    collection = json.dumps(
        {"type": "GeometryCollection", "geometries": [{"type": "LineString", "coordinates": leg} for leg in legs]}
    )
    assert lengths(text("MultiLineString", legs), collection) == pytest.approx([expected, expected], rel=1e-4)


def test_what_is_no_line_has_no_length_and_does_not_disturb_the_others():
    square = [[(2.30, 48.85), (2.31, 48.85), (2.31, 48.86), (2.30, 48.85)]]
    points = [(2.30, 48.85), (2.31, 48.85)]
    found = lengths(
        text("Point", PARIS),
        None,
        line(*points),
        text("Polygon", square),
        "nothing",
        text("MultiPoint", points),
        text("LineString", []),
    )
    assert found == pytest.approx([0, 0, vincenty_m(*points), 0, 0, 0, 0], rel=1e-4)


def test_a_length_does_not_depend_on_the_lines_measured_beside_it():
    here, there = line(PARIS, (2.36, 48.86)), line(CAYENNE, (-52.32, 4.93))
    assert lengths(here, None, there) == [*lengths(here), 0.0, *lengths(there)]
    assert lengths() == []


# --- envelopes --------------------------------------------------------------------------------------------------


def test_envelopes_are_in_degrees_and_missing_ones_are_not_numbers():
    bounds = geometry.envelopes(geometry.parse([line((2.3, 48.9), (2.1, 48.8)), None]))
    assert bounds[0].tolist() == [2.1, 48.8, 2.3, 48.9]
    assert np.isnan(bounds[1]).all()


# --- positions --------------------------------------------------------------------------------------------------

EASTWARD = line((2.30, 48.85), (2.34, 48.85))
WESTWARD = line((2.34, 48.85), (2.30, 48.85))
WEST_OF_IT, EAST_OF_IT = text("Point", (2.29, 48.851)), text("Point", (2.35, 48.849))
ALONGSIDE = text("Point", (2.32, 48.8505))


@pytest.mark.parametrize(
    ("arc", "site", "expected"),
    [
        (EASTWARD, WEST_OF_IT, "upstream"),
        (EASTWARD, EAST_OF_IT, "downstream"),
        (WESTWARD, WEST_OF_IT, "downstream"),
        (WESTWARD, EAST_OF_IT, "upstream"),
        (EASTWARD, ALONGSIDE, "beside"),
        (WESTWARD, ALONGSIDE, "beside"),
        # Parallel to the whole arc and longer than it: as near to its middle as to its ends.
        (EASTWARD, line((2.29, 48.8505), (2.35, 48.8505)), "beside"),
        (EASTWARD, text("Point", (2.32, 48.85)), "on"),
        (EASTWARD, line((2.32, 48.84), (2.32, 48.86)), "on"),
        (
            EASTWARD,
            text("Polygon", [[(2.33, 48.84), (2.36, 48.84), (2.36, 48.86), (2.33, 48.86), (2.33, 48.84)]]),
            "on",
        ),
        # It touches the very end: on the arc, not after it.
        (EASTWARD, line((2.34, 48.85), (2.35, 48.85)), "on"),
    ],
)
def test_position_follows_the_direction_of_travel(arc: str, site: str, expected: str):
    assert position(arc, site) == expected


def test_half_a_metre_is_on_and_a_metre_is_not():
    def above(metres: float) -> str:
        return text("Point", (2.32, 48.85 + metres / 111_200))

    assert position(EASTWARD, above(0.4)) == "on"
    assert position(EASTWARD, above(1.0)) == "beside"


def test_the_bend_of_an_arc_counts_not_its_chord():
    bent = line((2.30, 48.85), (2.32, 48.86), (2.34, 48.85))
    assert position(bent, text("Point", (2.32, 48.861))) == "beside"
    assert position(bent, text("Point", (2.345, 48.848))) == "downstream"


def test_several_parts_have_no_direction():
    parts = json.dumps(
        {
            "type": "GeometryCollection",
            "geometries": [json.loads(EASTWARD), json.loads(line((2.34, 48.85), (2.35, 48.85)))],
        }
    )
    assert position(parts, text("Point", (2.29, 48.85))) == "beside"
    assert position(parts, text("Point", (2.345, 48.85))) == "on"


# --- what a contour contains, and other coordinate systems -------------------------------------------------------

SQUARE = text(
    "Polygon", [[[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]], [[0.5, 0.5], [1, 0.5], [1, 1], [0.5, 1], [0.5, 0.5]]]
)


def test_a_point_is_in_its_contour_on_its_edge_or_out_of_it() -> None:
    places = [(0.2, 0.2), (2.0, 1.0), (0.75, 0.75), (0.5, 0.75), (3.0, 1.0)]
    lon, lat = (np.asarray(side) for side in zip(*places, strict=True))
    assert geometry.contains([SQUARE] * 5, lon, lat) == [True, True, False, True, False]


def test_a_missing_contour_or_point_contains_nothing_known() -> None:
    lon, lat = np.asarray([1.5, 1.5, np.nan]), np.asarray([1.5, 1.5, 1.5])
    assert geometry.contains([None, "not a contour", SQUARE], lon, lat) == [None, None, None]


def test_points_keep_the_contour_they_were_given() -> None:
    other = text("Polygon", [[[10, 0], [12, 0], [12, 2], [10, 2], [10, 0]]])
    lon, lat = np.asarray([1.5, 1.5, 11.0]), np.asarray([1.5, 1.5, 1.0])
    assert geometry.contains([SQUARE, other, other], lon, lat) == [True, False, True]


# Published origins: Lambert 93, 3 degrees east and 46.5 north at 700 km and 6600 km; UTM zone 31 north, 3 degrees east
# on the equator at 500 km.
@pytest.mark.parametrize(
    ("crs", "metres", "degrees"),
    [
        ("EPSG:2154", [700000, 6600000], (3, 46.5)),
        ("EPSG:32631", [500000, 0], (3, 0)),
        ("EPSG:4326", [2.5, 48], (2.5, 48)),
    ],
)
def test_other_systems_come_out_in_degrees(crs: str, metres: list[float], degrees: tuple[float, float]) -> None:
    (point,) = geometry.to_wgs84(geometry.parse([text("Point", metres)]), crs)
    assert (point.x, point.y) == pytest.approx(degrees, abs=1e-8)


def test_a_line_keeps_its_order_and_a_missing_geometry_stays_missing() -> None:
    moved = geometry.to_wgs84(geometry.parse([line((650000, 6860000), (652000, 6862000)), None]), "EPSG:2154")
    coordinates = shapely.get_coordinates(moved[0])
    assert coordinates[0, 0] < coordinates[1, 0] and coordinates[0, 1] < coordinates[1, 1]
    assert coordinates[0] == pytest.approx([2.3186, 48.8390], abs=1e-3)
    assert moved[1] is None


def test_coordinates_that_a_system_cannot_express_are_no_geometry() -> None:
    (moved,) = geometry.to_wgs84(geometry.parse([text("Point", [1e12, 1e12])]), "EPSG:32631")
    assert moved is None


def test_models_see_the_functions_as_sql() -> None:
    with duckdb.connect() as connection:
        register(connection)
        row = connection.execute(
            "select geo_contains($1, 0.2, 0.2), geo_contains($1, null, 0.2), geo_box($1), geo_box('broken').min_lon, "
            "geo_to_wgs84($2, 'EPSG:32631'), geo_to_wgs84($2, null)",
            [SQUARE, text("Point", [500000, 0])],
        ).fetchone()
    box = {"min_lon": 0.0, "min_lat": 0.0, "max_lon": 2.0, "max_lat": 2.0}
    assert row == (True, None, box, None, '{"type":"Point","coordinates":[3.0,0.0]}', None)
