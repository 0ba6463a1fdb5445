"""Delimited text: layouts are found by names, every record is a row or malformed, both paths agree."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from raw_sources.errors import DeliveryRefused
from raw_sources.readers import clean, delimited, inspect
from tests.unit.readers_support import COLUMNS, Read, card, column, layout, read_bytes, read_file

HEADER = "site;rue;note;debut\n"
PLAIN = card(columns=COLUMNS[:4], layouts=[layout("table")])


def test_labels_or_identifiers_in_any_order(tmp_path: Path) -> None:
    labels = read_bytes("Voie(s);Référence  CHANTIER\nrue A;7\n", tmp_path)
    identifiers = read_bytes("site,rue\n7,rue A\n", tmp_path)
    assert labels.values("street") == identifiers.values("street") == ["rue A"]
    assert labels.values("site") == ["7"]
    assert labels.match.missing == ("note", "start_on", "geometry")


def test_headers_meet_through_spaces_apostrophes_and_composition(tmp_path: Path) -> None:
    found = read_bytes("site;rue;De\u0301tail\u00a0de l\u2019impact\n1;A;bouché\n", tmp_path)
    assert found.values("note") == ["bouché"]


@pytest.mark.parametrize("delimiter", [";", ",", "|", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separators_and_line_ends(tmp_path: Path, delimiter: str, end: str) -> None:
    lines = [("site", "rue", "note"), ("1", "A", '"say ""x"" ok"'), ("2", "", "é")]
    found = read_bytes("".join(delimiter.join(cells) + end for cells in lines), tmp_path)
    assert (found.match.delimiter, found.count.path) == (delimiter, "fast")
    assert found.values("note") == ['say "x" ok', "é"]
    assert found.values("street") == ["A", None]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_encodings_are_found(tmp_path: Path, encoding: str) -> None:
    text = "Référence chantier;Voie(s);note\n" + "7;rue de l’Église;déjà fermé, côté pair\n" * 3
    found = read_bytes(text.encode(encoding), tmp_path)
    assert found.values("street") == ["rue de l’Église"] * 3
    assert found.count.path == "fast"


def test_declared_encoding_is_believed_and_a_mark_more(tmp_path: Path) -> None:
    declared = card(layouts=[layout("table", encoding="mac_roman")])
    text = "site;rue\n1;déjà\n"
    assert read_bytes(text.encode("mac_roman"), tmp_path, declared).values("street") == ["déjà"]
    assert read_bytes(text.encode("utf-8-sig"), tmp_path, declared).values("street") == ["déjà"]


def test_old_macintosh_text_is_told_from_windows_text(tmp_path: Path) -> None:
    text = "site;rue\n" + "1;déjà fermée, côté pair, près de l'école\n2;Église Saint-Étienne, façade\n" * 20
    assert read_bytes(text.encode("mac_roman"), tmp_path).values("street")[0].startswith("déjà fermée")
    assert read_bytes(text.encode("cp1252"), tmp_path).values("street")[1].startswith("Église")


def test_one_bad_byte_does_not_change_the_encoding(tmp_path: Path) -> None:
    found = read_bytes("site;rue\n1;déjà\n2;côté\n".encode() + b"3;\xe9cole\n4;ici\n", tmp_path)
    assert found.values("street") == ["déjà", "côté", "ici"]
    assert found.reasons() == ["byte 0xE9 at byte 3 of the line is not utf-8"]
    assert found.malformed[0]["text"] == r"3;\xe9cole"
    assert (found.malformed[0]["line_no"], found.malformed[0]["_record_no"]) == (4, 3)


def test_an_undefined_byte_of_windows_1252_is_malformed(tmp_path: Path) -> None:
    found = read_bytes("site;rue\n1;déjà\n2;côté\n".encode("cp1252") + b"3;\x81\n", tmp_path)
    assert found.values("street") == ["déjà", "côté"]
    assert found.reasons() == ["byte 0x81 at byte 3 of the line is not cp1252"]


def test_places_in_a_wide_file_are_of_the_landed_bytes(tmp_path: Path) -> None:
    content = "site;rue\n1;é\n2\n3;à\n4;5;6\n".encode("utf-16")
    found = read_bytes(content, tmp_path)
    for record in found.malformed:
        landed = content[record["byte_offset"] :].decode("utf-16-le")
        assert landed.startswith(record["text"] + "\n")
    assert found.reasons() == ["1 cell instead of 2", "3 cells instead of 2"]


def test_extra_columns_are_kept_and_reported(tmp_path: Path) -> None:
    text = 'site;autre;rue;autre;\n1;a;A;"b ""c"" é\\/\t";\n2;;B;;z\n'
    fast = read_bytes(text, tmp_path)
    slow = read_bytes(text + "bad\n", tmp_path)
    assert fast.match.extra == ("autre", "autre (2)", "unnamed")
    assert (fast.count.path, slow.count.path) == ("fast", "tolerant")
    assert json.loads(fast.rows[0]["_extra"]) == {"autre": "a", "autre (2)": 'b "c" é\\/\t', "unnamed": None}
    assert fast.rows == slow.rows


def test_a_missing_required_column_refuses_the_file(tmp_path: Path) -> None:
    with pytest.raises(DeliveryRefused, match="'street' have no header; found 'site', 'note'"):
        read_bytes("site;note\n1;x\n", tmp_path)


def test_two_headers_for_one_column_refuse_the_file(tmp_path: Path) -> None:
    with pytest.raises(DeliveryRefused, match="one and the same column"):
        read_bytes("site;rue;Voie(s)\n1;A;B\n", tmp_path)


def test_lines_before_the_header_are_passed(tmp_path: Path) -> None:
    found = read_bytes("sep=;\n# made on Monday\nsite;rue\n1;A\n", tmp_path)
    assert (found.match.header_line, found.values("site"), found.count.path) == (3, ["1"], "fast")


TWICE = card(layouts=[layout("labels_and_codes", header_rows=2), layout("table")])


@pytest.mark.parametrize("ending", ["", "\n\n3;;;\n"], ids=["fast", "tolerant"])
def test_two_lines_may_name_the_columns(tmp_path: Path, ending: str) -> None:
    found = read_bytes(
        "Voie(s);Le chantier;Autre\nVOIE_LIB;site;AUTRE\nrue A;7;x\nrue B;8;y\n" + ending, tmp_path, TWICE
    )
    assert (found.match.layout.name, found.match.header_line) == ("labels_and_codes", 2)
    assert found.values("street") == ["rue A", "rue B"]
    assert found.values("site") == ["7", "8"]
    assert [json.loads(extra) for extra in found.values("_extra")] == [{"AUTRE": "x"}, {"AUTRE": "y"}]
    assert (found.count.path, found.count.malformed) == (("tolerant", 1) if ending else ("fast", 0))


def test_a_record_is_not_taken_for_a_second_header(tmp_path: Path) -> None:
    found = read_bytes("site;rue\n7;rue A\n", tmp_path, TWICE)
    assert (found.match.layout.name, found.values("site")) == ("table", ["7"])
    with pytest.raises(DeliveryRefused, match="none of the first lines is a header"):
        read_bytes("site;rue\n7;rue A\n", tmp_path, card(layouts=[layout("labels_and_codes", header_rows=2)]))


def test_a_header_alone_is_a_delivery_of_no_record(tmp_path: Path) -> None:
    for text in ("site;rue\n", "site;rue", "\ufeffsite;rue\r\n"):
        assert read_bytes(text, tmp_path).count.records_read == 0


def test_files_without_header_go_by_position(tmp_path: Path) -> None:
    archive = card(layouts=[layout("table"), layout("archive", header=False, columns=("site", "start_on", "note"))])
    found = read_bytes("\ufeff7\t2012-01-01 01:00:00\t3,5\n8\t2012-01-01 02:00:00\t\n", tmp_path, archive)
    assert (found.match.layout.name, found.match.delimiter) == ("archive", "\t")
    assert found.values("site") == ["7", "8"]
    assert found.values("note") == ["3,5", None]
    with pytest.raises(DeliveryRefused, match="none of the first lines is a header"):
        read_bytes("un\tdeux\ttrois\n7\t2012\t3\n", tmp_path, archive)


def test_a_stray_quote_costs_one_record(tmp_path: Path) -> None:
    body = "".join(f"{number};A;n;d\n" for number in range(1, 3001))
    for column_with_quote in ("1500;A;n;d", '1500;"A;n;d'), ("1500;A;n;d", '1500;A;"n;d'):
        found = read_bytes(HEADER + body.replace(*column_with_quote), tmp_path)
        assert found.count.malformed == 1
        assert found.malformed[0]["_record_no"] == 1500
        assert "is not closed" in found.reasons()[0]
        assert found.count.raw_rows == 2999


def test_line_breaks_only_where_the_card_allows_them(tmp_path: Path) -> None:
    allowed = read_bytes(HEADER + '1;A;"two\nlines";d\n2;B;x;d\n', tmp_path)
    assert (allowed.values("note"), allowed.count.path) == (["two\nlines", "x"], "fast")
    elsewhere = read_bytes(HEADER + '1;"two\nlines";n;d\n2;B;x;d\n', tmp_path)
    assert elsewhere.values("site") == ["2"]
    assert elsewhere.reasons() == ["a quote opened in column 'rue' is not closed", "3 cells instead of 4"]


def test_a_cell_of_too_many_lines_is_no_cell(tmp_path: Path) -> None:
    within, beyond = "l\n" * 999, "l\n" * 1000
    for prefix in ("", "broken\n"):
        assert read_bytes(f'{HEADER}{prefix}1;A;"{within}";d\n', tmp_path).values("note") == [within]
        found = read_bytes(f'{HEADER}{prefix}1;A;"{beyond}";d\n2;B;x;d\n', tmp_path)
        assert found.values("site") == ["2"]


def test_wrong_number_of_cells_text_and_place(tmp_path: Path) -> None:
    text = HEADER + "1;A;n;d\n2;A\n\n3;A;n;d;\n4;A;n;d\n"
    found = read_bytes(text, tmp_path)
    assert found.values("site") == ["1", "4"]
    assert found.reasons() == ["2 cells instead of 4", "5 cells instead of 4"]
    assert [record["text"] for record in found.malformed] == ["2;A", "3;A;n;d;"]
    assert [record["line_no"] for record in found.malformed] == [3, 5]
    for record in found.malformed:
        assert text.encode()[record["byte_offset"] :].decode().startswith(record["text"] + "\n")


def test_a_header_met_again_is_malformed(tmp_path: Path) -> None:
    for again in (HEADER, f"\ufeff{HEADER}"):
        found = read_bytes(HEADER + "1;A;n;d\n" + again + "2;B;n;d\n", tmp_path)
        assert found.values("site") == ["1", "2"]
        assert found.reasons() == ["repeated header"]


def test_a_nul_is_malformed(tmp_path: Path) -> None:
    found = read_bytes(HEADER + "1;A;n;d\n2;B\0;n;d\n3;C;n;d\n", tmp_path)
    assert found.values("site") == ["1", "3"]
    assert found.reasons() == ["a NUL byte at byte 4 of the line"]
    assert found.malformed[0]["text"] == r"2;B\x00;n;d"


def test_blanks_around_quotes_are_not_lost(tmp_path: Path) -> None:
    found = read_bytes(HEADER + '1; "A" ;n; d \n2;B;n;\n', tmp_path)
    assert found.values("street") == [' "A" ', "B"]
    assert found.values("start_on") == [" d ", None]
    assert found.count.path == "tolerant"


def test_a_large_cell_is_read(tmp_path: Path) -> None:
    large = "x" * 10_000_000
    found = read_bytes(f"{HEADER}1;A;{large};d\n2;B;n;d\n", tmp_path)
    assert [len(value) for value in found.values("note")] == [10_000_000, 1]


def test_a_line_beyond_all_measure_is_malformed(tmp_path: Path) -> None:
    found = read_bytes(f"{HEADER}1;A;{'x' * (65 << 20)};d\r\n2;B;n;d\n", tmp_path)
    assert found.values("site") == ["2"]
    assert "beyond the" in found.reasons()[0]
    assert len(found.malformed[0]["text"]) < 2 << 20


def test_nothing_readable_refuses_the_delivery(tmp_path: Path) -> None:
    with pytest.raises(
        DeliveryRefused, match="none of the 2 records can be read; the first: line 2: 1 cell instead of 4"
    ):
        read_bytes(HEADER + "1,A,n,d\n2,B,n,d\n", tmp_path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n\n", "is empty"),
        (b"<!DOCTYPE html><html><head><title>Bad\n Gateway</title>", "page of HTML entitled 'Bad Gateway'"),
        (b"<?xml version='1.0'?><a/>", "XML document"),
        (b"PK\x03\x04abc", "spreadsheet"),
        (b"\x00\x01\x02\x00" * 100, "binary"),
        (b"nothing;known\n1;2\n", "none of the first lines is a header"),
        (b'{"error_code": "ODSQLError", "message": "no such field"}', "ODSQLError - no such field"),
        ("site;rue\n1;é\n".encode("utf-16")[:-1], "cannot be decoded"),
    ],
)
def test_what_is_no_delivery_is_refused_with_a_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    with pytest.raises(DeliveryRefused, match=sentence):
        read_bytes(content, tmp_path)


def test_a_form_that_the_card_does_not_accept_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeliveryRefused, match="a list of JSON records, which town_works does not accept"):
        read_bytes(b'[{"site": 1, "rue": "A"}]', tmp_path, PLAIN)


def test_text_is_withheld_when_it_may_be_personal(tmp_path: Path) -> None:
    personal = card(columns=(*COLUMNS, column("contact", personal_data="direct")))
    assert read_bytes("site;rue\n1;A\nbad\n", tmp_path, personal).malformed[0]["text"] is None
    assert read_bytes("site;rue\n1;A\nbad\n", tmp_path).malformed[0]["text"] == "bad"


SECRET = card(columns=(*COLUMNS, column("mail", "mail", never_load=True, required=True)))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
def test_cleaning_removes_columns_and_keeps_the_dialect(tmp_path: Path, encoding: str) -> None:
    path, out = tmp_path / "a.csv", tmp_path / "clean.csv"
    text = 'site;mail;rue;note\r\n1;me@x;"déjà ""A""";"a\r\nb"\r\nme@x "me@x\r\n2;me@y; \u00e9;\r\n'
    path.write_bytes(text.encode(encoding))
    clean(path, inspect(path, SECRET), SECRET, out)
    assert "me@" not in out.read_bytes().decode(encoding)
    original, cleaned = read_file(path, SECRET, tmp_path), read_file(out, SECRET, tmp_path)
    assert original.rows == cleaned.rows
    assert cleaned.match.encoding == original.match.encoding
    assert cleaned.count == original.count
    assert "withheld" in cleaned.reasons()[0]
    assert b"\r\n" in out.read_bytes() or encoding == "utf-16"


