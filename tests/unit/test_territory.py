"""Territory files: Paris loads and takes its files; each refusal names file, line and field."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestration.project import SAMPLE_TERRITORY, load_project
from raw_sources.errors import ConfigurationError
from raw_sources.feeds import Feed, FilePattern
from raw_sources.territory import is_siren, read_territory

RAW_SOURCES = Path(__file__).parents[2] / "raw_sources"
PARIS = RAW_SOURCES / "territories" / "paris"
TERRITORIES = [SAMPLE_TERRITORY, *sorted((RAW_SOURCES / "territories").iterdir())]

TERRITORY = """\
name: ville
title: {fr: Ville, en: City}
siren: "217500016"
communes:
  vintage: 2025
  codes: ["35238", "2A004"]
time_zone: Europe/Paris
publisher:
  name: Ville
  siren: "217500016"
contact: donnees@example.org
base_url: https://data.example.org
bbox: [-1.8, 48.0, -1.6, 48.2]
feeds:
  ville_compteurs:
    urls: ["https://data.example.org/compteurs.csv"]
    files:
      - {glob: "compteurs_*.json", partial: true}
      - {glob: "compteurs*.csv", date: '_(\\d{8})'}
      - {glob: "archives/*/c*.txt"}
  ville_chantiers:
"""


def write(folder: Path, text: str = TERRITORY) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "territory.yml").write_text(text, encoding="utf-8")
    return folder


def test_a_territory_gives_its_values(tmp_path):
    territory = read_territory(write(tmp_path), {"ville_compteurs", "ville_chantiers"})
    assert (territory.name, territory.title_fr, territory.title_en) == ("ville", "Ville", "City")
    assert territory.communes == ("35238", "2A004")
    assert territory.bbox == (-1.8, 48.0, -1.6, 48.2)
    assert territory.reach_m == 500.0
    assert not territory.synthetic
    assert territory.feeds["ville_chantiers"].files == ()
    assert territory.feeds["ville_compteurs"].urls == ("https://data.example.org/compteurs.csv",)


def test_its_rooms_are_named_as_in_the_repository(tmp_path):
    territory = read_territory(write(tmp_path))
    assert territory.cards_folder == tmp_path / "raw_sources"
    assert territory.models_folder == tmp_path / "dbt_project" / "models"
    assert territory.suites_folder == tmp_path / "expectations"
    assert territory.exports_folder == tmp_path / "exports"


@pytest.mark.parametrize(
    ("path", "glob"),
    [
        ("compteurs_1.json", "compteurs_*.json"),
        ("compteurs.csv", "compteurs*.csv"),
        ("deep/er/COMPTEURS_20240101.CSV", "compteurs*.csv"),
        ("compteurs.csv.gz", "compteurs*.csv"),
        ("archives/2010/c1.txt", "archives/*/c*.txt"),
        ("c1.txt", None),
        ("chantiers.csv", None),
        ("compteurs.csv.part", None),
    ],
)
def test_files_are_matched_by_name_or_by_path(tmp_path, path, glob):
    territory = read_territory(write(tmp_path))
    found = territory.feeds["ville_compteurs"].pattern_for(path)
    assert (found.glob if found else None) == glob
    assert [source for source, _ in territory.match(Path(path))] == (["ville_compteurs"] if glob else [])


def test_a_file_of_two_sources_is_told_as_such(tmp_path):
    text = TERRITORY.replace("  ville_chantiers:\n", "  ville_chantiers:\n    files: [{glob: '*.csv'}]\n")
    territory = read_territory(write(tmp_path, text))
    assert territory.match("compteurs.csv") == [
        ("ville_compteurs", FilePattern("compteurs*.csv", date=r"_(\d{8})")),
        ("ville_chantiers", FilePattern("*.csv")),
    ]


OFFERED = {
    "ville_chantiers": Feed("ville_chantiers", ("https://data.example.org/chantiers.csv",), (FilePattern("ch*.csv"),)),
    "ville_compteurs": Feed("ville_compteurs", ("https://elsewhere.example.org/c.csv",), (FilePattern("*.xml"),)),
    "ville_velos": Feed("ville_velos", (), (FilePattern("velos*.csv"),)),
}


def test_a_source_that_is_only_named_takes_the_feed_of_its_card(tmp_path):
    territory = read_territory(write(tmp_path), offered=OFFERED)
    assert territory.feeds["ville_chantiers"] == OFFERED["ville_chantiers"]
    assert [source for source, _ in territory.match("chantiers_20240101.csv")] == ["ville_chantiers"]
    assert territory.match("velos_2024.csv") == [], "what a card offers is not thereby enabled"


def test_a_feed_of_ones_own_replaces_that_of_the_card_wholly(tmp_path):
    territory = read_territory(write(tmp_path), offered=OFFERED)
    own = read_territory(write(tmp_path / "alone")).feeds["ville_compteurs"]
    assert territory.feeds["ville_compteurs"] == own
    assert territory.match("measures.xml") == []


@pytest.mark.parametrize(
    ("entry", "urls", "globs"),
    [
        ("{files: [{glob: 'own*.csv'}]}", (), ["own*.csv"]),
        ("{urls: ['https://own.example.org']}", ("https://own.example.org",), []),
        ("{files: []}", (), []),
        ("", OFFERED["ville_chantiers"].urls, ["ch*.csv"]),
    ],
)
def test_half_a_feed_is_not_completed_by_the_card(tmp_path, entry, urls, globs):
    text = TERRITORY.replace("  ville_chantiers:\n", f"  ville_chantiers: {entry}\n")
    feed = read_territory(write(tmp_path, text), offered=OFFERED).feeds["ville_chantiers"]
    assert (feed.urls, [pattern.glob for pattern in feed.files]) == (urls, globs)


# what to change, what to write there (the error must name its first line, or the line given), the field, words
REFUSALS = {
    "no such SIREN": ('\nsiren: "217500016"', '\nsiren: "217500017"', "siren", "check digit"),
    "publisher's SIREN": ('  siren: "217500016"', '  siren: "123456789"', "publisher.siren", "check digit"),
    "SIREN too short": ('\nsiren: "217500016"', '\nsiren: "21750001"', "siren", "nine digits"),
    "SIREN as a number": ('\nsiren: "217500016"', "\nsiren: 217500016", "siren", "a number stands here"),
    "no such commune": ('"35238"', '"3523"', "communes.codes[0]", "INSEE code"),
    "commune twice": ('"2A004"', '"35238"', "communes.codes", "non-unique"),
    "no such time zone": ("Europe/Paris", "Europe/Rennes", "time_zone", "Europe/Rennes"),
    "box the wrong way round": ("[-1.8, 48.0, -1.6, 48.2]", "[-1.6, 48.0, -1.8, 48.2]", "bbox", "not a box"),
    "latitude first": ("[-1.8, 48.0, -1.6, 48.2]", "[148.0, -91.8, 148.2, -91.6]", "bbox", "longitude comes first"),
    "box of three": ("[-1.8, 48.0, -1.6, 48.2]", "[-1.8, 48.0, -1.6]", "bbox", "too short"),
    "no way to write": ("donnees@example.org", "the third floor", "contact", "e-mail"),
    "no address": ("base_url: https://data.example.org", "base_url: data.example.org", "base_url", "https"),
    "a feed's address": ('["https://data', '["ftp://data', "feeds.ville_compteurs.urls[0]", "https"),
    "negative reach": ("feeds:", "reach_m: -5\nfeeds:", "reach_m", "minimum"),
    "unknown field": ("feeds:", "feed: 1\nfeeds:", "feed", "no such field"),
    "unknown source": (
        "  ville_chantiers:",
        "  ville_chantier:",
        "feeds.ville_chantier",
        "Did you mean 'ville_chantiers'?",
    ),
    "date without group": (r"'_(\d{8})'", r"'_\d{8}'", "feeds.ville_compteurs.files[1].date", "0 groups"),
    "date with two groups": (r"'_(\d{8})'", r"'_(\d{4})(\d{4})'", "feeds.ville_compteurs.files[1].date", "2 groups"),
    "date that is no expression": (r"'_(\d{8})'", r"'_(\d{8}'", "feeds.ville_compteurs.files[1].date", "expression"),
    "pattern that leaves the folder": (
        "archives/*",
        "../archives/*",
        "feeds.ville_compteurs.files[2].glob",
        "paths below",
    ),
    "absolute pattern": ("archives/*", "/archives/*", "feeds.ville_compteurs.files[2].glob", "paths below"),
    "name with a space": ("name: ville\n", "name: la ville\n", "name", "snake_case"),
    "repeated key": ("contact:", "time_zone: UTC\ncontact:", "", "duplicate key"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_bad_territory_is_refused_at_its_line(tmp_path, case):
    old, new, field, words = REFUSALS[case]
    assert old in TERRITORY
    text = TERRITORY.replace(old, new, 1)
    with pytest.raises(ConfigurationError) as caught:
        read_territory(write(tmp_path, text), {"ville_compteurs", "ville_chantiers"})
    message = str(caught.value)
    found = re.search(r"territory\.yml:(\d+)", message)
    assert found, message
    assert new.strip().splitlines()[0] in text.splitlines()[int(found[1]) - 1], message
    assert (f"field {field}:" if field else words) in message
    assert words in message


def test_a_folder_without_territory_file_is_a_sentence(tmp_path):
    with pytest.raises(ConfigurationError, match=r"territory\.yml: the file cannot be read"):
        read_territory(tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("217500016", True),
        ("732829320", True),
        ("217500061", False),
        ("21750001", False),
        ("²17500016", False),
        ("", False),
    ],
)
def test_siren_check_digit(text, expected):
    assert is_siren(text) is expected


def test_paris_enables_sources_that_have_cards():
    territory = load_project(PARIS).territory
    assert territory.bbox == (2.20, 48.79, 2.48, 48.93)
    own = [feed for source, feed in territory.feeds.items() if source.startswith("paris_")]
    assert len(own) == 5
    assert all(feed.urls and feed.files for feed in own)
    assert all(re.fullmatch(r"https://opendata\.paris\.fr/\S+", url) for feed in own for url in feed.urls)


@pytest.mark.parametrize("folder", TERRITORIES, ids=lambda folder: folder.name)
def test_every_source_of_the_committed_territories_has_files_from_the_territory_or_the_card(folder):
    project = load_project(folder)
    assert project.territory.feeds
    for source, feed in project.territory.feeds.items():
        assert feed.files, f"{source}: neither the territory nor the card says what its files are called"
        named_alone = not read_territory(folder).feeds[source].files
        assert not named_alone or feed == project.cards[source].feed


@pytest.mark.parametrize(
    ("name", "source", "partial", "date"),
    [
        ("comptages-routiers-permanents.csv", "paris_comptages_permanents", False, None),
        ("trafic_capteurs_2019_W51_20191229_20200101.txt", "paris_comptages_permanents", False, "20191229"),
        ("opendata_txt_2019.zip", "paris_comptages_permanents", False, "2019"),
        ("paris_comptages_api_v21_20260621.json", "paris_comptages_permanents", True, "20260621"),
        ("referentiel-comptages-routiers.csv", "paris_referentiel_comptages", False, None),
        ("chantiers-perturbants_2024-03-01.csv", "paris_chantiers_perturbants", False, "2024-03-01"),
        ("paris_chantiers_perturbants_2023_labels_bom.csv", "paris_chantiers_perturbants", False, "2023"),
        ("chantiers-a-paris.json", "paris_chantiers", True, None),
        ("paris_chantiers_20260806_api_v21.json", "paris_chantiers", True, "20260806"),
        ("fermetures-voirie.geojson", "paris_fermetures_voirie", False, None),
    ],
)
def test_paris_takes_the_portals_file_names(name, source, partial, date):
    territory = read_territory(PARIS)
    matches = territory.match(f"some/folder/{name}")
    assert [found for found, _ in matches] == [source]
    pattern = matches[0][1]
    assert pattern.partial is partial
    found = re.search(pattern.date, name) if pattern.date else None
    assert (found[1] if found else None) == date


def test_paris_takes_all_its_real_extracts_and_no_other(real_extracts: Path):
    territory = read_territory(PARIS)
    files = [path.relative_to(real_extracts) for path in sorted(real_extracts.rglob("*")) if path.is_file()]
    taken = {str(path): territory.match(path) for path in files if territory.match(path)}
    assert all(len(matches) == 1 for matches in taken.values())
    assert set(taken) == {
        str(path) for path in files if path.parts[0] in ("traffic", "roadworks") and path.name.startswith("paris_")
    }
