"""The judgement of a release: may an export card, for an audience, on a day, let out what its mart was made with?

Pure: the lineage of the mart's columns, the agreements of the sources and the licence table go in, a verdict comes out.
What cannot be told is judged as if it came from everything. What a verdict does to a release is in ``terms``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

from exports.card import Declassification, ExportCard
from exports.licences import NAMED, binding, meet, outputs_of
from exports.lineage import RECORD, UNTOLD, Lineage, Origin
from exports.metadata import Mart
from exports.secrecy import Secrecy
from raw_sources.agreements import AGGREGATES, CLOSED, EVERYTHING, INTERNAL, PUBLIC, Agreement

INTERNAL_LICENCE = "LicenseRef-internal"
PARTNER_LICENCE = "LicenseRef-partner"
SEED = "seed:"
SEEDED = replace(CLOSED, leaves=CLOSED.leaves | {INTERNAL: EVERYTHING})
"""What is agreed on for a seed, of which no card says anything: the authority keeps it."""
PERSONAL_CLASSES = ("none", "indirect", "direct", "sensitive")
Used = Mapping[str, Mapping[str, list[Origin]]]


@dataclass(frozen=True)
class Breach:
    """What may not leave: a published column, the source that forbids it, the clause, the way back to the raw column.

    ``clause`` is a field of the source's card (``sharing.until``, ``sharing.leaves.public``), of the export card
    (``declassify.grain.time``), or ``secrecy``, ``personal``, ``licence``.
    """

    column: str
    source: str
    clause: str
    path: tuple[str, ...]
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """Either ``breaches``, or what leaves.

    ``withheld`` are the sources whose rows are left out, each with the columns that tell them, and ``because`` says by
    which clauses. ``licence`` is what the release may claim. ``declassified`` are the entries of the card that were
    used, with the mart's grain.
    """

    breaches: tuple[Breach, ...]
    withheld: tuple[tuple[str, tuple[str, ...]], ...]
    licence: str
    declassified: tuple[dict[str, Any], ...]
    because: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Case:
    """All that is judged. ``used`` goes from published column to source to origins, those that say most first."""

    card: ExportCard
    mart: Mart
    used: Used
    untraced: tuple[str, ...]
    agreements: Mapping[str, Agreement]
    licences: Mapping[str, str]
    personal: Mapping[tuple[str, str], str]
    families: Mapping[str, str | None]
    audience: str
    today: date
    others: Mapping[str, Sequence[ExportCard]]

    def allows(self, source: str) -> str:
        return self.agreements[source].allows(self.audience, self.today)

    def entry(self, source: str) -> Declassification | None:
        """Return how the card declassifies a source of which aggregates may leave, None when it does not."""
        if self.allows(source) != AGGREGATES:
            return None
        return next((one for one in self.card.declassify if one.names(source, self.families.get(source))), None)

    def leaves(self, source: str) -> bool:
        return self.allows(source) == EVERYTHING or self.entry(source) is not None

    @property
    def remaining(self) -> list[str]:
        """Return the sources of which something leaves."""
        sources = {source for origins in self.used.values() for source in origins}
        return sorted(filter(self.leaves, sources))

    def first(self, source: str) -> tuple[str, Origin]:
        """Return the first published column made with a source, and how."""
        return next((name, self.used[name][source][0]) for name in self.card.columns if source in self.used[name])


def judge(
    card: ExportCard,
    mart: Mart,
    lineage: Lineage,
    agreements: Mapping[str, Agreement],
    licences: Mapping[str, str],
    personal: Mapping[tuple[str, str], str],
    audience: str,
    today: date,
    families: Mapping[str, str | None] | None = None,
    others: Mapping[str, Sequence[ExportCard]] | None = None,
) -> Verdict:
    """Judge what ``card`` would let out of ``mart`` for ``audience`` (public, internal, partner-<name>).

    Breaches come rule by rule (what leaves, declassification, secrecy, persons, grain, licence), in the order of the
    columns.
    ``agreements`` and ``licences`` (SPDX) are those of the sources that deliver to the territory: no other is judged.
    ``personal`` has the class of the raw columns that are loaded; ``families`` the family of each source; ``others``
    the cards of other datasets that let its figures out under secrecy.
    """
    agreements = {**agreements, **_seeded(lineage)}
    used = {name: _by_source(_origins(name, mart, lineage, agreements)) for name in card.columns}
    told = families or {}, audience, today, others or {}
    case = _Case(card, mart, used, lineage.untraced, agreements, licences, personal, *told)
    rules = (_leaving, _declassifying, _secret, _persons, _grains, _licence)
    breaches = [breach for rule in rules for breach in rule(case)]
    withheld = _withheld(case)
    because = tuple(_because(case, source) for source, _ in withheld)
    return Verdict(tuple(breaches), withheld, _claimed(case), _proof(case), because)


def _seeded(lineage: Lineage) -> dict[str, Agreement]:
    sources = {origin.source for origins in lineage.columns.values() for origin in origins}
    return {source: SEEDED for source in sources if source.startswith(SEED)}


def _origins(name: str, mart: Mart, lineage: Lineage, agreements: Mapping[str, Agreement]) -> list[Origin]:
    """Return the origins of a published column among the territory's sources; of one that is not traced, all."""
    known = lineage.columns.get(name)
    if known is not None:
        return [origin for origin in known if origin.source in agreements]
    return [Origin(source, UNTOLD, "value", None, (source, f"{mart.relation}.{name}")) for source in agreements]


