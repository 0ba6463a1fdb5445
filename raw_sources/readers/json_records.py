"""Lists of JSON records: Opendatasoft Explore v2.1 and exports, the older v1 envelope, plain arrays, JSON lines.

How a document is walked is in ``json_stream``, how headers lead into records in ``json_headers``; GeoJSON's features
are unwrapped in ``geojson`` and read here like any other record.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from os import SEEK_END
from pathlib import Path
from typing import Any

from raw_sources.card import Card, Layout
from raw_sources.errors import DeliveryRefused
from raw_sources.readers.encoding import byte_order_mark, find_encoding
from raw_sources.readers.json_headers import Headers, Members, View, fold
from raw_sources.readers.json_stream import (
    LINES,
    WITHHELD,
    Broken,
    Envelope,
    Form,
    Record,
    stream_records,
)
from raw_sources.readers.json_text import as_text, compact
from raw_sources.readers.match import Match, Names, ReadCount, match_names, quoted
from raw_sources.readers.writer import RawWriter, raw_columns

SAMPLE_RECORDS = 1000
BATCH_ROWS = 8192
BATCH_CHARACTERS = 16 << 20
# An even number, for UTF-16 and UTF-32.
_TAIL_BYTES = 4096
_TOTALS = ("total_count", "nhits", "numberMatched", "totalFeatures")
# Other members of an envelope may repeat values of the records (facets), so a cleaned file does not keep them.
_KEPT_MEMBERS = (*_TOTALS, "type", "name", "crs", "numberReturned", "timeStamp")

# What stands beside the members of a record, and these.
Unwrap = Callable[[Members], tuple[Members, Members]]


@dataclass(frozen=True)
class Probe:
    """What the beginning of a JSON document shows: encoding, envelope, first records, and the first thing broken."""

    encoding: str
    envelope: Envelope
    records: tuple[dict[str, Any], ...]
    broken: Broken | None


def unwrap_record(value: Members) -> tuple[Members, Members]:
    """Return the columns of a record: its own members, or a geometry and those of ``fields`` in v1 and v2.0."""
    inner = value.get("record", value)
    fields = inner.get("fields") if isinstance(inner, dict) else None
    if not isinstance(fields, dict):
        return {}, value
    return {"geometry": value["geometry"]} if value.get("geometry") is not None else {}, fields


def _members(unwrap: Unwrap, value: Members) -> Members:
    """Return all members of a record; its own come before one of that name beside them."""
    beside, own = unwrap(value)
    return beside | own if beside else own


def probe(path: Path, card: Card, declared: str | None) -> Probe:
    """Read the first records of a document, whatever surrounds them."""
    encoding = find_encoding(path, declared)
    envelope = Envelope()
    seen = list(_sample(path, encoding, envelope))
    if envelope.container is None and Headers(card).holds_required(envelope.members):
        envelope = Envelope(container=LINES)
        seen = list(_sample(path, encoding, envelope))
    records = tuple(found.value for found in seen if isinstance(found, Record))
    return Probe(encoding, envelope, records, next((found for found in seen if isinstance(found, Broken)), None))


def _sample(path: Path, encoding: str, envelope: Envelope) -> Iterator[Record | Broken]:
    anything = Form(recognises=lambda _: True, convert=lambda value: value)
    return islice(stream_records(path, encoding, envelope, anything), SAMPLE_RECORDS)


def inspect_json(path: Path, card: Card, layouts: Sequence[Layout], found: Probe, unwrap: Unwrap) -> Match:
    """Return how a probed document meets one of the ``layouts``; DeliveryRefused with the portal's words if any."""
    container = found.envelope.container
    if container is None:
        raise _no_list(path, found)
    if not found.records and found.broken:
        raise DeliveryRefused(
            f"no record can be read: {found.broken.reason}",
            where=f"{path.name}, line {found.broken.line_no}",
            hint="Fetch the file again; this one is cut or damaged.",
        )
    records = [_members(unwrap, record) for record in found.records]
    keys = tuple(dict.fromkeys(key for record in records for key in record))
    names = _names(records, keys, card)
    # Only two keys of one object contradict each other: elsewhere the order of a column's headers decides.
    clashes = match_names(
        list(dict.fromkeys(key for record in found.records for key in unwrap(record)[1])), card
    ).clashes
    if found.records and (names.lacking or clashes):
        raise _bad_keys(path, keys, names.lacking, clashes)
    page = _is_page(path, found)
    layout = next((layout for layout in layouts if layout.partial == page), layouts[0])
    return Match(
        layout=layout,
        encoding=found.encoding,
        delimiter=None,
        header_names=keys,
        mapping=names.mapping,
        extra=names.extra,
        missing=names.missing,
        partial=page or layout.partial,
        container=container,
    )


