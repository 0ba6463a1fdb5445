"""The append-only release log: one JSON line per release of a dataset, written before the tree is switched.

Appending is the durable commit of a release: from then on the next run either finds it published or publishes it. The
log also carries what a replay needs (predecessor, layout, fingerprints of the periods), so that deleting the warehouse
or the published tree loses no byte. Building files belongs in ``candidate``, the tree in ``tree``.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from raw_sources.boundaries import boundary
from raw_sources.errors import MachineryError
from raw_sources.files import sync_folder


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
    """The logs of all datasets of a DATA folder: ``<root>/<slug>.jsonl``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def slugs(self) -> list[str]:
        """Return the datasets that were ever released, sorted."""
        return sorted(path.stem for path in self.root.glob("*.jsonl")) if self.root.is_dir() else []

    def entries(self, slug: str) -> list[Entry]:
        """Return the releases of ``slug``, oldest first. A last line cut by a kill was never committed: left out."""
        path = self._path(slug)
        if not path.exists():
            return []
        lines = path.read_bytes()[: _committed(path)].splitlines()
        return [_parse(line, path, number) for number, line in enumerate(lines, start=1)]

    def last(self, slug: str) -> Entry | None:
        """Return the newest release of ``slug``, or None before the first."""
        entries = self.entries(slug)
        return entries[-1] if entries else None

    def append(self, entry: Entry) -> None:
        """Append ``entry`` durably."""
        self.root.mkdir(parents=True, exist_ok=True)
        path = self._path(entry.slug)
        boundary("release.log.before")
        line = json.dumps(asdict(entry), ensure_ascii=False, sort_keys=True) + "\n"
        with path.open("r+b" if path.exists() else "w+b") as stream:
            stream.truncate(_committed(path))
            stream.seek(0, os.SEEK_END)
            stream.write(line.encode())
            stream.flush()
            os.fsync(stream.fileno())
        sync_folder(self.root)
        boundary("release.log.after")

    def _path(self, slug: str) -> Path:
        return self.root / f"{slug}.jsonl"


def _committed(path: Path) -> int:
    """Return the length in bytes of the complete lines of the file at ``path``."""
    return path.read_bytes().rfind(b"\n") + 1


def _parse(line: bytes, path: Path, number: int) -> Entry:
    try:
        return _entry(json.loads(line))
    except (ValueError, KeyError, TypeError) as error:
        raise MachineryError(
            "this line of the release log cannot be read.",
            where=f"{path}:{number}",
            hint="Restore the file from a backup: releases are replayed from it.",
        ) from error


def _entry(value: dict[str, Any]) -> Entry:
    nested = {
        "columns": tuple(ColumnFacts(**column) for column in value["columns"]),
        "periods": {name: PeriodFacts(**facts) for name, facts in value["periods"].items()},
        "files": {name: FileFacts(**facts) for name, facts in value["files"].items()},
    }
    return Entry(**{**value, **nested})
