"""What the Dagster UI shows and does: assets and checks of a territory, jobs, schedule, drop folder, gates.

Definitions are loaded as Dagster's own processes load them; jobs run in this process, on a copy of the sample's DATA.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.executor_definition import ExecutorDefinition

from expectations.suite import read_suite
from exports.log import ReleaseLog
from orchestration.assembly import parting_model
from orchestration.assets.names import raw_key
from orchestration.building import build_definitions
from orchestration.jobs import WHOLE_WAY, theme_job_name
from orchestration.locking import one_run_at_a_time
from orchestration.project import SAMPLE_TERRITORY, Project, load_project
from orchestration.resources import fixed_run
from orchestration.run import Run
from orchestration.running import run_territory
from orchestration.workspace import PROJECT, Workspace
from raw_sources.database import connect
from raw_sources.errors import ConfigurationError
from tests.integration.conftest import copy_data

ENTRY_POINT = "orchestration.definitions"
SITES = "mobility.works_sites"
SITES_CHECK = dg.AssetCheckKey(dg.AssetKey(["sample", "mobility", "works_sites"]), "works_sites_suite")
RELEASE_OF_SITES = dg.AssetKey(["sample", "public", "chantiers_voirie"])
MARTS = {
    "economy": {"card_payments_monthly", "foreign_card_payments_monthly"},
    "energy": {
        "consumption_climate_corrected_yearly",
        "consumption_yearly",
        "load_half_hourly",
        "production_yearly",
    },
    "mobility": {
        "congestion_street_hourly",
        "counter_works_daily",
        "traffic_hourly",
        "traffic_yearly",
        "works_sites",
        "works_traffic_effect",
    },
    "territory": {"calendar", "commune_passages", "communes", "populations_yearly"},
}
RELEASES = {
    "economy": {"paiements_cartes_etrangeres_mensuels", "paiements_cartes_mensuels", "paiements_cartes_publics"},
    "energy": {
        "charge_electrique_demi_horaire",
        "consommation_energie_annuelle",
        "consommation_energie_corrigee_climat",
        "production_energie_annuelle",
    },
    "mobility": {
        "chantiers_voirie",
        "comptages_chantiers_journaliers",
        "comptages_routiers_horaires",
        "congestion_rues_horaire",
        "congestion_rues_publique",
        "effet_chantiers_trafic",
        "trafic_moyen_journalier_annuel",
    },
    "territory": {"calendrier", "communes_millesimes", "passages_communes", "populations_legales"},
}
WITHHELD = {"congestion_rues_publique"}
"""Of the synthetic town, all of its figures are secret: nothing of it is released, and nothing is wrong."""
READ_IN_ANY_TERRITORY = {f"stg_territory__etalab_{name}" for name in ("communes", "departements", "ept", "regions")}
"""Staging models of sources that the sample does not enable: others read them by name, and find them empty."""


@pytest.fixture(scope="module")
def data(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the sample's DATA for tests that leave its content as it is."""
    return copy_data(sample_data, tmp_path_factory.mktemp("dagster") / "data")


