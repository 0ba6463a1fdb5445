"""Bringing the bytes behind an HTTP(S) address into one local file: patience, resumption, limits.

Only the transfer is here: what the bytes mean, whether they are accepted and where they are kept belong to
``landing``. A transfer ends in a whole file, in "not modified", or in an error that is a sentence.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from pathlib import Path
from urllib.parse import unquote

import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_any,
    stop_before_delay,
    wait_random_exponential,
)

from raw_sources.addresses import Address, address_of, masked
from raw_sources.errors import DeliveryRefused, Unreachable
from raw_sources.unpacking import safe_name

NAMELESS = "delivery"
TRY_AGAIN_STATUSES = frozenset({408, 429, *range(500, 600)})
PLAIN_ENCODINGS = ("", "identity", "gzip", "x-gzip")  # gzip is kept as received and opened like any .gz file
STRONG_DATE_AFTER = timedelta(seconds=60)  # RFC 9110 §8.8.2.2: an older Last-Modified cannot hide a second change
# The client would log whole addresses, with their tokens.
logging.getLogger("httpx").setLevel(logging.WARNING)
LATER = "The last delivery stays in use; try again later, or check the address in the territory file."


@dataclass(frozen=True)
class FetchOptions:
    """Patience of a transfer. Times in seconds: ``total_seconds`` covers all attempts and the waits between them;
    the waits grow from ``first_wait_seconds`` to ``longest_wait_seconds`` unless the server asks for longer.
    """

    connect_seconds: float = 10.0
    read_seconds: float = 60.0
    total_seconds: float = 3600.0
    attempts: int = 5
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 60.0
    redirects: int = 5


@dataclass(frozen=True)
class Validators:
    """What a server said to recognise one state of a resource by: ETag and Last-Modified, as sent."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True)
class Fetched:
    """A whole file: its place, the name that the server or the final address gives it, its validators."""

    path: Path
    file_name: str
    validators: Validators


