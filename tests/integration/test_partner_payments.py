"""Lent card payments, the whole way: aggregates from a partner, and files that no door lets in.

A territory of its own, whose region has two departments, receives a sound file and three that nobody may lend.
Dagster is left out, as in the fault tests.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from exports.card import ExportCard, read_export_card
from exports.judgement import Verdict, judge
from orchestration import modelling, running
from orchestration.dbt_runs import DbtProject, build
from orchestration.project import load_project
from orchestration.run import Run
from orchestration.running import run_territory
from orchestration.workspace import PROJECT, Workspace
from raw_sources.errors import GateClosed
from tests.integration.test_payments import NOW, TERRITORY, Shore

SOURCE = "partenaire_paiements_agreges"
MART = "economy.card_payments_monthly"
SLUG = "paiements-cartes-mensuels"
PROTECTED = "paiements-cartes-publics"
CARDS = ("4111111111111111", "5555555555554444", "4012888888881881")
MERCHANT = "Chez Léontine"
MAPPING: dict[str, Any] = {
    "columns": {
        "period": "Mois", "zone_code": "Dép", "card_country": "Origine", "merchants": "Commerces", "cards": "Cartes",
        "transactions": "Opérations", "amount": "Montant", "largest_merchant_amount": "Premier",
        "second_merchant_amount": "Deuxième",
    },
    "constants": {"zone_level": "department", "market_share_pct": "22,5"},
    "unit": "thousand_eur",
    "decimal": ",",
    "period_format": "%m/%Y",
    "secrecy_marker": "s",
    "codes": {"card_country": {"France": "FR", "Allemagne": "DE", "Toutes": "all"}},
}  # fmt: skip
HEADER = "Mois;Dép;Origine;Commerces;Cartes;Opérations;Montant;Premier;Deuxième"
SOUND = f"""{HEADER}
06/2024;2A;France;30;900;1 200;75,5;20;10
06/2024;2A;Allemagne;12;60;80;24,5;9;2
06/2024;2A;Toutes;31;950;1 280;100;20;12
06/2024;2B;France;20;400;500;30;5;4
06/2024;2B;Allemagne;5;s;30;s;s;s
07/2024;2A;France;30;900;1 200;80;20;10
06/2024;13;France;30;900;1 200;80;20;10
06/2024;2A;Atlantide;30;900;1 200;80;20;10
07/2024;2A;Allemagne;12;60;80;24,5;25;2
"""
CARD = yaml.safe_load((PROJECT / "exports" / "economy" / "card_payments_monthly.yml").read_text("utf-8"))
PUBLIC = CARD | {
    "slug": "paiements-sans-protection",
    "audiences": ["public"],
    "licence": "etalab-2.0",
    "declassify": [
        {
            "family": "card_payments",
            "grain": {"time": "month", "space": "department"},
            "rules": [{"rule": "minimum", "column": "merchants", "at_least": 3}],
            "why_fr": "Agrégats d'au moins trois commerçants.",
            "why_en": "Aggregates of three merchants at least.",
        }
    ],
}
FORBIDDEN = {
    "paiements_cartes.csv": f"{HEADER};Carte\n" + "".join(f"06/2024;2A;France;9;9;9;9;1;1;{card}\n" for card in CARDS),
    "paiements_commercants.csv": f"{HEADER};Enseigne\n06/2024;2A;France;9;9;9;9;1;1;{MERCHANT}\n",
    f"paiements_{CARDS[0]}.csv": f"{HEADER}\n06/2024;2A;France;9;9;9;9;1;1\n",
}


def write(path: Path, document: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), "utf-8")
    return path


def execute(run: Run, _themes: list[str]) -> None:
    """Build and judge this one mart, with what it is made of."""
    run.as_of()
    workspace = run.workspace
    dbt = DbtProject(
        modelling.dbt_folder(workspace), workspace.warehouse, workspace.duckdb, run.project.territory.time_zone
    )
    built = build(dbt, ["+card_payments_monthly"])
    assert not modelling.failures(built), modelling.failure_sentence(modelling.failures(built))
    certificate = run.validate(MART)
    assert certificate.status == "passed", certificate.names("failed")


@pytest.fixture(scope="module")
def island(tmp_path_factory: pytest.TempPathFactory) -> Shore:
    """Run the territory once: one file is received, the others are refused."""
    root = tmp_path_factory.mktemp("lent")
    folder, extracts = root / "territory", root / "extracts"
    (folder / "exports" / "economy").mkdir(parents=True)
    extracts.mkdir()
    write(folder / "exports" / "economy" / "unprotected.yml", PUBLIC)
    feeds = {SOURCE: {"files": [{"glob": "paiements_*.csv"}], "mapping": MAPPING}}
    document = {"name": "island", **TERRITORY, "communes": {"vintage": 2025, "codes": ["2A004"]}, "feeds": feeds}
    write(folder / "territory.yml", document)
    for name, text in {"paiements_2024.csv": SOUND, **FORBIDDEN}.items():
        (extracts / name).write_text(text, "utf-8")
    dropped = root / "data" / "inbox" / SOURCE
    dropped.mkdir(parents=True)
    (dropped / "dropped.csv").write_text(FORBIDDEN["paiements_cartes.csv"] + "\n", "utf-8")
    (dropped / "page.csv").write_text("<!DOCTYPE html>", "utf-8")
    run = Run(load_project(folder), Workspace(root / "data"), extracts=extracts, now=NOW, themes=("economy",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "_execute", execute)
        run_territory(run)
    return Shore(root, run)


@pytest.mark.slow
def test_departments_are_delivered_and_their_region_summed(island: Shore):
    told = f"select card_country, amount_eur::double, amount_eur_status, share_pct, share_status from {MART} where "
    june = "month = '2024-06' and zone_code = "
    assert island.ask(f"{told} {june} '2A' order by card_country") == [
        ("DE", 24_500.0, "measured", 24.5, "measured"),
        ("FR", 75_500.0, "measured", 75.5, "measured"),
        ("all", 100_000.0, "measured", None, "not_applicable"),
    ]
    assert island.ask(f"{told} {june} '94' order by card_country") == [
        ("DE", None, "secret", None, "secret"),
        ("FR", 105_500.0, "measured", None, "secret"),
    ]
    assert island.ask(f"select distinct zone_level, departments_known from {MART} where aggregation = 'summed'") == [
        ("region", 2)
    ]
    assert island.ask(f"select count(*) from {MART} where month = '2024-07' and aggregation = 'summed'") == [(0,)]
    assert island.ask(f"select distinct market_share_pct from {MART}") == [(22.5,)]


@pytest.mark.slow
def test_every_lent_record_is_accounted_for(island: Shore):
    assert island.ask("select records_read, staged, rejected, out_of_scope from ops.ledger") == [(9, 6, 2, 1)]
    assert set(island.ask("select reason from ops.rejects")) == {
        ("the largest merchant takes more than all of them",),
        ("this origin of cards has no code in the mapping: Atlantide",),
    }


@pytest.mark.slow
def test_what_the_door_stops_is_named_and_nowhere_in_data(island: Shore):
    said = " ".join(island.run.refusals())
    assert "the column 'Carte' holds numbers of payment cards in 3 rows" in said
    assert "the column 'Enseigne' identifies a single merchant in 1 rows" in said
    assert "the name of the file holds a card number" in said
    held = [path for path in (island.root / "data").rglob("*") if path.is_file()]
    assert any("receipts" in path.parts for path in held)
    # What the door stops goes from the drop folder too; what cannot be read stays with whoever dropped it.
    assert [path.name for path in (island.root / "data" / "inbox" / SOURCE).iterdir()] == ["page.csv"]
    for path in held:
        content = path.read_bytes()
        for value in (*CARDS, MERCHANT):
            assert value.encode() not in content and value not in str(path), path
    assert not any(value in said for value in (*CARDS, MERCHANT))


def judged(island: Shore, card: ExportCard, audience: str) -> Verdict:
    """Return the verdict on a card of the mart, by its true lineage."""
    run = island.run
    node = run.marts()[MART]
    traced = run.lineage(node)
    assert traced.untraced == ()
    cards = {source: run.project.cards[source] for source in run.project.territory.feeds}
    agreements = {source: one.agreement for source, one in cards.items()}
    licences = {source: one.licence for source, one in cards.items()}
    families = {source: one.family for source, one in cards.items()}
    return judge(card, node.mart, traced, agreements, licences, {}, audience, NOW.date(), families)


@pytest.mark.slow
def test_nothing_is_published_that_a_card_does_not_protect(island: Shore, tmp_path: Path):
    public = island.run.project.export_cards[PUBLIC["slug"]]
    lent = read_export_card(write(tmp_path / "card.yml", PUBLIC | {"audiences": ["partner"]}))
    for audience, card in (("public", public), ("partner-office", lent)):
        verdict = judged(island, card, audience)
        assert {(breach.source, breach.clause) for breach in verdict.breaches} == {(SOURCE, "secrecy")}
        sentence = verdict.breaches[0].sentence
        assert "does not say how they are protected" in sentence and "sharing.secrecy" in sentence
        assert not re.search(r"_pct|at_least|\b(85|10|11|3)\b", sentence), "parameters are not told"
    with pytest.raises(GateClosed, match="does not say how they are protected"):
        island.run.release(PUBLIC["slug"])
    assert not (island.root / "data" / "public" / PUBLIC["slug"]).exists()


@pytest.mark.slow
def test_what_is_published_hides_what_the_partner_hides_and_what_would_give_it_back(island: Shore):
    island.run.release(PROTECTED)
    folder = island.root / "data" / "public" / PROTECTED / "latest"
    rows = duckdb.sql(
        "select zone_code, month, card_country, amount_eur::double, amount_eur_status, transactions "
        f"from '{folder}/*.parquet' order by all"
    ).fetchall()
    told = {row[:3]: row[3:] for row in rows}
    assert told["2B", "2024-06", "DE"] == (None, "secret", None), "of one cell, all figures are empty"
    assert told["2B", "2024-06", "FR"] == (30_000.0, "measured", 500)
    # The region is the sum of both departments: given, its German cards would tell those of Haute-Corse.
    assert told["94", "2024-06", "DE"][:2] == (None, "secret")
    assert not {"merchants", "cards", "largest_merchant_eur", "share_pct"} & set(
        duckdb.sql(f"from '{folder}/*.parquet'").columns
    )
    document = json.loads((folder / "release.json").read_text("utf-8"))
    (entry,) = document["agreements"]["declassified"]
    assert entry["rules"] == [{"rule": "secrecy"}]
    assert sum(one["secret"]["amount_eur"] for one in document["agreements"]["secrecy"][SOURCE]) == 2
    parameters = yaml.safe_load((PROJECT / "raw_sources" / "economy" / f"{SOURCE}.yml").read_text("utf-8"))
    assert "at_least: 11" in yaml.safe_dump(parameters), "the parameters are those of the agreement"
    for path in folder.iterdir():
        assert b"at_least" not in path.read_bytes() and b"k_pct" not in path.read_bytes(), path


@pytest.mark.slow
def test_the_authority_sees_what_it_was_lent(island: Shore):
    assert judged(island, island.run.project.export_cards[SLUG], "internal").breaches == ()
    island.run.release(SLUG)
    assert island.run.shared["internal", SLUG].rows == 8
    assert (island.run.workspace.tree_of("internal") / SLUG / "latest").exists()
