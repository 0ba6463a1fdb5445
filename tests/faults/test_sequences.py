"""Whatever the order of deliveries, corrections and interruptions: the same content as a rebuild of everything.

Random sequences, seeded, over a small world; each step ends in a run that may have been killed before. At the end the
warehouse is deleted and built again from the landing: marts, ledger, refused records, build keys and the published
releases must be what they were. Besides: a delivery touches what hangs from it and nothing else, and a run that is
given nothing new does nothing.
"""

from __future__ import annotations

import random
import shutil
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb
import pytest

from exports.verify import verify_tree
from tests.exports_world import offline_schemas
from tests.faults.forking import Ended, Forge
from tests.worlds import (
    HTML,
    World,
    arcs,
    counts,
    days,
    make_world,
    occupations,
    occupations_page,
    sites,
    tables,
    tree,
)

pytestmark = pytest.mark.slow

SEEDS = range(3)
STEPS = 4
WORKERS = 2
MONTHS = ["2025-08", "2025-09", "2025-10", "2025-11", "2025-12"]
NAMES = ["CP900001", "CP900002", "CP900003"]
KILLS = [
    "landing.file.after",
    "landing.receipt.after",
    "loading.raw.after",
    "loading.outcome.after",
    "models.stg_mobility__paris_comptages_permanents.after",
    "models.works_sites.after",
    "models.traffic_hourly.after",
    "analysts.switch.before",
    "validation.certificate.after",
    "release.candidate.after",
    "release.log.after",
    "release.switch.before",
    "release.switch.after",
]
OWN_MODEL = """
{{{{ config(by_period=true, period_column='period_month') }}}}
select counter_id, period_month, sum(flow_veh_h) * {factor} as flow
from {{{{ ref('traffic_hourly') }}}}
where {{{{ in_stale('period_month') }}}}
group by counter_id, period_month
"""
OWN_MODEL_PATH = Path("dbt_project/models/intermediate/mobility/int_mobility__own.sql")
ACROSS_MONTHS = {
    "traffic_yearly",
    "int_mobility__counter_day_levels",
    "int_mobility__counter_noise",
    "int_mobility__spell_estimates",
    "works_traffic_effect",
}
"""Models that a correction of one month rightly changes beyond it: a year, or all the days of a counter, make a row."""

LOSS = "last_release_is_kept"
"""The only expectation that a random sequence may rightly break: sites that go take their days with them."""


@dataclass(frozen=True)
class Content:
    """What a warehouse holds, whatever the way it came there."""

    tables: dict[str, list[str]]

    def differences(self, other: Content) -> list[str]:
        ours, theirs = self.tables, other.tables
        return [name for name in sorted(ours | theirs) if ours.get(name) != theirs.get(name)]


def content(world: World) -> Content:
    """Return every model's rows, the ledger, the refused records and the build keys.

    Left out: what the run before published, which a rebuild has published too.
    """
    schemas = ("mobility", "intermediate", "staging", "ops")
    return Content(tables(world.workspace.warehouse, schemas, leaving_out=("ops.last_release",)))


