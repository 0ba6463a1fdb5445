"""Is there anything to do? Decided from receipts and the digests of code and declarations, before anything heavy.

This is the build key of the whole run. When it matches that of the last run that published everything, nothing can have
changed; when it does not, the build keys of models and months (``dbt_project/macros/build_keys.sql``) say what has.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from orchestration.audiences import expired_today, released_to
from orchestration.interventions import interventions_digest
from orchestration.project import TOLERANCES, Project
from orchestration.workspace import PROJECT, Workspace
from raw_sources.decisions import FILE_NAME as DECISIONS
from raw_sources.errors import ConfigurationError
from raw_sources.files import canonical_json, read_json, sha256_file, sha256_text, write_json
from raw_sources.territory import FILE_NAME, Territory

CODE = ("raw_sources", "dbt_project", "expectations", "exports", "orchestration")
CODE_SUFFIXES = {".py", ".sql", ".yml", ".yaml", ".json", ".txt"}
ENGINES = ("duckdb", "dbt-core", "dbt-duckdb", "great-expectations", "polars", "pyarrow", "shapely")


@dataclass(frozen=True)
class LastRun:
    """How the last run of a DATA ended: ``inputs`` is the digest of all that it was given."""

    inputs: str
    status: int
    as_of: str
    themes: list[str]


def remember_territory(project: Project, workspace: Workspace) -> None:
    """Note which territory this DATA belongs to; raises ConfigurationError when it belongs to another."""
    path = workspace.state / "territory.json"
    known = read_json(path) if path.is_file() else None
    if known is not None and known["name"] != project.territory.name:
        raise ConfigurationError(
            f"this folder holds the data of the territory {known['name']!r}, not of {project.territory.name!r}.",
            where=str(workspace.data),
            hint="Give another --data: a territory has its own warehouse.",
        )
    facts = {"name": project.territory.name, "folder": str(project.territory.folder.resolve())}
    if workspace.shared is not None:
        facts["shared"] = os.path.relpath(workspace.shared, workspace.data)  # DATA may be moved as a whole
    if known != facts:
        write_json(path, facts)


def remembered_folder(workspace: Workspace) -> Path | None:
    """Return the folder of the territory that this DATA belongs to, or None when nothing has run here yet."""
    path = workspace.state / "territory.json"
    return Path(read_json(path)["folder"]) if path.is_file() else None


def remembered_shared(workspace: Workspace) -> Path | None:
    """Return the folder that this DATA's territory shares with its syndicate, None for a territory alone."""
    path = workspace.state / "territory.json"
    known = read_json(path) if path.is_file() else {}
    return (workspace.data / known["shared"]).resolve() if "shared" in known else None


def inputs_digest(project: Project, workspace: Workspace, asked_as_of: date | None, today: date) -> str:
    """Return the digest of everything that a run's outputs depend on; ``today`` counts by what is no longer agreed."""
    parts: dict[str, Any] = {
        "receipts": [path.name for path in _receipts(project, workspace)],
        "interventions": interventions_digest(workspace),
        "expired": expired_today(project, today),
        "code": code_digest(),
        "territory": territory_digest(project.territory),
        "as_of": asked_as_of.isoformat() if asked_as_of else None,
        "engines": {name: version(name) for name in ENGINES},
    }
    return sha256_text(canonical_json(parts))


def _receipts(project: Project, workspace: Workspace) -> Iterator[Path]:
    # A receipt is never changed, and its name holds its sequence: the names say it all.
    for source in project.enabled:
        yield from sorted((workspace.landing_of(source) / source / "receipts").glob("*.json"))


def code_digest() -> str:
    """Return the digest of the product's own code, models and declarations."""
    return sha256_text("\n".join(folder_digest(PROJECT / room) for room in CODE))


def territory_digest(territory: Territory) -> str:
    """Return the digest of what a territory declares: its files, and its rooms of the same names as the product's.

    Other folders beside them, such as extracts and DATA itself, are no declarations.
    """
    rooms = [folder_digest(territory.folder / room) for room in (*CODE, TOLERANCES)]
    files = [territory.folder / FILE_NAME, territory.folder / DECISIONS]
    return sha256_text("\n".join([*(sha256_file(path) for path in files if path.is_file()), *rooms]))


def folder_digest(folder: Path) -> str:
    """Return the digest of the code and declarations below ``folder``."""
    files = sorted(p for p in folder.rglob("*") if p.suffix in CODE_SUFFIXES and "__pycache__" not in p.parts)
    return sha256_text("\n".join(f"{path.relative_to(folder)} {sha256_file(path)}" for path in files if path.is_file()))


def last_run(workspace: Workspace) -> LastRun | None:
    """Return how the last run ended, None when there was none."""
    path = workspace.state / "last_run.json"
    return LastRun(**read_json(path)) if path.is_file() else None


def record_run(workspace: Workspace, run: LastRun) -> None:
    """Note how a run ended."""
    write_json(workspace.state / "last_run.json", asdict(run))


def is_up_to_date(workspace: Workspace, inputs: str, themes: list[str]) -> bool:
    """Tell whether the last run had these inputs and themes, published everything, and all of it still stands."""
    last = last_run(workspace)
    if last is None or last.status != 0 or last.inputs != inputs or not set(themes) <= set(last.themes):
        return False
    trees = [workspace.tree_of(audience) for audience in released_to(workspace)]
    made = [workspace.warehouse, workspace.analysts_copy, *trees]
    return bool(trees) and all(path.exists() for path in made)
