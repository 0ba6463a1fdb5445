"""The model of a table under disclosure control: cells, hierarchies, and the equations that readers know.

Here: what adds up to what, and nothing of secrecy. Which cells are unsafe is in ``rules``, which are left empty in
``suppress``, what can be deduced all the same in ``audit``.

An equation says that a total is the sum of its children. There is one per parent code and combination of the codes of
the other dimensions (A·a = 0 with -1 for the total and +1 for each child: Fischetti and Salazar 2001), as long as the
total is a cell. A combination of codes that is no cell counts for nothing: everybody knows that it is zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from raw_sources.errors import ConfigurationError

Codes = tuple[str, ...]
ROUNDING = 1e-9
"""The share of a total by which its children may miss it: the rounding of sums of floating-point numbers."""


@dataclass(frozen=True)
class Hierarchy:
    """The codes of a dimension: ``parents`` goes from code to parent code. Roots have none.

    ``total`` is the root above all others; None: no total is published. Codes without parent or child, as all are of a
    flat dimension without total, are ``alone``. Raises ``ConfigurationError`` for a cycle and, where there is a total,
    for another code without parent.
    """

    name: str
    parents: Mapping[str, str]
    total: str | None = None
    alone: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for code in self.parents:
            self._refuse_cycle(code)
        if self.total is not None:
            lost = next((code for code in self.codes if code not in self.parents and code != self.total), None)
            if lost is not None:
                hint = f"Give its parent; only the total {self.total} has none."
                raise ConfigurationError(f"The code {lost} has no parent.", where=f"hierarchy {self.name}", hint=hint)
            if self.total in self.parents:
                hint = "Name another total, or leave its parent out."
                what = f"The total {self.total} has a parent."
                raise ConfigurationError(what, where=f"hierarchy {self.name}", hint=hint)

    @classmethod
    def flat(cls, name: str, codes: Iterable[str], total: str | None = None) -> Hierarchy:
        """Return the hierarchy of ``codes`` below a total, or of codes that nothing sums."""
        listed = tuple(dict.fromkeys(codes))
        if total is None:
            return cls(name, {}, None, listed)
        return cls(name, {code: total for code in listed if code != total}, total)

    @cached_property
    def codes(self) -> tuple[str, ...]:
        """All codes, each parent before its children."""
        return tuple(sorted(self.levels, key=lambda code: self.levels[code]))

    @cached_property
    def levels(self) -> dict[str, int]:
        """How many steps each code is below its root."""
        known = dict.fromkeys((*self.parents, *self.parents.values(), *self.alone, *self._totals))
        return {code: self._depth(code) for code in known}

    @cached_property
    def children(self) -> dict[str, tuple[str, ...]]:
        """The children of each code that has some, in the order of ``parents``."""
        found: dict[str, list[str]] = {}
        for code, parent in self.parents.items():
            found.setdefault(parent, []).append(code)
        return {parent: tuple(codes) for parent, codes in found.items()}

    @property
    def _totals(self) -> tuple[str, ...]:
        return () if self.total is None else (self.total,)

    def _depth(self, code: str) -> int:
        depth = 0
        while code in self.parents:
            code, depth = self.parents[code], depth + 1
        return depth

    def _refuse_cycle(self, start: str) -> None:
        seen = {start: None}
        code = start
        while code in self.parents:
            code = self.parents[code]
            if code in seen:
                path = " → ".join((*list(seen)[list(seen).index(code) :], code))
                what = f"The codes {path} are each other's parents."
                raise ConfigurationError(what, where=f"hierarchy {self.name}", hint="Give each code one parent above.")
            seen[code] = None


@dataclass(frozen=True)
class Cell:
    """A cell: one code per dimension, and what is known of it before anything is hidden.

    ``value`` None: the producer hid it, nobody here knows it. ``frequency`` counts contributors, None: not told.
    ``contributions`` are theirs, largest first (all, or at least the two largest of a cell that has two), grouped by
    holding already; ``holders`` are their names in the same order, where they are known. ``published`` False: the cell
    is not in what is released, at any status (a level that adds up but is not shown).
    """

    codes: Codes
    value: float | None
    frequency: int | None = None
    contributions: tuple[float, ...] | None = None
    published: bool = True
    holders: tuple[str, ...] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Equation:
    """The cell ``total`` is the sum of the cells ``children``; all by index."""

    total: int
    children: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Table:
    """Cells by index, and the equations between them. Build it by ``of`` or ``linked``.

    ``values`` has NaN for a value hidden by the producer, ``frequencies`` -1 for a count that is not told. ``rounding``
    is the share of a total by which its children may miss it, where a producer rounds each for itself.
    """

    hierarchies: tuple[Hierarchy, ...]
    cells: tuple[Cell, ...]
    equations: tuple[Equation, ...]
    index: Mapping[Codes, int] = field(repr=False)
    values: NDArray[np.float64] = field(repr=False)
    frequencies: NDArray[np.int64] = field(repr=False)
    rounding: float = ROUNDING

    @classmethod
    def of(cls, cells: Iterable[Cell], hierarchies: Sequence[Hierarchy]) -> Table:
        """Return the table of ``cells``, whose codes are in the order of ``hierarchies``.

        Raises ``ConfigurationError`` for a code that its hierarchy does not know, two cells with the same codes, a
        negative value. It does not check sums: ``refuse_differences`` does.
        """
        listed = tuple(cells)
        index = _indexed(listed, hierarchies)
        return cls._made(tuple(hierarchies), listed, _equations(index, hierarchies), index)

    @classmethod
    def linked(cls, tables: Sequence[Table]) -> Table:
        """Return one table of several that are published together about the same contributors and the same variable.

        Dimensions are told by their names. A dimension that a table lacks is at its total: a cell by department of one
        table is the cell of that department over all months of another. Cells that are the same are shared, with all
        equations. Raises ``ConfigurationError`` where they disagree, and for hierarchies of one name that differ.
        """
        hierarchies = _common_hierarchies(tables)
        cells: dict[Codes, Cell] = {}
        equations: dict[tuple[Codes, frozenset[Codes]], tuple[Codes, list[Codes]]] = {}
        for table in tables:
            keys = [_extended(cell.codes, table.hierarchies, hierarchies) for cell in table.cells]
            for key, cell in zip(keys, table.cells, strict=True):
                cells[key] = _shared(key, cell, cells.get(key))
            for one in table.equations:
                children = [keys[child] for child in one.children]
                equations.setdefault((keys[one.total], frozenset(children)), (keys[one.total], children))
        listed = tuple(cells.values())
        index = {cell.codes: place for place, cell in enumerate(listed)}
        summed = tuple(Equation(index[total], tuple(index[one] for one in some)) for total, some in equations.values())
        return cls._made(hierarchies, listed, summed, index)

    @classmethod
    def _made(
        cls,
        hierarchies: tuple[Hierarchy, ...],
        cells: tuple[Cell, ...],
        equations: tuple[Equation, ...],
        index: Mapping[Codes, int],
    ) -> Table:
        values = np.array([math.nan if cell.value is None else cell.value for cell in cells], dtype=np.float64)
        counts = np.array([-1 if cell.frequency is None else cell.frequency for cell in cells], dtype=np.int64)
        return cls(hierarchies, cells, equations, index, values, counts)

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the dimensions."""
        return tuple(hierarchy.name for hierarchy in self.hierarchies)

    @cached_property
    def unknown(self) -> NDArray[np.bool_]:
        """True for the cells that no release shows whatever is decided: hidden by the producer, or not published."""
        shown = np.array([cell.published for cell in self.cells], dtype=np.bool_)
        return np.isnan(self.values) | ~shown

    @cached_property
    def equations_of(self) -> tuple[tuple[int, ...], ...]:
        """The equations (by index) in which each cell is."""
        found: list[list[int]] = [[] for _ in self.cells]
        for place, equation in enumerate(self.equations):
            for cell in (equation.total, *equation.children):
                found[cell].append(place)
        return tuple(tuple(places) for places in found)

    def label(self, cell: int) -> str:
        """Return the codes of a cell for a message: ``department=75, month=2026-01``."""
        return ", ".join(f"{name}={code}" for name, code in zip(self.names, self.cells[cell].codes, strict=True))

    def difference(self, equation: Equation) -> float:
        """Return the total minus its children; NaN when a value is hidden by the producer."""
        return float(self.values[equation.total]) - math.fsum(self.values[child] for child in equation.children)

    def gap(self, equation: Equation) -> float:
        """Return by how much the total differs from its children beyond ``rounding``, 0 where it does not.

        Where children are hidden by the producer, those that are known may not exceed the total.
        """
        gap = self.difference(equation)
        if math.isnan(gap) and not math.isnan(self.values[equation.total]):
            known = math.fsum(v for v in self.values[list(equation.children)] if not math.isnan(v))
            gap = min(0.0, float(self.values[equation.total]) - known)
        if math.isnan(gap) or abs(gap) <= self.rounding * float(np.nanmax(self.values[_members(equation)])):
            return 0.0
        return gap

    def refuse_differences(self) -> None:
        """Raise ``ConfigurationError`` for the first total that is not the sum of its children.

        Nothing can be said of a table that does not add up: readers would deduce from sums that do not hold.
        """
        for equation in self.equations:
            if gap := self.gap(equation):
                what = f"The total {self.label(equation.total)} differs by {gap:g} from the sum of its children."
                raise ConfigurationError(what, hint="Give totals that add up, or leave them out: they are computed.")


