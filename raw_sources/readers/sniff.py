"""What kind of file this is, from its first bytes: text, JSON, XML, a workbook, or something that is no delivery.

Layouts and cards do not belong here.
"""

from __future__ import annotations

import re
from pathlib import Path

from raw_sources.errors import DeliveryRefused
from raw_sources.office import workbook_form
from raw_sources.readers.encoding import byte_order_mark, is_wide

HEAD_BYTES = 1 << 16
_SIGNATURES = (
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"PAR1", "a Parquet file"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"SQLite format 3", "an SQLite database"),
)
_WANTED = "Ask the producer for CSV, a spreadsheet (.xlsx, .ods), JSON or GeoJSON."
_ZIP = b"PK\x03\x04"
# The container of Office until 2003, and of what later versions encrypt.
_COMPOUND = b"\xd0\xcf\x11\xe0"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
# Atomic groups: a prologue of many comments must not be tried in every way of cutting it.
_HTML = re.compile(
    r"(?>(?:\s|<\?.*?\?>|<!--.*?-->)*)<(?:!doctype\s+html|(?:\w+:)?(?:html|head|body))\b", re.IGNORECASE | re.DOTALL
)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
# A few NULs are accidents of a text file; a tenth of them is another kind of file.
_NUL_SHARE = 10


def kind_of(path: Path) -> str:
    """Return ``json``, ``xml``, ``text`` or ``spreadsheet``.

    Raises DeliveryRefused for an empty file, a page of HTML, or a binary file.
    """
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if head.startswith(_ZIP) and workbook_form(path):
        return "spreadsheet"
    if head.startswith(_COMPOUND):
        raise _compound(path)
    encoding, mark = byte_order_mark(path)
    for signature, what in _SIGNATURES:
        if head.startswith(signature):
            raise _refusal(path, f"the file is {what}, not text", _WANTED)
    if not (encoding and is_wide(encoding)) and head.count(b"\0") * _NUL_SHARE > len(head):
        raise _refusal(path, "the file is binary, not text", _WANTED)
    text = head[mark:].decode(encoding or "utf-8", errors="replace").strip("\ufeff \t\r\n")
    if not text and path.stat().st_size <= HEAD_BYTES:
        raise _refusal(path, "the file is empty", "Fetch it again, or ask the producer for it.")
    if _HTML.match(text):
        raise _page(path, text)
    return "xml" if text.startswith("<") else "json" if text.startswith(("{", "[")) else "text"


def _page(path: Path, text: str) -> DeliveryRefused:
    title = _TITLE.search(text)
    named = f" entitled '{' '.join(title.group(1).split())[:100]}'" if title else ""
    hint = "Probably the server's error page: check the address, then try again."
    if path.suffix.lower() in (".xls", ".xlsx", ".ods"):
        hint = "Some tools name a page like a workbook: open it in a spreadsheet program and save it as .xlsx."
    return _refusal(path, f"the file is a page of HTML{named}, not data", hint)


def _compound(path: Path) -> DeliveryRefused:
    """Tell a workbook that a password protects from the forms of before 2007.

    These are not read: what reads them makes a cell in error an empty one.
    """
    if _ENCRYPTED in path.read_bytes():
        return _refusal(path, "the workbook is protected by a password", "Save it without one.")
    what = "the file is an Excel workbook of before 2007 (.xls), or another old office document"
    return _refusal(path, what, "Open it in a spreadsheet program and save it as .xlsx or .ods.")


def _refusal(path: Path, what: str, hint: str) -> DeliveryRefused:
    return DeliveryRefused(what, where=path.name, hint=hint)
