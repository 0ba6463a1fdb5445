"""What `halle new-source` recognises in a file, and what it may never write: judged on small invented files.

That drafts pass the linters and load is in tests/integration/test_new_source.py.
"""

from __future__ import annotations

import gzip
import json
import tempfile
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pytest
from sqlfluff.core import FluffConfig, Linter

from raw_sources.card import Card, read_card
from raw_sources.documents import read_document
from raw_sources.drafting import Draft, draft_source, sample, write_draft
from raw_sources.drafting.feed import feed_for
from raw_sources.drafting.meaning import suspicion, unit_of
from raw_sources.drafting.names import column_name, is_name, snake, source_from_file
from raw_sources.drafting.plan import Field
from raw_sources.drafting.yaml_text import dump, scalar
from raw_sources.errors import ConfigurationError, DeliveryRefused
from tests.unit.workbooks import ods, xlsx

Make = Callable[..., Draft]


@pytest.fixture
def drafted(tmp_path: Path) -> Make:
    """Return a function that writes a file and drafts from it."""

    def make(content: str | bytes, name: str = "town_things.csv", source: str | None = None) -> Draft:
        file = tmp_path / name
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return draft_source(file, source)

    return make


def field(draft: Draft, name: str) -> Field:
    return next(one for one in draft.plan.fields if one.name == name)


def kinds(draft: Draft) -> dict[str, str]:
    return {one.name: one.kind for one in draft.plan.fields}


def key(draft: Draft) -> tuple[str, ...]:
    return tuple(one.name for one in draft.plan.key_fields)


def card_of(draft: Draft) -> str:
    return next(text for path, text in draft.files.items() if path.parts[0] == "raw_sources")


def table(header: str, *rows: str, end: str = "\n") -> str:
    return end.join([header, *rows]) + end


# --- names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Conso totale (MWh)", "conso_totale_mwh"),
        ("averageVehicleSpeed", "average_vehicle_speed"),
        ("IRIS_CODE", "iris_code"),
        ("Année", "annee"),
        ("Taux d'occupation (%)", "taux_d_occupation_pct"),
        ("2018", "column_2018"),
        ("order", "order_value"),
        ("", "column_7"),
        ("???", "column_7"),
        ("Œuvre", "oeuvre"),
        ("PA01H", "pa01h"),
    ],
)
def test_headers_become_names(header: str, name: str) -> None:
    assert column_name(header, 7) == name
    assert is_name(column_name(header, 7))


def test_no_word_of_sql_becomes_the_name_of_a_column() -> None:
    with duckdb.connect() as connection:
        words = [row[0] for row in connection.execute("select keyword_name from duckdb_keywords()").fetchall()]
        names = sorted({column_name(word, 1) for word in words})
        for name in names:
            connection.execute(f'create or replace table things as select 1 as "{name}"')
            connection.execute(f"select {name}, trim(cast({name} as varchar)) as {name} from things")
    assert len(names) > 400
    # The linter's reserved words are those of its dialect; it is slow, so it sees all names at once.
    listed = "\n".join(f"    nullif(trim({name}), '') as {name}," for name in names)
    parsed = Linter(config=FluffConfig(overrides={"dialect": "duckdb"})).parse_string(
        f"select\n{listed}\n    1 as one\nfrom things\n"
    )
    assert [str(one) for one in parsed.violations] == []


@pytest.mark.parametrize(
    ("file_name", "source"),
    [
        ("eco2mix_grand_lyon_2017.csv", "eco2mix_grand_lyon"),
        ("Town-Things_20250101.csv.gz", "town_things"),
        ("data.csv", "unknown_data"),
        ("2024.csv", "unknown_dataset"),
    ],
)
def test_a_source_is_named_by_its_file(file_name: str, source: str) -> None:
    assert source_from_file(file_name) == source


