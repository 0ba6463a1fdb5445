"""Snapshots of Waze for Cities: every record is a row or malformed, and nothing is kept that the card does not load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestration.workspace import PROJECT
from raw_sources.card import Card, read_card
from raw_sources.drafting import draft_source
from raw_sources.errors import DeliveryRefused
from raw_sources.readers import clean, inspect
from raw_sources.readers.waze_snapshot import kept_keys
from tests.unit.readers_support import Read, as_json, card, read_bytes, read_file

WINDOW = {"startTimeMillis": 1493789100000, "endTimeMillis": 1493789160000, "startTime": "2017-05-03 05:25:00:000"}
ALERT = {
    "uuid": "ac9f",
    "type": "ACCIDENT",
    "location": {"x": 106.50, "y": -6.220438},
    "pubMillis": 1493787251840,
    "reportDescription": "SECRET",
    "imageUrl": "http://SECRET",
}
JAM = {"uuid": 1458712744, "speed": 3.50, "delay": -1, "level": 5, "line": [{"x": 1.0, "y": 2}], "segments": [{}]}
UNUSUAL = {"id": 12, "highway": True, "alerts": [{**ALERT, "comments": [{"text": "SECRET"}], "unheardOf": "SECRET"}]}
SNAPSHOT = {"alerts": [ALERT], "jams": [JAM], "irregularities": [UNUSUAL], **WINDOW, "unheardOf": "SECRET"}
JAKARTA = "waze/waze_ccp_jakarta_20170503.json"


@pytest.fixture(scope="module")
def waze() -> Card:
    return read_card(PROJECT / "raw_sources" / "mobility" / "waze_evenements.yml")


def polled(minute: int, snapshot: dict[str, Any]) -> bytes:
    return as_json({"polled_at": f"2026-11-22T13:{minute:02d}:00Z", "snapshot": snapshot})


def types(read: Read) -> list[str]:
    return read.values("record_type")


def test_a_snapshot_gives_its_envelope_and_each_event(waze: Card, tmp_path: Path) -> None:
    read = read_bytes(as_json(SNAPSHOT), tmp_path, waze, "feed.json")
    assert types(read) == ["snapshot", "alert", "jam", "irregularity"]
    assert set(read.values("snapshot_start_millis")) == {"1493789100000"}
    alert, jam, unusual = read.rows[1:]
    # Numbers as written, nested values as JSON.
    assert alert["location"] == '{"x":106.5,"y":-6.220438}' and alert["uuid"] == "ac9f"
    assert (jam["uuid"], jam["speed"], jam["delay"], jam["segments"]) == ("1458712744", "3.5", "-1", "[{}]")
    assert (unusual["id"], unusual["is_highway"]) == ("12", "true")
    assert {row["_extra"] for row in read.rows} == {None}
    assert "report_description" not in alert


def test_an_empty_snapshot_was_seen_too(waze: Card, tmp_path: Path) -> None:
    read = read_bytes(as_json(WINDOW), tmp_path, waze, "feed.json")
    assert (read.count.records_read, types(read)) == (1, ["snapshot"])


@pytest.mark.parametrize("indent", [None, 2])
def test_one_snapshot_a_list_and_a_bundle_say_the_same(waze: Card, tmp_path: Path, indent: int | None) -> None:
    one = read_bytes(json.dumps(SNAPSHOT, indent=indent), tmp_path, waze, "feed.json")
    several = read_bytes(json.dumps([SNAPSHOT, SNAPSHOT], indent=indent), tmp_path, waze, "feeds.json")
    bundle = read_bytes(polled(0, SNAPSHOT) + b"\n" + polled(2, SNAPSHOT) + b"\n", tmp_path, waze, "b.jsonl")
    assert types(one) * 2 == types(several) == types(bundle)
    assert one.values("line") * 2 == several.values("line") == bundle.values("line")
    assert bundle.values("polled_at")[0] == "2026-11-22T13:00:00Z" and one.values("polled_at")[0] is None


def test_a_poll_that_failed_is_a_record(waze: Card, tmp_path: Path) -> None:
    failed = as_json({"polled_at": "2026-11-22T13:02:00Z", "failed": "Unreachable"})
    read = read_bytes(polled(0, WINDOW) + b"\n" + failed + b"\n", tmp_path, waze, "b.jsonl")
    assert types(read) == ["snapshot", "failed_poll"]
    assert read.rows[1]["failed"] == "Unreachable"


BROKEN = {
    "half a line at the end": (polled(0, WINDOW) + b"\n" + polled(2, SNAPSHOT)[:90], ["snapshot"], 2),
    "a broken line first": (b'{"polled_at":"2026\n' + polled(2, WINDOW) + b"\n", ["snapshot"], 1),
    "bytes that are no UTF-8": (polled(0, WINDOW) + b"\n\xff\n" + polled(4, WINDOW) + b"\n", ["snapshot"] * 2, 2),
    "another object": (polled(0, WINDOW) + b'\n{"error":"quota"}\n', ["snapshot"], 2),
    "an event that is no object": (polled(0, {**WINDOW, "jams": [None]}) + b"\n", ["snapshot"], 1),
    "events that are no list": (polled(0, {**WINDOW, "alerts": {"uuid": "1"}}) + b"\n", ["snapshot"], 1),
    "half of a surrogate pair": (
        b'{"startTimeMillis":1,"jams":[{"uuid":"1","street":"\\ud83d"},{"uuid":"2"}]}\n',
        ["snapshot", "jam"],
        1,
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_counted_and_the_rest_is_read(waze: Card, tmp_path: Path, case: str) -> None:
    content, found, line = BROKEN[case]
    read = read_bytes(content, tmp_path, waze, "b.jsonl")
    assert (types(read), read.count.malformed) == (found, 1)
    (record,) = read.malformed
    assert record["line_no"] == line and record["reason"]
    # A text that cannot be parsed cannot be shown without what may not be kept.
    assert record["text"] is None
    # Cleaned, it is counted as before.
    clean(tmp_path / "b.jsonl", read.match, waze, tmp_path / "cleaned.jsonl")
    again = read_file(tmp_path / "cleaned.jsonl", waze, tmp_path)
    assert (types(again), again.count.malformed) == (found, 1)


REFUSED = {
    "cut in its middle": (json.dumps(SNAPSHOT)[:200], "no snapshot of Waze can be read"),
    "another feed": ('{"results": [{"id": 1}]}', "'results'"),
    "an error of the service": ('{"error": "forbidden"}', "'error'"),
    "no snapshot": ("[]", "holds no snapshot"),
    "the XML form": ("<?xml version='1.0'?><rss><channel/></rss>", "Ask the address with ?format=1"),
    "a table": ("id;speed\n1;2\n", "no snapshot of Waze can be read"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_snapshot_is_refused_with_a_sentence(waze: Card, tmp_path: Path, case: str) -> None:
    content, said = REFUSED[case]
    with pytest.raises(DeliveryRefused) as refusal:
        read_bytes(content, tmp_path, waze, "feed.json")
    assert said in str(refusal.value)


def test_other_cards_do_not_take_a_snapshot(tmp_path: Path) -> None:
    with pytest.raises(DeliveryRefused, match="no list of records"):
        read_bytes(as_json(SNAPSHOT), tmp_path, card(), "feed.json")


@pytest.mark.parametrize("content", [as_json(SNAPSHOT), as_json([SNAPSHOT]), polled(0, SNAPSHOT) + b"\n"])
def test_cleaning_keeps_what_the_card_loads_and_nothing_else(waze: Card, tmp_path: Path, content: bytes) -> None:
    before = read_bytes(content, tmp_path, waze, "feed.json")
    out, twice = tmp_path / "cleaned.json", tmp_path / "twice.json"
    clean(tmp_path / "feed.json", before.match, waze, out)
    text = out.read_text()
    assert "SECRET" not in text
    for key in ("reportDescription", "imageUrl", "comments", "unheardOf"):
        assert key not in text
    after = read_file(out, waze, tmp_path)
    assert [row["uuid"] for row in after.rows] == [row["uuid"] for row in before.rows]
    assert json.loads(after.rows[3]["alerts"])[0].keys() == {"uuid", "type", "location", "pubMillis"}
    clean(out, after.match, waze, twice)
    assert twice.read_bytes() == out.read_bytes()


def test_unknown_keys_are_named_and_none_of_the_never_load_list_is_known(waze: Card, tmp_path: Path) -> None:
    (tmp_path / "feed.json").write_bytes(as_json({**WINDOW, "jams": [{"uuid": 1, "newKey": "v"}]}))
    assert inspect(tmp_path / "feed.json", waze).extra == ("newKey",)
    never = {header.casefold() for column in waze.columns if column.never_load for header in column.headers}
    assert {"reportdescription", "reportby", "nearby", "imageurl", "comments", "wazedata", "userid"} <= never
    assert not never & kept_keys(waze)


def test_new_source_names_the_card_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "feed.json").write_bytes(as_json(SNAPSHOT))
    with pytest.raises(DeliveryRefused, match=r"Waze for Cities \(alerts \(1\), jams \(1\).*waze_evenements"):
        draft_source(tmp_path / "feed.json", "waze_feed", "mobility")


def test_the_real_feed_is_read_whole(waze: Card, tmp_path: Path, real_extracts: Path) -> None:
    read = read_file(real_extracts / JAKARTA, waze, tmp_path)
    assert {kind: types(read).count(kind) for kind in dict.fromkeys(types(read))} == {
        "snapshot": 1,
        "alert": 285,
        "jam": 965,
        "irregularity": 37,
    }
    assert read.count.malformed == 0 and read.match.extra == ()
    clean(real_extracts / JAKARTA, read.match, waze, tmp_path / "cleaned.json")
    text = (tmp_path / "cleaned.json").read_text()
    assert "reportDescription" not in text and "jembatan putus" not in text and "imageUrl" not in text
    assert read_file(tmp_path / "cleaned.json", waze, tmp_path).rows == read.rows
