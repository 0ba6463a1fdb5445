"""Column lineage: no way of writing SQL takes a raw column into a mart unseen, and what cannot be read is everything.

A lent column, ``lent.v``, is smuggled in each way that we know; each query is one that DuckDB runs. That what is found
holds on data is ``test_lineage_holds``.
"""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from exports.lineage import UNTOLD, RawRelation, TracedModel, Tracer
from tests.unit.lineage_world import (
    PARENTS,
    RAW,
    influences,
    mart,
    tellers,
    traced,
    tracer,
    values,
    world,
)

# Each puts lent.v into the column `out`.
BY_VALUE = {
    "alias": "select v as out from raw.l__ent",
    "alias of an alias": "select v as inner_name, inner_name + 1 as out from raw.l__ent",
    "expression": "select coalesce(cast(v as varchar) || 'x', '') as out from raw.l__ent",
    "case condition": "select case when v > 2 then 'many' else 'few' end as out from raw.l__ent",
    "filter of an aggregate": "select count(*) filter (where v > 2) as out from raw.l__ent",
    "order of an aggregate": "select string_agg(k, ',' order by v) as out from raw.l__ent",
    "argument of the greatest": "select arg_max(k, v) as out from raw.l__ent",
    "union": "select k as out from raw.n__orth union all select cast(v as varchar) from raw.l__ent",
    "union by name": "select 1 as other union all by name select v as out from raw.l__ent",
    "union of different names": "select w as out from raw.n__orth union select v as hidden from raw.l__ent",
    "window's argument": "select lag(v) over (order by k) as out from raw.l__ent",
    "window's partition": "select row_number() over (partition by v) as out from raw.l__ent",
    "window's order": "select row_number() over (order by v) as out from raw.l__ent",
    "named window": "select rank() over how as out from raw.l__ent window how as (order by v)",
    "window's frame": "select sum(w) over (order by k rows between v preceding and current row) as out from raw.l__ent",
    "struct": "select {'a': v} as out from raw.l__ent",
    "struct_pack": "select struct_pack(a := v) as out from raw.l__ent",
    "field of a struct": "with packed as (select {'a': v} as box from raw.l__ent) select box.a as out from packed",
    "field in brackets": "with packed as (select {'a': v} as box from raw.l__ent) select box['a'] as out from packed",
    "star of a struct": "with packed as (select {'out': v} as box from raw.l__ent) select box.* from packed",
    "whole row": "select t as out from raw.l__ent as t",
    "field of a whole row": "with rows as (select t as box from raw.l__ent as t) select box.v as out from rows",
    "json of a whole row": "select to_json(t) as out from raw.l__ent as t",
    "list": "select [w, v] as out from raw.l__ent",
    "unnest": "select unnest([v]) as out from raw.l__ent",
    "unnest in FROM": "select u.out from raw.l__ent as t, unnest([t.v]) as u(out)",
    "lambda": "select list_transform([1], lambda e: e + v) as out from raw.l__ent",
    "arrow lambda's list": "select list_transform([v], e -> e + 1) as out from raw.l__ent",
    "list comprehension": "select [e + v for e in [1, 2] if e > 1] as out from raw.l__ent",
    "scalar subquery": "select (select max(v) from raw.l__ent) as out",
    "correlated subquery": "select (select max(t.v) from raw.l__ent as t where t.k = n.k) as out from raw.n__orth as n",
    "subquery over its surroundings": "select (select max(e) from unnest([t.v]) as u(e)) as out from raw.l__ent as t",
    "membership": "select w in (select v from raw.l__ent) as out from raw.n__orth",
    "lateral": "select q.out from raw.l__ent as t cross join lateral (select t.v + 1 as out) as q",
    "implied lateral": "select q.out from raw.l__ent as t, (select t.v + 1 as out) as q",
    "values": "select q.out from raw.l__ent as t, (values (t.v)) as q(out)",
    "series": "select g.out from raw.l__ent as t, generate_series(1, t.v) as g(out)",
    "common table expression": (
        "with a as (select v as b from raw.l__ent), c as (select b as d from a) select d as out from c"
    ),
    "renamed common table expression": "with a(x, out) as (select k, v from raw.l__ent) select out from a",
    "renamed table": "select out from raw.l__ent as t(x, out)",
    "recursion's start": (
        "with recursive r(out, n) as (select v, 0 from raw.l__ent union all select out, n + 1 from r where n < 2) "
        "select out from r"
    ),
    "recursion's step": (
        "with recursive r(out, n) as (select 0, 0 union all select l.v, n + 1 from r, raw.l__ent as l where n < 2) "
        "select out from r"
    ),
    "star": "select * rename (v as out) from raw.l__ent",
    "star exclude": "select * exclude (k) rename (v as out) from raw.l__ent",
    "star replace": "select k as out from (select * replace (v as k) from raw.l__ent)",
    "star replace by name": "with t as (select 1 as out, v from raw.l__ent) select * replace (v as out) from t",
    "columns": "with t as (select v as out from raw.l__ent) select columns('o.*') from t",
    "columns by lambda": "with t as (select v as out from raw.l__ent) select columns(c -> c like 'o%') from t",
    "function of columns": "with t as (select v as out from raw.l__ent) select max(columns(*)) from t",
    "unpacked columns": "select coalesce(*columns(['v', 'w'])) as out from raw.l__ent",
    "place of a column": "select #2 as out from raw.l__ent",
    "FROM first": "from raw.l__ent select v as out",
    "name before": "select out: v from raw.l__ent",
    "qualified by the schema": "select raw.l__ent.v as out from raw.l__ent",
    "qualified by the warehouse": 'select "v" as "OUT" from "warehouse"."raw"."l__ent"',
    "upper case": "SELECT V AS Out FROM RAW.L__ENT",
    "join's columns in one": "select v as out from raw.n__orth right join raw.l__ent using (v)",
    "difference": "select v as out from raw.l__ent except select w from raw.n__orth",
    "pivot": "select \"a\" as out from (pivot raw.l__ent on k in ('a') using sum(v))",
    "pivot in FROM": "select a as out from (select k, v from raw.l__ent) pivot (sum(v) for k in ('a'))",
    "unpivot": "select number as out from (select k, v, w from raw.l__ent) unpivot (number for name in (v, w))",
    "group by all": "select max(v) as out, k from raw.l__ent group by all",
}

