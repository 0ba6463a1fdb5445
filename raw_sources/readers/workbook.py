"""Workbooks (XLSX, ODS) as sheets of raw cells: opened within limits, refused with a sentence when they cannot be.

Cells come from python-calamine. It says nothing of three things that the XML says, hence a first pass over it: cells in
error, which it gives as empty ones; merged cells; and how far a sheet goes, since it holds the whole rectangle in
memory and two cells far apart would fill it. Headers, columns and cards belong in ``spreadsheet``.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from posixpath import join, normpath
from typing import IO
from xml.parsers import expat

from defusedxml.common import DefusedXmlException, DTDForbidden
from defusedxml.ElementTree import ParseError, fromstring
from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum

from raw_sources.errors import DeliveryRefused
from raw_sources.office import ODS, XLSB, XLSM, workbook_form
from raw_sources.unpacking import Limits, check_members

Cell = int | float | str | bool | date | datetime | time | timedelta
Place = tuple[int, int]

MOST_SHEETS = 900
# A cell weighs at least so many bytes of XML: only a sheet that is mostly void has more cells than its bytes explain.
CELL_BYTES = 16
CELLS_ALWAYS_TAKEN = 2_000_000
MOST_REPEATED = 1_000_000
EPOCHS = {False: date(1899, 12, 30), True: date(1904, 1, 1)}
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_STRICT_RELATION = "{http://purl.oclc.org/ooxml/officeDocument/relationships}id"


@dataclass
class SheetFacts:
    """What the XML says of a sheet: its extent, the texts of its cells in error, the ranges merged (all from 0)."""

    rows: int = 0
    columns: int = 0
    errors: dict[Place, str] = field(default_factory=dict)
    merged: list[tuple[Place, Place]] = field(default_factory=list)

    def reach(self, row: int, column: int) -> None:
        """Note that a cell stands there."""
        self.rows = max(self.rows, row + 1)
        self.columns = max(self.columns, column + 1)


@dataclass(frozen=True)
class Sheet:
    """A sheet of cells: ``position`` counts every sheet of the workbook from 0."""

    name: str
    position: int
    is_hidden: bool
    facts: SheetFacts


class Workbook:
    """An open workbook. ``epoch`` is the day 0 of dates written as numbers."""

    def __init__(self, calamine: CalamineWorkbook, facts: dict[str, SheetFacts], epoch: date, name: str) -> None:
        self._calamine = calamine
        self._name = name
        self.epoch = epoch
        self.sheet_names = tuple(calamine.sheet_names)
        self.sheets = tuple(
            Sheet(found.name, position, found.visible != SheetVisibleEnum.Visible, facts.get(found.name, SheetFacts()))
            for position, found in enumerate(calamine.sheets_metadata)
            if found.typ == SheetTypeEnum.WorkSheet
        )

    def rows(self, sheet: Sheet) -> Iterator[list[Cell]]:
        """Yield the rows of a sheet from its first one, each from column A; an empty cell is an empty text."""
        with _refusing(self._name):
            found = self._calamine.get_sheet_by_name(sheet.name)
            left = [""] * (found.start[1] if found.start else 0)
            failed: dict[int, dict[int, str]] = {}
            for (row, column), text in sheet.facts.errors.items():
                failed.setdefault(row, {})[column] = text
            for number, row_cells in enumerate(found.iter_rows()):
                cells: list[Cell] = [*left, *row_cells]
                for column, text in failed.get(number, {}).items():
                    cells += [""] * (column + 1 - len(cells))
                    cells[column] = text
                yield cells


@contextmanager
def open_workbook(path: Path, max_bytes: int) -> Iterator[Workbook]:
    """Open a workbook of at most ``max_bytes`` once expanded.

    Raises DeliveryRefused for macros, binary or encrypted workbooks, damage, and sizes beyond measure.
    """
    form = workbook_form(path)
    if form in (XLSM, XLSB):
        what = "holds macros" if form == XLSM else "is in Excel's binary form (.xlsb)"
        raise _refusal(path.name, f"the workbook {what}", "Save it as .xlsx, without macros.")
    check_members(path, path.name, Limits(expanded_bytes=max_bytes))
    with _refusing(path.name):
        facts, epoch = (_ods_facts if form == ODS else _xlsx_facts)(path)
        _check_extent(path.name, facts, max_bytes)
        with path.open("rb") as stream:  # by a path it would go by the extension
            calamine = CalamineWorkbook.from_filelike(stream)
    with calamine:
        yield Workbook(calamine, facts, epoch, path.name)


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    """Turn what the libraries raise on a bad workbook into a refusal."""
    try:
        yield
    except PasswordError:
        raise _refusal(name, "the workbook is protected by a password", "Save it without one.") from None
    except DefusedXmlException:
        raise _refusal(name, "its XML declares a document type, which halle never reads", "Save it anew.") from None
    except (CalamineError, ParseError, expat.ExpatError, LookupError, ValueError, zipfile.BadZipFile) as error:
        hint = "Open it in a spreadsheet program, save it anew, and send that."
        raise _refusal(name, f"the workbook is damaged: {' '.join(str(error).split())[:200]}", hint) from error


def _refusal(name: str, what: str, hint: str) -> DeliveryRefused:
    return DeliveryRefused(f"{what}.", where=name, hint=hint)


def _check_extent(name: str, facts: dict[str, SheetFacts], max_bytes: int) -> None:
    if len(facts) > MOST_SHEETS:
        raise _refusal(name, f"the workbook has {len(facts)} sheets, the limit is {MOST_SHEETS}", "Part it in several.")
    most = max(CELLS_ALWAYS_TAKEN, max_bytes // CELL_BYTES)
    for sheet, found in facts.items():
        if found.rows * found.columns > most:
            raise _refusal(
                name,
                f"the sheet '{sheet}' goes to row {found.rows:,} and column {found.columns:,}, more cells than "
                "max_bytes of the card allows",
                "Delete what stands far from the table, or raise max_bytes in the card.",
            )


# --- what the XML says ------------------------------------------------------------------------------------------


class _Listener:
    """Listens to the elements of an XML document, by local name; to texts and ends only while it ``collects``.

    A large sheet has millions of elements: what is not asked for costs nothing. Document types are refused, and with
    them every entity.
    """

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self.start
        self._parser.StartDoctypeDeclHandler = _refuse_document_type
        self._texts: list[str] = []

    def listen(self, stream: IO[bytes]) -> None:
        """Read the document to its end."""
        self._parser.ParseFile(stream)
        self.finish()

    def finish(self) -> None:
        """Take note of the end."""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take note of an element."""

    def collected(self, text: str) -> None:
        """Take the text of the element in which collecting was asked for."""

    def collect(self, name: str) -> None:
        """Collect texts up to the end of the element ``name``."""
        self._texts = []
        self._parser.CharacterDataHandler = self._texts.append
        self._parser.EndElementHandler = partial(self._end, name)

    def _end(self, wanted: str, tag: str) -> None:
        if _local(tag) == wanted:
            self._parser.CharacterDataHandler = None
            self._parser.EndElementHandler = None
            self.collected("".join(self._texts))


