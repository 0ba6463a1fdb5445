"""The spreadsheet that an office fills: it has the card's columns, says what they mean, and loads as it is."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import xlsxwriter
import yaml
from python_calamine import CalamineWorkbook

from orchestration.project import card_folders
from raw_sources.card import Card, Code, as_mapped, load_cards, read_card
from raw_sources.corrections import (
    Place,
    RefusedRow,
    UnreadRow,
    answered_by,
    reference_of,
    suspect,
    told,
    write_corrections,
)
from raw_sources.errors import ConfigurationError
from raw_sources.feeds import feed_of
from raw_sources.readers import inspect, read
from raw_sources.readers.spreadsheet import clean_spreadsheet, layouts_for
from raw_sources.spreadsheets import LONGEST_CELL, header_of, sheet_name, sheet_of
from raw_sources.templates import HEADER_ROW, LISTS, NOTICE, RECORDS, mapping_to_paste, write_template
from tests.unit.readers_support import SETTINGS, card, column, layout
from tests.unit.workbooks import xlsx

COLUMNS = (
    column("code", "insee", "Code INSEE", required=True, nullable=False, title_fr="Code de la commune"),
    column("counted_on", "jour", logical_type="date", examples=("2025-09-01",)),
    column("state", "etat", codes=(Code("O", "Ouvert", "Open"), Code("F", "Fermé", "Closed"))),
    column("power", "puissance/kw", "Puissance (kW)", logical_type="number", unit="kW", minimum=0, maximum=50),
    column("agent", "agent", never_load=True, personal_data="direct"),
)


def office(**options: Any) -> Card:
    return card(**({"columns": COLUMNS, "layouts": (layout("csv"),), "producer_name": "La Mairie"} | options))


def pasted(one: Card) -> Card:
    """Return a card with the mapping that comes with its template, if there is one."""
    mapping = mapping_to_paste(one)
    return as_mapped(one, feed_of(one.source, yaml.safe_load(mapping)["feeds"][one.source])) if mapping else one


def sheets(path: Path) -> dict[str, list[list[Any]]]:
    book = CalamineWorkbook.from_path(path)
    return {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}


def texts(path: Path, part: str) -> str:
    with zipfile.ZipFile(path) as archive:
        return "".join(archive.read(name).decode() for name in archive.namelist() if part in name)


@pytest.fixture
def template(tmp_path: Path) -> Path:
    write_template(office(), tmp_path / "t.xlsx")
    return tmp_path / "t.xlsx"


def test_it_has_the_headers_that_load_back_and_no_never_load_column(template: Path) -> None:
    found = sheets(template)
    assert list(found) == [RECORDS, NOTICE, LISTS]
    assert found[RECORDS][HEADER_ROW] == ["insee", "jour", "etat", "Puissance (kW)"]
    assert not any("agent" in str(cell) for rows in found.values() for row in rows for cell in row)
    match = inspect(template, office())
    assert (set(match.mapping), match.header_line) == ({"code", "counted_on", "state", "power"}, HEADER_ROW + 1)
    assert match.extra == (f"sheet '{NOTICE}'", f"sheet '{LISTS}'")


def test_it_says_what_each_column_means(template: Path) -> None:
    notice = sheets(template)[NOTICE]
    by_header = {row[0]: row for row in notice}
    assert by_header["insee"][1:6] == ["Code de la commune", "code", "", "texte", "obligatoire"]
    assert by_header["jour"][7] == "2025-09-01"
    assert by_header["Puissance (kW)"][3:7] == ["kW", "nombre", "facultatif", "0 à 50"]
    assert by_header["etat"][8] == "O = Ouvert ; F = Fermé"
    assert any("halle land town_works" in row[0] for row in notice)
    comments = texts(template, "comments")
    for said in ("Code de la commune", "Unité : kW.", "Exemple : 2025-09-01", "Exemple : O"):
        assert said in comments


def test_it_offers_closed_lists_and_keeps_codes_as_texts(template: Path) -> None:
    sheet = texts(template, "sheet1.xml")
    assert 'type="list"' in sheet
    assert f"<formula1>{LISTS}!$A$2:$A$3</formula1>" in sheet
    assert sheets(template)[LISTS] == [["Valeurs de etat"], ["O"], ["F"]]
    assert 'formatCode="@"' in texts(template, "styles.xml"), "the format of texts"


def test_a_card_without_lists_has_no_sheet_of_lists(tmp_path: Path) -> None:
    write_template(office(columns=COLUMNS[:2]), tmp_path / "t.xlsx")
    assert list(sheets(tmp_path / "t.xlsx")) == [RECORDS, NOTICE]


def test_the_sheet_of_records_has_the_name_that_the_card_asks_for(tmp_path: Path) -> None:
    asked = office(layouts=(replace(layout("w", "spreadsheet"), sheet="Relevés 20*"),))
    write_template(asked, tmp_path / "t.xlsx")
    assert next(iter(sheets(tmp_path / "t.xlsx"))) == "Relevés 20"
    inspect(tmp_path / "t.xlsx", asked)
    assert sheet_of(office(layouts=(replace(layout("w", "spreadsheet"), sheet="*"),)), "x") == "x"


def test_a_card_that_takes_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="takes no table: its form is geojson"):
        write_template(office(layouts=(layout("map", "geojson"),)), tmp_path / "t.xlsx")


def test_a_mapped_card_has_the_roles_or_the_headers_of_the_territory(tmp_path: Path) -> None:
    lent = load_cards(card_folders(None))["partenaire_paiements_agreges"]
    write_template(lent, tmp_path / "roles.xlsx")
    mapping = mapping_to_paste(lent)
    assert mapping is not None
    said = yaml.safe_load(mapping)["feeds"][lent.source]["mapping"]
    assert sheets(tmp_path / "roles.xlsx")[RECORDS][HEADER_ROW] == list(said["columns"].values())
    assert said["unit"] == "eur" and said["decimal"] == "."

    own = as_mapped(lent, feed_of(lent.source, {"mapping": {"columns": {"period": "Mois"}, "unit": "eur"}}))
    write_template(own, tmp_path / "own.xlsx")
    assert sheets(tmp_path / "own.xlsx")[RECORDS][HEADER_ROW] == ["Mois"]
    assert mapping_to_paste(own) is None and mapping_to_paste(office()) is None


def test_a_mapped_card_is_told_as_the_territory_writes(tmp_path: Path) -> None:
    published = load_cards(card_folders(None))["bpce_paiements_cartes_etrangeres"]
    mapping = {
        "columns": {"period": "Mois", "territory_code": "Dép", "card_country": "Pays", "value_index": "Indice"},
        "unit": "index",
        "base_period": "2019",
        "period_format": "%m/%Y",
        "codes": {"card_country": {"Allemagne": "DE", "Suisse": "CH"}},
    }
    own = as_mapped(published, feed_of(published.source, {"mapping": mapping}))
    write_template(own, tmp_path / "own.xlsx")
    found = sheets(tmp_path / "own.xlsx")
    by_header = {row[0]: row for row in found[NOTICE]}
    assert by_header["Mois"][4] == "mois écrit comme 03/2025 (format %m/%Y)"
    assert by_header["Mois"][7] == "03/2025"
    assert by_header["Pays"][7:9] == ["Allemagne", "Allemagne = DE ; Suisse = CH"]
    assert by_header["Indice"][7] == "104,5"
    assert found[LISTS] == [["Valeurs de Pays"], ["Allemagne"], ["Suisse"]]
    sheet = texts(tmp_path / "own.xlsx", "sheet1.xml")
    assert 'errorStyle="warning"' in sheet, "DE is right as well"
    # A figure typed in a column of figures would arrive with a point, and the territory has a comma.
    styles = [part.partition('style="')[2].partition('"')[0] for part in sheet.split("<col ")[1:]]
    assert len(set(styles)) == 1, styles


def test_every_card_of_halle_that_takes_a_table_has_a_template_that_it_reads(tmp_path: Path) -> None:
    taken = [one for one in load_cards(card_folders(None)).values() if layouts_for(one)]
    assert len(taken) > 10
    for one in taken:
        path = tmp_path / f"{one.source}.xlsx"
        write_template(one, path)
        match = inspect(path, pasted(one))
        assert set(match.mapping) == {column.name for column in one.loaded_columns}, one.source
    listed = sheets(tmp_path / "paris_comptages_permanents.xlsx")[LISTS]
    assert listed[1] == ["Inconnu", "Inconnu"]


def test_what_is_typed_in_a_template_is_what_is_read(tmp_path: Path, template: Path) -> None:
    filled = tmp_path / "filled.xlsx"
    with xlsxwriter.Workbook(filled, {"default_date_format": "yyyy-mm-dd"}) as book:
        for name, rows in sheets(template).items():
            sheet = book.add_worksheet(name)
            for number, cells in enumerate(rows):
                sheet.write_row(number, 0, cells)
            if name == RECORDS:
                sheet.write_row(HEADER_ROW + 1, 0, ["01001", date(2025, 9, 1), "O", 12.5])
                sheet.write_row(HEADER_ROW + 3, 0, ["01002", None, "F", 3])
    match = inspect(filled, office())
    raw = tmp_path / "raw.parquet"
    read(filled, match, office(), "000001-a", raw, tmp_path / "malformed.parquet", SETTINGS)
    rows = pq.read_table(raw, columns=["code", "counted_on", "state", "power", "_record_no"]).to_pylist()
    assert [list(row.values()) for row in rows] == [
        ["01001", "2025-09-01", "O", "12.5", 5],
        ["01002", None, "F", "3", 7],
    ]


def test_names_that_a_workbook_cannot_have_are_changed() -> None:
    taken: set[str] = set()
    assert [sheet_name(name, taken) for name in ("a/b", "A/B", "", "x" * 40)] == ["a_b", "A_B (2)", "_", "x" * 31]
    assert header_of(column("a", "x/y")) == "x/y"


# --- corrections ------------------------------------------------------------------------------------------------

PLACE = Place("relevé.csv", "2025-09-01", "", "enregistrement 2", reference_of("000001-c268a59bed0c", 2))


def refused(reason: str, **cells: str | None) -> RefusedRow:
    return RefusedRow(PLACE, reason, cells)


def test_refused_rows_come_with_their_reason_and_load_again(tmp_path: Path) -> None:
    row = refused("the day is not a date: 31/02/2025", code="01001", counted_on="31/02/2025", state=None, power="1,5")
    path = tmp_path / "c.xlsx"
    write_corrections(office(), [row], [UnreadRow(PLACE, "5 cells instead of 3", "a;b;c;d;e")], path)
    found = sheets(path)
    assert list(found) == ["À corriger", "À corriger à la source"]
    assert found["À corriger"][3] == [
        "halle : motif du refus", "halle : fichier", "halle : date du fichier", "halle : feuille", "halle : ligne",
        "halle : référence", "insee", "jour", "etat", "Puissance (kW)",
    ]  # fmt: skip
    assert found["À corriger"][4] == [
        row.reason, "relevé.csv", "2025-09-01", "", "enregistrement 2", "c268a59bed0c n° 2", "01001", "31/02/2025", "",
        "1,5",
    ]  # fmt: skip
    assert found["À corriger à la source"][3][0::5] == ["5 cells instead of 3", "a;b;c;d;e"]
    match = inspect(path, office())
    assert (match.partial, match.content_date) == (True, "2025-09-01")
    assert match.extra == ("sheet 'À corriger à la source'",)


def test_the_cell_that_a_reason_is_about_is_red(tmp_path: Path) -> None:
    columns = COLUMNS[:4]
    assert suspect(refused("not a date: 31/02", counted_on="31/02", code="1"), columns) is COLUMNS[1]
    assert suspect(refused("the state is not known: 1", code="1", counted_on="1"), columns) is None
    assert suspect(refused("the code is not one: 1", code="1", counted_on="1"), columns) is COLUMNS[0]
    assert suspect(refused("no power", code="1"), columns) is COLUMNS[3]
    assert suspect(refused("something else", code="1"), columns) is None
    write_corrections(office(), [refused("no power", code="1")], [], tmp_path / "c.xlsx")
    assert texts(tmp_path / "c.xlsx", "styles.xml").count("FFFFC7CE") == 1
    assert 'r="J5" s="' in texts(tmp_path / "c.xlsx", "sheet1.xml")


def test_a_row_says_which_record_it_answers_and_an_emptied_row_says_nothing(tmp_path: Path) -> None:
    rows = [refused("no power", code=code) for code in ("01001", "01002")]
    path = tmp_path / "c.xlsx"
    write_corrections(office(), rows, [], path)
    given = sheets(path)
    given["À corriger"][5][6:] = [""] * 4
    given["À corriger"].append(["", "", "", "", "", "", "01003", "2025-09-03", "O", "4"])
    corrected = xlsx(tmp_path / "corrected.xlsx", given)
    clean_spreadsheet(corrected, inspect(corrected, office()), office(), tmp_path / "clean.xlsx")
    for file in (corrected, tmp_path / "clean.xlsx"):
        raw = tmp_path / "raw.parquet"
        read(file, inspect(file, office()), office(), "000002-b", raw, tmp_path / "malformed.parquet", SETTINGS)
        found = pq.read_table(raw, columns=["code", "_extra"]).to_pylist()
        assert [(row["code"], answered_by(row["_extra"])) for row in found] == [
            ("01001", "c268a59bed0c n° 2"),
            ("01003", None),
        ]
    assert answered_by('{"halle : référence": "la ligne 3"}') is None


def test_reasons_are_told_in_french_where_they_are_known(tmp_path: Path) -> None:
    row = RefusedRow(PLACE, "the day is not a date: 31/02", {"counted_on": "31/02"}, "le jour n'est pas une date")
    assert told(office(), row) == "le jour n'est pas une date : 31/02"
    assert told(office(), refused("no power")) == "no power"
    write_corrections(
        office(), [row], [UnreadRow(PLACE, "not JSON: x", None, "ce n'est pas du JSON")], tmp_path / "c.xlsx"
    )
    found = sheets(tmp_path / "c.xlsx")
    assert found["À corriger"][4][0] == "le jour n'est pas une date : 31/02"
    assert found["À corriger à la source"][3][0] == "ce n'est pas du JSON"  # the text may be personal


def test_personal_columns_and_values_are_left_out(tmp_path: Path) -> None:
    private = office(
        columns=(*COLUMNS[:4], column("holder", "titulaire", personal_data="indirect", title_fr="Titulaire"))
    )
    row = refused("the holder is not known: Mme X", code="01001")
    write_corrections(private, [row], [UnreadRow(PLACE, "broken: Mme X", None)], tmp_path / "c.xlsx")
    found = sheets(tmp_path / "c.xlsx")
    assert not any("Mme X" in str(cell) for rows in found.values() for row in rows for cell in row)
    assert "Titulaire" in found["À corriger"][2][0]
    assert "titulaire" not in found["À corriger"][3]
    assert told(private, refused("not a code: 01001", code="01001")) == "not a code: 01001"


def test_a_cell_too_long_for_a_spreadsheet_is_not_cut_in_silence(tmp_path: Path) -> None:
    row = refused("no power", code="x" * (LONGEST_CELL + 1))
    write_corrections(office(), [row], [], tmp_path / "c.xlsx")
    found = sheets(tmp_path / "c.xlsx")
    assert len(found["À corriger"]) == 4
    assert "trop longue" in found["À corriger à la source"][3][0]


def test_codes_are_read_from_a_card(tmp_path: Path) -> None:
    path = next(
        path for folder in card_folders(None) for path in folder.glob("mobility/paris_comptages_permanents.yml")
    )
    codes = read_card(path).column("etat_barre").codes
    assert [one.code for one in codes] == ["Inconnu", "Ouvert", "Barré", "Invalide"]
    assert codes[1] == Code("Ouvert", "Ouvert à la circulation", "Open")
