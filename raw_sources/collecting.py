"""Collecting a polled feed: a snapshot every few minutes into one bundle per hour, which the next run receives.

Here: polling, bundles, and going on after an interruption. What a snapshot is and what of it may be kept is in
``readers.waze_snapshot``; a closed bundle goes into the drop folder, from which ``landing`` takes it over: the same
bundle offered twice is one delivery. The process runs for months, so it loads no engine.
"""

from __future__ import annotations

import gzip
import io
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain, count
from pathlib import Path

from raw_sources.boundaries import boundary
from raw_sources.card import Card
from raw_sources.errors import DeliveryRefused, MachineryError, Unreachable
from raw_sources.fetching import FetchOptions, Validators, fetch
from raw_sources.files import sha256_file, sync_folder
from raw_sources.locks import sole_holder
from raw_sources.readers.json_text import DECODER, compact
from raw_sources.readers.waze_snapshot import Members, Poll, cleaned_poll, kept_keys, poll_of

HOUR = "%Y%m%dT%H"
OPEN = ".jsonl"
FORM = "waze"

Report = Callable[[str], None]


def is_collected(card: Card) -> bool:
    """Say whether the card's files are snapshots that are lost unless somebody polls them."""
    return any(layout.form == FORM for layout in card.layouts)


def options_for(every: timedelta) -> FetchOptions:
    """Return the patience of a poll: it gives up well before the next one is due."""
    seconds = every.total_seconds()
    return FetchOptions(
        connect_seconds=min(10.0, seconds / 2),
        read_seconds=min(20.0, seconds / 2),
        total_seconds=min(60.0, seconds / 2),
        attempts=3,
        longest_wait_seconds=min(10.0, seconds / 4),
    )


@dataclass
class Tally:
    """What a collection did: polls that brought a new snapshot, the one already held, or nothing; bundles closed."""

    kept: int = 0
    repeated: int = 0
    failed: int = 0
    closed: int = 0


@dataclass
class Collection:
    """The collection of one source: its open bundles lie in ``folder``, its closed ones go to ``inbox``.

    ``clock`` gives the instant, in UTC, of a poll; a bundle holds the polls of one such hour.
    """

    card: Card
    url: str
    folder: Path
    inbox: Path
    options: FetchOptions = field(default_factory=FetchOptions)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    report: Report = lambda _: None
    tally: Tally = field(default_factory=Tally)
    _known: Validators | None = None
    _last: str | None = None

    def take_up(self) -> None:
        """Go on where an earlier collection stopped: mend its bundles, know its last snapshot, close other hours."""
        self._answer.unlink(missing_ok=True)
        for bundle in self._open_bundles():
            mend(bundle)
            self._last = last_snapshot(bundle) or self._last
        self.close_other_hours()

    def poll(self) -> None:
        """Ask once. A new snapshot is one line of the hour's bundle, a failure another; a snapshot held is none."""
        asked = self.clock()
        try:
            snapshot = self._ask()
        except (Unreachable, DeliveryRefused) as error:
            self.tally.failed += 1
            self.report(str(error))
            self._append(asked, Poll(None, _text(asked), type(error).__name__))
        else:
            self._keep(asked, snapshot)
        self.close_other_hours()

    def _keep(self, asked: datetime, snapshot: Members | None) -> None:
        if snapshot is None or _start_of(snapshot) == self._last:
            self.tally.repeated += 1
            return
        self._append(asked, Poll(snapshot, _text(asked)))
        self._last = _start_of(snapshot)
        self.tally.kept += 1

    def _ask(self) -> Members | None:
        """Return the snapshot that the feed serves, None when it says that nothing changed since the last one."""
        try:
            fetched = fetch(
                self.url, self._answer, max_bytes=self.card.max_bytes, known=self._known, options=self.options
            )
            if fetched is None:
                return None
            snapshot = _snapshot_in(self._answer.read_bytes(), self.card.max_bytes)
        finally:
            # What the feed serves may hold what may not be stored: only the cleaned form outlives the poll.
            self._answer.unlink(missing_ok=True)
        self._known = fetched.validators
        return snapshot

    def _append(self, asked: datetime, poll: Poll) -> None:
        """Add a line to the bundle of the hour: whole and durable when this returns."""
        bundle = self.folder / f"{asked.strftime(HOUR)}{OPEN}"
        line = compact(cleaned_poll(poll, kept_keys(self.card))) + "\n"
        try:
            mend(bundle)
            with bundle.open("ab") as stream:
                # Half of a surrogate pair becomes its escape again, as in any cleaned file.
                stream.write(line.encode(errors="backslashreplace"))
                stream.flush()
                os.fsync(stream.fileno())
            sync_folder(self.folder)
        except OSError as error:
            raise MachineryError(
                f"the bundle cannot be written ({error.strerror}).",
                where=str(bundle),
                hint="Make room or mend the folder's rights; collecting then goes on with this bundle.",
            ) from error

    def close_other_hours(self) -> None:
        """Hand over the bundles of all hours but the present one: later ones too, which a clock put right leaves."""
        current = self.clock().strftime(HOUR)
        for bundle in self._open_bundles():
            if bundle.stem != current:
                self._close(bundle)

    def _close(self, bundle: Path) -> None:
        """Pack a bundle into the drop folder, under one rename that replaces nothing but itself.

        Whoever is killed before the open bundle is gone packs it again, to the same bytes: the landing knows them.
        """
        self.inbox.mkdir(parents=True, exist_ok=True)
        draft = self.inbox / f".{self.card.source}_{bundle.name}.gz"
        with bundle.open("rb") as source, draft.open("wb") as raw:
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
                shutil.copyfileobj(source, packed)
            raw.flush()
            os.fsync(raw.fileno())
        target = self._place_of(draft, bundle.stem)
        boundary("collecting.bundle.before")
        draft.replace(target)
        sync_folder(self.inbox)
        boundary("collecting.bundle.after")
        bundle.unlink()
        sync_folder(self.folder)
        self.tally.closed += 1
        self.report(f"{target.name}: closed, the next run receives it.")

    def _place_of(self, draft: Path, hour: str) -> Path:
        """Return the first place of an hour where no other bundle waits: a clock set back gives an hour several."""
        digest = sha256_file(draft)
        names = chain((hour,), (f"{hour}-{number}" for number in count(2)))
        places = (self.inbox / f"{self.card.source}_{name}{OPEN}.gz" for name in names)
        return next(place for place in places if _may_be_written(place, digest))

    def _open_bundles(self) -> list[Path]:
        return sorted(self.folder.glob(f"*{OPEN}"))

    @property
    def _answer(self) -> Path:
        return self.folder / ".answer"


