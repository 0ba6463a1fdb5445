"""Export cards: what they allow, what they refuse, and that the real ones can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from exports.card import load_export_cards, published_columns, read_export_card
from exports.plan import NothingToRelease
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
        "consommation-energie-annuelle",
        "consommation-energie-corrigee-climat",
        "effet-chantiers-trafic",
        "paiements-cartes-etrangeres-mensuels",
        "passages-communes",
        "populations-legales",
        "production-energie-annuelle",
        "trafic-moyen-journalier-annuel",
    ]
    assert cards["chantiers-voirie"].geometry == "geometry"
    licences = {slug: card.licence for slug, card in cards.items()}
    counted = {slug for slug, card in cards.items() if card.mart.startswith("mobility.")}
    assert licences == {slug: "ODbL-1.0" if slug in counted else "etalab-2.0" for slug in cards}


@pytest.mark.parametrize(
    ("line", "instead", "field"),
    [
        ("slug: mesures-de-rue", "slug: Mesures de rue", "slug"),
        ("version: 1.0.0", "version: 1.0", "version"),
        ("licence: ODbL-1.0", "licence: CC-BY-4.0", "licence"),
        ("audiences: [public]", "audiences: [everyone]", "audiences[0]"),
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
