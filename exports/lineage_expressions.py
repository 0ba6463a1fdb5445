"""Which raw columns an SQL expression is made of: every one that it mentions, wherever it does.

What it does not know it does not pass over: a function that may read what its arguments do not name, a node that may
hide a relation, a name that nothing has make the query untraceable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache

import duckdb
from sqlglot import exp

from exports.lineage_facts import (
    Facts,
    Ref,
    Relation,
    Teller,
    Untraceable,
    as_influence,
    mixed,
    united,
    with_tellers,
)
from exports.lineage_scope import Scope

Reader = Callable[[exp.Expr, Mapping[str, Relation], Scope | None], Relation]

SILENT = (exp.Identifier, exp.Literal, exp.DataType, exp.Var, exp.Null, exp.Boolean, exp.JSONPath)
REFUSED = (
    exp.Table,
    exp.Placeholder,
    exp.Parameter,
    exp.SessionParameter,
    exp.Command,
    exp.ReadCSV,
    exp.ReadParquet,
    exp.DDL,
    exp.DML,
    exp.Pivot,
    exp.Lateral,
)
READING_FUNCTIONS = frozenset("getvariable getenv current_setting nextval currval json_deserialize_sql".split())
READING_PREFIXES = ("read_", "query", "duckdb_", "pragma_", "parquet_", "sniff_")
"""Functions of DuckDB whose result depends on more than their arguments: on files, variables, other relations."""


@cache
def pure_functions() -> frozenset[str]:
    """Return the names of DuckDB's own functions whose result depends on their arguments alone."""
    with duckdb.connect(":memory:") as connection:
        rows = connection.execute(
            "select distinct lower(function_name) from duckdb_functions() "
            "where internal and function_type in ('scalar', 'aggregate', 'macro')"
        ).fetchall()
    names = frozenset(str(name) for (name,) in rows)
    readers = {name for name in names if name.startswith(READING_PREFIXES)}
    return names - readers - READING_FUNCTIONS | {"row", "unnest"}


