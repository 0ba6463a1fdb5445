"""Column lineage: from which raw columns each column of a mart comes, computed from the compiled SQL of its models.

What is here are the facts and the way through the models; how one query is read is ``lineage_query``. A security
mechanism: what cannot be told comes from everything that it may come from. Pure: where models and columns are found
belongs to ``orchestration``, what follows for an audience to ``judgement``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from exports.lineage_facts import INFLUENCE as INFLUENCE
from exports.lineage_facts import VALUE as VALUE
from exports.lineage_facts import (
    Facts,
    Relation,
    Teller,
    Untraceable,
    as_influence,
    mixed,
    united,
    with_tellers,
)
from exports.lineage_query import QueryReader

UNTOLD = "*"
"""The column of an origin that cannot be told: any of the source's."""

EXTRA = "_extra"
"""The raw column that holds what no other does: it may be anything."""

RECORD = "_record_no"
"""The raw column that stands for a record being there, as a count of records knows."""


@dataclass(frozen=True)
class Origin:
    """A raw column that bears on a column of a mart.

    ``kind`` is ``value`` (it is in the expression) or ``influence`` (it decides which rows there are: filters, joins,
    grouping). ``teller`` is the column of the traced relation that says, row by row, from which source the origin
    comes: leaving out the rows where it names ``source`` leaves out all that this origin contributes; None: it is mixed
    with others. ``path`` names the columns on the way, from the raw one to the traced one.
    """

    source: str
    column: str
    kind: str
    teller: str | None
    path: tuple[str, ...] = field(compare=False)


@dataclass(frozen=True)
class RawRelation:
    """A relation where lineage ends: ``source`` is None when it holds nothing of any producer's (a calendar).

    ``columns`` are None when they are not known: any name may be one.
    """

    relation: str
    source: str | None
    columns: tuple[str, ...] | None


@dataclass(frozen=True)
class TracedModel:
    """A model: its relation (``schema.alias``), its compiled SQL (None: unknown), the relations that it may read.

    ``columns`` are those it publishes, None when they are those of its SELECT. ``added`` are columns that its
    materialisation adds: they bear all that the SELECT reads. ``deciding`` are columns of the SELECT by which the
    materialisation chooses rows. ``untraceable`` says why the SQL alone does not tell what the relation holds.
    """

    name: str
    relation: str
    sql: str | None
    parents: tuple[str, ...]
    columns: tuple[str, ...] | None = None
    added: tuple[str, ...] = ()
    deciding: tuple[str, ...] = ()
    untraceable: str | None = None


@dataclass(frozen=True)
class Lineage:
    """The origins of each column of a relation; ``untraced`` has a sentence per model that could not be read."""

    relation: str
    columns: dict[str, frozenset[Origin]]
    untraced: tuple[str, ...] = ()

    def of_rows(self) -> frozenset[Origin]:
        """Return the origins that bear on every column: what decides which rows there are."""
        shared = frozenset.intersection(*self.columns.values()) if self.columns else frozenset()
        return frozenset(one for one in shared if one.kind == INFLUENCE)


