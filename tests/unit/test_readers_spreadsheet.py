"""Spreadsheets as offices make them: where the table is, what cells become, and what is refused with a sentence."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import xlsxwriter

from raw_sources.card import Card
from raw_sources.errors import DeliveryRefused
from raw_sources.landing import Landing
from raw_sources.readers import Match, clean, inspect, read
from raw_sources.readers.spreadsheet import ROWS_PER_SHEET, place_of, record_number
from raw_sources.readers.workbook import open_workbook
from tests.unit.readers_support import LAYOUTS, SETTINGS, card, column, layout
from tests.unit.workbooks import VOID, ods, ods_content, xlsx

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
HEADERS = ["site", "rue", "note", "debut"]
COLUMNS = (
    column("site", "site", "Référence chantier", required=True),
    column("street", "rue", required=True),
    column("note", "note"),
    column("start_on", "debut", logical_type="date"),
    column("read_at", "releve", logical_type="timestamp"),
    column("count", "nombre", logical_type="integer"),
)
SHEET = layout("classeur", "spreadsheet", delimiter=None)
BOTH = pytest.mark.parametrize("write", [xlsx, ods], ids=["xlsx", "ods"])
Write = Callable[..., Path]


@dataclass(frozen=True)
class Found:
    match: Match
    rows: list[dict[str, Any]]

    def values(self, name: str) -> list[Any]:
        return [row[name] for row in self.rows]


def office(**options: Any) -> Card:
    return card(**({"columns": COLUMNS, "layouts": (SHEET,)} | options))


def read_workbook(path: Path, of: Card | None = None) -> Found:
    of = of or office()
    raw, malformed = path.with_suffix(".parquet"), path.with_suffix(".malformed.parquet")
    match = inspect(path, of)
    count = read(path, match, of, "000001-abc", raw, malformed, SETTINGS)
    rows = pq.read_table(raw).to_pylist()
    assert (count.records_read, count.raw_rows, count.malformed) == (len(rows), len(rows), 0)
    numbers = [row["_record_no"] for row in rows]
    assert numbers == sorted(set(numbers))
    return Found(match, rows)


def refused(path: Path, of: Card | None = None) -> str:
    with pytest.raises(DeliveryRefused) as error:
        read_workbook(path, of)
    return str(error.value)


# --- where the table is -----------------------------------------------------------------------------------------


@BOTH
def test_a_plain_table_is_read_with_the_rows_of_the_sheet_as_numbers(tmp_path: Path, write: Write) -> None:
    found = read_workbook(write(tmp_path / "t", {"F": [HEADERS, ["a", "rue A", "x", "2025-03-04"], ["b", "rue B"]]}))
    assert found.values("site") == ["a", "b"]
    assert found.values("start_on") == ["2025-03-04", None]
    assert found.values("_record_no") == [2, 3]
    assert (found.match.layout.name, found.match.header_line) == ("classeur", 1)


@BOTH
def test_titles_blank_rows_and_notes_are_passed_over_and_a_totals_row_is_a_record(tmp_path: Path, write: Write) -> None:
    rows = [
        ["Chantiers de la commune", None, None],
        [None],
        ["Source : service de la voirie", None, "site"],
        [None, "Référence chantier", "rue", "remarque"],
        [None, "a", "rue A", "x"],
        [None, None, "  "],
        [None, "b", "rue B", None],
        [None, "Total : 2"],
    ]
    found = read_workbook(write(tmp_path / "t", {"F": rows}))
    assert found.values("_record_no") == [5, 7, 8]
    assert found.values("site") == ["a", "b", "Total : 2"]
    assert found.match.extra == ("remarque",)
    assert found.values("_extra") == ['{"remarque":"x"}', '{"remarque":null}', '{"remarque":null}']


def test_a_table_that_does_not_begin_in_column_a_keeps_its_place(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "t.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write_row(3, 2, ["site", "rue"])
        sheet.write_row(4, 2, ["a", "rue A"])
    assert read_workbook(tmp_path / "t.xlsx").values("_record_no") == [5]


def test_headers_merged_downwards_stand_beside_those_below_them(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "t.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.merge_range("A1:D1", "Chantiers 2025")
        sheet.merge_range("A2:A3", "site")
        sheet.merge_range("B2:C2", "Lieu et dates")
        sheet.write_row(2, 1, ["rue", "debut"])
        sheet.write_row(3, 0, ["a", "rue A", "2025-01-01"])
    found = read_workbook(tmp_path / "t.xlsx")
    assert [found.rows[0][name] for name in ("site", "street", "start_on")] == ["a", "rue A", "2025-01-01"]
    assert found.match.header_line == 3


def test_headers_merged_downwards_in_ods(tmp_path: Path) -> None:
    def text(value: str, spans: str = "") -> str:
        return f'<table:table-cell office:value-type="string"{spans}><text:p>{value}</text:p></table:table-cell>'

    merged = text("site", ' table:number-rows-spanned="2"')
    rows = (
        f"<table:table-row>{merged}{text('Lieu')}</table:table-row>"
        f"<table:table-row><table:covered-table-cell/>{text('rue')}</table:table-row>"
        f"<table:table-row>{text('a')}{text('rue A')}</table:table-row>"
    )
    found = read_workbook(ods_content(tmp_path / "t.ods", f'<table:table table:name="F">{rows}{VOID}</table:table>'))
    assert (found.values("site"), found.values("_record_no")) == (["a"], [3])


@BOTH
def test_several_sheets_are_one_delivery_and_the_others_are_named(tmp_path: Path, write: Write) -> None:
    sheets = {
        "Lisez-moi": [["Ce classeur contient deux années"]],
        "2024": [HEADERS, ["a", "rue A"]],
        "2025": [[], ["rue", "site"], ["rue B", "b"]],
    }
    found = read_workbook(write(tmp_path / "t", sheets))
    assert found.values("site") == ["a", "b"]
    assert [place_of(number) for number in found.values("_record_no")] == [(1, 2), (2, 3)]
    assert found.match.extra == ("sheet 'Lisez-moi'",)


def test_numbers_of_records_fit_where_the_staging_orders_them() -> None:
    assert place_of(record_number(2, 1_048_576)) == (2, 1_048_576)
    assert record_number(900, 1_048_576) < 10_000_000_000
    assert ROWS_PER_SHEET > 1_048_576


@BOTH
def test_a_layout_names_its_sheets(tmp_path: Path, write: Write) -> None:
    sheets = {"2024": [HEADERS, ["a", "rue A"]], "2025": [HEADERS, ["b", "rue B"]], "bilan": [HEADERS, ["c", "rue C"]]}
    path = write(tmp_path / "t", sheets)
    assert read_workbook(path, office(layouts=(replace(SHEET, sheet="20*"),))).values("site") == ["a", "b"]
    assert read_workbook(path, office(layouts=(replace(SHEET, sheet="bilan"),))).values("site") == ["c"]
    said = refused(path, office(layouts=(replace(SHEET, sheet="2023"),)))
    assert "no sheet is called '2023'; found '2024', '2025', 'bilan'" in said


def test_a_hidden_sheet_is_read_only_when_it_is_named(tmp_path: Path) -> None:
    sheets = {"vue": [HEADERS, ["a", "rue A"]], "brut": [HEADERS, ["b", "rue B"]]}
    path = xlsx(tmp_path / "t.xlsx", sheets, hidden=["brut"])
    assert read_workbook(path).values("site") == ["a"]
    assert inspect(path, office()).extra == ("sheet 'brut'",)
    assert read_workbook(path, office(layouts=(replace(SHEET, sheet="brut"),))).values("site") == ["b"]


def test_a_sheet_that_lacks_one_header_only_is_not_left_aside(tmp_path: Path) -> None:
    three = (*COLUMNS[:2], replace(COLUMNS[2], required=True))
    sheets = {"2024": [["site", "rue", "note"], ["a", "b", "c"]], "2025": [["site", "rue", "notes"], ["a", "b", "c"]]}
    said = refused(xlsx(tmp_path / "t.xlsx", sheets), office(columns=three))
    assert "sheet '2025', row 1: the required column 'note' has no header in this sheet" in said


@BOTH
def test_no_table_is_refused_with_what_was_found(tmp_path: Path, write: Write) -> None:
    said = refused(write(tmp_path / "a", {"Feuille 1": [["x", "y"], [1, 2]]}))
    assert "no sheet has a header that the card knows" in said
    assert "'Feuille 1'" in said
    said = refused(write(tmp_path / "b", {"F": [["titre"], ["site", "voie"], ["a", "b"]]}))
    assert "sheet 'F', row 2: the required columns 'street' have no header; found 'site', 'voie'" in said
    said = refused(write(tmp_path / "c", {"F": [["site", "Référence chantier", "rue"], ["a", "b", "c"]]}))
    assert "stand for one and the same column" in said
    assert "no sheet has a header" in refused(write(tmp_path / "d", {"F": [[]]}))


def test_a_header_too_low_is_not_found(tmp_path: Path) -> None:
    rows = [[f"note {number}"] for number in range(49)]
    assert read_workbook(xlsx(tmp_path / "a.xlsx", {"F": [*rows, HEADERS, ["a", "b"]]})).values("site") == ["a"]
    assert "first 50 rows" in refused(xlsx(tmp_path / "b.xlsx", {"F": [*rows, ["x"], HEADERS, ["a", "b"]]}))


def test_a_table_without_records_is_an_empty_delivery(tmp_path: Path) -> None:
    assert read_workbook(xlsx(tmp_path / "t.xlsx", {"F": [HEADERS]})).rows == []


# --- what cells become ------------------------------------------------------------------------------------------


def note_of(tmp_path: Path, write: Write, *cells: Any) -> list[Any]:
    rows = [[f"s{number}", "rue", cell] for number, cell in enumerate(cells)]
    return read_workbook(write(tmp_path / "cells", {"F": [HEADERS, *rows]})).values("note")


@BOTH
def test_numbers_have_all_their_digits_and_nothing_else(tmp_path: Path, write: Write) -> None:
    cells = (1, 1.0, -3, 0, 0.1, 1234567.25, 100000000000000, 1e20, 1e-7, 0.125, 12.5)
    assert note_of(tmp_path, write, *cells) == [
        "1", "1", "-3", "0", "0.1", "1234567.25", "100000000000000", "100000000000000000000", "0.0000001", "0.125",
        "12.5",
    ]  # fmt: skip


@BOTH
def test_texts_and_codes_stay_as_published(tmp_path: Path, write: Write) -> None:
    assert note_of(tmp_path, write, "01001", "1,5", "01/02/2025", "n/a", "ND", "é <b>") == [
        "01001", "1,5", "01/02/2025", "n/a", "ND", "é <b>",
    ]  # fmt: skip
    assert note_of(tmp_path, write, 1001) == ["1001"], "a code that lost its zero is for staging to refuse"


@BOTH
def test_booleans_and_errors_are_texts(tmp_path: Path, write: Write) -> None:
    cells = (True, False, "#N/A", "#REF!", "#DIV/0!")
    assert note_of(tmp_path, write, *cells) == ["true", "false", "#N/A", "#REF!", "#DIV/0!"]


def dates_of(tmp_path: Path, write: Write, *cells: Any, **options: Any) -> list[tuple[Any, Any]]:
    headers = ["site", "rue", "debut", "releve"]
    rows = [[f"s{number}", "rue", cell, cell] for number, cell in enumerate(cells)]
    found = read_workbook(write(tmp_path / "dates", {"F": [headers, *rows]}, **options))
    return list(zip(found.values("start_on"), found.values("read_at"), strict=True))


@BOTH
def test_dates_are_iso_by_the_type_of_their_column(tmp_path: Path, write: Write) -> None:
    assert dates_of(tmp_path, write, date(2025, 3, 4), datetime(2025, 3, 4, 13, 45, 30), "04/03/2025") == [
        ("2025-03-04", "2025-03-04T00:00:00"),
        ("2025-03-04T13:45:30", "2025-03-04T13:45:30"),
        ("04/03/2025", "04/03/2025"),
    ]
    assert note_of(tmp_path, write, date(2025, 3, 4)) == ["2025-03-04"]


@BOTH
def test_numbers_of_days_are_dates_where_they_can_be_nothing_else(tmp_path: Path, write: Write) -> None:
    assert dates_of(tmp_path, write, 45720, 45720.5, 45720.573263889) == [
        ("2025-03-04", "2025-03-04T00:00:00"),
        ("2025-03-04T12:00:00", "2025-03-04T12:00:00"),
        ("2025-03-04T13:45:30", "2025-03-04T13:45:30"),
    ]
    years = (2025, 202503, 20250304, 1741096800, -1, 0)
    assert [pair[0] for pair in dates_of(tmp_path, write, *years)] == [str(number) for number in years]
    assert note_of(tmp_path, write, 45720) == ["45720"], "a number in a column of texts is a number"


def test_a_workbook_of_1904_counts_from_1904(tmp_path: Path) -> None:
    found = dates_of(tmp_path, xlsx, 44258, date(2025, 3, 4), date_1904=True)
    assert [pair[0] for pair in found] == ["2025-03-04", "2025-03-04"]


def test_times_and_durations_are_texts(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "t.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADERS)
        for row, (number, shown) in enumerate([(0.5, "hh:mm"), (1.5, "[h]:mm"), (0.125, "0.00%")], start=1):
            sheet.write_row(row, 0, ["s", "r"])
            sheet.write_number(row, 2, number, book.add_format({"num_format": shown}))
    assert read_workbook(tmp_path / "t.xlsx").values("note") == ["12:00:00", "36:00:00", "0.125"]


# --- which cards take a spreadsheet -----------------------------------------------------------------------------


def test_a_card_with_a_delimited_layout_takes_the_same_headers_in_a_spreadsheet(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "t.xlsx", {"F": [HEADERS, ["a", "rue A"]]})
    found = read_workbook(path, card(columns=COLUMNS, layouts=LAYOUTS))
    assert found.values("site") == ["a"]
    assert (found.match.layout.name, found.match.layout.form) == ("spreadsheet", "spreadsheet")
    positional = layout("old", header=False, columns=("site", "street"))
    assert read_workbook(path, card(columns=COLUMNS, layouts=(positional,))).values("site") == ["a"]


def test_a_card_without_a_table_refuses_a_spreadsheet(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "t.xlsx", {"F": [HEADERS, ["a", "rue A"]]})
    said = refused(path, card(columns=COLUMNS, layouts=(layout("map", "geojson"),)))
    assert "the file is a spreadsheet, which town_works does not accept" in said


# --- what is refused --------------------------------------------------------------------------------------------


def rewritten(path: Path, out: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """Write an office zip anew with each member changed, or left out."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return out


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return xlsx(tmp_path / "plain.xlsx", {"F": [HEADERS, ["a", "rue A"]]})