class Expressions:
    """Reads expressions; ``read`` reads the queries within them, ``functions`` are pure besides DuckDB's own."""

    def __init__(self, read: Reader, functions: frozenset[str]) -> None:
        self.read = read
        self.functions = functions

    def facts(self, node: exp.Expr | None, scope: Scope, names: frozenset[str] = frozenset()) -> Facts:
        """Return the facts of an expression; ``names`` are the parameters of the lambdas around it."""
        if node is None:
            return {}
        return united(self._parts(node, scope, names))

    def influence(self, node: exp.Expr | None, scope: Scope) -> Facts:
        """Return the facts of a condition."""
        return as_influence(self.facts(node, scope))

    def _parts(self, node: exp.Expr, scope: Scope, names: frozenset[str]) -> Iterator[Facts]:
        if isinstance(node, SILENT):
            return
        if isinstance(node, REFUSED):
            raise Untraceable(f"it reads {_shown(node)} within an expression", everything=True)
        if isinstance(node, exp.Query | exp.Exists):
            yield self._subquery(node, scope)
        elif isinstance(node, exp.Window):
            yield self._window(node, scope, names)
        elif isinstance(node, exp.Column):
            yield self._column(node, scope, names)
        elif isinstance(node, exp.Lambda | exp.Comprehension):
            yield from self._lambda(node, scope, names)
        elif isinstance(node, exp.Dot):
            yield from self._dot(node, scope, names)
        elif isinstance(node, exp.Count) and isinstance(node.this, exp.Star):
            return
        else:
            if isinstance(node, exp.Star | exp.Columns | exp.PositionalColumn):
                yield scope.every()
            self._check_function(node)
            for child in node.iter_expressions():
                yield from self._parts(child, scope, names)

    def _check_function(self, node: exp.Expr) -> None:
        if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc):
            name = node.name.lower()
            if name not in self.functions and name not in pure_functions():
                raise Untraceable(f"it calls {name}(), which may read more than its arguments", everything=True)

    def _column(self, node: exp.Column, scope: Scope, names: frozenset[str]) -> Facts:
        parts = [part.name.lower() for part in node.parts]
        if isinstance(node.this, exp.Star):
            stars = [self.facts(child, scope, names) for child in node.this.iter_expressions()]
            return united([scope.resolve(parts[:-1]), scope.equals(scope.mentioned(parts[:-1])), *stars])
        return self.resolved(parts, scope, names)

    def resolved(self, parts: list[str], scope: Scope, names: frozenset[str] = frozenset()) -> Facts:
        """Return the facts that a name stands for: a column, a whole row, another result of the SELECT, a parameter.

        And of what a join or a filter holds to be equal to it.
        """
        alias = scope.aliases.get(parts[0]) if parts[0] not in scope.resolving else None
        own = scope.found(parts)
        equal = scope.equals(scope.mentioned(parts))
        found = [] if own is None else [own]
        if alias is not None and (own is None or scope.aliases_first or scope.is_open() or scope.named(parts[:1])):
            scope.resolving.add(parts[0])
            try:
                found.append(self.facts(alias, scope))
            finally:
                scope.resolving.discard(parts[0])
        if found or parts[0] in names:
            return united([*found, equal])
        around = self.resolved(parts, scope.outer) if scope.outer is not None else scope.resolve(parts)
        return united([around, equal])

    def _lambda(self, node: exp.Expr, scope: Scope, names: frozenset[str]) -> Iterator[Facts]:
        """Yield the facts of a lambda: what it is given has been counted where it is given."""
        parameters = node.expressions if isinstance(node, exp.Lambda) else [node.expression]
        inner = names | {one.name.lower() for parameter in parameters for one in parameter.find_all(exp.Identifier)}
        shadowed = [facts for name in sorted(inner - names) if (facts := scope.found([name])) is not None]
        yield united(shadowed)  # a parameter with the name of a column hides it: not relied upon
        for child in node.iter_expressions():
            yield from self._parts(child, scope, inner)

    def _dot(self, node: exp.Dot, scope: Scope, names: frozenset[str]) -> Iterator[Facts]:
        owner, member = node.this, node.expression
        if isinstance(owner, exp.Identifier) and owner.name.lower() not in names:
            raise Untraceable(f"it names {_shown(node)}, which may lie outside its parents", everything=True)
        yield from self._parts(owner, scope, names)
        yield from self._parts(member, scope, names)

    def _subquery(self, node: exp.Expr, scope: Scope) -> Facts:
        query = node.this if isinstance(node, exp.Exists) else node
        known = len(scope.late)
        relation = self.read(query, scope.relations, scope)
        return mixed(united([relation.every(), as_influence(relation.row), *scope.late[known:]]))

    def _window(self, node: exp.Window, scope: Scope, names: frozenset[str]) -> Facts:
        """Return the facts of a window: what tells of them is what it partitions by, and rows weigh on each other."""
        definitions = list(self._definitions(node, scope))
        mentioned = united(self.facts(child, scope, names) for one in definitions for child in one.iter_expressions())
        partition = [expression for one in definitions for expression in one.args.get("partition_by") or ()]
        kept: dict[Ref, Ref] = {}
        for expression in partition:
            for copy in sorted(scope.refs(expression)):
                for ref in scope.told_by(expression):
                    kept.setdefault(ref, copy)

        def tell(_: str, teller: Teller) -> Teller:
            if not isinstance(teller, tuple):
                return None
            foreign = teller if scope.binding(teller[0]) is None else None
            around = [one for one in scope.coverers(teller) if scope.binding(one[0]) is None]
            return foreign or kept.get(teller) or (min(around) if around else None)

        return with_tellers(scope.passing(united([mentioned, as_influence(scope.row)])), tell)

    def _definitions(self, node: exp.Expr, scope: Scope) -> Iterator[exp.Expr]:
        yield node
        name = node.args.get("alias")
        first = node.args.get("first")
        if isinstance(name, exp.Identifier):
            if name.name.lower() not in scope.windows:
                raise Untraceable(f"it uses the window {name.name}, which it does not define")
            yield from self._definitions(scope.windows[name.name.lower()], scope)
        elif name is not None or isinstance(first, exp.Expr):
            raise Untraceable(f"its window {_shown(node)} cannot be read")


def _shown(node: exp.Expr) -> str:
    return " ".join(node.sql(dialect="duckdb").split())[:80]
