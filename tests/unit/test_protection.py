"""The rows of a mart with what is secret left empty: each source by its rules, sums and earlier releases minded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import duckdb
import polars as pl
import pytest

from exports.protection.past import HeldSource, Past
from exports.protection.rows import Protection, protect_rows
from exports.secrecy import Axis, Figure, Secrecy
from raw_sources.agreements import SecrecyRule
from raw_sources.errors import ConfigurationError, GateClosed

COLUMNS = (
    "source VARCHAR, level VARCHAR, zone VARCHAR, region VARCHAR, month VARCHAR, activity VARCHAR, "
    "amount DECIMAL(18, 2), amount_status VARCHAR, paid BIGINT, paid_status VARCHAR, merchants BIGINT, cards BIGINT, "
    "first DECIMAL(18, 2), second DECIMAL(18, 2)"
)
SECRECY = Secrecy(
    source="source",
    axes=(
        Axis("zone", level="level", parent="region", parent_level="region", repeated=False),
        Axis("month"),
        Axis("activity", above="all"),
    ),
    figures=(Figure("amount", "amount_status"), Figure("paid", "paid_status")),
    contributors="merchants",
    frequency="merchants",
    largest=("first", "second"),
    counts={"cards": "cards"},
)
RULES = (
    SecrecyRule("minimum_frequency", {"of": "merchants", "at_least": 3}),
    SecrecyRule("minimum_frequency", {"of": "cards", "at_least": 11}),
    SecrecyRule("dominance", {"n": 1, "k_pct": 85}),
    SecrecyRule("p_percent", {"p_pct": 10}),
)
SHOWN = ["source", "level", "zone", "region", "month", "activity", "amount", "amount_status", "paid", "paid_status"]
Row = dict[str, Any]


def row(zone: str, activity: str, amount: int | None, **changes: Any) -> Row:
    """Return a row of ten merchants of whom none dominates."""
    level, told = ("region", None) if zone.startswith("R") else ("department", "R1")
    value = None if amount is None else Decimal(amount)
    known = {
        "source": "bank", "level": level, "zone": zone, "region": told, "month": "2024-01", "activity": activity,
        "amount": value, "amount_status": "measured" if amount is not None else "secret",
        "paid": None if amount is None else amount // 10, "paid_status": "measured" if amount is not None else "secret",
        "merchants": 10, "cards": 90, "first": None if value is None else value / 5,
        "second": None if value is None else value / 8,
    }  # fmt: skip
    return known | changes


def town(**of_two: Any) -> list[Row]:
    """Return three departments of a region and three activities with all totals; D1's hotels are ``of_two``."""
    amounts = {
        "D1": {"food": 1000, "hotels": 200, "shops": 800},
        "D2": {"food": 1500, "hotels": 900, "shops": 700},
        "D3": {"food": 600, "hotels": 500, "shops": 400},
    }
    rows = [row(zone, activity, amount) for zone, told in amounts.items() for activity, amount in told.items()]
    rows += [row(zone, "all", sum(told.values())) for zone, told in amounts.items()]
    for activity in ("food", "hotels", "shops"):
        rows.append(row("R1", activity, sum(told[activity] for told in amounts.values())))
    rows.append(row("R1", "all", sum(sum(told.values()) for told in amounts.values())))
    rows[1] |= of_two
    return rows


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


def load(connection: duckdb.DuckDBPyConnection, rows: Sequence[Row]) -> None:
    connection.execute(f"CREATE OR REPLACE TABLE payments ({COLUMNS})")
    for one in rows:
        connection.execute(f"INSERT INTO payments VALUES ({', '.join('?' * len(one))})", list(one.values()))


def protect(
    connection: duckdb.DuckDBPyConnection,
    rows: Sequence[Row],
    past: Sequence[Past] = (),
    secrecy: Secrecy = SECRECY,
    rules: Sequence[SecrecyRule] = RULES,
) -> Protection:
    load(connection, rows)
    return protect_rows(connection, "payments", secrecy, {"bank": rules}, past, "the card")


