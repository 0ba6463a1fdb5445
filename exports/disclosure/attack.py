"""What an attacker deduces of the unknown cells of a table from those that are shown, by linear programming.

Here: the programme, reduced to what is not trivial and cut into independent parts. Who attacks, knowing what, and which
result is a risk, is in ``audit``. Nothing here knows how unknown cells were chosen.

The unknowns are the changes x by which cells may differ from their values a, so that every equation still holds:
A·x = 0, low - a ≤ x ≤ high - a (Fischetti and Salazar 2001, the attacker's problem with only suppressed cells as
variables). The true table is x = 0, and the set is convex: whatever is reached in some table, less is reached too.

What is guaranteed. A *witness* is another table that agrees with everything that is known; it is checked here, equation
by equation, whatever the solver says, and proves that an attacker's interval is at least so wide. That an interval is
no wider is the optimum of a programme, or follows from equations with one unknown left. Both hold within the tolerance
of the solver (1e-7 of numbers that are scaled so that the largest of a part is about 2e7). So a solver that errs can
make an interval look smaller than it is, and refuse a release that is safe, but never the contrary.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from raw_sources.errors import ConfigurationError, MachineryError

if TYPE_CHECKING:
    import highspy

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Sums = Sequence[tuple[int, Sequence[int]]]
"""Equations: a total and its children, by index."""
LARGEST = 24
"""Numbers of a part are scaled by a power of two so that the largest is between 2**23 and 2**24."""
FEASIBLE = 1e-6
"""By how much a witness may miss an equation or a bound, once scaled."""
NOTHING = 1e-12
"""The share of the largest value of the table below which an interval is rounding."""
NEAR = 40
"""How many equations the first search around a cell takes in; each further search takes four times as many."""
LARGE = 2000
"""From how many columns on a programme that moves many cells is solved by an interior-point method."""
ENDS = ("Optimal", "Unbounded", "Primal infeasible or unbounded")
"""How a programme may end, in the solver's words. The last is unbounded too: the true table is always feasible."""
OTHERWISE: tuple[dict[str, str | int], ...] = ({}, {"simplex_strategy": 1, "presolve": "on"}, {"solver": "ipm"})
"""The options with which a programme that ended otherwise is solved again, one after the other."""
WEIGHTS = 1000.0
"""How much more one cell than another may weigh in a programme that moves many."""
Bounds = Mapping[int, tuple[float, float]]
Move = tuple[int, float, float]
"""A cell, the side (1 up, -1 down), and how far."""


@dataclass(eq=False)
class Reach:
    """By how much each cell may at least move up and down. ``certain`` where it can move no farther."""

    up: Floats
    down: Floats
    up_certain: Flags
    down_certain: Flags


@dataclass(eq=False)
class _Part:
    """Variables that share equations, apart from all others. ``cells`` are x = sign · variable."""

    variables: list[int]
    rows: list[dict[int, float]]
    low: Floats
    high: Floats
    cells: Ints
    column: Ints
    ratio: Floats
    scale: float
    solver: _Solver | None = field(default=None)
    rows_of: list[list[int]] = field(default_factory=list)

    @cached_property
    def entries(self) -> tuple[Ints, Ints, Floats]:
        """The equations as entries of a matrix: rows, columns, signs."""
        found = [(place, column, sign) for place, row in enumerate(self.rows) for column, sign in row.items()]
        rows, columns, signs = zip(*found, strict=True) if found else ((), (), ())
        return np.array(rows, np.int64), np.array(columns, np.int64), np.array(signs, np.float64)

    def holds(self, point: Floats, low: Floats, high: Floats) -> bool:
        """Check a witness without the solver."""
        if np.any(point < low - FEASIBLE) or np.any(point > high + FEASIBLE):
            return False
        row, column, sign = self.entries
        missed = np.bincount(row, weights=sign * point[column], minlength=1)
        return bool(np.max(np.abs(missed), initial=0.0) <= FEASIBLE)

    def ends(self, inside: Bounds) -> tuple[Floats, Floats]:
        """Return the bounds of all columns, with those of ``inside`` where it has some."""
        low, high = self.low.copy(), self.high.copy()
        for column, (lowest, highest) in inside.items():
            low[column], high[column] = lowest, highest
        return low, high

    def whole(self) -> _Solver:
        if self.solver is None:
            self.solver = _Solver(self.rows, self.low, self.high)
        return self.solver


