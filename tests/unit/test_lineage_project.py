"""What a project's lineage is traced from: dbt's manifest, compiled files, cards; and what cannot be traced of it."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from exports.lineage import Lineage, Tracer
from orchestration import lineage
from orchestration.dbt_functions import register
from orchestration.project import Project, load_project
from orchestration.workspace import PROJECT, Workspace
from tests.unit.lineage_world import influences, values

WORKS, COUNTS = "paris_chantiers", "paris_comptages_permanents"
PARENTS = ("source.halle.raw.paris__chantiers", "source.halle.raw.paris__comptages_permanents")


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(PROJECT / "raw_sources" / "sample" / "territory")


def model(name: str, schema: str, **more: Any) -> dict[str, Any]:
    settings = {"materialized": "keyed", "pre-hook": [], "post-hook": [], **more.pop("config", {})}
    return {
        "resource_type": "model",
        "database": "warehouse",
        "name": name,
        "schema": schema,
        "alias": name,
        "package_name": "halle",
        "original_file_path": f"models/{schema}/{name}.sql",
        "language": "sql",
        "raw_code": "select 1",
        "columns": {},
        "contract": {"enforced": False},
        "depends_on": {"macros": []},
        "config": settings,
        **more,
    }


class World:
    """A dbt project as the lineage sees it, with the raw tables of two sources and the warehouse's own."""

    def __init__(self, project: Project, data: Path) -> None:
        self.project, self.workspace = project, Workspace(data)
        self.nodes: dict[str, dict[str, Any]] = {}
        self.parents: dict[str, list[str]] = {}
        self.macros: dict[str, dict[str, Any]] = {}

    def add(self, node: dict[str, Any], sql: str | None = None, parents: tuple[str, ...] = PARENTS) -> None:
        unique_id = f"{node['resource_type']}.halle.{node['name']}"
        self.nodes[unique_id], self.parents[unique_id] = {**node, "unique_id": unique_id}, list(parents)
        if sql is not None:
            folder = self.workspace.build / "dbt" / "target" / "compiled" / "halle"
            file = folder / node["original_file_path"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(sql, encoding="utf-8")

    def tracer(self) -> Tracer:
        tables = {
            "raw": ["paris__chantiers", "paris__comptages_permanents"],
            "ops": ["territory", "deliveries", "rejects", "malformed", "ledger"],
        }
        sources = {
            f"source.halle.{schema}.{name}": {"schema": schema, "identifier": name, "config": {}}
            for schema, names in tables.items()
            for name in names
        }
        manifest = {"nodes": self.nodes, "sources": sources, "parent_map": self.parents, "macros": self.macros}
        file = self.workspace.build / "dbt" / "target" / "manifest.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(manifest), encoding="utf-8")
        return lineage.tracer(self.project, self.workspace)

    def lineage(self, relation: str) -> Lineage:
        return self.tracer().lineage(relation)


@pytest.fixture
def world(project: Project, tmp_path: Path) -> Iterator[World]:
    yield World(project, tmp_path)


HARMLESS = 'select num_emprise as out from "warehouse"."raw"."paris__chantiers"'


def is_closed(found: Lineage) -> bool:
    return f"{COUNTS}.*" in values(found, "out") and f"{WORKS}.*" in values(found, "out") and found.untraced != ()


def declared(**more: Any) -> dict[str, Any]:
    return model("mart", "theme", columns={"out": {}}, contract={"enforced": True}, **more)


def test_a_model_is_traced_from_its_compiled_file_and_the_cards_columns(world: World):
    world.add(declared(), HARMLESS, PARENTS[:1])
    found = world.lineage("theme.mart")
    assert found.untraced == () and values(found, "out") == {f"{WORKS}.num_emprise"}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"config": {"pre-hook": [{"sql": "insert into x"}]}}, "hooks"),
        ({"config": {"post-hook": [{"sql": "insert into x"}]}}, "hooks"),
        ({"config": {"sql_header": "set variable x = 1"}}, "header"),
        ({"config": {"materialized": "incremental"}}, "materialised as incremental"),
        ({"config": {"materialized": "staged"}}, "declares no key"),
        ({"config": {"materialized": "staged", "key": "out"}}, "declares no key"),
        ({"language": "python"}, "written in python"),
        ({"database": "elsewhere"}, "database elsewhere"),
        ({"raw_code": "select {{ run_query('select 1').columns[0][0] }}"}, "asks the warehouse"),
        ({"raw_code": "{% do adapter.execute('create table x as select 1') %} select 1"}, "asks the warehouse"),
        ({"depends_on": {"macros": ["macro.halle.ask"]}}, "asks the warehouse"),
    ],
)
def test_a_model_that_does_more_than_its_select_says_is_everything(world: World, changes: dict[str, Any], why: str):
    world.macros = {"macro.halle.ask": {"depends_on": {"macros": ["macro.dbt.run_query"]}}}
    world.add(declared(**changes), HARMLESS, PARENTS[:1])
    found = world.lineage("theme.mart")
    assert is_closed(found) and why in found.untraced[0]


def test_a_model_that_dbt_has_not_compiled_is_everything(world: World):
    world.add(declared(), None, PARENTS[:1])
    assert is_closed(world.lineage("theme.mart"))


