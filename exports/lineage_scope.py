"""What the names in one SELECT mean: the relations that it reads, and which columns tell of which.

A name resolves as DuckDB resolves it, and to more where in doubt. Expressions are in ``lineage_expressions``, the
clauses in ``lineage_query``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from sqlglot import exp

from exports.lineage_facts import Facts, Ref, Relation, Teller, Untraceable, united, with_tellers

_NUMBERS = count(1)


@dataclass
class Binding:
    """A relation under the name that a query gives it.

    ``chosen``: which of its rows is met depends on others; ``hidden``: only the condition of its join names it.
    """

    name: str
    relation: Relation
    full_name: tuple[str, ...] = ()
    chosen: bool = False
    hidden: bool = False
    number: int = field(default_factory=lambda: next(_NUMBERS))

    def column(self, name: str) -> Facts | None:
        """Return a column's facts, their tellers as columns of this binding; None when there is no such column."""
        found = self.relation.column(name)
        return None if found is None else self.bound(found)

    def may_have(self, name: str) -> bool:
        """Tell whether a column may be called so."""
        return self.relation.column(name) is not None or self.relation.unknown() is not None

    def bound(self, facts: Facts) -> Facts:
        """Return facts of the relation with their tellers as columns of this binding."""
        return with_tellers(facts, lambda _, teller: (self.number, teller) if isinstance(teller, str) else teller)

    def every(self) -> Facts:
        """Return the facts of all columns."""
        return self.bound(self.relation.every())


