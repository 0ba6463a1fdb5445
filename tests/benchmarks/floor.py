"""The floor: one script by hand, from the same files to the same marts, checks, fingerprints and exports as a run.

``floor.sql`` types and joins; here are what goes before it (the files, their hashes and lines) and after it (checks and
exports). The script may know everything of this one territory, which the warehouse may not; it keeps no raw copy, no
landing, no refused record, nothing for the next run, and it does not recover from an interruption. Run as a process of
its own, so that its memory can be told from the benchmark's: ``python -m tests.benchmarks.floor WORK``.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from duckdb.sqltypes import BOOLEAN, DOUBLE, VARCHAR

from raw_sources import geometry

MEMORY_LIMIT = "2GB"
THREADS = 2
PARTITIONED_ABOVE = 1_000_000
EXCEL_BELOW = 1_000_000
CHUNK_BYTES = 1 << 22

PLAN_FILE = "deliveries.json"
RESULT_FILE = "floor.json"

SOURCES = {
    "labels": ("paris_comptages_permanents", "comptages-routiers-permanents_*.csv"),
    "archives": ("paris_comptages_permanents", "trafic_capteurs_*.txt"),
    "pages": ("paris_comptages_permanents", "comptages-routiers-permanents_api_*.json"),
    "arcs": ("paris_referentiel_comptages", "referentiel-comptages-routiers_*.csv"),
    "perturbing": ("paris_chantiers_perturbants", "chantiers-perturbants_*.csv"),
    "occupying": ("paris_chantiers", "chantiers-emprises_2*.csv"),
    "occupying_pages": ("paris_chantiers", "chantiers-emprises_api_*.json"),
    "closing": ("paris_fermetures_voirie", "fermetures-voirie_*.csv"),
    "outlines": ("ign_contours_communes", "communes-100m_*.geojson"),
}
"""For each variable of floor.sql, the source that its files belong to and their names."""

MARTS = {
    "traffic_hourly": ("period_month", "source, counter_id, direction, vehicle_class, hour_start_at"),
    "works_sites": (None, "source, site_id"),
    "counter_works_daily": ("period_month", "source, counter_id, day_on, works_source, site_id"),
    "traffic_yearly": (None, "source, counter_id, direction, vehicle_class, year"),
}
"""For each mart, the column of its months (None when it has none) and its key."""

CHECKS = {
    "traffic_hourly": """
        select
            count(*) filter (where source is null or counter_id is null or direction is null or vehicle_class is null
                or hour_start_at is null or hour_start_local is null or measure_kind is null or traffic_state is null
                or measured_share is null or speed_measured_share is null or is_barred is null or plausibility is null
                or period_month is null),
            count(*) filter (where flow_veh_h < 0 or (flow_veh_h > 12000 and plausibility <> 'implausible_flow')),
            count(*) filter (where occupancy_pct not between 0 and 100),
            count(*) filter (where speed_kmh not between 0 and 250),
            count(*) filter (where (flow_veh_h is null) <> (flow_status = 'not_available')),
            count(*) filter (where (occupancy_pct is null) <> (occupancy_status = 'not_available')),
            count(*) filter (where (speed_kmh is null) <> (speed_status = 'not_available')),
            count(*) filter (where measured_share not between 0 and 1),
            count(*) filter (where speed_measured_share not between 0 and 1),
            count(*) filter (where measure_kind not in ('count', 'occupancy', 'speed', 'floating_car_speed', 'none')),
            count(*) filter (where traffic_state not in ('unknown', 'fluid', 'pre_saturated', 'saturated', 'blocked')),
            count(*) filter (where not regexp_full_match(plausibility, '[a-z]+(_[a-z]+)*')),
            count(*) filter (where hour_start_at <> date_trunc('hour', hour_start_at)),
            count(*) filter (where not regexp_full_match(hour_start_local,
                '[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:00[+-][0-9]{2}:[0-9]{2}')),
            count(*) filter (where left(hour_start_local, 7) <> period_month),
            count(*) filter (where (case measure_kind
                when 'count' then flow_veh_h is not null and speed_kmh is null
                when 'occupancy' then occupancy_pct is not null and flow_veh_h is null and speed_kmh is null
                else flow_veh_h is null and occupancy_pct is null and speed_kmh is null end) is not true),
            count(*) filter (where (measure_kind = 'none') <> (measured_share = 0)),
            count(*) filter (where (speed_kmh is null) <> (speed_measured_share = 0)),
            count(*) filter (where place_of(lon, lat) <> 'inside' or (lon is null) <> (lat is null))
        from traffic_hourly""",
    "every record is in the mart": """
        select count(*) - (
            select sum(records - rejected - duplicate - superseded)
            from outcomes where source = 'paris_comptages_permanents'
        )
        from traffic_hourly""",
    "months are measured": """
        select count(*) from (
            select period_month from traffic_hourly group by period_month
            having count(*) >= 500 and count(*) filter (where measure_kind <> 'none') * 100 < count(*) * 5
        )""",
    "local time agrees with UTC": """
        select count(*) from (select distinct hour_start_at, hour_start_local from traffic_hourly)
        where timezone('UTC', cast(hour_start_local as timestamptz)) <> hour_start_at""",
    "works_sites": """
        select
            count(*) filter (where kind is null or disruption is null or status is null or version_count < 1),
            count(*) filter (where disruption_level not between 0 and 5),
            count(*) filter (where stated_phase not in ('planned', 'ongoing', 'ended', 'cancelled', 'suspended')),
            count(*) filter (where phase_contradicts_dates <> (coalesce(stated_phase in ('planned', 'ongoing', 'ended'),
                false) and status <> 'unknown' and stated_phase <> status)),
            count(*) filter (where direction not in ('both', 'one', 'unknown') or lanes_closed not between 0 and 12),
            count(*) filter (where (commune_code is null) <> (commune_vintage is null)),
            count(*) filter (where not regexp_full_match(commune_code, '([0-9]{2}|2[AB])[0-9]{3}')),
            count(*) filter (where start_on > end_on or start_at > end_at or last_day_on > end_on),
            count(*) filter (where (period_precision = 'date') <> (start_at is null and end_at is null)),
            count(*) filter (where match_evidence is not null and not json_valid(match_evidence)),
            count(*) filter (where json_array_length(announced_versions) <> version_count),
            count(*) filter (where surface_m2 not between 0 and 2000000),
            count(*) filter (where (surface_m2 is null) <> (surface_status = 'not_available')),
            count(*) filter (where geometry is not null and json_extract_string(geometry, '$.type') is null),
            count(*) filter (where place_of(lon, lat) <> 'inside')
        from works_sites""",
    "a group has one primary": """
        select count(*) from (
            select site_group_id from works_sites group by site_group_id
            having count(*) filter (where is_group_primary) <> 1
        )""",
    "counter_works_daily": """
        select
            count(*) filter (where day_on is null or distance_m is null or kind is null or measured_hours is null),
            count(*) filter (where distance_m not between 0 and (select reach_m from territory)),
            count(*) filter (where position not in ('on', 'upstream', 'downstream', 'beside')),
            count(*) filter (where measured_hours not between 0 and 25),
            count(*) filter (where strftime(day_on, '%Y-%m') <> period_month)
        from counter_works_daily""",
    "traffic_yearly": """
        select
            count(*) filter (where coverage_status <> case when months_kept = 12 then 'complete_year'
                when months_kept > 0 then 'some_months' else 'no_complete_month' end),
            count(*) filter (where (mean_daily_traffic_veh_d is null) <> (months_kept = 0)),
            count(*) filter (where (mean_daily_traffic_veh_d is null) <> (mean_daily_traffic_status = 'not_available')),
            count(*) filter (where (mean_working_day_traffic_veh_d is null)
                <> (mean_working_day_traffic_status = 'not_available')),
            count(*) filter (where (section_length_m is null) <> (section_length_status = 'not_available')),
            count(*) filter (where (traffic_volume_veh_km_d is null) <> (traffic_volume_status = 'not_available')),
            count(*) filter (where days_kept not between 28 * months_kept and 31 * months_kept
                or days_kept > complete_days or complete_days > days_in_year or working_days_kept > days_kept),
            count(*) filter (where mean_daily_traffic_veh_d not between 0 and 288000),
            count(*) filter (where mean_working_day_traffic_veh_d not between 0 and 288000),
            count(*) filter (where abs(traffic_volume_veh_km_d - mean_daily_traffic_veh_d * section_length_m / 1000)
                > 1e-6 * (1 + traffic_volume_veh_km_d)),
            count(*) filter (where year not between 1980 and 2099),
            count(*) filter (where (commune_code is null) <> (commune_vintage is null)),
            count(*) filter (where place_of(lon, lat) <> 'inside' or (lon is null) <> (lat is null))
        from traffic_yearly""",
    "means are of counters that were heard": """
        select count(*) from traffic_yearly as means
        anti join traffic_hourly as counters on counters.counter_id = means.counter_id""",
    "works are known and under way": """
        select count(*)
        from (select distinct works_source, site_id, day_on from counter_works_daily) as days
        left join works_sites as works on works.source = days.works_source and works.site_id = days.site_id
        where works.site_id is null or days.day_on < works.start_on or days.day_on > works.last_day_on""",
} | {
    f"the key of {mart} is unique": f"select count(*) from (select 1 from {mart} group by {key} having count(*) > 1)"
    for mart, (_, key) in MARTS.items()
}
"""Queries of counts that must all be zero: what the suites of the marts ask, in as few scans as can be."""


@dataclass
class Stopwatch:
    """Seconds by stage, in the order of the stages."""

    seconds: dict[str, float]

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the seconds of the block to the stage."""
        started = perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + perf_counter() - started


