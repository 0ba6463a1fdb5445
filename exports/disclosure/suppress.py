"""Which cells to leave empty besides the unsafe ones, so that sums do not give these back (secondary suppression).

Each sensitive cell is given flows (``flows``) that move it by its protection level through empty cells only. The
cheapest flow is looked for in the smallest subtable around the cell (one parent per dimension), then continued into the
subtables below, as HiTaS goes from the top down; the whole table is asked only where no subtable has an answer. A flow
is a proof from outside. Whoever knows cells (a singleton its own, a large contributor its share) is met by a second
flow that leaves these at rest. A last pass publishes again what other flows make needless. Whether this succeeded is
for ``audit`` to say, which knows nothing of flows; the least possible cost on small tables is in ``exact``.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from exports.disclosure.flows import NEGLIGIBLE, Equation, Floats, Ints, Programme
from exports.disclosure.likeness import aliases, raised_to_totals
from exports.disclosure.table import Codes, Table

COSTS: dict[str, Callable[[Table], Floats]] = {
    "value": lambda table: np.nan_to_num(table.values),
    "root": lambda table: np.sqrt(np.nan_to_num(table.values)),
    "frequency": lambda table: np.maximum(table.frequencies, 0).astype(np.float64),
    "unity": lambda table: np.ones(len(table)),
}
"""What an empty cell costs: its value, the square root of it, its contributors, or one."""
CLOSEST = 1e-3
"""Where a rule asks for no interval, this share of the value is asked for: the exact figure must not come back."""
FARTHEST = 10.0
"""A flow moves no cell by more than this many times what it moves the cell to protect: sums stay well scaled."""
NOISE = 1e-9
"""A change below this is none at all; between it and ``NEGLIGIBLE`` it is carried on, so that sums stay exact."""
ROUNDING = 1e-6
"""By this share a bound may be missed: the solver keeps its own only so far."""
CARRIED = 1e-4
"""The cost of moving a cell that is empty already, beside a median of one: short flows before long ones."""
CLEANING = 3000
"""How many programmes the clean-up may solve: a number, not a time, so that the same table gives the same cells."""


ATTEMPTS = 40
"""How many flows are looked for to protect one cell from all who know something."""
SMALL = 2000
"""Cells of a table of which the clean-up may ask the whole again and again."""


class Levels(NamedTuple):
    """By how much at least a cell must be uncertain above and below its value (UPL and LPL)."""

    upper: float
    lower: float


@dataclass(frozen=True)
class Suppression:
    """The cells to leave empty besides the sensitive ones and those empty already, and their cost.

    ``unprotected`` are sensitive cells for which no flow exists, whatever is left empty. ``programmes`` is how many
    linear programmes it took.
    """

    secondary: tuple[int, ...]
    cost: float
    unprotected: tuple[int, ...]
    programmes: int


@dataclass(frozen=True, eq=False)
class _Flow:
    """Changes of ``cells``. It may run backwards and be scaled, unless it is the most of two for ``only`` a cell.

    ``losses`` are then how much each cell loses in either: nobody bounds what it may gain. A flow ``against`` somebody
    moves what is not his own of a cell to which he contributes.
    """

    cells: Ints
    changes: Floats
    only: int | None = None
    losses: Floats | None = None
    against: int | None = None


@dataclass(eq=False)
class _Subtable:
    """Cells that share one parent per dimension. ``given`` are those which a subtable above has settled."""

    rank: tuple[int, int]
    cells: Ints
    equations: list[Equation]
    given: npt.NDArray[np.bool_]
    programme: Programme | None = None

    @cached_property
    def places(self) -> frozenset[int]:
        """The cells, to look one up."""
        return frozenset(self.cells.tolist())

    def solver(self) -> Programme:
        if self.programme is None:
            self.programme = Programme(self.cells, self.equations)
        return self.programme


@dataclass
class _Proof:
    """The flows that protect a cell; ``threats`` are the owners who know enough of each of them."""

    flows: list[tuple[_Flow, float]] = field(default_factory=list)
    threats: frozenset[int] | None = None

    @property
    def holds(self) -> bool:
        return self.threats is not None and not self.threats


def suppress(
    table: Table,
    levels: Mapping[int, Levels],
    *,
    cost: str = "value",
    insiders: bool = True,
    empty: Iterable[int] = (),
    fixed: Iterable[int] = (),
    cleaning: int = CLEANING,
) -> Suppression:
    """Choose what to leave empty so that each cell of ``levels`` is uncertain by its levels.

    ``empty`` are cells left empty already (an earlier release, a repair): they cost nothing. ``fixed`` are known
    whatever is left empty (an earlier release showed them). ``cost`` is a word of ``COSTS``. With ``insiders``,
    singletons and largest contributors are taken to know their own.
    """
    work = _Work(table, levels, COSTS[cost](table), insiders, empty, fixed)
    for cell in work.order:
        work.protect(cell)
    work.clean(cleaning)
    return work.result()


class _Work:
    """The state of one suppression. Cells that are always equal (a total of one part) are one: its highest."""

    def __init__(
        self,
        table: Table,
        levels: Mapping[int, Levels],
        cost: Floats,
        insiders: bool,
        empty: Iterable[int],
        fixed: Iterable[int] = (),
    ) -> None:
        self.table = table
        self.prices = cost
        self.alias = aliases(table, levels)
        self.slack = np.nan_to_num(table.values)
        self.slack[self.alias[list(fixed)]] = 0.0
        self.knowing, self.known_by, self.own = _insiders(table if insiders else None, len(table), self.alias)
        self.own = {person: raised_to_totals(table, own) for person, own in self.own.items()}
        self.known = np.array([each[0][0] if each else np.inf for each in self.knowing])
        self.cost = np.zeros(len(table))
        np.add.at(self.cost, self.alias, cost / (float(np.median(cost[cost > 0])) if (cost > 0).any() else 1.0))
        self.empty = np.zeros(len(table), dtype=np.bool_)
        self.start = np.zeros(len(table), dtype=np.bool_)
        self.start[[*levels, *np.flatnonzero(table.unknown)]] = True
        self.empty[self.alias[np.flatnonzero(self.start)]] = True
        self.start[list(empty)] = True
        self.empty[self.alias[list(empty)]] = True
        self.sensitive = frozenset(int(self.alias[cell]) for cell in np.flatnonzero(self.start))
        self.upper, self.lower = self._levels(levels)
        self.level = np.maximum(self.upper, self.lower)
        self.targets = sorted({int(self.alias[cell]) for cell in levels})
        self.order = sorted(self.targets, key=lambda cell: (-self.level[cell], cell))
        self.subtables, self.home = _subtables(table, self.alias)
        self.below: dict[int, list[int]] = {}
        for place, subtable in enumerate(self.subtables):
            for cell in subtable.cells[subtable.given]:
                self.below.setdefault(int(cell), []).append(place)
        self.whole: Programme | None = None
        self.proofs = {cell: _Proof() for cell in self.targets}
        self.unprotected: set[int] = set()

    def _levels(self, levels: Mapping[int, Levels]) -> tuple[Floats, Floats]:
        upper, lower = np.zeros(len(self.table)), np.zeros(len(self.table))
        values = np.nan_to_num(self.table.values)
        typical = float(np.median(values[values > 0])) if (values > 0).any() else 1.0
        for cell, (above, below) in levels.items():
            least = CLOSEST * max(float(values[cell]), CLOSEST * typical)
            one = int(self.alias[cell])
            upper[one] = max(upper[one], above, least)
            # Nobody doubts that a value is at least zero.
            lower[one] = max(lower[one], min(max(below, least), float(values[cell])))
        return upper, lower

    def protect(self, cell: int, *, only_empty: bool = False, without: int | None = None) -> bool:
        """Give ``cell`` flows until nobody can recompute it; tell whether this succeeded."""
        proof = self.proofs[cell]
        for _ in range(ATTEMPTS):
            if proof.holds:
                return True
            flow = self._search(cell, proof.threats or frozenset(), only_empty, without)
            if flow is None:
                break
            before = proof.threats
            self._credit(flow)
            if proof.threats == before:
                break
        if not proof.holds and not only_empty:
            self.unprotected.add(cell)
        return proof.holds

    def _search(self, cell: int, threats: frozenset[int], only_empty: bool, without: int | None) -> _Flow | None:
        """Return the cheapest flow found through ``cell`` which those of ``threats`` do not see through."""
        flow = self._ask(cell, threats, only_empty, without)
        if flow is None and threats and not only_empty:
            flow = self._one_by_one(cell, threats)
        if flow is not None:
            self.empty[flow.cells] = True
        return flow

    def _ask(self, cell: int, threats: frozenset[int], only_empty: bool, without: int | None) -> _Flow | None:
        ask = _Ask(self, cell, threats, only_empty, without)
        flow = ask.through_subtables()
        if flow is None and (not only_empty or len(self.table) <= SMALL):
            # In a large table, a clean-up that would need all of it is not worth it: the cell stays empty.
            flow = ask.through_whole()
        return flow

    def _one_by_one(self, cell: int, threats: frozenset[int]) -> _Flow | None:
        """Meet one of those whom no flow meets together: each of them may be met by another."""
        for person in sorted(threats):
            flow = self._ask(cell, frozenset({person}), False, None) if len(threats) > 1 else None
            if flow is None and self.rest(cell, person) < self.lower[cell]:
                flow = _Ask(self, cell, frozenset({person}), False, None).against(person)
            if flow is not None:
                return flow
        return None

    def _credit(self, flow: _Flow) -> None:
        """Note all sensitive cells that the flow protects, and against whom it does not."""
        size = np.abs(flow.changes)
        most = float((self.slack[flow.cells] / size).min()) * (1 + ROUNDING)
        seen_from = self.known[flow.cells] / size * (1 + ROUNDING)
        for cell, change in zip(flow.cells.tolist(), size.tolist(), strict=True):
            proof = self.proofs.get(cell)
            if proof is None or proof.holds:
                continue
            times = self.level[cell] / change
            if flow.only is not None and cell != flow.only:
                continue
            if flow.against is not None:
                proof.threats = (proof.threats or frozenset()) - {flow.against}
                proof.flows.append((flow, 1.0))
                continue
            if flow.only is None and times > most and not self._one_way(cell, times, flow):
                continue
            threats = self._threats(cell, times, flow.cells[seen_from < times], flow)
            left = threats if proof.threats is None else proof.threats & threats
            if proof.threats is None or len(left) < len(proof.threats):
                proof.threats = left
                proof.flows.append((flow, times))

    def _threats(self, cell: int, times: float, seen: Ints, flow: _Flow) -> frozenset[int]:
        """Return who sees through ``times`` a flow that protects ``cell``, in one of the cells ``seen``.

        To somebody who contributes to ``cell`` itself, what it is besides must stay uncertain: its own share is no
        secret to him, nor is all of it to its only contributor.
        """
        found: set[int] = set()
        for other in seen.tolist():
            if other == cell:
                continue
            here = flow.cells == other
            change = float(np.abs(flow.changes[here] if flow.losses is None else flow.losses[here])[0]) * times
            for rest, person in self.knowing[other]:
                if rest * (1 + ROUNDING) >= change and rest > ROUNDING * self.slack[other]:
                    break
                found.add(person)
        return frozenset(person for person in found if self.rest(cell, person) > ROUNDING * self.slack[cell])

    def rest(self, cell: int, person: int) -> float:
        """Return what of ``cell`` is not this person's."""
        return max(0.0, float(self.slack[cell]) - self.own[person].get(cell, 0.0))

    def _one_way(self, cell: int, times: float, flow: _Flow) -> bool:
        """Tell whether the cell that bounds the flow is ``cell`` itself, which may gain more than it can lose."""
        others = flow.cells != cell
        bound = (self.slack[flow.cells[others]] / np.abs(flow.changes[others])).min(initial=np.inf)
        back = self.lower[cell] * times / self.level[cell] if self.level[cell] else 0.0
        own = self.slack[cell] / float(np.abs(flow.changes[~others])[0])
        return bool(times <= bound * (1 + ROUNDING) and back <= own * (1 + ROUNDING))

    def clean(self, programmes: int) -> None:
        """Publish again the dearest secondary cells of which the sensitive ones can do without."""
        users: dict[int, set[int]] = {}
        for cell, proof in self.proofs.items():
            for flow, _ in proof.flows:
                for other in flow.cells.tolist():
                    users.setdefault(other, set()).add(cell)
        last = self.solved + programmes
        secondary = [cell for cell in np.flatnonzero(self.empty).tolist() if cell not in self.sensitive]
        for other in sorted(secondary, key=lambda cell: (-self.cost[cell], cell)):
            if self.solved >= last:
                return
            touched = {cell: self.proofs[cell] for cell in sorted(users.get(other, ()))}
            touched = {
                cell: proof for cell, proof in touched.items() if any(other in flow.cells for flow, _ in proof.flows)
            }
            for cell in touched:
                self.proofs[cell] = _Proof()
            kept = [flow for proof in touched.values() for flow, _ in proof.flows if other not in flow.cells]
            for flow in dict.fromkeys(kept):
                self._credit(flow)
            if all(
                cell not in self.unprotected and self.protect(cell, only_empty=True, without=other) for cell in touched
            ):
                self.empty[other] = False
                for cell in touched:
                    for flow, _ in self.proofs[cell].flows:
                        for one in flow.cells.tolist():
                            users.setdefault(one, set()).add(cell)
            else:
                self.proofs.update(touched)

    @property
    def solved(self) -> int:
        known = [subtable.programme for subtable in self.subtables if subtable.programme is not None]
        return sum(programme.solved for programme in known) + (self.whole.solved if self.whole else 0)

    def whole_programme(self) -> Programme:
        if self.whole is None:
            equations = _merged([(equation.total, equation.children) for equation in self.table.equations], self.alias)
            self.whole = Programme(np.unique(self.alias), equations)
        return self.whole

    def result(self) -> Suppression:
        secondary = np.flatnonzero(self.empty[self.alias] & ~self.start)
        left = tuple(cell for cell in sorted(self.unprotected) if not self.proofs[cell].holds)
        return Suppression(tuple(secondary.tolist()), math.fsum(self.prices[secondary]), left, self.solved)


