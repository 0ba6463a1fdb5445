"""Finds what the lineage is traced from: dbt's manifest, the compiled SQL, the columns that the cards load.

dbt's files are read as data; dbt is not imported. How SQL is read belongs to ``exports.lineage``.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp

from exports.lineage import VALUE, Lineage, RawRelation, TracedModel, Tracer
from orchestration.marts import MartNode
from orchestration.modelling import dbt_folder, key_of
from orchestration.project import Project
from orchestration.warehouse import TABLES
from orchestration.workspace import Workspace
from raw_sources.files import read_json, write_atomically

BOOKKEEPING = ("_extra", "_delivery_id", "_record_no")
"""The columns of every raw table besides the card's."""

EVERY = "*"
"""The column under which a document says what bears on all of them."""

FACTS = frozenset(
    {"territory", "territory_communes", "sources", "mart_sources", "deliveries", "build_keys"},
)
"""Tables of ``ops`` that hold nothing out of producers' records. Any other may hold what any source delivered."""

MATERIALISATIONS = frozenset({"staged", "keyed", "ephemeral", "view", "table"})
"""Ways of building a model whose relation is its SELECT, and what ``staged`` adds."""

ADDED_BY_STAGED = ("announced_versions", "in_latest_snapshot", "first_absent_on", "_candidates", "_period")
"""The columns that ``staged`` may add to those of the model."""

FUNCTIONS = (
    "geo_distance_m geo_length_m geo_position geo_contains geo_to_wgs84 geo_box "
    "geo_min_lon geo_min_lat geo_max_lon geo_max_lat"
).split()
"""The functions of ``dbt_functions``, which know nothing but their arguments."""

ASKING = re.compile(r"\b(run_query|statement|adapter|context|builtins|load_result|store_result|run_hooks)\b")
"""Words by which a model may ask the warehouse while it is compiled: what it learns is then text of its SQL."""
ASKING_MACROS = frozenset({"macro.dbt.run_query", "macro.dbt.statement"})


def tracer(project: Project, workspace: Workspace) -> Tracer:
    """Return what traces the relations of the assembled project, as dbt compiled them last."""
    folder = dbt_folder(workspace)
    manifest = read_json(folder / "target" / "manifest.json")
    catalog = workspace.warehouse.stem
    models = [_model(manifest, node, folder, catalog) for node in _nodes(manifest, "model")]
    others = [_unknown(manifest, node) for node in _nodes(manifest, "snapshot")]
    return Tracer(
        [*models, *others, *_other_tables(manifest)],
        [*_raw_relations(project), *_facts(), *_seeds(manifest)],
        catalog,
        FUNCTIONS,
    )


def lineage_of(project: Project, workspace: Workspace, node: MartNode) -> Lineage:
    """Return the lineage of a mart: the raw columns that bear on each of its columns."""
    return tracer(project, workspace).lineage(node.mart.relation)


def lineage_of_all(project: Project, workspace: Workspace, marts: Mapping[str, MartNode]) -> dict[str, Lineage]:
    """Return the lineage of several marts, by ``theme.name``: their models are read once."""
    traced = tracer(project, workspace)
    return {key: traced.lineage(node.mart.relation) for key, node in marts.items()}


def write_lineage(workspace: Workspace, traced: Mapping[str, Lineage]) -> None:
    """Write where the columns of each mart come from, for the authority: ``DATA/internal/lineage/<theme>.<mart>.csv``.

    One row per column and origin, those that bear on every column once, under ``*``. A model that could not be read is
    named in ``untraced.txt``. Files of marts that are no longer there are removed.
    """
    folder = workspace.internal / "lineage"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {f"{key}.csv": _as_csv(one) for key, one in traced.items()}
    untraced = sorted({sentence for one in traced.values() for sentence in one.untraced})
    if untraced:
        wanted["untraced.txt"] = "\n".join(untraced) + "\n"
    for file in folder.iterdir():
        if file.name not in wanted:
            file.unlink()
    for name, text in wanted.items():
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text:
            write_atomically(folder / name, text.encode())


def _as_csv(lineage: Lineage) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["column", "source", "raw_column", "kind", "told_by", "path"])
    shared = lineage.of_rows()
    listed = {EVERY: shared} | {column: origins - shared for column, origins in lineage.columns.items()}
    for column, origins in listed.items():
        for one in sorted(origins, key=lambda one: (one.kind != VALUE, one.source, one.column, one.teller or "")):
            writer.writerow([column, one.source, one.column, one.kind, one.teller or "", " > ".join(one.path)])
    return stream.getvalue()


