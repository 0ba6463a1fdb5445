"""Parquet: sorted, zstd, fixed row groups, facts about the data in the file's own metadata; GeoParquet 1.1 when mapped.

The same rows give the same bytes: DuckDB keeps the order of the query whatever the number of threads (measured), and
nothing in the metadata comes from a clock or a path.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from raw_sources.database import identifier, literal

ROW_GROUP_ROWS = 122_880
GEO_KEY = "geo"
GEOPARQUET_VERSION = "1.1.0"


def write_parquet(
    connection: duckdb.DuckDBPyConnection, query: str, order_by: Sequence[str], out: Path, metadata: Mapping[str, str]
) -> None:
    """Write the rows of ``query`` to ``out`` sorted by ``order_by``, which identify a row, with ``metadata`` inside."""
    order = ", ".join(map(identifier, order_by))
    pairs = ", ".join(f"{literal(key)}: {literal(value)}" for key, value in sorted(metadata.items()))
    connection.execute(
        f"COPY ({query} ORDER BY {order}) TO {literal(str(out))} "
        f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP_ROWS}, KV_METADATA {{{pairs}}})"
    )


def geo_metadata(connection: duckdb.DuckDBPyConnection, query: str, column: str) -> str:
    """Return the ``geo`` document of GeoParquet 1.1 for the WKB ``column`` of ``query`` (WGS 84, longitude first)."""
    import numpy
    import shapely

    found = connection.execute(f"SELECT {identifier(column)} FROM ({query})").fetchall()
    shapes = shapely.from_wkb(numpy.array([row[0] for row in found], dtype=object))
    present = shapes[~shapely.is_missing(shapes) & ~shapely.is_empty(shapes)]
    described: dict[str, Any] = {"encoding": "WKB", "geometry_types": sorted({_type_name(shape) for shape in present})}
    if len(present):
        described["bbox"] = [float(bound) for bound in shapely.total_bounds(present)]
    document = {"version": GEOPARQUET_VERSION, "primary_column": column, "columns": {column: described}}
    return json.dumps(document, sort_keys=True)


def read_metadata(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str]:
    """Return the key-value metadata of a Parquet file."""
    rows = connection.execute(f"SELECT key, value FROM parquet_kv_metadata({literal(str(path))})").fetchall()
    return {bytes(key).decode(): bytes(value).decode() for key, value in rows}


def parquet_relation(paths: Sequence[Path]) -> str:
    """Return the SQL relation over ``paths``, without the columns that folder names would add."""
    listed = ", ".join(literal(str(path)) for path in paths)
    return f"read_parquet([{listed}], hive_partitioning = false)"


def keep_wkb(connection: duckdb.DuckDBPyConnection) -> None:
    """Make ``connection`` read GeoParquet columns as the bytes that are in the file."""
    connection.execute("SET enable_geoparquet_conversion = false")


def _type_name(shape: Any) -> str:
    return f"{shape.geom_type}{' Z' if shape.has_z else ''}"
