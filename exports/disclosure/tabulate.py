"""From a frame to a table: the cells of contributors' rows or of cells, and the margins that are not given.

Here: sums and counts, as exactly as the frame allows, else on the side of caution. From rows of contributors the
contributors of all margins are known. From cells they are not where the same may be under several codes of a margin: it
is then taken to have no more than its largest part, and one that is the largest of each. Other units (cards) may always
be the same, unless the specification says that they are not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, product

import polars as pl

from exports.disclosure.rules import grouped
from exports.disclosure.spec import Dimension, Spec, demand_columns
from exports.disclosure.table import ROUNDING, Cell, Codes, Hierarchy, Table
from raw_sources.errors import ConfigurationError

Counts = dict[str, list[int | None]]


def tabulate(frame: pl.DataFrame, spec: Spec) -> tuple[Table, Counts]:
    """Return the table of ``frame`` with all its margins, and the counts of other units in each cell.

    Raises ``ConfigurationError`` for a column that is lacking, a value that is no number or is negative, a code that no
    hierarchy knows, a contributor without a name, counts and contributions that cannot be those of a value, totals that
    are not the sum of their parts.
    """
    demand_columns(frame, spec.columns, spec.where)
    hierarchies = tuple(_hierarchy(frame, one, spec.where) for one in spec.dimensions)
    table, counts = (_of_rows if spec.microdata else _of_cells)(frame, spec, hierarchies)
    _refuse_nobody(table, counts, spec)
    table.refuse_differences()
    return table, counts


def numbers(frame: pl.DataFrame, column: str, where: str) -> list[float | None]:
    """Return a column of numbers; an empty text is None. Raises ``ConfigurationError`` for what is no finite number."""
    given = frame[column]
    texts = given.cast(pl.String).str.strip_chars()
    read = (texts if given.dtype == pl.String else given).cast(pl.Float64, strict=False)
    for line, (text, value) in enumerate(zip(texts, read, strict=True), start=1):
        if text and (value is None or not math.isfinite(value)):
            hint = "Write numbers with a point, without spaces nor units."
            raise ConfigurationError(f"{text!r} is not a number.", where=f"{where}: {column}, row {line}", hint=hint)
    return read.to_list()


def _hierarchy(frame: pl.DataFrame, dimension: Dimension, where: str) -> Hierarchy:
    codes = frame[dimension.column].cast(pl.String)
    if codes.null_count():
        hint = "Give the total a code of its own."
        raise ConfigurationError("a row has no code.", where=f"{where}: {dimension.column}", hint=hint)
    if not dimension.parents:
        return Hierarchy.flat(dimension.column, sorted(set(codes)), dimension.total)
    alone = () if dimension.total else tuple(sorted(set(codes) - set(dimension.parents)))
    return Hierarchy(dimension.column, dict(dimension.parents), dimension.total, alone)


def _codes(frame: pl.DataFrame, spec: Spec) -> list[Codes]:
    return list(frame.select(pl.col(one.column).cast(pl.String) for one in spec.dimensions).iter_rows())


def _lines(hierarchies: Sequence[Hierarchy], codes: Codes) -> list[tuple[str, ...]]:
    """Return for each dimension the code and all above it."""
    lines = []
    for hierarchy, code in zip(hierarchies, codes, strict=True):
        if code not in hierarchy.levels:
            what = f"The code {code} is not in the hierarchy {hierarchy.name}."
            raise ConfigurationError(what, hint="Add it with its parent, or correct the table.")
        line = [code]
        while line[-1] in hierarchy.parents:
            line.append(hierarchy.parents[line[-1]])
        lines.append(tuple(line))
    return lines


def _of_rows(frame: pl.DataFrame, spec: Spec, hierarchies: tuple[Hierarchy, ...]) -> tuple[Table, Counts]:
    """Add up contributors' rows; holders are the holdings where a rule groups by them, else the contributors."""
    values = numbers(frame, spec.value, spec.where)
    weights = numbers(frame, spec.weight, spec.where) if spec.weight else [1.0] * len(values)
    holders = _holders(frame, spec)
    units = {unit: _whole(frame, column, spec.where) for unit, column in spec.counts.items()}
    rows: dict[Codes, list[int]] = {}
    for row, codes in enumerate(_codes(frame, spec)):
        _refuse_row(spec, row, codes, values[row], weights[row], hierarchies)
        for key in _cells_above(_lines(hierarchies, codes), spec):
            rows.setdefault(key, []).append(row)
    cells = []
    for key, members in rows.items():
        names = [holders[row] for row in members]
        amounts, factors = [values[row] or 0.0 for row in members], [weights[row] or 0.0 for row in members]
        value, frequency, contributions, known = grouped(amounts, names, factors)
        cells.append(Cell(key, value, frequency, contributions, holders=known))
    counts = {
        unit: [_together([each[row] for row in members], unit, spec) for members in rows.values()]
        for unit, each in units.items()
    }
    return Table.of(cells, hierarchies), counts


