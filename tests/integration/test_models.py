"""The dbt project on a prepared warehouse: unit tests of the models, documentation, contracts, drift from the cards.

What the models make of whole deliveries is in test_sample_run.py; here each model is judged by what it declares.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration import modelling, warehouse
from orchestration.assembly import assemble
from orchestration.dbt_functions import register
from orchestration.dbt_runs import DbtProject, build, invoke, parse, run_models
from orchestration.project import SAMPLE_TERRITORY, Project, card_folders, load_project
from orchestration.workspace import Workspace
from raw_sources.card import Card, load_cards
from raw_sources.database import DuckDBSettings, connect
from tests.integration.conftest import copy_data

UNITS = {
    **{"_pct": "%", "_kmh": "km/h", "_m": "m", "_m2": "m²", "_veh_h": "veh/h", "_days": "d", "_hours": "h"},
    **{"_mwh": "MWh", "_mw": "MW", "_c_d": "°C·d"},
}
REFERENCE = re.compile(r"ref\('(\w+)'\)")
TRICKY = {
    "counts_autumn_change",
    "counts_spring_change",
    "counts_numbers_as_the_french_write_them",
    "counts_the_unrounded_occupancy_is_preferred",
    "perturbing_works_dates",
    "traffic_kinds_and_plausibility",
    "works_status",
    "works_slippage",
    "works_groups",
}


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(SAMPLE_TERRITORY)


@pytest.fixture(scope="module")
def workspace(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a copy of the sample's DATA: dbt writes into it."""
    return Workspace(copy_data(sample_data, tmp_path_factory.mktemp("models") / "data"))


@pytest.fixture(scope="module")
def production(project: Project, workspace: Workspace) -> DbtProject:
    """Return the project of a run, parsed, over the warehouse of the sample."""
    modelling.prepare_project(project, workspace)
    return DbtProject(
        modelling.dbt_folder(workspace), workspace.warehouse, workspace.duckdb, project.territory.time_zone
    )


@pytest.fixture(scope="module")
def dbt(production: DbtProject) -> DbtProject:
    """Return the whole project, every model of every source with its unit tests, over a copy of the same warehouse.

    The cards are the product's: where a territory has to map columns, the unit tests go by the example of the card.
    """
    folder = production.folder.parent / "whole"
    whole = replace(production, folder=folder, warehouse=folder / production.warehouse.name)
    assemble(whole.folder, load_cards(card_folders(None)).values())
    shutil.copyfile(production.warehouse, whole.warehouse)
    assert parse(whole) == []
    lacking = sorted(inputs_of_unit_tests(whole) - {one["name"] for one in nodes(production)})
    if lacking:
        built = run_models(whole, [f"+{model}" for model in lacking])
        assert {one.status for one in built} == {"success"}, [one.message for one in built]
    return whole


def nodes(dbt: DbtProject) -> list[dict[str, Any]]:
    """Return the nodes of a parsed project."""
    return list(json.loads(dbt.manifest.read_text(encoding="utf-8"))["nodes"].values())


def inputs_of_unit_tests(dbt: DbtProject) -> set[str]:
    """Return the models whose rows unit tests invent: dbt asks the warehouse for their columns."""
    tests = json.loads(dbt.manifest.read_text(encoding="utf-8"))["unit_tests"].values()
    named = (REFERENCE.match(given["input"]) for test in tests for given in test["given"])
    return {found[1] for found in named if found is not None}


@pytest.fixture(scope="module")
def manifest(dbt: DbtProject) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(dbt.manifest.read_text(encoding="utf-8"))
    return content


def models(manifest: dict[str, Any], layer: str) -> list[dict[str, Any]]:
    """Return the models of one layer; there is at least one."""
    found = [one for one in manifest["nodes"].values() if one["resource_type"] == "model" and one["fqn"][1] == layer]
    assert found
    return sorted(found, key=lambda one: str(one["name"]))


def outcomes(dbt: DbtProject, *arguments: str) -> dict[str, tuple[str, str]]:
    """Call dbt; return status and message of each node by its name."""
    found = invoke(dbt, arguments).result.results
    return {one.node.name: (str(one.status), str(one.message or "")) for one in found}