def _nodes(manifest: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    return [node for node in manifest["nodes"].values() if node["resource_type"] == kind]


def _relation(node: Mapping[str, Any]) -> str:
    return f"{node['schema']}.{node.get('alias') or node.get('identifier')}"


def _model(manifest: Mapping[str, Any], node: Mapping[str, Any], folder: Path, catalog: str) -> TracedModel:
    settings = node["config"]
    staged = settings["materialized"] == "staged"
    return TracedModel(
        name=node["name"],
        relation=_relation(node),
        sql=_compiled(node, folder),
        parents=tuple(dict.fromkeys(_parents(manifest, node["unique_id"]))),
        columns=tuple(node["columns"]) if node["contract"]["enforced"] else None,
        added=ADDED_BY_STAGED if staged else (),
        deciding=_deciding(settings) if staged else (),
        untraceable=_obstacle(manifest, node, catalog),
    )


def _deciding(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns by which the materialisation ``staged`` chooses the record of a key."""
    period = [settings["period"]] if settings.get("period") else []
    return (*key_of(settings), *period, "_reject_reason", "_out_of_scope", "_preference", "_delivery_id", "_record_no")


def _compiled(node: Mapping[str, Any], folder: Path) -> str | None:
    file = folder / "target" / "compiled" / node["package_name"] / node["original_file_path"]
    return file.read_text(encoding="utf-8") if file.is_file() else None


def _parents(manifest: Mapping[str, Any], unique_id: str) -> Iterator[str]:
    """Yield the relations that a node may read; ephemeral models are a part of its own SQL, their parents are its."""
    for parent in manifest["parent_map"].get(unique_id, ()):
        node = manifest["sources"].get(parent) or manifest["nodes"].get(parent)
        if node is None:
            continue
        if node["config"].get("materialized") == "ephemeral":
            yield from _parents(manifest, parent)
        else:
            yield _relation(node)


def _obstacle(manifest: Mapping[str, Any], node: Mapping[str, Any], catalog: str) -> str | None:
    """Say why the compiled SQL alone does not tell what a model's relation holds; None when it does.

    What is the matter with an ephemeral model is the matter with those that it is a part of.
    """
    within = (manifest["nodes"].get(parent) for parent in manifest["parent_map"].get(node["unique_id"], ()))
    parts = [one for one in within if one is not None and one["config"].get("materialized") == "ephemeral"]
    reasons = [_obstacle_of(manifest, node, catalog), *(_obstacle(manifest, part, catalog) for part in parts)]
    return next((reason for reason in reasons if reason is not None), None)


def _obstacle_of(manifest: Mapping[str, Any], node: Mapping[str, Any], catalog: str) -> str | None:
    settings = node["config"]
    if node["language"] != "sql":
        return f"it is written in {node['language']}"
    if node["database"] != catalog:
        return f"it is kept in the database {node['database']}"
    if settings["materialized"] not in MATERIALISATIONS:
        return f"it is materialised as {settings['materialized']}, which is not known"
    if settings["materialized"] == "staged" and not key_of(settings):
        return "it declares no key"
    if settings.get("pre-hook") or settings.get("post-hook") or settings.get("sql_header"):
        return "it has hooks, or a header, which may write anything"
    asks = ASKING.search(node["raw_code"])
    if asks or ASKING_MACROS & _macros(manifest, node):
        return f"it asks the warehouse while it is compiled{f' ({asks.group()})' if asks else ''}"
    return None


def _macros(manifest: Mapping[str, Any], node: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    waiting = list(node["depends_on"]["macros"])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(manifest["macros"].get(name, {}).get("depends_on", {}).get("macros", ()))
    return found


def _unknown(manifest: Mapping[str, Any], node: Mapping[str, Any]) -> TracedModel:
    parents = tuple(_parents(manifest, node["unique_id"]))
    return TracedModel(node["name"], _relation(node), None, parents, untraceable=f"it is a {node['resource_type']}")


def _raw_relations(project: Project) -> list[RawRelation]:
    return [
        RawRelation(
            f"raw.{card.raw_table}", card.source, (*(column.name for column in card.loaded_columns), *BOOKKEEPING)
        )
        for card in project.cards.values()
    ]


def _facts() -> list[RawRelation]:
    """Return the tables of ``ops`` that carry no producer's data, with their columns."""
    found = []
    for statement in sqlglot.parse(TABLES.read_text(encoding="utf-8"), dialect="duckdb"):
        if isinstance(statement, exp.Create) and isinstance(statement.this, exp.Schema):
            name = statement.this.this.name
            if name in FACTS:
                found.append(RawRelation(f"ops.{name}", None, tuple(one.name for one in statement.this.expressions)))
    return found


def _seeds(manifest: Mapping[str, Any]) -> list[RawRelation]:
    return [RawRelation(_relation(node), f"seed:{node['name']}", None) for node in _nodes(manifest, "seed")]


def _other_tables(manifest: Mapping[str, Any]) -> list[TracedModel]:
    """Return the declared relations that are neither raw tables nor facts: they may hold anything."""
    declared = [node for node in manifest["sources"].values() if node["schema"] != "raw"]
    return [
        TracedModel(_relation(node), _relation(node), None, (), untraceable="it may hold what any source delivered")
        for node in declared
        if node["schema"] != "ops" or node["identifier"] not in FACTS
    ]
