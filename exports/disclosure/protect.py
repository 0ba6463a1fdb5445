"""Protect a table: judge its cells, empty what must be, audit what remains, and tell what was done.

Nothing that the audit finds at risk leaves this module without being told: ``Protected.refuse_risks`` stops a release.
The output says how many cells are empty, never why one is: which cells are unsafe and how many, what the others cost (a
sum of their values) and by which parameters, stays here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from exports.disclosure.audit import Audit, Prior, Release, audit, stacked
from exports.disclosure.exact import LARGEST_EXACT, MOST_EXACT, suppress_exactly
from exports.disclosure.hidden import filled_in, given_away, margin_of
from exports.disclosure.likeness import with_known_holders
from exports.disclosure.rules import Sensitivity, judge
from exports.disclosure.spec import Spec, demand_columns, read_table
from exports.disclosure.suppress import CLOSEST, COSTS, Levels, suppress
from exports.disclosure.table import ROUNDING, Table
from exports.disclosure.tabulate import numbers, tabulate
from raw_sources.errors import ConfigurationError, GateClosed
from raw_sources.files import write_atomically

MEASURED, SECRET = "measured", "secret"
STATUS = "value_status"
REPAIRS = 6
WIDER = 1.5
"""By how much the levels of a cell at risk are raised from one repair to the next."""
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Protected:
    """A protected table. ``frame``: codes, value (empty where secret) and ``value_status``, sorted by codes.

    ``summary`` has what may be told: counts of cells. ``choice`` says what was chosen, and is as secret as ``release``,
    which an audit of the next release needs: with the table, the cost of the empty cells is an equation more.
    """

    frame: pl.DataFrame
    audit: Audit
    summary: Mapping[str, Any]
    risks: tuple[str, ...]
    choice: Mapping[str, Any] = field(repr=False)
    release: Release = field(repr=False)

    @property
    def said_aside(self) -> str:
        """What was chosen and audited, in a sentence for whoever protects the table, and for nobody else."""
        told = self.choice
        return (
            f"{told['unsafe']} unsafe cells, {told['secondary']} secondary ones of cost {told['cost']:g} "
            f"({told['cost_is']}); {told['insiders']} insiders, {told['programmes']} linear programmes. "
            "Keep these figures to yourself: with the table they tell more than it does."
        )

    def refuse_risks(self) -> None:
        """Raise ``GateClosed`` when something secret can be deduced."""
        refuse(self.risks)


def refuse(risks: Sequence[str]) -> None:
    """Raise ``GateClosed`` for cells at risk, by their labels, if there are any."""
    if risks:
        some = "; ".join(risks[:3])
        raise GateClosed(
            f"{len(risks)} secret cells can be deduced from what would be published: {some}.",
            hint="Publish a coarser table, or withdraw an earlier release that gives them away.",
        )


def protect(frame: pl.DataFrame, spec: Spec, previous: Sequence[Release] = ()) -> Protected:
    """Protect ``frame`` (contributors' rows, or cells) as ``spec`` says, together with ``previous`` releases.

    Raises ``ConfigurationError`` for a table that cannot be judged: columns lacking, codes unknown, negative values,
    totals that are not the sum of their parts.
    """
    table, sensitivity = _judged(frame, spec)
    return protect_table(table, sensitivity, spec, previous)


def released(frame: pl.DataFrame, shown: pl.DataFrame, spec: Spec, where: str = "the released table") -> Release:
    """Return an earlier release: ``frame`` as it was then, and ``shown``, the protected table as it went out.

    Raises ``ConfigurationError`` where ``shown``, of the file ``where``, is not the protected table of ``frame``: codes
    that are no cell of it, cells that are lacking, other values.
    """
    table, sensitivity = _judged(frame, spec)
    values = _values_shown(shown, spec, where)
    for codes, value in values.items():
        _refuse_other(table, codes, value, where)
    lost = next((cell.codes for cell in table.cells if cell.published and cell.codes not in values), None)
    if lost is not None:
        hint = "Give the whole table as it was released, and the table from which it was made."
        raise ConfigurationError(f"the cell {', '.join(lost)} of the earlier table is lacking.", where=where, hint=hint)
    return Release(table, np.array([values.get(cell.codes) is None for cell in table.cells], np.bool_), sensitivity)


def _values_shown(shown: pl.DataFrame, spec: Spec, where: str) -> dict[tuple[str, ...], float | None]:
    columns = [one.column for one in spec.dimensions]
    demand_columns(shown, [*columns, spec.value], where)
    codes = shown.select(pl.col(column).cast(pl.String).fill_null("") for column in columns).iter_rows()
    found: dict[tuple[str, ...], float | None] = {}
    for key, value in zip(codes, numbers(shown, spec.value, where), strict=True):
        if key in found:
            raise ConfigurationError(f"Two rows have the codes {', '.join(key)}.", where=where, hint="Leave one.")
        found[key] = value
    return found


def _refuse_other(table: Table, codes: tuple[str, ...], value: float | None, where: str) -> None:
    """Raise ``ConfigurationError`` for what was shown of a cell that the table has not, or has with another value."""
    place = table.index.get(codes)
    name = ", ".join(map(repr, codes))
    if place is None or not table.cells[place].published:
        hint = "Give codes as the earlier table has them, blanks and leading zeros included."
        raise ConfigurationError(f"the earlier table has no cell {name}.", where=where, hint=hint)
    own = table.cells[place].value
    if value is not None and (own is None or not math.isclose(value, own, rel_tol=ROUNDING, abs_tol=ROUNDING)):
        told = "hides it" if own is None else f"has {own:.12g}"
        hint = "Give the table from which this release was made."
        raise ConfigurationError(
            f"the cell {name} shows {value:.12g}, the earlier table {told}.", where=where, hint=hint
        )


def protect_table(
    table: Table,
    sensitivity: Sensitivity,
    spec: Spec,
    previous: Sequence[Release] = (),
    secret: Flags | None = None,
) -> Protected:
    """Protect a table of which the unsafe cells are known, together with ``previous`` releases of the same cells.

    Cells of ``secret`` are left empty whatever is chosen.
    """
    size = len(table)
    hidden = np.isnan(table.values)
    everything = Release(table, np.ones(size, dtype=np.bool_), sensitivity)
    stack, nobody_knows = _with_all_releases(everything, previous)
    never_shown = stack.unknown
    fixed = np.flatnonzero(~never_shown).tolist()
    levels = _levels(stack, nobody_knows)
    asked = sensitivity.unsafe | hidden
    empty = asked if secret is None else asked | secret
    is_given = bool(previous) or secret is not None
    rounds = 0
    while True:
        before = int(empty.sum())
        carried = [*np.flatnonzero(empty).tolist(), *range(size, len(stack.table))] if rounds or is_given else []
        chosen = _choose(stack.table, levels, spec, carried, fixed)
        empty[[cell for cell in chosen if cell < size]] = True
        now = replace(stack, suppressed=never_shown & np.pad(empty, (0, len(stack.table) - size), constant_values=True))
        found = audit(now, prior=Prior(spec.prior_pct), inside=spec.insiders)
        if found.passes or rounds == REPAIRS:
            break
        rounds += 1
        levels = _raised(stack.table, levels, found.at_risk)
        if rounds > 1 and int(empty.sum()) == before:
            empty[_beside(table, [cell for cell in found.at_risk if cell < size], empty)] = True
    risks = tuple(stack.table.label(cell) for cell in found.at_risk)
    return Protected(
        _frame(table, empty, spec),
        found,
        _summary(table, empty, found, spec),
        risks,
        _choice(table, sensitivity.unsafe & ~hidden, empty, found, spec, rounds),
        Release(table, empty.copy(), sensitivity),
    )


def _judged(frame: pl.DataFrame, spec: Spec) -> tuple[Table, Sensitivity]:
    table, counts = tabulate(frame, spec)
    table = with_known_holders(table)
    return table, judge(table, spec.rules.rules, counts, spec.units)


def write_protected(protected: Protected, out: Path) -> list[Path]:
    """Write the table (CSV and Parquet), the audit and a summary into ``out``; return the files.

    Only what passes its audit is written with a table; otherwise the audit alone tells the producer why.
    """
    out.mkdir(parents=True, exist_ok=True)
    files = [out / "audit.json", out / "summary.md"]
    write_atomically(files[0], json.dumps({**protected.summary, "at_risk": list(protected.risks)}, indent=2) + "\n")
    write_atomically(files[1], _as_text(protected))
    tables = [out / "protected.csv", out / "protected.parquet"]
    if protected.risks:
        for path in tables:  # an earlier table would pass for this one's
            path.unlink(missing_ok=True)
        return files
    protected.frame.write_csv(tables[0])
    protected.frame.write_parquet(tables[1])
    return [*tables, *files]


def read_previous(spec: Spec) -> list[Release]:
    """Read the earlier releases that the specification names."""
    return [
        released(read_table(table), read_table(shown), replace(spec, where=str(table)), str(shown))
        for table, shown in spec.previous
    ]


def _choose(
    table: Table, levels: Mapping[int, Levels], spec: Spec, empty: Sequence[int], fixed: Sequence[int]
) -> tuple[int, ...]:
    """Choose by the method of the specification; ``auto`` tries both on small tables and takes the cheaper."""
    if not levels:
        return ()
    found = []
    if spec.method == "exact" or (spec.method == "auto" and _is_small(table, levels)):
        least = suppress_exactly(table, levels, cost=spec.cost, empty=empty, fixed=fixed, prior_pct=spec.prior_pct)
        if least is not None:
            # The exact programme is of the attacker from outside: insiders are met on top.
            more = _met(table, levels, spec, (*empty, *least.secondary), fixed) if spec.insiders else ()
            found.append((*least.secondary, *more))
    if spec.method != "exact" or not found:
        found.append(_met(table, levels, spec, empty, fixed))
    prices = COSTS[spec.cost](table)
    return min(found, key=lambda cells: math.fsum(prices[list(cells)]))


def _is_small(table: Table, levels: Mapping[int, Levels]) -> bool:
    """Tell whether the exact programme ends soon: its cuts are as many as cells to protect, each over all cells."""
    return len(table) <= LARGEST_EXACT and len(levels) <= MOST_EXACT


def _met(
    table: Table, levels: Mapping[int, Levels], spec: Spec, empty: Sequence[int], fixed: Sequence[int]
) -> tuple[int, ...]:
    return suppress(
        table,
        levels,
        cost=spec.cost,
        insiders=spec.insiders,
        empty=empty,
        fixed=fixed,
        prior_pct=spec.prior_pct,
    ).secondary


def _with_all_releases(release: Release, previous: Sequence[Release]) -> tuple[Release, Flags]:
    """Return all releases as one, with values that stand for those hidden by the producer, and which these are.

    Raises ``ConfigurationError`` when sums allow no such values.
    """
    stack = stacked(release, previous) if previous else release
    try:
        table = filled_in(stack.table, _contributed(stack.table))
    except ConfigurationError:
        if not previous:
            raise
        # What is hidden may have been corrected too.
        stack = stacked(release, previous, hidden_apart=True)
        table = filled_in(stack.table, _contributed(stack.table))
    return replace(stack, table=table), np.isnan(stack.table.values)


def _contributed(table: Table) -> Floats:
    """Return what each cell has at least, by the contributions that are told of it."""
    return np.array([math.fsum(cell.contributions or ()) for cell in table.cells], dtype=np.float64)


def _levels(stack: Release, hidden: Flags) -> dict[int, Levels]:
    """Return the levels that the rules ask for, and those of the cells ``hidden`` by the producer that need some."""
    table, sensitivity = stack.table, stack.sensitivity
    levels = {
        int(cell): Levels(float(sensitivity.upper[cell]), float(sensitivity.lower[cell]))
        for cell in np.flatnonzero(sensitivity.unsafe & ~hidden)
    }
    return levels | {cell: Levels(level, level) for cell, level in given_away(table, hidden).items()}


def _raised(table: Table, levels: Mapping[int, Levels], lost: Sequence[int]) -> dict[int, Levels]:
    """Return the levels with those of the cells ``lost`` raised, so that the next choice leaves them more room.

    A cell that had none is hidden by the producer, and what sums left it was enough only from outside.
    """
    raised, margin = dict(levels), margin_of(table)
    for cell in lost:
        value = float(table.values[cell])
        if cell not in raised:
            raised[cell] = Levels(float(margin[cell]), float(margin[cell]))
            continue
        one, least = raised[cell], CLOSEST * value
        raised[cell] = Levels(max(one.upper, least) * WIDER, min(max(one.lower, least) * WIDER, value))
    return raised


def _beside(table: Table, lost: Sequence[int], empty: Flags) -> list[int]:
    """Return, for each equation of a lost cell, its smallest cell that is still shown."""
    found = set()
    for cell in lost:
        for place in table.equations_of[cell]:
            equation = table.equations[place]
            shown = [one for one in (*equation.children, equation.total) if not empty[one] and table.values[one] > 0]
            found |= set(sorted(shown, key=lambda one: (table.values[one], one))[:1])
    return sorted(found)


def _frame(table: Table, empty: Flags, spec: Spec) -> pl.DataFrame:
    columns = [one.column for one in spec.dimensions]
    rows = [
        (*cell.codes, None if empty[place] else cell.value, SECRET if empty[place] else MEASURED)
        for place, cell in enumerate(table.cells)
        if cell.published
    ]
    schema = {**dict.fromkeys(columns, pl.String), spec.value: pl.Float64, STATUS: pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row").sort(columns)


def _summary(table: Table, empty: Flags, found: Audit, spec: Spec) -> dict[str, Any]:
    """Return counts, by level of the table. Nothing here tells a parameter, nor which empty cell is unsafe."""
    by_level: dict[str, list[int]] = {}
    for place, cell in enumerate(table.cells):
        depths = [one.levels.get(code, 0) for one, code in zip(table.hierarchies, cell.codes, strict=True)]
        key = ", ".join(f"{name} {depth}" for name, depth in zip(table.names, depths, strict=True))
        counted = by_level.setdefault(key, [0, 0])
        counted[0] += 1
        counted[1] += int(empty[place])
    return {
        "cells": len(table),
        "secret": int(empty.sum()),
        "hidden_by_producer": int(np.isnan(table.values).sum()),
        "cells_at_risk": len(found.at_risk),
        "audited_from_inside": spec.insiders,
        "by_level": {key: {"cells": cells, "secret": secret} for key, (cells, secret) in sorted(by_level.items())},
    }


def _choice(table: Table, unsafe: Flags, empty: Flags, found: Audit, spec: Spec, rounds: int) -> dict[str, Any]:
    """Return how many cells were unsafe, what the others that are empty cost, and what the choice took."""
    secondary = empty & ~unsafe & ~np.isnan(table.values)
    return {
        "unsafe": int(unsafe.sum()),
        "secondary": int(secondary.sum()),
        "cost": round(float(COSTS[spec.cost](table)[secondary].sum()), 6),
        "cost_is": spec.cost,
        "insiders": found.insiders,
        "programmes": found.programmes,
        "repairs": rounds,
    }


def _as_text(protected: Protected) -> str:
    summary = protected.summary
    attackers = "from outside and from inside" if summary["audited_from_inside"] else "from outside"
    lines = [
        "# Protected table",
        "",
        f"{summary['cells']} cells, {summary['secret']} left empty (`{SECRET}`), "
        f"{summary['hidden_by_producer']} of them by the producer.",
        "",
        f"Audit: {summary['cells_at_risk']} cells at risk, {attackers}.",
        "",
        "| level (0 is the total) | cells | secret |",
        "|---|---|---|",
        *(f"| {key} | {one['cells']} | {one['secret']} |" for key, one in summary["by_level"].items()),
    ]
    if protected.risks:
        lines += ["", "**Not to be published.** What can be deduced:", "", *(f"- {one}" for one in protected.risks)]
    return "\n".join(lines) + "\n"
