"""Families of sources: a card that names a family has its records among those of the other producers.

What a member makes of one record is in its model's unit tests; here, that the shapes meet, and that a new dataset joins
by its card and its staging model alone.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import jinja2
import pytest

from orchestration.assembly import DBT_PROJECT, members_macro
from orchestration.marts import read_marts
from orchestration.project import SAMPLE_TERRITORY, card_folders, load_project
from orchestration.workspace import Workspace
from raw_sources.card import Card, load_cards

MACROS = DBT_PROJECT / "macros" / "families.sql"
NEEDED = {
    "works": {
        "site_id", "kind", "disruption", "occupies_carriageway", "start_on", "end_on", "start_at", "end_at",
        "period_precision", "geometry", "announced_versions",
    },
    "traffic_hours": {"counter_id", "direction", "vehicle_class", "hour_start_at", "period_month", "flow_veh_h"},
    "traffic_samples": {"counter_id", "window_start_at", "window_s", "period_month", "speed_kmh"},
    "counters": {"measures_source", "counter_id", "geometry"},
}  # fmt: skip
ALIKE = {"bigint": "integer"}


def family_columns(family: str) -> dict[str, str]:
    """Return the columns of a family and their types, as the macro lists them."""
    environment = jinja2.Environment(extensions=["jinja2.ext.do"], undefined=jinja2.StrictUndefined)
    macros: Any = environment.from_string(MACROS.read_text(), globals={"members": lambda _: []}).module
    return {name: kind for kind, name in re.findall(r"cast\(null as (.+)\) as (\w+)", macros.family(family))}


def all_cards() -> dict[str, Card]:
    return load_cards(card_folders(None))


MEMBERS = [card for card in all_cards().values() if card.family]


@pytest.mark.parametrize("card", MEMBERS, ids=[card.source for card in MEMBERS])
def test_a_member_gives_the_columns_of_its_family_with_their_types(card: Card, sample_data: Path):
    with duckdb.connect(str(Workspace(sample_data).warehouse), read_only=True) as connection:
        described = connection.execute(f"describe staging.{card.staging_model}").fetchall()
    found = {name: kind.lower() for name, kind, *_ in described}
    wanted = family_columns(card.family or "")
    assert NEEDED[card.family or ""] <= set(found)
    differing = {
        name: (found[name], kind)
        for name, kind in wanted.items()
        if name in found and ALIKE.get(found[name], found[name]) != kind
    }
    assert differing == {}


def test_every_family_has_a_member():
    assert {card.family for card in MEMBERS} == set(NEEDED)


def test_a_card_that_names_a_family_is_the_whole_of_joining_it():
    cards = all_cards()
    written = members_macro(cards.values())
    assert "stg_mobility__paris_chantiers_perturbants" in written
    assert "stg_mobility__paris_chantiers_perturbants" not in members_macro(
        card for source, card in cards.items() if source != "paris_chantiers_perturbants"
    )


def test_marts_take_their_rows_from_every_member(sample_data: Path):
    marts = read_marts(Workspace(sample_data).build / "dbt" / "target" / "manifest.json")
    cards = load_project(SAMPLE_TERRITORY).cards
    works = {source for source, card in cards.items() if card.family == "works"}
    assert set(marts["mobility.works_sites"].row_sources) == works
