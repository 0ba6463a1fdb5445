"""What dbt's manifest says of the marts: columns and their meaning, period, the sources in their lineage.

Reads the manifest as data; dbt itself is not imported. The facts live in ``dbt_project/models/marts/<theme>/*.yml``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exports.metadata import Mart, MartColumn
from raw_sources.agreements import GRAINS, Grain
from raw_sources.errors import ConfigurationError
from raw_sources.files import read_json


@dataclass(frozen=True)
class MartNode:
    """A mart with its place in the graph: ``row_sources`` give it rows, ``lineage`` all the sources that it reads.

    A mart's YAML names its row sources one by one (``row_sources``) or by their families (``row_families``).
    """

    mart: Mart
    unique_id: str
    row_sources: tuple[str, ...]
    lineage: tuple[str, ...]

    @property
    def key(self) -> str:
        """Return ``theme.name``, by which suites and export cards name the mart."""
        return f"{self.mart.theme}.{self.mart.name}"


def read_marts(manifest_path: Path) -> dict[str, MartNode]:
    """Return the marts of an assembled project by ``theme.name``."""
    manifest = read_json(manifest_path)
    nodes = [_mart_node(manifest, node) for node in manifest["nodes"].values() if _is_mart(node)]
    return {node.key: node for node in sorted(nodes, key=lambda node: node.key)}


def _is_mart(node: Mapping[str, Any]) -> bool:
    return node["resource_type"] == "model" and len(node["fqn"]) > 3 and node["fqn"][1] == "marts"


def _mart_node(manifest: Mapping[str, Any], node: Mapping[str, Any]) -> MartNode:
    meta = node["config"]["meta"]
    mart = Mart(
        theme=node["schema"],
        name=node["alias"],
        relation=f"{node['schema']}.{node['alias']}",
        columns=tuple(_column(node, column) for column in node["columns"].values()),
        period_column=meta.get("period_column"),
        grain=_grain(node, meta.get("grain", {})),
    )
    above = dict(_sources_above(manifest, node["unique_id"]))
    families = meta.get("row_families", ())
    united = {source for source, family in above.items() if family in families}
    rows = sorted({*meta.get("row_sources", ()), *united})
    return MartNode(mart, node["unique_id"], tuple(rows), tuple(sorted(above)))


def _grain(node: Mapping[str, Any], said: Mapping[str, str]) -> Grain:
    for axis, word in said.items():
        if word not in GRAINS.get(axis, ()):
            known = "; ".join(f"{name}: {', '.join(words)}" for name, words in GRAINS.items())
            raise ConfigurationError(
                f"the grain of {node['name']} is not known: {axis}: {word}.",
                where=f"{node['patch_path']}: field config.meta.grain",
                hint=f"From fine to coarse: {known}.",
            )
    return Grain(**said)


def _column(node: Mapping[str, Any], column: Mapping[str, Any]) -> MartColumn:
    meta = column["config"]["meta"]
    if not column["data_type"] or not column["description"]:
        raise ConfigurationError(
            f"the column {column['name']!r} of {node['name']} has no type or no description.",
            where=node["patch_path"],
            hint="Every column of a mart is described, with its type and its unit.",
        )
    return MartColumn(
        name=column["name"],
        data_type=column["data_type"],
        unit=meta.get("unit"),
        title_fr=meta.get("title_fr", column["name"]),
        title_en=meta.get("title", column["name"]),
        description_fr=meta.get("description_fr", column["description"]),
        description_en=column["description"],
    )


def _sources_above(manifest: Mapping[str, Any], unique_id: str) -> Iterator[tuple[str, str | None]]:
    """Yield the sources that a node reads, through any number of models, each with its family."""
    for parent in manifest["parent_map"].get(unique_id, ()):
        if parent.startswith("source."):
            source = manifest["sources"][parent]
            if source["source_name"] == "raw":
                meta = source["config"]["meta"]
                yield meta["source"], meta.get("family")
        else:
            yield from _sources_above(manifest, parent)
