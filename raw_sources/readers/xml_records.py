"""Lists of XML elements as records (DATEX II, CIFS and the like), with the columns' headers as paths into them.

A record is a nested dict: attributes as ``@name``, the text of an element that has attributes as ``#text``, repeated
children as lists. A header is a path of such names from the record, exact as XML names are; lists are walked through;
each leading ``..`` goes up to an ancestor, of which attributes and the children closed before the record are known.
How the document is walked is in ``xml_stream``.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, takewhile
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from raw_sources.card import Card, Layout
from raw_sources.errors import DeliveryRefused
from raw_sources.readers.encoding import byte_order_mark, canonical, is_wide
from raw_sources.readers.json_records import SAMPLE_RECORDS, Batch, Row
from raw_sources.readers.json_stream import Broken, Record
from raw_sources.readers.json_text import compact
from raw_sources.readers.match import Match, ReadCount, match_names, quoted
from raw_sources.readers.paths import TEXT, Header, cell, walk, without
from raw_sources.readers.writer import RawWriter, raw_columns
from raw_sources.readers.xml_stream import (
    WITHHELD,
    Convert,
    Element,
    Members,
    Survey,
    XmlForm,
    is_simple,
    stream_elements,
)

CHUNK_BYTES = 1 << 20
_DECLARED = re.compile(r"<\?xml[^>]*?\sencoding\s*=\s*[\"']([^\"']+)")


class _Paths:
    """The headers of a card as paths, and records without what may never be loaded.

    A path that may never be loaded from one ancestor is not loaded from any: records may lie at several depths.
    """

    def __init__(self, card: Card) -> None:
        self.of = {column.name: [Header.of(text) for text in column.headers] for column in card.columns}
        hidden = [header for column in card.columns if column.never_load for header in self.of[column.name]]
        self.levels = max(header.levels for headers in self.of.values() for header in headers)
        self.hidden = [header.steps for header in hidden if header.steps and not header.levels]
        self.hidden_above = [header.steps for header in hidden if header.steps and header.levels]

    @cached_property
    def wanted(self) -> frozenset[str]:
        """Names of elements outside records that a header walks through."""
        return frozenset(step for headers in self.of.values() for h in headers if h.levels for step in h.steps)

    @cached_property
    def tops(self) -> frozenset[str]:
        """Members of a record with which a header begins."""
        return frozenset(h.steps[0] for headers in self.of.values() for h in headers if not h.levels and h.steps)

    def view(self, value: Any, ancestors: Sequence[Element]) -> list[Any]:
        """Return the record and, level by level, its ancestors, without the hidden members."""
        above = reversed(ancestors[-self.levels :] if self.levels else ())
        return [without(value, self.hidden), *(without(element.members, self.hidden_above) for element in above)]

    def unclaimed(self, record: Any) -> list[str]:
        """Return the members of a record with which no header begins."""
        return [name for name in record if name not in self.tops] if isinstance(record, dict) else []


def found_by(header: Header, view: Sequence[Any]) -> list[Any]:
    """Return all that a path leads to in a record and its ancestors."""
    return walk(header.steps, view[header.levels]) if header.steps and header.levels < len(view) else []


def text_of(values: Sequence[Any]) -> str | None:
    """Return the cell of what a path leads to; attributes beside a text are no part of it."""
    return cell(
        [value[TEXT] if isinstance(value, dict) and TEXT in value and is_simple(value) else value for value in values]
    )


def _form(paths: _Paths, layout: Layout, encoding: str, convert: Convert) -> XmlForm:
    # The parser knows UTF-16 by its mark only; a mark of UTF-8 it would believe less than a declaration.
    told = None if is_wide(encoding) else encoding
    return XmlForm(layout.record or "", layout.root, paths.wanted, convert, told)


def inspect_xml(path: Path, card: Card, layouts: Sequence[Layout]) -> Match:
    """Return the first of ``layouts`` whose record the document holds; DeliveryRefused when there is none.

    A document without records is accepted only under a layout whose ``root`` it holds: an error message, or the
    document of another kind, must not be taken for a delivery that ends everything.
    """
    sights = [_look(path, card, layout) for layout in layouts]
    for sight in sights:
        if sight.records and not sight.lacking:
            return sight.match
    for sight in sights:
        if not sight.records and not sight.broken and sight.survey.root_seen:
            return sight.match
    raise _refusal(path, next((sight for sight in sights if sight.records), sights[0]), layouts)


@dataclass(frozen=True)
class _Sight:
    """What a document shows under one layout."""

    match: Match
    lacking: tuple[str, ...]
    records: int
    broken: Broken | None
    survey: Survey


def _look(path: Path, card: Card, layout: Layout) -> _Sight:
    """Read the first records under ``layout`` and compare them with the card."""
    encoding = _encoding(path, layout)
    paths = _Paths(card)
    present: dict[str, None] = {}
    extra: dict[str, None] = {}
    tops: dict[str, None] = {}

    def note(value: Any, ancestors: Sequence[Element]) -> None:
        view = paths.view(value, ancestors)
        headers = (header for headers in paths.of.values() for header in headers if header.text not in present)
        present.update((header.text, None) for header in headers if found_by(header, view))
        extra.update(dict.fromkeys(paths.unclaimed(view[0])))
        tops.update(dict.fromkeys(view[0] if isinstance(view[0], dict) else ()))

    survey = Survey()
    found = list(islice(stream_elements(path, encoding, _form(paths, layout, encoding, note), survey), SAMPLE_RECORDS))
    names = match_names([h.text for headers in paths.of.values() for h in headers if h.text in present], card)
    match = Match(
        layout=layout,
        encoding=encoding,
        delimiter=None,
        header_names=tuple(tops),
        mapping=names.mapping,
        extra=tuple(extra),
        missing=names.missing,
        partial=layout.partial,
    )
    broken = next((item for item in found if isinstance(item, Broken)), None)
    return _Sight(match, names.lacking, sum(isinstance(item, Record) for item in found), broken, survey)


def _refusal(path: Path, sight: _Sight, layouts: Sequence[Layout]) -> DeliveryRefused:
    if sight.records:
        return DeliveryRefused(
            f"the required columns {quoted(sight.lacking)} are in no record; "
            f"its members are {quoted(sight.match.header_names)}.",
            where=path.name,
            hint="Add the new path to the card if it was renamed, or ask the producer for a complete file.",
        )
    if sight.broken:
        return DeliveryRefused(
            f"no record can be read: {sight.broken.reason}.",
            where=f"{path.name}, line {sight.broken.line_no}",
            hint="Fetch the file again; this one is cut, damaged or no XML.",
        )
    if sight.survey.errors:
        what = f"the service answered with an error instead of data: {' - '.join(sight.survey.errors)[:300]}."
        return DeliveryRefused(what, where=path.name, hint="Mend the address, or try again later.")
    records = quoted(dict.fromkeys(layout.record or "" for layout in layouts))
    return DeliveryRefused(
        f"the XML document holds no record {records}; its elements begin with {quoted(sight.survey.names)}.",
        where=path.name,
        hint="Compare it with the layouts of its card; a layout's root says when a document without records is whole.",
    )


def _encoding(path: Path, layout: Layout) -> str:
    """Return the encoding that the document declares; DeliveryRefused when it is unknown or its bytes are not in it.

    The parser knows UTF-8, UTF-16 with a mark, and the encodings of one byte a character.
    """
    marked, mark = byte_order_mark(path)
    with path.open("rb") as stream:
        head = stream.read(1024)[mark:].decode(marked or "latin-1", errors="replace")
    declared = _DECLARED.match(head)
    name = marked or layout.encoding or (declared.group(1) if declared else "utf-8")
    encoding = _readable(name)
    if encoding is None:
        raise _bad_encoding(path, f"the XML document is in the encoding '{name}', which cannot be read.")
    if is_wide(encoding) and not marked:
        raise _bad_encoding(
            path, f"the XML document says that it is '{name}', and lacks the mark that this begins with."
        )
    wrong = _undecodable(path, encoding)
    if wrong is not None:
        raise _bad_encoding(path, f"the XML document says that it is {encoding}; the byte at {wrong} is not.")
    return encoding


def _readable(name: str) -> str | None:
    try:
        encoding = canonical(name)
        single = not is_wide(encoding) and len(bytes(range(256)).decode(encoding, errors="replace")) == 256
    except (LookupError, UnicodeError):
        return None
    return encoding if single or encoding == "utf-8" or encoding.startswith("utf-16") else None


def _bad_encoding(path: Path, what: str) -> DeliveryRefused:
    hint = "Ask the producer for UTF-8; or declare the true encoding in the layout, if it is always this one."
    return DeliveryRefused(what, where=path.name, hint=hint)


def _undecodable(path: Path, encoding: str) -> int | None:
    """Return the place of the first byte that is not in the encoding; a character cut by the file's end is none."""
    decoder = codecs.getincrementaldecoder(encoding)()
    passed = 0
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            held = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                return passed - held + error.start
            passed += len(chunk)
    return None


