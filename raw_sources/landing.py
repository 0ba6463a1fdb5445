"""Landing: bytes as received, kept for ever under their hash, with an append-only receipt per delivery.

The receipt is the commit: a file without one is an orphan of an interrupted landing, and the next landing of the same
bytes takes it over. What cannot be read by the source's card is refused: its bytes and the reason are kept apart. Of
what was erased a line without content remains, so that the same bytes are not received again; why it was erased is in
``orchestration.interventions``.
Transfers are in ``fetching``, compressed files in ``unpacking``, the forms of files in ``readers``; loading into raw
tables is not done here.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raw_sources import journal
from raw_sources.boundaries import boundary
from raw_sources.errors import ConfigurationError, DeliveryForbidden, DeliveryRefused, MachineryError
from raw_sources.files import read_json, sha256_file, sha256_text, sync_folder, write_json
from raw_sources.unpacking import Limits, Part, member_names, packing, safe_name, unpack

if TYPE_CHECKING:
    from raw_sources.card import Card
    from raw_sources.feeds import FilePattern
    from raw_sources.fetching import Fetched, FetchOptions, Validators
    from raw_sources.readers import Match

READ_ONLY = 0o444
MEMBER_MARK = "!"
HTML_HEAD_BYTES = 4096
# Atomic, so that a thousand comments are passed over once and never tried otherwise.
HTML = re.compile(
    rb"(?>(?:\s|<\?xml[^>]*>|<!--.*?-->)*)<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Receipt:
    """What was received, whence and when. ``sha256`` and ``bytes`` are of the stored file, ``original_sha256`` of the
    bytes as they came (of the archive, for a member; of the uncleaned file when ``cleaned``).

    ``received_at`` is an ISO 8601 instant in UTC; ``file_date`` an ISO date read from the file name; ``partial`` says
    that what the delivery lacks has not ended.
    """

    source: str
    sequence: int
    delivery_id: str
    origin: str
    file_name: str
    sha256: str
    original_sha256: str
    bytes: int
    received_at: str
    card_version: str
    partial: bool
    file_date: str | None
    cleaned: bool
    etag: str | None
    last_modified: str | None


@dataclass(frozen=True)
class Refusal:
    """A delivery that was not accepted. ``sha256`` is None when its bytes were never held whole; ``kept`` says whether
    they are in ``refused/``; ``after_sequence`` is the source's last accepted sequence at that time; ``withdrawn``
    says that its origin has since offered what is already accepted, or no longer holds this member.
    """

    source: str
    origin: str
    file_name: str
    sha256: str | None
    received_at: str
    reason: str
    kept: bool
    after_sequence: int
    withdrawn: bool = False


@dataclass(frozen=True)
class Erased:
    """What remains of a delivery, or of a refused file, whose bytes were erased.

    ``sha256`` is of the stored bytes, None when none were ever held whole; ``sequence``, ``delivery_id`` and
    ``original_sha256`` are those of the receipt, None for a refused file. Bytes erased ``for_good`` are never received
    again; those whose time was over are, when their origin has held others meanwhile.
    """

    source: str
    origin: str
    file_name: str
    received_at: str
    sha256: str | None
    original_sha256: str | None = None
    sequence: int | None = None
    delivery_id: str | None = None
    for_good: bool = True

    @property
    def digests(self) -> frozenset[str]:
        """The SHA-256 by which the same bytes are known when they are offered again."""
        return frozenset(digest for digest in (self.sha256, self.original_sha256) if digest is not None)


@dataclass(frozen=True)
class Landed:
    """What became of one file: a new receipt, the receipt that already answered for it, or a refusal's sentence.

    ``erased`` says that its bytes were erased, and were therefore not received again; ``forbidden``, that the file
    holds what may not come in at all (``door``).
    """

    receipt: Receipt | None
    new: bool
    refusal: str | None
    erased: bool = False
    forbidden: bool = False


@dataclass(frozen=True)
class _Offer:
    """One offered file, before it is known whether it is an archive."""

    origin: str
    file_name: str
    received_at: str
    pattern: FilePattern | None = None
    etag: str | None = None
    last_modified: str | None = None
    is_live: bool = False

    def origin_of(self, part: Part) -> str:
        """Return the origin of one part: that of the file, and the member's path for an archive."""
        return self.origin if part.member is None else f"{self.origin}{MEMBER_MARK}{part.member}"

    def covers(self, origin: str) -> bool:
        """Say whether ``origin`` is this file or a member of it."""
        return origin == self.origin or origin.startswith(self.origin + MEMBER_MARK)


