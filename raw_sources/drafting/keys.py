"""The smallest combination of columns that identifies a record of a sample, and the column that says when.

Suggestions: that a key is unique in a sample does not make it a key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import polars as pl

from raw_sources.drafting.meaning import TIME_WORDS, YEAR_WORDS, sounds_like_code, sounds_planned, words_of
from raw_sources.drafting.profile import Facts

MOST_COLUMNS = 3
MOST_CANDIDATES = 14
NEARLY = 0.99
MOST_REPEATS = 0.1
LONGEST_KEY_TEXT = 60
TIMES = ("date", "instant", "local_time", "epoch_s", "epoch_ms")
# Numbers that an export gives to its rows: unique, and another one in the next export.
ROW_NUMBERS = frozenset("fid gml_id index objectid ogc_fid gid row_number rownum column_1".split())


@dataclass(frozen=True)
class Key:
    """Columns that identify a record. ``repeats`` counts records that repeat another one in full; ``nearly`` are the
    columns that would be a key but for ``contradictions`` records, when no others are one.
    """

    columns: tuple[str, ...]
    repeats: int = 0
    nearly: tuple[str, ...] = ()
    contradictions: int = 0


def find_key(cells: pl.DataFrame, facts: Mapping[str, Facts]) -> Key:
    """Return the smallest key of the records, at most three columns, all filled; codes come first, then times."""
    distinct = cells.unique()
    repeats = cells.height - distinct.height
    if repeats > max(MOST_REPEATS * cells.height, 1):
        distinct = cells  # that so many records are there twice by mistake is not to be assumed
    ranked = sorted((rank, place, name) for place, name in enumerate(cells.columns) if (rank := _rank(name, facts)) < 4)
    candidates = [name for _, _, name in ranked[:MOST_CANDIDATES]]
    ranks = {name: rank for rank, _, name in ranked}
    constant = [name for name in candidates if len(facts[name].cells) == 1]
    nearest: tuple[int, tuple[str, ...]] = (0, ())
    for columns in _combinations(candidates, ranks):
        possible = 1
        for name in columns:
            possible *= max(len(facts[name].cells), 1)
        if possible < NEARLY * distinct.height:
            continue
        found = distinct.select(pl.struct(columns).n_unique()).item()
        if found == distinct.height:
            return Key((*_whose(columns, constant, ranks), *columns), repeats)
        nearest = max(nearest, (found, columns), key=lambda pair: pair[0])
    if nearest[0] >= NEARLY * distinct.height:
        return Key((), repeats, nearest[1], distinct.height - nearest[0])
    return Key((), repeats)


def _whose(columns: Sequence[str], constant: Sequence[str], ranks: Mapping[str, int]) -> tuple[str, ...]:
    """Return the column that says whose times the key is made of, when the file has only one such thing."""
    whose = sorted((ranks[name], place, name) for place, name in enumerate(constant) if ranks[name] in (0, 2))
    only_times = len(columns) < MOST_COLUMNS and all(ranks[name] == 1 for name in columns)
    return (whose[0][2],) if only_times and whose else ()


def _combinations(names: Sequence[str], ranks: Mapping[str, int]) -> Iterator[tuple[str, ...]]:
    """Yield groups of names, small ones first; a row number only when nothing else is left."""
    for usable in ([name for name in names if ranks[name] < 3], [name for name in names if ranks[name] == 3]):
        for size in range(1, MOST_COLUMNS + 1):
            yield from sorted(combinations(usable, size), key=lambda group: sum(ranks[name] for name in group))


def _rank(name: str, facts: Mapping[str, Facts]) -> int:
    """Return 0 for codes, 1 for times, 2 for short texts, 3 for row numbers; 4 for what cannot be in a key."""
    found = facts[name]
    if not found.is_filled or found.multiline or found.longest > LONGEST_KEY_TEXT:
        return 4
    if name in ROW_NUMBERS:
        return 3
    if found.kind == "code" or sounds_like_code(name):
        return 0
    if found.kind in TIMES or words_of(name) & YEAR_WORDS:
        return 1
    if words_of(name) & TIME_WORDS and found.kind in ("text", "integer"):
        return 1
    return 2 if found.kind == "text" else 4


def observed_column(key: Sequence[str], facts: Mapping[str, Facts]) -> str | None:
    """Return the column whose latest ISO date looks like that of an observation, never a planned one; None without."""
    times = [
        name
        for name, found in facts.items()
        if found.kind in ("date", "instant", "local_time")
        and not sounds_planned(name)
        and all(text[:4].isdigit() and text[4:5] == "-" for text in found.values)
    ]
    return min(times, key=lambda name: (name not in key, len(facts[name].markers), times.index(name)), default=None)
