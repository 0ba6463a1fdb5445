"""Ctrl-C ends a run at once.

Dagster and dbt catch interrupts for themselves, and go on or fail with a message about something else. A run may be
killed at any instant (``tests/faults``), so nothing has to be tidied up first.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from threading import Thread
from typing import TypeVar

Result = TypeVar("Result")

INTERRUPTED = 130  # 128 + SIGINT, as shells report it
SECONDS_BETWEEN_LOOKS = 0.2


def interruptible(work: Callable[[], Result]) -> Result:
    """Return what ``work`` returns, or raise what it raises; on an interrupt, say so and end the process.

    The work is done in a second thread: interrupts reach the first one only, where nobody else handles them.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def target() -> None:
        try:
            results.append(work())
        except BaseException as error:  # raised again in the first thread
            errors.append(error)

    worker = Thread(target=target, daemon=True)
    try:
        worker.start()  # within the try: the work may be under way before this thread goes on
        while worker.is_alive():
            worker.join(SECONDS_BETWEEN_LOOKS)
    except KeyboardInterrupt:
        sys.stderr.write("\nhalle: interrupted; what was published stands, and the next run finishes the work.\n")
        sys.stderr.flush()
        os._exit(INTERRUPTED)
    if errors:
        raise errors[0]
    return results[0]