def test_cleaning_keeps_both_lines_of_a_header(tmp_path: Path) -> None:
    twice = card(columns=SECRET.columns, layouts=TWICE.layouts)
    path, out = tmp_path / "in.csv", tmp_path / "out.csv"
    path.write_text("Voie(s);Courriel;Chantier\nVOIE;mail;site\nrue A;a@b.fr;7\n")
    clean(path, inspect(path, twice), twice, out)
    assert out.read_text() == "Voie(s);Chantier\nVOIE;site\nrue A;7\n"
    assert read_file(out, twice, tmp_path).values("site") == ["7"]


def test_cleaning_a_file_without_header_empties_the_cells(tmp_path: Path) -> None:
    archive = card(columns=SECRET.columns, layouts=[layout("a", header=False, columns=("site", "mail", "street"))])
    path, out = tmp_path / "a.csv", tmp_path / "clean.csv"
    path.write_text("1|me@x|A\n2|me@y|B\n")
    clean(path, inspect(path, archive), archive, out)
    assert out.read_text() == "1||A\n2||B\n"


CELL = st.text(
    st.one_of(
        st.sampled_from("\";,|\t \u00a0\u2028\x85\\'aé€1"), st.characters(codec="utf-8", exclude_characters="\0\r\n")
    ),
    max_size=8,
)


