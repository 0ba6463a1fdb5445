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


# --- mean daily traffic -------------------------------------------------------------------------------------------
# By hand: whole days of the CSV (23 hours in spring), an hour at 0.0 not counted where the month's mean of the hours
# above nought, by type of day, is 20 vehicles or more; vehicles of the whole months over their days.


@pytest.fixture(scope="module")
def network(run_of: Callable[[Path], Authority]) -> Authority:
    """Return the national network once its run is known to have succeeded."""
    return run_of(EXAMPLES / "reseau_national")


def test_noughts_in_the_rush_make_no_complete_month(network: Authority):
    # July and October 2020 and March 2021 have every hour only if those that no station counted are taken for traffic.
    assert network.ask(
        "select counter_id, year, months_kept, days_kept, working_days_kept, complete_days, mean_daily_traffic_veh_d, "
        "mean_working_day_traffic_veh_d from mobility.traffic_yearly where year = 2020 "
        "and source = 'cerema_rrn_horaire' and counter_id in ('MYL42.51', 'MYL42.Q1', 'MYR69.32') order by 1"
    ) == [
        ("MYL42.51", 2020, 4, 122, 83, 315, 3_305_087 / 122, 2_667_095 / 83),
        ("MYL42.Q1", 2020, 4, 122, 83, 320, 1_163_536 / 122, 913_335 / 83),
        ("MYR69.32", 2020, 3, 92, 61, 300, 1_315_469 / 92, 1_008_053 / 61),
    ]
    assert network.ask(
        "select coverage_status, count(*), count(mean_daily_traffic_veh_d) from mobility.traffic_yearly "
        "where year = 2021 and source = 'cerema_rrn_horaire' group by 1"
    ) == [("no_complete_month", 8, 0)]


def test_the_hourly_counts_keep_the_noughts_as_published(network: Authority):
    assert network.ask(
        "select substr(hour_start_local, 1, 16), flow_veh_h, measured_share, speed_measured_share "
        "from mobility.traffic_hourly where counter_id = 'MYL42.51' and hour_start_local between '2020-07-01T08' "
        "and '2020-07-01T11' order by 1"
    ) == [("2020-07-01T08:00", 2976, 1, 0), ("2020-07-01T09:00", 0, 1, 0), ("2020-07-01T10:00", 2232, 1, 0)]
