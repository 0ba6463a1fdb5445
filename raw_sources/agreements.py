"""The agreement under which a producer lends a dataset: what may leave, for whom, how fine, under which secrecy.

It is the block ``sharing`` of a source card. Here: its values, and what follows from them alone. Which column of an
export comes from which source is traced in ``exports.lineage``, and judged against agreements in ``exports.judgement``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any

from raw_sources.documents import Document, Field
from raw_sources.files import canonical_json, sha256_text

NOTHING, AGGREGATES, EVERYTHING = LEAVES = ("nothing", "aggregates", "everything")
INTERNAL, PARTNER, PUBLIC = AUDIENCES = ("internal", "partner", "public")
TIME_GRAINS = ("instant", "quarter_hour", "half_hour", "hour", "day", "week", "month", "quarter", "year")
SPACE_GRAINS = ("point", "street", "iris", "district", "commune", "epci", "department", "region", "country")
CATEGORY_GRAINS = ("record", "naf5", "naf4", "naf3", "naf2", "naf1", "sector", "all")
GRAINS = {"time": TIME_GRAINS, "space": SPACE_GRAINS, "category": CATEGORY_GRAINS}


@dataclass(frozen=True)
class Grain:
    """How fine figures are on each axis, by a word of ``GRAINS`` (fine to coarse); None: not said."""

    time: str | None = None
    space: str | None = None
    category: str | None = None

    def finer_axes(self, limit: Grain) -> tuple[str, ...]:
        """Return the axes on which this grain is finer than ``limit``, or says nothing where ``limit`` does."""
        return tuple(
            axis for axis, words in GRAINS.items() if _is_finer(words, getattr(self, axis), getattr(limit, axis))
        )


UNSAID = Grain()


@dataclass(frozen=True)
class SecrecyRule:
    """A rule of statistical secrecy; its ``parameters`` are never published."""

    rule: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Agreement:
    """What a producer allows. ``leaves`` goes from audience to a word of ``LEAVES``; past ``until`` nothing leaves.

    ``finest`` bounds what leaves to partners and to the public. ``where`` is the card's file, for messages.
    """

    leaves: dict[str, str]
    finest: Grain
    secrecy: tuple[SecrecyRule, ...]
    purpose: str | None
    terms: str
    until: date | None
    where: str = field(default="", compare=False)

    def allows(self, audience: str, today: date) -> str:
        """Return what may leave for ``audience`` (internal, public, partner-<name>): a word of ``LEAVES``."""
        return NOTHING if self.is_expired(today) else self.leaves[self.clause(audience)]

    @property
    def is_open(self) -> bool:
        """Tell whether everything leaves for the public, without end."""
        return self.leaves[PUBLIC] == EVERYTHING and self.until is None

    def clause(self, audience: str) -> str:
        """Return the entry of ``leaves`` that rules ``audience``: its own, or that of all partners."""
        if audience in self.leaves:
            return audience
        if audience.startswith(f"{PARTNER}-"):
            return PARTNER
        raise KeyError(audience)

    def is_expired(self, today: date) -> bool:
        """Tell whether the agreement has ended; it holds through its last day."""
        return self.until is not None and today > self.until

    @property
    def sharing_class(self) -> str:
        """Return a short hash: two sources of one class are withheld from the same audiences at the same time."""
        leaves = {name: word for name, word in self.leaves.items() if word != self.leaves[PARTNER] or name in AUDIENCES}
        rules = [asdict(rule) for rule in self.secrecy]
        held = {"leaves": leaves, "finest": asdict(self.finest), "secrecy": rules, "until": str(self.until)}
        return sha256_text(canonical_json(held))[:12]

    def opened(self, terms: str) -> Agreement:
        """Return the agreement once an authority has declared an open licence: everything leaves, under ``terms``."""
        return replace(self, leaves=dict.fromkeys(AUDIENCES, EVERYTHING), terms=terms)


CLOSED = Agreement(dict.fromkeys(AUDIENCES, NOTHING), UNSAID, (), None, "", None)
"""What is agreed on as long as nothing is."""


def agreement_of(sharing: dict[str, Any], where: str) -> Agreement:
    """Return the agreement of a block ``sharing`` that follows the schema of cards."""
    until = sharing.get("until")
    return Agreement(
        leaves=dict(sharing["leaves"]),
        finest=Grain(**sharing.get("finest", {})),
        secrecy=tuple(_rule(entry) for entry in sharing.get("secrecy", ())),
        purpose=_one_line(sharing.get("purpose")),
        terms=" ".join(sharing["terms"].split()),
        until=date.fromisoformat(until) if until else None,
        where=where,
    )


def check_agreement(document: Document, place: Field, sharing: dict[str, Any]) -> None:
    """Raise ``ConfigurationError`` (file, line, field) for what the schema cannot see.

    Nobody sees less than the public, nor a partner more than the authority; a (p, q) rule has p below q.
    """
    leaves = sharing["leaves"]
    for audience, word in leaves.items():
        for other, hint in _bounds(audience):
            if LEAVES.index(word) > LEAVES.index(leaves[other]):
                what = f"{word} leaves for {audience}, and {leaves[other]} for {other}."
                raise document.problem((*place, "leaves", audience), what, hint)
    for index, entry in enumerate(sharing.get("secrecy", ())):
        if entry["rule"] == "pq" and entry["p_pct"] >= entry["q_pct"]:
            what = f"p_pct ({entry['p_pct']}) is not below q_pct ({entry['q_pct']})."
            raise document.problem((*place, "secrecy", index, "p_pct"), what, "p: known after; q: known before.")


def is_at_least(words: Sequence[str], coarse: str, fine: str) -> bool:
    """Tell whether ``coarse`` is as coarse as ``fine``, both among ``words`` (fine to coarse)."""
    return words.index(coarse) >= words.index(fine)


def _bounds(audience: str) -> list[tuple[str, str]]:
    if audience == INTERNAL:
        return []
    if audience == PUBLIC:
        hint = "What the public sees, partners and the authority see: give the audiences in that order."
        return [(PARTNER, hint), (INTERNAL, hint)]
    return [(INTERNAL, "A partner does not see more than the authority itself.")]


def _rule(entry: dict[str, Any]) -> SecrecyRule:
    return SecrecyRule(entry["rule"], {name: value for name, value in entry.items() if name != "rule"})


def _is_finer(words: Sequence[str], actual: str | None, limit: str | None) -> bool:
    return limit is not None and (actual is None or words.index(actual) < words.index(limit))


def _one_line(text: str | None) -> str | None:
    return " ".join(text.split()) if text else None
