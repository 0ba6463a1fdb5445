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
from duckdb.func import PythonUDFType
from duckdb.sqltypes import DOUBLE, VARCHAR, DuckDBPyType

from raw_sources import geometry

ArrowFunction = Callable[..., Any]


def _texts(column: pa.ChunkedArray | pa.Array) -> Sequence[str | None]:
    values: list[str | None] = column.to_pylist()
    return values


def geo_distance_m(left: pa.Array, right: pa.Array) -> pa.Array:
    """Distance in metres between two GeoJSON texts, NULL where one has no geometry."""
    values = geometry.distances_m(geometry.parse(_texts(left)), geometry.parse(_texts(right)))
    return pa.array(values, from_pandas=True)


def geo_position(line: pa.Array, other: pa.Array) -> pa.Array:
    """Where the second GeoJSON text lies along the first: on, upstream, downstream, beside."""
    places = geometry.positions(geometry.parse(_texts(line)), geometry.parse(_texts(other)))
    return pa.array(places, type=pa.string())


def _edge(index: int) -> ArrowFunction:
    def edge(text: pa.Array) -> pa.Array:
        bounds = geometry.envelopes(geometry.parse(_texts(text)))[:, index]
        return pa.array(np.ascontiguousarray(bounds), from_pandas=True)

    return edge


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Register the functions on ``connection``; all take GeoJSON texts."""
    functions: dict[str, tuple[ArrowFunction, int, DuckDBPyType]] = {
        "geo_distance_m": (geo_distance_m, 2, DOUBLE),
        "geo_position": (geo_position, 2, VARCHAR),
        "geo_min_lon": (_edge(0), 1, DOUBLE),
        "geo_min_lat": (_edge(1), 1, DOUBLE),
        "geo_max_lon": (_edge(2), 1, DOUBLE),
        "geo_max_lat": (_edge(3), 1, DOUBLE),
    }
    for name, (function, arguments, result) in functions.items():
        connection.create_function(name, function, [VARCHAR] * arguments, result, type=PythonUDFType.ARROW)


class Plugin(BasePlugin):
    """dbt-duckdb calls this on every connection it opens."""

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Register the functions on a connection that dbt has just opened."""
        register(conn)