def test_macros_and_the_binary_form_are_refused(tmp_path: Path, plain: Path) -> None:
    for member, said in (("xl/vbaProject.bin", "holds macros"), ("xl/workbook.bin", "binary form (.xlsb)")):
        path = rewritten(plain, tmp_path / "m.xlsx", lambda name, content: content)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(member, b"x")
        assert said in refused(path)


def test_passwords_and_old_forms_are_refused(tmp_path: Path) -> None:
    old = tmp_path / "old.xls"
    old.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    assert "Excel workbook of before 2007" in refused(old)
    old.write_bytes(old.read_bytes() + "EncryptedPackage".encode("utf-16-le"))
    assert "protected by a password" in refused(old)
    assert "protected by a password" in refused(ods(tmp_path / "e.ods", {"F": [HEADERS]}, encrypted=True))


def test_a_page_named_like_a_workbook_is_refused_with_what_to_do(tmp_path: Path) -> None:
    page = tmp_path / "export.xls"
    page.write_text("<html><table><tr><td>site</td></tr></table></html>")
    assert "save it as .xlsx" in refused(page)


def test_a_text_named_like_a_workbook_is_read_as_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "export.xls"
    path.write_text("site\true\na\true A\n")
    match = inspect(path, card(columns=COLUMNS, layouts=LAYOUTS))
    assert match.layout.form == "delimited"


