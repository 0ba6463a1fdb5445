"""Workbooks for tests: XLSX through XlsxWriter, ODS as LibreOffice writes it, cell by cell."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from html import escape
from pathlib import Path
from typing import Any

import xlsxwriter

NAMESPACES = " ".join(
    f'xmlns:{prefix}="{address}"'
    for prefix, address in {
        "office": "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
        "table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
        "text": "urn:oasis:names:tc:opendocument:xmlns:text:1.0",
        "calcext": "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0",
    }.items()
)
ODS_TYPE = "application/vnd.oasis.opendocument.spreadsheet"
MANIFEST = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
    f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{ODS_TYPE}">{{inner}}</manifest:file-entry>'
    '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/></manifest:manifest>'
)
# Excel's own void between the rows of a table and the end of the sheet.
VOID = '<table:table-row table:number-rows-repeated="1048000"><table:table-cell table:number-columns-repeated="1024"/></table:table-row>'  # noqa: E501

Rows = Sequence[Sequence[Any]]


def xlsx(path: Path, sheets: Mapping[str, Rows], *, hidden: Sequence[str] = (), **options: Any) -> Path:
    """Write sheets of cells from A1; texts that begin with # are errors, None is an empty cell."""
    with xlsxwriter.Workbook(path, {"default_date_format": "dd/mm/yyyy", **options}) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            if name in hidden:
                sheet.hide()
            for row, cells in enumerate(rows):
                for column, cell in enumerate(cells):
                    if isinstance(cell, str) and cell.startswith("#"):
                        sheet.write_formula(row, column, "=1/0", value=cell)
                    elif cell is not None:
                        sheet.write(row, column, cell)
    return path


def ods(path: Path, sheets: Mapping[str, Rows], *, encrypted: bool = False) -> Path:
    """Write sheets of cells from A1, with LibreOffice's void below them."""
    tables = "".join(
        f'<table:table table:name="{escape(name)}">{"".join(map(_ods_row, rows))}{VOID}</table:table>'
        for name, rows in sheets.items()
    )
    return ods_content(path, tables, encrypted=encrypted)


def ods_content(path: Path, tables: str, *, encrypted: bool = False) -> Path:
    """Write an ODS whose spreadsheet holds the XML of ``tables``."""
    inner = "<manifest:encryption-data/>" if encrypted else ""
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {NAMESPACES} office:version="1.2">'
        f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", ODS_TYPE, zipfile.ZIP_STORED)
        archive.writestr("content.xml", content)
        archive.writestr("META-INF/manifest.xml", MANIFEST.format(inner=inner))
    return path


def _ods_row(cells: Sequence[Any]) -> str:
    return f"<table:table-row>{''.join(map(_ods_cell, cells))}</table:table-row>"


def _ods_cell(cell: Any) -> str:
    if cell is None:
        return "<table:table-cell/>"
    if isinstance(cell, bool):
        typed = f'office:value-type="boolean" office:boolean-value="{str(cell).lower()}"'
    elif isinstance(cell, int | float):
        typed = f'office:value-type="float" office:value="{cell}"'
    elif isinstance(cell, date | datetime):
        typed = f'office:value-type="date" office:date-value="{cell.isoformat()}"'
    elif cell.startswith("#"):
        typed = 'table:formula="of:=1/0" office:value-type="string" office:string-value="" calcext:value-type="error"'
    else:
        typed = 'office:value-type="string"'
    return f"<table:table-cell {typed}><text:p>{escape(str(cell))}</text:p></table:table-cell>"