@dataclass
class Sequence:
    """A random sequence on one world; ``told`` says what was done, so that a failure can be read."""

    world: World
    forge: Forge
    chance: random.Random
    told: list[str] = field(default_factory=list)
    offered: dict[str, list[bytes]] = field(default_factory=dict)
    shift: int = 0

    def offer(self, name: str, offered: bytes) -> None:
        """Put a file among the extracts and remember it."""
        self.offered.setdefault(name, []).append(offered)
        self.world.deliver({name: offered})
        self.told.append(f"{name} (refused)" if offered == HTML else f"{name} version {len(self.offered[name])}")

    def begin(self) -> None:
        """Give the world what every town has: a referential, a month of counts, works."""
        self.offer("referentiel-comptages-routiers_20250101.csv", arcs())
        self.offer("comptages-routiers-permanents_202510.csv", self.counts_of("2025-10"))
        self.offer("chantiers-perturbants_20251001.csv", sites(dict.fromkeys(NAMES[:2], (first("2025-10"), LAST))))
        self.offer("chantiers-emprises_20251001.csv", occupations({NAMES[0]: (first("2025-10"), LAST)}))

    def counts_of(self, month: str) -> bytes:
        self.shift += 1
        return counts(days(first(month), 2), shift=self.shift)

    # The steps

    def new_or_late_month(self) -> None:
        month = self.chance.choice(MONTHS)
        self.offer(f"comptages-routiers-permanents_{month.replace('-', '')}.csv", self.counts_of(month))

    def correction(self) -> None:
        month = self.chance.choice(MONTHS)
        day = f"{month.replace('-', '')}{self.chance.randint(10, 28)}"
        name = f"comptages-routiers-permanents_{month.replace('-', '')}_correction_{day}.csv"
        self.offer(name, self.counts_of(month))

    def older_bytes_again(self) -> None:
        name = self.chance.choice(sorted(self.offered))
        self.offer(name, self.chance.choice(self.offered[name]))

    def snapshot_of_works(self) -> None:
        chosen = self.chance.sample(NAMES, self.chance.randint(1, 3))
        announced = {name: (first("2025-10"), self.chance.choice([LAST, LATER])) for name in chosen}
        day = f"2025{self.chance.randint(9, 12):02d}{self.chance.randint(10, 28)}"
        self.offer(f"chantiers-perturbants_{day}.csv", sites(announced))

    def page_of_works(self) -> None:
        announced = {self.chance.choice(NAMES): (first("2025-11"), LATER)}
        self.offer(f"chantiers-emprises_api_202511{self.chance.randint(10, 28)}.json", occupations_page(announced))

    def refused_file(self) -> None:
        self.offer(f"comptages-routiers-permanents_{self.chance.choice(MONTHS).replace('-', '')}.csv", HTML)

    def changed_model(self) -> None:
        model = self.world.territory / OWN_MODEL_PATH
        model.parent.mkdir(parents=True, exist_ok=True)
        model.write_text(OWN_MODEL.format(factor=self.chance.randint(1, 9)), encoding="utf-8")
        self.told.append("own model")

    def changed_territory(self) -> None:
        declared = self.world.territory / "territory.yml"
        text = declared.read_text(encoding="utf-8")
        reach = self.chance.choice([500, 600, 700])
        changed = "\n".join(f"reach_m: {reach}" if line.startswith("reach_m:") else line for line in text.splitlines())
        declared.write_text(changed + "\n", encoding="utf-8")
        self.told.append(f"reach {reach}")

    def step(self) -> None:
        """Take one or two steps, then run; the run, or one before it, may be killed."""
        steps: list[Callable[[], None]] = [
            self.new_or_late_month,
            self.new_or_late_month,
            self.correction,
            self.older_bytes_again,
            self.snapshot_of_works,
            self.page_of_works,
            self.refused_file,
            self.changed_model,
            self.changed_territory,
        ]
        self.chance.choice(steps)()
        if self.chance.random() < 0.5:
            at = self.chance.choice(KILLS)
            killed = self.forge.run(self.world.root, at=at)
            self.told.append(f"killed at {at}" if killed.signal == signal.SIGKILL else f"never at {at}")
            if self.chance.random() < 0.5:
                self.chance.choice(steps)()
        self.run()

    def run(self) -> Ended:
        """Run to the end and demand that nothing went wrong but what was asked for."""
        ended = self.forge.run(self.world.root)
        self.told.append(f"run {ended.status}")
        assert ended.signal is None, self.told
        assert ended.status in (0, 1), (self.told, ended.problems)
        assert all(LOSS in problem for problem in ended.problems), (self.told, ended.problems)
        assert not verify_tree(self.world.workspace.public, offline_schemas(None)).failed, self.told
        return ended


def first(month: str) -> date:
    return date.fromisoformat(f"{month}-03")


LAST, LATER = date(2025, 12, 20), date(2025, 12, 24)


@pytest.fixture(scope="module")
def forges() -> Iterator[list[Forge]]:
    made = [Forge() for _ in range(WORKERS)]
    yield made
    for forge in made:
        forge.close()


