"""One run at a time on one DATA, from the command line and from the Dagster UI alike: an operating-system file lock.

The lock goes with the process: a killed run leaves none behind.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from raw_sources.errors import ConfigurationError


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