def collect(
    collection: Collection, every: timedelta, until: datetime | None, wait: Callable[[float], None] = time.sleep
) -> Tally:
    """Poll at a fixed rhythm until the instant ``until`` (None: for ever), at least once; return what was done.

    Raises ConfigurationError when another collector of the source is at work on the same folder.
    """
    busy = f"a collector of {collection.card.source} is already at work here"
    with sole_holder(collection.folder, busy, "One is enough: stop that one first, or leave it to its work."):
        collection.take_up()
        due = collection.clock()
        while True:
            collection.poll()
            now = collection.clock()
            # Polls that were missed (a suspended machine) are not made up for: the feed shows the present only.
            due += every * max(1, -((due - now) // every))
            if until is not None and due >= until:
                return collection.tally
            wait(max(0.0, (due - now).total_seconds()))


def mend(bundle: Path) -> None:
    """Cut the last line of a bundle when it was written in part; its snapshot was never kept whole."""
    if not bundle.is_file():
        return
    with bundle.open("r+b") as stream:
        size = stream.seek(0, io.SEEK_END)
        if size == 0:
            return
        stream.seek(size - 1)
        if stream.read(1) == b"\n":
            return
        stream.seek(0)
        stream.truncate(stream.read().rfind(b"\n") + 1)
        os.fsync(stream.fileno())


def last_snapshot(bundle: Path) -> str | None:
    """Return the start of the window of a bundle's last snapshot, None when it holds none."""
    found = None
    with bundle.open("rb") as stream:
        for line in stream:
            with suppress(ValueError):  # a damaged line is told as malformed where the bundle is read
                snapshot = poll_of(DECODER.decode(line.decode())).snapshot
                found = _start_of(snapshot) if snapshot is not None else found
    return found


def _may_be_written(place: Path, digest: str) -> bool:
    """Say whether nothing is lost by writing a file of this SHA-256 to ``place``: it is free, or holds the same."""
    try:
        return sha256_file(place) == digest
    except FileNotFoundError:
        return True


def _start_of(snapshot: Members) -> str:
    return str(snapshot.get("startTimeMillis") or snapshot.get("startTime") or "")


def _snapshot_in(data: bytes, max_bytes: int) -> Members:
    """Return the snapshot of an answer; DeliveryRefused, without a word of the answer, when it is none."""
    try:
        if data.startswith(b"\x1f\x8b"):
            with gzip.open(io.BytesIO(data)) as packed:
                data = packed.read(max_bytes + 1)[:max_bytes]
        snapshot = poll_of(DECODER.decode(data.decode("utf-8-sig"))).snapshot
    except (ValueError, EOFError, OSError, RecursionError):
        snapshot = None
    if snapshot is None:
        raise DeliveryRefused(
            "the address answered with something other than a snapshot in JSON.",
            hint="Check the address and its option format=1; polling goes on.",
        )
    return snapshot


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
