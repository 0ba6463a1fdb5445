"""The way of those who work in spreadsheets, once round: refused rows come back, are corrected, land again and stay.

Two runs of the example territory, shared by all tests here: the first with defects, the second after the corrections.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pytest
import xlsxwriter
from python_calamine import CalamineWorkbook
from typer.testing import CliRunner

from orchestration.cli import app
from orchestration.workspace import PROJECT
from tests.commands import halle
from tests.unit.workbooks import ods, xlsx

pytestmark = pytest.mark.slow

SOURCE = "voirie_passages_velos"
DEFECTS = """borne;jour;passages
B1;01/11/2025;12
B1;31/02/2025;13
B2;02/11/2025;<script>alert(1)</script>
B2;03/11/2025;1;2;3
B3;04/11/2025;inconnu
"""
CORRECT = {"31/02/2025": "28/02/2025", "<script>alert(1)</script>": "17", "31/09/2025": "30/09/2025", "en panne": "0"}
# What halle adds on the left of the rows that it gives back.
OURS = 6


@dataclass(frozen=True)
class Office:
    """The folder of the office: its DATA, and the files that the commands wrote in it before the second run."""

    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.data / "internal" / "marts.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


def rows_of(path: Path) -> dict[str, list[list[Any]]]:
    book = CalamineWorkbook.from_path(path)
    return {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}


def rewrite(path: Path, sheets: dict[str, list[list[Any]]]) -> None:
    with xlsxwriter.Workbook(path, {"default_date_format": "dd/mm/yyyy", "strings_to_formulas": False}) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for number, cells in enumerate(rows):
                sheet.write_row(number, 0, cells)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """Run the example with defects in a CSV and in a workbook of two sheets; ask for rejects, template and report."""
    folder = tmp_path_factory.mktemp("office")
    shutil.copytree(PROJECT / "docs" / "example", folder / "territory")
    extracts = folder / "territory" / "extracts"
    (extracts / "passages_velos_202511.csv").write_text(DEFECTS, encoding="utf-8")
    office = Office(folder)
    halle_ok("report", SOURCE, "--territory", folder / "territory", "--out", folder / "before", data=office.data)
    halle_ok("template", SOURCE, "--territory", folder / "territory", "--out", folder / "t.xlsx", data=office.data)
    sheets = {
        "2024": [
            ["Comptages"],
            [],
            ["borne", "jour", "passages"],
            ["B7", date(2024, 5, 1), 70],
            ["B7", "plus tard", 71],
        ],
        "2025": [["borne", "jour", "passages"], ["B7", date(2025, 5, 1), "#N/A"]],
    }
    workbook = xlsx(folder / "bornes.xlsx", sheets)
    halle_ok("land", SOURCE, workbook, "--territory", folder / "territory", data=office.data)
    run = ("run", "--theme", "mobility", "--extracts", extracts)
    halle_ok(*run, "--territory", folder / "territory", data=office.data)
    halle_ok("rejects", SOURCE, "--format", "xlsx", "--out", folder / "rejets.xlsx", data=office.data)
    halle_ok("report", SOURCE, "--out", folder / "page", data=office.data)
    return office


def halle_ok(*arguments: object, data: Path) -> str:
    """Run a command that has to succeed: in this process, which costs no start, but for a run."""
    if arguments[0] == "run":
        answer = halle(*arguments, "--data", data)
        assert answer.status == 0, answer.err + answer.out
        return answer.out
    result = CliRunner().invoke(app, [*map(str, arguments), "--data", str(data)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def second(first: Office) -> Office:
    """Correct what was refused but for one row, fill the template, land both with an ODS, and run again."""
    given = rows_of(first.folder / "rejets.xlsx")
    for row in given["À corriger"][4:]:
        row[OURS:] = [CORRECT.get(cell, cell) for cell in row[OURS:]]
        row[OURS:] = [{"plus tard": date(2024, 5, 2), "#N/A": 72}.get(cell, cell) for cell in row[OURS:]]
    rewrite(first.folder / "rejets_corriges.xlsx", given)
    filled = rows_of(first.folder / "t.xlsx")
    filled["Données"] += [["B9", date(2025, 9, 9), 99]]
    rewrite(first.folder / "rempli.xlsx", filled)
    ods(first.folder / "bornes.ods", {"Feuille1": [["passages", "borne", "jour"], [5, "B8", date(2025, 8, 8)]]})
    for name in ("rejets_corriges.xlsx", "rempli.xlsx", "bornes.ods"):
        halle_ok("land", SOURCE, first.folder / name, data=first.data)
    halle_ok("run", "--theme", "mobility", data=first.data)
    halle_ok("rejects", SOURCE, "--format", "xlsx", "--out", first.folder / "rejets_2.xlsx", data=first.data)
    halle_ok("report", SOURCE, "--out", first.folder / "page_2", data=first.data)
    return first


# --- what the first run refused ---------------------------------------------------------------------------------


def test_rejects_keep_their_forms(first: Office) -> None:
    found = json.loads(halle_ok("rejects", SOURCE, "--format", "json", data=first.data))
    assert {one["reason"]: one["count"] for one in found} == {
        "the day is not a date": 3, "the count is not a number": 4, "5 cells instead of 3": 1,
    }  # fmt: skip
    listed = list(csv.DictReader(io.StringIO(halle_ok("rejects", "--format", "csv", data=first.data))))
    assert len(listed) == 8
    assert {row["source"] for row in listed} == {SOURCE}


def test_a_workbook_for_all_sources_is_refused(first: Office) -> None:
    answer = halle("rejects", "--format", "xlsx", "--data", first.data)
    assert (answer.status, "Name the source" in answer.err) == (2, True)


def test_refused_rows_come_back_with_file_sheet_and_row(first: Office) -> None:
    found = rows_of(first.folder / "rejets.xlsx")
    rows = {(row[1], row[3], row[4]): row[0] for row in found["À corriger"][4:]}
    assert rows[("bornes.xlsx", "2024", "5")] == "le jour n'est pas une date : plus tard"
    assert rows[("bornes.xlsx", "2025", "2")] == "le nombre de passages n'est pas un nombre : #N/A"
    assert rows[("passages_velos_202511.csv", "", "enregistrement 2")] == "le jour n'est pas une date : 31/02/2025"
    assert len(rows) == 7
    malformed = found["À corriger à la source"][3]
    assert (malformed[0], malformed[4], malformed[5]) == ("5 cellules au lieu de 3", "ligne 5", "B2;03/11/2025;1;2;3")


# --- after the corrections --------------------------------------------------------------------------------------


def test_what_was_corrected_is_staged_and_the_ledger_balances(second: Office) -> None:
    ledger = {
        row[0]: row[1:]
        for row in second.query(
            "select file_name, records_read, staged, rejected, malformed, raw_rows, "
            f"superseded + duplicate + out_of_scope from ops.ledger where source = '{SOURCE}'"
        )
    }
    for read, staged, rejected, malformed, raw, others in ledger.values():
        assert read == raw + malformed
        assert raw == staged + rejected + others
    assert ledger["rejets_corriges.xlsx"][:3] == (7, 6, 1)
    assert ledger["rempli.xlsx"][:3] == (1, 1, 0)
    assert ledger["bornes.ods"][:3] == (1, 1, 0)
    assert ledger["bornes.xlsx"][:4] == (3, 1, 2, 0)


def test_the_mart_has_the_corrected_figures(second: Office) -> None:
    counted = dict(
        second.query(
            "select counter_id || ' ' || day_on, passages_count from mobility.bicycles_daily "
            "where counter_id in ('B7', 'B8', 'B9') or day_on in (date '2025-02-28', date '2025-11-02')"
        )
    )
    assert counted == {
        "B1 2025-02-28": 13, "B2 2025-11-02": 17, "B7 2024-05-01": 70, "B7 2024-05-02": 71, "B7 2025-05-01": 72,
        "B8 2025-08-08": 5, "B9 2025-09-09": 99,
    }  # fmt: skip


def test_the_columns_that_halle_added_make_no_noise(second: Office) -> None:
    noise = dict(second.query(f"select file_name, extra_columns from ops.deliveries where source = '{SOURCE}'"))
    assert noise["rejets_corriges.xlsx"] == "sheet 'À corriger à la source'"
    assert noise["bornes.ods"] is None
    partial = dict(second.query(f"select file_name, is_partial from ops.deliveries where source = '{SOURCE}'"))
    assert (partial["rejets_corriges.xlsx"], partial["rempli.xlsx"]) == (True, False)


def test_what_was_corrected_does_not_come_back_and_what_was_not_comes_once(second: Office) -> None:
    found = rows_of(second.folder / "rejets_2.xlsx")
    assert [(row[0], row[1], row[OURS]) for row in found["À corriger"][4:]] == [
        ("le nombre de passages n'est pas un nombre : inconnu", "rejets_corriges.xlsx", "B3")
    ]
    assert len(found["À corriger à la source"]) == 4
    text = second.read(f"page_2/retour_{SOURCE}.md")
    assert "9 sont refusés, dont 7 repris depuis dans une correction." in " ".join(text.split())
    assert "### le nombre de passages n'est pas un nombre : 1 enregistrement\n" in text
    assert "le jour n'est pas une date" not in text
    # What each delivery brought is a fact, and stays one.
    refused = second.query(f"select sum(rejected) from ops.ledger where source = '{SOURCE}'")
    assert refused[0][0] == second.query(f"select count(*) from ops.rejects where source = '{SOURCE}'")[0][0] == 8


# --- the page to the producer -----------------------------------------------------------------------------------


class Page(HTMLParser):
    """Collects what matters for people who do not see the page, and for those who would attack it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attributes for name, attributes in self.tags if name == tag)