def register_geometry(connection: duckdb.DuckDBPyConnection) -> None:
    """Give the script the same geometry as the warehouse: distances are data, not a matter of speed."""
    texts: list[Any] = [VARCHAR, VARCHAR]
    connection.create_function("geo_distance_m", _distance, texts, DOUBLE, type="arrow")  # type: ignore[arg-type]
    connection.create_function("geo_position", _position, texts, VARCHAR, type="arrow")  # type: ignore[arg-type]
    connection.create_function("geo_length_m", _length, [VARCHAR], DOUBLE, type="arrow")  # type: ignore[arg-type]
    point: list[Any] = [VARCHAR, DOUBLE, DOUBLE]
    connection.create_function("geo_contains", _contains, point, BOOLEAN, type="arrow")  # type: ignore[arg-type]
    box: Any = duckdb.list_type(DOUBLE)
    connection.create_function("geo_bounds", _bounds, [VARCHAR], box, type="arrow")  # type: ignore[arg-type]


def _distance(left: pa.Array, right: pa.Array) -> pa.Array:
    shapes = geometry.parse(left.to_pylist()), geometry.parse(right.to_pylist())
    return pa.array(geometry.distances_m(*shapes), from_pandas=True)


def _position(line: pa.Array, other: pa.Array) -> pa.Array:
    shapes = geometry.parse(line.to_pylist()), geometry.parse(other.to_pylist())
    return pa.array(geometry.positions(*shapes), type=pa.string())


