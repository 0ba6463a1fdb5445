"""Runs that can be killed: a process that has imported everything and forks one child per run.

Started as ``python -m tests.faults.forking``; ``Forge`` speaks to it, one JSON line each way. It never opens a DuckDB
connection itself: a child that inherits the engine's threads would wait for them for ever. What is killed when, and
what must stand afterwards, belongs in the tests.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.warm import Forker, warm_up


@dataclass(frozen=True)
class Ended:
    """How a run ended: the signal that killed it (None when it ended by itself), what it said, where it passed."""

    signal: int | None
    status: int | None
    nothing_new: bool
    problems: list[str]
    boundaries: list[str]
    seconds: float


class Forge(Forker):
    """A forking process; ``close`` it."""

    def __init__(self) -> None:
        super().__init__("tests.faults.forking")

    def run(
        self, root: Path, *, dagster: bool = False, at: str | None = None, nth: int = 1, after: float | None = None
    ) -> Ended:
        """Run the world at ``root`` in a child; kill it the ``nth`` time it passes ``at``, or ``after`` seconds."""
        order = {"root": str(root), "dagster": dagster, "at": at, "nth": nth, "after": after}
        return Ended(**json.loads(self.ask(order)))


# --- in the forking process -------------------------------------------------------------------------------------


def serve() -> None:
    """Fork a run for every line of standard input, and answer with how it ended."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a run prints is no answer
    warm_up()
    for line in sys.stdin:
        answers.write(json.dumps(_fork(json.loads(line))) + "\n")
        answers.flush()


def _fork(order: dict[str, Any]) -> dict[str, Any]:
    started = time.monotonic()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(order, writing)
    os.close(writing)
    if order["after"] is not None:
        time.sleep(order["after"])
        os.kill(child, signal.SIGKILL)  # a child that has ended is still there until it is waited for
    with os.fdopen(reading) as stream:
        said = [json.loads(line) for line in stream if line.endswith("\n")]
    _, status = os.waitpid(child, 0)
    last = said[-1] if said and isinstance(said[-1], dict) else {}
    return {
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
        "status": last.get("status"),
        "nothing_new": last.get("nothing_new", False),
        "problems": last.get("problems", []),
        "boundaries": [name for name in said if isinstance(name, str)],
        "seconds": time.monotonic() - started,
    }


def _child(order: dict[str, Any], writing: int) -> None:
    """Run, saying each boundary as it is passed; never returns."""
    try:
        outcome = _run(order, writing)
        _say(writing, outcome)
        os._exit(0)
    except BaseException as error:
        _say(writing, {"status": None, "problems": [f"{type(error).__name__}: {error}"]})
        os._exit(3)


def _run(order: dict[str, Any], writing: int) -> dict[str, Any]:
    from orchestration import running
    from raw_sources import boundaries
    from tests.worlds import World, without_dagster

    passed = {"times": 0}

    def on_boundary(name: str) -> None:
        _say(writing, name)
        passed["times"] += name == order["at"]
        if name == order["at"] and passed["times"] == order["nth"]:
            os.kill(os.getpid(), signal.SIGKILL)

    boundaries.on_boundary = on_boundary
    if not order["dagster"]:
        running._execute = without_dagster
    run = World(Path(order["root"])).run()
    outcome = running.run_territory(run)
    return {"status": outcome.status, "nothing_new": outcome.nothing_new, "problems": run.problems}


def _say(writing: int, value: object) -> None:
    os.write(writing, (json.dumps(value) + "\n").encode())


if __name__ == "__main__":
    serve()
