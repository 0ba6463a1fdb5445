"""Which office document a zip archive is: a workbook is one file of data although its bytes are those of an archive.

Told from the names of its members, never from its own. What is in a workbook belongs in ``readers.workbook``.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

XLSX, XLSM, XLSB, ODS = "xlsx", "xlsm", "xlsb", "ods"
ODS_TYPES = (
    b"application/vnd.oasis.opendocument.spreadsheet",
    b"application/vnd.oasis.opendocument.spreadsheet-template",
)
LONGEST_TYPE_BYTES = 100


def workbook_form(path: Path) -> str | None:
    """Return ``xlsx``, ``xlsm`` (with macros), ``xlsb`` (binary) or ``ods``; None for anything else, damaged or not."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            if "xl/workbook.bin" in names:
                return XLSB
            if "xl/workbook.xml" in names:
                return XLSM if "xl/vbaProject.bin" in names else XLSX
            return ODS if "mimetype" in names and _declared_type(archive) in ODS_TYPES else None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError):
        return None  # whoever opens it as an archive says what is wrong with it


def _declared_type(archive: zipfile.ZipFile) -> bytes:
    with archive.open("mimetype") as stream:
        return stream.read(LONGEST_TYPE_BYTES).strip()
