"""Starts Dagster's web server and daemon on loopback, with a home of their own under DATA."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import FrameType

from orchestration.console import console
from orchestration.dagster_home import prepare_home
from orchestration.modelling import prepare_project
from orchestration.project import Project
from orchestration.running import sample_extracts
from orchestration.staleness import remember_territory
from orchestration.workspace import Workspace
from raw_sources.errors import ConfigurationError

HOST = "127.0.0.1"


def serve(project: Project, workspace: Workspace, extracts: Path | None, port: int) -> int:
    """Serve until interrupted; return the server's exit status.

    The variables are set before Dagster starts: a ``.env`` file is read too late for DAGSTER_HOME (pitfall D8).
    """
    remember_territory(project, workspace)
    prepare_project(project, workspace)  # so that the first page is not a minute of waiting
    folder = extracts or sample_extracts(project, workspace)
    environment = {
        "PYTHONWARNINGS": "ignore",  # Dagster's announcements of its own betas are for its developers
        **os.environ,
        "DAGSTER_HOME": str(prepare_home(workspace)),
        "HALLE_DATA": str(workspace.data),
        "HALLE_TERRITORY": str(project.territory.folder.resolve()),
        **({"HALLE_EXTRACTS": str(folder.resolve())} if folder else {}),
    }
    _require_free(port)
    address = f"http://{HOST}:{port}"
    console().print(f"{project.territory.title_fr}: {address} in half a minute; Ctrl-C stops it.", markup=False)
    command = [sys.executable, "-m", "dagster", "dev", "-m", "orchestration.definitions", "-h", HOST, "-p", str(port)]
    return _serve_until_stopped(command, environment)


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ConfigurationError(
                f"the port {port} cannot be used ({error.strerror}).", hint="Give another with --port."
            ) from None


def _serve_until_stopped(command: list[str], environment: dict[str, str]) -> int:
    """Run the server in a session of its own and pass on, once, whatever stops this process.

    Killed outright, or interrupted twice, ``dagster dev`` leaves its daemon and its code server behind.
    """
    stopped: list[int] = []
    servers: list[subprocess.Popen[bytes]] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        stopped.append(number)
        if len(stopped) == 1:
            for server in servers:
                server.send_signal(signal.SIGINT)

    # Before the start: a signal that this process ignores, as in a shell's background, would be ignored there too.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    with subprocess.Popen(command, env=environment, start_new_session=True) as server:  # noqa: S603 - our own arguments
        servers.append(server)
        status = server.wait()
    return 0 if stopped else status