def _members(equation: Equation) -> list[int]:
    return [equation.total, *equation.children]


def _indexed(cells: tuple[Cell, ...], hierarchies: Sequence[Hierarchy]) -> dict[Codes, int]:
    index: dict[Codes, int] = {}
    for place, cell in enumerate(cells):
        if len(cell.codes) != len(hierarchies):
            what = f"The cell {cell.codes} has {len(cell.codes)} codes for {len(hierarchies)} dimensions."
            raise ConfigurationError(what, hint="Give one code per dimension.")
        for code, hierarchy in zip(cell.codes, hierarchies, strict=True):
            if code not in hierarchy.levels:
                what = f"The code {code} is not in the hierarchy {hierarchy.name}."
                raise ConfigurationError(what, hint="Add it with its parent, or correct the table.")
        if cell.codes in index:
            raise ConfigurationError(f"Two cells have the codes {', '.join(cell.codes)}.", hint="Leave one.")
        if cell.value is not None and not 0 <= cell.value < math.inf:
            what = f"The cell {', '.join(cell.codes)} has the value {cell.value:g}."
            hint = "Secrecy is defined for finite values that are not negative: publish increases and decreases apart."
            raise ConfigurationError(what, hint=hint)
        index[cell.codes] = place
    return index


def _equations(index: Mapping[Codes, int], hierarchies: Sequence[Hierarchy]) -> tuple[Equation, ...]:
    """Return the equations of each dimension in turn: totals in the order of cells, children in that of the hierarchy.

    A total without any child among the cells gives none.
    """
    found: list[Equation] = []
    for axis, hierarchy in enumerate(hierarchies):
        for codes, total in index.items():
            children = hierarchy.children.get(codes[axis], ())
            keys = ((*codes[:axis], child, *codes[axis + 1 :]) for child in children)
            present = tuple(index[key] for key in keys if key in index)
            if present:
                found.append(Equation(total, present))
    return tuple(found)