def delivery_order(card: Card, receipts: Iterable[Receipt]) -> list[Receipt]:
    """Return the receipts in which deliveries follow one another by the card.

    By ``file_date``, a file without a date stands at the day it was received: that is when it was last known to hold.
    """
    if card.order == "receipt":
        return sorted(receipts, key=lambda receipt: receipt.sequence)
    if card.order == "file_name":
        return sorted(receipts, key=lambda receipt: (receipt.file_name, receipt.sequence))
    if card.order == "file_date":
        return sorted(receipts, key=lambda receipt: (receipt.file_date or receipt.received_at[:10], receipt.sequence))
    raise ConfigurationError(f"order '{card.order}' is not known.", where=str(card.path))


class Landing:
    """The landing of one DATA folder. Several processes may use it at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._read: dict[Path, Receipt] = {}  # receipts never change: each is read once
        self._gone: dict[str, tuple[int, list[Erased]]] = {}  # by source, with the size of the log: it only grows

    def receipts(self, source: str) -> list[Receipt]:
        """Return the receipts of ``source`` by sequence. Raises ``MachineryError`` on a damaged receipt."""
        return [self._receipt(path) for path in sorted((self.root / source / "receipts").glob("[0-9]*.json"))]

    def file(self, receipt: Receipt) -> Path:
        """Return the path of the stored bytes of a delivery."""
        return self.root / receipt.source / "files" / receipt.sha256 / receipt.file_name

    def refusals(self, source: str) -> list[Refusal]:
        """Return the refusals still standing, oldest first: their origin has since delivered nothing acceptable."""
        receipts = self.receipts(source)
        standing = [refusal for refusal in self._all_refusals(source) if _stands(refusal, receipts)]
        return sorted(standing, key=lambda refusal: (refusal.received_at, refusal.origin, refusal.sha256 or ""))

    def land_file(
        self, card: Card, file: Path, *, now: datetime, pattern: FilePattern | None = None, origin: str | None = None
    ) -> list[Landed]:
        """Receive a local file for ``card``'s source: one result per file that it holds.

        ``now`` must carry a time zone. Raises ``ConfigurationError`` when there is no such regular file.
        """
        offer = _Offer(_text(origin or file.name), safe_name(file.name), _instant(now), pattern)
        _check_regular(file)
        with self._workspace() as work:
            unchanged = self._unchanged(card, file, offer)
            if unchanged is not None:
                self._withdraw(card.source, offer, refused_now=())
                return unchanged
            copy = _folder(work / "received") / offer.file_name
            try:
                _copy(file, copy, card.max_bytes)
            except DeliveryRefused as refusal:
                return [self._refuse(card, offer, offer.origin, offer.file_name, None, refusal)]
            return self._receive(card, copy, offer, work)

    def land_url(
        self,
        card: Card,
        url: str,
        *,
        now: datetime,
        options: FetchOptions | None = None,
        pattern_for: Callable[[str], FilePattern | None] | None = None,
    ) -> list[Landed]:
        """Receive what is behind an HTTP(S) address; when it says that nothing changed, the receipts already held.

        ``now`` must carry a time zone; ``pattern_for`` gives the pattern that reads the date in the name of what comes.
        Raises ``Unreachable`` when the address gives nothing: nothing is changed then.
        """
        from raw_sources.fetching import fetch, shown  # the HTTP client is slow to import, and most landings need none

        offer = _Offer(shown(url), "delivery", _instant(now), is_live=True)
        with self._workspace() as work:
            known, held = self._last_answer(card.source, offer.origin)
            try:
                fetched = fetch(url, work / "download", max_bytes=card.max_bytes, known=known, options=options)
            except DeliveryRefused as refusal:
                return [self._refuse(card, offer, offer.origin, offer.file_name, None, refusal)]
            if fetched is None:
                self._withdraw(card.source, offer, refused_now=())
                return [Landed(receipt, new=False, refusal=None) for receipt in held]
            pattern = pattern_for(fetched.file_name) if pattern_for else None
            landed = self._receive_answer(card, fetched, replace(offer, pattern=pattern), work)
        if not any(result.refusal for result in landed):
            self._remember_answer(card.source, offer.origin, fetched.validators, landed)
        return landed

    # What is erased

    def erased(self, source: str) -> list[Erased]:
        """Return what was erased of ``source``, oldest erasure first."""
        path = self._erased_path(source)
        size = path.stat().st_size if path.is_file() else 0
        if self._gone.get(source, (0, []))[0] != size:
            self._gone[source] = size, [Erased(**record) for record in journal.records(path)]
        return self._gone.get(source, (0, []))[1]

    def erasable(self, source: str, before: datetime | None = None) -> list[Erased]:
        """Return what would remain of the deliveries and refused files of ``source`` once they are erased for good.

        With ``before``, of those received earlier, whose time is over.
        """
        found = [_erased_delivery(receipt) for receipt in self.receipts(source)]
        found += [_erased_refusal(refusal) for refusal in self._all_refusals(source)]
        if before is None:
            return found
        limit = _instant(before)
        return [replace(one, for_good=False) for one in found if one.received_at < limit]

    def erase(self, source: str, what: Collection[Erased]) -> None:
        """Remove the bytes and the receipts of ``what``, and remember that they were erased.

        Receipts go last: as long as one of them is there, the erasure is not finished, and doing it again finishes it.
        Bytes that another delivery holds as well stay with it.
        """
        known = set(self.erased(source))
        for one in what:
            if one not in known:
                journal.append(self._erased_path(source), asdict(one))
        with self._workspace(), self._lock():
            boundary("erasing.landing.before")
            self._remove_content(source, what)
            for one in what:
                if one.sequence is not None:
                    self._receipt_path(source, one.sequence).unlink(missing_ok=True)
            self._leave_receipts(self.root / source / "receipts")
            boundary("erasing.landing.after")

    @staticmethod
    def _leave_receipts(folder: Path) -> None:
        """Make the removal of receipts durable; of a source without any, nothing says that it was received."""
        _sync_if_there(folder)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()

    def _remove_content(self, source: str, what: Collection[Erased]) -> None:
        folder, gone = self.root / source, {one.sequence for one in what}
        kept = {receipt.sha256 for receipt in self.receipts(source) if receipt.sequence not in gone}
        for one in what:
            if one.sequence is None:
                shutil.rmtree(folder / "refused" / (one.sha256 or sha256_text(one.origin)), ignore_errors=True)
            elif one.sha256 not in kept:
                shutil.rmtree(folder / "files" / str(one.sha256), ignore_errors=True)
        shutil.rmtree(folder / "answers", ignore_errors=True)  # they only spare transfers
        for name in ("files", "refused"):
            _sync_if_there(folder / name)

    def _is_erased(self, source: str, digest: str, covers: Callable[[str], bool]) -> bool:
        """Tell whether bytes were erased, no later delivery holds them, and they are not to be heard again.

        ``covers`` tells the origins of the offer. Bytes whose time was over are those of a file that still lies where
        it lay, or lies elsewhere now; but an address that shows them after others has gone back to them.
        """
        erased = self.erased(source)
        gone = [one for one in erased if digest in one.digests]
        receipts = self.receipts(source)
        if not gone or any(digest in (receipt.sha256, receipt.original_sha256) for receipt in receipts):
            return False
        known: list[Erased] = [one for one in erased if one.sequence is not None]
        known += [_erased_delivery(receipt) for receipt in receipts]
        own = [one for one in known if covers(one.origin)]
        last = max(own, key=lambda one: one.sequence or 0, default=None)
        return any(one.for_good for one in gone) or last is None or digest in last.digests

    def _erased_path(self, source: str) -> Path:
        return self.root / source / "erased.jsonl"

    # What is received

    def _receive_answer(self, card: Card, fetched: Fetched, offer: _Offer, work: Path) -> list[Landed]:
        """Land a whole download under the name and the validators that came with it."""
        named = replace(
            offer,
            file_name=fetched.file_name,
            etag=fetched.validators.etag,
            last_modified=fetched.validators.last_modified,
        )
        return self._receive(card, fetched.path.rename(_folder(work / "received") / named.file_name), named, work)

    def _receive(self, card: Card, path: Path, offer: _Offer, work: Path) -> list[Landed]:
        """Open what is compressed, then accept or refuse each part on its own."""
        original = sha256_file(path)
        if self._is_erased(card.source, original, offer.covers):
            self._withdraw(card.source, offer, refused_now=())
            return [Landed(None, new=False, refusal=None, erased=True)]
        try:
            parts = unpack(path, offer.file_name, work / "parts", Limits(expanded_bytes=card.max_bytes))
        except DeliveryRefused as refusal:
            return [self._refuse(card, offer, offer.origin, offer.file_name, path, refusal)]
        landed = [self._land_part(card, part, offer, original, work) for part in parts]
        refused = {offer.origin_of(part) for part, result in zip(parts, landed, strict=True) if result.refusal}
        self._withdraw(card.source, offer, refused_now=refused)
        return landed

    def _land_part(self, card: Card, part: Part, offer: _Offer, original: str, work: Path) -> Landed:
        """Check that one plain file is data of this source, clean it, and commit it."""
        from raw_sources import door, readers  # both import the engines, which commands that list receipts do without

        origin = offer.origin_of(part)
        try:
            _check_is_data(part.path, part.file_name)
            match = readers.inspect(part.path, card)
            named = _file_date(offer.pattern, part.file_name, offer.file_name)
            file_date = named or match.content_date or _day_of_snapshot(card, offer)
            _check_has_vintage(card, part, file_date)
            content = _cleaned(card, part, match, work)
            door.check_name(card, part.file_name, offer.file_name, origin)
            door.check(part.path, match, card, content, work)
        except DeliveryRefused as refusal:
            return self._refuse(card, offer, origin, part.file_name, part.path, refusal)
        stored = sha256_file(content)
        if self._is_erased(card.source, stored, origin.__eq__):
            return Landed(None, new=False, refusal=None, erased=True)
        draft = Receipt(
            source=card.source,
            sequence=0,
            delivery_id="",
            origin=origin,
            file_name=content.name,
            sha256=stored,
            original_sha256=original,
            bytes=content.stat().st_size,
            received_at=offer.received_at,
            card_version=card.version,
            partial=match.partial or match.layout.partial or (offer.pattern is not None and offer.pattern.partial),
            file_date=file_date,
            cleaned=content != part.path and stored != sha256_file(part.path),
            etag=offer.etag,
            last_modified=offer.last_modified,
        )
        return self._commit(draft, content, work)

    def _unchanged(self, card: Card, file: Path, offer: _Offer) -> list[Landed] | None:
        """Return the receipts that already answer for every byte of ``file``, None when something may be new.

        A card with a never-load list is always asked again: what is compared then is the cleaned form.
        """
        last = {receipt.origin: receipt for receipt in self.receipts(card.source) if offer.covers(receipt.origin)}
        if not last or _has_never_load(card):
            return None
        try:
            origins = _origins(file, offer, Limits(expanded_bytes=card.max_bytes))
        except DeliveryRefused:
            return None  # the full way says it again, and keeps the bytes
        held = [last.get(origin) for origin in origins]
        digest = sha256_file(file)
        if any(receipt is None or receipt.cleaned or receipt.original_sha256 != digest for receipt in held):
            return None
        return [Landed(receipt, new=False, refusal=None) for receipt in held]

    # The commit

    def _commit(self, draft: Receipt, content: Path, work: Path) -> Landed:
        """Store the bytes, then create the receipt under the next free number.

        The number is one more than the last receipt that the comparison with the origin's last delivery saw. If
        another process takes it meanwhile, the comparison is made again: two landings of the same bytes at once give
        one delivery.
        """
        stored = False
        while True:
            receipts = self.receipts(draft.source)
            last = next((receipt for receipt in reversed(receipts) if receipt.origin == draft.origin), None)
            if last is not None and last.sha256 == draft.sha256:
                return Landed(last, new=False, refusal=None)
            if not stored:
                self._store(draft, content)
                stored = True
            sequence = self._next_sequence(draft.source, receipts)
            receipt = replace(draft, sequence=sequence, delivery_id=f"{sequence:06d}-{draft.sha256[:12]}")
            if self._create_receipt(receipt, work):
                return Landed(receipt, new=True, refusal=None)

    def _next_sequence(self, source: str, receipts: list[Receipt]) -> int:
        """Return the number after the last receipt's, and after those of erased ones: a number has one meaning."""
        used = [receipt.sequence for receipt in receipts]
        used += [one.sequence for one in self.erased(source) if one.sequence is not None]
        return max(used, default=0) + 1

    def _store(self, draft: Receipt, content: Path) -> None:
        """Move the bytes to their place, or take over the orphan that an interrupted landing left there."""
        target = self.file(draft)
        boundary("landing.file.before")
        if not (target.is_file() and sha256_file(target) == draft.sha256):
            _place(content, target)
        boundary("landing.file.after")

    def _create_receipt(self, receipt: Receipt, work: Path) -> bool:
        """Create the receipt whole and only if its number is free; say whether it was."""
        target = self._receipt_path(receipt.source, receipt.sequence)
        _folder(target.parent)
        draft = work / f"receipt-{receipt.sequence}.json"
        write_json(draft, asdict(receipt))
        draft.chmod(READ_ONLY)
        boundary("landing.receipt.before")
        try:
            os.link(draft, target)  # unlike a rename, a link never replaces
        except FileExistsError:
            return False
        sync_folder(target.parent)
        boundary("landing.receipt.after")
        return True

    def _receipt_path(self, source: str, sequence: int) -> Path:
        return self.root / source / "receipts" / f"{sequence:06d}.json"

    def _receipt(self, path: Path) -> Receipt:
        """Read one receipt."""
        if path not in self._read:
            self._read[path] = Receipt(**_read_record(path))
        return self._read[path]

    # Refusals

    def _refuse(
        self, card: Card, offer: _Offer, origin: str, file_name: str, path: Path | None, error: DeliveryRefused
    ) -> Landed:
        """Keep the bytes and the reason apart; the same bytes refused again for the same reason change nothing.

        Without ``path`` there are no whole bytes to keep. With a never-load list there are, but what could not be read
        could not be cleaned either: only the hash is kept. So is it of what the door stops, and of whatever is refused
        of a card that has one: nobody can tell what is in it.
        """
        from raw_sources import door

        origin, file_name, reason = (door.told(card, text) for text in (origin, file_name, str(error)))
        digest = sha256_file(path) if path else None
        if digest is not None and self._is_erased(card.source, digest, origin.__eq__):
            return Landed(None, new=False, refusal=None, erased=True)
        refusal = Refusal(
            source=card.source,
            origin=origin,
            file_name=file_name,
            sha256=digest,
            received_at=offer.received_at,
            reason=reason,
            kept=path is not None and _may_be_kept(card, error),
            after_sequence=max((receipt.sequence for receipt in self.receipts(card.source)), default=0),
        )
        folder = self.root / card.source / "refused" / (digest or sha256_text(origin))
        boundary("landing.refusal.before")
        if path and refusal.kept and not (folder / file_name).is_file():
            _place(path, folder / file_name)
        with self._lock():
            self._write_refusal(folder / "refusal.json", refusal)
        boundary("landing.refusal.after")
        return Landed(None, new=False, refusal=refusal.reason, forbidden=isinstance(error, DeliveryForbidden))

    def _write_refusal(self, path: Path, refusal: Refusal) -> None:
        """Record ``refusal`` beside those of other origins that offered the same bytes, under the lock."""
        others = [entry for entry in _read_refusals(path) if entry.origin != refusal.origin]
        earlier = next((entry for entry in _read_refusals(path) if entry.origin == refusal.origin), None)
        standing = earlier is not None and _stands(earlier, self.receipts(refusal.source))
        if earlier is not None and standing and earlier.reason == refusal.reason:
            return
        _save_refusals(path, [*others, refusal])

    def _withdraw(self, source: str, offer: _Offer, *, refused_now: Collection[str]) -> None:
        """Let go of earlier refusals of a file, and of its members, that has now been heard without them."""
        for path in sorted((self.root / source / "refused").glob("*/refusal.json")):
            if not any(_answered(refusal, offer, refused_now) for refusal in _read_refusals(path)):
                continue
            with self._lock():
                _save_refusals(
                    path,
                    [
                        replace(refusal, withdrawn=True) if _answered(refusal, offer, refused_now) else refusal
                        for refusal in _read_refusals(path)
                    ],
                )

    def _all_refusals(self, source: str) -> list[Refusal]:
        """Return every refusal ever recorded for ``source``."""
        paths = (self.root / source / "refused").glob("*/refusal.json")
        return [refusal for path in paths for refusal in _read_refusals(path)]

    # What an address last answered

    def _answer_path(self, source: str, address: str) -> Path:
        """Return the place of the last accepted answer of an address. It only spares transfers: losing it is safe."""
        return self.root / source / "answers" / f"{sha256_text(address)}.json"

    def _last_answer(self, source: str, address: str) -> tuple[Validators | None, list[Receipt]]:
        """Return the validators of the last wholly accepted answer and the receipts it led to; None and [] without.

        Receipts alone could not tell: an interrupted or partly refused archive has receipts too, and must be sent
        again; an answer of unchanged bytes under a new ETag has none.
        """
        from raw_sources.fetching import Validators

        path = self._answer_path(source, address)
        if not path.is_file():
            return None, []
        answer = _read_record(path)
        last = {receipt.origin: receipt for receipt in self.receipts(source)}
        held = [last[origin] for origin in answer["origins"] if origin in last]
        if len(held) < len(answer["origins"]) or not (answer["etag"] or answer["last_modified"]):
            return None, []
        return Validators(answer["etag"], answer["last_modified"]), held

    def _remember_answer(self, source: str, address: str, validators: Validators, landed: list[Landed]) -> None:
        """Keep the validators of an answer that was accepted whole."""
        origins = [result.receipt.origin for result in landed if result.receipt]
        answer = {"address": address, "origins": origins, **asdict(validators)}
        path = self._answer_path(source, address)
        if not path.is_file() or _read_record(path) != answer:
            write_json(path, answer)

    # Room to work in

    @contextmanager
    def _workspace(self) -> Iterator[Path]:
        """Give a private folder on the landing's file system, removed at the end; remove those of dead processes.

        Its owner holds a lock on ``.held``, which the system releases when the process dies, however it dies: bytes
        that may not be stored do not outlive a crash beyond the next landing.
        """
        with self._lock():
            incoming = self.root / ".incoming"
            for folder in incoming.iterdir():
                if folder.is_dir() and not _is_held(folder):
                    shutil.rmtree(folder)
            work = Path(tempfile.mkdtemp(dir=incoming))
            held = (work / ".held").open("w")
            fcntl.flock(held, fcntl.LOCK_EX)
        try:
            yield work
        finally:
            with self._lock():  # a rival who saw the mark gone and the rest still there would clear it away as well
                shutil.rmtree(work)
            held.close()

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Hold the landing's one lock, for the instants when two processes must not work at once."""
        with (_folder(self.root / ".incoming") / ".lock").open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield


