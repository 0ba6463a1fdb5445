"""XML documents as a stream of records: one element at a time as a nested dict, in bounded memory, nothing fetched.

Namespaces and prefixes are left out: the same standard is published under several, or none. Any document type
declaration is refused, and with it every entity: they are how XML attacks. What a record's members mean belongs in
``xml_records``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, ParseError

from raw_sources.errors import DeliveryRefused
from raw_sources.readers.json_stream import Broken, Record
from raw_sources.readers.paths import TEXT
from raw_sources.readers.writer import MAX_TEXT, shown

CHUNK_BYTES = 1 << 16
# The parser holds a tag or a comment whole, and begins it anew with each chunk.
MAX_TAG_BYTES = 8 << 20
MAX_RECORD = 16 << 20
MAX_KEPT = 1 << 20
MAX_DEPTH = 128
# What an element costs beside its text, in the same measure.
ELEMENT_WEIGHT = 256
WITHHELD = "halle-withheld"
_BLANK = " \t\r\n"
_INSTANCE = "{http://www.w3.org/2001/XMLSchema-instance}"
_TYPE = f"{_INSTANCE}type"
_NAMES_SHOWN = 12
# Elements in which services say why they send no data: SOAP 1.1, OGC (two), and what is usual elsewhere; and SOAP 1.2.
_ERRORS = frozenset({"faultstring", "exceptiontext", "serviceexception", "error", "errormessage"})
_SOAP_REASON = ("Reason", "Text")

Members = dict[str, Any]


class Element:
    """An open element: what is known of it so far.

    ``members`` are its attributes (``@name``) and closed children, ``pieces`` its text; ``log`` repeats the children of
    an ancestor of records in their order. Outside records, ``length`` counts the characters of its text and ``weight``
    what its members weigh.
    """

    __slots__ = ("holds_record", "length", "log", "members", "name", "pieces", "weight")

    def __init__(self, name: str, attributes: Members) -> None:
        self.name = name
        self.members = attributes
        self.pieces: list[str] = []
        self.log: list[tuple[str, Any]] = []
        self.length = 0
        self.weight = 0
        self.holds_record = False

    def add(self, name: str, value: Any) -> None:
        """Add a closed child; a repeated one makes a list."""
        if name not in self.members:
            self.members[name] = value
        elif isinstance(self.members[name], list):
            self.members[name].append(value)
        else:
            self.members[name] = [self.members[name], value]

    def value(self) -> Any:
        """Return the closed element: its text, its members with the text as ``#text``, or None when it is empty."""
        text = "".join(self.pieces).strip(_BLANK)
        if not self.members:
            return text or None
        if text:
            self.members[TEXT] = text
        return self.members


Convert = Callable[[Any, Sequence[Element]], Any]


@dataclass(frozen=True)
class XmlForm:
    """What to look for: the ``record`` element, the ``root`` that makes a document without records acceptable.

    ``wanted`` are the names of children of a record's ancestors to keep even when they are not simple. ``convert``
    makes a value of a record, from what it holds and its open ancestors, outermost first; these change afterwards.
    ``encoding`` overrides the document's declaration.
    """

    record: str
    root: str | None
    wanted: frozenset[str]
    convert: Convert
    encoding: str | None = None


@dataclass
class Survey:
    """What a document showed on the way: first names of elements, sentences of an error, root seen, end reached."""

    names: dict[str, None] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    root_seen: bool = False
    complete: bool = False

    def note_error(self, value: Any) -> None:
        """Remember what an element of an error message says."""
        text = value.get(TEXT) if isinstance(value, dict) else value
        if text and len(self.errors) < _NAMES_SHOWN:
            self.errors.append(text)


def local(name: str) -> str:
    """Return a name without its namespace."""
    return name.rpartition("}")[2]


def is_simple(value: Any) -> bool:
    """Say whether an element holds nothing but text and attributes."""
    return not isinstance(value, dict) or all(name.startswith(("@", "#")) for name in value)


def stream_elements(path: Path, encoding: str, form: XmlForm, survey: Survey) -> Iterator[Record | Broken]:
    """Yield the records of the document, in order; ``survey`` is filled on the way.

    XML cannot be read beyond its first error: what follows is one ``Broken``. Raises DeliveryRefused for a document
    type declaration and for nesting or tags beyond measure.
    """
    builder = _Builder(path, encoding, form, survey)
    parser = DefusedXMLParser(target=builder, encoding=form.encoding, forbid_dtd=True)
    builder.parser = parser.parser
    fed = 0
    with path.open("rb") as stream:
        while not survey.complete:
            chunk = stream.read(CHUNK_BYTES)
            try:
                if chunk:
                    parser.feed(chunk)
                else:
                    parser.close()
            except ParseError as error:
                yield from builder.take()
                yield builder.broken_off(error, is_cut=not chunk)
                return
            except DefusedXmlException as error:
                raise _declaration(path) from error
            yield from builder.take()
            survey.complete = not chunk
            fed += len(chunk)
            if fed - builder.parser.CurrentByteIndex > MAX_TAG_BYTES:
                raise _beyond(path, builder.parser.CurrentLineNumber, f"a tag of more than {MAX_TAG_BYTES} bytes")


def _declaration(path: Path) -> DeliveryRefused:
    return DeliveryRefused(
        "the XML document declares a document type (DTD) or entities, which may read other files or grow without end.",
        where=path.name,
        hint="Ask the producer for the document without its DOCTYPE.",
    )


