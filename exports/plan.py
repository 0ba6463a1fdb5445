"""What a release will be, decided before a file is written: its columns, its content, its name, its place in history.

Default deny and the durable gate stand here: only the card's columns are read, only where the agreements of the sources
allow it for the audience (``terms``), and only under a passing certificate of the mart's present content. Writing the
files is ``candidate``.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb

from expectations.certificate import Certificate, certificate_key, require
from expectations.fingerprint import Fingerprint, fingerprint
from expectations.suite import Suite
from exports.card import ExportCard, published_columns
from exports.changes import check_version
from exports.formats.columns import PublishedColumn, publish_column, select_sql
from exports.formats.excel_fr import EXCEL_FR
from exports.judgement import Verdict
from exports.log import ColumnFacts, Entry, PeriodFacts, ReleaseLog
from exports.metadata import Context, Mart
from exports.protection.past import Held, read_past
from exports.protection.rounded import labelled
from exports.protection.rows import Protection, protect_rows
from exports.secrecy import Secrecy
from exports.terms import (
    PROTECTING,
    Proof,
    Terms,
    credited,
    permit,
    proof_of,
    rows_that_may_leave,
    rules_of_secrecy,
    spoken,
)
from exports.tree import release_folder
from exports.withdrawals import Withdrawal, ban_on_release, ban_on_version
from raw_sources.agreements import INTERNAL
from raw_sources.database import identifier
from raw_sources.errors import ConfigurationError, GateClosed, HalleError, MachineryError
from raw_sources.files import canonical_json, sha256_text

WRITERS = ("duckdb", "polars", "shapely")
HASH_LENGTH = 12


class NothingToRelease(HalleError):
    """The mart is empty: nothing is released, and nothing is wrong (exit status 0)."""


class NothingMayLeave(NothingToRelease):
    """The mart has rows and none may leave for the audience: nothing was ever released, nothing is wrong (status 0)."""


class Withdrawn(NothingToRelease):
    """The dataset, or this very release of it, was withdrawn for good: nothing is wrong (exit status 0)."""


@dataclass(frozen=True)
class Gate:
    """Where certificates are kept, and the suite that the mart must have passed."""

    root: Path
    suite: Suite


@dataclass(frozen=True)
class Plan:
    """What is decided of a release: ``identity`` makes its name, ``content`` is the published rows' fingerprint.

    ``rows`` are the mart's rows that may leave, as an SQL relation of the connection, with secret figures left empty;
    ``proof`` says why they may. ``held`` is what they hide, for the audit of later releases: it is secret.
    """

    card: ExportCard
    mart: Mart
    context: Context
    rows: str
    proof: Proof
    columns: tuple[PublishedColumn, ...]
    certificate: Certificate
    content: Fingerprint
    identity: dict[str, str | None]
    previous: Entry | None
    entry: Entry
    public: Path
    held: Held = field(default_factory=dict, repr=False)

    @property
    def relation(self) -> str:
        """The published columns of those rows, as an SQL relation of the warehouse."""
        return f"({select_sql(self.columns, self.rows)})"

    @property
    def parquet_files(self) -> dict[str, tuple[str, ...]]:
        """Parquet files by relative path without suffix, with the periods that each holds."""
        if not self.entry.partitioned:
            return {self.card.slug: tuple(self.content.periods)}
        return {_partition_path(self.card.slug, period): (period,) for period in self.content.periods}


def make_plan(
    connection: duckdb.DuckDBPyConnection,
    card: ExportCard,
    mart: Mart,
    context: Context,
    terms: Terms,
    gate: Gate,
    public: Path,
    log: ReleaseLog,
    secrets: Path,
) -> Plan:
    """Decide the next release of ``card``; ``connection`` is to the warehouse and knows ``geojson_to_wkb``.

    ``secrets`` is the folder of what earlier releases hide. Raises ``ConfigurationError`` (card, mart and version do
    not fit), ``NothingToRelease`` (empty mart, no row that may leave, or what was withdrawn), ``GateClosed`` (an
    agreement is broken, no passing certificate for the present content, a secret figure can be deduced, or no row of a
    released mart may leave any more).
    """
    _check_not_withdrawn(ban_on_version(log.withdrawals(card.slug), card.version))
    columns = _columns(card, mart, terms.audience)
    _check_not_empty(connection, mart)
    verdict = permit(card, mart, terms)
    _check_contract(connection, card, mart)
    certificate = _certified(connection, mart, gate)
    rows = rows_that_may_leave(mart, verdict)
    protection = _protected(connection, rows, card, terms, verdict, public, log, secrets)
    rows = protection.relation if protection else rows
    content = published_fingerprint(connection, f"({select_sql(columns, rows)})", card.columns, mart.period_column)
    _check_something_leaves(content, card, mart, verdict, terms, log)
    if protection and card.secrecy:
        _check_something_is_told(connection, protection.relation, card.secrecy, card, terms, log)
    proof = proof_of(connection, card, mart, terms, verdict)
    if protection and card.secrecy:
        proof |= _proof_of_secrecy(protection, card, card.secrecy)
        columns = tuple(replace(one, about=labelled(one.about, card.secrecy.rounded_to)) for one in columns)
    card = replace(card, licence=verdict.licence)
    context = replace(context, sources=credited(context.sources, card, verdict, terms))
    identity = _identity(proof, certificate, content, card, context, columns)
    draft = _draft(card, mart, context, columns, content, identity, certificate)
    entry, previous = _place_in_history(draft, log.entries(card.slug), public, identity)
    _check_not_withdrawn(ban_on_release(log.withdrawals(card.slug), entry, log.entries(card.slug)))
    if previous is not None:
        check_version(previous, card.version, entry.columns, str(card.path))
    entry = replace(entry, partitioned=_is_partitioned(card, mart, content.rows, previous))
    held = protection.held if protection else {}
    return Plan(
        card, mart, context, rows, proof, columns, certificate, content, identity, previous, entry, public, held
    )


def _proof_of_secrecy(protection: Protection, card: ExportCard, secrecy: Secrecy) -> Proof:
    """Return how many figures are secret, by source and level, and which are rounded to what."""
    told = {source: [_told(one, card) for one in levels] for source, levels in protection.counts.items()}
    rounded = {"rounded": dict(secrecy.rounded_to)} if secrecy.rounded_to else {}
    return {"secrecy": told, **rounded}


def _told(level: Mapping[str, Any], card: ExportCard) -> dict[str, Any]:
    """Return how many figures of a level are secret, of those that are published."""
    return {**level, "secret": {name: count for name, count in level["secret"].items() if name in card.columns}}


def _protected(
    connection: duckdb.DuckDBPyConnection,
    rows: str,
    card: ExportCard,
    terms: Terms,
    verdict: Verdict,
    public: Path,
    log: ReleaseLog,
    secrets: Path,
) -> Protection | None:
    """Return the rows with secret figures left empty, None where no figure is under secrecy for the audience."""
    rules = rules_of_secrecy(card, verdict, terms)
    if card.secrecy is None or terms.audience == INTERNAL or not (rules or card.secrecy.rounded_to):
        return None
    with terms.timed(PROTECTING):
        others = {one.slug for source in rules for one in terms.others.get(source, ())}
        past = read_past(public, log, [*sorted(others), card.slug], secrets)
        return protect_rows(connection, rows, card.secrecy, rules, past, str(card.path))


def _check_something_leaves(
    content: Fingerprint, card: ExportCard, mart: Mart, verdict: Verdict, terms: Terms, log: ReleaseLog
) -> None:
    """Raise when no row may leave: nothing is wrong with that, unless rows of this dataset have left before."""
    if content.rows > 0:
        return
    refusal: type[HalleError] = GateClosed if log.entries(card.slug) else NothingMayLeave
    why = "; ".join(verdict.because) or "every row is below a minimum of its declassification"
    raise refusal(
        f"no row of {mart.relation} may leave for {spoken(terms.audience)}: {why}.",
        where=str(card.path),
        hint="What may leave is under sharing in the cards of these sources.",
    )


def _check_something_is_told(
    connection: duckdb.DuckDBPyConnection,
    rows: str,
    secrecy: Secrecy,
    card: ExportCard,
    terms: Terms,
    log: ReleaseLog,
) -> None:
    """Raise when every figure is secret: nothing is wrong with that, unless some of this dataset have left before."""
    told = " OR ".join(f"{identifier(figure.value)} IS NOT NULL" for figure in secrecy.figures)
    if connection.execute(f"SELECT 1 FROM {rows} WHERE {told} LIMIT 1").fetchall():
        return
    refusal: type[HalleError] = GateClosed if log.entries(card.slug) else NothingMayLeave
    raise refusal(
        f"no figure of {card.slug} may leave for {spoken(terms.audience)}: each is secret, or cannot be judged.",
        where=str(card.path),
        hint="The rules are under sharing.secrecy in the cards of the sources; their files must tell what rules count.",
    )


def _identity(
    proof: Proof,
    certificate: Certificate,
    content: Fingerprint,
    card: ExportCard,
    context: Context,
    columns: Sequence[PublishedColumn],
) -> dict[str, str | None]:
    """Return what makes the name of a release: all that makes its content, save its place in history.

    Nothing of it depends on what was left out or emptied: a hash of that would let anybody try guesses. The certificate
    is told by the suite and the published rows; the key of the mart's own is in the log, which nobody else sees.
    """
    return {
        "after": None,
        "agreements": sha256_text(canonical_json(proof)),
        "certificate": certificate_key(content.digest, certificate.suite_digest),
        "fingerprint": content.digest,
        "metadata": sha256_text(canonical_json(_metadata(card, context, columns))),
        "recipe": _recipe(card, context, columns),
    }


def _check_not_withdrawn(decision: Withdrawal | None) -> None:
    if decision is not None:
        raise Withdrawn(f"{decision.slug} was {decision.sentence}")


def _draft(
    card: ExportCard,
    mart: Mart,
    context: Context,
    columns: Sequence[PublishedColumn],
    content: Fingerprint,
    identity: Mapping[str, str | None],
    certificate: Certificate,
) -> Entry:
    """Return the log entry of a first release of this content."""
    as_of = context.as_of.isoformat()
    return Entry(
        slug=card.slug,
        mart=mart.relation,
        sequence=1,
        release=release_name(as_of, identity),
        as_of=as_of,
        version=card.version,
        previous=None,
        content=content_digest(identity),
        recipe=str(identity["recipe"]),
        engine=content.engine,
        certificate=certificate.key,
        partitioned=False,
        columns=tuple(ColumnFacts(column.name, column.type, column.about.unit) for column in columns),
        periods={name: PeriodFacts(one.rows, one.hash_sum) for name, one in content.periods.items()},
        files={},
    )


def _is_partitioned(card: ExportCard, mart: Mart, rows: int, previous: Entry | None) -> bool:
    """Tell whether files are monthly. Once so, always so: addresses do not change because rows were withdrawn."""
    if card.partition_above is None or mart.period_column is None:
        return False
    return rows > card.partition_above or (previous is not None and previous.partitioned)


def release_name(as_of: str, identity: Mapping[str, str | None]) -> str:
    """Return the name of a release: its date and the beginning of the hash of all that makes its content."""
    return f"{as_of}-{sha256_text(canonical_json(dict(identity)))[:HASH_LENGTH]}"


def content_digest(identity: Mapping[str, str | None]) -> str:
    """Return the hash of a release's content, the same for every place in history."""
    return sha256_text(canonical_json({**identity, "after": None}))


