"""The other authorities on real extracts: each run ends well, every ledger balances, and no file is left unread unseen.

What a producer's file means is tested with its staging model; here, that whole territories work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestration.project import load_project
from raw_sources.territory import Territory
from tests.real.conftest import EXAMPLES, OTHERS, Authority

FOLDERS = [EXAMPLES / "rennes", EXAMPLES / "grand_lyon", EXAMPLES / "reseau_national", OTHERS]
FAMILIES = ("traffic", "roadworks", "reference_insee", "energy")

# Files of these families that no card reads, with the reason. A file that comes to be read has to leave the list.
UNREAD: dict[str, str] = {}


def files_of_the_families(extracts: Path) -> Iterator[Path]:
    for family in FAMILIES:
        yield from sorted(path for path in (extracts / family).rglob("*") if path.is_file())


def territories() -> list[Territory]:
    return [load_project(folder).territory for folder in (EXAMPLES / "paris", *FOLDERS)]


@pytest.fixture(scope="module", params=FOLDERS, ids=lambda folder: folder.name)
def authority(request: pytest.FixtureRequest, run_of: Callable[[Path], Authority]) -> Authority:
    """Return one of the authorities once its run is known to have succeeded."""
    return run_of(request.param)


def test_every_record_is_accounted_for(authority: Authority):
    ledger = authority.ask(
        "select source, file_name, records_read, raw_rows, malformed, "
        "staged + rejected + superseded + duplicate + out_of_scope from ops.ledger"
    )
    assert [row for row in ledger if row[2] != row[3] + row[4] or row[3] != row[5]] == []
    territory, extracts = load_project(authority.territory).territory, authority.extracts
    files = [path.relative_to(extracts) for path in extracts.rglob("*") if path.is_file()]
    assert {row[0] for row in ledger} == {source for path in files for source, _ in territory.match(path)}
    assert [row for row in ledger if row[2] == 0] == []


def test_every_mart_with_rows_is_certified_and_released(authority: Authority):
    done = authority.halle("verify")
    assert done.returncode == 0, done.stdout + done.stderr
    assert any((authority.data / "public").glob("*/latest/release.json"))


def test_a_second_run_has_nothing_to_do(authority: Authority):
    done = authority.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "othing new" in done.stdout + done.stderr


def test_every_file_is_read_by_a_card_or_listed_with_the_reason(real_extracts: Path):
    unread = {
        path.name
        for path in files_of_the_families(real_extracts)
        if not any(territory.match(path.relative_to(real_extracts)) for territory in territories())
    }
    assert unread == set(UNREAD)


def test_no_file_belongs_to_two_sources_of_a_territory(real_extracts: Path):
    for territory in territories():
        for path in files_of_the_families(real_extracts):
            assert len(territory.match(path.relative_to(real_extracts))) <= 1, (territory.name, path.name)