def _names(records: Sequence[Members], keys: Sequence[str], card: Card) -> Names:
    """Compare what the first records hold with the card, a column's headers in their order there."""
    headers = Headers(card)
    if not headers.tops:
        return match_names(sorted(keys, key=headers.order), card)
    shown = [headers.visible(members) for members in records]
    names = match_names(sorted([*keys, *headers.reached(shown)], key=headers.order), card)
    left = {key for members in shown for key, member in members.items() if headers.rest(key, member) is not None}
    covered = {key for key in keys if fold(key) in headers.tops} - left
    return replace(names, extra=tuple(name for name in names.extra if name not in covered))


def _no_list(path: Path, found: Probe) -> DeliveryRefused:
    members = found.envelope.members
    said = [str(members[key]) for key in ("error_code", "error", "errorcode", "message", "detail") if members.get(key)]
    if said:
        what = f"the portal answered with an error instead of data: {' - '.join(said)[:300]}"
        return DeliveryRefused(what, where=path.name, hint="Mend the address, or try again later.")
    broken = f" ({found.broken.reason})" if found.broken else ""
    return DeliveryRefused(
        f"the JSON document has no list of records; its members are {quoted(members) or 'none'}{broken}",
        where=path.name,
        hint="Records are expected in a list, in 'results', 'records', 'features' or 'incidents', or one per line.",
    )


def _bad_keys(path: Path, keys: Sequence[str], lacking: Sequence[str], clashes: Sequence[str]) -> DeliveryRefused:
    if lacking:
        return DeliveryRefused(
            f"the required columns {quoted(lacking)} are in no record; found {quoted(keys)}.",
            where=path.name,
            hint="Add the new key to the card if it was renamed, or ask the producer for a complete file.",
        )
    return DeliveryRefused(
        f"the keys {quoted(clashes)} stand for one and the same column",
        where=path.name,
        hint="Ask the producer which one is right, or take a header off the card.",
    )


def _is_page(path: Path, found: Probe) -> bool:
    """Say whether the document announces more records than it holds, be it after them as WFS servers do."""
    anything = Form(recognises=lambda _: True, convert=lambda _: None)
    envelope = Envelope(container=found.envelope.container if found.envelope.container == LINES else None)
    announced = any(key in found.envelope.members for key in _TOTALS) or len(found.records) < SAMPLE_RECORDS
    if not announced and not _ends_with_total(path, found.encoding):
        return False
    count = sum(1 for _ in stream_records(path, found.encoding, envelope, anything))
    return any(_whole(envelope.members.get(key)) > count for key in _TOTALS)


def _ends_with_total(path: Path, encoding: str) -> bool:
    """Say whether a total is named near the end: only then is a long document read through to count its records."""
    with path.open("rb") as stream:
        stream.seek(-min(_TAIL_BYTES, path.stat().st_size), SEEK_END)
        tail = stream.read().decode(encoding, errors="replace")
    return any(f'"{key}"' in tail for key in _TOTALS)


def _whole(value: Any) -> int:
    return int(value) if isinstance(value, str) and value.isdecimal() else 0


@dataclass(frozen=True)
class Row:
    """The cells of one record in the card's order, and as JSON what no column claims."""

    cells: list[str | None]
    extra: str | None


class _Rows:
    """Converts records to raw cells; remembers which key belongs to which column."""

    def __init__(self, card: Card, unwrap: Unwrap) -> None:
        self._headers = Headers(card)
        self._follows = bool(self._headers.tops)
        self._place = {name: index for index, name in enumerate(raw_columns(card))}
        self._hidden = {column.name for column in card.columns if column.never_load}
        self._unwrap = unwrap
        self._owners: dict[str, str | None] = {}

    def recognises(self, value: Members) -> bool:
        """Say whether an object holds every required column."""
        return self._headers.holds_required(_members(self._unwrap, value))

    def convert(self, value: Members) -> Row:
        """Return the cells of a record in the card's order, and what no column claims."""
        members = _members(self._unwrap, value)
        if self._follows:
            members = self._headers.visible(members)
        cells: list[str | None] = [None] * len(self._place)
        extra: dict[str, str | None] = {}
        rivals: list[str] = []
        for key, member in members.items():
            owner = self._owner(key)
            text = as_text(member)
            if owner is None:
                extra[key] = text or None
            elif owner not in self._hidden:
                index = self._place[owner]
                if cells[index] is None:
                    cells[index] = text
                else:
                    rivals.append(owner)
        if rivals or self._follows:
            self._settle(members, {*rivals, *self._headers.by_path}, cells, extra)
        return Row(cells, compact(extra) if extra else None)

    def _settle(
        self, members: Members, columns: Collection[str], cells: list[str | None], extra: dict[str, str | None]
    ) -> None:
        """Fill the columns that several members may serve, and leave as extra what no path covers.

        Of a column's headers the first that gives a text counts; what another one says besides is extra.
        """
        view = View(members, self._headers)
        for name in (column for column in self._place if column in columns):
            said = [(key, text) for header in self._headers.of[name] for key, text in view.said(header) if text]
            first = said[0][1] if said else cells[self._place[name]]
            cells[self._place[name]] = first
            extra |= {key: text for key, text in said if text != first}
        for key in extra.keys() & view.nested.keys():
            extra[key] = self._headers.rest(key, members[key])
            if extra[key] is None:
                del extra[key]

    def _owner(self, key: str) -> str | None:
        if key not in self._owners:
            self._owners[key] = self._headers.owner(key)
        return self._owners[key]


