"""The primary rules: which cells of a table are unsafe by themselves, and how uncertain they must stay.

Formulas: Hundepool et al., Handbook on Statistical Disclosure Control, with x1 ≥ x2 ≥ … the contributions and X their
sum. A rule gives an unsafe cell its upper protection level: an attacker's upper bound of the cell must be at least
X + level. The lower level is the same, but no larger than X, as everybody knows that values are not negative.

Parameters, and levels from which they could be computed, are of no output: no ``repr`` here shows them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from exports.disclosure.table import Cell, Table
from raw_sources.errors import ConfigurationError

SHOWN, SECRET = "shown", "secret"
FREQUENCY_MARGIN_PCT = 10.0
"""The protection of a cell that is unsafe by its frequency alone, which gives no level (τ-ARGUS takes a range too)."""
ROUNDING = 1e-12
"""The share of a cell by which sums of floating-point numbers may pass a limit without being above it."""


class Unjudged(ConfigurationError):
    """A cell lacks what a rule judges by."""


class Rule(Protocol):
    """What judges one cell."""

    @property
    def name(self) -> str:
        """The word of the rule, as in the cards of sources."""

    def level(self, cell: Cell) -> float | None:
        """Return the upper protection level of an unsafe cell, None for a safe one."""


@dataclass(frozen=True)
class MinimumFrequency:
    """A cell has no fewer than ``at_least`` contributors. One without any is safe: there is nobody to protect.

    ``of`` names the units counted; ``margin_pct`` of the value is the level (0: against exact disclosure only).
    ``unknown`` is what becomes of a cell whose count is not told: ``shown`` where its producer has controlled it.
    """

    at_least: int = field(repr=False)
    of: str | None = None
    margin_pct: float = field(default=FREQUENCY_MARGIN_PCT, repr=False)
    name: str = "minimum_frequency"
    unknown: str = SECRET

    def level(self, cell: Cell) -> float | None:
        """Return the level of a cell with too few contributors; a count that is not told is refused."""
        return self.level_of(cell, cell.frequency)

    def level_of(self, cell: Cell, count: int | None) -> float | None:
        """Return the level of a cell with too small a ``count`` of the units of the rule.

        A count of none behind a value is no count.
        """
        if count is not None and count <= 0 and cell.value:
            count = None
        if count is None and self.unknown == SHOWN:
            return None
        if count is None:
            raise _lacking(cell, f"count of {self.of or 'contributors'}", self.name)
        return self.margin_pct / 100 * (cell.value or 0.0) if 0 < count < self.at_least else None


@dataclass(frozen=True)
class Dominance:
    """(n,k): the n largest contributors make no more than k % of the cell: unsafe if x1 + … + xn > k/100·X.

    Level: 100/k·(x1 + … + xn) - X.
    """

    n: int = field(repr=False)
    k_pct: float = field(repr=False)
    name: str = "dominance"

    def level(self, cell: Cell) -> float | None:
        """Return the level of a dominated cell."""
        if not cell.value:
            return None
        largest = math.fsum(_largest(cell, self.n, self.name))
        return _positive(100 / self.k_pct * largest - cell.value, cell.value)


@dataclass(frozen=True)
class PPercent:
    """p%: the second contributor cannot estimate the first to within p %: unsafe if X - x1 - x2 < p/100·x1.

    Level: p/100·x1 - (X - x1 - x2).
    """

    p_pct: float = field(repr=False)
    name: str = "p_percent"

    def level(self, cell: Cell) -> float | None:
        """Return the level of a cell whose largest contribution can be estimated."""
        return _ambiguity(cell, self.p_pct / 100, self.name)


@dataclass(frozen=True)
class PriorPosterior:
    """(p,q): who knows others to within q % beforehand may not know them to within p % after: p% with p/q·100."""

    p_pct: float = field(repr=False)
    q_pct: float = field(repr=False)
    name: str = "pq"

    def level(self, cell: Cell) -> float | None:
        """Return the level of a cell whose largest contribution can be estimated."""
        return _ambiguity(cell, self.p_pct / self.q_pct, self.name)


@dataclass(frozen=True)
class Rules:
    """The rules of a table, and ``holdings``: the column that names the owner by which contributors are grouped."""

    rules: tuple[Rule, ...]
    holdings: str | None = None


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """For each cell of a table: is it unsafe, and the levels by which an attacker's interval must pass its value.

    A level 0 of an unsafe cell still forbids that its value be deduced exactly.
    """

    unsafe: NDArray[np.bool_] = field(repr=False)
    upper: NDArray[np.float64] = field(repr=False)
    lower: NDArray[np.float64] = field(repr=False)

    @property
    def count(self) -> int:
        """How many cells are unsafe."""
        return int(np.count_nonzero(self.unsafe))


def rules_of(entries: Iterable[tuple[str, Mapping[str, Any]]]) -> Rules:
    """Return the rules of ``entries``: names and parameters, as the block ``secrecy`` of a source card has them."""
    rules: list[Rule] = []
    holdings: str | None = None
    for name, given in entries:
        if name == "holdings":
            holdings = given["by"]
        elif name == "as_delivered":
            continue  # what is hidden already is secret by any rule, and by none
        else:
            rules.append(_rule(name, given))
    return Rules(tuple(rules), holdings)


def judge(
    table: Table,
    rules: Sequence[Rule],
    counts: Mapping[str, Sequence[int | None]] | None = None,
    contributors: str | None = None,
    *,
    strict: bool = True,
) -> Sensitivity:
    """Judge each cell by each rule: unsafe if by any, protected as much as by all.

    ``counts`` has, for units other than the contributors (cards behind the payments of merchants), how many are in each
    cell: a minimum frequency ``of`` such units counts them. ``contributors`` is the word for the units that the
    frequency of cells counts; where it is given, a minimum frequency of units that are not counted is refused. Cells
    hidden by the producer are unsafe with level 0: nobody here knows by how much they should be protected.
    Raises ``Unjudged`` where a cell lacks what a rule judges by; such a cell is unsafe if not ``strict``.
    """
    counts = counts or {}
    for rule in rules:
        if isinstance(rule, MinimumFrequency) and contributors and rule.of not in (None, contributors, *counts):
            hint = f"Give how many are in each cell; its frequency counts {contributors}."
            raise ConfigurationError(f"The table has no count of {rule.of}, of which a rule asks a minimum.", hint=hint)
    levels = np.full(len(table), np.nan)
    for place, cell in enumerate(table.cells):
        if cell.value is None:
            levels[place] = 0.0
            continue
        found = [_level(rule, cell, counts, place, strict) for rule in rules]
        levels[place] = max((level for level in found if level is not None), default=math.nan)
    unsafe = ~np.isnan(levels)
    upper = np.where(unsafe, levels, 0.0)
    return Sensitivity(unsafe, upper, np.minimum(upper, np.nan_to_num(table.values)))


def grouped(
    contributions: Sequence[float],
    holders: Sequence[str] | None = None,
    weights: Sequence[float] | None = None,
) -> tuple[float, int, tuple[float, ...], tuple[str, ...] | None]:
    """Return value, frequency, contributions and holders of a cell, from the rows of its contributors.

    Rows of one holder are one contributor. Sampling weights are taken as published, so that a reader may divide by
    them: what is judged is the weighted sum less weighted contributions (X̂ - w1·x1 - w2·x2), and those who count for
    the frequency are in the sample.
    """
    weighted = [x * w for x, w in zip(contributions, weights or [1.0] * len(contributions), strict=True)]
    if holders is None:
        return math.fsum(weighted), len(weighted), tuple(sorted(weighted, reverse=True)), None
    sums: dict[str, list[float]] = {}
    for holder, value in zip(holders, weighted, strict=True):
        sums.setdefault(holder, []).append(value)
    ranked = sorted(((math.fsum(values), holder) for holder, values in sums.items()), key=lambda one: (-one[0], one[1]))
    return math.fsum(weighted), len(ranked), tuple(x for x, _ in ranked), tuple(holder for _, holder in ranked)


def _rule(name: str, given: Mapping[str, Any]) -> Rule:
    match name:
        case "minimum_frequency":
            margin = given.get("margin_pct", FREQUENCY_MARGIN_PCT)
            unknown = given.get("unknown", SECRET)
            return MinimumFrequency(int(given["at_least"]), given.get("of"), float(margin), unknown=unknown)
        case "dominance":
            return Dominance(int(given["n"]), float(given["k_pct"]))
        case "p_percent":
            return PPercent(float(given["p_pct"]))
        case "pq":
            return PriorPosterior(float(given["p_pct"]), float(given["q_pct"]))
    hint = "Use minimum_frequency, dominance, p_percent, pq, holdings or as_delivered."
    raise ConfigurationError(f"There is no rule {name}.", hint=hint)


def _level(
    rule: Rule, cell: Cell, counts: Mapping[str, Sequence[int | None]], place: int, strict: bool
) -> float | None:
    try:
        if isinstance(rule, MinimumFrequency) and rule.of is not None and rule.of in counts:
            return rule.level_of(cell, counts[rule.of][place])
        return rule.level(cell)
    except Unjudged:
        if strict:
            raise
        return FREQUENCY_MARGIN_PCT / 100 * (cell.value or 0.0)


def _largest(cell: Cell, n: int, rule: str) -> tuple[float, ...]:
    """Return the n largest contributions to a value; all where there are no more, refused where they are not told.

    A count of contributors that is not told is taken to be that of the contributions.
    """
    known = cell.contributions
    if not known:
        if cell.frequency == 1 and cell.value is not None:
            return (cell.value,)
        raise _lacking(cell, "largest contributions", rule)
    if len(known) < min(n, len(known) if cell.frequency is None else cell.frequency):
        raise _lacking(cell, "largest contributions", rule)
    return known[:n]


def _ambiguity(cell: Cell, share: float, rule: str) -> float | None:
    """Return share·x1 - (X - x1 - x2) if it is above 0."""
    if not cell.value:
        return None
    largest = _largest(cell, 2, rule)
    remainder = max(0.0, cell.value - math.fsum(largest))
    return _positive(share * largest[0] - remainder, cell.value)


def _positive(level: float, value: float) -> float | None:
    return level if level > ROUNDING * value else None


def _lacking(cell: Cell, what: str, rule: str) -> Unjudged:
    """Return the refusal. It does not say how many contributions are needed, which is a parameter."""
    text = f"The cell {', '.join(cell.codes)} lacks the {what}, by which the rule {rule} judges."
    return Unjudged(text, hint="Give it, or leave the rule out.")
