"""Withdrawn and erased, and then run again: nothing comes back, the rest stays, and a replay leaves out the same.

Runs of the small town of the fault tests, whose models are few; Dagster is left out, as there.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from exports.log import ReleaseLog
from exports.verify import verify_tree
from orchestration import running
from orchestration.cli import app
from orchestration.running import Outcome
from orchestration.status import read_status
from tests.exports_world import offline_schemas
from tests.unit.test_erasing import holding
from tests.worlds import World, days, tree, without_dagster

COUNTS, SITES = "comptages-de-la-petite-ville", "chantiers-de-la-petite-ville"
MARK = "GEHEIM"
FILES = {
    "town_counts_202511.csv": b"counter_id,day,vehicles\n"
    + b"".join(f"a,{day},{day.day}\n".encode() for day in days(date(2025, 11, 3), 3)),
    "town_sites_20251101.csv": f"site_id,start_on,end_on\n{MARK},2025-11-01,2025-12-24\n".encode(),
}
NOT_PUBLISHED = (".trees/", "public/")


@dataclass
class Story:
    """What happened to the town: published, one dataset withdrawn, one source erased, run again, and replayed."""

    world: World
    first: Outcome
    said: dict[str, str]
    after_commands: list[str]
    again: Outcome
    tree_again: dict[str, str]
    log_again: dict[str, str]
    replayed: Outcome


@contextmanager
def leaving_dagster_out() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "_execute", without_dagster)
        yield


def command(world: World, *words: str) -> str:
    found = CliRunner().invoke(app, [*words, "--data", str(world.data)])
    assert found.exit_code == 0, found.output
    return found.output


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    world = World(tmp_path_factory.mktemp("interventions"), now=datetime(2026, 1, 10, 6, tzinfo=UTC))
    shutil.copytree(Path(__file__).parent.parent / "faults" / "small_town", world.territory)
    world.deliver(FILES)
    with leaving_dagster_out():
        first = running.run_territory(world.run())
        said = {
            "withdraw": command(world, "withdraw", COUNTS, "--why", "Un compteur comptait double."),
            "erase": command(world, "erase", "town_sites", "--why", "Demande du producteur.", "--yes"),
        }
        after = [place for place in holding(world.data, MARK) if not place.startswith(NOT_PUBLISHED)]
        again = running.run_territory(world.run())
        published, log = tree(world.workspace.public.resolve()), tree(world.workspace.releases)
        for folder in (world.workspace.warehouse.parent, world.workspace.raw, world.data / ".trees"):
            shutil.rmtree(folder)
        world.workspace.public.unlink()
        replayed = running.run_territory(world.run())
    return Story(world, first, said, after, again, published, log, replayed)


def test_the_town_was_published_first(story: Story) -> None:
    assert (story.first.status, story.first.run.problems) == (0, [])
    assert set(story.first.run.releases) == {COUNTS, SITES}


def test_the_commands_say_what_they_did_and_what_had_been_published(story: Story) -> None:
    assert "withdrawn on" in story.said["withdraw"]
    assert "It is never released again." in story.said["withdraw"]
    assert "1 deliveries, 0 refused" in story.said["erase"]
    assert SITES in story.said["erase"]
    assert COUNTS not in story.said["erase"], "it is withdrawn: nobody can still have it from here"


def test_nothing_erased_is_left_but_what_was_published(story: Story) -> None:
    assert story.after_commands == []


def test_the_next_run_brings_nothing_back_and_nothing_is_wrong(story: Story) -> None:
    run = story.again.run
    assert (story.again.status, run.problems, run.refusals()) == (0, [], [])
    assert "Un compteur comptait double." in run.withdrawn["public", COUNTS]
    assert SITES in run.empty
    assert "erased earlier, and left out: 1 files of town_sites" in run.notices
    assert [row[0] for row in story.again.ledger] == ["town_counts"]
    assert [place for place in holding(story.world.data, MARK) if not place.startswith(NOT_PUBLISHED)] == []


def test_the_ledger_stays_balanced(story: Story) -> None:
    with duckdb.connect(str(story.world.workspace.analysts_copy), read_only=True) as connection:
        wrong = connection.execute(
            "select count(*) from ops.ledger "
            "where raw_rows <> staged + rejected + superseded + duplicate + out_of_scope"
        ).fetchone()
        sources = connection.execute("select distinct source from ops.ledger").fetchall()
    assert (wrong, sources) == ((0,), [("town_counts",)])


def test_the_tree_is_valid_and_the_status_says_withdrawn(story: Story) -> None:
    assert verify_tree(story.world.workspace.public, offline_schemas(None)).failed == []
    found = read_status(story.world.run().project, story.world.workspace, story.world.now)
    assert {one.dataset: one.state for one in found.releases}[COUNTS] == "withdrawn"
    told = json.loads((story.world.workspace.public / COUNTS / "latest" / "WITHDRAWN.json").read_text())
    assert told["contact"] == "contact@petite-ville.example"


def test_a_replay_leaves_out_the_same(story: Story) -> None:
    world = story.world
    assert (story.replayed.status, story.replayed.run.problems) == (0, [])
    now = tree(world.workspace.public.resolve())
    assert now == {name: digest for name, digest in story.tree_again.items() if name.startswith(COUNTS)}
    assert tree(world.workspace.releases) == story.log_again
    assert len(ReleaseLog(world.workspace.releases).entries(COUNTS)) == 1


def test_what_cannot_be_withdrawn_is_said_in_a_sentence(story: Story) -> None:
    for words, said in (
        (("withdraw", "rien", "--why", "x"), "nothing called 'rien' was ever released"),
        (("withdraw", SITES, "9.9.9", "--why", "x"), "has neither a release nor a version '9.9.9'"),
        (("erase", "rien", "--why", "x", "--yes"), "no card describes the source 'rien'"),
    ):
        found = CliRunner().invoke(app, [*words, "--data", str(story.world.data)])
        assert said in str(found.exception), found.output
    assert "nothing was changed" in command(story.world, "withdraw", COUNTS, "--why", "again")
