"""XML records: paths into elements of any prefix, damage accounted for, nothing fetched, memory bounded."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raw_sources.errors import DeliveryRefused
from raw_sources.readers import clean, inspect, xml_records, xml_stream
from raw_sources.readers.xml_records import markup
from raw_sources.readers.xml_stream import Survey, XmlForm, stream_elements
from tests.unit.readers_support import Read, card, column, layout, read_bytes, read_file

COLUMNS = (
    column("record", "@id", required=True),
    column("kind", "@type"),
    column("road", "place/road/name", "place/line/road"),
    column("lanes", "impact/lanes"),
    column("comment", "comment/value"),
    column("place", "geometry"),
    column("situation", "../@id"),
    column("status", "../header/status"),
    column("published", "../../time"),
)
LAYOUTS = (layout("situations", "xml_records", record="work", root="WorksPublication"),)
WORKS = card(columns=COLUMNS, layouts=LAYOUTS)
XSI = "http://www.w3.org/2001/XMLSchema-instance"
FIRST = '<work id="w1"><impact><lanes>1</lanes></impact></work>'
SECOND = '<work id="w2"><impact><lanes>2</lanes></impact></work>'


def publication(*works: str, kind: str = "WorksPublication", before: str = "") -> str:
    """A document of one situation; ``before`` comes where a prologue does."""
    return (
        f'{before}<model xmlns:xsi="{XSI}"><payload xsi:type="{kind}"><time>2026-07-13T08:00:00+02:00</time>'
        f'<situation id="s1"><header><status>real</status></header>{"".join(works)}</situation></payload></model>'
    )


def xml(content: bytes | str, folder: Path, of: Any = WORKS) -> Read:
    return read_bytes(content, folder, of, name="file.xml")


def extra(found: Read) -> list[Any]:
    return [json.loads(text) if text else None for text in found.values("_extra")]


# What a record is


PREFIXED = f"""<?xml version="1.0"?>
<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope"><soap:Body>
<model xmlns:n="urn:works" xmlns:xsi="{XSI}"><n:payload xsi:type="n:WorksPublication">
<n:time> 2026-07-13T08:00:00+02:00 </n:time>
<n:situation id="s1" version="3"><n:header><n:status>real</n:status></n:header>
  <n:work xsi:type="n:Maintenance" id="w1">
    <n:place><n:road><n:name>Rue de l'Église</n:name></n:road></n:place>
    <n:impact><n:lanes>1</n:lanes></n:impact>
    <n:comment><n:value lang="fr">Un  mot</n:value></n:comment>
    <n:geometry><n:lat>48.10</n:lat><n:lon>2</n:lon></n:geometry>
    <n:cause>a</n:cause><n:cause>b</n:cause>
  </n:work>
  <n:work xsi:type="n:Closure" id="w2">
    <n:impact><n:lanes>1</n:lanes></n:impact><n:impact><n:lanes/></n:impact><n:impact><n:lanes>3</n:lanes></n:impact>
    <n:comment><n:value>A &amp; B</n:value></n:comment><n:comment><n:value><![CDATA[<C>]]></n:value></n:comment>
  </n:work>