@pytest.mark.parametrize(
    ("file_name", "glob", "date"),
    [
        ("counts_20250101.csv", "counts_*.csv", r"_(\d{8})\."),
        ("counts_2025-01-31.csv", "counts_*.csv", r"_(\d{4}-\d{2}-\d{2})\."),
        ("counts_202501.csv", "counts_*.csv", r"_(\d{6})\."),
        ("counts_2017-2024.csv", "counts_*.csv", r"-(\d{4})\."),
        ("works_75007.csv", "works_75007.csv", None),
        ("a[1]*.csv", "a[[]1][*].csv", None),
    ],
)
def test_the_line_for_the_territory(file_name: str, glob: str, date: str | None) -> None:
    feed = feed_for(file_name)
    assert (feed.glob, feed.date) == (glob, date)


# --- forms ------------------------------------------------------------------------------------------------------


def test_delimiter_decimal_comma_mark_and_encoding(drafted: Make) -> None:
    text = table("Code;Débit", *(f"00{n};{n},5" for n in range(1, 40)))
    with_mark, windows = drafted("\ufeff" + text), drafted(text.encode("cp1252"))
    assert with_mark.plan.shape.marked
    assert (windows.plan.shape.encoding, windows.plan.shape.delimiter) == ("cp1252", ";")
    for draft in (with_mark, windows):
        assert kinds(draft) == {"code": "code", "debit": "number"}
        assert key(draft) == ("code",)
        assert read_card_of(draft).key == ("code",)


def read_card_of(draft: Draft) -> Card:
    with tempfile.TemporaryDirectory() as folder:
        write_draft(draft, Path(folder))
        return read_card(Path(folder) / next(iter(draft.files)))


def test_a_list_that_every_record_repeats_is_not_taken_for_cells(drafted: Make) -> None:
    shape = '"{""type"": ""Polygon"", ""coordinates"": [[[1.5, 45.5], [1.6, 45.5], [1.5, 45.6]]]}"'
    draft = drafted(table("id;geom;n", *(f"{n};{shape};{n % 3}" for n in range(1, 30))))
    assert draft.plan.shape.delimiter == ";"
    assert kinds(draft) == {"id": "code", "geom": "geometry", "n": "integer"}


def test_titles_above_the_header_are_passed_over(drafted: Make) -> None:
    draft = drafted(table("Counts of the town", "", "site,day,n", "a,2025-01-01,5", "b,2025-01-01,6"))
    assert draft.plan.shape.header_line == 3
    assert "the header stands on line 3" in card_of(draft)


def test_of_two_header_lines_the_last_is_the_header_and_the_first_is_quoted(drafted: Make) -> None:
    draft = drafted(table('"Année";"Nom"', '"YEAR";"NAME"', '"2020";"a"', '"2021";"b"', '"2022";"c"'))
    assert [one.header.text for one in draft.plan.fields] == ["YEAR", "NAME"]
    assert draft.plan.shape.skipped == 0
    assert "Other header lines: Année." in card_of(draft)


def test_lines_below_the_header_are_no_records_of_the_sample(drafted: Make) -> None:
    rows = [f"2025-01-01 {hour:02}:00:00Z,{hour}.5,1" for hour in range(24)]
    draft = drafted(table(",A1,B2", ",site a,site a", ",µg/m3,µg/m3", *rows))
    assert (draft.plan.shape.header_line, draft.plan.shape.skipped) == (1, 2)
    assert field(draft, "a1").unit == ("µg/m³", "ug_m3")
    assert field(draft, "a1").output == "a1_ug_m3"
    assert key(draft) == ("unnamed",)
    assert "json_extract_string(_extra, '$.\"unnamed\"')" in "".join(draft.files.values())


def test_without_a_header_columns_are_named_by_their_place(drafted: Make) -> None:
    draft = drafted(table("7;2025-01-01;3,5", "8;2025-01-01;3,6", "9;2025-01-02;3,7"))
    assert kinds(draft) == {"column_1": "integer", "column_2": "date", "column_3": "number"}
    assert "What are their names?" in card_of(draft)
    assert [layout.header for layout in read_card_of(draft).layouts] == [False]


