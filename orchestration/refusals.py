"""Every refused record of a source, from the analysts' copy, with the place where it was found.

How many were refused and for which reasons is in ``inquiry``; how they are written for people belongs in
``raw_sources.corrections`` and ``orchestration.reporting``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import duckdb
import polars as pl

from orchestration.inquiry import analysts_copy
from orchestration.reasons import Reasons
from orchestration.workspace import Workspace
from raw_sources.card import Card
from raw_sources.corrections import Place, RefusedRow, UnreadRow, answered_by, reference_of
from raw_sources.landing import Landing
from raw_sources.readers.spreadsheet import layouts_for, place_of

# What a later correction answers is left out: the records $2 of the deliveries $1.
REFUSED = """
with refused as (
    select rejects.delivery_id, rejects.record_no, rejects.reason, rejects.record, deliveries.delivery_order,
        split_part(rejects.reason, ': ', 1) as head
    from ops.rejects as rejects
    left join ops.deliveries as deliveries using (source, delivery_id)
    where rejects.source = $3
        and (rejects.delivery_id, rejects.record_no) not in (select unnest($1::varchar[]), unnest($2::bigint[]))
)
"""

LATEST_REFUSED = f"""
{REFUSED}
select delivery_id, record_no, reason, record
from refused
qualify $4 is null or row_number() over (partition by head order by delivery_order desc, record_no) <= $4
order by delivery_order, record_no
"""

REASONS = f"""
{REFUSED}
select head, false as is_unread, count(*) as records from refused group by head
union all
select split_part(reason, ': ', 1), true, count(*) from ops.malformed where source = $3 group by all
order by is_unread, records desc, head
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

DELIVERIES = """
select delivery_id, file_name, file_date, layout, status = 'loaded' and is_partial
from ops.deliveries
where source = ?
"""

ALL_REFUSED = "select delivery_id, record_no from ops.rejects where source = ?"

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
class Reason:
    """How many records stand refused for one reason: what it says before the value, and the same in French if known."""

    head: str
    head_fr: str | None
    is_unread: bool
    records: int


@dataclass(frozen=True)
class Refusals:
    """The records of one source that staging refused, and those that could not be read.

    Those that a later correction answers are left out, and counted in ``corrected``: the correction's own row is either
    kept or refused in its turn. ``reasons`` are those of all that stand, the most frequent first.
    """

    refused: list[RefusedRow]
    unread: list[UnreadRow]
    reasons: list[Reason]
    corrected: int


class Places:
    """Says where the records of a source were found: by row and sheet in a spreadsheet, by number elsewhere."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, workspace: Workspace, card: Card) -> None:
        self._card = card
        self._landing = Landing(workspace.landing_of(card.source))
        self._deliveries = {row[0]: row[1:4] for row in connection.execute(DELIVERIES, [card.source]).fetchall()}
        self._sheets: dict[str, tuple[str, ...]] = {}

    @cached_property
    def _workbook_layouts(self) -> set[str]:
        return {layout.name for layout in layouts_for(self._card)}

    def of(self, delivery_id: str, record_no: int, line_no: int | None = None) -> Place:
        """Return the place of a record; ``line_no`` is the line of one that could not be read."""
        file, file_date, layout = self._deliveries.get(delivery_id, (delivery_id, None, None))
        reference = reference_of(delivery_id, record_no)
        if layout in self._workbook_layouts:
            position, row = place_of(record_no)
            return Place(file, file_date or "", self._sheet_name(delivery_id, position), str(row), reference)
        row_text = f"enregistrement {record_no}" if line_no is None else f"ligne {line_no}"
        return Place(file, file_date or "", "", row_text, reference)

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


def read_refusals(workspace: Workspace, card: Card, french: Reasons, each: int | None = None) -> Refusals:
    """Return the refused and the unread records of a source, in the order of deliveries, as they stand by now.

    Of each reason the latest ``each`` (None: all); reasons differ by their words, not by the values quoted.
    """
    with analysts_copy(workspace) as connection:
        places = Places(connection, workspace, card)
        corrected = _corrected(connection, workspace, card)
        left_out = [[delivery_id for delivery_id, _ in corrected], [number for _, number in corrected]]
        refused = connection.execute(LATEST_REFUSED, [*left_out, card.source, each]).fetchall()
        unread = connection.execute(UNREAD, [card.source, each]).fetchall()
        counted = connection.execute(REASONS, [*left_out, card.source]).fetchall()
    return Refusals(
        [
            RefusedRow(places.of(one, number), reason, _cells(record), french.of(reason))
            for one, number, reason, record in refused
        ],
        [
            UnreadRow(places.of(one, number, line), reason, text, french.of(reason))
            for one, number, reason, text, line in unread
        ],
        [Reason(head, french.of(head), is_unread, records) for head, is_unread, records in counted],
        len(corrected),
    )


def _corrected(connection: duckdb.DuckDBPyConnection, workspace: Workspace, card: Card) -> list[tuple[str, int]]:
    """Return the delivery and the number of each refused record that a row of a correction answers."""
    workbooks = {layout.name for layout in layouts_for(card)}
    deliveries = connection.execute(DELIVERIES, [card.source]).fetchall()
    raw = workspace.raw_of(card.source) / card.raw_table
    files = [
        raw / f"{one}.parquet" for one, _, _, layout, may_correct in deliveries if may_correct and layout in workbooks
    ]
    columns = ["_delivery_id", "_record_no", "_extra"]
    rows = (row for file in files if file.is_file() for row in pl.read_parquet(file, columns=columns).iter_rows())
    done = answered(rows)
    refused = connection.execute(ALL_REFUSED, [card.source]).fetchall() if done else []
    return [(one, number) for one, number in refused if reference_of(one, number) in done]


def answered(rows: Iterable[tuple[str, int, str | None]]) -> set[str]:
    """Return the references of what the rows of corrections answer, given as delivery, number and ``_extra``.

    Of the rows that answer one record, those before the latest delivery are answered with it: the same sheet was
    corrected again.
    """
    answers = sorted(
        (delivery_id, number, reference)
        for delivery_id, number, extra in rows
        if (reference := answered_by(extra)) is not None
    )
    latest = {reference: delivery_id for delivery_id, _, reference in answers}
    earlier = {reference_of(one, number) for one, number, reference in answers if one != latest[reference]}
    return {*latest, *earlier}


def _cells(record: str | None) -> dict[str, str | None]:
    cells: dict[str, str | None] = json.loads(record or "{}")
    return cells


def listed(workspace: Workspace, source: str | None) -> pl.DataFrame:
    """Return every refused record of one source or of all: source, stage, file, record_no, reason, record."""
    with analysts_copy(workspace) as connection:
        return connection.execute(LISTED, [source]).pl()
