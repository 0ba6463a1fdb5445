"""Dagster schedules: the whole way every day at six, legal time of the territory."""

from __future__ import annotations

import dagster as dg

from orchestration.jobs import WHOLE_WAY
from orchestration.project import Project


def schedules(project: Project) -> list[dg.ScheduleDefinition]:
    """Return the daily schedule, to be switched on in the UI."""
    return [
        dg.ScheduleDefinition(
            name="every_day",
            job_name=WHOLE_WAY,
            cron_schedule="0 6 * * *",
            execution_timezone=project.territory.time_zone,
            description="Portals refresh at night: at six, yesterday is there.",
        )
    ]