def spoilt(dbt: DbtProject, folder: Path, model: str, old: str, new: str) -> DbtProject:
    """Return a copy of the project and of its warehouse, in which a model says something else."""
    other = DbtProject(folder / "dbt", folder / dbt.warehouse.name, dbt.settings, dbt.time_zone)
    shutil.copytree(dbt.folder, other.folder)
    shutil.copyfile(dbt.warehouse, other.warehouse)
    (file,) = other.folder.glob(f"models/**/{model}.sql")
    sql = file.read_text(encoding="utf-8")
    assert old in sql
    file.write_text(sql.replace(old, new), encoding="utf-8")
    return other


# --- unit tests of the models -------------------------------------------------------------------------------------


def test_the_unit_tests_of_the_models_pass(dbt: DbtProject, manifest: dict[str, Any]):
    found = outcomes(dbt, "test", "--select", "test_type:unit")
    assert {name: message for name, (status, message) in found.items() if status != "pass"} == {}
    assert set(found) == {one["name"] for one in manifest["unit_tests"].values()}
    assert set(found) >= TRICKY


def test_every_mart_and_staging_model_has_a_unit_test(manifest: dict[str, Any]):
    tested = {one["model"] for one in manifest["unit_tests"].values()}
    assert {one["name"] for layer in ("staging", "marts") for one in models(manifest, layer)} <= tested


def test_a_wrong_model_fails_its_unit_test(dbt: DbtProject, tmp_path: Path):
    wrong = spoilt(dbt, tmp_path, "traffic_hourly", "> 12000", "> 12001")
    ((status, message),) = outcomes(wrong, "test", "--select", "traffic_kinds_and_plausibility").values()
    assert status == "fail"
    assert "implausible_flow" in message


def test_a_run_in_production_runs_no_unit_test(production: DbtProject):
    results = build(production, modelling.theme_selection("mobility"))
    kinds = {one.resource_type for one in results}
    assert kinds == {"model", "test"}
    assert {one.status for one in results} <= {"success", "pass"}
    assert all(one.unchanged for one in results if one.resource_type == "model")


def test_a_model_that_reads_the_territory_has_to_say_so(dbt: DbtProject, tmp_path: Path):
    wrong = spoilt(dbt, tmp_path, "int_mobility__counter_places", ", reads=['territory']", "")
    found = outcomes(wrong, "run", "--select", "int_mobility__counter_places")
    status, message = found["int_mobility__counter_places"]
    assert status == "error"
    assert "add reads=['territory'] to its config" in message


# --- documentation and contracts ----------------------------------------------------------------------------------


def test_the_documentation_generates(dbt: DbtProject):
    invoke(dbt, ["docs", "generate"])
    catalog = json.loads((dbt.folder / "target" / "catalog.json").read_text(encoding="utf-8"))
    assert not catalog["errors"]
    assert catalog["nodes"]["model.halle.traffic_hourly"]["columns"]["flow_veh_h"]["type"] == "DOUBLE"
    assert (dbt.folder / "target" / "index.html").is_file()


def test_marts_have_enforced_contracts(manifest: dict[str, Any]):
    for mart in models(manifest, "marts"):
        assert mart["config"]["contract"]["enforced"], mart["name"]
        assert all(column["data_type"] for column in mart["columns"].values()), mart["name"]


def test_a_contract_broken_by_a_model_stops_it(dbt: DbtProject, tmp_path: Path):
    as_text = "    cast(sites.distance_m as varchar) as distance_m,"
    wrong = spoilt(dbt, tmp_path, "counter_works_daily", "    sites.distance_m,", as_text)
    ((status, message),) = outcomes(wrong, "run", "--select", "counter_works_daily").values()
    assert status == "error"
    assert "distance_m" in message


def test_every_column_of_a_mart_is_described_in_both_languages(manifest: dict[str, Any]):
    for mart in models(manifest, "marts"):
        assert mart["description"]
        assert mart["config"]["meta"]["description_fr"]
        for name, column in mart["columns"].items():
            meta = column["config"]["meta"]
            texts = (column["description"], meta.get("title"), meta.get("title_fr"), meta.get("description_fr"))
            assert all(texts), f"{mart['name']}.{name}"


