"""The reasons of refusal in French: how a reason is found in the table, and what a territory adds to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestration.project import load_project
from orchestration.reasons import Reasons, read_reasons
from orchestration.workspace import PROJECT
from raw_sources.errors import ConfigurationError

TERRITORY = load_project(PROJECT / "docs" / "example").territory


def test_the_head_of_a_reason_is_looked_up_and_its_value_left_alone() -> None:
    reasons = Reasons({"no day": "pas de jour", "not a code of *": "pas un code", "not a code of region": "ni région"})
    assert reasons.of("no day") == reasons.of("no day: x") == "pas de jour"
    assert reasons.of("not a code of region: 1") == "ni région"
    assert reasons.of("not a code of department: 1") == "pas un code"
    assert reasons.of("no month") is None


def test_what_varies_in_a_head_is_repeated() -> None:
    reasons = read_reasons(TERRITORY)
    assert reasons.of("5 cells instead of 3") == "5 cellules au lieu de 3"
    assert reasons.of("the energy (eolien) is not a quantity: x") == "l'énergie (eolien) n'est pas une quantité"
    said = "un guillemet ouvert dans la colonne 'nom de rue' n'est pas fermé"
    assert reasons.of("a quote opened in column 'nom de rue' is not closed") == said
    assert reasons.of("date_fin is not a date: x") == "la colonne date_fin n'est pas une date"
    assert reasons.of("the weather is not a number: x") is None  # an English word is not the name of a column


def test_a_territory_adds_the_reasons_of_its_own_models(tmp_path: Path) -> None:
    assert read_reasons(TERRITORY).of("the count is negative: -1") == "le nombre de passages est négatif"
    own = replace(TERRITORY, folder=tmp_path)
    assert read_reasons(own).of("the count is negative: -1") is None
    table = tmp_path / "dbt_project" / "reasons_fr.yml"
    table.parent.mkdir()
    table.write_text('"no day": "jour absent"\n', encoding="utf-8")
    assert read_reasons(own).of("no day") == "jour absent"
    table.write_text('"no day": [1]\n', encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"reasons_fr\.yml:1: .*is no text"):
        read_reasons(own)