# Each lets lent.v decide which rows of north there are.
BY_INFLUENCE = {
    "where": "select n.k as out from raw.n__orth as n, raw.l__ent as l where l.v > 2",
    "join's condition": "select n.k as out from raw.n__orth as n join raw.l__ent as l on n.w = l.v",
    "join's shared column": "select n.k as out from raw.n__orth as n join raw.l__ent as l using (v)",
    "natural join": "select n.k as out from raw.n__orth as n natural join raw.l__ent as l",
    "left join": "select n.k as out from raw.n__orth as n left join raw.l__ent as l on n.w = l.v",
    "anti join": "select n.k as out from raw.n__orth as n anti join raw.l__ent as l on n.w = l.v",
    "semi join": "select n.k as out from raw.n__orth as n semi join raw.l__ent as l using (v)",
    "asof join": "select n.k as out from raw.n__orth as n asof join raw.l__ent as l on n.w >= l.v",
    "group by": "select 1 as out from raw.l__ent group by v",
    "group by a place": "select v, 1 as out from raw.l__ent group by 1",
    "group by a result": "select v % 2 as odd, 1 as out from raw.l__ent group by odd",
    "having": "select k as out from raw.l__ent group by k having max(v) > 2",
    "qualify": "select k as out from raw.l__ent qualify row_number() over (partition by k order by v) = 1",
    "distinct": "select out from (select distinct v, 1 as out from raw.l__ent)",
    "distinct on": "select distinct on (v) k as out from raw.l__ent",
    "order of distinct on": "select distinct on (k) k as out from raw.l__ent order by k, v",
    "union of different rows": (
        "select out from (select 1 as out, w as u from raw.n__orth union select 1, v from raw.l__ent)"
    ),
    "order and limit": "select k as out from raw.l__ent order by v limit 1",
    "limit by a subquery": "select k as out from raw.n__orth limit (select max(v) from raw.l__ent)",
    "limit of a union": (
        "(select k as out, w as u from raw.n__orth union all select k, v from raw.l__ent) order by u limit 1"
    ),
    "exists": "select k as out from raw.n__orth as n where exists (select 1 from raw.l__ent as l where l.v = n.w)",
    "not exists": "select k as out from raw.n__orth as n where not exists (from raw.l__ent as l where l.v = n.w)",
    "in": "select k as out from raw.n__orth where w in (select v from raw.l__ent)",
    "any": "select k as out from raw.n__orth where w = any(select v from raw.l__ent)",
    "unnested list": "select k as out, unnest(range(v)) as n from raw.l__ent",
    "series in FROM": "select t.k as out from raw.l__ent as t, range(t.v) as g(n)",
    "filtered table expression": (
        "with f as (select k from raw.l__ent where v = 1) select n.k as out from raw.n__orth as n, f"
    ),
    "window in where below": (
        "select k as out from (select k, rank() over (order by v) as r from raw.l__ent) where r = 1"
    ),
}

