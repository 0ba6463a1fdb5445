"""Delimited text (CSV and its kin): which layout a file follows, reading it, and rewriting it without columns.

The separator is found by trying which one makes the card's headers appear; headers meet columns by name, in any order.
Where several lines name the columns (labels, then codes), a column goes by whichever of its names the card knows.
How bytes become cells is in ``delimited_fast`` and ``delimited_tolerant``; what cells mean belongs in staging.
"""

from __future__ import annotations

import csv
import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from raw_sources.card import Card, Layout
from raw_sources.database import DuckDBSettings
from raw_sources.errors import DeliveryRefused
from raw_sources.readers.delimited_fast import Projection, read_fast
from raw_sources.readers.delimited_tolerant import WITHHELD, Bad, Good, Shape, tolerant_records
from raw_sources.readers.encoding import as_single_bytes, byte_order_mark, find_encoding, is_decodable, transcode
from raw_sources.readers.lines import MAX_LINE_BYTES, Line, physical_lines
from raw_sources.readers.match import Match, Names, ReadCount, claims, distinct, match_names, normalise, quoted
from raw_sources.readers.writer import RawWriter, raw_columns, write_empty_malformed

DELIMITERS = (";", ",", "\t", "|")
HEADER_WITHIN_LINES = 5
_DATUM = re.compile(r"[+-]?\d[\d\s.,:/T+Z-]*")


@dataclass(frozen=True)
class _Candidate:
    """One way to read the head of a file: a layout, an encoding, a separator, and the last line of its header."""

    layout: Layout
    encoding: str
    delimiter: str
    line: int
    cells: tuple[str, ...]
    names: Names

    @property
    def rank(self) -> tuple[int, int, int, bool, int, int]:
        """More columns first, then fewer clashes, the declared separator, the longer header, the earlier line."""
        declared = self.layout.delimiter == self.delimiter
        return (*self.names.score, -len(self.names.clashes), declared, self.layout.header_rows, -self.line)


def inspect_delimited(path: Path, card: Card, layouts: Sequence[Layout]) -> Match:
    """Return how the file meets one of the ``layouts``; DeliveryRefused, naming what was found, when it meets none."""
    heads: dict[str, list[str]] = {}
    candidates: list[_Candidate] = []
    for layout in layouts:
        encoding = find_encoding(path, layout.encoding)
        if encoding not in heads:
            heads[encoding] = _head(path, encoding)
        if layout.header:
            candidates += _header_candidates(layout, encoding, heads[encoding], card)
    best = max(candidates, key=lambda candidate: candidate.rank, default=None)
    if best and best.names.mapping and not best.names.lacking:
        return _match(best, path)
    for layout in layouts:
        encoding = find_encoding(path, layout.encoding)
        if not layout.header and (match := _by_position(layout, encoding, heads[encoding], card)):
            return match
    raise _no_layout(path, best, layouts, next(iter(heads.values())))


def _head(path: Path, encoding: str) -> list[str]:
    """Return the first physical lines of the file, decoded, without their ends."""
    with tempfile.TemporaryDirectory() as folder, as_single_bytes(path, encoding, Path(folder)) as (source, name, mark):
        with source.open("rb") as stream:
            lines = list(islice(physical_lines(stream, mark), HEADER_WITHIN_LINES))
        return [line.body.decode(name, errors="replace") for line in lines]


def split(line: str, delimiter: str) -> tuple[str, ...]:
    """Return the cells of one line, quotes taken leniently."""
    csv.field_size_limit(MAX_LINE_BYTES)
    return tuple(next(csv.reader([line], delimiter=delimiter), []))


def _header_candidates(layout: Layout, encoding: str, head: Sequence[str], card: Card) -> Iterator[_Candidate]:
    for delimiter in dict.fromkeys([layout.delimiter or DELIMITERS[0], *DELIMITERS]):
        rows = [split(line, delimiter) for line in head]
        for last in range(layout.header_rows, len(rows) + 1):
            cells = _stacked(rows[last - layout.header_rows : last], card)
            yield _Candidate(layout, encoding, delimiter, last, cells, match_names(cells, card))


def _stacked(rows: Sequence[tuple[str, ...]], card: Card) -> tuple[str, ...]:
    """Return one name per column: the first of those one below the other that the card knows, else the last.

    Nothing when a line is as wide as no other or names no column of the card: it is a record, not a header.
    """
    if len(rows) == 1:
        return rows[0]
    if len({len(row) for row in rows}) > 1 or not all(match_names(row, card).mapping for row in rows):
        return ()
    known = claims(card)
    return tuple(
        next((name for name in names if normalise(name) in known), names[-1]) for names in zip(*rows, strict=True)
    )