def _by_source(origins: Iterable[Origin]) -> dict[str, list[Origin]]:
    """Return origins by source: values first, then producers' columns before ours, then short ways before long ones."""

    def order(one: Origin) -> tuple[Any, ...]:
        return one.kind != "value", one.column.startswith("_"), len(one.path), one.path, one.teller or ""

    found: dict[str, list[Origin]] = {}
    for origin in sorted(origins, key=order):
        found.setdefault(origin.source, []).append(origin)
    return dict(sorted(found.items()))


def _leaving(case: _Case) -> Iterator[Breach]:
    """What the agreements forbid, but where a column of the mart tells which rows to leave out."""
    forbidden = {source for origins in case.used.values() for source in origins if not case.leaves(source)}
    for name, by_source in case.used.items():
        for source in (source for source in by_source if source in forbidden):
            mixed = next((one for one in by_source[source] if not _is_told(case, one)), None)
            if mixed is not None:
                yield _breach(case, name, mixed, *_forbidding(case, source))


def _forbidding(case: _Case, source: str) -> tuple[str, str]:
    agreement, audience = case.agreements[source], case.audience
    if agreement is SEEDED:
        return "sharing", "a seed of which no card says what may leave: make it a source"
    if agreement.is_expired(case.today):
        return "sharing.until", f"whose agreement ended on {agreement.until}: nothing leaves any more"
    clause = f"sharing.leaves.{agreement.clause(audience)}"
    if case.allows(source) == AGGREGATES:
        return clause, f"whose agreement lets only aggregates leave for {audience}, and the card declassifies none"
    return clause, f"whose agreement lets nothing leave for {audience}"


def _declassifying(case: _Case) -> Iterator[Breach]:
    """Entries of the card that do not protect what they let out."""
    for source in case.remaining:
        entry = case.entry(source)
        for clause, why in _unprotected(case, source, entry) if entry else ():
            yield _breach(case, *case.first(source), clause, why)


def _unprotected(case: _Case, source: str, entry: Declassification) -> Iterator[tuple[str, str]]:
    for axis in case.mart.grain.finer_axes(entry.grain):
        said = getattr(entry.grain, axis)
        yield f"declassify.grain.{axis}", f"declassified by {said}, and {_grain_of(case.mart, axis)}"
    if not entry.rules:
        yield "declassify.rules", "declassified without a rule"
    for rule in entry.rules:
        if rule["rule"] == "minimum" and case.mart.column(rule["column"]) is None:
            lacking = f"{case.mart.relation} has no column {rule['column']!r}"
            yield "declassify.rules", f"declassified by a rule that cannot be applied: {lacking}"
    if any(rule["rule"] == "secrecy" for rule in entry.rules) and not case.agreements[source].secrecy:
        yield "declassify.rules", "declassified by its rules of secrecy, and its agreement has none"


def _secret(case: _Case) -> Iterator[Breach]:
    """Figures under secrecy leave for nobody else, but emptied and audited as the card says."""
    for source in case.remaining if case.audience != INTERNAL else ():
        rules = case.agreements[source].secrecy
        for why in _unprotectable(case, source) if rules else ():
            named = ", ".join(rule.rule for rule in rules)
            yield _breach(case, *case.first(source), "secrecy", f"whose figures are under secrecy ({named}), and {why}")


