"""The tolerant reader of delimited text: every record of any file is either cells or malformed, in constant memory.

The file is taken by blocks of whole lines. A block in which everything is as it should be is parsed at once by the
standard ``csv`` module; any other is read record by record, and after a quote that is not closed reading resumes at
the next physical line, so that one stray quote costs one record. What the cells mean does not belong here.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from raw_sources.readers.lines import MAX_LINE_BYTES, Line, physical_lines
from raw_sources.readers.writer import shown

BLOCK_BYTES = 4 << 20
MAX_RECORD_LINES = 1000
# Stands in a cleaned file for a record that could not be parsed, and whose text could hold a never-load column. The
# characters after the closing quote make it malformed in any number of columns.
WITHHELD = '"record withheld"!'


@dataclass(frozen=True)
class Shape:
    """What a record of the file must look like: separator, encoding, column names, and where cells may break lines."""

    delimiter: str
    encoding: str
    names: tuple[str, ...]
    multiline: frozenset[int]
    has_header: bool

    @property
    def width(self) -> int:
        """Number of cells of a record."""
        return len(self.names)


@dataclass(frozen=True)
class Good:
    """Consecutive records that parse: their cells, column by column."""

    columns: Sequence[Sequence[str]]
    count: int


@dataclass(frozen=True)
class Bad:
    """One record that does not parse: its first line, its place in the file, its text and the reason."""

    line_no: int
    offset: int
    text: str
    reason: str


def tolerant_records(path: Path, shape: Shape, offset: int, line_no: int) -> Iterator[Good | Bad]:
    """Yield every record from byte ``offset`` (the beginning of line ``line_no``) to the end of the file, in order."""
    csv.field_size_limit(MAX_LINE_BYTES)
    with path.open("rb") as stream:
        while block := _block(stream, offset):
            parsed = _whole_block(block, shape)
            if parsed is None:
                records = _Records(stream, shape, offset, line_no)
                yield from records.until(offset + len(block))
                offset, line_no = records.offset, records.line_no
                continue
            good, lines = parsed
            if good.count:
                yield good
            offset, line_no = offset + len(block), line_no + lines


def _block(stream: BinaryIO, offset: int) -> bytes:
    """Return about ``BLOCK_BYTES`` from ``offset``, cut after a line's end if there is one."""
    stream.seek(offset)
    data = stream.read(BLOCK_BYTES)
    if len(data) < BLOCK_BYTES:
        return data
    # The very last byte is left out: a CR there may be half of a CR LF.
    cut = max(data.rfind(b"\n"), data.rfind(b"\r", 0, len(data) - 1)) + 1
    return data[:cut] if cut else data


def _whole_block(block: bytes, shape: Shape) -> tuple[Good, int] | None:
    """Parse a block at once; None as soon as anything in it needs the closer look of :class:`_Records`."""
    if b"\0" in block:
        return None
    if b'"' not in block and (plain := _plain_block(block, shape)):
        return plain
    try:
        text = block.decode(shape.encoding)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=shape.delimiter, strict=True)
        rows = [row for row in reader if row]
    except (UnicodeDecodeError, csv.Error):
        return None
    if not rows:
        return Good((), 0), reader.line_num
    if any(len(row) != shape.width for row in rows):
        return None
    columns = list(zip(*rows, strict=True))
    if reader.line_num > len(rows) and not all(_lines_allowed(row, shape) for row in rows):
        return None
    if shape.has_header and _may_repeat_header(columns[0], shape):
        return None
    return Good(columns, len(rows)), reader.line_num


def _plain_block(block: bytes, shape: Shape) -> tuple[Good, int] | None:
    """Parse a block without quotes by cutting it up; None unless every line has all its cells.

    Every line end becomes a cell of its own, and after every ``width`` cells there must be one. Several times faster
    than making a list of each record.
    """
    try:
        text = block.decode(shape.encoding).replace("\r\n", "\n")
    except UnicodeDecodeError:
        return None
    if "\r" in text:
        return None
    text = text if text.endswith("\n") else f"{text}\n"
    cells = text.replace("\n", f"{shape.delimiter}\n{shape.delimiter}").split(shape.delimiter)
    cells.pop()
    count, rest = divmod(len(cells), shape.width + 1)
    if rest or shape.width < 2 or cells[shape.width :: shape.width + 1] != ["\n"] * count:
        return None
    if text.count("\n") != count:  # blank lines whose ends fell where cells belong
        return None
    columns = [cells[index :: shape.width + 1] for index in range(shape.width)]
    if shape.has_header and _may_repeat_header(columns[0], shape):
        return None
    return Good(columns, count), count


def _lines_allowed(row: Sequence[str], shape: Shape) -> bool:
    """Say whether line breaks lie only where the card allows them, and not too many."""
    breaks = 0
    for index, cell in enumerate(row):
        if "\n" in cell or "\r" in cell:
            if index not in shape.multiline:
                return False
            breaks += line_breaks(cell)
    return breaks < MAX_RECORD_LINES


def line_breaks(text: str) -> int:
    """Return the number of physical line ends in ``text`` (LF, CR LF, lone CR)."""
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def _may_repeat_header(first_cells: Sequence[str], shape: Shape) -> bool:
    return shape.names[0] in first_cells or f"\ufeff{shape.names[0]}" in first_cells


