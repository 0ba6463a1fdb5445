"""Spreadsheets: which sheets hold the card's table, reading them as raw text, and rewriting them without columns.

A table is found by its header, wherever it stands among the first rows; what is above it is passed over, and every row
below that is not wholly blank is a record. How a workbook is opened is in ``workbook``; what cells mean belongs in
staging, and the workbooks that halle writes itself in ``raw_sources.spreadsheets``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from raw_sources.card import Card, Layout
from raw_sources.errors import DeliveryRefused
from raw_sources.readers.json_records import Batch, Row
from raw_sources.readers.json_text import compact
from raw_sources.readers.match import Match, Names, ReadCount, distinct, match_names, normalise, quoted
from raw_sources.readers.workbook import Cell, Sheet, Workbook, open_workbook
from raw_sources.readers.writer import RawWriter, raw_columns

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet

HEADER_WITHIN_ROWS = 50
# The number of a record is that of its row, plus so much for each sheet before its own: an XLSX has 1,048,576 rows.
ROWS_PER_SHEET = 10_000_000
# Columns that halle adds to the rows it gives back: on landing they say that the file is a correction, and the last one
# which record each row answers.
OURS = "halle :"
REASON, FILE, SHEET, ROW, FILE_DATE, REFERENCE = (
    f"{OURS} {word}" for word in ("motif du refus", "fichier", "feuille", "ligne", "date du fichier", "référence")
)
_DATES = frozenset({"date", "timestamp"})
# 1950 to 2100: a year, a month 202501 or a day 20250131 written as a number is no number of a day, nor is an instant.
_FIRST_SERIAL, _AFTER_LAST_SERIAL = date(1950, 1, 1), date(2101, 1, 1)
_SECONDS_PER_DAY = 86_400
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Table:
    """The card's table in one sheet: ``header_row`` counts from 0, ``headers`` are the cells of it from column A."""

    sheet: Sheet
    header_row: int
    headers: tuple[str, ...]
    names: Names

    @property
    def is_correction(self) -> bool:
        """Whether its rows were given back by halle to be corrected."""
        return any(is_ours(header) for header in self.headers)


def is_ours(header: str) -> bool:
    """Say whether a column is one that halle added beside refused rows."""
    return normalise(header).startswith(OURS)


def record_number(position: int, row: int) -> int:
    """Return the number of the record on ``row`` (from 1, as the spreadsheet shows it) of the sheet at ``position``."""
    return position * ROWS_PER_SHEET + row


def place_of(record_no: int) -> tuple[int, int]:
    """Return the position of the sheet (from 0) and the row (from 1) of a record."""
    return divmod(record_no, ROWS_PER_SHEET)


def layouts_for(card: Card) -> list[Layout]:
    """Return the layouts under which ``card`` takes a spreadsheet.

    A card that names none takes its delimited table in one, by its headers: an office saves the same table either way.
    """
    declared = [layout for layout in card.layouts if layout.form == "spreadsheet"]
    delimited = [layout for layout in card.layouts if layout.form == "delimited"]
    if declared or not delimited:
        return declared
    first = next((layout for layout in delimited if layout.header), delimited[0])
    return [Layout("spreadsheet", "spreadsheet", True, (), None, None, first.partial)]


# --- finding tables ---------------------------------------------------------------------------------------------


def inspect_spreadsheet(path: Path, card: Card, layouts: Sequence[Layout]) -> Match:
    """Return how the workbook meets the first of ``layouts`` that has a table in it.

    ``extra`` of the match also names the sheets that are left aside. Raises DeliveryRefused, naming what was found.
    """
    with open_workbook(path, card.max_bytes) as book:
        for layout in layouts:
            tables = _tables(book, card, layout, path.name)
            if tables:
                return _match(book, tables, card, layout)
        raise _no_table(book, card, layouts, path.name)


