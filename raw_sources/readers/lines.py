"""Physical lines of a file as bytes, with their number and place, in constant memory.

A line ends with LF, CR LF or a lone CR, as the standard ``csv`` module has it. Cells and records do not belong here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

CHUNK_BYTES = 1 << 20
MAX_LINE_BYTES = 64 << 20
KEPT_BYTES = (1 << 20) + 1
_LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True)
class Line:
    """One physical line: number from 1, offset and length in bytes, and its bytes with their terminator.

    ``raw`` is only the beginning of a line longer than ``MAX_LINE_BYTES`` (``too_long``).
    """

    number: int
    offset: int
    length: int
    raw: bytes

    @property
    def too_long(self) -> bool:
        """Whether the line exceeds what a record may weigh."""
        return self.length > len(self.raw)

    @property
    def body(self) -> bytes:
        """The bytes of the line without its terminator."""
        return self.raw.rstrip(b"\r\n")

    @property
    def end(self) -> int:
        """Offset of the first byte after the line."""
        return self.offset + self.length


def physical_lines(stream: BinaryIO, offset: int = 0, number: int = 1) -> Iterator[Line]:
    """Yield the lines of ``stream`` from byte ``offset``, which begins line ``number``; the last may lack its end."""
    stream.seek(offset)
    waiting = bytearray()
    searched = 0
    final = False
    while not final:
        chunk = stream.read(CHUNK_BYTES)
        final = not chunk
        waiting += chunk
        consumed = 0
        for found in _LINE_END.finditer(waiting, searched):
            # A CR at the end of what was read may be the first half of a CR LF.
            if not final and found.end() == len(waiting) and found.group() == b"\r":
                break
            raw = bytes(waiting[consumed : found.end()])
            yield Line(number, offset, len(raw), raw)
            number, offset, consumed = number + 1, offset + len(raw), found.end()
        del waiting[:consumed]
        searched = len(waiting) - waiting.endswith(b"\r")
        if len(waiting) > MAX_LINE_BYTES and not waiting.endswith(b"\r"):
            line, waiting = _too_long(stream, bytes(waiting), number, offset)
            yield line
            number, offset, searched = number + 1, line.end, 0
    if waiting:
        yield Line(number, offset, len(waiting), bytes(waiting))


def _too_long(stream: BinaryIO, beginning: bytes, number: int, offset: int) -> tuple[Line, bytearray]:
    """Skip the rest of a line that is too long; return it (its beginning) and the bytes read beyond it."""
    length = len(beginning)
    while chunk := stream.read(CHUNK_BYTES):
        found = re.search(rb"[\r\n]", chunk)
        if found is None:
            length += len(chunk)
            continue
        end = found.end()
        if chunk[found.start() : end] == b"\r":
            chunk += stream.read(1) if end == len(chunk) else b""
            end += chunk[end : end + 1] == b"\n"
        return Line(number, offset, length + end, beginning[:KEPT_BYTES]), bytearray(chunk[end:])
    return Line(number, offset, length, beginning[:KEPT_BYTES]), bytearray()
