"""What Dagster's own processes are told by the environment: HALLE_DATA, HALLE_TERRITORY, HALLE_EXTRACTS.

``halle ui`` sets them; the command line passes objects instead.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from orchestration.project import Project
from orchestration.sharing import open_territory
from orchestration.workspace import Workspace

DEFAULT_DATA = Path("data")


@dataclass(frozen=True)
class Settings:
    """The territory with its declarations, and the folders that a process works on."""

    project: Project
    workspace: Workspace
    extracts: Path | None


def from_environment() -> Settings:
    """Return the settings of this process; without HALLE_TERRITORY, DATA says which territory it belongs to."""
    named, extracts = os.environ.get("HALLE_TERRITORY"), os.environ.get("HALLE_EXTRACTS")
    data = Path(os.environ.get("HALLE_DATA", str(DEFAULT_DATA)))
    project, workspace = open_territory(Path(named) if named else None, data)
    return Settings(project, workspace, Path(extracts) if extracts else None)
