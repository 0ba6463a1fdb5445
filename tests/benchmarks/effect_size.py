"""How long the models of the effect of works take at size: ``make bench-effect ARGS="--hours 30000000"``.

A town of the generator, a year long and as many counters as the hours need, with its works. The models run in a process
of their own, under the warehouse's memory limit. The floor, in the same process just before: one query that reads every
hour once and makes the daily mean of each counter, which any method has to do.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np

from raw_sources.database import connect
from tests.benchmarks.__main__ import table, timed
from tests.benchmarks.effect import REACH_M, town_with_works
from tests.benchmarks.effect_bed import MODELS, Bed

DAYS = 365
HOURS_OF_YEAR = 24 * DAYS
SEED = 3
RESULT = "size.json"
FLOOR = """
select count(*), sum(daily) from (
    select avg(flow_veh_h) as daily
    from mobility.traffic_hourly
    group by source, counter_id, substr(hour_start_local, 1, 10)
)
"""


def size_report(folder: Path, hours: int, say: Callable[[str], None]) -> str:
    """Fill a warehouse with about ``hours`` hourly counts, run the models, return their seconds, memory and ratio."""
    say("drawing the town")
    place, counts, sites = town_with_works(max(20, round(hours / HOURS_OF_YEAR)), DAYS, SEED, REACH_M)
    occupancy = np.clip(counts.flow_veh_h / 50, 0.1, 99)
    say("filling the warehouse")
    Bed(folder).fill([replace(counts, occupancy_pct=occupancy)], sites, place.plan.last_day)
    say("running the models")
    measured = timed([sys.executable, "-m", "tests.benchmarks.effect_size", str(folder)], folder / "log")
    found = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    models = found["models"]
    whole = sum(seconds for name, seconds in models.items() if name in MODELS)
    lines = [["model", "seconds"], *([name, f"{seconds:.1f}"] for name, seconds in models.items())]
    figures = (
        f"{found['hours']:,} hours, {len(counts.counters):,} counters, {len(sites):,} sites, {found['rows']:,} rows; "
        f"memory limit {found['memory_limit']}\n"
        f"models {whole:.1f} s of wall clock, floor {found['floor']:.1f} s: ratio {whole / found['floor']:.1f}; "
        f"the process {measured.cpu:.1f} s of processor, peak {measured.peak_mb / 1000:.1f} GB"
    )
    return f"{figures}\n\n{table(lines)}"


def _run(folder: Path) -> None:
    bed = Bed(folder)
    with connect(bed.dbt.warehouse, bed.settings) as connection:
        started = perf_counter()
        connection.execute(FLOOR).fetchall()
        floor = perf_counter() - started
    models = bed.run()
    ((hours,),) = bed.ask("select count(*) from mobility.traffic_hourly")
    ((rows,),) = bed.ask("select count(*) from mobility.works_traffic_effect")
    result = {"hours": hours, "rows": rows, "floor": floor, "models": models, "memory_limit": bed.settings.memory_limit}
    (folder / RESULT).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    _run(Path(sys.argv[1]))
