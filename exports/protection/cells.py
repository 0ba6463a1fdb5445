"""The rows of a source as cells: their codes, their figures, who is behind them, and the codes above theirs.

Nothing is judged here, and nothing is left empty.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from exports.disclosure.protect import SECRET
from exports.disclosure.table import Cell, Codes
from exports.protection.past import CODE
from exports.secrecy import Axis, Secrecy
from raw_sources.errors import ConfigurationError

ROUNDING = 1e-9


@dataclass
class Row:
    """What one cell of a source is: its figures, and who is behind the first of them."""

    codes: Codes
    values: tuple[float | None, ...]
    statuses: tuple[str, ...]
    frequency: int | None
    largest: tuple[float, ...] | None
    counts: dict[str, int | None]
    levels: tuple[str, ...]


@dataclass(frozen=True)
class Figures:
    """The cells of a source that have to be looked at together, and the codes above theirs on each axis.

    ``ties`` are the codes above in each further sum, in the order of ``secrecy.ties``.
    """

    secrecy: Secrecy
    rows: dict[Codes, Row]
    parents: tuple[dict[str, str], ...]
    where: str
    ties: tuple[dict[str, str], ...] = ()


def _as_text(name: str, kind: pl.DataType) -> pl.Expr:
    """Return a column as text: an instant is the same in the mart and in the files, which say its zone and its unit."""
    column = pl.col(name)
    if isinstance(kind, pl.Datetime):
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if kind.time_zone else column
        column = column.dt.cast_time_unit("us")
    return column.cast(pl.String)


def as_read(rows: pl.DataFrame, secrecy: Secrecy) -> pl.DataFrame:
    """Return the columns that protection reads: codes and statuses as text, figures and counts as numbers."""
    numbers = {*(one.value for one in secrecy.figures), *secrecy.judging}
    return rows.select(
        pl.col(name).cast(pl.Float64) if name in numbers else _as_text(name, rows.schema[name])
        for name in secrecy.needed
    )


def code_names(secrecy: Secrecy) -> list[str]:
    """Return the names of the columns of ``codes_of``."""
    return [CODE.format(place) for place in range(len(secrecy.axes))]


def codes_of(secrecy: Secrecy) -> list[pl.Expr]:
    """Return the codes of rows, a column per axis."""
    return [_code(axis).alias(name) for axis, name in zip(secrecy.axes, code_names(secrecy), strict=True)]


def _code(axis: Axis) -> pl.Expr:
    """Return the code of rows on an axis: its level comes first, where codes of several levels share a column."""
    own = pl.col(axis.column).fill_null("")
    return pl.concat_str(pl.col(axis.level).fill_null("None"), pl.lit(" "), own) if axis.level else own


def figures_of(frame: pl.DataFrame, secrecy: Secrecy, where: str) -> Figures:
    """Return the cells of rows; raises ``ConfigurationError`` for two rows of one cell that differ."""
    rows: dict[Codes, Row] = {}
    parents: tuple[dict[str, str], ...] = tuple({} for _ in secrecy.axes)
    ties: tuple[dict[str, str], ...] = tuple({} for _ in secrecy.ties)
    for codes, record in zip(frame.select(codes_of(secrecy)).iter_rows(), frame.iter_rows(named=True), strict=True):
        row = _row(codes, record, secrecy)
        known = rows.setdefault(row.codes, row)
        if known is not row:
            rows[row.codes] = _same(known, row, secrecy, where)
        for axis, own, found in zip(secrecy.axes, row.codes, parents, strict=True):
            if axis.parent is not None and record[axis.parent] is not None:
                above = f"{axis.parent_level} {record[axis.parent]}" if axis.parent_level else record[axis.parent]
                if above != own:
                    found[own] = above
        for (place, tie), found in zip(secrecy.ties, ties, strict=True):
            if record[tie.parent] is not None:
                found[row.codes[place]] = f"{tie.parent_level} {record[tie.parent]}"
    present = [{one[place] for one in rows} for place in range(len(secrecy.axes))]
    told = tuple(
        _parents(axis, found, codes) for axis, found, codes in zip(secrecy.axes, parents, present, strict=True)
    )
    return Figures(secrecy, rows, told, where, ties)


def _row(codes: Codes, record: Mapping[str, Any], secrecy: Secrecy) -> Row:
    frequency = record[secrecy.frequency]
    told = [record[name] for name in secrecy.largest]
    largest = tuple(float(one) for one in told if one is not None)
    return Row(
        codes=codes,
        values=tuple(record[one.value] for one in secrecy.figures),
        statuses=tuple(record[one.status] for one in secrecy.figures),
        frequency=None if frequency is None else int(frequency),
        largest=largest if largest else None,
        counts={unit: _whole(record[name]) for unit, name in secrecy.counts.items()},
        levels=tuple(str(record[axis.level]) if axis.level else "" for axis in secrecy.axes),
    )


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _same(one: Row, other: Row, secrecy: Secrecy, where: str) -> Row:
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


def cell_of(row: Row, place: int) -> Cell:
    """Return the cell of the figure at ``place``; of the first alone are contributions told."""
    if place > 0:
        return Cell(row.codes, row.values[place], row.frequency)
    largest = row.largest
    if largest is not None and row.frequency is not None:
        largest = largest[: max(row.frequency, 0)]
    return Cell(row.codes, row.values[0], row.frequency, largest)


def hidden_cells(figures: Figures) -> set[Codes]:
    """Return the cells of which some figure is secret already."""
    return {codes for codes, row in figures.rows.items() if SECRET in row.statuses}