class _Rows:
    """Converts records to raw cells."""

    def __init__(self, card: Card) -> None:
        self.paths = _Paths(card)
        self._columns = [self.paths.of[name] for name in raw_columns(card)]

    def convert(self, value: Any, ancestors: Sequence[Element]) -> Row:
        """Return the cells of a record in the card's order, and what no column claims.

        Of a column's headers the first that leads to something counts; what another one says besides is extra.
        """
        view = self.paths.view(value, ancestors)
        extra = {name: text_of(_listed(view[0][name])) for name in self.paths.unclaimed(view[0])}
        cells: list[str | None] = []
        for headers in self._columns:
            texts = {header.text: text for header in headers if (text := text_of(found_by(header, view)))}
            first = next(iter(texts.values()), None)
            extra |= {name: text for name, text in texts.items() if text != first}
            cells.append(first)
        return Row(cells, compact(extra) if extra else None)


def _listed(member: Any) -> list[Any]:
    return member if isinstance(member, list) else [member]


def read_xml(path: Path, match: Match, card: Card, delivery_id: str, raw_out: Path, malformed_out: Path) -> ReadCount:
    """Write the raw rows and malformed records of a document; what follows its first error is one malformed record."""
    rows = _Rows(card)
    found = stream_elements(
        path, match.encoding, _form(rows.paths, match.layout, match.encoding, rows.convert), Survey()
    )
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


