"""Refused rows given back to be corrected (`halle rejects --format xlsx`): as published, the reason beside each.

The first sheet loads again once corrected: of its own columns the reader keeps the reference, by which a row answers
the record that was refused. What cannot be corrected in a cell is on the second sheet. Which rows were refused is asked
elsewhere (``orchestration.refusals``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from raw_sources.card import Card, Column
from raw_sources.readers.spreadsheet import FILE, FILE_DATE, REASON, REFERENCE, ROW, SHEET
from raw_sources.spreadsheets import LONGEST_CELL, header_of, new_workbook, sheet_of, styles, write_rows

TO_CORRECT, NOT_HERE = "À corriger", "À corriger à la source"
TITLE_ROWS = 3
OUR_HEADERS = (REASON, FILE, FILE_DATE, SHEET, ROW, REFERENCE)
OUR_WIDTHS = (50, 30, 14, 14, 18, 20)
# Digits in one row with those of the record's number could be taken for the number of a payment card.
REFERENCE_FORM = re.compile(r"([0-9a-f]+) n° ?([0-9]+)")
CELL_WIDTH = 20
TOO_LONG = "une cellule est trop longue pour un tableur / a cell is too long for a spreadsheet"
WITHHELD = "(retiré : données personnelles)"
CUT = 2_000


@dataclass(frozen=True)
class Place:
    """Where a record was found: its file, the ISO date of it, its sheet, its row or number as a text.

    ``reference`` names the record for good, whatever its file is called.
    """

    file: str
    file_date: str = ""
    sheet: str = ""
    row: str = ""
    reference: str = ""


@dataclass(frozen=True)
class RefusedRow:
    """A record that staging refused: its reason, and its cells as published by raw column, personal ones left out.

    ``head_fr`` is the French of what the reason says before the value that it quotes, None when none is known.
    """

    place: Place
    reason: str
    cells: Mapping[str, str | None]
    head_fr: str | None = None


@dataclass(frozen=True)
class UnreadRow:
    """A record that could not be read: its text, None when it had to be withheld; ``head_fr`` as of a refused row."""

    place: Place
    reason: str
    text: str | None
    head_fr: str | None = None


def reference_of(delivery_id: str, record_no: int) -> str:
    """Return the reference of a record, as its row carries it: what its delivery holds, and its number in it."""
    return f"{_content_of(delivery_id)} n° {record_no}"


def _content_of(delivery_id: str) -> str:
    return delivery_id.rpartition("-")[2]


def answered_by(extra: str | None) -> str | None:
    """Return the reference that a raw row came with (its ``_extra``, a JSON object); None when it answers no record."""
    said = (json.loads(extra) if extra else {}).get(REFERENCE)
    found = REFERENCE_FORM.fullmatch(said.strip()) if isinstance(said, str) else None
    return f"{found[1]} n° {int(found[2])}" if found else None


def shown_columns(card: Card) -> list[Column]:
    """Return the columns that may be shown to whoever corrects: neither personal nor kept from loading."""
    return [column for column in card.loaded_columns if column.personal_data == "none"]


def told(card: Card, record: RefusedRow | UnreadRow) -> str:
    """Return a reason as an office reads it: in French where that is known, and without the value that it quotes if
    that may be one of a personal column.
    """
    head, sign, value = record.reason.partition(": ")
    shown = not card.has_personal_data or (isinstance(record, RefusedRow) and value in record.cells.values())
    if not (sign and shown):
        return record.head_fr or head
    return f"{record.head_fr} : {value}" if record.head_fr else record.reason


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
            ours = [*_our_cells(told(card, row), row.place), row.place.reference]
            write_rows(sheet, number, [ours], named["wrapped"])
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
    for index, width in enumerate((*OUR_WIDTHS[:-1], 100)):
        sheet.set_column(index, index, width)
