"""Hourly counts of the national network on real extracts: the year's means, worked out by hand from the published file.

By hand: whole days of the CSV (23 hours in spring), an hour at 0.0 not counted where the month's mean of the hours
above nought, by type of day, is 20 vehicles or more; vehicles of the whole months over their days.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.real.conftest import EXAMPLES, Authority

SAINT_ETIENNE = "traffic/rrn_saint-etienne_horaire_2020-2021.csv"
STATIONS = "traffic/rrn_stations_tipi_focus.csv"
STRASBOURG, LYON = "MZB67.V1", "MYR69.32"
GOOD_FRIDAY, EASTER_MONDAY = date(2021, 4, 2), date(2021, 4, 5)

TERRITORY = """\
name: essai
title: {fr: Essai, en: Test}
siren: "999999998"
communes: {vintage: 2026, codes: []}
time_zone: Europe/Paris
publisher: {name: Essais}
contact: essais@halle.example
base_url: https://halle.example
bbox: [-5.3, 41.2, 9.7, 51.2]
reach_m: 500
synthetic: false
feeds:
  cerema_rrn_horaire:
  cerema_stations_tipi:
"""


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


@pytest.fixture(scope="module")
def easter(real_extracts: Path, tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return April 2021 at two real stations: 1,000 vehicles an hour from Monday to Friday, 500 at weekends.

    200 on Good Friday and on Easter Monday.
    """
    folder = tmp_path_factory.mktemp("easter")
    (folder / "extracts" / "traffic").mkdir(parents=True)
    shutil.copyfile(real_extracts / STATIONS, folder / "extracts" / STATIONS)
    with (folder / "extracts" / SAINT_ETIENNE).open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, delimiter=";")
        rows.writerow(["code_pme", "horodate", "debit"])
        for day in (date(2021, 4, 1) + timedelta(days=number) for number in range(30)):
            flow = 200.0 if day in (GOOD_FRIDAY, EASTER_MONDAY) else 1000.0 if day.weekday() < 5 else 500.0
            rows.writerows(
                (counter, f"{day} {hour:02}:00:00", flow) for counter in (STRASBOURG, LYON) for hour in range(24)
            )
    (folder / "territory.yml").write_text(TERRITORY, encoding="utf-8")
    made = Authority(folder / "data", folder / "extracts", folder)
    ended = made.run()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return made


def test_good_friday_is_no_working_day_in_alsace(easter: Authority):
    assert easter.ask(
        "select counter_id, working_days_kept, mean_daily_traffic_veh_d, mean_working_day_traffic_veh_d "
        "from mobility.traffic_yearly order by 1"
    ) == [(LYON, 21, 19_520, (20 * 24_000 + 4_800) / 21), (STRASBOURG, 20, 19_520, 24_000)]
