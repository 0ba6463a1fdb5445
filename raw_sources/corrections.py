"""Refused rows given back to be corrected (`halle rejects --format xlsx`): as published, the reason beside each.

The first sheet loads again once corrected: its own columns are passed over by the reader. What cannot be corrected in a
cell is on the second sheet. Which rows were refused is asked elsewhere (``orchestration.refusals``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from raw_sources.card import Card, Column
from raw_sources.readers.spreadsheet import FILE, FILE_DATE, REASON, ROW, SHEET
from raw_sources.spreadsheets import LONGEST_CELL, header_of, new_workbook, sheet_of, styles, write_rows

TO_CORRECT, NOT_HERE = "À corriger", "À corriger à la source"
TITLE_ROWS = 3
OUR_HEADERS = (REASON, FILE, FILE_DATE, SHEET, ROW)
OUR_WIDTHS = (50, 30, 14, 14, 18)
CELL_WIDTH = 20
TOO_LONG = "une cellule est trop longue pour un tableur / a cell is too long for a spreadsheet"
WITHHELD = "(retiré : données personnelles)"
CUT = 2_000


@dataclass(frozen=True)
class Place:
    """Where a record was found: its file, the ISO date of it, its sheet, its row or number as a text."""

    file: str
    file_date: str = ""
    sheet: str = ""
    row: str = ""


@dataclass(frozen=True)
class RefusedRow:
    """A record that staging refused: its reason, and its cells as published by raw column, personal ones left out."""

    place: Place
    reason: str
    cells: Mapping[str, str | None]


@dataclass(frozen=True)
class UnreadRow:
    """A record that could not be read: its text, None when it had to be withheld."""

    place: Place
    reason: str
    text: str | None


def shown_columns(card: Card) -> list[Column]:
    """Return the columns that may be shown to whoever corrects: neither personal nor kept from loading."""
    return [column for column in card.loaded_columns if column.personal_data == "none"]


def told(card: Card, record: RefusedRow | UnreadRow) -> str:
    """Return a reason as it may be shown: without the value that it quotes, if that may be one of a personal column."""
    head, _, value = record.reason.partition(": ")
    if not card.has_personal_data or (isinstance(record, RefusedRow) and value in record.cells.values()):
        return record.reason
    return head


def suspect(row: RefusedRow, columns: Sequence[Column]) -> Column | None:
    """Return the column that a reason is about: the one that holds the value it quotes, else the one that it names."""
    head, _, value = row.reason.partition(": ")
    holders = [column for column in columns if value and (row.cells.get(column.name) or "").strip() == value.strip()]
    if len(holders) == 1:
        return holders[0]
    said = set(re.findall(r"\w+", head.casefold()))
    named = [
        column
        for column in holders or columns
        if column.name in said or set(re.findall(r"\w+", column.title_en.casefold())) <= said
    ]
    return named[0] if len(named) == 1 else None


def write_corrections(card: Card, refused: Sequence[RefusedRow], unread: Sequence[UnreadRow], out: Path) -> None:
    """Write the refused rows of ``card`` to ``out`` as XLSX: the suspect cell of each in red."""
    columns = shown_columns(card)
    writable = [row for row in refused if _fits(row)]
    rest = [row for row in refused if not _fits(row)]
    with new_workbook(out) as book:
        named = styles(book)
        sheet = book.add_worksheet(sheet_of(card, TO_CORRECT))
        _write_head(sheet, card, columns, named)
        for number, row in enumerate(writable, start=TITLE_ROWS + 1):
            write_rows(sheet, number, [_our_cells(told(card, row), row.place)], named["wrapped"])
            _write_cells(sheet, number, row, columns, named)
        if unread or rest:
            lines = [[*_our_cells(told(card, one), one.place), (one.text or WITHHELD)[:CUT]] for one in unread]
            lines += [[*_our_cells(f"{told(card, one)} ({TOO_LONG})", one.place), ""] for one in rest]
            _write_rest(book.add_worksheet(NOT_HERE), lines, named)


def _fits(row: RefusedRow) -> bool:
    return all(len(text or "") <= LONGEST_CELL for text in row.cells.values())


def _write_head(sheet: Worksheet, card: Card, columns: Sequence[Column], named: dict[str, Format]) -> None:
    sheet.write_string(0, 0, f"Lignes refusées – {card.title_fr}", named["title"])
    todo = (
        "Corrigez les cellules (en rouge : celle que le motif désigne), enregistrez, puis déposez ce fichier : "
        f"halle land {card.source} FICHIER.xlsx. Supprimez les lignes que vous ne corrigez pas."
    )
    sheet.write_string(1, 0, todo, named["note"])
    missing = ", ".join(column.title_fr for column in card.loaded_columns if column not in columns)
    if missing:
        sheet.write_string(2, 0, f"Colonnes personnelles retirées, à corriger à la source : {missing}.", named["note"])
    for index, (header, width) in enumerate(zip(OUR_HEADERS, OUR_WIDTHS, strict=True)):
        sheet.write_string(TITLE_ROWS, index, header, named["ours"])
        sheet.set_column(index, index, width)
    for index, column in enumerate(columns, start=len(OUR_HEADERS)):
        sheet.write_string(TITLE_ROWS, index, header_of(column), named["header"])
        sheet.set_column(index, index, CELL_WIDTH, named["text"])
    sheet.freeze_panes(TITLE_ROWS + 1, 1)


def _write_cells(
    sheet: Worksheet, number: int, row: RefusedRow, columns: Sequence[Column], named: dict[str, Format]
) -> None:
    wrong = suspect(row, columns)
    for index, column in enumerate(columns, start=len(OUR_HEADERS)):
        style = named["wrong" if column is wrong else "text"]
        text = row.cells.get(column.name)
        if text:
            sheet.write_string(number, index, text, style)
        else:
            sheet.write_blank(number, index, None, style)


def _our_cells(reason: str, place: Place) -> list[str]:
    return [reason[:LONGEST_CELL], place.file, place.file_date, place.sheet, place.row]


def _write_rest(sheet: Worksheet, lines: list[list[str]], named: dict[str, Format]) -> None:
    """Write what no cell can correct, with the beginning of its text."""
    headers = ["Motif", "Fichier", "Date du fichier", "Feuille", "Ligne", "Texte"]
    row = write_rows(sheet, 0, [["Enregistrements à corriger dans le fichier d'origine"]], named["title"])
    row = write_rows(sheet, row + 1, [headers], named["ours"])
    write_rows(sheet, row, lines, named["wrapped"])
    for index, width in enumerate((*OUR_WIDTHS, 100)):
        sheet.set_column(index, index, width)
