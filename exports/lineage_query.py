"""Reads one query: from the relations that it names to the facts of each of its columns.

A walk over the parsed query, clause by clause. A clause that it does not know makes the query untraceable: nothing is
passed over. Names are ``lineage_scope``, expressions ``lineage_expressions``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from exports.lineage_expressions import Expressions
from exports.lineage_facts import (
    Facts,
    Ref,
    Relation,
    Teller,
    Untraceable,
    appended,
    as_influence,
    mixed,
    united,
    with_tellers,
)
from exports.lineage_scope import Binding, Scope, teller_in

SELECT_CLAUSES = frozenset(
    "with_ expressions from_ joins laterals where group having qualify windows distinct order limit offset".split()
)
SET_CLAUSES = frozenset("with_ this expression distinct by_name order limit offset".split())
SUBQUERY_CLAUSES = frozenset("with_ this alias joins pivots order limit offset".split())
TABLE_CLAUSES = frozenset("this db catalog alias joins pivots".split())
JOIN_CLAUSES = frozenset("this on using side kind method".split())
JOIN_METHODS = frozenset({"", "NATURAL", "ASOF", "POSITIONAL"})
JOIN_KINDS = frozenset({"", "INNER", "CROSS", "OUTER", "SEMI", "ANTI"})
CTE_CLAUSES = frozenset("this alias materialized".split())
STAR_CLAUSES = frozenset("except_ replace rename".split())
ROW_FUNCTIONS = frozenset({"range", "generate_series", "unnest", "json_each", "json_tree"})
"""Table functions that make rows of their arguments alone."""
EQUATING = (exp.EQ, exp.NullSafeEQ, exp.NEQ, exp.NullSafeNEQ, exp.In, exp.Like, exp.ILike)
"""Conditions by which what they compare is the same, where they hold or where they are denied."""
BOUNDING = (exp.GT, exp.GTE, exp.LT, exp.LTE)
"""Conditions of which two on the same columns enclose one in the other."""
MOST_ROUNDS = 50


@dataclass(frozen=True)
class Output:
    """A column of a SELECT, with the columns that it tells."""

    name: str
    facts: Facts
    told: frozenset[Ref]
    expression: exp.Expr | None


class QueryReader:
    """Reads the queries of one model; ``relations`` are those that it may read, by their full names."""

    def __init__(self, relations: Mapping[str, Relation], catalog: str | None, functions: frozenset[str]) -> None:
        self.known = relations
        self.catalog = catalog
        self.expressions = Expressions(self.read, functions)

    def read(self, node: exp.Expr, relations: Mapping[str, Relation], outer: Scope | None = None) -> Relation:
        """Return the relation that a query makes; ``relations`` are the common table expressions that it sees."""
        if isinstance(node, exp.Select):
            return self._select(node, self._with(node, relations, outer), outer)
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node, self._with(node, relations, outer), outer)
        if isinstance(node, exp.Subquery):
            scope = Scope(self._with(node, relations, outer), outer)
            _refuse_others(node, SUBQUERY_CLAUSES)
            self._bind(node, scope)
            return self._bare(node, scope)
        if isinstance(node, exp.Table | exp.Values):
            scope = Scope(relations, outer)
            self._bind(node, scope)
            return self._bare(node, scope)
        if isinstance(node, exp.Pivot):
            return self._pivot(node, relations, outer)
        raise Untraceable(f"it is made by {type(node).__name__.upper()}, which is not known", everything=True)

    # Common table expressions.

    def _with(self, node: exp.Expr, relations: Mapping[str, Relation], outer: Scope | None) -> Mapping[str, Relation]:
        clause = node.args.get("with_")
        if clause is None:
            return relations
        _refuse_others(clause, frozenset({"expressions", "recursive"}))
        seen = dict(relations)
        for one in clause.expressions:
            _refuse_others(one, CTE_CLAUSES)
            name = one.alias.lower()
            seen[name] = self._common(one, name, seen, outer, recursive=bool(clause.args.get("recursive")))
        return seen

    def _common(
        self, node: exp.CTE, name: str, relations: Mapping[str, Relation], outer: Scope | None, *, recursive: bool
    ) -> Relation:
        columns = _alias_columns(node)
        body = node.this
        itself = any(not table.db and table.name.lower() == name for table in body.find_all(exp.Table))
        if not (recursive and itself and isinstance(body, exp.SetOperation)):
            return self.read(body, relations, outer).named(columns)
        return self._recursive(body, name, columns, relations, outer)

    def _recursive(
        self,
        body: exp.SetOperation,
        name: str,
        columns: list[str],
        relations: Mapping[str, Relation],
        outer: Scope | None,
    ) -> Relation:
        """Return a recursive relation: its parts are read until a round adds nothing."""
        inner = self._with(body, relations, outer)
        without = {known: relation for known, relation in inner.items() if known != name}
        found = self.read(body.this, without, outer).named(columns)
        for _ in range(MOST_ROUNDS):
            step = self.read(body.expression, {**inner, name: found}, outer)
            made = appended(found, step, by_name=bool(body.args.get("by_name")), mixing=not isinstance(body, exp.Union))
            if body.args.get("distinct"):
                made.row = united([made.row, as_influence(made.every())])
            if _sizes(made) == _sizes(found):
                return made
            found = made
        raise Untraceable(f"its recursion {name} does not come to an end")

    # Sets.

    def _set_operation(
        self, node: exp.SetOperation, relations: Mapping[str, Relation], outer: Scope | None
    ) -> Relation:
        _refuse_others(node, SET_CLAUSES)
        left, right = (self.read(side, relations, outer) for side in (node.this, node.expression))
        mixing = not isinstance(node, exp.Union)
        made = appended(left, right, by_name=bool(node.args.get("by_name")), mixing=mixing)
        if mixing or node.args.get("distinct"):
            made.row = united([made.row, as_influence(made.every())])
        return self._cut(node, made, relations, outer)

    def _cut(self, node: exp.Expr, made: Relation, relations: Mapping[str, Relation], outer: Scope | None) -> Relation:
        """Return the relation under ORDER BY and LIMIT: which rows are left depends on all the others."""
        if node.args.get("limit") is None and node.args.get("offset") is None:
            return made
        scope = Scope(relations, outer, [Binding("", made)])
        weighing = [self.expressions.influence(node.args.get(key), scope) for key in ("order", "limit", "offset")]
        weighing.append(as_influence(made.every()))
        own = scope.bindings[0].number
        weight = with_tellers(united(weighing), lambda _, teller: _around(teller, own))
        return Relation(made.columns, united([made.row, weight, mixed(made.row)]), made.rest)

    # FROM.

    def _bare(self, node: exp.Expr, scope: Scope) -> Relation:
        """Return what ``FROM x`` gives without more."""
        star = exp.Select(expressions=[exp.Star()])
        made = self._results(star, scope)
        return self._cut(node, made, scope.relations, scope.outer)

    def _bind(self, node: exp.Expr, scope: Scope) -> list[Binding]:
        """Add what a FROM item names to the scope, with all that is joined to it within."""
        before = len(scope.bindings)
        if isinstance(node, exp.Table):
            self._bind_table(node, scope)
        elif isinstance(node, exp.Subquery):
            self._bind_subquery(node, scope)
        elif isinstance(node, exp.Lateral):
            self._bind_lateral(node, scope)
        elif isinstance(node, exp.Unnest | exp.Values):
            self._bind_made(node, node, scope)
        else:
            raise Untraceable(f"it reads from {type(node).__name__.upper()}, which is not known", everything=True)
        for join in node.args.get("joins") or ():
            self._join(join, scope)
        return scope.bindings[before:]

    def _bind_table(self, node: exp.Table, scope: Scope) -> None:
        _refuse_others(node, TABLE_CLAUSES)
        if not isinstance(node.this, exp.Identifier):
            self._bind_made(node.this, node, scope)
            return
        relation = self._relation(node, scope)
        name = (node.alias or node.name).lower()
        parts = () if node.alias else tuple(part.name.lower() for part in node.parts)
        relation = _pivoted(node, relation.named(_alias_columns(node)))
        scope.bindings.append(Binding(name, relation, parts))

    def _relation(self, node: exp.Table, scope: Scope) -> Relation:
        name = node.name.lower()
        if not node.db:
            if name not in scope.relations:
                raise Untraceable(f"it reads {name}, which is none of its parents", everything=True)
            return scope.relations[name]
        full = f"{node.db}.{node.name}".lower()
        if full not in self.known or (node.catalog and node.catalog != self.catalog):
            raise Untraceable(f"it reads {node.sql(dialect='duckdb')}, which is none of its parents", everything=True)
        return self.known[full]

    def _bind_subquery(self, node: exp.Subquery, scope: Scope) -> None:
        _refuse_others(node, SUBQUERY_CLAUSES)
        inner = self._with(node, scope.relations, scope)
        if isinstance(node.this, exp.Table) and not any(node.args.get(key) for key in ("alias", "pivots", "limit")):
            self._bind(node.this, scope)
            return
        made = self._cut(node, self.read(node.this, inner, scope), inner, scope)
        relation = _pivoted(node, made.named(_alias_columns(node)))
        scope.bindings.append(Binding(node.alias.lower(), relation))

    def _bind_lateral(self, node: exp.Lateral, scope: Scope) -> None:
        _refuse_others(node, frozenset({"this", "alias", "outer", "view"}))
        if isinstance(node.this, exp.Subquery):
            made = self.read(node.this, scope.relations, scope)
            scope.bindings.append(Binding(node.alias.lower(), made.named(_alias_columns(node))))
        else:
            self._bind_made(node.this, node, scope)

    def _bind_made(self, node: exp.Expr, item: exp.Expr, scope: Scope) -> None:
        """Bind rows that are made of expressions: VALUES, unnest, a series."""
        columns = _alias_columns(item)
        if isinstance(node, exp.Values):
            relation = self._values(node, scope).named(columns)
        else:
            relation = self._series(node, columns, scope)
        scope.bindings.append(Binding(item.alias.lower(), _pivoted(item, relation)))

    def _values(self, node: exp.Values, scope: Scope) -> Relation:
        _refuse_others(node, frozenset({"expressions", "alias"}))
        rows = [one.expressions if isinstance(one, exp.Tuple) else [one] for one in node.expressions]
        columns = [united(self.expressions.facts(cell, scope) for cell in cells) for cells in zip(*rows, strict=True)]
        return Relation([(f"col{place}", facts) for place, facts in enumerate(columns)])

    def _series(self, node: exp.Expr, columns: list[str], scope: Scope) -> Relation:
        known = isinstance(node, exp.GenerateSeries | exp.Unnest | exp.Explode) or (
            isinstance(node, exp.Anonymous) and node.name.lower() in ROW_FUNCTIONS
        )
        if not known:
            raise Untraceable(
                f"it reads {' '.join(node.sql(dialect='duckdb').split())[:80]}, which is none of its parents",
                everything=True,
            )
        arguments = [child for child in node.iter_expressions() if not isinstance(child, exp.TableAlias)]
        facts = united(self.expressions.facts(one, scope) for one in arguments if not isinstance(one, exp.Identifier))
        return Relation([(name, facts) for name in columns], as_influence(facts), None if columns else facts)

    def _pivot(self, node: exp.Pivot, relations: Mapping[str, Relation], outer: Scope | None) -> Relation:
        inner = self._with(node, relations, outer)
        clauses = [child for key, child in node.args.items() if key not in ("this", "with_")]
        nested = [one for one in clauses if isinstance(one, exp.Expr)]
        nested += [one for many in clauses if isinstance(many, list) for one in many if isinstance(one, exp.Expr)]
        if any(one.find(exp.Query, exp.Table) for one in nested):
            raise Untraceable("it pivots by what another query gives", everything=True)
        return _blurred(self.read(node.this, inner, outer))

    # JOIN.

    def _join(self, node: exp.Join, scope: Scope) -> None:
        _refuse_others(node, JOIN_CLAUSES)
        before = list(scope.bindings)
        shown = [name for name, _ in scope.columns()]
        added = self._bind(node.this, scope)
        side, kind, method = ((node.args.get(key) or "").upper() for key in ("side", "kind", "method"))
        if method not in JOIN_METHODS or kind not in JOIN_KINDS:
            raise Untraceable(f"it joins by {method or kind}, which is not known")
        for binding in added:
            binding.chosen = binding.chosen or method == "ASOF"
        names = self._match(node, scope, added, shown, method)
        scope.row = united([scope.row, self._weighed(node, scope, names)])
        either = [added, before]
        unmatched = {"LEFT": [added], "RIGHT": [before], "FULL": either}.get(side, [])
        # By position, each row of one side depends on all before it.
        gaps = [_gaps(one, scope) for one in (either if method == "POSITIONAL" else unmatched)]
        scope.row = united([scope.row, *gaps])
        for name in names:
            scope.equate({(one.number, name) for one in scope.seen if one.may_have(name)}, self._shared(name, scope))
        self._equate(node.args.get("on"), scope)
        for binding in added:
            binding.hidden = binding.hidden or kind in ("SEMI", "ANTI")

    def _match(self, node: exp.Join, scope: Scope, added: list[Binding], shown: list[str], method: str) -> list[str]:
        """Note what a join's condition makes equal; return the columns that it shares."""
        # What is true where an anti join finds a match is true of no row that it leaves.
        side = "LEFT" if (node.kind or "").upper() == "ANTI" else (node.side or "").upper()
        new = {binding.number for binding in added}
        on = node.args.get("on")
        for left, right in _equalities(on, scope):
            first, second = (right, left) if left[0] in new else (left, right)
            if second[0] in new and first[0] not in new:
                _note_equal(scope, first, second, side)
            elif not side:
                scope.equal(left, right)
        for ref, texts in _texts(on, scope):
            if not side or (side == "LEFT" and ref[0] in new):
                scope.restrict(ref, texts)
        names = [one.name.lower() for one in node.args.get("using") or ()]
        if method == "NATURAL":
            if scope.is_open():
                raise Untraceable("it joins by the columns that two relations share, and these cannot be told")
            theirs = {name for binding in added for name, _ in binding.relation.columns}
            names = [name for name in dict.fromkeys(shown) if name in theirs]
        for name in names:
            holders = [one for one in scope.seen if one.column(name) is not None]
            firsts = [one for one in holders if one.number not in new]
            seconds = [one for one in holders if one.number in new]
            if len(firsts) == 1 and len(seconds) == 1:
                _note_equal(scope, (firsts[0].number, name), (seconds[0].number, name), side)
            scope.using[name] = [one.number for one in holders]
        return names

    def _weighed(self, node: exp.Join, scope: Scope, names: list[str]) -> Facts:
        """Return what a join's condition weighs."""
        shared = [self._shared(name, scope) for name in names]
        return as_influence(united([self.expressions.facts(node.args.get("on"), scope), *shared]))

    @staticmethod
    def _shared(name: str, scope: Scope) -> Facts:
        """Return the facts of a column that a join shares: those of any relation that may have it."""
        unknown = [one.bound(facts) for one in scope.seen if (facts := one.relation.unknown()) is not None]
        return united([scope.resolve([name]), *unknown])

    def _equate(self, condition: exp.Expr | None, scope: Scope) -> None:
        """Note what a condition holds to be the same: equal, in a list, or each enclosed in the other."""
        if condition is None:
            return
        bounds: dict[frozenset[Ref], list[exp.Expr]] = {}
        for one in condition.walk(prune=lambda one: isinstance(one, exp.Query)):
            if isinstance(one, EQUATING) and (refs := scope.mentions(one)):
                scope.equate(refs, self.expressions.facts(one, scope))
            for bound in _bounds(one):
                bounds.setdefault(frozenset(scope.mentions(bound)), []).append(bound)
        for enclosed, found in bounds.items():
            if enclosed and len(found) > 1:
                scope.equate(set(enclosed), self.expressions.facts(found[0], scope))

    # SELECT.

    def _select(self, node: exp.Select, relations: Mapping[str, Relation], outer: Scope | None) -> Relation:
        _refuse_others(node, SELECT_CLAUSES)
        scope = Scope(relations, outer)
        source = node.args.get("from_")
        if source is not None:
            self._bind(source.this, scope)
        for join in node.args.get("joins") or ():
            self._join(join, scope)
        for lateral in node.args.get("laterals") or ():
            self._bind(lateral, scope)
        scope.windows = {one.name.lower(): one for one in node.args.get("windows") or ()}
        scope.aliases = {
            one.alias.lower(): one.this for one in reversed(node.expressions) if isinstance(one, exp.Alias)
        }
        self._filter(node.args.get("where"), scope)
        return self._results(node, scope)

    def _filter(self, where: exp.Expr | None, scope: Scope) -> None:
        if where is None:
            return
        for left, right in _equalities(where.this, scope):
            scope.equal(left, right)
        for ref, texts in _texts(where.this, scope):
            scope.restrict(ref, texts)
        scope.row = united([scope.row, self.expressions.influence(where.this, scope)])
        self._equate(where.this, scope)

    def _results(self, node: exp.Select, scope: Scope) -> Relation:
        """Return the SELECT's columns: what tells of a row is what is passed out, of a group what it is grouped by."""
        scope.row = united([*(one.bound(one.relation.row) for one in scope.bindings), scope.row])
        for key in ("having", "qualify"):
            self._equate(node.args.get(key), scope)
        scope.settle()
        outputs, rest = self._outputs(node, scope)
        listed = [output.name for output in outputs]
        keyed = [one for one in outputs if listed.count(one.name) == 1 and self._is_key(one, node, scope)]
        names = _tellers(keyed)
        literals = {
            text: output.name
            for output in outputs
            if listed.count(output.name) == 1 and (text := _literal(output.expression)) is not None
        }

        def tell(source: str, teller: Teller) -> Teller:
            own = teller_in(scope, names, teller) if isinstance(teller, tuple) else None
            return literals.get(source) if own is None else own

        scope.aliases_first = True
        weighed = [self.expressions.influence(node.args.get(key), scope) for key in ("group", "having", "qualify")]
        weighed.append(self._multiplied(outputs, scope))
        if _names_results(node.args.get("group")):
            weighed.append(as_influence(united(one.facts for one in outputs)))
        distinct = node.args.get("distinct")
        if distinct is not None:
            weighed.append(as_influence(united(one.facts for one in outputs)))
            weighed += [self.expressions.influence(key, scope) for key in (distinct, node.args.get("order"))]
        row = scope.passing(united([scope.row, *weighed]))
        if node.args.get("limit") is not None or node.args.get("offset") is not None:
            cuts = [self.expressions.influence(node.args.get(key), scope) for key in ("order", "limit", "offset")]
            cuts.append(as_influence(united(one.facts for one in outputs)))
            weight = with_tellers(scope.passing(united([row, *cuts])), lambda _, teller: _foreign(scope, teller))
            row = united([row, weight])
        return Relation(
            [(one.name, with_tellers(scope.passing(one.facts), tell)) for one in outputs],
            with_tellers(row, tell),
            None if rest is None else with_tellers(scope.passing(rest), tell),
        )

    def _multiplied(self, outputs: Iterable[Output], scope: Scope) -> Facts:
        """Return what decides how many rows a row becomes: the lists that are unnested in the results."""
        lists = [
            found
            for one in outputs
            if one.expression is not None
            for found in one.expression.find_all(exp.Explode, exp.Unnest)
        ]
        return united(self.expressions.influence(one, scope) for one in lists)

    def _outputs(self, node: exp.Select, scope: Scope) -> tuple[list[Output], Facts | None]:
        """Return the columns of a SELECT, and what may come under names that cannot be told."""
        outputs: list[Output] = []
        rests: list[Facts] = []
        for one in node.expressions:
            if isinstance(one, exp.Star):
                self._star(one, scope, scope.columns(), outputs)
                rests += [scope.every_of(binding) for binding in scope.seen if binding.relation.rest is not None]
            elif isinstance(one, exp.Column) and isinstance(one.this, exp.Star):
                self._qualified_star(one, scope, outputs, rests)
            elif _is_spread(one):
                self._spread(one, scope, outputs, rests)
            else:
                self._single(one, scope, outputs, rests)
        return outputs, united(rests) if rests else None

    def _single(self, one: exp.Expr, scope: Scope, outputs: list[Output], rests: list[Facts]) -> None:
        expression = one.this if isinstance(one, exp.Alias) else one
        name = one.alias_or_name.lower() if isinstance(one, exp.Alias | exp.Column | exp.Dot) else ""
        if name:
            scope.resolving.add(name)
        try:
            facts = self.expressions.facts(expression, scope)
            told = frozenset(scope.told_by(expression))
        finally:
            scope.resolving.discard(name)
        outputs.append(Output(name, facts, told, expression))
        if isinstance(expression, exp.Explode):
            rests.append(facts)  # a struct that is unnested becomes its members

    def _star(
        self,
        star: exp.Star,
        scope: Scope,
        columns: Iterable[tuple[str, list[Binding]]],
        outputs: list[Output],
    ) -> None:
        _refuse_others(star, STAR_CLAUSES)
        without = {one.name.lower() for one in star.args.get("except_") or ()}
        replaced = {one.alias.lower(): one.this for one in star.args.get("replace") or ()}
        renamed = {one.this.name.lower(): one.alias.lower() for one in star.args.get("rename") or ()}
        for name, bindings in columns:
            if name in without:
                continue
            if name in replaced:
                facts = self.expressions.facts(replaced[name], scope)
                outputs.append(Output(name, facts, frozenset(), replaced[name]))
                continue
            facts = united(scope.column(binding, name) for binding in bindings)
            copies = {(binding.number, name) for binding in bindings}
            outputs.append(Output(renamed.get(name, name), facts, frozenset(_told(scope, copies)), None))

    def _qualified_star(self, node: exp.Column, scope: Scope, outputs: list[Output], rests: list[Facts]) -> None:
        parts = [part.name.lower() for part in node.parts][:-1]
        bindings = [binding for binding, rest in scope.named(parts) if not rest]
        if not bindings:
            rests.append(self.expressions.facts(node, scope))  # the members of a struct
            return
        for binding in bindings:
            columns = [(name, [binding]) for name, _ in binding.relation.columns]
            self._star(node.this, scope, columns, outputs)
            if binding.relation.rest is not None:
                rests.append(scope.every_of(binding))

    def _spread(self, one: exp.Expr, scope: Scope, outputs: list[Output], rests: list[Facts]) -> None:
        """Add the columns that ``COLUMNS(…)`` stands for: any of them, under names that cannot all be told."""
        every = self.expressions.facts(one.unalias(), scope)
        alone = isinstance(one, exp.Columns)
        for name, bindings in scope.columns():
            facts = united(scope.column(binding, name) for binding in bindings) if alone else every
            copies = {(binding.number, name) for binding in bindings} if alone else set()
            outputs.append(Output(name, facts, frozenset(_told(scope, copies)), None))
        if isinstance(one, exp.Alias):
            outputs.append(Output(one.alias.lower(), every, frozenset(), None))
        rests.append(every)

    def _is_key(self, output: Output, node: exp.Select, scope: Scope) -> bool:
        """Tell whether a column is the same for all rows that become one: always, without GROUP BY and DISTINCT ON."""
        distinct = node.args.get("distinct")
        if distinct is not None and distinct.args.get("on") is not None:
            on = distinct.args["on"]
            if not self._is_among(output, on.expressions if isinstance(on, exp.Tuple) else [on], node, scope):
                return False
        group = node.args.get("group")
        if group is None or (group.args.get("all") and not group.expressions):
            return True
        if any(group.args.get(key) for key in ("grouping_sets", "cube", "rollup", "totals")):
            return False
        if any(isinstance(key, exp.GroupingSets | exp.Cube | exp.Rollup) for key in group.expressions):
            return False
        return self._is_among(output, group.expressions, node, scope)

    @staticmethod
    def _is_among(output: Output, keys: Sequence[exp.Expr], node: exp.Select, scope: Scope) -> bool:
        for key in keys:
            if isinstance(key, exp.Literal) and not key.is_string:
                place = int(key.name) - 1
                chosen = node.expressions[place] if 0 <= place < len(node.expressions) else None
                whole = not any(one.is_star for one in node.expressions)
                if whole and chosen is not None and chosen.unalias() is output.expression:
                    return True
            elif output.expression is not None and key == output.expression:
                return True
            else:
                copies = scope.refs(key)
                if copies and copies == scope.refs(output.expression):
                    return True
                if output.expression is None and copies and copies <= output.told:
                    return True
        return False