def test_years_as_headers_are_headers(drafted: Make) -> None:
    draft = drafted(table("Commune;2018;2019;2020", *(f"c{n};{n};{n + 1};{n + 2}" for n in range(30))))
    assert list(kinds(draft)) == ["commune", "column_2018", "column_2019", "column_2020"]


def test_a_header_twice_is_read_from_extra(drafted: Make) -> None:
    draft = drafted(table("id,value,Value", "a,1,2", "b,3,4", "c,5,6"))
    assert [one.header.extra for one in draft.plan.fields] == [None, "value", "Value"]
    assert len(read_card_of(draft).columns) == 1


def test_a_member_twice_in_json_is_read_from_extra_whatever_it_is(drafted: Make) -> None:
    records = [
        {"id": f"a{n}", "n": n, "N": n > 3, "m": "a", "M": [{"x": n}], "p": None, "P": n + 0.5} for n in range(9)
    ]
    draft = drafted(json.dumps(records), "a_b.json")
    assert kinds(draft) == {
        "id": "code", "n": "integer", "n_2": "boolean", "m": "text", "m_2": "json", "p": "text", "p_2": "number",
    }  # fmt: skip


def test_json_records_lines_and_features(drafted: Make) -> None:
    records = [{"id": f"a{n}", "n": n, "on": n > 3, "at": {"x": 1}} for n in range(9)]
    listed = drafted(json.dumps({"results": records}), "a_b.json")
    lines = drafted("\n".join(map(json.dumps, records)) + "\n", "a_b.json")
    for draft in (listed, lines):
        assert draft.plan.shape.form == "json_records"
        assert kinds(draft) == {"id": "code", "n": "integer", "on_value": "boolean", "at_x": "integer"}
    features = [
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1.5, 45]}, "properties": one}
        for one in records
    ]
    draft = drafted(json.dumps({"type": "FeatureCollection", "features": features}), "a_b.geojson")
    assert draft.plan.shape.form == "geojson"
    assert kinds(draft)["geometry"] == "geometry"


def test_the_record_of_xml_is_the_element_repeated_most(drafted: Make) -> None:
    sites = "".join(
        f'<site id="s{n}"><flow unit="veh/h">{n * 7}</flow><at>2025-01-01T0{n}:00:00+01:00</at></site>'
        for n in range(9)
    )
    draft = drafted(f'<feed xmlns="urn:a"><made>2025-01-01T00:00:00Z</made>{sites}</feed>', "a_b.xml")
    assert draft.plan.shape.record == "site"
    assert kinds(draft)["at_value"] == "instant"
    assert key(draft) == ("id",)
    assert {one.header.text for one in draft.plan.fields} >= {"@id", "flow", "at", "../made"}


def test_compressed_files_are_opened(tmp_path: Path, drafted: Make) -> None:
    text = table("code;n", "a;1", "b;2").encode()
    assert kinds(drafted(gzip.compress(text), "town_things_2025.csv.gz"))["n"] == "integer"
    with zipfile.ZipFile(tmp_path / "town_things.zip", "w") as archive:
        archive.writestr("readme.txt", "x")
        archive.writestr("inside.csv", text)
    draft = draft_source(tmp_path / "town_things.zip")
    assert (draft.plan.file_name, list(kinds(draft))) == ("town_things.zip", ["code", "n"])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a_b.csv", b"", "empty"),
        ("a_b.csv", b"  \n\n", "empty"),
        ("a_b.csv", b"<!DOCTYPE html><html><title>Oops</title></html>", "HTML"),
        ("a_b.pdf", b"%PDF-1.4 \x00\x01", "PDF"),
        ("a_b.bin", bytes(range(256)) * 9, "binary"),
        ("a_b.csv", b"code;n\n", "no line of the file looks like a record"),
        ("a_b.json", b'{"data": {"bikes": [{"id": 1}, {"id": 2}]}}', "data/bikes (2 objects)"),
        ("a_b.json", b'{"results": []}', "no record"),
        ("a_b.xml", b"<a><b>1</b></a>", "no element of the XML document is repeated"),
        ("a_b.xml", b"<!DOCTYPE a [<!ENTITY e 'x'>]><a><b x='1'>1</b><b x='2'>2</b></a>", "document type"),
        ("a_b.csv", b"t\n" * 6 + b"code;n\na;1\nb;2\nc;3\nd;4\ne;5\nf;6\ng;7\nh;8\n", "the first 5 lines"),
    ],
)
def test_what_cannot_be_drafted_is_refused_with_a_sentence(drafted: Make, name: str, content: bytes, said: str) -> None:
    with pytest.raises(DeliveryRefused, match=said.replace("(", r"\(").replace(")", r"\)")):
        drafted(content, name)