# Each holds n.w, published as `out`, to be the same as lent.v.
EQUATED = {
    "join on": "select n.w as out from raw.n__orth as n join raw.l__ent as l on n.w = l.v",
    "left join on": "select n.w as out from raw.n__orth as n left join raw.l__ent as l on n.w = l.v",
    "semi join on": "select n.w as out from raw.n__orth as n semi join raw.l__ent as l on n.w = l.v",
    "join by using": (
        "select n.out from (select w as out from raw.n__orth) as n "
        "join (select v as out from raw.l__ent) as l using (out)"
    ),
    "natural join": (
        "select n.out from (select w as out from raw.n__orth) as n natural join (select v as out from raw.l__ent) as l"
    ),
    "where": "select n.w as out from raw.n__orth as n, raw.l__ent as l where n.w = l.v",
    "where, as expressions": "select n.w + 1 as out from raw.n__orth as n, raw.l__ent as l where n.w - l.v = 0",
    "where not different": "select n.w as out from raw.n__orth as n, raw.l__ent as l where not n.w <> l.v",
    "is not distinct": "select n.w as out from raw.n__orth as n join raw.l__ent as l on n.w is not distinct from l.v",
    "at second hand": (
        "select n.w as out from raw.n__orth as n join raw.s__outh as s on n.w = s.w join raw.l__ent as l on s.w = l.v"
    ),
    "enclosed": "select n.w as out from raw.n__orth as n join raw.l__ent as l on n.w >= l.v and n.w <= l.v",
    "between": "select n.w as out from raw.n__orth as n join raw.l__ent as l on n.w between l.v and l.v",
    "in": "select w as out from raw.n__orth where w in (select v from raw.l__ent)",
    "any": "select w as out from raw.n__orth where w = any(select v from raw.l__ent)",
    "exists": "select w as out from raw.n__orth as n where exists (select 1 from raw.l__ent as l where l.v = n.w)",
    "exists, at second hand": (
        "select n.w as out from raw.n__orth as n, raw.s__outh as u "
        "where exists (select 1 from raw.l__ent as l where l.v = u.w and u.w = n.w)"
    ),
    "where in a case": (
        "select case when exists (select 1 from raw.l__ent as l where l.v = n.w) then w end as out "
        "from raw.n__orth as n"
    ),
    "subquery": "select (select n.w from raw.l__ent as l where l.v = n.w limit 1) as out from raw.n__orth as n",
    "lateral": "select n.w as out from raw.n__orth as n, lateral (select 1 from raw.l__ent as l where l.v = n.w) as q",
    "constants": "select c.out from (values (1), (2)) as c(out) join raw.l__ent as l on c.out = l.v",
    "qualify": (
        "select n.w as out from raw.n__orth as n, raw.l__ent as l qualify max(l.v) over (partition by l.k) = n.w"
    ),
    "having": "select n.w as out from raw.n__orth as n, raw.l__ent as l group by n.w having n.w = max(l.v)",
    "star": "select n.* rename (w as out) from raw.n__orth as n join raw.l__ent as l on n.w = l.v",
    "whole row": "select n as out from raw.n__orth as n join raw.l__ent as l on n.w = l.v",
    "columns": "select columns(n.*) from (select w as out from raw.n__orth) as n join raw.l__ent as l on n.out = l.v",
}

# In each, lent.v decides which rows there are, and n.w, published as `out`, is not held to be the same.
NOT_EQUATED = {
    "another column": "select n.w as out from raw.n__orth as n join raw.l__ent as l on n.k = l.k where l.v > 1",
    "order": "select n.w as out from raw.n__orth as n join raw.l__ent as l on n.w >= l.v",
    "literal": "select n.w as out from raw.n__orth as n join raw.l__ent as l on n.w = 1 and l.v = 1",
    "interval": "select n.w as out from raw.n__orth as n join raw.l__ent as l on n.w >= l.v and n.w < l.w",
}

