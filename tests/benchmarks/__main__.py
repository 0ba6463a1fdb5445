"""Times a whole run against one script by hand that does the same work on the same files: ``make bench ARGS=…``.

It generates a city, then runs ``halle run`` three times, each as a process of its own: on all files but those of the
last month; again, with nothing new; with the last month, its corrections and its snapshots. The script (``floor``) is
run on what was known after the first and the third. The marts of both must be equal, or there is nothing to compare.
What the run makes besides, and the script does not, is named under the figures with the seconds of its models; the
ratios are of the whole run all the same, so that they overstate what the warehouse costs.
Nothing here passes or fails by speed: the figures are printed, and depend on the machine; the ratios do so less.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import dagster as dg

from expectations import certificate
from orchestration import modelling
from orchestration.assets.names import model_key
from orchestration.project import SAMPLE_TERRITORY, Project, load_project
from orchestration.workspace import Workspace
from raw_sources.card import Card
from raw_sources.database import connect
from raw_sources.files import read_json, write_json
from raw_sources.landing import Landing, delivery_order
from raw_sources.sample.generate import Manifest, generate
from tests.benchmarks import floor

DEFAULT_SCALE = 33.0
"""About a million hourly records."""

ROOT = Path(__file__).parents[2]
HALLE = [sys.executable, "-c", "from orchestration.cli import main; main()"]
STAGE = re.compile(r"^(\S.*?)\s{2,}([0-9]+\.[0-9])\s*$")


class Disagreement(AssertionError):
    """The run and the script did not make the same marts, so that their times say nothing."""


@dataclass(frozen=True)
class Measure:
    """What one process took: seconds of wall clock, seconds of processor, peak resident memory in MB."""

    wall: float
    cpu: float
    peak_mb: float
    stages: Mapping[str, float]


@dataclass(frozen=True)
class Beyond:
    """What a run makes and the script does not: the marts, and the seconds of their models as dbt tells them.

    Their checks, files and share of the start are not in these seconds.
    """

    marts: tuple[str, ...]
    models: int
    seconds: float

    def sentence(self) -> str:
        """Return it as a sentence."""
        marts = ", ".join(self.marts)
        return f"the script does not make {marts}: {self.models} models, {self.seconds:.1f} s of the run"


@dataclass(frozen=True)
class Comparison:
    """A run and, unless it had nothing to do, the script on all that was known after it."""

    title: str
    run: Measure
    floor: Measure | None
    beyond: Beyond | None = None


def timed(command: Sequence[str], log: Path) -> Measure:
    """Run ``command`` to its end, its output in ``log``; raises RuntimeError with that output when it fails."""
    started = perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    wall = perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} ended {process.returncode}:\n{log.read_text(encoding='utf-8')}")
    unit = 1024 if sys.platform != "darwin" else 1024 * 1024  # getrusage: kilobytes on Linux, bytes on macOS
    return Measure(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit, _stages(log))


def _stages(log: Path) -> dict[str, float]:
    """Return the seconds by stage from the summary of a run (its last table)."""
    _, _, report = log.read_text(encoding="utf-8").rpartition("\nTime")
    found = (STAGE.match(line) for line in report.splitlines())
    return {match[1]: float(match[2]) for match in found if match}


class Bench:
    """One benchmark in a folder of its own: the city, what the runs write, what the script writes.

    ``themes`` limits what the runs build; none: all.
    """

    def __init__(self, folder: Path, say: Callable[[str], None], themes: Sequence[str] = ()) -> None:
        self.folder, self.say, self.themes = folder, say, themes
        self.project: Project = load_project(SAMPLE_TERRITORY)
        self.workspace = Workspace(folder / "data")
        self.extracts = folder / "extracts"

    def compare(self, city: Path) -> list[Comparison]:
        """Run the three cases on the extracts in ``city``; raises Disagreement when the marts differ."""
        early, late = self._split(city)
        self._offer(early)
        first = Comparison("first run", self._run("first"), self._floor("first"), self._beyond())
        again = Comparison("nothing new", self._run("again"), None)
        self._offer(late)
        more = Comparison("one more month", self._run("more"), self._floor("more"), self._beyond())
        return [first, again, more]

    def _split(self, city: Path) -> tuple[list[Path], list[Path]]:
        """Part the files of the sources by whether they carry a date of the last month of counts, or a later one."""
        last = max(re.findall(r"_(\d{6})\.csv", " ".join(path.name for path in city.iterdir())))
        feeds = self.project.territory.feeds.values()
        known = [path for path in sorted(city.iterdir()) if any(feed.pattern_for(Path(path.name)) for feed in feeds)]
        late = [
            p for p in known if (found := re.search(r"_(\d{6})(?:\d\d)?\.\w+$", p.name)) and _is_late(found[1], last, p)
        ]
        return [path for path in known if path not in late], late

    def _offer(self, files: Sequence[Path]) -> None:
        self.extracts.mkdir(exist_ok=True)
        for path in files:
            os.link(path, self.extracts / path.name)

    def _run(self, name: str) -> Measure:
        self.say(f"halle run ({name})")
        arguments = ["run", "--extracts", str(self.extracts), "--data", str(self.workspace.data)]
        arguments += [word for theme in self.themes for word in ("--theme", theme)]
        return timed([*HALLE, *arguments], self.folder / f"run-{name}.log")

    def _floor(self, name: str) -> Measure:
        self.say(f"script ({name})")
        work = self.folder / f"floor-{name}"
        work.mkdir()
        write_json(work / floor.PLAN_FILE, self._plan())
        measured = timed([sys.executable, "-m", "tests.benchmarks.floor", str(work)], work / "log")
        result = json.loads((work / floor.RESULT_FILE).read_text(encoding="utf-8"))
        self._check(result)
        return Measure(measured.wall, measured.cpu, measured.peak_mb, result["seconds"])

    def _compared_sources(self) -> dict[str, Card]:
        """Return the cards of the sources that the script reads."""
        return {source: self.project.enabled[source] for source in sorted({one for one, _ in floor.SOURCES.values()})}

    def _beyond(self) -> Beyond:
        """Return what the last run has made that no mart of the script hangs from.

        Dagster keeps the seconds of every model that a run has built.
        """
        manifest = read_json(modelling.dbt_folder(self.workspace) / "target" / "manifest.json")
        nodes = {key: node for key, node in manifest["nodes"].items() if node["resource_type"] == "model"}
        marts = [key for key, node in nodes.items() if node["fqn"][1] == "marts"]
        waiting = [key for key in marts if nodes[key]["name"] in floor.MARTS]
        compared = set(waiting)
        while waiting:
            parents = set(manifest["parent_map"][waiting.pop()]) & set(nodes) - compared
            compared |= parents
            waiting += parents
        besides = [nodes[key] for key in nodes if key not in compared and nodes[key]["config"]["enabled"]]
        with dg.DagsterInstance.from_config(str(self.workspace.dagster_home)) as instance:
            seconds = [_seconds_of(instance, self.project, node) for node in besides]
        names = (f"{nodes[key]['schema']}.{nodes[key]['alias']}" for key in marts if key not in compared)
        return Beyond(tuple(sorted(names)), len(seconds), sum(seconds))

    def _plan(self) -> dict[str, Any]:
        """Return what the script is told: the files in the order in which the warehouse has received them."""
        landing = Landing(self.workspace.landing)
        deliveries = [
            {
                "source": source,
                "order": order,
                "path": str(self.extracts / receipt.file_name),
                "file_date": receipt.file_date,
                "partial": receipt.partial,
            }
            for source, card in self._compared_sources().items()
            for order, receipt in enumerate(delivery_order(card, landing.receipts(source)), start=1)
        ]
        territory = self.project.territory
        place = {
            "bbox": territory.bbox,
            "reach_m": territory.reach_m,
            "as_of": str(self._ask("select as_of from ops.territory")[0][0]),
        }
        return {"deliveries": deliveries, "territory": place}

    def _ask(self, query: str) -> list[tuple[Any, ...]]:
        with connect(self.workspace.warehouse, self.workspace.duckdb) as connection:
            return connection.execute(query).fetchall()

    def _check(self, result: Mapping[str, Any]) -> None:
        """Raise Disagreement unless the script's marts and its count of records are those of the warehouse."""
        ours = self._ask("select source, sum(raw_rows), sum(rejected) from ops.ledger group by source order by source")
        compared = self._compared_sources()
        ledger = {source: [int(rows), int(rejected)] for source, rows, rejected in ours if source in compared}
        if ledger != result["ledger"]:
            raise Disagreement(f"records and refusals by source: run {ledger}, script {result['ledger']}")
        for name, by_month in result["fingerprints"].items():
            judged = certificate.latest(self.workspace.validation, f"mobility.{name}")
            periods = {} if judged is None else judged.fingerprint.periods
            ours_by_month = {period: [one.rows, one.hash_sum] for period, one in periods.items()}
            if ours_by_month != by_month:
                raise Disagreement(f"{name}: run {ours_by_month}, script {by_month}")


