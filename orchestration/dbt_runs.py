"""Runs dbt inside this process and says what happened, node by node.

``dbtRunner``, not dagster-dbt's client: a subprocess keeps the DuckDB lock when its parent is killed (pitfall L6) and
costs eight seconds each time. Connections are closed after every call, so that the next step may open the warehouse.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner, dbtRunnerResult

from raw_sources import geometry
from raw_sources.boundaries import boundary
from raw_sources.database import DuckDBSettings
from raw_sources.errors import MachineryError
from raw_sources.files import sha256_file

os.environ["DO_NOT_TRACK"] = "1"

UNWRITTEN = ("--no-write-json",)
"""The manifest is that of the parse: writing it again, twice a call, took a tenth of a small run."""


@dataclass(frozen=True)
class NodeResult:
    """What dbt did with one node: ``status`` is success, skipped, error, pass, warn or fail."""

    unique_id: str
    name: str
    resource_type: str
    status: str
    message: str
    seconds: float
    unchanged: bool


@dataclass(frozen=True)
class DbtProject:
    """An assembled project, its warehouse, the engine's limits and the territory's legal time."""

    folder: Path
    warehouse: Path
    settings: DuckDBSettings
    time_zone: str

    @property
    def manifest(self) -> Path:
        """The manifest that dbt wrote last."""
        return self.folder / "target" / "manifest.json"


@contextlib.contextmanager
def _environment(project: DbtProject) -> Iterator[None]:
    values = {
        "HALLE_WAREHOUSE": str(project.warehouse),
        "HALLE_MEMORY_LIMIT": project.settings.memory_limit,
        "HALLE_THREADS": str(project.settings.threads),
        "HALLE_GEOMETRY": sha256_file(Path(geometry.__file__)),  # a part of the build keys of the models that use it
        "HALLE_TEMP_DIRECTORY": str(project.settings.temp_directory or project.folder / "spill"),
    }
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def invoke(project: DbtProject, arguments: Sequence[str]) -> dbtRunnerResult:
    """Call dbt with ``arguments`` on the assembled project; raises MachineryError when dbt itself breaks."""
    options = [
        *arguments,
        "--project-dir",
        str(project.folder),
        "--profiles-dir",
        str(project.folder),
        "--log-path",
        str(project.folder / "logs"),
        "--quiet",
        "--no-use-colors",
        "--no-version-check",
        "--vars",
        json.dumps({"time_zone": project.time_zone}),
    ]
    with _environment(project), contextlib.redirect_stdout(io.StringIO()):
        try:
            result = dbtRunner(callbacks=[_announce]).invoke(options)
        finally:
            _close_warehouse()
    if result.exception is not None:
        raise MachineryError(
            f"dbt could not run: {result.exception}",
            where=f"dbt {arguments[0]}",
            hint="If a model was changed, correct it; its file is named above.",
        )
    return result


def _close_warehouse() -> None:
    """Close what dbt keeps open during a call, now and not when it is collected: the next step opens the same file."""
    environment: Any = DuckDBConnectionManager._ENV  # dbt-duckdb declares it None
    if environment is not None:
        environment.close()
    DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]


def _announce(event: Any) -> None:
    """Announce each model that dbt has just committed as a commit boundary."""
    if event.info.name == "NodeFinished":
        node = event.data.node_info
        if node.resource_type == "model" and node.materialized != "ephemeral":
            boundary(f"models.{node.node_name}.after")


def build(project: DbtProject, select: Sequence[str]) -> list[NodeResult]:
    """Build and test the selected nodes; a failing node skips what hangs from it and nothing else."""
    # Unit tests judge the code, not the data: `make test` runs them, a run does not.
    return _results(invoke(project, ["build", *UNWRITTEN, "--exclude-resource-type", "unit_test", "--select", *select]))


def run_models(project: DbtProject, select: Sequence[str]) -> list[NodeResult]:
    """Bring the selected models up to date, without testing them."""
    return _results(invoke(project, ["run", *UNWRITTEN, "--select", *select]))


def _results(result: dbtRunnerResult) -> list[NodeResult]:
    return [_node_result(one) for one in getattr(result.result, "results", [])]


def _node_result(one: Any) -> NodeResult:
    message = str(one.message or "")
    return NodeResult(
        unique_id=one.node.unique_id,
        name=one.node.name,
        resource_type=str(one.node.resource_type),
        status=str(one.status),
        message=message,
        seconds=float(one.execution_time),
        unchanged=message == "UNCHANGED",
    )


def parse(project: DbtProject) -> list[str]:
    """Parse an assembled project; return the problems as sentences."""
    try:
        invoke(project, ["parse"])
    except MachineryError as error:
        return [str(error)]
    return []
