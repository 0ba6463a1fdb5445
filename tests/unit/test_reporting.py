"""The page to a producer: what of it does not need a run, and that no text of somebody else's does anything in it."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.project import Project, load_project
from orchestration.reporting import Counts, as_html, place_in_french, said, write_report
from orchestration.workspace import PROJECT, Workspace
from raw_sources.corrections import Place
from raw_sources.landing import Landing

SOURCE = "voirie_passages_velos"
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(PROJECT / "docs" / "example")


def page(project: Project, folder: Path) -> tuple[str, str]:
    paths = write_report(project, Workspace(folder), project.card(SOURCE), folder / "out", NOW)
    text, html = (path.read_text(encoding="utf-8") for path in paths)
    return text, html


def test_before_any_delivery_the_page_says_so(project: Project, tmp_path: Path) -> None:
    text, html = page(project, tmp_path)
    assert "Établi le 22/11/2026" in text
    assert "Nous n'avons encore reçu aucun fichier" in text
    assert "refusé" not in text
    assert "<h1>Retour sur vos données : Passages de vélos</h1>" in html


def test_what_is_received_and_not_yet_read_is_listed(project: Project, tmp_path: Path) -> None:
    landing = Landing(Workspace(tmp_path).landing_of(SOURCE))
    file = tmp_path / "a_|_<b>.csv"
    shutil.copy(PROJECT / "docs/example/extracts/passages_velos_202510.csv", file)
    landing.land_file(project.card(SOURCE), file, now=NOW)
    text, html = page(project, tmp_path)
    assert "Nous avons reçu 1 livraison." in text
    assert "**Rien n'a été refusé.**" in text
    assert "pas encore lu" in text
    assert "<td>a_|_&lt;b&gt;.csv</td>" in html
    assert "Que corriger" not in text


def test_a_file_refused_whole_is_told_with_its_reason(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "autre.csv"
    file.write_text("rien;de;tel\n1;2;3\n", encoding="utf-8")
    Landing(Workspace(tmp_path).landing_of(SOURCE)).land_file(project.card(SOURCE), file, now=NOW)
    text, _ = page(project, tmp_path)
    assert "## Fichiers refusés en entier" in text
    assert "none of the first lines is a header" in text
    assert "Rien n'a été refusé" not in text
    assert "## Que corriger" in text


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "a | b",
        "[x](javascript:alert(1))",
        "*a* _b_ `c` ~~d~~",
        "&lt;",
        "![x](y)",
        "a\nb",
        "\\",
    ],
)
def test_a_text_of_somebody_elses_is_shown_and_does_nothing(text: str) -> None:
    html = as_html(f"| a |\n|---|\n| {said(text)} |\n")
    shown = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert f"<td>{shown}</td>" in html


def test_words_stay_readable_in_markdown() -> None:
    assert said("passages_velos_202511.csv (v2)") == "passages_velos_202511.csv (v2)"


def test_raw_html_in_a_page_is_text_and_headers_say_what_they_head() -> None:
    assert "<b>" not in as_html("<b>x</b>")
    assert '<th scope="col">a</th>' in as_html("| a |\n|---|\n| b |\n")


def test_places_are_phrases() -> None:
    assert place_in_french(Place("a.xlsx", "", "2024", "7")) == "a.xlsx, feuille « 2024 », ligne 7"
    assert place_in_french(Place("a.csv", "", "", "enregistrement 7")) == "a.csv, enregistrement 7"


def test_counts_add_up() -> None:
    assert Counts(3, 2, 1) + Counts(1, 1) == Counts(4, 3, 1)