@pytest.fixture(scope="module")
def defs(data: Path) -> Iterator[dg.Definitions]:
    """Load the definitions as the web server does: from the module, with the territory that DATA remembers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HALLE_DATA", str(data))
        patch.setenv("HALLE_EXTRACTS", str(data / "sample"))
        patch.delenv("HALLE_TERRITORY", raising=False)
        # Loading it prepares the territory of the settings: only here, and anew, with these.
        sys.modules.pop(ENTRY_POINT, None)
        yield importlib.import_module(ENTRY_POINT).defs


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(SAMPLE_TERRITORY)


def specs(defs: dg.Definitions) -> list[dg.AssetSpec]:
    return list(defs.resolve_all_asset_specs())


def in_layer(defs: dg.Definitions, layer: str) -> set[str]:
    return {spec.key.path[2] for spec in specs(defs) if spec.key.path[1] == layer}


def test_the_entry_point_stays_short() -> None:
    assert len((PROJECT / "orchestration" / "definitions.py").read_text(encoding="utf-8").splitlines()) < 50


def test_every_raw_table_model_mart_and_release_is_an_asset_of_its_territory(
    defs: dg.Definitions, project: Project
) -> None:
    assert {spec.key.path[0] for spec in specs(defs)} == {"sample"}
    assert in_layer(defs, "raw") == {card.raw_table for card in project.enabled.values()}
    enabled = {card.staging_model for card in project.enabled.values()}
    assert in_layer(defs, "staging") == enabled | READ_IN_ANY_TERRITORY
    assert {theme: in_layer(defs, theme) for theme in MARTS} == MARTS
    assert in_layer(defs, "public") == set().union(*RELEASES.values())
    models = list((PROJECT / "dbt_project/models/intermediate").rglob("*.sql"))
    ephemeral = {path.stem for path in models if "materialized='ephemeral'" in path.read_text(encoding="utf-8")}
    assert len(ephemeral) >= 4
    written = {path.stem for path in models}
    # A model that parts the records of one source is there when that source is.
    others = [card for name, card in project.cards.items() if name not in project.enabled]
    parts_nothing = {parting_model(card).stem for card in others} & written
    assert parts_nothing
    assert in_layer(defs, "intermediate") == written - ephemeral - parts_nothing


def theme_of(key: dg.AssetKey, project: Project) -> str:
    """Return the theme that a key should belong to, from the cards, the names of models and the releases above."""
    _, layer, name = key.path
    if layer == "raw":
        return next(card.theme for card in project.cards.values() if card.raw_table == name)
    if layer == "public":
        return next(theme for theme, releases in RELEASES.items() if name in releases)
    return layer if layer in MARTS else name.split("__")[0].partition("_")[2]


def test_every_asset_has_its_theme_an_owner_a_kind_and_words(defs: dg.Definitions, project: Project) -> None:
    for spec in specs(defs):
        assert spec.group_name == theme_of(spec.key, project), spec.key
        assert spec.owners, spec.key
        assert spec.kinds, spec.key
        assert spec.description, spec.key
        assert "Raw SQL" not in spec.description


def test_lineage_goes_from_raw_to_release(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    above = graph.asset_dep_graph["upstream"]

    def ancestors(key: dg.AssetKey) -> set[dg.AssetKey]:
        return set().union(*({parent} | ancestors(parent) for parent in above[key])) if above[key] else set()

    found = {key.path[2] for key in ancestors(RELEASE_OF_SITES) if key.path[1] == "raw"}
    assert found == {"paris__chantiers", "paris__chantiers_perturbants", "paris__fermetures_voirie"}


def test_freshness_is_expected_as_the_cards_say(defs: dg.Definitions, project: Project) -> None:
    policies = {spec.key: spec.freshness_policy for spec in specs(defs)}
    for card in project.enabled.values():
        policy = policies[raw_key("sample", card)]
        assert policy is not None
        received_at = datetime(2025, 1, 1, tzinfo=UTC)
        # Months and years are not all of one length: the window is that of the longest, a day more at most.
        longer = received_at + policy.fail_window.to_timedelta() - card.late_at(received_at)
        assert timedelta(0) <= longer <= timedelta(days=1), card.source


def test_each_mart_has_one_blocking_check_and_each_source_its_ledger(defs: dg.Definitions, project: Project) -> None:
    graph = defs.resolve_asset_graph()
    checks = {key: graph.get_check_spec(key) for key in graph.asset_check_keys}
    for theme, mart in [(theme, mart) for theme, marts in MARTS.items() for mart in marts]:
        own = {key.name: spec.blocking for key, spec in checks.items() if key.asset_key.path[1:] == [theme, mart]}
        assert own == {f"{mart}_suite": True}
    ledgers = {key.asset_key for key in checks if key.name == "ledger_balances"}
    assert ledgers == {raw_key("sample", card) for card in project.enabled.values()}


def test_jobs_schedule_and_executor(defs: dg.Definitions) -> None:
    named = {job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")}
    assert named == {WHOLE_WAY, *map(theme_job_name, MARTS)}
    assert named == {"whole_way", "economy_way", "energy_way", "mobility_way", "territory_way"}
    schedule = defs.resolve_schedule_def("every_day")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 6 * * *", "Europe/Paris")
    assert schedule.job_name == WHOLE_WAY
    for name in named:
        executor = defs.resolve_job_def(name).executor_def
        assert isinstance(executor, ExecutorDefinition)
        assert executor.name == dg.in_process_executor.name


def test_a_file_in_a_drop_folder_asks_for_one_run(defs: dg.Definitions, data: Path) -> None:
    look = defs.resolve_sensor_def("drop_folder")

    def evaluate() -> dg.SensorResult | object:
        with dg.DagsterInstance.ephemeral() as instance:
            return look.evaluate_tick(dg.build_sensor_context(instance=instance))

    assert evaluate().skip_message == "no file waits in a drop folder"
    inbox = data / "inbox" / "paris_fermetures_voirie"
    inbox.mkdir(parents=True)
    (inbox / "half.csv.part").write_text("still coming")
    assert evaluate().run_requests == []
    (inbox / "fermetures-voirie_20251117.csv").write_text("identifiant\n")
    first, second = evaluate().run_requests, evaluate().run_requests
    assert len(first) == 1
    assert first[0].run_key == second[0].run_key
    (inbox / "fermetures-voirie_20251117.csv").unlink()
    (inbox / "half.csv.part").unlink()


@dataclass
class Bench:
    """A run on a copy of the sample, and its definitions."""

    run: Run
    defs: dg.Definitions

    def execute(self, name: str, selection: dg.AssetSelection | None = None) -> dg.ExecuteInProcessResult:
        """Run a job of ours, or one made of ``selection``, as a run started from the UI would be."""
        if selection is not None:
            job = dg.define_asset_job(name, selection)
            merged = dg.Definitions.merge(self.defs, dg.Definitions(jobs=[job]))
            return merged.resolve_job_def(name).execute_in_process(raise_on_error=False)
        return self.defs.resolve_job_def(name).execute_in_process(raise_on_error=False)


def bench(data: Path, project: Project | None = None) -> Bench:
    chosen = project or load_project(SAMPLE_TERRITORY)
    run = Run(chosen, Workspace(data), extracts=data / "sample", now=datetime.now(UTC))
    return Bench(run, build_definitions(chosen, run.workspace, fixed_run(run)))


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    """Return what the failed steps said."""
    events = result.filter_events(lambda event: event.is_step_failure)
    return " ".join(event.step_failure_data.user_failure_data.description or "" for event in events)


def materialised(result: dg.ExecuteInProcessResult) -> set[dg.AssetKey]:
    return {event.asset_key for event in result.get_asset_materialization_events() if event.asset_key}


def said_of(result: dg.ExecuteInProcessResult) -> dict[dg.AssetKey | None, dict[str, dg.MetadataValue]]:
    """Return the metadata of each asset that a job materialised."""
    events = result.get_asset_materialization_events()
    return {event.asset_key: dict(event.materialization.metadata) for event in events}


@pytest.mark.parametrize(
    ("name", "themes"),
    [("whole_way", set(MARTS)), ("mobility_way", {"mobility"}), ("territory_way", {"territory"})],
)
def test_every_job_materialises_all_that_it_should(data: Path, name: str, themes: set[str]) -> None:
    made = bench(data)
    result = made.execute(name)
    assert result.success
    wanted = {spec.key for spec in specs(made.defs) if spec.group_name in themes}
    assert materialised(result) == {key for key in wanted if key.path[-1] not in WITHHELD}
    judged = {one.asset_check_key: one.passed for one in result.get_asset_check_evaluations()}
    assert set(judged) == {key for key in made.defs.resolve_asset_graph().asset_check_keys if key.asset_key in wanted}
    assert all(judged.values())
    for key, metadata in said_of(result).items():
        assert "dagster/row_count" in metadata, key


def test_a_job_shows_rows_columns_a_preview_and_a_plot(data: Path) -> None:
    raw = dg.AssetKey(["sample", "raw", "paris__chantiers"])
    said = said_of(bench(data).execute("look", dg.AssetSelection.assets(SITES_CHECK.asset_key, raw)))
    sites = said[SITES_CHECK.asset_key]
    assert sites["dagster/column_schema"].value.columns[0].name == "source"
    assert sites["preview"].value.startswith("| source |")
    above = sites["dagster/column_lineage"].value.deps_by_column["start_on"]
    assert [(one.asset_key.path[-1], one.column_name) for one in above] == [
        ("int_mobility__works_announced", "start_on")
    ]
    assert "| start_on | paris_chantiers.date_debut, paris_chantiers_perturbants." in sites["origins"].value
    assert sites["plot"].value.startswith("![Sites by kind and status](data:image/svg+xml;base64,")
    assert {"records read", "malformed records", "size (bytes)", "last deliveries"} <= set(said[raw])


def test_one_model_chosen_in_the_page_is_told_alone(data: Path) -> None:
    made = bench(data)
    result = made.execute("one", dg.AssetSelection.assets(SITES_CHECK.asset_key))
    assert result.success, failure_of(result)
    assert materialised(result) == {SITES_CHECK.asset_key}
    assert [one.check_name for one in result.get_asset_check_evaluations()] == ["works_sites_suite"]


def test_a_late_delivery_is_shown_on_its_asset_and_fails_nothing(data: Path) -> None:
    made = bench(data)
    made.run.now += timedelta(days=400)
    result = made.execute("look", dg.AssetSelection.assets(dg.AssetKey(["sample", "raw", "paris__fermetures_voirie"])))
    assert result.success
    outcomes = {one.check_name: (one.passed, one.severity) for one in result.get_asset_check_evaluations()}
    assert outcomes["delivered_in_time"] == (False, dg.AssetCheckSeverity.WARN)
    assert outcomes["deliveries_accepted"][0]


@pytest.fixture
def own_data(sample_data: Path, tmp_path: Path) -> Path:
    return copy_data(sample_data, tmp_path / "data")


def spoil_sites(data: Path) -> None:
    """Double every row of the mart, behind dbt's back."""
    workspace = Workspace(data)
    with connect(workspace.warehouse, workspace.duckdb) as connection:
        connection.execute(f"insert into {SITES} select * from {SITES}")


