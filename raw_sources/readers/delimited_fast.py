"""The fast reader of delimited text: DuckDB, believed only when every byte of the file is accounted for.

``read_csv`` can lose or invent records without an error (pitfall C5) and drops some characters in silence (blanks
around a quoted cell, an empty cell too many). So the file's own newlines, quotes and bytes are counted beside it, and
its result is kept only if rows + line breaks inside cells + the blank lines that end the file make the file's lines,
and cells + separators + line ends + quotes make its bytes. Otherwise (a blank line in the middle is enough) the answer
is None, and it is the tolerant reader's turn.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from raw_sources.database import DuckDBSettings, connect, identifier, literal
from raw_sources.readers.delimited_tolerant import MAX_RECORD_LINES, Shape

CHUNK_BYTES = 1 << 22
_PATTERN_CHARACTERS = frozenset("*?[]{}")


@dataclass(frozen=True)
class Census:
    """Counts of a file's bytes from its first record on.

    ``newline`` is its one kind of line end, None if mixed; ``ending`` is the number of blank lines that end the file.
    """

    size: int
    newlines: int
    newline: bytes | None
    quotes: int
    terminated: bool
    ending: int


@dataclass(frozen=True)
class Projection:
    """What to write: per raw column the position of its cell (None when absent), and the extra cells by name."""

    columns: Sequence[tuple[str, int | None]]
    extra: Sequence[tuple[str, int]]
    delivery_id: str


def take_census(path: Path, offset: int) -> Census | None:
    """Count the file's bytes from ``offset``; None when it holds a NUL or is not UTF-8 throughout."""
    feeds = returns = pairs = quotes = size = 0
    last = b""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as stream:
        stream.seek(offset)
        while chunk := stream.read(CHUNK_BYTES):
            if b"\0" in chunk or not _decodes(decoder, chunk):
                return None
            feeds += chunk.count(b"\n")
            if b"\r" in chunk or last == b"\r":
                returns += chunk.count(b"\r")
                pairs += chunk.count(b"\r\n") + (last == b"\r" and chunk[:1] == b"\n")
            quotes += chunk.count(b'"')
            size += len(chunk)
            last = chunk[-1:]
    if decoder.getstate()[0]:
        return None
    newline = _newline(feeds, returns, pairs)
    ending = _blank_ending(path, size, newline) if newline else 0
    return Census(size, feeds + returns - pairs, newline, quotes, last in (b"\n", b"\r", b""), ending)


def _blank_ending(path: Path, size: int, newline: bytes) -> int:
    """Return the number of blank lines at the end of the last ``size`` bytes of the file (at most a chunk)."""
    with path.open("rb") as stream:
        stream.seek(-min(size, CHUNK_BYTES), os.SEEK_END)
        tail = stream.read()
    filled = len(tail.rstrip(b"\r\n"))
    return max((len(tail) - filled) // len(newline) - (filled > 0), 0)


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes) -> bool:
    if chunk.isascii() and not decoder.getstate()[0]:
        return True
    try:
        decoder.decode(chunk)
    except UnicodeDecodeError:
        return False
    return True


def _newline(feeds: int, returns: int, pairs: int) -> bytes | None:
    if returns == 0:
        return b"\n"
    if feeds == 0:
        return b"\r"
    return b"\r\n" if feeds == returns == pairs else None


def read_fast(
    path: Path, shape: Shape, skip: int, offset: int, projection: Projection, out: Path, settings: DuckDBSettings
) -> int | None:
    """Write the rows of a UTF-8 file to ``out`` and return their number, or None when they cannot be vouched for.

    ``skip`` lines (header included) end at byte ``offset``. A file of one column is never read here: DuckDB takes its
    blank lines for empty cells.
    """
    if shape.width < 2 or _PATTERN_CHARACTERS & set(str(path)):
        return None
    census = take_census(path, offset)
    if census is None or census.newline is None:
        return None
    staged = out.with_name(f"{out.name}.wide") if projection.extra else out
    try:
        with connect(None, settings) as connection:
            connection.execute(_copy(_from_csv(path, shape, skip, projection), staged))
            rows = _vouched_rows(connection, staged, shape, census, projection)
            if rows is not None and projection.extra:
                connection.execute(_copy(_with_extra(staged, projection), out))
                return rows if _extra_is_plain(connection, out) else None
            return rows
    except duckdb.InvalidInputException:
        return None
    finally:
        if staged != out:
            staged.unlink(missing_ok=True)


