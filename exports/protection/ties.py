"""Further sums in which codes are counted: communes in their EPCI, in their department and in their region.

Which sums hold is for ``tables``. A code that is such a sum of parts of which none is known is told apart: nobody can
say what would be deduced from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from exports.disclosure.table import Codes
from exports.protection.cells import Figures


@dataclass(frozen=True)
class Parts:
    """The codes of one level that are parts of the code ``total``, on the axis at ``place``."""

    place: int
    total: str
    level: str
    codes: tuple[str, ...]

    def of(self, total: Codes) -> list[Codes]:
        """Return the cells below a cell of the total."""
        return [(*total[: self.place], one, *total[self.place + 1 :]) for one in self.codes]

    def unlisted(self, total: Codes, name: str) -> Codes:
        """Return the codes of what its listed parts leave of a cell of the total."""
        return (*total[: self.place], f"{self.total} {self.level} {name}", *total[self.place + 1 :])


def parts_of(figures: Figures) -> Iterator[Parts]:
    """Yield the parts of each tied code, level by level: each level sums to it by itself."""
    for (place, _), parents in zip(figures.secrecy.ties, figures.ties, strict=True):
        groups: dict[tuple[str, str], list[str]] = {}
        for code, total in sorted(parents.items()):
            groups.setdefault((total, _level(code)), []).append(code)
        for (total, level), codes in groups.items():
            yield Parts(place, total, level, tuple(codes))


def with_ties_of(figures: Figures, other: Figures) -> Figures:
    """Return the figures of an earlier release, tied as it says, and as ``other`` says where it does not."""
    ties = tuple({**now, **then} for now, then in zip(other.ties, figures.ties, strict=True))
    return Figures(figures.secrecy, figures.rows, figures.parents, figures.where, ties)


def tied_above(figures: Figures, codes: Codes) -> Iterator[Codes]:
    """Yield the cells that are further sums of a cell and others."""
    for (place, _), parents in zip(figures.secrecy.ties, figures.ties, strict=True):
        if (total := parents.get(codes[place])) is not None:
            yield (*codes[:place], total, *codes[place + 1 :])


def untied(figures: Figures) -> set[Codes]:
    """Return the cells of codes that ought to be sums, and of which no part is known, in a source that has parts."""
    levels: Mapping[int, set[str]] = {place: set() for place, _ in figures.secrecy.ties}
    for place, tie in figures.secrecy.ties:
        levels[place].add(tie.parent_level)
    totals = {place: {part.total for part in parts_of(figures) if part.place == place} for place in levels}
    found: set[Codes] = set()
    for place, sums in levels.items():
        if all(_level(codes[place]) in sums for codes in figures.rows):
            continue
        lost = {codes for codes in figures.rows if _level(codes[place]) in sums and codes[place] not in totals[place]}
        found |= lost
    return found


def _level(code: str) -> str:
    return code.partition(" ")[0]