class _Solver:
    """A programme that is asked again and again with another objective: each answer starts from the one before."""

    def __init__(self, rows: Sequence[Mapping[int, float]], low: Floats, high: Floats) -> None:
        import highspy

        self.low, self.high = low, high
        size = len(low)
        programme = highspy.HighsLp()
        programme.num_col_, programme.num_row_ = size, len(rows)
        programme.col_cost_ = np.zeros(size)
        programme.col_lower_, programme.col_upper_ = low, high
        programme.row_lower_ = programme.row_upper_ = np.zeros(len(rows))
        programme.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        programme.a_matrix_.start_ = np.cumsum([0, *(len(row) for row in rows)], dtype=np.int32)
        programme.a_matrix_.index_ = np.fromiter((column for row in rows for column in row), dtype=np.int32)
        programme.a_matrix_.value_ = np.fromiter((sign for row in rows for sign in row.values()), dtype=np.float64)
        programme.sense_ = highspy.ObjSense.kMaximize
        self._programme = programme
        self._highs = _quiet()
        self._highs.passModel(programme)
        self._interior: highspy.Highs | None = None
        self.solved = 0

    def farthest(self, costs: Mapping[int, float], bounds: Bounds) -> Floats | None:
        """Return the point that maximises ``costs``, with tighter ``bounds`` on some columns; None: without bound."""
        status, point = self._asked(self._highs, costs, bounds)
        for other in OTHERWISE:
            if status in ENDS:
                break
            # The true table is always feasible: a solver that says otherwise was led astray by the basis it started
            # from, or by rounding. It is asked again from scratch, and otherwise.
            again = _quiet()
            for option, value in other.items():
                again.setOptionValue(option, value)
            again.passModel(self._programme)
            status, point = self._asked(again, costs, bounds)
            self._highs.clearSolver()
        if status not in ENDS:
            raise MachineryError(f"The audit did not finish: {status}.", hint="Report the shape of the table.")
        return point

    def inner(self, costs: Mapping[int, float], bounds: Bounds) -> Floats | None:
        """Return a point near the maximum, by an interior-point method; None: it found none.

        Of a large programme with many costs, it is found much sooner than a corner.
        """
        if self._interior is None:
            self._interior = _quiet()
            self._interior.setOptionValue("solver", "ipm")
            self._interior.setOptionValue("run_crossover", "off")
            self._interior.passModel(self._programme)
        return self._asked(self._interior, costs, bounds)[1]

    def _asked(self, highs: highspy.Highs, costs: Mapping[int, float], bounds: Bounds) -> tuple[str, Floats | None]:
        for column, cost in costs.items():
            highs.changeColCost(column, cost)
        for column, (low, high) in bounds.items():
            highs.changeColBounds(column, low, high)
        highs.run()
        self.solved += 1
        status = str(highs.modelStatusToString(highs.getModelStatus()))
        point = np.array(highs.getSolution().col_value) if status == ENDS[0] else None
        for column in costs:
            highs.changeColCost(column, 0.0)
        for column in bounds:
            highs.changeColBounds(column, float(self.low[column]), float(self.high[column]))
        return status, point