def test_a_truncated_or_damaged_workbook_is_refused(tmp_path: Path, plain: Path) -> None:
    cut = tmp_path / "cut.xlsx"
    cut.write_bytes(plain.read_bytes()[:-400])
    landed = Landing(tmp_path / "landing").land_file(office(), cut, now=NOW)
    assert "the compressed file is damaged" in str(landed[0].refusal)
    without = rewritten(plain, tmp_path / "w.xlsx", lambda name, one: None if name.endswith("sheet1.xml") else one)
    assert refused(without)
    garbled = rewritten(plain, tmp_path / "g.xlsx", lambda name, one: one[:200] if "sheet1" in name else one)
    assert "the workbook is damaged" in refused(garbled)


def test_random_damage_never_ends_otherwise_than_in_a_sentence(tmp_path: Path, plain: Path) -> None:
    """Flip bytes in the plain XML of the members: whatever comes out is rows or a refusal."""
    dice = random.Random(4)  # noqa: S311
    path = tmp_path / "flipped.xlsx"
    for _ in range(150):

        def flip(name: str, content: bytes) -> bytes:
            changed = bytearray(content)
            for _ in range(dice.randint(0, 3)):
                changed[dice.randrange(len(changed))] = dice.randrange(256)
            return bytes(changed)

        rewritten(plain, path, flip)
        try:
            read_workbook(path)
        except DeliveryRefused as refusal:
            assert refusal.what


