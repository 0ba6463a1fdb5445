"""What the tests of the whole way share: one run of the synthetic territory from the command line, and copies of it.

The run costs about a minute, so it is made once; a test that changes anything works on a copy.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from raw_sources.files import read_json, write_json
from tests.commands import Answer, halle_anew


@dataclass(frozen=True)
class SampleRun:
    """The first run of the synthetic territory: its DATA, which no test may change, and what it printed."""

    data: Path
    answer: Answer


@pytest.fixture(scope="session")
def sample_run(tmp_path_factory: pytest.TempPathFactory) -> SampleRun:
    """Run the synthetic territory once, from the command line; each process of the tests has a copy of its own."""
    own = tmp_path_factory.getbasetemp()
    shared = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "sample_of_all"
    shared.mkdir(exist_ok=True)
    answer = shared / "answer.json"
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the first process runs; the others wait for it
        if not answer.is_file():
            write_json(answer, asdict(halle_anew("run", "--data", shared / "data")))
    return SampleRun(copy_data(shared / "data", own / "sample"), Answer(**read_json(answer)))


@pytest.fixture(scope="session")
def sample_data(sample_run: SampleRun) -> Path:
    """Return the DATA of the run, once it is known to have succeeded."""
    assert sample_run.answer.status == 0, sample_run.answer.err + sample_run.answer.out
    return sample_run.data


@pytest.fixture
def copy_of_sample(sample_data: Path, tmp_path: Path) -> Callable[[], Path]:
    """Return a function that copies the sample's DATA to a folder of the test's own."""

    def copy() -> Path:
        return copy_data(sample_data, tmp_path / "data")

    return copy


def copy_data(data: Path, target: Path) -> Path:
    """Copy a DATA folder whole, with its published pointer as a pointer; return the copy."""
    shutil.copytree(data, target, symlinks=True)
    return target