def _match(book: Workbook, tables: Sequence[Table], card: Card, layout: Layout) -> Match:
    read = {table.sheet.name for table in tables}
    extra = [name for table in tables for name in table.names.extra if not _is_void(name) and not is_ours(name)]
    mapping = {name: header for table in reversed(tables) for name, header in table.names.mapping.items()}
    return Match(
        layout=layout,
        encoding="utf-8",
        delimiter=None,
        header_names=tables[0].headers,
        mapping={column.name: mapping[column.name] for column in card.columns if column.name in mapping},
        extra=(*dict.fromkeys(extra), *(f"sheet '{name}'" for name in book.sheet_names if name not in read)),
        missing=tuple(name for name in tables[0].names.missing if name not in mapping),
        partial=layout.partial or any(table.is_correction for table in tables),
        header_line=tables[0].header_row + 1,
        content_date=_content_date(book, tables),
    )


def _content_date(book: Workbook, tables: Sequence[Table]) -> str | None:
    """Return the date of the file that the rows of a correction come from, None when they have none or several."""
    found: set[str] = set()
    for table in tables:
        headers = [normalise(header) for header in table.headers]
        if FILE_DATE in headers:
            index = headers.index(FILE_DATE)
            below = islice(book.rows(table.sheet), table.header_row + 1, None)
            found |= {text_of(cells[index], "date", book.epoch) for cells in below if index < len(cells)}
    dates = {text for text in found if _ISO_DATE.fullmatch(text)}
    return dates.pop() if len(dates) == 1 else None


def _is_void(name: str) -> bool:
    """Say whether a name is one that a column without a header was given."""
    return name == "unnamed" or name.startswith("unnamed (")


def _tables(book: Workbook, card: Card, layout: Layout, file_name: str) -> list[Table]:
    """Return the tables of the sheets that the layout takes: named by its pattern, else every visible sheet."""
    wanted = [
        sheet for sheet in book.sheets if (_is_named(sheet, layout.sheet) if layout.sheet else not sheet.is_hidden)
    ]
    found = [table for sheet in wanted if (table := _best(book, sheet, card)) is not None]
    most = max((len(table.names.mapping) for table in found if not table.names.lacking), default=0)
    # Without required columns a sheet of notes that has one of the words is no table.
    tables = [t for t in found if not t.names.lacking and 2 * len(t.names.mapping) >= most]
    for table in tables:
        _check_clashes(table, file_name)
    for table in (table for table in found if table.names.lacking and tables):
        _check_near_miss(table, card, file_name)
    return tables


def _is_named(sheet: Sheet, pattern: str) -> bool:
    """Say whether a sheet has this name, or one that fits it as a pattern."""
    return sheet.name == pattern or fnmatchcase(sheet.name, pattern)


def _best(book: Workbook, sheet: Sheet, card: Card) -> Table | None:
    """Return the row of a sheet that has most of the card's headers as a table, None when no row has any."""
    candidates = [
        Table(sheet, number, cells, match_names(cells, card)) for number, cells in enumerate(_head(book, sheet))
    ]
    best = max(candidates, key=_rank, default=None)
    return best if best is not None and best.names.mapping else None


def _rank(table: Table) -> tuple[int, int, int, int]:
    return (*table.names.score, -len(table.names.clashes), -table.header_row)


def _head(book: Workbook, sheet: Sheet) -> list[tuple[str, ...]]:
    """Return the texts of the first rows; what is merged downwards stands on each of its rows."""
    width = max(sheet.facts.columns, 1)
    rows = [
        [*cells, *[""] * (width - len(cells))]
        for cells in ([_plain(cell) for cell in row] for row in islice(book.rows(sheet), HEADER_WITHIN_ROWS))
    ]
    for (top, left), (bottom, _) in sheet.facts.merged:
        for row in range(top + 1, min(bottom + 1, len(rows))):
            rows[row][left] = rows[row][left] or rows[top][left]
    return [tuple(row) for row in rows]


def _check_clashes(table: Table, file_name: str) -> None:
    if table.names.clashes:
        raise DeliveryRefused(
            f"the headers {quoted(table.names.clashes)} stand for one and the same column",
            where=f"{file_name}, sheet '{table.sheet.name}', row {table.header_row + 1}",
            hint="Keep the one that is right, or take a header off the card.",
        )


