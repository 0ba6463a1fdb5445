"""What a territory says of files whose columns their card cannot know: names, signs, codes, unit and base period.

A card declares roles (``mapping`` in its property halle); a territory maps them in its feed. Here: reading a mapping,
refusing one that does not serve the roles, and the card that follows. Reading files belongs to ``readers``, which see
headers only; what a mapped text means belongs to staging models, which read the mapping by ``mapping_of(source)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from raw_sources.documents import Document, nearest

DEFAULT_PERIOD_FORMAT = "%Y-%m"


@dataclass(frozen=True)
class Role:
    """A part that a column of the file plays: the card's column of that name. ``values`` are those of a constant."""

    name: str
    kind: str
    required: bool
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileMapping:
    """How the files of one territory serve the roles.

    ``columns`` go from role to header, ``constants`` from role to the one value of all records, ``codes`` from role to
    the producer's words and ours. ``period_format`` is a strptime format; ``unit`` is that of every number that is not
    a count; and ``secrecy_marker`` is the text of a cell that is hidden. ``base_period`` is that of the files which no
    pattern of ``earlier_bases`` takes: these go from a pattern of file names to the base that those files had.
    """

    columns: dict[str, str]
    unit: str
    constants: dict[str, str] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    decimal: str = ","
    thousands: str = " "
    period_format: str = DEFAULT_PERIOD_FORMAT
    base_period: str | None = None
    earlier_bases: dict[str, str] = field(default_factory=dict)
    secrecy_marker: str | None = None


@dataclass(frozen=True)
class Questions:
    """What a card leaves to the territory: roles to map, in one of the ``units``, and a licence that is unsettled.

    Of each list of ``one_of``, a territory maps one role at least.
    """

    roles: tuple[Role, ...] = ()
    units: tuple[str, ...] = ()
    one_of: tuple[tuple[str, ...], ...] = ()
    licence_unsettled: bool = False


@dataclass(frozen=True)
class LicenceDeclaration:
    """The licence that an authority declares for a feed, and answers for."""

    spdx: str
    declared_by: str
    declared_on: str


def mapping_from(entry: dict[str, Any]) -> FileMapping:
    """Return the mapping of a feed's entry, which follows the schema of territories."""
    return FileMapping(**entry)


def check_mapping(document: Document, source: str, questions: Questions, mapping: FileMapping | None) -> None:
    """Raise ``ConfigurationError`` (file, line, field) unless ``mapping`` answers the ``questions`` of a card."""
    place, roles = ("feeds", source, "mapping"), questions.roles
    if not roles:
        if mapping is not None:
            raise document.problem(place, f"the card of {source!r} leaves no column to be mapped.", "Take it out.")
        return
    if mapping is None:
        named = ", ".join(role.name for role in roles if role.required)
        hint = f"Say under mapping which columns of your file are {named}, and the unit of its figures."
        raise document.problem(("feeds", source), f"the columns of {source!r} have to be mapped.", hint)
    _check_names(document, place, roles, mapping)
    _check_served(document, place, questions, mapping)
    _check_signs(document, place, mapping)
    if questions.units and mapping.unit not in questions.units:
        hint = f"It takes {' or '.join(questions.units)}; another unit is another dataset, with a card of its own."
        raise document.problem((*place, "unit"), f"the card of {source!r} takes no figures in {mapping.unit}.", hint)


def _check_names(document: Document, place: tuple[str, ...], roles: tuple[Role, ...], mapping: FileMapping) -> None:
    known = {role.name: role for role in roles}
    for part, names in (("columns", mapping.columns), ("constants", mapping.constants), ("codes", mapping.codes)):
        for name in names:
            if name not in known:
                raise document.problem((*place, part, name), f"no role is called {name!r}.", nearest(name, known))
    for name, value in mapping.constants.items():
        if name in mapping.columns:
            raise document.problem((*place, "constants", name), f"the role {name!r} has a column already.")
        if known[name].values and value not in known[name].values:
            hint = f"One of {', '.join(known[name].values)}."
            raise document.problem((*place, "constants", name), f"{value!r} is no value of the role {name!r}.", hint)
    owners: dict[str, str] = {}
    for name, header in mapping.columns.items():
        other = owners.setdefault(" ".join(header.split()).casefold(), name)
        if other != name:
            hint = "A column of the file plays one part; spaces and case do not tell columns apart."
            raise document.problem((*place, "columns", name), f"{header!r} is the role {other!r} already.", hint)


