"""The cards of yearly and monthly energy on small invented files: every form that their producers are known to publish.

What the staging models make of the records is in the models' own unit tests.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestration.workspace import PROJECT
from raw_sources.card import Card, load_cards
from raw_sources.errors import DeliveryRefused
from raw_sources.readers import clean, inspect
from tests.unit.readers_support import Read, read_bytes, read_file

HEAT_LABELS = (
    "Nom de l'opérateur;Millésime des données;Énergie concernée;Code de l'IRIS - Code de la zone;"
    "Code de l'IRIS - Libellé de la zone;Code du grand secteur;Consommation (en MWh);Nombre de points de livraison\n"
)
HEAT_CODES = "OPERATEUR;ANNEE;FILIERE;IRIS_CODE;IRIS_LIBELLE;CODE_GRAND_SECTEUR;CONSO;PDL\n"
HEAT = "Réseau du Port;2018;C;990010101;Port;R;secret;secret\n"
SOURCES = ("Photovoltaïque", "Eolien", "Hydraulique", "Bio Energie", "Cogénération", "Autres filières")
OUTLINE = json.dumps({"type": "Polygon", "coordinates": [[[0, 1], [1, 1], [1, 2], [0, 1]]]})


@pytest.fixture(scope="module")
def cards() -> dict[str, Card]:
    return load_cards([PROJECT / "raw_sources"])


def read_text(card: Card, folder: Path, text: str | bytes, name: str = "export.csv") -> Read:
    """Read a file of this text, none of whose records is malformed."""
    found = read_bytes(text, folder, card, name)
    assert found.malformed == []
    return found


@pytest.mark.parametrize(
    ("head", "layout"), [(HEAT_LABELS + HEAT_CODES, "labels_and_codes"), (HEAT_LABELS, "codes"), (HEAT_CODES, "codes")]
)
def test_networks_with_two_lines_of_names_or_one(cards: dict[str, Card], tmp_path: Path, head: str, layout: str):
    found = read_text(cards["sdes_chaleur_froid_iris"], tmp_path, head + HEAT)
    assert (found.match.layout.name, found.match.extra, found.count.records_read) == (layout, (), 1)
    (row,) = found.rows
    assert (row["operateur"], row["code_zone"], row["conso"]) == ("Réseau du Port", "990010101", "secret")


def test_networks_in_the_order_and_with_the_column_of_a_later_publication(cards: dict[str, Card], tmp_path: Path):
    text = (
        "index;Nom de l'opérateur;Millésime des données;Code de l'IRIS - Code de la zone;"
        "Code de l'IRIS - Libellé de la zone;Énergie concernée;Code du grand secteur;Consommation (en MWh);"
        "Nombre de points de livraison\n"
        "ID;OPERATEUR;ANNEE;IRIS_CODE;IRIS_LIBELLE;FILIERE;CODE_GRAND_SECTEUR;CONSO;PDL\n"
        "9901C;Réseau du Port;2020;990010101;Port;C;T;5279.65;12\n"
    )
    (row,) = read_text(cards["sdes_chaleur_froid_iris"], tmp_path, text).rows
    assert (row["id_reseau"], row["filiere"], row["conso"], row["pdl"]) == ("9901C", "C", "5279.65", "12")


def test_electricity_of_the_same_collection_below_labels_that_nobody_knows(cards: dict[str, Card], tmp_path: Path):
    codes = "CODE_CATEGORIE_CONSOMMATION;CODE_SECTEUR_NAF2;INDQUAL;THERMOR;PARTR"
    text = (
        f"{';'.join('ABCDEFGHIJKLM')}\n{HEAT_CODES.strip()};{codes}\nEnedis;2019;E;99001;Port;T;12;3;ENT;84;0.9;1;25\n"
    )
    found = read_text(cards["sdes_chaleur_froid_iris"], tmp_path, text)
    (row,) = found.rows
    assert (found.match.header_line, row["code_zone"], row["code_secteur_naf2"]) == (2, "99001", "84")
    assert (row["code_categorie_consommation"], row["indqual"], row["partr"]) == ("ENT", "0.9", "25")


@pytest.mark.parametrize("delimiter", [";", ","])
@pytest.mark.parametrize("source", ["ore_consommation_naf_region", "ore_consommation_secteur"])
def test_identifiers_of_the_network_agency(cards: dict[str, Card], tmp_path: Path, source: str, delimiter: str):
    names = (
        "operateur;annee;filiere;code_categorie_consommation;libelle_categorie_consommation;code_grand_secteur;"
        "libelle_grand_secteur;code_naf;libelle_secteur_naf2;conso;pdl;indqual;nombre_mailles_secretisees;"
        "code_epci;nom_epci;code_region;libelle_region"
    )
    text = f"{names}\nEnedis;2017;Electricité;X;0;X;Secteur Inconnu;;0;1.5;2;0.4;0;999999999;CA;76;Occitanie\n"
    found = read_text(cards[source], tmp_path, text.replace(";", delimiter))
    (row,) = found.rows
    assert (found.match.delimiter, found.match.extra) == (delimiter, ())
    assert (row["code_naf"], row["libelle_naf"], row["conso"], row["code_epci"]) == (None, "0", "1.5", "999999999")


def test_communes_by_identifiers_as_the_api_pages_them(cards: dict[str, Card], tmp_path: Path):
    record = {
        "operateur": "GRDF",
        "annee": "2021",
        "filiere": "Gaz",
        "code_commune": "99001",
        "code_categorie_consommation": "RES",
        "code_grand_secteur": "RESIDENTIEL",
        "nb_sites": 12,
        "conso_totale_mwh": 150.5,
        "nombre_de_mailles_secretisees": 0,
    }
    page = json.dumps({"total_count": 40, "results": [record]})
    for source in ("ore_consommation_commune", "enedis_consommation_territoire"):
        found = read_text(cards[source], tmp_path, page, "page.json")
        assert found.match.partial
        assert found.values("conso_totale_mwh") == ["150.5"]
        assert found.values("nombre_mailles_secretisees") == ["0"]


@pytest.mark.parametrize("source", ["ore_consommation_commune", "enedis_consommation_territoire"])
def test_totals_without_their_count_of_secret_cells_are_refused(cards: dict[str, Card], tmp_path: Path, source: str):
    zone = "operateur;annee;filiere;code_commune;code_categorie_consommation;code_grand_secteur"
    file = tmp_path / "communes_2022.csv"
    file.write_text(f"{zone};nb_sites;conso_totale_mwh\nEnedis;2022;E;99001;RES;RESIDENTIEL;9;50,5\n", encoding="utf-8")
    with pytest.raises(DeliveryRefused, match="the required columns 'nombre_mailles_secretisees' have no header"):
        inspect(file, cards[source])


@pytest.mark.parametrize("broken", [False, True])
def test_production_by_source_with_whole_and_broken_accents(cards: dict[str, Card], tmp_path: Path, broken: bool):
    pairs = ";".join(f"Nb sites {name} Enedis;Energie produite annuelle {name} Enedis (MWh)" for name in SOURCES)
    text = (
        f"Année;Code département;Nom département;Domaine de tension;{pairs}\n2022;99;Rhône;HTA;1;2;3;4;5;6;7;8;9;0;;\n"
    )
    content = text.encode().decode("cp1252") if broken else text
    found = read_text(cards["enedis_production_filiere"], tmp_path, content)
    (row,) = found.rows
    assert found.match.extra == ()
    assert (row["code_departement"], row["nom_departement"]) == ("99", "RhÃ´ne" if broken else "Rhône")
    assert (row["nb_sites_cogeneration"], row["energie_cogeneration_mwh"]) == ("9", "0")
    assert (row["nb_sites_autres_filieres"], row["energie_autres_filieres_mwh"]) == (None, None)


def test_heat_networks_are_in_latin_1(cards: dict[str, Card], tmp_path: Path):
    text = (
        '"année";"nom territoire";"code insee";"nom commune";"nom réseau";"indicateur";"unités";"valeur"\r\n'
        '"2023";"Golfe";"99001";"Témoin-sur-Mer";"Réseau du Port";"production produits pétroliers ";"MWh";111,24\r\n'
    )
    found = read_text(cards["orcae_reseaux_chaleur"], tmp_path, text.encode("latin-1"))
    (row,) = found.rows
    assert (row["nom_commune"], row["nom_reseau"], row["valeur"]) == ("Témoin-sur-Mer", "Réseau du Port", "111,24")


@pytest.mark.parametrize(
    ("source", "head", "cells"),
    [
        (
            "odre_gaz_metropoles",
            "Date;Code EPCI Métropole;Nom Métropole;type_epci;Consommation de gaz (en KWh PCS 0°C);geom;centroid",
            ["2017-01", "999999999", "Métropole", "ME", "2139", OUTLINE, "45.7, 4.8"],
        ),
        (
            "enedis_consommation_secteur",
            "Année;Nom département;Code département;Geo Shape;"
            + ";".join(
                f"Nb sites {name};Conso totale {name} (MWh)"
                for name in (
                    "Résidentiel",
                    "Professionnel",
                    "Agriculture",
                    "Industrie",
                    "Tertiaire",
                    "Secteur non affecté",
                )
            ),
            ["2017", "Golfe-Témoin", "99", OUTLINE, *("1",) * 12],
        ),
    ],
)
def test_outlines_are_taken_out_before_anything_is_kept(
    cards: dict[str, Card], tmp_path: Path, source: str, head: str, cells: list[str]
):
    row = ";".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    path, out = tmp_path / "in.csv", tmp_path / "out.csv"
    path.write_text(f"\ufeff{head}\r\n{row}\r\n", encoding="utf-8")
    clean(path, inspect(path, cards[source]), cards[source], out)
    assert b"coordinates" not in out.read_bytes()
    found = read_file(out, cards[source], tmp_path)
    assert (found.count.raw_rows, found.match.extra) == (1, ())
