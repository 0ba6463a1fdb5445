"""The internal catalogue of what the public does not see: that it exists, how reliable it is, whom to ask, and why.

Written by a run beside the internal tree, as JSON and as CSV, for colleagues who look for data. Of content there is
nothing: neither rows nor counts, nor the values that an expectation observed, nor the parameters of a secrecy rule.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from io import StringIO
from pathlib import Path

from expectations import certificate as certificates
from exports.card import ExportCard
from exports.log import ReleaseLog
from orchestration.marts import MartNode
from orchestration.project import Project
from orchestration.receiving import loaded_deliveries
from orchestration.workspace import Workspace
from raw_sources.agreements import AGGREGATES, EVERYTHING, PUBLIC
from raw_sources.card import Card
from raw_sources.files import canonical_json


@dataclass(frozen=True)
class Restricted:
    """A dataset of which the public sees ``nothing``, or a ``part``: what the agreements of its sources allow.

    ``dataset`` is the slug of its export card, None for a mart without; ``certificate`` is passed, failed or error.
    """

    mart: str
    dataset: str | None
    title_fr: str
    title_en: str
    public_sees: str
    certificate: str
    observed_on: str | None
    sources: tuple[str, ...]
    owners: tuple[str, ...]
    whom_to_ask: tuple[str, ...]
    audiences: tuple[str, ...]
    why_restricted: tuple[str, ...]


def write_catalogue(
    project: Project,
    workspace: Workspace,
    marts: Mapping[str, MartNode],
    today: date,
) -> list[Restricted]:
    """Write the catalogue as of the day ``today``, and return it."""
    found = list(_restricted(project, workspace, marts, _observed(project, workspace), today))
    _write(workspace.restricted, canonical_json([asdict(one) for one in found]))
    _write(workspace.restricted.with_suffix(".csv"), _as_csv(found))
    return found


def _write(path: Path, text: str) -> None:
    """Replace a file by one rename, with the rights that files have here: colleagues read it, not the run alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _observed(project: Project, workspace: Workspace) -> dict[str, str]:
    """Return the latest date of the data of each source."""
    dates: dict[str, str] = {}
    for one in loaded_deliveries(project, workspace):
        if one.loaded.observed_on:
            source = one.receipt.source
            dates[source] = max(one.loaded.observed_on, dates.get(source, ""))
    return dates


def _restricted(
    project: Project,
    workspace: Workspace,
    marts: Mapping[str, MartNode],
    observed: Mapping[str, str],
    today: date,
) -> Iterable[Restricted]:
    log = ReleaseLog(workspace.releases)
    for key, node in sorted(marts.items()):
        sources = [project.enabled[source] for source in node.lineage if source in project.enabled]
        known = certificates.latest(workspace.validation, key)
        if not sources or known is None or known.fingerprint.rows == 0:
            continue
        limited = any(one.agreement.allows(PUBLIC, today) != EVERYTHING for one in sources)
        cards: list[ExportCard | None] = [one for one in project.export_cards.values() if one.mart == key]
        for card in cards or [None]:
            released = card is not None and PUBLIC in card.audiences and log.last(card.slug) is not None
            if limited or not released:
                yield _entry(key, card, known.status, sources, observed, today, "part" if released else "nothing")


def _entry(
    mart: str,
    card: ExportCard | None,
    certificate: str,
    sources: list[Card],
    observed: Mapping[str, str],
    today: date,
    public_sees: str,
) -> Restricted:
    dates = [observed[one.source] for one in sources if one.source in observed]
    return Restricted(
        mart=mart,
        dataset=card.slug if card else None,
        title_fr=card.title_fr if card else mart,
        title_en=card.title_en if card else mart,
        public_sees=public_sees,
        certificate=certificate,
        observed_on=max(dates, default=None),
        sources=tuple(one.source for one in sources),
        owners=tuple(sorted({one.owner for one in sources})),
        whom_to_ask=tuple(sorted({one.steward for one in sources})),
        audiences=card.audiences if card else (),
        why_restricted=tuple(_reasons(card, certificate, sources, today)),
    )


def _reasons(card: ExportCard | None, certificate: str, sources: list[Card], today: date) -> Iterable[str]:
    if card is None:
        yield "no export card publishes it"
    elif PUBLIC not in card.audiences:
        yield f"its export card offers it to {', '.join(card.audiences)} only"
    for one in sources:
        word = one.agreement.allows(PUBLIC, today)
        if one.agreement.is_expired(today):
            yield f"the agreement of {one.source} ended on {one.agreement.until}"
        elif word != EVERYTHING:
            what = "only aggregates" if word == AGGREGATES else word
            yield f"{what} of {one.source} may leave for the public"
    if certificate != "passed":
        yield f"its certificate says {certificate}"


def _as_csv(found: Iterable[Restricted]) -> str:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(Restricted)])
    for one in found:
        values = (getattr(one, field.name) for field in fields(Restricted))
        writer.writerow(["; ".join(value) if isinstance(value, tuple) else value for value in values])
    return text.getvalue()
