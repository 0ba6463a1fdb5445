"""The command that collects a polled feed: which source, where to, how often, and how it ends.

Polling and bundles are in ``raw_sources.collecting``. A light process that runs for months beside the runs: it takes no
lock of theirs, and loads neither an engine nor Dagster.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from isodate import ISO8601Error, parse_duration

from orchestration.interrupts import INTERRUPTED
from orchestration.project import Project
from orchestration.sharing import open_territory
from orchestration.staleness import remember_territory
from orchestration.workspace import Workspace
from raw_sources.addresses import address_of
from raw_sources.card import Card
from raw_sources.collecting import Collection, Tally, collect, is_collected, options_for
from raw_sources.errors import ConfigurationError

Say = Callable[[str], None]


def collect_source(
    territory: Path | None, data: Path, source: str, *, once: bool, every: int | None, lasting: str | None, say: Say
) -> int:
    """Collect ``source`` until ``lasting`` (ISO 8601) has passed, or for ever; return the exit status.

    ``every`` is in seconds, by default the card's rhythm. Raises ConfigurationError for what cannot be collected.
    """
    project, workspace = open_territory(territory, data)
    card = project.card(source)
    url = _url(project, card)
    rhythm = timedelta(seconds=every) if every is not None else _duration(card.rhythm)
    if rhythm < timedelta(seconds=1):
        raise ConfigurationError("a feed is polled every second at the most.", hint="Waze renews its own every 120.")
    limit = _duration(lasting) if lasting is not None else None
    remember_territory(project, workspace)
    collection = _collection(card, url, workspace, rhythm, say)
    limit = timedelta() if once else limit
    until = None if limit is None else collection.clock() + limit
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as a service manager stops it
    try:
        collect(collection, rhythm, until)
    except KeyboardInterrupt:
        say(
            f"Collection stopped. {_summary(collection.tally)} The open hour is kept, and the next one goes on with it."
        )
        return INTERRUPTED
    say(_summary(collection.tally))
    return 1 if once and collection.tally.failed else 0


def _collection(card: Card, url: str, workspace: Workspace, rhythm: timedelta, say: Say) -> Collection:
    folder, inbox = workspace.data / "collect" / card.source, workspace.inbox / card.source
    return Collection(card, url, folder, inbox, options_for(rhythm), report=lambda text: say(f"{card.source}: {text}"))


def _url(project: Project, card: Card) -> str:
    """Return the one address to poll, once it is known to be whole."""
    if not is_collected(card):
        raise ConfigurationError(
            f"{card.source} is no polled feed.", where=str(card.path), hint="`halle run` receives its files."
        )
    urls = project.territory.feeds[card.source].urls
    if len(urls) != 1:
        raise ConfigurationError(
            f"{card.source} has {len(urls)} addresses, where one is polled.",
            where=str(project.territory.folder / "territory.yml"),
            hint=f"Write it under feeds, {card.source}, urls; its token may stand as ${{NAME}} of the environment.",
        )
    address_of(urls[0])
    return urls[0]


def _duration(text: str) -> timedelta:
    try:
        duration = parse_duration(text)
    except ISO8601Error:
        duration = None
    if not isinstance(duration, timedelta):
        raise ConfigurationError(f"{text!r} is not a duration.", hint="Write one such as PT1H or P1D (ISO 8601).")
    return duration


def _summary(tally: Tally) -> str:
    return (
        f"{tally.kept} new snapshots, {tally.repeated} already held, {tally.failed} polls without an answer, "
        f"{tally.closed} bundles closed."
    )