def test_document_types_are_refused(tmp_path: Path, plain: Path) -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "b">]>'

    def poison(name: str, content: bytes) -> bytes:
        return content.replace(b"?>", b"?>" + bomb, 1) if name.endswith("sheet1.xml") else content

    assert "declares a document type" in refused(rewritten(plain, tmp_path / "d.xlsx", poison))


def test_bombs_are_refused_before_they_are_opened(tmp_path: Path, plain: Path) -> None:
    swollen = rewritten(
        plain, tmp_path / "s.xlsx", lambda name, one: one + b" " * 5_000_000 if "sheet1" in name else one
    )
    assert "expands" in refused(swollen, office(max_bytes=1_000_000))
    assert "times its compressed size" in refused(swollen)
    with xlsxwriter.Workbook(tmp_path / "far.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADERS)
        sheet.write(1_048_575, 16_383, "x")
    assert "goes to row 1,048,576 and column 16,384" in refused(tmp_path / "far.xlsx")
    cell = '<table:table-cell office:value-type="string" table:number-columns-repeated="16384"><text:p>x</text:p></table:table-cell>'  # noqa: E501
    row = f'<table:table-row table:number-rows-repeated="1048576">{cell}</table:table-row>'
    assert "goes to row" in refused(ods_content(tmp_path / "f.ods", f'<table:table table:name="F">{row}</table:table>'))


def test_the_void_that_offices_write_costs_nothing(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "coloured.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADERS)
        sheet.write_row(1, 0, ["a", "rue A"])
        sheet.write_blank(1_048_575, 16_383, None, book.add_format({"bg_color": "red"}))
    assert read_workbook(tmp_path / "coloured.xlsx").values("site") == ["a"]
    path = ods(tmp_path / "t.ods", {"F": [HEADERS, ["a", "rue A"]]})
    with open_workbook(path, 1 << 20) as book:
        assert (book.sheets[0].facts.rows, book.sheets[0].facts.columns) == (2, 4)


# --- landing ----------------------------------------------------------------------------------------------------


@BOTH
def test_a_workbook_lands_as_one_file_plain_or_zipped(tmp_path: Path, write: Write) -> None:
    path = write(tmp_path / "t.xlsx", {"F": [HEADERS, ["a", "rue A"]]})
    landing = Landing(tmp_path / "landing")
    landed = landing.land_file(office(), path, now=NOW)
    assert [one.refusal for one in landed] == [None]
    receipt = landed[0].receipt
    assert receipt is not None
    assert (receipt.file_name, receipt.cleaned, receipt.partial) == ("t.xlsx", False, False)
    assert landing.file(receipt).read_bytes() == path.read_bytes()
    assert [one.new for one in landing.land_file(office(), path, now=NOW)] == [False]
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.write(path, "dossier/t.xlsx")
    zipped = landing.land_file(office(), tmp_path / "t.zip", now=NOW)
    assert [(one.refusal, one.receipt and one.receipt.origin) for one in zipped] == [(None, "t.zip!dossier/t.xlsx")]


PRIVATE = (*COLUMNS, column("person", "contact", never_load=True, personal_data="direct"))


@pytest.mark.parametrize(("write", "name"), [(xlsx, "t.xlsx"), (ods, "t.ods")])
def test_never_load_columns_are_gone_from_what_is_stored(tmp_path: Path, write: Write, name: str) -> None:
    headers = ["site", "contact", "rue", "nombre", "debut", "autre"]
    sheets = {
        "Personnes": [["Mme Secret"]],
        "F": [
            ["Suivi par Mme Secret"],
            headers,
            ["a", "Mme Secret", "rue A", 12, 45720, "x"],
            [],
            ["b", "Secret", "r"],
        ],
    }
    of = office(columns=PRIVATE)
    landing = Landing(tmp_path / "landing")
    receipt = landing.land_file(of, write(tmp_path / name, sheets), now=NOW)[0].receipt
    assert receipt is not None
    assert receipt.cleaned
    assert receipt.file_name == ("t.xlsx" if name == "t.xlsx" else "t.ods.xlsx")
    stored = landing.file(receipt)
    with zipfile.ZipFile(stored) as archive:
        assert not any(b"Secret" in archive.read(member) for member in archive.namelist())
    found = read_workbook_of(stored, of, tmp_path)
    assert found.values("_record_no") == [ROWS_PER_SHEET + 3, ROWS_PER_SHEET + 5]
    assert [found.rows[0][one] for one in ("site", "street", "count", "start_on")] == ["a", "rue A", "12", "2025-03-04"]
    assert found.rows[0]["_extra"] == '{"autre":"x"}'
    assert [one.new for one in landing.land_file(of, tmp_path / name, now=NOW)] == [False]


def read_workbook_of(stored: Path, of: Card, folder: Path) -> Found:
    copy = folder / "stored.xlsx"
    copy.write_bytes(stored.read_bytes())
    return read_workbook(copy, of)


def test_cleaning_gives_the_same_bytes_each_time(tmp_path: Path) -> None:
    of = office(columns=PRIVATE)
    path = xlsx(tmp_path / "t.xlsx", {"F": [[*HEADERS, "contact"], ["a", "r", "n", 45720, "Mme Secret"]]})
    match = inspect(path, of)
    clean(path, match, of, tmp_path / "one.xlsx")
    clean(path, match, of, tmp_path / "two.xlsx")
    assert (tmp_path / "one.xlsx").read_bytes() == (tmp_path / "two.xlsx").read_bytes()


# --- corrections ------------------------------------------------------------------------------------------------


def test_rows_that_halle_gave_back_are_a_page_without_its_columns(tmp_path: Path) -> None:
    headers = ["halle : motif du refus", "halle : ligne", "halle : date du fichier", *HEADERS]
    rows = [headers, ["no street", 3, "2025-01-01", "a", "rue A"], ["left over", 4, "2025-01-01", None]]
    found = read_workbook(xlsx(tmp_path / "t.xlsx", {"À corriger": rows}))
    assert found.values("site") == ["a"]
    assert found.values("_extra") == [None]
    assert (found.match.extra, found.match.partial, found.match.content_date) == ((), True, "2025-01-01")
    landed = Landing(tmp_path / "landing").land_file(office(order="file_date"), tmp_path / "t.xlsx", now=NOW)
    assert landed[0].receipt is not None
    assert (landed[0].receipt.file_date, landed[0].receipt.partial) == ("2025-01-01", True)
    rows.append(["x", 5, "2024-01-01", "b", "rue B"])
    assert read_workbook(xlsx(tmp_path / "u.xlsx", {"À corriger": rows})).match.content_date is None
