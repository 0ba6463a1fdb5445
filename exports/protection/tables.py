"""Cells as a table of one figure: what is not listed, which sums readers count on, and what a producer hides.

The table's own arithmetic is in ``disclosure.table``; which cells are unsafe is in ``judging``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from exports.disclosure.hidden import given_away as levels_given_away
from exports.disclosure.table import Cell, Codes, Equation, Hierarchy, Table
from exports.protection.cells import ROUNDING, Figures
from exports.protection.judging import Levels
from exports.protection.ties import parts_of
from exports.secrecy import Secrecy
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
    tied = _tied(known, figures, place)
    hierarchies = []
    for number, (axis, above) in enumerate(zip(secrecy.axes, parents, strict=True)):
        codes = {one[number] for one in known}
        kept = {child: parent for child, parent in above.items() if child in codes}
        hierarchies.append(Hierarchy(axis.column, kept, None, tuple(sorted(codes - kept.keys()))))
    table = Table.of(known.values(), hierarchies)
    index = table.index
    sums = tuple(Equation(index[total], tuple(index[part] for part in parts)) for total, parts in tied)
    table = replace(table, equations=table.equations + sums, rounding=_rounding(secrecy))
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


def _tied(known: dict[Codes, Cell], figures: Figures, place: int) -> list[tuple[Codes, tuple[Codes, ...]]]:
    """Return the further sums of the cells; adds a cell that nobody sees for what listed parts leave of a total.

    Who has all the parts is not said. Where all are known somewhere and leave something, some are not listed anywhere;
    else they are taken to be all: then a part that is hidden is what the others leave.
    """
    rounding = _rounding(figures.secrecy)
    values = {codes: row.values[place] for codes, row in figures.rows.items()}
    totals: dict[tuple[int, str], list[Codes]] = {}
    for codes in values:
        for axis, _ in figures.secrecy.ties:
            totals.setdefault((axis, codes[axis]), []).append(codes)
    found = []
    for parts in parts_of(figures):
        cells = dict.fromkeys(totals.get((parts.place, parts.total), ()))
        given = {codes: [part for part in parts.of(codes) if part in values] for codes in cells}
        left = {codes: _left(values[codes], [values[part] for part in some], rounding) for codes, some in given.items()}
        is_open = any(rest is not None and rest[0] is not None for codes, rest in left.items() if given[codes])
        for codes, rest in left.items():
            below = tuple(part for part in given[codes] if part in known)
            if codes not in known or not below:
                continue
            if is_open and rest is not None:
                more = parts.unlisted(codes, UNLISTED)
                known[more] = Cell(more, rest[0], published=False)
                below = (*below, more)
            found.append((codes, below))
    return found


def _rounding(secrecy: Secrecy) -> float:
    """Return by which share of a total its parts may miss it."""
    return max(ROUNDING, secrecy.rounding_pct / 100)


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


def given_away(table: Table, hidden: set[Codes]) -> Levels:
    """Return the levels of what the producer hides and the sums of all that could be shown would give away."""
    unknown = np.array([cell.codes in hidden for cell in table.cells], dtype=np.bool_)
    return {table.cells[place].codes: level for place, level in levels_given_away(table, unknown).items()}