def _length(line: pa.Array) -> pa.Array:
    return pa.array(geometry.lengths_m(geometry.parse(line.to_pylist())))


def _contains(contour: pa.Array, lon: pa.Array, lat: pa.Array) -> pa.Array:
    return pa.array(geometry.contains(contour.to_pylist(), np.asarray(lon), np.asarray(lat)), type=pa.bool_())


def _bounds(text: pa.Array) -> pa.Array:
    return pa.array(np.asarray(geometry.envelopes(geometry.parse(text.to_pylist()))).tolist())


def prepare(connection: duckdb.DuckDBPyConnection, plan: dict[str, Any], work: Path) -> None:
    """Write what floor.sql reads: the deliveries in their order, the territory, the lists of files by form."""
    connection.execute("set TimeZone = 'UTC'")
    connection.execute(
        "create table deliveries "
        "(source varchar, delivery_order bigint, path varchar, file_date varchar, is_partial boolean, "
        "sha256 varchar, lines bigint)"
    )
    for one in plan["deliveries"]:
        digest, lines = _read_through(Path(one["path"]))
        row = [one["source"], one["order"], one["path"], one["file_date"] or "", one["partial"], digest, lines]
        connection.execute("insert into deliveries values (?, ?, ?, ?, ?, ?, ?)", row)
    place = plan["territory"]
    connection.execute(
        "create table territory as select ? as min_lon, ? as min_lat, ? as max_lon, ? as max_lat, ? as reach_m, "
        "cast(? as date) as as_of",
        [*place["bbox"], place["reach_m"], place["as_of"]],
    )
    connection.execute(
        "create table outcomes (source varchar, delivery_order bigint, records bigint, rejected bigint, "
        "duplicate bigint default 0, superseded bigint default 0)"
    )
    for name, (source, pattern) in SOURCES.items():
        paths = [
            one["path"]
            for one in plan["deliveries"]
            if one["source"] == source and Path(one["path"]).match(pattern) and not _is_other_form(name, one["path"])
        ]
        connection.execute(f"set variable {name} = {paths or [str(_stand_in(name, work))]}")