def read_json(
    path: Path, match: Match, card: Card, delivery_id: str, raw_out: Path, malformed_out: Path, unwrap: Unwrap
) -> ReadCount:
    """Write the raw rows and malformed records of a document; what follows a cut is one malformed record."""
    rows = _Rows(card, unwrap)
    envelope = Envelope(container=LINES if match.container == LINES else None)
    found = stream_records(path, match.encoding, envelope, Form(rows.recognises, rows.convert))
    number = 0
    batch = Batch()
    with RawWriter(card, delivery_id, raw_out, malformed_out) as writer:
        for number, item in enumerate(found, start=1):
            if isinstance(item, Broken):
                writer.add_malformed(number, item.line_no, item.offset, item.text, item.reason)
            elif batch.add(number, item.value):
                batch.move_to(writer)
        batch.move_to(writer)
        return ReadCount(number, writer.rows, writer.malformed, "tolerant")


class Batch:
    """Rows waiting to be written, bounded in number and weight."""

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._rows: list[Row] = []
        self._weight = 0

    def add(self, number: int, row: Row) -> bool:
        """Add a row; True when the batch is full."""
        self._numbers.append(number)
        self._rows.append(row)
        self._weight += sum(len(cell) for cell in row.cells if cell) + len(row.extra or "")
        return len(self._rows) >= BATCH_ROWS or self._weight >= BATCH_CHARACTERS

    def move_to(self, writer: RawWriter) -> None:
        """Write the rows and forget them."""
        if self._rows:
            columns = list(zip(*(row.cells for row in self._rows), strict=True))
            writer.add(self._numbers, columns, [row.extra for row in self._rows])
        self._numbers, self._rows, self._weight = [], [], 0


def clean_json(path: Path, match: Match, card: Card, out: Path, unwrap: Unwrap) -> None:
    """Rewrite a document without its never-load columns, in the same form and encoding.

    Of the envelope only counts, type and coordinate system are kept. A record that cannot be parsed is replaced by a
    marker text, which reading counts as one malformed record.
    """
    headers = Headers(card)

    def without(value: Members) -> str:
        return compact(_without(value, headers))

    rows = _Rows(card, unwrap)
    envelope = Envelope(container=LINES if match.container == LINES else None)
    records = stream_records(path, match.encoding, envelope, Form(rows.recognises, without))
    with out.open("wb") as target, path.open("rb") as landed:
        target.write(landed.read(byte_order_mark(path)[1]))
        for text in _document(records, match.container, envelope):
            target.write(text.encode(match.encoding))


def _document(records: Iterator[Record | Broken], container: str, envelope: Envelope) -> Iterator[str]:
    texts = (compact(WITHHELD) if isinstance(found, Broken) else str(found.value) for found in records)
    if container == LINES:
        yield from (f"{text}\n" for text in texts)
        return
    yield f'{{"{container}":[\n' if container else "[\n"
    for index, text in enumerate(texts):
        yield f",\n{text}" if index else text
    kept = {name: value for name, value in envelope.members.items() if name in _KEPT_MEMBERS}
    # The members are known once the records are read, hence at the end.
    members = "".join(f",{compact(name)}:{compact(value)}" for name, value in kept.items())
    yield f"\n]{members}}}\n" if container else "\n]\n"


def _without(value: Members, headers: Headers) -> Members:
    """Return a record without hidden members, at its own level and in ``record``, ``fields`` and ``properties``."""
    nested = ("record", "fields", "properties")
    return {
        key: _without(member, headers) if key in nested and isinstance(member, dict) else member
        for key, member in headers.visible(value).items()
        if not headers.is_hidden(key)
    }