def test_the_page_says_what_came_what_was_refused_and_whom_to_ask(first: Office) -> None:
    text = first.read(f"page/retour_{SOURCE}.md")
    for said in (
        "# Retour sur vos données : Passages de vélos",
        "Nous avons reçu 4 livraisons.",
        "### le jour n'est pas une date : 3 enregistrements",
        "Colonne en cause : **Jour**",
        "bornes.xlsx, feuille « 2024 », ligne 5",
        "passages_velos_202511.csv, ligne 5",
        "Mission vélo (Direction de la voirie), Autorité fictive : contact@exemple.example",
    ):
        assert said in text


def test_the_page_is_self_contained_accessible_and_harmless(first: Office) -> None:
    html = first.read(f"page/retour_{SOURCE}.html")
    page = Page(html)
    assert next(page.all("html")) == {"lang": "fr"}
    assert [tag for tag, _ in page.tags if tag in ("title", "main", "h1")] == ["title", "main", "h1"]
    headers = list(page.all("th"))
    assert headers
    assert all(one.get("scope") == "col" for one in headers)
    assert not any(tag in ("script", "link", "img", "iframe") for tag, _ in page.tags)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<script" not in first.read(f"page/retour_{SOURCE}.md")


def test_the_page_says_so_when_nothing_came_or_nothing_was_refused(first: Office, second: Office) -> None:
    before = first.read(f"before/retour_{SOURCE}.md")
    assert "Nous n'avons encore reçu aucun fichier de cette source." in before
    assert "##" in before
    assert "refusé, et pourquoi" not in before
    assert second.query("select count(*) from ops.ledger")[0][0] >= 7
