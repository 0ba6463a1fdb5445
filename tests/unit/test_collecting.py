"""Collecting a polled feed: what is kept of it through restarts, gaps, cuts and repetitions, and what is never told."""

from __future__ import annotations

import gzip
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration import receiving
from orchestration.project import SAMPLE_TERRITORY
from orchestration.workspace import PROJECT
from raw_sources import addresses, boundaries, feeds
from raw_sources.addresses import MASK, address_of, masked
from raw_sources.card import Card, read_card
from raw_sources.collecting import Collection, collect
from raw_sources.errors import ConfigurationError, Unreachable
from raw_sources.fetching import FetchOptions, fetch, shown
from raw_sources.landing import Landing
from tests.unit.scripted_server import Server, scripted_server, send

QUICK = FetchOptions(read_seconds=2, attempts=1, first_wait_seconds=0.01, longest_wait_seconds=0.01)
START = datetime(2026, 11, 22, 13, 54, tzinfo=UTC)
EVERY = timedelta(minutes=2)
HIDDEN = "5e8f1c2d-topsecret"
PATH = f"/partnerhub-api/partners/11223344/waze-feeds/{HIDDEN}?format=1"


@pytest.fixture(scope="module")
def waze() -> Card:
    return read_card(PROJECT / "raw_sources" / "mobility" / "waze_evenements.yml")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with scripted_server() as scripted:
        yield scripted


def snapshot(number: int, **lists: Any) -> bytes:
    start = 1795355640000 + 120_000 * number
    return json.dumps({"startTimeMillis": start, "endTimeMillis": start + 60_000, **lists}).encode()


def lines_in(path: Path) -> list[bytes]:
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).splitlines()


@dataclass
class Feed:
    """A collection with a clock that waiting moves, and what it said."""

    card: Card
    root: Path
    url: str
    now: datetime = START
    said: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.root / "collect" / self.card.source

    @property
    def inbox(self) -> Path:
        return self.root / "inbox" / self.card.source

    def collect(self, polls: int) -> Collection:
        """Poll so many times, two minutes apart."""
        made = Collection(self.card, self.url, self.folder, self.inbox, QUICK, lambda: self.now, self.said.append)
        collect(made, EVERY, self.now + EVERY * (polls - 1) + timedelta(seconds=1), self._wait)
        self.now += EVERY
        return made

    def _wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def open_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for path in sorted(self.folder.glob("*.jsonl")) for line in lines_in(path)]

    def closed_lines(self) -> dict[str, list[dict[str, Any]]]:
        return {path.name: [json.loads(line) for line in lines_in(path)] for path in sorted(self.inbox.glob("*.gz"))}

    def all_lines(self) -> list[dict[str, Any]]:
        return [line for lines in self.closed_lines().values() for line in lines] + self.open_lines()


@pytest.fixture
def feed(waze: Card, tmp_path: Path, server: Server) -> Feed:
    return Feed(waze, tmp_path, server.url + PATH)


