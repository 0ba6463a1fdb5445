"""Plots for the Dagster UI, where a picture says more than a count: small SVG images, inside the metadata.

What is worth a picture is declared here, mart by mart; the figures come from one query each (``queries``), and what
they become is drawn by ``drawings``. A mart of a territory's own has no picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from orchestration.assets.pictures import queries
from orchestration.assets.pictures.drawings import Drawing, bars, image, intervals, profile, spell, stacked_bars


@dataclass(frozen=True)
class Picture:
    """A picture of a mart: its query's first column says more of the title, the others are what ``drawing`` takes.

    ``reads`` are the relations that it reads beside the mart, ``schema.name``.
    """

    title: str
    query: str
    drawing: Drawing
    reads: tuple[str, ...] = ()


PICTURES = {
    "traffic_hourly": (
        Picture("Hours measured, by day and kind of measure", queries.HOURS_MEASURED, stacked_bars),
        Picture("Profile of the counter measured most", queries.COUNTER_PROFILE, profile, (queries.CALENDAR,)),
    ),
    "traffic_yearly": (Picture("Mean daily traffic, the busiest counters", queries.BUSIEST_COUNTERS, bars),),
    "works_sites": (Picture("Sites by kind and status", queries.SITES, stacked_bars),),
    "counter_works_daily": (
        Picture("Counter-days near works, by month and disruption", queries.COUNTER_DAYS, stacked_bars),
    ),
    "works_traffic_effect": (
        Picture(
            "Spell with the most days compared: traffic observed and expected",
            queries.LONGEST_SPELL,
            spell,
            (queries.ESTIMATES, queries.LEVELS, queries.SPELLS),
        ),
        Picture("Estimates and their 95 % intervals", queries.INTERVALS, intervals),
        Picture("No estimate yet: the reasons", queries.REASONS, bars),
    ),
    "consumption_yearly": (Picture("Electricity by year and sector", queries.CONSUMPTION, stacked_bars),),
    "load_half_hourly": (Picture("Mean power by hour of the day and season", queries.LOAD_PROFILE, profile),),
    "communes": (Picture("Communes by vintage and type", queries.COMMUNES, stacked_bars),),
    "commune_passages": (Picture("Passages of communes by relation", queries.PASSAGES, bars),),
}


def plots(connection: duckdb.DuckDBPyConnection, mart: str, relation: str) -> str | None:
    """Return the mart's pictures as Markdown images, None when it has none or is empty."""
    drawn = [_drawn(connection, one, relation) for one in PICTURES.get(mart, ()) if _can_read(connection, one)]
    return "\n\n".join(filter(None, drawn)) or None


def _can_read(connection: duckdb.DuckDBPyConnection, picture: Picture) -> bool:
    """Tell whether what it reads is there: a mart is told even when a model beside it failed."""
    known = connection.execute("select schema_name || '.' || table_name from duckdb_tables()").fetchall()
    return {(name,) for name in picture.reads} <= set(known)


def _drawn(connection: duckdb.DuckDBPyConnection, picture: Picture, relation: str) -> str | None:
    rows = connection.execute(picture.query.format(relation=relation)).fetchall()
    return image(picture.title, rows[0][0], picture.drawing, [row[1:] for row in rows]) if rows else None
