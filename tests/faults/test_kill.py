"""A run killed at any instant: readers see a valid tree all the while, and the next run ends as if nothing had been.

Runs are forked from a process that has done the imports (``forking``) and killed by SIGKILL: at every commit boundary
that an undisturbed run passes, again after the last commit of each kind, and at random instants. Models commit in few
ways: the territory of these tests (``small_town``) has themes of its own with one model of each, and none of ours, so
that a run takes seconds. What our own models make of interrupted runs is in ``test_sequences``.
Two worlds are at work at once, so that the module takes minutes and not a quarter of an hour.
"""

from __future__ import annotations

import random
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from exports.verify import verify_tree
from tests.exports_world import offline_schemas
from tests.faults.forking import Ended, Forge
from tests.worlds import HTML, World, days, tables, tree

SMALL_TOWN = Path(__file__).parent / "small_town"

# Some ninety runs in one test: the limit is there to find a run that hangs, not a slow machine.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]

WORKERS = 2
RANDOM_KILLS = 4
SEED = 20260110
NOVEMBER, DECEMBER = date(2025, 11, 3), date(2025, 12, 3)
ROOMS = {"landing", "loading", "models", "analysts", "validation", "release"}
LONG, SHORT = (date(2025, 11, 1), date(2025, 12, 24)), (date(2025, 12, 2), date(2025, 12, 20))

MODELS = {
    "stg_counting__town_counts": "staged by months",
    "stg_digging__town_sites": "staged whole, with the versions of each record",
    "int_counting__town_days": "a table by months, which another theme borrows",
    "int_digging__site_days": "a table",
    "counts_daily": "a mart by months",
    "sites": "a mart",
}
"""The models of the small town, and how each commits."""


def counts(on: Sequence[date], shift: int = 0) -> bytes:
    """Return the counts of three counters; ``shift`` is added to each, as a correction does."""
    rows = [f"{counter},{day},{100 * place + day.day + shift}" for place, counter in enumerate("abc") for day in on]
    return _table("counter_id,day,vehicles", rows)


def sites(announced: Mapping[str, tuple[date, date]]) -> bytes:
    """Return the sites announced, by identifier."""
    return _table("site_id,start_on,end_on", [f"{site},{start},{end}" for site, (start, end) in announced.items()])


def _table(header: str, rows: Sequence[str]) -> bytes:
    return ("\n".join([header, *rows]) + "\n").encode()


FIRST = {
    "town_counts_202511.csv": counts(days(NOVEMBER, 2)),
    "town_counts_202512.csv": counts(days(DECEMBER, 1)),
    "town_sites_20251101.csv": sites({"S1": LONG, "S2": SHORT}),
}
"""What the first run receives."""

THEN = {
    "town_counts_202512_correction_20251231.csv": counts(days(DECEMBER, 2), shift=5),
    "town_counts_202601.csv": HTML,
    "town_sites_20251201.csv": sites({"S1": LONG, "S3": SHORT}),
    "town_sites_page_20251202.csv": sites({"S2": SHORT}),
}
"""What the run that is killed receives: a correction, a new snapshot, a page, and a file that is refused."""


def make_world(root: Path) -> World:
    """Return the small town, of which nothing was received."""
    world = World(root)
    shutil.copytree(SMALL_TOWN, world.territory)
    world.extracts.mkdir()
    return world


@dataclass(frozen=True)
class Kill:
    """Where a run is killed: at the n-th passing of a boundary, or after some seconds."""

    at: str | None = None
    nth: int = 1
    after: float | None = None


@dataclass(frozen=True)
class Standing:
    """All that a run leaves for others: receipts, the release log, the published tree, the analysts' copy."""

    receipts: dict[str, str]
    log: dict[str, str]
    published: dict[str, str]
    analysts: dict[str, list[str]]

    def differences(self, other: Standing) -> list[str]:
        """Return the names of what differs."""
        pairs: list[tuple[dict[str, Any], dict[str, Any]]] = [
            (self.receipts, other.receipts),
            (self.log, other.log),
            (self.published, other.published),
            (self.analysts, other.analysts),
        ]
        return [name for ours, theirs in pairs for name in sorted(ours | theirs) if ours.get(name) != theirs.get(name)]


