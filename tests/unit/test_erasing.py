"""Erasing a source, retention, and the log of both: on a DATA folder made by hand, without a run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from exports.log import ColumnFacts, Entry, FileFacts, PeriodFacts, ReleaseLog
from orchestration import erasing, retention
from orchestration.erasing import Erasure, erasable_card, erase_source
from orchestration.interventions import FILE_NAME, Intervention, interventions, record
from orchestration.modelling import last_released_rows
from orchestration.project import Project, load_project
from orchestration.staleness import inputs_digest
from orchestration.workspace import PROJECT, Workspace
from raw_sources import boundaries
from raw_sources.agreements import PUBLIC
from raw_sources.errors import ConfigurationError, MachineryError
from raw_sources.files import write_json
from raw_sources.landing import Landing
from raw_sources.loading import load_delivery

SOURCE = "town_counts"
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
MARK = "GEHEIM"
COUNTS = f"counter_id,day,vehicles\n{MARK},2025-11-03,5\nbroken,line,with,{MARK}\n"
BAD = f"nothing;of;this\n{MARK};2;3\n"
SLUG = "comptages-de-la-petite-ville"


class Killed(Exception):
    """Stands for a kill: nothing after the boundary is done."""


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(PROJECT / "tests" / "faults" / "small_town")


@pytest.fixture
def workspace(tmp_path: Path, project: Project) -> Workspace:
    """Return a DATA folder in which the secret is wherever a source's data may be."""
    found = Workspace(tmp_path / "data")
    deliver(found, project, "town_counts_202511.csv", COUNTS)
    deliver(found, project, "bad.csv", BAD)
    other = found.raw / "town__sites" / "000001-0123456789ab.parquet"
    other.parent.mkdir(parents=True)
    other.write_text("of another source")
    left = {
        found.warehouse: MARK,
        found.warehouse.with_name("warehouse.duckdb.wal"): MARK,
        found.analysts_copy: MARK,
        found.analysts_copy.with_name(".marts.duckdb.draft"): MARK,
        found.internal / "data_docs" / "counting.counts_daily" / "index.html": MARK,
        found.validation / "counting.counts_daily" / "latest.json": MARK,
        found.data / "candidates" / "public" / SLUG / "x" / f"{SLUG}.csv": MARK,
        found.build / "dbt" / "logs" / "dbt.log": MARK,
        found.build / "dbt" / "target" / "run_results.json": MARK,
        found.build / "spill" / "duckdb_temp_block-1.block": MARK,
        found.state / "crash.txt": MARK,
        found.dagster_home / "history" / "runs.db": MARK,
        found.inbox / SOURCE / "bad.csv": BAD,
        found.inbox / SOURCE / "waiting.csv": COUNTS.replace("5", "6"),
        found.data / "collect" / SOURCE / "2026-11-22T08.open": MARK,
        found.secrets / "public" / SLUG / "2026-11-01-x" / f"{SOURCE}.json.gz": MARK,
        found.secrets / "public" / SLUG / "2026-11-01-x" / f"{SOURCE}.parquet": MARK,
        found.secrets / "public" / SLUG / "2026-11-01-x" / "town_sites.json.gz": "of another source",
        found.inbox / "town_sites" / "waiting.csv": "of another source",
    }
    for path, text in left.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return found


def deliver(workspace: Workspace, project: Project, name: str, text: str, now: datetime = NOW) -> None:
    """Land a file, and read it when it was accepted."""
    card, file = project.card(SOURCE), workspace.data.parent / name
    file.write_text(text)
    landing = Landing(workspace.landing)
    for landed in landing.land_file(card, file, now=now):
        if landed.receipt is not None:
            stored = landing.file(landed.receipt)
            load_delivery(card, landed.receipt, stored, workspace.raw, workspace.duckdb)
    file.unlink()


def holding(data: Path, text: str = MARK) -> list[str]:
    """Return the files below DATA that hold a text, compressed or not."""
    return [path.relative_to(data).as_posix() for path in sorted(data.rglob("*")) if path.is_file() and has(path, text)]


def has(path: Path, text: str) -> bool:
    content = path.read_bytes()
    if content.startswith(b"PAR1"):
        content = repr(duckdb.sql(f"select * from read_parquet('{path}')").fetchall()).encode()
    return text.encode() in content


