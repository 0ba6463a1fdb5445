"""What changed since the last release, and whether the schema's version says so.

The rule is semantic versioning of the columns (Data Package recipe "Data Package Version"; reference conventions 1.9).
Only facts of two log entries are compared here: no file is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from exports.log import ColumnFacts, Entry, PeriodFacts
from raw_sources.errors import ConfigurationError

Version = tuple[int, int, int]


def parse_version(text: str) -> Version:
    """Return ``major.minor.patch`` as numbers."""
    major, minor, patch = (int(part) for part in text.split("."))
    return major, minor, patch


def schema_changes(before: Sequence[ColumnFacts], after: Sequence[ColumnFacts]) -> dict[str, list[str]]:
    """Return the columns ``removed``, ``added``, ``retyped`` (type or unit), and ``moved`` (all when order changed)."""
    old = {column.name: column for column in before}
    new = {column.name: column for column in after}
    kept_before = [name for name in old if name in new]
    kept_after = [name for name in new if name in old]
    return {
        "removed": [name for name in old if name not in new],
        "added": [name for name in new if name not in old],
        "retyped": [name for name in kept_after if old[name] != new[name]],
        "moved": kept_after if kept_before != kept_after else [],
    }


def check_version(previous: Entry, version: str, columns: Sequence[ColumnFacts], where: str) -> None:
    """Raise ``ConfigurationError`` when ``version`` does not announce what changes in the columns since ``previous``.

    A column removed, renamed or retyped (a unit is part of the type) needs a major step; an addition or another order
    needs a minor step; a version never goes back.
    """
    old, new = parse_version(previous.version), parse_version(version)
    changes = schema_changes(previous.columns, columns)
    if new < old:
        raise _refusal(previous, version, "the version goes back", previous.version, where)
    broken = changes["removed"] + changes["retyped"]
    if broken and new[0] == old[0]:
        what = f"columns were removed, renamed or retyped: {', '.join(broken)}"
        raise _refusal(previous, version, what, f"{old[0] + 1}.0.0", where)
    widened = changes["added"] + changes["moved"]
    if widened and new[:2] == old[:2]:
        what = f"columns were added or moved: {', '.join(widened)}"
        raise _refusal(previous, version, what, f"{old[0]}.{old[1] + 1}.0", where)


def describe_changes(
    previous: Entry | None,
    version: str,
    columns: Sequence[ColumnFacts],
    periods: Mapping[str, PeriodFacts],
    engine: str,
) -> dict[str, Any]:
    """Return the machine-readable change log of a release: rows, periods, schema, against ``previous`` (None: first).

    ``periods.revised`` lists periods whose content differs; under another fingerprint engine hashes do not compare,
    then only row counts decide and ``comparison`` is ``rows``.
    """
    rows = sum(period.rows for period in periods.values())
    same_engine = previous is None or previous.engine == engine
    before = previous.rows if previous else 0
    return {
        "previous_release": previous.release if previous else None,
        "version": {"before": previous.version if previous else None, "after": version},
        "rows": {"before": before, "after": rows, "difference": rows - before},
        "periods": _period_changes(previous.periods if previous else {}, periods, same_engine),
        "comparison": "content" if same_engine else "rows",
        "schema": schema_changes(previous.columns if previous else (), columns),
    }


def _period_changes(
    before: Mapping[str, PeriodFacts], after: Mapping[str, PeriodFacts], same_engine: bool
) -> dict[str, Any]:
    kept = sorted(set(before) & set(after))
    return {
        "added": sorted(set(after) - set(before)),
        "removed": sorted(set(before) - set(after)),
        "revised": [
            {"period": name, "rows_before": before[name].rows, "rows_after": after[name].rows}
            for name in kept
            if before[name].rows != after[name].rows or (same_engine and before[name].hash != after[name].hash)
        ],
    }


def _refusal(previous: Entry, version: str, what: str, least: str, where: str) -> ConfigurationError:
    return ConfigurationError(
        f"version {version} does not fit: since release {previous.release} (version {previous.version}) {what}.",
        where=f"{where}: field version",
        hint=f"Set the version to {least} or later.",
    )