def _is_held(folder: Path) -> bool:
    """Say whether a living process holds a workspace."""
    mark = folder / ".held"
    if not mark.exists():
        return False
    with mark.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _erased_delivery(receipt: Receipt) -> Erased:
    """Return what remains of a delivery."""
    return Erased(
        source=receipt.source,
        origin=receipt.origin,
        file_name=receipt.file_name,
        received_at=receipt.received_at,
        sha256=receipt.sha256,
        original_sha256=receipt.original_sha256,
        sequence=receipt.sequence,
        delivery_id=receipt.delivery_id,
    )


def _erased_refusal(refusal: Refusal) -> Erased:
    """Return what remains of a refused file; the reason is left out, because it may quote the file."""
    return Erased(refusal.source, refusal.origin, refusal.file_name, refusal.received_at, refusal.sha256)


def _sync_if_there(folder: Path) -> None:
    if folder.is_dir():
        sync_folder(folder)


def _stands(refusal: Refusal, receipts: Iterable[Receipt]) -> bool:
    """Say whether nothing of the refusal's origin, or of the archive it names, was accepted later."""
    answers = (refusal.origin, refusal.origin + MEMBER_MARK)
    return not refusal.withdrawn and not any(
        receipt.sequence > refusal.after_sequence
        and (receipt.origin == answers[0] or receipt.origin.startswith(answers[1]))
        for receipt in receipts
    )


