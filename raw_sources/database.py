"""The one place that opens DuckDB, with one configuration.

DuckDB refuses a second connection of the same process to the same file under another configuration, so dbt,
Great Expectations and our own steps all take theirs from :func:`configuration`. Open, use, close: a connection
left open keeps the file locked for every other process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class DuckDBSettings:
    """Limits of the engine: memory (DuckDB text such as ``2GB``), threads, and the folder it may spill to."""

    memory_limit: str = "2GB"
    threads: int = 2
    temp_directory: Path | None = None


def configuration(settings: DuckDBSettings) -> dict[str, str | bool | int | float | list[str]]:
    """Return the connection options: bounded memory, no extension fetched from a network."""
    options: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": settings.memory_limit,
        "threads": settings.threads,
        "autoinstall_known_extensions": False,
    }
    if settings.temp_directory is not None:
        options["temp_directory"] = str(settings.temp_directory)
    return options


@contextmanager
def connect(path: Path | None, settings: DuckDBSettings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the database at ``path`` (in memory when None), in UTC, and close it at the end of the block."""
    import duckdb  # not before it is needed: the collector reads declarations, and no database

    connection = duckdb.connect(str(path) if path else ":memory:", config=configuration(settings))
    try:
        connection.execute("set TimeZone = 'UTC'")  # not a connection option: ICU is loaded after the file is opened
        yield connection
    finally:
        connection.close()


def identifier(name: str) -> str:
    """Quote ``name`` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote ``text`` as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"
