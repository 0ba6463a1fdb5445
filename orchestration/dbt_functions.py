"""The SQL functions that the models call and DuckDB has not: a dbt-duckdb plugin that registers them.

Each is a thin vectorised wrapper of ``raw_sources.geometry``; on another engine the same Python functions are
registered there. Models use them once per delivery, never per measure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb.func import FunctionNullHandling, PythonUDFType
from duckdb.sqltypes import BOOLEAN, DOUBLE, VARCHAR, DuckDBPyType

from raw_sources import geometry

ArrowFunction = Callable[..., Any]
BOX = ("min_lon", "min_lat", "max_lon", "max_lat")


def _texts(column: pa.ChunkedArray | pa.Array) -> Sequence[str | None]:
    values: list[str | None] = column.to_pylist()
    return values


def geo_distance_m(left: pa.Array, right: pa.Array) -> pa.Array:
    """Distance in metres between two GeoJSON texts, NULL where one has no geometry."""
    values = geometry.distances_m(geometry.parse(_texts(left)), geometry.parse(_texts(right)))
    return pa.array(values, from_pandas=True)


def geo_length_m(line: pa.Array) -> pa.Array:
    """Length in metres of a line as GeoJSON text, 0 for anything else."""
    return pa.array(geometry.lengths_m(geometry.parse(_texts(line))))


def geo_position(line: pa.Array, other: pa.Array) -> pa.Array:
    """Where the second GeoJSON text lies along the first: on, upstream, downstream, beside."""
    places = geometry.positions(geometry.parse(_texts(line)), geometry.parse(_texts(other)))
    return pa.array(places, type=pa.string())


def geo_contains(contour: pa.Array, lon: pa.Array, lat: pa.Array) -> pa.Array:
    """Whether the point (degrees) lies within or on the edge of the GeoJSON text; NULL where one is missing."""
    points = [np.asarray([np.nan if v is None else v for v in side.to_pylist()]) for side in (lon, lat)]
    return pa.array(geometry.contains(_texts(contour), *points), type=pa.bool_())


def geo_to_wgs84(text: pa.Array, crs: pa.Array) -> pa.Array:
    """The GeoJSON text with its coordinates in degrees WGS84; NULL where there is no geometry in the system ``crs``."""
    shapes, systems = geometry.parse(_texts(text)), np.asarray(["" if v is None else v for v in crs.to_pylist()])
    moved = np.full(len(shapes), None, dtype=object)
    for system in np.unique(systems[systems != ""]):
        own = systems == system
        moved[own] = geometry.to_wgs84(shapes[own], str(system))
    return pa.array(geometry.to_text(moved), type=pa.string())


def geo_box(text: pa.Array) -> pa.Array:
    """The envelope of the GeoJSON text in degrees, as a struct: the text is read once, not once per edge."""
    bounds = geometry.envelopes(geometry.parse(_texts(text)))
    sides = [pa.array(np.ascontiguousarray(side), from_pandas=True) for side in bounds.T]
    return pa.StructArray.from_arrays(sides, list(BOX))


def _edge(index: int) -> ArrowFunction:
    def edge(text: pa.Array) -> pa.Array:
        bounds = geometry.envelopes(geometry.parse(_texts(text)))[:, index]
        return pa.array(np.ascontiguousarray(bounds), from_pandas=True)

    return edge


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Register the functions on ``connection``; geometries are GeoJSON texts."""
    functions: dict[str, tuple[ArrowFunction, list[Any], DuckDBPyType]] = {
        "geo_distance_m": (geo_distance_m, [VARCHAR] * 2, DOUBLE),
        "geo_length_m": (geo_length_m, [VARCHAR], DOUBLE),
        "geo_position": (geo_position, [VARCHAR] * 2, VARCHAR),
        "geo_contains": (geo_contains, [VARCHAR, DOUBLE, DOUBLE], BOOLEAN),
        "geo_to_wgs84": (geo_to_wgs84, [VARCHAR] * 2, VARCHAR),
        "geo_box": (geo_box, [VARCHAR], connection.struct_type(dict.fromkeys(BOX, DOUBLE))),
        "geo_min_lon": (_edge(0), [VARCHAR], DOUBLE),
        "geo_min_lat": (_edge(1), [VARCHAR], DOUBLE),
        "geo_max_lon": (_edge(2), [VARCHAR], DOUBLE),
        "geo_max_lat": (_edge(3), [VARCHAR], DOUBLE),
    }
    for name, (function, arguments, result) in functions.items():
        # SPECIAL: the functions see NULLs and may answer NULL, as they do for a geometry that cannot be read.
        connection.create_function(
            name, function, arguments, result, type=PythonUDFType.ARROW, null_handling=FunctionNullHandling.SPECIAL
        )


class Plugin(BasePlugin):
    """dbt-duckdb calls this on every connection it opens."""

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Register the functions on a connection that dbt has just opened."""
        register(conn)
