"""dbt models as assets, one multi-asset per theme: described by dagster-dbt, built by ``dbtRunner`` in this process.

A theme is one step, so that a failure in one leaves the others alone (pitfall D2). Models and tests are in
``dbt_project``.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
import duckdb
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets

from orchestration import modelling
from orchestration.assets.names import model_key, owner
from orchestration.assets.origins import lineage_metadata
from orchestration.assets.pictures import plots
from orchestration.dbt_runs import NodeResult
from orchestration.project import Project
from orchestration.run import Run
from orchestration.workspace import Workspace
from raw_sources.database import connect, identifier
from raw_sources.files import read_json

PREVIEW_ROWS = 5
LONGEST_CELL = 60


class Translator(DagsterDbtTranslator):
    """What dbt's nodes are called in Dagster."""

    def __init__(self, project: Project) -> None:
        super().__init__(settings=DagsterDbtTranslatorSettings(enable_asset_checks=True))
        self.territory = project.territory.name
        self.raw_tables = {card.raw_table for card in project.enabled.values()}

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """Sources are the raw assets, models carry their schema."""
        if dbt_resource_props["resource_type"] == "source":
            return model_key(self.territory, dbt_resource_props["schema"], dbt_resource_props["name"])
        return model_key(self.territory, dbt_resource_props["schema"], dbt_resource_props["alias"])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """Return the theme; the warehouse's own tables have a group of theirs."""
        fqn = dbt_resource_props["fqn"]
        return str(fqn[2]) if len(fqn) > 3 else "ops"

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """Return what the model's YAML says, in both languages, else the comment that opens its SQL."""
        meta = dbt_resource_props.get("config", {}).get("meta", {})
        said = (dbt_resource_props["description"] or _first_comment(dbt_resource_props), meta.get("description_fr"))
        return "\n\n".join(text for text in said if text)

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: Any) -> dg.AssetSpec:
        """Return the asset with its edges within the theme, and to raw tables.

        A source that is not enabled has no asset. Everything reads ``ops.territory``; and a step waits for what it has
        an edge to, so that an edge to a model of another theme would stop a theme when the other fails. A theme builds
        what it borrows itself (``modelling.build_theme``); the metadata names it.
        """
        spec = super().get_asset_spec(manifest, unique_id, project)
        borrowed = self._borrowed(manifest, unique_id)
        kept = [one for one in spec.deps if self._is_shown(one.asset_key) and one.asset_key not in borrowed]
        named = ", ".join(sorted(key.to_user_string() for key in borrowed))
        return spec.replace_attributes(deps=kept).merge_attributes(
            metadata={"reads from other themes": named} if named else {}
        )

    def _is_shown(self, key: dg.AssetKey) -> bool:
        schema, name = key.path[1:3]
        return schema != "ops" and (schema != "raw" or name in self.raw_tables)

    def _borrowed(self, manifest: Mapping[str, Any], unique_id: str) -> set[dg.AssetKey]:
        if not unique_id.startswith("model."):
            return set()
        theme = manifest["nodes"][unique_id]["fqn"][2]
        parents = [manifest["nodes"][key] for key in manifest["parent_map"][unique_id] if key.startswith("model.")]
        return {self.get_asset_key(node) for node in parents if not modelling.is_model_of(node, theme)}

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str] | None:
        """Return the owner that the model's YAML names, else the theme's team."""
        meta = dbt_resource_props.get("config", {}).get("meta", {})
        theme = self.get_group_name(dbt_resource_props)
        return [owner(meta.get("owner", theme or "halle"))]


def _first_comment(model: Mapping[str, Any]) -> str:
    found = re.search(r"^(?:--.*\n)+", model.get("raw_code", ""), re.MULTILINE)
    return " ".join(line.removeprefix("--").strip() for line in found.group().splitlines()) if found else ""


def model_assets(project: Project, workspace: Workspace) -> list[dg.AssetsDefinition]:
    """Return one multi-asset per theme that has models."""
    manifest = read_json(modelling.dbt_folder(workspace) / "target" / "manifest.json")
    themes = sorted({node["fqn"][2] for node in manifest["nodes"].values() if _is_model(node)})
    return [_theme_assets(project, manifest, theme) for theme in themes]


def _is_model(node: Mapping[str, Any]) -> bool:
    return node["resource_type"] == "model" and len(node["fqn"]) > 3


