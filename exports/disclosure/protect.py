"""Protect a table: judge its cells, empty what must be, audit what remains, and tell what was done.

Nothing that the audit finds at risk leaves this module without being told: ``Protected.refuse_risks`` stops a release.
The output says how many cells are empty, never why one is: which cells are unsafe, and by which parameters, stays here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from exports.disclosure.audit import Audit, Prior, Release, audit, stacked
from exports.disclosure.exact import LARGEST_EXACT, MOST_EXACT, suppress_exactly
from exports.disclosure.likeness import with_known_holders
from exports.disclosure.rules import Sensitivity, judge
from exports.disclosure.spec import Spec, demand_columns, read_table
from exports.disclosure.suppress import CLOSEST, COSTS, Levels, suppress
from exports.disclosure.table import Table
from exports.disclosure.tabulate import numbers, tabulate
from raw_sources.errors import GateClosed
from raw_sources.files import write_atomically

MEASURED, SECRET = "measured", "secret"
STATUS = "value_status"
REPAIRS = 6
WIDER = 1.5
"""By how much the levels of a cell at risk are raised from one repair to the next."""
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Protected:
    """A protected table. ``frame``: codes, value (empty where secret) and ``value_status``, sorted by codes.

    ``summary`` has counts only. ``release`` is what an audit of the next release needs; it holds the secrets.
    """

    frame: pl.DataFrame
    audit: Audit
    summary: Mapping[str, Any]
    risks: tuple[str, ...]
    release: Release = field(repr=False)

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


def released(frame: pl.DataFrame, shown: pl.DataFrame, spec: Spec) -> Release:
    """Return an earlier release: ``frame`` as it was then, and ``shown``, the protected table as it went out."""
    table, sensitivity = _judged(frame, spec)
    columns = [one.column for one in spec.dimensions]
    demand_columns(shown, [*columns, spec.value], "the released table")
    values = numbers(shown, spec.value, "the released table")
    codes = shown.select(pl.col(column).cast(pl.String) for column in columns).iter_rows()
    told = {key for key, value in zip(codes, values, strict=True) if value is not None}
    return Release(table, np.array([cell.codes not in told for cell in table.cells], dtype=np.bool_), sensitivity)


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
    stack = stacked(everything, previous) if previous else everything
    fixed = np.flatnonzero(~stack.unknown).tolist()
    levels = _levels(stack.table, stack.sensitivity)
    asked = sensitivity.unsafe | hidden
    empty = asked if secret is None else asked | secret
    is_given = bool(previous) or secret is not None
    rounds = 0
    while True:
        before = int(empty.sum())
        carried = [*np.flatnonzero(empty).tolist(), *range(size, len(stack.table))] if rounds or is_given else []
        chosen = _choose(stack.table, levels, spec, carried, fixed)
        empty[[cell for cell in chosen if cell < size]] = True
        release = Release(table, empty.copy(), sensitivity)
        found = audit(release, prior=Prior(spec.prior_pct), inside=spec.insiders, previous=previous)
        if found.passes or rounds == REPAIRS:
            break
        rounds += 1
        levels = _raised(stack.table, levels, found.at_risk)
        if rounds > 1 and int(empty.sum()) == before:
            empty[_beside(table, [cell for cell in found.at_risk if cell < size], empty)] = True
    summary = _summary(table, sensitivity.unsafe & ~hidden, empty, found, spec, rounds)
    risks = tuple(stack.table.label(cell) for cell in found.at_risk)
    return Protected(_frame(table, empty, spec), found, summary, risks, release)


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
    return [released(read_table(table), read_table(shown), spec) for table, shown in spec.previous]


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


def _levels(table: Table, sensitivity: Sensitivity) -> dict[int, Levels]:
    return {
        int(cell): Levels(float(sensitivity.upper[cell]), float(sensitivity.lower[cell]))
        for cell in np.flatnonzero(sensitivity.unsafe & ~np.isnan(table.values))
    }


def _raised(table: Table, levels: Mapping[int, Levels], lost: Sequence[int]) -> dict[int, Levels]:
    """Return the levels with those of the cells ``lost`` raised, so that the next choice leaves them more room."""
    raised = dict(levels)
    for cell in lost:
        if cell in raised:
            one, value = raised[cell], float(table.values[cell])
            least = CLOSEST * value
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


def _summary(table: Table, unsafe: Flags, empty: Flags, found: Audit, spec: Spec, rounds: int) -> dict[str, Any]:
    """Return counts, by level of the table. Nothing here tells a parameter, nor which empty cell is unsafe."""
    by_level: dict[str, list[int]] = {}
    for place, cell in enumerate(table.cells):
        depths = [one.levels.get(code, 0) for one, code in zip(table.hierarchies, cell.codes, strict=True)]
        key = ", ".join(f"{name} {depth}" for name, depth in zip(table.names, depths, strict=True))
        counted = by_level.setdefault(key, [0, 0])
        counted[0] += 1
        counted[1] += int(empty[place])
    hidden = np.isnan(table.values)
    return {
        "cells": len(table),
        "secret": int(empty.sum()),
        "hidden_by_producer": int(hidden.sum()),
        "unsafe": int(unsafe.sum()),
        "secondary": int((empty & ~unsafe & ~hidden).sum()),
        "cost": round(float(COSTS[spec.cost](table)[empty & ~unsafe & ~hidden].sum()), 6),
        "cost_is": spec.cost,
        "cells_at_risk": len(found.at_risk),
        "insiders": found.insiders,
        "programmes": found.programmes,
        "repairs": rounds,
        "by_level": {key: {"cells": cells, "secret": secret} for key, (cells, secret) in sorted(by_level.items())},
    }


def _as_text(protected: Protected) -> str:
    summary = protected.summary
    lines = [
        "# Protected table",
        "",
        f"{summary['cells']} cells, {summary['secret']} left empty (`{SECRET}`): {summary['unsafe']} unsafe, "
        f"{summary['secondary']} so that these cannot be recomputed, {summary['hidden_by_producer']} by the producer.",
        "",
        f"Audit: {summary['cells_at_risk']} cells at risk, from outside and from {summary['insiders']} insiders.",
        "",
        "| level (0 is the total) | cells | secret |",
        "|---|---|---|",
        *(f"| {key} | {one['cells']} | {one['secret']} |" for key, one in summary["by_level"].items()),
    ]
    if protected.risks:
        lines += ["", "**Not to be published.** What can be deduced:", "", *(f"- {one}" for one in protected.risks)]
    return "\n".join(lines) + "\n"
