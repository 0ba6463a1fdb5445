"""What costs a process of halle seconds before it does anything, done once in a process that then forks its runs.

A child must find nothing that it would wait for: what starts threads (DuckDB, Polars, dbt's static parser) is imported
here and not used. The processes that fork are in ``faults.forking`` (runs to be killed) and ``commands``; ``Forker``
speaks to either.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
SMALL_TOWN = Path(__file__).parent / "faults" / "small_town"
HEAVY = """
    orchestration.running orchestration.modelling orchestration.building orchestration.dbt_runs orchestration.analysts
    orchestration.validating orchestration.releasing orchestration.dagster_home orchestration.dbt_functions
    orchestration.lineage orchestration.restricted orchestration.retention orchestration.assets.pictures.drawings
    expectations.engine exports.candidate exports.verify
    great_expectations great_expectations.render.renderer.site_builder
    raw_sources.door raw_sources.readers raw_sources.readers.delimited raw_sources.readers.sniff
    raw_sources.readers.json_records raw_sources.readers.geojson
    raw_sources.readers.xml_records raw_sources.readers.xml_stream
    dbt.adapters.duckdb dbt.adapters.duckdb.impl dbt.adapters.duckdb.environments.local
    dbt.task.build dbt.parser.manifest dbt_common.clients.agate_helper
    babel.dates matplotlib.pyplot pyarrow.pandas_compat pytz sqlglot.dialects.duckdb
""".split()


class Forker:
    """A process started from ``python -m module``, that answers each line of JSON with a line; ``close`` it."""

    def __init__(self, module: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, order: Mapping[str, Any]) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, "the forking process ended"
        return answer

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()


def warm_up() -> None:
    """Import what a run imports, and have dbt build for itself what it builds at its first parse."""
    for name in HEAVY:
        importlib.import_module(name)
    _parse_once()
    gc.freeze()  # children need not look through what was made here


def _parse_once() -> None:
    from orchestration import modelling
    from orchestration.project import load_project
    from orchestration.workspace import Workspace

    os.environ["DBT_STATIC_PARSER"] = "false"  # it has threads
    with tempfile.TemporaryDirectory(prefix="halle-parsed-") as folder:
        modelling.prepare_project(load_project(SMALL_TOWN), Workspace(Path(folder)))
    del os.environ["DBT_STATIC_PARSER"]
