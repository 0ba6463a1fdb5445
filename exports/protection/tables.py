"""Cells as a table of one figure: what is not listed, which sums readers count on, and what a producer hides.

The table's own arithmetic is in ``disclosure.table``; which cells are unsafe is in ``judging``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from exports.disclosure.attack import completed
from exports.disclosure.audit import Release, audit
from exports.disclosure.rules import FREQUENCY_MARGIN_PCT, Sensitivity
from exports.disclosure.table import Cell, Codes, Hierarchy, Table
from exports.protection.cells import ROUNDING, Figures
from exports.protection.judging import Levels
from raw_sources.errors import ConfigurationError

UNLISTED = "(not listed)"
PARTIAL = "partial"
"""The status of a floor: a total of those of its parts that are known."""


def table_of(figures: Figures, place: int, cells: Iterable[Cell], *, is_past: bool = False) -> Table:
    """Return the table of ``cells`` of one figure, with what is not listed and the sums that readers count on."""
    secrecy = figures.secrecy
    known = {cell.codes: cell for cell in cells}
    parents = [dict(one) for one in figures.parents]
    for number, axis in enumerate(secrecy.axes):
        if axis.open:
            _add_unlisted(known, number, parents[number], secrecy.rounding_pct / 100)
    hierarchies = []
    for number, (axis, above) in enumerate(zip(secrecy.axes, parents, strict=True)):
        codes = {one[number] for one in known}
        kept = {child: parent for child, parent in above.items() if child in codes}
        hierarchies.append(Hierarchy(axis.column, kept, None, tuple(sorted(codes - kept.keys()))))
    table = Table.of(known.values(), hierarchies)
    table = replace(table, rounding=max(table.rounding, secrecy.rounding_pct / 100))
    return _with_sums_that_hold(table, figures, place, refuse=secrecy.unequal == "refused" and not is_past)


def _add_unlisted(known: dict[Codes, Cell], place: int, parents: dict[str, str], rounding: float) -> None:
    """Add, below each total of an axis, a cell that nobody sees for what its parts leave."""
    children: dict[str, list[str]] = {}
    for child, parent in parents.items():
        children.setdefault(parent, []).append(child)
    for parent, below in children.items():
        rest = f"{parent} {UNLISTED}"
        for codes in [one for one in known if one[place] == parent]:
            parts = [known.get((*codes[:place], one, *codes[place + 1 :])) for one in below]
            left = _left(known[codes].value, [one.value for one in parts if one is not None], rounding)
            if left is not None:
                key = (*codes[:place], rest, *codes[place + 1 :])
                known[key] = Cell(key, left[0], published=False)
                parents[rest] = parent


def _left(total: float | None, parts: Sequence[float | None], rounding: float) -> tuple[float | None] | None:
    """Return what ``parts`` leave of ``total`` (None: nobody knows), or None where they leave nothing."""
    values = [one for one in parts if one is not None]
    if total is None or len(values) < len(parts):
        return (None,)
    rest = total - math.fsum(values)
    return (rest,) if rest > max(rounding, ROUNDING) * total else None


def _with_sums_that_hold(table: Table, figures: Figures, place: int, *, refuse: bool) -> Table:
    """Return the table with those of its equations that hold; a floor is the sum of those of its parts that are known.

    Raises ``ConfigurationError`` for a published total that is not the sum of its parts, if asked to ``refuse`` it.
    """
    hidden = np.isnan(table.values)
    equations = []
    for one in table.equations:
        row = figures.rows.get(table.cells[one.total].codes)
        is_floor = row is not None and row.statuses[place] == PARTIAL
        children = tuple(child for child in one.children if not (is_floor and hidden[child]))
        equation = replace(one, children=children)
        if children and table.gap(equation) == 0:
            equations.append(equation)
        elif children and refuse and all(table.cells[cell].published for cell in (one.total, *children)):
            raise ConfigurationError(
                f"the total {table.label(one.total)} is not the sum of its parts.",
                where=figures.where,
                hint="Say in the card's secrecy which axis is open, how figures are rounded, or that they are apart.",
            )
    return replace(table, equations=tuple(equations))


def filled_in(table: Table) -> Table:
    """Return the table with some values, among those that sums allow, for what nobody here knows; it stays unseen."""
    if not np.isnan(table.values).any():
        return table
    sums = [(one.total, one.children) for one in table.equations]
    nothing, everything = np.zeros(len(table)), np.full(len(table), np.inf)
    values = completed(sums, table.values, nothing, everything, table.rounding / 2)
    cells = [
        replace(cell, value=float(value), published=False) if cell.value is None else cell
        for cell, value in zip(table.cells, values, strict=True)
    ]
    return replace(table, cells=tuple(cells), values=values)


def given_away(table: Table, hidden: set[Codes]) -> Levels:
    """Return the levels of what the producer hides and the sums of all that could be shown would give away.

    Nobody here knows the value: where the sums leave it little room, it is what they leave.
    """
    if not hidden:
        return {}
    unknown = np.array([cell.codes in hidden for cell in table.cells], dtype=np.bool_)
    nothing = np.zeros(len(table))
    found = audit(Release(table, unknown, Sensitivity(np.zeros_like(unknown), nothing, nothing)), exact=True)
    margin_of = FREQUENCY_MARGIN_PCT / 100 * table.values
    return {
        table.cells[place].codes: float(margin_of[place])
        for place in np.flatnonzero(unknown).tolist()
        if found.high[place] - found.low[place] < 2 * margin_of[place]
    }
