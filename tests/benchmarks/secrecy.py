"""What protecting a table costs, by size and method: cells left empty, seconds, cells at risk. ``make bench-secrecy``.

Tables are drawn: département (in region) × month × country of the card, sparse and uneven as payments are, under a
minimum of three contributors and p %. Whatever the method, the audit is ours, of the whole table: from outside, and
from inside where asked. ``argus`` is pytauargus (the engine of τ-ARGUS), if it is installed; it is given the same
unsafe cells, and its own rules for singletons are not asked for.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from exports.disclosure.audit import Release, audit
from exports.disclosure.exact import suppress_exactly
from exports.disclosure.likeness import with_known_holders
from exports.disclosure.rules import MinimumFrequency, PPercent, Sensitivity, judge
from exports.disclosure.suppress import Levels, suppress
from exports.disclosure.table import Cell, Hierarchy, Table
from tests.benchmarks.__main__ import table as printed

HEADS = ("cells", "unsafe", "method", "secondary", "value", "s", "at risk", "audit s", "at risk inside, s")
RULES = (MinimumFrequency(3), PPercent(10))


@dataclass(frozen=True)
class Size:
    """A table to draw: how many codes of each dimension, and how many payers a middling cell has."""

    departments: int
    regions: int
    months: int
    countries: int
    payers: float


SIZES = {
    "400": Size(24, 4, 0, 12, 40),
    "1700": Size(96, 13, 0, 15, 60),
    "1600-3d": Size(20, 4, 6, 8, 40),
    "30000": Size(96, 13, 12, 20, 155),
}


@dataclass(frozen=True)
class Drawn:
    """A table with all its margins, and the contributions that it was made with."""

    table: Table
    rows: tuple[tuple[tuple[str, ...], float], ...]


def draw(size: Size, seed: int = 1) -> Drawn:
    """Draw a table."""
    rng = np.random.default_rng(seed)
    departments = [f"D{one:02}" for one in range(size.departments)]
    parents = {code: f"R{one * size.regions // size.departments:02}" for one, code in enumerate(departments)}
    hierarchies = [Hierarchy("department", {**parents, **dict.fromkeys(parents.values(), "FR")}, "FR")]
    finest: list[Sequence[str]] = [departments]
    if size.months:
        finest.append([f"M{one:02}" for one in range(size.months)])
        hierarchies.append(Hierarchy.flat("month", finest[-1], "Y"))
    finest.append([f"C{one:02}" for one in range(size.countries)])
    hierarchies.append(Hierarchy.flat("country", finest[-1], "W"))
    towns = dict(zip(departments, rng.lognormal(0, 1.2, size.departments), strict=True))
    nations = dict(zip(finest[-1], np.arange(1, size.countries + 1) ** -1.3, strict=True))
    rows: list[tuple[tuple[str, ...], float]] = []
    found: dict[tuple[str, ...], tuple[float, int, tuple[float, ...]]] = {}
    for codes in product(*finest):
        payers = rng.poisson(towns[codes[0]] * nations[codes[-1]] * size.payers)
        amounts = np.sort(rng.lognormal(3, 1.3, payers).round(2))[::-1].tolist()
        rows += [(codes, amount) for amount in amounts]
        lines = [_line(hierarchy, code) for hierarchy, code in zip(hierarchies, codes, strict=True)]
        for key in product(*lines):
            value, count, largest = found.get(key, (0.0, 0, ()))
            best = tuple(sorted((*largest, *amounts[:2]), reverse=True)[:2])
            found[key] = (value + sum(amounts), count + payers, best)
    cells = [Cell(key, value, int(count), best) for key, (value, count, best) in found.items()]
    return Drawn(with_known_holders(Table.of(cells, hierarchies)), tuple(rows))


def _line(hierarchy: Hierarchy, code: str) -> list[str]:
    line = [code]
    while line[-1] in hierarchy.parents:
        line.append(hierarchy.parents[line[-1]])
    return line


Method = Callable[[Drawn, dict[int, Levels], str], Sequence[int] | None]


def nothing(drawn: Drawn, levels: dict[int, Levels], cost: str) -> Sequence[int]:
    """No secondary suppression at all."""
    return ()


def ours(drawn: Drawn, levels: dict[int, Levels], cost: str) -> Sequence[int]:
    """Our heuristic, from outside."""
    return suppress(drawn.table, levels, cost=cost, insiders=False).secondary


def inside(drawn: Drawn, levels: dict[int, Levels], cost: str) -> Sequence[int]:
    """Our heuristic, contributors' own knowledge included."""
    return suppress(drawn.table, levels, cost=cost).secondary


def exact(drawn: Drawn, levels: dict[int, Levels], cost: str) -> Sequence[int] | None:
    """The least cost, from outside."""
    found = suppress_exactly(drawn.table, levels, cost=cost)
    return None if found is None else found.secondary