# Each reads, or may read, what the model does not declare.
OUTSIDE = {
    "relation": "select secret as out from raw.h__idden",
    "relation of another catalog": 'select v as out from "attached"."raw"."n__orth"',
    "bare name": "select v as out from l__ent",
    "in a subquery": "select (select max(secret) from raw.h__idden) as out from raw.n__orth",
    "in a condition": "select k as out from raw.n__orth where exists (from raw.h__idden)",
    "in a join": "select k as out from raw.n__orth left join raw.h__idden as h using (k)",
    "under the name of a later table expression": "with a as (select v as out from b), b as (select 1) select * from a",
    "query_table": "select v as out from query_table('raw.l__ent')",
    "query": "select v as out from query('from raw.l__ent')",
    "file": "select v as out from 'secret.parquet'",
    "read_parquet": "select v as out from read_parquet('secret.parquet')",
    "read_csv": "select v as out from read_csv('secret.csv')",
    "read_text": "select content as out from read_text('secret.csv')",
    "duckdb_columns": "select comment as out from duckdb_columns()",
    "unknown table function": "select * from smuggle()",
    "unknown function": "select smuggle(k) as out from raw.n__orth",
    "function of a schema": "select raw.smuggle(k) as out from raw.n__orth",
    "variable": "select getvariable('secret') as out",
    "environment": "select getenv('SECRET') as out",
    "parameter": "select $secret as out",
    "not a query": "insert into raw.n__orth select * from raw.l__ent",
    "table's description": "select * from (describe raw.l__ent)",
    "statistics": "summarize raw.l__ent",
    "two statements": "select 1 as out; select 2",
    "unreadable": "select k as out from from where",
    "rows of uneven length": "select out from (values (1), (2, 3)) as t(out)",
    "nested too deep": f"select {'(' * 3000}k{')' * 3000} as out from raw.n__orth",
}


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with world() as made:
        yield made


@pytest.mark.parametrize("sql", BY_VALUE.values(), ids=BY_VALUE.keys())
def test_a_column_that_is_in_an_expression_is_found(sql: str):
    found = traced(f"select out from ({sql})")
    assert found.untraced == ()
    assert "lent.v" in values(found, "out")


@pytest.mark.parametrize("sql", BY_INFLUENCE.values(), ids=BY_INFLUENCE.keys())
def test_a_column_that_decides_which_rows_there_are_bears_on_every_column(sql: str):
    found = traced(sql)
    assert found.untraced == ()
    for column in found.columns:
        assert "lent.v" in influences(found, column) | values(found, column)
    assert "lent.v" not in values(found, "out")


@pytest.mark.parametrize("sql", EQUATED.values(), ids=EQUATED.keys())
def test_a_column_comes_from_what_a_join_or_a_filter_makes_it_equal_to(sql: str):
    found = traced(f"select out from ({sql})")
    assert found.untraced == ()
    assert "lent.v" in values(found, "out")


@pytest.mark.parametrize("sql", NOT_EQUATED.values(), ids=NOT_EQUATED.keys())
def test_a_column_does_not_come_from_what_only_bears_on_its_rows(sql: str):
    found = traced(sql)
    assert "lent.v" in influences(found, "out") and "lent.v" not in values(found, "out")


ALL = {**BY_VALUE, **BY_INFLUENCE, **EQUATED, **NOT_EQUATED}


@pytest.mark.parametrize("sql", ALL.values(), ids=ALL.keys())
def test_the_columns_found_are_those_that_duckdb_gives(sql: str, connection: duckdb.DuckDBPyConnection):
    given = {str(row[0]).lower() for row in connection.execute(f"describe {sql}").fetchall()}
    assert given <= set(traced(sql).columns) or "box.*" in sql  # the members of a struct are not known


@pytest.mark.parametrize("sql", OUTSIDE.values(), ids=OUTSIDE.keys())
def test_what_may_be_read_beside_the_parents_makes_everything_a_part_of_it(sql: str):
    model = mart(sql, PARENTS[:1], columns=("out", "harmless"))
    found = tracer(model).lineage("theme.mart")
    assert "mart" in found.untraced[0] and "cannot be traced" in found.untraced[0]
    for column in ("out", "harmless"):
        assert {"north.*", "south.*", "lent.*"} <= values(found, column)
        assert "lent.*" in influences(found, column)
    assert tellers(found, "lent") == {None}


@pytest.mark.parametrize(
    "sql",
    [
        "select missing as out from raw.n__orth",
        "select k as out from raw.n__orth where n.missing = 1",
        "select sum(v) over nowhere as out from raw.n__orth",
        "select k, v as out from raw.n__orth union all select k from raw.n__orth",
    ],
)
def test_a_name_that_cannot_be_resolved_makes_all_above_the_parents_a_part_of_it(sql: str):
    found = tracer(mart(sql, PARENTS[:1], columns=("out",))).lineage("theme.mart")
    assert found.untraced != ()
    assert values(found, "out") == {"north.*"}


