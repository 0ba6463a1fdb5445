"""The rows of a mart that may leave, with what is secret left empty: each source by its own rules, and with its past.

Here: reading the rows, emptying them and counting what is empty. What is secret is told by ``secret``, and by ``alone``
for rows in no sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb
import polars as pl

from exports.disclosure.protect import SECRET
from exports.disclosure.table import Codes
from exports.protection.alone import counted_alone, is_alone, secret_alone
from exports.protection.cells import Figures, Row, as_read, codes_of, figures_of
from exports.protection.earlier import earlier_rows_of
from exports.protection.judging import settings_of
from exports.protection.past import Held, Past
from exports.protection.rounded import exact_rows, round_figures
from exports.protection.secret import secret_of
from exports.secrecy import Secrecy
from raw_sources.agreements import SecrecyRule
from raw_sources.database import identifier
from raw_sources.errors import MachineryError


@dataclass(frozen=True)
class Protection:
    """``relation`` are the rows with what is secret left empty, as an SQL relation of the connection.

    ``counts`` say how many figures of each level are secret, by source; ``held`` is what the audit of later releases
    needs, and is secret.
    """

    relation: str
    counts: dict[str, list[dict[str, Any]]]
    held: Held = field(repr=False)


def protect_rows(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    secrecy: Secrecy,
    rules: Mapping[str, Sequence[SecrecyRule]],
    past: Sequence[Past],
    where: str,
) -> Protection:
    """Leave empty in ``relation`` what ``rules`` (by source) make secret, and what would give it back; then round.

    ``past`` are the earlier releases, oldest first. Raises ``ConfigurationError`` for figures that do not add up as
    the card says, ``GateClosed`` when something secret can be deduced all the same.
    """
    frame = _read(connection, relation, secrecy)
    emptied: list[pl.DataFrame] = []
    counts: dict[str, list[dict[str, Any]]] = {}
    held: Held = {}
    for source in sorted(rules):
        own = frame.filter(pl.col(secrecy.source) == source)
        rows = as_read(own, secrecy)
        if is_alone(rows, secrecy, rules[source]):
            settings = settings_of(secrecy, rules[source])
            earlier = earlier_rows_of(past, source, secrecy)
            is_secret, held[source] = secret_alone(rows, secrecy, rules[source], settings, earlier)
            counts[source] = counted_alone(rows, secrecy, is_secret)
        else:
            figures = figures_of(rows, secrecy, f"{where}: {source}")
            secret, held[source] = secret_of(figures, source, rules[source], past)
            counts[source] = _counted(figures, secret)
            is_secret = _is_secret(rows, secrecy, secret)
        emptied.append(own.filter(is_secret))
    protected = _emptied(connection, relation, secrecy, pl.concat([frame.clear(), *emptied]))
    if secrecy.rounded_to:
        told = {source: exact_rows(connection, protected, secrecy, source) for source in held}
        held = {source: replace(one, exact=told[source]) for source, one in held.items()}
        round_figures(connection, protected, secrecy.rounded_to)
    return Protection(protected, counts, held)


def _read(connection: duckdb.DuckDBPyConnection, relation: str, secrecy: Secrecy) -> pl.DataFrame:
    names = ", ".join(map(identifier, secrecy.needed))
    return connection.execute(f"SELECT {names} FROM {relation}").pl()


def _emptied(connection: duckdb.DuckDBPyConnection, relation: str, secrecy: Secrecy, secret: pl.DataFrame) -> str:
    """Write the rows with their secret figures emptied into a table of the connection; return its name.

    Raises ``MachineryError`` when these are not as many as the ``secret`` ones.
    """
    told = [secrecy.source, *(name for one in secrecy.axes for name in (one.column, one.level) if name is not None)]
    names = list(dict.fromkeys(told))
    connection.register("secret_rows", secret.select(names).unique().to_arrow())
    same = " AND ".join(f"given.{identifier(name)} IS NOT DISTINCT FROM hidden.{identifier(name)}" for name in names)
    joined = f"{relation} AS given LEFT JOIN (SELECT *, true AS cell FROM secret_rows) AS hidden ON {same}"
    emptied = ", ".join(
        f"CASE WHEN hidden.cell IS NULL THEN given.{value} END AS {value}, "
        f"CASE WHEN hidden.cell IS NULL OR given.{value} IS NULL THEN given.{status} ELSE '{SECRET}' END AS {status}"
        for value, status in ((identifier(one.value), identifier(one.status)) for one in secrecy.emptied)
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE protected_rows AS SELECT given.* REPLACE ({emptied}) FROM {joined}"
    )
    found = connection.execute(f"SELECT count(*) FROM {joined} WHERE hidden.cell").fetchall()[0][0]
    connection.unregister("secret_rows")
    if found != len(secret):
        what = f"{found} rows were emptied, and {len(secret)} are secret."
        raise MachineryError(
            what, where=relation, hint="Nothing was published; report it with the card's block secrecy."
        )
    return "protected_rows"


def _is_secret(rows: pl.DataFrame, secrecy: Secrecy, secret: set[Codes]) -> pl.Series:
    """Tell which rows are of secret cells."""
    codes = rows.select(codes_of(secrecy)).iter_rows()
    return pl.Series([one in secret for one in codes], dtype=pl.Boolean)


def _counted(figures: Figures, secret: set[Codes]) -> list[dict[str, Any]]:
    """Return how many rows each level has, and how many of its figures are secret. No parameter can be told from it."""
    found: dict[tuple[str, ...], dict[str, int]] = {}
    for codes, row in figures.rows.items():
        counted = found.setdefault(
            _level(figures, row), {"cells": 0, **{one.value: 0 for one in figures.secrecy.figures}}
        )
        counted["cells"] += 1
        for figure, value, status in zip(figures.secrecy.figures, row.values, row.statuses, strict=True):
            counted[figure.value] += status == SECRET or (codes in secret and value is not None)
    axes = [axis.column for axis in figures.secrecy.axes]
    return [
        {
            "level": {name: word for name, word in zip(axes, level, strict=True) if word},
            "cells": counted.pop("cells"),
            "secret": counted,
        }
        for level, counted in sorted(found.items())
    ]


def _level(figures: Figures, row: Row) -> tuple[str, ...]:
    """Return the level of a row on each axis: as its column says, else its code where it is a total, else each code."""
    words = []
    for axis, parents, one, told in zip(figures.secrecy.axes, figures.parents, row.codes, row.levels, strict=True):
        is_total = one in parents.values()
        words.append(told if axis.level else "" if not axis.adds_up else one if is_total else "each")
    return tuple(words)