def _beyond(path: Path, line_no: int, what: str) -> DeliveryRefused:
    return DeliveryRefused(
        f"the XML document holds {what}.", where=f"{path.name}, line {line_no}", hint="This is no list of records."
    )


class _Builder:
    """Receives the parser's events, builds the open elements, and sets records aside as they close."""

    parser: Any

    def __init__(self, path: Path, encoding: str, form: XmlForm, survey: Survey) -> None:
        self._path = path
        self._encoding = encoding
        self._form = form
        self._survey = survey
        self._open: list[Element] = []
        # Depth, line and place of the record being read; a depth of 0 means none.
        self._depth = 0
        self._line_no = 0
        self._offset = 0
        self._weight = 0
        self._found: list[Record | Broken] = []

    def take(self) -> list[Record | Broken]:
        """Return what was found since the last time."""
        found, self._found = self._found, []
        return found

    def broken_off(self, error: ParseError, *, is_cut: bool) -> Broken:
        """Describe what cannot be read: the record that was open, or what follows the last one."""
        line_no, offset = (self._line_no, self._offset) if self._depth else self._place()
        reason = f"{str(error).partition(': line')[0]} (line {error.position[0]})"
        text = self._text(offset, self._path.stat().st_size)
        return Broken(line_no, offset, text, f"the document is cut: {reason}" if is_cut else f"not XML: {reason}")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Open an element."""
        if len(self._open) >= MAX_DEPTH:
            raise _beyond(
                self._path, self.parser.CurrentLineNumber, f"elements nested more than {MAX_DEPTH} levels deep"
            )
        element = Element(local(tag), _members(attributes))
        weight = ELEMENT_WEIGHT + sum(map(len, attributes.values()))
        if not self._depth:
            self._surround(element, weight)
        self._open.append(element)
        if self._depth:
            self._weigh(weight)
        elif element.name == self._form.record:
            self._depth = len(self._open)
            self._line_no, self._offset = self._place()

    def data(self, text: str) -> None:
        """Add text to the innermost element."""
        element = self._open[-1]
        if not self._depth:
            element.length += len(text)
        if element.length <= MAX_KEPT:
            element.pieces.append(text)
        if self._depth:
            self._weigh(len(text))

    def end(self, _: str) -> None:
        """Close the innermost element: it is a record, a part of one, or a part of what surrounds them."""
        element = self._open.pop()
        if self._depth > len(self._open):
            self._close_record(element)
        elif self._depth:
            self._open[-1].add(element.name, element.value())
        elif not element.holds_record and self._open:
            self._keep(self._open[-1], element)

    def pi(self, target: str, _: str | None = None) -> None:
        """Count the marker of a record that cleaning took out; other processing instructions mean nothing here."""
        if target == WITHHELD and not self._depth:
            reason = "withheld when the columns that may not be stored were removed"
            self._found.append(Broken(*self._place(), "", reason))

    def _close_record(self, element: Element) -> None:
        if self._weight > MAX_RECORD:
            reason = f"a record beyond the {MAX_RECORD} characters that one may weigh"
            text = self._text(self._offset, self.parser.CurrentByteIndex)
            self._found.append(Broken(self._line_no, self._offset, text, reason))
        else:
            self._found.append(Record(self._form.convert(element.value(), self._open)))
        self._depth = self._weight = 0
        for ancestor in self._open:
            ancestor.holds_record = True

    def _surround(self, element: Element, weight: int) -> None:
        """Note an element that opens outside records."""
        element.weight = weight
        names = self._survey.names
        if len(names) < _NAMES_SHOWN:
            names[element.name] = None
        if self._form.root and self._form.root in (element.name, element.members.get("@type")):
            self._survey.root_seen = True

    def _keep(self, parent: Element, child: Element) -> None:
        """Keep a child of an ancestor when it is simple or wanted, within bounds: the others may be without end."""
        value = child.value()
        is_wanted = child.name in self._form.wanted
        if not is_wanted and not is_simple(value):
            return
        weight = parent.weight + child.weight + child.length
        if child.length > MAX_KEPT or weight > (MAX_RECORD if is_wanted else MAX_KEPT):
            if is_wanted:
                what = f"more in '{child.name}' before a record than can be kept"
                raise _beyond(self._path, self.parser.CurrentLineNumber, what)
            return
        parent.weight = weight
        parent.add(child.name, value)
        parent.log.append((child.name, value))
        if child.name.lower() in _ERRORS or (parent.name, child.name) == _SOAP_REASON:
            self._survey.note_error(value)

    def _weigh(self, characters: int) -> None:
        """Count what the record holds; once it is too much, forget what there is, again and again."""
        self._weight += characters
        if self._weight > MAX_RECORD:
            for element in self._open[self._depth - 1 :]:
                element.members, element.pieces = {}, []

    def _place(self) -> tuple[int, int]:
        return self.parser.CurrentLineNumber, self.parser.CurrentByteIndex

    def _text(self, start: int, end: int) -> str:
        with self._path.open("rb") as stream:
            stream.seek(start)
            return shown(stream.read(min(end - start, MAX_TEXT + 1)), self._encoding, end - start)


def _members(attributes: dict[str, str]) -> Members:
    """Return attributes as members, without those that only tell a validator what to expect.

    An xsi:type names a type by a prefix, which says no more than other prefixes.
    """
    members: Members = {}
    for name, text in attributes.items():
        is_instance = name.startswith(_INSTANCE)
        if is_instance and name != _TYPE:
            continue
        key = f"@{local(name)}"
        while key in members:
            key += "_2"
        members[key] = text.rpartition(":")[2] if is_instance else text
    return members
