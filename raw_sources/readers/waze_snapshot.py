"""A snapshot of Waze for Cities as a value: what it is, which events it holds, and what of it may be kept.

Files of snapshots are read in ``waze``; polling belongs to ``collecting``, which shares this module and no engine: it
stays light. Sources: Waze Data Feed specifications (support.google.com/waze/partners/answer/13458165).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from raw_sources.card import Card
from raw_sources.readers.match import normalise, quoted

# Lists of a snapshot, each of which may be absent, and what one of their members is.
EVENTS = {"alerts": "alert", "jams": "jam", "irregularities": "irregularity"}
SNAPSHOT, FAILED_POLL = "snapshot", "failed_poll"
WINDOW = ("startTimeMillis", "endTimeMillis", "startTime", "endTime")
# What a poll adds, in a bundle, to the snapshot that it brought: these and ``snapshot``.
POLLED_AT, FAILED = "polled_at", "failed"
# Members of points and of segments: the form of nested values, which no column names.
_STRUCTURE = frozenset(map(normalise, ("x", "y", "fromNode", "toNode", "ID", "isForward")))
_INSTANT = re.compile(r"[0-9T:.+Z-]{10,40}")
_WORD = re.compile(r"[A-Za-z]{1,40}")
WITHHELD = "record withheld"

# The same few keys come with every point of every line.
fold = lru_cache(maxsize=1 << 12)(normalise)

Members = dict[str, Any]


@dataclass(frozen=True)
class Poll:
    """What one poll gave: a snapshot, or the class of the error that kept it from coming; ``polled_at`` as written."""

    snapshot: Members | None
    polled_at: str | None = None
    failed: str | None = None


def is_snapshot(value: Any) -> bool:
    """Say whether a value is a snapshot: it has a window, with or without events."""
    return isinstance(value, dict) and any(key in value for key in WINDOW)


def poll_of(value: Any) -> Poll:
    """Return a decoded value as a poll; ValueError, with what it is instead, when it is none."""
    if value == WITHHELD:
        raise ValueError("withheld when the columns that may not be stored were removed")
    if not isinstance(value, dict):
        raise ValueError("not an object")
    if is_snapshot(value):
        return Poll(value)
    polled_at = _fitting(_INSTANT, value.get(POLLED_AT))
    if is_snapshot(value.get(SNAPSHOT)):
        return Poll(value[SNAPSHOT], polled_at)
    failed = _fitting(_WORD, value.get(FAILED))
    if failed and polled_at:
        return Poll(None, polled_at, failed)
    raise ValueError(f"no snapshot of Waze: there is no startTimeMillis; the members are {quoted(value) or 'none'}")


def _fitting(pattern: re.Pattern[str], value: Any) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def events(snapshot: Members) -> Iterator[tuple[str, Any]]:
    """Yield kind and content of each event. What stands in the place of a list, or of an event, is one as well."""
    for name, kind in EVENTS.items():
        listed = snapshot.get(name)
        if isinstance(listed, list):
            yield from ((kind, event) for event in listed)
        elif listed is not None:
            yield kind, None


def kept_keys(card: Card) -> frozenset[str]:
    """Return the keys, normalised, that a stored snapshot may hold.

    Those of the loaded columns and of nested points: a new key of the feed is personal or contractual until the card
    says otherwise.
    """
    return frozenset(normalise(header) for column in card.loaded_columns for header in column.headers) | _STRUCTURE


def cleaned_poll(poll: Poll, kept: frozenset[str]) -> Members:
    """Return what may be stored of a poll: its snapshot alone when nothing says when it was polled."""
    if poll.snapshot is None:
        return {POLLED_AT: poll.polled_at, FAILED: poll.failed}
    snapshot = cleaned_snapshot(poll.snapshot, kept)
    return snapshot if poll.polled_at is None else {POLLED_AT: poll.polled_at, SNAPSHOT: snapshot}


def cleaned_snapshot(snapshot: Members, kept: frozenset[str]) -> Members:
    """Return a snapshot with the keys of ``kept`` alone, at every depth.

    An event that is no object stays one, empty of content: it is counted as malformed, before as after.
    """
    window = {key: snapshot[key] for key in WINDOW if isinstance(snapshot.get(key), str | None) and key in snapshot}
    found: dict[str, list[Any]] = {name: [] for name in EVENTS if snapshot.get(name) is not None}
    names = {kind: name for name, kind in EVENTS.items()}
    for kind, event in events(snapshot):
        found[names[kind]].append(_cleaned(event, kept) if isinstance(event, dict) else None)
    return window | found


def _cleaned(value: Any, kept: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {key: _cleaned(member, kept) for key, member in value.items() if fold(key) in kept}
    return [_cleaned(member, kept) for member in value] if isinstance(value, list) else value