def _unprotectable(case: _Case, source: str) -> Iterator[str]:
    secrecy = case.card.secrecy
    if secrecy is None:
        yield "the card does not say how they are protected (field secrecy)"
        return
    yield from secrecy.unmet(case.agreements[source].secrecy)
    yield from _mixed_figures(case, source, secrecy)
    for other in case.others.get(source, ()):
        # Of two that cannot be audited together, the first by name leaves.
        if other.slug < case.card.slug and other.secrecy and not secrecy.is_audited_with(other.secrecy):
            yield f"they leave through {other.slug} already, on other axes: what both tell together is not audited"
    lacking = [name for name in secrecy.needed if case.mart.column(name) is None]
    if lacking:
        yield f"{case.mart.relation} has no column {lacking[0]!r} to protect them by"


def _mixed_figures(case: _Case, source: str, secrecy: Secrecy) -> Iterator[str]:
    """Figures are protected source by source: a column has to tell whose they are."""
    for figure in secrecy.figures:
        origins = case.used.get(figure.value, {}).get(source, ())
        if any(one.kind == "value" and one.teller != secrecy.source for one in origins):
            yield f"the column {secrecy.source} does not tell whose the figures of {figure.value} are"
            return


def _persons(case: _Case) -> Iterator[Breach]:
    """Values of personal columns leave for nobody else, but declassified."""
    if case.audience == INTERNAL:
        return
    exposed = {source for source in case.remaining if case.entry(source) is None}
    for name, by_source in case.used.items():
        for origin in (one for source, origins in by_source.items() if source in exposed for one in origins):
            kind = _personal_class(case, origin) if origin.kind == "value" else "none"
            if kind != "none":
                yield _breach(case, name, origin, "personal", f"which is classed as personal data ({kind})")


def _personal_class(case: _Case, origin: Origin) -> str:
    """Return the class of a raw column; of one that cannot be told, the worst of its source."""
    if origin.column != UNTOLD:
        return case.personal.get((origin.source, origin.column), "none")
    classes = (kind for (source, _), kind in case.personal.items() if source == origin.source)
    return max(classes, key=PERSONAL_CLASSES.index, default="none")


def _grains(case: _Case) -> Iterator[Breach]:
    """What is finer than an agreement lets leave for anybody else."""
    for source in case.remaining if case.audience != INTERNAL else ():
        finest = case.agreements[source].finest
        for axis in case.mart.grain.finer_axes(finest):
            why = f"which leaves by {getattr(finest, axis)} at the finest, and {_grain_of(case.mart, axis)}"
            yield _breach(case, *case.first(source), f"sharing.finest.{axis}", why)


def _grain_of(mart: Mart, axis: str) -> str:
    grain = getattr(mart.grain, axis)
    return f"{mart.relation} is by {grain}" if grain else f"{mart.relation} does not say its grain of {axis}"


def _licence(case: _Case) -> Iterator[Breach]:
    """What leaves is published under the card's licence: the licences of all its sources have to allow it."""
    bound = _bound(case)
    meeting = meet(bound)
    if meeting.clash:
        name, origin = case.first(meeting.clash[0])
        yield Breach(name, origin.source, "licence", _outwards(origin), _impossible(case, meeting.clash))
    elif _claims(case):
        refusing = binding(bound, case.card.licence)
        if refusing:
            yield _breach(case, *case.first(refusing[0]), "licence", _unclaimable(case, refusing, meeting.outputs))


def _unclaimable(case: _Case, refusing: tuple[str, ...], allowed: tuple[str, ...]) -> str:
    others = f", nor do those of {', '.join(refusing[1:])}" if refusing[1:] else ""
    own = f"whose licence {case.licences[refusing[0]]} does not allow {case.card.licence}{others}"
    return f"{own}: all its sources together allow {' or '.join(allowed)}"


def _impossible(case: _Case, clash: tuple[str, ...]) -> str:
    parties = " and ".join(f"{source} ({case.licences[source]})" for source in clash)
    ways = " and ".join(f"the column {name} {_comes_from(origin)}" for name, origin in map(case.first, clash))
    what = "licences that cannot meet in one dataset" if len(clash) > 1 else "a licence under which nothing is open"
    return f"{case.card.slug}: {parties} have {what}: {ways} ({NAMED})."