def _refuse_document_type(name: str, system: str | None, public: str | None, _: bool) -> None:
    raise DTDForbidden(name, system, public)


def _local(tag: str) -> str:
    return tag.rpartition(":")[2]


def _attribute(attributes: dict[str, str], name: str) -> str | None:
    """Return an attribute by its local name."""
    return next((value for key, value in attributes.items() if _local(key) == name), None)


def _xlsx_facts(path: Path) -> tuple[dict[str, SheetFacts], date]:
    with zipfile.ZipFile(path) as archive:
        book = fromstring(archive.read("xl/workbook.xml"), forbid_dtd=True)
        parts = _relations(archive)
        facts: dict[str, SheetFacts] = {}
        is_1904 = False
        for element in book.iter():
            if element.tag.endswith("}workbookPr"):
                is_1904 = element.get("date1904") in ("1", "true", "on")
            if element.tag.endswith("}sheet"):
                relation = element.get(_RELATION) or element.get(_STRICT_RELATION) or ""
                facts[element.get("name", "")] = _sheet_facts(archive, parts.get(relation, ""))
        return facts, EPOCHS[is_1904]


def _relations(archive: zipfile.ZipFile) -> dict[str, str]:
    """Return the path of each part of the workbook by the id of its relation."""
    relations = fromstring(archive.read("xl/_rels/workbook.xml.rels"), forbid_dtd=True)
    return {one.get("Id", ""): normpath(join("/xl", one.get("Target", ""))).lstrip("/") for one in relations}


def _sheet_facts(archive: zipfile.ZipFile, part: str) -> SheetFacts:
    target = _XlsxSheet()
    if part in archive.namelist():
        with archive.open(part) as stream:
            target.listen(stream)
    return target.facts


_REFERENCE = re.compile(r"([A-Z]{1,3})(\d{1,7})")


