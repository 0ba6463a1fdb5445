"""The audit: what can be deduced from everything published together, and which secret cells that puts at risk.

It is independent of how the empty cells were chosen: it is given the tables, what is empty in them, and how uncertain
each unsafe cell must stay. The deductions themselves are in ``attack``.

Attackers. *Outside*: knows what is shown, the equations, and prior bounds of each cell (by default 0 and no upper
bound). *Inside*: a contributor that is alone in cells, or one of those whose contributions are told, knows besides
the exact value of the former and that each of the latter is no less than its own contribution. Contributors are told
apart by ``holders``; where these are unknown, each singleton, and the largest contributor of each cell, is taken for
another one, and coalitions are not audited.

What is guaranteed. A cell that is *not* at risk: for each attacker audited there are tables that agree with all it
knows, in which the cell passes its required bounds; each such table is checked equation by equation. A cell at risk: a
bound that a linear programme proves falls short, or the cell is shown. A cell with level 0, and one hidden by the
producer, is at risk when it is deduced to within ``EXACT`` of its value. The tolerance is in ``attack``.

What is not audited: coalitions of contributors; knowledge of contributions that the table does not tell; how few
contributors made the difference between two shown figures of one cell in two releases. Figures are taken as published,
unrounded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from exports.disclosure.attack import FEASIBLE, Attack, Bounds, Flags, Floats, Ints
from exports.disclosure.likeness import raised_to_totals
from exports.disclosure.rules import Sensitivity
from exports.disclosure.table import Cell, Table

EXACT = 1e-6
"""A value that is known to within this share of it is known."""
ROUNDED = 1e-10
"""So is a value that is known to within this share of the largest of the table."""
OUTSIDE = "outside"
GROUPS = 6
"""How many groups of attackers from inside are audited as if they told each other all, twice, before each alone."""
SAME = 1e-9
"""The share of a value by which two releases may differ and still show the same figure."""


@dataclass(frozen=True)
class Prior:
    """What everybody is taken to know of a cell beforehand: it is at least 0 and, with ``within_pct``, so near."""

    within_pct: float | None = field(default=None, repr=False)

    def bounds(self, table: Table) -> tuple[Floats, Floats]:
        """Return the lower and upper bound of each cell; of one hidden by the producer nothing but 0 is known."""
        low, high = np.zeros(len(table)), np.full(len(table), np.inf)
        if self.within_pct is not None:
            share = self.within_pct / 100
            known = ~np.isnan(table.values)
            low[known] = np.maximum(0.0, table.values[known] * (1 - share))
            high[known] = table.values[known] * (1 + share)
        return low, high


NOTHING_KNOWN = Prior()


@dataclass(frozen=True, eq=False)
class Release:
    """A table as published: ``suppressed`` cells are empty in it, and of ``sensitivity`` depends which may be known."""

    table: Table
    suppressed: Flags = field(repr=False)
    sensitivity: Sensitivity

    @property
    def unknown(self) -> Flags:
        """The cells that readers do not see: suppressed, hidden by the producer, or not published."""
        return self.suppressed | self.table.unknown


@dataclass(frozen=True)
class Risk:
    """A secret cell of which ``attacker`` deduces too much: it is between ``low`` and ``high``."""

    cell: int
    attacker: str
    low: float = field(repr=False)
    high: float = field(repr=False)


@dataclass(frozen=True, eq=False)
class Audit:
    """What was found. Bounds are secret: no ``repr`` shows them.

    ``low`` and ``high`` are the bounds that an attacker from outside deduces of each cell that is not shown: exact
    where ``certain`` says so, elsewhere at least so far apart; of cells that are shown, the value. ``needless`` are
    suppressed cells, not unsafe, that are deduced exactly: they protect nothing. ``insiders`` is how many attackers
    from inside were audited, ``programmes`` how many linear programmes were solved.
    """

    cells: int
    suppressed: int
    unsafe: int
    risks: tuple[Risk, ...]
    needless: tuple[int, ...]
    low: Floats = field(repr=False)
    high: Floats = field(repr=False)
    certain: Flags = field(repr=False)
    insiders: int
    programmes: int

    @property
    def at_risk(self) -> tuple[int, ...]:
        """The cells at risk from some attacker."""
        return tuple(sorted({risk.cell for risk in self.risks}))

    @property
    def passes(self) -> bool:
        """Tell whether the release may go out."""
        return not self.risks


@dataclass(frozen=True)
class _Goal:
    """A cell must be able to move by ``asked`` to ``side``; side 0: to either."""

    cell: int
    side: int
    asked: float


def audit(
    release: Release,
    *,
    prior: Prior = NOTHING_KNOWN,
    inside: bool = False,
    exact: bool = False,
    previous: Sequence[Release] = (),
) -> Audit:
    """Audit a release, together with ``previous`` releases of the same cells; cells at risk come by their index.

    With ``previous``, indices from ``len(release.table)`` on are of cells whose earlier figures are not those of today
    (see ``stacked``). ``inside`` adds the attackers from inside. ``exact`` asks for both exact bounds of each cell that
    is not shown: two programmes for each; otherwise a cell is left as soon as it is known to be uncertain enough.
    Raises ``ConfigurationError`` when a table does not add up.
    """
    release.table.refuse_differences()
    if previous:
        release = stacked(release, previous)
    table, unknown = release.table, release.unknown
    low, high = prior.bounds(table)
    attack = Attack([(one.total, one.children) for one in table.equations], table.values, unknown, low, high)
    goals = _goals(release, attack)
    risks = [_risk(attack, cell, OUTSIDE) for cell in _outside(attack, goals, release)]
    if exact:
        for cell in np.flatnonzero(unknown):
            attack.stretch(int(cell), 1.0)
            attack.stretch(int(cell), -1.0)
    insiders = _insiders(release) if inside else {}
    safe = {risk.cell for risk in risks}
    inner = [goal for goal in goals if goal.cell not in safe]
    risks += _Inside(attack, inner, table.frequencies).risks(insiders)
    return _audit(release, attack, risks, len(insiders))


def stacked(release: Release, previous: Sequence[Release], *, hidden_apart: bool = False) -> Release:
    """Return all releases as one: the cells of ``release`` at their places, then earlier figures that differ.

    A figure that is the same in several releases, shown or not, is one cell with the equations of all, shown if any of
    them shows it, and as sensitive as in any; a figure that was corrected is another cell. This is the attacker who
    knows which figures were left as they were. A figure that the producer hides is taken for the same as long as what
    is told of its contributors is, unless ``hidden_apart``. Dimensions are told by name.
    """
    cells = list(release.table.cells)
    versions: dict[frozenset[tuple[str, str]], list[int]] = {}
    for place, cell in enumerate(cells):
        versions[_key(release.table, cell)] = [place]
    unknown, unsafe = list(release.unknown), list(release.sensitivity.unsafe)
    upper, lower = list(release.sensitivity.upper), list(release.sensitivity.lower)
    equations = {(one.total, frozenset(one.children)): one for one in release.table.equations}
    for earlier in previous:
        earlier.table.refuse_differences()
        places = []
        for own, cell in enumerate(earlier.table.cells):
            known = versions.setdefault(_key(earlier.table, cell), [])
            same = [one for one in known if _is_same(cells[one], cell, hidden_apart)]
            place = same[0] if same else len(cells)
            if not same:
                known.append(place)
                cells.append(cell)
                unknown.append(True)
                unsafe.append(False)
                upper.append(0.0)
                lower.append(0.0)
            places.append(place)
            unknown[place] = unknown[place] and bool(earlier.unknown[own])
            unsafe[place] = unsafe[place] or bool(earlier.sensitivity.unsafe[own])
            upper[place] = max(upper[place], float(earlier.sensitivity.upper[own]))
            lower[place] = max(lower[place], float(earlier.sensitivity.lower[own]))
        for one in earlier.table.equations:
            children = tuple(places[child] for child in one.children)
            total = places[one.total]
            equations.setdefault((total, frozenset(children)), type(one)(total, children))
    values = np.array([math.nan if cell.value is None else cell.value for cell in cells])
    counts = np.array([-1 if cell.frequency is None else cell.frequency for cell in cells], dtype=np.int64)
    shown = tuple(_as_shown(cell, is_unknown) for cell, is_unknown in zip(cells, unknown, strict=True))
    index = release.table.index
    table = Table(release.table.hierarchies, shown, tuple(equations.values()), index, values, counts)
    sensitivity = Sensitivity(np.array(unsafe), np.array(upper), np.array(lower))
    return Release(table, np.array(unknown, dtype=np.bool_), sensitivity)


def _key(table: Table, cell: Cell) -> frozenset[tuple[str, str]]:
    """Return the codes of a cell by dimension; a dimension at its total is as one that the table lacks."""
    pairs = zip(table.hierarchies, cell.codes, strict=True)
    return frozenset((one.name, code) for one, code in pairs if code != one.total)


def _is_same(one: Cell, other: Cell, hidden_apart: bool) -> bool:
    if one.value is None and other.value is None:
        return not hidden_apart and (one.frequency, one.contributions) == (other.frequency, other.contributions)
    if one.value is None or other.value is None:
        return False
    return math.isclose(one.value, other.value, rel_tol=SAME, abs_tol=0.0)


def _as_shown(cell: Cell, is_unknown: bool) -> Cell:
    """Return the cell, published if some release shows it."""
    if cell.published or is_unknown:
        return cell
    return Cell(cell.codes, cell.value, cell.frequency, cell.contributions, True, cell.holders)


def nearly_known(values: Floats) -> Floats:
    """Return for each value how near somebody has to come to it to know it."""
    smallest = ROUNDED * float(np.max(values, initial=0.0)) or EXACT
    near: Floats = np.maximum(EXACT * values, smallest)
    return near


def _goals(release: Release, attack: Attack) -> list[_Goal]:
    found: list[_Goal] = []
    known = nearly_known(attack.values)
    for place in np.flatnonzero(release.sensitivity.unsafe):
        cell = int(place)
        nearly = float(known[cell])
        sides = {1: float(release.sensitivity.upper[cell]), -1: float(release.sensitivity.lower[cell])}
        asked = [_Goal(cell, side, level) for side, level in sides.items() if level > nearly]
        found += asked or [_Goal(cell, 0, nearly)]
    return found


def _outside(attack: Attack, goals: Sequence[_Goal], release: Release) -> list[int]:
    """Return the cells at risk from outside."""
    unknown = release.unknown
    hidden = [goal for goal in goals if unknown[goal.cell]]
    attack.prove(
        {goal.cell: goal.asked for goal in hidden if goal.side >= 0},
        {goal.cell: goal.asked for goal in hidden if goal.side < 0},
    )
    for goal in hidden:
        if goal.side == 0 and not attack.moves(goal.cell, 1.0, goal.asked):
            attack.stretch(goal.cell, -1.0, goal.asked)
    failed = [goal.cell for goal in goals if not (unknown[goal.cell] and _is_met(attack, goal))]
    for cell in failed:
        if unknown[cell]:
            attack.stretch(cell, 1.0)
            attack.stretch(cell, -1.0)
    return sorted(set(failed))


def _is_met(attack: Attack, goal: _Goal) -> bool:
    if goal.side == 0:
        return float(attack.reach.up[goal.cell] + attack.reach.down[goal.cell]) >= goal.asked * (1 - FEASIBLE)
    return attack.moves(goal.cell, float(goal.side), goal.asked)


def _risk(attack: Attack, cell: int, attacker: str) -> Risk:
    value = float(attack.values[cell])
    if not attack.unknown[cell]:
        return Risk(cell, attacker, value, value)
    return Risk(cell, attacker, value - float(attack.reach.down[cell]), value + float(attack.reach.up[cell]))


def _insiders(release: Release) -> dict[str, dict[int, float]]:
    """Return what each attacker from inside contributes to which cells that are not shown, and to all their totals.

    A contributor without a name is taken for another in each cell.
    """
    unknown = release.unknown
    found: dict[str, dict[int, float]] = {}
    for place, cell in enumerate(release.table.cells):
        own = cell.contributions or ((cell.value,) if cell.frequency == 1 and cell.value is not None else ())
        names: Iterable[str] = cell.holders or (f"the largest contributor of {release.table.label(place)}",)
        if cell.holders or unknown[place]:
            for name, contribution in zip(names, own, strict=False):
                found.setdefault(name, {})[place] = float(contribution)
    everywhere = {name: raised_to_totals(release.table, own) for name, own in found.items()}
    # Who contributed nothing knows no more than that, unless it is told to be alone.
    alone = unknown & (release.table.frequencies == 1)
    hidden = {
        name: {cell: x for cell, x in own.items() if unknown[cell] and (x > 0 or alone[cell])}
        for name, own in everywhere.items()
    }
    return {name: own for name, own in hidden.items() if own}


@dataclass(eq=False)
class _Inside:
    """The audit from inside: witnesses that move few cells, shared by all the attackers who could not exclude them."""

    attack: Attack
    goals: Sequence[_Goal]
    frequencies: Ints
    witnesses: list[dict[int, float]] = field(default_factory=list)
    touching: dict[int, list[int]] = field(default_factory=dict)
    by_cell: dict[int, list[int]] = field(default_factory=dict)
    proofs: list[set[int]] = field(default_factory=list)
    met: dict[str, Flags] = field(default_factory=dict)
    parts: list[int] = field(default_factory=list)

    def risks(self, insiders: Mapping[str, Mapping[int, float]]) -> list[Risk]:
        """Return the cells that some attacker from inside deduces too well."""
        if not insiders:
            return []
        for place, goal in enumerate(self.goals):
            self.proofs.append(set())
            self.by_cell.setdefault(goal.cell, []).append(place)
            self.parts.append(self._part(goal.cell))
        self._ask_groups(insiders)
        found: list[Risk] = []
        for name, own in insiders.items():
            tighter = self._known(own)
            found.extend(self._risk(cell, name, tighter) for cell in sorted(set(self._exposed(name, own, tighter))))
        return found

    def _ask_groups(self, insiders: Mapping[str, Mapping[int, float]]) -> None:
        """Show which goals are met whatever all of a group of attackers know, and so whatever each of them knows.

        Each attacker is in two groups, and with another in one of them at most, as far as their number allows.
        """
        names = list(insiders)
        for group in range(2 * GROUPS):
            step, rank = 1 if group < GROUPS else GROUPS, group % GROUPS
            members = [name for place, name in enumerate(names) if place // step % GROUPS == rank]
            if not members:
                continue
            tighter: dict[int, tuple[float, float]] = {}
            for name in members:
                for cell, (low, high) in self._known(insiders[name]).items():
                    now = tighter.get(cell, (low, high))
                    tighter[cell] = (max(low, now[0]), min(high, now[1]))
            met = self._apart(tighter)
            for side in (1, -1):
                # A goal to either side is looked for upwards, then downwards.
                places = [place for place, goal in enumerate(self.goals) if goal.side != -side and not met[place]]
                moves = [(self.goals[place].cell, float(side), self.goals[place].asked) for place in places]
                met[places] = self.attack.together(moves, tighter)
            for name in members:
                self.met[name] = self.met[name] | met if name in self.met else met

    def _part(self, cell: int) -> int:
        """Return what is the same for cells that sums tie; each known cell is apart."""
        return -1 - cell if self.attack.is_known(cell) else id(self.attack.place(cell)[0])

    def _apart(self, tighter: Bounds) -> Flags:
        """Tell which goals no sum ties to what is known inside: they are met, as they are from outside."""
        inside = {self._part(cell) for cell in tighter}
        return np.array([part >= 0 and part not in inside for part in self.parts], dtype=np.bool_)

    def _risk(self, cell: int, attacker: str, tighter: Bounds) -> Risk:
        ends = [self.attack.search(cell, side, math.inf, tighter) for side in (-1.0, 1.0)]
        down, up = (end if isinstance(end, float) else math.inf for end in ends)
        value = float(self.attack.values[cell])
        return Risk(cell, attacker, value - down, value + up)

    def _exposed(self, name: str, own: Mapping[int, float], tighter: Bounds) -> Iterable[int]:
        """Return the cells at risk from an attacker, known by no witness to be safe from it."""
        refuted = {
            witness
            for cell, (low, high) in tighter.items()
            for witness in self.touching.get(cell, ())
            if not _allows(self.witnesses[witness][cell], low, high)
        }
        for place in np.flatnonzero(~self.met[name]).tolist():
            goal = self.goals[place]
            asked = self._asked(goal, own)
            if asked is None or self._is_proved(place, asked, refuted):
                continue
            if self._look(place, asked, tighter) is None:
                yield goal.cell

    def _asked(self, goal: _Goal, own: Mapping[int, float]) -> _Goal | None:
        """Return what a goal is for an attacker that contributes ``own``.

        Of its own cell, what it must not learn is the rest, which it may believe to be nothing; of one in which it is
        alone there is nothing to learn.
        """
        if goal.cell not in own:
            return goal
        value = float(self.attack.values[goal.cell])
        rest = value - own[goal.cell]
        if rest <= EXACT * value:
            return None
        return goal if goal.side >= 0 else _Goal(goal.cell, -1, min(goal.asked, rest))

    def _known(self, own: Mapping[int, float]) -> Bounds:
        """Return the bounds of changes that an attacker knows of the cells to which it contributes."""
        found: dict[int, tuple[float, float]] = {}
        for cell, contribution in own.items():
            rest = max(0.0, float(self.attack.values[cell]) - contribution)
            # Where others are told to have contributed, if only nothing, he cannot know how much.
            alone = rest <= EXACT * float(self.attack.values[cell]) and self.frequencies[cell] in (-1, 1)
            found[cell] = (0.0, 0.0) if alone else (-rest, math.inf)
        return found

    def _is_proved(self, place: int, asked: _Goal, refuted: set[int]) -> bool:
        return any(
            witness not in refuted and _reaches(self.witnesses[witness].get(asked.cell, 0.0), asked)
            for witness in self.proofs[place]
        )

    def _look(self, place: int, asked: _Goal, tighter: Bounds) -> int | None:
        """Look for a witness that reaches a goal with the attacker's bounds; keep it for others."""
        for side in (asked.side,) if asked.side else (1, -1):
            found = self.attack.search(asked.cell, float(side), asked.asked, tighter)
            if isinstance(found, tuple):
                return self._keep(*found, place)
        return None

    def _keep(self, cells: Ints, changes: Floats, place: int) -> int:
        number = len(self.witnesses)
        witness = {int(cell): float(change) for cell, change in zip(cells, changes, strict=True)}
        self.witnesses.append(witness)
        proved = {place}
        for cell, change in witness.items():
            self.touching.setdefault(cell, []).append(number)
            proved |= {other for other in self.by_cell.get(cell, ()) if _reaches(change, self.goals[other])}
        for goal in proved:
            self.proofs[goal].add(number)
        return number


def _allows(change: float, low: float, high: float) -> bool:
    slack = EXACT * EXACT * max(1.0, abs(change))
    return low - slack <= change <= high + slack


def _reaches(change: float, goal: _Goal) -> bool:
    moved = abs(change) if goal.side == 0 else change * goal.side
    return moved >= goal.asked * (1 - EXACT)


def _audit(release: Release, attack: Attack, risks: Sequence[Risk], insiders: int) -> Audit:
    unknown = release.unknown
    reach, values = attack.reach, attack.values
    width = reach.up + reach.down
    certain = reach.up_certain & reach.down_certain
    known = unknown & certain & (width <= EXACT * np.maximum(values, EXACT)) & ~release.sensitivity.unsafe
    return Audit(
        cells=len(release.table),
        suppressed=int(np.count_nonzero(unknown)),
        unsafe=release.sensitivity.count,
        risks=tuple(risks),
        needless=tuple(int(cell) for cell in np.flatnonzero(known)),
        low=np.maximum(values - reach.down, 0.0),
        high=values + reach.up,
        certain=certain | ~unknown,
        insiders=insiders,
        programmes=attack.solved,
    )