def _seconds_of(instance: dg.DagsterInstance, project: Project, node: Mapping[str, Any]) -> float:
    """Return the seconds of a model's last building; 0 for one that is written into the models that read it."""
    key = model_key(project.territory.name, node["schema"], node["alias"])
    records = instance.fetch_materializations(key, limit=1).records
    told = [one.asset_materialization.metadata["seconds"].value for one in records if one.asset_materialization]
    return float(sum(told))


def _is_late(month: str, last: str, path: Path) -> bool:
    return month >= last or "_correction_" in path.name


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as aligned text, the first column to the left."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if index else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def report(manifest: Manifest, compared: Sequence[Comparison]) -> str:
    """Return the figures: both sides and their ratio, then the share of time per stage."""
    size = sum(file.bytes for file in manifest.files) / 1e6
    head = f"{manifest.traffic_rows:,} hourly records of {manifest.arcs} counters, {size:,.0f} MB\n"
    rows = [["", "run s", "script s", "ratio", "run cpu s", "script cpu s", "ratio", "run MB", "script MB"]]
    for one in compared:
        base = one.floor or compared[0].floor
        assert base is not None
        rows.append(
            [
                one.title,
                f"{one.run.wall:.1f}",
                f"{base.wall:.1f}",
                f"{one.run.wall / base.wall:.2f}",
                f"{one.run.cpu:.1f}",
                f"{base.cpu:.1f}",
                f"{one.run.cpu / base.cpu:.2f}",
                f"{one.run.peak_mb:.0f}",
                f"{base.peak_mb:.0f}",
            ]
        )
    parts = [head, table(rows)]
    parts += [f"{one.title}: {one.beyond.sentence()}" for one in compared if one.beyond is not None]
    parts += [f"{one.title}, {side}:\n{shares(measure)}" for one in compared for side, measure in _sides(one)]
    return "\n\n".join(parts)