def erase(workspace: Workspace, project: Project) -> Erasure:
    card = erasable_card(project, workspace, SOURCE)
    return erase_source(workspace, card, why="Le producteur le demande.", by="DPO", now=NOW)


def publish(workspace: Workspace, slug: str, mart: str, audience: str = PUBLIC) -> Entry:
    """Put a release into the log of an audience."""
    entry = Entry(
        slug=slug,
        mart=mart,
        sequence=1,
        release="2025-12-03-aaaaaaaaaaaa",
        as_of="2025-12-03",
        version="1.0.0",
        previous=None,
        content="c" * 64,
        recipe="r",
        engine="e",
        certificate="k",
        partitioned=False,
        columns=(ColumnFacts("day", "DATE", None),),
        periods={"2025-11": PeriodFacts(1, "1")},
        files={f"{slug}.csv": FileFacts("f" * 64, 10, 1)},
    )
    ReleaseLog(workspace.releases_of(audience)).append(entry)
    return entry


def assemble(workspace: Workspace) -> None:
    """Write the part of dbt's manifest that says which mart reads which source."""
    sources = {
        f"source.halle.raw.{name}": {"source_name": "raw", "config": {"meta": {"source": name}}}
        for name in ("town_counts", "town_sites")
    }
    parents = {
        "model.halle.counts_daily": ["source.halle.raw.town_counts"],
        "model.halle.sites": ["source.halle.raw.town_sites"],
    }
    nodes = {
        key: {
            "unique_id": key,
            "name": key.split(".")[-1],
            "alias": key.split(".")[-1],
            "schema": theme,
            "fqn": ["halle", "marts", theme, key.split(".")[-1]],
            "resource_type": "model",
            "columns": {},
            "config": {"meta": {}},
        }
        for key, theme in (("model.halle.counts_daily", "counting"), ("model.halle.sites", "digging"))
    }
    manifest = {"nodes": nodes, "sources": sources, "parent_map": parents}
    write_json(workspace.build / "dbt" / "target" / "manifest.json", manifest)


def test_nothing_of_the_source_is_left_anywhere_and_the_rest_stays(workspace: Workspace, project: Project) -> None:
    places = holding(workspace.data)
    assert len(places) > 15, "the secret is not where data may be"
    found = erase(workspace, project)
    assert holding(workspace.data) == []
    assert (found.deliveries, found.refused) == (1, 3)
    left = [path.read_text() for path in (*workspace.raw.rglob("*.parquet"), *workspace.inbox.rglob("*.csv"))]
    assert left == ["of another source"] * 2
    assert [one.kind for one in interventions(workspace)] == ["erased"]
    assert interventions(workspace)[0].by == "DPO"


def test_what_had_been_published_with_it_is_reported_for_every_audience(workspace: Workspace, project: Project) -> None:
    assemble(workspace)
    publish(workspace, SLUG, "counting.counts_daily")
    publish(workspace, SLUG, "counting.counts_daily", "partner-region")
    publish(workspace, "chantiers-de-la-petite-ville", "digging.sites")
    publish(workspace, "jeu-disparu", "counting.gone")
    found = erase(workspace, project)
    listed = {(one.slug, one.audience) for one in found.published}
    assert listed == {(SLUG, "public"), (SLUG, "partner-region"), ("jeu-disparu", "public")}
    assert found.report is not None
    told = json.loads(found.report.read_text())
    assert told["published"][0]["files"] == {f"{told['published'][0]['slug']}.csv": "f" * 64}
    assert told["why"] == "Le producteur le demande."


def test_what_was_withdrawn_is_not_reported_as_published(workspace: Workspace, project: Project) -> None:
    entry = publish(workspace, SLUG, "counting.counts_daily")
    gone = {"release": entry.release, "version": entry.version, "sequence": 1}
    what = {"audience": "public", "slug": SLUG, "whole": False, "version": None, "releases": [gone]}
    what |= dict.fromkeys(("title_fr", "title_en", "publisher", "contact"), "x")
    record(workspace.data, Intervention("withdrawn", "2026-11-21T00:00:00Z", "why", None, what))
    assert erase(workspace, project).published == ()