def _tellers(outputs: Sequence[Output]) -> dict[Ref, str]:
    """Return by which result each column is told: the one of its own name, else the first."""
    names: dict[Ref, str] = {}
    for output in outputs:
        for ref in output.told:
            if ref not in names or (output.name == ref[1] and names[ref] != ref[1]):
                names[ref] = output.name
    return {ref: name for ref, name in names.items() if name}


def _told(scope: Scope, copies: set[Ref]) -> set[Ref]:
    """Return what columns that are passed out tell: themselves, and what they cover."""
    plain = {ref for ref in copies if (found := scope.binding(ref[0])) and scope.has(found, ref[1])}
    told = {ref for ref in {*plain, *scope.covers} if scope.coverers(ref) & plain}
    return {ref for ref in told if not (ref in plain and scope._is_chosen(ref))}


def _note_equal(scope: Scope, first: Ref, second: Ref, side: str) -> None:
    """Note the equality of a column with one of the relation that is joined: the side that is kept covers the other."""
    scope.equal(first, second, left_covers=side in ("", "LEFT"), right_covers=side in ("", "RIGHT"))


def _conditions(node: exp.Expr | None) -> list[exp.Expr]:
    """Return the conditions that all have to hold."""
    if isinstance(node, exp.Paren):
        return _conditions(node.this)
    if isinstance(node, exp.And):
        return [*_conditions(node.this), *_conditions(node.expression)]
    return [] if node is None else [node]


