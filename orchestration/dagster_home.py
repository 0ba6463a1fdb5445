"""Dagster's home under DATA: no telemetry, no welcome dialog, one run at a time, no process beside the run."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from orchestration.workspace import Workspace
from raw_sources.files import write_atomically

CONFIGURATION = """\
# Written by halle. One writer on DuckDB (pitfall L1): runs are queued, one at a time.
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  runs:
    max_concurrent_runs: 1
# Steps print nothing. Capturing their output starts two `tail` a run, which outlive one that is killed.
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
"""


def prepare_home(workspace: Workspace) -> Path:
    """Write ``dagster.yaml`` where it is missing or old, and return the folder."""
    path = workspace.dagster_home / "dagster.yaml"
    if not path.is_file() or path.read_text(encoding="utf-8") != CONFIGURATION:
        write_atomically(path, CONFIGURATION)
    return workspace.dagster_home.resolve()


def keep_history_without_waiting() -> None:
    """Let this process write Dagster's history without waiting for the disk at each of its two thousand events.

    A power cut may cost the history of a run, which is for reading. What halle must not lose is written elsewhere.
    """
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    if not event.contains(Engine, "connect", _do_not_wait):
        event.listen(Engine, "connect", _do_not_wait)


def _do_not_wait(connection: Any, _record: Any) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")
