"""Runs of authorities on real extracts, from the command line, and the means to question what they say.

Each is made once; a test that changes anything works on a copy.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestration.inquiry import analysts_copy
from orchestration.workspace import PROJECT, Workspace
from raw_sources.database import DuckDBSettings, connect
from tests.commands import halle

EXAMPLES = PROJECT / "raw_sources" / "territories"
TERRITORY = EXAMPLES / "paris"
OTHERS = Path(__file__).parent / "territories" / "others"


@dataclass(frozen=True)
class Authority:
    """A territory's folder, its DATA, and the extracts that it was made from."""

    data: Path
    extracts: Path
    territory: Path = TERRITORY

    def halle(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run a command of ``halle`` on DATA."""
        said = halle(*arguments, "--data", self.data, cwd=PROJECT, keep={"HALLE_SCHEMAS"})
        return subprocess.CompletedProcess(["halle", *map(str, arguments)], said.status, said.out, said.err)

    def run(self) -> subprocess.CompletedProcess[str]:
        """Take the extracts the whole way."""
        return self.halle("run", "--territory", self.territory, "--extracts", self.extracts)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the analysts' copy."""
        with analysts_copy(Workspace(self.data)) as connection:
            return connection.execute(sql).fetchall()

    def staged(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the warehouse, where the staging models are."""
        with connect(Workspace(self.data).warehouse, DuckDBSettings(memory_limit="1GB", threads=2)) as connection:
            return connection.execute(sql).fetchall()

    def value(self, sql: str) -> Any:
        """Return the one value of a query on the analysts' copy."""
        ((value,),) = self.ask(sql)
        return value

    def rejects(self) -> list[dict[str, Any]]:
        """Return what `halle rejects --json` says."""
        done = self.halle("rejects", "--json")
        assert done.returncode == 0, done.stderr
        answer: list[dict[str, Any]] = json.loads(done.stdout)
        return answer


@pytest.fixture(scope="session")
def run_of(real_extracts: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Authority]:
    """Return what gives the authority of a folder once its run, made once, is known to have succeeded."""
    runs: dict[Path, AuthorityRun] = {}

    def authority(folder: Path) -> Authority:
        if folder not in runs:
            made = Authority(tmp_path_factory.mktemp(folder.name) / "data", real_extracts.resolve(), folder)
            runs[folder] = AuthorityRun(made, made.run())
        ended = runs[folder].ended
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "Traceback" not in ended.stdout + ended.stderr
        return runs[folder].authority

    return authority


@dataclass(frozen=True)
class AuthorityRun:
    """The first run, and how it ended."""

    authority: Authority
    ended: subprocess.CompletedProcess[str]


@pytest.fixture(scope="session")
def paris_run(real_extracts: Path, tmp_path_factory: pytest.TempPathFactory) -> AuthorityRun:
    """Run the City of Paris on its real extracts, once."""
    paris = Authority(tmp_path_factory.mktemp("paris") / "data", real_extracts.resolve())
    return AuthorityRun(paris, paris.run())


@pytest.fixture(scope="session")
def paris(paris_run: AuthorityRun) -> Authority:
    """Return the territory once its run is known to have succeeded."""
    assert paris_run.ended.returncode == 0, paris_run.ended.stdout + paris_run.ended.stderr
    return paris_run.authority