</n:situation>
<n:situation id="s2"><n:work id="w3"><n:impact/></n:work></n:situation>
</n:payload></model></soap:Body></soap:Envelope>"""


def test_paths_walk_through_elements_lists_and_ancestors(tmp_path: Path) -> None:
    found = xml(PREFIXED, tmp_path)
    assert found.values("record") == ["w1", "w2", "w3"]
    assert found.values("kind") == ["Maintenance", "Closure", None]
    assert found.values("road") == ["Rue de l'Église", None, None]
    assert found.values("lanes") == ["1", '["1",null,"3"]', None]
    assert found.values("comment") == ["Un  mot", '["A & B","<C>"]', None]
    assert found.values("place") == ['{"lat":"48.10","lon":"2"}', None, None]
    assert found.values("situation") == ["s1", "s1", "s2"]
    assert found.values("status") == ["real", "real", None]
    assert found.values("published") == ["2026-07-13T08:00:00+02:00"] * 3
    assert extra(found) == [{"cause": '["a","b"]'}, None, None]
    assert found.match.extra == ("cause",)
    assert found.match.missing == ()
    assert found.match.mapping["road"] == "place/road/name"


def test_prefixes_and_namespaces_do_not_matter(tmp_path: Path) -> None:
    expected = xml(PREFIXED, tmp_path).rows
    assert xml(PREFIXED.replace("n:", ""), tmp_path).rows == expected
    assert xml(PREFIXED.replace("n:", "sit:").replace(":n=", ":sit="), tmp_path).rows == expected
    assert xml(PREFIXED.replace("n:", "").replace(':n="urn', '="urn'), tmp_path).rows == expected


def test_the_text_of_an_element_with_attributes_is_found_with_or_without_its_mark(tmp_path: Path) -> None:
    columns = (
        column("record", "@id", required=True),
        column("plain", "value"),
        column("marked", "value/#text"),
        column("language", "value/@lang"),
    )
    work = '<work id="1"><value lang="fr">mot</value></work><work id="2"><value>mot</value></work>'
    found = xml(publication(work), tmp_path, card(columns=columns, layouts=LAYOUTS))
    assert found.values("plain") == found.values("marked") == ["mot", "mot"]
    assert found.values("language") == ["fr", None]


def test_of_several_paths_of_a_column_the_first_with_a_text_counts(tmp_path: Path) -> None:
    work = (
        '<work id="1"><place><line><road>D 1</road></line></place></work>'
        '<work id="2"><place><road><name>A</name></road><line><road>B</road></line></place></work>'
    )
    found = xml(publication(work), tmp_path)
    assert found.values("road") == ["D 1", "A"]
    assert extra(found) == [None, {"place/line/road": "B"}]


def test_ancestors_are_known_as_they_were_before_the_record(tmp_path: Path) -> None:
    late = publication(FIRST, "<header><status>late</status></header>", SECOND)
    assert xml(late, tmp_path).values("status") == ["real", '["real","late"]']


def test_of_nested_records_the_outermost_counts(tmp_path: Path) -> None:
    found = xml(publication('<work id="1"><work id="2"/></work>', FIRST), tmp_path)
    assert found.values("record") == ["1", "w1"]
    assert extra(found)[0] == {"work": '{"@id":"2"}'}


def test_what_is_said_to_be_nil_is_empty(tmp_path: Path) -> None:
    found = xml(publication('<work id="1"><geometry xsi:nil="true"/></work>'), tmp_path)
    assert found.values("place") == [None]


def test_two_attributes_of_one_local_name_are_both_kept(tmp_path: Path) -> None:
    found = xml(publication('<work id="1" type="own" xsi:type="n:Closure"/>'), tmp_path)
    assert (found.values("kind"), extra(found)) == (["own"], [{"@type_2": "Closure"}])


# Which layout, and whether there is one


def test_layouts_are_tried_in_order(tmp_path: Path) -> None:
    layouts = (layout("sites", "xml_records", record="site"), *LAYOUTS)
    found = xml(publication(FIRST), tmp_path, card(columns=COLUMNS, layouts=layouts))
    assert found.match.layout.name == "situations"
    columns = (column("record", "@id"), column("road", "name", required=True))
    other = (layout("works", "xml_records", record="work"), layout("all", "xml_records", record="situation"))
    named = publication(FIRST, "<name>A 6</name>")
    assert xml(named, tmp_path, card(columns=columns, layouts=other)).values("road") == ["A 6"]


def test_a_document_without_records_is_empty_only_where_its_root_says_so(tmp_path: Path) -> None:
    found = xml(publication(), tmp_path)
    assert (found.count.records_read, found.match.layout.name) == (0, "situations")
    named = card(columns=COLUMNS, layouts=(layout("x", "xml_records", record="work", root="situation"),))
    assert xml(publication(), tmp_path, named).count.records_read == 0
    for document in (publication(kind="MeasuresPublication"), publication()[:-10], "<works/>"):
        with pytest.raises(DeliveryRefused):
            xml(document, tmp_path)
    unsaid = card(columns=COLUMNS, layouts=(layout("x", "xml_records", record="work"),))
    with pytest.raises(DeliveryRefused, match="holds no record 'work'; its elements begin with 'model', 'payload'"):
        xml(publication(), tmp_path, unsaid)


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("<Envelope><Body><Fault><faultstring>no such feed</faultstring></Fault></Body></Envelope>", "no such feed"),
        (
            "<s:Envelope xmlns:s='urn:s'><s:Fault><s:Reason><s:Text xml:lang='en'>too many calls</s:Text></s:Reason>"
            "</s:Fault></s:Envelope>",
            "answered with an error instead of data: too many calls.",
        ),
        ("<R><ServiceException code='1'>bad filter</ServiceException></R>", "bad filter"),
        ("<R><Exception><ExceptionText>bad layer</ExceptionText></Exception></R>", "bad layer"),
        ("<model><work id='1'", "line 1: no record can be read: the document is cut: unclosed token"),
        ("<model><a></b></model>", "no record can be read: not XML: mismatched tag"),
        ("\n<?xml version='1.0'?><a/>", "declaration not at start of entity"),
        (publication("<work><lanes>1</lanes></work>"), "required columns 'record' are in no record; its members are"),
        ("<!-- sorry --><html><title>502</title></html>", "page of HTML entitled '502'"),
        ("<?xml version='1.0'?>\n<!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0'><html/>", "page of HTML"),
        ("<h:html xmlns:h='http://www.w3.org/1999/xhtml'/>", "page of HTML"),
    ],
)
def test_what_is_no_delivery_is_refused_with_a_sentence(tmp_path: Path, document: str, sentence: str) -> None:
    with pytest.raises(DeliveryRefused) as refusal:
        xml(document, tmp_path)
    assert sentence in str(refusal.value)


def test_a_record_may_quote_a_page_of_html(tmp_path: Path) -> None:
    document = publication('<work id="1"><comment><value><![CDATA[<html>x</html>]]></value></comment></work>')
    assert xml(document, tmp_path).values("comment") == ["<html>x</html>"]


def test_a_long_prologue_is_sniffed_at_once(tmp_path: Path) -> None:
    assert xml(publication(FIRST, before="<!-- a -->\n" * 2000), tmp_path).count.raw_rows == 1


def test_forms_do_not_stand_for_one_another(tmp_path: Path) -> None:
    with pytest.raises(DeliveryRefused, match="the file is an XML document, which town_works does not accept"):
        xml(publication(FIRST), tmp_path, card())
    with pytest.raises(DeliveryRefused, match="a list of JSON records, which town_works does not accept"):
        xml('[{"@id": "w1"}]', tmp_path)
    with pytest.raises(DeliveryRefused, match="delimited text, which town_works does not accept"):
        xml("@id;@type\nw1;x\n", tmp_path)


# Damage


def test_a_cut_document_keeps_what_came_before(tmp_path: Path) -> None:
    whole = publication(FIRST, "\n", SECOND, "\n", FIRST.replace("w1", "w3é"), "\n").encode()
    ends = [place + len(b"</work>") for place in range(len(whole)) if whole.startswith(b"</work>", place)]
    for cut in range(ends[0], len(whole)):
        found = xml(whole[:cut], tmp_path)
        assert found.count.raw_rows == sum(end <= cut for end in ends)
        (broken,) = found.malformed
        assert broken["reason"].startswith("the document is cut: ")
        place = broken["byte_offset"]
        assert whole[:place].count(b"\n") + 1 == broken["line_no"]
        assert broken["text"].encode() == whole[place:cut] or whole[place:cut][-1] == 0xC3
        if found.count.raw_rows < 3 and whole[:cut].count(b"<work") > found.count.raw_rows:
            assert broken["text"].startswith("<work")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (("</lanes></impact></work>", "</impact></work>"), "not XML: mismatched tag (line 2)"),
        (("<impact>", "<impact>&nbsp;"), "not XML: undefined entity"),
        (("<impact>", "<impact>\x01"), "not XML: not well-formed (invalid token) (line 2)"),
        (("<impact>", "<impact>a & b"), "not XML: not well-formed (invalid token) (line 2)"),
        (("<impact>", "<n:impact>"), "not XML: unbound prefix (line 2)"),
    ],
)
def test_a_damaged_document_ends_with_one_malformed_record(
    tmp_path: Path, damage: tuple[str, str], reason: str
) -> None:
    document = publication(FIRST, "\n", SECOND.replace(*damage), "\n", FIRST)
    found = xml(document, tmp_path)
    assert (found.count.raw_rows, found.count.malformed) == (1, 1)
    assert found.reasons()[0].startswith(reason)
    broken = found.malformed[0]
    assert (broken["line_no"], broken["byte_offset"]) == (2, document.encode().index(b'<work id="w2"'))
    assert broken["text"] == document[document.index('<work id="w2"') :]


def test_text_after_the_end_is_malformed(tmp_path: Path) -> None:
    found = xml(publication(FIRST) + "\n<model/>", tmp_path)
    assert (found.count.raw_rows, found.reasons()) == (1, ["not XML: junk after document element (line 2)"])


def test_the_text_of_a_broken_record_is_withheld_where_there_is_personal_data(tmp_path: Path) -> None:
    private = card(columns=(*COLUMNS, column("who", "who", personal_data="direct")), layouts=LAYOUTS)
    assert xml(publication(FIRST, SECOND)[:-30], tmp_path, private).malformed[0]["text"] is None


def test_the_window_does_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for document in (PREFIXED, PREFIXED[:-200]):
        content = document.encode()
        expected = xml(content, tmp_path)
        for size in (1, 2, 7, 100):
            monkeypatch.setattr(xml_stream, "CHUNK_BYTES", size)
            monkeypatch.setattr(xml_records, "CHUNK_BYTES", size)
            found = xml(content, tmp_path)
            assert (found.rows, found.malformed) == (expected.rows, expected.malformed)


# Encodings


@pytest.mark.parametrize(
    ("declared", "encoding", "mark"),
    [
        (None, "utf-8", b""),
        ("UTF-8", "utf-8", b"\xef\xbb\xbf"),
        ("ISO-8859-1", "utf-8", b"\xef\xbb\xbf"),
        ("ISO-8859-1", "latin-1", b""),
        ("windows-1252", "cp1252", b""),
        ("ISO-8859-15", "iso8859-15", b""),
        ("UTF-16", "utf-16-le", b"\xff\xfe"),
        ("UTF-16", "utf-16-be", b"\xfe\xff"),
        (None, "utf-16-be", b"\xfe\xff"),
    ],
)
def test_the_declared_encoding_is_read_and_kept(
    tmp_path: Path, declared: str | None, encoding: str, mark: bytes
) -> None:
    declaration = f"<?xml version='1.0' encoding='{declared}'?>" if declared else ""
    work = '<work id="1"><geometry>Éé&#8364;</geometry><who>X</who></work>'
    content = mark + publication(work, before=declaration).encode(encoding)
    found = xml(content, tmp_path)
    assert found.values("place") == ["Éé€"]
    private = card(columns=(*COLUMNS, column("who", "who", never_load=True)), layouts=LAYOUTS)
    out = tmp_path / "clean.xml"
    clean(tmp_path / "file.xml", inspect(tmp_path / "file.xml", private), private, out)
    assert read_file(out, private, tmp_path).values("place") == ["Éé€"]
    assert out.read_bytes().startswith(mark)
    assert "É".encode(encoding) in out.read_bytes()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (publication(FIRST, "é").encode("latin-1"), "says that it is utf-8; the byte at "),
        (b"<?xml version='1.0' encoding='cp1252'?><a>\x81</a>", "says that it is cp1252; the byte at 42 is not"),
        (b"<?xml version='1.0' encoding='UTF-16'?><a/>", "lacks the mark"),
        (b"\xfe\xff" + "<?xml version='1.0' encoding='UTF-8'?><a/>".encode("utf-16-be"), "declaration is incorrect"),
        (b"<?xml version='1.0' encoding='Shift_JIS'?><a/>", "encoding 'Shift_JIS', which cannot be read"),
        (b"<?xml version='1.0' encoding='klingon'?><a/>", "encoding 'klingon', which cannot be read"),
        (b"<?xml version='1.0' encoding='rot13'?><a/>", "encoding 'rot13', which cannot be read"),
    ],
)
def test_a_wrong_or_unknown_encoding_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    with pytest.raises(DeliveryRefused, match=sentence):
        xml(content, tmp_path)


def test_a_layout_may_say_what_the_document_says_wrongly(tmp_path: Path) -> None:
    content = publication('<work id="é"/>', before="<?xml version='1.0' encoding='utf-8'?>").encode("cp1252")
    told = card(
        columns=COLUMNS, layouts=(layout("x", "xml_records", record="work", root="payload", encoding="cp1252"),)
    )
    assert xml(content, tmp_path, told).values("record") == ["é"]


# Attacks


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE model>",
        "<!DOCTYPE model [<!ELEMENT model ANY>]>",
        '<!DOCTYPE model [<!ENTITY x "expanded">]>',
        f'<!DOCTYPE model [<!ENTITY l0 "ha">{LAUGHS}<!ENTITY x "&l9;">]>',
        '<!DOCTYPE model [<!ENTITY x SYSTEM "{secret}">]>',
        '<!DOCTYPE model [<!ENTITY x SYSTEM "http://127.0.0.1:9/x">]>',
        '<!DOCTYPE model SYSTEM "{secret}">',
        '<!DOCTYPE model PUBLIC "-//X//Y" "http://127.0.0.1:9/x.dtd">',
        '<!DOCTYPE model [<!ENTITY % p SYSTEM "{secret}"> %p;]>',
        '<!DOCTYPE model [<!ATTLIST work id CDATA "invented">]>',
    ],
)
def test_document_types_and_entities_are_refused(tmp_path: Path, doctype: str) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("<!ENTITY x 'the secret'>")
    named = doctype.replace("{secret}", secret.as_uri())
    use = "&x;" if " x " in named else ""
    with pytest.raises(DeliveryRefused, match=r"declares a document type \(DTD\) or entities"):
        xml(publication(f'<work id="1"><comment>{use}</comment></work>', before=named), tmp_path)


def test_inclusions_and_processing_instructions_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.xml"
    secret.write_text("<work id='stolen'>the secret</work>")
    include = f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{secret.as_uri()}" parse="text"/>'
    style = f'<?xml-stylesheet type="text/xsl" href="{secret.as_uri()}"?><?php echo 1?>'
    work = f'<work id="1"><geometry>{include}</geometry>{style}</work>'
    found = xml(publication(include, work, before=style), tmp_path)
    assert found.values("record") == ["1"]
    assert "the secret" not in str(found.rows)
    assert json.loads(found.values("place")[0])["include"]["@parse"] == "text"


@pytest.mark.parametrize("place", ["{deep}<work id='1'/>", "<work id='1'/><work id='2'>{deep}</work>"])
def test_nesting_beyond_measure_is_refused(tmp_path: Path, place: str) -> None:
    deep = "<d>" * 100_000 + "</d>" * 100_000
    with pytest.raises(DeliveryRefused, match="elements nested more than 128 levels deep"):
        xml(publication(place.replace("{deep}", deep)), tmp_path)


def test_the_greatest_depth_is_read_and_cleaned(tmp_path: Path) -> None:
    depth = xml_stream.MAX_DEPTH - len(["model", "payload", "situation", "work", "geometry"])
    document = publication(f'<work id="1"><geometry>{"<d>" * depth}x{"</d>" * depth}</geometry><who/></work>')
    private = card(columns=(*COLUMNS, column("who", "who", never_load=True)), layouts=LAYOUTS)
    found = xml(document, tmp_path, private)
    assert found.values("place")[0].count('{"d":') == depth
    clean(tmp_path / "file.xml", found.match, private, tmp_path / "out.xml")
    assert read_file(tmp_path / "out.xml", private, tmp_path).rows == found.rows


def test_a_tag_beyond_measure_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_stream, "MAX_TAG_BYTES", 1 << 18)
    for huge in (f'<work id="{"x" * (1 << 20)}"/>', f"<!--{'x' * (1 << 20)}-->", f"<a {'b' * (1 << 20)}=''/>"):
        with pytest.raises(DeliveryRefused, match="a tag of more than 262144 bytes"):
            xml(publication(FIRST, huge), tmp_path)


def test_a_record_beyond_measure_is_malformed_and_reading_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xml_stream, "MAX_RECORD", 50_000)
    for inside in ("<a>" + "x" * 60_000 + "</a>", "<a/>" * 1000, f"<a b='{'x' * 60_000}'/>"):
        huge = f'<work id="2">{inside}</work>'
        found = xml(publication(FIRST, huge, SECOND), tmp_path)
        assert found.values("record") == ["w1", "w2"]
        assert found.reasons() == ["a record beyond the 50000 characters that one may weigh"]
        assert huge.startswith(found.malformed[0]["text"])


def test_what_surrounds_records_is_kept_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_stream, "MAX_KEPT", 10_000)
    monkeypatch.setattr(xml_stream, "MAX_RECORD", 20_000)
    bulk = f"<a>{'x' * 20_000}</a>" + "<b>1</b>" * 1000 + "<c><d/><d/></c>\n" * 30_000
    assert xml(publication(bulk, FIRST), tmp_path).values("status") == ["real"]
    for header in ("<header><status>test</status></header>" * 1000, f"<header>{'x' * 10_001}</header>"):
        with pytest.raises(DeliveryRefused, match="more in 'header' before a record than can be kept"):
            xml(publication(header, FIRST), tmp_path)


def test_what_surrounds_records_is_known_however_much_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xml_stream, "MAX_KEPT", 10_000)
    monkeypatch.setattr(xml_stream, "MAX_RECORD", 10_000)
    bulk = ("<note><text/><text/></note>" + " " * 100) * 1000
    late = publication(bulk, FIRST, "<header><status>late</status></header>", SECOND)
    assert xml(late, tmp_path).values("status") == ["real", '["real","late"]']


WORK = f'<situation><work id="1">{"<p><q>1</q></p>" * 20}<text>{"x" * 50_000}</text></work></situation>\n'
OTHER = f'<note at="1">{"y" * 50_000}</note><site>{"<p>1</p>" * 20}</site>\n'


@pytest.mark.parametrize(
    ("frame", "piece", "mebibytes"),
    [
        ("<model>{}</model>", WORK, 3),
        ("<model>{}</model>", OTHER, 3),
        ("<model>{}</model>", WORK + OTHER, 3),
        ("<model><note>{}</note></model>", "z" * 50_000, 3),
        ("<model><work>{}</work></model>", f"<p>{'z' * 50_000}</p>", 20),
        ("<model><work>{}</work></model>", f"<p a='{'z' * 50_000}'/>", 20),
    ],
)
def test_memory_does_not_grow_with_the_document(tmp_path: Path, frame: str, piece: str, mebibytes: int) -> None:
    path = tmp_path / "large.xml"
    opening, closing = frame.split("{}")
    with path.open("w") as stream:
        stream.write(opening)
        stream.writelines(piece for _ in range((52 << 20) // len(piece)))
        stream.write(closing)
    form = XmlForm("work", None, frozenset(), lambda value, ancestors: None)
    tracemalloc.start()
    try:
        for _ in stream_elements(path, "utf-8", form, Survey()):
            pass
        assert tracemalloc.get_traced_memory()[1] < mebibytes << 20
    finally:
        tracemalloc.stop()


# Cleaning


SECRET = card(
    columns=(
        *COLUMNS,
        column("who", "who/name", "contact", "comment/value/@author", never_load=True),
        column("office", "who"),
        column("officer", "../officer", "../header/officer", "../@agent", never_load=True),
        column("note", "note/#text", never_load=True),
    ),
    layouts=LAYOUTS,
)
PRIVATE = """<work id="w1"><who><name>me@x</name><name>me@y</name><tel>1</tel></who><contact><a>me@z</a></contact>
<comment><value author="me@v" lang="fr">a &lt; b&#13;</value></comment><note k="1">me@n</note></work>"""
PUBLIC = (
    '<work id="w2" k="a&#10;&quot;&lt;"><who><name>me@x</name></who><note>me@n</note><geometry>  </geometry></work>'
)


