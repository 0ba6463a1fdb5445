"""Which cells the rules of a source make secret by themselves, and by how much each has to stay uncertain.

A cell that cannot be judged is secret. What sums would give back is for ``secret``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from exports.disclosure.protect import SECRET
from exports.disclosure.rules import FREQUENCY_MARGIN_PCT, Rules, judge
from exports.disclosure.table import Cell, Codes, Hierarchy, Table
from exports.disclosure.tabulate import margin
from exports.protection.cells import Figures, Row, cell_of
from exports.secrecy import Secrecy
from raw_sources.agreements import SecrecyRule
from raw_sources.files import canonical_json, sha256_text

Levels = dict[Codes, float]
"""Unsafe cells, and by how much each has to stay uncertain."""


def settings_of(secrecy: Secrecy, given: Sequence[SecrecyRule]) -> str:
    """Return the digest of all by which secret cells are chosen. It is held with what is secret, and never told."""
    chosen_by = replace(secrecy, figures=secrecy.figures[:1], beside=())
    return sha256_text(canonical_json([asdict(chosen_by), [asdict(one) for one in given]]))


def unsafe_cells(figures: Figures, rules: Rules) -> Levels:
    """Return the cells that the rules make secret, or that they cannot judge, with the levels of the first figure."""
    cells = _with_margins(figures)
    hierarchies = [
        Hierarchy(axis.column, {}, None, tuple(sorted({codes[place] for codes in figures.rows})))
        for place, axis in enumerate(figures.secrecy.axes)
    ]
    table = Table.of((_judged(cell, figures.rows[codes]) for codes, (cell, _) in cells.items()), hierarchies)
    counts = {unit: [told[unit] for _, told in cells.values()] for unit in figures.secrecy.counts}
    found = judge(table, rules.rules, counts, figures.secrecy.contributors, strict=False)
    return {
        cell.codes: float(found.upper[place])
        for place, cell in enumerate(table.cells)
        if found.unsafe[place] and (cell.value is not None or SECRET in figures.rows[cell.codes].statuses)
    }


def _judged(cell: Cell, row: Row) -> Cell:
    """Return the cell as rules judge it: where its first figure is not known, others are of as few all the same."""
    is_known = cell.value is not None or SECRET in row.statuses
    return cell if is_known or not any(value is not None for value in row.values) else replace(cell, value=0.0)


def _with_margins(figures: Figures) -> dict[Codes, tuple[Cell, dict[str, int | None]]]:
    """Return all cells, and their counts of other units; totals that do not say who is behind them are as their parts.

    Of other units a total has at least as many as its largest part.
    """
    depths = [
        Hierarchy(axis.column, one).levels for axis, one in zip(figures.secrecy.axes, figures.parents, strict=True)
    ]
    below = [_children(figures, place) for place in range(len(figures.secrecy.axes))]
    found: dict[Codes, tuple[Cell, dict[str, int | None]]] = {}

    def depth(codes: Codes) -> int:
        return sum(levels.get(one, 0) for levels, one in zip(depths, codes, strict=True))

    for codes in sorted(figures.rows, key=lambda one: (-depth(one), one)):
        row = figures.rows[codes]
        cell, counts = cell_of(row, 0), dict(row.counts)
        for axis, children in zip(figures.secrecy.axes, below, strict=True):
            parts = [found[one] for one in children.get(codes, ())]
            if parts:
                cell = _as_its_parts(cell, margin(codes, [part for part, _ in parts], axis.repeated))
                for unit in (unit for unit, count in counts.items() if count is None):
                    known = [told[unit] for _, told in parts]
                    counts[unit] = None if None in known else max(count for count in known if count is not None)
        found[codes] = cell, counts
    return found


def _children(figures: Figures, place: int) -> dict[Codes, list[Codes]]:
    found: dict[Codes, list[Codes]] = {}
    for codes in figures.rows:
        above = figures.parents[place].get(codes[place])
        key = (*codes[:place], above or "", *codes[place + 1 :])
        if above is not None and key in figures.rows:
            found.setdefault(key, []).append(codes)
    return found


def _as_its_parts(cell: Cell, parts: Cell) -> Cell:
    """Return the cell with what it does not tell of its contributors as its parts have it."""
    frequency = parts.frequency if cell.frequency is None else cell.frequency
    return replace(cell, frequency=frequency, contributions=cell.contributions or parts.contributions)


def levels_of(figures: Figures, unsafe: Levels, place: int) -> Levels:
    """Return the levels of a figure: of the first those of the rules, of the others, of which less is told, margins."""
    values = {codes: figures.rows[codes].values[place] for codes in unsafe}
    known = {codes: value for codes, value in values.items() if value is not None}
    if place == 0:
        return {codes: unsafe[codes] for codes in known}
    return {codes: FREQUENCY_MARGIN_PCT / 100 * value for codes, value in known.items()}
