"""GeoJSON features as records (RFC 7946): properties by name, ``geometry`` and ``id`` under those names.

How a document is walked and records are written is in ``json_stream`` and ``json_records``; geometry stays text here.
"""

from __future__ import annotations

from typing import Any


def is_feature(value: dict[str, Any]) -> bool:
    """Say whether an object is a GeoJSON feature."""
    return value.get("type") == "Feature" and "properties" in value


def unwrap_feature(value: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a feature's own ``geometry`` and ``id``, and its properties: one of these names comes before its own."""
    properties = value.get("properties")
    own = {key: value[key] for key in ("geometry", "id") if key in value}
    return own, properties if isinstance(properties, dict) else {}