def test_another_office_document_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a_b.docx", "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    with pytest.raises(DeliveryRefused, match="office or application document"):
        draft_source(tmp_path / "a_b.docx")


@pytest.mark.parametrize("write", [xlsx, ods], ids=["xlsx", "ods"])
def test_a_workbook_is_drafted_from_its_largest_sheet(tmp_path: Path, write: Callable[..., Path]) -> None:
    rows: list[list[object]] = [
        ["Consommations de la commune"],
        [None],
        ["Code commune", "Date", "Conso (MWh)", None, None],
    ]
    rows += [[f"{1000 + day:05d}", date(2025, 1, day), 12.5 + day, None, "x"] for day in range(1, 26)]
    draft = draft_source(write(tmp_path / "mairie_conso.xlsx", {"Notice": [["Ceci"], ["explique"]], "Données": rows}))
    assert kinds(draft) == {"code_commune": "code", "date": "date", "conso_mwh": "number", "unnamed_2": "text"}
    assert (draft.plan.shape.form, draft.plan.shape.header_line) == ("spreadsheet", 3)
    assert draft.plan.sample.cells.height == 25
    text = card_of(draft)
    for said in ("form: spreadsheet", "the columns are those of the sheet 'Données'", "also has 'Notice'", "on row 3"):
        assert said in " ".join(text.replace("# ", "").split())


@pytest.mark.parametrize(
    ("sheets", "said"),
    [
        ({"F": [[]]}, "no sheet of the workbook holds anything"),
        ({"F": [["code", "nombre"]]}, "looks like a record"),
        ({"F": [["01", 1], ["02", 2], ["03", 3]]}, "no header stands in the first 50 rows"),
    ],
)
def test_a_workbook_without_a_table_is_refused(
    tmp_path: Path, sheets: dict[str, list[list[object]]], said: str
) -> None:
    with pytest.raises(DeliveryRefused, match=said):
        draft_source(xlsx(tmp_path / "a_b.xlsx", sheets))


@pytest.mark.parametrize("name", ["things", "Town_things", "town__things", "9_a", "town_things_", "ville_été"])
def test_a_name_outside_the_grammar_is_refused(drafted: Make, name: str) -> None:
    with pytest.raises(ConfigurationError, match="is no name of a source"):
        drafted("a;b\n1;2\n", "x_y.csv", source=name)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no such file"):
        draft_source(tmp_path / "nowhere.csv")


