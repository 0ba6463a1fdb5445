"""Dagster's home: no process beside a run, and no wait for the disk at each event."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from sqlalchemy import create_engine, text

from orchestration.dagster_home import keep_history_without_waiting, prepare_home
from orchestration.workspace import Workspace


def test_a_run_that_is_killed_leaves_no_process_behind(tmp_path: Path):
    # Dagster captures the output of steps through two processes of its own, which nobody ends when a run is killed.
    home = prepare_home(Workspace(tmp_path))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert isinstance(instance.compute_log_manager, NoOpComputeLogManager)


def test_events_do_not_wait_for_the_disk(tmp_path: Path):
    keep_history_without_waiting()
    keep_history_without_waiting()
    with create_engine(f"sqlite:///{tmp_path / 'history.db'}").connect() as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 0
