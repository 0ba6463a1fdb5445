"""Compressed deliveries: a gzip stream or a zip archive opened into plain files, within limits.

What a file is, is read from its first bytes, never from its name. Nothing here trusts an archive: a member gives no
more than it declared, a stream is measured while it expands, and no path of a member becomes a path on disk. Receipts,
refusals and the sense of the contents do not belong here (see ``landing`` and ``readers``).
"""

from __future__ import annotations

import gzip
import lzma
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from raw_sources.errors import DeliveryRefused
from raw_sources.files import CHUNK_BYTES
from raw_sources.office import workbook_form

GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
TAR_MAGIC, TAR_MAGIC_AT = b"ustar", 257
UNSUPPORTED_MAGICS = {
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
BZIP2_BLOCK = b"1AY&SY"  # "BZh" alone may begin a text; the block's own mark follows the level digit
ENCRYPTED_FLAG = 0x1
LONGEST_NAME_BYTES = 200  # file systems stop at 255 bytes; the rest is room for temporary prefixes
OFFICE_MEMBERS = ("[Content_Types].xml", "META-INF/manifest.xml")
DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, ValueError)


@dataclass(frozen=True)
class Limits:
    """How far a compressed file may expand.

    ``expanded_bytes`` bounds all members together; ``ratio`` is expanded over compressed size, looked at beyond
    ``ratio_free_bytes`` only (tiny regular files compress beyond any sensible ratio); ``members`` counts entries.
    """

    expanded_bytes: int
    ratio: float = 200.0
    members: int = 2000
    ratio_free_bytes: int = 1 << 20


@dataclass(frozen=True)
class Part:
    """A plain file: its place on disk, the name to keep it under, and its path inside the archive (zip only)."""

    path: Path
    file_name: str
    member: str | None


def safe_name(name: str) -> str:
    """Return ``name`` as one harmless file name: no separator, control character, leading dot or excessive length."""
    flat = re.sub(r"[\x00-\x1f\x7f/\\]", "_", name).strip().lstrip(".")
    while len(flat.encode(errors="replace")) > LONGEST_NAME_BYTES:
        flat = flat[1:]  # the end is kept: extension and date are there
    return flat.encode(errors="replace").decode() or "delivery"


def packing(path: Path) -> str | None:
    """Return ``gzip``, ``zip``, the name of another archive format, or None for a plain file, such as a workbook."""
    with path.open("rb") as stream:
        head = stream.read(TAR_MAGIC_AT + len(TAR_MAGIC))
    if head.startswith(GZIP_MAGIC):
        return "gzip"
    if head.startswith(ZIP_MAGICS):
        return None if workbook_form(path) else "zip"
    if head[TAR_MAGIC_AT:] == TAR_MAGIC:
        return "tar"
    for magic, name in UNSUPPORTED_MAGICS.items():
        if head.startswith(magic) and (name != "bzip2" or head[4:10] == BZIP2_BLOCK):
            return name
    return None


def unpack(path: Path, name: str, out: Path, limits: Limits) -> list[Part]:
    """Open the file ``path``, known as ``name``, into plain files under ``out``; a plain file is its own single part.

    Zip members come in the order of their names; ``__MACOSX`` and dotfiles are left out. Raises ``DeliveryRefused``,
    with nothing but leftovers under ``out``, when any part is damaged, escapes, hides another archive, is encrypted or
    passes a limit: an archive is taken whole or not at all.
    """
    form = packing(path)
    if form is None:
        return [Part(path, safe_name(name), None)]
    if form == "gzip":
        return [_unpack_gzip(path, name, out, limits)]
    if form == "zip":
        return _unpack_zip(path, name, out, limits)
    raise DeliveryRefused(
        f"this is a {form} file, which is not opened here.", where=name, hint="Send it plain, or as .gz or .zip."
    )


def member_names(path: Path, name: str, limits: Limits) -> list[str]:
    """Return the paths of the data members of the zip archive ``path``, sorted, after checking every entry.

    Raises ``DeliveryRefused`` as :func:`unpack` does, without expanding anything.
    """
    with _readable(name), zipfile.ZipFile(path) as archive:
        return [entry.filename for entry in _data_entries(archive.infolist(), name, limits)]


def _unpack_gzip(path: Path, name: str, out: Path, limits: Limits) -> Part:
    """Expand one gzip stream; its own name field is ignored, the name it came under counts."""
    plain = safe_name(name[:-3] if name.lower().endswith(".gz") else name)
    target = _target(out, 0, plain)
    with _readable(name), gzip.open(path, "rb") as stream:
        _expand(stream, target, name, path.stat().st_size, limits)
    _refuse_nested(target, name)
    return Part(target, plain, None)


def _unpack_zip(path: Path, name: str, out: Path, limits: Limits) -> list[Part]:
    """Expand the data members, whose declared sizes together are within the limit and bind ``zipfile`` as it reads."""
    parts: list[Part] = []
    with _readable(name), zipfile.ZipFile(path) as archive:
        for number, entry in enumerate(_data_entries(archive.infolist(), name, limits)):
            plain = safe_name(re.split(r"[/\\]", entry.filename)[-1])
            target = _target(out, number, plain)
            with archive.open(entry) as stream:
                _expand(stream, target, f"{name}!{entry.filename}", entry.compress_size, limits)
            _refuse_nested(target, f"{name}!{entry.filename}")
            parts.append(Part(target, plain, entry.filename))
    return parts