def _check_near_miss(table: Table, card: Card, file_name: str) -> None:
    """Refuse a workbook of which one sheet is a table but for one header: left aside, its records would be lost."""
    required = sum(1 for column in card.columns if column.required and not column.never_load)
    if len(table.names.lacking) == 1 and required > 2:
        raise DeliveryRefused(
            f"the required column {quoted(table.names.lacking)} has no header in this sheet, and has one in another",
            where=f"{file_name}, sheet '{table.sheet.name}', row {table.header_row + 1}",
            hint="Write the header, delete or hide the sheet, or name the sheet to read in the card.",
        )


def _no_table(book: Workbook, card: Card, layouts: Sequence[Layout], file_name: str) -> DeliveryRefused:
    patterns = [layout.sheet for layout in layouts if layout.sheet]
    if patterns and not any(_is_named(sheet, one) for sheet in book.sheets for one in patterns):
        return DeliveryRefused(
            f"no sheet is called {quoted(patterns)}; found {quoted(book.sheet_names)}",
            where=file_name,
            hint="Rename the sheet, or mend the pattern in the card.",
        )
    found = [table for sheet in book.sheets if (table := _best(book, sheet, card)) is not None]
    best = max(found, key=_rank, default=None)
    if best is None:
        return DeliveryRefused(
            f"no sheet has a header that the card knows in its first {HEADER_WITHIN_ROWS} rows; the sheets are "
            f"{quoted(book.sheet_names)}",
            where=file_name,
            hint=f"Check that this is the right file; `halle template {card.source}` writes one to fill.",
        )
    lacking = quoted(best.names.lacking) or "none"
    hidden = " The sheet is hidden." if best.sheet.is_hidden else ""
    return DeliveryRefused(
        f"the required columns {lacking} have no header; found {quoted(filter(None, best.headers))}.{hidden}",
        where=f"{file_name}, sheet '{best.sheet.name}', row {best.header_row + 1}",
        hint="Add the new header to the card if it was renamed, or ask the producer for a complete file.",
    )


# --- cells ------------------------------------------------------------------------------------------------------


def text_of(cell: Cell, logical_type: str, epoch: date) -> str:
    """Return a cell as raw text: numbers in full, dates in ISO 8601, booleans as true and false.

    A number in a column of dates is the number of a day since ``epoch`` if it lies between 1950 and 2100.
    """
    if isinstance(cell, str):
        return cell
    if logical_type in _DATES and isinstance(cell, int | float) and not isinstance(cell, bool):
        cell = _from_serial(cell, epoch)
    if isinstance(cell, datetime) and logical_type == "date" and cell.time() == time():
        cell = cell.date()
    elif logical_type == "timestamp" and isinstance(cell, date) and not isinstance(cell, datetime):
        cell = datetime.combine(cell, time())
    return _plain(cell)


def _from_serial(number: float, epoch: date) -> Cell:
    if not (_FIRST_SERIAL - epoch).days <= number < (_AFTER_LAST_SERIAL - epoch).days:
        return number
    start = datetime.combine(epoch, time())
    return start + timedelta(seconds=round(number * _SECONDS_PER_DAY))