@pytest.mark.parametrize(
    "document",
    [
        publication("<officer>me@o</officer>", PRIVATE, "<severity>low</severity>", PUBLIC),
        publication("<header><officer>me@o</officer><status>x</status></header>", PRIVATE, PUBLIC, "<a>me@a</a>"),
        publication(PRIVATE, "</situation><situation id='s2' agent='me@s'>", PUBLIC),
        publication(PRIVATE, PUBLIC, PRIVATE.replace("w1", "w3"))[:-250],
        publication(PRIVATE, "<group>", PUBLIC, "<officer>me@o</officer></group>", FIRST),
        publication("<a><b>me@b</b></a>"),
        publication().replace("<time>", "<contact><officer>me@o</officer></contact><time>"),
        PRIVATE.replace("<work ", f"<work xmlns:xsi='{XSI}' xsi:type='n:A' ", 1),
    ],
)
def test_cleaning_removes_paths_and_keeps_the_rest(tmp_path: Path, document: str) -> None:
    found = xml(document, tmp_path, SECRET)
    assert "me@" not in str(found.rows)
    out = tmp_path / "clean.xml"
    clean(tmp_path / "file.xml", found.match, SECRET, out)
    assert b"me@" not in out.read_bytes()
    cleaned = read_file(out, SECRET, tmp_path)
    assert (cleaned.rows, cleaned.count) == (found.rows, found.count)
    assert cleaned.match.extra == found.match.extra
    again = tmp_path / "again.xml"
    clean(out, cleaned.match, SECRET, again)
    assert again.read_bytes() == out.read_bytes()


