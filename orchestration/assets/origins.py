"""Column lineage as the Dagster UI shows it: to the parents' columns for its graph, to raw columns as a table.

What is traced, and how, belongs to ``exports.lineage``.
"""

from collections.abc import Iterable

import dagster as dg

from exports.lineage import VALUE, Lineage, Origin, Tracer
from orchestration.assets.names import model_key

UNSHOWN = ("ops",)
"""Schemas whose tables are no assets."""


def lineage_metadata(traced: Tracer, territory: str, relation: str) -> dict[str, dg.MetadataValue]:
    """Return the metadata of a model's asset; relations are ``schema.alias``."""
    return {
        "dagster/column_lineage": dg.MetadataValue.column_lineage(_to_parents(traced, territory, relation)),
        "origins": origins_table(traced.lineage(relation)),
    }


def _to_parents(traced: Tracer, territory: str, relation: str) -> dg.TableColumnLineage:
    columns = {
        name: sorted({(one.source, one.column) for one in origins if one.kind == VALUE})
        for name, origins in traced.parents_of(relation).items()
    }
    return dg.TableColumnLineage(
        {
            name: [_dependency(territory, *parent) for parent in parents if parent[0].split(".")[0] not in UNSHOWN]
            for name, parents in columns.items()
        }
    )


def _dependency(territory: str, parent: str, column: str) -> dg.TableColumnDep:
    schema, name = parent.split(".", 1)
    return dg.TableColumnDep(asset_key=model_key(territory, schema, name), column_name=column)


def origins_table(lineage: Lineage, columns: Iterable[str] | None = None) -> dg.MarkdownMetadataValue:
    """Return a Markdown table: the raw columns in each column (all, or those named), and those that chose its rows.

    What chose the rows of all columns is said once, above.
    """
    shared = lineage.of_rows()
    lines = ["| column | made of | and filtered, joined or grouped by |", "|---|---|---|"]
    for name in lineage.columns if columns is None else columns:
        origins = lineage.columns.get(name, frozenset())
        values = {_raw(one) for one in origins if one.kind == VALUE}
        filters = {_raw(one) for one in origins - shared} - values
        lines.append(f"| {name} | {_listed(values)} | {_listed(filters)} |")
    rows = f"Rows are filtered, joined or grouped by: {_listed({_raw(one) for one in shared}) or 'nothing'}."
    return dg.MetadataValue.md("\n\n".join([*lineage.untraced, rows, "\n".join(lines)]))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _raw(origin: Origin) -> str:
    return f"{origin.source}.{origin.column}"