# --- types ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "cells", "kind"),
    [
        ("insee", ["01001", "75056", "2A004"], "code"),
        ("insee", ["75101", "75102"], "code"),
        ("debit", ["1 234,5", "12", "3,0"], "number"),
        ("debit", ["12", "13"], "integer"),
        ("annee", ["2020", "2021"], "integer"),
        ("jour", ["31/12/2024", "01/01/2025"], "date"),
        ("jour", ["20241231", "20250101"], "date"),
        ("jour", ["31.12.2024", "01.01.2025"], "date"),
        ("t", ["2025-01-01T00:00:00+01:00", "2025-01-01T01:00:00Z"], "instant"),
        ("t", ["2025-01-01 01:00:00", "2025-01-01 02:00"], "local_time"),
        ("t", ["2025/01/01 00:00", "2025/01/02 00:00"], "date"),
        ("last_reported", ["1749320348", "1749320381"], "epoch_s"),
        ("pubMillis", ["1493787251840", "1493787251841"], "epoch_ms"),
        ("mois", ["2025-01", "2025-02"], "text"),
        ("ouvert", ["OUI", "NON"], "boolean"),
        ("ouvert", ["True", "False"], "boolean"),
        ("niveau", ["0", "1"], "integer"),
        ("is_open", ["0", "1"], "boolean"),
        ("geo_point", ["48.85, 2.35", "48.86,2.36"], "point"),
        ("geom", ["POINT (1 2)", "POINT (3 4)"], "wkt"),
        ("note", ["7 bis", "8"], "text"),
        ("debit", ["0612345678", "12"], "code"),
        ("compteur", ["999999999999999999", "100000000000000000"], "integer"),
        ("compteur", ["1000000000000000001", "1000000000000000002"], "code"),
        ("compteur", ["10000000000000000001", "12"], "code"),
        ("compteur", ["+1000000000000000001", "-1000000000000000002"], "code"),
    ],
)
def test_types_by_content_and_header(drafted: Make, header: str, cells: list[str], kind: str) -> None:
    draft = drafted(table(f"row|{header}", *(f"r{n}|{cell}" for n, cell in enumerate(cells))))
    assert draft.plan.fields[1].kind == kind


def test_a_code_among_numbers_makes_codes(drafted: Make) -> None:
    draft = drafted(table("nom;chef", *(f"r{n};7{n:04}" for n in range(30)), "corse;2A004"))
    assert kinds(draft)["chef"] == "code"


def test_one_cell_in_a_hundred_may_not_fit(drafted: Make) -> None:
    rows = [f"s{n};{n}.5" for n in range(199)]
    good, bad = drafted(table("site;flow", *rows, "z;broken")), drafted(table("site;flow", *rows[:3], "z;broken"))
    assert (kinds(good)["flow"], field(good, "flow").facts.misfits) == ("number", 1)
    assert kinds(bad)["flow"] == "text"


def test_integers_that_a_double_would_make_equal_stay_apart(drafted: Make) -> None:
    draft = drafted(table("compteur;n", *(f"{10**18 + number};{number % 3}" for number in range(40))))
    assert key(draft) == ("compteur",)
    assert "parse_number" not in "".join(draft.files.values())


ORDER_ASKED = "Is that the order?"


@pytest.mark.parametrize(
    ("header", "cells", "is_asked"),
    [
        ("jour", ["01/01/2022", "01/02/2022", "01/12/2022"], True),
        ("jour", ["01/01/2022", "02/01/2022", "12/01/2022"], True),
        ("jour", ["01.01.22", "02.01.22"], False),  # no form that is read
        ("jour", ["01-01-2022", "12-12-2022"], True),
        ("t", ["01/02/2022 10:00", "02/02/2022 13:00"], True),
        ("t", ["01/02/2022 00:00", "02/02/2022 00:00"], True),
        ("jour", ["01/02/2022", "13/02/2022"], False),
        ("jour", ["2022-01-02", "2022-02-01"], False),
        ("jour", ["2022/01/02", "2022/02/01"], False),
        ("jour", ["20220102", "20220201"], False),
    ],
)
def test_dates_that_may_be_month_first_are_asked_about(
    drafted: Make, header: str, cells: list[str], is_asked: bool
) -> None:
    draft = drafted(table(f"row|{header}", *(f"r{n}|{cell}" for n, cell in enumerate(cells))))
    assert (ORDER_ASKED in " ".join(card_of(draft).replace("#", " ").split())) is is_asked


