"""The least cost at which a small table can be protected from outside: Fischetti and Salazar (2001), by HiGHS.

The master programme chooses the empty cells. As long as an attacker deduces too much of a sensitive cell, the dual of
his programme gives a cut that forbids the choice and all like it: for d = e_p - Aᵀγ,
Σ (d⁺·UB + d⁻·LB)·x ≥ UPL, each coefficient no more than UPL (and with -e_p for LPL). The cuts of the choice in
fractions are found first, as it is solved in an instant; then those of the choice in whole cells.

Contributors' own knowledge is not in it: ``suppress`` adds what they make necessary.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from exports.disclosure.flows import Floats, Ints
from exports.disclosure.suppress import COSTS, Levels, Suppression, room
from exports.disclosure.table import Table

if TYPE_CHECKING:
    import highspy

LARGEST_EXACT, MOST_EXACT = 400, 25
"""Cells of a table, and cells to protect, for which the least cost is found in seconds; beyond, ask for it by name."""
GAP = 1e-4
"""The relative gap at which a choice is taken for the cheapest."""
ROUNDS = 400
VIOLATED = 1e-4
NOUGHT = 1e-7
TINY = 1e-6
UNBOUNDED = 1e3
"""What a cell may gain, in units of what is asked: nobody bounds values from above."""


class _Goal(NamedTuple):
    cell: int
    sign: float
    asked: float


@dataclass(eq=False)
class _Attacker:
    """The programme of an attacker from outside: the most that a cell can change, in units of what is asked of it."""

    rows: Sequence[tuple[Ints, Floats]]
    loss: Floats
    gain: Floats
    solver: highspy.Highs

    @classmethod
    def of(cls, table: Table, prior_pct: float | None) -> _Attacker:
        solver = _quiet()
        size = len(table)
        solver.addVars(size, np.zeros(size), np.zeros(size))
        rows = []
        for equation in table.equations:
            cells = np.array([equation.total, *equation.children], dtype=np.int32)
            signs = np.array([-1.0] + [1.0] * len(equation.children))
            solver.addRow(0.0, 0.0, len(cells), cells, signs)
            rows.append((cells.astype(np.int64), signs))
        loss, gain = room(table, prior_pct)
        return cls(rows, loss, gain, solver)

    def cut(self, goal: _Goal, chosen: Floats) -> Floats | None:
        """Return the cut of a choice (1 for empty, or fractions) that gives too much away, None when it does not.

        The cut is divided by what is asked: coefficients of a sum that must be at least 1.
        """
        size = len(self.loss)
        loss, gain = self.loss / goal.asked, np.minimum(self.gain / goal.asked, UNBOUNDED)
        columns = np.arange(size, dtype=np.int32)
        self.solver.changeColsBounds(size, columns, -loss * chosen, gain * chosen)
        self.solver.changeColsCost(size, columns, np.zeros(size))
        self.solver.changeColCost(goal.cell, -goal.sign)
        self.solver.run()
        reached = -self.solver.getInfo().objective_function_value
        if reached >= 1 - VIOLATED:
            return None
        duals = self.solver.getSolution().row_dual
        reduced = np.zeros(size)
        reduced[goal.cell] = goal.sign
        for (cells, signs), dual in zip(self.rows, duals, strict=True):
            reduced[cells] += signs * dual
        reduced[np.abs(reduced) < NOUGHT] = 0.0
        return np.minimum(np.where(reduced > 0, reduced * gain, -reduced * loss), 1.0)


def suppress_exactly(
    table: Table,
    levels: Mapping[int, Levels],
    *,
    cost: str = "value",
    empty: Iterable[int] = (),
    fixed: Iterable[int] = (),
    prior_pct: float | None = None,
) -> Suppression | None:
    """Choose what to leave empty besides ``levels`` at the least cost, against attackers from outside.

    ``prior_pct`` is as in ``suppress``. Return None when no choice protects all of them, or when the cuts do not come
    to an end.
    """
    prices = COSTS[cost](table)
    size = len(table)
    attacker = _Attacker.of(table, prior_pct)
    goals = _goals(table, levels)
    low, high = np.zeros(size), np.ones(size)
    low[[*levels, *empty, *np.flatnonzero(table.unknown)]] = 1.0
    for cell in fixed:  # leaving empty what everybody knows hides nothing
        low[cell] = high[cell] = 0.0
    master = _master(low, high, prices)
    whole = False
    chosen = low
    for rounds in range(1, ROUNDS + 1):
        cuts = [cut for goal in goals if (cut := attacker.cut(goal, chosen)) is not None]
        if not cuts and whole:
            secondary = [cell for cell in np.flatnonzero(chosen > 0.5).tolist() if low[cell] == 0]
            return Suppression(tuple(secondary), math.fsum(prices[secondary]), (), rounds * len(goals))
        if not cuts:
            whole = True
            _demand_whole(master, size)
        solution = _solution(master, cuts)
        if solution is None:
            return None
        chosen = np.round(solution) if whole else np.clip(solution, 0.0, 1.0)
    return None


def _master(low: Floats, high: Floats, prices: Floats) -> highspy.Highs:
    """Return the programme that chooses, between the bounds of each cell, at the least price; without a cut yet."""
    master, size = _quiet(), len(low)
    master.setOptionValue("mip_rel_gap", GAP)
    master.addVars(size, low, high)
    # A cell without a price is not left empty for nothing.
    paid = np.where(low == 1, 0.0, prices + TINY * float(prices.max(initial=1.0)))
    master.changeColsCost(size, np.arange(size, dtype=np.int32), paid)
    return master


def _solution(master: highspy.Highs, cuts: Iterable[Floats]) -> Floats | None:
    """Return the cheapest choice that heeds ``cuts`` too, None when there is none."""
    import highspy

    for cut in cuts:
        cells = np.flatnonzero(cut > NOUGHT).astype(np.int32)
        master.addRow(1.0, math.inf, len(cells), cells, cut[cells])
    master.run()
    if master.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    return np.array(master.getSolution().col_value)


def _goals(table: Table, levels: Mapping[int, Levels]) -> list[_Goal]:
    goals = []
    for cell, level in levels.items():
        value = float(table.values[cell])
        least = max(1e-3 * value, 1e-6)
        goals.append(_Goal(cell, 1.0, max(level.upper, least)))
        if value > 0:
            goals.append(_Goal(cell, -1.0, min(max(level.lower, least), value)))
    return goals


def _demand_whole(master: highspy.Highs, size: int) -> None:
    import highspy

    integer = np.full(size, highspy.HighsVarType.kInteger)
    master.changeColsIntegrality(size, np.arange(size, dtype=np.int32), integer)


def _quiet() -> highspy.Highs:
    import highspy

    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    return solver
