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
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import NamedTuple
from weakref import WeakKeyDictionary

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
CLEANING = 600_000
"""How many steps of the solver the clean-up may take: no time, so that the same table gives the same cells."""
CREDITED_A_STEP = 32
"""How many cells or people of a flow are gone through as fast as the solver takes a step."""
STARTS = 8
"""How many choices are made after the first, as long as half of these steps are left; the cheapest is taken."""
SPREAD = 0.3
"""By how much costs are changed for another choice: the standard deviation of their logarithm."""
KNOWN = 0.6
"""What share of its cost a cell of the cheapest choice so far has for another choice."""
EXACTLY = -1.0
"""In place of how much lower a cell may be for somebody: he knows it."""
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

    @cached_property
    def size(self) -> Floats:
        """How far each cell moves."""
        return np.abs(self.changes)


class _Seers(NamedTuple):
    """Who knows something of the cells of a flow, by how many times the flow must run for them to see through it."""

    times: Floats
    people: Ints
    cells: Ints

    @classmethod
    def of(cls, flow: _Flow, knowing: Sequence[Sequence[tuple[float, int]]]) -> _Seers:
        """Return those who know of a cell of ``flow`` that it is lower than its value by no more than what."""
        losses = flow.size if flow.losses is None else flow.losses
        found = [
            (_bearable(rest, loss), person, cell)
            for cell, loss in zip(flow.cells.tolist(), losses.tolist(), strict=True)
            for rest, person in knowing[cell]
        ]
        found.sort()
        times, people, cells = zip(*found, strict=True) if found else ((), (), ())
        return cls(np.array(times, np.float64), np.array(people, np.int64), np.array(cells, np.int64))

    def beyond(self, times: float, cell: int) -> list[int]:
        """Return who sees through so many times the flow by what he knows of other cells than ``cell``."""
        last = int(np.searchsorted(self.times, times))
        people: list[int] = self.people[:last][self.cells[:last] != cell].tolist()
        return people


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
    prior_pct: float | None = None,
    cleaning: int = CLEANING,
) -> Suppression:
    """Choose what to leave empty so that each cell of ``levels`` is uncertain by its levels.

    ``empty`` are cells left empty already (an earlier release, a repair): they cost nothing. ``fixed`` are known
    whatever is left empty (an earlier release showed them). ``cost`` is a word of ``COSTS``. With ``insiders``,
    singletons and largest contributors are taken to know their own. With ``prior_pct``, everybody is taken to know each
    value to within this percentage beforehand: a cell whose levels ask for more is ``unprotected``.
    """
    work = _Work(table, levels, COSTS[cost](table), insiders, empty, fixed, prior_pct)
    work.choose()
    first, last = work.steps, work.steps + cleaning
    work.clean(last)
    best = work.result()
    for start in range(STARTS):
        if work.steps + first > last - cleaning // 2 or not best.secondary:
            break
        work.begin(best.secondary, start)
        work.choose()
        work.clean(last)
        found = work.result()
        if (len(found.unprotected), found.cost) < (len(best.unprotected), best.cost):
            best = found
    return replace(best, programmes=work.solved)


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
        prior_pct: float | None = None,
    ) -> None:
        self.table = table
        self.prices = cost
        self.alias = aliases(table, {*levels, *_idle(table)})
        self.values = np.nan_to_num(table.values)
        self.slack, self.gain = room(table, prior_pct)
        for most in (self.values, self.slack, self.gain):
            most[self.alias[list(fixed)]] = 0.0
        self.knowing, self.known_by, self.own = _insiders(table if insiders else None, len(table), self.alias)
        self.own = {person: raised_to_totals(table, own) for person, own in self.own.items()}
        self.alone = _alone(self.own, self.values)
        self.credited = 0
        self.seers: WeakKeyDictionary[_Flow, _Seers] = WeakKeyDictionary()
        self.cost = np.zeros(len(table))
        np.add.at(self.cost, self.alias, cost / (float(np.median(cost[cost > 0])) if (cost > 0).any() else 1.0))
        self.apparent = self.cost
        self.start = np.zeros(len(table), dtype=np.bool_)
        self.start[[*levels, *np.flatnonzero(table.unknown)]] = True
        self.start[list(empty)] = True
        self.sensitive = frozenset(int(self.alias[cell]) for cell in np.flatnonzero(self.start))
        self.empty = self._given()
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

    def _given(self) -> npt.NDArray[np.bool_]:
        """Return what is empty whatever is chosen."""
        empty = np.zeros(len(self.table), dtype=np.bool_)
        empty[list(self.sensitive)] = True
        return empty

    def begin(self, known: Sequence[int], start: int) -> None:
        """Forget what was chosen, and let costs appear other than they are.

        All are changed at random, by a draw that is the same each time, and those of ``known`` cells are lower.
        """
        self.empty = self._given()
        self.proofs = {cell: _Proof() for cell in self.targets}
        self.unprotected = set()
        drawn = np.random.default_rng(start).normal(0, SPREAD, len(self.table))
        self.apparent = self.cost * np.exp(drawn)
        self.apparent[np.unique(self.alias[list(known)])] *= KNOWN

    def choose(self) -> None:
        """Give all sensitive cells their flows."""
        for cell in self.order:
            self.protect(cell)

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
        if not proof.holds and not only_empty and without is None:
            self.unprotected.add(cell)
        return proof.holds

    def _search(self, cell: int, threats: frozenset[int], only_empty: bool, without: int | None) -> _Flow | None:
        """Return the cheapest flow found through ``cell`` which those of ``threats`` do not see through."""
        flow = self._ask(cell, threats, only_empty, without)
        if flow is None and threats and not only_empty:
            flow = self._one_by_one(cell, threats, without)
        if flow is not None:
            self.empty[flow.cells] = True
        return flow

    def _ask(self, cell: int, threats: frozenset[int], only_empty: bool, without: int | None) -> _Flow | None:
        ask = _Ask(self, cell, threats, only_empty, without)
        flow = ask.through_subtables()
        if flow is None and (without is None or len(self.table) <= SMALL):
            # In a large table, a clean-up that would need all of it is not worth it: the cell stays empty.
            flow = ask.through_whole()
        return flow

    def _one_by_one(self, cell: int, threats: frozenset[int], without: int | None) -> _Flow | None:
        """Meet one of those whom no flow meets together: each of them may be met by another."""
        for person in sorted(threats):
            flow = self._ask(cell, frozenset({person}), False, without) if len(threats) > 1 else None
            if flow is None and self.rest(cell, person) < self.lower[cell]:
                flow = _Ask(self, cell, frozenset({person}), False, without).against(person)
            if flow is not None:
                return flow
        return None

    def _credit(self, flow: _Flow) -> None:
        """Note all sensitive cells that the flow protects, and against whom it does not."""
        self.credited += len(flow.cells) // CREDITED_A_STEP
        with np.errstate(divide="ignore"):
            most = float((self.slack[flow.cells] / flow.size).min()) * (1 + ROUNDING)
        for cell, change in zip(flow.cells.tolist(), flow.size.tolist(), strict=True):
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
            threats = self._threats(cell, times, flow, proof.threats)
            if proof.threats is None or len(threats) < len(proof.threats):
                proof.threats = threats
                proof.flows.append((flow, times))

    def _threats(self, cell: int, times: float, flow: _Flow, among: frozenset[int] | None) -> frozenset[int]:
        """Return who, ``among`` some, sees through ``times`` a flow that protects ``cell``.

        To somebody who contributes to ``cell`` itself, what it is besides must stay uncertain: its own share is no
        secret to him, nor is all of it to its only contributor.
        """
        if flow not in self.seers:
            self.seers[flow] = _Seers.of(flow, self.knowing)
        seers = self.seers[flow].beyond(times, cell)
        self.credited += 1 + len(seers) // CREDITED_A_STEP
        found = frozenset(seers) if among is None else among.intersection(seers)
        return found - self.alone.get(cell, frozenset())

    def rest(self, cell: int, person: int) -> float:
        """Return what of ``cell`` is not this person's."""
        return max(0.0, float(self.values[cell]) - self.own[person].get(cell, 0.0))

    def _one_way(self, cell: int, times: float, flow: _Flow) -> bool:
        """Tell whether the cell that bounds the flow is ``cell`` itself, which may gain more than it can lose."""
        others = flow.cells != cell
        bound = (self.slack[flow.cells[others]] / flow.size[others]).min(initial=np.inf)
        back = self.lower[cell] * times / self.level[cell] if self.level[cell] else 0.0
        own = self.slack[cell] / float(flow.size[~others][0])
        gains = self.level[cell] <= self.gain[cell] * (1 + ROUNDING)
        return bool(gains and times <= bound * (1 + ROUNDING) and back <= own * (1 + ROUNDING))

    def clean(self, last: int) -> None:
        """Publish again the dearest secondary cells of which the sensitive ones can do without.

        First those that no other cell need replace, then those that cheaper ones can; until this is no use, or the
        ``last`` step.
        """
        self.apparent = self.cost
        self._publish(last, only_empty=True)
        while self._publish(last, only_empty=False):
            self._publish(last, only_empty=True)

    def _publish(self, last: int, *, only_empty: bool) -> bool:
        """Publish what can be, dearest first; tell whether something was."""
        users: dict[int, set[int]] = {}
        for cell in self.proofs:
            self._note_users(cell, users)
        failures = dict.fromkeys(self.targets, 0)
        found = False
        secondary = [cell for cell in np.flatnonzero(self.empty).tolist() if cell not in self.sensitive]
        for other in sorted(secondary, key=lambda cell: (-self.cost[cell], cell)):
            if self.steps >= last:
                break
            if self.empty[other] and not (only_empty and self._is_all_that_hides(other)):
                found |= self._publish_one(other, users, failures, only_empty)
        return found

    def _publish_one(self, other: int, users: dict[int, set[int]], failures: dict[int, int], only_empty: bool) -> bool:
        """Publish a cell if those that it protects do without it, for less than it costs."""
        flows_of = {cell: [flow for flow, _ in self.proofs[cell].flows] for cell in users.get(other, ())}
        touched = [cell for cell in sorted(flows_of) if any(other in flow.cells for flow in flows_of[cell])]
        before, proofs = self.empty.copy(), {cell: self.proofs[cell] for cell in touched}
        for cell in touched:
            self.proofs[cell] = _Proof()
        for flow in dict.fromkeys(flow for cell in touched for flow in flows_of[cell] if other not in flow.cells):
            self._credit(flow)
        # Who could not do without some other cell is asked first: its answer may be enough.
        for cell in sorted(touched, key=lambda cell: (-failures[cell], cell)):
            is_protected = cell not in self.unprotected and self.protect(cell, only_empty=only_empty, without=other)
            if not is_protected or self.cost[self.empty & ~before].sum() >= self.cost[other]:
                failures[cell] += 1
                self.empty = before
                self.proofs.update(proofs)
                return False
        self.empty[other] = False
        for cell in touched:
            self._note_users(cell, users)
        return True

    def _note_users(self, cell: int, users: dict[int, set[int]]) -> None:
        for flow, _ in self.proofs[cell].flows:
            for other in flow.cells.tolist():
                users.setdefault(other, set()).add(cell)

    def _is_all_that_hides(self, other: int) -> bool:
        """Tell whether some sum would have a sensitive cell as its only empty one."""
        for place in self.sums_of.get(other, ()):
            total, parts = self.sums[place]
            left = [cell for cell in (total, *parts) if self.empty[cell] and cell != other]
            if len(left) == 1 and left[0] in self.proofs:
                return True
        return False

    @cached_property
    def sums(self) -> list[Equation]:
        """The equations between the cells that stand for others."""
        return _merged([(equation.total, equation.children) for equation in self.table.equations], self.alias)

    @cached_property
    def sums_of(self) -> dict[int, list[int]]:
        """The sums in which each cell is."""
        found: dict[int, list[int]] = {}
        for place, (total, parts) in enumerate(self.sums):
            for cell in (total, *parts):
                found.setdefault(cell, []).append(place)
        return found

    @property
    def programmes(self) -> list[Programme]:
        """The programmes that were needed so far."""
        known = [subtable.programme for subtable in self.subtables] + [self.whole]
        return [programme for programme in known if programme is not None]

    @property
    def solved(self) -> int:
        """How many times a programme was solved."""
        return sum(programme.solved for programme in self.programmes)

    @property
    def steps(self) -> int:
        """How many steps the solver took, and what is as long."""
        return self.credited + sum(programme.steps for programme in self.programmes)

    def whole_programme(self) -> Programme:
        if self.whole is None:
            self.whole = Programme(np.unique(self.alias), self.sums)
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
        slack, gain = work.slack.copy(), work.gain.copy()
        for person in sorted(threats):
            for other, rest in work.known_by[person]:
                if other != cell:
                    slack[other] = min(slack[other], max(0.0, rest))
                    gain[other] = 0.0 if rest == EXACTLY else gain[other]
        if only_empty:
            slack[~work.empty] = gain[~work.empty] = 0.0
        if without is not None:
            slack[without] = gain[without] = 0.0
        self.slack = np.minimum(slack / self.unit, FARTHEST)
        self.slack[self.slack < NEGLIGIBLE] = 0.0
        self.gain = np.minimum(gain / self.unit, FARTHEST)
        most = np.minimum(np.where(self.slack > 0, self.slack, self.gain), 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            # A cell is paid once, whatever passes through it: by unit of the most that can.
            by_unit = work.apparent / most
        self.cost = np.where(work.empty | (most == 0), CARRIED, CARRIED + np.nan_to_num(by_unit))

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
        slack, gain, cost = self.slack[cells], self.gain[cells], self.cost[cells]
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


def _idle(table: Table) -> list[int]:
    """Return the cells of nought that have contributors, or that nobody sees: they may as well be more."""
    idle: list[int] = np.flatnonzero((table.values == 0) & ((table.frequencies > 0) | table.unknown)).tolist()
    return idle


def room(table: Table, prior_pct: float | None) -> tuple[Floats, Floats]:
    """Return by how much each cell may be lower than its value, and by how much higher, for all that is known of it.

    Of a cell hidden by the producer nobody here knows how much it may lose: it may only gain.
    """
    values, hidden = np.nan_to_num(table.values), np.isnan(table.values)
    if prior_pct is not None:
        return values * min(prior_pct / 100, 1.0), np.where(hidden, np.inf, values * (prior_pct / 100))
    gain = np.where((values > 0) | hidden, np.inf, 0.0)
    gain[_idle(table)] = np.inf
    return values, gain


def _bearable(rest: float, loss: float) -> float:
    """Return how many times a cell may lose ``loss`` before it has lost ``rest``, all that somebody thinks possible."""
    if rest == EXACTLY:
        return 0.0
    return rest * (1 + ROUNDING) / loss if loss > 0 else math.inf


def _alone(own: Mapping[int, Mapping[int, float]], values: Floats) -> dict[int, frozenset[int]]:
    """Return to whom there is nothing secret in a cell, as nothing of it is anybody else's."""
    found: dict[int, set[int]] = {}
    for person, shares in own.items():
        for cell, share in shares.items():
            if values[cell] - share <= ROUNDING * values[cell]:
                found.setdefault(cell, set()).add(person)
    return {cell: frozenset(people) for cell, people in found.items()}


def _insiders(
    table: Table | None, size: int, alias: Ints
) -> tuple[list[list[tuple[float, int]]], dict[int, list[tuple[int, float]]], dict[int, dict[int, float]]]:
    """Return who knows of each cell that it is lower by no more than what, closest first; the same by contributor.

    Last is what each contributes. Without a table nobody knows anything.

    A singleton knows its cell (``EXACTLY``), a contributor that it is no less than its own share, even if others gave
    nothing. Without a name, the largest contributor of each cell is another person.
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
            if rest <= ROUNDING * (cell.value or 0.0) and cell.frequency in (None, 1):
                rest = EXACTLY
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