@dataclass
class Scope:
    """One SELECT: what it reads, what it calls its results, what surrounds it.

    ``covers``: for a column, those that name the same source whenever it names one. ``matched``: pairs that are equal,
    or one of them NULL. ``using``: columns that a join gives once. ``only``: which texts of a column pass. ``equated``:
    columns that a join or a filter holds to be equal, with the facts of what they are equal to. ``settled``: all joins
    and filters have been read; ``late``: what queries within the results hold to be equal to columns of this one.
    """

    relations: Mapping[str, Relation]
    outer: Scope | None = None
    bindings: list[Binding] = field(default_factory=list)
    aliases: dict[str, exp.Expr] = field(default_factory=dict)
    windows: dict[str, exp.Expr] = field(default_factory=dict)
    covers: dict[Ref, set[Ref]] = field(default_factory=dict)
    matched: set[tuple[Ref, Ref]] = field(default_factory=set)
    using: dict[str, list[int]] = field(default_factory=dict)
    only: dict[Ref, frozenset[str]] = field(default_factory=dict)
    equated: list[tuple[frozenset[Ref], Facts]] = field(default_factory=list)
    settled: bool = False
    late: list[Facts] = field(default_factory=list)
    row: Facts = field(default_factory=dict)
    aliases_first: bool = False
    resolving: set[str] = field(default_factory=set)

    @property
    def seen(self) -> list[Binding]:
        """The bindings whose columns can be named."""
        return [binding for binding in self.bindings if not binding.hidden]

    def binding(self, number: int) -> Binding | None:
        """Return the binding of that number, None when it is not of this SELECT."""
        return next((one for one in self.bindings if one.number == number), None)

    def named(self, parts: list[str]) -> list[tuple[Binding, list[str]]]:
        """Return the bindings that the first parts of a name may mean, with the parts that are left."""
        found = []
        for one in self.bindings:
            if one.name == parts[0]:
                found.append((one, parts[1:]))
            lengths = [length for length in (2, 3) if len(one.full_name) >= length]
            found += [(one, parts[n:]) for n in lengths if one.full_name[-n:] == tuple(parts[:n])]
        return found

    def equal(self, left: Ref, right: Ref, *, left_covers: bool = True, right_covers: bool = True) -> None:
        """Note that two columns are equal, or one of them NULL, and which names a source whenever the other does."""
        self.matched |= {(left, right), (right, left)}
        if left_covers:
            self.covers.setdefault(right, set()).add(left)
        if right_covers:
            self.covers.setdefault(left, set()).add(right)

    def restrict(self, ref: Ref, texts: frozenset[str]) -> None:
        """Note that of a column's texts only some pass the filter."""
        self.only[ref] = self.only.get(ref, texts) & texts

    def passing(self, facts: Facts) -> Facts:
        """Return the facts without those of sources whose rows are filtered out by the column that tells them."""
        if not self.only:
            return facts
        return {fact: path for fact, path in facts.items() if self._passes(fact[0], fact[3])}

    def _passes(self, source: str, teller: Teller) -> bool:
        if not isinstance(teller, tuple):
            return True
        deciding = (ref for ref in self.coverers(teller) if ref in self.only and not self._is_chosen(ref))
        return all(source in self.only[ref] for ref in deciding)

    def equate(self, refs: set[Ref], facts: Facts) -> None:
        """Note that columns are held to be equal to each other, and to what else has ``facts``."""
        if self.settled:
            self.late.append(facts)
        elif refs:
            self.equated.append((frozenset(refs), facts))

    def settle(self) -> None:
        """Note that all joins and filters have been read, and what they hold to be equal around this query."""
        self.settled = True
        if self.outer is None:
            return
        held = {ref for refs, _ in self.equated for ref in refs if self.binding(ref[0]) is None}
        for ref in sorted(held):
            refs, facts = self._equal_to({ref})
            self.outer.equate(refs & held, with_tellers(facts, self._around))

    def _around(self, _: str, teller: Teller) -> Teller:
        return teller_in(self, {}, teller) if isinstance(teller, tuple) else None

    def equals(self, refs: set[Ref]) -> Facts:
        """Return the facts of all that columns are held to be equal to, at first or second hand."""
        return self._equal_to(refs)[1]

    def _equal_to(self, refs: set[Ref]) -> tuple[set[Ref], Facts]:
        known, found, waiting = set(refs), [], self.equated
        while met := [one for one in waiting if known & one[0]]:
            waiting = [one for one in waiting if not known & one[0]]
            known.update(*(refs for refs, _ in met))
            found += [facts for _, facts in met]
        return known, united(found)

    def mentioned(self, parts: list[str]) -> set[Ref]:
        """Return the columns that a name may stand for: those of a relation, where it stands for its rows."""
        found = {(one.number, rest[0]) for one, rest in self.named(parts) if rest}
        for one in (one for one, rest in self.named(parts) if not rest):
            found |= self._columns_of(one)
        found |= {(one.number, parts[0]) for one in self.seen if one.may_have(parts[0])}
        alias = self.aliases.get(parts[0])
        if alias is not None and parts[0] not in self.resolving:
            self.resolving.add(parts[0])
            try:
                found |= self.mentions(alias)
            finally:
                self.resolving.discard(parts[0])
        if self.outer is not None and (not found or self.is_open()):
            found |= self.outer.mentioned(parts)
        return found

    def mentions(self, node: exp.Expr) -> set[Ref]:
        """Return the columns that an expression mentions, outside the queries and windows within it."""
        found: set[Ref] = set()
        for one in node.walk(prune=lambda one: isinstance(one, exp.Query | exp.Window)):
            if isinstance(one, exp.Column):
                found |= self.mentioned([part.name.lower() for part in one.parts])
        return found

    def _columns_of(self, binding: Binding) -> set[Ref]:
        listed = {(binding.number, name) for name, _ in binding.relation.columns}
        return listed | {ref for refs, _ in self.equated for ref in refs if ref[0] == binding.number}

    def column(self, binding: Binding, name: str) -> Facts:
        """Return the facts of a column that is read, with those of what it is held to be equal to."""
        return united([binding.column(name) or {}, self.equals({(binding.number, name)})])

    def every_of(self, binding: Binding) -> Facts:
        """Return the facts of all columns of a relation that is read."""
        return united([binding.every(), self.equals(self._columns_of(binding))])

    def coverers(self, ref: Ref) -> set[Ref]:
        """Return the columns that name a source whenever ``ref`` names it, itself included."""
        found, waiting = {ref}, [ref]
        while waiting:
            for one in self.covers.get(waiting.pop(), ()):
                if one not in found:
                    found.add(one)
                    waiting.append(one)
        return found

    def refs(self, node: exp.Expr | None) -> set[Ref]:
        """Return the columns of which the expression is a plain copy: more than one when they are equal.

        A copy is a column, under a cast to text; a coalesce of columns that are equal or NULL; a result's own name.
        """
        if isinstance(node, exp.Paren | exp.Alias):
            return self.refs(node.this)
        if isinstance(node, exp.Cast) and not isinstance(node, exp.TryCast) and node.to.this in exp.DataType.TEXT_TYPES:
            return self.refs(node.this)
        if isinstance(node, exp.Coalesce):
            return self._refs_of_coalesce([node.this, *node.expressions])
        if isinstance(node, exp.Column) and not isinstance(node.this, exp.Star):
            return self._refs_of_column([part.name.lower() for part in node.parts])
        return set()

    def _refs_of_column(self, parts: list[str]) -> set[Ref]:
        found = {(one.number, rest[0]) for one, rest in self.named(parts) if len(rest) == 1 and self.has(one, rest[0])}
        if found:
            return found if len(found) == 1 else set()
        if len(parts) == 1:
            holders = {(one.number, parts[0]) for one in self.seen if self.has(one, parts[0])}
            shared = set(self.using.get(parts[0], ()))
            if len(holders) == 1 or (holders and {number for number, _ in holders} <= shared):
                return holders
            if not holders and parts[0] in self.aliases and parts[0] not in self.resolving:
                self.resolving.add(parts[0])
                try:
                    return self.refs(self.aliases[parts[0]])
                finally:
                    self.resolving.discard(parts[0])
        if self.outer is None or self.is_open() or self.found(parts) is not None:
            return set()
        return self.outer._refs_of_column(parts)

    @staticmethod
    def has(binding: Binding, name: str) -> bool:
        """Tell whether the binding has the column, once: of two of one name, neither tells anything."""
        return [known for known, _ in binding.relation.columns].count(name) == 1

    def _refs_of_coalesce(self, nodes: list[exp.Expr]) -> set[Ref]:
        found: set[Ref] = set()
        for node in nodes:
            refs = self.refs(node)
            if all((before, ref) in self.matched for before in found for ref in refs):
                found |= refs
            else:
                break
        return found

    def told_by(self, node: exp.Expr | None) -> set[Ref]:
        """Return the columns of which the expression names the source whenever they name one.

        A relation whose rows are chosen among others is told by no column of its own: only by those equal to it.
        """
        copies = self.refs(node)
        known = {*copies, *self.covers}
        told = {ref for ref in known if self.coverers(ref) & copies}
        return {ref for ref in told if not (ref in copies and self._is_chosen(ref))}

    def _is_chosen(self, ref: Ref) -> bool:
        binding = self.binding(ref[0])
        return binding is not None and binding.chosen

    def columns(self) -> Iterator[tuple[str, list[Binding]]]:
        """Yield the columns that ``*`` stands for, each with the bindings that hold it (several: a joined column)."""
        done: set[str] = set()
        for one in self.seen:
            for name, _ in one.relation.columns:
                shared = self.using.get(name)
                if shared is None or one.number not in shared:
                    yield name, [one]
                elif name not in done:
                    done.add(name)
                    yield name, [other for other in self.seen if other.number in shared]

    def every(self) -> Facts:
        """Return the facts of every column that is read."""
        return united(self.every_of(one) for one in self.bindings)

    def is_open(self) -> bool:
        """Tell whether a relation has columns whose names cannot be told."""
        return any(one.relation.unknown() is not None for one in self.seen)

    def resolve(self, parts: list[str]) -> Facts:
        """Return the facts that a name stands for, outside its own results; raises Untraceable when nothing has it."""
        found = self.found(parts)
        if found is None and self.outer is not None:
            return self.outer.resolve(parts)
        if found is None:
            raise Untraceable(f"nothing that it reads has the column {'.'.join(parts)}")
        return found

    def found(self, parts: list[str]) -> Facts | None:
        """Return the facts of a name among what this SELECT reads, None when nothing has it."""
        qualified = [self._of_binding(one, rest) for one, rest in self.named(parts)]
        held = [facts for facts in qualified if facts is not None]
        if not held or len(parts) == 1:
            held += [facts for one in self.seen if (facts := one.column(parts[0])) is not None]
        if not held and self.is_open():
            held = [one.bound(facts) for one in self.seen if (facts := one.relation.unknown()) is not None]
            if self.outer is not None:
                held += [facts for facts in [self.outer.found(parts)] if facts is not None]
        return united(held) if held else None

    @staticmethod
    def _of_binding(binding: Binding, rest: list[str]) -> Facts | None:
        if not rest:
            return binding.every()
        facts, unknown = binding.column(rest[0]), binding.relation.unknown()
        return binding.bound(unknown) if facts is None and unknown is not None else facts


def teller_in(scope: Scope, names: Mapping[Ref, str], ref: Ref) -> Teller:
    """Return what tells of ``ref`` among a SELECT's results, or in a query around it; None when nothing does.

    Equal classes of agreement (two sources that are always withheld together) would count here too: ``covers`` would
    then hold the columns that name the class.
    """
    if scope.binding(ref[0]) is None:
        return ref
    if ref in names:
        return names[ref]
    around = sorted(one for one in scope.coverers(ref) if scope.binding(one[0]) is None)
    return around[0] if around else None
