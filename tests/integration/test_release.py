"""Releases on disk: what changes, what stays, what a reader sees meanwhile, and what a kill or a loss leaves behind."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from exports import candidate as candidate_module
from exports.candidate import is_published
from exports.release import Release
from exports.tree import KEPT_TREES
from exports.verify import verify_tree
from raw_sources.errors import ConfigurationError, GateClosed
from tests.exports_world import PLAIN, World, make_world, offline_schemas, publish_until, write_card

NO_SCHEMAS = offline_schemas(None)
BOUNDARIES = [f"release.{step}.{moment}" for step in ("candidate", "log", "switch") for moment in ("before", "after")]


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below ``folder`` with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def document(world: World, release: Release) -> dict[str, object]:
    loaded: dict[str, object] = json.loads((world.folder(release) / "release.json").read_text())
    return loaded


def change_may(world: World, vehicles: int) -> None:
    world.sql(f"UPDATE street.measures SET vehicles = {vehicles} WHERE site_id = '01004'")


def assert_sound(world: World) -> None:
    report = verify_tree(world.public, NO_SCHEMAS)
    assert not report.failed


def kill_at(name: str, world: World) -> None:
    """Publish in another process that is killed at the boundary ``name``; demand that it got there.

    Not a plain fork: the thread pool of Polars, once used by this process, would hang in its child.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.exports_world", "polars", "pyarrow.csv", "shapely"])
    child = context.Process(target=publish_until, args=(name, world))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL


def test_releasing_the_same_content_again_changes_nothing(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data")
    first = world.release()
    tree, log = world.public.resolve(), contents(world.data / "releases")
    world.as_of("2024-06-30")
    second = world.release()
    assert (first.new, second.new) == (True, False)
    assert second.release == first.release
    assert world.public.resolve() == tree
    assert contents(world.data / "releases") == log
    assert not (world.data / "staging" / world.card.slug).exists()


def test_the_release_is_named_by_date_and_content_and_passes_sha256sum(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data")
    release = world.release()
    folder = world.folder(release)
    assert release.release.startswith("2024-05-01-")
    assert contents(folder) == contents(world.public / world.card.slug / "latest")
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
    assert world.public.readlink() == Path(".trees/public-1")


def test_two_clones_publish_the_same_bytes(tmp_path: Path) -> None:
    worlds = [make_world(tmp_path / name) for name in ("one", "two")]
    worlds[1].sql("CREATE TABLE street.other AS SELECT * FROM street.measures ORDER BY random()")
    worlds[1].sql("DELETE FROM street.measures")
    worlds[1].sql("INSERT INTO street.measures SELECT * FROM street.other")
    for world in worlds:
        world.release()
    assert contents(worlds[0].public) == contents(worlds[1].public)
    assert not [name for name, data in contents(worlds[0].public).items() if str(tmp_path).encode() in data]


def test_only_changed_months_are_written_again(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data", columns=PLAIN, monthly_above=3)
    first = world.release()
    change_may(world, 8)
    world.as_of("2024-05-02")
    second = world.release()
    assert_sound(world)
    linked = {
        name: (world.folder(first) / name).samefile(world.folder(second) / name)
        for name in contents(world.folder(second))
        if name.startswith("year=")
    }
    assert linked == {
        f"year=2024/month={month}/mesures-de-rue-2024-{month}.{suffix}": month != "05"
        for month in ("03", "04", "05")
        for suffix in ("csv", "parquet")
    }
    changes = document(world, second)["changes"]
    assert isinstance(changes, dict)
    assert changes["previous_release"] == first.release
    assert changes["periods"] == {
        "added": [],
        "removed": [],
        "revised": [{"period": "2024-05", "rows_before": 1, "rows_after": 1}],
    }


def test_a_damaged_month_is_not_linked_but_written_again(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data", columns=PLAIN, monthly_above=3)
    first = world.release()
    damaged = "year=2024/month=03/mesures-de-rue-2024-03.csv"
    sound = (world.folder(first) / damaged).read_bytes()
    (world.folder(first) / damaged).write_bytes(b"x" * len(sound))
    change_may(world, 8)
    second = world.release()
    assert (world.folder(second) / damaged).read_bytes() == sound


def test_a_damaged_release_is_repaired_under_its_own_name(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data")
    first = world.release()
    before = contents(world.public)
    (world.folder(first) / "mesures-de-rue.csv").unlink()
    last = world.log.last(world.card.slug)
    assert last is not None
    assert not is_published(world.public, last)
    again = world.release()
    assert again.release == first.release
    assert contents(world.public) == before
    assert_sound(world)


def test_a_dataset_split_by_month_stays_so(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data", columns=PLAIN, monthly_above=4)
    world.release()
    world.sql("DELETE FROM street.measures WHERE site_id = '01004'")
    second = world.release()
    assert "year=2024/month=03/mesures-de-rue-2024-03.parquet" in contents(world.folder(second))
    assert_sound(world)


def test_a_threshold_that_is_not_passed_means_one_file(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data", columns=PLAIN, monthly_above=5)
    assert "mesures-de-rue.parquet" in contents(world.folder(world.release()))


def test_too_many_rows_for_excel_means_no_excel_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidate_module, "ROWS_BELOW", 5)
    world = make_world(tmp_path / "data")
    assert "mesures-de-rue.excel-fr.csv" not in contents(world.folder(world.release()))
    assert_sound(world)


def test_a_lost_warehouse_and_tree_are_replayed_byte_for_byte(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data")
    world.release()
    change_may(world, 8)
    world.as_of("2024-05-02")
    second = world.release()
    published, log = contents(world.folder(second)), contents(world.data / "releases")
    for lost in ("warehouse", "staging", "validation", ".trees"):
        shutil.rmtree(world.data / lost, ignore_errors=True)
    world.public.unlink()
    fresh = make_world(tmp_path / "fresh")
    (fresh.data / "releases").parent.mkdir(exist_ok=True)
    shutil.copytree(world.data / "releases", fresh.data / "releases")
    change_may(fresh, 8)
    fresh.as_of("2024-05-02")
    replayed = fresh.release()
    assert replayed.release == second.release
    assert contents(fresh.folder(replayed)) == published
    assert contents(fresh.data / "releases") == log
    assert_sound(fresh)


def test_a_replay_step_by_step_gives_each_release_again(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data")
    steps = [("2024-05-01", 7), ("2024-05-02", 8), ("2024-05-03", 9)]

    def run() -> list[dict[str, bytes]]:
        seen = []
        for day, vehicles in steps:
            change_may(world, vehicles)
            world.as_of(day)
            seen.append(contents(world.folder(world.release())))
        return seen

    first = run()
    whole = contents(world.public)
    shutil.rmtree(world.data / ".trees")
    world.public.unlink()
    assert run() == first
    assert contents(world.public) == whole


def test_a_producer_who_goes_back_is_heard(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data")
    names, previous = [], []
    for vehicles in (7, 8, 7, 8):
        change_may(world, vehicles)
        release = world.release()
        assert release.new
        names.append(release.release)
        previous.append(release.previous)
        assert_sound(world)
    assert len(set(names)) == 4
    assert previous == [None, *names[:3]]
    assert not world.release().new


def test_a_replay_of_a_return_has_its_own_name_and_bytes(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data")
    for vehicles in (7, 8, 7):
        change_may(world, vehicles)
        last = world.release()
    published = contents(world.folder(last))
    shutil.rmtree(world.data / ".trees")
    world.public.unlink()
    assert contents(world.folder(world.release())) == published


def test_a_changed_suite_is_a_new_release_of_the_same_files(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data")
    first = world.release()
    path = world.data / "measures.yml"
    path.write_text(path.read_text().replace("columns: [site_id]", "columns: [hour_start_at]"))
    from expectations.suite import read_suite

    world.suite = read_suite(path)
    second = world.release()
    assert second.release != first.release
    for name in ("mesures-de-rue.parquet", "mesures-de-rue.csv", "mesures-de-rue.excel-fr.csv"):
        assert (world.folder(first) / name).samefile(world.folder(second) / name)
    assert_sound(world)


def test_a_column_that_disappears_needs_a_major_version(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data")
    world.release()
    fewer = tuple(name for name in PLAIN if name != "street")
    world.card = write_card(world.data / "card.yml", fewer)
    with pytest.raises(ConfigurationError, match="removed, renamed or retyped: street, geometry"):
        world.release()
    world.card = write_card(world.data / "card.yml", fewer, version="1.1.0")
    with pytest.raises(ConfigurationError, match=r"Set the version to 2\.0\.0"):
        world.release()
    world.card = write_card(world.data / "card.yml", fewer, version="2.0.0")
    world.release()
    assert sorted(path.name for path in (world.public / world.card.slug).iterdir()) == ["latest", "v1.0.0", "v2.0.0"]
    assert_sound(world)


@pytest.mark.parametrize("step", BOUNDARIES)
def test_a_kill_at_any_boundary_leaves_a_sound_tree_and_the_next_run_finishes(tmp_path: Path, step: str) -> None:
    disturbed, quiet = make_world(tmp_path / "disturbed"), make_world(tmp_path / "quiet")
    for world in (disturbed, quiet):
        world.release()
        change_may(world, 8)
        world.as_of("2024-05-02")
    disturbed.validate()
    kill_at(step, disturbed)
    assert_sound(disturbed)
    disturbed.release()
    quiet.release()
    assert contents(disturbed.public) == contents(quiet.public)
    assert contents(disturbed.data / "releases") == contents(quiet.data / "releases")


@pytest.mark.parametrize("step", BOUNDARIES)
def test_a_kill_of_the_first_release_leaves_nothing_or_all(tmp_path: Path, step: str) -> None:
    world = make_world(tmp_path / "data")
    world.validate()
    kill_at(step, world)
    assert world.public.exists() == (step == "release.switch.after")
    world.release()
    assert_sound(world)


def test_a_release_committed_but_never_published_is_published_with_the_next(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data")
    first = world.release()
    change_may(world, 8)
    world.validate()
    kill_at("release.log.after", world)
    change_may(world, 9)
    third = world.release()
    names = {path.name for path in world.folder(third).parent.iterdir()}
    assert names == {first.release, third.previous, third.release}
    assert len(names) == 3
    assert_sound(world)


def test_a_reader_sees_only_whole_trees_while_releases_go_on(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data")
    world.release()
    findings: list[object] = []
    looked, stop = threading.Semaphore(0), threading.Event()

    def read() -> None:
        while not stop.is_set():
            findings.extend(verify_tree(world.public, NO_SCHEMAS).failed)
            looked.release()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for vehicles in range(10, 20):
            change_may(world, vehicles)
            world.release()
            looked.acquire(timeout=30)  # one whole look at least between two switches
            looked.acquire(timeout=30)
    finally:
        stop.set()
        reader.join()
    assert not findings
    assert len(list((world.data / ".trees").iterdir())) == KEPT_TREES


def test_a_parquet_file_that_is_not_what_was_validated_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(tmp_path / "data")
    genuine = candidate_module.write_parquet

    def lose_a_row(connection, query, order_by, out, metadata):  # type: ignore[no-untyped-def]
        genuine(connection, f"SELECT * FROM ({query}) WHERE vehicles <> 7", order_by, out, metadata)

    monkeypatch.setattr(candidate_module, "write_parquet", lose_a_row)
    with pytest.raises(GateClosed, match="do not hold what was validated"):
        world.release()
    assert not world.public.exists()
    assert world.log.last(world.card.slug) is None


def test_a_csv_that_lost_a_row_is_not_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(tmp_path / "data")
    genuine = candidate_module.write_delimited

    def cut_short(parquet, columns, dialect, out):  # type: ignore[no-untyped-def]
        genuine(parquet, columns, dialect, out)
        out.write_bytes(b"\r\n".join(out.read_bytes().split(b"\r\n")[:-2]) + b"\r\n")

    monkeypatch.setattr(candidate_module, "write_delimited", cut_short)
    with pytest.raises(GateClosed, match="has not the header and the 5 rows"):
        world.release()
    assert not world.public.exists()


def test_another_dataset_stays_as_it_is(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data")
    world.release()
    text = (world.data / "card.yml").read_text()
    (world.data / "card.yml").write_text(text.replace("slug: mesures-de-rue", "slug: autres-mesures"))
    from exports.card import read_export_card

    world.card = read_export_card(world.data / "card.yml")
    world.release()
    assert sorted(path.name for path in world.public.iterdir()) == ["autres-mesures", "mesures-de-rue"]
    assert_sound(world)