def test_a_model_without_compiled_sql_is_everything():
    found = tracer(mart(None, PARENTS[:1], columns=("out",))).lineage("theme.mart")
    assert values(found, "out") == {"north.*", "south.*", "lent.*"}
    assert "compiled SQL is not there" in found.untraced[0]


def test_what_is_built_on_a_model_that_cannot_be_traced_cannot_be_traced():
    blind = TracedModel("blind", "intermediate.blind", "select * from smuggle()", PARENTS[:1])
    found = traced("select b.any_name as out, n.k from raw.n__orth as n, intermediate.blind as b", blind)
    assert "lent.*" in values(found, "out")
    assert "lent.*" in influences(found, "k") and values(found, "k") == {"north.k"}
    assert ["blind" in sentence for sentence in found.untraced] == [True]


def test_a_model_that_is_not_above_the_mart_is_not_told_of():
    blind = TracedModel("blind", "intermediate.blind", None, PARENTS[:1])
    assert tracer(mart("select k from raw.n__orth"), blind).lineage("theme.mart").untraced == ()


def test_lineage_goes_through_models_and_names_the_way():
    first = TracedModel("first", "staging.first", "select v as amount, w as weight from raw.l__ent", PARENTS)
    doubled = "select amount * 2 as doubled from staging.first where weight = 1"
    second = TracedModel("second", "intermediate.second", doubled, ("staging.first",))
    found = traced("select doubled as out from intermediate.second", first, second)
    assert values(found, "out") == {"lent.v"} and "lent.w" in influences(found, "out")
    path = next(one.path for one in found.columns["out"] if one.column == "v")
    assert path == ("raw.l__ent.v", "staging.first.amount", "intermediate.second.doubled", "theme.mart.out")


def test_a_territory_s_own_model_is_read_like_any_other():
    own = TracedModel("own", "mobility.own", "select k, v as harmless_looking from raw.l__ent", ("raw.l__ent",))
    assert values(traced("select harmless_looking as out from mobility.own", own), "out") == {"lent.v"}


def test_a_seed_is_a_source_of_its_own():
    seed = RawRelation("seeds.copied", "seed:copied", None)
    model = mart("select amount as out, 1 as one from seeds.copied", ("seeds.copied",))
    found = Tracer([model], [*RAW, seed]).lineage("theme.mart")
    assert values(found, "out") == {f"seed:copied.{UNTOLD}"}
    assert {one.source for one in found.columns["one"]} == {"seed:copied"}


def test_the_column_that_holds_the_rest_of_a_record_may_hold_anything():
    assert values(traced("select json_extract_string(_extra, '$.x') as out from raw.l__ent"), "out") == {"lent.*"}


def test_counting_records_says_that_they_are_there():
    assert influences(traced("select count(*) as out from raw.l__ent"), "out") == {"lent._record_no"}


def test_what_is_nobody_s_has_no_origin():
    assert traced("select day as out from ops.calendar").columns == {"out": frozenset()}


def test_a_column_that_is_not_mentioned_is_no_origin():
    found = traced("select l.k as out from raw.l__ent as l where l.w = 1")
    assert "lent.v" not in values(found, "out") | influences(found, "out")


def test_what_a_materialisation_adds_bears_all_that_the_select_reads():
    model = mart("select k, v, w as _reason from raw.l__ent", added=("versions",), deciding=("_reason",))
    found = tracer(model).lineage("theme.mart")
    assert {"lent.k", "lent.v", "lent.w"} <= values(found, "versions")
    assert "lent.w" in influences(found, "k")


def test_columns_of_a_contract_that_the_select_does_not_have_bear_all_of_it():
    found = tracer(mart("select k from raw.l__ent", columns=("k", "other"))).lineage("theme.mart")
    assert values(found, "other") == {"lent.k"}


def test_a_function_of_ours_may_be_called_once_it_is_declared():
    sql = "select geo_length_m(k) as out from raw.l__ent"
    assert tracer(mart(sql)).lineage("theme.mart").untraced != ()
    declared = tracer(mart(sql), functions=("geo_length_m",)).lineage("theme.mart")
    assert declared.untraced == () and values(declared, "out") == {"lent.k"}


def test_the_columns_of_the_parents_are_told_for_the_graph():
    found = tracer(mart("select u.v + 1 as out, u.k from intermediate.united as u")).parents_of("theme.mart")
    assert {(one.source, one.column) for one in found["out"] if one.kind == "value"} == {("intermediate.united", "v")}