def _data_entries(entries: Sequence[zipfile.ZipInfo], name: str, limits: Limits) -> list[zipfile.ZipInfo]:
    """Check every entry, ignored ones included, and return those that hold data, sorted by name."""
    if any(entry.filename in OFFICE_MEMBERS for entry in entries):
        raise DeliveryRefused(
            "this is an office or application document, not an archive of data.",
            where=name,
            hint="Send a spreadsheet as .xlsx or .ods, or a table as CSV.",
        )
    _check_entries(entries, name, limits)
    kept = sorted((entry for entry in entries if _is_data(entry)), key=lambda entry: entry.filename)
    names = [entry.filename for entry in kept]
    if not names:
        raise DeliveryRefused("the archive holds no file.", where=name, hint="Ask the producer to send it again.")
    if len(set(names)) < len(names):
        raise DeliveryRefused("the archive holds two members of the same name.", where=name)
    _check_size(sum(entry.file_size for entry in kept), limits.expanded_bytes, name)
    return kept


def check_members(path: Path, name: str, limits: Limits) -> None:
    """Read every member of a workbook through, keeping nothing: what its reader will expand is then bounded.

    Raises ``DeliveryRefused`` as :func:`unpack` does.
    """
    with _readable(name), zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        _check_entries(entries, name, limits)
        _check_size(sum(entry.file_size for entry in entries), limits.expanded_bytes, name)
        for entry in entries:
            with archive.open(entry) as stream:
                _expand(stream, Path(os.devnull), f"{name}!{entry.filename}", entry.compress_size, limits)


def _check_entries(entries: Sequence[zipfile.ZipInfo], name: str, limits: Limits) -> None:
    """Refuse too many entries, and any that :func:`_check_entry` refuses."""
    if len(entries) > limits.members:
        raise DeliveryRefused(f"the archive has {len(entries)} entries, the limit is {limits.members}.", where=name)
    for entry in entries:
        _check_entry(entry, name)


def _is_data(entry: zipfile.ZipInfo) -> bool:
    """Say whether an entry is a file of its own, not a folder nor the leavings of a desktop."""
    pieces = entry.filename.split("/")
    return not entry.is_dir() and pieces[0] != "__MACOSX" and not any(piece.startswith(".") for piece in pieces)


def _check_entry(entry: zipfile.ZipInfo, name: str) -> None:
    """Refuse a path that leaves the archive, a link or device, and an encrypted member."""
    where = f"{name}!{safe_name(entry.orig_filename)}"
    pieces = entry.orig_filename.replace("\\", "/").split("/")
    if pieces[0] == "" or ".." in pieces or re.match(r"[A-Za-z]:", pieces[0]) or "\x00" in entry.orig_filename:
        raise DeliveryRefused("the archive has a member whose path leads out of it.", where=where)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise DeliveryRefused("the archive has a member that is a link or a device.", where=where)
    if entry.flag_bits & ENCRYPTED_FLAG:
        raise DeliveryRefused("the archive is encrypted.", where=where, hint="Send it without a password.")


def _expand(stream: IO[bytes] | gzip.GzipFile, target: Path, where: str, compressed: int, limits: Limits) -> None:
    """Copy ``stream`` to ``target``; stop at the limit of the size or of the ratio."""
    most_by_ratio = max(limits.ratio_free_bytes, int(limits.ratio * compressed))
    size = 0
    with target.open("wb") as sink:
        while chunk := stream.read(CHUNK_BYTES):
            size += len(chunk)
            _check_size(size, limits.expanded_bytes, where)
            if size > most_by_ratio:
                raise DeliveryRefused(
                    f"it expands to more than {limits.ratio:g} times its compressed size.",
                    where=where,
                    hint="Check that this is the producer's file; send it uncompressed if it is.",
                )
            sink.write(chunk)


def _check_size(size: int, most: int, where: str) -> None:
    """Refuse a size, declared or measured, beyond the limit."""
    if size > most:
        raise DeliveryRefused(
            "it expands beyond the size that the source card allows.",
            where=where,
            hint="Check the file, or raise max_bytes in the card.",
        )


def _refuse_nested(path: Path, where: str) -> None:
    """Refuse an archive that comes out of another one."""
    form = packing(path)
    if form is not None:
        raise DeliveryRefused(
            f"it holds another compressed file ({form}).", where=where, hint="Send the files in one archive, not two."
        )


def _target(out: Path, number: int, file_name: str) -> Path:
    """Return a fresh path for the part ``number``, in a folder of its own so that two equal names do not meet."""
    folder = out / f"{number:06d}"
    folder.mkdir(parents=True)
    return folder / file_name


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Turn what the libraries raise on a bad archive into a refusal; a full disk is no fault of the archive."""
    try:
        yield
    except DAMAGED as error:
        raise _damaged(name, error) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise _damaged(name, error) from error


def _damaged(name: str, error: Exception) -> DeliveryRefused:
    """Say in one sentence why the library could not read the archive."""
    if isinstance(error, NotImplementedError):
        why = "it uses a compression method that cannot be read here"
    elif isinstance(error, EOFError):
        why = "it is cut short"
    else:
        why = f"it cannot be read ({error})"
    return DeliveryRefused(f"the compressed file is damaged: {why}.", where=name, hint="Have it sent again.")
