"""Earlier releases as the audit of the next one takes them: what was shown, what was hidden, what is gone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from exports.disclosure.table import Cell
from exports.log import ReleaseLog
from exports.protection.past import Held, HeldCell, HeldSource, Past, forget, hold, read_past
from exports.tree import release_folder
from exports.withdrawals import Gone, Withdrawal
from raw_sources.errors import MachineryError
from tests.exports_world import World, make_world

SLUG = "mesures-de-rue"
HELD: Held = {
    "bank": HeldSource(
        "digest", {"amount": [HeldCell(Cell(("a", "b"), 3.5, 2, (2.0, 1.5), True, ("one", "other")), True, 0.35, 0.3)]}
    ),
    "card": HeldSource("other", {"amount": [HeldCell(Cell(("a", "c"), 7.0), False, 0.0, 0.0)]}),
}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def past(world: World, *slugs: str) -> list[Past]:
    return read_past(world.public, world.log, slugs or [SLUG], world.data / "secrets")


def test_what_was_shown_is_read_from_the_tree_and_what_was_hidden_from_aside(world: World):
    assert past(world) == []
    release = world.release()
    entry = world.log.entries(SLUG)[0]
    hold(world.data / "secrets", entry, HELD)
    (one,) = past(world)
    assert (one.slug, one.release) == (SLUG, release.release)
    assert one.held == HELD
    assert len(one.rows) == entry.rows and set(one.rows.columns) == {column.name for column in entry.columns}
    assert "3.5" not in repr(one.held) and "0.35" not in repr(one.held)


def test_what_was_withdrawn_is_known_to_nobody_any_more(world: World):
    world.release()
    entry = world.log.entries(SLUG)[0]
    gone = (Gone(entry.release, entry.version, entry.sequence),)
    withdrawal = Withdrawal(SLUG, "", "", "2026-11-22", "an error", "", "", False, None, gone)
    assert len(past(world)) == 1
    log = ReleaseLog(world.log.root, [withdrawal])
    assert read_past(world.public, log, [SLUG], world.data / "secrets") == []


def test_a_release_whose_files_are_gone_cannot_be_audited(world: World):
    world.release()
    entry = world.log.entries(SLUG)[0]
    shutil.rmtree(world.public.resolve() / release_folder(SLUG, entry.version, entry.release))
    with pytest.raises(MachineryError, match=f"{entry.release} of {SLUG} is not in the tree"):
        past(world)


def test_what_was_held_of_an_erased_source_is_forgotten(world: World):
    world.release()
    entry = world.log.entries(SLUG)[0]
    hold(world.data / "secrets" / "public", entry, HELD)
    forget(world.data / "secrets", "bank")
    (kept,) = read_past(world.public, world.log, [SLUG], world.data / "secrets" / "public")
    assert set(kept.held) == {"card"}


def test_what_cannot_be_read_is_no_pass(world: World):
    world.release()
    entry = world.log.entries(SLUG)[0]
    hold(world.data / "secrets", entry, HELD)
    path = world.data / "secrets" / SLUG / entry.release / "bank.json.gz"
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(MachineryError, match="what an earlier release hid cannot be read"):
        past(world)
