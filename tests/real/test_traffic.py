"""Working days by the law of the département: real stations of Alsace and of Lyon, with counts made for the purpose."""

from __future__ import annotations

import csv
import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.real.conftest import Authority

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
