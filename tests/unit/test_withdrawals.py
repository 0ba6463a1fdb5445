"""A publication taken down: its files are gone everywhere, its address says so, and no later run brings it back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exports.candidate import build_candidate
from exports.log import Entry, PeriodFacts, ReleaseLog
from exports.plan import Withdrawn
from exports.release import Release, publish
from exports.tree import Trees
from exports.verify import verify_tree
from exports.withdrawals import Gone, Withdrawal, ban_on_release, take_down
from orchestration.project import SAMPLE_TERRITORY, load_project
from orchestration.retention import settle
from orchestration.run import Run
from orchestration.withdrawing import release_log, withdraw
from orchestration.workspace import PROJECT, Workspace
from raw_sources import boundaries
from raw_sources.files import write_json
from tests.exports_world import SETTINGS, World, make_world, offline_schemas, write_card

WHY = "Des noms <b>figuraient</b> dans la colonne street."
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
TOMBSTONE = ["WITHDRAWN.html", "WITHDRAWN.json", "WITHDRAWN.txt"]


class Killed(Exception):
    """Stands for a kill: nothing after the boundary is done."""


def decision(
    world: World, releases: Sequence[Release], *, whole: bool = False, version: str | None = None
) -> Withdrawal:
    sequences = {entry.release: entry.sequence for entry in world.log.entries(world.card.slug)}
    return Withdrawal(
        slug=world.card.slug,
        title_fr="Mesures de rue",
        title_en="Street measures",
        on="2026-11-22",
        why=WHY,
        publisher="Ville de Testville",
        contact="opendata@example.org",
        whole=whole,
        version=version,
        releases=tuple(Gone(one.release, one.version, sequences[one.release]) for one in releases),
    )


def apply(world: World, *decisions: Withdrawal) -> bool:
    return take_down(world.public, world.data / "staging", decisions, world.log.entries(world.card.slug))


def release_under(world: World, *decisions: Withdrawal) -> Release:
    """Validate, build and publish with a log that knows what was withdrawn."""
    world.validate()
    log = ReleaseLog(world.log.root, decisions)
    candidate = build_candidate(
        world.card,
        world.mart,
        world.context,
        world.terms,
        world.database,
        SETTINGS,
        world.gate,
        world.data / "staging",
        world.public,
        log,
        world.data / "secrets",
    )
    return publish(candidate, world.public, log)


def two_releases(tmp_path: Path) -> tuple[World, Release, Release]:
    world = make_world(tmp_path / "data")
    first = world.release()
    world.sql("UPDATE street.measures SET vehicles = 8 WHERE site_id = '01004'")
    return world, first, world.release()


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def everything_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())


def sound(world: World) -> list[str]:
    return [f"{one.place}: {one.sentence}" for one in verify_tree(world.public, offline_schemas(None)).failed]


def test_a_withdrawn_release_is_a_notice_and_the_one_before_it_the_latest(tmp_path: Path) -> None:
    world, first, second = two_releases(tmp_path)
    kept = {name: (world.folder(first) / name).read_bytes() for name in names(world.folder(first))}
    assert apply(world, decision(world, [second]))
    assert names(world.folder(second)) == TOMBSTONE
    assert {name: (world.folder(first) / name).read_bytes() for name in names(world.folder(first))} == kept
    latest = world.public / world.card.slug / "latest"
    assert json.loads((latest / "release.json").read_text())["release"] == first.release
    assert sound(world) == []
    assert not apply(world, decision(world, [second])), "what stands already was done again"


def test_the_notice_says_when_why_and_whom_to_ask_in_both_languages(tmp_path: Path) -> None:
    world, _, second = two_releases(tmp_path)
    apply(world, decision(world, [second]))
    folder = world.folder(second)
    facts = json.loads((folder / "WITHDRAWN.json").read_text())
    assert (facts["withdrawn_on"], facts["why"], facts["contact"]) == ("2026-11-22", WHY, "opendata@example.org")
    note, page = ((folder / f"WITHDRAWN.{form}").read_text(encoding="utf-8") for form in ("txt", "html"))
    assert note.index("Retirées le 22/11/2026") < note.index("Withdrawn on 2026-11-22")
    assert "opendata@example.org" in page
    assert "<b>" not in page
    assert "&lt;b&gt;figuraient&lt;/b&gt;" in page


def test_the_files_are_gone_from_every_kept_tree_and_from_the_candidates(tmp_path: Path) -> None:
    world, first, second = two_releases(tmp_path)
    candidate = world.data / "staging" / world.card.slug / second.release
    shutil.copytree(world.folder(second), candidate)
    only_there = (world.folder(second) / "release.json").read_bytes()
    assert len(Trees(world.public).others()) == 1
    world.sql("UPDATE street.measures SET vehicles = 9 WHERE site_id = '01004'")
    world.release()
    assert only_there in everything_below(world.data)
    apply(world, decision(world, [second]))
    assert only_there not in everything_below(world.data)
    assert not candidate.exists()
    assert (world.folder(first) / "release.json").is_file()
    assert sound(world) == []


def test_a_withdrawn_release_does_not_come_back_and_a_corrected_one_is_released(tmp_path: Path) -> None:
    world, first, second = two_releases(tmp_path)
    down = decision(world, [second])
    apply(world, down)
    before = everything_below(world.data / "releases")
    with pytest.raises(Withdrawn, match="withdrawn on 2026-11-22: Des noms"):
        release_under(world, down)
    assert everything_below(world.data / "releases") == before
    world.sql("UPDATE street.measures SET vehicles = 11 WHERE site_id = '01004'")
    third = release_under(world, down)
    assert (third.new, third.previous) == (True, second.release)
    assert third.follows is not None and third.follows.startswith("withdrawn on 2026-11-22: Des noms")
    run = Run(load_project(SAMPLE_TERRITORY), Workspace(tmp_path / "run"))
    for released in (first, third):
        run.say_what_it_follows(released)
    (said,) = run.notices
    assert second.release in said and "Look whether that is mended" in said
    assert [entry.sequence for entry in world.log.entries(world.card.slug)] == [1, 2, 3]
    assert names(world.folder(second)) == TOMBSTONE
    assert (world.folder(first) / "release.json").is_file()
    assert sound(world) == []


def test_the_rows_do_not_come_back_under_another_suite_but_under_another_version(tmp_path: Path) -> None:
    world, _, second = two_releases(tmp_path)
    down = decision(world, [second])
    apply(world, down)
    world.suite = replace(world.suite, digest="0" * 64)
    with pytest.raises(Withdrawn):
        release_under(world, down)
    world.card = write_card(world.data / "card.yml", world.card.columns, "1.0.1")
    assert release_under(world, down).new


def test_another_engine_does_not_bring_the_rows_back(tmp_path: Path) -> None:
    world, _, second = two_releases(tmp_path)
    entries = world.log.entries(world.card.slug)
    again = replace(entries[-1], content="other", release="2027-01-01-000000000000", engine="another 9.9")
    rehashed = {name: PeriodFacts(facts.rows, "1") for name, facts in again.periods.items()}
    assert ban_on_release([decision(world, [second])], replace(again, periods=rehashed), entries) is not None
    more = {name: PeriodFacts(facts.rows + 1, "1") for name, facts in again.periods.items()}
    assert ban_on_release([decision(world, [second])], replace(again, periods=more), entries) is None


def test_a_dataset_withdrawn_whole_is_never_released_again(tmp_path: Path) -> None:
    world, first, second = two_releases(tmp_path)
    down = decision(world, [first, second], whole=True)
    apply(world, down)
    assert names(world.folder(first)) == names(world.folder(second)) == TOMBSTONE
    latest = world.public / world.card.slug / "latest"
    assert json.loads((latest / "WITHDRAWN.json").read_text())["release"] == second.release
    assert sound(world) == []
    world.sql("UPDATE street.measures SET vehicles = 12 WHERE site_id = '01004'")
    world.card = write_card(world.data / "card.yml", world.card.columns, "2.0.0")
    with pytest.raises(Withdrawn):
        release_under(world, down)


def test_a_withdrawn_version_is_not_released_again_and_the_next_is(tmp_path: Path) -> None:
    world, first, second = two_releases(tmp_path)
    down = decision(world, [first, second], version="1.0.0")
    apply(world, down)
    world.sql("UPDATE street.measures SET vehicles = 12 WHERE site_id = '01004'")
    with pytest.raises(Withdrawn):
        release_under(world, down)
    world.card = write_card(world.data / "card.yml", world.card.columns, "1.1.0")
    assert release_under(world, down).new
    assert sound(world) == []


def test_a_replay_without_the_tree_gives_the_notice_and_the_same_bytes(tmp_path: Path) -> None:
    world, first, second = two_releases(tmp_path)
    down = decision(world, [first])
    apply(world, down)
    expected = {name: (world.public / name).read_bytes() for name in names(world.public.resolve())}
    shutil.rmtree(world.data / ".trees")
    world.public.unlink()
    assert apply(world, down)
    assert sound(world) == [], "a tree of notices alone is not valid"
    assert release_under(world, down).release == second.release
    assert {name: (world.public / name).read_bytes() for name in names(world.public.resolve())} == expected


BOUNDARIES = ["release.switch.before", "release.switch.after", "withdrawal.purge.before", "withdrawal.purge.after"]


@pytest.mark.parametrize("at", BOUNDARIES)
def test_killed_at_a_boundary_the_tree_is_valid_and_the_next_run_finishes(
    tmp_path: Path, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, _, second = two_releases(tmp_path)
    only_there = (world.folder(second) / "release.json").read_bytes()
    down = decision(world, [second])

    def stop(reached: str) -> None:
        if reached == at:
            raise Killed

    monkeypatch.setattr(boundaries, "on_boundary", stop)
    with pytest.raises(Killed):
        apply(world, down)
    assert sound(world) == []
    monkeypatch.setattr(boundaries, "on_boundary", None)
    apply(world, down)
    assert only_there not in everything_below(world.data)
    assert sound(world) == []


def test_killed_after_the_log_the_next_run_takes_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world, _, second = two_releases(tmp_path)
    project, workspace = load_project(PROJECT / "tests" / "faults" / "small_town"), Workspace(world.data)

    def stop(reached: str) -> None:
        if reached == "interventions.log.after":
            raise Killed

    def down() -> Withdrawal | None:
        return withdraw(project, workspace, world.card.slug, second.release, why=WHY, by=None, now=NOW)

    monkeypatch.setattr(boundaries, "on_boundary", stop)
    with pytest.raises(Killed):
        down()
    assert names(world.folder(second)) != TOMBSTONE
    monkeypatch.setattr(boundaries, "on_boundary", None)
    settle(project, workspace, NOW)
    assert names(world.folder(second)) == TOMBSTONE
    assert sound(world) == []
    assert down() is None, "it was withdrawn already"
    assert len(release_log(workspace).withdrawals(world.card.slug)) == 1


def test_one_audience_at_a_time(tmp_path: Path) -> None:
    world, _, second = two_releases(tmp_path)
    project, workspace = load_project(PROJECT / "tests" / "faults" / "small_town"), Workspace(world.data)
    shutil.copytree(workspace.releases, workspace.releases_of("partner-region"))
    withdraw(project, workspace, world.card.slug, None, audience="partner-region", why=WHY, by=None, now=NOW)
    assert names(world.folder(second)) != TOMBSTONE
    assert release_log(workspace).withdrawals(world.card.slug) == []
    shown = workspace.tree_of("partner-region") / world.card.slug / "latest"
    assert names(shown) == TOMBSTONE


def spoil_with_data(folder: Path) -> None:
    (folder / "mesures-de-rue.csv").write_text("site_id\n")


def spoil_place(folder: Path) -> None:
    facts = json.loads((folder / "WITHDRAWN.json").read_text())
    write_json(folder / "WITHDRAWN.json", {**facts, "release": "2026-01-01-aaaaaaaaaaaa"})


def spoil_reason(folder: Path) -> None:
    facts = json.loads((folder / "WITHDRAWN.json").read_text())
    write_json(folder / "WITHDRAWN.json", {**facts, "why": ""})


def spoil_page(folder: Path) -> None:
    (folder / "WITHDRAWN.html").write_text("<p>Tout va bien.</p>")


def spoil_note(folder: Path) -> None:
    (folder / "WITHDRAWN.txt").unlink()


SPOILT = {
    "other files": spoil_with_data,
    "is of": spoil_place,
    "does not say: why": spoil_reason,
    "WITHDRAWN.html does not say": spoil_page,
    "other files than its notice": spoil_note,
}


def test_verify_finds_a_notice_that_is_not_well_formed(tmp_path: Path) -> None:
    world, _, second = two_releases(tmp_path)
    apply(world, decision(world, [second]))
    folder, kept = world.folder(second), tmp_path / "kept"
    shutil.copytree(folder, kept)
    for said, spoil in SPOILT.items():
        spoil(folder)
        assert any(said in one for one in sound(world)), said
        shutil.rmtree(folder)
        shutil.copytree(kept, folder)


def test_verify_finds_a_withdrawn_release_that_is_still_the_latest(tmp_path: Path) -> None:
    world, _, second = two_releases(tmp_path)
    kept = tmp_path / "kept"
    shutil.copytree(world.folder(second), kept)
    apply(world, decision(world, [second]))
    latest = world.public / world.card.slug / "latest"
    shutil.rmtree(latest)
    shutil.copytree(kept, latest)
    assert any("is not that of" in one for one in sound(world))


def test_entries_keep_their_place(tmp_path: Path) -> None:
    world, _, second = two_releases(tmp_path)
    before: list[Entry] = world.log.entries(world.card.slug)
    apply(world, decision(world, [second]))
    assert world.log.entries(world.card.slug) == before