def standing(world: World) -> Standing:
    """Return what stands in a world."""
    landing = tree(world.workspace.landing)
    return Standing(
        receipts={name: digest for name, digest in landing.items() if "/receipts/" in name or "/refused/" in name},
        log=tree(world.workspace.releases),
        published=tree(world.workspace.public.resolve()),
        analysts=tables(world.workspace.analysts_copy, ("counting", "digging", "ops", "halle")),
    )


@dataclass
class Reader:
    """Reads the published tree again and again; ``invalid`` says what was wrong with it."""

    public: Path
    last: Path | None = None
    seen: int = 0
    invalid: list[str] = field(default_factory=list)

    def look(self, *, again: bool) -> None:
        """Verify the tree as it is now, if it is another than at the last look or ``again``.

        One that was dropped meanwhile, two releases later, proves nothing.
        """
        if not self.public.exists():
            return
        now = self.public.resolve()
        if now == self.last and not again:
            return
        self.last = now
        try:
            failed = [str(one) for one in verify_tree(now, offline_schemas(None)).failed]
        except FileNotFoundError as error:
            failed = [str(error)]
        if now.exists():
            self.seen += 1
            self.invalid += [f"{now.name}: {one}" for one in failed]

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Look ten times a second during the block, and once after it; every fortieth look is at the same tree too."""
        over = threading.Event()

        def poll() -> None:
            looks = 0
            while not over.wait(0.1):
                self.look(again=looks % 40 == 0)
                looks += 1

        poller = threading.Thread(target=poll)
        poller.start()
        try:
            yield
        finally:
            over.set()
            poller.join()
        self.look(again=True)


class Bench:
    """One world, put back to where it was before each run that is killed."""

    def __init__(self, root: Path) -> None:
        root.mkdir()
        self.world = make_world(root)
        self.forge = Forge()
        self.before = root / "before"

    def prepare(self) -> Standing:
        """Make the state before the kills, and return what an undisturbed run leaves."""
        self.world.deliver(FIRST)
        self._expect(self.forge.run(self.world.root), status=0)
        shutil.copytree(self.world.data, self.before, symlinks=True)
        self.world.deliver(THEN)
        self.undisturbed = self._expect(self.forge.run(self.world.root), status=1)  # a file was refused
        return standing(self.world)

    def put_back(self) -> None:
        shutil.rmtree(self.world.data)
        shutil.copytree(self.before, self.world.data, symlinks=True)

    def disturb(self, kills: tuple[Kill, ...], expected: Standing, *, dagster: bool = False) -> list[str]:
        """Kill one run after another, let one end, and return what is wrong, as sentences."""
        self.put_back()
        reader = Reader(self.world.workspace.public)
        wrong = []
        with reader.at_work():
            for kill in kills:
                ended = self.forge.run(self.world.root, dagster=dagster, at=kill.at, nth=kill.nth, after=kill.after)
                if ended.signal != signal.SIGKILL and kill.after is None:
                    wrong.append(f"was not killed: {ended.problems}")
            ended = self.forge.run(self.world.root, dagster=dagster)
        if (ended.status, ended.problems) != (1, []):
            wrong.append(f"the next run ended {ended.status}: {ended.problems}")
        wrong += [f"differs: {name}" for name in standing(self.world).differences(expected)]
        wrong += [f"a reader saw {one}" for one in reader.invalid]
        if not reader.seen:
            wrong.append("the reader saw nothing")
        return [f"{kills}: {one}" for one in wrong]

    @staticmethod
    def _expect(ended: Ended, status: int) -> Ended:
        assert (ended.status, ended.problems) == (status, [])
        return ended

    def close(self) -> None:
        self.forge.close()


@pytest.fixture(scope="module")
def benches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Bench]]:
    root = tmp_path_factory.mktemp("kill")
    made = [Bench(root / f"world-{number}") for number in range(WORKERS)]
    yield made
    for bench in made:
        bench.close()


@pytest.fixture(scope="module")
def expected(benches: list[Bench]) -> Standing:
    """Return what an undisturbed run leaves, the same in every world."""
    with ThreadPoolExecutor(WORKERS) as pool:
        found = list(pool.map(Bench.prepare, benches))
    assert found[0].differences(found[1]) == []
    return found[0]


def everywhere(benches: list[Bench], cases: list[Callable[[Bench], list[str]]]) -> list[str]:
    """Run the cases, each on the first bench that is free; return all that is wrong."""
    waiting = iter(cases)
    lock = threading.Lock()

    def work(bench: Bench) -> list[str]:
        wrong: list[str] = []
        while True:
            with lock:
                case = next(waiting, None)
            if case is None:
                return wrong
            wrong += case(bench)

    with ThreadPoolExecutor(WORKERS) as pool:
        return [sentence for wrong in pool.map(work, benches) for sentence in wrong]


def disturbances(passed: list[str]) -> list[tuple[Kill, ...]]:
    """Return the kills that boundaries call for: the first passing of each, and the last of each that follows a commit.

    A release is killed once in a case. Elsewhere a case kills several runs one after another, which costs less: what
    the first left is what the second finds.
    """
    rooms: dict[str, list[str]] = {}
    for name in dict.fromkeys(passed):
        rooms.setdefault(name.split(".")[0], []).append(name)
    models, releases = rooms.pop("models"), rooms.pop("release")
    chains = [tuple(map(Kill, names)) for names in rooms.values()]
    step = -(-len(models) // 5)
    chains += [tuple(map(Kill, models[first::step])) for first in range(step)]
    chains += [(Kill(name),) for name in releases]
    committed = [name for name in dict.fromkeys(passed) if name.endswith(".after") and passed.count(name) > 1]
    return chains + [(Kill(name, passed.count(name)),) for name in committed]


def test_a_run_killed_at_a_commit_boundary_is_finished_by_the_next(benches: list[Bench], expected: Standing) -> None:
    passed = benches[0].undisturbed.boundaries
    assert {name.split(".")[0] for name in passed} == ROOMS
    models = {name.split(".")[1] for name in passed if name.startswith("models.")}
    assert models == set(MODELS)
    cases = disturbances(passed)
    assert len(cases) > 20
    assert {kill.at for case in cases for kill in case} == set(passed)
    wrong = everywhere(benches, [lambda bench, case=case: bench.disturb(case, expected) for case in cases])
    assert wrong == []


def test_a_run_killed_at_a_random_instant_is_finished_by_the_next(benches: list[Bench], expected: Standing) -> None:
    """These runs go through Dagster, as a user's do."""
    chance = random.Random(SEED)  # noqa: S311
    benches[0].put_back()
    started = time.monotonic()
    benches[0].forge.run(benches[0].world.root, dagster=True)
    whole = time.monotonic() - started
    assert standing(benches[0].world).differences(expected) == []
    cases = [(Kill(after=chance.uniform(0.05, 0.95) * whole),) for _ in range(RANDOM_KILLS)]
    wrong = everywhere(
        benches, [lambda bench, case=case: bench.disturb(case, expected, dagster=True) for case in cases]
    )
    assert wrong == []


@pytest.mark.parametrize(
    "at", ["landing.receipt.after", "loading.raw.after", "release.log.after", "release.switch.before"]
)
def test_the_very_first_run_may_be_killed_too(
    benches: list[Bench], expected: Standing, tmp_path: Path, at: str
) -> None:
    world = make_world(tmp_path / "world")
    world.deliver(FIRST)
    forge = benches[0].forge
    assert forge.run(world.root, at=at).signal == signal.SIGKILL
    assert forge.run(world.root).status == 0
    first = World(benches[0].world.root)
    first.data = benches[0].before
    assert standing(world).differences(standing(first)) == []
    assert forge.run(world.root).nothing_new
