"""Families of sources: a card that names a family has its records among those of the other producers.

What a member makes of one record is in its model's unit tests; here, that the shapes meet, and that a new dataset joins
by its card and its staging model alone.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import jinja2
import pytest

from orchestration import warehouse
from orchestration.assembly import DBT_PROJECT, assemble, members_macro, parting_model
from orchestration.dbt_runs import DbtProject, run_models
from orchestration.marts import read_marts
from orchestration.project import SAMPLE_TERRITORY, card_folders, load_project
from orchestration.workspace import Workspace
from raw_sources.card import Card, load_cards
from raw_sources.database import DuckDBSettings, connect

MACROS = DBT_PROJECT / "macros" / "families.sql"
NEEDED = {
    "works": {
        "site_id", "kind", "disruption", "occupies_carriageway", "start_on", "end_on", "start_at", "end_at",
        "period_precision", "geometry", "announced_versions",
    },
    "traffic_hours": {"counter_id", "direction", "vehicle_class", "hour_start_at", "period_month", "flow_veh_h"},
    "traffic_samples": {"counter_id", "window_start_at", "window_s", "period_month", "speed_kmh"},
    "counters": {"measures_source", "counter_id", "geometry"},
    "road_events": {"record_type", "snapshot_start_at", "event_id", "period_month", "direction", "is_closed"},
    "energy_loads": {"zone_level", "zone_code", "nature", "step_start_at", "step_s", "period_month", "load_status"},
    "energy_consumption": {
        "year", "zone_level", "zone_code", "carrier", "sector", "consumption_mwh", "consumption_status",
        "heating_value_basis", "delivery_points", "delivery_points_status",
    },
    "energy_production": {
        "year", "zone_level", "zone_code", "carrier", "energy_source", "production_mwh", "production_status",
    },
    "foreign_card_payments": {
        "zone_level", "zone_code", "month", "card_country", "value_index", "value_status", "unit", "base_period",
    },
    "card_payments": {
        "zone_level", "zone_code", "month", "card_country", "activity", "amount_eur", "amount_eur_status", "merchants",
    },
}  # fmt: skip
ALIKE = {"bigint": "integer"}
PARTING = {path.stem for path in (DBT_PROJECT / "models" / "intermediate").rglob("int_*__*.sql")}


def family_columns(family: str) -> dict[str, str]:
    """Return the columns of a family and their types, as the macro lists them."""
    # It writes SQL, not HTML: nothing is to be escaped.
    environment = jinja2.Environment(  # noqa: S701
        extensions=["jinja2.ext.do"], undefined=jinja2.StrictUndefined
    )
    macros: Any = environment.from_string(MACROS.read_text(), globals={"members": lambda _: []}).module
    return {name: kind for kind, name in re.findall(r"cast\(null as (.+)\) as (\w+)", macros.family(family))}


def member_of(card: Card) -> str:
    """Return the model that stands for a source in its family: the one that parts its records, or its staging model."""
    parting = f"int_{card.theme}__{card.source}"
    return parting if parting in PARTING else card.staging_model


def all_cards() -> dict[str, Card]:
    return load_cards(card_folders(None))


MEMBERS = [card for card in all_cards().values() if card.family]


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a warehouse in which every member was built, without a record."""
    folder = tmp_path_factory.mktemp("families")
    project = load_project(SAMPLE_TERRITORY)
    dbt = DbtProject(folder / "dbt", folder / "warehouse.duckdb", DuckDBSettings(), project.territory.time_zone)
    assemble(dbt.folder, project.cards.values())
    with connect(dbt.warehouse, dbt.settings) as connection:
        warehouse.prepare(connection)
        warehouse.record_territory(connection, project.territory, date(2024, 6, 15))
        for card in project.cards.values():
            warehouse.show_raw(connection, card, folder, [])
    members = [member_of(card) for card in MEMBERS]
    built = run_models(dbt, [f"+{member}" for member in members])
    assert {one.status for one in built} == {"success"}, [one.message for one in built]
    return dbt.warehouse


@pytest.mark.parametrize("card", MEMBERS, ids=[card.source for card in MEMBERS])
def test_a_member_gives_the_columns_of_its_family_with_their_types(card: Card, staged: Path):
    with duckdb.connect(str(staged), read_only=True) as connection:
        member = member_of(card)
        schema = "staging" if member == card.staging_model else "intermediate"
        described = connection.execute(f"describe {schema}.{member}").fetchall()
    found = {name: kind.lower() for name, kind, *_ in described}
    wanted = family_columns(card.family or "")
    assert NEEDED[card.family or ""] <= set(found)
    differing = {
        name: (found[name], kind)
        for name, kind in wanted.items()
        if name in found and ALIKE.get(found[name], found[name]) != ALIKE.get(kind, kind)
    }
    assert differing == {}


def test_every_family_has_a_member():
    assert {card.family for card in MEMBERS} == set(NEEDED)


def test_a_card_that_names_a_family_is_the_whole_of_joining_it():
    cards = all_cards()
    written = members_macro(cards.values(), [])
    assert "stg_mobility__paris_chantiers_perturbants" in written
    assert "stg_mobility__paris_chantiers_perturbants" not in members_macro(
        [card for source, card in cards.items() if source != "paris_chantiers_perturbants"], []
    )


def test_a_model_that_parts_the_records_of_a_source_is_its_member():
    cards = all_cards()
    card = cards["paris_chantiers_perturbants"]
    written = members_macro(cards.values(), [parting_model(card)])
    assert "int_mobility__paris_chantiers_perturbants" in written
    assert card.staging_model not in written


def test_a_run_builds_no_model_of_a_source_that_nobody_reads(sample_data: Path):
    project = load_project(SAMPLE_TERRITORY)
    with duckdb.connect(str(Workspace(sample_data).warehouse), read_only=True) as connection:
        found = connection.execute("select table_name from duckdb_tables() where schema_name = 'staging'").fetchall()
        raw = connection.execute("select view_name from duckdb_views() where schema_name = 'raw'").fetchall()
    idle = {card.staging_model for card in MEMBERS if card.source not in project.enabled}
    assert idle and not idle & {name for (name,) in found}
    # The raw relation of a source that is not enabled is there, empty, with the card's columns.
    assert {card.raw_table for card in project.cards.values()} <= {name for (name,) in raw}


def test_marts_take_their_rows_from_every_enabled_member(sample_data: Path):
    marts = read_marts(Workspace(sample_data).build / "dbt" / "target" / "manifest.json")
    enabled = load_project(SAMPLE_TERRITORY).enabled
    works = {source for source, card in enabled.items() if card.family == "works"}
    assert set(marts["mobility.works_sites"].row_sources) == works
