"""Rows whose figures are in no sum: empty where too few are behind them, and as the audit of tables would have it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import duckdb
import polars as pl
import pytest

from exports.protection import rows as module
from exports.protection.past import Past
from exports.protection.rows import Protection, protect_rows
from exports.secrecy import Axis, Figure, Secrecy
from raw_sources.agreements import SecrecyRule
from raw_sources.errors import GateClosed, MachineryError

SECRECY = Secrecy(
    source="source",
    axes=(Axis("street"), Axis("zone", level="level"), Axis("hour_at")),
    figures=(Figure("delay", "delay_status"), Figure("length", "length_status")),
    contributors="events",
    frequency="events",
    counts={"drivers": "drivers"},
)
RULES = (
    SecrecyRule("minimum_frequency", {"of": "events", "at_least": 3}),
    SecrecyRule("minimum_frequency", {"of": "drivers", "at_least": 5}),
)
SHOWN = "source, street, zone, level, hour_at, delay, delay_status, length, length_status"
SIX, SEVEN = datetime(2025, 11, 15, 6), datetime(2025, 11, 15, 7)
Row = tuple[Any, ...]


def row(street: str | None, events: int | None, delay: float | None = 60.0, **changes: Any) -> Row:
    """Return a row of eight drivers."""
    known: dict[str, Any] = {
        "source": "feed", "street": street, "zone": "Z", "level": "commune", "hour_at": SIX, "delay": delay,
        "delay_status": "measured" if delay is not None else "not_available", "length": 300.0,
        "length_status": "measured", "events": events, "drivers": 8,
    }  # fmt: skip
    return tuple((known | changes).values())


ROWS = [
    row("few", 2),
    row("enough", 3),
    row("none", 0, 0.0),
    row("unknown", None),
    row("few drivers", 9, drivers=4),
    row("no delay", 1, None),
    row(None, 2),
    row("few", 3, hour_at=SEVEN),
    row("elsewhere", 2, level="district"),
]
SECRET = {"few 6", "unknown 6", "few drivers 6", "no delay 6", "None 6", "elsewhere 6"}


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


def protect(
    connection: duckdb.DuckDBPyConnection,
    rows: Sequence[Row],
    past: Sequence[Past] = (),
    rules: Sequence[SecrecyRule] = RULES,
) -> Protection:
    connection.execute(
        "CREATE OR REPLACE TABLE streets (source VARCHAR, street VARCHAR, zone VARCHAR, level VARCHAR, "
        "hour_at TIMESTAMP, delay DOUBLE, delay_status VARCHAR, length DOUBLE, length_status VARCHAR, "
        "events INTEGER, drivers INTEGER)"
    )
    for one in rows:
        connection.execute("INSERT INTO streets VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", one)
    return protect_rows(connection, "streets", SECRECY, {"feed": rules}, past, "the card")


def shown(connection: duckdb.DuckDBPyConnection, protection: Protection) -> pl.DataFrame:
    """Return what is published: files tell the zone of an instant."""
    frame = connection.execute(f"SELECT {SHOWN} FROM {protection.relation}").pl()
    return frame.with_columns(pl.col("hour_at").dt.replace_time_zone("UTC").dt.cast_time_unit("ms"))


def secret(frame: pl.DataFrame) -> set[str]:
    hidden = frame.filter(pl.col("length_status") == "secret")
    assert hidden["length"].null_count() == hidden["delay"].null_count() == len(hidden)
    assert set(hidden["delay_status"]) <= {"secret", "not_available"}
    return {f"{one['street']} {one['hour_at'].hour}" for one in hidden.iter_rows(named=True)}


def as_past(connection: duckdb.DuckDBPyConnection, protection: Protection) -> Past:
    return Past("streets", "first", shown(connection, protection), protection.held)


@pytest.fixture(params=[True, False], ids=["all at once", "by tables"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Protect in either way: what is decided is the same."""
    if not request.param:
        monkeypatch.setattr(module, "is_alone", lambda *_: False)


@pytest.mark.usefixtures("way")
def test_rows_with_too_few_behind_them_are_empty(connection: duckdb.DuckDBPyConnection) -> None:
    protection = protect(connection, ROWS)
    frame = shown(connection, protection)
    assert secret(frame) == SECRET
    assert len(frame) == len(ROWS) and frame.filter(pl.col("length_status") != "secret")["length"].null_count() == 0
    assert protection.counts["feed"] == [
        {"level": {"zone": "commune"}, "cells": 8, "secret": {"delay": 4, "length": 5}},
        {"level": {"zone": "district"}, "cells": 1, "secret": {"delay": 1, "length": 1}},
    ]


@pytest.mark.usefixtures("way")
def test_a_count_that_the_producer_controls_itself_may_be_unknown(connection: duckdb.DuckDBPyConnection) -> None:
    trusting = [replace(one, parameters=one.parameters | {"unknown": "shown"}) for one in RULES]
    assert secret(shown(connection, protect(connection, ROWS, rules=trusting))) == SECRET - {"unknown 6"}


@pytest.mark.usefixtures("way")
def test_what_was_secret_stays_so_as_long_as_it_is_the_same_figure(connection: duckdb.DuckDBPyConnection) -> None:
    past = as_past(connection, protect(connection, ROWS))
    later = [row("few", 3), *ROWS[1:]]
    assert secret(shown(connection, protect(connection, later, [past]))) == SECRET
    forgotten = replace(past, held={})
    assert secret(shown(connection, protect(connection, later, [forgotten]))) == SECRET - {"few 6"}
    other = [row("few", 3, 61.0, length=301.0), *ROWS[1:]]
    assert secret(shown(connection, protect(connection, other, [past]))) == SECRET - {"few 6"}
    lax = [replace(RULES[0], parameters={"of": "events", "at_least": 2})]
    assert secret(shown(connection, protect(connection, ROWS, [past], lax))) == {"unknown 6", "no delay 6"}


@pytest.mark.usefixtures("way")
def test_a_figure_that_was_shown_cannot_become_secret(connection: duckdb.DuckDBPyConnection) -> None:
    past = as_past(connection, protect(connection, ROWS))
    with pytest.raises(GateClosed, match=r"secret cells can be deduced.*street=enough") as refused:
        protect(connection, [*ROWS[:1], row("enough", 2), *ROWS[2:]], [past])
    assert "300" not in str(refused.value)
    corrected = [*ROWS[:1], row("enough", 2, 61.0, length=299.0), *ROWS[2:]]
    assert secret(shown(connection, protect(connection, corrected, [past]))) == SECRET | {"enough 6"}


def test_what_was_held_in_one_form_is_known_in_the_other(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = [row("few", 3), *ROWS[1:]]
    at_once = as_past(connection, protect(connection, ROWS))
    monkeypatch.setattr(module, "is_alone", lambda *_: False)
    assert secret(shown(connection, protect(connection, later, [at_once]))) == SECRET
    by_tables = as_past(connection, protect(connection, ROWS))
    monkeypatch.undo()
    assert secret(shown(connection, protect(connection, later, [by_tables]))) == SECRET


def test_rows_that_cannot_be_found_again_are_not_published(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = module._read

    def misspelt(*given: Any) -> pl.DataFrame:
        return original(*given).with_columns(pl.col("street") + " ")

    monkeypatch.setattr(module, "_read", misspelt)
    with pytest.raises(MachineryError, match="1 rows were emptied, and 6 are secret"):
        protect(connection, ROWS)
