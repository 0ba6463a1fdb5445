"""Mappings: what a territory says of files whose columns their card cannot know, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.assembly import mappings_macro
from orchestration.project import Project, load_project
from raw_sources import readers
from raw_sources.card import load_cards
from raw_sources.errors import ConfigurationError, DeliveryRefused
from raw_sources.feeds import feed_of
from raw_sources.mapping import as_example

SOURCE = "bpce_paiements_cartes_etrangeres"
COLUMNS = {"period": "Mois", "territory_code": "Dép", "card_country": "Pays", "value_index": "Indice valeur"}
TERRITORY: dict[str, Any] = {
    "name": "shore",
    "title": {"fr": "Rivage", "en": "Shore"},
    "siren": "999999998",
    "communes": {"vintage": 2025, "codes": []},
    "time_zone": "Europe/Paris",
    "publisher": {"name": "Rivage"},
    "contact": "contact@rivage.example",
    "base_url": "https://donnees.rivage.example",
    "bbox": [-3.65, 45.4, -3.35, 45.6],
}


def mapping(**changes: object) -> dict[str, Any]:
    """Return a mapping that is in order, with some of its parts changed; None takes a part out."""
    whole = {
        "columns": COLUMNS,
        "constants": {"territory_level": "department"},
        "unit": "index",
        "base_period": "2019",
    } | changes
    return {name: value for name, value in whole.items() if value is not None}


def territory(folder: Path, source: str = SOURCE, **feed: object) -> Path:
    """Write a territory whose one feed is that of ``source``."""
    document = TERRITORY | {"feeds": {source: {"files": [{"glob": "paiements_*.csv"}], **feed}}}
    folder.mkdir(exist_ok=True)
    (folder / "territory.yml").write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), "utf-8")
    return folder


def project(folder: Path, **changes: object) -> Project:
    return load_project(territory(folder, mapping=mapping(**changes)))


def test_the_card_has_the_headers_of_the_territory_and_only_them(tmp_path: Path):
    card = project(tmp_path).cards[SOURCE]
    assert {column.name: column.headers for column in card.columns} == {
        role: (header,) for role, header in COLUMNS.items()
    }
    assert all(column.required for column in card.columns)
    assert card.key == ("period", "territory_code", "card_country")


def test_a_changed_header_has_the_files_read_again_and_a_changed_sign_does_not(tmp_path: Path):
    first = project(tmp_path).cards[SOURCE]
    renamed = project(tmp_path, columns=COLUMNS | {"period": "Période"}).cards[SOURCE]
    signed = project(tmp_path, decimal=".").cards[SOURCE]
    assert first.reading_digest == signed.reading_digest != renamed.reading_digest
    assert mappings_macro([first]) != mappings_macro([signed])


def test_models_are_told_what_the_territory_says_and_an_example_where_none_does(tmp_path: Path):
    said = mappings_macro(project(tmp_path, secrecy_marker="sec'ret").cards.values())
    assert '"territory_level": "department"' in said and "sec'ret" in said
    card = load_cards([Path(__file__).parents[2] / "raw_sources"])[SOURCE]
    assert set(as_example(card.questions).columns) == {role.name for role in card.questions.roles}
    assert f'"{SOURCE}"' in mappings_macro([card])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"columns": {k: v for k, v in COLUMNS.items() if k != "period"}}, "the role 'period' is not mapped"),
        ({"constants": None}, "the role 'territory_level' is not mapped"),
        ({"constants": {"territory_level": "commune"}}, "'commune' is no value of the role"),
        ({"constants": {"territory_level": "region", "period": "2019"}}, "the role 'period' has a column already"),
        ({"columns": COLUMNS | {"volume_index": "indice  VALEUR"}}, "is the role 'value_index' already"),
        ({"columns": COLUMNS | {"country": "Pays"}}, "no role is called 'country'"),
        ({"columns": {k: v for k, v in COLUMNS.items() if k != "value_index"}}, "no measure is mapped"),
        ({"unit": None}, "unit"),
        ({"unit": "eur", "base_period": None}, "takes no figures in eur"),
        ({"base_period": None}, "without its base period"),
        ({"unit": "eur", "base_period": None, "earlier_bases": {"*": "2019"}}, "earlier bases of what has no base"),
        ({"decimal": ",", "thousands": ","}, "is the decimal sign as well"),
        ({"period_format": "%m"}, "does not say where the year is"),
    ],
)
def test_a_mapping_that_does_not_serve_is_refused_with_its_line(
    tmp_path: Path, changes: dict[str, object], sentence: str
):
    with pytest.raises(ConfigurationError, match=sentence) as refused:
        project(tmp_path, **changes)
    assert re.search(rf"territory\.yml:\d+: field feeds\.{SOURCE}", str(refused.value.where))


def test_two_headers_for_one_role_are_refused_in_the_mapping_and_in_the_file(tmp_path: Path):
    folder = territory(tmp_path, mapping=mapping())
    file = folder / "territory.yml"
    file.write_text(file.read_text("utf-8").replace("period: Mois", "period: Mois\n        period: Date"), "utf-8")
    with pytest.raises(ConfigurationError, match="period"):
        load_project(folder)
    card = project(tmp_path).cards[SOURCE]
    extract = tmp_path / "paiements_2019.csv"
    extract.write_text("Mois;mois;Dép;Pays;Indice valeur\n2019-07;2019-08;69;DE;112,5\n", "utf-8")
    with pytest.raises(DeliveryRefused, match="Mois"):
        readers.inspect(extract, card)


def test_a_source_to_be_mapped_is_refused_without_a_mapping_and_another_with_one(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"have to be mapped.*period, territory_code"):
        load_project(territory(tmp_path))
    with pytest.raises(ConfigurationError, match="leaves no column to be mapped"):
        load_project(territory(tmp_path, "rte_eco2mix_metropoles", mapping=mapping()))


def test_a_file_of_other_headers_is_refused_with_the_roles_and_what_it_has(tmp_path: Path):
    card = project(tmp_path).cards[SOURCE]
    file = tmp_path / "paiements_2019.csv"
    file.write_text("Période;Dép;Pays;Indice valeur\n2019-07;69;DE;112,5\n", "utf-8")
    with pytest.raises(DeliveryRefused) as refused:
        readers.inspect(file, card)
    sentence = str(refused.value)
    for part in ("'period' have no header", "'Période'", "period to 'Mois'", "territory.yml", f"feeds, {SOURCE}"):
        assert part in sentence
    file.write_text("Mois;Dép;Pays;Indice valeur;Remarque\n2019-07;69;DE;112,5;\n", "utf-8")
    assert readers.inspect(file, card).extra == ("Remarque",)


def test_nothing_leaves_until_the_authority_declares_a_licence(tmp_path: Path):
    assert project(tmp_path).cards[SOURCE].agreement.leaves["public"] == "nothing"
    declared = {"spdx": "etalab-2.0", "declared_by": "Direction du tourisme", "declared_on": "2026-03-02"}
    card = load_project(territory(tmp_path, mapping=mapping(), licence=declared)).cards[SOURCE]
    assert card.agreement.is_open and card.licence == "etalab-2.0"
    assert "Direction du tourisme" in card.agreement.terms


LENT = "partenaire_paiements_agreges"
LENT_COLUMNS = {"period": "Mois", "zone_level": "Niveau", "zone_code": "Code", "merchants": "Commerces"}


@pytest.mark.parametrize(
    ("columns", "unit", "sentence"),
    [
        (LENT_COLUMNS, "eur", "no measure is mapped: amount or transactions"),
        (LENT_COLUMNS | {"amount": "Montant"}, "count", "takes no figures in count"),
        ({**LENT_COLUMNS, "amount": "Montant", "merchants": None}, "eur", "the role 'merchants' is not mapped"),
        (LENT_COLUMNS | {"amount": "Montant"}, "thousand_eur", None),
        (LENT_COLUMNS | {"transactions": "Opérations"}, "eur", None),
    ],
)
def test_lent_payments_take_euros_and_one_measure_at_least(
    tmp_path: Path, columns: dict[str, str | None], unit: str, sentence: str | None
):
    named = {role: header for role, header in columns.items() if header}
    folder = territory(tmp_path, LENT, mapping={"columns": named, "unit": unit})
    if sentence is None:
        assert load_project(folder).cards[LENT].mapping is not None
        return
    with pytest.raises(ConfigurationError, match=sentence):
        load_project(folder)


@pytest.mark.parametrize(
    ("source", "changes", "sentence"),
    [
        (SOURCE, {"spdx": "Licence Ouverte"}, "is not an SPDX licence identifier"),
        (SOURCE, {"declared_on": "hier"}, "declared_on"),
        ("rte_eco2mix_metropoles", {}, "is settled by its card"),
    ],
)
def test_a_licence_is_declared_for_an_unsettled_source_by_its_name(
    tmp_path: Path, source: str, changes: dict[str, str], sentence: str
):
    declared = {"spdx": "etalab-2.0", "declared_by": "Direction du tourisme", "declared_on": "2026-03-02"} | changes
    feed = {"mapping": mapping()} if source == SOURCE else {}
    with pytest.raises(ConfigurationError, match=sentence):
        load_project(territory(tmp_path, source, licence=declared, **feed))


def test_a_feed_that_only_maps_takes_the_files_that_its_card_offers():
    offered = feed_of(SOURCE, {"files": [{"glob": "offered.csv"}]})
    assert [one.glob for one in feed_of(SOURCE, {"mapping": mapping()}, offered).files] == ["offered.csv"]
    assert feed_of(SOURCE, {"files": [{"glob": "own.csv"}], "mapping": mapping()}, offered).files[0].glob == "own.csv"