def _common_hierarchies(tables: Sequence[Table]) -> tuple[Hierarchy, ...]:
    common: dict[str, Hierarchy] = {}
    for hierarchy in (one for table in tables for one in table.hierarchies):
        if common.setdefault(hierarchy.name, hierarchy) != hierarchy:
            what = f"Two linked tables have different hierarchies {hierarchy.name}."
            raise ConfigurationError(what, hint="Link tables over the same codes and parents.")
    return tuple(common.values())


def _extended(codes: Codes, own: Sequence[Hierarchy], common: Sequence[Hierarchy]) -> Codes:
    """Return ``codes`` over the common dimensions; one that is lacking is at its total."""
    given = {hierarchy.name: code for hierarchy, code in zip(own, codes, strict=True)}
    return tuple(given.get(one.name, one.total or "") for one in common)


def _shared(key: Codes, cell: Cell, other: Cell | None) -> Cell:
    """Return the cell under ``key``; of two tables that share it, what either knows."""
    if other is None:
        return Cell(key, cell.value, cell.frequency, cell.contributions, cell.published, cell.holders)
    known = [one.value for one in (other, cell) if one.value is not None]
    if len(known) == 2 and not math.isclose(known[0], known[1], rel_tol=ROUNDING, abs_tol=ROUNDING):
        what = f"Two linked tables give {known[0]:g} and {known[1]:g} for the cell {', '.join(key)}."
        raise ConfigurationError(what, hint="Link tables that come from the same contributors.")
    richest = max((other, cell), key=lambda one: (one.holders is not None, len(one.contributions or ())))
    frequency = cell.frequency if other.frequency is None else other.frequency
    value = known[0] if known else None
    published = other.published or cell.published
    return Cell(key, value, frequency, richest.contributions, published, richest.holders)
