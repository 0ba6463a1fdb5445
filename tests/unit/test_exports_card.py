"""Export cards: what they allow, what they refuse, and that the real ones can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from exports.card import Declassification, load_export_cards, published_columns, read_export_card
from exports.plan import NothingToRelease
from raw_sources.agreements import Grain
from raw_sources.errors import ConfigurationError, GateClosed
from tests.exports_world import PLAIN, make_world, write_card

ROOT = Path(__file__).parents[2]


def test_the_cards_of_this_repository_are_read() -> None:
    cards = load_export_cards([ROOT / "exports"])
    assert list(cards) == [
        "calendrier",
        "chantiers-voirie",
        "charge-electrique-demi-horaire",
        "communes-millesimes",
        "comptages-chantiers-journaliers",
        "comptages-routiers-horaires",
        "congestion-rues-horaire",
        "congestion-rues-publique",
        "consommation-energie-annuelle",
        "consommation-energie-corrigee-climat",
        "effet-chantiers-trafic",
        "paiements-cartes-etrangeres-mensuels",
        "paiements-cartes-mensuels",
        "paiements-cartes-publics",
        "passages-communes",
        "populations-legales",
        "production-energie-annuelle",
        "trafic-moyen-journalier-annuel",
    ]
    assert cards["chantiers-voirie"].geometry == "geometry"
    licences = {slug: card.licence for slug, card in cards.items()}
    counted = {slug for slug, card in cards.items() if card.mart.startswith("mobility.") and "congestion" not in slug}
    open_to_all = {slug for slug, card in cards.items() if "public" in card.audiences}
    assert {slug: licences[slug] for slug in open_to_all} == {
        slug: "ODbL-1.0" if slug in counted else "etalab-2.0" for slug in open_to_all
    }
    assert {licences[slug] for slug in cards.keys() - open_to_all} == {"LicenseRef-internal"}


@pytest.mark.parametrize(
    ("line", "instead", "field"),
    [
        ("slug: mesures-de-rue", "slug: Mesures de rue", "slug"),
        ("version: 1.0.0", "version: 1.0", "version"),
        ("licence: ODbL-1.0", "licence: CC-BY-4.0", "licence"),
        ("audiences: [public]", "audiences: [everyone]", "audiences[0]"),
        ("licence: ODbL-1.0", "licence: LicenseRef-internal", "licence"),
        ("themes: [TRAN]", "themes: [TRAN]\ndeclassify: []", "declassify"),
        ("order_by: [site_id, hour_start_at]", "order_by: [secret_note]", "order_by[0]"),
        ("themes: [TRAN]", "themes: [TRAN]\nlegend: none", "legend"),
        ("formats: [parquet, csv, excel-fr]", "formats: [csv]", "formats"),
    ],
)
def test_a_bad_card_is_refused_with_its_line_and_field(tmp_path: Path, line: str, instead: str, field: str) -> None:
    path = tmp_path / "card.yml"
    write_card(path, PLAIN)
    text = path.read_text(encoding="utf-8")
    number = text[: text.index(line)].count("\n") + instead.count("\n") + 1
    path.write_text(text.replace(line, instead), encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        read_export_card(path)
    assert refused.value.where == f"{path}:{number}: field {field}"


DECLASSIFY = """declassify:
  - sources: [lent_counts]
    grain: {time: month, space: commune}
    rules: [{rule: minimum, column: vehicles, at_least: 5}]
    why_fr: Assez de véhicules pour que personne ne soit reconnu.
    why_en: Enough vehicles for nobody to be told from them.
formats:"""


def declassifying(folder: Path, old: str = "", new: str = "") -> Path:
    path = folder / "card.yml"
    write_card(path, PLAIN)
    text = path.read_text(encoding="utf-8").replace("formats:", DECLASSIFY.replace(old, new, 1))
    path.write_text(text, encoding="utf-8")
    return path


def test_a_card_says_how_lent_figures_leave(tmp_path: Path) -> None:
    assert read_export_card(declassifying(tmp_path)).declassify == (
        Declassification(
            ("lent_counts",),
            None,
            Grain("month", "commune"),
            ({"rule": "minimum", "column": "vehicles", "at_least": 5},),
            "Assez de véhicules pour que personne ne soit reconnu.",
            "Enough vehicles for nobody to be told from them.",
        ),
    )


@pytest.mark.parametrize(
    ("old", "new", "field", "words"),
    [
        ("[{rule: minimum, column: vehicles, at_least: 5}]", "[]", "declassify[0].rules", "[]"),
        ("at_least: 5", "at_least: 1", "declassify[0].rules[0].at_least", "less than the minimum of 2"),
        ("rule: minimum", "rule: rounding", "declassify[0].rules[0].rule", "rows where the column is below"),
        ("time: month", "time: season", "declassify[0].grain.time", "'season' is not one of"),
        ("{time: month, space: commune}", "{}", "declassify[0].grain", "{}"),
        ("    why_fr: Assez de véhicules pour que personne ne soit reconnu.\n", "", "declassify[0]", "'why_fr'"),
        ("sources: [lent_counts]\n    grain", "grain", "declassify[0]", "a field is missing: 'sources'"),
        ("grain", "family: works\n    grain", "declassify[0].sources", "has no place here"),
    ],
)
def test_a_declassification_without_rule_or_reason_is_refused(
    tmp_path: Path, old: str, new: str, field: str, words: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_export_card(declassifying(tmp_path, old, new))
    assert str(refused.value.where).partition("field ")[2].startswith(field)
    assert words in str(refused.value)


SECRECY = """secrecy:
  source: site_id
  axes: [{column: hour_start_at}]
  figures: [{value: vehicles, status: status}]
  contributors: {unit: vehicles, count: vehicles}
  beside: [lon]
