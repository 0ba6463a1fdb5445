"""A territory whose sources are all drafts of `halle new-source`: drafted, linted, loaded and staged by dbt.

Used on invented files by tests/integration and on the producers' by tests/real.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestration import modelling
from orchestration.dbt_runs import NodeResult
from orchestration.project import load_project
from orchestration.run import Run
from orchestration.workspace import PROJECT, Workspace
from raw_sources.database import connect
from raw_sources.drafting import Draft, draft_source, write_draft

THEME = "drafts"
TERRITORY = """
name: drafted
title: {fr: "Brouillons (essai)", en: "Drafts (trial)"}
siren: "999999998"
communes: {vintage: 2025, codes: ["99999"]}
time_zone: Europe/Paris
publisher: {name: "Brouillons (essai)"}
contact: "contact@drafted.example"
base_url: "https://donnees.drafted.example"
bbox: [-3.65, 45.4, -3.35, 45.6]
synthetic: true
feeds:
"""


@dataclass(frozen=True)
class Counted:
    """A delivery in the ledger."""

    read: int
    malformed: int
    staged: int
    rejected: int
    superseded: int
    duplicate: int

    @property
    def balances(self) -> bool:
        """Whether every record read is accounted for."""
        return self.read == self.malformed + self.staged + self.rejected + self.superseded + self.duplicate


@dataclass(frozen=True)
class DraftedWorld:
    """The folder of the territory, its extracts, and the run over them."""

    territory: Path
    extracts: Path
    drafts: dict[str, Draft]
    run: Run

    def build(self) -> list[NodeResult]:
        """Receive the extracts and build the drafted models with their tests; return what failed."""
        self.run.as_of()
        return modelling.failures(modelling.build_theme(self.run.project, self.run.workspace, THEME))

    def ledger(self) -> dict[str, Counted]:
        """Return the only delivery of each source."""
        query = "select source, records_read, malformed, staged, rejected, superseded, duplicate from ops.ledger"
        with connect(self.run.workspace.warehouse, self.run.workspace.duckdb) as connection:
            rows = connection.execute(query).fetchall()
        return {source: Counted(*counts) for source, *counts in rows}


def draft_world(root: Path, files: Mapping[str, Path]) -> DraftedWorld:
    """Draft each file as the source that it is given to, into one territory of its own."""
    territory, extracts = root / "territory", root / "extracts"
    extracts.mkdir(parents=True)
    drafts: dict[str, Draft] = {}
    for source, file in files.items():
        drafts[source] = draft_source(file, source, THEME)
        write_draft(drafts[source], territory)
        shutil.copy(file, extracts / file.name)
    feeds = "".join(draft.feed for draft in drafts.values())
    (territory / "territory.yml").write_text(TERRITORY + feeds, encoding="utf-8")
    run = Run(load_project(territory), Workspace(root / "data"), extracts=extracts)
    return DraftedWorld(territory, extracts, drafts, run)


def lint(*paths: Path) -> str:
    """Return what the SQL linter says of files outside the repository by the repository's rules; empty when nothing."""
    command = [sys.executable, "-m", "sqlfluff", "lint", "--config", str(PROJECT / ".sqlfluff"), "--nofail"]
    done = subprocess.run([*command, *map(str, paths)], capture_output=True, text=True, check=True, cwd=PROJECT)
    return "\n".join(line for line in done.stdout.splitlines() if line.startswith(("L:", "==")))