def _equalities(node: exp.Expr | None, scope: Scope) -> list[tuple[Ref, Ref]]:
    """Return the pairs of columns that a condition makes equal."""
    found = []
    for one in _conditions(node):
        if isinstance(one, exp.EQ | exp.NullSafeEQ):
            left, right = scope.refs(one.this), scope.refs(one.expression)
            if len(left) == 1 and len(right) == 1:
                found.append((next(iter(left)), next(iter(right))))
    return found


def _texts(node: exp.Expr | None, scope: Scope) -> list[tuple[Ref, frozenset[str]]]:
    """Return the columns that a condition holds to be one of some texts."""
    found = []
    for one in _conditions(node):
        values: list[exp.Expr] = []
        if isinstance(one, exp.EQ):
            values = [one.expression]
        elif isinstance(one, exp.In) and set(one.args) - {"this", "expressions"} <= {
            key for key, value in one.args.items() if not value
        }:
            values = one.expressions
        refs = scope.refs(one.this) if values else set()
        if len(refs) == 1 and all(isinstance(value, exp.Literal) and value.is_string for value in values):
            found.append((next(iter(refs)), frozenset(value.name for value in values)))
    return found


def _gaps(unmatched: Iterable[Binding], scope: Scope) -> Facts:
    """Return what decides for which rows a join finds no match among those of ``unmatched``.

    A row that is left without one names nothing of them: a column that the condition makes equal has to tell of it.
    """
    numbers = {binding.number for binding in unmatched}
    there = [one.bound(one.relation.row) for one in unmatched]
    facts = as_influence(scope.passing(united([scope.row, *there])))
    return with_tellers(facts, lambda _, teller: _beyond(scope, teller, numbers))


