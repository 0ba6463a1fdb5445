"""Dagster's home under DATA: no telemetry, no welcome dialog, one run at a time, no process beside the run."""

from __future__ import annotations

from pathlib import Path

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