def _match(found: _Candidate, path: Path) -> Match:
    if found.names.clashes:
        raise DeliveryRefused(
            f"the headers {quoted(found.names.clashes)} stand for one and the same column",
            where=f"{path.name}, line {found.line}",
            hint="Ask the producer which one is right, or take a header off the card.",
        )
    return Match(
        layout=found.layout,
        encoding=found.encoding,
        delimiter=found.delimiter,
        header_names=found.cells,
        mapping=found.names.mapping,
        extra=found.names.extra,
        missing=found.names.missing,
        partial=found.layout.partial,
        header_line=found.line,
    )


def _by_position(layout: Layout, encoding: str, head: Sequence[str], card: Card) -> Match | None:
    """Return the match of a file without header: as many cells as columns, one of them a number or a date."""
    for delimiter in dict.fromkeys([layout.delimiter or DELIMITERS[0], *DELIMITERS]):
        cells = split(head[0], delimiter) if head else ()
        if len(cells) == len(layout.columns) and any(_DATUM.fullmatch(cell.strip()) for cell in cells):
            absent = [column for column in card.columns if column.name not in layout.columns and not column.never_load]
            return Match(
                layout=layout,
                encoding=encoding,
                delimiter=delimiter,
                header_names=layout.columns,
                mapping={name: name for name in layout.columns},
                extra=(),
                missing=tuple(column.name for column in absent),
                partial=layout.partial,
            )
    return None


def _no_layout(path: Path, best: _Candidate | None, layouts: Sequence[Layout], head: Sequence[str]) -> DeliveryRefused:
    first = head[0][:200] if head else ""
    if best is None or not best.names.mapping:
        expected = quoted(layout.name for layout in layouts)
        return DeliveryRefused(
            f"none of the first lines is a header that the card knows; the first is {first!r}",
            where=f"{path.name}, line 1",
            hint=f"Check that this is the right file; the card accepts the layouts {expected}.",
        )
    return DeliveryRefused(
        f"the required columns {quoted(best.names.lacking)} have no header; found {quoted(best.cells)}.",
        where=f"{path.name}, line {best.line}",
        hint="Add the new header to the card if it was renamed, or ask the producer for a complete file.",
    )


def shape_of(match: Match, card: Card, encoding: str) -> Shape:
    """Return what the records of a matched file must look like.

    A column that the card does not know may hold line breaks: nothing says that it may not.
    """
    owners = {header: column for column, header in match.mapping.items()}
    multiline = {
        index
        for index, name in enumerate(match.header_names)
        if name not in owners or card.column(owners[name]).multiline
    }
    return Shape(match.delimiter or ";", encoding, match.header_names, frozenset(multiline), match.header_line > 0)


def _positions(match: Match, card: Card) -> tuple[list[tuple[str, int | None]], list[tuple[str, int]]]:
    """Return the position of each loaded column, and of each extra column under the name it has in ``_extra``."""
    place = {name: index for index, name in reversed(list(enumerate(match.header_names)))}
    columns = [(name, place[match.mapping[name]] if name in match.mapping else None) for name in raw_columns(card)]
    claimed = {place[header] for header in match.mapping.values()}
    spare = [index for index in range(len(match.header_names)) if index not in claimed]
    names = distinct(match.header_names[index] for index in spare)
    return columns, list(zip(names, spare, strict=True))


def _first_record(path: Path, mark: int, header_line: int) -> tuple[int, int]:
    """Return the offset and the line number at which records begin."""
    if header_line == 0:
        return mark, 1
    with path.open("rb") as stream:
        *_, header = islice(physical_lines(stream, mark), header_line)
    return header.end, header.number + 1


def read_delimited(
    path: Path, match: Match, card: Card, delivery_id: str, raw_out: Path, malformed_out: Path, settings: DuckDBSettings
) -> ReadCount:
    """Write the raw rows and malformed records of a file; every record of it is in one or the other."""
    columns, extra = _positions(match, card)
    projection = Projection(columns, extra, delivery_id)
    with as_single_bytes(path, match.encoding, raw_out.parent) as (source, encoding, mark):
        shape = shape_of(match, card, encoding)
        offset, line_no = _first_record(source, mark, match.header_line)
        rows = _fast(source, shape, line_no - 1, offset, projection, raw_out, settings)
        if rows is not None:
            write_empty_malformed(malformed_out)
            return ReadCount(rows, rows, 0, "fast")
        landed = _Offsets(source, match.encoding, byte_order_mark(path)[1]) if source != path else None
        with RawWriter(card, delivery_id, raw_out, malformed_out) as writer:
            records = tolerant_records(source, shape, offset, line_no)
            total = _write(records, projection, writer, landed)
        return ReadCount(total, writer.rows, writer.malformed, "tolerant")


