"""Source cards: the committed ones load and know the real headers; each refusal names file, line and field."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from raw_sources.card import Card, load_cards, normalise_header, read_card
from raw_sources.errors import ConfigurationError
from raw_sources.feeds import Feed, FilePattern
from raw_sources.territory import read_territory

RAW_SOURCES = Path(__file__).parents[2] / "raw_sources"

CARD = """\
apiVersion: v3.1.0
kind: DataContract
id: ville_compteurs
version: 1.0.0
status: active
name: Compteurs
tenant: ville
domain: mobility
description:
  purpose: Des compteurs.
authoritativeDefinitions:
  - type: businessDefinition
    url: https://data.example.org/compteurs
support:
  - channel: Portail
    url: https://data.example.org
team:
  members:
    - username: voirie
      name: Direction de la voirie
      role: owner
    - username: donnees
      name: Service des données
      role: steward
slaProperties:
  - property: frequency
    value: P1D
  - property: latency
    value: P1M
schema:
  - name: compteurs
    logicalType: object
    properties:
      - name: compteur
        logicalType: string
        required: true
        primaryKey: true
        primaryKeyPosition: 1
        businessName: Compteur
        description: Identifiant.
        classification: none
        customProperties:
          - property: halle
            value:
              headers: [compteur, Identifiant du compteur]
              title_en: Counter
              description_en: Identifier.
      - name: heure
        logicalType: timestamp
        required: true
        primaryKey: true
        primaryKeyPosition: 2
        businessName: Heure
        description: Fin de l'heure.
        classification: none
        customProperties:
          - property: halle
            value:
              headers: [heure]
              title_en: Hour
              description_en: End of the hour.
      - name: debit
        logicalType: number
        logicalTypeOptions: {minimum: 0, maximum: 9000}
        businessName: Débit
        description: Véhicules.
        classification: none
        customProperties:
          - property: halle
            value:
              headers: [q, Débit horaire]
              title_en: Flow
              description_en: Vehicles.
              unit: veh/h
              required_header: true
      - name: note
        logicalType: string
        businessName: Note
        description: Texte libre.
        classification: direct
        customProperties:
          - property: halle
            value:
              headers: [note]
              title_en: Note
              description_en: Free text.
              never_load: true
              never_load_reason: It names the agent on duty.
              multiline: true
customProperties:
  - property: halle
    value:
      title_en: Counters
      description_en: Some counters.
      producer_name: Ville
      licence: {spdx: etalab-2.0, attribution: Ville}
      time_zone: Europe/Paris
      crs: EPSG:4326
      deliveries:
        follows: upsert
        order: receipt
        observed_column: heure
        max_bytes: 1000000
      feed:
        urls: ["https://data.example.org/compteurs.csv"]
        files:
          - {glob: "pages/compteurs_*.json", partial: true}
          - {glob: "compteurs_*.csv", date: '_(\\d{8})'}
      layouts:
        - name: csv
          form: delimited
          encoding: null
        - name: archive
          form: delimited
          header: false
          delimiter: "\\t"
          encoding: windows-1252
          columns: [compteur, heure, debit]
        - name: page
          form: json_records
          partial: true
      sharing: {leaves: {internal: everything, partner: everything, public: everything}, terms: Open data., until: null}
      gdpr:
        personal_data: true
        reason: The note may name an agent.
        sensitive: false
        purposes: [Counting.]
        legal_basis: Public interest.
        categories_of_persons: [Agents on duty.]
        categories_of_data: [Names.]
        recipients: []
        transfers: []
        processors: []
        retention: P0D
        security_measures: [Removed at reception.]
        service: Roads.
        created_on: "2025-10-01"
        reviewed_on: "2026-01-31"
