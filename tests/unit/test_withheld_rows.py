"""Rows of a source that may not leave for an audience stay behind; what cannot be told may not leave either."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pytest

from exports.judgement import Verdict
from exports.lineage import Lineage, Origin
from exports.metadata import Mart, MartColumn
from exports.terms import Terms, permit, rows_that_may_leave
from raw_sources.agreements import Agreement, Grain
from raw_sources.errors import GateClosed
from tests.exports_world import write_card

OPEN = Agreement(dict.fromkeys(("internal", "partner", "public"), "everything"), Grain(), (), None, "Open.", None)
LENT = replace(OPEN, leaves={"internal": "everything", "partner": "nothing", "public": "nothing"})
DAY = date(2026, 1, 10)


def mart(*columns: str) -> Mart:
    described = [MartColumn(name, "varchar", None, name, name, name, name) for name in columns]
    return Mart("street", "measures", "street.measures", tuple(described), None)


def verdict_of(tmp_path: Path, columns: tuple[str, ...], teller: str | None, audience: str = "public") -> Verdict:
    """Judge a card that publishes ``id``, made with an open source and a lent one, told by the column ``teller``."""
    origins = frozenset(
        Origin(source, "id", "value", told, (f"{source}.id",)) for source, told in (("open", None), ("lent", teller))
    )
    card = replace(write_card(tmp_path / "card.yml", ["site_id", "hour_start_at"]), columns=("id",))
    card = replace(card, audiences=("public", "internal"))
    terms = Terms(
        audience=audience,
        today=DAY,
        lineage=Lineage("street.measures", {"id": origins}),
        agreements={"open": OPEN, "lent": LENT},
        licences={"open": "etalab-2.0", "lent": "etalab-2.0"},
        personal={},
    )
    return permit(card, mart(*columns), terms)


def kept(columns: tuple[str, ...], verdict: Verdict, rows: list[tuple[str | None, ...]]) -> list:
    relation = rows_that_may_leave(mart(*columns), verdict)
    with duckdb.connect() as connection:
        connection.execute("create schema street")
        connection.execute(f"create table street.measures ({', '.join(f'{name} varchar' for name in columns)})")
        connection.executemany(f"insert into street.measures values ({', '.join('?' * len(columns))})", rows)
        return connection.execute(f"select * from {relation} order by all").fetchall()


def test_without_anything_withheld_the_mart_itself_is_published(tmp_path: Path):
    verdict = verdict_of(tmp_path, ("source", "id"), "source", audience="internal")
    assert rows_that_may_leave(mart("source", "id"), verdict) == "street.measures"


def test_rows_of_a_withheld_source_stay_behind(tmp_path: Path):
    verdict = verdict_of(tmp_path, ("source", "id"), "source")
    rows = [("open", "1"), ("lent", "2"), (None, "3")]
    assert kept(("source", "id"), verdict, rows) == [("open", "1"), (None, "3")]


def test_rows_that_name_a_withheld_source_stay_behind(tmp_path: Path):
    columns = ("source", "works_source", "id")
    rows = [("open", "open", "1"), ("open", "lent", "2"), ("open", None, "3"), ("lent", None, "4")]
    assert kept(columns, verdict_of(tmp_path, columns, "works_source"), rows) == [rows[3], rows[0], rows[2]]


@pytest.mark.parametrize(("columns", "teller"), [(("source", "id"), None), (("id",), "source")])
def test_what_no_column_tells_may_not_leave(tmp_path: Path, columns: tuple[str, ...], teller: str | None):
    with pytest.raises(GateClosed, match=r"may not leave for the public.*lent\.id.*lets nothing leave") as refused:
        verdict_of(tmp_path, columns, teller)
    assert str(tmp_path / "card.yml") in str(refused.value)


def test_rows_below_the_minimum_of_a_declassification_stay_behind():
    rule = {"rule": "minimum", "column": "events", "at_least": 5}
    verdict = Verdict((), (("lent", ("source",)),), "etalab-2.0", ({"sources": ["waze"], "rules": [rule]},))
    relation = rows_that_may_leave(mart("source", "events"), verdict)
    with duckdb.connect() as connection:
        connection.execute("create schema street; create table street.measures (source varchar, events integer)")
        connection.execute("insert into street.measures values ('open', 5), ('open', 4), ('open', null), ('lent', 9)")
        assert connection.execute(f"select * from {relation}").fetchall() == [("open", 5)]
