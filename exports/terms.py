"""The terms of a release: for which audience, what it is judged by, which rows remain, and the proof kept with it.

The rules of the judgement itself are in ``judgement``; here it is pronounced on a card, and what it leaves is told as
SQL and as a document. Nothing is read or written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

import duckdb

from exports.card import ExportCard
from exports.judgement import Verdict, judge
from exports.lineage import Lineage
from exports.metadata import Mart, SourceNote
from raw_sources.agreements import INTERNAL, Agreement, SecrecyRule
from raw_sources.database import identifier, literal
from raw_sources.errors import GateClosed
from raw_sources.files import canonical_json, sha256_text

Proof = dict[str, Any]
JUDGING, PROTECTING = "lineage and agreements", "protection and audit"
"""What is timed, as the report of a run's time names it."""


def _untimed(_: str) -> AbstractContextManager[None]:
    return nullcontext()


SPELLED = 3
DIGEST_LENGTH = 16


@dataclass(frozen=True)
class Terms:
    """For whom, on which day, the mart's lineage, and what the territory's sources allow.

    ``agreements``, ``licences`` (SPDX) and ``families`` are by source, those that deliver to the territory;
    ``personal`` has the personal class of raw columns, by source and column; ``others`` the cards of other datasets
    that let figures of a source out under secrecy for the same audience. ``timed`` measures the judgement and the
    protection.
    """

    audience: str
    today: date
    lineage: Lineage
    agreements: Mapping[str, Agreement]
    licences: Mapping[str, str]
    personal: Mapping[tuple[str, str], str]
    families: Mapping[str, str | None] = field(default_factory=dict)
    others: Mapping[str, Sequence[ExportCard]] = field(default_factory=dict)
    timed: Callable[[str], AbstractContextManager[None]] = field(default=_untimed, compare=False)


def permit(card: ExportCard, mart: Mart, terms: Terms) -> Verdict:
    """Return what may leave of ``card`` under ``terms``; raises ``GateClosed`` with every breach, the first spelled."""
    with terms.timed(JUDGING):
        verdict = judge(
            card,
            mart,
            terms.lineage,
            terms.agreements,
            terms.licences,
            terms.personal,
            terms.audience,
            terms.today,
            terms.families,
            terms.others,
        )
    if verdict.breaches:
        raise GateClosed(
            f"{card.slug} may not leave for {spoken(terms.audience)}: {_told(verdict)}",
            where=str(card.path),
            hint="Nothing was written. What may leave is under sharing in the cards of the sources.",
        )
    return verdict


def spoken(audience: str) -> str:
    """Return an audience as a sentence names it."""
    names = {"public": "the public", "internal": "the authority itself"}
    return names.get(audience) or f"the partner {audience.removeprefix('partner-')}"


def _told(verdict: Verdict) -> str:
    sentences = list(dict.fromkeys(breach.sentence for breach in verdict.breaches))
    others = len(sentences) - SPELLED
    more = f" And {others} more of the kind." if others > 0 else ""
    return " ".join(sentences[:SPELLED]) + more


def rows_that_may_leave(mart: Mart, verdict: Verdict) -> str:
    """Return the SQL relation of the mart's rows that may leave.

    Left out are the rows of withheld sources, as the teller columns say, and those below a minimum of a
    declassification.
    """
    return _where(mart.relation, [*_not_of(verdict.withheld), *_minimums(verdict)])