def _theme_assets(project: Project, manifest: Mapping[str, Any], theme: str) -> dg.AssetsDefinition:
    @dbt_assets(
        name=f"{theme}_models",
        manifest=manifest,
        select=" ".join(modelling.theme_selection(theme)),
        dagster_dbt_translator=Translator(project),
    )
    def build(context: dg.AssetExecutionContext, run: dg.ResourceParam[Run]) -> Iterator[Any]:
        results = run.build(theme)
        traced = run.tracer()
        with connect(run.workspace.warehouse, run.workspace.duckdb) as connection:
            for one in results:
                if one.resource_type == "model" and one.status == "success":
                    built = _materialised(connection, project.territory.name, manifest, one, results)
                    relation = _relation(manifest["nodes"][one.unique_id])
                    shown = lineage_metadata(traced, project.territory.name, relation)
                    yield from _asked_for(context, built._replace(metadata={**(built.metadata or {}), **shown}))
        failed = modelling.failures(results)
        if failed:
            sentence = modelling.failure_sentence(failed)
            run.note(f"theme {theme}: {sentence}")
            raise dg.Failure(description=sentence, allow_retries=False)
        context.log.info("%s: %d models and tests", theme, len(results))

    return build


def _relation(node: Mapping[str, Any]) -> str:
    return f"{node['schema']}.{node['alias']}"


def _asked_for(
    context: dg.AssetExecutionContext, built: dg.MaterializeResult[None]
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Yield what this step was asked to tell: a theme is always built whole, a user may have chosen one model of it."""
    chosen = {(key.asset_key, key.name) for key in context.selected_asset_check_keys}
    told = [one for one in built.check_results or () if (one.asset_key, one.check_name) in chosen]
    if built.asset_key in context.selected_asset_keys:
        yield built._replace(check_results=told)
    else:
        yield from told


def _materialised(
    connection: duckdb.DuckDBPyConnection,
    territory: str,
    manifest: Mapping[str, Any],
    result: NodeResult,
    results: Sequence[NodeResult],
) -> dg.MaterializeResult[None]:
    node = manifest["nodes"][result.unique_id]
    tests = {one.unique_id: one for one in results if one.resource_type == "test" and one.status != "skipped"}
    key = model_key(territory, node["schema"], node["alias"])
    return dg.MaterializeResult(
        asset_key=key,
        metadata=_metadata(connection, node, result),
        data_version=dg.DataVersion(_content(connection, node["name"])),
        check_results=[
            dg.AssetCheckResult(
                asset_key=key, check_name=manifest["nodes"][test_id]["name"], passed=tests[test_id].status == "pass"
            )
            for test_id in manifest["child_map"][result.unique_id]
            if test_id in tests and manifest["nodes"][test_id]["attached_node"] == result.unique_id
        ],
    )


def _content(connection: duckdb.DuckDBPyConnection, model: str) -> str:
    found = connection.execute(
        "select md5(coalesce(string_agg(concat(part, ' ', content_key), '|' order by part), '')) "
        "from ops.build_keys where model = ?",
        [model],
    ).fetchone()
    return str(found[0])[:16] if found else ""


def _metadata(connection: duckdb.DuckDBPyConnection, node: Mapping[str, Any], result: NodeResult) -> dict[str, Any]:
    relation = f"{identifier(node['schema'])}.{identifier(node['alias'])}"
    described = connection.execute(f"describe {relation}").fetchall()
    meanings = {name: column["description"] for name, column in node["columns"].items()}
    columns = [dg.TableColumn(name, kind.lower(), description=meanings.get(name)) for name, kind, *_ in described]
    rows = connection.execute(f"select count(*) from {relation}").fetchone()
    metadata: dict[str, Any] = {
        "dagster/row_count": rows[0] if rows else 0,
        "dagster/column_schema": dg.MetadataValue.table_schema(dg.TableSchema(columns)),
        "seconds": round(result.seconds, 2),
        "unchanged": result.unchanged,
        "preview": dg.MetadataValue.md(_preview(connection, relation, [name for name, *_ in described])),
    }
    drawn = plots(connection, node["alias"], relation)
    return metadata | ({"plot": dg.MetadataValue.md(drawn)} if drawn else {})


def _preview(connection: duckdb.DuckDBPyConnection, relation: str, names: Sequence[str]) -> str:
    shown = [name for name in names if not name.startswith("_")]
    chosen = ", ".join(identifier(name) for name in shown)
    rows = connection.execute(f"select {chosen} from {relation} limit {PREVIEW_ROWS}").fetchall()
    lines = ["| " + " | ".join(shown) + " |", "|" + "---|" * len(shown)]
    return "\n".join(lines + ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows])


def _cell(value: object) -> str:
    text = "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"