class Attack:
    """The deductions from the ``equations`` between ``values``, of which those that are ``unknown`` are not shown.

    ``low`` and ``high`` are what the attacker knows beforehand of each cell. Values that are NaN, hidden by the
    producer, must be unknown.
    """

    def __init__(self, equations: Sums, values: Floats, unknown: Flags, low: Floats, high: Floats) -> None:
        self.unknown = unknown
        self.values = completed(equations, values, low, high)
        self._largest = float(np.max(self.values, initial=0.0))
        self.low, self.high = np.minimum(low - self.values, 0.0), np.maximum(high - self.values, 0.0)
        size = len(values)
        moving = unknown & (self.high - self.low > NOTHING * self._largest)
        self.reach = Reach(np.zeros(size), np.zeros(size), ~moving, ~moving)
        self._variable = np.full(size, -1, dtype=np.int64)
        self._part_of = np.full(size, -1, dtype=np.int64)
        self._column = np.zeros(size, dtype=np.int64)
        self._ratio = np.zeros(size)
        self.parts = self._cut(*_Reduction(equations, moving, self.low, self.high, NOTHING * self._largest).result())
        self._small = 0

    @property
    def solved(self) -> int:
        """How many programmes have been solved."""
        return self._small + sum(part.solver.solved for part in self.parts if part.solver is not None)

    def is_known(self, cell: int) -> bool:
        """Tell whether equations with one unknown left give the cell."""
        return bool(self._part_of[cell] < 0)

    def _cut(self, rows: list[dict[int, float]], alias: dict[int, tuple[int, float]]) -> list[_Part]:
        """Return the connected parts of the reduced programme."""
        rows_of: dict[int, list[int]] = {root: [] for root, _ in alias.values()}
        for place, row in enumerate(rows):
            for variable in row:
                rows_of[variable].append(place)
        cells_of: dict[int, list[tuple[int, float]]] = {root: [] for root in rows_of}
        for cell, (root, ratio) in alias.items():
            cells_of[root].append((cell, ratio))
        fixed = np.flatnonzero(self.unknown & ~self.reach.up_certain)
        self.reach.up_certain[fixed] = self.reach.down_certain[fixed] = True
        seen: set[int] = set()
        parts: list[_Part] = []
        for start in rows_of:
            if start not in seen:
                variables, own = _connected(start, rows_of, rows, seen)
                parts.append(self._part(len(parts), variables, own, rows, rows_of, cells_of))
        return parts

    def _part(
        self,
        place: int,
        variables: list[int],
        own: list[int],
        rows: list[dict[int, float]],
        rows_of: Mapping[int, list[int]],
        cells_of: Mapping[int, list[tuple[int, float]]],
    ) -> _Part:
        column = {variable: index for index, variable in enumerate(variables)}
        row_place = {row: index for index, row in enumerate(own)}
        members = [(cell, column[root], ratio) for root in variables for cell, ratio in cells_of[root]]
        cells = np.array([cell for cell, _, _ in members], dtype=np.int64)
        columns = np.array([index for _, index, _ in members], dtype=np.int64)
        ratios = np.array([ratio for _, _, ratio in members])
        self._part_of[cells], self._column[cells], self._ratio[cells] = place, columns, ratios
        self.reach.up_certain[cells] = self.reach.down_certain[cells] = False
        largest = float(np.max(self.values[cells], initial=0.0))
        scale = 2.0 ** (LARGEST - math.frexp(largest)[1]) if largest > 0 else 1.0
        low, high = np.full(len(variables), -np.inf), np.full(len(variables), np.inf)
        ends = np.stack((self.low[cells] / ratios, self.high[cells] / ratios)) * scale
        np.maximum.at(low, columns, ends.min(axis=0))
        np.minimum.at(high, columns, ends.max(axis=0))
        shortened = [{column[variable]: sign for variable, sign in rows[row].items()} for row in own]
        around = [[row_place[row] for row in rows_of[variable]] for variable in variables]
        return _Part(variables, shortened, low, high, cells, columns, ratios, scale, rows_of=around)

    def place(self, cell: int) -> tuple[_Part, int, float]:
        """Return the part of an unknown cell, its column, and the change of the column per unit change of the cell."""
        part = self.parts[self._part_of[cell]]
        return part, int(self._column[cell]), part.scale / float(self._ratio[cell])

    def prove(self, up: Mapping[int, float], down: Mapping[int, float]) -> None:
        """Find, for each cell of ``up`` and ``down``, whether it may move so far; ``reach`` then tells.

        First programmes that move many cells at once, as long as they help; then one per cell and side, that stops at
        the move asked for. What cannot move so far gets its exact end.
        """
        moves = [(cell, 1.0, asked) for cell, asked in up.items()] + [
            (cell, -1.0, asked) for cell, asked in down.items()
        ]
        self.together(moves, {})
        for cell, side, asked in moves:
            if not self.moves(cell, side, asked):
                self.stretch(cell, side, asked)

    def together(self, moves: Sequence[Move], tighter: Bounds) -> Flags:
        """Move many cells at once, with ``tighter`` bounds on changes of some; tell which move as far as asked.

        Each programme maximises the sum of the moves that are still to be shown. Those that it does not show may be
        possible all the same.
        """
        shown = np.zeros(len(moves), dtype=np.bool_)
        by_part: dict[int, list[int]] = {}
        for place, (cell, _, _) in enumerate(moves):
            if not self.is_known(cell):
                by_part.setdefault(int(self._part_of[cell]), []).append(place)
        inside = self._columns(tighter)
        for number, places in sorted(by_part.items()):
            self._together(self.parts[number], moves, np.array(places), inside.get(number, {}), shown)
        return shown

    def _together(self, part: _Part, moves: Sequence[Move], waiting: Ints, inside: Bounds, shown: Flags) -> None:
        """Set ``shown`` for those of the moves ``waiting``, all of one part, that a witness shows."""
        side, fruitless = 1.0, 0
        low, high = part.ends(inside)
        while waiting.size and fruitless < 2:
            tried = [moves[place] for place in waiting if moves[place][1] == side]
            point = self._most(part, tried, inside) if tried else None
            helped = 0
            if point is not None and part.holds(point, low, high):
                for witness in (point, _turned(point, low, high)):
                    self._widen(part, witness)
                    is_shown = np.array([self._is_shown(moves[place], witness) for place in waiting], dtype=np.bool_)
                    shown[waiting[is_shown]] = True
                    waiting = waiting[~is_shown]
                    helped += int(np.count_nonzero(is_shown))
            if helped < max(2, waiting.size // 20):
                side, fruitless = -side, fruitless + 1
            else:
                fruitless = 0

    def _is_shown(self, move: Move, witness: Floats) -> bool:
        cell, side, asked = move
        _, column, unit = self.place(cell)
        return bool(witness[column] / unit * side >= asked * (1 - FEASIBLE))

    def _columns(self, tighter: Bounds) -> dict[int, dict[int, tuple[float, float]]]:
        """Return bounds on changes of cells as bounds on the columns of each part."""
        found: dict[int, dict[int, tuple[float, float]]] = {}
        for cell, (low, high) in tighter.items():
            if self.is_known(cell):
                continue
            part, column, unit = self.place(cell)
            bounds = found.setdefault(int(self._part_of[cell]), {})
            ends = sorted((low * unit, high * unit))
            now = bounds.get(column, (float(part.low[column]), float(part.high[column])))
            bounds[column] = (max(now[0], min(ends[0], 0.0)), min(now[1], max(ends[1], 0.0)))
        return found

    def _most(self, part: _Part, moves: Sequence[Move], inside: Bounds) -> Floats | None:
        """Return the point of the largest weighted sum of moves to one side, each no farther than asked."""
        usual = float(np.median([asked for _, _, asked in moves]))
        costs: dict[int, float] = {}
        bounds = dict(inside)
        for cell, side, asked in moves:
            _, column, unit = self.place(cell)
            # Small cells count as much as large ones, within what the solver can tell from nothing.
            weight = min(max(usual / asked, 1 / WEIGHTS), WEIGHTS)
            cost = side * math.copysign(weight, unit)
            if costs.get(column, cost) * cost < 0:
                # Two cells of which one loses what the other gains: one at a time.
                continue
            costs[column] = costs.get(column, 0.0) + cost
            end = self._capped(part, column, side * asked * unit)
            now = bounds.get(column, end)
            bounds[column] = (max(now[0], end[0]), min(now[1], end[1]))
        point = part.whole().inner(costs, bounds) if len(part.low) >= LARGE else None
        if point is None or not part.holds(point, *part.ends(bounds)):
            point = part.whole().farthest(costs, bounds)
        return point

    def moves(self, cell: int, side: float, asked: float) -> bool:
        """Tell whether a witness moves the cell as far as asked."""
        return bool((self.reach.up if side > 0 else self.reach.down)[cell] >= asked * (1 - FEASIBLE))

    def stretch(self, cell: int, side: float, asked: float = math.inf) -> None:
        """Move a cell as far as ``asked``, or as far as it goes, in the whole programme of its part."""
        if self.is_known(cell):
            return
        part, column, unit = self.place(cell)
        direction = side * math.copysign(1.0, unit)
        end = self._capped(part, column, side * asked * unit)
        point = (
            self._near(part, column, direction, {column: end}, asked * abs(unit)) if len(part.low) >= LARGE else None
        )
        if point is None:
            point = part.whole().farthest({column: direction}, {column: end})
        reach, certain = self._side(side)
        if point is None:
            reach[cell], certain[cell] = math.inf, True
            return
        self.credit(part, point)
        moved = point[column] / unit * side
        if not moved >= asked * (1 - FEASIBLE):
            reach[cell], certain[cell] = max(0.0, moved), True

    def search(self, cell: int, side: float, asked: float, tighter: Bounds) -> tuple[Ints, Floats] | float:
        """Return a witness that moves ``cell`` by ``asked`` with ``tighter`` bounds on changes of some cells.

        It is the cells that move and their changes, and moves few: it is looked for near the cell first. Where there
        is none in the whole part, return the farthest move.
        """
        part, column, unit = self.place(cell)
        bounds = self._columns(tighter).get(int(self._part_of[cell]), {})
        end = self._capped(part, column, side * asked * unit)
        now = bounds.get(column, end)
        bounds[column] = (max(now[0], end[0]), min(now[1], end[1]))
        direction = side * math.copysign(1.0, unit)
        enough = asked * abs(unit) * (1 - FEASIBLE)
        point = self._near(part, column, direction, bounds, asked * abs(unit))
        if point is not None:
            return self._witness(part, point)
        found = part.whole().farthest({column: direction}, bounds)
        if found is None:
            return math.inf
        if found[column] * direction >= enough and part.holds(found, *part.ends(bounds)):
            return self._witness(part, found)
        return max(0.0, float(found[column] * direction / abs(unit)))

    def _near(self, part: _Part, column: int, direction: float, bounds: Bounds, asked: float) -> Floats | None:
        """Return a witness that moves a column as far as asked and moves only what is around it, None if none does."""
        near = NEAR
        while near < len(part.rows) and asked < math.inf:
            point = self._nearby(part, column, direction, bounds, near)
            if point[column] * direction >= asked * (1 - FEASIBLE):
                return point
            near *= 4
            if near > NEAR * 16:
                # A large search from nothing is slower than an interior point of the whole part.
                found = part.whole().inner({column: direction}, bounds)
                if found is None or found[column] * direction < asked * (1 - FEASIBLE):
                    return None
                return found if part.holds(found, *part.ends(bounds)) else None
        return None

    def _nearby(self, part: _Part, column: int, direction: float, bounds: Bounds, near: int) -> Floats:
        """Return the farthest move of a column when only those around it move: equations at the border are kept."""
        rows: dict[int, None] = {}
        columns = {column: 0}
        waiting = deque([column])
        while waiting and len(rows) < near:
            for row in part.rows_of[waiting.popleft()]:
                if row not in rows:
                    rows[row] = None
                    for other in part.rows[row]:
                        if other not in columns:
                            columns[other] = len(columns)
                            waiting.append(other)
        # A column with an equation outside must stay, or that equation would not hold.
        inner = [one for one in columns if all(row in rows for row in part.rows_of[one])]
        point = np.zeros(len(part.low))
        if column not in inner:
            return point
        index = {one: place for place, one in enumerate(inner)}
        shortened = [{index[one]: sign for one, sign in part.rows[row].items() if one in index} for row in rows]
        ends = [bounds.get(one, (float(part.low[one]), float(part.high[one]))) for one in inner]
        low, high = np.array([end[0] for end in ends]), np.array([end[1] for end in ends])
        solver = _Solver([row for row in shortened if row], low, high)
        found = solver.farthest({index[column]: direction}, {})
        self._small += 1
        if found is not None:
            point[inner] = found
        return point if part.holds(point, *part.ends(bounds)) else np.zeros(len(part.low))

    def credit(self, part: _Part, point: Floats) -> None:
        """Take a point of a part as a witness for all its cells, and its opposite as far as bounds allow."""
        if part.holds(point, part.low, part.high):
            self._widen(part, point)
            self._widen(part, _turned(point, part.low, part.high))

    def _side(self, side: float) -> tuple[Floats, Flags]:
        reach = self.reach
        return (reach.up, reach.up_certain) if side > 0 else (reach.down, reach.down_certain)

    def _capped(self, part: _Part, column: int, end: float) -> tuple[float, float]:
        low, high = float(part.low[column]), float(part.high[column])
        return (low, min(high, end)) if end > 0 else (max(low, end), high)

    def _widen(self, part: _Part, point: Floats) -> None:
        changes = point[part.column] * part.ratio / part.scale
        np.maximum.at(self.reach.up, part.cells, changes)
        np.maximum.at(self.reach.down, part.cells, -changes)

    def _witness(self, part: _Part, point: Floats) -> tuple[Ints, Floats]:
        changes = point[part.column] * part.ratio / part.scale
        moving = np.abs(point[part.column]) > FEASIBLE
        return part.cells[moving], changes[moving]


class _Reduction:
    """Equations freed of what is trivial.

    An equation with one unknown gives it; one whose unknowns can only move against the others' bounds gives them all;
    one with two makes them one. What is given is no unknown any more, and so on until nothing changes.
    """

    def __init__(self, equations: Sums, moving: Flags, low: Floats, high: Floats, tolerance: float) -> None:
        self.rows: list[dict[int, float]] = []
        self.rows_of: dict[int, set[int]] = {int(cell): set() for cell in np.flatnonzero(moving)}
        self.low = {cell: float(low[cell]) for cell in self.rows_of}
        self.high = {cell: float(high[cell]) for cell in self.rows_of}
        self.tolerance = tolerance
        self.alias: dict[int, tuple[int, float]] = {}
        for total, children in equations:
            row = {cell: 1.0 for cell in children if moving[cell]}
            if moving[total]:
                row[total] = row.get(total, 0.0) - 1.0
            for cell in row:
                self.rows_of[cell].add(len(self.rows))
            self.rows.append(row)
        self.waiting = deque(range(len(self.rows)))

    def result(self) -> tuple[list[dict[int, float]], dict[int, tuple[int, float]]]:
        """Return the equations that are left, and for each cell that may move its variable and its change per unit."""
        while self.waiting:
            self._simplify(self.waiting.popleft())
        alias = {}
        for cell in [*self.rows_of, *self.alias]:
            root, ratio = self._root(cell)
            if root in self.rows_of:
                alias[cell] = (root, ratio)
        unique = {tuple(sorted(row.items())): row for row in self.rows if row}
        return list(unique.values()), alias

    def _simplify(self, place: int) -> None:
        row = self.rows[place]
        for cell in [cell for cell, sign in row.items() if sign == 0.0]:
            del row[cell]
            self.rows_of[cell].discard(place)
        if not row:
            return
        most = sum(sign * (self.high if sign > 0 else self.low)[cell] for cell, sign in row.items())
        least = sum(sign * (self.low if sign > 0 else self.high)[cell] for cell, sign in row.items())
        if len(row) == 1 or most <= self.tolerance or least >= -self.tolerance:
            for cell in list(row):
                self._fix(cell)
        elif len(row) == 2:
            gone, kept = sorted(row, key=lambda cell: len(self.rows_of[cell]))
            self._merge(gone, kept, row)

    def _fix(self, cell: int) -> None:
        for place in self.rows_of.pop(cell):
            del self.rows[place][cell]
            self.waiting.append(place)

    def _merge(self, gone: int, kept: int, row: dict[int, float]) -> None:
        """Write ``gone`` = ratio · ``kept`` in every equation."""
        ratio = -row[kept] / row[gone]
        ends = sorted((self.low.pop(gone) / ratio, self.high.pop(gone) / ratio))
        self.low[kept], self.high[kept] = max(self.low[kept], ends[0]), min(self.high[kept], ends[1])
        self.alias[gone] = (kept, ratio)
        for place in self.rows_of.pop(gone):
            other = self.rows[place]
            other[kept] = other.get(kept, 0.0) + other.pop(gone) * ratio
            self.rows_of[kept].add(place)
            self.waiting.append(place)
        self.waiting.extend(self.rows_of[kept])
        if self.high[kept] - self.low[kept] <= self.tolerance:
            self._fix(kept)

    def _root(self, cell: int) -> tuple[int, float]:
        ratio = 1.0
        while cell in self.alias:
            cell, step = self.alias[cell]
            ratio *= step
        return cell, ratio


def _turned(witness: Floats, low: Floats, high: Floats) -> Floats:
    """Return the opposite of a witness, as far as bounds allow."""
    moving = np.abs(witness) > FEASIBLE
    room = np.where(witness > 0, -low, high)[moving]
    back = float(np.min(room / np.abs(witness[moving]), initial=1.0))
    return -max(0.0, back) * witness


def _connected(
    start: int, rows_of: Mapping[int, list[int]], rows: Sequence[Mapping[int, float]], seen: set[int]
) -> tuple[list[int], list[int]]:
    variables, own = [start], dict.fromkeys(rows_of[start])
    seen.add(start)
    for variable in variables:
        for row in rows_of[variable]:
            own[row] = None
            for other in rows[row]:
                if other not in seen:
                    seen.add(other)
                    variables.append(other)
    return variables, list(own)


def completed(equations: Sums, values: Floats, low: Floats, high: Floats, rounding: float = 1e-9) -> Floats:
    """Return ``values`` with some table's values for those that the producer hid: any that the equations allow.

    Sums hold exactly if they can, else within ``rounding`` of what is known of them. Raises ``ConfigurationError`` when
    no values do.
    """
    hidden = {int(cell): place for place, cell in enumerate(np.flatnonzero(np.isnan(values)))}
    if not hidden:
        return values
    rows: list[dict[int, float]] = []
    sides: list[float] = []
    for total, children in equations:
        signs = [(total, -1.0), *((child, 1.0) for child in children)]
        row = {hidden[cell]: sign for cell, sign in signs if cell in hidden}
        if row:
            rows.append(row)
            sides.append(-math.fsum(sign * values[cell] for cell, sign in signs if cell not in hidden))
    least, most = low[list(hidden)], high[list(hidden)]
    found = _solution(rows, sides, least, most, 0.0)
    if found is None:
        found = _solution(rows, sides, least, most, rounding)
    if found is None:
        hint = "Correct the totals, or leave out those of cells that the producer hides."
        raise ConfigurationError("No values of the cells hidden by the producer agree with the totals.", hint=hint)
    completed = values.copy()
    completed[list(hidden)] = found
    return completed


def _solution(
    rows: Sequence[Mapping[int, float]], sides: Iterable[float], low: Floats, high: Floats, rounding: float
) -> Floats | None:
    import highspy

    highs = _quiet()
    highs.addVars(len(low), low, high)
    for row, side in zip(rows, sides, strict=True):
        slack = rounding * max(1.0, abs(side))
        columns = np.array(list(row), dtype=np.int32)
        highs.addRow(side - slack, side + slack, len(row), columns, np.array(list(row.values())))
    highs.run()
    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    found: Floats = np.clip(np.array(highs.getSolution().col_value), low, high)
    return found


def _quiet() -> highspy.Highs:
    """Return a solver with one thread, that writes nothing and starts each programme from the last answer."""
    import highspy

    highs = highspy.Highs()  # type: ignore[no-untyped-call]
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("threads", 1)
    highs.setOptionValue("presolve", "off")
    # Primal simplex: a new objective leaves the last answer feasible.
    highs.setOptionValue("simplex_strategy", 4)
    return highs