def _fast(
    source: Path, shape: Shape, skip: int, offset: int, projection: Projection, out: Path, settings: DuckDBSettings
) -> int | None:
    """Try the fast reader, on a UTF-8 copy when the file is in another encoding that decodes throughout."""
    if shape.encoding == "utf-8":
        return read_fast(source, shape, skip, offset, projection, out, settings)
    if not is_decodable(source, shape.encoding):
        return None
    body = out.with_name(f"{out.name}.utf-8")
    try:
        transcode(source, shape.encoding, offset, body)
        return read_fast(body, shape, 0, 0, projection, out, settings)
    finally:
        body.unlink(missing_ok=True)


def _write(records: Iterator[Good | Bad], projection: Projection, writer: RawWriter, landed: _Offsets | None) -> int:
    """Write records as they come, numbered from 1, and return their number."""
    number = 0
    for found in records:
        if isinstance(found, Bad):
            number += 1
            offset = landed.of(found.offset) if landed else found.offset
            writer.add_malformed(number, found.line_no, offset, found.text, found.reason)
            continue
        cells = [None if index is None else found.columns[index] for _, index in projection.columns]
        writer.add(range(number + 1, number + found.count + 1), cells, _extra(found, projection))
        number += found.count
    return number


def _extra(found: Good, projection: Projection) -> list[str] | None:
    if not projection.extra:
        return None
    names = [name for name, _ in projection.extra]
    rows = zip(*(found.columns[index] for _, index in projection.extra), strict=True)
    return [extra_text({name: cell or None for name, cell in zip(names, row, strict=True)}) for row in rows]


def extra_text(members: dict[str, str | None]) -> str:
    """Return the JSON of a record's extra cells, compact, characters beyond ASCII as they are."""
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))


class _Offsets:
    """Places of a UTF-8 copy in the landed file, asked for in increasing order."""

    def __init__(self, copy: Path, encoding: str, mark: int) -> None:
        self._copy = copy
        self._encoding = encoding
        self._copied = 0
        self._landed = mark

    def of(self, offset: int) -> int:
        """Return the landed byte offset of byte ``offset`` of the copy."""
        with self._copy.open("rb") as stream:
            stream.seek(self._copied)
            passed = stream.read(offset - self._copied)
        self._landed += len(passed.decode().encode(self._encoding))
        self._copied = offset
        return self._landed


def clean_delimited(path: Path, match: Match, card: Card, out: Path) -> None:
    """Rewrite the file without its never-load columns, in the same separator, encoding and line end.

    With a header (of one line or several) the columns go; without one their cells are emptied, since the layout goes by
    position. Lines before the header are dropped. The text of a record that cannot be parsed could hold what may
    not be stored: a marker line takes its place, which reading counts as one malformed record.
    """
    hidden = {header for name, header in match.mapping.items() if card.column(name).never_load}
    kept = [index for index, name in enumerate(match.header_names) if name not in hidden or not match.header_line]
    emptied = {index for index in kept if match.header_names[index] in hidden}
    with as_single_bytes(path, match.encoding, out.parent) as (source, encoding, mark):
        shape = shape_of(match, card, encoding)
        offset, line_no = _first_record(source, mark, match.header_line)
        with out.open("wb") as target:
            with path.open("rb") as landed:
                target.write(landed.read(byte_order_mark(path)[1]))
            end = _line_end(source)
            headers = ([names[index] for index in kept] for names in _header_rows(source, mark, match, encoding))
            target.write(_lines(headers, shape, end).encode(match.encoding))
            for found in tolerant_records(source, shape, offset, line_no):
                text = f"{WITHHELD}{end}" if isinstance(found, Bad) else _kept_text(found, kept, emptied, shape, end)
                target.write(text.encode(match.encoding))


def _header_rows(path: Path, mark: int, match: Match, encoding: str) -> list[tuple[str, ...]]:
    """Return the names that each line of the header holds; none when there is no header."""
    if not match.header_line:
        return []
    with path.open("rb") as stream:
        lines = islice(physical_lines(stream, mark), match.header_line - match.layout.header_rows, match.header_line)
        return [split(line.body.decode(encoding, errors="replace"), match.delimiter or ";") for line in lines]


def _kept_text(found: Good, kept: Sequence[int], emptied: set[int], shape: Shape, end: str) -> str:
    empty = ("",) * found.count
    columns = [empty if index in emptied else found.columns[index] for index in kept]
    return _lines(zip(*columns, strict=True), shape, end)


def _lines(rows: Iterable[Sequence[str]], shape: Shape, end: str) -> str:
    # Not csv.writer: until Python 3.13 it leaves a lone CR unquoted when lines end with LF.
    special = re.compile(f'["\r\n{re.escape(shape.delimiter)}]')
    alone = shape.width == 1

    def written(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"' if special.search(cell) or (alone and not cell) else cell

    return "".join(shape.delimiter.join(map(written, row)) + end for row in rows)


def _line_end(path: Path) -> str:
    with path.open("rb") as stream:
        first: Line | None = next(physical_lines(stream), None)
    end = first.raw[len(first.body) :].decode() if first else ""
    return end or "\n"
