"""What the two CSV forms share: writing them from the released Parquet file, and reading them back to prove equality.

A form is a :class:`Dialect`; the two are ``csv.CSV`` and ``excel_fr.EXCEL_FR``. Records end with CR LF (RFC 4180), the
one missing marker is the empty cell, instants end with ``Z``, geometries are GeoJSON text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from exports.formats.columns import PublishedColumn, to_geojson
from raw_sources.database import identifier, literal

if TYPE_CHECKING:
    import polars

RECORD_END = "\r\n"
BLOCK_BYTES = 1 << 24
INSTANT_FORMAT = "%Y-%m-%dT%H:%M:%S%.fZ"
FORMULA_STARTS = r"^[=+\-@\t\r']"


@dataclass(frozen=True)
class Dialect:
    """A form of CSV. ``guard_formulas``: a text cell that a spreadsheet would run gets a leading apostrophe."""

    name: str
    suffix: str
    delimiter: str
    decimal_comma: bool
    bom: bool
    french_titles: bool
    true_word: str
    false_word: str
    guard_formulas: bool

    def header(self, column: PublishedColumn) -> str:
        """Return the header of ``column``."""
        return column.about.title_fr if self.french_titles else column.name

    def descriptor(self) -> dict[str, Any]:
        """Return the Table Dialect 2.0 descriptor."""
        return {
            "delimiter": self.delimiter,
            "doubleQuote": True,
            "header": True,
            "lineTerminator": RECORD_END,
            "quoteChar": '"',
            "skipInitialSpace": False,
        }


def write_delimited(parquet: Sequence[Path], columns: Sequence[PublishedColumn], dialect: Dialect, out: Path) -> None:
    """Write the rows of ``parquet``, in their order, to ``out`` in ``dialect``. Memory stays bounded (streaming)."""
    import polars

    rows = polars.scan_parquet(list(parquet), hive_partitioning=False)
    rows.select(*(_cell(column, dialect) for column in columns)).sink_csv(
        out,
        include_bom=dialect.bom,
        separator=dialect.delimiter,
        line_terminator=RECORD_END,
        decimal_comma=dialect.decimal_comma,
        quote_style="necessary",
        maintain_order=True,
    )


@contextmanager
def read_delimited(
    connection: duckdb.DuckDBPyConnection, path: Path, columns: Sequence[PublishedColumn], dialect: Dialect
) -> Iterator[str]:
    """Give ``connection``, within the block, the query that reads ``path`` back into the published types, once.

    Arrow parses and DuckDB converts, in a stream; a cell or a record that does not fit raises. Not DuckDB's own reader:
    read serially and strictly, it may end early without a word at a quoted line break.
    """
    from pyarrow import csv, string

    names = [column.name for column in columns]
    reader = csv.open_csv(
        path,
        read_options=csv.ReadOptions(column_names=names, skip_rows=1, block_size=BLOCK_BYTES, use_threads=False),
        parse_options=csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(names, string()), strings_can_be_null=True, null_values=[""]
        ),
    )
    cells = ", ".join(f"{_read_back(column, dialect)} AS {identifier(column.name)}" for column in columns)
    connection.register("delimited_rows", reader)
    try:
        yield f"SELECT {cells} FROM delimited_rows"
    finally:
        connection.unregister("delimited_rows")


def comparable_sql(columns: Sequence[PublishedColumn], relation: str) -> str:
    """Return the query over released Parquet that CSV can equal: an empty text and a missing one are the same cell."""
    cells = (
        f"nullif({identifier(column.name)}, '') AS {identifier(column.name)}"
        if column.kind == "text"
        else identifier(column.name)
        for column in columns
    )
    return f"SELECT {', '.join(cells)} FROM {relation}"


def header_line(columns: Sequence[PublishedColumn], dialect: Dialect) -> bytes:
    """Return the first bytes of a file in ``dialect``: byte order mark, header, end of record."""
    cells = (_quoted(dialect.header(column), dialect) for column in columns)
    text = dialect.delimiter.join(cells) + RECORD_END
    return text.encode("utf-8-sig" if dialect.bom else "utf-8")


def line_breaks_in_cells_sql(columns: Sequence[PublishedColumn], relation: str) -> str:
    """Return the query that counts LF characters inside the text cells of ``relation``."""
    texts = [identifier(column.name) for column in columns if column.kind == "text"]
    counts = [f"coalesce(sum(length({name}) - length(replace({name}, chr(10), ''))), 0)" for name in texts]
    return f"SELECT CAST({' + '.join(counts) or '0'} AS BIGINT) FROM {relation}"


def _cell(column: PublishedColumn, dialect: Dialect) -> polars.Expr:
    import polars

    cell = polars.col(column.name)
    if column.kind == "instant":
        cell = cell.dt.strftime(INSTANT_FORMAT)
    elif column.kind == "boolean":
        cell = polars.when(cell).then(polars.lit(dialect.true_word)).when(~cell).then(polars.lit(dialect.false_word))
    elif column.kind == "geometry":
        cell = cell.map_batches(_geojson, return_dtype=polars.String)
    elif column.kind == "text" and dialect.guard_formulas:
        guarded = polars.concat_str(polars.lit("'"), cell)
        cell = polars.when(cell.str.contains(FORMULA_STARTS)).then(guarded).otherwise(cell)
    return cell.alias(dialect.header(column))


def _geojson(series: polars.Series) -> polars.Series:
    import polars

    return polars.Series(series.name, to_geojson(series.to_list()), dtype=polars.String)


def _read_back(column: PublishedColumn, dialect: Dialect) -> str:
    name = identifier(column.name)
    if column.kind == "text":
        return f"regexp_replace({name}, '^''', '')" if dialect.guard_formulas else name
    if column.kind == "geometry":
        return f"geojson_to_wkb({name})"
    if column.kind == "boolean":
        words = f"WHEN {literal(dialect.true_word)} THEN 'true' WHEN {literal(dialect.false_word)} THEN 'false'"
        return f"CAST(CASE {name} {words} ELSE 'not a boolean: ' || {name} END AS BOOLEAN)"
    if column.kind == "instant":
        checked = f"CASE WHEN {name} LIKE '%Z' THEN {name} ELSE 'no offset: ' || {name} END"
        return f"CAST({checked} AS {column.type})"
    if column.kind in ("number", "decimal") and dialect.decimal_comma:
        return f"CAST(replace(replace({name}, '.', '!'), ',', '.') AS {column.type})"
    return f"CAST({name} AS {column.type})"


def _quoted(text: str, dialect: Dialect) -> str:
    special = any(mark in text for mark in (dialect.delimiter, '"', "\r", "\n"))
    return '"' + text.replace('"', '""') + '"' if special else text
