"""Agreements: what a card may say, what is refused with its line and field, and what follows."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from orchestration.project import card_folders
from raw_sources.agreements import CLOSED, GRAINS, Agreement, Grain, SecrecyRule
from raw_sources.card import Card, load_cards, read_card
from raw_sources.errors import ConfigurationError
from tests.unit.test_card import CARD, swap, write

EVERYTHING = "{internal: everything, partner: everything, public: everything}"
OPEN = f"      sharing: {{leaves: {EVERYTHING}, terms: Open data., until: null}}"
LENT = """      sharing:
        leaves: {internal: everything, partner: aggregates, public: nothing, partner-port: everything}
        finest: {time: month, space: commune, category: naf2}
        secrecy:
          - {rule: minimum_frequency, of: merchants, at_least: 3}
          - {rule: dominance, n: 1, k_pct: 85}
          - {rule: p_percent, p_pct: 10}
          - {rule: pq, p_pct: 10, q_pct: 50}
          - {rule: holdings, by: siren_group}
        purpose: To follow trade.
        terms: >-
          Under the convention
          of 2026.
        until: "2026-06-30"
"""
TODAY = date(2026, 6, 30)


def card(folder: Path, sharing: str = LENT, text: str = CARD) -> Card:
    return read_card(write(folder, swap(OPEN + "\n", sharing, text)))


def test_an_agreement_is_read_whole(tmp_path: Path):
    agreement = card(tmp_path).agreement
    assert agreement == Agreement(
        leaves={"internal": "everything", "partner": "aggregates", "public": "nothing", "partner-port": "everything"},
        finest=Grain("month", "commune", "naf2"),
        secrecy=(
            SecrecyRule("minimum_frequency", {"of": "merchants", "at_least": 3}),
            SecrecyRule("dominance", {"n": 1, "k_pct": 85}),
            SecrecyRule("p_percent", {"p_pct": 10}),
            SecrecyRule("pq", {"p_pct": 10, "q_pct": 50}),
            SecrecyRule("holdings", {"by": "siren_group"}),
        ),
        purpose="To follow trade.",
        terms="Under the convention of 2026.",
        until=date(2026, 6, 30),
    )
    assert agreement.where.endswith("ville_compteurs.yml")


@pytest.mark.parametrize(
    ("audience", "today", "word"),
    [
        ("internal", TODAY, "everything"),
        ("public", TODAY, "nothing"),
        ("partner-office", TODAY, "aggregates"),
        ("partner-port", TODAY, "everything"),
        ("internal", date(2026, 7, 1), "nothing"),
        ("partner-port", date(2026, 7, 1), "nothing"),
    ],
)
def test_what_leaves_for_an_audience_on_a_day(tmp_path: Path, audience: str, today: date, word: str):
    assert card(tmp_path).agreement.allows(audience, today) == word


def test_an_unknown_audience_is_nobody(tmp_path: Path):
    with pytest.raises(KeyError):
        card(tmp_path).agreement.allows("everyone", TODAY)


def test_as_long_as_nothing_is_agreed_nothing_leaves():
    assert {CLOSED.allows(audience, TODAY) for audience in ("internal", "partner-port", "public")} == {"nothing"}


def test_sources_of_one_class_are_withheld_together(tmp_path: Path):
    lent = card(tmp_path).agreement
    reworded = card(tmp_path, LENT.replace("To follow trade.", "To count.")).agreement
    longer = card(tmp_path, LENT.replace("2026-06-30", "2027-06-30")).agreement
    named = card(tmp_path, LENT.replace("public: nothing", "public: nothing, partner-office: aggregates")).agreement
    assert lent.sharing_class == reworded.sharing_class == named.sharing_class != longer.sharing_class


def test_a_declared_licence_opens_the_agreement(tmp_path: Path):
    opened = card(tmp_path, LENT.replace('"2026-06-30"', "null")).agreement.opened("etalab-2.0, declared by the mayor.")
    assert opened.is_open and opened.terms == "etalab-2.0, declared by the mayor."


@pytest.mark.parametrize(
    ("grain", "limit", "axes"),
    [
        (Grain("month", "commune"), Grain("month", "commune"), ()),
        (Grain("hour", "commune"), Grain("day", "street"), ("time",)),
        (Grain("year", "point"), Grain(None, "iris"), ("space",)),
        (Grain(), Grain("hour", None, "naf2"), ("time", "category")),
        (Grain("instant", "point", "record"), Grain(), ()),
    ],
)
def test_axes_on_which_a_grain_is_too_fine(grain: Grain, limit: Grain, axes: tuple[str, ...]):
    assert grain.finer_axes(limit) == axes


REFUSALS = {
    "missing audience": (", public: nothing", "", "sharing.leaves", "'public'"),
    "unknown audience": ("partner-port", "partner_port", "sharing.leaves.partner_port", "no such field"),
    "unknown word": ("partner: aggregates", "partner: some", "sharing.leaves.partner", "'some' is not one of"),
    "unknown grain": ("time: month", "time: fortnight", "sharing.finest.time", "'fortnight' is not one of"),
    "unknown axis": ("time: month", "age: year", "sharing.finest.age", "no such field is known here: age"),
    "unknown rule": ("dominance, n: 1, k_pct: 85", "top, n: 1", "secrecy[1].rule", "'top' is not one of"),
    "unknown parameter": ("of: merchants, at_least: 3", "of: merchants, at_lest: 3", "secrecy[0]", "at_lest"),
    "missing parameter": ("n: 1, k_pct: 85", "n: 1", "secrecy[1]", "a field is missing: 'k_pct'"),
    "parameter of another rule": ("p_pct: 10}", "p_pct: 10, n: 1}", "secrecy[2].n", "no such field is known here: n"),
    "frequency of one": ("at_least: 3", "at_least: 1", "secrecy[0].at_least", "1 is less than the minimum of 2"),
    "what of the uncounted": (
        "at_least: 3",
        "at_least: 3, unknown: kept",
        "secrecy[0].unknown",
        "'kept' is not one of",
    ),
    "more than all": ("k_pct: 85", "k_pct: 185", "secrecy[1].k_pct", "185 is greater than the maximum of 100"),
    "p above q": ("p_pct: 10, q_pct: 50", "p_pct: 60, q_pct: 50", "secrecy[3].p_pct", "p_pct (60) is not below"),
    "bad date": ('"2026-06-30"', '"2026-06-31"', "sharing.until", "'2026-06-31' is not a 'date'"),
    "no purpose": ("        purpose: To follow trade.\n", "", "sharing", "a field is missing: 'purpose'"),
    "public above partners": (
        "public: nothing",
        "public: everything",
        "sharing.leaves.public",
        "aggregates for partner",
    ),
    "partner above internal": (
        "internal: everything",
        "internal: aggregates",
        "sharing.leaves.partner-port",
        "aggregates for internal",
    ),
    "the old form": (
        "        leaves:",
        "        audiences: [internal]\n        leaves:",
        "sharing.audiences",
        "no such field",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_bad_agreement_is_refused_at_its_line_and_field(tmp_path: Path, case: str):
    old, new, field, words = REFUSALS[case]
    text = swap(OPEN + "\n", swap(old, new, LENT))
    with pytest.raises(ConfigurationError) as refused:
        read_card(write(tmp_path, text))
    message = str(refused.value)
    found = re.search(r"ville_compteurs\.yml:(\d+): field \S*" + re.escape(field), message)
    assert found and words in message, message
    line = text.splitlines()[int(found[1]) - 1]
    name = field.rpartition(".")[2]
    assert name in line or "- {rule" in line, line


@pytest.mark.parametrize("field", ["purposes", "categories_of_persons", "recipients", "security_measures", "service"])
def test_a_record_of_personal_data_is_complete(tmp_path: Path, field: str):
    text = re.sub(rf"        {field}: .*\n", "", CARD)
    with pytest.raises(ConfigurationError, match=f"a field is missing: '{field}'"):
        read_card(write(tmp_path, text))


STORED = swap("              never_load: true\n              never_load_reason: It names the agent on duty.\n", "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (swap("retention: P0D", "retention: a year"), "'a year' is not a positive ISO 8601 duration"),
        (swap("max_bytes: 1000000", "max_bytes: 1000000\n        retention: P0D"), "'P0D' is not a positive"),
        (swap("classification: direct", "classification: sensitive"), "denies sensitive data, and note is"),
        (STORED, "erases personal data after P0D, and deliveries are kept without end"),
        (
            swap(
                "retention: P0D", "retention: P1M", swap("max_bytes: 1", "retention: P1Y\n        max_bytes: 1", STORED)
            ),
            "erases personal data after P1M, and deliveries are kept for P1Y",
        ),
    ],
)
def test_a_record_says_what_is_done(tmp_path: Path, text: str, words: str):
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        read_card(write(tmp_path, text))


def test_personal_data_may_be_stored_as_long_as_the_record_says(tmp_path: Path):
    text = swap(
        "retention: P0D", "retention: P1Y", swap("max_bytes: 1", "retention: P12M\n        max_bytes: 1", STORED)
    )
    assert read_card(write(tmp_path, text)).retention == "P12M"


def test_every_agreement_of_the_product_says_why_and_every_mart_how_fine():
    cards = load_cards(card_folders(None))
    assert all(card.agreement.terms for card in cards.values())
    assert all(card.agreement.is_open or card.agreement.purpose for card in cards.values())
    root = Path(__file__).parents[2] / "dbt_project" / "models" / "marts"
    texts = [path.read_text(encoding="utf-8") for path in root.glob("*/*.yml") if "unit_tests" not in path.name]
    grains = [
        re.findall(r"^  - name: \w+\n(?:(?!    columns:).*\n)*?        grain: \{(.*)\}$", text, re.M) for text in texts
    ]
    assert all(
        len(found) == len(re.findall(r"^  - name:", text, re.M)) for found, text in zip(grains, texts, strict=True)
    )
    for said in (one for found in grains for one in found):
        words = dict(part.split(": ") for part in said.split(", "))
        assert all(words[axis] in GRAINS[axis] for axis in GRAINS), said
