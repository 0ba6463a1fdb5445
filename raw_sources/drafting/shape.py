"""What form an unknown file has: text with separators, JSON, GeoJSON, XML or a workbook; its header and its columns.

Only what the readers can read is recognised, so that a draft loads. Types of columns belong in ``profile``.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from raw_sources.card import normalise_header
from raw_sources.errors import DeliveryRefused
from raw_sources.readers.delimited import DELIMITERS, HEADER_WITHIN_LINES, split
from raw_sources.readers.encoding import byte_order_mark, find_encoding
from raw_sources.readers.geojson import is_feature, unwrap_feature
from raw_sources.readers.json_records import unwrap_record
from raw_sources.readers.json_stream import LINES, Broken, Envelope, Form, Record, stream_records
from raw_sources.readers.lines import MAX_LINE_BYTES
from raw_sources.readers.match import distinct, normalise
from raw_sources.readers.sniff import kind_of
from raw_sources.readers.waze import holds_snapshots, lists_of

HEAD_BYTES = 1 << 18
HEAD_ROWS = 400
SAMPLE_RECORDS = 1000
# Words that stand in a cell for "no value".
MARKERS = frozenset("na n/a nan nd n.d. n.d nc n.c. ns null none nil secret s - -- . #n/a nr inconnu unknown".split())
_DATUM = re.compile(r"[+-]?\d[\d\s.,:/T+Z-]*")
_YEAR = re.compile(r"(?:19|20)\d\d")
MOSTLY = 0.9
DEEPEST = 3
MOST_PATHS = 120
_PLACE = frozenset({"coordinates", "geometries", "geometry", "lon", "lat"})
_CONTROLS = [chr(code) for code in range(32) if chr(code) not in "\t\n\r\f"]


@dataclass(frozen=True)
class Header:
    """A column as the file gives it: its name as published, the texts of other header lines, and, when no card can
    claim the name (it is empty, or another column has it too), the key that it has in ``_extra``.
    """

    text: str
    beside: tuple[str, ...] = ()
    extra: str | None = None


@dataclass(frozen=True)
class Shape:
    """The form of a file. ``header_line`` is 0 without header, ``skipped`` how many records at the top are no data.

    ``container`` says where the records of a JSON document lie, ``record`` which XML element is one; ``remarks`` are
    questions to the person who completes the draft.
    """

    form: str
    encoding: str
    marked: bool
    headers: tuple[Header, ...]
    delimiter: str | None = None
    header_line: int = 0
    skipped: int = 0
    container: str = ""
    record: str | None = None
    remarks: tuple[str, ...] = field(default=())


def find_shape(path: Path) -> Shape:
    """Return the form of a plain file. Raises DeliveryRefused when it is no data, or no form that a reader takes."""
    shape = _shape_of(path)
    if all(header.extra is not None for header in shape.headers):
        raise refusal(
            path,
            "no column has a name of its own: each name is empty, or that of several columns",
            "A card claims columns by their names. Ask the producer for them.",
        )
    return shape


def _shape_of(path: Path) -> Shape:
    kind = kind_of(path)
    if kind == "json":
        return _json_shape(path)
    if kind == "spreadsheet":
        from raw_sources.drafting.workbook_shape import workbook_shape

        return workbook_shape(path)
    if kind == "xml":
        from raw_sources.drafting.xml_shape import xml_shape

        return xml_shape(path)
    return _delimited_shape(path)


# --- text with separators ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """The cells of a line of a table, and its number from 1."""

    line: int
    cells: tuple[str, ...]


def _delimited_shape(path: Path) -> Shape:
    encoding = find_encoding(path, None)
    text = _head_text(path, encoding)
    if sum(map(text.count, _CONTROLS)) * 50 > len(text):
        raise refusal(path, "the file is binary, not text", "Ask the producer for CSV, JSON or GeoJSON.")
    delimiter, rows = _best_rows(text)
    width = Counter(len(row.cells) for row in rows).most_common(1)[0][0]
    full = [row for row in rows if len(row.cells) == width]
    typed = typed_columns(full)
    first = first_record(full, typed)
    if first is None:
        raise refusal(path, "no line of the file looks like a record", "A header alone says nothing of the values.")
    header = _header_among(full[:first], text, delimiter)
    if header is None and full[first].line > 1:
        raise refusal(
            path,
            f"no header with {width} cells stands in the first {HEADER_WITHIN_LINES} lines, before the first record "
            f"on line {full[first].line}",
            "Take the lines above the header away, or ask the producer for a file without them.",
        )
    if header is not None and any("\0" in cell for cell in header.cells):
        raise refusal(
            path,
            f"the header on line {header.line} holds a null character, which no card can write",
            "Ask the producer for the file without it.",
        )
    above = [row for row in full[:first] if header is not None and row.line != header.line]
    skipped = sum(1 for row in rows if header is not None and header.line < row.line < full[first].line)
    return Shape(
        form="delimited",
        encoding=encoding,
        marked=byte_order_mark(path)[1] > 0,
        headers=headers_of(header.cells if header else [""] * width, above, by_position=header is None),
        delimiter=delimiter,
        header_line=header.line if header else 0,
        skipped=skipped,
        remarks=tuple(_remarks_on_header(header, above, skipped)),
    )


def _remarks_on_header(header: Row | None, above: Sequence[Row], skipped: int) -> Iterator[str]:
    if header is None:
        yield "the file has no header: the columns are named by their position. What are their names?"
    elif header.line > 1:
        yield f"the header stands on line {header.line}; the lines above it are dropped. Do they say anything else?"
    if skipped:
        yield (
            f"below the header {skipped} more line(s) are no records; the staging model refuses them. Can the producer "
            "send the file without them?"
        )
    if above:
        yield "the other header lines are quoted in the descriptions of the columns. Are they the same in every file?"


def _head_text(path: Path, encoding: str) -> str:
    with path.open("rb") as stream:
        stream.seek(byte_order_mark(path)[1])
        data = stream.read(HEAD_BYTES)
        whole = not stream.read(1)
    text = data.decode(encoding, errors="replace")
    return text if whole else text[: max(text.rfind("\n"), text.rfind("\r")) + 1] or text


def _best_rows(text: str) -> tuple[str, list[Row]]:
    """Return the separator that cuts most lines into the same number of cells, and the rows that it gives."""
    found = {delimiter: _rows(text, delimiter) for delimiter in DELIMITERS}
    ranked = {}
    for delimiter, rows in found.items():
        widths = Counter(len(row.cells) for row in rows)
        width, count = widths.most_common(1)[0] if widths else (1, 0)
        share = count / (len(rows) or 1)
        regular = share >= MOSTLY
        # A list that every record repeats is regular too, but the first line does not have it.
        begins = regular and len(rows[0].cells) == width
        ranked[delimiter] = (width > 1, regular, begins, width if regular else 0, share)
    best = max(DELIMITERS, key=lambda delimiter: ranked[delimiter])
    return best, found[best]


def _rows(text: str, delimiter: str) -> list[Row]:
    csv.field_size_limit(MAX_LINE_BYTES)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows, line = [], 1
    for cells in islice(reader, HEAD_ROWS):
        if cells:
            rows.append(Row(line, tuple(cells)))
        line = reader.line_num + 1
    return rows


def is_marker(cell: str) -> bool:
    """Say whether a cell holds a word for "no value"."""
    return cell.strip().casefold() in MARKERS


def is_filled(cell: str) -> bool:
    """Say whether a cell holds a value."""
    return bool(cell.strip()) and not is_marker(cell)


def _is_datum(cell: str) -> bool:
    return _DATUM.fullmatch(cell.strip()) is not None


def typed_columns(rows: Sequence[Row]) -> list[int]:
    """Return the positions of columns that hold numbers or dates, judged by the rows after the first ones."""
    body = rows[min(len(rows) // 2, 12) :]
    typed = []
    for index in range(len(rows[0].cells)):
        cells = [row.cells[index] for row in body if is_filled(row.cells[index])]
        if cells and sum(map(_is_datum, cells)) >= MOSTLY * len(cells):
            typed.append(index)
    return typed


def first_record(rows: Sequence[Row], typed: Sequence[int]) -> int | None:
    """Return the index of the first row that is a record: its cells in the typed columns are numbers or dates.

    Without any typed column the first row is taken for the header.
    """
    if not typed:
        return 1 if len(rows) > 1 else None
    for number, row in enumerate(rows):
        cells = [row.cells[index] for index in typed if is_filled(row.cells[index])]
        if not cells:
            if number:
                return number
            continue
        data = [cell for cell in cells if _is_datum(cell)]
        years = len(data) > 1 and len(set(data)) == len(data) and all(_YEAR.fullmatch(cell.strip()) for cell in data)
        if 2 * len(data) >= len(cells) and not (number == 0 and years):
            return number
    return None


def _header_among(rows: Sequence[Row], text: str, delimiter: str) -> Row | None:
    """Return the header: the last line within the reader's reach whose names are all distinct, else the most distinct.

    A line that the quotes of another one run into is none.
    """
    # The lines that csv counts: str.splitlines would also end one at a form feed or a line separator.
    lines = [line.rstrip("\r\n") for line in io.StringIO(text, newline="")]
    reachable = [
        row
        for row in rows
        if row.line <= HEADER_WITHIN_LINES and len(split(lines[row.line - 1], delimiter)) == len(row.cells)
    ]
    if not reachable:
        return None

    def rank(row: Row) -> tuple[int, int]:
        return len({normalise(cell) for cell in row.cells} - {""}), row.line

    return max(reachable, key=rank)


def headers_of(names: Sequence[str], above: Sequence[Row], *, by_position: bool) -> tuple[Header, ...]:
    """Return the columns of a table from the cells of its header and the lines above it."""
    if by_position:
        return tuple(Header(f"column_{position}") for position, _ in enumerate(names, start=1))
    counted = Counter(normalise_header(name) for name in map(normalise, names))
    spare = [name for name in names if not normalise(name) or counted[normalise(name)] > 1]
    keys = iter(distinct(spare))
    return tuple(
        Header(
            text=name,
            beside=tuple(cell for row in above if (cell := row.cells[index].strip()) and cell != name),
            extra=next(keys) if not normalise(name) or counted[normalise(name)] > 1 else None,
        )
        for index, name in enumerate(names)
    )


# --- JSON -------------------------------------------------------------------------------------------------------


def _json_shape(path: Path) -> Shape:
    if holds_snapshots(path):
        hint = "Enable it under feeds in the territory file; docs/waze.md says how it is collected."
        raise refusal(
            path,
            f"this is the feed of Waze for Cities ({lists_of(path)}), which the card waze_evenements describes",
            hint,
        )
    encoding = find_encoding(path, None)
    envelope, seen = _json_sample(path, encoding, None)
    records = [found.value for found in seen if isinstance(found, Record)]
    if envelope.container is None:
        listed = envelope.members
        envelope, seen = _json_sample(path, encoding, LINES)
        records = [found.value for found in seen if isinstance(found, Record)]
        if len(records) < 2 or any(isinstance(found, Broken) for found in seen):
            raise _no_list(path, listed)
    if not records:
        raise refusal(path, "the document has no record that can be read", "A draft needs at least one.")
    features = envelope.container == "features" or is_feature(records[0])
    unwrap = unwrap_feature if features else unwrap_record
    members = [beside | own for beside, own in map(unwrap, records)]
    keys = tuple(_paths(members, ()))
    if len(keys) > MOST_PATHS:
        keys = tuple(dict.fromkeys(key for record in members for key in record))
    counted = Counter(normalise(key) for key in keys)
    headers = [
        Header(key, extra=key if not normalise(key) or counted[normalise(key)] > 1 else None) for key in keys if key
    ]
    return Shape(
        form="geojson" if features else "json_records",
        encoding=encoding,
        marked=byte_order_mark(path)[1] > 0,
        headers=tuple(headers),
        container=envelope.container or "",
        remarks=tuple(_remarks_on_envelope(envelope, features=features)),
    )


def _paths(members: Sequence[dict[str, Any]], above: tuple[str, ...]) -> Iterator[str]:
    """Yield the keys of records; those of nested objects as paths, but for places, which are read as one."""
    for key in dict.fromkeys(key for record in members for key in record):
        values = [record[key] for record in members if record.get(key) is not None]
        if len(above) < DEEPEST and values and all(map(_is_object, values)):
            yield from _paths(values, (*above, key))
        else:
            yield "/".join((*above, key))


def _is_object(value: Any) -> bool:
    """Say whether a member is an object with plain names, and no place: a geometry, a feature, or a point."""
    return (
        isinstance(value, dict)
        and bool(value)
        and not (_PLACE & set(value))
        and not any("/" in name or name in ("", "..") for name in value)
    )


def _remarks_on_envelope(envelope: Envelope, *, features: bool) -> Iterator[str]:
    usual = {"type", "name", "crs", "total_count", "nhits", "parameters", "facet_groups", "links"}
    beside = sorted(set(envelope.members) - usual) if envelope.container not in ("", LINES) else []
    if beside:
        yield f"beside the records the document has {', '.join(beside[:12])}, which are not read. Are they needed?"
    if features and "crs" in envelope.members:
        yield "the document names a coordinate system of its own (crs). Which one?"


def _json_sample(path: Path, encoding: str, container: str | None) -> tuple[Envelope, list[Record | Broken]]:
    envelope = Envelope(container=container)
    anything = Form(recognises=lambda _: True, convert=lambda value: value)
    return envelope, list(islice(stream_records(path, encoding, envelope, anything), SAMPLE_RECORDS))


def _no_list(path: Path, members: dict[str, Any]) -> DeliveryRefused:
    lists = [f"{place} ({count} objects)" for place, count in _lists_in(members, ())]
    found = f"; it has records in {', '.join(lists)}" if lists else ""
    return refusal(
        path,
        f"the JSON document has no list of records where the reader looks for one{found}",
        "Records are read from a list, from 'results', 'records' or 'features', or one per line; "
        "anything else is a new form, which belongs in raw_sources/readers.",
    )


def _lists_in(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _lists_in(member, (*path, name))
    elif isinstance(value, list) and value and all(isinstance(member, dict) for member in value):
        yield "/".join(path), len(value)


def refusal(path: Path, what: str, hint: str) -> DeliveryRefused:
    """Return the error that says why no draft can be made of the file."""
    return DeliveryRefused(f"{what}.", where=path.name, hint=hint)