def shown(connection: duckdb.DuckDBPyConnection, protection: Protection) -> pl.DataFrame:
    return connection.execute(f"SELECT {', '.join(SHOWN)} FROM {protection.relation}").pl()


def secret(connection: duckdb.DuckDBPyConnection, protection: Protection, column: str = "amount") -> set[str]:
    frame = shown(connection, protection).filter(pl.col(f"{column}_status") == "secret")
    assert frame[column].null_count() == len(frame)
    return {f"{one['zone']} {one['activity']}" for one in frame.iter_rows(named=True)}


def deduced(frame: pl.DataFrame, column: str = "amount") -> dict[str, float]:
    """Return the secret cells that subtraction gives, as often as it goes on: an attacker with pencil and paper."""
    values = {(one["zone"], one["activity"]): one[column] for one in frame.iter_rows(named=True)}
    sums = [(("R1", a), [(z, a) for z in ("D1", "D2", "D3")]) for a in ("food", "hotels", "shops", "all")]
    sums += [((z, "all"), [(z, a) for a in ("food", "hotels", "shops")]) for z in ("D1", "D2", "D3", "R1")]
    found: dict[str, float] = {}
    going = True
    while going:
        going = False
        for total, parts in sums:
            unknown = [cell for cell in (total, *parts) if values.get(cell) is None]
            if len(unknown) != 1:
                continue
            known = sum(float(values[cell]) for cell in parts if values[cell] is not None)
            value = known if unknown[0] == total else float(values[total]) - known
            values[unknown[0]] = value
            found[" ".join(unknown[0])] = value
            going = True
    return found


def as_past(connection: duckdb.DuckDBPyConnection, protection: Protection, name: str = "first") -> Past:
    return Past("payments", name, shown(connection, protection), protection.held)


@pytest.mark.parametrize(
    "of_two",
    [
        {"merchants": 2},
        {"cards": 4},
        {"first": Decimal(190), "second": Decimal(5)},
        {"first": Decimal(150), "second": Decimal(45)},
        {"merchants": None},
        {"cards": None},
        {"first": None, "second": None},
    ],
    ids=[
        "few merchants",
        "few cards",
        "dominated",
        "p percent",
        "merchants unknown",
        "cards unknown",
        "largest unknown",
    ],
)
def test_an_unsafe_cell_is_secret_and_no_subtraction_gives_it(connection: duckdb.DuckDBPyConnection, of_two: Row):
    load(connection, town())
    alone = shown(connection, protect(connection, town()))
    assert "secret" not in alone["amount_status"].to_list()
    protection = protect(connection, town(**of_two))
    hidden = secret(connection, protection)
    assert "D1 hotels" in hidden
    assert len(hidden) >= 4, "each sum of a secret cell holds another"
    assert secret(connection, protection, "paid") == hidden
    frame = shown(connection, protection)
    assert deduced(frame) == {} == deduced(frame, "paid")
    naive = frame.with_columns(
        amount=pl.when((pl.col("zone") == "D1") & (pl.col("activity") == "hotels"))
        .then(None)
        .otherwise(alone["amount"])
    )
    assert deduced(naive) == {"D1 hotels": 200.0}, "the attacker of this test is able to subtract"


def test_what_is_not_secret_is_as_it_was(connection: duckdb.DuckDBPyConnection):
    protection = protect(connection, town(merchants=2))
    before = connection.execute(f"SELECT {', '.join(SHOWN)} FROM payments").pl()
    after = shown(connection, protection)
    assert after.schema == before.schema
    kept = after.filter(pl.col("amount_status") == "measured")
    assert kept.rows() == [one for one in before.rows() if one[:6] in {each[:6] for each in kept.rows()}]
    assert len(after) == len(before)


def test_sources_are_protected_by_their_own_rules(connection: duckdb.DuckDBPyConnection):
    rows = [*town(merchants=2), *({**one, "source": "open"} for one in town(merchants=2))]
    load(connection, rows)
    protection = protect_rows(connection, "payments", SECRECY, {"bank": RULES}, (), "the card")
    frame = shown(connection, protection)
    assert set(frame.filter(pl.col("amount_status") == "secret")["source"]) == {"bank"}
    both = protect_rows(connection, "payments", SECRECY, {"bank": RULES, "open": RULES[2:]}, (), "the card")
    assert set(shown(connection, both).filter(pl.col("amount_status") == "secret")["source"]) == {"bank"}
    assert set(both.counts) == {"bank", "open"}


