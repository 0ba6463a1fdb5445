"""The rows of a mart that may leave, with what is secret left empty: each source by its own rules, and with its past.

Here: from rows to tables of cells and equations, and back from secret cells to rows. Which cells are chosen, and what
can be deduced of them, is in ``disclosure``; what earlier releases showed and hid is read by ``past``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import polars as pl

from exports.disclosure.attack import completed
from exports.disclosure.audit import Release
from exports.disclosure.likeness import Sets, with_known_holders
from exports.disclosure.protect import SECRET, protect_table
from exports.disclosure.rules import FREQUENCY_MARGIN_PCT, Rules, Sensitivity, judge, rules_of
from exports.disclosure.spec import Dimension, Spec
from exports.disclosure.table import Cell, Codes, Hierarchy, Table
from exports.disclosure.tabulate import margin
from exports.past import Held, HeldCell, HeldSource, Past
from exports.secrecy import Axis, Secrecy
from raw_sources.agreements import SecrecyRule
from raw_sources.database import identifier
from raw_sources.errors import ConfigurationError
from raw_sources.files import canonical_json, sha256_text

UNLISTED = "(not listed)"
ROUNDING = 1e-9
PARTIAL = "partial"
"""The status of a floor: a total of those of its parts that are known."""
Flags = npt.NDArray[np.bool_]
Levels = dict[Codes, float]
"""Unsafe cells, and by how much each has to stay uncertain."""


@dataclass(frozen=True)
class Protection:
    """``relation`` are the rows with what is secret left empty, as an SQL relation of the connection.

    ``counts`` say how many figures of each level are secret, by source; ``held`` is what the audit of later releases
    needs, and is secret.
    """

    relation: str
    counts: dict[str, list[dict[str, Any]]]
    held: Held = field(repr=False)


@dataclass
class _Row:
    """What one cell of a source is: its figures, and who is behind the first of them."""

    codes: Codes
    values: tuple[float | None, ...]
    statuses: tuple[str, ...]
    frequency: int | None
    largest: tuple[float, ...] | None
    counts: dict[str, int | None]
    levels: tuple[str, ...]


@dataclass(frozen=True)
class _Figures:
    """The cells of a source that have to be looked at together, and the codes above theirs on each axis."""

    secrecy: Secrecy
    rows: dict[Codes, _Row]
    parents: tuple[dict[str, str], ...]
    where: str


def protect_rows(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    secrecy: Secrecy,
    rules: Mapping[str, Sequence[SecrecyRule]],
    past: Sequence[Past],
    where: str,
) -> Protection:
    """Leave empty in ``relation`` what ``rules`` (by source) make secret, and what would give it back.

    ``past`` are the earlier releases, oldest first. Raises ``ConfigurationError`` for figures that do not add up as
    the card says, ``GateClosed`` when something secret can be deduced all the same.
    """
    frame = _read(connection, relation, secrecy)
    emptied: list[pl.DataFrame] = []
    counts: dict[str, list[dict[str, Any]]] = {}
    held: Held = {}
    for source in sorted(rules):
        rows = frame.filter(pl.col(secrecy.source) == source)
        figures = _figures(rows, secrecy, f"{where}: {source}")
        secret, held[source] = _secret_of(figures, source, rules[source], past)
        counts[source] = _counted(figures, secret)
        emptied.append(_keys(rows, secrecy, secret))
    return Protection(_emptied(connection, relation, secrecy, emptied), counts, held)


# --- from rows to cells ---------------------------------------------------------------------------------------------


def _read(connection: duckdb.DuckDBPyConnection, relation: str, secrecy: Secrecy) -> pl.DataFrame:
    names = ", ".join(map(identifier, secrecy.needed))
    return connection.execute(f"SELECT {names} FROM {relation}").pl().select(_chosen(secrecy))


def _chosen(secrecy: Secrecy) -> list[pl.Expr]:
    """Return the columns that protection reads: codes and statuses as text, figures and counts as numbers."""
    numbers = {*(one.value for one in secrecy.figures), *secrecy.judging}
    return [pl.col(name).cast(pl.Float64 if name in numbers else pl.String) for name in secrecy.needed]


def code(axis: Axis, row: Mapping[str, Any]) -> str:
    """Return the code of a row on an axis: its level comes first, where codes of several levels share a column."""
    own = row[axis.column] or ""
    return f"{row[axis.level]} {own}" if axis.level else str(own)


def _figures(frame: pl.DataFrame, secrecy: Secrecy, where: str) -> _Figures:
    rows: dict[Codes, _Row] = {}
    parents: tuple[dict[str, str], ...] = tuple({} for _ in secrecy.axes)
    for record in frame.iter_rows(named=True):
        row = _row(record, secrecy)
        known = rows.setdefault(row.codes, row)
        if known is not row:
            rows[row.codes] = _same(known, row, secrecy, where)
        for axis, own, found in zip(secrecy.axes, row.codes, parents, strict=True):
            if axis.parent is not None and record[axis.parent] is not None:
                above = f"{axis.parent_level} {record[axis.parent]}" if axis.parent_level else record[axis.parent]
                if above != own:
                    found[own] = above
    present = [{codes[place] for codes in rows} for place in range(len(secrecy.axes))]
    told = tuple(
        _parents(axis, found, codes) for axis, found, codes in zip(secrecy.axes, parents, present, strict=True)
    )
    return _Figures(secrecy, rows, told, where)


def _row(record: Mapping[str, Any], secrecy: Secrecy) -> _Row:
    frequency = record[secrecy.frequency]
    told = [record[name] for name in secrecy.largest]
    largest = tuple(float(one) for one in told if one is not None)
    return _Row(
        codes=tuple(code(axis, record) for axis in secrecy.axes),
        values=tuple(record[one.value] for one in secrecy.figures),
        statuses=tuple(record[one.status] for one in secrecy.figures),
        frequency=None if frequency is None else int(frequency),
        largest=largest if largest else None,
        counts={unit: _whole(record[name]) for unit, name in secrecy.counts.items()},
        levels=tuple(str(record[axis.level]) if axis.level else "" for axis in secrecy.axes),
    )


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _same(one: _Row, other: _Row, secrecy: Secrecy, where: str) -> _Row:
    """Return two rows of one cell as one; what they both give has to be the same."""
    for figure, first, second in zip(secrecy.figures, one.values, other.values, strict=True):
        share = max(secrecy.rounding_pct / 100, ROUNDING)
        if first is not None and second is not None and not math.isclose(first, second, rel_tol=share):
            raise ConfigurationError(
                f"two rows of {', '.join(one.codes)} differ in {figure.value}.",
                where=where,
                hint="Name under secrecy.axes every column that tells figures apart.",
            )
    return replace(
        one,
        values=tuple(a if a is not None else b for a, b in zip(one.values, other.values, strict=True)),
        frequency=one.frequency if one.frequency is not None else other.frequency,
        largest=one.largest or other.largest,
        counts={unit: other.counts[unit] if count is None else count for unit, count in one.counts.items()},
    )


def _parents(axis: Axis, told: Mapping[str, str], present: Iterable[str]) -> dict[str, str]:
    """Return the nearest code above each that is among those ``present``."""
    known, tops = set(present), {*axis.parents.values(), axis.above}

    def above(one: str) -> str | None:
        return axis.parents.get(one) or told.get(one) or (None if one in tops else axis.above)

    nearest: dict[str, str] = {}
    for one in sorted(known):
        seen, parent = {one}, above(one)
        while parent is not None and parent not in known and parent not in seen:
            seen.add(parent)
            parent = above(parent)
        if parent is not None and parent in known:
            nearest[one] = parent
    return nearest


# --- from cells to tables -------------------------------------------------------------------------------------------


def _table(figures: _Figures, cells: Iterable[Cell], *, is_past: bool = False) -> Table:
    """Return the table of ``cells`` of one figure, with what is not listed and the sums that readers count on."""
    secrecy = figures.secrecy
    known = {cell.codes: cell for cell in cells}
    parents = [dict(one) for one in figures.parents]
    for place, axis in enumerate(secrecy.axes):
        if axis.open:
            _add_unlisted(known, place, parents[place], secrecy.rounding_pct / 100)
    hierarchies = []
    for place, (axis, above) in enumerate(zip(secrecy.axes, parents, strict=True)):
        codes = {one[place] for one in known}
        kept = {child: parent for child, parent in above.items() if child in codes}
        hierarchies.append(Hierarchy(axis.column, kept, None, tuple(sorted(codes - kept.keys()))))
    table = Table.of(known.values(), hierarchies)
    table = replace(table, rounding=max(table.rounding, secrecy.rounding_pct / 100))
    return _with_sums_that_hold(table, figures, refuse=secrecy.unequal == "refused" and not is_past)


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


def _with_sums_that_hold(table: Table, figures: _Figures, *, refuse: bool) -> Table:
    """Return the table with those of its equations that hold; a floor is the sum of those of its parts that are known.

    Raises ``ConfigurationError`` for a published total that is not the sum of its parts, if asked to ``refuse`` it.
    """
    hidden = np.isnan(table.values)
    equations = []
    for one in table.equations:
        row = figures.rows.get(table.cells[one.total].codes)
        is_floor = row is not None and PARTIAL in row.statuses
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


# --- what is secret -------------------------------------------------------------------------------------------------


def _secret_of(
    figures: _Figures, source: str, given: Sequence[SecrecyRule], past: Sequence[Past]
) -> tuple[set[Codes], HeldSource]:
    """Return the cells to leave empty, and what has to be held of them."""
    unsafe = _unsafe(figures, rules_of((one.rule, one.parameters) for one in given))
    settings = _settings(figures.secrecy, given)
    earlier = [_Earlier.of(one, source, figures) for one in past]
    newest = {one.slug: told for one, told in zip(past, earlier, strict=True)}.values()
    concerned = _concerned(figures, unsafe, earlier)
    secret: set[Codes] = set()
    releases: list[Release] = []
    for place in range(len(figures.secrecy.figures)):
        levels = unsafe if place == 0 else _by_margin(figures, unsafe, place)
        kept = secret.union(*(one.still_secret(figures, place, settings) for one in newest))
        release = _protected(figures, place, levels, kept & concerned, concerned, earlier)
        releases.append(release)
        secret |= {cell.codes for cell, empty in zip(release.table.cells, release.suppressed, strict=True) if empty}
    secret &= figures.rows.keys()
    cells = {
        figure.value: _held_cells(release, {codes for codes in secret if figures.rows[codes].values[place] is not None})
        for place, (figure, release) in enumerate(zip(figures.secrecy.figures, releases, strict=True))
    }
    return secret, HeldSource(settings, cells)


def _settings(secrecy: Secrecy, given: Sequence[SecrecyRule]) -> str:
    """Return the digest of all by which secret cells are chosen. It is held with what is secret, and never told."""
    chosen_by = replace(secrecy, figures=secrecy.figures[:1], beside=())
    return sha256_text(canonical_json([asdict(chosen_by), [asdict(one) for one in given]]))


def _unsafe(figures: _Figures, rules: Rules) -> Levels:
    cells = _with_margins(figures)
    hierarchies = [
        Hierarchy(axis.column, {}, None, tuple(sorted({codes[place] for codes in figures.rows})))
        for place, axis in enumerate(figures.secrecy.axes)
    ]
    table = Table.of((cell for cell, _ in cells.values()), hierarchies)
    counts = {unit: [told[unit] for _, told in cells.values()] for unit in figures.secrecy.counts}
    found = judge(table, rules.rules, counts, figures.secrecy.contributors, strict=False)
    return {
        cell.codes: float(found.upper[place])
        for place, cell in enumerate(table.cells)
        if found.unsafe[place] and cell.value is not None
    }


def _with_margins(figures: _Figures) -> dict[Codes, tuple[Cell, dict[str, int | None]]]:
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
        cell, counts = _cell(row, 0), dict(row.counts)
        for axis, children in zip(figures.secrecy.axes, below, strict=True):
            parts = [found[one] for one in children.get(codes, ())]
            if parts:
                cell = _as_its_parts(cell, margin(codes, [part for part, _ in parts], axis.repeated))
                for unit in (unit for unit, count in counts.items() if count is None):
                    known = [told[unit] for _, told in parts]
                    counts[unit] = None if None in known else max(count for count in known if count is not None)
        found[codes] = cell, counts
    return found


def _children(figures: _Figures, place: int) -> dict[Codes, list[Codes]]:
    found: dict[Codes, list[Codes]] = {}
    for codes in figures.rows:
        above = figures.parents[place].get(codes[place])
        key = (*codes[:place], above or "", *codes[place + 1 :])
        if above is not None and key in figures.rows:
            found.setdefault(key, []).append(codes)
    return found


def _cell(row: _Row, place: int) -> Cell:
    if place > 0:
        return Cell(row.codes, row.values[place], row.frequency)
    largest = row.largest
    if largest is not None and row.frequency is not None:
        largest = largest[: row.frequency]
    return Cell(row.codes, row.values[0], row.frequency, largest)


def _as_its_parts(cell: Cell, parts: Cell) -> Cell:
    """Return the cell with what it does not tell of its contributors as its parts have it."""
    frequency = parts.frequency if cell.frequency is None else cell.frequency
    return replace(cell, frequency=frequency, contributions=cell.contributions or parts.contributions)


def _by_margin(figures: _Figures, unsafe: Levels, place: int) -> Levels:
    """Return the levels of another figure of the same cells, of which no contribution is told."""
    values = ((codes, figures.rows[codes].values[place]) for codes in unsafe)
    return {codes: FREQUENCY_MARGIN_PCT / 100 * value for codes, value in values if value is not None}


def _concerned(figures: _Figures, unsafe: Levels, earlier: Sequence[_Earlier]) -> set[Codes]:
    """Return the cells that sums tie to a secret one, of this release or an earlier one: of all others all is told."""
    everything = dict.fromkeys([*figures.rows, *(codes for one in earlier for codes in one.figures.rows)])
    number = {codes: place for place, codes in enumerate(everything)}
    sets = Sets(len(number))
    for codes in everything:
        for place, one in enumerate(codes):
            for parents in (figures.parents, *(each.figures.parents for each in earlier)):
                above = (*codes[:place], parents[place].get(one, ""), *codes[place + 1 :])
                if above in number:
                    sets.join(number[codes], number[above])
    secret = {codes for one in (figures, *(each.figures for each in earlier)) for codes in _hidden(one)} | unsafe.keys()
    roots = {sets.find(number[codes]) for codes in secret}
    return {codes for codes, place in number.items() if sets.find(place) in roots}


def _hidden(figures: _Figures) -> set[Codes]:
    return {codes for codes, row in figures.rows.items() if SECRET in row.statuses}


def _protected(
    figures: _Figures, place: int, levels: Levels, kept: set[Codes], concerned: set[Codes], earlier: Sequence[_Earlier]
) -> Release:
    rows = [figures.rows[codes] for codes in sorted(concerned & figures.rows.keys())]
    hidden = {row.codes for row in rows if row.values[place] is None and row.statuses[place] == SECRET}
    table = _filled(_table(figures, [_cell(row, place) for row in rows]))
    filled = {cell.codes: cell.value or 0.0 for cell in table.cells if cell.codes in hidden}
    # What the producer hides, nobody here knows: the value that the sums leave stands for it.
    levels = levels | {codes: FREQUENCY_MARGIN_PCT / 100 * value for codes, value in filled.items()}
    unsafe = np.array([cell.codes in levels for cell in table.cells], dtype=np.bool_)
    upper = np.array([levels.get(cell.codes, 0.0) for cell in table.cells])
    sensitivity = Sensitivity(unsafe, upper, np.minimum(upper, table.values))
    empty = np.array([cell.codes in kept for cell in table.cells], dtype=np.bool_)
    dimensions = tuple(Dimension(axis.column) for axis in figures.secrecy.axes)
    spec = Spec(dimensions, figures.secrecy.figures[place].value, Rules(()), cost=figures.secrecy.cost)
    before = [one.release(figures, place, concerned, filled) for one in earlier if one.tells(place)]
    found = protect_table(with_known_holders(table), sensitivity, spec, before, empty)
    found.refuse_risks()
    return found.release


def _filled(table: Table) -> Table:
    """Return the table with some values, among those that sums allow, for what nobody here knows; it stays unseen."""
    if not np.isnan(table.values).any():
        return table
    sums = [(one.total, one.children) for one in table.equations]
    nothing, everything = np.zeros(len(table)), np.full(len(table), np.inf)
    values = completed(sums, table.values, nothing, everything, table.rounding)
    cells = [
        replace(cell, value=float(value), published=False) if cell.value is None else cell
        for cell, value in zip(table.cells, values, strict=True)
    ]
    return replace(table, cells=tuple(cells), values=values)


# --- earlier releases -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Earlier:
    """An earlier release of a source: its cells as published, and what is held of those that were empty.

    ``columns`` are those that were published.
    """

    figures: _Figures
    held: HeldSource | None
    columns: frozenset[str]

    @classmethod
    def of(cls, past: Past, source: str, now: _Figures) -> _Earlier:
        secrecy = now.secrecy
        absent = [name for name in secrecy.needed if name not in past.rows.columns]
        frame = past.rows.with_columns(pl.lit(None).alias(name) for name in absent)
        rows = frame.filter(pl.col(secrecy.source) == source).select(_chosen(secrecy))
        return cls(_figures(rows, secrecy, past.release), past.held.get(source), frozenset(past.rows.columns))

    def tells(self, place: int) -> bool:
        """Tell whether it has the figure at all."""
        return self.figures.secrecy.figures[place].value in self.columns

    def _cells(self, place: int) -> dict[Codes, HeldCell]:
        held = self.held.cells.get(self.figures.secrecy.figures[place].value, []) if self.held else []
        return {one.codes: one for one in held}

    def still_secret(self, now: _Figures, place: int, settings: str) -> set[Codes]:
        """Return what was empty and is the same figure now: what was secret stays so, as long as the rules do."""
        if self.held is None or self.held.settings != settings:
            return set()
        return {codes for codes, held in self._cells(place).items() if _is_same(held, now, place)}

    def release(self, now: _Figures, place: int, concerned: set[Codes], filled: Mapping[Codes, float]) -> Release:
        """Return the release as an audit takes it. Of a figure that is the same now, the rules of today judge.

        ``filled`` stand for what the producer hides now, and so for what it hid then.
        """
        held = self._cells(place)
        rows = [self.figures.rows[codes] for codes in sorted(concerned & self.figures.rows.keys())]
        cells = [held[row.codes].cell if row.codes in held else _cell(row, place) for row in rows]
        cells = [
            replace(cell, value=filled[cell.codes], published=False)
            if cell.value is None and cell.codes in filled
            else cell
            for cell in cells
        ]
        table = with_known_holders(_table(self.figures, cells, is_past=True))
        levels = [held.get(cell.codes) for cell in table.cells]
        sensitivity = Sensitivity(
            np.array([one is not None and one.unsafe and not _is_same(one, now, place) for one in levels], np.bool_),
            np.array([one.upper if one is not None else 0.0 for one in levels]),
            np.array([one.lower if one is not None else 0.0 for one in levels]),
        )
        return Release(table, np.array([one is not None for one in levels], dtype=np.bool_), sensitivity)


def _is_same(held: HeldCell, now: _Figures, place: int) -> bool:
    return held.codes in now.rows and now.rows[held.codes].values[place] == held.value


def _held_cells(release: Release, secret: set[Codes]) -> list[HeldCell]:
    levels = release.sensitivity
    return [
        HeldCell(cell, bool(levels.unsafe[place]), float(levels.upper[place]), float(levels.lower[place]))
        for place, cell in enumerate(release.table.cells)
        if cell.codes in secret
    ]


# --- back to rows ---------------------------------------------------------------------------------------------------


def _counted(figures: _Figures, secret: set[Codes]) -> list[dict[str, Any]]:
    """Return how many rows each level has, and how many of its figures are secret. No parameter can be told from it."""
    found: dict[tuple[str, ...], dict[str, int]] = {}
    for codes, row in figures.rows.items():
        counted = found.setdefault(
            _level(figures, row), {"cells": 0, **{one.value: 0 for one in figures.secrecy.figures}}
        )
        counted["cells"] += 1
        for figure, value, status in zip(figures.secrecy.figures, row.values, row.statuses, strict=True):
            counted[figure.value] += status == SECRET or (codes in secret and value is not None)
    axes = [axis.column for axis in figures.secrecy.axes]
    return [
        {
            "level": {name: word for name, word in zip(axes, level, strict=True) if word},
            "cells": counted.pop("cells"),
            "secret": counted,
        }
        for level, counted in sorted(found.items())
    ]


def _level(figures: _Figures, row: _Row) -> tuple[str, ...]:
    """Return the level of a row on each axis: as its column says, else its code where it is a total, else each code."""
    words = []
    for axis, parents, one, told in zip(figures.secrecy.axes, figures.parents, row.codes, row.levels, strict=True):
        is_total = one in parents.values()
        words.append(told if axis.level else "" if not axis.adds_up else one if is_total else "each")
    return tuple(words)


def _keys(rows: pl.DataFrame, secrecy: Secrecy, secret: set[Codes]) -> pl.DataFrame:
    """Return the columns that tell the rows of secret cells."""
    told = [secrecy.source, *(name for one in secrecy.axes for name in (one.column, one.level) if name is not None)]
    keys = rows.select(list(dict.fromkeys(told)))
    is_secret = [tuple(code(axis, row) for axis in secrecy.axes) in secret for row in keys.iter_rows(named=True)]
    return keys.filter(pl.Series(is_secret, dtype=pl.Boolean)).unique(maintain_order=True)


def _emptied(
    connection: duckdb.DuckDBPyConnection, relation: str, secrecy: Secrecy, keys: Sequence[pl.DataFrame]
) -> str:
    """Write the rows with their secret figures emptied into a table of the connection; return its name."""
    names = keys[0].columns
    columns = ", ".join(f"{identifier(name)} VARCHAR" for name in names)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE secret_cells ({columns})")
    listed = [row for frame in keys for row in frame.iter_rows()]
    if listed:
        connection.executemany(f"INSERT INTO secret_cells VALUES ({', '.join('?' * len(names))})", listed)
    same = " AND ".join(
        f"CAST(given.{identifier(name)} AS VARCHAR) IS NOT DISTINCT FROM hidden.{identifier(name)}" for name in names
    )
    emptied = ", ".join(
        f"CASE WHEN hidden.cell IS NULL THEN given.{value} END AS {value}, "
        f"CASE WHEN hidden.cell IS NULL OR given.{value} IS NULL THEN given.{status} ELSE '{SECRET}' END AS {status}"
        for value, status in ((identifier(one.value), identifier(one.status)) for one in secrecy.emptied)
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE protected_rows AS SELECT given.* REPLACE ({emptied}) "
        f"FROM {relation} AS given LEFT JOIN (SELECT *, true AS cell FROM secret_cells) AS hidden ON {same}"
    )
    return "protected_rows"
