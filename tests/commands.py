"""``halle`` as a user calls it, but for the seconds of its imports: forked from a process that has done them.

A command has a process of its own, its environment, its folder, its two streams, and ends by its exit status. What a
test says of the start itself (what is imported, what a signal does) needs ``python -m orchestration.cli``: see HALLE.
Started as ``python -m tests.commands``; ``Commands`` speaks to it, one JSON line each way.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from tests.warm import Forker, warm_up

HALLE = [sys.executable, "-m", "orchestration.cli"]


@dataclass(frozen=True)
class Answer:
    """What a command of the command line gave."""

    status: int
    out: str
    err: str


def halle(*arguments: object, cwd: Path | None = None, keep: Collection[str] = ()) -> Answer:
    """Run ``halle`` as a user would, piped; demand that no traceback comes out, whatever was asked.

    Of the environment, halle's own settings and Dagster's are left out, but for those to ``keep``.
    """
    return _sound(_commands().run([str(argument) for argument in arguments], cwd or Path.cwd(), _environment(keep)))


def halle_anew(*arguments: object) -> Answer:
    """Run ``halle`` in an interpreter of its own, from its first import on."""
    done = subprocess.run(
        [*HALLE, *map(str, arguments)], capture_output=True, text=True, check=False, env=_environment()
    )
    return _sound(Answer(done.returncode, done.stdout, done.stderr))


def _environment(keep: Collection[str] = ()) -> dict[str, str]:
    own = ("HALLE_", "DAGSTER_")
    return {name: value for name, value in os.environ.items() if name in keep or not name.startswith(own)}


def _sound(answer: Answer) -> Answer:
    assert "Traceback" not in answer.out + answer.err, answer.err
    return answer


@cache
def _commands() -> Commands:
    """Return the forking process of this process of the tests, started by the first command."""
    made = Commands()
    atexit.register(made.close)
    return made


class Commands(Forker):
    """The process that forks commands."""

    def __init__(self) -> None:
        super().__init__("tests.commands")

    def run(self, arguments: list[str], cwd: Path, environment: Mapping[str, str]) -> Answer:
        """Run one command to its end."""
        with tempfile.TemporaryDirectory(prefix="halle-said-") as folder:
            order = {"arguments": arguments, "cwd": str(cwd), "environment": dict(environment), "said": folder}
            status = self.ask(order)
            out, err = (Path(folder, stream).read_bytes().decode() for stream in ("out", "err"))
        return Answer(int(status), out, err)


# --- in the forking process -------------------------------------------------------------------------------------


def serve() -> None:
    """Fork a command for every line of standard input, and answer with its exit status."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the imports print is no answer
    before = dict(os.environ)
    warm_up()
    importlib.import_module("orchestration.cli")
    set_by_imports = {name: value for name, value in os.environ.items() if before.get(name) != value}
    for line in sys.stdin:
        order = json.loads(line)
        order["environment"].update(set_by_imports)
        child = os.fork()
        if child == 0:
            _child(order)
        _, ended = os.waitpid(child, 0)
        answers.write(f"{os.waitstatus_to_exitcode(ended)}\n")
        answers.flush()


def _child(order: dict[str, Any]) -> NoReturn:
    """Become the command; never returns."""
    for stream, number in (("out", 1), ("err", 2)):
        opened = os.open(Path(order["said"], stream), os.O_CREAT | os.O_WRONLY)
        os.dup2(opened, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["cwd"])
    status = _status_of(order["arguments"])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # taking down all that was imported would cost two seconds


def _status_of(arguments: list[str]) -> int:
    from orchestration.cli import main

    sys.argv = ["halle", *arguments]
    try:
        main()
    except SystemExit as ended:
        if isinstance(ended.code, str):
            sys.stderr.write(ended.code + "\n")
            return 1
        return ended.code or 0
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    serve()
