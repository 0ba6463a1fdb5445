"""The electricity load on real extracts: a métropole's years with both clock changes, and a region in real time.

The figures were counted on the files themselves, without halle. Dagster is left out: what it does is tested elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration import modelling, running
from orchestration.dbt_runs import DbtProject, build
from orchestration.project import load_project
from orchestration.run import Run
from orchestration.running import run_territory
from orchestration.workspace import Workspace

LOADS = Path(__file__).parent / "territories" / "loads"
MART = "energy.load_half_hourly"
LYON = "200046977"


@dataclass(frozen=True)
class Loads:
    """The run of the loads, and the means to question its warehouse."""

    run: Run

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.run.workspace.warehouse), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def night(self, day: str) -> list[tuple[Any, ...]]:
        """Return the half-hours of a night of Lyon from 01:00 until 03:00, legal time with its offset."""
        return self.ask(
            f"select start_local[12:], consumption_mw, consumption_status from {MART} where zone_code = '{LYON}' "
            f"and start_local between '{day}T01' and '{day}T03:15' order by start_at"
        )


def execute(run: Run, _themes: list[str]) -> None:
    """Build and judge this one mart, with what it is made of."""
    run.as_of()
    workspace = run.workspace
    dbt = DbtProject(
        modelling.dbt_folder(workspace), workspace.warehouse, workspace.duckdb, run.project.territory.time_zone
    )
    built = build(dbt, ["+load_half_hourly"])
    assert not modelling.failures(built), modelling.failure_sentence(modelling.failures(built))
    run.validate(MART)


@pytest.fixture(scope="module")
def loads(real_extracts: Path, tmp_path_factory: pytest.TempPathFactory) -> Loads:
    data = tmp_path_factory.mktemp("loads") / "data"
    run = Run(load_project(LOADS), Workspace(data), extracts=real_extracts, now=datetime.now(UTC), themes=("energy",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "_execute", execute)
        run_territory(run)
    return Loads(run)


def test_the_mart_holds_its_suite(loads: Loads):
    assert loads.run.certificates[MART].status == "passed"
    assert loads.run.problems == []


def test_every_record_is_accounted_for(loads: Loads):
    assert loads.ask("select file_name, records_read, staged, rejected from ops.ledger order by file_name") == [
        ("eco2mix_grand_lyon_2017_cp1252.csv", 24672, 24672, 0),
        ("eco2mix_grand_lyon_2022_cp1252.csv", 35040, 35036, 4),
        ("eco2mix_regional_tr_2020_labels.csv", 3456, 3456, 0),
    ]
    assert loads.ask("select distinct left(reason, 63) from ops.rejects") == [
        ("this time does not exist in legal time (spring change): 27/03/2",)
    ]


def test_missing_measures_are_not_available(loads: Loads):
    found = loads.ask(
        "select period_month[:4], count(*) from staging.stg_energy__rte_eco2mix_metropoles "
        "where load_status = 'not_available' and consumption_mw is null group by 1 order by 1"
    )
    # 336 in 2022, of which 4 at a time that does not exist.
    assert found == [("2017", 468), ("2022", 332)]


def test_quarters_make_half_hours(loads: Loads):
    found = loads.ask(
        f"select period_month[:4], consumption_status, measured_share, count(*) from {MART} "
        f"where zone_code = '{LYON}' group by all order by all"
    )
    # Of 2017, 195 half-hours without a quarter, and the two of the hour lost in autumn; of 2022, 151 and two.
    assert found == [
        ("2017", "estimated", Decimal("0.5"), 78),
        ("2017", "measured", 1, 12063),
        ("2017", "not_available", 0, 197),
        ("2022", "estimated", Decimal("0.5"), 30),
        ("2022", "measured", 1, 17337),
        ("2022", "not_available", 0, 153),
    ]
    assert loads.ask(
        f"select period_month, sum(consumption_mw) * 0.5, max(consumption_mw) > 0 from {MART} "
        f"where zone_code = '{LYON}' and period_month in ('2017-07', '2022-07') group by 1 order by 1"
    ) == [("2017-07", 646652.75, True), ("2022-07", 654430.5, True)]


def test_the_hour_lost_in_autumn_is_stated(loads: Loads):
    assert loads.night("2017-10-29") == [
        ("01:00:00+02:00", 836.0, "measured"),
        ("01:30:00+02:00", 803.5, "measured"),
        ("02:00:00+02:00", None, "not_available"),
        ("02:30:00+02:00", None, "not_available"),
        ("02:00:00+01:00", 776.5, "measured"),
        ("02:30:00+01:00", 752.5, "measured"),
        ("03:00:00+01:00", 728.5, "measured"),
    ]
    # A single quarter of that hour was measured in 2022.
    assert loads.night("2022-10-30")[4:6] == [
        ("02:00:00+01:00", 606.0, "estimated"),
        ("02:30:00+01:00", None, "not_available"),
    ]


def test_the_hour_that_does_not_exist_in_spring_is_not_there(loads: Loads):
    assert loads.night("2022-03-27") == [
        ("01:00:00+01:00", 832.5, "measured"),
        ("01:30:00+01:00", 823.5, "measured"),
        ("03:00:00+02:00", None, "not_available"),
    ]


def test_a_region_in_real_time_ends_at_its_last_known_step(loads: Loads):
    found = loads.ask(
        f"select max(start_local), count(*), count(consumption_mw), max(step_s), count(nuclear_mw) from {MART} "
        "where zone_code = '93'"
    )
    # 1,680 half-hours and three of the night of 10 May; 90 quarters after 01:15 of 5 June are empty.
    assert found == [("2020-06-05T01:00:00+02:00", 1683, 1680, 900, 0)]
    # Wind and sun were published alone that night: a floor.
    assert loads.ask(
        f"select production_mw, production_status from {MART} where start_local = '2020-05-10T02:30:00+02:00'"
    ) == [(3.0, "partial")]