def _sides(one: Comparison) -> list[tuple[str, Measure]]:
    sides = [("run", one.run)] if one.run.stages else []
    return sides if one.floor is None else [*sides, ("script", one.floor)]


def shares(measure: Measure) -> str:
    """Return the stages, slowest first, with their share of the wall clock; what no stage claims comes last."""
    known = sorted(measure.stages.items(), key=lambda item: -item[1])
    rest = measure.wall - sum(measure.stages.values())
    listed = [*known, ("start, end and imports", rest)]
    return table(
        [[f"  {name}", f"{seconds:.1f} s", f"{100 * seconds / measure.wall:.0f} %"] for name, seconds in listed]
    )


def bench(folder: Path, scale: float, arcs: int | None, days: int | None, say: Callable[[str], None]) -> str:
    """Generate a city in ``folder``, compare run and script on it, and return the figures."""
    say(f"generating a city of scale {scale:g}")
    manifest = generate(folder / "city", scale=scale, arcs=arcs, days=days, bundled=True)
    return report(manifest, Bench(folder, say).compare(folder / "city"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the options, run the benchmark in a temporary folder, print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--scale", type=float, default=DEFAULT_SCALE, help="about scale x 30,000 hourly records (33)")
    parser.add_argument("--arcs", type=int, help="number of counters, instead of what the scale gives")
    parser.add_argument("--days", type=int, help="number of days, instead of what the scale gives")
    parser.add_argument("--keep", type=Path, help="work in this new folder and leave it there")
    chosen = parser.parse_args(arguments)

    def say(message: str) -> None:
        sys.stderr.write(f"{message}\n")

    if chosen.keep is not None:
        chosen.keep.mkdir(parents=True)
        sys.stdout.write(bench(chosen.keep.resolve(), chosen.scale, chosen.arcs, chosen.days, say) + "\n")
        return 0
    with tempfile.TemporaryDirectory(prefix="halle-bench-") as folder:
        sys.stdout.write(bench(Path(folder), chosen.scale, chosen.arcs, chosen.days, say) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
