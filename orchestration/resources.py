"""Dagster resources: the run itself. It holds DATA's lock, so that the UI and the command line never write at once."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from orchestration.locking import alone_at_work
from orchestration.project import Project
from orchestration.run import Run
from orchestration.settings import Settings
from orchestration.staleness import remember_territory


def run_resource(settings: Settings, project: Project) -> dg.ResourceDefinition:
    """Return the resource of runs started from the UI, a schedule or a sensor."""

    @dg.resource(description="One run over the territory, alone on its DATA.")
    def run(context: dg.InitResourceContext) -> Iterator[Run]:
        log = context.log
        with alone_at_work(settings.workspace):
            remember_territory(project, settings.workspace)
            own = Run(
                project,
                settings.workspace,
                extracts=settings.extracts,
                report=(lambda message: log.info(message)) if log else print,
            )
            own.settle()
            own.say_what_ended()
            for notice in own.notices:
                own.report(notice)
            yield own
            if own.certificates:
                own.describe_restricted()
                own.describe_lineage()

    return run


def fixed_run(run: Run) -> dg.ResourceDefinition:
    """Return the resource of a run that the command line started and whose lock it holds."""
    return dg.ResourceDefinition.hardcoded_resource(run)