def test_a_release_launched_alone_after_a_failed_validation_is_refused(own_data: Path) -> None:
    spoil_sites(own_data)
    before = ReleaseLog(own_data / "releases").last("chantiers-voirie")
    judged = bench(own_data)
    check = judged.execute("judge", dg.AssetSelection.checks(SITES_CHECK))
    evaluation = check.get_asset_check_evaluations()[0]
    assert not evaluation.passed
    assert "key_is_unique" in evaluation.metadata["failed"].value
    assert "key_is_unique" in judged.run.problems[0]

    alone = bench(own_data)
    release = alone.execute("publish", dg.AssetSelection.assets(RELEASE_OF_SITES))
    assert not release.success
    assert "key_is_unique" in failure_of(release)
    assert alone.run.status() == 1
    assert ReleaseLog(own_data / "releases").last("chantiers-voirie") == before


def test_a_release_of_content_that_nobody_validated_is_refused_too(own_data: Path) -> None:
    spoil_sites(own_data)
    alone = bench(own_data)
    release = alone.execute("publish", dg.AssetSelection.assets(RELEASE_OF_SITES))
    assert not release.success
    assert SITES in failure_of(release)


def test_a_failed_check_blocks_its_own_release_and_no_other(own_data: Path) -> None:
    spoil_sites(own_data)
    made = bench(own_data)
    marts = [(theme, mart) for theme in MARTS for mart in sorted(MARTS[theme])]
    suites = [dg.AssetCheckKey(dg.AssetKey(["sample", theme, mart]), f"{mart}_suite") for theme, mart in marts]
    releases = dg.AssetSelection.key_prefixes(["sample", "public"])
    result = made.execute("gates", releases | dg.AssetSelection.checks(*suites))
    assert not result.success
    assert {key.path[2] for key in materialised(result)} == set().union(*RELEASES.values()) - {
        "chantiers_voirie",
        *WITHHELD,
    }