def published_fingerprint(
    connection: duckdb.DuckDBPyConnection, relation: str, names: Sequence[str], period_column: str | None
) -> Fingerprint:
    """Return the fingerprint of the published columns of ``relation`` (warehouse or files), in the card's order."""
    return fingerprint(connection, relation, names, period_column)


def _columns(card: ExportCard, mart: Mart, audience: str) -> tuple[PublishedColumn, ...]:
    if audience.partition("-")[0] not in card.audiences:
        raise ConfigurationError(
            f"the card offers {card.slug} to others than {spoken(audience)}.", where=f"{card.path}: field audiences"
        )
    columns = tuple(
        publish_column(
            column, geometry=column.name == card.geometry, required=column.name in card.order_by, where=str(card.path)
        )
        for column in published_columns(card, mart)
    )
    headers = [column.about.title_fr for column in columns]
    repeated = sorted({header for header in headers if headers.count(header) > 1})
    if EXCEL_FR.name in card.formats and repeated:
        raise ConfigurationError(
            f"two columns have the French title {repeated[0]!r}, which is their header in Excel.",
            where=str(card.path),
            hint="Give each column of the mart its own title.",
        )
    return columns


def _check_contract(connection: duckdb.DuckDBPyConnection, card: ExportCard, mart: Mart) -> None:
    """Raise ``ConfigurationError`` when the warehouse's columns are not those that ``mart`` declares."""
    rows = connection.execute(f"DESCRIBE SELECT * FROM {mart.relation}").fetchall()
    actual = {str(row[0]): str(row[1]) for row in rows}
    for column in mart.columns:
        declared = connection.execute(f"SELECT typeof(CAST(NULL AS {column.data_type}))").fetchall()[0][0]
        if actual.get(column.name) != declared:
            raise ConfigurationError(
                f"{mart.relation}.{column.name} is {actual.get(column.name, 'absent')} in the warehouse, "
                f"{column.data_type} in its model.",
                where=str(card.path),
                hint="Build the mart again with its contract enforced.",
            )


