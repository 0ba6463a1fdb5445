"""A template filled with its own examples is received, read and staged without a reject: they show what is accepted.

What a template looks like is in the unit tests; here, that the cards of energy and of payments tell the truth in them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from python_calamine import CalamineWorkbook

from orchestration import modelling, receiving
from orchestration.dbt_runs import DbtProject, run_models
from orchestration.project import Project, card_folders, load_project
from orchestration.run import silent
from orchestration.workspace import Workspace
from raw_sources.card import load_cards
from raw_sources.database import connect
from raw_sources.landing import Landing
from raw_sources.readers.spreadsheet import layouts_for
from raw_sources.templates import HEADER_ROW, NOTICE, NOTICE_HEADERS, RECORDS, mapping_to_paste, write_template
from tests.unit.workbooks import xlsx

pytestmark = pytest.mark.slow

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CARDS = {
    source: card
    for source, card in load_cards(card_folders(None)).items()
    if card.theme in ("energy", "economy") and layouts_for(card)
}
LYON: dict[str, Any] = {
    "name": "rivage",
    "title": {"fr": "Rivage", "en": "Shore"},
    "siren": "200046977",
    "communes": {"vintage": 2025, "codes": ["69123"]},
    "time_zone": "Europe/Paris",
    "publisher": {"name": "Rivage"},
    "contact": "contact@rivage.example",
    "base_url": "https://donnees.rivage.example",
}
FRENCH = {
    "columns": {"period": "Mois", "territory_code": "Département", "card_country": "Pays", "value_index": "Indice"},
    "constants": {"territory_level": "department"},
    "unit": "index",
    "period_format": "%m/%Y",
    "base_period": "2019",
    "codes": {"territory_code": {"Rhône": "69"}, "card_country": {"Allemagne": "DE", "Suisse": "CH"}},
}


def filled(project: Project, source: str, folder: Path) -> Path:
    """Return the template of a source with one row: in each column, the example that its notice gives."""
    write_template(project.cards[source], folder / f"{source}.template.xlsx")
    book = CalamineWorkbook.from_path(folder / f"{source}.template.xlsx")
    records = book.get_sheet_by_name(RECORDS).to_python(skip_empty_area=False)
    notice = book.get_sheet_by_name(NOTICE).to_python(skip_empty_area=False)
    examples = {row[0]: row[NOTICE_HEADERS.index("Exemple")] for row in notice}
    headers = records[HEADER_ROW]
    return xlsx(folder / f"{source}.xlsx", {RECORDS: [headers, [examples[header] or None for header in headers]]})


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, list[str]]]:
    """Stage the filled template of every source; return how many records were kept, and why others were refused."""
    folder = tmp_path_factory.mktemp("templates")
    feeds: dict[str, Any] = {source: {"files": [{"glob": f"{source}.xlsx"}]} for source in CARDS}
    for source, card in CARDS.items():
        if mapping := mapping_to_paste(card):
            feeds[source] |= yaml.safe_load(mapping)["feeds"][source]
        if card.questions.licence_unsettled:
            declared = {"spdx": "etalab-2.0", "declared_by": "Rivage", "declared_on": "2026-01-05"}
            feeds[source]["licence"] = declared
    feeds["bpce_paiements_cartes_etrangeres"]["mapping"] = FRENCH
    (folder / "territory.yml").write_text(yaml.safe_dump({**LYON, "feeds": feeds}, allow_unicode=True))
    project, workspace = load_project(folder), Workspace(folder / "data")
    for source in CARDS:
        landed = Landing(workspace.landing_of(source)).land_file(
            project.cards[source], filled(project, source, folder), now=NOW
        )
        assert [one.refusal for one in landed] == [None], source
        assert [one.loaded.reason for one in receiving.load(project, workspace, source, silent)] == [None]
    modelling.prepare_warehouse(project, workspace, modelling.prepare_project(project, workspace))
    dbt = DbtProject(modelling.dbt_folder(workspace), workspace.warehouse, workspace.duckdb, "Europe/Paris")
    built = run_models(dbt, [f"+{card.staging_model}" for card in CARDS.values()])
    assert {one.status for one in built} == {"success"}, [one.message for one in built]
    with connect(workspace.warehouse, workspace.duckdb) as connection:
        found = {
            source: (connection.execute(f"select count(*) from staging.{card.staging_model}").fetchone() or (0,))[0]
            for source, card in CARDS.items()
        }
        refused = connection.execute("select source, reason from ops.rejects").fetchall()
    return {source: (kept, [why for one, why in refused if one == source]) for source, kept in found.items()}


@pytest.mark.parametrize("source", CARDS)
def test_a_template_filled_with_its_examples_stages_without_a_reject(
    source: str, outcomes: dict[str, tuple[int, list[str]]]
) -> None:
    assert outcomes[source] == (1, [])


@pytest.mark.parametrize("source", CARDS)
def test_every_column_that_is_always_filled_has_an_example_or_a_list(source: str) -> None:
    for column in CARDS[source].loaded_columns:
        assert column.nullable or column.examples or column.codes or column.logical_type == "date", column.name
