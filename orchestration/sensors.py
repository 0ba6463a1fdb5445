"""Dagster sensors: a file in a drop folder starts the whole way."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from orchestration.jobs import WHOLE_WAY
from orchestration.project import Project
from orchestration.receiving import inbox_files
from orchestration.workspace import Workspace
from raw_sources.files import sha256_text

SECONDS_BETWEEN_LOOKS = 60


def sensors(project: Project, workspace: Workspace) -> list[dg.SensorDefinition]:
    """Return the sensor on the drop folders, to be switched on in the UI."""

    @dg.sensor(
        name="drop_folder",
        job_name=WHOLE_WAY,
        minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
        description="Starts a run when a file waits in DATA/inbox/<source>/.",
    )
    def look() -> Iterator[dg.RunRequest | dg.SkipReason]:
        waiting = [path for source in project.enabled for path in inbox_files(workspace, source)]
        if not waiting:
            yield dg.SkipReason("no file waits in a drop folder")
            return
        seen = [f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in waiting]
        yield dg.RunRequest(run_key=sha256_text("\n".join(seen)))

    return [look]