def _check_not_empty(connection: duckdb.DuckDBPyConnection, mart: Mart) -> None:
    # Before the judgement: of an empty mart nothing leaves, whatever its sources allow.
    if not connection.execute(f"SELECT 1 FROM {mart.relation} LIMIT 1").fetchall():
        raise NothingToRelease(f"{mart.relation} is empty, so nothing is released.")


def _certified(connection: duckdb.DuckDBPyConnection, mart: Mart, gate: Gate) -> Certificate:
    names = [column.name for column in mart.columns]
    content = fingerprint(connection, mart.relation, names, mart.period_column)
    return require(gate.root, mart.relation, content, gate.suite)


def _place_in_history(
    draft: Entry, history: Sequence[Entry], public: Path, identity: dict[str, str | None]
) -> tuple[Entry, Entry | None]:
    """Return ``draft`` with its name, rank and predecessor, and that predecessor.

    The content of the newest release is that release, whatever the date of the run. A content released earlier under
    the same date is a replay (it takes its place again) unless a later release is public: then the producer went back,
    and this is a new release. ``identity["after"]`` tells the two apart when date and content are the same.
    """
    by_name = {entry.release: entry for entry in history}
    if history and history[-1].content == draft.content:
        known = history[-1]
    else:
        known = _replayed(draft, history, public) or draft
    if known is not draft:
        entry = replace(draft, **_place(known), files=known.files)
        identity["after"] = known.previous if _is_return(known) else None
        return entry, by_name.get(known.previous or "")
    previous = history[-1] if history else None
    entry = replace(draft, sequence=max((one.sequence for one in history), default=0) + 1)
    if previous is not None:
        entry = replace(entry, previous=previous.release)
    if draft.release in by_name and previous is not None:
        identity["after"] = previous.release
        entry = replace(entry, release=release_name(draft.as_of, identity))
    return entry, previous


