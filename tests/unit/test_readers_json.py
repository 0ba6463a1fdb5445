"""JSON records and GeoJSON: the same cells from every envelope, numbers as written, cuts and damage accounted for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from raw_sources.card import Column
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


NESTED = (
    column("site", "site", "id", required=True),
    column("kind", "kind", "core/kind"),
    column("roads", "core/roads"),
    column("lane", "lanes/type"),
    column("words", "core/words", "core/who/mail", never_load=True),
    column("geometry", "geometry"),
)
CORE = {"Kind": "work", "roads": ["A 1"], "words": "Bob 06", "who": {"mail": "me@x", "role": "chief"}, "since": 2020.0}


def zone(**members: object) -> dict[str, object]:
    return {"site": "Z", "core": CORE, "lanes": [{"type": "bus", "n": 1}, {"type": "car", "n": 2}]} | members


def enveloped(record: dict[str, object]) -> list[bytes]:
    feature = {"type": "Feature", "geometry": None, "properties": record}
    return [
        as_json([record]),
        as_json({"type": "FeatureCollection", "features": [feature]}),
        as_json({"nhits": 1, "records": [v1(record)]}),
        as_json({"total_count": 1, "records": [{"record": v1(record)}]}),
        as_json(record) + b"\n" + as_json(record),
    ]


@pytest.mark.parametrize("document", enveloped(zone()))
def test_headers_lead_into_nested_objects(tmp_path: Path, document: bytes) -> None:
    found = read_bytes(document, tmp_path, card(columns=NESTED))
    row = found.rows[0]
    assert (row["site"], row["kind"], row["roads"], row["lane"]) == ("Z", "work", "A 1", '["bus","car"]')
    rest = json.loads(row["_extra"])
    assert {name: json.loads(text) for name, text in rest.items()} == {
        "core": {"who": {"role": "chief"}, "since": 2020.0},
        "lanes": [{"n": 1}, {"n": 2}],
    }
    assert '"since":2020.0' in rest["core"]
    assert (found.match.extra, found.match.missing[:1]) == (
        ("core", "lanes"),
        ("geometry",) * (b"Feat" not in document),
    )
    assert found.match.mapping["kind"] == "core/kind"


def test_what_paths_cover_whole_is_no_extra(tmp_path: Path) -> None:
    records = [{"site": 1, "core": {"kind": "a", "roads": []}}, {"site": 2, "core": None}, {"site": 3, "core": "b"}]
    found = read_bytes(as_json(records), tmp_path, card(columns=NESTED))
    assert (found.values("kind"), found.values("roads")) == (["a", None, None], [None] * 3)
    assert found.values("_extra") == [None, None, '{"core":"b"}']
    assert read_bytes(as_json(records[:2]), tmp_path, card(columns=NESTED)).match.extra == ()


def test_a_subtree_comes_as_json_and_a_required_column_by_its_path(tmp_path: Path) -> None:
    deep = (column("site", "about/site", required=True), column("who", "about/who"))
    records = [{"about": [{"site": number, "who": {"a": [1.0, None]}}]} for number in (1, 2)]
    damaged = as_json(records).replace(b'"site": 1', b'"site" 1')
    for document in (as_json(records), b"\n".join(map(as_json, records)), damaged):
        found = read_bytes(document, tmp_path, card(columns=deep))
        assert found.values("site")[-1] == "2"
        assert found.values("who")[-1] == '{"a":[1.0,null]}'
    with pytest.raises(DeliveryRefused, match="required columns 'site' are in no record; found 'about'"):
        read_bytes(b'[{"about": {"sites": 1}}]', tmp_path, card(columns=deep))


def test_a_key_with_a_slash_is_a_whole_name_before_it_is_a_path(tmp_path: Path) -> None:
    slashed = (column("site", required=True), column("speed", "speed km/h", "core/kind"), column("flow", "flow/h"))
    records = [{"site": 1, "Speed  km/h": 50, "flow/h": 7, "core": {"kind": "a"}}, {"site": 2, "core": {"kind": "b"}}]
    found = read_bytes(as_json(records), tmp_path, card(columns=slashed))
    assert (found.values("speed"), found.values("flow")) == (["50", "b"], ["7", None])
    assert found.values("_extra") == ['{"core/kind":"a"}', None]


SEVERAL_PLACES = [
    ({"properties": {"road_event_id": "E", "rue": 1}, "id": "f.1"}, "E", '{"id":"f.1"}'),
    ({"properties": {"road_event_id": "E", "rue": 1}, "id": "E"}, "E", None),
    ({"properties": {"road_event_id": "", "rue": 1}, "id": "f.1"}, "f.1", None),
    ({"properties": {"rue": 1}, "id": "f.1"}, "f.1", None),
]


@pytest.mark.parametrize(("members", "site", "extra"), SEVERAL_PLACES)
def test_a_feature_may_be_named_twice(tmp_path: Path, members: dict[str, object], site: str, extra: str) -> None:
    of = card(columns=(column("site", "road_event_id", "id", required=True), column("street", "rue")))
    document = as_json({"features": [{"type": "Feature", "geometry": None} | members]})
    found = read_bytes(document, tmp_path, of)
    left = {name: text for name, text in json.loads(found.values("_extra")[0]).items() if name != "geometry"}
    assert (found.values("site"), left) == ([site], json.loads(extra) if extra else {})
    turned = card(columns=(column("site", "id", "road_event_id", required=True), column("street", "rue")))
    assert read_bytes(document, tmp_path, turned).values("site") == [members["id"]]


def test_two_keys_of_one_object_contradict_each_other(tmp_path: Path) -> None:
    for properties in ({"site": 1, "SITE": 2}, {"site": 1, "id": 2}):
        document = as_json({"features": [{"type": "Feature", "properties": properties, "id": 3}]})
        with pytest.raises(DeliveryRefused, match="one and the same column"):
            read_bytes(document, tmp_path, card(columns=NESTED))


WHOLE = (*NESTED, column("core", "core"))
HIDDEN = [
    zone(),
    zone(core=[CORE, {"words": "Bob", "kind": "b"}]),
    zone(core=[[CORE]]),
    zone(core=json.dumps(CORE)),
    {"site": "Z", "CORE": {"WORDS": "Bob", "Who": [{"Mail": "me@x"}, {"role": 1}]}},
    zone(**{"core/words": "Bob"}),
    {"site": "Z", "core": {"words": "Bob"}},
]


@pytest.mark.parametrize("record", HIDDEN)
@pytest.mark.parametrize("columns", [NESTED, WHOLE])
def test_nested_members_are_removed_when_cleaning_and_when_reading(
    tmp_path: Path, record: dict[str, object], columns: tuple[Column, ...]
) -> None:
    of = card(columns=columns)
    for document in enveloped(record):
        path, out = tmp_path / "a.json", tmp_path / "clean.json"
        path.write_bytes(document)
        clean(path, inspect(path, of), of, out)
        original, cleaned = read_file(path, of, tmp_path), read_file(out, of, tmp_path)
        assert (cleaned.rows, cleaned.count) == (original.rows, original.count)
        for text in (out.read_text(), str(original.rows)):
            assert "Bob" not in text
            assert "me@x" not in text
            assert ("chief" in text) == ("chief" in str(record))


def test_nothing_is_read_below_what_is_never_loaded(tmp_path: Path) -> None:
    of = card(columns=(column("site"), column("kind", "core/kind"), column("core", never_load=True)))
    assert read_bytes(as_json([zone(lanes=None)]), tmp_path, of).values("kind") == [None]


def test_a_text_that_opens_to_what_cannot_be_stored_stays_a_text(tmp_path: Path) -> None:
    texts = ['{"kind": "\\u0000"}', '{"kind": "\\ud800"}', "{kind}", "[" * 5000]
    found = read_bytes(as_json([{"site": 1, "core": text} for text in texts]), tmp_path, card(columns=NESTED))
    assert [json.loads(extra)["core"] for extra in found.values("_extra")] == texts