"""


def write(folder: Path, text: str, name: str = "ville_compteurs.yml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def swap(old: str, new: str, text: str = CARD) -> str:
    assert old in text, f"the test's card does not hold {old!r}"
    return text.replace(old, new, 1)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read_card(write(folder, text))
    return str(caught.value)


def test_a_card_gives_its_values(tmp_path):
    card = read_card(write(tmp_path, CARD))
    assert (card.source, card.producer, card.dataset, card.theme) == (
        "ville_compteurs",
        "ville",
        "compteurs",
        "mobility",
    )
    assert (card.raw_table, card.staging_model) == ("ville__compteurs", "stg_mobility__ville_compteurs")
    assert card.key == ("compteur", "heure")
    assert [column.name for column in card.loaded_columns] == ["compteur", "heure", "debit"]
    assert [column.name for column in card.columns if column.required] == ["compteur", "heure", "debit"]
    flow = card.column("debit")
    assert (flow.unit, flow.minimum, flow.maximum, flow.nullable) == ("veh/h", 0, 9000, True)
    assert card.claims["débit horaire"] == "debit"
    assert (card.owner, card.steward) == ("Direction de la voirie", "Service des données")
    assert (card.licence, card.contact, card.rhythm, card.late_after) == (
        "etalab-2.0",
        "https://data.example.org",
        "P1D",
        "P1M",
    )
    assert card.has_personal_data
    archive = card.layouts[1]
    assert (archive.header, archive.delimiter, archive.encoding) == (False, "\t", "windows-1252")
    assert archive.columns == ("compteur", "heure", "debit")
    assert card.layouts[0].header
    assert card.layouts[0].delimiter is None
    assert card.layouts[2].partial
    with pytest.raises(KeyError):
        card.column("vitesse")


def test_a_card_may_bring_the_feed_of_its_producer(tmp_path):
    patterns = (FilePattern("pages/compteurs_*.json", partial=True), FilePattern("compteurs_*.csv", date=r"_(\d{8})"))
    card = read_card(write(tmp_path, CARD))
    assert card.feed == Feed("ville_compteurs", ("https://data.example.org/compteurs.csv",), patterns)
    without = re.sub(r"      feed:\n.*?(?=      layouts:)", "", CARD, flags=re.DOTALL)
    silent = read_card(write(tmp_path, without))
    assert silent.feed is None
    assert silent.reading_digest == card.reading_digest, "where files come from does not change how they are read"


def test_lateness_follows_the_calendar(tmp_path):
    card = read_card(write(tmp_path, CARD))
    assert card.late_at(datetime(2024, 2, 10, tzinfo=UTC)) == datetime(2024, 3, 10, tzinfo=UTC)
    assert card.late_at(datetime(2024, 3, 10, tzinfo=UTC)) == datetime(2024, 4, 10, tzinfo=UTC)


def test_digests_change_with_the_content_only(tmp_path):
    card = read_card(write(tmp_path, CARD))
    comment = read_card(write(tmp_path, f"# a comment\n{CARD}"))
    described = read_card(write(tmp_path, swap("Fin de l'heure.", "Fin de l'heure mesurée.")))
    renamed = read_card(write(tmp_path, swap("headers: [heure]", "headers: [heure, t]")))
    assert comment.digest == card.digest
    assert described.digest != card.digest
    assert described.reading_digest == card.reading_digest
    assert renamed.reading_digest != card.reading_digest


@pytest.mark.parametrize(
    ("header", "normal"),
    [
        ("\ufeffIdentifiant arc", "identifiant arc"),
        ("  Débit   horaire ", "débit horaire"),
        ("De\u0301bit horaire", "débit horaire"),
        ("Débit\u00a0horaire", "débit horaire"),
        ("IU_AC", "iu_ac"),
    ],
)
def test_headers_are_compared_normalised(header, normal):
    assert normalise_header(header) == normal


# what to change, what to write there, the text on the line that the error must name, the field, words of the sentence
REFUSALS = {
    "unknown type": (
        "logicalType: timestamp",
        "logicalType: datetime",
        None,
        "schema[0].properties[1].logicalType",
        "datetime",
    ),
    "unknown ODCS field": (
        "businessName: Heure",
        "bussinessName: Heure",
        None,
        "schema[0].properties[1]",
        "bussinessName",
    ),
    "unknown field of ours": ("              unit: veh/h", "              units: veh/h", None, ".value.units", "units"),
    "other version of the standard": ("apiVersion: v3.1.0", "apiVersion: v3.0.2", None, "apiVersion", "v3.1.0"),
    "no owner": ("role: owner", "role: chief", "  members:", "team.members", "owner"),
    "two stewards": ("role: owner", "role: steward", "  members:", "team.members", "missing or repeated"),
    "no lateness": ("property: latency", "property: retention", "slaProperties:", "slaProperties", "latency"),
    "no contact": ("    url: https://data.example.org\nteam", "team", "  - channel: Portail", "support[0]", "'url'"),
    "no dataset address": (
        "type: businessDefinition",
        "type: tutorial",
        "authoritativeDefinitions:",
        "authoritativeDefinitions",
        "address",
    ),
    "no part of ours": (
        "customProperties:\n  - property: halle\n    value:\n      title_en: Counters",
        "customProperties:\n  - property: other\n    value:\n      title_en: Counters",
        "customProperties:",
        "customProperties",
        "halle",
    ),
    "no English title": (
        "              title_en: Hour\n",
        "",
        "            value:",
        "properties[1].customProperties[0].value",
        "title_en",
    ),
    "text for a number": ("max_bytes: 1000000", "max_bytes: 1 MB", None, "deliveries.max_bytes", "integer"),
    "unknown order": ("order: receipt", "order: chance", None, "deliveries.order", "chance"),
    "unknown personal-data class": (
        "classification: direct",
        "classification: secret",
        None,
        "properties[3].classification",
        "secret",
    ),
    "never loaded without reason": (
        "              never_load_reason: It names the agent on duty.\n",
        "",
        "            value:",
        "properties[3].customProperties[0].value",
        "never_load_reason",
    ),
    "id unlike the file": ("id: ville_compteurs", "id: ville_boucles", None, "id", "ville_boucles"),
    "dataset unlike the id": ("  - name: compteurs", "  - name: boucles", None, "schema[0].name", "ville_compteurs"),
    "no such time zone": ("Europe/Paris", "Europe/Pariss", None, "time_zone", "Europe/Pariss"),
    "a region is no time zone": ("Europe/Paris", "Europe", None, "time_zone", "'Europe'"),
    "no such duration": ("value: P1D", "value: daily", None, "slaProperties[0].value", "daily"),
    "a duration of nothing": ("value: P1M", "value: P0D", None, "slaProperties[1].value", "P0D"),
    "a number for a duration": ("value: P1M", "value: 30", None, "slaProperties[1].value", "a number stands here"),
    "no such licence": ("etalab-2.0", "etalab-9.0", None, "licence.spdx", "SPDX"),
    "licence in other letters": ("etalab-2.0", "ETALAB-2.0", None, "licence.spdx", "Write 'etalab-2.0'"),
    "no such encoding": ("windows-1252", "windows-9999", None, "layouts[1].encoding", "windows-9999"),
    "an encoding not of text": ("windows-1252", "hex", None, "layouts[1].encoding", "no text encoding"),
    "a feed's address": ('["https://data', '["ftp://data', None, "feed.urls[0]", "https"),
    "a feed's files out of their folder": ("pages/", "../pages/", None, "feed.files[0].glob", "paths below"),
    "a feed's date without group": ("_(\\d{8})", "_\\d{8}", None, "feed.files[1].date", "0 groups"),
    "a feed's date with two groups": ("_(\\d{8})", "_(\\d{4})(\\d{4})", None, "feed.files[1].date", "2 groups"),
    "a feed's date that is no expression": ("_(\\d{8})", "_(\\d{8}", None, "feed.files[1].date", "expression"),
    "no such form": ("form: json_records", "form: parquet", None, "layouts[2].form", "parquet"),
    "no such delimiter": ('"\\t"', '"::"', None, "layouts[1].delimiter", "::"),
    "columns beside a header": (
        "header: false",
        "header: true",
        "          columns: [compteur, heure, debit]",
        "layouts[1].columns",
        "no place",
    ),
    "no header nor columns": (
        "          columns: [compteur, heure, debit]\n",
        "",
        "        - name: archive",
        "layouts[1]",
        "columns",
    ),
    "header lines without a header": (
        "header: false",
        "header: false\n          header_rows: 2",
        "          header: false",
        "layouts[1].header",
        "True was expected",
    ),
    "header lines of JSON": (
        "form: json_records\n",
        "form: json_records\n          header_rows: 2\n",
        "          form: json_records",
        "layouts[2].form",
        "delimited",
    ),
    "JSON without keys": (
        "form: json_records\n",
        "form: json_records\n          header: false\n          columns: [compteur, heure, debit]\n",
        "          form: json_records",
        "layouts[2].form",
        "delimited",
    ),
    "layout of an unknown column": (
        "[compteur, heure, debit]",
        "[compteur, heures, debit]",
        None,
        "layouts[1].columns[1]",
        "Did you mean 'heure'?",
    ),
    "layout without a required column": (
        "[compteur, heure, debit]",
        "[compteur, heure]",
        None,
        "layouts[1].columns",
        "debit",
    ),
    "layout with what is never loaded": (
        "[compteur, heure, debit]",
        "[compteur, heure, debit, note]",
        None,
        "layouts[1].columns",
        "note",
    ),
    "two layouts of one name": ("name: archive", "name: csv", None, "layouts[1].name", "'csv'"),
    "two columns of one name": ("- name: note", "- name: heure", None, "schema[0].properties[3].name", "'heure'"),
    "header claimed twice": (
        "headers: [q, Débit horaire]",
        "headers: [q, ' IDENTIFIANT  du compteur']",
        None,
        "headers[1]",
        "'compteur' already claims",
    ),
    "key that may be empty": (
        "        required: true\n        primaryKey: true\n        primaryKeyPosition: 2",
        "        primaryKey: true\n        primaryKeyPosition: 2",
        "      - name: heure",
        "schema[0].properties[1]",
        "may be empty",
    ),
    "key position twice": (
        "primaryKeyPosition: 2",
        "primaryKeyPosition: 1",
        None,
        "primaryKeyPosition",
        "already has position 1",
    ),
    "key position with a gap": (
        "primaryKeyPosition: 2",
        "primaryKeyPosition: 3",
        "    properties:",
        "schema[0].properties",
        "1, 2, 3",
    ),
    "key position without a key": (
        "        businessName: Débit",
        "        primaryKeyPosition: 3\n        businessName: Débit",
        "        primaryKeyPosition: 3",
        "primaryKeyPosition",
        "no place",
    ),
    "no such observed column": (
        "observed_column: heure",
        "observed_column: heur",
        None,
        "deliveries.observed_column",
        "Did you mean 'heure'?",
    ),
    "observed and never loaded": (
        "observed_column: heure",
        "observed_column: note",
        "              never_load: true",
        "never_load",
        "observed column",
    ),
    "never loaded and required": (
        "              never_load: true",
        "              never_load: true\n              required_header: true",
        "              never_load: true",
        "never_load",
        "is required",
    ),
    "never empty, optional header": (
        "              headers: [heure]",
        "              headers: [heure]\n              required_header: false",
        "              required_header: false",
        "required_header",
        "never empty",
    ),
    "bounds the wrong way round": (
        "minimum: 0, maximum: 9000",
        "minimum: 9001, maximum: 9000",
        None,
        "logicalTypeOptions.minimum",
        "exceeds",
    ),
    "personal data denied": (
        "personal_data: true",
        "personal_data: false",
        None,
        "gdpr.personal_data",
        "note is classed",
    ),
    "personal data without legal basis": (
        "        legal_basis: Public interest.\n",
        "",
        "      gdpr:",
        "gdpr",
        "legal_basis",
    ),
    "no such date": ('"2026-01-31"', '"2026-02-31"', None, "gdpr.reviewed_on", "2026-02-31"),
    "no such unquoted date": ('"2026-01-31"', "2026-02-31", None, "", "day"),
    "not a number": ("maximum: 9000", "maximum: .nan", None, "logicalTypeOptions.maximum", "not a number"),
    "a key that is no text": (
        "    logicalType: object",
        "    12: object\n    logicalType: object",
        "    12: object",
        "schema[0][12]",
        "not text",
    ),
    "repeated key": ("status: active", "status: active\nstatus: draft", "status: draft", "", "duplicate key"),
    "broken indentation": ("  members:", " members:\n   - x\n  y: 1", None, "", "YAML cannot be read"),
    "unclosed list": ("headers: [heure]", "headers: [heure", None, "", "YAML cannot be read"),
    "control character": ("Some counters.", "Some \x00 counters.", None, "", "YAML cannot be read"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_bad_card_is_refused_at_its_line(tmp_path, case):
    old, new, line_text, field, words = REFUSALS[case]
    text = swap(old, new)
    message = refusal(tmp_path, text)
    found = re.search(r"ville_compteurs\.yml:(\d+)", message)
    assert found, message
    line = text.splitlines()[int(found[1]) - 1]
    if line_text is not None:
        assert line == line_text, message
    elif field:
        assert new.splitlines()[0] in line, message
    assert field in message
    assert words in message
    assert "Traceback" not in message


def test_a_snapshot_without_key_is_refused_and_events_are_not(tmp_path):
    text = CARD
    for position in (1, 2):
        text = swap(f"        primaryKey: true\n        primaryKeyPosition: {position}\n", "", text)
    assert "'upsert' needs a key" in refusal(tmp_path, text)
    card = read_card(write(tmp_path, swap("follows: upsert", "follows: events", text)))
    assert card.key == ()


def test_an_alias_is_refused(tmp_path):
    text = swap("  - property: frequency", "  - &same\n    property: frequency")
    text = swap("  - property: latency\n    value: P1M", "  - *same", text)
    assert "an alias repeats" in refusal(tmp_path, text)


def test_a_document_that_contains_itself_is_refused(tmp_path):
    assert "an alias repeats" in refusal(tmp_path, "name: &loop\n  - *loop\n")


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just text\n", "42\n"])
def test_a_document_that_is_not_a_mapping_is_refused(tmp_path, text):
    message = refusal(tmp_path, text)
    assert "ville_compteurs.yml:1" in message
    assert "lines are expected" in message


def test_several_documents_in_a_file_are_refused(tmp_path):
    assert "YAML cannot be read" in refusal(tmp_path, f"{CARD}---\n{CARD}")


def test_other_faults_are_announced_with_the_first(tmp_path):
    text = swap("order: receipt", "order: chance", swap("classification: direct", "classification: secret"))
    lines = text.splitlines()
    message = refusal(tmp_path, text)
    assert f".yml:{lines.index('        classification: secret') + 1}:" in message
    assert f"Other lines to mend: {lines.index('        order: chance') + 1}." in message


def test_a_file_in_another_encoding_is_refused_at_its_line(tmp_path):
    path = tmp_path / "ville_compteurs.yml"
    path.write_bytes(CARD.encode("cp1252"))
    line = next(number for number, text in enumerate(CARD.splitlines(), 1) if "é" in text)
    with pytest.raises(ConfigurationError, match=rf"ville_compteurs\.yml:{line}: the file is not in UTF-8"):
        read_card(path)


def test_a_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_card(tmp_path / "none.yml")


def test_the_path_is_named_as_it_was_given(tmp_path, monkeypatch):
    write(tmp_path / "cards", swap("order: receipt", "order: chance"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        read_card(Path("cards/ville_compteurs.yml"))
    assert str(caught.value).startswith("cards/ville_compteurs.yml:")


def test_cards_are_found_by_theme_and_duplicates_refused(tmp_path):
    write(tmp_path / "a" / "mobility", CARD)
    assert list(load_cards([tmp_path / "a", tmp_path / "none"])) == ["ville_compteurs"]
    write(tmp_path / "b" / "mobility", CARD)
    with pytest.raises(ConfigurationError, match="has two cards"):
        load_cards([tmp_path / "a", tmp_path / "b"])


def test_a_card_in_the_folder_of_another_theme_is_refused(tmp_path):
    write(tmp_path / "energy", CARD)
    with pytest.raises(ConfigurationError, match="field domain: the card lies in the folder 'energy'"):
        load_cards([tmp_path])


def test_a_card_with_another_extension_is_not_passed_over(tmp_path):
    write(tmp_path / "mobility", CARD, "ville_compteurs.yaml")
    with pytest.raises(ConfigurationError, match=r"ends in \.yml"):
        load_cards([tmp_path])


@pytest.fixture(scope="module")
def cards() -> dict[str, Card]:
    return load_cards([RAW_SOURCES])


def test_the_committed_cards_load(cards):
    assert set(cards) >= {
        "paris_comptages_permanents",
        "paris_referentiel_comptages",
        "paris_chantiers_perturbants",
        "paris_chantiers",
        "paris_fermetures_voirie",
    }
    for card in cards.values():
        assert card.title_fr
        assert card.title_en
        assert all(column.description_fr and column.description_en for column in card.columns)


def test_counters_accept_four_columns_and_require_what_is_measured(cards):
    card = cards["paris_comptages_permanents"]
    assert card.key == ("iu_ac", "t_1h")
    assert (card.follows, card.order, card.observed_column) == ("upsert", "receipt", "t_1h")
    assert {column.name for column in card.columns if column.required} == {"iu_ac", "t_1h", "q", "k"}
    assert ("iu_ac", "t_1h", "q", "k") in [layout.columns for layout in card.layouts if not layout.header]


def test_pages_of_a_snapshot_end_nothing(cards):
    for card in cards.values():
        # Portals answer by pages; a feed such as CIFS's is whole.
        if card.follows == "snapshot" and "/api/explore/" in card.path.read_text(encoding="utf-8"):
            assert all(layout.partial for layout in card.layouts if layout.form == "json_records"), card.source


def test_the_link_to_letters_is_never_loaded(cards):
    card = cards["paris_chantiers_perturbants"]
    assert [column.name for column in card.columns if column.never_load] == ["url_lettreinfochantier"]


def _headers(path: Path) -> list[str]:
    if path.suffix == ".json":
        return sorted({key for record in json.loads(path.read_text(encoding="utf-8")) for key in record})
    with path.open(encoding="utf-8-sig", newline="") as stream:
        line = stream.readline()
    return next(csv.reader([line], delimiter=max(";,\t", key=line.count)))


def _files_below(root: Path) -> Iterator[Path]:
    yield from (path.relative_to(root) for path in sorted(root.rglob("*")) if path.is_file())


def test_each_header_of_the_real_extracts_is_claimed(cards, real_extracts: Path):
    territory = read_territory(RAW_SOURCES / "territories" / "paris", cards)
    seen: set[str] = set()
    for relative in _files_below(real_extracts):
        for source, _ in territory.match(relative):
            card = cards[source]
            headers = _headers(real_extracts / relative)
            claimed = {card.claims.get(normalise_header(header), f"? {header}") for header in headers}
            names = {column.name for column in card.columns}
            assert claimed <= names, relative
            assert {column.name for column in card.columns if column.required} <= claimed, relative
            assert len(claimed) == len(headers), relative
            seen.add(source)
    own = {source for source, feed in territory.feeds.items() if feed.files}
    assert seen == own, "a source with patterns of the territory's own has no real extract"