def test_erasing_changes_what_a_run_is_given(workspace: Workspace, project: Project) -> None:
    before = inputs_digest(project, workspace, None, NOW.date())
    erase(workspace, project)
    assert inputs_digest(project, workspace, None, NOW.date()) != before


def test_a_source_of_which_nothing_is_held_is_no_intervention(tmp_path: Path, project: Project) -> None:
    empty = Workspace(tmp_path / "empty")
    assert erase(empty, project) == Erasure(SOURCE, 0, 0, (), None)
    assert interventions(empty) == []


def test_what_territories_share_is_not_erased_for_one_of_them(tmp_path: Path, project: Project) -> None:
    member = Workspace(tmp_path / "a", tmp_path / "shared", frozenset({SOURCE}))
    with pytest.raises(ConfigurationError, match="shared by the territories of this syndicate"):
        erasable_card(project, member, SOURCE)
    with pytest.raises(ConfigurationError, match="no card describes the source 'nothing'"):
        erasable_card(project, member, "nothing")


STEPS = ["interventions.log.after", "erasing.landing.before", "erasing.landing.after"]


@pytest.mark.parametrize("at", STEPS)
def test_killed_at_a_boundary_the_next_run_finishes(
    workspace: Workspace, project: Project, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_at(at, monkeypatch, lambda: erase(workspace, project))
    retention.settle(project, workspace, NOW)
    assert holding(workspace.data) == []
    assert len(interventions(workspace)) == 1
    assert len(Landing(workspace.landing).erased(SOURCE)) == 4


def test_killed_before_the_log_nothing_has_happened(
    workspace: Workspace, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = holding(workspace.data)
    kill_at("interventions.log.before", monkeypatch, lambda: erase(workspace, project))
    retention.settle(project, workspace, NOW)
    assert holding(workspace.data) == before


def test_a_backup_that_is_put_back_is_erased_again(workspace: Workspace, project: Project) -> None:
    kept = workspace.data.parent / "backup"
    shutil.copytree(workspace.landing, kept)
    erase(workspace, project)
    shutil.rmtree(workspace.landing)
    shutil.copytree(kept, workspace.landing)
    said = retention.settle(project, workspace, NOW)
    assert said == ["the erasure of town_counts of 2026-11-22 is now finished"]
    assert holding(workspace.data) == []
    assert retention.settle(project, workspace, NOW) == []


def kill_at(at: str, monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> None:
    def stop(reached: str) -> None:
        if reached == at:
            raise Killed

    monkeypatch.setattr(boundaries, "on_boundary", stop)
    with pytest.raises(Killed):
        work()
    monkeypatch.setattr(boundaries, "on_boundary", None)


# --- retention ----------------------------------------------------------------------------------------------------


def kept_for(project: Project, duration: str) -> Project:
    """Return the project with a retention in the card of the counts."""
    return replace(project, cards={**project.cards, SOURCE: replace(project.card(SOURCE), retention=duration)})


def test_deliveries_past_their_time_are_erased_at_the_start_of_a_run(workspace: Workspace, project: Project) -> None:
    later = NOW + timedelta(days=300)
    deliver(workspace, project, "town_counts_202608.csv", COUNTS.replace(MARK, "b").replace("5", "7"), later)
    yearly = kept_for(project, "P1Y")
    assert retention.settle(yearly, workspace, later) == [], "nothing is a year old"
    said = retention.settle(yearly, workspace, NOW + timedelta(days=366))
    assert said == ["erased, because older than P1Y: 2 deliveries or refused files of town_counts"]
    landing = Landing(workspace.landing)
    assert [one.sequence for one in landing.receipts(SOURCE)] == [2]
    assert [path.name.split("-")[0] for path in sorted((workspace.raw / "town__counts").iterdir())] == ["000002"] * 3
    line = interventions(workspace)[0]
    assert (line.kind, line.why) == ("retention", "deliveries.retention of the card: P1Y")
    assert retention.settle(yearly, workspace, NOW + timedelta(days=367)) == []


def test_retention_spares_not_even_the_only_delivery(workspace: Workspace, project: Project) -> None:
    retention.settle(kept_for(project, "P1M"), workspace, NOW + timedelta(days=40))
    assert Landing(workspace.landing).receipts(SOURCE) == []


def test_without_a_retention_everything_is_kept(workspace: Workspace, project: Project) -> None:
    before = holding(workspace.data)
    retention.settle(project, workspace, NOW + timedelta(days=36500))
    assert holding(workspace.data) == before


def test_killed_while_a_retention_is_applied_the_next_run_finishes(
    workspace: Workspace, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monthly, later = kept_for(project, "P1M"), NOW + timedelta(days=40)
    kill_at("erasing.landing.before", monkeypatch, lambda: retention.settle(monthly, workspace, later))
    retention.settle(monthly, workspace, later)
    assert Landing(workspace.landing).receipts(SOURCE) == []
    assert len(interventions(workspace)) == 1


def test_no_release_is_expected_to_keep_what_was_erased(workspace: Workspace, project: Project) -> None:
    entry = publish(workspace, SLUG, "counting.counts_daily")
    latest = workspace.public / SLUG / "latest"
    latest.mkdir(parents=True)
    write_json(latest / "release.json", {"release": entry.release})
    rows = f"select '{SOURCE}' as source, '2025-11' as period_month"
    duckdb.sql(rows).write_parquet(str(latest / f"{SLUG}.parquet"))
    kept = [("counting.counts_daily", SOURCE, "*", 1)]
    assert last_released_rows(project, workspace) == kept
    retention.settle(kept_for(project, "P1M"), workspace, NOW + timedelta(days=40))
    assert last_released_rows(project, workspace) == []
    write_json(latest / "release.json", {"release": "2026-01-01-bbbbbbbbbbbb"})
    assert last_released_rows(project, workspace) == kept, "the next release is a new beginning"


def test_databases_are_written_again_once_after_an_erasure(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "data")
    dirty(workspace.warehouse)
    dirty(workspace.analysts_copy)
    erasing.cleanse(workspace)
    assert MARK.encode() in workspace.warehouse.read_bytes(), "nothing was erased: the file is as it was"
    what = {"source": SOURCE, "raw_table": "town__counts", "erased": [], "published": []}
    record(workspace.data, Intervention("retention", "2026-11-22T09:00:00Z", "why", None, what))
    erasing.cleanse(workspace)
    for path in (workspace.warehouse, workspace.analysts_copy):
        assert MARK.encode() not in path.read_bytes()
        with duckdb.connect(str(path), read_only=True) as connection:
            assert connection.execute("select * from mart.shown").fetchall() == [("kept",)]
            comments = "select comment from duckdb_columns() where comment is not null"
            assert connection.execute(comments).fetchall() == [("Nom",)]
    changed = workspace.warehouse.stat().st_mtime_ns
    erasing.cleanse(workspace)
    assert workspace.warehouse.stat().st_mtime_ns == changed


def dirty(path: Path) -> None:
    """Write a database of which a table once held the secret."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute("pragma force_compression = 'uncompressed'")
        connection.execute("create schema mart; create table mart.rows (name varchar)")
        connection.execute(f"insert into mart.rows select '{MARK} ' || i from range(300000) as numbers (i)")
        connection.execute("create view mart.shown as select * from mart.rows")
        connection.execute("comment on column mart.rows.name is 'Nom'")
    with duckdb.connect(str(path)) as connection:
        connection.execute("delete from mart.rows where true")
        connection.execute("insert into mart.rows values ('kept')")


# --- what time ends, and the log ----------------------------------------------------------------------------------


def test_an_agreement_that_has_ended_is_logged_once_and_is_an_input(workspace: Workspace, project: Project) -> None:
    card = project.card(SOURCE)
    lent = replace(card, agreement=replace(card.agreement, until=NOW.date()))
    project = replace(project, cards={**project.cards, SOURCE: lent})
    retention.settle(project, workspace, NOW)
    assert interventions(workspace) == [], "it holds through its last day"
    before = inputs_digest(project, workspace, None, NOW.date())
    for days in (1, 2):
        retention.settle(project, workspace, NOW + timedelta(days=days))
    [line] = interventions(workspace)
    assert (line.kind, line.what) == ("expired", {"source": SOURCE, "until": "2026-11-22"})
    assert inputs_digest(project, workspace, None, NOW.date()) != before


def test_a_line_of_the_log_that_says_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('{"kind": "erased"}\n')
    with pytest.raises(MachineryError, match=r"interventions\.jsonl:1"):
        interventions(Workspace(tmp_path))