def test_what_the_producer_hides_is_an_unknown_that_nobody_can_compute(connection: duckdb.DuckDBPyConnection):
    rows = town(amount=None, amount_status="secret", paid=None, paid_status="secret", first=None, second=None)
    protection = protect(connection, rows)
    hidden = secret(connection, protection)
    assert "D1 hotels" in hidden and len(hidden) >= 4
    assert deduced(shown(connection, protection)) == {}
    assert not any(one.value is None for one in protection.held["bank"].cells["amount"])


def test_a_floor_is_the_sum_of_what_is_known(connection: duckdb.DuckDBPyConnection):
    rows = town(amount=None, amount_status="secret", paid=None, paid_status="secret", first=None, second=None)
    floors = {("D1", "all"): 1800, ("R1", "hotels"): 1400, ("R1", "all"): 6400}
    for one in rows:
        if (one["zone"], one["activity"]) in floors:
            amount = floors[one["zone"], one["activity"]]
            one |= {
                "amount": Decimal(amount),
                "amount_status": "partial",
                "paid": amount // 10,
                "paid_status": "partial",
            }
    protection = protect(connection, rows)
    assert secret(connection, protection) == {"D1 hotels"}, "a floor does not give away what it leaves out"


def test_a_total_that_is_not_the_sum_is_refused_or_apart(connection: duckdb.DuckDBPyConnection):
    rows = town(merchants=2)
    rows[-1]["amount"] += 40
    with pytest.raises(
        ConfigurationError, match=r"zone=region R1, .*activity=all is not the sum of its parts"
    ) as refused:
        protect(connection, rows)
    assert "the card: bank" in str(refused.value)
    apart = protect(connection, rows, secrecy=replace(SECRECY, unequal="apart"))
    assert "D1 hotels" in secret(connection, apart)
    rounded = protect(connection, rows, secrecy=replace(SECRECY, rounding_pct=1.0))
    assert deduced(shown(connection, rounded)) == {}


def test_an_open_axis_has_parts_that_are_not_listed(connection: duckdb.DuckDBPyConnection):
    rows = town(merchants=2)
    for one in rows:
        if one["activity"] == "all":
            one |= {"amount": one["amount"] + 400, "paid": one["paid"] + 40}
    rows[-1] |= {"amount": Decimal(6600 + 1200), "paid": 780}
    with pytest.raises(ConfigurationError, match="is not the sum of its parts"):
        protect(connection, rows)
    axes = (*SECRECY.axes[:2], replace(SECRECY.axes[2], open=True))
    protection = protect(connection, rows, secrecy=replace(SECRECY, axes=axes))
    hidden = secret(connection, protection)
    # Over activities nothing can be subtracted; over departments it can.
    assert "D1 hotels" in hidden and {one for one in hidden if one.endswith("hotels")} != {"D1 hotels"}


def test_two_rows_of_one_cell_agree(connection: duckdb.DuckDBPyConnection):
    twice = [*town(merchants=2), {**town(merchants=2)[1], "second": Decimal(1)}]
    protection = protect(connection, twice)
    frame = shown(connection, protection).filter((pl.col("zone") == "D1") & (pl.col("activity") == "hotels"))
    assert frame["amount"].to_list() == [None, None]
    with pytest.raises(ConfigurationError, match="two rows of department D1, 2024-01, hotels differ in amount"):
        protect(connection, [*town(), row("D1", "hotels", 201)])


def test_totals_that_do_not_tell_their_contributors_have_those_of_their_parts(connection: duckdb.DuckDBPyConnection):
    rows = town(merchants=2)
    for one in rows:
        if one["level"] == "region":
            one |= {"merchants": None, "cards": None, "first": None, "second": None}
    protection = protect(connection, rows)
    assert secret(connection, protection) == secret(connection, protect(connection, town(merchants=2)))


