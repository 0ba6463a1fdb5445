"""What holds for every test: the network stays closed, folders give markers, and a demanded test may not be skipped.

Fixtures for one subject belong beside its tests. The producers' real extracts and the official schemas are read where
they lie, in the folders that HALLE_REAL_EXTRACTS and HALLE_SCHEMAS name; without them the tests that need them are
skipped by name. With HALLE_DEMAND_ALL=1, as in .ci/run, a skipped test is a failed one: a check that did not run is
not a pass.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# In continuous integration a failure is of the change, not of the day; elsewhere examples are drawn anew.
settings.register_profile("demanded", derandomize=True)
if os.environ.get("HALLE_DEMAND_ALL") == "1":
    settings.load_profile("demanded")

MARKED_FOLDERS = {"real": "real", "faults": "faults"}


class UnexpectedConnection(AssertionError):
    """A test tried to reach another machine. Not an OSError, so that no retry takes it for a failing network."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        if folder in MARKED_FOLDERS:
            item.add_marker(MARKED_FOLDERS[folder])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    report = yield
    return refuse_skip(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    report = yield
    return refuse_skip(report)


def refuse_skip(report: Any) -> Any:
    """Turn a skip, or a failure that is expected, into a failure that keeps the reason, when all tests are demanded."""
    demanded = os.environ.get("HALLE_DEMAND_ALL") == "1"
    if demanded and report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{reason} (HALLE_DEMAND_ALL=1: no test may be skipped)"
    return report


@pytest.fixture(scope="session", autouse=True)
def loopback_only() -> Iterator[None]:
    """Let tests connect to this machine and to nothing else."""
    with pytest.MonkeyPatch.context() as patch:
        for method in ("connect", "connect_ex"):
            patch.setattr(socket.socket, method, guarded(getattr(socket.socket, method)))
        yield


def guarded(connect: Any) -> Any:
    def guard(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not is_loopback(address[0]):
            raise UnexpectedConnection(f"a test may not connect to {address[0]}")
        return connect(self, address)

    return guard


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture(scope="session")
def real_extracts() -> Path:
    """Return the folder of real extracts, or skip."""
    return folder_named_by("HALLE_REAL_EXTRACTS", "the producers' real extracts")


@pytest.fixture(scope="session")
def official_schemas() -> Path:
    """Return the folder of official schemas, or skip."""
    return folder_named_by("HALLE_SCHEMAS", "the official schemas")


def folder_named_by(variable: str, content: str) -> Path:
    folder = os.environ.get(variable)
    if not folder:
        pytest.skip(f"{variable} is not set: {content} are not at hand")
    if not Path(folder).is_dir():
        pytest.fail(f"{variable} names {folder}, which is not a folder")
    return Path(folder)
