"""From raw Parquet to marts: assembles the dbt project, prepares the warehouse, builds a theme.

What a model says is in ``dbt_project``; how dbt is called, in ``dbt_runs``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from expectations.rules import WHOLE_MART
from exports.card import ExportCard
from exports.tree import LATEST, RELEASE_FILE
from orchestration import warehouse
from orchestration.assembly import assemble
from orchestration.dbt_runs import DbtProject, NodeResult, build, parse, run_models
from orchestration.erasing import releases_with_erased
from orchestration.marts import MartNode, read_marts
from orchestration.project import Project
from orchestration.receiving import as_of, loaded_deliveries
from orchestration.workspace import Workspace
from raw_sources.agreements import INTERNAL, PUBLIC
from raw_sources.database import DuckDBSettings, connect, identifier, literal
from raw_sources.errors import ConfigurationError, HalleError
from raw_sources.files import read_json, write_json

LAYERS = ("staging", "intermediate", "marts")
KEPT = "keeps_last_release"


class ModelsFailed(HalleError):
    """Models or tests of a theme that failed; the others were built (exit status 1)."""


def dbt_folder(workspace: Workspace) -> Path:
    """Return the folder of the assembled project."""
    return workspace.build / "dbt"


def prepare_project(project: Project, workspace: Workspace) -> dict[str, MartNode]:
    """Assemble the dbt project and return its marts; dbt parses it only when something in it has changed."""
    folder = dbt_folder(workspace)
    digest = assemble(
        folder, project.cards.values(), project.territory.models_folder, project.enabled, project.active_themes
    )
    manifest, stamp = folder / "target" / "manifest.json", folder / "target" / "halle.json"
    if not manifest.is_file() or not stamp.is_file() or read_json(stamp) != {"project": digest}:
        problems = parse(_dbt_project(project, workspace))
        if problems:
            raise ModelsFailed(" ".join(problems), hint="Correct the model or its YAML, then run again.")
        write_json(stamp, {"project": digest})
    return read_marts(manifest)


def _dbt_project(project: Project, workspace: Workspace) -> DbtProject:
    return DbtProject(dbt_folder(workspace), workspace.warehouse, workspace.duckdb, project.territory.time_zone)


def prepare_warehouse(
    project: Project, workspace: Workspace, marts: dict[str, MartNode], asked: date | None = None
) -> date:
    """Show dbt the deliveries, the territory and the last releases; return the date up to which data are known."""
    deliveries = loaded_deliveries(project, workspace)
    known = (
        asked or as_of(deliveries, project.cards) or date(1970, 1, 1)
    )  # nothing received: no row will carry this date
    workspace.warehouse.parent.mkdir(parents=True, exist_ok=True)
    with connect(workspace.warehouse, workspace.duckdb) as connection:
        connection.execute("begin")
        warehouse.prepare(connection)
        for card in project.cards.values():
            own = [one for one in deliveries if one.receipt.source == card.source]
            warehouse.show_raw(connection, card, workspace.raw_of(card.source), own)
        warehouse.show_malformed(connection, project.cards, workspace, deliveries)
        warehouse.record_deliveries(connection, deliveries)
        warehouse.record_territory(connection, project.territory, known)
        warehouse.record_sources(connection, project.cards.values(), project.territory.feeds)
        warehouse.record_mart_sources(connection, {key: node.row_sources for key, node in marts.items()})
        warehouse.record_last_release(connection, last_released_rows(project, workspace))
        connection.execute("commit")
    return known


def last_released_rows(project: Project, workspace: Workspace) -> list[tuple[str, str, str, int]]:
    """Return (mart, source, period, rows) of the newest release of each dataset, counted on its published Parquet.

    The rows of what was erased since are left out: the next release cannot keep them.
    """
    rows = []
    erased = releases_with_erased(workspace)
    for slug, card in project.export_cards.items():
        audience = PUBLIC if PUBLIC in card.audiences else INTERNAL
        latest = workspace.tree_of(audience) / slug / LATEST
        files = sorted(str(path) for path in latest.rglob("*.parquet"))
        if files and "source" in card.columns:
            release = read_json(latest / RELEASE_FILE)["release"]
            counted = _rows_by_source(files, _period_compared(project, card))
            rows += [(card.mart, *one) for one in counted if (audience, slug, release, one[0]) not in erased]
    return rows


def _period_compared(project: Project, card: ExportCard) -> str | None:
    """Return the column by which the mart's suite compares a release with the last one; None: as a whole."""
    suite = project.suites.get(card.mart)
    kept = (one for one in suite.expectations if one.kind == KEPT) if suite else ()
    period: str | None = next((one.parameters.get("period") for one in kept), None)
    if period is not None and period not in card.columns:
        raise ConfigurationError(
            f"the suite of {card.mart} compares releases by {period!r}, which is not among the columns.",
            where=str(card.path),
            hint="Publish it, or compare the mart as a whole.",
        )
    return period