def rows_without(relation: str, withheld: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Return the SQL relation of the rows in which no teller column names its source."""
    return _where(relation, _not_of(withheld))


def _not_of(withheld: Iterable[tuple[str, Sequence[str]]]) -> list[str]:
    tellers: dict[str, set[str]] = {}
    for source, columns in withheld:
        for column in columns:
            tellers.setdefault(column, set()).add(source)
    # A row that names nobody there owes nothing to the source.
    return [
        f"coalesce({identifier(column)} NOT IN ({', '.join(map(literal, sorted(sources)))}), true)"
        for column, sources in sorted(tellers.items())
    ]


def _minimums(verdict: Verdict) -> list[str]:
    return [condition for entry in verdict.declassified for condition in _minimums_of(entry)]


def _minimums_of(entry: Mapping[str, Any]) -> list[str]:
    # What is unknown cannot be shown to reach the minimum.
    return [
        f"coalesce({identifier(rule['column'])} >= {rule['at_least']}, false)"
        for rule in entry.get("rules", ())
        if rule["rule"] == "minimum"
    ]


def rules_of_secrecy(card: ExportCard, verdict: Verdict, terms: Terms) -> dict[str, tuple[SecrecyRule, ...]]:
    """Return the rules of secrecy of the sources whose figures leave, by source; the authority itself has none."""
    if terms.audience == INTERNAL:
        return {}
    rules = {source: terms.agreements[source].secrecy for source in remaining_sources(card, verdict, terms)}
    return {source: given for source, given in rules.items() if given}


def _where(relation: str, conditions: Sequence[str]) -> str:
    return f"(SELECT * FROM {relation} WHERE {' AND '.join(conditions)})" if conditions else relation


def proof_of(
    connection: duckdb.DuckDBPyConnection, card: ExportCard, mart: Mart, terms: Terms, verdict: Verdict
) -> Proof:
    """Return why this content may leave, to be kept with it: sources and their agreements, lineage, declassification.

    Agreements and lineage are told by their digests. What stays in is not named, and no parameter of a secrecy rule is
    in anything told. No date is: a proof changes with what it proves.
    """
    return {
        "audience": terms.audience,
        "licence": verdict.licence,
        "lineage": lineage_digest(terms.lineage, card.columns),
        "sources": [
            {
                "source": source,
                "licence": terms.licences[source],
                "allows": terms.agreements[source].allows(terms.audience, terms.today),
                "agreement": agreement_digest(terms.agreements[source]),
            }
            for source in remaining_sources(card, verdict, terms)
        ],
        "declassified": [
            {**entry, "rows_left_out": _rows_below(connection, mart, verdict, entry)} for entry in verdict.declassified
        ],
    }


def _rows_below(connection: duckdb.DuckDBPyConnection, mart: Mart, verdict: Verdict, entry: Mapping[str, Any]) -> int:
    minimums = _minimums_of(entry)
    if not minimums:
        return 0
    kept = rows_without(mart.relation, verdict.withheld)
    query = f"SELECT count(*) FROM {kept} WHERE NOT ({' AND '.join(minimums)})"
    return int(connection.execute(query).fetchall()[0][0])


def agreement_digest(agreement: Agreement) -> str:
    """Return the digest of an agreement as it may be told: of its secrecy rules the names alone.

    A parameter is a small number: whoever has the rest could find it by trying.
    """
    said = asdict(agreement)
    said["secrecy"] = [rule.rule for rule in agreement.secrecy]
    said["until"] = agreement.until.isoformat() if agreement.until else None
    del said["where"]
    return sha256_text(canonical_json(said))[:DIGEST_LENGTH]


def lineage_digest(lineage: Lineage, columns: Sequence[str]) -> str:
    """Return the digest of where the published columns come from."""
    origins = {
        name: sorted([one.source, one.column, one.kind, one.teller or ""] for one in lineage.columns.get(name, ()))
        for name in columns
    }
    return sha256_text(canonical_json([origins, list(lineage.untraced)]))[:DIGEST_LENGTH]


def credited(sources: Sequence[SourceNote], card: ExportCard, verdict: Verdict, terms: Terms) -> tuple[SourceNote, ...]:
    """Return the notes of the sources whose content leaves: what stays in is not even named."""
    remaining = remaining_sources(card, verdict, terms)
    return tuple(note for note in sources if note.source in remaining)


def remaining_sources(card: ExportCard, verdict: Verdict, terms: Terms) -> list[str]:
    """Return the sources of the published columns whose rows are not left out, sorted.

    A column of which nothing is known comes from all, as in the judgement.
    """
    withheld = {source for source, _ in verdict.withheld}
    named: set[str] = set()
    for name in card.columns:
        known = terms.lineage.columns.get(name)
        named |= set(terms.agreements) if known is None else {origin.source for origin in known}
    return sorted((named & set(terms.agreements)) - withheld)
