"""What the lineage says of a query holds on data: a source that is told, or absent, changes nothing in the other rows.

Each query of ``test_lineage`` is run twice on small random records, a source having delivered others in between. In a
column, the rows that do not name the source may change only if the lineage knows of an origin that nothing tells of.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import duckdb
import pytest

from tests.unit.lineage_world import SOURCES, deliver, traced, world
from tests.unit.test_lineage import BY_INFLUENCE, BY_VALUE, TOLD

ROUNDS = 3
# Which of two equal rows DuckDB takes is not said.
ARBITRARY = {"asof join"}
# Where DuckDB has to choose what a name means, or a row what it is told by.
SUBTLE = {
    "column before alias": "select v as k, k as out from raw.l__ent",
    "column before alias in where": "select v % 2 as w, k from raw.l__ent where w = 1",
    "alias in where": "select v % 2 as odd, k from raw.l__ent where odd = 1",
    "alias in having": "select k, max(v) as most from raw.l__ent group by k having most > 1",
    "alias in order": "select k, v as w from raw.l__ent order by w limit 1",
    "alias that hides a column in group by": "select k, v % 2 as v2, count(*) as n from raw.l__ent group by k, v2",
    "table of the name of a column": "select s.x from raw.l__ent as s",
    "literal beside another source": (
        "select 'north' as origin, l.k from raw.l__ent as l join raw.n__orth as n using (k)"
    ),
    "three by one column": (
        "select source, a.v, b.w, c.k from intermediate.united as a full join intermediate.united as b using (source) "
        "left join intermediate.united as c using (source)"
    ),
    "right join by using it": (
        "select source, a.v, b.w from intermediate.united as a right join intermediate.united as b using (source, k)"
    ),
    "positional join": ("select a.source, b.v from intermediate.united as a positional join intermediate.united as b"),
    "greatest of what has no match": (
        "select a.source, b.source as other from intermediate.united as a left join "
        "(select * from intermediate.united where source = 'south') as b on a.k = b.k where greatest(b.v, 1) > 1"
    ),
    "condition that a match needs": (
        "select a.source, b.source as other from intermediate.united as a left join intermediate.united as b "
        "on a.k = b.k where b.v > 1"
    ),
    "best of its own": (
        "select a.source, (select b.v from intermediate.united as b where b.source = a.source "
        "order by b.v limit 1) as v from intermediate.united as a"
    ),
    "count of its own": (
        "select a.source, (select count(*) from intermediate.united as b where b.source = a.source) as n "
        "from intermediate.united as a"
    ),
    "total of totals": (
        "select source, sum(v) over () as v from (select source, sum(v) as v from intermediate.united group by source)"
    ),
    "total by origin of literals": (
        "select origin, count(*) as n from (select 'north' as origin, k from raw.n__orth "
        "union all select 'lent', k from raw.l__ent) group by origin"
    ),
    "right join on it": (
        "select b.source, a.v, b.w from intermediate.united as a right join intermediate.united as b "
        "on a.source = b.source and a.k = b.k"
    ),
    "right join on it, the lesser passed out": (
        "select a.source, b.w from intermediate.united as a right join intermediate.united as b "
        "on a.source = b.source and a.k = b.k"
    ),
    "full join on it, one passed out": (
        "select a.source, b.w from intermediate.united as a full join intermediate.united as b "
        "on a.source = b.source and a.k = b.k"
    ),
    "lent rows told by what finds no match": (
        "select l.src as source, n.k from raw.n__orth as n left join (select 'lent' as src, k from raw.l__ent) as l "
        "on n.k = l.k"
    ),
    "lent rows told by what finds no match, or a constant": (
        "select coalesce(l.src, 'north') as source, n.k from raw.n__orth as n "
        "left join (select 'lent' as src, k from raw.l__ent) as l using (k)"
    ),
    "lent rows told by what a full join counts": (
        "select l.src as source, count(n.k) as n from (select 'lent' as src, k from raw.l__ent) as l "
        "full join raw.n__orth as n using (k) group by all"
    ),
    "full join to rows of another source": (
        "select a.source, b.source as other, b.v from intermediate.united as a full join intermediate.united as b "
        "on b.source = 'south' and a.k = b.k"
    ),
    "recursion over rows of others": (
        "with recursive r as (select source, k, v from intermediate.united where v = 0 union "
        "select r.source, u.k, u.v from r join intermediate.united as u on u.v = r.v + 1) select * from r"
    ),
}
QUERIES = {**SUBTLE, **BY_VALUE, **BY_INFLUENCE, **{name: sql for name, (sql, _) in TOLD.items()}}


def without(names: list[str], rows: list[tuple], known: dict[str, set], source: str) -> dict[str, Counter]:
    """Return for each column its values in the rows that do not name the source, and how many there are of each."""
    places = {name.lower(): place for place, name in enumerate(names)}
    return {
        column: Counter(
            str(row[places[column]]) for row in rows if all(row[places[teller]] != source for teller in tellers)
        )
        for column, tellers in known.items()
    }


def answer(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[list[str], list[tuple]]:
    cursor = connection.execute(sql)
    return [column[0] for column in cursor.description], cursor.fetchall()


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with world() as made:
        made.execute("set threads = 1")
        yield made


@pytest.mark.parametrize("name", [name for name in QUERIES if name not in ARBITRARY])
def test_a_source_changes_only_what_the_lineage_says(name: str, connection: duckdb.DuckDBPyConnection):
    sql, chance = QUERIES[name], random.Random(name)  # noqa: S311 - records for a test
    columns = traced(sql).columns
    given = {column.lower() for column in answer(connection, sql)[0]} & {*columns}
    for _ in range(ROUNDS):
        for source in SOURCES:
            deliver(connection, source, chance)
        for source in SOURCES:
            told = {name: {one.teller for one in columns[name] if one.source == source} for name in given}
            known = {name: tellers for name, tellers in told.items() if None not in tellers}
            before = answer(connection, sql) if known else ([], [])
            deliver(connection, source, chance)
            after = answer(connection, sql) if known else ([], [])
            assert without(*before, known, source) == without(*after, known, source), source