formats:"""


@pytest.mark.parametrize(
    ("old", "new", "field", "words"),
    [
        ("  beside: [lon]\n", "", "columns[", "does not say whether"),
        ("audiences: [public]", "audiences: [public, partner]", "audiences", "are protected once, for the public"),
        ("unit: vehicles, ", "", "secrecy.contributors", "'unit'"),
        ("{column: hour_start_at}", "{column: hour_start_at, above: all, opened: true}", "secrecy.axes[0]", "opened"),
        ("figures: [{value: vehicles, status: status}]", "figures: []", "secrecy.figures", "[]"),
        ("  beside: [lon]\n", "  beside: [lon]\n  rounded_to: {vehicle: 10}\n", "secrecy.rounded_to", "'vehicles'"),
        ("  beside: [lon]\n", "  beside: [lon]\n  rounded_to: {vehicles: 1}\n", "secrecy.rounded_to", "minimum"),
    ],
)
def test_what_of_a_card_is_under_secrecy_is_said_whole(
    tmp_path: Path, old: str, new: str, field: str, words: str
) -> None:
    path = tmp_path / "card.yml"
    write_card(path, PLAIN)
    published = "columns: [site_id, hour_start_at, vehicles, status, lon]"
    text = re.sub(r"columns: \[.*\]", published, path.read_text(encoding="utf-8")).replace("formats:", SECRECY)
    path.write_text(text, encoding="utf-8")
    assert read_export_card(path).secrecy is not None
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        read_export_card(path)
    assert str(refused.value.where).partition("field ")[2].startswith(field)
    assert words in str(refused.value)


def test_a_card_for_the_authority_itself_claims_no_licence_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "card.yml"
    write_card(path, PLAIN)
    text = path.read_text(encoding="utf-8").replace("ODbL-1.0", "LicenseRef-internal")
    path.write_text(text.replace("[public]", "[internal, partner]"), encoding="utf-8")
    card = read_export_card(path)
    assert (card.licence, card.audiences) == ("LicenseRef-internal", ("internal", "partner"))


def test_two_cards_for_one_slug_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "street").mkdir(exist_ok=True)
        write_card(tmp_path / "street" / f"{name}.yml", PLAIN)
    with pytest.raises(ConfigurationError, match="already that of"):
        load_export_cards([tmp_path])


def test_only_named_columns_leave_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data")
    assert "secret_note" not in [column.name for column in published_columns(world.card, world.mart)]
    card = write_card(tmp_path / "card.yml", (*PLAIN, "flow_veh"))
    with pytest.raises(ConfigurationError, match=r"no column 'flow_veh'.* Did you mean 'flow_veh_h'"):
        published_columns(card, world.mart)


def test_the_period_column_must_be_published(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data", columns=PLAIN[:-1])
    with pytest.raises(ConfigurationError, match="period column 'period_month'"):
        published_columns(world.card, world.mart)


def test_the_secret_column_is_in_no_published_byte(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data")
    folder = world.folder(world.release())
    assert not [path for path in folder.iterdir() if b"secret_note" in path.read_bytes()]
    assert not [path for path in folder.iterdir() if b"confidential" in path.read_bytes()]


def test_without_validation_nothing_is_released(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data")
    with pytest.raises(GateClosed, match="never validated"):
        world.candidate()
    assert not world.public.exists()


def test_a_failed_validation_closes_the_gate_and_is_named(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data")
    world.validate("failed")
    with pytest.raises(GateClosed, match="sites_are_known"):
        world.candidate()


def test_a_mart_changed_after_its_validation_is_not_released(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data")
    world.validate()
    world.sql("UPDATE street.measures SET secret_note = 'other' WHERE site_id = 'a'")
    with pytest.raises(GateClosed, match="never validated"):
        world.candidate()


def test_an_empty_mart_is_nothing_to_release(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data")
    world.sql("DELETE FROM street.measures")
    world.validate()
    with pytest.raises(NothingToRelease):
        world.candidate()


def test_a_warehouse_that_departs_from_the_contract_is_refused(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data")
    world.sql("ALTER TABLE street.measures ALTER vehicles TYPE BIGINT")
    world.validate()
    with pytest.raises(ConfigurationError, match="vehicles is BIGINT in the warehouse, INTEGER in its model"):
        world.candidate()


def test_an_order_that_does_not_identify_rows_is_refused(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data")
    world.sql("INSERT INTO street.measures SELECT * FROM street.measures LIMIT 1")
    world.validate()
    with pytest.raises(ConfigurationError, match="order_by does not identify a row"):
        world.candidate()
