"""Starts Dagster's web server and daemon on loopback, with a home of their own under DATA."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from orchestration.dagster_home import prepare_home
from orchestration.modelling import prepare_project
from orchestration.project import Project
from orchestration.running import sample_extracts
from orchestration.staleness import remember_territory
from orchestration.workspace import Workspace

HOST = "127.0.0.1"


def serve(project: Project, workspace: Workspace, extracts: Path | None, port: int) -> int:
    """Serve until interrupted; return the server's exit status.

    The variables are set before Dagster starts: a ``.env`` file is read too late for DAGSTER_HOME (pitfall D8).
    """
    remember_territory(project, workspace)
    prepare_project(project, workspace)  # so that the first page is not a minute of waiting
    folder = extracts or sample_extracts(project, workspace)
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(prepare_home(workspace)),
        "HALLE_DATA": str(workspace.data),
        "HALLE_TERRITORY": str(project.territory.folder.resolve()),
        **({"HALLE_EXTRACTS": str(folder.resolve())} if folder else {}),
    }
    command = [sys.executable, "-m", "dagster", "dev", "-m", "orchestration.definitions", "-h", HOST, "-p", str(port)]
    try:
        return subprocess.run(command, env=environment, check=False).returncode  # noqa: S603 - our own arguments
    except KeyboardInterrupt:
        return 0
