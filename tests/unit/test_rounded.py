"""Figures that a card asks to be rounded: multiples, that say so, behind an audit that takes them for exactly known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from exports.protection.past import Past, forget, hold, read_past
from exports.protection.rounded import exact_rows, labelled, round_figures
from exports.protection.rows import Protection
from exports.secrecy import Axis, Figure, Secrecy
from exports.tree import RELEASE_FILE
from raw_sources.errors import GateClosed
from tests.exports_world import World, make_world
from tests.unit.test_protection import SECRECY, load, protect, secret, shown, town

ROUNDED = replace(SECRECY, rounded_to={"amount": 100, "paid": 50})
SLUG = "mesures-de-rue"


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


def as_past(connection: duckdb.DuckDBPyConnection, protection: Protection) -> Past:
    rounded = frozenset(ROUNDED.rounded_to)
    return Past("payments", "first", shown(connection, protection), protection.held, rounded)


def corrected(**of_two: object) -> list[dict[str, object]]:
    """Return the town with a correction of one euro, which no rounding shows."""
    sums = {("D2", "food"), ("D2", "all"), ("R1", "food"), ("R1", "all")}
    return [one | {"amount": one["amount"] + 1} if (one["zone"], one["activity"]) in sums else one
            for one in town(**of_two)]  # fmt: skip


def test_halves_go_away_from_zero_and_kinds_and_nulls_stay(connection: duckdb.DuckDBPyConnection):
    connection.execute("CREATE TABLE t AS SELECT unnest([150, 149, 250, NULL])::BIGINT AS n, 25.5::DECIMAL(9, 2) AS d")
    round_figures(connection, "t", {"n": 100, "d": 5})
    assert connection.execute("SELECT n FROM t").fetchall() == [(200,), (100,), (300,), (None,)]
    assert connection.execute("SELECT DISTINCT d, typeof(d), typeof(n) FROM t").fetchall() == [
        (Decimal("25.00"), "DECIMAL(9,2)", "BIGINT")
    ]


def test_what_is_shown_is_rounded_and_what_is_secret_is_what_it_was(connection: duckdb.DuckDBPyConnection):
    load(connection, town(merchants=2))
    plain = protect(connection, town(merchants=2))
    exact, hidden = shown(connection, plain), secret(connection, plain)
    rounded = protect(connection, town(merchants=2), secrecy=ROUNDED)
    frame = shown(connection, rounded)
    assert secret(connection, rounded) == hidden
    assert frame.schema == exact.schema and frame["amount_status"].to_list() == exact["amount_status"].to_list()
    values = {one["zone"] + one["activity"]: one["paid"] for one in frame.iter_rows(named=True)}
    assert values["D1all"] == 200 and values["R1all"] == 650, "660 is nearer to 650"
    assert not [one for one in frame["amount"].drop_nulls() if one % 100]
    assert exact_rows(connection, rounded.relation, ROUNDED, "bank").shape[0] == len(frame)
    held = rounded.held["bank"].exact
    assert held is not None and "merchants" not in held.columns
    assert held["amount"].to_list() == exact["amount"].to_list(), "what is secret is not among them"


def test_a_difference_that_rounding_hides_is_audited_all_the_same(connection: duckdb.DuckDBPyConnection):
    first = as_past(connection, protect(connection, town(merchants=2), secrecy=ROUNDED))
    after = secret(connection, protect(connection, corrected(merchants=2), [first], secrecy=ROUNDED))
    plain = protect(connection, town(merchants=2))
    before = Past("payments", "first", shown(connection, plain), plain.held)
    assert after == secret(connection, protect(connection, corrected(merchants=2), [before]))


def test_a_figure_shown_as_a_multiple_was_shown(connection: duckdb.DuckDBPyConnection):
    past = as_past(connection, protect(connection, town(), secrecy=ROUNDED))
    with pytest.raises(GateClosed, match="secret cells can be deduced"):
        protect(connection, town(merchants=2), [past], secrecy=ROUNDED)


def test_rounded_figures_that_are_not_held_any_more_cannot_be_audited(connection: duckdb.DuckDBPyConnection):
    past = as_past(connection, protect(connection, town(merchants=2), secrecy=ROUNDED))
    for held in ({}, {"bank": replace(past.held["bank"], exact=None)}):
        with pytest.raises(GateClosed, match="the release first of payments shows rounded figures of bank"):
            protect(connection, corrected(merchants=2), [replace(past, held=held)], secrecy=ROUNDED)


def test_exact_figures_are_held_beside_and_forgotten_with_their_source(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
):
    world = make_world(tmp_path)
    world.release()
    entry, secrets = world.log.entries(SLUG)[0], world.data / "secrets" / "public"
    held = protect(connection, town(merchants=2), secrecy=ROUNDED).held
    hold(secrets, entry, held)
    (past,) = read_past(world.public, world.log, [SLUG], secrets)
    read = past.held["bank"].exact
    assert read is not None and read.equals(held["bank"].exact)
    forget(world.data / "secrets", "bank")
    assert not [path for path in secrets.rglob("*") if path.is_file()]


@pytest.fixture
def rounding(tmp_path: Path) -> World:
    """A mart none of whose figures is secret, and whose card asks for tens."""
    world = make_world(tmp_path)
    asked = Secrecy(
        source="street", axes=(Axis("site_id"), Axis("hour_start_at")), figures=(Figure("vehicles", "street"),),
        contributors="drivers", frequency="vehicles", rounded_to={"vehicles": 5},
    )  # fmt: skip
    world.card = replace(world.card, secrecy=asked)
    return world


def test_a_release_says_what_is_rounded_and_to_what(rounding: World):
    release = rounding.release()
    folder = rounding.folder(release)
    assert json.loads((folder / RELEASE_FILE).read_text())["agreements"]["rounded"] == {"vehicles": 5}
    (resource, *_) = json.loads((folder / "datapackage.json").read_text())["resources"]
    described = {field["name"]: field["description"] for field in resource["schema"]["fields"]}
    assert described["vehicles"].endswith("Arrondi au multiple de 5 le plus proche, pour le secret statistique : "
                                          "un total peut différer de la somme de ses parties.")  # fmt: skip
    assert "multiple" not in described["flow_veh_h"]
    with duckdb.connect() as connection:
        rows = connection.execute(f"SELECT vehicles FROM '{folder}/*.parquet' ORDER BY ALL").fetchall()
    assert rows == [(-5,), (0,), (5,), (5,), (None,)]
    (past,) = read_past(rounding.public, rounding.log, [SLUG], rounding.data / "secrets")
    assert past.rounded == {"vehicles"}


def test_the_authority_itself_reads_exact_figures_that_say_nothing_of_rounding(rounding: World):
    rounding.terms = replace(rounding.terms, audience="internal")
    rounding.card = replace(rounding.card, audiences=("public", "internal"))
    folder = rounding.folder(rounding.release())
    assert "rounded" not in json.loads((folder / RELEASE_FILE).read_text())["agreements"]
    assert "Arrondi" not in (folder / "datapackage.json").read_text()


def test_another_number_is_another_release(rounding: World):
    rounding.release()
    assert rounding.card.secrecy is not None
    rounding.card = replace(rounding.card, secrecy=replace(rounding.card.secrecy, rounded_to={"vehicles": 10}))
    assert rounding.candidate().new


def test_what_is_not_rounded_is_described_as_it_was(rounding: World):
    column = rounding.mart.columns[0]
    assert labelled(column, {"vehicles": 5}) is column
