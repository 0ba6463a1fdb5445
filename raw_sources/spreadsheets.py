"""Workbooks that halle writes: how they are opened and closed, and what their cells and styles have in common.

What stands in them belongs in ``templates`` and ``corrections``; reading workbooks belongs in ``readers``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from raw_sources.card import Card, Column

# What a cell of a spreadsheet can hold, in characters.
LONGEST_CELL = 32_767
LONGEST_SHEET_NAME = 31
TEXTS_ONLY = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
# A workbook says when it was made: the same content gives the same bytes only if it always says the same.
MADE_AT = datetime(2000, 1, 1)

STYLES: dict[str, dict[str, Any]] = {
    "title": {"bold": True, "font_size": 14},
    "note": {"italic": True, "font_color": "#555555"},
    "hint": {"italic": True, "font_color": "#555555", "text_wrap": True, "valign": "top"},
    "header": {"bold": True, "bg_color": "#DDEBF7", "border": 1, "text_wrap": True, "valign": "top"},
    "required": {"bold": True, "bg_color": "#9BC2E6", "border": 1, "text_wrap": True, "valign": "top"},
    "ours": {"bold": True, "bg_color": "#E7E6E6", "border": 1, "text_wrap": True, "valign": "top"},
    # What is typed in a text cell stays as typed: a code keeps its zeros, and a date its form.
    "text": {"num_format": "@"},
    "wrapped": {"text_wrap": True, "valign": "top"},
    "wrong": {"num_format": "@", "bg_color": "#FFC7CE", "font_color": "#9C0006"},
    "date": {"num_format": "yyyy-mm-dd"},
}


@contextmanager
def new_workbook(path: Path, *, streaming: bool = False) -> Iterator[Workbook]:
    """Write an XLSX of which texts stay texts; complete at the end, absent after an error.

    ``streaming`` writes rows as they come, which have to be given in order.
    """
    book = Workbook(path, {**TEXTS_ONLY, "constant_memory": streaming, "tmpdir": str(path.parent)})
    book.set_properties({"created": MADE_AT})
    yield book
    book.close()


def styles(book: Workbook) -> dict[str, Format]:
    """Return the formats that every workbook of halle uses, by name."""
    return {name: book.add_format(properties) for name, properties in STYLES.items()}


def sheet_name(name: str, taken: set[str]) -> str:
    """Return ``name`` as XLSX can write it: without characters that it forbids, short, and unlike those ``taken``."""
    base = "".join("_" if character in "[]:*?/\\" else character for character in name).strip("'") or "_"
    candidate, number = base[:LONGEST_SHEET_NAME], 1
    while candidate.casefold() in taken:
        number += 1
        candidate = f"{base[: LONGEST_SHEET_NAME - 4]} ({number})"
    taken.add(candidate.casefold())
    return candidate


def write_rows(sheet: Worksheet, first: int, rows: list[list[str]], style: Format | None = None) -> int:
    """Write texts from row ``first`` (from 0) downwards; return the row after the last one."""
    for number, cells in enumerate(rows, start=first):
        for column, text in enumerate(cells):
            sheet.write_string(number, column, text, style)
    return first + len(rows)


def header_of(column: Column) -> str:
    """Return the header under which a spreadsheet gives ``column``: a plain name if the card has one, not a path."""
    return next((header for header in column.headers if "/" not in header), column.headers[0])


def sheet_of(card: Card, otherwise: str) -> str:
    """Return a name for the sheet of records under which ``card`` reads it back."""
    wanted = next((layout.sheet for layout in card.layouts if layout.form == "spreadsheet" and layout.sheet), None)
    if wanted is None:
        return otherwise
    return "".join(character for character in wanted if character not in "*?[]!") or otherwise