def repeats_header(cells: Sequence[str], shape: Shape) -> bool:
    """Say whether a record is the file's header again (files joined end to end; the second may bring its mark)."""
    return shape.has_header and [cells[0].removeprefix("\ufeff"), *cells[1:]] == list(shape.names)


class _Feed:
    """Lines that can be given back."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._returned: list[Line] = []

    def next(self) -> Line | None:
        return self._returned.pop() if self._returned else next(self._lines, None)

    def give_back(self, lines: Sequence[Line]) -> None:
        self._returned.extend(reversed(lines))


class _Records:
    """Reads record by record from one place; ``offset`` and ``line_no`` are where the next record begins."""

    def __init__(self, stream: BinaryIO, shape: Shape, offset: int, line_no: int) -> None:
        self._feed = _Feed(physical_lines(stream, offset, line_no))
        self._shape = shape
        self.offset = offset
        self.line_no = line_no

    def until(self, end: int) -> Iterator[Good | Bad]:
        """Yield the records that begin before byte ``end``; the last may reach beyond it."""
        rows: list[list[str]] = []
        while self.offset < end and (line := self._feed.next()):
            self.offset, self.line_no = line.end, line.number + 1
            if not line.body and not line.too_long:
                continue
            cells = self._cells(line)
            if isinstance(cells, list):
                rows.append(cells)
                continue
            if rows:
                yield Good(list(zip(*rows, strict=True)), len(rows))
                rows = []
            yield Bad(line.number, line.offset, shown(line.body, self._shape.encoding, line.length), cells)
        if rows:
            yield Good(list(zip(*rows, strict=True)), len(rows))

    def _cells(self, line: Line) -> list[str] | str:
        """Return the cells of the record that begins with ``line``, or why it is malformed."""
        text = self._text(line)
        if text is None:
            return self._unreadable(line)
        if text.strip("\r\n") == WITHHELD:
            return "withheld when the columns that may not be stored were removed"
        if '"' not in text:
            cells = text.strip("\r\n").split(self._shape.delimiter)
            return self._checked(cells)
        return self._quoted(line, text)

    def _quoted(self, line: Line, text: str) -> list[str] | str:
        taken: list[Line] = []
        opened_in = ""

        def continued() -> Iterator[str]:
            nonlocal opened_in
            yield text
            opened_in = self._open_column(text)
            if not opened_in:
                return
            weight = line.length
            while len(taken) < MAX_RECORD_LINES and (following := self._feed.next()):
                taken.append(following)
                weight += following.length
                more = self._text(following)
                if more is None or weight > MAX_LINE_BYTES:
                    return
                yield more

        asked = continued()
        try:
            cells = next(csv.reader(asked, delimiter=self._shape.delimiter, strict=True))
        except csv.Error:
            cells = None
        outcome = self._quoted_outcome(cells, text)
        if isinstance(outcome, str) and taken:
            self._feed.give_back(taken)
        elif taken:
            self.offset, self.line_no = taken[-1].end, taken[-1].number + 1
        return outcome

    def _quoted_outcome(self, cells: list[str] | None, text: str) -> list[str] | str:
        if cells is None:
            column = self._open_index(text)
            if column is None:
                return "text beside a quoted cell, or a quote inside one that is not doubled"
            return f"a quote opened in column {self._name(column)} is not closed"
        if not _lines_allowed(cells, self._shape):
            return f"a quote opened in column {self._name(self._open_index(text) or 0)} is not closed on its line"
        return self._checked(cells)

    def _open_column(self, text: str) -> str:
        """Return the name of the column whose quoted cell the line leaves open, if that column may break lines."""
        index = self._open_index(text)
        return self._name(index) if index in self._shape.multiline else ""

    def _open_index(self, text: str) -> int | None:
        """Return the position of the quoted cell that the line leaves open, None when it leaves none."""
        reader = csv.reader([text, '"'], delimiter=self._shape.delimiter)
        cells = next(reader)
        return len(cells) - 1 if reader.line_num > 1 else None

    def _name(self, index: int) -> str:
        names = self._shape.names
        return f"'{names[index]}'" if index < len(names) else f"{index + 1}"

    def _checked(self, cells: list[str]) -> list[str] | str:
        if len(cells) != self._shape.width:
            return f"{len(cells)} cell{'s' if len(cells) > 1 else ''} instead of {self._shape.width}"
        return "repeated header" if repeats_header(cells, self._shape) else cells

    def _text(self, line: Line) -> str | None:
        if line.too_long or b"\0" in line.raw:
            return None
        try:
            return line.raw.decode(self._shape.encoding)
        except UnicodeDecodeError:
            return None

    def _unreadable(self, line: Line) -> str:
        if line.too_long:
            return f"a line of {line.length} bytes, beyond the {MAX_LINE_BYTES} that a record may weigh"
        position = line.raw.find(b"\0")
        if position >= 0:
            return f"a NUL byte at byte {position + 1} of the line"
        try:
            line.raw.decode(self._shape.encoding)
        except UnicodeDecodeError as error:
            byte = line.raw[error.start]
            return f"byte 0x{byte:02X} at byte {error.start + 1} of the line is not {self._shape.encoding}"
        raise AssertionError("a line that decodes was called unreadable")
