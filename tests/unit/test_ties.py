"""Communes in their intermunicipality, department and region: a secret commune is not what the others leave of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import duckdb
import pytest

from exports.protection.past import Past
from exports.protection.rows import Protection, protect_rows
from exports.secrecy import Axis, Figure, Secrecy, Tie
from raw_sources.agreements import SecrecyRule

COLUMNS = (
    "source VARCHAR, level VARCHAR, zone VARCHAR, epci VARCHAR, region VARCHAR, mwh DOUBLE, status VARCHAR, "
    "points BIGINT"
)
TIES = (Tie("epci", "epci"), Tie("region", "region"))
SECRECY = Secrecy(
    source="source",
    axes=(Axis("zone", level="level", ties=TIES, repeated=False),),
    figures=(Figure("mwh", "status"),),
    contributors="points",
    frequency="points",
    unequal="apart",
)
LOOSE = replace(SECRECY, axes=(Axis("zone", level="level", repeated=False),))
RULES = (SecrecyRule("minimum_frequency", {"of": "points", "at_least": 3}),)
SHOWN = ["source", "level", "zone", "epci", "region", "mwh", "status"]
Row = tuple[Any, ...]


def commune(zone: str, mwh: float | None, points: int | None, epci: str | None = "E1", region: str | None = "R") -> Row:
    return ("meter", "commune", zone, epci, region, mwh, "secret" if mwh is None else "measured", points)


def larger(level: str, zone: str, mwh: float, region: str | None = None) -> Row:
    return ("meter", level, zone, None, region, mwh, "measured", 900)


THREE = [commune("A", 100.0, 2), commune("B", 500.0, 50), commune("C", 600.0, 60)]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


def protect(
    connection: duckdb.DuckDBPyConnection, rows: list[Row], past: tuple[Past, ...] = (), secrecy: Secrecy = SECRECY
) -> Protection:
    connection.execute(f"CREATE OR REPLACE TABLE energy ({COLUMNS})")
    connection.executemany(f"INSERT INTO energy VALUES ({', '.join('?' * 8)})", rows)
    return protect_rows(connection, "energy", secrecy, {"meter": RULES}, past, "the card")


def hidden(connection: duckdb.DuckDBPyConnection, protection: Protection) -> set[str]:
    found = connection.execute(f"SELECT zone FROM {protection.relation} WHERE mwh IS NULL").fetchall()
    return {zone for (zone,) in found}


def as_past(connection: duckdb.DuckDBPyConnection, protection: Protection, columns: list[str]) -> Past:
    rows = connection.execute(f"SELECT {', '.join(columns)} FROM {protection.relation}").pl()
    return Past("energy", "first", rows, protection.held)


def test_a_commune_is_not_what_the_others_leave_of_a_larger_zone(connection: duckdb.DuckDBPyConnection):
    rows = [*THREE, larger("epci", "E1", 1200.0)]
    assert hidden(connection, protect(connection, rows, secrecy=LOOSE)) == {"A"}, "1200 - 500 - 600 is A"
    assert len(hidden(connection, protect(connection, rows))) == 2


def test_two_larger_zones_are_minded_together(connection: duckdb.DuckDBPyConnection):
    rows = [*THREE, commune("D", 700.0, 70, "E2"), larger("epci", "E1", 1200.0), larger("epci", "E2", 700.0),
            larger("region", "R", 1900.0)]  # fmt: skip
    found = hidden(connection, protect(connection, rows))
    # Nothing but A and a neighbour is empty: the region says no more than its two intermunicipalities.
    assert "A" in found and len(found) == 2 and found < {"A", "B", "C", "E1"}


def test_where_parts_are_not_listed_nothing_can_be_subtracted(connection: duckdb.DuckDBPyConnection):
    assert hidden(connection, protect(connection, [*THREE, larger("epci", "E1", 5000.0)])) == {"A"}


def test_a_part_that_the_producer_hides_is_not_what_the_others_leave(connection: duckdb.DuckDBPyConnection):
    rows = [commune("A", None, None), *THREE[1:], larger("epci", "E1", 1200.0)]
    assert hidden(connection, protect(connection, rows)) > {"A"}
    elsewhere = [("meter", *one[1:]) for one in (commune("F", 1.0, 9, "E2"), larger("epci", "E2", 2.0))]
    assert hidden(connection, protect(connection, rows + elsewhere)) > {"A"}, "E2 has parts unlisted, E1 has not"


def test_each_level_sums_by_itself(connection: duckdb.DuckDBPyConnection):
    # Departments are parts of their region, and so are communes: never both at once.
    rows = [*THREE, ("meter", "department", "01", None, "R", 1200.0, "measured", 900), larger("region", "R", 1200.0)]
    assert len(hidden(connection, protect(connection, rows))) == 2


def test_a_larger_zone_of_which_no_part_is_known_is_secret_with_the_rest(connection: duckdb.DuckDBPyConnection):
    unknown = [commune(one[2], one[5], one[7], epci=None) for one in THREE]
    assert hidden(connection, protect(connection, [*unknown, larger("epci", "E1", 1200.0)])) == {"A", "E1"}
    safe = [commune("B", 500.0, 50, epci=None), larger("epci", "E1", 1200.0)]
    assert hidden(connection, protect(connection, safe)) == set(), "where nothing is secret nothing is given away"


def test_an_earlier_release_is_tied_as_today_where_it_does_not_say(connection: duckdb.DuckDBPyConnection):
    told = [name for name in SHOWN if name not in ("epci", "region")]
    first = protect(connection, [*THREE, larger("epci", "E1", 1200.0)])
    before = hidden(connection, first)
    past = as_past(connection, first, told)
    changed = [commune("A", 110.0, 2), *THREE[1:], larger("epci", "E1", 1210.0)]
    second = protect(connection, changed, (past,))
    after = hidden(connection, second)
    assert "A" in after and (before - {"A"}) & after, "what hid A then hides it now: B or C, unchanged, cannot be shown"