def _beyond(scope: Scope, teller: Teller, numbers: Collection[int]) -> Teller:
    """Return what tells of the rows that have no match among the relations ``numbers``: a column of another one."""
    if not isinstance(teller, tuple) or teller[0] not in numbers:
        return teller
    covering = {ref for ref in scope.coverers(teller) if ref[0] in numbers}
    others = {other for one, other in scope.matched if one in covering and other[0] not in numbers}
    return min(others) if others else None


def _bounds(node: exp.Expr) -> list[exp.Expr]:
    """Return the comparisons by order that a condition makes."""
    if isinstance(node, exp.Between):
        low, high = node.args["low"], node.args["high"]
        return [exp.GTE(this=node.this.copy(), expression=one.copy()) for one in (low, high)]
    return [node] if isinstance(node, BOUNDING) else []


def _foreign(scope: Scope, teller: Teller) -> Teller:
    return teller if isinstance(teller, tuple) and scope.binding(teller[0]) is None else None


def _around(teller: Teller, own: int) -> Teller:
    return teller if isinstance(teller, tuple) and teller[0] != own else None


def _names_results(group: exp.Expr | None) -> bool:
    """Tell whether a GROUP BY names results of the SELECT: all of them, or by their places."""
    return group is not None and (
        bool(group.args.get("all")) or any(isinstance(key, exp.Literal) for key in group.expressions)
    )


