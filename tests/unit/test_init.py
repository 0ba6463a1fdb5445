"""`halle init`: what a code names in invented references, what is written, and what is refused in words.

The references are small files in the forms of the real ones; the run of a territory made so is in
tests/integration/test_syndicate.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration import founding
from orchestration.founding import Founded, NoReferences, found, national_sources, read_divisions, territory_text
from orchestration.project import card_folders, load_project
from raw_sources.card import Card, load_cards
from raw_sources.divisions import Divisions
from raw_sources.documents import read_document
from raw_sources.errors import ConfigurationError, Unreachable
from raw_sources.landing import Landing
from raw_sources.territory import Territory, read_territory
from tests.references import EPCI, EPT, references, siren
from tests.unit.scripted_server import scripted_server, send

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SOURCES = national_sources(load_cards(card_folders(None)))


@pytest.fixture(scope="module")
def extracts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the references of an invented country, of 2026 and of an older year that must not count."""
    folder = tmp_path_factory.mktemp("references")
    references(folder, 2026)
    (folder / "etalab_communes_2019.json").write_text('[{"code": "01001", "nom": "Autrefois", "type": "x"}]')
    return folder


@pytest.fixture(scope="module")
def divisions(extracts: Path, tmp_path_factory: pytest.TempPathFactory) -> Divisions:
    """Return the references, read once."""
    return read_divisions(
        load_cards(card_folders(None)), tmp_path_factory.mktemp("read"), extracts, NOW, lambda _: None
    )


@pytest.fixture
def make(extracts: Path, tmp_path: Path) -> Callable[[str], Founded]:
    """Return `halle init` on the invented references."""
    return lambda code: found(code, tmp_path / "made", extracts, NOW, lambda _: None)


def test_a_commune_gets_a_folder_that_runs_as_it_is(make: Callable[[str], Founded], tmp_path: Path) -> None:
    made = make("01001")
    assert {path.name for path in made.files} == {"territory.yml", "README.md", ".gitignore"}
    project = load_project(tmp_path / "made")
    territory = project.territory
    assert (territory.name, territory.title_fr) == ("l_hay_du_marais", "L'Haÿ-du-Marais")
    assert (territory.siren, territory.publisher_siren) == (siren("2101001"), siren("2101001"))
    assert (territory.communes, territory.communes_vintage) == (("01001",), 2026)
    assert (territory.time_zone, territory.synthetic, territory.has_box) == ("Europe/Paris", False, False)
    assert sorted(project.enabled) == sorted(card.source for card in national_sources(project.cards))
    assert {"etalab_communes", "insee_populations_legales"} <= set(project.enabled)
    useful = [line for line in made.files[0].read_text().splitlines() if line and not line.lstrip().startswith("#")]
    assert len(useful) - len(project.enabled) <= 12


def test_the_same_commune_by_its_siren(divisions: Divisions) -> None:
    assert divisions.find(siren("2101001")) == divisions.find("01001")


@pytest.mark.parametrize(
    ("code", "name", "communes", "zone"),
    [
        (EPCI, "cc_du_marais", ("01001", "01002"), "Europe/Paris"),
        (EPT, "la_ronde", ("69123",), "Europe/Paris"),
        ("69123", "lyon", ("69123",), "Europe/Paris"),
        ("2a004", "ajaccio", ("2A004",), "Europe/Paris"),
        ("976", "mayotte", ("97601",), "Indian/Mayotte"),
        ("97601", "acoua", ("97601",), "Indian/Mayotte"),
        ("2A", "corse_du_sud", ("2A004",), "Europe/Paris"),
        ("01002", "saint_aubin_01002", ("01002",), "Europe/Paris"),
    ],
)
def test_what_a_code_names(
    divisions: Divisions, tmp_path: Path, code: str, name: str, communes: tuple[str, ...], zone: str
) -> None:
    territory = written(divisions, code, tmp_path)
    assert (territory.name, territory.communes, territory.time_zone) == (name, communes, zone)


def test_a_department_has_no_siren_in_the_references_and_none_is_made_up(divisions: Divisions, tmp_path: Path) -> None:
    territory = written(divisions, "976", tmp_path)
    assert (territory.siren, territory.publisher_siren) == (None, None)