def starts(lines: list[dict[str, Any]]) -> list[int]:
    return [(line["snapshot"]["startTimeMillis"] - 1795355640000) // 120_000 for line in lines if "snapshot" in line]


def test_an_hour_is_one_bundle_that_the_landing_takes_once(feed: Feed, server: Server) -> None:
    server.script = [send(200, snapshot(number)) for number in range(5)]
    done = feed.collect(5)
    assert (done.tally.kept, done.tally.closed) == (5, 1)
    assert starts(feed.open_lines()) == [3, 4]
    ((name, lines),) = feed.closed_lines().items()
    assert name == "waze_evenements_20261122T13.jsonl.gz" and starts(lines) == [0, 1, 2]
    assert lines[0]["polled_at"] == "2026-11-22T13:54:00Z"
    landing = Landing(feed.root / "landing")
    offered = feed.inbox / name
    assert [landing.land_file(feed.card, offered, now=START)[0].new for _ in range(2)] == [True, False]


def test_nothing_that_may_not_be_kept_is_ever_written(feed: Feed, server: Server) -> None:
    alert = {"uuid": "a", "type": "MISC", "reportDescription": "SECRET", "unheardOf": {"x": "SECRET"}}
    server.script = [send(200, snapshot(0, alerts=[alert], unheardOf="SECRET")), send(200, b"{'SECRET'")]
    feed.collect(2)
    assert feed.open_lines()[0]["snapshot"]["alerts"] == [{"uuid": "a", "type": "MISC"}]
    assert_nowhere(feed.root, "SECRET")
    assert not [text for text in feed.said if "SECRET" in text]


def assert_nowhere(folder: Path, text: str) -> None:
    for path in (path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert text.encode() not in (gzip.decompress(content) if path.suffix == ".gz" else content), path
        assert text not in path.name


def test_a_snapshot_already_held_is_not_written_again(feed: Feed, server: Server) -> None:
    same = send(200, snapshot(0), ETag='"one"')
    server.script = [same, same, send(304), send(200, snapshot(1))]
    assert feed.collect(4).tally.repeated == 2
    assert starts(feed.all_lines()) == [0, 1]
    assert server.seen[2]["if-none-match"] == '"one"'


def test_a_restart_goes_on_and_knows_the_last_snapshot(feed: Feed, server: Server) -> None:
    server.script = [send(200, snapshot(0)), send(200, snapshot(0)), send(200, snapshot(1))]
    feed.collect(1)
    assert feed.collect(2).tally.repeated == 1
    assert starts(feed.open_lines()) == [0, 1]


def test_a_restart_closes_the_hours_that_passed_meanwhile(feed: Feed, server: Server) -> None:
    server.script = [send(200, snapshot(0)), send(200, snapshot(90))]
    feed.collect(1)
    feed.now += timedelta(hours=3)
    feed.collect(1)
    assert [starts(lines) for lines in feed.closed_lines().values()] == [[0]]
    assert starts(feed.open_lines()) == [90]


def test_a_line_half_written_is_cut_and_its_snapshot_asked_again(feed: Feed, server: Server) -> None:
    server.script = [send(200, snapshot(0)), send(200, snapshot(1))]
    feed.collect(1)
    (bundle,) = feed.folder.glob("*.jsonl")
    with bundle.open("ab") as stream:
        stream.write(b'{"polled_at":"2026-11-22T13:56:00Z","snapshot":{"startTimeMillis":17953')
    feed.collect(1)
    assert starts(feed.open_lines()) == [0, 1]


FAILURES: dict[str, tuple[Callable[..., None], str]] = {
    "the service is down": (send(503), "Unreachable"),
    "the token has expired": (send(403, b'{"error": "no"}'), "Unreachable"),
    "a page": (send(200, b"<html>Maintenance</html>"), "DeliveryRefused"),
    "another document": (send(200, b'{"error": "quota"}'), "DeliveryRefused"),
    "the XML form": (send(200, b"<?xml version='1.0'?><rss/>"), "DeliveryRefused"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_poll_that_fails_is_a_line_of_its_own(feed: Feed, server: Server, case: str) -> None:
    answer, kind = FAILURES[case]
    server.script = [send(200, snapshot(0)), answer, send(200, snapshot(2))]
    done = feed.collect(3)
    lines = feed.all_lines()
    assert starts(lines) == [0, 2] and done.tally.failed == 1
    assert [line for line in lines if "failed" in line] == [{"polled_at": "2026-11-22T13:56:00Z", "failed": kind}]
    assert len(feed.said) >= 1


@pytest.mark.parametrize("crash", ["collecting.bundle.before", "collecting.bundle.after"])
def test_a_collector_killed_while_it_closes_an_hour_loses_and_doubles_nothing(
    feed: Feed, server: Server, monkeypatch: pytest.MonkeyPatch, crash: str
) -> None:
    server.script = [send(200, snapshot(number)) for number in range(9)]
    landing = Landing(feed.root / "landing")

    def stop(name: str) -> None:
        if name == crash:
            raise KeyboardInterrupt

    monkeypatch.setattr(boundaries, "on_boundary", stop)
    with pytest.raises(KeyboardInterrupt):
        feed.collect(9)
    monkeypatch.setattr(boundaries, "on_boundary", None)
    received = take_over(landing, feed)
    feed.collect(1)
    received += take_over(landing, feed)
    assert received == 1
    (receipt,) = landing.receipts(feed.card.source)
    lines = [json.loads(line) for line in landing.file(receipt).read_text().splitlines()]
    assert starts(lines) == [0, 1, 2]


@pytest.mark.parametrize("is_received_between", [False, True])
def test_a_clock_set_back_over_the_hour_loses_no_bundle(feed: Feed, server: Server, is_received_between: bool) -> None:
    server.script = [send(200, snapshot(number)) for number in range(7)]
    landing = Landing(feed.root / "landing")
    feed.collect(4)  # 13:54, 13:56 and 13:58; at 14:00 their hour is closed
    if is_received_between:
        take_over(landing, feed)
    feed.now = START + timedelta(minutes=5, seconds=50)
    feed.collect(1)
    assert not is_received_between or list(feed.closed_lines()) == ["waze_evenements_20261122T14.jsonl.gz"]
    feed.now = START + timedelta(minutes=8)
    feed.collect(2)
    closed = {name: starts(lines) for name, lines in feed.closed_lines().items()}
    second = "" if is_received_between else "-2"
    assert closed[f"waze_evenements_20261122T13{second}.jsonl.gz"] == [4]
    assert is_received_between or closed["waze_evenements_20261122T13.jsonl.gz"] == [0, 1, 2]
    take_over(landing, feed)
    kept = [landing.file(receipt).read_text().splitlines() for receipt in landing.receipts(feed.card.source)]
    received = [json.loads(line) for lines in kept for line in lines]
    assert sorted(starts(received + feed.open_lines())) == list(range(7))


def test_a_bundle_of_an_hour_to_come_is_handed_over_when_the_clock_is_put_right(feed: Feed, server: Server) -> None:
    server.script = [send(200, snapshot(number)) for number in range(2)]
    feed.now += timedelta(days=3_650)
    feed.collect(1)
    feed.now = START
    feed.collect(1)
    assert [starts(lines) for lines in feed.closed_lines().values()] == [[0]] and starts(feed.open_lines()) == [1]


def take_over(landing: Landing, feed: Feed) -> int:
    """Receive what lies in the drop folder, as a run does; return how many deliveries are new."""
    offered = [path for path in sorted(feed.inbox.glob("*")) if not path.name.startswith(".")]
    new = sum(landing.land_file(feed.card, path, now=START)[0].new for path in offered)
    for path in offered:
        path.unlink()
    return new


def test_polls_missed_while_the_machine_slept_are_not_made_up_for(feed: Feed, server: Server) -> None:
    server.script = [send(200, snapshot(number)) for number in range(9)]
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        feed.now += timedelta(seconds=seconds + (7 * 60 if len(waits) == 1 else 0))

    made = Collection(feed.card, feed.url, feed.folder, feed.inbox, QUICK, lambda: feed.now)
    collect(made, EVERY, feed.now + timedelta(minutes=12), wait)
    assert waits == [120, 60] and made.tally.kept == 3


def test_a_second_collector_says_who_is_at_work(feed: Feed, server: Server) -> None:
    server.script = [send(200, snapshot(0))]

    def second(_: float) -> None:
        other = Collection(feed.card, feed.url, feed.folder, feed.inbox, QUICK)
        with pytest.raises(ConfigurationError, match=f"already at work here .process {os.getpid()}"):
            collect(other, EVERY, None)
        raise KeyboardInterrupt

    made = Collection(feed.card, feed.url, feed.folder, feed.inbox, QUICK, lambda: feed.now)
    with pytest.raises(KeyboardInterrupt):
        collect(made, EVERY, None, second)


# --- secrets ----------------------------------------------------------------------------------------------------

SHOWN = {
    f"https://www.waze.com{PATH}": f"https://www.waze.com/partnerhub-api/partners/{MASK}/waze-feeds/{MASK}?format=1",
    "https://user:pass@example.org/a.json?apikey=abcdef&b=1#c": f"https://example.org/a.json?apikey={MASK}&b=1",
    "https://example.org/${TOKEN}/a.json": f"https://example.org/{MASK}/a.json",
    "https://example.org/partners/list.csv?b=1": "https://example.org/partners/list.csv?b=1",
}


@pytest.mark.parametrize("url", SHOWN)
def test_secrets_of_an_address_are_not_shown(url: str) -> None:
    assert shown(url) == SHOWN[url]
    assert HIDDEN not in repr(address_of(url, {"TOKEN": HIDDEN})) + masked(url)


def test_an_address_takes_its_token_from_the_environment() -> None:
    address = address_of("https://example.org/${FEED_TOKEN}/x", {"FEED_TOKEN": HIDDEN})
    assert address.full == f"https://example.org/{HIDDEN}/x" and address.hide(f"no {HIDDEN}") == f"no {MASK}"
    with pytest.raises(Unreachable, match="FEED_TOKEN, which is not set"):
        address_of("https://example.org/${FEED_TOKEN}/x", {})


def test_the_token_is_in_no_file_no_name_no_log_and_no_message(
    feed: Feed, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server.script = [
        send(200, snapshot(0)),
        send(503),
        send(302, Location=f"/{HIDDEN}"),
        send(403),
        send(200, snapshot(4)),
    ]
    feed.collect(5)
    landing = Landing(feed.root / "landing")
    take_over(landing, feed)
    # A run that polls the address itself: the end of the address would be the name of the file.
    landed = landing.land_url(feed.card, feed.url, now=START, options=QUICK)[0]
    assert landed.receipt is not None and landed.receipt.file_name == "delivery"
    assert MASK in landed.receipt.origin
    declared = feeds.Feed(feed.card.source, (feed.url,), ())
    receiving.land_feed(landing, feed.card, declared, extracts=None, now=START, report=feed.said.append)
    server.script = [send(403)]
    with pytest.raises(Unreachable) as error:
        fetch(feed.url, feed.root / "out", max_bytes=1000, options=QUICK)
    assert_nowhere(feed.root, HIDDEN)
    assert HIDDEN not in str(error.value) + caplog.text + "".join(feed.said)
    assert logging.getLogger("httpx").level == logging.WARNING


# --- the command ------------------------------------------------------------------------------------------------


def town(folder: Path, *urls: str) -> Path:
    """Write the sample's territory with an address to poll; return its folder."""
    declared = yaml.safe_load((SAMPLE_TERRITORY / "territory.yml").read_text(encoding="utf-8"))
    declared["feeds"] = {"waze_evenements": {"urls": list(urls)}, "ign_contours_communes": None}
    folder.mkdir()
    (folder / "territory.yml").write_text(yaml.safe_dump(declared, allow_unicode=True), encoding="utf-8")
    return folder


def command(*arguments: object, program: str | None = None) -> list[str]:
    return [sys.executable, *(["-c", program] if program else ["-m", "orchestration.cli"]), *map(str, arguments)]


LIGHT = """
import sys
from orchestration.cli import app
status = 0
try:
    app()
except SystemExit as stop:
    status = stop.code
heavy = {"dagster", "dbt", "great_expectations", "duckdb", "polars", "pyarrow", "numpy", "pandas"} & set(sys.modules)
print("heavy:", sorted(heavy), "status:", status)
"""


def test_collecting_is_a_light_process(tmp_path: Path, server: Server) -> None:
    server.script = [send(200, snapshot(0))]
    folder = town(tmp_path / "town", server.url + "/partners/1/waze-feeds/${HALLE_TEST_TOKEN}")
    arguments = ("collect", "waze_evenements", "--once", "--territory", folder, "--data", tmp_path / "data")
    environment = {**os.environ, "HALLE_TEST_TOKEN": HIDDEN}
    done = subprocess.run(
        command(*arguments, program=LIGHT), capture_output=True, text=True, check=False, env=environment, cwd=PROJECT
    )
    assert "heavy: [] status: 0" in done.stdout, done.stdout + done.stderr
    assert "1 new snapshots" in done.stderr
    assert server.seen[0]["path"] == f"/partners/1/waze-feeds/{HIDDEN}"
    assert_nowhere(tmp_path / "data", HIDDEN)
    assert HIDDEN not in done.stdout + done.stderr


@pytest.mark.parametrize("signalled", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_with_a_sentence(tmp_path: Path, server: Server, signalled: signal.Signals) -> None:
    server.script = [send(200, snapshot(0))]
    arguments = ("collect", "waze_evenements", "--territory", town(tmp_path / "town", server.url + "/feed"))
    with subprocess.Popen(
        command(*arguments, "--data", tmp_path / "data"), stderr=subprocess.PIPE, text=True, cwd=PROJECT
    ) as process:
        wait_until(lambda: any((tmp_path / "data").rglob("*.jsonl")))
        process.send_signal(signalled)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Collection stopped." in said and "Traceback" not in said


def wait_until(holds: Callable[[], bool]) -> None:
    limit = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.05)


USAGE = {
    "no polled feed": (("ign_contours_communes",), ("http://127.0.0.1/feed",), "is no polled feed"),
    "no address": (("waze_evenements",), (), "has 0 addresses"),
    "no duration": (("waze_evenements", "--for", "8h"), ("http://127.0.0.1/feed",), "'8h' is not a duration"),
    "no source": (("waze",), ("http://127.0.0.1/feed",), "has no source 'waze'"),
}


@pytest.mark.parametrize("case", USAGE)
def test_what_cannot_be_collected_is_refused_with_a_sentence(tmp_path: Path, case: str) -> None:
    from orchestration.collecting import collect_source

    (source, *options), urls, said = USAGE[case]
    with pytest.raises(ConfigurationError, match=said):
        collect_source(
            town(tmp_path / "town", *urls),
            tmp_path / "data",
            source,
            once=True,
            every=None,
            lasting=options[1] if options else None,
            say=print,
        )


def test_the_shortest_secret_is_longer_than_a_word_of_chance() -> None:
    assert address_of("https://example.org/x?key=abc", {}).secrets == ()
    assert addresses.SHORTEST == 4
