"""How the members of a JSON record meet a card's headers: by their whole name, or by a path into nested objects.

A header with "/" is first of all a name; where it leads into objects, its names are compared as whole names are. How
records are found, written and cleaned is in ``json_records``; how a path is followed, in ``paths``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from typing import Any

from raw_sources.card import Card
from raw_sources.readers.json_stream import decoded
from raw_sources.readers.json_text import as_text
from raw_sources.readers.match import claims, normalise
from raw_sources.readers.paths import Header, Steps, cell, walk, without

Members = dict[str, Any]
# The names of members are few and come with every record.
fold = lru_cache(maxsize=1 << 14)(normalise)


class Headers:
    """The headers of a card; of the columns in ``by_path`` one at least may lead into nested objects."""

    def __init__(self, card: Card) -> None:
        self._claims = claims(card)
        self._hidden = {column.name for column in card.columns if column.never_load}
        self._required = tuple(column.name for column in card.columns if column.required and not column.never_load)
        self.of = {column.name: tuple(map(Header.of, column.headers)) for column in card.columns}
        self.by_path = tuple(
            column.name for column in card.loaded_columns if any(is_path(header) for header in self.of[column.name])
        )
        self._covered = _below([h for headers in self.of.values() for h in headers if is_path(h)])
        self._removed = _below([h for name in self._hidden for h in self.of[name] if is_path(h)])

    @cached_property
    def tops(self) -> frozenset[str]:
        """The members of a record, as they are compared, with which a path begins."""
        return frozenset(self._covered)

    def owner(self, key: str) -> str | None:
        """Return the column that claims a member by its whole name."""
        return self._claims.get(fold(key))

    def is_hidden(self, key: str) -> bool:
        """Say whether a member may never be loaded."""
        return self.owner(key) in self._hidden

    def visible(self, members: Members) -> Members:
        """Return members without what paths that may never be loaded lead to; never-load members are still there."""
        if not self._removed:
            return members
        return {key: self._left(member, self._removed.get(fold(key), ())) for key, member in members.items()}

    def _left(self, member: Any, steps: Sequence[Steps]) -> Any:
        return without(opened(member), steps, fold) if steps else member

    def rest(self, key: str, member: Any) -> str | None:
        """Return as text what no path covers of a member; None when nothing is left."""
        left = self._left(member, self._covered.get(fold(key), ()))
        return None if _is_void(left) else as_text(left)

    def holds_required(self, members: Members) -> bool:
        """Say whether an object holds every required column."""
        owners = {self.owner(key) for key in members}
        lacking = [name for name in self._required if name not in owners]
        if not members or not lacking:
            return bool(members)
        view = View(members, self)
        return all(any(map(view.leads, self.of[name])) for name in lacking)

    def reached(self, records: Sequence[Members]) -> list[str]:
        """Return the paths that lead to something in a record, in the card's order."""
        views = [View(members, self) for members in records]
        paths = (header for headers in self.of.values() for header in headers if is_path(header))
        return [header.text for header in paths if any(view.leads(header) for view in views)]

    def order(self, name: str) -> int:
        """Return the place of a header among the card's, by which names of one column are sorted."""
        return self._order.get(fold(name), len(self._order))

    @cached_property
    def _order(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self._claims)}


class View:
    """The members of one record as headers see them."""

    def __init__(self, members: Members, headers: Headers) -> None:
        self._members = members
        self._keys: dict[str, list[str]] = {}
        for key in members:
            self._keys.setdefault(fold(key), []).append(key)
        begun = [key for top in headers.tops for key in self._keys.get(top, ()) if not headers.is_hidden(key)]
        self.nested = {key: opened(members[key]) for key in begun}

    def said(self, header: Header) -> Iterator[tuple[str, str | None]]:
        """Yield what a header leads to, with its name there: the members of its whole name, then its path."""
        for key in self._keys.get(fold(header.text), ()):
            yield key, as_text(self._members[key])
        if is_path(header):
            yield header.text, cell(self._found(header))

    def leads(self, header: Header) -> bool:
        """Say whether a header is a path that leads to something, be it empty."""
        return is_path(header) and bool(self._found(header))

    def _found(self, header: Header) -> list[Any]:
        return walk(header.folded(fold), self.nested, fold)


def is_path(header: Header) -> bool:
    """Say whether a header may lead into nested objects; JSON records know nothing of what surrounds them."""
    return len(header.steps) > 1 and not header.levels


def opened(member: Any) -> Any:
    """Return the object or list that a text holds as JSON, as portals write nested members; else the member."""
    if isinstance(member, str) and member.lstrip().startswith(("{", "[")):
        value = decoded(member)
        return value if isinstance(value, (dict, list)) else member
    return member


def _below(headers: Sequence[Header]) -> dict[str, list[Steps]]:
    """Return by first name what follows it in each path."""
    below: dict[str, list[Steps]] = {}
    for header in headers:
        first, *rest = header.folded(fold)
        below.setdefault(first, []).append(tuple(rest))
    return below


def _is_void(value: Any) -> bool:
    return all(map(_is_void, value)) if isinstance(value, list) else value is None