def test_words_for_no_value(drafted: Make) -> None:
    draft = drafted(table("site;flow;label", "a;12;NC", "b;ND;x", "c;secret;y", "d;3;z"))
    assert field(draft, "flow").facts.markers == ("ND", "secret")
    assert field(draft, "label").facts.markers == ()  # a word of the producer may mean something
    assert "trim(flow) not in ('', 'ND', 'secret')" in "".join(draft.files.values())
    assert "statistical secrecy" in card_of(draft)


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ("Conso (MWh)", "MWh"),
        ("Consommation de gaz (en KWh PCS 0°C)", "kWh"),
        ("part [%]", "%"),
        ("total_weight_kg", "kg"),
        ("vitesse (km/h)", "km/h"),
        ("Surface (m2)", "m²"),
        ("column_m", None),
        ("debit", None),
    ],
)
def test_units_named_by_a_header(header: str, unit: str | None) -> None:
    found = unit_of(header)
    assert (found[0] if found else None) == unit


def test_coordinates_that_are_no_degrees_are_asked_about(drafted: Make) -> None:
    draft = drafted(table("site;x_l93;y_l93", "a;875751.2;6267655.4", "b;875752.2;6267656.4"))
    assert draft.plan.crs == "EPSG:2154"
    assert "coordinates are no degrees" in card_of(draft)


# --- keys -------------------------------------------------------------------------------------------------------


def test_the_smallest_key_has_codes_before_texts(drafted: Make) -> None:
    rows = [f"{n % 3},2025-01-{1 + n // 3:02},{n},label {n}" for n in range(60)]
    draft = drafted(table("fid,day,n,label", *[f"{row}" for row in rows]))
    assert key(draft) == ("label",)
    draft = drafted(table("site_id,day,n", *[",".join(row.split(",")[:3]) for row in rows]))
    assert key(draft) == ("site_id", "day")
    assert draft.plan.follows == "upsert"


def test_measures_of_one_counter_are_known_by_it_and_the_time(drafted: Make) -> None:
    draft = drafted(table("counter_id;t;n", *(f"c1;2025-01-01T{hour:02}:00:00Z;{hour % 3}" for hour in range(24))))
    assert key(draft) == ("counter_id", "t")
    assert draft.plan.observed == "t"


def test_without_a_key_every_record_is_kept(drafted: Make) -> None:
    draft = drafted(table("label;n", *(f"x{n % 4};{n % 2}" for n in range(40))))
    assert key(draft) == ()
    assert draft.plan.follows == "append"
    assert "as record_id" in "".join(draft.files.values())
    assert "repeat another one entirely" in card_of(draft)


def test_what_is_nearly_a_key_is_said(drafted: Make) -> None:
    rows = [f"s{n};{n % 7}" for n in range(300)] + ["s1;9"]
    draft = drafted(table("site_id;n", *rows))
    assert (key(draft), draft.plan.key.nearly, draft.plan.key.contradictions) == ((), ("site_id",), 1)


def test_a_planned_date_is_no_observation(drafted: Make) -> None:
    rows = [f"w{n};2025-01-01;2025-02-01" for n in range(9)]
    assert drafted(table("id;date_debut;date_fin", *rows)).plan.observed is None


# --- persons ----------------------------------------------------------------------------------------------------

PERSONAL = {
    "note": "appeler Zoe au 06 98 76 54 32",
    "courriel": "zoe.martin@mairie.example",
    "plaque": "AB-123-CD",
    "machine": "192.168.12.7",
    "gardien": "Mme Zoe Martin",
    "prenom": "Zoe",
    "telephone": "698765432",
    "date_naissance": "1984-05-17",
    "lieu": "12 bis rue des Noisetiers",
}


def test_personal_columns_are_suspected_and_none_of_their_values_is_written(drafted: Make) -> None:
    lines = [";".join(["id", *PERSONAL])] + [";".join([f"a{n}", *PERSONAL.values()]) for n in range(6)]
    draft = drafted(table(*lines))
    written = "\n".join(draft.files.values())
    suspected = {one.name for one in draft.plan.fields if one.personal}
    assert suspected == set(PERSONAL)
    for value in (*PERSONAL.values(), "Zoe", "Martin", "1984", "698765432", "98 76"):
        assert value not in written
    card = read_card_of(draft)
    assert {one.name for one in card.columns if one.personal_data != "none"} == set(PERSONAL)
    assert {one.name for one in card.columns if one.never_load} == {
        one.name for one in draft.plan.fields if one.personal and one.personal[0] == "direct"
    }
    assert card.gdpr["personal_data"] is True
    assert card.agreement.leaves == {"internal": "everything", "partner": "nothing", "public": "nothing"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("code", "0612345678901"),
        ("uuid", "0c3f072a-0612-3456-7890-9c84be4ff956"),
        ("version", "Version 1.2 of the text"),
        ("lien", "https://example.org/0612345678"),
        ("nom_commune", "Saint-Étienne"),
        ("nature", "M3 Porte"),
    ],
)
def test_what_is_no_person(name: str, text: str) -> None:
    assert suspicion(name, [(text, 3), ("other", 2)], 40) is None


