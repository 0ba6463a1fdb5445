"""From a territory's feeds to raw Parquet: finds the files, lands them, reads what is new.

The order of the day for one source, and for all of them before anything heavy is imported. How a file is landed or read
belongs to ``raw_sources``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from orchestration.project import Project
from orchestration.warehouse import Delivery
from orchestration.workspace import Workspace
from raw_sources.addresses import masked
from raw_sources.card import Card
from raw_sources.errors import ConfigurationError, Unreachable
from raw_sources.feeds import Feed, FilePattern
from raw_sources.landing import Landed, Landing, delivery_order
from raw_sources.loading import Loaded, load_delivery, load_key, outcome

Report = Callable[[str], None]


@dataclass
class Received:
    """What a run received for one source."""

    source: str
    landed: list[Landed] = field(default_factory=list)
    unreachable: list[str] = field(default_factory=list)

    @property
    def new(self) -> int:
        """Deliveries that were not known before."""
        return sum(1 for one in self.landed if one.new)

    @property
    def erased(self) -> int:
        """Files whose bytes were erased earlier, and were therefore not received again."""
        return sum(1 for one in self.landed if one.erased)

    @property
    def refusals(self) -> list[str]:
        """Sentences of the files refused in this run."""
        return [one.refusal for one in self.landed if one.refusal]


def files_of(feed: Feed, folder: Path) -> Iterator[tuple[Path, FilePattern]]:
    """Yield the files below ``folder`` that the feed's patterns take, in the order of their paths."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            pattern = feed.pattern_for(path.relative_to(folder))
            if pattern is not None:
                yield path, pattern


def inbox_files(workspace: Workspace, source: str) -> list[Path]:
    """Return the files waiting in the drop folder; names that start with a dot or end in .part are in flight."""
    folder = workspace.inbox / source
    if not folder.is_dir():
        return []
    return [p for p in sorted(folder.iterdir()) if p.is_file() and not p.name.startswith(".") and p.suffix != ".part"]


def receive(
    project: Project,
    workspace: Workspace,
    source: str,
    *,
    extracts: Path | None,
    now: datetime,
    report: Report,
    heard: Received | None = None,
) -> Received:
    """Land what the source's feed offers, then what lies in its drop folder.

    ``heard`` is what its feed has already given to a syndicate: it is not asked again.
    """
    card, feed = project.card(source), project.territory.feeds[source]
    landing = Landing(workspace.landing_of(source))
    if heard is None:
        received = land_feed(landing, card, feed, extracts=extracts, now=now, report=report)
    else:
        received = Received(source, list(heard.landed), list(heard.unreachable))
    for path in inbox_files(workspace, source):
        landed = landing.land_file(card, path, now=now, pattern=feed.pattern_for(path.name))
        received.landed += landed
        if any(one.forbidden for one in landed) or not any(one.refusal for one in landed):
            path.unlink()  # in the landing, or not to be kept anywhere; what else is refused stays with who dropped it
    return received


def land_feed(
    landing: Landing, card: Card, feed: Feed, *, extracts: Path | None, now: datetime, report: Report
) -> Received:
    """Land what a feed offers: the files of a folder of extracts that its patterns take, else its addresses."""
    received = Received(card.source)
    report(f"{card.source}: receiving")
    if extracts is not None:
        for path, pattern in files_of(feed, extracts):
            received.landed += landing.land_file(card, path, now=now, pattern=pattern)
    else:
        for url in feed.urls:
            _fetch(landing, card, feed, url, now, received, report)
    return received


def _fetch(
    landing: Landing, card: Card, feed: Feed, url: str, now: datetime, received: Received, report: Report
) -> None:
    report(f"{card.source}: {masked(url)}")
    try:
        # An address shows the present, whatever its file is called; that of a reference shows one vintage.
        pattern_for = feed.pattern_for if card.reference else None
        received.landed += landing.land_url(card, url, now=now, pattern_for=pattern_for)
    except Unreachable as error:
        received.unreachable.append(str(error))


def check_extracts(project: Project, extracts: Path) -> None:
    """Refuse a folder of extracts in which no file belongs to any source: it is almost surely the wrong one."""
    if not extracts.is_dir():
        raise ConfigurationError("this folder of extracts does not exist.", where=str(extracts))
    if not any(True for feed in project.territory.feeds.values() for _ in files_of(feed, extracts)):
        raise ConfigurationError(
            f"no file here fits a pattern of the territory {project.territory.name!r}.",
            where=str(extracts),
            hint="The patterns are under feeds: in its territory.yml.",
        )


def load(project: Project, workspace: Workspace, source: str, report: Report) -> list[Delivery]:
    """Read the deliveries of ``source`` that are not yet in raw under today's card; return them all, in order."""
    card = project.card(source)
    landing, raw = Landing(workspace.landing_of(source)), workspace.raw_of(source)
    deliveries = []
    for order, receipt in enumerate(delivery_order(card, landing.receipts(source)), start=1):
        known = outcome(card, receipt, raw)
        if known is None or known.key != load_key(card, receipt):
            report(f"{source}: reading {receipt.file_name}")
            known = load_delivery(card, receipt, landing.file(receipt), raw, workspace.duckdb)
        deliveries.append(Delivery(order, receipt, known))
    return deliveries


def loaded_deliveries(project: Project, workspace: Workspace) -> list[Delivery]:
    """Return the deliveries of every enabled source that have been read, in order; reads nothing."""
    found = []
    for source, card in project.enabled.items():
        receipts = Landing(workspace.landing_of(source)).receipts(source)
        for order, receipt in enumerate(delivery_order(card, receipts), start=1):
            known = outcome(card, receipt, workspace.raw_of(source))
            if known is not None:
                found.append(Delivery(order, receipt, known))
    return found


def standing_refusals(deliveries: list[Delivery]) -> list[str]:
    """Return why deliveries could not be read, for those that are still the last word of their origin."""
    last = {one.receipt.origin: one for one in sorted(deliveries, key=lambda one: one.receipt.sequence)}
    return [one.loaded.reason for one in last.values() if one.loaded.status == "refused" and one.loaded.reason]


def as_of(deliveries: list[Delivery], cards: Mapping[str, Card]) -> date | None:
    """Return the date up to which data are known: the latest observation, or the latest date of a snapshot.

    A delivery that was refused says nothing. The vintage of a reference (codes, boundaries) is no observation: it
    counts only where nothing is observed at all. None when nothing says a date.
    """
    loaded = [one for one in deliveries if one.loaded.status == "loaded"]
    observing = [one for one in loaded if not cards[one.receipt.source].reference]
    said = [text for one in observing for text in _dates(one)] or [text for one in loaded for text in _dates(one)]
    return max((date.fromisoformat(text) for text in said), default=None)


def _dates(delivery: Delivery) -> Iterator[str]:
    loaded: Loaded = delivery.loaded
    if loaded.observed_on is not None:
        yield loaded.observed_on
    if delivery.receipt.file_date is not None:
        yield delivery.receipt.file_date
