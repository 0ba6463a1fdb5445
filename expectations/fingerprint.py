"""The fingerprint of a mart's content: per period, the number of rows and the sum of their hashes.

One definition for a table of the warehouse and for the Parquet files written from it, whatever the order of the rows,
so that "what is validated is what is published" can be checked after writing. It is not a checksum of files
(``files``), nor does it say whether the content is right (``engine``). A row's hash is DuckDB's 64-bit ``hash()`` of
its columns in the given order; sums are taken in 128 bits, so that two equal rows do not cancel each other. DuckDB may
change ``hash()`` between versions: ``engine`` is part of the digest, and another engine means validating again, never a
false match.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from raw_sources.database import identifier
from raw_sources.files import canonical_json, sha256_text

WHOLE = "*"
NO_PERIOD = "(none)"


@dataclass(frozen=True)
class PeriodFingerprint:
    """Rows of one period, and the sum of their hashes as decimal text (it exceeds what JSON readers keep exactly)."""

    rows: int
    hash_sum: str


@dataclass(frozen=True)
class Fingerprint:
    """The content of a relation, by period (``*`` when it has none), in ascending order of periods."""

    engine: str
    columns: tuple[str, ...]
    periods: Mapping[str, PeriodFingerprint]

    @property
    def rows(self) -> int:
        """Number of rows in all periods."""
        return sum(period.rows for period in self.periods.values())

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of this fingerprint."""
        return sha256_text(canonical_json(self.to_json()))

    def to_json(self) -> dict[str, Any]:
        """Return this fingerprint as JSON values."""
        periods = {name: {"rows": one.rows, "hash_sum": one.hash_sum} for name, one in self.periods.items()}
        return {"engine": self.engine, "columns": list(self.columns), "periods": periods}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Fingerprint:
        """Return the fingerprint that :meth:`to_json` wrote."""
        periods = {name: PeriodFingerprint(one["rows"], one["hash_sum"]) for name, one in value["periods"].items()}
        return cls(value["engine"], tuple(value["columns"]), periods)


def engine_tag() -> str:
    """Return the name of the hash function's version, such as ``duckdb-1.5``."""
    return "duckdb-" + ".".join(duckdb.__version__.split(".")[:2])


def fingerprint(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[str], period_column: str | None = None
) -> Fingerprint:
    """Compute the fingerprint of ``relation`` in one scan.

    ``relation`` is what stands after FROM: ``mobility.traffic_hourly``, ``read_parquet([...])``, a subquery in
    parentheses. ``columns`` are hashed in this order; ``period_column`` groups them (a missing period counts as
    ``(none)``). An empty relation has no period, or ``*`` with zero rows. Raises ``duckdb.Error`` as the query does.
    """
    hashed = ", ".join(identifier(column) for column in columns)
    sums = f"count(*), cast(coalesce(sum(cast(hash({hashed}) as hugeint)), 0) as varchar)"
    if period_column is None:
        rows = connection.sql(f"select '{WHOLE}', {sums} from {relation}").fetchall()
    else:
        period = f"coalesce(cast({identifier(period_column)} as varchar), '{NO_PERIOD}')"
        query = f"select {period} as period, {sums} from {relation} group by period order by period"
        rows = connection.sql(query).fetchall()
    periods = {name: PeriodFingerprint(count, hash_sum) for name, count, hash_sum in rows}
    return Fingerprint(engine_tag(), tuple(columns), periods)
