"""Sound marts made by hand, and spoilt on purpose: what the tests of the suites share.

Each of them writes its marts in SQL and lists, by expectation, the defects that must turn it red. That no expectation
of any suite lacks one is checked in ``integration/test_expectations``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from expectations import engine
from expectations.suite import Suite, read_suite
from raw_sources.database import DuckDBSettings, connect

SUITES = Path(__file__).parents[1] / "expectations"
SETTINGS = DuckDBSettings(memory_limit="1GB", threads=2)


@dataclass(frozen=True)
class Defect:
    """SQL that spoils a mart, and the number of offending rows that the expectation must then report."""

    sql: str
    count: int = 1


@cache
def suite_of(mart: str) -> Suite:
    """Return the suite of a mart (``theme.name``) that comes with halle."""
    theme, name = mart.split(".")
    return read_suite(SUITES / theme / f"{name}.yml")


def only(suite: Suite, *names: str) -> Suite:
    """Return the suite with these expectations alone."""
    return replace(suite, expectations=tuple(one for one in suite.expectations if one.name in names))


def made(folder: Path, sql: str) -> Path:
    """Return a warehouse that holds what ``sql`` makes."""
    return changed(folder / "warehouse.duckdb", sql)


def spoilt(sound: Path, folder: Path, sql: str) -> Path:
    """Return a copy of a warehouse on which ``sql`` was run."""
    return changed(Path(shutil.copy(sound, folder / "warehouse.duckdb")), sql)


def changed(warehouse: Path, sql: str) -> Path:
    """Run ``sql`` on a warehouse and return it."""
    with connect(warehouse, SETTINGS) as connection:
        connection.execute(sql)
    return warehouse


def with_emptied_columns(
    defects: Mapping[str, Mapping[str, Sequence[Defect]]], emptied: Callable[[str, str], Defect]
) -> Iterator[tuple[str, str, Defect]]:
    """Yield mart, expectation and defect: those listed, and ``emptied(mart, column)`` for each column always there."""
    for mart, by_name in defects.items():
        for name, listed in by_name.items():
            yield from ((mart, name, defect) for defect in listed)
        for one in suite_of(mart).expectations:
            if one.kind == "not_null":
                yield mart, one.name, emptied(mart, one.name.split(".")[1])


def check_is_sound(mart: str, warehouse: Path) -> None:
    """Demand that every expectation was evaluated and holds."""
    validation = engine.validate(suite_of(mart), warehouse, SETTINGS)
    assert [result for result in validation.results if result.status != "passed"] == []
    assert validation.expected == validation.evaluated


def check_turns_red(mart: str, name: str, defect: Defect, warehouse: Path) -> None:
    """Demand that the expectation fails on as many rows as the defect spoils."""
    (result,) = engine.validate(only(suite_of(mart), name), warehouse, SETTINGS).results
    assert (result.status, result.unexpected_count) == ("failed", defect.count), result.observed
