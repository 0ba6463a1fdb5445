"""From a frame to a table: the cells of contributors' rows or of cells, and the margins that are not given.

Here: sums and counts, as exactly as the frame allows, else on the side of caution. From rows of contributors all
margins are exact. From cells, who is behind a margin is not known where the same contributors may be under several of
its codes: it is then taken to have no more contributors than its largest part, and one that is the largest of each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, product

import polars as pl

from exports.disclosure.rules import grouped
from exports.disclosure.spec import Dimension, Spec, demand_columns
from exports.disclosure.table import Cell, Codes, Hierarchy, Table
from raw_sources.errors import ConfigurationError

Counts = dict[str, list[int | None]]


def tabulate(frame: pl.DataFrame, spec: Spec) -> tuple[Table, Counts]:
    """Return the table of ``frame`` with all its margins, and the counts of other units in each cell.

    Raises ``ConfigurationError`` for a column that is lacking, a value that is no number or is negative, a code that no
    hierarchy knows, totals that are not the sum of their parts.
    """
    demand_columns(frame, spec.columns, spec.where)
    hierarchies = tuple(_hierarchy(frame, one, spec.where) for one in spec.dimensions)
    table, counts = (_of_rows if spec.microdata else _of_cells)(frame, spec, hierarchies)
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
    named = spec.rules.holdings or spec.contributor
    holders = frame[named].cast(pl.String).to_list() if named else [None] * len(values)
    if spec.rules.holdings and spec.contributor:  # who belongs to no holding is by himself
        own = frame[spec.contributor].cast(pl.String)
        holders = [holder or alone for holder, alone in zip(holders, own, strict=True)]
    units = {unit: numbers(frame, column, spec.where) for unit, column in spec.counts.items()}
    rows: dict[Codes, list[int]] = {}
    for row, codes in enumerate(_codes(frame, spec)):
        _refuse_row(spec, row, codes, values[row], weights[row], hierarchies)
        for key in _cells_above(_lines(hierarchies, codes), spec):
            rows.setdefault(key, []).append(row)
    cells = []
    for key, members in rows.items():
        names = [holders[row] or f"row {row + 1}" for row in members]
        amounts, factors = [values[row] or 0.0 for row in members], [weights[row] or 0.0 for row in members]
        value, frequency, contributions, known = grouped(amounts, names, factors)
        cells.append(Cell(key, value, frequency, contributions, holders=known))
    counts = {unit: [_sum(each[row] for row in members) for members in rows.values()] for unit, each in units.items()}
    return Table.of(cells, hierarchies), counts


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
    frequencies = numbers(frame, spec.frequency, spec.where) if spec.frequency else [None] * len(values)
    largest = [numbers(frame, column, spec.where) for column in spec.largest]
    units = {unit: numbers(frame, column, spec.where) for unit, column in spec.counts.items()}
    given: dict[Codes, Cell] = {}
    counted: dict[str, dict[Codes, float | None]] = {unit: {} for unit in units}
    for row, codes in enumerate(_codes(frame, spec)):
        if codes in given:
            where = f"{spec.where}: row {row + 1}"
            raise ConfigurationError(f"Two rows have the codes {', '.join(codes)}.", where=where, hint="Leave one.")
        frequency = frequencies[row]
        told = [column[row] for column in largest]
        parts = tuple(part for part in told if part is not None)
        if parts and list(parts) != sorted(parts, reverse=True):
            hint = "Give the columns of the largest contributions from the largest down."
            raise ConfigurationError("contributions are not in order.", where=f"{spec.where}: row {row + 1}", hint=hint)
        if frequency is not None:
            parts = parts[: int(frequency)]
        given[codes] = Cell(codes, values[row], None if frequency is None else int(frequency), parts if told else None)
        for unit, each in units.items():
            counted[unit][codes] = each[row]
    for axis, (hierarchy, dimension) in enumerate(zip(hierarchies, spec.dimensions, strict=True)):
        _add_margins(given, counted, axis, hierarchy, dimension.repeated)
    counts = {unit: [_sum([each.get(codes)]) for codes in given] for unit, each in counted.items()}
    return Table.of(given.values(), hierarchies), counts


def _add_margins(
    given: dict[Codes, Cell],
    counted: Mapping[str, dict[Codes, float | None]],
    axis: int,
    hierarchy: Hierarchy,
    repeated: bool,
) -> None:
    """Add the totals over one dimension that are not given, those of the finest codes first."""
    for parent in sorted(hierarchy.children, key=lambda code: -hierarchy.levels[code]):
        below = set(hierarchy.children[parent])
        parts: dict[Codes, list[Cell]] = {}
        for codes, cell in given.items():
            if codes[axis] in below:
                parts.setdefault((*codes[:axis], parent, *codes[axis + 1 :]), []).append(cell)
        for codes, cells in parts.items():
            if codes in given:
                continue
            given[codes] = margin(codes, cells, repeated)
            for each in counted.values():
                known = [each.get(cell.codes) for cell in cells]
                sums = [one for one in known if one is not None]
                short = len(sums) < len(known)
                each[codes] = None if short else (max(sums) if repeated else math.fsum(sums))


def margin(codes: Codes, cells: Sequence[Cell], repeated: bool) -> Cell:
    """Return the total of ``cells``, whose contributors are the same at worst where they may be ``repeated``."""
    values = [cell.value for cell in cells]
    total = None if any(value is None for value in values) else math.fsum(value or 0.0 for value in values)
    some = [cell for cell in cells if cell.value or cell.frequency]
    known = [cell.frequency for cell in some if cell.frequency is not None]
    frequency = None
    if len(known) == len(some):
        frequency = max(known, default=0) if repeated else sum(known)
    told = [cell.contributions for cell in some if cell.contributions is not None]
    if len(told) < len(some) or total is None:
        return Cell(codes, total, frequency)
    if len(some) == 1 or not repeated:
        kept = max((len(parts) for parts in told), default=0)
        ranked = sorted((part for parts in told for part in parts), reverse=True)
        return Cell(codes, total, frequency, tuple(ranked[:kept]))
    depth = min(max((len(parts) for parts in told), default=0), frequency or math.inf)
    worst = (math.fsum(parts[rank] for parts in told if rank < len(parts)) for rank in range(int(depth)))
    return Cell(codes, total, frequency, tuple(worst))


def _sum(values: Iterable[float | None]) -> int | None:
    listed = list(values)
    return None if any(value is None for value in listed) else round(math.fsum(value or 0.0 for value in listed))