def _holders(frame: pl.DataFrame, spec: Spec) -> list[str]:
    """Return who is behind each row: its holding where a rule groups by them, else its contributor, else itself.

    Raises ``ConfigurationError`` for a row that names nobody where a column is to name them.
    """
    columns = [name for name in (spec.rules.holdings, spec.contributor) if name is not None]
    if not columns:
        return [f"row {row + 1}" for row in range(len(frame))]
    holders = []
    for row, names in enumerate(frame.select(pl.col(columns).cast(pl.String).str.strip_chars()).iter_rows()):
        name = next((one for one in names if one), None)  # who belongs to no holding is by himself
        if name is None:
            what = f"a row has no {' and no '.join(map(repr, columns))}: who contributes is not known."
            hint = "Name who contributes in each row; nobody can tell otherwise how many they are."
            raise ConfigurationError(what, where=f"{spec.where}: row {row + 1}", hint=hint)
        holders.append(name)
    return holders


def _whole(frame: pl.DataFrame, column: str, where: str) -> list[int | None]:
    """Return a column of counts. Raises ``ConfigurationError`` for one that is negative or not whole."""
    counts = numbers(frame, column, where)
    for row, count in enumerate(counts):
        if count is not None and (count < 0 or count != int(count)):
            hint = "Give counts as whole numbers, and leave empty those that are not known."
            raise ConfigurationError(f"{count:g} is no count.", where=f"{where}: {column}, row {row + 1}", hint=hint)
    return [None if count is None else int(count) for count in counts]


def _together(counts: Iterable[int | None], unit: str, spec: Spec) -> int | None:
    """Return how many of ``unit`` are for certain in all of several rows; None where one does not tell."""
    known = list(counts)
    told = [count for count in known if count is not None]
    if len(told) < len(known):
        return None
    return sum(told) if unit in spec.unrepeated else max(told, default=0)


def _refuse_nobody(table: Table, counts: Counts, spec: Spec) -> None:
    """Raise ``ConfigurationError`` for a value above zero with nobody behind it."""
    every = {"contributors": table.frequencies.tolist(), **counts}
    for unit, each in every.items():
        for place, count in enumerate(each):
            if count == 0 and table.values[place] > 0:
                what = f"The cell {table.label(place)} has a value, and a count of 0 {unit}."
                hint = "Correct the count, or leave it empty if it is not known."
                raise ConfigurationError(what, where=spec.where, hint=hint)


def _cells_above(lines: Sequence[tuple[str, ...]], spec: Spec) -> Iterable[Codes]:
    """Return the cells to which a contribution adds: of one table that crosses all dimensions, or of linked ones."""
    if not spec.tables:
        return product(*lines)
    names = [one.column for one in spec.dimensions]
    crossed = (
        product(*(line if name in table else line[-1:] for name, line in zip(names, lines, strict=True)))
        for table in spec.tables
    )
    return dict.fromkeys(chain.from_iterable(crossed))


