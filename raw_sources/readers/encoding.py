"""The encoding of a file: byte-order mark, declaration, evidence of its bytes; and rewriting one as UTF-8.

What the decoded text means does not belong here.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import charset_normalizer

from raw_sources.errors import DeliveryRefused

CHUNK_BYTES = 1 << 20
FALLBACK = "cp1252"
# UTF-32 first: its little-endian mark begins with the mark of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# The one-byte encodings that French administrations have used beside Windows-1252.
_RIVALS = ["cp1252", "mac_roman", "cp850"]
_CLEAR_MARGIN = 0.1
_SAMPLE_BYTES = 1 << 16
_ACCENTED_RUN = re.compile(rb"[^\r\n;|\t,]*[\x80-\xff][^\r\n;|\t,]*")


@dataclass(frozen=True)
class Evidence:
    """What the bytes say about UTF-8: whole characters beyond ASCII, undecodable places, and a sample of the latter."""

    characters: int
    errors: int
    sample: bytes


def canonical(name: str) -> str:
    """Return Python's name of an encoding, for instance ``cp1252`` for ``Windows-1252``; LookupError if unknown."""
    found = codecs.lookup(name).name
    return "utf-8" if found == "utf-8-sig" else found


def is_wide(encoding: str) -> bool:
    """Say whether newlines and separators of ``encoding`` take several bytes (UTF-16, UTF-32)."""
    return encoding.startswith(("utf-16", "utf-32"))


def byte_order_mark(path: Path) -> tuple[str | None, int]:
    """Return the encoding that a byte-order mark announces, and the length of the mark in bytes."""
    with path.open("rb") as stream:
        head = stream.read(4)
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding, len(mark)
    return None, 0


def find_encoding(path: Path, declared: str | None) -> str:
    """Return the encoding of the file: its mark, else the declared one, else what its bytes show.

    A mark is a fact and wins over a declaration. Without either, a file with more valid UTF-8 characters than errors is
    UTF-8 (its few bad records are then malformed), any other is Windows-1252 unless the bytes clearly say otherwise.
    """
    marked, _ = byte_order_mark(path)
    if marked:
        return marked
    return canonical(declared) if declared else detect(path)


def detect(path: Path) -> str:
    """Return the encoding that the whole file's bytes show, in one pass and constant memory."""
    evidence = _weigh(path)
    if evidence.errors == 0 or evidence.characters > evidence.errors:
        return "utf-8"
    ranked = {match.encoding: match for match in charset_normalizer.from_bytes(evidence.sample, cp_isolation=_RIVALS)}
    best = max(ranked.values(), key=lambda match: (-match.chaos, match.coherence), default=None)
    usual = ranked.get(FALLBACK)
    if best is None or usual is None:
        return best.encoding if best else FALLBACK
    return best.encoding if usual.chaos - best.chaos > _CLEAR_MARGIN else FALLBACK


def _weigh(path: Path) -> Evidence:
    characters = errors = 0
    sample = bytearray()
    carried = b""
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            data = carried + chunk
            cut = _last_whole_character(data)
            carried, data = data[cut:], data[:cut]
            if data.isascii():
                continue
            text = data.decode("utf-8", errors="replace")
            bad = text.count("\ufffd") - data.count("\ufffd".encode())
            errors += bad
            characters += sum(1 for byte in data if byte >= 0xC2) - bad if bad else 1
            if bad and len(sample) < _SAMPLE_BYTES:
                sample += b"\n".join(_ACCENTED_RUN.findall(data[:_SAMPLE_BYTES]))
    return Evidence(characters, errors + (1 if carried else 0), bytes(sample or carried))


def _last_whole_character(data: bytes) -> int:
    """Return where a UTF-8 character cut by the end of ``data`` begins (the length of ``data`` when none is)."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) - back if back < length else len(data)
        if byte < 0x80:
            break
    return len(data)


def is_decodable(path: Path, encoding: str) -> bool:
    """Say whether every byte of the file decodes."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK_BYTES):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def transcode(path: Path, encoding: str, skip: int, out: Path) -> None:
    """Write the file as UTF-8 without its first ``skip`` bytes (its mark); UnicodeDecodeError at the first bad byte."""
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as source, out.open("wb") as target:
        source.seek(skip)
        while chunk := source.read(CHUNK_BYTES):
            target.write(decoder.decode(chunk).encode())
        target.write(decoder.decode(b"", final=True).encode())


@contextmanager
def as_single_bytes(path: Path, encoding: str, folder: Path) -> Iterator[tuple[Path, str, int]]:
    """Give the file in an encoding whose newlines are single bytes: ``(path, encoding, length of its mark)``.

    A UTF-16 or UTF-32 file is rewritten as UTF-8 in ``folder`` for the time of the block; DeliveryRefused if it cannot
    be, since in such a file one lost byte makes nonsense of all that follows.
    """
    _, mark = byte_order_mark(path)
    if not is_wide(encoding):
        yield path, encoding, mark
        return
    copy = folder / f".{path.name[:100]}.utf-8"
    try:
        transcode(path, encoding, mark, copy)
        yield copy, "utf-8", 0
    except UnicodeDecodeError as error:
        raise DeliveryRefused(
            f"the file says that it is {encoding} but cannot be decoded ({error.reason})",
            where=path.name,
            hint="Ask the producer for a complete file, if possible in UTF-8.",
        ) from error
    finally:
        copy.unlink(missing_ok=True)