def _place(known: Entry) -> dict[str, Any]:
    """Return what an entry has of a release that is known: its place, and the certificate under which it was made.

    What stays in may have changed since, and the mart another certificate: what is published is the same release.
    """
    kept = ("sequence", "release", "as_of", "previous", "certificate")
    return {name: getattr(known, name) for name in kept}


def _is_return(known: Entry) -> bool:
    """Tell whether the entry's name was made with its predecessor, because its content had been released that day."""
    return not known.release.endswith(known.content[:HASH_LENGTH])


def _replayed(draft: Entry, history: Sequence[Entry], public: Path) -> Entry | None:
    """Return the release that ``draft`` repeats, unless one that came after it is public."""
    same = [entry for entry in history if (entry.content, entry.as_of) == (draft.content, draft.as_of)]
    known = max(same, key=lambda entry: entry.sequence, default=None)
    if known is None:
        return None
    later = (entry for entry in history if entry.sequence > known.sequence)
    seen = any((public / release_folder(entry.slug, entry.version, entry.release)).is_dir() for entry in later)
    return None if seen else known


def _metadata(card: ExportCard, context: Context, columns: Sequence[PublishedColumn]) -> dict[str, Any]:
    described = asdict(context)
    del described["as_of"]  # a date alone is no new content
    return {"card": card.digest, "context": described, "columns": [asdict(column) for column in columns]}


def _recipe(card: ExportCard, context: Context, columns: Sequence[PublishedColumn]) -> str:
    """Return the hash of how a data file is written: with it and its periods unchanged, its bytes are unchanged."""
    writers = {name: importlib.metadata.version(name) for name in WRITERS}
    described = [(column.name, column.type, column.about.title_fr) for column in columns]
    return sha256_text(
        canonical_json([writers, described, card.order_by, card.geometry, inside_parquet(card, context)])
    )


def inside_parquet(card: ExportCard, context: Context) -> dict[str, str]:
    """Return what a Parquet file says of itself wherever it goes. No release, no date: months stay unchanged."""
    return {
        "title": context.mark_fr(card.title_fr),
        "title_en": context.mark_en(card.title_en),
        "version": card.version,
        "licence": card.licence,
        "publisher": context.publisher.name,
        "attribution": "; ".join(sorted({note.attribution for note in context.sources if note.attribution})),
        "synthetic": "true" if context.synthetic else "false",
    }


def _partition_path(slug: str, period: str) -> str:
    year, separator, month = period.partition("-")
    if not (separator and len(year) == 4 and len(month) == 2 and (year + month).isdigit()):
        raise MachineryError(
            f"{period!r} is not a month (YYYY-MM), so its rows of {slug} have no file.",
            hint="Correct the period column of the mart.",
        )
    return f"year={year}/month={month}/{slug}-{period}"
