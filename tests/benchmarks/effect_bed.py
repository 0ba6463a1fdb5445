"""A warehouse filled as far as the models of the effect of works read it, and the models run on it.

Traffic comes as arrays by source; works, as sites and their distances to counters. What is measured with it is said in
``effect``. The models are those of ``dbt_project``, run by dbt on tables under the names that they read: nothing is
implemented again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from orchestration import warehouse
from orchestration.assembly import assemble
from orchestration.dbt_functions import register
from orchestration.dbt_runs import DbtProject, invoke
from orchestration.project import SAMPLE_TERRITORY, load_project
from raw_sources.database import DuckDBSettings, connect

Floats = npt.NDArray[np.float64]

ZONE = ZoneInfo("Europe/Paris")
HOURS = 24
COUNTERS_AT_ONCE = 25
MODELS = (
    "int_mobility__works_within_reach",
    "int_mobility__works_spells",
    "int_mobility__brief_works_hours",
    "int_mobility__counter_day_measures",
    "int_mobility__counter_day_levels",
    "int_mobility__counter_noise",
    "int_mobility__spell_estimates",
    "works_traffic_effect",
)
UPSTREAM = ("traffic_hourly", "works_sites", "int_mobility__counter_works_pairs", "int_mobility__counter_holidays")
CALENDAR = ("stg_territory__education_vacances_scolaires", "int_territory__calendar")

TABLES = """
create schema if not exists mobility;
create table mobility.traffic_hourly (
    source varchar, counter_id varchar, direction varchar, vehicle_class varchar, hour_start_at timestamp,
    hour_start_local varchar, measured_share decimal(5, 4), speed_measured_share decimal(5, 4), is_barred boolean,
    plausibility varchar, flow_veh_h double, occupancy_pct double, speed_kmh double, period_month varchar
);
create table mobility.works_sites (
    source varchar, site_id varchar, site_group_id varchar, is_group_primary boolean, kind varchar, disruption varchar,
    status varchar, occupies_carriageway boolean, start_on date, end_on date, start_at timestamp, end_at timestamp,
    period_precision varchar, last_day_on date
);
create table intermediate.int_mobility__counter_works_pairs (
    source varchar, counter_id varchar, works_source varchar, site_id varchar, distance_m double, position varchar
);
create table intermediate.int_mobility__counter_holidays (
    source varchar, counter_id varchar, is_alsace_moselle boolean
);
"""


@dataclass(frozen=True)
class Counts:
    """Hourly traffic of one source: arrays of (days, counters, 24 legal hours), NaN where not measured."""

    source: str
    first_day: date
    counters: Sequence[str]
    flow_veh_h: Floats
    occupancy_pct: Floats | None = None
    speed_kmh: Floats | None = None
    barred: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Site:
    """A site, and the counters within its reach: identifier, distance in metres, position.

    It ends when announced, unless ``last_day_on`` says that it left its producer's snapshots before.
    """

    source: str
    site_id: str
    start_on: date
    end_on: date | None
    near: Sequence[tuple[str, str, float, str]]
    start_at: datetime | None = None
    end_at: datetime | None = None
    group: str | None = None
    primary: bool = True
    status: str = "ended"
    on_carriageway: bool = True
    last_day_on: date | None = None


class Bed:
    """One warehouse in a folder of its own."""

    def __init__(self, folder: Path, settings: DuckDBSettings | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.settings = settings or DuckDBSettings(temp_directory=folder / "spill")
        self.dbt = DbtProject(folder / "dbt", folder / "warehouse.duckdb", self.settings, str(ZONE))
        self.folder = folder

    def fill(self, counts: Sequence[Counts], sites: Sequence[Site], as_of: date) -> None:
        """Assemble the project, and write traffic, works and the distances between them."""
        project = load_project(SAMPLE_TERRITORY)
        assemble(self.dbt.folder, project.cards.values())
        _leave_only(self.dbt.folder / "models")
        with connect(self.dbt.warehouse, self.settings) as connection:
            warehouse.prepare(connection)
            warehouse.record_territory(connection, project.territory, as_of)
            for card in project.cards.values():
                warehouse.show_raw(connection, card, self.folder, [])
            connection.execute(TABLES)
            for one in counts:
                _write_counts(connection, one)
            _write_sites(connection, sites)
            _record_keys(connection)

    def change(self, sql: str) -> None:
        """Change the tables above the models by hand, and let the models know."""
        with connect(self.dbt.warehouse, self.settings) as connection:
            connection.execute(sql)
            _record_keys(connection)

    def run(self) -> dict[str, float]:
        """Run the models; return the seconds of each. Raises AssertionError with dbt's words when one fails."""
        started = perf_counter()
        results = getattr(invoke(self.dbt, ["run", "--select", *CALENDAR, *MODELS]).result, "results", [])
        failed = {one.node.name: str(one.message) for one in results if str(one.status) != "success"}
        if failed:
            raise AssertionError(f"the models failed: {failed}")
        seconds = {one.node.name: float(one.execution_time) for one in results if one.node.name in MODELS}
        return seconds | {"dbt in all": perf_counter() - started}

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with connect(self.dbt.warehouse, self.settings) as connection:
            register(connection)
            return connection.execute(query).fetchall()

    def columns(self, query: str) -> Mapping[str, npt.NDArray[Any]]:
        """Return the columns of a query as arrays."""
        with connect(self.dbt.warehouse, self.settings) as connection:
            found = connection.execute(query).fetchnumpy()
        return {name: np.asarray(values) for name, values in found.items()}


