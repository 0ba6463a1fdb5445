"""How things are called in the Dagster UI: asset keys start with the territory, groups are themes, owners are teams.

Names only; the assets themselves are in the other modules.
"""

from __future__ import annotations

import re
import unicodedata

import dagster as dg

from exports.card import ExportCard
from orchestration.marts import MartNode
from raw_sources.card import Card


def raw_key(territory: str, card: Card) -> dg.AssetKey:
    """Return the key of a raw table."""
    return dg.AssetKey([territory, "raw", card.raw_table])


def model_key(territory: str, schema: str, name: str) -> dg.AssetKey:
    """Return the key of a model."""
    return dg.AssetKey([territory, schema, name])


def mart_key(territory: str, node: MartNode) -> dg.AssetKey:
    """Return the key of a mart."""
    return model_key(territory, node.mart.theme, node.mart.name)


def release_key(territory: str, card: ExportCard) -> dg.AssetKey:
    """Return the key of a published dataset."""
    return dg.AssetKey([territory, "public", card.slug.replace("-", "_")])


def owner(name: str) -> str:
    """Return an owner as Dagster writes them: an address as it is, any other name as a team."""
    if re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", name):
        return name
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return "team:" + (re.sub(r"[^a-z0-9]+", "_", plain).strip("_") or "unknown")