def _plain(cell: Cell) -> str:
    """Return a cell as text whatever its column."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float | int):
        return _digits(cell)
    if isinstance(cell, timedelta):
        return _duration(cell)
    return cell.isoformat()


def _digits(number: float) -> str:
    """Return every digit of a number, without exponent and without the fraction that a whole number does not have."""
    text = repr(number)
    if "e" in text:
        text = format(Decimal(text), "f")
    return text.removesuffix(".0")


def _duration(length: timedelta) -> str:
    """Return hours, minutes and seconds, as spreadsheets show a duration."""
    seconds = round(length.total_seconds())
    sign = "-" if seconds < 0 else ""
    hours, rest = divmod(abs(seconds), 3600)
    return f"{sign}{hours:02d}:{rest // 60:02d}:{rest % 60:02d}"


# --- records ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Column:
    """A column of a sheet: where it is, which raw column it serves (None: none), its key in ``_extra``, its type."""

    index: int
    owner: str | None
    key: str
    logical_type: str


def _columns(table: Table, card: Card, *, ours: bool = False) -> list[_Column]:
    """Return the columns of a table; of those that halle added, only the references unless ``ours``."""
    owners = {normalise(header): name for name, header in table.names.mapping.items()}
    spare = [index for index, header in enumerate(table.headers) if normalise(header) not in owners]
    keys = dict(zip(spare, distinct(table.headers[index] for index in spare), strict=True))
    columns = []
    for index, header in enumerate(table.headers):
        owner = owners.get(normalise(header))
        logical_type = card.column(owner).logical_type if owner else ""
        if ours or not is_ours(header):
            columns.append(_Column(index, owner, keys.get(index, ""), logical_type))
        elif normalise(header) == REFERENCE:
            columns.append(_Column(index, None, REFERENCE, ""))
    return columns


def _records(book: Workbook, table: Table, columns: Sequence[_Column]) -> Iterator[tuple[int, list[str]]]:
    """Yield the row (from 1) and the texts, one per column, of every row below the header that is not blank."""
    for number, cells in enumerate(book.rows(table.sheet)):
        if number <= table.header_row:
            continue
        texts = [
            text_of(cells[column.index], column.logical_type, book.epoch) if column.index < len(cells) else ""
            for column in columns
        ]
        # A row of which only the reference is left has been emptied by who corrects.
        if any(text.strip() for text, column in zip(texts, columns, strict=True) if column.key != REFERENCE):
            yield number + 1, texts


def read_spreadsheet(
    path: Path, match: Match, card: Card, delivery_id: str, raw_out: Path, malformed_out: Path
) -> ReadCount:
    """Write the raw rows of every table of the workbook; a row is cells whatever it holds, so none is malformed."""
    place = {name: index for index, name in enumerate(raw_columns(card))}
    total = 0
    batch = Batch()
    with (
        open_workbook(path, card.max_bytes) as book,
        RawWriter(card, delivery_id, raw_out, malformed_out) as writer,
    ):
        for table in _tables(book, card, match.layout, path.name):
            columns = _columns(table, card)
            for row, texts in _records(book, table, columns):
                total += 1
                if batch.add(record_number(table.sheet.position, row), _row(texts, columns, place)):
                    batch.move_to(writer)
        batch.move_to(writer)
        return ReadCount(total, writer.rows, writer.malformed, "tolerant")


def _row(texts: Sequence[str], columns: Sequence[_Column], place: dict[str, int]) -> Row:
    cells: list[str | None] = [None] * len(place)
    extra: dict[str, str | None] = {}
    for text, column in zip(texts, columns, strict=True):
        if column.owner is None:
            if text or not _is_void(column.key):
                extra[column.key] = text or None
        elif column.owner in place:
            cells[place[column.owner]] = text
    return Row(cells, compact(extra) if extra else None)


def clean_spreadsheet(path: Path, match: Match, card: Card, out: Path) -> None:
    """Write the workbook anew as XLSX, whatever it was, without its never-load columns: texts only, at their places.

    What stands above the headers, beside the tables, in comments, in other sheets and in the properties of the document
    is dropped: it could hold what may not be stored. The same cells give the same bytes.
    """
    from raw_sources.spreadsheets import new_workbook, sheet_name

    hidden = {column.name for column in card.columns if column.never_load}
    taken: set[str] = set()
    with open_workbook(path, card.max_bytes) as book, new_workbook(out, streaming=True) as target:
        tables = {table.sheet.name: table for table in _tables(book, card, match.layout, path.name)}
        for name in book.sheet_names:
            sheet = target.add_worksheet(sheet_name(name, taken))
            if name in tables:
                _write_without(sheet, book, tables[name], card, hidden)


def _write_without(sheet: Worksheet, book: Workbook, table: Table, card: Card, hidden: set[str]) -> None:
    """Write a table at its place, but for the ``hidden`` columns."""
    columns = [column for column in _columns(table, card, ours=True) if column.owner not in hidden]
    for column in columns:
        sheet.write_string(table.header_row, column.index, table.headers[column.index])
    for row, texts in _records(book, table, columns):
        for column, text in zip(columns, texts, strict=True):
            if text and sheet.write_string(row - 1, column.index, text) != 0:
                raise DeliveryRefused(
                    f"a cell of the column '{table.headers[column.index]}' is longer than a workbook can hold",
                    where=f"{table.sheet.name}, row {row}",
                    hint="Send the table as CSV.",
                )