@st.composite
def valid_file(draw: st.DrawFn) -> bytes:
    """A file as a careful producer writes it: any cells, quoted as needed or everywhere, breaks where allowed."""
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    delimiter = draw(st.sampled_from(";,|\t"))
    everywhere = draw(st.booleans())
    rows = draw(st.lists(st.tuples(CELL, CELL, st.lists(CELL, min_size=1, max_size=3).map(end.join), CELL), max_size=8))

    def written(cell: str) -> str:
        special = everywhere or any(character in cell for character in f'"{delimiter}\r\n')
        return '"' + cell.replace('"', '""') + '"' if special else cell

    lines = [delimiter.join(["site", "rue", "note", "autre"])]
    lines += [delimiter.join(map(written, row)) for row in rows]
    return (end.join(lines) + (end if draw(st.booleans()) else "")).encode()


def both_ways(content: bytes, folder: Path) -> tuple[Read, Read]:
    fast = read_bytes(content, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "read_fast", lambda *_: None)
        return fast, read_bytes(content, folder)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(valid_file())
def test_both_paths_agree_on_valid_files(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        fast, tolerant = both_ways(content, Path(folder))
    assert fast.rows == tolerant.rows
    assert fast.malformed == tolerant.malformed == []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example("\n\n")
@given(st.text(st.sampled_from('";\n\r a1é'), max_size=60))
def test_both_paths_agree_on_any_text(body: str) -> None:
    """Whatever the fast path accepts is what the tolerant path reads."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            fast, tolerant = both_ways(f"site;rue;note\n1;A;n\n{body}".encode(), Path(folder))
        except DeliveryRefused:
            return
    assert fast.rows == tolerant.rows
    assert fast.malformed == tolerant.malformed


def test_blocks_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tolerant path gives the same records whatever the size of its blocks."""
    from raw_sources.readers import delimited_tolerant

    rows = [f"{number};A;{'n' if number % 7 else chr(34) + 'a' + chr(10) + 'b' + chr(34)};d" for number in range(400)]
    rows[50], rows[200] = '50;"A;n;d', "200;A"
    content = (HEADER + "\r\n".join(rows)).encode()
    expected = read_bytes(content, tmp_path)
    for size in (1, 17, 64, 1000):
        monkeypatch.setattr(delimited_tolerant, "BLOCK_BYTES", size)
        found = read_bytes(content, tmp_path)
        assert (found.rows, found.malformed) == (expected.rows, expected.malformed)