def _refuse_row(
    spec: Spec,
    row: int,
    codes: Codes,
    value: float | None,
    weight: float | None,
    hierarchies: Sequence[Hierarchy],
) -> None:
    place = f"{spec.where}: row {row + 1}"
    if value is None or value < 0:
        what = "a contribution is empty." if value is None else f"a contribution is negative ({value:g})."
        hint = "Secrecy is defined for values that are not negative: publish increases and decreases apart."
        raise ConfigurationError(what, where=place, hint=hint)
    if weight is None or weight < 0:
        raise ConfigurationError("a weight is empty or negative.", where=place, hint="Give each row its weight.")
    for code, hierarchy in zip(codes, hierarchies, strict=True):
        if code in hierarchy.children:
            what = f"the contribution is at {code}, which has parts."
            raise ConfigurationError(what, where=place, hint=f"Give the finest code of {hierarchy.name}.")


def _of_cells(frame: pl.DataFrame, spec: Spec, hierarchies: tuple[Hierarchy, ...]) -> tuple[Table, Counts]:
    values = numbers(frame, spec.value, spec.where)
    frequencies = _whole(frame, spec.frequency, spec.where) if spec.frequency else [None] * len(values)
    largest = [numbers(frame, column, spec.where) for column in spec.largest]
    units = {unit: _whole(frame, column, spec.where) for unit, column in spec.counts.items()}
    given: dict[Codes, _Counted] = {}
    for row, codes in enumerate(_codes(frame, spec)):
        where = f"{spec.where}: row {row + 1}"
        if codes in given:
            raise ConfigurationError(f"Two rows have the codes {', '.join(codes)}.", where=where, hint="Leave one.")
        told = [column[row] for column in largest]
        parts = _contributions([part for part in told if part is not None], values[row], frequencies[row], where)
        cell = Cell(codes, values[row], frequencies[row], parts)
        given[codes] = _Counted(cell, {unit: each[row] for unit, each in units.items()})
    found = _with_margins(given, hierarchies, spec)
    counts = {unit: [one.counts[unit] for one in found] for unit in units}
    return Table.of((one.cell for one in found), hierarchies), counts


def _contributions(
    told: Sequence[float], value: float | None, frequency: int | None, where: str
) -> tuple[float, ...] | None:
    """Return the largest contributions, None where none is told. Raises ``ConfigurationError`` for impossible ones."""
    hint = "Give the largest contributions to the value, in its unit."
    if list(told) != sorted(told, reverse=True):
        hint = "Give the columns of the largest contributions from the largest down."
        raise ConfigurationError("contributions are not in order.", where=where, hint=hint)
    if any(part < 0 for part in told):
        raise ConfigurationError(f"a contribution is negative ({told[-1]:g}).", where=where, hint=hint)
    if value is not None and value >= 0 and math.fsum(told) > value * (1 + ROUNDING):
        what = f"the largest contributions are together more than the value ({math.fsum(told):g} and {value:g})."
        raise ConfigurationError(what, where=where, hint=hint)
    kept = told if frequency is None else told[:frequency]
    if any(told[len(kept) :]):
        what = f"there are more contributions than contributors ({frequency})."
        raise ConfigurationError(what, where=where, hint=hint)
    return tuple(kept) or None


@dataclass(frozen=True)
class _Counted:
    """A cell, and how many of each other unit are in it."""

    cell: Cell
    counts: Mapping[str, int | None]


