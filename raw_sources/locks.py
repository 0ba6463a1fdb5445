"""A lock on a folder, held by one process at a time: an operating-system file lock, which goes with the process.

What it protects, and what is said when it is held, is for the caller. The landing's own lock, which waits, is not here.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from raw_sources.errors import ConfigurationError


@contextmanager
def sole_holder(folder: Path, busy: str, hint: str) -> Iterator[None]:
    """Hold the lock of ``folder`` for the block; raises ConfigurationError (``busy``, the process) when it is held."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            process = stream.read().strip() or "unknown"
            raise ConfigurationError(f"{busy} (process {process}).", where=str(folder), hint=hint) from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield
