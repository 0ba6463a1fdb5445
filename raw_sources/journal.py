"""Append-only logs: one JSON object per line, durable once ``append`` returns.

A last line cut by a kill was never committed: readers leave it out, and the next append takes its place. What the lines
say belongs to whoever keeps the log (``exports.log``, ``orchestration.interventions``, ``landing``).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from raw_sources.errors import MachineryError
from raw_sources.files import sync_folder


def append(path: Path, record: Mapping[str, Any]) -> None:
    """Append ``record`` to the log at ``path``, durably; the log and its folder are created when they are missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(record, ensure_ascii=False, sort_keys=True) + "\n"
    with path.open("r+b" if path.exists() else "w+b") as stream:
        stream.truncate(_committed(path))
        stream.seek(0, os.SEEK_END)
        stream.write(line.encode())
        stream.flush()
        os.fsync(stream.fileno())
    sync_folder(path.parent)


def lines(path: Path) -> list[bytes]:
    """Return the committed lines of the log at ``path``, oldest first; none when there is no log."""
    return path.read_bytes()[: _committed(path)].splitlines() if path.exists() else []


def records(path: Path) -> list[dict[str, Any]]:
    """Return the records of the log at ``path``, oldest first. Raises ``MachineryError`` for a line that is none."""
    return [_record(line, path, number) for number, line in enumerate(lines(path), start=1)]


def _committed(path: Path) -> int:
    """Return the length in bytes of the complete lines of the file at ``path``."""
    return path.read_bytes().rfind(b"\n") + 1


def _record(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise unreadable(path, number) from error
    if not isinstance(record, dict):
        raise unreadable(path, number)
    return record


def unreadable(path: Path, number: int) -> MachineryError:
    """Return the error for a line of an append-only log that does not say what it should."""
    return MachineryError(
        "this line of an append-only log cannot be read.",
        where=f"{path}:{number}",
        hint="Restore the file from a backup: runs are replayed from it.",
    )
