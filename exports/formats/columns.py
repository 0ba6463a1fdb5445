"""The published form of a mart's column: its type in Parquet, in Table Schema, and how its text is read back.

One table of types for all formats, so that they cannot disagree. Writing files belongs to the modules of each format.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
from duckdb.func import FunctionNullHandling, PythonUDFType

from exports.metadata import MartColumn
from raw_sources.database import identifier
from raw_sources.errors import ConfigurationError

GEOMETRY_TYPE = "BLOB"
INSTANT_TYPE = "TIMESTAMP WITH TIME ZONE"
INTEGER_TYPES = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"})
SYNONYMS = {"TEXT": "VARCHAR", "STRING": "VARCHAR", "INT": "INTEGER", "BOOL": "BOOLEAN", "FLOAT8": "DOUBLE"}
KINDS = {"VARCHAR": "text", "BOOLEAN": "boolean", "DATE": "date", "DOUBLE": "number", "FLOAT": "number"}
FIELD_TYPES = {"text": "string", "decimal": "number", "instant": "datetime", "geometry": "geojson"}


@dataclass(frozen=True)
class PublishedColumn:
    """A column as published. ``kind``: text, boolean, integer, number, decimal, date, instant or geometry;
    ``type``: DuckDB type in the Parquet file; ``required``: part of what identifies a row.
    """

    about: MartColumn
    kind: str
    type: str
    required: bool

    @property
    def name(self) -> str:
        """Name in Parquet and CSV."""
        return self.about.name

    @property
    def field_type(self) -> str:
        """Type of the field in Table Schema 2.0."""
        return FIELD_TYPES.get(self.kind, self.kind)


def publish_column(column: MartColumn, *, geometry: bool, required: bool, where: str) -> PublishedColumn:
    """Return the published form of ``column``. Raises ``ConfigurationError`` for a type that no format carries."""
    declared = " ".join(column.data_type.upper().split())
    declared = SYNONYMS.get(declared, declared).replace(", ", ",")
    if geometry and declared == "VARCHAR":
        return PublishedColumn(column, "geometry", GEOMETRY_TYPE, required)
    if declared in KINDS and not geometry:
        return PublishedColumn(column, KINDS[declared], declared, required)
    if declared in INTEGER_TYPES and not geometry:
        return PublishedColumn(column, "integer", declared, required)
    if declared.startswith("DECIMAL") and not geometry:
        return PublishedColumn(column, "decimal", declared, required)
    if declared == "TIMESTAMP" and not geometry:
        return PublishedColumn(column, "instant", INSTANT_TYPE, required)
    expected = "VARCHAR (GeoJSON)" if geometry else "text, boolean, number, DATE, or TIMESTAMP in UTC"
    raise ConfigurationError(
        f"column {column.name!r} is {column.data_type}, which cannot be published.",
        where=where,
        hint=f"Expected here: {expected}.",
    )


def published_sql(column: PublishedColumn) -> str:
    """Return the SQL that turns the warehouse's column into the published one (UTC instants get their zone)."""
    name = identifier(column.name)
    if column.kind == "instant":
        return f"CAST({name} AS TIMESTAMPTZ) AS {name}"
    return f"geojson_to_wkb({name}) AS {name}" if column.kind == "geometry" else name


def select_sql(columns: Sequence[PublishedColumn], relation: str) -> str:
    """Return ``SELECT <published columns> FROM relation``."""
    return f"SELECT {', '.join(map(published_sql, columns))} FROM {relation}"


@contextmanager
def geometry_functions(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Give ``connection`` the function ``geojson_to_wkb`` (GEOS through shapely; ISO WKB) within the block."""
    connection.create_function(
        "geojson_to_wkb",
        _wkb,
        ["VARCHAR"],
        GEOMETRY_TYPE,
        type=PythonUDFType.ARROW,
        null_handling=FunctionNullHandling.SPECIAL,
    )
    try:
        yield
    finally:
        connection.remove_function("geojson_to_wkb")


def to_geojson(binaries: Sequence[bytes | None]) -> list[str | None]:
    """Return WKB geometries as GeoJSON text, coordinates with all their digits (the inverse of ``geojson_to_wkb``)."""
    import numpy
    import shapely

    return list(shapely.to_geojson(shapely.from_wkb(numpy.array(binaries, dtype=object))))


def _wkb(texts: Any) -> Any:
    # An Arrow array in and out. DuckDB evaluates the annotations, so they cannot name the lazily imported pyarrow.
    import pyarrow
    import shapely

    shapes = shapely.from_geojson(texts.to_numpy(zero_copy_only=False))
    return pyarrow.array(shapely.to_wkb(shapes, flavor="iso", output_dimension=3), pyarrow.binary())