def _rows_by_source(files: Sequence[str], period: str | None) -> list[tuple[str, str, int]]:
    by = f"cast({identifier(period)} as varchar)" if period else literal(WHOLE_MART)
    with connect(None, DuckDBSettings()) as connection:
        return connection.execute(
            f"select source, {by}, count(*) from read_parquet(?, hive_partitioning = false) "
            "group by 1, 2 order by 1, 2",
            [files],
        ).fetchall()


def build_theme(project: Project, workspace: Workspace, theme: str) -> list[NodeResult]:
    """Build and test the models of one theme, those of other themes that it reads first.

    These are brought up to date without their tests, so that what is wrong in another theme's data or marts does not
    stop this one; a model that cannot be built does.
    """
    dbt = _dbt_project(project, workspace)
    manifest = read_json(dbt.manifest)
    borrowed = models_of_other_themes(manifest, theme)
    lent = run_models(dbt, borrowed) if borrowed else []
    results = failures(lent) or build(dbt, theme_selection(theme, manifest))
    return [_without_key(one, manifest, project.territory.models_folder) for one in results]


def _without_key(result: NodeResult, manifest: Mapping[str, Any], own: Path) -> NodeResult:
    """Return the result of a model, in words of ours when it failed for want of a key."""
    node = manifest["nodes"].get(result.unique_id)
    if node is None or result.status != "error" or node["config"].get("materialized") != "staged":
        return result
    if key_of(node["config"]):
        return result
    file = own.parent / node["original_file_path"]
    hint = "Begin it with {{ config(key=['…']) }}: the columns of which no two of its rows have the same values."
    return replace(result, message=f"{file}: the staging model declares no key, or one that is no list. {hint}")


def key_of(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the key that a staging model declares; empty when it declares none, or no list of columns."""
    key = settings.get("key")
    return tuple(key) if isinstance(key, list) and all(isinstance(name, str) for name in key) else ()


def models_of_other_themes(manifest: Mapping[str, Any], theme: str) -> list[str]:
    """Return the models outside a theme that its models read, directly or through others; by name, sorted."""
    found: set[str] = set()
    waiting = [key for key, node in manifest["nodes"].items() if is_model_of(node, theme)]
    while waiting:
        for parent in manifest["parent_map"].get(waiting.pop(), ()):
            if parent.startswith("model.") and parent not in found:
                found.add(parent)
                waiting.append(parent)
    return sorted(manifest["nodes"][key]["name"] for key in found if not is_model_of(manifest["nodes"][key], theme))


def is_model_of(node: Mapping[str, Any], theme: str) -> bool:
    """Tell whether a node of the manifest is a model of the theme: the folder below its layer names it."""
    return node["resource_type"] == "model" and len(node["fqn"]) > 3 and node["fqn"][2] == theme


def theme_selection(theme: str, manifest: Mapping[str, Any] | None = None) -> list[str]:
    """Return the dbt selectors of a theme's models, with their tests.

    With a manifest, of the layers where the theme has any: dbt warns the user of a selector that selects nothing.
    """
    nodes = manifest["nodes"].values() if manifest is not None else ()
    layers = {node["fqn"][1] for node in nodes if is_model_of(node, theme)} or set(LAYERS)
    return [f"fqn:halle.{layer}.{theme}" for layer in LAYERS if layer in layers]


def failures(results: Sequence[NodeResult]) -> list[NodeResult]:
    """Return the nodes that failed; those that were skipped because of them are not repeated."""
    return [one for one in results if one.status in ("error", "fail", "runtime error")]


def failure_sentence(results: Sequence[NodeResult]) -> str:
    """Say in one paragraph which models and tests failed, and why."""
    return " ".join(f"{one.resource_type} {one.name}: {' '.join(one.message.split())}" for one in results)
