"""The judgement of a release: one seeded breach per rule, and what is left out, declassified or claimed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from exports.card import Declassification, ExportCard
from exports.judgement import Breach, Verdict, judge
from exports.lineage import RECORD, Lineage, Origin
from exports.metadata import Mart, MartColumn
from exports.secrecy import Axis, Figure, Secrecy
from raw_sources.agreements import AUDIENCES, Agreement, Grain, SecrecyRule

TODAY = date(2026, 11, 22)
MART = Mart(
    "mobility",
    "works_sites",
    "mobility.works_sites",
    tuple(MartColumn(name, "varchar", None, name, name, name, name) for name in ("source", "street", "events", "note")),
    None,
    Grain("month", "commune", "all"),
)
CARD = ExportCard(
    slug="chantiers-voirie",
    mart="mobility.works_sites",
    version="1.0.0",
    audiences=("public",),
    title_fr="",
    title_en="",
    description_fr="",
    description_en="",
    keywords=(),
    themes=(),
    licence="etalab-2.0",
    frequency="DAILY",
    columns=("street", "events"),
    order_by=("street",),
    geometry=None,
    partition_above=None,
    formats=("parquet",),
    path=Path("exports/mobility/works_sites.yml"),
    digest="",
)
OPEN = Agreement(dict.fromkeys(AUDIENCES, "everything"), Grain(), (), None, "", None, "cards/open_works.yml")
LENT = replace(OPEN, leaves={"internal": "everything", "partner": "aggregates", "public": "nothing"})
ENTRY = Declassification(
    ("orders",),
    None,
    Grain("month", "commune"),
    ({"rule": "minimum", "column": "events", "at_least": 5},),
    "Parce que.",
    "Because.",
)
WAY = ("raw.orders.adresse", "int_works__announced.street", "mobility.works_sites.street")


def origin(source: str = "orders", column: str = "adresse", kind: str = "value", teller: str | None = None) -> Origin:
    return Origin(source, column, kind, teller, (f"raw.{source}.{column}", *WAY[1:]))


def judged(*street: Origin, orders: Agreement = OPEN, audience: str = "public", **options: Any) -> Verdict:
    """Judge a mart whose street has these origins, beside an open source that gives the rest."""
    card = replace(CARD, **options.pop("card", {}))
    columns = {name: frozenset({origin("open_works", name)}) for name in card.columns if name != "lost"}
    lineage = Lineage("mobility.works_sites", columns | {"street": frozenset(street)}, options.pop("untraced", ()))
    return judge(
        card,
        options.pop("mart", MART),
        lineage,
        {"orders": replace(orders, where="cards/orders.yml"), "open_works": OPEN},
        {"orders": "etalab-2.0", "open_works": "etalab-2.0"} | options.pop("licences", {}),
        options.pop("personal", {}),
        audience,
        TODAY,
        {"orders": "works"},
        options.pop("others", {}),
    )


def only(verdict: Verdict) -> Breach:
    assert len(verdict.breaches) == 1, verdict.breaches
    return verdict.breaches[0]


@pytest.mark.parametrize("teller", [None, "source"])
def test_what_everybody_may_see_leaves(teller: str | None):
    assert judged(origin(teller=teller)) == Verdict((), (), "etalab-2.0", ())


def test_a_forbidden_column_is_refused_with_its_way_and_its_clause():
    breach = only(judged(origin(), orders=LENT))
    assert (breach.column, breach.source, breach.clause) == ("street", "orders", "sharing.leaves.public")
    assert breach.path == WAY[::-1]
    assert breach.sentence == (
        "chantiers-voirie: the column street may not leave for public: it comes from orders.adresse "
        "(mobility.works_sites.street <- int_works__announced.street <- raw.orders.adresse), "
        "whose agreement lets nothing leave for public (sharing.leaves.public in cards/orders.yml)."
    )


def test_what_only_bears_on_the_rows_is_refused_too():
    breach = only(judged(origin(kind="influence"), orders=LENT))
    assert "it depends on orders.adresse" in breach.sentence


@pytest.mark.parametrize(
    ("audience", "leaves", "clause"),
    [
        ("public", LENT.leaves, "sharing.leaves.public"),
        ("partner-port", LENT.leaves, "sharing.leaves.partner"),
        ("partner-port", {**OPEN.leaves, "partner-port": "nothing"}, "sharing.leaves.partner-port"),
        ("partner-port", {**LENT.leaves, "partner-port": "everything"}, None),
        ("internal", LENT.leaves, None),
    ],
)
def test_each_audience_has_its_clause(audience: str, leaves: dict[str, str], clause: str | None):
    verdict = judged(origin(), orders=replace(LENT, leaves=leaves), audience=audience)
    assert [breach.clause for breach in verdict.breaches] == ([clause] if clause else [])


@pytest.mark.parametrize("audience", ["public", "partner-port", "internal"])
def test_past_its_date_an_agreement_lets_nothing_leave_for_anybody(audience: str):
    expired = replace(OPEN, until=date(2026, 11, 21))
    breach = only(judged(origin(), orders=expired, audience=audience))
    assert breach.clause == "sharing.until" and "ended on 2026-11-21" in breach.sentence
    assert not judged(origin(), orders=replace(OPEN, until=TODAY), audience=audience).breaches


def test_rows_that_a_column_tells_are_left_out():
    verdict = judged(origin(teller="source"), origin(kind="influence", teller="source"), orders=LENT)
    (why,) = verdict.because
    assert why.startswith("orders, whose agreement lets nothing leave for public (sharing.leaves.public in ")
    assert replace(verdict, because=()) == Verdict((), (("orders", ("source",)),), "etalab-2.0", ())


@pytest.mark.parametrize("mixed", [origin(), origin(kind="influence"), origin(teller="lost_source")])
def test_what_is_mixed_with_others_cannot_be_left_out(mixed: Origin):
    verdict = judged(origin(column="rue", teller="source"), mixed, orders=LENT)
    assert only(verdict).clause == "sharing.leaves.public"
    assert judged(mixed, orders=LENT).withheld == ()


def test_what_is_left_out_binds_neither_grain_nor_licence_nor_class():
    limited = replace(LENT, finest=Grain("year"))
    told = origin(teller="source")
    personal = {("orders", "adresse"): "direct"}
    verdict = judged(told, orders=limited, licences={"orders": "LicenseRef-orders"}, personal=personal)
    assert not verdict.breaches and verdict.licence == "etalab-2.0"


def test_sources_that_deliver_nothing_here_are_not_judged():
    assert not judged(origin("elsewhere")).breaches


def test_a_seed_stays_with_the_authority():
    breach = only(judged(origin("seed:counters")))
    assert breach.clause == "sharing" and "a seed of which no card says what may leave" in breach.sentence
    assert not judged(origin("seed:counters"), audience="internal").breaches


def test_what_decides_that_a_record_is_there_is_said_so():
    breach = only(judged(origin(column=RECORD, kind="influence"), orders=LENT))
    assert "it depends on which records orders has (" in breach.sentence


@pytest.mark.parametrize("kind", ["indirect", "direct", "sensitive"])
def test_a_personal_column_leaves_for_nobody_else(kind: str):
    personal = {("orders", "adresse"): kind}
    breach = only(judged(origin(), personal=personal))
    assert breach.clause == "personal"
    assert f"personal data ({kind}) (classification in cards/orders.yml)" in breach.sentence
    assert judged(origin(), personal=personal, audience="partner-port").breaches
    assert not judged(origin(), personal=personal, audience="internal").breaches
    assert not judged(origin(kind="influence"), personal=personal).breaches


def test_of_a_column_that_cannot_be_told_the_worst_is_believed():
    breach = only(judged(origin(column="*"), personal={("orders", "rue"): "none", ("orders", "name"): "direct"}))
    assert breach.clause == "personal" and "may come from any column of orders" in breach.sentence


@pytest.mark.parametrize(
    ("finest", "grain", "clauses", "words"),
    [
        (Grain("month", "commune", "all"), MART.grain, [], ""),
        (
            Grain("year"),
            MART.grain,
            ["sharing.finest.time"],
            "leaves by year at the finest, and mobility.works_sites is",
        ),
        (Grain("year", "epci"), MART.grain, ["sharing.finest.time", "sharing.finest.space"], "by commune"),
        (Grain("hour"), Grain(), ["sharing.finest.time"], "does not say its grain of time"),
    ],
)
def test_too_fine_a_grain_is_refused(finest: Grain, grain: Grain, clauses: list[str], words: str):
    limited = replace(OPEN, finest=finest)
    verdict = judged(origin(), orders=limited, mart=replace(MART, grain=grain))
    assert [breach.clause for breach in verdict.breaches] == clauses
    assert words in " ".join(breach.sentence for breach in verdict.breaches)
    assert not judged(origin(), orders=limited, mart=replace(MART, grain=grain), audience="internal").breaches


def test_what_may_not_leave_is_said_before_the_licence_that_it_has():
    verdict = judged(origin(), orders=LENT, licences={"open_works": "ODbL-1.0"})
    assert [breach.clause for breach in verdict.breaches] == ["sharing.leaves.public", "licence"]


def test_an_impossible_licence_names_two_sources_and_their_columns():
    breach = only(judged(origin(), licences={"orders": "LicenseRef-orders", "open_works": "ODbL-1.0"}))
    assert breach.clause == "licence"
    assert "open_works (ODbL-1.0) and orders (LicenseRef-orders) have licences that cannot meet" in breach.sentence
    assert "the column events comes from open_works.events" in breach.sentence
    assert "the column street comes from orders.adresse" in breach.sentence


def test_a_claim_that_a_source_does_not_allow_is_refused():
    breach = only(judged(origin(), licences={"orders": "ODbL-1.0"}))
    assert breach.clause == "licence" and breach.source == "orders"
    assert "ODbL-1.0 does not allow etalab-2.0: all its sources together allow ODbL-1.0" in breach.sentence
    assert not judged(origin(), licences={"orders": "ODbL-1.0"}, card={"licence": "ODbL-1.0"}).breaches
    both = only(judged(origin(), card={"licence": "LicenseRef-internal"}))
    assert "does not allow LicenseRef-internal, nor do those of orders: all" in both.sentence


@pytest.mark.parametrize(
    ("audience", "licences", "claimed"),
    [
        ("internal", {"orders": "LicenseRef-orders", "open_works": "ODbL-1.0"}, "LicenseRef-internal"),
        ("partner-port", {"orders": "LicenseRef-orders"}, "LicenseRef-partner"),
        ("partner-port", {}, "etalab-2.0"),
        ("partner-port", {"orders": "LicenseRef-orders", "open_works": "ODbL-1.0"}, None),
        ("partner-port", {"orders": "ODbL-1.0"}, None),
    ],
)
def test_what_a_release_claims_for_others_than_the_public(audience: str, licences: dict[str, str], claimed: str | None):
    verdict = judged(origin(), audience=audience, licences=licences)
    assert bool(verdict.breaches) == (claimed is None)
    assert claimed is None or verdict.licence == claimed


def test_a_card_that_the_public_never_sees_claims_no_licence_for_a_partner():
    verdict = judged(origin(), audience="partner-port", card={"licence": "LicenseRef-internal"})
    assert not verdict.breaches and verdict.licence == "LicenseRef-partner"


def test_a_model_that_could_not_be_read_is_named():
    sentence = "int_works__announced could not be read."
    breach = only(judged(origin(column="*"), orders=LENT, untraced=(sentence,)))
    assert breach.sentence.endswith(f"(sharing.leaves.public in cards/orders.yml). {sentence}")


def test_a_column_without_lineage_comes_from_everything():
    verdict = judged(orders=LENT, card={"columns": ("street", "lost")})
    assert (only(verdict).column, only(verdict).source) == ("lost", "orders")


AGGREGATES = replace(LENT, leaves=dict.fromkeys(AUDIENCES, "aggregates"))


def test_aggregates_leave_only_by_declassification():
    breach = only(judged(origin(), orders=AGGREGATES))
    assert "lets only aggregates leave for public, and the card declassifies none" in breach.sentence
    assert not judged(origin(), orders=AGGREGATES, card={"declassify": (ENTRY,)}).breaches


def test_a_declassification_frees_from_licence_and_class_and_is_proved():
    personal = {("orders", "adresse"): "indirect"}
    licences = {"orders": "LicenseRef-orders"}
    verdict = judged(origin(), orders=AGGREGATES, card={"declassify": (ENTRY,)}, personal=personal, licences=licences)
    assert not verdict.breaches and verdict.licence == "etalab-2.0"
    assert verdict.declassified == (
        {
            "sources": ["orders"],
            "grain": {"time": "month", "space": "commune"},
            "mart_grain": {"time": "month", "space": "commune", "category": "all"},
            "rules": [{"rule": "minimum", "column": "events", "at_least": 5}],
            "why_fr": "Parce que.",
            "why_en": "Because.",
        },
    )


def test_a_family_is_declassified_at_once():
    entry = replace(ENTRY, sources=(), family="works")
    assert not judged(origin(), orders=AGGREGATES, card={"declassify": (entry,)}).breaches
    assert judged(origin(), orders=AGGREGATES, card={"declassify": (replace(entry, family="jams"),)}).breaches


@pytest.mark.parametrize(
    ("entry", "clause", "words"),
    [
        (replace(ENTRY, rules=()), "declassify.rules", "declassified without a rule"),
        (replace(ENTRY, grain=Grain("year")), "declassify.grain.time", "declassified by year, and"),
        (
            replace(ENTRY, rules=({"rule": "minimum", "column": "vehicles", "at_least": 5},)),
            "declassify.rules",
            "has no column 'vehicles'",
        ),
    ],
)
def test_a_declassification_that_does_not_protect_is_refused(entry: Declassification, clause: str, words: str):
    breach = only(judged(origin(), orders=AGGREGATES, card={"declassify": (entry,)}))
    assert breach.clause == clause and words in breach.sentence
    assert "in exports/mobility/works_sites.yml)" in breach.sentence


def test_a_declassification_does_not_open_what_may_not_leave_nor_what_is_too_fine():
    assert only(judged(origin(), orders=LENT, card={"declassify": (ENTRY,)})).clause == "sharing.leaves.public"
    limited = replace(AGGREGATES, finest=Grain("year"))
    assert only(judged(origin(), orders=limited, card={"declassify": (ENTRY,)})).clause == "sharing.finest.time"


SECRECY = Secrecy(
    source="source",
    axes=(Axis("street"),),
    figures=(Figure("events", "note"),),
    contributors="merchants",
    frequency="events",
    largest=("events",),
)
FEW = SecrecyRule("minimum_frequency", {"of": "merchants", "at_least": 3})


def under_secrecy(*rules: SecrecyRule, secrecy: Secrecy | None = SECRECY, **changes: Any) -> Verdict:
    """Return the verdict on aggregates under ``rules``, let out by a card whose block ``secrecy`` is given."""
    secret = replace(AGGREGATES, secrecy=rules)
    return judged(origin(), orders=secret, card={"declassify": (ENTRY,), "secrecy": secrecy}, **changes)


def test_figures_under_secrecy_leave_only_as_a_card_protects_them():
    breach = only(under_secrecy(FEW, SecrecyRule("dominance", {"n": 1, "k_pct": 85}), secrecy=None))
    assert breach.clause == "secrecy"
    told = (
        "under secrecy (minimum_frequency, dominance), and the card does not say how they are protected (field secrecy)"
    )
    assert told in breach.sentence and "sharing.secrecy in" in breach.sentence
    assert "85" not in breach.sentence, "the parameters of secrecy are never told"
    assert not under_secrecy(FEW, secrecy=None, audience="internal").breaches
    assert not under_secrecy(FEW, SecrecyRule("dominance", {"n": 1, "k_pct": 85})).breaches


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (
            SecrecyRule("minimum_frequency", {"of": "cards", "at_least": 11}),
            "no column of the card's secrecy counts cards",
        ),
        (
            SecrecyRule("p_percent", {"p_pct": 7}),
            "too few columns of the card's secrecy tell the largest contributions",
        ),
        (SecrecyRule("dominance", {"n": 2, "k_pct": 85}), "too few columns of the card's secrecy tell"),
        (SecrecyRule("holdings", {"by": "owner"}), "the rule holdings is for the rows of contributors"),
    ],
)
def test_a_rule_that_the_card_cannot_apply_keeps_the_figures_in(rule: SecrecyRule, why: str):
    breach = only(under_secrecy(rule))
    assert breach.clause == "secrecy" and why in breach.sentence
    assert not {"11", "7", "85"} & set(breach.sentence.split())


def test_a_column_to_protect_by_is_in_the_mart_and_figures_tell_whose_they_are():
    lacking = only(under_secrecy(FEW, secrecy=replace(SECRECY, frequency="merchants")))
    assert "mobility.works_sites has no column 'merchants' to protect them by" in lacking.sentence
    figures = replace(SECRECY, figures=(Figure("street", "note"),))
    mixed = only(under_secrecy(FEW, secrecy=figures))
    assert "the column source does not tell whose the figures of street are" in mixed.sentence
    secret = replace(AGGREGATES, secrecy=(FEW,))
    told = {"declassify": (ENTRY,), "secrecy": figures}
    assert not judged(origin(teller="source"), orders=secret, card=told).breaches


def test_two_datasets_of_the_same_figures_are_audited_together_or_the_second_stays_in():
    same = replace(CARD, slug="autres-chantiers", secrecy=SECRECY)
    other = replace(same, secrecy=replace(SECRECY, axes=(Axis("quarter"),)))
    assert not under_secrecy(FEW, others={"orders": [same]}).breaches
    breach = only(under_secrecy(FEW, others={"orders": [other]}))
    assert "they leave through autres-chantiers already, on other axes" in breach.sentence
    assert not under_secrecy(FEW, others={"orders": [replace(other, slug="zones")]}).breaches, (
        "the first by name leaves"
    )


def test_rules_of_secrecy_that_are_not_agreed_on_declassify_nothing():
    entry = replace(ENTRY, rules=({"rule": "secrecy"},))
    breach = only(judged(origin(), orders=AGGREGATES, card={"declassify": (entry,), "secrecy": SECRECY}))
    assert breach.clause == "declassify.rules" and "its agreement has none" in breach.sentence
