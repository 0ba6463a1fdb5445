"""How much some cells of a table can move while every total still adds up: one linear programme over some of its cells.

A flow gives each cell a change, such that each total changes as the sum of its parts. If a secret cell moves in a
flow that passes through secret cells only, whoever sees the table cannot tell the true figure from the moved one. Which
flows are needed is in ``suppress``; here is the programme, kept by the solver from one flow to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import highspy

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Equation = tuple[int, Sequence[int]]
NEGLIGIBLE = 1e-6
"""A change below this share of the change asked for is rounding of the solver."""


ASKED = 30
"""How many steps of the solver asking it at all is as long as."""
READ_IN_A_STEP = 16
"""How many cells are read in as fast as the solver takes a step."""


class Programme:
    """The flows over ``cells`` that keep ``equations`` (total, parts), all among ``cells``.

    Each cell is two columns, what it gains and what it loses (Sande, Robertson, Kelly).
    """

    def __init__(self, cells: Ints, equations: Sequence[Equation]) -> None:
        self.cells = cells
        self._place = {int(cell): place for place, cell in enumerate(cells)}
        self._solver = _solver()
        self.solved = 0
        self.steps = 0
        size = len(cells)
        starts: list[int] = []
        indices: list[int] = []
        signs: list[float] = []
        for total, parts in equations:
            starts.append(len(indices))
            for cell, sign in ((total, -1.0), *((part, 1.0) for part in parts)):
                place = self._place[cell]
                indices += [place, size + place]
                signs += [sign, -sign]
        nothing = np.zeros(2 * size)
        self._columns = np.arange(2 * size, dtype=np.int32)
        self._solver.addVars(2 * size, nothing, nothing)
        self._solver.addRows(
            len(starts),
            np.zeros(len(starts)),
            np.zeros(len(starts)),
            len(indices),
            np.array(starts, dtype=np.int32),
            np.array(indices, dtype=np.int32),
            np.array(signs),
        )

    def flow(self, cost: Floats, gain: Floats, loss: Floats, imposed: dict[int, float]) -> Floats | None:
        """Return the cheapest change of each of ``cells``, or None when there is none.

        ``cost`` per unit of change, ``gain`` and ``loss`` bound each cell's change, in the order of ``cells``;
        ``imposed`` are changes that must be exactly these, by cell.
        """
        import highspy

        size = len(self.cells)
        low, high = np.zeros(2 * size), np.concatenate((gain, loss))
        for cell, change in imposed.items():
            place = self._place[cell]
            low[place] = high[place] = max(change, 0.0)
            low[size + place] = high[size + place] = max(-change, 0.0)
        self._solver.changeColsBounds(2 * size, self._columns, low, high)
        self._solver.changeColsCost(2 * size, self._columns, np.concatenate((cost, cost)))
        self._solver.run()
        self.solved += 1
        # What it takes, by no clock: the steps of the solver (-1, unknown, where there is no flow), and reading in.
        taken = max(0, self._solver.getInfo().simplex_iteration_count)
        self.steps += ASKED + size // READ_IN_A_STEP + taken
        if self._solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            self._solver.clearSolver()
            return None
        values: Floats = np.array(self._solver.getSolution().col_value)
        found: Floats = values[:size] - values[size:]
        return found


def _solver() -> highspy.Highs:
    import highspy

    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    options: dict[str, Any] = {"output_flag": False, "threads": 1, "presolve": "off", "solver": "simplex"}
    for name, value in options.items():
        solver.setOptionValue(name, value)
    return solver