class _Ask:
    """One search of a flow through ``cell``; changes are counted in units of what protects it."""

    def __init__(self, work: _Work, cell: int, threats: frozenset[int], only_empty: bool, without: int | None) -> None:
        self.work, self.cell = work, cell
        self.unit = float(work.level[cell])
        slack = work.slack.copy()
        if threats:
            for person in sorted(threats):
                for other, rest in work.known_by[person]:
                    slack[other] = min(slack[other], rest) if other != cell else slack[other]
        if only_empty:
            slack[~work.empty] = 0.0
        if without is not None:
            slack[without] = 0.0
        self.slack = np.minimum(slack / self.unit, FARTHEST)
        self.slack[self.slack < NEGLIGIBLE] = 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            # A cell is paid once, whatever passes through it: by unit of the most that can.
            by_unit = work.cost / np.minimum(self.slack, 1.0)
        self.cost = np.where(work.empty | (self.slack == 0), CARRIED, CARRIED + np.nan_to_num(by_unit))

    def through_subtables(self) -> _Flow | None:
        """Look in the smallest subtable, then settle the subtables below one by one."""
        work = self.work
        changes = {self.cell: 1.0}
        queue = [(work.subtables[work.home[self.cell]].rank, work.home[self.cell])] if self.cell in work.home else []
        if not queue:
            return None
        waiting, done = {queue[0][1]}, set()
        while queue:
            place = heapq.heappop(queue)[1]
            done.add(place)
            found = self._settle(work.subtables[place], changes)
            if found is None:
                return None
            changes.update(found)
            for cell in found:
                for lower in work.below.get(cell, ()):
                    if lower in done:
                        return None
                    if lower not in waiting:
                        waiting.add(lower)
                        heapq.heappush(queue, (work.subtables[lower].rank, lower))
        return self._flow(np.array(list(changes)), np.array(list(changes.values())))

    def _settle(self, subtable: _Subtable, changes: Mapping[int, float]) -> dict[int, float] | None:
        cells = subtable.cells
        slack = np.where(subtable.given, 0.0, self.slack[cells])
        imposed = {int(cell): changes[int(cell)] for cell in cells[subtable.given] if int(cell) in changes}
        imposed |= {self.cell: 1.0} if self.cell in changes and self.cell in subtable.places else {}
        found = subtable.solver().flow(self.cost[cells], slack, slack, imposed)
        if found is None:
            return None
        moved = np.flatnonzero((np.abs(found) > NOISE) & ~subtable.given)
        return dict(zip(cells[moved].tolist(), found[moved].tolist(), strict=True))

    def through_whole(self) -> _Flow | None:
        """Look in the whole table: both ways at once, else up and down apart, as what gains is bounded by nothing."""
        work, programme = self.work, self.work.whole_programme()
        cells = programme.cells
        slack, cost = self.slack[cells], self.cost[cells]
        found = programme.flow(cost, slack, slack, {self.cell: 1.0})
        if found is not None:
            return self._flow(cells, found)
        return self._both_ways(float(work.lower[self.cell]), None)

    def against(self, person: int) -> _Flow | None:
        """Look for what keeps uncertain to ``person`` what is not his own of the cell."""
        return self._both_ways(self.work.rest(self.cell, person), person)

    def _both_ways(self, lower: float, against: int | None) -> _Flow | None:
        work, programme = self.work, self.work.whole_programme()
        cells = programme.cells
        slack, cost = self.slack[cells], self.cost[cells]
        gain = np.where(slack > 0, FARTHEST, 0.0)
        up = programme.flow(cost, gain, slack, {self.cell: float(work.upper[self.cell]) / self.unit})
        down = programme.flow(cost, gain, slack, {self.cell: -lower / self.unit})
        if up is None or down is None:
            return None
        most = np.maximum(np.abs(up), np.abs(down))
        moved = most > NEGLIGIBLE
        losses = np.maximum(0.0, -np.minimum(up, down))
        return _Flow(cells[moved], most[moved] * self.unit, self.cell, losses[moved] * self.unit, against)

    def _flow(self, cells: Ints, changes: Floats) -> _Flow:
        moved = np.abs(changes) > NEGLIGIBLE
        return _Flow(cells[moved], changes[moved] * self.unit)


