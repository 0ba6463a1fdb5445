"""What Dagster's own processes are told by the environment: HALLE_DATA, HALLE_TERRITORY, HALLE_EXTRACTS.

``halle ui`` sets them; the command line passes objects instead.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from orchestration.project import SAMPLE_TERRITORY, Project, load_project
from orchestration.staleness import remembered_folder
from orchestration.workspace import Workspace

DEFAULT_DATA = Path("data")


@dataclass(frozen=True)
class Settings:
    """The folders that a process works on."""

    workspace: Workspace
    territory: Path
    extracts: Path | None

    def project(self) -> Project:
        """Read the territory and its declarations."""
        return load_project(self.territory)


def from_environment() -> Settings:
    """Return the settings of this process; without HALLE_TERRITORY, DATA says which territory it belongs to."""
    workspace = Workspace(Path(os.environ.get("HALLE_DATA", str(DEFAULT_DATA))).resolve())
    named = os.environ.get("HALLE_TERRITORY")
    territory = Path(named) if named else remembered_folder(workspace) or SAMPLE_TERRITORY
    extracts = os.environ.get("HALLE_EXTRACTS")
    return Settings(workspace, territory, Path(extracts) if extracts else None)