def test_free_text_is_asked_about(drafted: Make) -> None:
    text = "la rue sera fermée par une entreprise entre les deux carrefours pendant la nuit"
    draft = drafted(table("id;note", *(f"a{n};{text} {n}" for n in range(5))))
    assert field(draft, "note").personal == ("indirect", "it is free text, in which a person may be named")
    assert not field(draft, "note").never_load
    assert text not in "\n".join(draft.files.values())


# --- what is written --------------------------------------------------------------------------------------------


def test_every_open_field_has_its_question(drafted: Make) -> None:
    draft = drafted(table("code;n", "a;1", "b;2", "c;3"))
    card = card_of(draft)
    asked = card.count("# QUESTION:")
    assert draft.questions >= asked >= 20
    assert "status: draft" in card
    for word in ("licence", "time zone", "coordinate system", "theme", "owns this source", "leave the authority"):
        assert word in " ".join(line.strip(" #") for line in card.splitlines() if line.strip().startswith("#")), word
    for line in card.splitlines():
        assert len(line) <= 120


def test_headers_of_any_kind_survive_yaml_and_sql(drafted: Make) -> None:
    headers = [
        "yes",
        "a: b",
        "c #d",
        "'e'",
        '"f""g"',
        "{{ h }}",
        "i\\j",
        "- k",
        "1.5",
        "null",
        "l\u00a0m",
        "n{% if %}o",
    ]
    draft = drafted(
        table("\t".join(["id", *headers]), *("\t".join([f"x{n}", *["7"] * len(headers)]) for n in range(4)))
    )
    card = read_card_of(draft)
    assert [column.headers[0] for column in card.columns][1:] == [h if h[0] != '"' else 'f"g' for h in headers]
    sql = next(text for path, text in draft.files.items() if path.suffix == ".sql")
    assert "{{ h" not in sql
    assert "{%" not in sql


# Names that the libraries or the models use themselves, and those that a CSV file may hold by mistake.
SURPRISING = [
    "count", "Count", "len", "index", "value", "values", "literal", "struct", "key", "name", "row_nr", "column_0",
    "_extra", "_record_no", "_delivery_id", "_reject_reason", "record_id", "n_text", "n_iso", "typed", "published",
    "", " ", "\u00a0", "n", "N", "x" * 5000, "a\tb", "a\x01b", "a\x0cb", "a\x85b", "a\u2028b", "a\u202eb", "\ufffd",
    "a'b", '"a ""q"" b"', "{{ x }}", "{% x %}", "$", "*", "^.*$", "@a", "../a", "a/b", "\U0001f6b2",
]  # fmt: skip


@pytest.mark.parametrize("header", SURPRISING)
def test_no_header_stops_a_draft(drafted: Make, header: str) -> None:
    draft = drafted(table(f"n;{header};c", *(f"{n};{n * n};k{n}" for n in range(9))))
    assert len(draft.plan.fields) == 3
    assert read_card_of(draft).columns


@pytest.mark.parametrize("member", [one for one in SURPRISING if one.strip()])
def test_no_member_of_json_stops_a_draft(drafted: Make, member: str) -> None:
    records = [{"c": f"k{n}", member: n, f"{member} ": n} for n in range(9)]
    assert read_card_of(drafted(json.dumps(records), "a_b.json")).columns
    nested = [{"c": f"k{n}", "o": {member: n, "z": 1}} for n in range(9)]
    assert read_card_of(drafted(json.dumps(nested), "a_b.json")).columns


