"""Every refused record of a source, from the analysts' copy, with the place where it was found.

How many were refused and for which reasons is in ``inquiry``; how they are written for people belongs in
``raw_sources.corrections`` and ``orchestration.reporting``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property

import duckdb
import polars as pl

from orchestration.inquiry import analysts_copy
from orchestration.workspace import Workspace
from raw_sources.card import Card
from raw_sources.corrections import Place, RefusedRow, UnreadRow
from raw_sources.landing import Landing
from raw_sources.readers.spreadsheet import layouts_for, place_of

REFUSED = """
select rejects.delivery_id, rejects.record_no, rejects.reason, rejects.record
from ops.rejects as rejects
left join ops.deliveries as deliveries using (source, delivery_id)
where rejects.source = $1
qualify $2 is null
    or row_number() over (
        partition by split_part(rejects.reason, ': ', 1) order by deliveries.delivery_order desc, rejects.record_no
    ) <= $2
order by deliveries.delivery_order, rejects.record_no
"""

UNREAD = """
select malformed.delivery_id, malformed.record_no, malformed.reason, malformed.text, malformed.line_no
from ops.malformed as malformed
left join ops.deliveries as deliveries using (source, delivery_id)
where malformed.source = $1
qualify $2 is null
    or row_number() over (
        partition by split_part(malformed.reason, ': ', 1) order by deliveries.delivery_order desc, malformed.record_no
    ) <= $2
order by deliveries.delivery_order, malformed.record_no
"""

DELIVERIES = "select delivery_id, file_name, file_date, layout from ops.deliveries where source = ?"

LISTED = """
select source, 'staging' as stage, deliveries.file_name as file, record_no, rejects.reason, record
from ops.rejects as rejects left join ops.deliveries as deliveries using (source, delivery_id)
where $1 is null or source = $1
union all
select source, 'reading', deliveries.file_name, record_no, malformed.reason, text
from ops.malformed as malformed left join ops.deliveries as deliveries using (source, delivery_id)
where $1 is null or source = $1
order by source, stage, file, record_no
"""


@dataclass(frozen=True)
class Refusals:
    """The records of one source that staging refused, and those that could not be read."""

    refused: list[RefusedRow]
    unread: list[UnreadRow]


class Places:
    """Says where the records of a source were found: by row and sheet in a spreadsheet, by number elsewhere."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, workspace: Workspace, card: Card) -> None:
        self._card = card
        self._landing = Landing(workspace.landing_of(card.source))
        self._deliveries = {row[0]: row[1:] for row in connection.execute(DELIVERIES, [card.source]).fetchall()}
        self._sheets: dict[str, tuple[str, ...]] = {}

    @cached_property
    def _workbook_layouts(self) -> set[str]:
        return {layout.name for layout in layouts_for(self._card)}

    def of(self, delivery_id: str, record_no: int, line_no: int | None = None) -> Place:
        """Return the place of a record; ``line_no`` is the line of one that could not be read."""
        file, file_date, layout = self._deliveries.get(delivery_id, (delivery_id, None, None))
        if layout in self._workbook_layouts:
            position, row = place_of(record_no)
            return Place(file, file_date or "", self._sheet_name(delivery_id, position), str(row))
        row_text = f"enregistrement {record_no}" if line_no is None else f"ligne {line_no}"
        return Place(file, file_date or "", "", row_text)

    def _sheet_name(self, delivery_id: str, position: int) -> str:
        if delivery_id not in self._sheets:
            self._sheets[delivery_id] = self._sheet_names(delivery_id)
        names = self._sheets[delivery_id]
        return names[position] if position < len(names) else str(position + 1)

    def _sheet_names(self, delivery_id: str) -> tuple[str, ...]:
        from raw_sources.readers.workbook import open_workbook

        for receipt in self._landing.receipts(self._card.source):
            if receipt.delivery_id == delivery_id:
                with open_workbook(self._landing.file(receipt), self._card.max_bytes) as book:
                    return book.sheet_names
        return ()


def read_refusals(workspace: Workspace, card: Card, each: int | None = None) -> Refusals:
    """Return the refused and the unread records of a source, in the order of deliveries.

    Of each reason the latest ``each`` (None: all); reasons differ by their words, not by the values quoted.
    """
    with analysts_copy(workspace) as connection:
        places = Places(connection, workspace, card)
        refused = connection.execute(REFUSED, [card.source, each]).fetchall()
        unread = connection.execute(UNREAD, [card.source, each]).fetchall()
    return Refusals(
        [RefusedRow(places.of(one, number), reason, _cells(record)) for one, number, reason, record in refused],
        [UnreadRow(places.of(one, number, line), reason, text) for one, number, reason, text, line in unread],
    )


def _cells(record: str | None) -> dict[str, str | None]:
    cells: dict[str, str | None] = json.loads(record or "{}")
    return cells


def listed(workspace: Workspace, source: str | None) -> pl.DataFrame:
    """Return every refused record of one source or of all: source, stage, file, record_no, reason, record."""
    with analysts_copy(workspace) as connection:
        return connection.execute(LISTED, [source]).pl()
