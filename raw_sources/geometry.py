"""Distances, envelopes and contents of GeoJSON geometries in WGS84, the same on every engine; distances in metres.

Shapely does the geometry, pyproj the other coordinate systems. Reading files of geometries belongs to ``readers``;
which ones are compared, to the models.

Metres are taken in the local plane tangent to the ellipsoid at the mean latitude of each pair (radii of curvature of
WGS84: NIMA TR8350.2, section 3.3). Within two kilometres the error is below one part in ten thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry
from shapely.ops import substring

SEMI_MAJOR_AXIS_M = 6_378_137.0
ECCENTRICITY_SQUARED = 0.006694379990141317
TOUCHING_M = 0.5
ROUNDING_M = 1e-6
DEGREE_DECIMALS = 9
"""A tenth of a millimetre: the last bits of a projection differ from one machine to another."""
INNER_SHARE = 0.01
"""Share of an arc's length, from each end, that counts as its end when one asks what lies beyond it."""

Geometries = NDArray[np.object_]
Floats = NDArray[np.float64]


def parse(texts: Sequence[str | None]) -> Geometries:
    """Return geometries for GeoJSON texts; None, empty and unreadable ones give None."""
    return np.asarray(shapely.from_geojson(np.asarray(texts, dtype=object), on_invalid="ignore"), dtype=object)


def to_text(geometries: Geometries) -> list[str | None]:
    """Return GeoJSON texts, None for None."""
    texts: list[str | None] = shapely.to_geojson(geometries).tolist()
    return texts


def envelopes(geometries: Geometries) -> Floats:
    """Return an (n, 4) array of min_lon, min_lat, max_lon, max_lat in degrees; NaN where there is no geometry."""
    return np.asarray(shapely.bounds(geometries), dtype=np.float64)


def to_wgs84(geometries: Geometries, crs: str) -> Geometries:
    """Return geometries given in the coordinate system ``crs`` (such as EPSG:2154) in degrees WGS84, longitude first.

    Coordinates are read east first, as GeoJSON writes them whatever the system's own order of axes. A geometry with a
    coordinate that the system cannot express becomes None. Raises ``pyproj.exceptions.CRSError`` for a system that is
    not known.
    """
    moved: Geometries = shapely.transform(geometries, _to_degrees(crs))
    moved[~np.isfinite(envelopes(moved)).all(axis=1)] = None
    return moved


@cache
def _to_degrees(crs: str) -> Callable[[Floats], Floats]:
    from pyproj import Transformer  # a quarter of a second, which models of plain degrees do not pay

    transformer = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)

    def degrees(coordinates: Floats) -> Floats:
        moved = np.column_stack(transformer.transform(coordinates[:, 0], coordinates[:, 1]))
        return np.asarray(np.round(moved, DEGREE_DECIMALS), dtype=np.float64)

    return degrees


def contains(contours: Sequence[str | None], lon: Floats, lat: Floats) -> list[bool | None]:
    """Say of each point (degrees) whether it lies within or on the edge of its contour (GeoJSON text).

    None where contour or point is missing. Points of one contour are tested together: it is read and indexed once.
    """
    texts = np.asarray([text or "" for text in contours], dtype=object)
    distinct, owner = np.unique(texts, return_inverse=True)
    found = np.full(len(texts), None, dtype=object)
    for index, contour in enumerate(parse(list(distinct))):
        if contour is not None:
            shapely.prepare(contour)
            own = (owner == index) & np.isfinite(lon) & np.isfinite(lat)
            found[own] = shapely.intersects_xy(contour, lon[own], lat[own])
    return [None if one is None else bool(one) for one in found]


def metres_per_degree(latitude: Floats) -> tuple[Floats, Floats]:
    """Return metres per degree of longitude and of latitude at ``latitude`` (degrees)."""
    phi = np.radians(latitude)
    curvature = 1.0 - ECCENTRICITY_SQUARED * np.sin(phi) ** 2
    prime_vertical = SEMI_MAJOR_AXIS_M / np.sqrt(curvature)
    meridian = SEMI_MAJOR_AXIS_M * (1.0 - ECCENTRICITY_SQUARED) / curvature**1.5
    return np.radians(1.0) * prime_vertical * np.cos(phi), np.radians(1.0) * meridian


def to_local_plane(geometries: Geometries, latitude: Floats) -> Geometries:
    """Return the geometries in metres, each on the plane tangent at its own ``latitude`` (degrees)."""
    coordinates, owner = shapely.get_coordinates(geometries, return_index=True)
    east, north = metres_per_degree(latitude)
    scaled = np.column_stack((coordinates[:, 0] * east[owner], coordinates[:, 1] * north[owner]))
    return np.asarray(shapely.set_coordinates(geometries.copy(), scaled), dtype=object)


def in_metres(left: Geometries, right: Geometries) -> tuple[Geometries, Geometries]:
    """Return both sides of each pair on one plane, tangent at the mean latitude of the pair."""
    bounds_left, bounds_right = envelopes(left), envelopes(right)
    middle = (bounds_left[:, 1] + bounds_left[:, 3] + bounds_right[:, 1] + bounds_right[:, 3]) / 4
    latitude = np.nan_to_num(middle)
    return to_local_plane(left, latitude), to_local_plane(right, latitude)


def distances_m(left: Geometries, right: Geometries) -> Floats:
    """Return the shortest distance in metres between the two geometries of each pair; NaN where one is missing."""
    return np.asarray(shapely.distance(*in_metres(left, right)), dtype=np.float64)


def lengths_m(lines: Geometries) -> Floats:
    """Return the length in metres of each line or group of lines; 0 for anything else."""
    bounds = envelopes(lines)
    metric = to_local_plane(lines, np.nan_to_num((bounds[:, 1] + bounds[:, 3]) / 2))
    # The outline of a surface has a length too, which is not that of a road.
    return np.where(shapely.get_dimensions(lines) == 1, shapely.length(metric), 0.0)


def positions(lines: Geometries, others: Geometries) -> list[str | None]:
    """Say where each other geometry lies along its line, read in the direction of travel.

    ``on`` (it touches the line), ``upstream`` (beyond its start), ``downstream`` (beyond its end), ``beside`` (as near
    to what lies between, or the line has several parts); None where a geometry is missing.
    """
    metric_lines, metric_others = in_metres(lines, others)
    return [_position(line, other) for line, other in zip(metric_lines, metric_others, strict=True)]


def _position(line: BaseGeometry | None, other: BaseGeometry | None) -> str | None:
    if line is None or other is None or line.is_empty or other.is_empty:
        return None
    if shapely.distance(line, other) <= TOUCHING_M:
        return "on"
    if not isinstance(line, shapely.LineString):
        return "beside"
    start, end = (shapely.distance(other, shapely.get_point(line, index)) for index in (0, -1))
    between = shapely.distance(other, substring(line, INNER_SHARE, 1.0 - INNER_SHARE, normalized=True))
    if between <= min(start, end) + ROUNDING_M:
        return "beside"
    return "upstream" if start <= end else "downstream"
