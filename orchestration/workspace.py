"""Where a run reads and writes: the folders under DATA and the product's own folders.

Paths only. What is written there belongs to the room that writes it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from raw_sources.agreements import INTERNAL, PUBLIC
from raw_sources.database import DuckDBSettings

PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Workspace:
    """The folders of one territory's DATA.

    A member of a syndicate finds the deliveries of the sources in ``common`` under ``shared``, for all members alike.
    """

    data: Path
    shared: Path | None = None
    common: frozenset[str] = frozenset()

    def landing_of(self, source: str) -> Path:
        """Deliveries of one source as received: the territory's own, or those of its syndicate."""
        return self._home(source).landing

    def raw_of(self, source: str) -> Path:
        """Raw Parquet of one source, beside its deliveries."""
        return self._home(source).raw

    def _home(self, source: str) -> Workspace:
        return Workspace(self.shared) if self.shared is not None and source in self.common else self

    @property
    def landing(self) -> Path:
        """Deliveries as received, with receipts."""
        return self.data / "landing"

    @property
    def raw(self) -> Path:
        """Raw Parquet, one folder per raw table."""
        return self.data / "raw"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file that dbt writes; its name is the catalog's name in the compiled SQL."""
        return self.data / "warehouse" / "warehouse.duckdb"

    @property
    def validation(self) -> Path:
        """Certificates, one folder per mart."""
        return self.data / "validation"

    @property
    def releases(self) -> Path:
        """The append-only release log of the public; those of other audiences are in folders of theirs there."""
        return self.data / "releases"

    def releases_of(self, audience: str) -> Path:
        """The append-only release log of an audience."""
        return self.releases if audience == PUBLIC else self.releases / audience

    @property
    def public(self) -> Path:
        """The published tree (a pointer, switched by one rename)."""
        return self.data / "public"

    def tree_of(self, audience: str) -> Path:
        """The tree that an audience sees (a pointer as well); the internal one lies beside the analysts' copy."""
        return self.internal / "tree" if audience == INTERNAL else self.data / audience

    def candidates_of(self, audience: str) -> Path:
        """Files of an audience's releases, written aside before they are published."""
        return self.data / "candidates" / audience

    @property
    def secrets(self) -> Path:
        """What protected releases hide, kept for the audit of the next: no audience sees it."""
        return self.data / "secrets"

    def secrets_of(self, audience: str) -> Path:
        """What the protected releases to an audience hide."""
        return self.secrets / audience

    @property
    def internal(self) -> Path:
        """What only the authority sees: its tree, the analysts' copy, Data Docs, dbt's documentation."""
        return self.data / "internal"

    @property
    def restricted(self) -> Path:
        """The catalogue of what the public does not see, as JSON; the same as CSV lies beside it."""
        return self.internal / "restricted.json"

    @property
    def analysts_copy(self) -> Path:
        """The analysts' DuckDB file."""
        return self.internal / "marts.duckdb"

    @property
    def inbox(self) -> Path:
        """Drop folders, one per source."""
        return self.data / "inbox"

    @property
    def build(self) -> Path:
        """The assembled dbt project and what a run may throw away."""
        return self.data / "build"

    @property
    def dagster_home(self) -> Path:
        """Dagster's own home."""
        return self.data / "dagster"

    @property
    def state(self) -> Path:
        """What the last runs were given and how they ended."""
        return self.data / "state"

    @property
    def duckdb(self) -> DuckDBSettings:
        """The engine's limits; HALLE_MEMORY_LIMIT and HALLE_THREADS change them."""
        return DuckDBSettings(
            memory_limit=os.environ.get("HALLE_MEMORY_LIMIT", "2GB"),
            threads=int(os.environ.get("HALLE_THREADS", "2")),
            temp_directory=self.build / "spill",
        )