def test_columns_have_the_unit_that_their_name_says(manifest: dict[str, Any]):
    seen = set()
    for mart in models(manifest, "marts"):
        for name, column in mart["columns"].items():
            for suffix, unit in UNITS.items():
                if name.endswith(suffix):
                    assert column["config"]["meta"].get("unit") == unit, f"{mart['name']}.{name}"
                    seen.add(suffix)
    assert seen == set(UNITS)


def test_the_columns_described_are_those_that_are_built(manifest: dict[str, Any], dbt: DbtProject):
    with connect(dbt.warehouse, dbt.settings) as connection:
        for mart in models(manifest, "marts"):
            built = connection.execute(f"describe {mart['schema']}.{mart['alias']}").fetchall()
            assert [row[0] for row in built] == list(mart["columns"]), mart["name"]


# --- staging models -----------------------------------------------------------------------------------------------


def data_tests(manifest: dict[str, Any], model: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Return the generic tests of a model: their name and column."""
    return [
        (node["test_metadata"]["name"], node["column_name"])
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test" and node["attached_node"] == model["unique_id"]
    ]


def test_every_staging_model_proves_conservation_and_has_keys(manifest: dict[str, Any], project: Project):
    staging = {one["name"]: one for one in models(manifest, "staging")}
    assert set(staging) == {card.staging_model for card in project.cards.values()}
    for model in staging.values():
        tests = data_tests(manifest, model)
        assert ("ledger_balances", None) in tests, model["name"]
        # A geometry in a key tells the parts of an arc apart: what is not there is an empty text.
        keys = [key for key in model["config"]["key"] if key not in ("geometry", "valid_from_on")]
        assert keys
        assert {("not_null", key) for key in keys} <= set(tests), model["name"]
        assert model["description"]


# --- drift between a card and its staging model ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def compiled(dbt: DbtProject) -> dict[str, str]:
    """Return the compiled SQL of every model."""
    invoke(dbt, ["compile"])
    nodes = json.loads(dbt.manifest.read_text(encoding="utf-8"))["nodes"].values()
    return {one["name"]: one["compiled_code"] for one in nodes if one["resource_type"] == "model"}


@pytest.fixture(scope="module")
def borrowed(dbt: DbtProject) -> list[tuple[str, str]]:
    """Return the name and the columns of every intermediate table: what a staging model may read of other themes."""
    with connect(dbt.warehouse, dbt.settings) as connection:
        return connection.execute(
            "select table_name, string_agg(column_name || ' ' || data_type, ', ' order by column_index) "
            "from duckdb_columns() where schema_name = 'intermediate' group by table_name"
        ).fetchall()


@contextmanager
def empty_warehouse(folder: Path, card: Card, borrowed: list[tuple[str, str]]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a warehouse in which one source is declared and nothing was ever received."""
    with connect(folder / "warehouse.duckdb", DuckDBSettings()) as connection:
        register(connection)
        warehouse.prepare(connection)
        for name, columns in borrowed:
            connection.execute(f"create table intermediate.{name} ({columns})")
        warehouse.show_raw(connection, card, folder, [])
        yield connection


def columns_read(connection: duckdb.DuckDBPyConnection, card: Card, sql: str, folder: Path) -> set[str]:
    """Return the raw columns without which a staging model does not even compile."""
    found = set()
    for column in card.loaded_columns:
        without = replace(card, columns=tuple(one for one in card.columns if one.name != column.name))
        warehouse.show_raw(connection, without, folder, [])
        try:
            connection.execute(f"describe {sql}")
        except duckdb.BinderException as error:
            assert f'"{column.name}"' in str(error)
            found.add(column.name)
    return found


@pytest.mark.parametrize("source", load_project(SAMPLE_TERRITORY).cards)
def test_a_staging_model_and_its_card_agree(
    source: str, project: Project, compiled: dict[str, str], borrowed: list[tuple[str, str]], tmp_path: Path
):
    card = project.cards[source]
    sql = compiled[card.staging_model]
    with empty_warehouse(tmp_path, card, borrowed) as connection:
        typed = {row[0] for row in connection.execute(f"describe {sql}").fetchall()}
        read = columns_read(connection, card, sql, tmp_path)
    assert typed >= {"_delivery_id", "_record_no", "_preference", "_out_of_scope", "_reject_reason"}
    needed = {one.name for one in card.columns if one.required or one.key_position is not None}
    assert needed
    assert needed <= read
