"""Questions to the analysts' copy: read-only SQL, and what was refused.

The copy is opened read-only, with nothing of the file system reachable from a query.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, TextIO

import duckdb

from orchestration.workspace import Workspace
from raw_sources.errors import ConfigurationError, HalleError

PrintTable = Callable[[Sequence[str], Sequence[Sequence[object]]], None]

SAMPLES = 3


class QueryRefused(HalleError):
    """A query that cannot be answered (exit status 1)."""


@dataclass(frozen=True)
class Rejects:
    """Records of one source refused for one reason: ``stage`` is reading or staging; ``samples`` show a few."""

    source: str
    stage: str
    reason: str
    count: int
    samples: list[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)


@contextmanager
def analysts_copy(workspace: Workspace) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the analysts' copy read-only; raises ConfigurationError when nothing has run yet."""
    if not workspace.analysts_copy.is_file():
        raise ConfigurationError(
            "there is nothing to ask yet.", where=str(workspace.data), hint="Run `halle run` first."
        )
    connection = duckdb.connect(str(workspace.analysts_copy), read_only=True, config={"enable_external_access": False})
    try:
        connection.execute("set TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()


def read_rejects(workspace: Workspace, source: str | None) -> list[Rejects]:
    """Return what was refused, most frequent reasons first; reasons differ by their words, not by the values quoted."""
    with analysts_copy(workspace) as connection:
        return [*_read(connection, source, STAGING), *_read(connection, source, READING)]


STAGING = """
select rejects.source, 'staging' as stage, split_part(rejects.reason, ': ', 1) as reason, count(*) as refused,
    list({'file': deliveries.file_name, 'record_no': record_no, 'reason': rejects.reason, 'record': record}
        order by rejects.delivery_id, record_no)[1:?] as samples
from ops.rejects as rejects
left join ops.deliveries as deliveries using (source, delivery_id)
where ? is null or rejects.source = ?
group by all order by refused desc, 1, 3
"""

READING = """
select malformed.source, 'reading' as stage, split_part(malformed.reason, ': ', 1) as reason, count(*) as refused,
    list({'file': deliveries.file_name, 'record_no': record_no, 'line_no': line_no, 'reason': malformed.reason,
          'record': text} order by malformed.delivery_id, record_no)[1:?] as samples
from ops.malformed as malformed
left join ops.deliveries as deliveries using (source, delivery_id)
where ? is null or malformed.source = ?
group by all order by refused desc, 1, 3
"""


def _read(connection: duckdb.DuckDBPyConnection, source: str | None, sql: str) -> list[Rejects]:
    return [Rejects(*row) for row in connection.execute(sql, [SAMPLES, source, source]).fetchall()]


def answer(workspace: Workspace, sql: str, form: str, out: TextIO, print_table: PrintTable) -> None:
    """Write the answer of a query as a table, CSV, JSON or Parquet; raises QueryRefused with DuckDB's reason.

    Parquet goes to the bytes under ``out``; a table is drawn by ``print_table`` from column names and rows.
    """
    with analysts_copy(workspace) as connection:
        try:
            relation = connection.sql(sql)
            if relation is None:
                raise QueryRefused("this statement returns nothing.", hint="Ask with a select.")
            _write(relation, form, out, print_table)
        except duckdb.Error as error:
            raise QueryRefused(str(error).splitlines()[0], where="query", hint=_advice(error)) from None


def _advice(error: duckdb.Error) -> str:
    if isinstance(error, duckdb.CatalogException):
        return "`show all tables` lists what there is."
    return "The analysts' copy is read-only, and queries reach nothing else."


def _write(relation: duckdb.DuckDBPyRelation, form: str, out: TextIO, print_table: PrintTable) -> None:
    frame = relation.pl()
    if form == "csv":
        out.write(frame.write_csv())
    elif form == "json":
        out.write(frame.write_json() + "\n")
    elif form == "parquet":
        frame.write_parquet(out.buffer)
    else:
        print_table(relation.columns, relation.fetchall())