def _bound(case: _Case) -> dict[str, str]:
    """Return the licences that bind what leaves: aggregates that are declassified are no part of a source's database.

    For the authority itself none does; for a partner, restricted terms are a matter of what leaves, and bind only where
    they meet a licence that keeps itself.
    """
    if case.audience == INTERNAL:
        return {}
    licences = {source: case.licences[source] for source in case.remaining if case.entry(source) is None}
    keeping = any(outputs_of(licence) == (licence,) for licence in licences.values())
    if case.audience == PUBLIC or keeping:
        return licences
    return {source: licence for source, licence in licences.items() if outputs_of(licence)}


def _claims(case: _Case) -> bool:
    """Tell whether the release claims the card's licence: always for the public, else where nothing is restricted."""
    if case.audience in (PUBLIC, INTERNAL):
        return case.audience == PUBLIC
    exposed = (source for source in case.remaining if case.entry(source) is None)
    return case.card.licence != INTERNAL_LICENCE and all(outputs_of(case.licences[source]) for source in exposed)


def _claimed(case: _Case) -> str:
    if _claims(case):
        return case.card.licence
    return INTERNAL_LICENCE if case.audience == INTERNAL else PARTNER_LICENCE


def _withheld(case: _Case) -> tuple[tuple[str, tuple[str, ...]], ...]:
    leaving = set(case.remaining)
    tellers: dict[str, set[str]] = {}
    for by_source in case.used.values():
        for source in by_source.keys() - leaving:
            told = {one.teller for one in by_source[source] if one.teller and _is_told(case, one)}
            tellers.setdefault(source, set()).update(told)
    return tuple((source, tuple(sorted(columns))) for source, columns in sorted(tellers.items()) if columns)


def _because(case: _Case, source: str) -> str:
    clause, why = _forbidding(case, source)
    return f"{source}, {why} ({_place(case, source, clause)})"


def _is_told(case: _Case, origin: Origin) -> bool:
    return origin.teller is not None and case.mart.column(origin.teller) is not None


def _proof(case: _Case) -> tuple[dict[str, Any], ...]:
    """Return the entries that let something out, each with its sources in this mart and the mart's grain."""
    used: dict[int, list[str]] = {}
    for source in case.remaining:
        entry = case.entry(source)
        if entry is not None:
            used.setdefault(case.card.declassify.index(entry), []).append(source)
    return tuple(_proof_of(case, case.card.declassify[index], sources) for index, sources in sorted(used.items()))


def _proof_of(case: _Case, entry: Declassification, sources: list[str]) -> dict[str, Any]:
    return {
        "sources": sources,
        "grain": _said(asdict(entry.grain)),
        "mart_grain": _said(asdict(case.mart.grain)),
        "rules": [dict(rule) for rule in entry.rules],
        "why_fr": entry.why_fr,
        "why_en": entry.why_en,
    }


def _said(grain: Mapping[str, str | None]) -> dict[str, str]:
    return {axis: word for axis, word in grain.items() if word is not None}


def _breach(case: _Case, name: str, origin: Origin, clause: str, why: str) -> Breach:
    """Return the breach with its sentence: column, audience, source, way, clause, and the file that says so."""
    place = _place(case, origin.source, clause)
    untraced = " ".join(["", *case.untraced]) if origin.column == UNTOLD else ""
    sentence = (
        f"{case.card.slug}: the column {name} may not leave for {case.audience}: it {_comes_from(origin)}, "
        f"{why} ({place}).{untraced}"
    )
    return Breach(name, origin.source, clause, _outwards(origin), sentence)


def _comes_from(origin: Origin) -> str:
    way = " <- ".join(_outwards(origin))
    if origin.column == UNTOLD:
        return f"may come from any column of {origin.source} ({way})"
    if origin.column == RECORD:
        return f"depends on which records {origin.source} has ({way})"
    verb = "comes from" if origin.kind == "value" else "depends on"
    return f"{verb} {origin.source}.{origin.column} ({way})"


def _place(case: _Case, source: str, clause: str) -> str:
    if clause.startswith("declassify"):
        return f"{clause} in {case.card.path}"
    if clause == "licence":
        return f"licence in {case.card.path}; {NAMED}"
    field = {"secrecy": "sharing.secrecy", "personal": "classification"}.get(clause, clause)
    return f"{field} in {case.agreements[source].where or source}"


def _outwards(origin: Origin) -> tuple[str, ...]:
    """Return the way from the published column back to the raw one."""
    return origin.path[::-1]