def _literal(node: exp.Expr | None) -> str | None:
    """Return the text that a result always is, None when it is not always the same."""
    if isinstance(node, exp.Paren):
        return _literal(node.this)
    if isinstance(node, exp.Cast) and not isinstance(node, exp.TryCast) and node.to.this in exp.DataType.TEXT_TYPES:
        return _literal(node.this)
    return node.name if isinstance(node, exp.Literal) and node.is_string else None


def _is_spread(node: exp.Expr) -> bool:
    """Tell whether a result stands for several columns: by a star that does not only count, or by COLUMNS."""
    own = [one for one in node.find_all(exp.Star, exp.Columns) if one.find_ancestor(exp.Select) is node.parent]
    return any(not isinstance(one.parent, exp.Count) and not one.args.get("unpack") for one in own)


def _pivoted(node: exp.Expr, relation: Relation) -> Relation:
    for pivot in node.args.get("pivots") or ():
        if pivot.find(exp.Query, exp.Table):
            raise Untraceable("it pivots by what another query gives", everything=True)
        relation = _blurred(relation)
    return relation


def _blurred(relation: Relation) -> Relation:
    """Return a relation whose columns have been turned into others: any may come from any."""
    every = mixed(united([relation.every(), as_influence(relation.row)]))
    return Relation([], as_influence(every), every)


def _alias_columns(node: exp.Expr) -> list[str]:
    alias = node.args.get("alias")
    columns = alias.args.get("columns") if isinstance(alias, exp.TableAlias) else None
    return [column.name.lower() for column in columns or ()]


def _refuse_others(node: exp.Expr, known: frozenset[str]) -> None:
    """Raise Untraceable for a clause that is not known: what it does to the rows cannot be told."""
    for key, value in node.args.items():
        if value and key not in known:
            raise Untraceable(f"its clause {key.strip('_')} is not known", everything=True)


def _sizes(relation: Relation) -> tuple[int, ...]:
    return (len(relation.row), len(relation.rest or ()), *(len(facts) for _, facts in relation.columns))