def written(divisions: Divisions, code: str, folder: Path) -> Territory:
    text = territory_text(divisions.find(code), divisions.vintage, None, SOURCES)
    (folder / "territory.yml").write_text(text, encoding="utf-8")
    return read_territory(folder)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("69381", "69381 is a district of Lyon (69123), not a commune. Give 69123."),
        ("01003", "01003 is the former commune of Vieux-Bourg, now in L'Haÿ-du-Marais (01001). Give 01001."),
        ("01099", "01099 is no longer the code of a commune: it is now in Lyon (69123). Give 69123."),
        ("123456789", "is not a SIREN: its check digit is wrong"),
        (siren("99999999"), "no commune and no grouping of communes has the SIREN"),
        ("01004", "The nearest: 01002 (Saint-Aubin), 01001 (L'Haÿ-du-Marais)"),
        ("Ajacio", "The nearest: 2A004 (Ajaccio)"),
        ("", "has the code ''"),
    ],
)
def test_a_code_that_names_nobody_is_refused_in_words(divisions: Divisions, code: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        divisions.find(code)
    assert words in str(refused.value)


def test_nothing_is_written_for_a_code_that_names_nobody(make: Callable[[str], Founded], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        make("69381")
    assert not (tmp_path / "made").exists()


def test_outlines_give_the_box(extracts: Path, tmp_path: Path) -> None:
    together = tmp_path / "extracts"
    references(together, 2026)
    ring = [[5.0, 45.0], [5.1, 45.0], [5.1, 45.2], [5.0, 45.0]]
    outline = {"type": "Polygon", "coordinates": [ring]}
    features = [{"type": "Feature", "properties": {"code": "01001", "nom": "x"}, "geometry": outline}]
    collection = {"type": "FeatureCollection", "features": features}
    (together / "contours_communes_2026.geojson").write_text(json.dumps(collection), encoding="utf-8")
    found("01001", tmp_path / "made", together, NOW, lambda _: None)
    assert load_project(tmp_path / "made").territory.bbox == (4.98, 44.98, 5.12, 45.22)
    # The outline of its other commune is missing: no box is better than one that leaves it out.
    found(EPCI, tmp_path / "grouping", together, NOW, lambda _: None)
    assert not load_project(tmp_path / "grouping").territory.has_box


def test_a_folder_that_holds_anything_is_left_alone(make: Callable[[str], Founded], tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "notes.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="this folder is not empty"):
        make("01001")
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["notes.txt"]


def test_without_the_references_their_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoReferences, match="the national reference etalab_communes is not at hand") as refused:
        found("01001", tmp_path / "made", tmp_path / "empty", NOW, lambda _: None)
    assert "--extracts a folder that holds its file (etalab_communes_*.json)" in str(refused.value)
    with pytest.raises(ConfigurationError, match="does not exist"):
        found("01001", tmp_path / "made", tmp_path / "nowhere", NOW, lambda _: None)


COG = {
    "/v_commune_2026.csv": "TYPECOM,COM,REG,DEP,TNCC,NCC,NCCENR,LIBELLE,COMPARENT\n"
    "COM,01001,84,01,0,X,X,L'Abergement-Clémenciat,\nCOM,69123,84,69,0,X,X,Lyon,\nARM,69381,,,0,X,X,Lyon 1er,69123\n"
    "COMD,01003,,,0,X,X,Vieux-Bourg,01001\n",
    "/v_departement_2026.csv": "DEP,REG,CHEFLIEU,TNCC,NCC,NCCENR,LIBELLE\n01,84,01053,5,AIN,Ain,Ain\n",
}


def test_the_addresses_of_the_cards_are_asked_and_the_official_code_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --extracts: what the network gives, with no SIREN where no reference gives one."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    cards = load_cards(card_folders(None))
    with scripted_server() as server:
        server.script = [send(200, COG[path].encode()) for path in COG]
        for source, path in zip(("insee_cog_communes", "insee_cog_departements"), COG, strict=True):
            feed = cards[source].feed
            assert feed is not None
            assert feed.urls[0].endswith(path)
            cards[source] = replace(cards[source], feed=replace(feed, urls=(server.url + path,)))
        divisions = read_divisions(cards, tmp_path / "work", None, NOW, lambda _: None)
    territory = written(divisions, "01001", tmp_path)
    assert (territory.name, territory.siren) == ("l_abergement_clemenciat", None)
    assert (territory.communes, territory.communes_vintage) == (("01001",), 2026)
    for code, words in (
        ("69381", "is a district of Lyon (69123)"),
        ("01003", "the former commune of Vieux-Bourg, now in L'Abergement-Clémenciat (01001)"),
        (EPCI, "the references at hand know no SIREN: etalab_communes, etalab_epci, etalab_ept do"),
    ):
        with pytest.raises(ConfigurationError) as refused:
            divisions.find(code)
        assert words in str(refused.value)


def test_without_a_network_what_was_asked_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise Unreachable("the address gave no data.", where="https://reference.example")

    monkeypatch.setattr(Landing, "land_url", unreachable)
    with pytest.raises(NoReferences, match=r"https://reference\.example: the address gave no data"):
        found("01001", tmp_path / "made", None, NOW, lambda _: None)
    assert not (tmp_path / "made").exists()


def test_a_card_that_becomes_national_is_in_the_next_folder(
    make: Callable[[str], Founded], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = load_cards(card_folders(None))

    def with_another(folders: list[Path]) -> dict[str, Card]:
        return {**cards, "bisonfute_qtv": replace(cards["bisonfute_qtv"], scope="national")}

    monkeypatch.setattr(founding, "load_cards", with_another)
    make("01001")
    feeds = read_document(tmp_path / "made" / "territory.yml").value["feeds"]
    assert "bisonfute_qtv" in feeds
    assert "litteralis_arretes" not in feeds
