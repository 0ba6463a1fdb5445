"""Files of Waze for Cities: one snapshot as the feed serves it (JSON), a list of them, or a bundle, one poll per line.

One record is one row: the envelope of each snapshot (an empty one was seen too), each alert, jam and irregularity, and
each poll that failed. Their keys share one table, and each row carries the window of its snapshot. What a snapshot is
and what of it may be kept is in ``waze_snapshot``; units, identities and times belong in staging.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from raw_sources.card import Card, Layout
from raw_sources.errors import DeliveryRefused
from raw_sources.readers.encoding import byte_order_mark
from raw_sources.readers.json_records import Batch, Row
from raw_sources.readers.json_stream import Broken, Envelope, Form, stream_records
from raw_sources.readers.json_text import DECODER, as_text, compact
from raw_sources.readers.match import Match, ReadCount, claims, quoted
from raw_sources.readers.waze_snapshot import (
    EVENTS,
    FAILED,
    FAILED_POLL,
    POLLED_AT,
    SNAPSHOT,
    WINDOW,
    WITHHELD,
    Members,
    Poll,
    cleaned_poll,
    events,
    fold,
    is_snapshot,
    kept_keys,
    poll_of,
)
from raw_sources.readers.writer import RawWriter, raw_columns

FORM = "waze"
RECORD_TYPE = "record_type"
LINES, LIST, DOCUMENT = "lines", "list", "document"
# So many polls show the keys of a file, among the first of it.
ENOUGH_POLLS, SAMPLE_POLLS = 3, 50
# A city of a million gives a megabyte every two minutes.
MOST_OF_ONE_HOUR = 64 << 20
_ENCODING = "utf-8"


@dataclass(frozen=True)
class _Found:
    """A poll and where it begins: line (from 1) and byte (from 0)."""

    poll: Poll
    line_no: int
    offset: int


def holds_snapshots(path: Path) -> bool:
    """Say whether a file of JSON is one of Waze: its first record is a snapshot, or a poll of a bundle."""
    if path.stat().st_size > MOST_OF_ONE_HOUR:
        return False
    return isinstance(next(_polls(path, _container(path)), None), _Found)


def refuse_xml(path: Path) -> DeliveryRefused:
    """Return the error for the feed's other form."""
    what = "this is an XML document; the feed of Waze is read in its JSON form"
    return DeliveryRefused(what, where=path.name, hint="Ask the address with ?format=1.")


def inspect_waze(path: Path, card: Card, layouts: Sequence[Layout]) -> Match:
    """Return how a file meets the card; DeliveryRefused when its beginning holds no snapshot and no failed poll."""
    container = _container(path)
    seen = islice(_polls(path, container), SAMPLE_POLLS)
    broken: Broken | None = None
    found: list[Poll] = []
    while len(found) < ENOUGH_POLLS and (one := next(seen, None)) is not None:
        if isinstance(one, _Found):
            found.append(one.poll)
        else:
            broken = broken or one
    if not found:
        raise _no_snapshot(path, broken)
    keys = tuple(dict.fromkeys(key for poll in found for record in _records(poll) for key in _keys(record)))
    owners = claims(card)
    mapping = {owners[fold(key)]: key for key in reversed(keys) if fold(key) in owners}
    return Match(
        layout=layouts[0],
        encoding=_ENCODING,
        delimiter=None,
        header_names=keys,
        mapping={column.name: mapping[column.name] for column in card.columns if column.name in mapping},
        extra=tuple(key for key in keys if fold(key) not in owners),
        missing=tuple(column.name for column in card.loaded_columns if column.name not in mapping),
        container=container,
    )


def _no_snapshot(path: Path, broken: Broken | None) -> DeliveryRefused:
    if broken is None:
        return DeliveryRefused("the file holds no snapshot of Waze.", where=path.name, hint="Fetch it again.")
    return DeliveryRefused(
        f"no snapshot of Waze can be read: {broken.reason}.",
        where=f"{path.name}, line {broken.line_no}",
        hint="Fetch the file again; this one is cut, damaged or another feed.",
    )


# --- polls of a file --------------------------------------------------------------------------------------------


def _container(path: Path) -> str:
    """Say how polls lie in a file: one per line, in a list, or a single snapshot written over several lines."""
    with path.open("rb") as stream:
        stream.seek(byte_order_mark(path)[1])
        for line in islice(stream, SAMPLE_POLLS):
            text = line.strip()
            if text.startswith(b"["):
                return LIST
            if text.startswith(b'{"polled_at"') or (text and isinstance(_poll_in(text), Poll)):
                return LINES
    return DOCUMENT


def _polls(path: Path, container: str) -> Iterator[_Found | Broken]:
    if container == LIST:
        yield from _listed(path)
    elif container == LINES:
        yield from _lines(path)
    else:
        mark = byte_order_mark(path)[1]
        yield _placed(_poll_in(path.read_bytes()[mark:]), 1, mark)


def _lines(path: Path) -> Iterator[_Found | Broken]:
    with path.open("rb") as stream:
        offset = stream.seek(byte_order_mark(path)[1])
        for number, line in enumerate(stream, start=1):
            if line.strip():
                yield _placed(_poll_in(line), number, offset)
            offset += len(line)