def test_a_release_that_changes_nothing_hides_the_same(connection: duckdb.DuckDBPyConnection):
    first = protect(connection, town(merchants=2))
    before, past = secret(connection, first), as_past(connection, first)
    again = protect(connection, town(merchants=2), [past])
    assert secret(connection, again) == before
    third = protect(connection, town(merchants=2), [past, as_past(connection, again, "second")])
    assert secret(connection, third) == before
    assert third.held == first.held


def test_what_an_earlier_release_showed_is_known_and_what_it_hid_stays_hidden(connection: duckdb.DuckDBPyConnection):
    first = protect(connection, town(merchants=2))
    before, past = secret(connection, first), as_past(connection, first)
    corrected = [one | {"amount": one["amount"] + 1} if one["zone"] == "D2" and one["activity"] == "food" else one
                 for one in town(merchants=2)]  # fmt: skip
    for one in corrected:
        if (one["zone"], one["activity"]) in {("D2", "all"), ("R1", "food"), ("R1", "all")}:
            one["amount"] += 1
    second = protect(connection, corrected, [past])
    after = secret(connection, second)
    unchanged = {one for one in before if one not in {"D2 food", "D2 all", "R1 food", "R1 all"}}
    assert unchanged <= after
    both = {f"{one['zone']} {one['activity']}" for one in past.rows.iter_rows(named=True) if one["amount"] is not None}
    assert not unchanged & both


def test_a_figure_that_was_shown_cannot_become_secret(connection: duckdb.DuckDBPyConnection):
    past = as_past(connection, protect(connection, town()))
    with pytest.raises(GateClosed, match=r"secret cells can be deduced.*zone=department D1") as refused:
        protect(connection, town(merchants=2), [past])
    assert "200" not in str(refused.value)
    changed = protect(connection, town(merchants=2, amount=Decimal(201), first=Decimal(40), paid=19), [past],
                      secrecy=replace(SECRECY, unequal="apart"))  # fmt: skip
    assert "D1 hotels" in secret(connection, changed), "another figure is another secret"


def test_without_what_was_held_only_what_was_shown_is_audited(connection: duckdb.DuckDBPyConnection):
    first = protect(connection, town(merchants=2))
    past = replace(as_past(connection, first), held={})
    again = protect(connection, town(merchants=2), [past])
    assert deduced(shown(connection, again)) == {}
    assert secret(connection, again) <= secret(connection, first) | {"D1 hotels"}


def test_other_rules_choose_anew(connection: duckdb.DuckDBPyConnection):
    first = protect(connection, town(merchants=2))
    past = as_past(connection, first)
    lax = protect(connection, town(merchants=2), [past], rules=RULES[2:])
    assert secret(connection, lax) == set(), "the agreement asks for less now"


def test_counts_are_by_level_and_tell_no_parameter(connection: duckdb.DuckDBPyConnection):
    protection = protect(connection, town(merchants=2))
    counted = {(one["level"]["zone"], one["level"]["activity"]): one for one in protection.counts["bank"]}
    assert counted["department", "each"]["cells"] == 9
    assert sum(one["secret"]["amount"] for one in counted.values()) == len(secret(connection, protection))
    assert "200" not in repr(protection) and "85" not in repr(protection)


def test_an_empty_mart_and_a_source_without_rows_are_no_problem(connection: duckdb.DuckDBPyConnection):
    assert len(shown(connection, protect(connection, []))) == 0


def test_what_is_held_says_by_what_it_was_chosen(connection: duckdb.DuckDBPyConnection):
    held = protect(connection, town(merchants=2)).held["bank"]
    assert isinstance(held, HeldSource)
    other = protect(connection, town(merchants=2), rules=RULES[:1]).held["bank"]
    assert held.settings != other.settings
    more = replace(SECRECY, beside=("level",), figures=SECRECY.figures[:1])
    assert protect(connection, town(merchants=2), secrecy=more).held["bank"].settings == held.settings