class _TryAgainError(Exception):
    """An attempt that failed for a reason that may pass; the server may have asked for a pause (seconds)."""

    def __init__(self, reason: str, pause_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.pause_seconds = pause_seconds


class _GiveUpError(Exception):
    """An answer that will not change by asking again."""


@dataclass
class _Transfer:
    """What successive attempts share: the part received so far and the validator that it belongs to."""

    address: Address
    name: str
    path: Path
    max_bytes: int
    deadline: float
    received: int = 0
    validators: Validators = Validators()
    resume_by: str | None = None

    def restart(self) -> None:
        """Forget what was received."""
        self.path.write_bytes(b"")
        self.received = 0
        self.resume_by = None


def fetch(
    url: str, out: Path, *, max_bytes: int, known: Validators | None = None, options: FetchOptions | None = None
) -> Fetched | None:
    """Bring the bytes at ``url`` into the file ``out``; None when they are those that ``known`` describes (304).

    The bytes are those on the wire, undecoded. Raises ``Unreachable`` after the last attempt, at once on an answer
    that will not change (4xx but 408 and 429, too many redirects, another scheme) or an address that lacks its token,
    and ``DeliveryRefused`` beyond ``max_bytes``.
    """
    options = options or FetchOptions()
    transfer = _Transfer(address_of(url), shown(url), out, max_bytes, time.monotonic() + options.total_seconds)
    retrying = Retrying(
        retry=retry_if_exception_type(_TryAgainError),
        stop=stop_any(stop_after_attempt(options.attempts), stop_before_delay(options.total_seconds)),
        wait=_pause(options),
        reraise=True,
    )
    try:
        with _client(options) as client:
            transfer.restart()
            return retrying(_attempt, client, transfer, known, options)
    except _GiveUpError as error:
        raise Unreachable(f"the address gave no data: {error}.", where=transfer.name, hint=LATER) from error
    except _TryAgainError as error:
        attempts = retrying.statistics["attempt_number"]
        what = f"the address gave no data in {attempts} attempt{'s' if attempts > 1 else ''}; the last reason: {error}."
        raise Unreachable(what, where=transfer.name, hint=LATER) from error


def shown(url: str) -> str:
    """Return ``url`` fit for receipts and messages: without user, password, tokens and fragment."""
    try:
        return str(httpx.URL(masked(url)).copy_with(username=None, password=None, fragment=None))
    except httpx.InvalidURL:
        return safe_name(masked(url))


def _client(options: FetchOptions) -> httpx.Client:
    """Return a client that asks for plain bytes, so that length, ranges and hashes speak of the file itself."""
    return httpx.Client(
        headers={"User-Agent": f"halle/{version('halle')}", "Accept": "*/*", "Accept-Encoding": "identity"},
        timeout=httpx.Timeout(options.read_seconds, connect=options.connect_seconds),
        follow_redirects=True,
        max_redirects=options.redirects,
    )


def _pause(options: FetchOptions) -> Callable[[RetryCallState], float]:
    """Return the wait before the next attempt: exponential with full jitter, or longer when the server asks so."""
    backoff = wait_random_exponential(multiplier=options.first_wait_seconds, max=options.longest_wait_seconds)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return max(backoff(state), error.pause_seconds if isinstance(error, _TryAgainError) else 0.0)

    return wait


def _attempt(
    client: httpx.Client, transfer: _Transfer, known: Validators | None, options: FetchOptions
) -> Fetched | None:
    """Ask once, and sort what goes wrong into passing and lasting."""
    try:
        with client.stream("GET", transfer.address.full, headers=_request_headers(transfer, known)) as response:
            if response.status_code == httpx.codes.NOT_MODIFIED and known is not None and not transfer.received:
                return None
            _accept(response, transfer)
            _receive(response, transfer)
            return Fetched(transfer.path, _file_name(response, transfer.address), transfer.validators)
    except httpx.ConnectTimeout as error:
        raise _TryAgainError(f"no connection within {options.connect_seconds:g} s") from error
    except httpx.TimeoutException as error:
        raise _TryAgainError(f"no byte for {options.read_seconds:g} s") from error
    except httpx.TooManyRedirects as error:
        raise _GiveUpError(f"it redirects more than {options.redirects} times") from error
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise _GiveUpError("it is, or leads to, something other than an http or https address") from error
    except httpx.RequestError as error:
        raise _TryAgainError(transfer.address.hide(str(error)) or type(error).__name__) from error


def _request_headers(transfer: _Transfer, known: Validators | None) -> dict[str, str]:
    """Ask for the rest of what was cut, else for the whole unless it is already known."""
    if transfer.received and transfer.resume_by:
        return {"Range": f"bytes={transfer.received}-", "If-Range": transfer.resume_by}
    transfer.restart()
    headers = {}
    if known and known.etag:
        headers["If-None-Match"] = known.etag
    if known and known.last_modified:
        headers["If-Modified-Since"] = known.last_modified
    return headers


def _accept(response: httpx.Response, transfer: _Transfer) -> None:
    """Judge status and headers before any byte of the body is taken."""
    status = response.status_code
    answered = f"it answered {status} {response.reason_phrase}".rstrip()
    if status in TRY_AGAIN_STATUSES:
        raise _TryAgainError(answered, _asked_pause(response.headers))
    if transfer.received and status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        transfer.restart()
        raise _TryAgainError(answered)
    if status == httpx.codes.PARTIAL_CONTENT and transfer.received:
        _check_continuation(response, transfer)
    elif status == httpx.codes.OK:
        transfer.restart()
        transfer.validators = Validators(response.headers.get("ETag"), response.headers.get("Last-Modified"))
        transfer.resume_by = _resume_by(response.headers)
    else:
        raise _GiveUpError(answered)
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in PLAIN_ENCODINGS:
        raise _GiveUpError(f"it sends bytes encoded as '{encoding}', which was not asked for")
    if transfer.received + _content_length(response.headers) > transfer.max_bytes:
        raise _too_big(transfer)


def _check_continuation(response: httpx.Response, transfer: _Transfer) -> None:
    """Make sure that a partial answer goes on where the last one was cut, in the same state of the file."""
    start = response.headers.get("Content-Range", "").lower().removeprefix("bytes").strip().split("-")[0]
    etag = response.headers.get("ETag")
    if start != str(transfer.received) or (etag and transfer.validators.etag and etag != transfer.validators.etag):
        transfer.restart()
        raise _TryAgainError("it went on from another place or another file than the one that was cut")


def _receive(response: httpx.Response, transfer: _Transfer) -> None:
    """Append the body to the file, within size and time, and check its length."""
    expected = transfer.received + _content_length(response.headers)
    with transfer.path.open("ab") as sink:
        for chunk in response.iter_raw():
            transfer.received += sink.write(chunk)
            if transfer.received > transfer.max_bytes:
                raise _too_big(transfer)
            if time.monotonic() > transfer.deadline:
                raise _GiveUpError(f"it was too slow, {transfer.received} bytes had come when time was up")
    if "Content-Length" in response.headers and transfer.received != expected:
        raise _TryAgainError(f"it was cut after {transfer.received} of {expected} bytes")


def _content_length(headers: httpx.Headers) -> int:
    """Return the announced length of this body in bytes, 0 when there is none to believe."""
    text = headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else 0


def _resume_by(headers: httpx.Headers) -> str | None:
    """Return the validator that makes a resumption safe: a strong ETag, or a date strong by RFC 9110 §8.8.2.2."""
    etag = headers.get("ETag")
    if etag:
        return None if etag.startswith("W/") else etag
    modified, sent = _date(headers, "Last-Modified"), _date(headers, "Date")
    if modified and sent and sent - modified >= STRONG_DATE_AFTER:
        return headers["Last-Modified"]
    return None


def _asked_pause(headers: Mapping[str, str]) -> float:
    """Return the seconds that Retry-After asks for, given as a number or as a date; 0 without."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    until = _date(headers, "Retry-After")
    return max(0.0, (until - datetime.now(UTC)).total_seconds()) if until else 0.0


def _date(headers: Mapping[str, str], name: str) -> datetime | None:
    """Return the instant in the header ``name``, None when it is absent or no date."""
    try:
        moment = parsedate_to_datetime(headers.get(name, ""))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _file_name(response: httpx.Response, address: Address) -> str:
    """Return the name in Content-Disposition, else the end of the final address, made harmless; never a token."""
    header = Message()
    header["Content-Disposition"] = response.headers.get("Content-Disposition", "")
    name = header.get_filename() or unquote(response.url.path.rstrip("/").rsplit("/", 1)[-1])
    return NAMELESS if address.tells(name) else safe_name(name)


def _too_big(transfer: _Transfer) -> DeliveryRefused:
    """Say that the answer passes the card's limit."""
    return DeliveryRefused(
        f"the address sends more than the {transfer.max_bytes} bytes that the source card allows.",
        where=transfer.name,
        hint="Check the address, or raise max_bytes in the card.",
    )
