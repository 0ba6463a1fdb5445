"""Cells of a table that are one and the same: a total and its only part, and who is behind both.

Here: what sameness follows from the sums alone. It spares programmes to ``suppress``, and tells ``audit`` that the only
contributor of a total is no stranger to its parts.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from exports.disclosure.flows import Ints
from exports.disclosure.table import Table

SAME = 1e-9
"""The share of a contribution by which sums may pass it and still be it."""


class Sets:
    """Disjoint sets of numbers; each is known by its member of the least depth, then number."""

    def __init__(self, size: int, depths: Sequence[int] | None = None) -> None:
        self._above = list(range(size))
        self._depths = depths or [0] * size

    def find(self, one: int) -> int:
        """Return the member that stands for the set of ``one``."""
        while self._above[one] != one:
            self._above[one] = self._above[self._above[one]]
            one = self._above[one]
        return one

    def join(self, one: int, other: int) -> None:
        """Make one set of two."""
        first, second = sorted((self.find(one), self.find(other)), key=lambda member: (self._depths[member], member))
        self._above[second] = first


def aliases(table: Table, sensitive: Collection[int] = ()) -> Ints:
    """Return for each cell the one that stands for it: a total and its only part that is not zero are one figure.

    The highest stands for the others. A zero that is ``sensitive`` counts as a part, and so does one that nobody sees.
    """
    depths = [
        sum(one.levels.get(code, 0) for one, code in zip(table.hierarchies, cell.codes, strict=True))
        for cell in table.cells
    ]
    sets = Sets(len(table), depths)
    unseen = table.unknown.tolist()
    for equation in table.equations:
        parts = [cell for cell in equation.children if table.values[cell] != 0 or cell in sensitive or unseen[cell]]
        if len(parts) == 1:
            sets.join(parts[0], equation.total)
    return np.array([sets.find(cell) for cell in range(len(table))])


def raised_to_totals(table: Table, own: Mapping[int, float]) -> dict[int, float]:
    """Return what a contributor has in cells, totals included: no less there than in the parts of one sum.

    ``own`` is what is told; a total has at least the sum of what its parts of one equation have.
    """
    found = dict(own)
    waiting = deque(own)
    while waiting:
        cell = waiting.popleft()
        for place in table.equations_of[cell]:
            equation = table.equations[place]
            if equation.total == cell:
                continue
            least = math.fsum(found.get(child, 0.0) for child in equation.children)
            if least > found.get(equation.total, 0.0) * (1 + SAME):
                found[equation.total] = least
                waiting.append(equation.total)
    return found


def with_known_holders(table: Table) -> Table:
    """Return the table with a name for the largest contributor of cells where sums tell that he is one person.

    A total and its only part have the same contributors, and the only contributor of a total that of each part. Cells
    that name their holders keep them.
    """
    sets = Sets(len(table))
    for cell, other in enumerate(aliases(table).tolist()):
        sets.join(cell, other)
    for equation in table.equations:
        if table.frequencies[equation.total] == 1:
            for child in equation.children:
                if table.frequencies[child] == 1 or (table.frequencies[child] == -1 and table.values[child] > 0):
                    sets.join(child, equation.total)
    members: dict[int, list[int]] = {}
    for cell in range(len(table)):
        members.setdefault(sets.find(cell), []).append(cell)
    cells = list(table.cells)
    for first, same in members.items():
        if len(same) > 1:
            name = f"the largest contributor of {table.label(first)}"
            for cell in same:
                if cells[cell].holders is None:
                    cells[cell] = replace(cells[cell], holders=(name,))
    return replace(table, cells=tuple(cells))
