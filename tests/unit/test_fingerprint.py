"""The fingerprint follows content only: not the order of rows, not the engine's storage; any cell changes it."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expectations.fingerprint import NO_PERIOD, WHOLE, Fingerprint, fingerprint

COLUMNS = ("month", "name", "seen_at", "day", "share", "value", "flag", "count")
SQL_TYPES = ("varchar", "varchar", "timestamp", "date", "decimal(5, 4)", "double", "boolean", "bigint")
TYPES = ", ".join(f"{name} {sql_type}" for name, sql_type in zip(COLUMNS, SQL_TYPES, strict=True))
Row = tuple[Any, ...]

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["2026-01", "2026-02"]),
        st.none() | st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
        st.none() | st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(2100, 1, 1)),
        st.none() | st.dates(datetime.date(1970, 1, 1), datetime.date(2100, 1, 1)),
        st.none() | st.decimals(0, 1, places=4),
        st.none() | st.floats(allow_nan=True, allow_infinity=True),
        st.none() | st.booleans(),
        st.none() | st.integers(-(2**63), 2**63 - 1),
    ),
    min_size=1,
    max_size=12,
)


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def _table(connection: duckdb.DuckDBPyConnection, rows: list[Row]) -> Fingerprint:
    connection.execute(f"create or replace table mart ({TYPES})")
    connection.executemany("insert into mart values (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    return fingerprint(connection, "mart", COLUMNS, "month")


@settings(max_examples=40, deadline=None)
@given(rows=ROWS, data=st.data())
def test_the_order_of_rows_does_not_matter(
    connection: duckdb.DuckDBPyConnection, rows: list[Row], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(rows))
    assert _table(connection, rows).digest == _table(connection, shuffled).digest


@settings(max_examples=40, deadline=None)
@given(rows=ROWS, data=st.data())
def test_any_changed_cell_changes_it(
    connection: duckdb.DuckDBPyConnection, rows: list[Row], data: st.DataObject
) -> None:
    before = _table(connection, rows)
    row, column = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, len(COLUMNS) - 1))
    replacement = data.draw(ROWS.filter(lambda others: _differ(others[0][column], rows[row][column])))[0][column]
    changed = [*rows]
    changed[row] = (*rows[row][:column], replacement, *rows[row][column + 1 :])
    assert _table(connection, changed).digest != before.digest


def _differ(one: Any, other: Any) -> bool:
    # As SQL compares: -0.0 equals 0.0 and NaN equals NaN.
    return one != other and not (one != one and other != other)


@settings(max_examples=20, deadline=None)
@given(rows=ROWS)
def test_parquet_written_from_a_table_has_the_same(
    connection: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory, rows: list[Row]
) -> None:
    expected = _table(connection, rows * 30)
    folder = tmp_path_factory.mktemp("parquet")
    for part in ("2026-01", "2026-02"):
        connection.execute(
            f"copy (select * from mart where month = '{part}' order by all desc)"
            f" to '{folder}/{part}.parquet' (format parquet, compression zstd)"
        )
    assert fingerprint(connection, f"read_parquet('{folder}/*.parquet')", COLUMNS, "month") == expected


def test_periods_are_told_apart(connection: duckdb.DuckDBPyConnection) -> None:
    row = ("n", None, None, Decimal("0.5"), 1.0, True, 3)
    before = _table(connection, [("2026-01", *row), ("2026-02", *row)])
    after = _table(connection, [("2026-01", *row), ("2026-02", *row[:-1], 4)])
    assert list(before.periods) == ["2026-01", "2026-02"]
    assert before.periods["2026-01"] == after.periods["2026-01"]
    assert before.periods["2026-02"] != after.periods["2026-02"]
    assert (before.rows, before.periods["2026-02"].rows) == (2, 1)


def test_equal_rows_do_not_cancel_each_other(connection: duckdb.DuckDBPyConnection) -> None:
    row = ("2026-01", "n", None, None, None, None, None, None)
    assert len({_table(connection, [row] * times).digest for times in (1, 2, 3)}) == 3


def test_values_that_move_between_columns_are_seen(connection: duckdb.DuckDBPyConnection) -> None:
    pairs = ["(1, 2)", "(2, 1)", "(null, 1)", "(1, null)", "(1, 1)", "(2, 2)", "(null, null)"]
    digests = {fingerprint(connection, f"(values {pair}) as t(a, b)", ["a", "b"]).digest for pair in pairs}
    assert len(digests) == len(pairs)


def test_the_columns_and_their_order_are_part_of_it(connection: duckdb.DuckDBPyConnection) -> None:
    relation = "(select 1 as a, 2 as b, 1 as c)"
    digests = {fingerprint(connection, relation, names).digest for names in (["a", "b"], ["b", "a"], ["c", "b"], ["a"])}
    assert len(digests) == 4


def test_a_relation_without_rows_or_without_period(connection: duckdb.DuckDBPyConnection) -> None:
    nothing = fingerprint(connection, "(select 1 as a where false)", ["a"])
    assert (nothing.rows, nothing.periods[WHOLE].hash_sum) == (0, "0")
    assert fingerprint(connection, "(select 1 as a where false)", ["a"], "a").periods == {}
    missing = fingerprint(connection, "(values (1, '2026-01'), (2, null)) as t(a, month)", ["a"], "month")
    assert {name: one.rows for name, one in missing.periods.items()} == {NO_PERIOD: 1, "2026-01": 1}


def test_it_is_read_back_from_json(connection: duckdb.DuckDBPyConnection) -> None:
    one = fingerprint(connection, "(select range as a, range % 3 as p from range(100))", ["a", "p"], "p")
    assert Fingerprint.from_json(one.to_json()) == one
    assert one.engine.startswith("duckdb-")


def test_another_engine_is_another_digest(connection: duckdb.DuckDBPyConnection) -> None:
    one = fingerprint(connection, "(select 1 as a)", ["a"])
    assert Fingerprint("duckdb-9.9", one.columns, one.periods).digest != one.digest