@pytest.mark.parametrize("table", ["rejects", "malformed", "ledger"])
def test_the_warehouse_s_own_tables_hold_anybody_s_records(world: World, table: str):
    world.add(declared(), f'select source as out from "warehouse"."ops"."{table}"', (f"source.halle.ops.{table}",))
    assert is_closed(world.lineage("theme.mart"))


@pytest.mark.parametrize("table", ["territory", "deliveries"])
def test_but_for_those_that_hold_none(world: World, table: str):
    column = "siren" if table == "territory" else "source"
    world.add(declared(), f'select {column} as out from "warehouse"."ops"."{table}"', (f"source.halle.ops.{table}",))
    assert world.lineage("theme.mart").columns == {"out": frozenset()}


def test_an_ephemeral_model_is_a_part_of_the_one_that_reads_it(world: World):
    world.add(model("inner", "intermediate", config={"materialized": "ephemeral"}), None, PARENTS[:1])
    sql = f"with __dbt__cte__inner as ({HARMLESS}) select out from __dbt__cte__inner"
    world.add(declared(), sql, ("model.halle.inner",))
    found = world.lineage("theme.mart")
    assert found.untraced == () and values(found, "out") == {f"{WORKS}.num_emprise"}


def test_what_is_the_matter_with_an_ephemeral_model_is_with_the_one_that_reads_it(world: World):
    asking = {"raw_code": "{% set x = run_query('select 1') %}", "config": {"materialized": "ephemeral"}}
    world.add(model("inner", "intermediate", **asking), None, PARENTS[:1])
    world.add(
        declared(), f"with __dbt__cte__inner as ({HARMLESS}) select out from __dbt__cte__inner", ("model.halle.inner",)
    )
    assert is_closed(world.lineage("theme.mart"))


@pytest.mark.parametrize(("schema", "name"), [("ops", "deliveries"), ("raw", "paris__chantiers")])
def test_a_model_cannot_take_the_name_of_what_is_no_model(world: World, schema: str, name: str):
    world.add(model(name, schema), HARMLESS, PARENTS[:1])
    world.add(declared(), f"select out from {schema}.{name}", (f"model.halle.{name}",))
    assert is_closed(world.lineage("theme.mart"))


def test_a_raw_table_that_is_not_declared_is_outside(world: World):
    world.add(declared(), HARMLESS, PARENTS[1:])
    assert is_closed(world.lineage("theme.mart"))


def test_what_staging_adds_and_how_it_chooses_a_record(world: World):
    sql = (
        "select num_emprise as part_id, date_debut as start_on, surface is null as _reject_reason, "
        'false as _out_of_scope, 0 as _preference, _delivery_id, _record_no from "warehouse"."raw"."paris__chantiers"'
    )
    staged = {"materialized": "staged", "key": ["part_id"], "versions": ["start_on"]}
    world.add(model("stg", "staging", config=staged), sql, PARENTS[:1])
    found = world.lineage("staging.stg")
    assert f"{WORKS}.date_debut" in values(found, "announced_versions")
    assert {f"{WORKS}.surface", f"{WORKS}.num_emprise"} <= influences(found, "start_on")
    assert f"{WORKS}.date_debut" not in influences(found, "part_id")


def test_a_seed_and_a_snapshot_of_a_territory(world: World):
    world.add({**model("copied", "seeds"), "resource_type": "seed"}, None, ())
    world.add({**model("kept", "history"), "resource_type": "snapshot"}, None, PARENTS[:1])
    world.add(declared(), "select amount as out from seeds.copied", ("seed.halle.copied",))
    assert values(world.lineage("theme.mart"), "out") == {"seed:copied.*"}
    world.add(declared(), "select amount as out from history.kept", ("snapshot.halle.kept",))
    assert is_closed(world.lineage("theme.mart"))


def test_the_functions_that_models_may_call_are_those_that_are_registered():
    asked = "select distinct function_name from duckdb_functions() where function_name like 'geo\\_%' escape '\\'"
    with duckdb.connect(":memory:") as connection:
        before = set(connection.execute(asked).fetchall())
        register(connection)
        registered = set(connection.execute(asked).fetchall()) - before
    assert {name for (name,) in registered} == set(lineage.FUNCTIONS)


def test_the_lineage_is_written_for_the_authority(world: World):
    world.add(declared(), f"{HARMLESS} where surface > '1'", PARENTS[:1])
    folder = world.workspace.internal / "lineage"
    folder.mkdir(parents=True)
    (folder / "theme.gone.csv").write_text("of a mart that is no more")
    lineage.write_lineage(world.workspace, {"theme.mart": world.lineage("theme.mart")})
    rows = list(csv.DictReader((folder / "theme.mart.csv").read_text().splitlines()))
    assert [row for row in rows if row["kind"] == "value"] == [
        {
            "column": "out",
            "source": WORKS,
            "raw_column": "num_emprise",
            "kind": "value",
            "told_by": "",
            "path": "raw.paris__chantiers.num_emprise > theme.mart.out",
        }
    ]
    assert ("*", "surface", "influence") in {(row["column"], row["raw_column"], row["kind"]) for row in rows}
    assert [file.name for file in folder.iterdir()] == ["theme.mart.csv"]