def _check_served(document: Document, place: tuple[str, ...], questions: Questions, mapping: FileMapping) -> None:
    for role in questions.roles:
        if role.required and role.name not in mapping.columns and role.name not in mapping.constants:
            hint = f"Write under columns {role.name}: and the header of your file, or its one value under constants."
            raise document.problem(place, f"the role {role.name!r} is not mapped.", hint)
    numbers = tuple(role.name for role in questions.roles if role.kind in ("number", "count"))
    for names in (numbers, *questions.one_of):
        if names and not any(name in mapping.columns for name in names):
            raise document.problem((*place, "columns"), f"no measure is mapped: {' or '.join(names)}.")


def _check_signs(document: Document, place: tuple[str, ...], mapping: FileMapping) -> None:
    if mapping.decimal == mapping.thousands:
        raise document.problem((*place, "thousands"), f"{mapping.thousands!r} is the decimal sign as well.")
    if mapping.unit == "index" and not mapping.base_period:
        hint = "Write base_period: and what the producer gives as 100, such as '2019'."
        raise document.problem((*place, "unit"), "an index says nothing without its base period.", hint)
    if mapping.earlier_bases and not mapping.base_period:
        hint = "Write base_period: and the base of the files that no pattern takes, or take earlier_bases out."
        raise document.problem((*place, "earlier_bases"), "earlier bases of what has no base period.", hint)
    if "%Y" not in mapping.period_format and "%y" not in mapping.period_format:
        hint = "For instance '%Y-%m' or '%m/%Y'."
        raise document.problem(
            (*place, "period_format"), f"the format {mapping.period_format!r} does not say where the year is.", hint
        )


def check_declaration(
    document: Document, source: str, questions: Questions, declared: LicenceDeclaration | None
) -> None:
    """Raise ``ConfigurationError`` when a licence is declared for a source whose card knows its own, or ill dated."""
    if declared is None:
        return
    place = ("feeds", source, "licence")
    if not questions.licence_unsettled:
        hint = "Take it out: a territory does not change the licence of a producer."
        raise document.problem(place, f"the licence of {source!r} is settled by its card.", hint)
    check_licence(document, (*place, "spdx"), declared.spdx)
    try:
        date.fromisoformat(declared.declared_on)
    except ValueError:
        raise document.problem((*place, "declared_on"), f"{declared.declared_on!r} is no date.") from None


def check_licence(document: Document, place: tuple[str | int, ...], spdx: str) -> None:
    """Raise ``ConfigurationError`` unless ``spdx`` is a licence identifier of SPDX, in its canonical spelling."""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        canonical = canonicalize_license_expression(spdx)
    except InvalidLicenseExpression:
        hint = "See https://spdx.org/licenses (ODbL-1.0, etalab-2.0, CC-BY-4.0, ...), or write LicenseRef-<name>."
        raise document.problem(place, f"{spdx!r} is not an SPDX licence identifier.", hint) from None
    if canonical != spdx:
        raise document.problem(place, f"the licence {spdx!r} is written otherwise.", f"Write {canonical!r}.")


def questions_from(halle: Mapping[str, Any]) -> Questions:
    """Return what a card leaves to its territories, from its property halle."""
    entry = halle.get("mapping", {})
    roles = (
        Role(role["name"], role["kind"], role.get("required", False), tuple(role.get("values", ())))
        for role in entry.get("roles", ())
    )
    one_of = tuple(tuple(names) for names in entry.get("one_of", ()))
    return Questions(tuple(roles), tuple(entry.get("units", ())), one_of, halle.get("licence_unsettled", False))


def as_example(questions: Questions) -> FileMapping:
    """Return a mapping for where no territory gives one: each role has a column of its name, in the first unit."""
    unit = questions.units[0] if questions.units else "index"
    base_period = "100" if unit == "index" else None
    columns = {role.name: role.name for role in questions.roles}
    return FileMapping(columns, unit=unit, base_period=base_period, secrecy_marker="s")


def as_values(mapping: FileMapping) -> dict[str, Any]:
    """Return the mapping as plain values, what is not said left out."""
    return {name: value for name, value in vars(mapping).items() if value is not None}
