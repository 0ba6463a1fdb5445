"""One run at a time on one DATA, from the command line and from the Dagster UI alike: an operating-system file lock.

The lock goes with the process: a killed run leaves none behind.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from orchestration.workspace import Workspace
from raw_sources.errors import ConfigurationError


@contextmanager
def alone_at_work(workspace: Workspace) -> Iterator[None]:
    """Hold the lock of a territory's DATA, and that of what it shares with others; raises ConfigurationError."""
    with ExitStack() as locks:
        for folder in (workspace.shared, workspace.data):
            if folder is not None:
                locks.enter_context(one_run_at_a_time(folder))
        yield


@contextmanager
def one_run_at_a_time(data: Path) -> Iterator[None]:
    """Hold DATA's lock for the block; raises ConfigurationError when another run holds it."""
    data.mkdir(parents=True, exist_ok=True)
    path = data / "lock"
    with path.open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            raise ConfigurationError(
                f"another run is at work here (process {stream.read().strip() or 'unknown'}).",
                where=str(data),
                hint="Wait until it ends, or give another --data.",
            ) from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield
