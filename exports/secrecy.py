"""How an export card lets figures out that are under secrecy: what adds up to what, who is counted, what is emptied.

Here: the block ``secrecy`` of an export card, read and checked, and which rules of an agreement it cannot apply. The
rules and their parameters stay in the cards of the sources; applying them to rows is ``protection``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from raw_sources.agreements import PARTNER, SecrecyRule
from raw_sources.documents import Document, nearest


@dataclass(frozen=True)
class Tie:
    """A further sum in which codes of an axis are counted: the column ``parent`` has its code, of ``parent_level``."""

    parent: str
    parent_level: str


@dataclass(frozen=True)
class Axis:
    """A column of codes. Two rows with the same codes on all axes are one cell.

    ``level`` is a column that tells codes of several levels apart. A code's parent is told by ``parents``, else by the
    column ``parent`` (of level ``parent_level``), else it is ``above``. ``open``: there are parts that are not listed,
    so that a total may exceed those that are. ``ties`` are other sums of the same codes, as communes are parts of an
    EPCI and of a department.
    """

    column: str
    level: str | None = None
    parent: str | None = None
    parent_level: str | None = None
    parents: Mapping[str, str] = field(default_factory=dict)
    above: str | None = None
    open: bool = False
    repeated: bool = True
    ties: tuple[Tie, ...] = ()

    @property
    def adds_up(self) -> bool:
        """Tell whether some of its codes are sums of others."""
        return self.parent is not None or self.above is not None or bool(self.parents) or bool(self.ties)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the mart that tell its codes, their levels and what they are parts of."""
        named = (self.column, self.level, self.parent, *(one.parent for one in self.ties))
        return tuple(name for name in named if name is not None)


@dataclass(frozen=True)
class Figure:
    """A column that is emptied where it is secret, and the column that then says ``secret``."""

    value: str
    status: str


@dataclass(frozen=True)
class Secrecy:
    """The block ``secrecy`` of an export card.

    ``source`` is the column that names the source of a row: each source is protected by its own rules. The first of
    ``figures`` is the one that rules judge. ``contributors`` is the unit of which ``frequency`` counts the members
    behind a row and ``largest`` has the largest contributions; ``counts`` goes from other units to columns. ``beside``
    are the published columns that tell nothing of a figure; ``ratios`` do not add up, but with the figures they would
    tell, and are emptied with them. Totals may miss the sum of their parts by
    ``rounding_pct``; beyond, the release is refused unless ``unequal`` is ``apart``: such a total is no sum of theirs.
    ``rounded_to`` goes from figures to the number of which they are published as multiples.
    """

    source: str
    axes: tuple[Axis, ...]
    figures: tuple[Figure, ...]
    contributors: str
    frequency: str
    largest: tuple[str, ...] = ()
    counts: Mapping[str, str] = field(default_factory=dict)
    beside: tuple[str, ...] = ()
    ratios: tuple[Figure, ...] = ()
    rounding_pct: float = 0.0
    unequal: str = "refused"
    rounded_to: Mapping[str, int] = field(default_factory=dict)
    cost: str = "value"

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns of the mart that protection reads, each once."""
        axes = (name for one in self.axes for name in one.columns)
        figures = (name for one in self.figures for name in (one.value, one.status))
        return tuple(dict.fromkeys((self.source, *axes, *figures, *self.judging)))

    @property
    def emptied(self) -> tuple[Figure, ...]:
        """The columns that are empty in the rows of secret cells."""
        return (*self.figures, *self.ratios)

    @property
    def judging(self) -> tuple[str, ...]:
        """The columns by which rules judge."""
        return (self.frequency, *self.largest, *self.counts.values())

    @property
    def published(self) -> frozenset[str]:
        """The columns that may be published: codes, figures with their statuses, and what is beside them."""
        codes = {name for one in self.axes for name in one.columns}
        figures = {name for one in self.emptied for name in (one.value, one.status)}
        return frozenset({self.source, *codes, *figures, *self.beside})

    @property
    def ties(self) -> tuple[tuple[int, Tie], ...]:
        """The further sums of its axes, each with the place of its axis."""
        return tuple((place, tie) for place, axis in enumerate(self.axes) for tie in axis.ties)

    def is_audited_with(self, other: Secrecy) -> bool:
        """Tell whether an audit can take two datasets together: their rows are the same cells of the same figure."""
        return (self.source, self.axes, self.figures[0]) == (other.source, other.axes, other.figures[0])

    def unmet(self, rules: Iterable[SecrecyRule]) -> Iterator[str]:
        """Yield why a rule cannot be applied to the rows of the mart, for each that cannot; no parameter is told."""
        for one in rules:
            if one.rule == "minimum_frequency":
                unit = one.parameters["of"]
                if unit not in (self.contributors, *self.counts):
                    yield f"no column of the card's secrecy counts {unit}"
            elif one.rule == "as_delivered":
                continue
            elif one.rule == "holdings":
                yield f"the rule {one.rule} is for the rows of contributors"
            elif one.parameters.get("n", 2) > len(self.largest):  # p% and (p,q) judge by the two largest
                yield f"too few columns of the card's secrecy tell the largest contributions for the rule {one.rule}"


def _axis(given: Mapping[str, Any]) -> Axis:
    return Axis(**{**given, "ties": tuple(Tie(**one) for one in given.get("ties", ()))})


def secrecy_of(document: Document) -> Secrecy | None:
    """Return the block ``secrecy`` of an export card that follows its schema, None where there is none.

    Raises ``ConfigurationError`` for a published column of which the block does not say whether it tells a figure, for
    a column to round that is no figure, and for a card that is for partners: whoever has their release and the public's
    could compute from both.
    """
    given: dict[str, Any] | None = document.value.get("secrecy")
    if given is None:
        return None
    if PARTNER in document.value["audiences"]:
        hint = "Publish them for everybody, partners included, or declassify them for nobody."
        what = "figures under secrecy are protected once, for the public."
        raise document.problem(("audiences",), what, hint)
    found = Secrecy(
        source=given["source"],
        axes=tuple(_axis(one) for one in given["axes"]),
        figures=tuple(Figure(one["value"], one["status"]) for one in given["figures"]),
        contributors=given["contributors"]["unit"],
        frequency=given["contributors"]["count"],
        largest=tuple(given["contributors"].get("largest", ())),
        counts=dict(given.get("counts", {})),
        beside=tuple(given.get("beside", ())),
        ratios=tuple(Figure(one["value"], one["status"]) for one in given.get("ratios", ())),
        rounding_pct=float(given.get("rounding_pct", 0.0)),
        unequal=given.get("unequal", "refused"),
        rounded_to=dict(given.get("rounded_to", {})),
        cost=given.get("cost", "value"),
    )
    figures = [one.value for one in found.figures]
    for name in found.rounded_to:
        if name not in figures:
            what = f"{name!r} is not one of the figures."
            raise document.problem(("secrecy", "rounded_to", name), what, nearest(name, figures))
    for index, name in enumerate(document.value["columns"]):
        if name not in found.published:
            raise document.problem(
                ("columns", index),
                f"the card's secrecy does not say whether {name!r} tells a figure.",
                "Name it among its figures or ratios, or under beside if nothing can be deduced of a figure from it.",
            )
    return found
