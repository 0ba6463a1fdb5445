"""Column lineage of the product's own models, as a run leaves them: all of it is traced, and says what is so."""

from __future__ import annotations

from pathlib import Path

import pytest

from exports.lineage import INFLUENCE, VALUE, Lineage, Origin, Tracer
from orchestration.lineage import lineage_of_all, tracer
from orchestration.marts import MartNode, read_marts
from orchestration.modelling import dbt_folder
from orchestration.project import Project, load_project
from orchestration.workspace import PROJECT, Workspace
from raw_sources.database import connect


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(PROJECT / "raw_sources" / "sample" / "territory")


@pytest.fixture(scope="module")
def traced(project: Project, sample_data: Path) -> Tracer:
    return tracer(project, Workspace(sample_data))


@pytest.fixture(scope="module")
def marts(sample_data: Path) -> dict[str, MartNode]:
    return read_marts(dbt_folder(Workspace(sample_data)) / "target" / "manifest.json")


@pytest.fixture(scope="module")
def lineages(project: Project, sample_data: Path, marts: dict[str, MartNode]) -> dict[str, Lineage]:
    return lineage_of_all(project, Workspace(sample_data), marts)


def made_of(lineage: Lineage, column: str, kind: str = VALUE) -> set[str]:
    return {f"{one.source}.{one.column}" for one in lineage.columns[column] if one.kind == kind}


def origin(lineage: Lineage, column: str, source: str, raw: str) -> Origin:
    return next(one for one in lineage.columns[column] if (one.source, one.column, one.kind) == (source, raw, VALUE))


def test_every_mart_is_traced(lineages: dict[str, Lineage], marts: dict[str, MartNode]):
    assert {key: lineage.untraced for key, lineage in lineages.items() if lineage.untraced} == {}
    assert [one for lineage in lineages.values() for one in untold(lineage)] == []
    for key, node in marts.items():
        assert set(lineages[key].columns) == {column.name for column in node.mart.columns}
        assert {one.source for origins in lineages[key].columns.values() for one in origins} <= set(node.lineage)


def untold(lineage: Lineage) -> list[Origin]:
    return [one for origins in lineage.columns.values() for one in origins if one.column == "*"]


def test_the_columns_found_are_those_of_the_warehouse(traced: Tracer, sample_data: Path):
    workspace = Workspace(sample_data)
    with connect(workspace.warehouse, workspace.duckdb) as connection:
        rows = connection.execute(
            "select schema_name || '.' || table_name, column_name from duckdb_columns()"
        ).fetchall()
    relations: dict[str, set[str]] = {}
    for relation, column in rows:
        relations.setdefault(relation, set()).add(column.lower())
    built = [name for name in traced.models if name in relations and not name.startswith("ops.")]
    assert len(built) > 70
    for name in built:
        known = {column for column, _ in traced.relation(name).columns}
        assert relations[name] <= known, name
        assert traced.relation(name).unknown() is None, name


def test_a_measure_comes_from_the_column_that_measures_it(lineages: dict[str, Lineage]):
    hours = lineages["mobility.traffic_hourly"]
    assert made_of(hours, "flow_veh_h") == {"paris_comptages_permanents.q"}
    found = origin(hours, "flow_veh_h", "paris_comptages_permanents", "q")
    assert found.teller == "source"
    assert found.path == (
        "raw.paris__comptages_permanents.q",
        "staging.stg_mobility__paris_comptages_permanents.flow_veh_h",
        "mobility.traffic_hourly.flow_veh_h",
    )
    assert made_of(hours, "source") == set()


def test_a_place_comes_from_the_referential_too_and_nothing_tells_of_it(lineages: dict[str, Lineage]):
    street = lineages["mobility.traffic_hourly"].columns["street"]
    assert {one.source for one in street if one.kind == VALUE} == {
        "paris_comptages_permanents",
        "paris_referentiel_comptages",
    }
    assert {one.teller for one in street if one.source == "paris_referentiel_comptages"} == {None}


def test_works_are_told_beside_the_counts(lineages: dict[str, Lineage]):
    daily = lineages["mobility.counter_works_daily"]
    kinds = {one.teller for one in daily.columns["kind"] if one.source == "paris_fermetures_voirie"}
    hours = {one.teller for one in daily.columns["measured_hours"] if one.source == "paris_comptages_permanents"}
    assert kinds == {"works_source"} and "source" in hours


def test_shares_come_from_amounts_and_filters_from_codes(lineages: dict[str, Lineage]):
    payments = lineages["economy.foreign_card_payments_monthly"]
    assert {one.source for one in payments.columns["source"] if one.kind == VALUE} == set()
    assert {one.teller for one in payments.columns["value_index"] if one.source.startswith("bpce")} == {"source"}
    assert made_of(payments, "value_index", INFLUENCE) != set()


def test_a_calendar_is_made_of_holidays(lineages: dict[str, Lineage]):
    sources = {one.source for origins in lineages["territory.calendar"].columns.values() for one in origins}
    assert sources == {"education_vacances_scolaires"}