BROKEN = """
mart: mobility.works_sites
title_fr: Chantiers
title_en: Works
expectations:
  - name: asks_for_what_is_not_there
    kind: every_row
    condition: no_such_column > 1
    why_fr: La requête est cassée.
    why_en: The query is broken.
"""


def test_a_broken_suite_is_a_failed_step_and_judges_nothing(own_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "works_sites.yml"
    path.write_text(BROKEN, encoding="utf-8")
    project = replace(load_project(SAMPLE_TERRITORY))
    project.suites[SITES] = read_suite(path)
    made = bench(own_data, project)
    result = made.execute("judge", dg.AssetSelection.checks(SITES_CHECK))
    assert not result.success
    assert result.get_asset_check_evaluations() == []
    assert "asks_for_what_is_not_there" in failure_of(result)
    assert "the data are not judged" in failure_of(result)
    assert made.run.status() == 1


def test_a_second_run_at_the_same_time_is_refused(data: Path, defs: dg.Definitions, project: Project) -> None:
    with one_run_at_a_time(data):
        with pytest.raises(ConfigurationError, match="another run is at work here"):
            run_territory(Run(project, Workspace(data), extracts=data / "sample"))
        with dg.DagsterInstance.ephemeral() as instance:
            result = defs.resolve_job_def(WHOLE_WAY).execute_in_process(instance=instance, raise_on_error=False)
            assert not result.success
            said = [entry for entry in instance.all_logs(result.run_id) if "another run is at work here" in str(entry)]
            assert said
