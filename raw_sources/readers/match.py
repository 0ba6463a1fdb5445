"""What a reader finds in a file (``Match``), what it read of it (``ReadCount``), and how names meet a card's columns.

Bytes, encodings and forms of files do not belong here: this module only sees names and cards.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from raw_sources.card import Card, Layout, normalise_header

_INVISIBLE = re.compile("[\ufeff\u200b\u200c\u200d\u2060\u00ad]")


@dataclass(frozen=True)
class Match:
    """How one file meets one layout of its card.

    ``mapping`` goes from a raw column to the header (or JSON key) found for it; ``extra`` are the names that no column
    claims, ``missing`` the optional columns that are absent. ``partial`` is true for a file that says itself that it is
    one page of a longer list. ``header_line`` is the physical line of the header (0 when there is none) and
    ``container`` says where the records of a JSON document lie. ``content_date`` is the ISO date of the file that a
    workbook of corrections was made from.
    """

    layout: Layout
    encoding: str
    delimiter: str | None
    header_names: tuple[str, ...]
    mapping: dict[str, str]
    extra: tuple[str, ...]
    missing: tuple[str, ...]
    partial: bool = False
    header_line: int = 0
    container: str = ""
    content_date: str | None = None


@dataclass(frozen=True)
class ReadCount:
    """Records of one file: ``records_read`` = ``raw_rows`` + ``malformed``; ``path`` is ``fast`` or ``tolerant``."""

    records_read: int
    raw_rows: int
    malformed: int
    path: str


@dataclass(frozen=True)
class Names:
    """A list of names sorted by the card: claimed, unclaimed, absent, and claimed more than once."""

    mapping: dict[str, str]
    extra: tuple[str, ...]
    missing: tuple[str, ...]
    lacking: tuple[str, ...]
    clashes: tuple[str, ...]
    score: tuple[int, int]


def normalise(name: str) -> str:
    """Return ``name`` in the form under which names are compared.

    That of the card (NFC, case folded, any run of spaces as one), without invisible characters and with a straight
    apostrophe: the same portal writes both kinds.
    """
    return normalise_header(_INVISIBLE.sub("", name).replace("\u2019", "'"))


def claims(card: Card) -> dict[str, str]:
    """Return the raw column that claims each normalised header of ``card``."""
    return {normalise(header): column.name for column in card.columns for header in column.headers}


def match_names(names: Sequence[str], card: Card) -> Names:
    """Sort the ``names`` found in a file by what the card says of them; the order of names is free.

    ``lacking`` are the required columns that no name serves (a never-load column is never lacking: it is removed before
    anything is stored); ``clashes`` are the names of which two serve one column.
    """
    wanted = claims(card)
    owners = [wanted.get(normalise(name)) for name in names]
    seen = Counter(owner for owner in owners if owner)
    mapping = {owner: name for name, owner in zip(reversed(names), reversed(owners), strict=True) if owner}
    absent = [column for column in card.columns if column.name not in mapping]
    lacking = tuple(column.name for column in absent if column.required and not column.never_load)
    needed = sum(1 for column in card.columns if column.required and column.name in mapping)
    return Names(
        mapping={column.name: mapping[column.name] for column in card.columns if column.name in mapping},
        extra=tuple(distinct(name for name, owner in zip(names, owners, strict=True) if owner is None)),
        missing=tuple(column.name for column in absent if column.name not in lacking and not column.never_load),
        lacking=lacking,
        clashes=tuple(name for name, owner in zip(names, owners, strict=True) if owner and seen[owner] > 1),
        score=(needed, len(mapping)),
    )


def distinct(names: Iterable[str]) -> list[str]:
    """Return ``names`` fit to be keys of one JSON object: trimmed, never empty, and a repeated one numbered."""
    result: list[str] = []
    for name in names:
        base = _INVISIBLE.sub("", name).strip() or "unnamed"
        candidate, number = base, 1
        while candidate in result:
            number += 1
            candidate = f"{base} ({number})"
        result.append(candidate)
    return result


def quoted(names: Iterable[str], limit: int = 20) -> str:
    """Return names for a sentence, in quotes, cut after ``limit`` of them."""
    listed = [f"'{name[:80]}'" for name in names]
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more