def argus(method: str) -> Method:
    """Return a method of pytauargus, given the rows of contributors and the same rules; its cost is the value."""

    def choose(drawn: Drawn, levels: dict[int, Levels], cost: str) -> Sequence[int] | None:
        # In a process of its own: a crash of the engine is then a result like another.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            try:
                return pool.submit(_by_argus, drawn, method).result()
            except (BrokenProcessPool, RuntimeError, ValueError) as error:
                sys.stderr.write(f"{method}: {type(error).__name__} {error}\n")
                return None

    return choose


def _by_argus(drawn: Drawn, method: str) -> list[int]:
    import pytauargus

    table = drawn.table
    # The engine writes its logs where it runs.
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        folder = Path(name)
        columns: dict[str, list[Any]] = {one: [row[0][at] for row in drawn.rows] for at, one in enumerate(table.names)}
        columns["amount"] = [row[1] for row in drawn.rows]
        regions = table.hierarchies[0].children
        tree = [line for one in sorted(regions["FR"]) for line in (one, *(f"@{code}" for code in regions[one]))]
        (folder / "department.hrc").write_text("\n".join(tree) + "\n", encoding="utf-8")
        found = pytauargus.protect(
            columns,
            [list(table.names)],
            "amount",
            "FREQ(3,10)|P(10,1)",
            method,
            decimals=2,
            hrc={"department": str(folder / "department.hrc")},
            workdir=str(folder),
        )
        frame = found.tables[0].dataframe()
    totals = [one.total for one in table.hierarchies]
    hidden = frame[~frame["status"].isin(["S", "P", "E"])]
    keys = zip(*(hidden[one] for one in table.names), strict=True)
    codes = (tuple(t if code == "Total" else code for code, t in zip(key, totals, strict=True)) for key in keys)
    return [table.index[key] for key in codes]


METHODS: dict[str, Method] = {"none": nothing, "ours": ours, "ours, insiders": inside, "exact": exact}
ARGUS: dict[str, Method] = {
    "argus MOD": argus("MOD(1,1,0,0,0)"),
    "argus MOD, insiders": argus("MOD(1,1,1,1,1)"),
    "argus OPT": argus("OPT(1,1)"),
}


def measure(drawn: Drawn, name: str, choose: Method, cost: str, insiders: bool) -> list[str]:
    """Return the row of one method on one table."""
    table = drawn.table
    judged = judge(table, RULES)
    levels = {int(cell): Levels(judged.upper[cell], judged.lower[cell]) for cell in np.flatnonzero(judged.unsafe)}
    head = [f"{len(table):,}", f"{len(levels):,}", name]
    started = time.perf_counter()
    chosen = choose(drawn, levels, cost)
    taken = time.perf_counter() - started
    if chosen is None:
        return [*head, "no result", "", f"{taken:.1f}", "", "", ""]
    empty = judged.unsafe.copy()
    empty[list(chosen)] = True
    extra = [cell for cell in chosen if not judged.unsafe[cell]]
    row = [*head, f"{len(extra):,}", f"{table.values[extra].sum():,.0f}", f"{taken:.1f}"]
    return row + _audited(Release(table, empty, judged), False) + (_audited_inside(table, empty, judged, insiders))


def _audited(release: Release, insiders: bool) -> list[str]:
    started = time.perf_counter()
    found = audit(release, inside=insiders)
    return [f"{len(found.at_risk):,}", f"{time.perf_counter() - started:.1f}"]


def _audited_inside(table: Table, empty: np.ndarray, judged: Sensitivity, wanted: bool) -> list[str]:
    if not wanted:
        return [""]
    cells, seconds = _audited(Release(table, empty, judged), True)
    return [f"{cells} in {seconds}"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", action="append", choices=SIZES, help="only this size; may be repeated")
    parser.add_argument(
        "--method", action="append", help=f"only this method; may be repeated: {', '.join([*METHODS, *ARGUS])}"
    )
    parser.add_argument("--cost", default="value", choices=("value", "root", "unity", "frequency"))
    parser.add_argument("--inside", action="store_true", help="audit from inside too, whatever the size")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    methods = dict(METHODS)
    if importlib.util.find_spec("pytauargus"):
        methods |= ARGUS
    rows = []
    for size in options.size or SIZES:
        drawn = draw(SIZES[size], options.seed)
        for name in options.method or methods:
            if name in ("exact", "argus OPT") and len(drawn.table) > 400 and not options.method:
                continue
            if name.startswith("argus") and len(drawn.table) > 5000 and not options.method:
                continue
            rows.append(measure(drawn, name, methods[name], options.cost, options.inside or len(drawn.table) < 5000))
            sys.stderr.write(f"{size}: {name}\n")
    sys.stdout.write(printed([list(HEADS), *rows]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
