"""Rows of a source that may not leave for the public stay behind; what cannot be told may not leave either."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import duckdb
import pytest

from exports.metadata import Context, Mart, MartColumn, Publisher
from exports.plan import rows_that_may_leave
from orchestration.project import SAMPLE_TERRITORY, load_project
from orchestration.releasing import may_leave
from raw_sources.errors import GateClosed

CONTEXT = Context(
    territory="town",
    title_fr="Ville",
    title_en="Town",
    publisher=Publisher("Ville", None, "ville@example.org"),
    base_url="https://example.org",
    as_of=date(2024, 6, 15),
    synthetic=False,
    sources=(),
    bbox=(0, 0, 1, 1),
    time_zone="Europe/Paris",
)


def mart(*columns: str) -> Mart:
    described = [MartColumn(name, "varchar", None, name, name, name, name) for name in columns]
    return Mart("mobility", "pairs", "mobility.pairs", tuple(described), None)


def kept(columns: tuple[str, ...], withheld: tuple[tuple[str, bool], ...], rows: list[tuple[str | None, ...]]) -> list:
    relation = rows_that_may_leave(mart(*columns), replace(CONTEXT, withheld=withheld), "card.yml")
    with duckdb.connect() as connection:
        connection.execute("create schema mobility")
        connection.execute(f"create table mobility.pairs ({', '.join(f'{name} varchar' for name in columns)})")
        connection.executemany(f"insert into mobility.pairs values ({', '.join('?' * len(columns))})", rows)
        return connection.execute(f"select * from {relation} order by all").fetchall()


def test_without_anything_withheld_the_mart_itself_is_published():
    assert rows_that_may_leave(mart("source"), CONTEXT, "card.yml") == "mobility.pairs"


def test_rows_of_a_withheld_source_stay_behind():
    assert kept(("source", "id"), (("lent", True),), [("open", "1"), ("lent", "2"), (None, "3")]) == [
        ("open", "1"),
        (None, "3"),
    ]


def test_rows_that_name_a_withheld_source_stay_behind():
    rows = [("open", "open", "1"), ("open", "lent", "2"), ("open", None, "3")]
    assert kept(("source", "works_source", "id"), (("lent", False),), rows) == [rows[0], rows[2]]


@pytest.mark.parametrize(
    ("columns", "gives_rows"), [(("id",), True), (("source",), False), (("id", "works_source"), True)]
)
def test_what_no_column_tells_may_not_leave(columns: tuple[str, ...], gives_rows: bool):
    with pytest.raises(GateClosed, match=r"made with lent.*no column tells") as refused:
        rows_that_may_leave(mart(*columns), replace(CONTEXT, withheld=(("lent", gives_rows),)), "card.yml")
    assert "card.yml" in str(refused.value)


def test_only_sources_open_to_the_public_record_by_record_may_leave():
    card = load_project(SAMPLE_TERRITORY).cards["paris_comptages_permanents"]
    assert may_leave(card)
    assert not may_leave(replace(card, sharing={**card.sharing, "audiences": ["internal"]}))
    assert not may_leave(replace(card, sharing={**card.sharing, "grain": "aggregate"}))
