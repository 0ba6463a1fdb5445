"""The rules that hold for every test: each is shown to bite."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import UnexpectedConnection

SUITE = """
import pytest

def test_passes():
    pass

def test_is_skipped():
    pytest.skip("nothing to read")
"""


@pytest.mark.parametrize("method", ["connect", "connect_ex"])
def test_another_machine_is_out_of_reach(method: str) -> None:
    with socket.socket() as connection, pytest.raises(UnexpectedConnection, match=r"192\.0\.2\.1"):
        getattr(connection, method)(("192.0.2.1", 80))


def test_this_machine_is_within_reach() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as connection:
        assert connection.getpeername() == server.getsockname()


@pytest.mark.parametrize(("demanded", "status"), [("0", 0), ("1", 1)])
def test_a_skip_is_a_failure_when_all_tests_are_demanded(tmp_path: Path, demanded: str, status: int) -> None:
    run = run_suite(tmp_path, SUITE, demanded)
    assert run.returncode == status, run.stdout
    assert "nothing to read" in run.stdout


def test_a_module_that_skips_itself_is_a_failure_too(tmp_path: Path) -> None:
    run = run_suite(tmp_path, "import pytest\npytest.skip('no schema', allow_module_level=True)\n", "1")
    assert run.returncode == 2, run.stdout
    assert "no schema" in run.stdout


def run_suite(folder: Path, suite: str, demanded: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(Path(__file__).parents[1] / "conftest.py", folder)
    (folder / "test_suite.py").write_text(suite)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", str(folder)],
        cwd=folder,
        env=os.environ | {"HALLE_DEMAND_ALL": demanded},
        capture_output=True,
        text=True,
        check=False,
    )