def test_cleaning_keeps_what_later_cards_may_ask_of_the_surroundings(tmp_path: Path) -> None:
    document = publication("<severity>low</severity>", PRIVATE)
    path, out = tmp_path / "file.xml", tmp_path / "clean.xml"
    path.write_text(document)
    clean(path, inspect(path, SECRET), SECRET, out)
    later = card(columns=(*COLUMNS, column("severity", "../severity")), layouts=LAYOUTS)
    assert read_file(out, later, tmp_path).values("severity") == ["low"]


NAMES = st.sampled_from(["a", "b", "é", "a.b-c"])
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1).map(
    lambda text: f"x{text}&<>\r\t\n]]>'\"x"
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | TEXTS,
    lambda inner: st.builds(
        lambda attributes, children, text: (
            {f"@{name}": value for name, value in attributes.items()} | ({"#text": text} if text else {}) | children
        ),
        st.dictionaries(NAMES, TEXTS, min_size=1),
        st.dictionaries(NAMES, inner | st.lists(inner, min_size=2, max_size=3)),
        st.none() | TEXTS,
    ),
    max_leaves=8,
)


@given(VALUES)
def test_what_is_written_reads_back(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "value.xml"
    path.write_bytes(markup("work", value).encode())
    form = XmlForm("work", None, frozenset(), lambda read, _: read)
    (record,) = stream_elements(path, "utf-8", form, Survey())
    assert getattr(record, "value", record) == value
