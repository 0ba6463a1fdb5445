"""Plots for the Dagster UI, where a picture says more than a count. Small SVG images, inside the metadata.

What is worth a picture is chosen here; the figures come from one query each.
"""

from __future__ import annotations

import base64
import io

import duckdb

QUERIES = {
    "traffic_hourly": (
        "Rows by month and kind of measure",
        "select period_month, measure_kind, count(*) from {relation} group by 1, 2 order by 1, 2",
    ),
    "works_sites": (
        "Sites by kind and status",
        "select kind, status, count(*) from {relation} group by 1, 2 order by 1, 2",
    ),
    "counter_works_daily": (
        "Counter-days near works, by month and disruption",
        "select period_month, disruption, count(*) from {relation} group by 1, 2 order by 1, 2",
    ),
}
MOST_LABELS = 12


def picture(connection: duckdb.DuckDBPyConnection, mart: str, relation: str) -> str | None:
    """Return the mart's plot as a Markdown image, None when it has none or is empty."""
    if mart not in QUERIES:
        return None
    title, query = QUERIES[mart]
    rows: list[tuple[str, str, int]] = connection.execute(query.format(relation=relation)).fetchall()
    return _stacked_bars(title, rows) if rows else None


def _stacked_bars(title: str, rows: list[tuple[str, str, int]]) -> str:
    from matplotlib.figure import Figure  # a second to import, needed by nobody who only loads the definitions

    places = sorted({place for place, _, _ in rows})
    counts = {(place, kind): count for place, kind, count in rows}
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    below = [0] * len(places)
    for kind in sorted({kind for _, kind, _ in rows}):
        heights = [counts.get((place, kind), 0) for place in places]
        axes.bar(range(len(places)), heights, bottom=below, label=kind)
        below = [low + height for low, height in zip(below, heights, strict=True)]
    step = max(1, -(-len(places) // MOST_LABELS))
    axes.set_xticks(range(0, len(places), step), places[::step], rotation=30, ha="right", fontsize=8)
    axes.set_title(title, fontsize=10)
    axes.legend(fontsize=8)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    return f"![{title}](data:image/svg+xml;base64,{base64.b64encode(drawn.getvalue()).decode()})"