def _leave_only(models: Path) -> None:
    """Leave the models of the effect; those above them become names for tables that are filled by hand."""
    for file in models.rglob("*"):
        if file.is_file() and file.stem not in (*MODELS, *CALENDAR, "_works_traffic_effect", "_raw_sources"):
            file.unlink()
    for name in UPSTREAM:
        folder = "intermediate" if name.startswith("int_") else "marts"
        stand_in = models / folder / "mobility" / f"{name}.sql"
        stand_in.write_text("{{ config(contract={'enforced': false}) }} select 1 as filled_by_hand", encoding="utf-8")


def clock(first_day: date, days: int) -> tuple[pa.Array, pa.Array, pa.Array, npt.NDArray[np.int64]]:
    """Return instants (UTC), legal times, months, and the cell (day * 24 + hour) of every legal hour that exists.

    The autumn hour that occurs twice is there once, as winter time.
    """
    instants, texts, months, cells = [], [], [], []
    for number in range(days):
        day = first_day + timedelta(days=number)
        for hour in range(HOURS):
            legal = datetime(day.year, day.month, day.day, hour, tzinfo=ZONE, fold=1)
            instant = legal.astimezone(UTC)
            if instant.astimezone(ZONE).hour == hour:
                instants.append(instant.replace(tzinfo=None))
                texts.append(legal.isoformat())
                months.append(f"{day:%Y-%m}")
                cells.append(number * HOURS + hour)
    return pa.array(instants, pa.timestamp("us")), pa.array(texts), pa.array(months), np.asarray(cells, dtype=np.int64)


def _write_counts(connection: duckdb.DuckDBPyConnection, counts: Counts) -> None:
    instants, texts, months, cells = clock(counts.first_day, len(counts.flow_veh_h))
    hours = pa.table({"cell": cells, "hour_start_at": instants, "hour_start_local": texts, "period_month": months})
    connection.register("legal_hours", hours)
    names = pa.table({"place": np.arange(len(counts.counters)), "counter_id": list(counts.counters)})
    connection.register("counters", names)
    for first in range(0, len(counts.counters), COUNTERS_AT_ONCE):
        places = slice(first, min(first + COUNTERS_AT_ONCE, len(counts.counters)))
        connection.register("measures", _measures(counts, places, cells))
        connection.execute(
            "insert into mobility.traffic_hourly select ?, counter_id, 'one_way', 'all', hour_start_at, "
            "hour_start_local, case when coalesce(flow_veh_h, occupancy_pct, speed_kmh) is null then 0 else 1 end, "
            "case when speed_kmh is null then 0 else 1 end, is_barred, "
            "case when coalesce(flow_veh_h, occupancy_pct, speed_kmh) is null then 'not_measured' "
            "when flow_veh_h > 12000 then 'implausible_flow' else 'plausible' end, "
            "flow_veh_h, occupancy_pct, speed_kmh, period_month "
            "from measures join legal_hours using (cell) join counters using (place)",
            [counts.source],
        )


