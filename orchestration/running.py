"""A whole run from the command line: lock, receive, decide whether there is anything to do, let Dagster do it, sum up.

The only entry is :func:`run_territory`. Dagster and dbt are imported only once there is something to do.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from orchestration import staleness
from orchestration.locking import alone_at_work
from orchestration.project import SAMPLE_TERRITORY, Project
from orchestration.receiving import check_extracts
from orchestration.run import Run
from orchestration.staleness import LastRun
from orchestration.workspace import Workspace
from raw_sources import sample

if TYPE_CHECKING:
    import dagster as dg


@dataclass
class Outcome:
    """How a run ended: its exit status, whether there was nothing to do, and what it did."""

    run: Run
    status: int
    nothing_new: bool = False
    ledger: list[tuple[object, ...]] = field(default_factory=list)
    seconds: float = 0.0


def sample_extracts(project: Project, workspace: Workspace) -> Path | None:
    """Return the bundled extracts of the synthetic territory, writing them when they are not there; None for others."""
    if project.territory.folder.resolve() != SAMPLE_TERRITORY.resolve():
        return None
    folder = workspace.data / "sample"
    if not sample.bundled_is_current(folder):
        from raw_sources.sample.generate import generate

        generate(folder, bundled=True)
    return folder


def run_territory(run: Run) -> Outcome:
    """Run the whole way for what is new. Raises ConfigurationError for what cannot be run at all."""
    started = perf_counter()
    project, workspace = run.project, run.workspace
    with alone_at_work(workspace):
        staleness.remember_territory(project, workspace)
        if run.extracts is None:
            run.extracts = sample_extracts(project, workspace)
        if run.extracts is not None:
            check_extracts(project, run.extracts)
        run.settle()
        run.say_what_ended()
        run.receive_all()
        themes = run.chosen_themes()
        inputs = staleness.inputs_digest(project, workspace, run.asked_as_of, run.today())
        if not run.refusals() and staleness.is_up_to_date(workspace, inputs, themes):
            return Outcome(run, 0, nothing_new=True, seconds=perf_counter() - started)
        _execute(run, themes)
        _cleanse(run)
        run.describe_restricted()
        run.describe_lineage()
        status = run.status()
        staleness.record_run(workspace, LastRun(inputs, status, run.as_of().isoformat(), themes))
        return Outcome(run, status, ledger=_ledger(run), seconds=perf_counter() - started)


def _execute(run: Run, themes: list[str]) -> None:
    """Let Dagster run the job of the whole way, or that of each theme asked for."""
    run.report("starting Dagster and dbt")
    with run.stopwatch.stage("orchestration"):
        from orchestration.building import build_definitions
        from orchestration.dagster_home import keep_history_without_waiting, prepare_home
        from orchestration.resources import fixed_run

        os.environ["DAGSTER_HOME"] = str(prepare_home(run.workspace))
        keep_history_without_waiting()
        run.marts()
        definitions = build_definitions(run.project, run.workspace, fixed_run(run))
        for name in _job_names(run, themes):
            _note_failures(run, _execute_job(definitions, name))


def _cleanse(run: Run) -> None:
    """Have the databases written again after an erasure, once every model has forgotten what was erased."""
    if run.themes is None and run.sources is None and not run.problems:
        from orchestration.erasing import cleanse

        cleanse(run.workspace)


def _job_names(run: Run, themes: list[str]) -> list[str]:
    from orchestration.jobs import WHOLE_WAY, theme_job_name

    everything = run.themes is None and run.sources is None
    return [WHOLE_WAY] if everything else [theme_job_name(theme) for theme in themes]


def _execute_job(definitions: dg.Definitions, name: str) -> dg.ExecuteInProcessResult:
    """Run a job under DATA's own Dagster instance, where the UI shows it; its log stays there, not on the terminal."""
    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        return definitions.resolve_job_def(name).execute_in_process(
            instance=instance,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )


def _note_failures(run: Run, result: dg.ExecuteInProcessResult) -> None:
    """Turn failed steps that nobody has explained into problems: a step may not fail in silence."""
    if result.success or run.problems:
        return
    for event in result.filter_events(lambda event: event.is_step_failure):
        error = event.step_failure_data.error
        while error is not None and error.cause is not None:
            error = error.cause
        run.note(f"step {event.step_key}: {error.message.strip() if error else 'failed'}")


def _ledger(run: Run) -> list[tuple[object, ...]]:
    from raw_sources.database import connect

    with connect(run.workspace.warehouse, run.workspace.duckdb) as connection:
        return connection.execute(
            "select source, count(*), sum(records_read), sum(malformed), sum(staged), sum(rejected), sum(superseded), "
            "sum(duplicate), sum(out_of_scope) from ops.ledger group by source order by source"
        ).fetchall()