# Which rows a source contributed: the column that tells, None where it is mixed with others.
TOLD = {
    "literal": ("select 'north' as origin, k from raw.n__orth", {"origin"}),
    "literal under a cast": ("select cast('north' as varchar) as origin, k from raw.n__orth", {"origin"}),
    "literal of another source": ("select 'south' as origin, k from raw.n__orth", {None}),
    "no literal": ("select k from raw.n__orth", {None}),
    "passed out": ("select source, k from intermediate.united", {"source"}),
    "star": ("select * from intermediate.united", {"source"}),
    "renamed": ("select source as origin, k from intermediate.united", {"origin"}),
    "renamed by a star": ("select * rename (source as origin) from intermediate.united", {"origin"}),
    "renamed twice": ("with a as (select source as b from intermediate.united) select b as c from a", {"c"}),
    "renamed with the table": ("select x from intermediate.united as t(x)", {"x"}),
    "renamed by a table expression": (
        "with a(x, y) as (select source, k from intermediate.united) select * from a",
        {"x"},
    ),
    "names exchanged": ("with a(k, source) as (select source, k from intermediate.united) select * from a", {"k"}),
    "alias of an alias": ("select source as b, b as c from intermediate.united", {"b"}),
    "not passed out": ("select k from intermediate.united", {None}),
    "excluded": ("select * exclude (source) from intermediate.united", {None}),
    "changed": ("select upper(source) as source, k from intermediate.united", {None}),
    "replaced": ("select * replace (upper(source) as source) from intermediate.united", {None}),
    "perhaps NULL": ("select nullif(source, 'north') as source, k from intermediate.united", {None}),
    "filter": ("select source, k from intermediate.united where v > 1", {"source"}),
    "two of one name at once": ("select k as source, source from intermediate.united", {None}),
    "two of one name": ("select k from (select source, k, k as source from intermediate.united)", {None}),
    "union by position": (
        "select 'south' as origin, k from raw.s__outh union all select source, k from intermediate.united",
        {"origin"},
    ),
    "union that mixes places": (
        "select source, k from intermediate.united union all select k, source from intermediate.united",
        {"source", "k"},
    ),
    "union by name": ("select source, k from intermediate.united union all by name select 'x' as k", {"source"}),
    "union without it": (
        "select source, k from intermediate.united union all by name select k from raw.n__orth",
        {"source", None},
    ),
    "distinct": ("select distinct source, k from intermediate.united", {"source"}),
    "distinct union": ("select source, k from intermediate.united union select 'x', 'y'", {"source"}),
    "distinct without it": ("select distinct k from intermediate.united", {None}),
    "distinct on it": ("select distinct on (source) source, k from intermediate.united order by source, v", {"source"}),
    "distinct on another": ("select distinct on (k) source, k from intermediate.united order by k, v", {None}),
    "except": ("select source, k from intermediate.united except select 'south', 'a'", {None}),
    "aggregate by it": ("select source, sum(v) as v from intermediate.united group by source", {"source"}),
    "aggregate by its place": ("select source, sum(v) as v from intermediate.united group by 1", {"source"}),
    "aggregate by its name": (
        "select source as origin, sum(v) as v from intermediate.united group by origin",
        {"origin"},
    ),
    "aggregate by all": ("select source, sum(v) as v from intermediate.united group by all", {"source"}),
    "aggregate by more": ("select source, k, sum(v) as v from intermediate.united group by k, source", {"source"}),
    "aggregate without it": ("select k, sum(v) as v from intermediate.united group by k", {None}),
    "aggregate by it, not passed out": ("select k, sum(v) as v from intermediate.united group by k, source", {None}),
    "any of a group": ("select any_value(source) as source, sum(v) as v from intermediate.united group by k", {None}),
    "rollup": ("select source, sum(v) as v from intermediate.united group by rollup (source)", {None}),
    "grouping sets": (
        "select source, sum(v) as v from intermediate.united group by grouping sets ((source), ())",
        {None},
    ),
    "having": ("select source, k from intermediate.united group by source, k having sum(v) > 1", {"source"}),
    "window by it": ("select source, sum(v) over (partition by source, k) as v from intermediate.united", {"source"}),
    "window without it": (
        "select source, sum(v) over (partition by k) as v from intermediate.united",
        {"source", None},
    ),
    "count of all rows": ("select source, count(*) over () as n from intermediate.united", {"source", None}),
    "count of its own rows": (
        "select source, count(*) over (partition by source) as n from intermediate.united",
        {"source"},
    ),
    "window over all": (
        "select source, row_number() over (order by v) as n from intermediate.united",
        {"source", None},
    ),
    "named window": (
        "select source, sum(v) over w as v from intermediate.united window w as (partition by source)",
        {"source"},
    ),
    "qualify by it": (
        "select source, k from intermediate.united qualify row_number() over (partition by source order by v) = 1",
        {"source"},
    ),
    "qualify without it": (
        "select source, k from intermediate.united qualify row_number() over (partition by k order by v) = 1",
        {"source", None},
    ),
    "limit": ("select source, k from intermediate.united order by v limit 1", {"source", None}),
    "join": ("select n.source, c.day from intermediate.united as n join ops.calendar as c on n.k = c.day", {"source"}),
    "join of two sides": (
        "select a.source, b.source as other from intermediate.united as a join intermediate.united as b on a.k = b.k",
        {"source", "other"},
    ),
    "join of two sides, one passed out": (
        "select a.source from intermediate.united as a join intermediate.united as b on a.k = b.k",
        {"source", None},
    ),
    "join on it": (
        "select a.source, b.k from intermediate.united as a join intermediate.united as b on "
        "a.source = b.source and a.k = b.k",
        {"source"},
    ),
    "join on it, the other passed out": (
        "select b.source, a.v from intermediate.united as a join intermediate.united as b on a.source = b.source",
        {"source"},
    ),
    "join by using it": (
        "select source, a.v, b.w from intermediate.united as a join intermediate.united as b using (source)",
        {"source"},
    ),
    "cross join where equal": (
        "select a.source, b.v from intermediate.united as a, intermediate.united as b where a.source = b.source",
        {"source"},
    ),
    "left join on it": (
        "select a.source, b.v from intermediate.united as a left join intermediate.united as b on a.source = b.source",
        {"source"},
    ),
    "left join on it, the lesser passed out": (
        "select b.source, a.v from intermediate.united as a left join intermediate.united as b "
        "on a.source = b.source and a.k = b.k",
        {"source", None},
    ),
    "window by what a left join leaves NULL": (
        "select b.source, sum(b.v) over (partition by a.source) as v from intermediate.united as a "
        "left join intermediate.united as b on a.source = b.source and a.k = b.k",
        {"source", None},
    ),
    "full join on it": (
        "select coalesce(a.source, b.source) as source, a.v, b.w from intermediate.united as a "
        "full join intermediate.united as b on a.source = b.source and a.k = b.k",
        {"source"},
    ),
    "coalesce of what is not equal": (
        "select coalesce(a.source, b.source) as source, a.v, b.w from intermediate.united as a "
        "full join intermediate.united as b on a.k = b.k",
        {"source", None},
    ),
    "condition on what has no match": (
        "select a.source, b.source as other from intermediate.united as a left join intermediate.united as b "
        "on a.k = b.k and a.v < b.v where b.k is null",
        {"source", "other", None},
    ),
    "asof join": (
        "select a.source, b.source as other, b.v from intermediate.united as a "
        "asof join intermediate.united as b on a.k = b.k and a.v >= b.v",
        {"source", None},
    ),
    "asof join on it": (
        "select a.source, b.v from intermediate.united as a "
        "asof join intermediate.united as b on a.source = b.source and a.v >= b.v",
        {"source"},
    ),
    "anti join": (
        "select a.source, a.k from intermediate.united as a anti join intermediate.united as b on "
        "a.k = b.k and a.v < b.v",
        {"source", None},
    ),
    "anti join on it": (
        "select a.source from intermediate.united as a anti join intermediate.united as b "
        "on a.source = b.source and a.v < b.v",
        {"source"},
    ),
    "exists": (
        "select a.source, a.k from intermediate.united as a where exists (from intermediate.united "
        "as b where b.v > a.v)",
        {"source", None},
    ),
    "exists of its own": (
        "select a.source from intermediate.united as a where not exists "
        "(select 1 from intermediate.united as b where b.source = a.source and b.v > a.v)",
        {"source"},
    ),
    "subquery of its own": (
        "select a.source, (select max(b.v) from intermediate.united as b where b.source = a.source) as v "
        "from intermediate.united as a",
        {"source"},
    ),
    "subquery over all": (
        "select a.source, (select max(b.v) from intermediate.united as b) as v from intermediate.united as a",
        {"source", None},
    ),
    "subquery over its own row": (
        "select a.source, (select sum(e) from unnest(a.l) as u(e)) as v from intermediate.united as a",
        {"source"},
    ),
    "unnest": ("select source, unnest(l) as e from intermediate.united", {"source"}),
    "unnest in FROM": ("select a.source, u.e from intermediate.united as a, unnest(a.l) as u(e)", {"source"}),
    "lateral": (
        "select a.source, q.d from intermediate.united as a cross join lateral (select a.v * 2 as d) as q",
        {"source"},
    ),
    "pivot": ("select * from (pivot intermediate.united on k in ('a', 'b') using sum(v) group by source)", set()),
    "recursion": (
        "with recursive r as (select source, v, 0 as n from intermediate.united "
        "union all select source, v + 1, n + 1 from r where n < 2) select * from r",
        {"source"},
    ),
    "rows of another source": ("select source, k from intermediate.united where source = 'south'", set()),
    "rows of another source, by a list": (
        "select source, k from intermediate.united where source in ('south', 'x')",
        set(),
    ),
    "rows of this source, among others": (
        "select source, k from intermediate.united where source in ('south', 'north')",
        {"source"},
    ),
    "another source where nothing matches": (
        "select a.source, a.k from intermediate.united as a anti join ops.calendar as c "
        "on a.k = c.day and a.source = 'south'",
        {"source"},
    ),
    "equal where nothing matches": (
        "select a.source from intermediate.united as a cross join intermediate.united as b anti join ops.calendar as c "
        "on a.k = c.day and a.source = b.source",
        {"source", None},
    ),
    "perhaps rows of another source": (
        "select source, k from intermediate.united where source = 'south' or v = 1",
        {"source"},
    ),
    "left join, told by what finds no match": (
        "select b.source, a.day from ops.calendar as a left join intermediate.united as b on a.day = b.k",
        {"source", None},
    ),
    "left join, told by what finds no match or a constant": (
        "select coalesce(b.source, 'none') as source, a.day from ops.calendar as a "
        "left join intermediate.united as b on a.day = b.k",
        {"source", None},
    ),
    "right join, told by what finds no match": (
        "select a.source, b.day from intermediate.united as a right join ops.calendar as b on a.k = b.day",
        {"source", None},
    ),
    "right join of what is joined on it": (
        "select a.source, c.day from intermediate.united as a join intermediate.united as b on a.source = b.source "
        "and a.v < b.v right join ops.calendar as c on a.k = c.day",
        {"source", None},
    ),
    "full join, grouped": (
        "select a.source, count(b.day) as n from (select source, k as day from intermediate.united) as a "
        "full join ops.calendar as b using (day) group by all",
        {"source", None},
    ),
    "full join on it, one passed out": (
        "select a.source, b.w from intermediate.united as a full join intermediate.united as b "
        "on a.source = b.source and a.k = b.k",
        {"source", None},
    ),
    "left join to a join": (
        "select c.day, a.source from ops.calendar as c left join (intermediate.united as a join intermediate.united "
        "as b on a.source = b.source and a.v < b.v) on c.day = a.k",
        {"source", None},
    ),
    "left join on it, and on from there": (
        "select a.source, c.v from intermediate.united as a left join intermediate.united as b on a.source = b.source "
        "and a.k = b.k left join intermediate.united as c on b.source = c.source and b.v = c.w",
        {"source"},
    ),
    "full join on it, then left join on it": (
        "select coalesce(a.source, b.source) as source, c.v from intermediate.united as a "
        "full join intermediate.united as b on a.source = b.source and a.k = b.k "
        "left join intermediate.united as c on b.source = c.source and b.v = c.w",
        {"source"},
    ),
    "positional join, told by both": (
        "select a.source, b.source as other from intermediate.united as a positional join intermediate.united as b",
        {"source", "other", None},
    ),
    "best of all, of another source": (
        "select a.day, b.source from (select day, 1 as v from ops.calendar) as a asof join intermediate.united as b "
        "on a.day = b.k and a.v >= b.v where b.source = 'south'",
        {None},
    ),
    "left join to rows of another source": (
        "select a.day, b.source from ops.calendar as a left join intermediate.united as b "
        "on a.day = b.k and b.source = 'south'",
        set(),
    ),
}


@pytest.mark.parametrize(("sql", "expected"), TOLD.values(), ids=TOLD.keys())
def test_what_tells_of_a_source_s_rows(sql: str, expected: set[str | None]):
    found = traced(sql)
    assert found.untraced == ()
    assert tellers(found, "north") == expected