def _stand_in(name: str, work: Path) -> Path:
    """Write a file without a record: DuckDB reads no empty list of files."""
    path = work / f"no-{name}"
    empty = {"pages": '{"results": []}', "occupying_pages": "[]", "outlines": '{"features": []}'}
    path.write_text(empty.get(name, "\n"), encoding="utf-8")
    return path


def _is_other_form(name: str, path: str) -> bool:
    return name in ("labels", "occupying") and "_api_" in path


def _read_through(path: Path) -> tuple[str, int]:
    """Return the SHA-256 and the number of lines of a file."""
    digest, lines = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
            lines += chunk.count(b"\n")
    return digest.hexdigest(), lines


def run_sql(connection: duckdb.DuckDBPyConnection, watch: Stopwatch) -> None:
    """Run floor.sql, section by section (``-- 1. …``)."""
    sections = re.split(r"^-- \d+\. ", Path(__file__).with_name("floor.sql").read_text(encoding="utf-8"), flags=re.M)
    for section in sections:
        title = section.split(".")[0].split(":")[0] if section is not sections[0] else "macros"
        with watch.stage(title.lower()):
            connection.execute("-- " + section)


def check(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the names of the checks that do not hold."""
    return [name for name, query in CHECKS.items() if any(connection.execute(query).fetchone() or (None,))]


def fingerprint(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[str], period: str | None
) -> Any:
    """Return rows and sum of row hashes by month, as the certificates of the warehouse hold them."""
    part = period or "'*'"
    rows = connection.execute(
        f"select {part}, count(*), cast(sum(cast(hash({', '.join(columns)}) as hugeint)) as varchar) "
        f"from {relation} group by 1 order by 1"
    ).fetchall()
    return {name: [count, hashed] for name, count, hashed in rows}


def export(connection: duckdb.DuckDBPyConnection, mart: str, out: Path) -> None:
    """Write the mart as sorted Parquet and CSV, by month above a million rows, and as CSV for Excel below."""
    period, key = MARTS[mart]
    rows, *_ = connection.execute(f"select count(*) from {mart}").fetchone() or (0,)
    months: Sequence[str | None] = [None]
    if period and rows > PARTITIONED_ABOVE:
        months = [m for (m,) in connection.execute(f"select distinct {period} from {mart} order by 1").fetchall()]
    for month in months:
        stem = out / (f"{mart}-{month}" if month else mart)
        chosen = f"where {period} = '{month}'" if month else ""
        parquet = f"read_parquet('{stem}.parquet')"
        connection.execute(
            f"copy (select * from {mart} {chosen} order by {key}) to '{stem}.parquet' "
            "(format parquet, compression zstd, row_group_size 122880)"
        )
        connection.execute(
            f"copy (select {_cells(connection, mart, 'z')} from {parquet}) to '{stem}.csv' (header true)"
        )
    if rows < EXCEL_BELOW:
        cells = _cells(connection, mart, "comma")
        excel = f"copy (select {cells} from read_parquet('{out / mart}.parquet')) to '{out / mart}.excel-fr.csv'"
        connection.execute(f"{excel} (header true, delimiter ';')")


def _cells(connection: duckdb.DuckDBPyConnection, mart: str, form: str) -> str:
    """Return the columns of a mart as text cells: instants with their Z, or numbers with their comma."""
    cells = []
    for name, kind, *_ in connection.execute(f"describe {mart}").fetchall():
        if kind == "TIMESTAMP":
            cells.append(f"""strftime("{name}", '%Y-%m-%dT%H:%M:%SZ') as "{name}\"""")
        elif form == "comma" and kind.startswith(("DOUBLE", "DECIMAL")):
            cells.append(f"""replace(cast("{name}" as varchar), '.', ',') as "{name}\"""")
        else:
            cells.append(f'"{name}"')
    return ", ".join(cells)


