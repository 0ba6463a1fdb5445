"""The audiences of the synthetic territory after a run: who sees what, what is kept as proof, and what time ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exports.schemas import SchemaStore
from exports.verify import verify_tree
from orchestration.audiences import audiences_of
from orchestration.console import print_outcome
from orchestration.inquiry import analysts_copy
from orchestration.project import SAMPLE_TERRITORY, Project, load_project
from orchestration.run import Run
from orchestration.running import Outcome
from orchestration.status import read_status
from orchestration.workspace import Workspace
from raw_sources.database import DuckDBSettings
from raw_sources.errors import GateClosed
from tests.integration.conftest import SampleRun
from tests.worlds import tree

COUNTS, SOURCE = "comptages-routiers-horaires", "paris_comptages_permanents"
POPULATIONS = "populations-legales"
PARTNER = "partner-observatoire-regional"
NOW = datetime(2026, 1, 10, 6, tzinfo=UTC)


def release_facts(data: Path, audience: str, slug: str) -> dict[str, Any]:
    path = Workspace(data).tree_of(audience) / slug / "latest" / "release.json"
    facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return facts


def slugs(data: Path, audience: str) -> set[str]:
    return {path.name for path in Workspace(data).tree_of(audience).iterdir()}


@pytest.fixture(scope="module")
def town() -> Project:
    return load_project(SAMPLE_TERRITORY)


def test_each_tree_holds_what_its_audience_may_see_and_nothing_else(sample_data: Path, town: Project):
    cards = town.export_cards.values()
    for audience in ("public", "internal", PARTNER):
        expected = {card.slug for card in cards if audience in audiences_of(town, card, NOW.date())}
        assert slugs(sample_data, audience) <= expected, audience
    assert slugs(sample_data, PARTNER) == {COUNTS}
    assert "chantiers-voirie" in slugs(sample_data, "internal") & slugs(sample_data, "public")


def test_every_tree_verifies(sample_data: Path):
    for audience in ("public", "internal", PARTNER):
        root = Workspace(sample_data).tree_of(audience)
        report = verify_tree(root, SchemaStore.from_environment(online=False), DuckDBSettings())
        assert report.failed == []
        assert {"audience", "agreements"} <= {check.name for check in report.passed}


def test_the_proof_names_the_sources_of_the_lineage(sample_data: Path, town: Project):
    facts = release_facts(sample_data, "public", POPULATIONS)
    assert facts["audience"] == "public"
    assert {one["source"] for one in facts["agreements"]["sources"]} == {"insee_populations_legales"}
    shared = release_facts(sample_data, PARTNER, COUNTS)
    assert SOURCE in {one["source"] for one in shared["agreements"]["sources"]}
    assert shared["licence"]["name"] == town.export_cards[COUNTS].licence
    package = Workspace(sample_data).tree_of(PARTNER) / COUNTS / "latest" / "datapackage.json"
    assert json.loads(package.read_text("utf-8"))["id"].endswith(f"/{PARTNER}/{COUNTS}")


def test_the_run_and_the_status_tell_the_audiences(sample_run: SampleRun, sample_data: Path, town: Project):
    lines = sample_run.answer.out.splitlines()
    assert any(PARTNER in line and COUNTS in line for line in lines)
    assert any(line.startswith("lineage and agreements") for line in lines)
    states = {(one.audience, one.dataset): one.state for one in read_status(town, Workspace(sample_data), NOW).releases}
    assert states[PARTNER, COUNTS] == states["public", COUNTS] == "published"
    later = read_status(town, Workspace(sample_data), datetime(2100, 1, 2, tzinfo=UTC))
    assert {one.state for one in later.releases if one.audience == PARTNER} == {"ended"}


def test_restricted_datasets_are_listed_without_content(sample_data: Path, town: Project):
    listed = json.loads(Workspace(sample_data).restricted.read_text("utf-8"))
    named = {one["dataset"] for one in listed if one["public_sees"] == "nothing"}
    public = slugs(sample_data, "public")
    assert set() != slugs(sample_data, "internal") - public <= named
    # What the public is offered may be nothing, too: every figure of it is secret.
    assert named == {one["dataset"] for one in listed} - public
    assert all(one["whom_to_ask"] and one["why_restricted"] and one["certificate"] == "passed" for one in listed)
    assert not any("rows" in one for one in listed)


def test_an_agreement_that_has_ended_leaves_the_analysts_copy(copy_of_sample: Callable[[], Path], town: Project):
    data = copy_of_sample()
    card = town.cards[SOURCE]
    ended = replace(card, agreement=replace(card.agreement, until=NOW.date() - timedelta(days=1)))
    run = run_on(data, Project(town.territory, {**town.cards, SOURCE: ended}), NOW)
    run.refresh_analysts_copy()
    with analysts_copy(Workspace(data)) as connection:
        ask = lambda sql: connection.execute(sql).fetchall()  # noqa: E731
        assert ask(f"select count(*) from ops.rejects where source = '{SOURCE}'") == [(0,)]
        assert ask(f"select count(*) > 0 from ops.ledger where source = '{SOURCE}'") == [(True,)]
        assert ask("select count(*) > 0 from ops.rejects") == [(True,)]
        shown = {name for (name,) in ask("select table_name from information_schema.tables")}
        assert {"calendar", "traffic_hourly"} <= shown
        assert ask(f"select count(*) from mobility.traffic_hourly where source = '{SOURCE}'") == [(0,)]
        # Effects are estimated over all counters: whose hours are in a row cannot be told.
        assert "works_traffic_effect" not in shown
    (notice,) = run.notices
    assert notice.startswith("mobility.works_traffic_effect is in the analysts' copy without")


def run_on(data: Path, town: Project, now: datetime) -> Run:
    return Run(town, Workspace(data), extracts=data / "sample", now=now)


def test_a_decision_past_its_date_stops_releases_and_says_so(
    copy_of_sample: Callable[[], Path], town: Project, capsys: pytest.CaptureFixture[str]
):
    data = copy_of_sample()
    before = tree(Workspace(data).tree_of(PARTNER).resolve())
    run = run_on(data, town, datetime(2100, 1, 2, tzinfo=UTC))
    run.say_what_ended()
    released = run.release(COUNTS)
    assert released is not None and set(run.shared) == {("public", COUNTS)}
    assert tree(Workspace(data).tree_of(PARTNER).resolve()) == before != {}
    assert run.status() == 0
    print_outcome(Outcome(run, run.status()))
    told = " ".join(capsys.readouterr().out.split())
    assert f"he decision to share {COUNTS} with observatoire-regional ended on 2099-12-31" in told


def test_one_audience_that_is_refused_does_not_stop_the_others(copy_of_sample: Callable[[], Path], town: Project):
    data = copy_of_sample()
    card = town.cards[SOURCE]
    leaves = {"internal": "everything", "partner": "everything", "public": "nothing"}
    lent = replace(card, agreement=replace(card.agreement, leaves=leaves, terms="Lent."))
    run = run_on(data, Project(town.territory, {**town.cards, SOURCE: lent}), NOW)
    logged = tree(Workspace(data).releases)
    with pytest.raises(GateClosed, match=r"for the public"):
        run.release(COUNTS)
    assert [audience for audience, _ in run.shared] == [PARTNER]
    assert run.shared[PARTNER, COUNTS].new
    changed = {name for name, digest in tree(Workspace(data).releases).items() if logged.get(name) != digest}
    assert changed == {f"{PARTNER}/{COUNTS}.jsonl"}
    assert not (Workspace(data).candidates_of("public") / COUNTS).exists()
