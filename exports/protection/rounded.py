"""Figures that an export card asks to be rounded: after the protection, which never counts on it.

The audit takes every figure that is shown for exactly known, which is more than a reader of multiples knows. What the
exact figures were is held with what is hidden, so that the audit of later releases takes them so too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import duckdb
import polars as pl

from exports.metadata import MartColumn
from exports.secrecy import Secrecy
from raw_sources.database import identifier

LABEL_FR = (
    "Arrondi au multiple de {} le plus proche, pour le secret statistique : un total peut différer de la somme de ses "
    "parties."
)
LABEL_EN = (
    "Rounded to the nearest multiple of {}, for statistical secrecy: a total may differ from the sum of its parts."
)


def exact_rows(connection: duckdb.DuckDBPyConnection, relation: str, secrecy: Secrecy, source: str) -> pl.DataFrame:
    """Return what protected rows of a source tell before they are rounded: codes, and figures that are not secret."""
    names = ", ".join(identifier(name) for name in secrecy.needed if name in secrecy.published)
    return connection.execute(f"SELECT {names} FROM {relation} WHERE {identifier(secrecy.source)} = ?", [source]).pl()


def round_figures(connection: duckdb.DuckDBPyConnection, table: str, rounded_to: Mapping[str, int]) -> None:
    """Round columns of a table in place to the nearest multiple, halves away from zero."""
    for name, base in rounded_to.items():
        column = identifier(name)
        connection.execute(f"UPDATE {table} SET {column} = round({column} / {base}) * {base}")


def labelled(column: MartColumn, rounded_to: Mapping[str, int]) -> MartColumn:
    """Return a column as it is described where it is published: one that is rounded says so, and to what."""
    base = rounded_to.get(column.name)
    if base is None:
        return column
    return replace(
        column,
        description_fr=f"{column.description_fr} {LABEL_FR.format(base)}",
        description_en=f"{column.description_en} {LABEL_EN.format(base)}",
    )