def _measures(counts: Counts, places: slice, cells: npt.NDArray[np.int64]) -> pa.Table:
    """Return the hours of some counters, one after the other, as a table."""
    chosen = np.arange(places.start, places.stop)
    table = {"place": np.repeat(chosen, len(cells)), "cell": np.tile(cells, len(chosen))}
    listed = {"flow_veh_h": counts.flow_veh_h, "occupancy_pct": counts.occupancy_pct, "speed_kmh": counts.speed_kmh}
    for name, values in listed.items():
        table[name] = (
            pa.nulls(len(cells) * len(chosen), pa.float64())
            if values is None
            else pa.array(_in_rows(values, places, cells), from_pandas=True)
        )
    barred = np.zeros(len(cells) * len(chosen), dtype=np.bool_)
    table["is_barred"] = barred if counts.barred is None else _in_rows(counts.barred, places, cells)
    return pa.table(table)


def _in_rows(values: npt.NDArray[Any], places: slice, cells: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    by_counter = np.moveaxis(values[:, places, :], 1, 0)
    return np.ascontiguousarray(by_counter).reshape(len(by_counter), -1)[:, cells].reshape(-1)


def _write_sites(connection: duckdb.DuckDBPyConnection, sites: Sequence[Site]) -> None:
    rows = [
        {
            "source": one.source,
            "site_id": one.site_id,
            "site_group_id": one.group or f"{one.source}:{one.site_id}",
            "is_group_primary": one.primary,
            "kind": "closure" if one.start_at else "road_works",
            "disruption": "road_closed" if one.start_at else "lane_restricted",
            "status": one.status,
            "occupies_carriageway": one.on_carriageway,
            "start_on": one.start_on,
            "end_on": one.end_on,
            "start_at": one.start_at,
            "end_at": one.end_at,
            "period_precision": "instant" if one.start_at else "date",
            "last_day_on": one.last_day_on or one.end_on,
        }
        for one in sites
    ]
    near = [
        dict(zip(("source", "counter_id", "works_source", "site_id", "distance_m", "position"), pair, strict=True))
        for one in sites
        for pair in [(*place[:2], one.source, one.site_id, *place[2:]) for place in one.near]
    ]
    for table, content in (("mobility.works_sites", rows), ("intermediate.int_mobility__counter_works_pairs", near)):
        if content:
            connection.register("written", pa.Table.from_pylist(content))
            connection.execute(f"insert into {table} by name select * from written")


def _record_keys(connection: duckdb.DuckDBPyConnection) -> None:
    """Give the tables above the models the build keys by which these see that they have changed."""
    connection.execute(f"delete from ops.build_keys where model in {UPSTREAM}")
    connection.execute(
        "insert into ops.build_keys "
        "select 'traffic_hourly', period_month, '', '', cast(sum(hash(traffic)) as varchar) "
        "from mobility.traffic_hourly as traffic group by period_month union all "
        "select 'works_sites', '*', '', '', cast(sum(hash(sites)) as varchar) "
        "from mobility.works_sites as sites union all "
        "select 'int_mobility__counter_works_pairs', '*', '', '', cast(sum(hash(pairs)) as varchar) "
        "from intermediate.int_mobility__counter_works_pairs as pairs union all "
        "select 'int_mobility__counter_holidays', '*', '', '', coalesce(cast(sum(hash(laws)) as varchar), '') "
        "from intermediate.int_mobility__counter_holidays as laws"
    )
