"""The append-only release log: one JSON line per release of a dataset, written before the tree is switched.

Appending is the durable commit of a release: from then on the next run either finds it published or publishes it. The
log also carries what a replay needs (predecessor, layout, fingerprints of the periods), so that deleting the warehouse
or the published tree loses no byte. Building files belongs in ``candidate``, the tree in ``tree``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raw_sources import journal
from raw_sources.boundaries import boundary

if TYPE_CHECKING:
    from exports.withdrawals import Withdrawal


@dataclass(frozen=True)
class FileFacts:
    """A published file: SHA-256 in hexadecimal, size in bytes, rows (None for documents)."""

    sha256: str
    bytes: int
    rows: int | None


@dataclass(frozen=True)
class PeriodFacts:
    """A period of a dataset: its rows and the sum of their hashes, as text (it exceeds JSON's safe integers)."""

    rows: int
    hash: str


@dataclass(frozen=True)
class ColumnFacts:
    """A published column, as far as compatibility goes: name, DuckDB type in the Parquet file, unit."""

    name: str
    type: str
    unit: str | None


@dataclass(frozen=True)
class Entry:
    """One release of a dataset.

    ``content`` is the hash of all that makes its files save its place in history; ``recipe`` the hash of how a data
    file is written; ``engine`` the tag under which period hashes compare; ``sequence`` its rank, from 1.
    """

    slug: str
    mart: str
    sequence: int
    release: str
    as_of: str
    version: str
    previous: str | None
    content: str
    recipe: str
    engine: str
    certificate: str
    partitioned: bool
    columns: tuple[ColumnFacts, ...]
    periods: dict[str, PeriodFacts]
    files: dict[str, FileFacts]

    @property
    def rows(self) -> int:
        """Rows of the whole dataset."""
        return sum(period.rows for period in self.periods.values())


class ReleaseLog:
    """The logs of all datasets released to one audience: ``<root>/<slug>.jsonl``.

    A withdrawn release keeps its line and its place in history; ``withdrawals`` say which ones they are.
    """

    def __init__(self, root: Path, withdrawals: Sequence[Withdrawal] = ()) -> None:
        self.root = root
        self._withdrawals = withdrawals

    def withdrawals(self, slug: str) -> list[Withdrawal]:
        """Return the decisions by which releases of ``slug`` were taken down, oldest first."""
        return [one for one in self._withdrawals if one.slug == slug]

    def slugs(self) -> list[str]:
        """Return the datasets that were ever released, sorted."""
        return sorted(path.stem for path in self.root.glob("*.jsonl")) if self.root.is_dir() else []

    def entries(self, slug: str) -> list[Entry]:
        """Return the releases of ``slug``, oldest first. A last line cut by a kill was never committed: left out."""
        path = self._path(slug)
        return [_parse(record, path, number) for number, record in enumerate(journal.records(path), start=1)]

    def last(self, slug: str) -> Entry | None:
        """Return the newest release of ``slug``, or None before the first."""
        entries = self.entries(slug)
        return entries[-1] if entries else None

    def append(self, entry: Entry) -> None:
        """Append ``entry`` durably."""
        boundary("release.log.before")
        journal.append(self._path(entry.slug), asdict(entry))
        boundary("release.log.after")

    def _path(self, slug: str) -> Path:
        return self.root / f"{slug}.jsonl"


def _parse(record: dict[str, Any], path: Path, number: int) -> Entry:
    try:
        return _entry(record)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise journal.unreadable(path, number) from error


def _entry(value: dict[str, Any]) -> Entry:
    nested = {
        "columns": tuple(ColumnFacts(**column) for column in value["columns"]),
        "periods": {name: PeriodFacts(**facts) for name, facts in value["periods"].items()},
        "files": {name: FileFacts(**facts) for name, facts in value["files"].items()},
    }
    return Entry(**{**value, **nested})