def write_sums(out: Path) -> None:
    """Write SHA256SUMS of the exported files."""
    files = sorted(path for path in out.iterdir() if path.suffix in (".parquet", ".csv"))
    lines = [f"{_read_through(path)[0]}  {path.name}\n" for path in files]
    (out / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def main(work: Path) -> int:
    """Run the floor in the folder ``work``, which holds its plan; write its result beside it. 1 when a check fails."""
    plan = json.loads((work / PLAN_FILE).read_text(encoding="utf-8"))
    out = work / "out"
    out.mkdir()
    watch = Stopwatch({})
    settings = {"memory_limit": MEMORY_LIMIT, "threads": THREADS, "temp_directory": str(work / "spill")}
    with duckdb.connect(str(work / "floor.duckdb"), config=settings) as connection:  # type: ignore[arg-type]
        register_geometry(connection)
        with watch.stage("hashes and lines"):
            prepare(connection, plan, work)
        run_sql(connection, watch)
        with watch.stage("checks"):
            broken = check(connection)
        with watch.stage("fingerprints"):
            prints = {mart: _fingerprint_of(connection, mart, mart) for mart in MARTS}
        with watch.stage("exports"):
            for mart in MARTS:
                export(connection, mart, out)
            write_sums(out)
        with watch.stage("fingerprints of the files"):
            written = {
                mart: _fingerprint_of(connection, mart, f"read_parquet('{out / mart}*.parquet')") for mart in MARTS
            }
        broken += [f"the files of {mart} are not its rows" for mart in MARTS if prints[mart] != written[mart]]
        result = {"seconds": watch.seconds, "fingerprints": prints, "broken": broken, "ledger": _ledger(connection)}
    (work / RESULT_FILE).write_text(json.dumps(result, indent=2), encoding="utf-8")
    return 1 if broken else 0


def _fingerprint_of(connection: duckdb.DuckDBPyConnection, mart: str, relation: str) -> Any:
    columns = [f'"{name}"' for name, *_ in connection.execute(f"describe {mart}").fetchall()]
    return fingerprint(connection, relation, columns, MARTS[mart][0])


def _ledger(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Return, by source, records typed and refused; those that no reader could split are not among them."""
    rows = connection.execute(
        "select source, sum(records), sum(rejected) from outcomes group by source order by source"
    ).fetchall()
    return {source: [int(records), int(rejected)] for source, records, rejected in rows}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