def _copy(query: str, out: Path) -> str:
    return f"copy ({query}) to {literal(str(out))} (format parquet, compression zstd)"


def _from_csv(path: Path, shape: Shape, skip: int, projection: Projection) -> str:
    types = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(shape.width))
    cells = [_cell(position, name) for name, position in projection.columns]
    extra = [f"c{index} as {identifier(f'+{index}')}" for _, index in projection.extra]
    columns = ", ".join([*cells, *(extra or ["null::varchar as _extra"])])
    return f"""
        select {columns}, {literal(projection.delivery_id)} as _delivery_id, row_number() over () as _record_no
        from read_csv({literal(str(path))}, auto_detect = false, header = false, skip = {skip},
                      delim = {literal(shape.delimiter)}, quote = '"', escape = '"', columns = {{{types}}},
                      nullstr = '', parallel = false, strict_mode = true, null_padding = false,
                      ignore_errors = false, compression = 'none')"""


def _cell(position: int | None, name: str) -> str:
    return f"{'null::varchar' if position is None else f'c{position}'} as {identifier(name)}"


def _with_extra(staged: Path, projection: Projection) -> str:
    names = ", ".join(identifier(name) for name, _ in projection.columns)
    members = ", ".join(f"{literal(name)}, {identifier(f'+{index}')}" for name, index in projection.extra)
    return f"""select {names}, json_object({members})::varchar as _extra, _delivery_id, _record_no
               from read_parquet({literal(str(staged))}) order by _record_no"""


def _extra_is_plain(connection: duckdb.DuckDBPyConnection, out: Path) -> bool:
    """Say whether ``_extra`` holds no escaped control character, which DuckDB and Python write differently."""
    query = f"select 1 from read_parquet({literal(str(out))}) where contains(_extra, '\\u00') limit 1"
    return connection.execute(query).fetchone() is None


def _vouched_rows(
    connection: duckdb.DuckDBPyConnection, staged: Path, shape: Shape, census: Census, projection: Projection
) -> int | None:
    """Return the number of rows written if they account for all of the file's lines and bytes, else None."""
    written = {position: identifier(name) for name, position in projection.columns if position is not None}
    written |= {position: identifier(f"+{position}") for _, position in projection.extra}
    if len(written) != shape.width:
        return None
    newline = census.newline or b"\n"
    mark = f"chr({newline[-1]})"
    table = f"read_parquet({literal(str(staged))})"
    sums = ", ".join(
        f"sum(strlen({name})), {_occurrences(name, 'chr(34)')}, {_occurrences(name, mark)}" for name in written.values()
    )
    rows, *counts = connection.execute(f"select count(*), {sums} from {table}").fetchone() or (0,)
    lengths, quotes, breaks = (sum(value or 0 for value in counts[first::3]) for first in range(3))
    broken = {position for position, value in zip(written, counts[2::3], strict=True) if value}
    blank = census.newlines + (not census.terminated) - rows - breaks
    expected = lengths + rows * (shape.width - 1) + (rows + blank) * len(newline) + census.quotes - quotes
    accounted = census.size + (0 if census.terminated else len(newline)) == expected
    if not accounted or blank != census.ending or not broken <= shape.multiline:
        return None
    if broken and _most_breaks(connection, table, [written[position] for position in broken], mark) >= MAX_RECORD_LINES:
        return None
    return None if _repeats_header(connection, table, written, shape) else int(rows)


def _occurrences(name: str, character: str) -> str:
    return f"sum(strlen({name}) - strlen(replace({name}, {character}, '')))"


def _most_breaks(connection: duckdb.DuckDBPyConnection, table: str, names: Sequence[str], mark: str) -> int:
    each = " + ".join(f"coalesce(strlen({name}) - strlen(replace({name}, {mark}, '')), 0)" for name in names)
    found = connection.execute(f"select max({each}) from {table}").fetchone()
    return int(found[0] or 0) if found else 0


def _repeats_header(connection: duckdb.DuckDBPyConnection, table: str, written: dict[int, str], shape: Shape) -> bool:
    if not shape.has_header:
        return False
    first, *others = (
        f"{written[index]} is not distinct from nullif({literal(name)}, '')" for index, name in enumerate(shape.names)
    )
    marked = f"({first} or {written[0]} = {literal(chr(0xFEFF) + shape.names[0])})"
    found = connection.execute(f"select 1 from {table} where {' and '.join([marked, *others])} limit 1").fetchone()
    return found is not None
