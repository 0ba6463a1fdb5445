"""JSON documents as a stream of records: exact number text, the place of each record, and going on after a bad one.

The standard decoder reads one record at a time from a window of bounded size. (A streaming parser such as ijson gives
neither the written form of a number nor the place in bytes, and stops for good at the first error.) What a record's
members mean belongs in ``json_records`` and ``geojson``.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from raw_sources.readers.encoding import byte_order_mark, is_wide
from raw_sources.readers.json_text import DECODER
from raw_sources.readers.writer import MAX_TEXT, shown

CHUNK_BYTES = 1 << 20
MAX_RECORD = 64 << 20
# Opendatasoft, its older API, GeoJSON, the closures that Waze reads (CIFS), and tables of Grand Lyon's portal.
LISTS = ("results", "records", "features", "incidents", "values")
LINES = "lines"
WITHHELD = "record withheld"
_SPACE = re.compile(r"[ \t\r\n]*")
_NEXT_RECORD = re.compile(r"\}[ \t\r\n]*,[ \t\r\n]*(?=\{)")
_ODD_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


@dataclass(frozen=True)
class Record:
    """One element of the list of records, decoded and converted."""

    value: Any


@dataclass(frozen=True)
class Broken:
    """One element that does not decode: first line (from 1), place in bytes (from 0), text and reason."""

    line_no: int
    offset: int
    text: str
    reason: str


@dataclass
class Envelope:
    """What surrounds the records: the name of their list (empty: the document itself) and the other members."""

    container: str | None = None
    members: dict[str, Any] = field(default_factory=dict)


def decoded(text: str) -> Any:
    """Return the value that a text holds as JSON; None when it holds none, or one that could not be stored."""
    try:
        value = DECODER.decode(text)
        return None if _odd_character(value) else value
    except (ValueError, RecursionError):
        return None


class _Window:
    """A part of the document as text, growing at its end and forgotten at its beginning."""

    def __init__(self, stream: BinaryIO, encoding: str, mark: int) -> None:
        stream.seek(mark)
        self._stream = stream
        self.encoding = encoding
        # Bytes that do not decode must be seen again as bytes; in UTF-16 that cannot be, and they become U+FFFD.
        self._errors = "replace" if is_wide(encoding) else "surrogateescape"
        self._decoder = codecs.getincrementaldecoder(encoding)(errors=self._errors)
        self.text = ""
        self.at = 0
        self.final = False
        self._line = 1
        self._offset = mark

    def grow(self) -> bool:
        """Read as much again as the window holds; False at the end of the document."""
        if self.final:
            return False
        data = self._stream.read(max(CHUNK_BYTES, len(self.text) - self.at))
        self.final = not data
        self.text += self._decoder.decode(data, final=self.final)
        return True

    def forget(self) -> None:
        """Drop the text before the current place once it is long."""
        if self.at > CHUNK_BYTES:
            self._line, self._offset = self.place(self.at)
            self.text, self.at = self.text[self.at :], 0

    def place(self, index: int) -> tuple[int, int]:
        """Return the line (from 1) and the byte offset of a character of the window."""
        passed = self.text[:index]
        return self._line + passed.count("\n"), self._offset + len(self.bytes(passed))

    def bytes(self, text: str) -> bytes:
        """Return the landed bytes of a part of the window."""
        return text.encode(self.encoding, errors=self._errors)

    def skip_space(self) -> str:
        """Move to the next character that is not blank and return it, empty at the end."""
        while True:
            found = _SPACE.match(self.text, self.at)
            self.at = found.end() if found else self.at
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.grow():
                return ""

    def value(self) -> Any:
        """Decode the value that begins here and move after it; ValueError (or RecursionError) when there is none."""
        while True:
            try:
                value, end = DECODER.raw_decode(self.text, self.at)
            except json.JSONDecodeError:
                if len(self.text) - self.at > MAX_RECORD:
                    raise ValueError(f"a value beyond the {MAX_RECORD} characters that a record may weigh") from None
                if not self.grow():
                    raise
                continue
            # A number that touches the end of the window may go on beyond it.
            if end == len(self.text) and self.grow():
                continue
            self.at = end
            return value


@dataclass(frozen=True)
class Form:
    """What records look like: ``recognises`` finds the next one after a broken one, ``convert`` makes of it a value."""

    recognises: Callable[[dict[str, Any]], bool]
    convert: Callable[[dict[str, Any]], Any]


def stream_records(path: Path, encoding: str, envelope: Envelope, form: Form) -> Iterator[Record | Broken]:
    """Yield the elements of the document's list of records, in order; ``envelope`` is filled on the way.

    Set ``envelope.container`` to ``lines`` beforehand for a document of one record per line. After an element that does
    not decode, reading goes on at the next one that ``form`` recognises. A document cut short ends with one ``Broken``.
    """
    with path.open("rb") as stream:
        window = _Window(stream, encoding, byte_order_mark(path)[1])
        first = window.skip_space()
        if envelope.container == LINES:
            yield from _lines(window, form)
        elif first == "[":
            envelope.container = ""
            window.at += 1
            yield from _elements(window, form)
            yield from _nothing_more(window)
        elif first == "{":
            yield from _members(window, envelope, form)


def _members(window: _Window, envelope: Envelope, form: Form) -> Iterator[Record | Broken]:
    """Walk the members of the top-level object; its list of records is streamed, the others are kept."""
    separator = "{"
    while window.skip_space() == separator:
        window.at += 1
        if window.skip_space() == "}":
            break
        try:
            name = window.value()
            if window.skip_space() != ":" or not isinstance(name, str):
                raise ValueError("a member without a name or a value")
            window.at += 1
            opening = window.skip_space()
            if name in LISTS and envelope.container is None and opening == "[":
                envelope.container = name
                window.at += 1
                yield from _elements(window, form)
            else:
                envelope.members[name] = window.value()
        except (ValueError, RecursionError) as error:
            yield _broken(window, window.at, None, _reason(error, window))
            return
        separator = ","
        window.forget()
    if window.skip_space() != "}":
        # The end of a list that was cut is already said.
        if window.at < len(window.text) or envelope.container is None:
            yield _broken(window, window.at, None, "the document ends before its object is closed")
        return
    window.at += 1
    yield from _nothing_more(window)


def _nothing_more(window: _Window) -> Iterator[Broken]:
    if window.skip_space():
        yield _broken(window, window.at, None, "text after the end of the document")


def _elements(window: _Window, form: Form) -> Iterator[Record | Broken]:
    """Yield the elements of the list that was just opened, and move after its end."""
    expect_comma = False
    while True:
        window.forget()
        character = window.skip_space()
        if character == "]":
            window.at += 1
            return
        if not character:
            yield _broken(window, window.at, None, "the document ends before its list of records is closed")
            return
        if expect_comma and character == ",":
            window.at += 1
            window.skip_space()
        start = window.at
        try:
            if expect_comma and character != ",":
                raise ValueError("no comma between two records")
            yield _checked(window, start, window.value(), form)
        except (ValueError, RecursionError) as error:
            reason = _reason(error, window)
            end = _next_record(window, start, form)
            yield _broken(window, start, end, reason)
            if end is None:
                return
            window.at = end
            expect_comma = False
            continue
        expect_comma = True


def _lines(window: _Window, form: Form) -> Iterator[Record | Broken]:
    """Yield one element per line."""
    while window.skip_space():
        window.forget()
        start = window.at
        while (end := window.text.find("\n", start)) < 0 and len(window.text) - start <= MAX_RECORD and window.grow():
            pass
        end = len(window.text) if end < 0 else end
        try:
            value = DECODER.decode(window.text[start:end])
            window.at = end
            yield _checked(window, start, value, form)
        except (ValueError, RecursionError) as error:
            yield _broken(window, start, end, _reason(error, window))
            window.at = end


def _checked(window: _Window, start: int, value: Any, form: Form) -> Record | Broken:
    """Convert the element just decoded, unless it is no object or its characters cannot be stored."""
    raw = window.text[start : window.at]
    reason = _bad_bytes(window, raw)
    if not reason and value == WITHHELD:
        reason = "withheld when the columns that may not be stored were removed"
    if not reason and not isinstance(value, dict):
        reason = "not an object"
    if not reason and _ODD_ESCAPE.search(raw):
        reason = _odd_character(value)
    return _broken(window, start, window.at, reason) if reason else Record(form.convert(value))


def _bad_bytes(window: _Window, raw: str) -> str:
    if is_wide(window.encoding):
        return f"a character is not {window.encoding}" if "\ufffd" in raw else ""
    if raw.isascii() or _encodable(raw):
        return ""
    byte = next(ord(character) - 0xDC00 for character in raw if "\udc80" <= character <= "\udcff")
    return f"byte 0x{byte:02X} is not {window.encoding}"


def _odd_character(value: Any) -> str:
    pieces = list(_texts(value))
    if any("\0" in piece for piece in pieces):
        return "a NUL character"
    return "" if all(map(_encodable, pieces)) else "half of a surrogate pair"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, member in value.items():
            yield key
            yield from _texts(member)
    elif isinstance(value, list):
        for member in value:
            yield from _texts(member)
    elif isinstance(value, str):
        yield value


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _reason(error: Exception, window: _Window) -> str:
    if isinstance(error, RecursionError):
        return "values nested too deeply"
    if isinstance(error, json.JSONDecodeError):
        place = f" (line {window.place(error.pos)[0]})"
        cut = window.final and (error.pos >= len(window.text) or error.msg.startswith("Unterminated string"))
        return f"the document is cut: {error.msg}{place}" if cut else f"not JSON: {error.msg}{place}"
    return str(error)


def _next_record(window: _Window, start: int, form: Form) -> int | None:
    """Return where the next record after a broken one begins, None when there is none within a record's weight."""
    search = start
    while True:
        for found in _NEXT_RECORD.finditer(window.text, search):
            window.at = found.end()
            if _decodes_as_record(window, form):
                return found.end()
            search = found.end()
        if len(window.text) - start > MAX_RECORD or not window.grow():
            return None


def _decodes_as_record(window: _Window, form: Form) -> bool:
    try:
        value = window.value()
        return isinstance(value, dict) and form.recognises(value)
    except (ValueError, RecursionError):
        return False


def _broken(window: _Window, start: int, end: int | None, reason: str) -> Broken:
    """Describe the text from ``start`` to ``end``, or to the end of the document, which is then passed over."""
    line_no, offset = window.place(start)
    piece = window.text[start : len(window.text) if end is None else end].rstrip(" \t\r\n,")
    text = shown(window.bytes(piece[: MAX_TEXT + 1]), window.encoding, len(piece))
    if end is None:
        window.at = len(window.text)
        while window.grow():
            window.text, window.at = "", 0
    return Broken(line_no, offset, text, reason)
