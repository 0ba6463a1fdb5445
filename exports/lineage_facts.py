"""What is known of a relation while a query is read: for each column, the raw columns that bear on it.

The values of the lineage's walk and how they are put together; the walk itself is ``lineage_query``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

VALUE = "value"
INFLUENCE = "influence"

Ref = tuple[int, str]
"""A column of a relation that a query reads: the number of the binding, the column's name."""

Teller = str | Ref | None
"""A column of this relation; or one of a query around this one, row by row of which this relation is made."""

Fact = tuple[str, str, str, Teller]
"""Source, raw column, kind, teller."""

Facts = dict[Fact, tuple[str, ...]]
"""Facts with the way that each came."""


class Untraceable(Exception):
    """Why a query cannot be told; ``everything``: it may read relations that its model does not declare."""

    def __init__(self, reason: str, *, everything: bool = False) -> None:
        super().__init__(reason)
        self.everything = everything


@dataclass
class Relation:
    """Columns in their order, "" for a name that DuckDB gives; ``row`` bears on which rows there are.

    ``rest`` are the facts of columns of which neither names nor places can be told.
    """

    columns: list[tuple[str, Facts]] = field(default_factory=list)
    row: Facts = field(default_factory=dict)
    rest: Facts | None = None

    def column(self, name: str) -> Facts | None:
        """Return the facts of the column called ``name`` (lower case), None when there is none."""
        found = [facts for known, facts in self.columns if known == name]
        return united(found) if found else None

    def unknown(self) -> Facts | None:
        """Return the facts of the columns that may have any name, None when there are none."""
        unnamed = self.column("")
        return None if unnamed is None and self.rest is None else united([unnamed or {}, self.rest or {}])

    def every(self) -> Facts:
        """Return the facts of all columns."""
        return united([*(facts for _, facts in self.columns), self.rest or {}])

    def named(self, names: list[str]) -> Relation:
        """Return the relation with its first columns called ``names``."""
        if not names:
            return self
        if self.rest is not None:
            every = mixed(self.every())
            return Relation([(name, every) for name in names], mixed(self.row), every)
        renamed = [*names, *(name for name, _ in self.columns[len(names) :])]
        tell = renaming([name for name, _ in self.columns], renamed)
        columns = [(new, with_tellers(facts, tell)) for new, (_, facts) in zip(renamed, self.columns, strict=False)]
        return Relation(columns, with_tellers(self.row, tell), None)


def renaming(old: list[str], new: list[str]) -> Callable[[str, Teller], Teller]:
    """Return what a teller is called when columns are renamed; one whose name occurs twice tells nothing."""
    pairs = zip(old, new, strict=False)
    known = {before: after for before, after in pairs if old.count(before) == new.count(after) == 1}
    return lambda _, teller: known.get(teller) if isinstance(teller, str) else teller


def united(parts: Iterable[Facts]) -> Facts:
    """Return the union of facts; the first way that a fact came is kept."""
    found: Facts = {}
    for part in parts:
        for fact, path in part.items():
            found.setdefault(fact, path)
    return found


def as_influence(facts: Facts) -> Facts:
    """Return the facts as those of a filter."""
    found: Facts = {}
    for (source, column, _, teller), path in facts.items():
        found.setdefault((source, column, INFLUENCE, teller), path)
    return found


def with_tellers(facts: Facts, tell: Callable[[str, Teller], Teller]) -> Facts:
    """Return the facts with the teller that ``tell`` gives for a source and its teller so far."""
    found: Facts = {}
    for (source, column, kind, teller), path in facts.items():
        found.setdefault((source, column, kind, tell(source, teller)), path)
    return found


def mixed(facts: Facts) -> Facts:
    """Return the facts without the tellers of this relation; those of a query around it go on telling."""
    return with_tellers(facts, lambda _, teller: teller if isinstance(teller, tuple) else None)


def appended(left: Relation, right: Relation, *, by_name: bool, mixing: bool) -> Relation:
    """Return the rows of both relations, by position or by name; ``mixing``: a row may come from both."""
    if mixing or (not by_name and (left.rest is not None or right.rest is not None)):
        left, right = (_mixed_relation(one) for one in (left, right))
    if by_name:
        return _appended_by_name(left, right)
    names = [name for name, _ in left.columns]
    if left.rest is not None or right.rest is not None:
        every = united([left.every(), right.every()])
        return Relation([(name, every) for name in names], united([left.row, right.row]), every)
    if len(names) != len(right.columns):
        raise Untraceable("the parts of a UNION do not seem to have as many columns")
    right = right.named(names)
    pairs = [
        (name, united([facts, other])) for (name, facts), (_, other) in zip(left.columns, right.columns, strict=True)
    ]
    return Relation(pairs, united([left.row, right.row]))


def _appended_by_name(left: Relation, right: Relation) -> Relation:
    def of(relation: Relation, name: str) -> Facts:
        found = relation.column(name)
        return found if found is not None else relation.unknown() or {}

    names = dict.fromkeys(name for one in (left, right) for name, _ in one.columns)
    unknown = [facts for one in (left, right) if (facts := one.unknown()) is not None]
    pairs = [(name, united([of(left, name), of(right, name)])) for name in names if name]
    return Relation(pairs, united([left.row, right.row]), mixed(united(unknown)) if unknown else None)


def _mixed_relation(relation: Relation) -> Relation:
    columns = [(name, mixed(facts)) for name, facts in relation.columns]
    return Relation(columns, mixed(relation.row), None if relation.rest is None else mixed(relation.rest))
