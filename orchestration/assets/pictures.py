"""Plots for the Dagster UI, where a picture says more than a count. Small SVG images, inside the metadata.

What is worth a picture is chosen here; the figures come from one query each.
"""

from __future__ import annotations

import base64
import io
from collections import Counter

import duckdb

QUERIES = {
    "traffic_hourly": (
        "Hours measured, by day and kind of measure",
        "select strftime(hour_start_at, '%Y-%m-%d'), measure_kind, count(*) from {relation} group by all order by all",
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
MOST_BARS = 120
MOST_LABELS = 12
COLOURS = ("#2a6f97", "#e9a03b", "#7a9e7e", "#b5524a", "#8d7cb0", "#9aa5b1", "#d7bfa6")


def picture(connection: duckdb.DuckDBPyConnection, mart: str, relation: str) -> str | None:
    """Return the mart's plot as a Markdown image, None when it has none or is empty."""
    if mart not in QUERIES:
        return None
    title, query = QUERIES[mart]
    rows: list[tuple[str, str, int]] = connection.execute(query.format(relation=relation)).fetchall()
    return _stacked_bars(title, _no_more_than_fit(rows)) if rows else None


def _no_more_than_fit(rows: list[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
    """Sum days into months where there are more days than bars can show."""
    if len({place for place, _, _ in rows}) <= MOST_BARS:
        return rows
    sums: Counter[tuple[str, str]] = Counter()
    for place, kind, count in rows:
        sums[place[: len("2024-01")], kind] += count
    return [(place, kind, count) for (place, kind), count in sums.items()]


def _stacked_bars(title: str, rows: list[tuple[str, str, int]]) -> str:
    from matplotlib.figure import Figure  # a second to import, needed by nobody who only loads the definitions

    places = sorted({place for place, _, _ in rows})
    counts = {(place, kind): count for place, kind, count in rows}
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.subplots()
    below = [0] * len(places)
    for index, kind in enumerate(sorted({kind for _, kind, _ in rows})):
        heights = [counts.get((place, kind), 0) for place in places]
        label = kind.replace("_", " ")
        colour = COLOURS[index % len(COLOURS)]
        axes.bar(range(len(places)), heights, bottom=below, label=label, color=colour, width=0.85)
        below = [low + height for low, height in zip(below, heights, strict=True)]
    step = max(1, -(-len(places) // MOST_LABELS))
    labels = [place.replace("_", " ") for place in places[::step]]
    axes.set_xticks(range(0, len(places), step), labels, rotation=30, ha="right", fontsize=8)
    axes.tick_params(labelsize=8, length=0)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.grid(axis="y", color="#e3e6ea", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_title(title, fontsize=10, loc="left")
    figure.legend(fontsize=8, frameon=False, loc="outside right upper")
    drawn = io.BytesIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    return f"![{title}](data:image/svg+xml;base64,{base64.b64encode(drawn.getvalue()).decode()})"
