"""Loading: one landed delivery into raw Parquet, once, with its outcome as the mark that it is done.

How a file is read belongs in ``readers``; receipts belong in ``landing``; what rows mean belongs in staging.
The outcome also says when nothing has to be done, without opening the delivery.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from raw_sources.boundaries import boundary
from raw_sources.database import DuckDBSettings, connect, identifier, literal
from raw_sources.errors import DeliveryRefused
from raw_sources.files import canonical_json, read_json, sha256_text, sync_folder, write_json
from raw_sources.readers import READER_VERSION, ReadCount, inspect, read

if TYPE_CHECKING:
    from raw_sources.card import Card
    from raw_sources.landing import Receipt
    from raw_sources.readers import Match


@dataclass(frozen=True)
class Loaded:
    """What became of one delivery. ``records_read`` = ``raw_rows`` + ``malformed``; all are 0 when it was refused.

    ``key`` binds it to the bytes, the card and the readers; ``observed_on`` is the last day that its rows observe.
    """

    delivery_id: str
    source: str
    status: str
    reason: str | None
    records_read: int
    raw_rows: int
    malformed: int
    layout: str
    extra: tuple[str, ...]
    missing: tuple[str, ...]
    path: str
    observed_on: str | None
    key: str


@dataclass(frozen=True)
class _Places:
    """The three files of a delivery."""

    raw: Path
    malformed: Path
    outcome: Path


def _places(card: Card, receipt: Receipt, raw_root: Path) -> _Places:
    folder = raw_root / card.raw_table
    name = receipt.delivery_id
    return _Places(folder / f"{name}.parquet", folder / f"{name}.malformed.parquet", folder / f"{name}.json")


def load_key(card: Card, receipt: Receipt) -> str:
    """Return the digest of all that raw rows depend on: the bytes, how the card reads them, and the readers."""
    return sha256_text(canonical_json([receipt.sha256, card.reading_digest, READER_VERSION]))


def outcome(card: Card, receipt: Receipt, raw_root: Path) -> Loaded | None:
    """Return what became of a delivery, None when it was never loaded (or its loading was interrupted)."""
    places = _places(card, receipt, raw_root)
    if not places.outcome.exists():
        return None
    record = read_json(places.outcome)
    loaded = Loaded(**{**record, "extra": tuple(record["extra"]), "missing": tuple(record["missing"])})
    complete = loaded.status == "refused" or (places.raw.exists() and places.malformed.exists())
    return loaded if complete else None


def load_delivery(card: Card, receipt: Receipt, file: Path, raw_root: Path, settings: DuckDBSettings) -> Loaded:
    """Load one delivery and return what became of it; nothing is done when its outcome stands for the same key.

    Raw and malformed files are renamed into place before the outcome is written, and an older outcome goes before
    either is touched: a run killed at any instant leaves a complete delivery, or one that will be read again.
    A delivery that cannot be read is an outcome too (``refused``), with the sentence that says why.
    """
    key = load_key(card, receipt)
    known = outcome(card, receipt, raw_root)
    if known is not None and known.key == key:
        return known
    places = _places(card, receipt, raw_root)
    places.raw.parent.mkdir(parents=True, exist_ok=True)
    drafts = _Places(*(path.with_name(f".{path.name}.new") for path in (places.raw, places.malformed, places.outcome)))
    try:
        match = inspect(file, card)
        count = read(file, match, card, receipt.delivery_id, drafts.raw, drafts.malformed, settings)
        observed = _observed_on(card, receipt, drafts.raw, settings)
        loaded = _loaded(receipt, key, match, count, observed)
        _place(drafts, places)
    except DeliveryRefused as refusal:
        loaded = _refused(card, receipt, key, str(refusal))
        _withdraw(places)
    finally:
        drafts.raw.unlink(missing_ok=True)
        drafts.malformed.unlink(missing_ok=True)
    boundary("loading.outcome.before")
    write_json(places.outcome, asdict(loaded))
    boundary("loading.outcome.after")
    return loaded


def _loaded(receipt: Receipt, key: str, match: Match, count: ReadCount, observed_on: str | None) -> Loaded:
    return Loaded(
        delivery_id=receipt.delivery_id,
        source=receipt.source,
        status="loaded",
        reason=None,
        records_read=count.records_read,
        raw_rows=count.raw_rows,
        malformed=count.malformed,
        layout=match.layout.name,
        extra=match.extra,
        missing=match.missing,
        path=count.path,
        observed_on=observed_on,
        key=key,
    )


def _refused(card: Card, receipt: Receipt, key: str, reason: str) -> Loaded:
    return Loaded(receipt.delivery_id, card.source, "refused", reason, 0, 0, 0, "", (), (), "", None, key)


def _place(drafts: _Places, places: _Places) -> None:
    """Put the two Parquet files in place, durably; the older outcome, if any, goes first."""
    for draft in (drafts.raw, drafts.malformed):
        _sync(draft)
    boundary("loading.raw.before")
    places.outcome.unlink(missing_ok=True)
    sync_folder(places.outcome.parent)
    drafts.raw.replace(places.raw)
    drafts.malformed.replace(places.malformed)
    sync_folder(places.raw.parent)
    boundary("loading.raw.after")


def _withdraw(places: _Places) -> None:
    """Take away what an earlier card or reader had accepted."""
    for path in (places.outcome, places.raw, places.malformed):
        path.unlink(missing_ok=True)
    sync_folder(places.raw.parent)


def _sync(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _observed_on(card: Card, receipt: Receipt, raw: Path, settings: DuckDBSettings) -> str | None:
    """Return the last day (YYYY-MM-DD) that a cell of the card's observed column is about.

    A cell begins with a date (2024-01-31, 31/01/2024), or is one (20240131), a month (2024-01, 01/2024) or a year: then
    it is about its last day. 13 digits are milliseconds since 1970, on a day in UTC. A day later than the day after
    receipt is no observation (a planned end, a typing error) and is left out.
    """
    if card.observed_column is None:
        return None
    latest = _day(receipt.received_at) + timedelta(days=1)
    day = _last_day(identifier(card.observed_column))
    query = f"select max({day}) filter (where {day} <= date {literal(latest.isoformat())}) from "
    with connect(None, settings) as connection:
        found = connection.execute(f"{query} read_parquet({literal(str(raw))})").fetchone()
    return found[0].isoformat() if found and found[0] is not None else None


def _last_day(cell: str) -> str:
    """Return the SQL of the last day that the text of a cell is about, NULL when it is none of the forms known."""
    iso = f"try_cast(regexp_extract({cell}, '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}') as date)"
    french = f"cast(try_strptime(left({cell}, 10), '%d/%m/%Y') as date)"
    packed = f"cast(try_strptime(regexp_extract({cell}, '^[0-9]{{8}}$'), '%Y%m%d') as date)"
    month = f"last_day(try_cast(regexp_extract({cell}, '^[0-9]{{4}}-[0-9]{{2}}$') || '-01' as date))"
    slashed = f"last_day(cast(try_strptime(regexp_extract({cell}, '^[0-9]{{2}}/[0-9]{{4}}$'), '%m/%Y') as date))"
    year = f"try_cast(regexp_extract({cell}, '^(1[89]|2[0-9])[0-9]{{2}}$') || '-12-31' as date)"
    millis = f"cast(make_timestamp_ms(try_cast(regexp_extract({cell}, '^[0-9]{{13}}$') as bigint)) as date)"
    return f"coalesce({iso}, {french}, {packed}, {month}, {slashed}, {year}, {millis})"


def _day(instant: str) -> date:
    return datetime.fromisoformat(instant).date()
