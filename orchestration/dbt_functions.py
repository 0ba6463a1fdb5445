"""The SQL functions that the models call and DuckDB has not: a dbt-duckdb plugin that registers them.

Each is a thin vectorised wrapper of ``raw_sources.geometry``; on another engine the same Python functions are
registered there. Models use them once per delivery, never per measure.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import numpy as np
import pyarrow as pa
from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb.sqltypes import DOUBLE, VARCHAR

from raw_sources import geometry


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


def _edge(index: int) -> duckdb.func.PythonUDFType | object:
    def edge(text: pa.Array) -> pa.Array:
        bounds = geometry.envelopes(geometry.parse(_texts(text)))[:, index]
        return pa.array(np.ascontiguousarray(bounds), from_pandas=True)

    return edge


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Register the functions on ``connection``."""
    connection.create_function("geo_distance_m", geo_distance_m, [VARCHAR, VARCHAR], DOUBLE, type="arrow")  # type: ignore[arg-type]
    connection.create_function("geo_position", geo_position, [VARCHAR, VARCHAR], VARCHAR, type="arrow")  # type: ignore[arg-type]
    for index, name in enumerate(("geo_min_lon", "geo_min_lat", "geo_max_lon", "geo_max_lat")):
        connection.create_function(name, _edge(index), [VARCHAR], DOUBLE, type="arrow")  # type: ignore[arg-type]


class Plugin(BasePlugin):
    """dbt-duckdb calls this on every connection it opens."""

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Register the functions on a connection that dbt has just opened."""
        register(conn)