def _insiders(
    table: Table | None, size: int, alias: Ints
) -> tuple[list[list[tuple[float, int]]], dict[int, list[tuple[int, float]]], dict[int, dict[int, float]]]:
    """Return who knows of each cell that it is lower by no more than what, closest first; the same by contributor.

    Last is what each contributes. Without a table nobody knows anything.

    A singleton knows its cell, a contributor that it is no less than its own share. Without a name, the largest
    contributor of each cell is another person.
    """
    numbers: dict[str, int] = {}
    of_cell: list[list[tuple[float, int]]] = [[] for _ in range(size)]
    of_person: dict[int, list[tuple[int, float]]] = {}
    shares: dict[int, dict[int, float]] = {}
    for place, cell in enumerate(table.cells if table is not None else ()):
        own = cell.contributions or ((cell.value,) if cell.frequency == 1 and cell.value is not None else ())
        names = cell.holders or (f"\0{alias[place]}",)
        for name, share in zip(names, own, strict=False):
            person = numbers.setdefault(name, len(numbers))
            rest = max(0.0, (cell.value or 0.0) - share)
            one = int(alias[place])
            of_cell[one].append((rest, person))
            of_person.setdefault(person, []).append((one, rest))
            shares.setdefault(person, {})[place] = share
    return [sorted(set(each)) for each in of_cell], of_person, shares


