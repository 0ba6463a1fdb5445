"""`halle new-source` on every real file: drafted, or refused for a stated reason; a choice is loaded and linted.

What is pinned is what a person finds by reading the file: its header line, its key, its persons.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from raw_sources.drafting import Draft, draft_source
from raw_sources.errors import DeliveryRefused
from tests.drafted_world import DraftedWorld, draft_world, lint

# Their records lie in lists of other names, some of them nested: a new form of JSON, which belongs in the readers.
OTHER_LISTS = {
    "gbfs22_fixture_free_bike_status.json": "data/bikes (2 objects)",
    "gbfs23_voi_marseille_20231103_free_bike_status.json": "data/bikes (1466 objects)",
    "gbfs30_fixture_vehicle_status.json": "data/vehicles (2 objects)",
    # A card describes it, in a form of its own.
    "waze_ccp_jakarta_20170503.json": "alerts (285), jams (965), irregularities (37)), which the card waze_evenements",
}
# file: read, refused in staging. Small files of each form and each oddity.
LOADED = {
    "airparif_co_2023_6header_lines.csv": (8763, 3),
    "atmosud_mesures_mensuelles_2018-2020.csv": (3316, 0),
    "arretes_marchandises_vence.csv": (9, 0),
    "berlin_baustellen_2022.geojson": (241, 0),
    "bison_fute_qtv_20260831_datex2v2.xml": (9, 0),
    "bw_roadworks_1487640_datex2v2.xml": (4, 0),
    "eco2mix_regional_tr_2020_labels.csv": (3456, 0),
    "issy_travaux_voirie_2022_api_v1.json": (10, 0),
    # The hour that the spring change leaves out.
    "paris_historique_convention_2010.csv": (9144, 1),
    "paris_marches_publics_decp_2026.json": (292, 0),
    "rrn_stations_tipi_focus.csv": (149, 0),
    "sdes_chaleur_froid_iris_publication_2021-12.csv": (5059, 0),
}
LINTED = ("airparif", "bw_roadworks", "eco2mix", "paris_marches")
KEYS = {
    "rrn_saint-etienne_horaire_2020-2021.csv": ("code_pme", "horodate"),
    "cog_communes_2020.csv": ("com", "typecom"),
    "velib_disponibilite_20231210_labels.csv": ("identifiant_station",),
    "eco2mix_grand_lyon_2017_cp1252.csv": ("perimetre", "date", "heures"),
    "paris_comptages_champs_elysees_2020_labels.csv": ("identifiant_arc", "date_et_heure_de_comptage"),
    "paris_referentiel_comptages_routiers_2019.csv": (),
}


def file_called(extracts: Path, name: str) -> Path:
    (found,) = extracts.glob(f"*/{name}")
    return found


@pytest.fixture(scope="module")
def drafts(real_extracts: Path) -> dict[str, Draft | str]:
    """Return the draft of each file, or why there is none."""
    found: dict[str, Draft | str] = {}
    for file in sorted(real_extracts.glob("*/*")):
        try:
            found[file.name] = draft_source(file)
        except DeliveryRefused as refusal:
            found[file.name] = str(refusal)
    assert len(found) > 60
    return found


def test_every_file_is_drafted_or_refused_for_a_stated_reason(drafts: dict[str, Draft | str]) -> None:
    refused = {name: draft for name, draft in drafts.items() if isinstance(draft, str)}
    assert set(refused) == set(OTHER_LISTS)
    for name, said in OTHER_LISTS.items():
        assert said in refused[name]


def test_every_record_of_every_file_is_read(drafts: dict[str, Draft | str]) -> None:
    malformed = {name: d.plan.sample.malformed for name, d in drafts.items() if isinstance(d, Draft)}
    assert {name: count for name, count in malformed.items() if count} == {}


@pytest.mark.parametrize("name", KEYS)
def test_keys_that_a_reader_would_find(drafts: dict[str, Draft | str], name: str) -> None:
    draft = drafts[name]
    assert isinstance(draft, Draft)
    assert tuple(field.name for field in draft.plan.key_fields) == KEYS[name]


def test_contacts_of_works_are_not_loaded_unseen(drafts: dict[str, Draft | str]) -> None:
    kept_out = {
        name: {field.name for field in draft.plan.fields if field.never_load}
        for name, draft in drafts.items()
        if isinstance(draft, Draft)
    }
    assert "interlocuteur" in kept_out["rennes_travaux_30j_20260820_api_v21.json"]
    assert kept_out["hauts_de_seine_travaux_20260820_api_v21.json"]
    assert kept_out["velib_disponibilite_20231210_labels.csv"] == set()


@pytest.fixture(scope="module")
def world(real_extracts: Path, tmp_path_factory: pytest.TempPathFactory) -> DraftedWorld:
    """Return a territory drafted from the files to load, with its models built."""
    files = {f"real_file{number}": file_called(real_extracts, name) for number, name in enumerate(LOADED)}
    made = draft_world(tmp_path_factory.mktemp("drafted"), files)
    assert made.build() == []
    return made


@pytest.mark.parametrize("name", LOADED)
def test_a_draft_loads_and_its_ledger_balances(world: DraftedWorld, name: str) -> None:
    counted = world.ledger()[f"real_file{list(LOADED).index(name)}"]
    assert counted.balances
    assert (counted.read, counted.rejected) == LOADED[name]
    assert world.run.refusals() == []


def test_drafted_sql_passes_the_linter(world: DraftedWorld) -> None:
    chosen = [draft for draft in world.drafts.values() if draft.plan.file_name.startswith(LINTED)]
    paths = [world.territory / path for draft in chosen for path in draft.files if path.suffix == ".sql"]
    assert len(paths) == len(LINTED)
    assert lint(*paths) == ""