def _with_margins(given: Mapping[Codes, _Counted], hierarchies: Sequence[Hierarchy], spec: Spec) -> list[_Counted]:
    """Return the cells, and the totals over all dimensions that are not given, each from all of its parts."""
    every = dict.fromkeys(given)
    for axis, hierarchy in enumerate(hierarchies):
        for parent in sorted(hierarchy.children, key=lambda code: -hierarchy.levels[code]):
            below = set(hierarchy.children[parent])
            every |= dict.fromkeys(_at(codes, axis, parent) for codes in list(every) if codes[axis] in below)
    parts: list[dict[Codes, list[Codes]]] = [{} for _ in hierarchies]
    for codes in every:
        for axis, hierarchy in enumerate(hierarchies):
            if codes[axis] in hierarchy.parents:
                parts[axis].setdefault(_at(codes, axis, hierarchy.parents[codes[axis]]), []).append(codes)
    found = dict(given)

    def depth(codes: Codes) -> int:
        return sum(one.levels.get(code, 0) for one, code in zip(hierarchies, codes, strict=True))

    for codes in sorted((one for one in every if one not in given), key=depth, reverse=True):
        # The last dimension first: one over which a part is hidden tells less than another.
        sums = [
            _total(codes, [found[one] for one in parts[axis][codes]], spec.dimensions[axis].repeated, spec)
            for axis in reversed(range(len(hierarchies)))
            if codes in parts[axis]
        ]
        found[codes] = _best(sums)
    return [found[codes] for codes in every]


def _at(codes: Codes, axis: int, code: str) -> Codes:
    return (*codes[:axis], code, *codes[axis + 1 :])


def _total(codes: Codes, parts: Sequence[_Counted], repeated: bool, spec: Spec) -> _Counted:
    counts = {unit: _together((one.counts[unit] for one in parts), unit, spec) for unit in spec.counts}
    return _Counted(margin(codes, [one.cell for one in parts], repeated), counts)


def _best(sums: Sequence[_Counted]) -> _Counted:
    """Return what is told of a total by the first of its ``sums`` that tells it."""
    cells = [one.cell for one in sums]
    return _Counted(
        replace(
            cells[0],
            value=next((one.value for one in cells if one.value is not None), None),
            frequency=next((one.frequency for one in cells if one.frequency is not None), None),
            contributions=next((one.contributions for one in cells if one.contributions is not None), None),
        ),
        {
            unit: next((one.counts[unit] for one in sums if one.counts[unit] is not None), None)
            for unit in sums[0].counts
        },
    )


def margin(codes: Codes, cells: Sequence[Cell], repeated: bool) -> Cell:
    """Return the total of ``cells``, whose contributors are the same at worst where they may be ``repeated``.

    Of its largest contributions it tells those that are certain: none that is not told may be larger.
    """
    values = [cell.value for cell in cells]
    total = None if any(value is None for value in values) else math.fsum(value or 0.0 for value in values)
    some = [cell for cell in cells if cell.value or cell.frequency]
    known = [cell.frequency for cell in some if cell.frequency is not None]
    frequency = None
    if len(known) == len(some):
        frequency = max(known, default=0) if repeated else sum(known)
    told = [_told(cell) for cell in some]
    if total is None or any(parts is None for parts in told):
        return Cell(codes, total, frequency)
    listed = [parts for parts in told if parts is not None]
    # Of the parts that do not tell all, none may hide one that is larger than those kept.
    partly = [parts for cell, parts in zip(some, listed, strict=True) if not _is_all(cell, parts)]
    short = min(map(len, partly), default=None)
    if len(some) == 1 or not repeated:
        ranked = sorted((part for parts in listed for part in parts), reverse=True)
        return Cell(codes, total, frequency, tuple(ranked[:short]))
    depth = max((len(parts) for parts in listed), default=0) if short is None else short
    depth = depth if frequency is None else min(depth, frequency)
    worst = (math.fsum(parts[rank] for parts in listed if rank < len(parts)) for rank in range(depth))
    return Cell(codes, total, frequency, tuple(worst))


def _told(cell: Cell) -> tuple[float, ...] | None:
    """Return the contributions that are told of a cell: those of nothing are nothing, that of one is all."""
    if cell.contributions:
        return cell.contributions
    if cell.value == 0 or cell.frequency == 1:
        return (cell.value or 0.0,)
    return None


def _is_all(cell: Cell, parts: Sequence[float]) -> bool:
    """Tell whether no contribution to a cell is other than nothing, or among those told."""
    is_whole = cell.value is not None and math.fsum(parts) >= cell.value * (1 - ROUNDING)
    return is_whole or (cell.frequency is not None and len(parts) >= cell.frequency)