class Tracer:
    """Traces the relations of a project, each model once.

    ``catalog`` is the warehouse's name in compiled SQL, ``functions`` those that a model may call besides DuckDB's own.
    """

    def __init__(
        self,
        models: Iterable[TracedModel],
        raw_relations: Iterable[RawRelation],
        catalog: str | None = None,
        functions: Iterable[str] = (),
    ) -> None:
        listed, ends = list(models), list(raw_relations)
        self.models = {model.relation.lower(): model for model in listed}
        self.raw = {one.relation.lower(): one for one in ends}
        names = Counter([*(one.relation.lower() for one in listed), *(one.relation.lower() for one in ends)])
        self.ambiguous = {name for name, times in names.items() if times > 1}
        self.catalog = catalog
        self.functions = frozenset(functions)
        self.untraced: dict[str, str] = {}
        self._found: dict[str, Relation] = {}

    def lineage(self, target: str) -> Lineage:
        """Return the lineage of one relation; raises KeyError when there is none of that name."""
        relation = self.relation(target.lower())
        row = as_influence(relation.row)
        names = {name for name, _ in relation.columns}
        columns = {name: _origins(united([facts, row]), names) for name, facts in relation.columns if name}
        concerned = sorted(name for name in self._above(target.lower()) if name in self.untraced)
        return Lineage(target, columns, tuple(self.untraced[name] for name in concerned))

    def relation(self, name: str) -> Relation:
        """Return what is known of a relation, its parents' first."""
        if name not in self._found:
            model = self.models.get(name)
            self._found[name] = _raw_facts(self.raw[name]) if model is None else self._model_facts(model)
        return self._found[name]

    def parents_of(self, target: str) -> dict[str, frozenset[Origin]]:
        """Return the columns of a model's parents that bear on each of its own, as if lineage ended there."""
        model = self.models[target.lower()]
        parents = []
        for name in sorted({parent.lower() for parent in model.parents} & {*self.raw, *self.models}):
            found = self.relation(name)
            listed = None if found.rest is not None else tuple(column for column, _ in found.columns)
            parents.append(RawRelation(name, name, listed))
        near = Tracer([model], parents, self.catalog, self.functions)
        return near.lineage(target).columns

    def _above(self, name: str) -> set[str]:
        found, waiting = {name}, [name]
        while waiting:
            model = self.models.get(waiting.pop())
            for parent in (one.lower() for one in (model.parents if model else ())):
                if parent not in found:
                    found.add(parent)
                    waiting.append(parent)
        return found

    def _model_facts(self, model: TracedModel) -> Relation:
        try:
            return self._read(model)
        except Untraceable as problem:
            everything, reason = problem.everything, str(problem)
        except Exception as problem:  # whatever breaks in reading it, what it holds is not known
            everything, reason = True, f"its SQL cannot be read ({type(problem).__name__})"
        self.untraced[model.relation.lower()] = f"the model {model.name} cannot be traced: {reason}."
        return self._closed(model, everything=everything)

    def _read(self, model: TracedModel) -> Relation:
        """Return the facts of a model from its SQL; raises Untraceable."""
        if model.relation.lower() in self.ambiguous:
            raise Untraceable(f"something else is called {model.relation} too", everything=True)
        if model.untraceable is not None:
            raise Untraceable(model.untraceable, everything=True)
        if model.sql is None:
            raise Untraceable("its compiled SQL is not there", everything=True)
        parents = {name.lower() for name in model.parents} & {*self.raw, *self.models}
        relations = {name: self.relation(name) for name in sorted(parents)}
        made = QueryReader(relations, self.catalog, self.functions).read(_parsed(model.sql), {})
        return _published(model, made)

    def _closed(self, model: TracedModel, *, everything: bool) -> Relation:
        """Return what a model may hold that cannot be read: anything of the sources above it, or of all of them."""
        reached = sorted(self.raw) if everything else sorted(self._above(model.relation.lower()) & set(self.raw))
        facts: Facts = {}
        for name in reached:
            source = self.raw[name].source
            if source is not None:
                for kind in (VALUE, INFLUENCE):
                    facts.setdefault((source, UNTOLD, kind, None), (f"{name}.{UNTOLD}", model.relation))
        return Relation([(column.lower(), facts) for column in model.columns or ()], as_influence(facts), facts)


def trace(
    models: Iterable[TracedModel],
    raw_relations: Iterable[RawRelation],
    target: str,
    catalog: str | None = None,
    functions: Iterable[str] = (),
) -> Lineage:
    """Return the lineage of the relation ``target`` (``schema.alias``)."""
    return Tracer(models, raw_relations, catalog, functions).lineage(target)


def _parsed(sql: str) -> exp.Expr:
    try:
        found = sqlglot.parse(sql, dialect="duckdb")
    except (SqlglotError, ValueError) as problem:
        first = str(problem).splitlines()[0]
        raise Untraceable(f"its SQL cannot be parsed ({first})", everything=True) from None
    queries = [one for one in found if one is not None]
    if len(queries) != 1:
        raise Untraceable("it is not one query", everything=True)
    return queries[0]


def _raw_facts(raw: RawRelation) -> Relation:
    """Return the facts of a relation where lineage ends. That a record is there is a fact of its own."""
    if raw.source is None:
        return Relation([(column.lower(), {}) for column in raw.columns or ()])
    there: Facts = {(raw.source, RECORD, INFLUENCE, None): (f"{raw.relation}.{RECORD}",)}
    if raw.columns is None:
        return Relation([], there, {(raw.source, UNTOLD, VALUE, None): (f"{raw.relation}.{UNTOLD}",)})
    columns: list[tuple[str, Facts]] = []
    for column in raw.columns:
        told = UNTOLD if column == EXTRA else column
        columns.append((column.lower(), {(raw.source, told, VALUE, None): (f"{raw.relation}.{column}",)}))
    return Relation(columns, there)


def _published(model: TracedModel, made: Relation) -> Relation:
    """Return the relation that the model's materialisation makes of its SELECT."""
    known = [made.column(name.lower()) for name in model.deciding]
    deciding = united(made.every() if facts is None else facts for facts in known)
    row = united([made.row, as_influence(deciding)])
    whole = mixed(united([made.every(), as_influence(row)]))
    names = [name for name, _ in made.columns if name] if model.columns is None else [*map(str.lower, model.columns)]
    names += [name.lower() for name in model.added if name.lower() not in names]
    selected = {name: facts for name in names if (facts := made.column(name)) is not None}

    def tell(_: str, teller: Teller) -> Teller:
        return teller if isinstance(teller, str) and teller in names else None

    def here(facts: Facts, name: str) -> Facts:
        kept = with_tellers(facts, tell)
        return {fact: (*path, f"{model.relation}.{name}") for fact, path in kept.items()}

    unknown = made.unknown()
    return Relation(
        [(name, here(selected.get(name, whole), name)) for name in names],
        here(row, "*"),
        None if unknown is None else here(unknown, "*"),
    )


def _origins(facts: Facts, names: Collection[str]) -> frozenset[Origin]:
    found = [
        Origin(source, column, kind, teller if isinstance(teller, str) and teller in names else None, path)
        for (source, column, kind, teller), path in facts.items()
    ]
    return frozenset(found)