def _listed(path: Path) -> Iterator[_Found | Broken]:
    form = Form(recognises=is_snapshot, convert=poll_of)
    for one in stream_records(path, _ENCODING, Envelope(), form):
        yield one if isinstance(one, Broken) else _Found(one.value, 1, 0)


def _poll_in(data: bytes) -> Poll | str:
    """Return the poll that bytes hold as JSON, or why they hold none."""
    try:
        return poll_of(DECODER.decode(data.decode(_ENCODING)))
    except UnicodeDecodeError as error:
        return f"byte 0x{data[error.start]:02X} is not {_ENCODING}"
    except RecursionError:
        return "values nested too deeply"
    except ValueError as error:
        return str(error)


def _placed(found: Poll | str, line_no: int, offset: int) -> _Found | Broken:
    # The text of what cannot be parsed may hold anything, so none of it is given on.
    return _Found(found, line_no, offset) if isinstance(found, Poll) else Broken(line_no, offset, "", found)


# --- records ----------------------------------------------------------------------------------------------------


def _records(poll: Poll) -> Iterator[tuple[str, Any]]:
    """Yield type and content of each record of a poll."""
    if poll.snapshot is None:
        yield FAILED_POLL, {}
    else:
        yield SNAPSHOT, {}
        yield from events(poll.snapshot)


def _keys(record: tuple[str, Any]) -> Iterator[str]:
    kind, content = record
    yield RECORD_TYPE
    yield from WINDOW if kind == SNAPSHOT else ()
    yield from (POLLED_AT, FAILED) if kind == FAILED_POLL else ()
    yield from content if isinstance(content, dict) else ()


class _Rows:
    """Converts records to raw cells; of a column's keys the first, in the card's order, that has a value counts."""

    def __init__(self, card: Card) -> None:
        headers = {column.name: column.headers for column in card.loaded_columns}
        names = raw_columns(card)
        self._width = len(names)
        self._places = {
            fold(text): (at, rank) for at, name in enumerate(names) for rank, text in enumerate(headers[name])
        }

    def convert(self, kind: str, content: Members, poll: Poll) -> Row:
        """Return the cells of a record; ValueError when one of them holds characters that cannot be stored."""
        window = {key: (poll.snapshot or {}).get(key) for key in WINDOW}
        ours = {RECORD_TYPE: kind, POLLED_AT: poll.polled_at, FAILED: poll.failed, **window}
        cells: list[str | None] = [None] * self._width
        ranks = [1 << 10] * self._width
        for key, member in (content | ours).items():
            at, rank = self._places.get(fold(key), (-1, 0))
            if at >= 0 and member is not None and rank < ranks[at]:
                cells[at], ranks[at] = as_text(member), rank
        _check_storable(cells)
        return Row(cells, None)


def _check_storable(cells: Sequence[str | None]) -> None:
    text = "".join(cell for cell in cells if cell)
    if "\0" in text:
        raise ValueError("a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("half of a surrogate pair") from None


def _rows(path: Path, container: str, card: Card) -> Iterator[Row | Broken]:
    rows = _Rows(card)
    for one in _polls(path, container):
        if isinstance(one, Broken):
            yield one
            continue
        for kind, content in _records(one.poll):
            try:
                if not isinstance(content, dict):
                    raise ValueError(f"the {kind} is not an object")
                yield rows.convert(kind, content, one.poll)
            except ValueError as error:
                yield Broken(one.line_no, one.offset, "", str(error))


def read_waze(path: Path, match: Match, card: Card, delivery_id: str, raw_out: Path, malformed_out: Path) -> ReadCount:
    """Write the raw rows and malformed records of a file. A line that does not parse is one malformed record."""
    number = 0
    batch = Batch()
    with RawWriter(card, delivery_id, raw_out, malformed_out) as writer:
        for number, item in enumerate(_rows(path, match.container, card), start=1):
            if isinstance(item, Broken):
                writer.add_malformed(number, item.line_no, item.offset, item.text, item.reason)
            elif batch.add(number, item):
                batch.move_to(writer)
        batch.move_to(writer)
        return ReadCount(number, writer.rows, writer.malformed, "tolerant")


def clean_waze(path: Path, match: Match, card: Card, out: Path) -> None:
    """Rewrite a file with the keys alone that the card loads; what does not parse becomes a marker.

    Cleaning what is clean changes nothing: a bundle of the collector is stored as it came.
    """
    kept = kept_keys(card)
    texts = (
        compact(WITHHELD if isinstance(one, Broken) else cleaned_poll(one.poll, kept))
        for one in _polls(path, match.container)
    )
    opening, between, closing = ("[\n", ",\n", "\n]\n") if match.container == LIST else ("", "\n", "\n")
    with out.open("wb") as target:
        target.write(opening.encode())
        for number, text in enumerate(texts):
            # Half of a surrogate pair becomes its escape again, and is told as malformed where it is read.
            target.write((f"{between}{text}" if number else text).encode(errors="backslashreplace"))
        target.write(closing.encode())


def lists_of(path: Path) -> str:
    """Return the numbers of events of a file's first snapshot, for a sentence."""
    first = next(_polls(path, _container(path)))
    found = first.poll.snapshot if isinstance(first, _Found) else None
    return ", ".join(f"{name} ({len(found.get(name) or ())})" for name in EVENTS) if found else quoted(EVENTS)