@pytest.mark.parametrize("header", ["count", "len", "index", "literal", "n", "x" * 5000, "a\nb", "a'b", "{{ x }}"])
def test_no_header_of_a_workbook_stops_a_draft(tmp_path: Path, header: str) -> None:
    file = xlsx(tmp_path / "town_things.xlsx", {"S": [["n", header, "c"], *([n, n * n, f"k{n}"] for n in range(9))]})
    assert len(draft_source(file).plan.fields) == 3


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (";;", "no column has a name of its own"),
        ("count;count;Count", "no column has a name of its own"),
        ("n;a\x00b;c", "the header on line 1 holds a null character"),
        ('n;"a\nb";c', "no header with 3 cells stands in the first 5 lines"),
    ],
)
def test_a_header_that_no_card_can_claim_is_refused_with_a_sentence(drafted: Make, header: str, said: str) -> None:
    with pytest.raises(DeliveryRefused, match=said):
        drafted(table(header, *(f"{n};kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk;k{n}" for n in range(9))))


def test_records_without_members_are_refused_with_a_sentence(drafted: Make) -> None:
    with pytest.raises(DeliveryRefused, match="no column has a name of its own"):
        drafted("[{}, {}, {}]", "a_b.json")


@pytest.mark.parametrize(
    "value",
    ["a", "a b", "été", "yes", "No", "null", "1", "1.5", "2025-01-01", "a: b", "a #b", "- a", "[a]", "{a}", "'", '"',
     "\\", "\u00a0", "\x85", "a\nb", " a", "a ", "", "@a", "%a", "&a", "*a", "!a", "|", ">", "?", "a:", "\U0001f600",
     "~", "=", "0x1f", "1_000", "1e3", ".5", "o'clock", "à, b"],
)  # fmt: skip
def test_any_text_survives_yaml(tmp_path: Path, value: str) -> None:
    file = tmp_path / "a.yml"
    file.write_text(dump({"a": value, "b": [value, value], "c": [{"d": value}]}), encoding="utf-8")
    assert read_document(file).value == {"a": value, "b": [value, value], "c": [{"d": value}]}
    assert "\n" not in scalar(value)


def test_nothing_is_written_over_without_force(drafted: Make, tmp_path: Path) -> None:
    draft = drafted(table("code;n", "a;1", "b;2"))
    (first, *_) = write_draft(draft, tmp_path / "out")
    assert first == tmp_path / "out" / "raw_sources" / "territory" / "town_things.yml"
    first.write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="exists already"):
        write_draft(draft, tmp_path / "out")
    assert first.read_text(encoding="utf-8") == "mine"
    write_draft(draft, tmp_path / "out", force=True)
    assert read_card(first).source == "town_things"


def test_a_source_of_the_product_is_not_drafted_again(drafted: Make, tmp_path: Path) -> None:
    draft = drafted(table("code;n", "a;1", "b;2"), source="paris_fermetures_voirie")
    with pytest.raises(ConfigurationError, match="has a card"):
        write_draft(draft, tmp_path / "out")


def test_of_a_long_file_the_beginning_is_judged_and_the_draft_says_so(
    drafted: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "SAMPLE_BYTES", 4096)
    draft = drafted(table("site_id;t", *(f"s{n};2025-01-01T00:00:00Z" for n in range(9000))))
    assert draft.plan.sample.cells.height < 300
    assert not draft.plan.sample.whole
    assert "judged by the beginning of the file only" in " ".join(card_of(draft).replace("#", "").split())


def test_the_same_file_gives_the_same_draft(drafted: Make) -> None:
    text = table("code;n;nom", *(f"a{n};{n};x{n % 3}" for n in range(50)))
    assert drafted(text).files == drafted(text).files


def test_the_snake_is_short() -> None:
    assert len(snake("Un très long libellé de colonne avec beaucoup de mots")) <= 28