def _place(reference: str) -> Place:
    """Return the row and column of a reference such as B12, from 0."""
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise ValueError(f"'{reference[:20]}' is no place of a cell")
    column = 0
    for letter in found[1]:
        column = 26 * column + ord(letter) - ord("A") + 1
    return int(found[2]) - 1, column - 1


class _XlsxSheet(_Listener):
    """Listens to the XML of one sheet of an XLSX, where the cells of a row stand in order."""

    def __init__(self) -> None:
        super().__init__()
        self.facts = SheetFacts()
        self._row = -1
        self._cells = 0
        self._reference: str | None = None
        self._last_filled: tuple[str | None, int] | None = None
        self._error_at: Place | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take note of rows, cells and merged ranges."""
        name = _local(tag)
        if name == "c":
            self._reference = attributes.get("r")
            self._cells += 1
            self._error_at = self._at(self._reference, self._cells) if attributes.get("t") == "e" else None
        elif name == "row":
            self.finish()
            self._row = int(attributes.get("r", self._row + 2)) - 1
        elif name in ("v", "is"):  # a cell that is only coloured holds nothing, however far it stands
            self._last_filled = (self._reference, self._cells)
            if self._error_at is not None:
                self.collect("v")
        elif name == "mergeCell":
            first, _, last = attributes.get("ref", "").partition(":")
            self.facts.merged.append((_place(first), _place(last or first)))

    def collected(self, text: str) -> None:
        """Take the text of a cell in error."""
        if self._error_at is not None:
            self.facts.errors[self._error_at] = text

    def finish(self) -> None:
        """Note how far the row goes that has come to its end."""
        if self._last_filled is not None:
            self.facts.reach(*self._at(*self._last_filled))
        self._cells, self._last_filled = 0, None

    def _at(self, reference: str | None, turn: int) -> Place:
        """Return the place of a cell: what it says, or what its row and its turn (from 1) say."""
        return _place(reference) if reference else (max(self._row, 0), turn - 1)


def _ods_facts(path: Path) -> tuple[dict[str, SheetFacts], date]:
    target = _OdsContent()
    with zipfile.ZipFile(path) as archive, archive.open("content.xml") as stream:
        if "manifest:encryption-data" in archive.read("META-INF/manifest.xml").decode(errors="replace"):
            raise PasswordError
        target.listen(stream)
    return target.facts, target.epoch


class _OdsContent(_Listener):
    """Listens to the content of an ODS, where one element may stand for many cells and rows."""

    def __init__(self) -> None:
        super().__init__()
        self.facts: dict[str, SheetFacts] = {}
        self.epoch = EPOCHS[False]
        self._sheet = SheetFacts()
        self._row, self._rows_repeated = -1, 1
        self._column, self._repeated = 0, 1

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take note of tables, rows and cells."""
        name = _local(tag)
        if name == "table" and _attribute(attributes, "name") is not None:
            self._sheet = self.facts.setdefault(_attribute(attributes, "name") or "", SheetFacts())
            self._row, self._rows_repeated = 0, 0
        elif name == "table-row":
            self._row += self._rows_repeated
            self._rows_repeated = int(_attribute(attributes, "number-rows-repeated") or 1)
            self._column, self._repeated = 0, 0
        elif name in ("table-cell", "covered-table-cell"):
            self._start_cell(attributes)
        elif name == "null-date":
            self.epoch = date.fromisoformat((_attribute(attributes, "date-value") or "1899-12-30")[:10])

    def _start_cell(self, attributes: dict[str, str]) -> None:
        self._column += self._repeated
        self._repeated = int(_attribute(attributes, "number-columns-repeated") or 1)
        if _attribute(attributes, "value-type") is None:
            return
        self._sheet.reach(self._row + self._rows_repeated - 1, self._column + self._repeated - 1)
        down = int(_attribute(attributes, "number-rows-spanned") or 1)
        across = int(_attribute(attributes, "number-columns-spanned") or 1)
        if down > 1 or across > 1:
            last = (self._row + down - 1, self._column + across - 1)
            self._sheet.merged.append(((self._row, self._column), last))
        if "error" in (value for key, value in attributes.items() if _local(key) == "value-type"):
            self.collect("table-cell")

    def collected(self, text: str) -> None:
        """Take the text of a cell in error, for every cell that it stands for."""
        if self._rows_repeated * self._repeated > MOST_REPEATED:
            raise ValueError(f"one cell in error stands for {self._rows_repeated * self._repeated:,} cells")
        for row in range(self._row, self._row + self._rows_repeated):
            for column in range(self._column, self._column + self._repeated):
                self._sheet.errors[row, column] = text