def clean_xml(path: Path, match: Match, card: Card, out: Path) -> None:
    """Rewrite a document without its never-load columns, in the same encoding, names without their prefixes.

    Of the envelope the ancestors of records are kept with their attributes and simple children. A record that cannot
    be parsed is replaced by a processing instruction, which reading counts as one malformed record.
    """
    paths = _Paths(card)
    envelope = _Envelope(match.layout.record or "", paths)
    survey = Survey()
    found = stream_elements(path, match.encoding, _form(paths, match.layout, match.encoding, envelope.markup), survey)
    encode = codecs.getincrementalencoder(match.encoding)(errors="xmlcharrefreplace").encode
    with out.open("wb") as target, path.open("rb") as landed:
        target.write(landed.read(byte_order_mark(path)[1]))
        target.write(encode(f'<?xml version="1.0" encoding="{_declarable(match.encoding)}"?>\n'))
        for item in found:
            target.write(encode(f"<?{WITHHELD}?>\n" if isinstance(item, Broken) else str(item.value)))
        target.write(encode(envelope.end(match.layout.root)))


def _declarable(encoding: str) -> str:
    """Return the registered name of an encoding; the byte order of UTF-16 is said by the document's mark."""
    if is_wide(encoding):
        return "utf-16"
    return {"cp1252": "windows-1252"}.get(encoding, encoding.replace("iso8859", "iso-8859"))


class _Envelope:
    """Writes the ancestors of records around them: each is opened once, with what is known of it by then."""

    def __init__(self, record: str, paths: _Paths) -> None:
        self._record = record
        self._paths = paths
        self._open: list[Element] = []
        self._written: list[int] = []
        self._is_empty = True

    def markup(self, value: Any, ancestors: Sequence[Element]) -> str:
        """Return a record as XML, after what has to be closed and opened for it."""
        self._is_empty = False
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] is pair[1], zip(self._open, ancestors, strict=False)))
        pieces = [self._close(shared)]
        for level, element in enumerate(ancestors):
            if level == len(self._open):
                pieces.append(f"<{element.name}{self._attributes(element)}>\n")
                self._open.append(element)
                self._written.append(0)
            pieces += [self._member(entry) for entry in element.log[self._written[level] :]]
            self._written[level] = len(element.log)
        pieces.append(f"{markup(self._record, self._paths.view(value, ())[0])}\n")
        return "".join(pieces)

    def end(self, root: str | None) -> str:
        """Return the end of the document; without a record, the element that says that there is none."""
        return f"<{root}/>\n" if self._is_empty and root else self._close(0)

    def _close(self, kept: int) -> str:
        closed = "".join(f"</{element.name}>\n" for element in reversed(self._open[kept:]))
        del self._open[kept:], self._written[kept:]
        return closed

    def _attributes(self, element: Element) -> str:
        own = {name: member for name, member in element.members.items() if name.startswith("@")}
        return _attributes(without(own, self._paths.hidden_above) or {})

    def _member(self, entry: tuple[str, Any]) -> str:
        kept = without(dict([entry]), self._paths.hidden_above)
        return "".join(f"{markup(name, value)}\n" for name, value in kept.items()) if kept else ""


def markup(name: str, value: Any) -> str:
    """Return a value as the element, or elements, that reading makes it of."""
    if isinstance(value, list):
        return "".join(markup(name, item) for item in value)
    if not isinstance(value, dict):
        return f"<{name}>{_escaped(value)}</{name}>" if value else f"<{name}/>"
    children = (markup(child, member) for child, member in value.items() if not child.startswith(("@", "#")))
    return f"<{name}{_attributes(value)}>{_escaped(value.get(TEXT) or '')}{''.join(children)}</{name}>"


def _attributes(members: Members) -> str:
    return "".join(f" {name[1:]}={quoteattr(text)}" for name, text in members.items() if name.startswith("@"))


def _escaped(text: str) -> str:
    return escape(text, {"\r": "&#13;"})
