"""`halle init` on the real references of 2026: what codes name, and a small commune run as it was written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.founding import found, read_divisions
from orchestration.project import card_folders
from raw_sources.card import load_cards
from raw_sources.divisions import Divisions
from raw_sources.errors import ConfigurationError
from tests.real.conftest import Authority

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture(scope="module")
def divisions(real_extracts: Path, tmp_path_factory: pytest.TempPathFactory) -> Divisions:
    cards = load_cards(card_folders(None))
    return read_divisions(cards, tmp_path_factory.mktemp("divisions"), real_extracts, NOW, lambda _: None)


@pytest.mark.parametrize(
    ("code", "name", "communes"),
    [
        ("69127", "Marcy-l'Étoile", 1),
        ("216901231", "Lyon", 1),
        ("200046977", "Métropole de Lyon", 58),
        ("200057867", "Plaine Commune", 8),
        ("2A004", "Ajaccio", 1),
        ("97601", "Acoua", 1),
        ("976", "Mayotte", 17),
        ("69", "Rhône", 266),
    ],
)
def test_what_a_real_code_names(divisions: Divisions, code: str, name: str, communes: int) -> None:
    authority = divisions.find(code)
    assert (authority.name, len(authority.communes)) == (name, communes)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("69015", "the former commune of Avenas, now in Deux-Grosnes (69135)"),
        ("69232", "it is now in Lyon (69123)"),
        ("69381", "is a district of Lyon (69123)"),
        ("Marcy l'Etoile", "69127 (Marcy-l'Étoile)"),
    ],
)
def test_what_is_no_longer_a_commune(divisions: Divisions, code: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        divisions.find(code)
    assert words in str(refused.value)


@pytest.mark.slow
def test_a_small_commune_gets_its_population_and_its_energy(
    real_extracts: Path, tmp_path: Path, run_of: Callable[[Path], Authority]
) -> None:
    found("69127", tmp_path / "commune", real_extracts, NOW, lambda _: None)
    commune = run_of(tmp_path / "commune")
    population = "select municipal_population from territory.populations_yearly where commune_code = '69127'"
    assert commune.value(population) == 3549
    # Its own rows of the national files, those of the zones that contain it, and nobody else's.
    zones = commune.ask("select distinct zone_code from energy.consumption_yearly where zone_level = 'commune'")
    assert zones == [("69127",)]
    read, kept = commune.ask(
        "select sum(records_read), sum(staged) from ops.ledger where source = 'ore_consommation_commune'"
    )[0]
    assert (read, kept) == (18230, 231)
