"""What form an unknown workbook has: the sheet that holds most, its header, its columns.

What a row is judged by is the same as in text with separators (``shape``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from raw_sources.drafting.shape import (
    HEAD_ROWS,
    Header,
    Row,
    Shape,
    first_record,
    headers_of,
    is_filled,
    refusal,
    typed_columns,
)
from raw_sources.readers.match import normalise
from raw_sources.readers.spreadsheet import HEADER_WITHIN_ROWS, record_number, text_of
from raw_sources.readers.workbook import Sheet, Workbook, open_workbook

MOST_EXPANDED_BYTES = 1 << 30


def workbook_shape(path: Path) -> Shape:
    """Return the form of a workbook. Raises DeliveryRefused when no sheet looks like a table below a header."""
    with open_workbook(path, MOST_EXPANDED_BYTES) as book:
        visible = [sheet for sheet in book.sheets if not sheet.is_hidden and sheet.facts.rows]
        if not visible:
            raise refusal(path, "no sheet of the workbook holds anything", "A draft needs at least one record.")
        sheet = max(visible, key=lambda one: one.facts.rows * one.facts.columns)
        rows = _rows(book, sheet)
        others = [one.name for one in visible if one is not sheet]
    full = _full(rows)
    first = first_record(full, typed_columns(full)) if full else None
    if first is None:
        what = f"no row of the sheet '{sheet.name}' looks like a record"
        raise refusal(path, what, "A header alone says nothing of the values.")
    reachable = [row for row in full[:first] if row.line <= HEADER_WITHIN_ROWS]
    if not reachable:
        what = f"no header stands in the first {HEADER_WITHIN_ROWS} rows of the sheet '{sheet.name}'"
        raise refusal(
            path, f"{what}, before the first record on row {full[first].line}", "Write one above the columns."
        )
    header = max(reachable, key=_names)
    above = [row for row in full[:first] if row is not header]
    return Shape(
        form="spreadsheet",
        encoding="utf-8",
        marked=False,
        headers=_headers(header, above, rows),
        header_line=header.line,
        skipped=record_number(sheet.position, full[first].line - 1),
        remarks=tuple(_remarks(sheet, header, full[first], above, others)),
    )


def _rows(book: Workbook, sheet: Sheet) -> list[Row]:
    """Return the first rows that are not blank, as texts, all of one width."""
    width = sheet.facts.columns
    rows = []
    for number, cells in enumerate(islice(book.rows(sheet), HEAD_ROWS), start=1):
        texts = tuple(text_of(cell, "", book.epoch) for cell in cells)
        if any(text.strip() for text in texts):
            rows.append(Row(number, texts + ("",) * (width - len(texts))))
    return rows


def _full(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that are filled like the others: a title or a note fills a cell or two."""
    filled = {row.line: sum(map(is_filled, row.cells)) for row in rows}
    usual = Counter(filled.values()).most_common(1)[0][0] if rows else 0
    return [row for row in rows if 2 * filled[row.line] >= usual]


def _names(row: Row) -> tuple[int, int]:
    return len({normalise(cell) for cell in row.cells} - {""}), row.line


def _headers(header: Row, above: Sequence[Row], rows: Sequence[Row]) -> tuple[Header, ...]:
    """Return the columns; one without a name and without a cell is none."""
    below = [row for row in rows if row.line > header.line]
    void = {index for index, _ in enumerate(header.cells) if not any(row.cells[index].strip() for row in below)}
    return tuple(
        one
        for index, one in enumerate(headers_of(header.cells, above, by_position=False))
        if one.text.strip() or index not in void
    )


def _remarks(sheet: Sheet, header: Row, first: Row, above: Sequence[Row], others: Sequence[str]) -> Iterator[str]:
    yield f"the columns are those of the sheet '{sheet.name}'. Is it the one to read?"
    if others:
        listed = ", ".join(f"'{name}'" for name in others)
        yield (
            f"the workbook also has {listed}. A sheet with the same headers is read too, another one is left aside; "
            "`sheet` in the layout names the ones to read. Which ones?"
        )
    if header.line > 1:
        yield f"the header stands on row {header.line}; the rows above it are dropped. Do they say anything else?"
    if first.line > header.line + 1:
        yield (
            f"{first.line - header.line - 1} row(s) between the header and the first record are no records; the "
            "staging model refuses those that are not blank. Can the producer send the file without them?"
        )
    if above:
        yield "the other header rows are quoted in the descriptions of the columns. Are they the same in every file?"