def _merged(equations: Iterable[tuple[int, Sequence[int]]], alias: Ints) -> list[Equation]:
    """Return the equations between the cells that stand for others; those that only say so are left out."""
    found: dict[tuple[int, tuple[int, ...]], None] = {}
    for total, parts in equations:
        one, others = int(alias[total]), tuple(int(alias[part]) for part in parts)
        if one not in others:
            found[one, others] = None
    return list(found)


def _subtables(table: Table, alias: Ints) -> tuple[list[_Subtable], dict[int, int]]:
    """Return the subtables (one parent per dimension), and the place of the one in which each cell is settled."""
    members: dict[Codes, list[tuple[int, Sequence[int]]]] = {}
    for equation in table.equations:
        total, child = table.cells[equation.total].codes, table.cells[equation.children[0]].codes
        choices = []
        for one, code, below in zip(table.hierarchies, total, child, strict=True):
            inside = {code} if code in one.children else set()
            choices.append({code} if code != below else {one.parents.get(code, code), *inside})
        for key in product(*choices):
            members.setdefault(key, []).append((equation.total, equation.children))
    depth = {
        key: sum(one.levels.get(code, 0) for one, code in zip(table.hierarchies, key, strict=True)) for key in members
    }
    ordered = sorted(members, key=lambda key: (depth[key], key))
    place_of = {key: place for place, key in enumerate(ordered)}
    home: dict[int, int] = {}
    for cell in np.unique(alias).tolist():
        codes = table.cells[cell].codes
        key = tuple(one.parents.get(code, code) for one, code in zip(table.hierarchies, codes, strict=True))
        if key in place_of:
            home[cell] = place_of[key]
    subtables = []
    for place, key in enumerate(ordered):
        equations = _merged(members[key], alias)
        cells = np.array(sorted({int(alias[one]) for total, parts in members[key] for one in (total, *parts)}))
        given = np.array([home.get(cell) != place for cell in cells.tolist()])
        subtables.append(_Subtable((depth[key], place), cells, equations, given))
    return subtables, home