def one_sequence(forge: Forge, root: Path, seed: int) -> list[str]:
    """Take a whole sequence, rebuild everything, and return what differs."""
    root.mkdir()
    sequence = Sequence(make_world(root), forge, random.Random(seed))  # noqa: S311
    world = sequence.world
    sequence.begin()
    sequence.run()
    for _ in range(STEPS):
        sequence.step()
    grown, published, log = content(world), tree(world.workspace.public.resolve()), tree(world.workspace.releases)
    shutil.rmtree(world.workspace.warehouse.parent)
    sequence.run()
    wrong = [f"rebuilt otherwise: {name}" for name in content(world).differences(grown)]
    wrong += differences("published", tree(world.workspace.public.resolve()), published)
    wrong += differences("log", tree(world.workspace.releases), log)
    return [f"{one} (seed {seed}: {sequence.told})" for one in wrong]


def differences(what: str, ours: dict[str, str], theirs: dict[str, str]) -> list[str]:
    return [f"{what}: {name}" for name in sorted(ours | theirs) if ours.get(name) != theirs.get(name)]


def test_any_sequence_gives_what_a_rebuild_gives(forges: list[Forge], tmp_path: Path) -> None:
    def share(worker: int) -> list[str]:
        seeds = list(SEEDS)[worker::WORKERS]
        return [one for seed in seeds for one in one_sequence(forges[worker], tmp_path / str(seed), seed)]

    with ThreadPoolExecutor(WORKERS) as pool:
        wrong = [one for found in pool.map(share, range(WORKERS)) for one in found]
    assert wrong == []


@pytest.fixture
def settled(forges: list[Forge], tmp_path: Path) -> Sequence:
    """Return a world of two months that has been run."""
    sequence = Sequence(make_world(tmp_path), forges[0], random.Random(0))  # noqa: S311
    sequence.begin()
    sequence.offer("comptages-routiers-permanents_202511.csv", sequence.counts_of("2025-11"))
    assert sequence.run().status == 0
    return sequence


def build_keys(world: World) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the keys of every part of every model."""
    with duckdb.connect(str(world.workspace.warehouse), read_only=True) as connection:
        rows = connection.execute("select * from ops.build_keys").fetchall()
    return {(model, part): tuple(keys) for model, part, *keys in rows}


def changed_parts(before: dict[tuple[str, str], tuple[str, ...]], world: World) -> set[tuple[str, str]]:
    after = build_keys(world)
    return {part for part in before | after if before.get(part) != after.get(part)}


def test_a_correction_touches_its_month_and_nothing_else(settled: Sequence) -> None:
    world = settled.world
    before = build_keys(world)
    november = tree(world.workspace.public.resolve())
    settled.offer("comptages-routiers-permanents_202510_correction_20251031.csv", settled.counts_of("2025-10"))
    settled.run()
    touched = changed_parts(before, world)
    traffic = "stg_mobility__paris_comptages_permanents"
    assert {(traffic, "2025-10"), ("traffic_hourly", "2025-10")} <= touched
    assert {model for model, part in touched if part != "2025-10"} == {f"{traffic}__records", *ACROSS_MONTHS}
    assert len([model for model, _ in touched if model == f"{traffic}__records"]) == 1
    still_built = {"works_sites", "counter_works_daily", "int_mobility__counters", "calendar", "communes"}
    assert not {model for model, _ in touched} & still_built
    still = tree(world.workspace.public.resolve())
    assert {name for name in november if name.startswith("chantiers")} <= set(still)


def test_a_run_given_nothing_new_does_nothing(settled: Sequence) -> None:
    """Not even one that looks again because the note of the last run is lost."""
    world = settled.world
    stands = tree(world.data)
    assert settled.run().nothing_new
    again = tree(world.data)
    assert {name for name in stands | again if stands.get(name) != again.get(name)} <= {"lock"}
    keys, public, releases = build_keys(world), world.workspace.public.resolve(), tree(world.workspace.releases)
    (world.workspace.state / "last_run.json").unlink()
    ended = settled.run()
    assert not ended.nothing_new
    assert changed_parts(keys, world) == set()
    assert (world.workspace.public.resolve(), tree(world.workspace.releases)) == (public, releases)
    assert not [name for name in ended.boundaries if name.startswith(("landing", "loading", "analysts", "release"))]