def _answered(refusal: Refusal, offer: _Offer, refused_now: Collection[str]) -> bool:
    """Say whether an offer just heard settles ``refusal``."""
    return not refusal.withdrawn and offer.covers(refusal.origin) and refusal.origin not in refused_now


def _read_refusals(path: Path) -> list[Refusal]:
    """Read the refusals of one content, one per origin."""
    if not path.is_file():
        return []
    return [Refusal(**record) for record in _read_record(path)["refusals"]]


def _save_refusals(path: Path, refusals: list[Refusal]) -> None:
    """Write the refusals of one content, by origin."""
    records = [asdict(refusal) for refusal in sorted(refusals, key=lambda refusal: refusal.origin)]
    write_json(path, {"refusals": records})


def _read_record(path: Path) -> dict[str, Any]:
    """Read a record of the landing, of which a damaged one is no fault of any delivery."""
    try:
        record: dict[str, Any] = read_json(path)
    except (OSError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise MachineryError(
            f"a record of the landing cannot be read ({error}).", where=str(path), hint="Restore it from a backup."
        ) from error
    return record


def _origins(file: Path, offer: _Offer, limits: Limits) -> list[str]:
    """Return the origins of the parts of a local file without expanding it."""
    if packing(file) != "zip":
        return [offer.origin]
    return [f"{offer.origin}{MEMBER_MARK}{member}" for member in member_names(file, offer.file_name, limits)]


def _has_never_load(card: Card) -> bool:
    """Say whether the card lists columns that may not be stored."""
    return any(column.never_load for column in card.columns)


def _may_be_kept(card: Card, error: DeliveryRefused) -> bool:
    """Say whether the bytes of a refused file may be stored."""
    return not (_has_never_load(card) or card.door is not None or isinstance(error, DeliveryForbidden))


def _cleaned(card: Card, part: Part, match: Match, work: Path) -> Path:
    """Return the file to store: the part itself, or its copy without the never-load columns.

    The copy of a spreadsheet is XLSX, and its name says so.
    """
    if not _has_never_load(card):
        return part.path
    from raw_sources import readers

    is_other = match.layout.form == "spreadsheet" and not part.file_name.lower().endswith(".xlsx")
    out = Path(tempfile.mkdtemp(dir=work)) / (f"{part.file_name}.xlsx" if is_other else part.file_name)
    readers.clean(part.path, match, card, out)
    return out


def _check_is_data(path: Path, name: str) -> None:
    """Refuse an empty file, and the web page that a portal sends in place of data."""
    with path.open("rb") as stream:
        head = stream.read(HTML_HEAD_BYTES).removeprefix(BYTE_ORDER_MARK)
    if not head.strip():
        raise DeliveryRefused("the file is empty.", where=name, hint="Have it sent again.")
    if HTML.match(head):
        hint = "Open it to see what the producer says, and check the address."
        if name.lower().endswith((".xls", ".xlsx", ".ods")):
            hint = "Some tools name a page like a workbook: open it in a spreadsheet program and save it as .xlsx."
        raise DeliveryRefused("this is a web page, not data.", where=name, hint=hint)


def _day_of_snapshot(card: Card, offer: _Offer) -> str | None:
    """Return the day of a snapshot fetched from its address, which shows the state of that day; else None."""
    return offer.received_at[:10] if offer.is_live and card.follows == "snapshot" else None


def _check_has_vintage(card: Card, part: Part, file_date: str | None) -> None:
    """Refuse a file of a reference kept by vintage whose name does not say which: the same code changes meaning."""
    if card.reference and card.order == "file_date" and file_date is None:
        raise DeliveryRefused(
            "the name of the file does not say of which year it is.",
            where=part.file_name,
            hint="Put the year in its name, and give its place by `date` in the territory file.",
        )


def _file_date(pattern: FilePattern | None, *names: str) -> str | None:
    """Return the date that the pattern reads in the first of ``names`` that has one, as an ISO date.

    A month or a year alone stands for its first day: a producer who dates a file of December 2024 ``202412`` may do so
    on any day of it. Raises ``DeliveryRefused`` for digits that are no date.
    """
    if pattern is None or pattern.date is None:
        return None
    for name in names:
        found = re.search(pattern.date, name)
        if found and found[1]:
            return _iso_date(found[1], name)
    return None


def _iso_date(text: str, name: str) -> str:
    """Return YYYYMMDD, YYYY-MM-DD, YYYYMM or YYYY as an ISO date."""
    digits = text.replace("-", "")
    try:
        if not (digits.isascii() and digits.isdigit() and len(digits) in (4, 6, 8)):
            raise ValueError(digits)
        return date(int(digits[:4]), int(digits[4:6] or 1), int(digits[6:] or 1)).isoformat()
    except ValueError as error:
        raise DeliveryRefused(
            f"'{text}' in the file name is not a date (YYYYMMDD, YYYY-MM-DD, YYYYMM or YYYY).",
            where=name,
            hint="Rename the file, or correct the pattern's date in the territory file.",
        ) from error


def _instant(now: datetime) -> str:
    """Return ``now`` as an ISO 8601 instant in UTC, to the second."""
    if now.tzinfo is None:
        raise ValueError("the instant of a landing needs a time zone")
    return now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _text(name: str) -> str:
    """Return a name as writable text: bytes that are no UTF-8 become question marks."""
    return name.encode(errors="replace").decode()


def _check_regular(file: Path) -> None:
    """Refuse to receive what is not there, or is a folder, a pipe or a device."""
    try:
        regular = stat.S_ISREG(file.stat().st_mode)
        if regular:
            file.open("rb").close()
    except OSError as error:
        why = error.strerror or "unknown reason"
        raise ConfigurationError(
            f"this file cannot be read ({why}).", where=str(file), hint="Check the path and its permissions."
        ) from error
    if not regular:
        raise ConfigurationError("this is not a regular file.", where=str(file), hint="Give the path of a file.")


def _copy(file: Path, target: Path, max_bytes: int) -> None:
    """Copy ``file``, refusing one that is too big or still being written."""
    before = file.stat()
    if before.st_size > max_bytes:
        raise DeliveryRefused(
            f"the file has {before.st_size} bytes, the source card allows {max_bytes}.",
            where=file.name,
            hint="Check the file, or raise max_bytes in the card.",
        )
    shutil.copyfile(file, target)
    after = file.stat()
    if (before.st_size, before.st_mtime_ns) != (target.stat().st_size, after.st_mtime_ns):
        raise DeliveryRefused(
            "the file was still being written.", where=file.name, hint="Offer it again when it is complete."
        )


def _folder(folder: Path) -> Path:
    """Create ``folder`` and what is missing above it, durably, and return it."""
    missing = [level for level in (folder, *folder.parents) if not level.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for level in missing:
        sync_folder(level.parent)
    return folder


def _place(content: Path, target: Path) -> None:
    """Move a finished file to its place: durable before it is visible, and read-only."""
    _folder(target.parent)
    descriptor = os.open(content, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    content.chmod(READ_ONLY)
    content.replace(target)
    sync_folder(target.parent)
