"""A world of two producers for the tests of the lineage: raw tables, their staging, and a way to ask DuckDB itself.

``north`` and ``south`` deliver records of the same kind; ``lent`` is what must not slip through; ``calendar`` is
nobody's.
"""

from __future__ import annotations

import random

import duckdb

from exports.lineage import INFLUENCE, VALUE, Lineage, RawRelation, TracedModel, Tracer

COLUMNS = {"k": "varchar", "v": "integer", "w": "integer", "l": "integer[]", "s": "struct(x integer, y integer)"}
BOOKKEEPING = {"_extra": "varchar", "_delivery_id": "varchar", "_record_no": "bigint"}
SOURCES = {"north": "raw.n__orth", "south": "raw.s__outh", "lent": "raw.l__ent"}
UNITED = """
    select 'north' as source, k, v, w, l, s from raw.n__orth
    union all
    select 'south' as source, k, v, w, l, s from raw.s__outh
"""
RAW = [RawRelation(relation, source, (*COLUMNS, *BOOKKEEPING)) for source, relation in SOURCES.items()]
CALENDAR = RawRelation("ops.calendar", None, ("day",))
PARENTS = ("raw.n__orth", "raw.s__outh", "raw.l__ent", "ops.calendar", "intermediate.united")
UNION = TracedModel("united", "intermediate.united", UNITED, PARENTS[:2])


def tracer(*models: TracedModel, functions: tuple[str, ...] = ()) -> Tracer:
    return Tracer([UNION, *models], [*RAW, CALENDAR], "warehouse", functions)


def mart(sql: str | None, parents: tuple[str, ...] = PARENTS, **more: object) -> TracedModel:
    return TracedModel("mart", "theme.mart", sql, parents, **more)


def traced(sql: str, *models: TracedModel) -> Lineage:
    return tracer(mart(sql, (*PARENTS, *(one.relation for one in models))), *models).lineage("theme.mart")


def values(lineage: Lineage, column: str) -> set[str]:
    """Return the raw columns that are in a column, as ``source.column``."""
    return {f"{one.source}.{one.column}" for one in lineage.columns[column] if one.kind == VALUE}


def influences(lineage: Lineage, column: str) -> set[str]:
    """Return the raw columns that decide which rows there are."""
    return {f"{one.source}.{one.column}" for one in lineage.columns[column] if one.kind == INFLUENCE}


def tellers(lineage: Lineage, source: str) -> set[str | None]:
    """Return the columns that tell of what a source contributes, None among them for what nothing tells of."""
    return {one.teller for origins in lineage.columns.values() for one in origins if one.source == source}


def world() -> duckdb.DuckDBPyConnection:
    """Return a database with the world's tables, empty, and the relation that unites two of them."""
    connection = duckdb.connect(":memory:")
    connection.execute("attach ':memory:' as warehouse")
    connection.execute("use warehouse")
    for schema in ("raw", "ops", "intermediate"):
        connection.execute(f"create schema {schema}")
    described = ", ".join(f"{name} {kind}" for name, kind in (COLUMNS | BOOKKEEPING).items())
    for relation in SOURCES.values():
        connection.execute(f"create table {relation} ({described})")
    connection.execute("create table ops.calendar as select unnest(['a', 'b', 'c', 'd']) as day")
    connection.execute(f"create view intermediate.united as {UNITED}")
    return connection


def deliver(connection: duckdb.DuckDBPyConnection, source: str, chance: random.Random) -> None:
    """Replace what a source has delivered by a few records of small values, so that keys meet."""
    connection.execute(f"delete from {SOURCES[source]}")
    records = [
        [
            chance.choice("abcd"),
            chance.randint(0, 3),
            chance.randint(0, 3),
            [chance.randint(0, 3) for _ in range(chance.randint(0, 2))],
            {"x": chance.randint(0, 3), "y": chance.randint(0, 3)},
            "{}",
            "d1",
            number,
        ]
        for number in range(chance.randint(0, 5))
    ]
    if records:
        connection.executemany(f"insert into {SOURCES[source]} values (?, ?, ?, ?, ?, ?, ?, ?)", records)
