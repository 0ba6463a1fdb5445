"""What the territories of a syndicate share: the deliveries of open national sources, received and read once for all.

Here: which sources those are, and where the folders of a territory lie, alone or with others. Running several
territories belongs to ``syndicate``; heavy libraries stay out, as in ``project``.
"""

from __future__ import annotations

from pathlib import Path

from orchestration.project import SAMPLE_TERRITORY, Project, load_project
from orchestration.staleness import remembered_folder, remembered_shared
from orchestration.workspace import PROJECT, Workspace
from raw_sources.errors import ConfigurationError
from raw_sources.files import read_json, write_json

SHARED = "shared"


def member_workspace(project: Project, data: Path) -> Workspace:
    """Return the workspace of a territory of the syndicate in ``data``: its own folder there, beside the shared one."""
    own = data / project.territory.name
    return Workspace(own, data / SHARED, common_sources(project, own))


def common_sources(project: Project, own: Path) -> frozenset[str]:
    """Return the sources that a territory takes from its syndicate.

    They are national, public, described by halle's own card and fed as it says: whoever receives them receives the
    same. What the territory has already received by itself in ``own`` stays where it is, and synthetic files never mix
    with real ones.
    """
    if project.territory.synthetic:
        return frozenset()
    return frozenset(
        source
        for source, card in project.enabled.items()
        if card.is_national
        and card.agreement.is_open
        and card.path.is_relative_to(PROJECT)
        and project.territory.feeds[source] == card.feed
        and not (own / "landing" / source).is_dir()
    )


def members(data: Path) -> dict[str, Path]:
    """Return the folders of the territories that ``data`` holds side by side, by name; empty for any other DATA."""
    path = _memory(data)
    return {name: Path(folder) for name, folder in read_json(path).items()} if path.is_file() else {}


def remember_member(project: Project, data: Path) -> None:
    """Note that ``data`` holds this territory beside others."""
    known = members(data)
    folder = project.territory.folder.resolve()
    if known.get(project.territory.name) != folder:
        known[project.territory.name] = folder
        write_json(_memory(data), {name: str(path) for name, path in known.items()})


def _memory(data: Path) -> Path:
    return data / "state" / "syndicate.json"


def check_is_one(data: Path) -> None:
    """Refuse the DATA of a syndicate where one territory's is meant; raises ConfigurationError."""
    together = members(data)
    if together:
        raise ConfigurationError(
            f"this folder holds several territories: {', '.join(sorted(together))}.",
            where=str(data),
            hint=f"Name one of them: --data {data / min(together)}.",
        )


def open_territory(folder: Path | None, data: Path) -> tuple[Project, Workspace]:
    """Return the territory in ``folder``, else the one that DATA remembers, else the synthetic one, with its workspace.

    In the DATA of a syndicate a territory has to be named. Raises ConfigurationError.
    """
    data = data.resolve()
    if folder is None:
        check_is_one(data)
    workspace = Workspace(data)
    project = load_project(folder or remembered_folder(workspace) or SAMPLE_TERRITORY)
    if members(data):
        return project, member_workspace(project, data)
    shared = remembered_shared(workspace)
    return project, Workspace(data, shared, common_sources(project, data)) if shared else workspace
