"""JSON records and GeoJSON: the same cells from every envelope, numbers as written, cuts and damage accounted for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from raw_sources.errors import DeliveryRefused
from raw_sources.readers import clean, inspect, json_stream
from tests.unit.readers_support import COLUMNS, as_json, card, column, read_bytes, read_file

RECORDS = [
    {
        "site": 1,
        "rue": "A é",
        "note": None,
        "debut": "2024-01-01",
        "geo_shape": {"type": "Point", "coordinates": [2.0, 1]},
    },
    {"site": 2, "rue": "B", "note": True, "debut": "", "autre": [1, "x"]},
]


def v1(record: dict[str, object]) -> dict[str, object]:
    return {"recordid": "x", "fields": record}


@pytest.mark.parametrize(
    "document",
    [
        as_json(RECORDS),
        as_json({"total_count": 2, "results": RECORDS}),
        as_json({"results": RECORDS, "total_count": 2}),
        as_json({"nhits": 2, "parameters": {"rows": 10}, "records": [v1(record) for record in RECORDS]}),
        as_json({"incidents": RECORDS}),
        as_json({"total_count": 2, "records": [{"links": [], "record": v1(record)} for record in RECORDS]}),
        b"\n".join(map(as_json, RECORDS)),
        b"\xef\xbb\xbf" + json.dumps(RECORDS, indent=2).encode(),
        json.dumps(RECORDS).encode("utf-16"),
    ],
)
def test_every_envelope_gives_the_same_rows(tmp_path: Path, document: bytes) -> None:
    found = read_bytes(document, tmp_path, name="a.json")
    assert found.values("site") == ["1", "2"]
    assert found.values("street") == ["A é", "B"]
    assert found.values("note") == [None, "true"]
    assert found.values("start_on") == ["2024-01-01", None]
    assert found.values("geometry") == ['{"type":"Point","coordinates":[2.0,1]}', None]
    assert found.values("_extra") == [None, '{"autre":"[1,\\"x\\"]"}']
    assert (found.match.extra, found.match.partial, found.count.malformed) == (("autre",), False, 0)


def test_numbers_stay_as_written(tmp_path: Path) -> None:
    found = read_bytes(
        b'[{"site": 524.0, "rue": 1E+2, "note": -0, "geometry": [1.10, 12345678901234567890.5]}]', tmp_path
    )
    row = found.rows[0]
    assert (row["site"], row["street"], row["note"]) == ("524.0", "1E+2", "-0")
    assert row["geometry"] == "[1.10,12345678901234567890.5]"


def test_geojson_features(tmp_path: Path) -> None:
    feature = {"type": "Feature", "id": "f.1", "geometry": {"type": "Point", "coordinates": [2.5, 48.0]}}
    with_properties = feature | {"properties": {"site": 7, "rue": "A"}}
    document = {
        "type": "FeatureCollection",
        "crs": {"a": 1},
        "features": [with_properties, feature | {"properties": None}],
    }
    found = read_bytes(as_json(document), tmp_path)
    assert found.match.layout.name == "map"
    assert found.values("geometry") == ['{"type":"Point","coordinates":[2.5,48.0]}'] * 2
    assert found.values("site") == ["7", None]
    identified = card(columns=(*COLUMNS, column("feature", "id")))
    assert read_bytes(as_json(document), tmp_path, identified).values("feature") == ["f.1", "f.1"]


def test_a_document_that_announces_more_is_a_page(tmp_path: Path) -> None:
    page = read_bytes(as_json({"total_count": 3, "results": RECORDS}), tmp_path)
    assert (page.match.partial, page.match.layout.name) == (True, "page")
    whole = read_bytes(as_json({"total_count": 2, "results": RECORDS}), tmp_path)
    assert (whole.match.partial, whole.match.layout.name) == (False, "export")


@pytest.mark.parametrize("key", ["totalFeatures", "numberMatched"])
@pytest.mark.parametrize("kept", [3, 1500])
def test_a_map_that_announces_more_after_its_features_is_a_page(tmp_path: Path, key: str, kept: int) -> None:
    features = [{"type": "Feature", "properties": {"site": number, "rue": "A"}} for number in range(kept)]
    document = {"type": "FeatureCollection", "features": features, key: kept, "numberReturned": kept}
    assert not read_bytes(as_json(document), tmp_path).match.partial
    for encoding in ("utf-8", "utf-16"):
        page = json.dumps(document | {key: 2000}).encode(encoding)
        assert read_bytes(page, tmp_path).match.partial
    assert not read_bytes(as_json(document | {key: "unknown"}), tmp_path).match.partial


def test_what_feeds_say_of_themselves_is_no_record(tmp_path: Path) -> None:
    feed = {"$id": "https://x.org/schema", "feed_info": {"version": "4.2", "data_sources": [{"data_source_id": "1"}]}}
    collection = {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"site": 1, "rue": "A"}}]}
    found = read_bytes(as_json(feed | {"road_event_feed_info": feed["feed_info"]} | collection), tmp_path)
    assert (found.match.layout.name, found.values("site"), found.match.extra) == ("map", ["1"], ())


@pytest.mark.parametrize("indent", [None, 1])
def test_a_cut_document_keeps_what_came_before(tmp_path: Path, indent: int | None) -> None:
    records = [{"site": number, "rue": f"rue {number}"} for number in range(50)]
    whole = json.dumps({"total_count": 50, "results": records}, indent=indent)
    for cut in range(whole.index('"rue 1"') + 10, len(whole) - 4, 7):
        found = read_bytes(whole[:cut], tmp_path)
        expected = whole[:cut].count("}")
        assert (found.count.raw_rows, found.count.malformed) == (expected, 1)
        assert "cut" in found.reasons()[0] or "ends before" in found.reasons()[0]
        record = found.malformed[0]
        assert whole[record["byte_offset"] : cut].strip(" ,\n") == record["text"]
        assert whole[: record["byte_offset"]].count("\n") + 1 == record["line_no"]


def test_reading_goes_on_after_a_damaged_record(tmp_path: Path) -> None:
    records = [{"site": number, "rue": "A", "parts": [{"x": 1}, {"x": 2}]} for number in range(9)]
    text = json.dumps(records)
    for damage in (
        ('"site": 4,', '"site": 4'),
        ('"site": 4, "rue": "A"', '"site": 4, "rue": "A'),
        ('}, {"site": 5', '} {"site": 5'),
    ):
        found = read_bytes(text.replace(*damage), tmp_path)
        assert found.count.records_read == 9
        assert found.count.malformed == 1


def test_bytes_and_characters_that_cannot_be_stored(tmp_path: Path) -> None:
    good = '{"site": 1, "rue": "é"},'.encode() * 3
    bad = [b'{"site": 2, "rue": "\xe9"}', rb'{"site": 3, "rue": "\ud800"}', rb'{"site": 4, "rue": "a\u0000"}', b"5"]
    found = read_bytes(b"[" + good + b",".join(bad) + b"]", tmp_path)
    assert found.count.raw_rows == 3
    assert found.reasons() == ["byte 0xE9 is not utf-8", "half of a surrogate pair", "a NUL character", "not an object"]
    assert found.malformed[0]["text"] == r'{"site": 2, "rue": "\xe9"}'


def test_values_nested_beyond_measure_are_malformed(tmp_path: Path) -> None:
    for depth in (400, 5000, 100_000):
        deep = "[" * depth + "]" * depth
        found = read_bytes(
            f'[{{"site": 1, "rue": "A"}}, {{"site": 2, "rue": {deep}}}, {{"site": 3, "rue": "C"}}]', tmp_path
        )
        assert found.count.records_read == 3
        assert found.count.raw_rows >= 2


def test_the_window_does_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [{"site": number, "rue": "é" * number, "n": [number, 1.50]} for number in range(60)]
    text = json.dumps({"results": records, "total_count": 60}, ensure_ascii=False).replace('"site": 30,', '"site": 30')
    expected = read_bytes(text, tmp_path)
    for size in (1, 7, 100):
        monkeypatch.setattr(json_stream, "CHUNK_BYTES", size)
        found = read_bytes(text, tmp_path)
        assert (found.rows, found.malformed) == (expected.rows, expected.malformed)


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (b'{"message": "quota exceeded"}', "quota exceeded"),
        (b'{"data": 1}', "no list of records; its members are 'data'"),
        (b'[{"site": 1', "no record can be read: the document is cut"),
        (b'{"results": [{"rue": "A"}]}', "required columns 'site' are in no record; found 'rue'"),
        (b'[{"site": 1, "rue": 2, "Voie(s)": 3}]', "one and the same column"),
        (b"[1, 2]", "no record can be read: not an object"),
    ],
)
def test_what_is_no_delivery_is_refused_with_a_sentence(tmp_path: Path, document: bytes, sentence: str) -> None:
    with pytest.raises(DeliveryRefused, match=sentence.replace("(", r"\(")):
        read_bytes(document, tmp_path)


def test_an_empty_list_is_a_delivery_of_no_record(tmp_path: Path) -> None:
    for document in (b"[]", b'{"total_count": 0, "results": []}', b'{"type": "FeatureCollection", "features": []}'):
        assert read_bytes(document, tmp_path).count.records_read == 0


SECRET = card(columns=(*COLUMNS, column("mail", "mail", "courriel", never_load=True)))


@pytest.mark.parametrize(
    "document",
    [
        b'[{"site": 1.0, "mail": "me@x", "rue": "\xc3\xa9"}, {"site" me@x}, {"site": 2, "rue": "B"}]',
        b'{"facet_groups": ["me@x"], "nhits": 9, "records": [{"fields": {"site": 1, "rue": "A", "Courriel": "me@x"}}]}',
        b'{"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": null, '
        b'"properties": {"site": 1, "rue": "A", "mail": "me@x"}}]}',
        b'{"site": 1, "rue": "A", "mail": "me@x"}\n{"site" me@x\n{"site": 2, "rue": "A", "mail": null}\n',
    ],
)
def test_cleaning_removes_columns_and_keeps_the_form(tmp_path: Path, document: bytes) -> None:
    path, out = tmp_path / "a.json", tmp_path / "clean.json"
    path.write_bytes(document)
    clean(path, inspect(path, SECRET), SECRET, out)
    assert b"me@" not in out.read_bytes()
    original, cleaned = read_file(path, SECRET, tmp_path), read_file(out, SECRET, tmp_path)
    assert (cleaned.rows, cleaned.count) == (original.rows, original.count)
    assert (cleaned.match.partial, cleaned.match.container) == (original.match.partial, original.match.container)
