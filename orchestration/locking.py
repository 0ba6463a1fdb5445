"""One run at a time on one DATA, from the command line and from the Dagster UI alike: an operating-system file lock.

The lock goes with the process: a killed run leaves none behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from orchestration.workspace import Workspace
from raw_sources.locks import sole_holder


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
    with sole_holder(data, "another run is at work here", "Wait until it ends, or give another --data."):
        yield
