"""The file that says how a table is protected (``halle protect --spec``): read and checked, with lines in errors.

Here: columns, hierarchies, rules and choices, as written. What a table holds is in ``tabulate``, what is done with it
in ``protect``. The file has the parameters of the rules: it is as confidential as they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from exports.disclosure.rules import Rules, rules_of
from raw_sources.documents import Document, nearest, read_document
from raw_sources.errors import ConfigurationError

SCHEMA_FILE = Path(__file__).with_name("spec.schema.json")
CARD_SCHEMA_FILE = Path(__file__).resolve().parent.parent.parent / "raw_sources" / "card.schema.json"
LONGEST_SEPARATOR_SEARCH = 65536


@dataclass(frozen=True)
class Dimension:
    """A column of codes. ``parents`` is empty for codes that only a total is above, if even that.

    ``repeated``: one contributor may be under several codes, so that counts of contributors do not add up.
    """

    column: str
    total: str | None = None
    parents: Mapping[str, str] = field(default_factory=dict)
    repeated: bool = True


@dataclass(frozen=True)
class Spec:
    """How a table is protected. ``microdata``: rows are contributions, else cells. ``where`` is for messages.

    ``tables`` are the dimensions that are crossed in each of several linked tables, all others being at their total;
    none: all are crossed. ``counts`` goes from unit to column; of those units in ``unrepeated`` none is in two rows.
    ``largest`` are columns, largest first. ``previous`` are files of earlier releases: the table as it was, and what
    was released of it.
    """

    dimensions: tuple[Dimension, ...]
    value: str
    rules: Rules
    microdata: bool = False
    contributor: str | None = None
    weight: str | None = None
    tables: tuple[frozenset[str], ...] = ()
    frequency: str | None = None
    largest: tuple[str, ...] = ()
    units: str | None = None
    counts: Mapping[str, str] = field(default_factory=dict)
    unrepeated: frozenset[str] = frozenset()
    cost: str = "value"
    method: str = "auto"
    insiders: bool = True
    prior_pct: float | None = None
    previous: tuple[tuple[Path, Path], ...] = ()
    where: str = "the specification"

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that the table must have."""
        named = (self.contributor, self.weight, self.rules.holdings, self.frequency, *self.largest)
        listed = (*(one.column for one in self.dimensions), self.value, *named, *self.counts.values())
        return tuple(dict.fromkeys(name for name in listed if name is not None))


def read_spec(path: Path) -> Spec:
    """Read the specification at ``path``.

    Raises ``ConfigurationError`` that names file, line and field when it departs from ``spec.schema.json``.
    """
    document = read_document(path)
    document.check(_schema(), "exports/disclosure/spec.schema.json")
    value: dict[str, Any] = document.value
    columns = [one["column"] for one in value["dimensions"]]
    for index, column in enumerate(columns):
        if column in columns[:index]:
            raise document.problem(("dimensions", index, "column"), f"{column!r} is a dimension already.")
    if any(rule["rule"] == "holdings" for rule in value["rules"]) and "microdata" not in value:
        what = "holdings are told by the rows of contributors, and these are cells."
        raise document.problem(("rules",), what, "Add microdata, or give cells that are grouped by holding already.")
    microdata, cells, counts = value.get("microdata"), value.get("cells", {}), value.get("counts", {})
    dimensions = tuple(_dimension(document, one) for one in value["dimensions"])
    return Spec(
        dimensions=dimensions,
        value=value["value"],
        rules=rules_of((rule["rule"], rule) for rule in value["rules"]),
        microdata=microdata is not None,
        contributor=(microdata or {}).get("contributor"),
        weight=(microdata or {}).get("weight"),
        tables=_tables(document, dimensions, (microdata or {}).get("tables", ())),
        frequency=cells.get("frequency"),
        largest=tuple(cells.get("largest", ())),
        units=value.get("units"),
        counts={unit: one if isinstance(one, str) else one["column"] for unit, one in counts.items()},
        unrepeated=frozenset(unit for unit, one in counts.items() if isinstance(one, dict) and not one["repeated"]),
        cost=value.get("cost", "value"),
        method=value.get("method", "auto"),
        insiders=value.get("insiders", True),
        prior_pct=value.get("prior_pct"),
        previous=tuple(
            (path.parent / one["table"], path.parent / one["released"]) for one in value.get("previous", ())
        ),
        where=str(path),
    )


def read_table(path: Path) -> pl.DataFrame:
    """Read a CSV (comma, semicolon or tab; all columns as text) or a Parquet file.

    Raises ``ConfigurationError`` for what cannot be read.
    """
    try:
        if path.suffix == ".parquet":
            return pl.read_parquet(path)
        with path.open(encoding="utf-8-sig") as file:
            header = file.readline(LONGEST_SEPARATOR_SEARCH)
        separator = max(",;\t", key=header.count)
        return pl.read_csv(path, separator=separator, infer_schema=False)
    except (OSError, UnicodeDecodeError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        hint = "Give a CSV in UTF-8 or a Parquet file."
        raise ConfigurationError(f"the table cannot be read ({reason}).", where=str(path), hint=hint) from error


def demand_columns(frame: pl.DataFrame, columns: Sequence[str], where: str) -> None:
    """Raise ``ConfigurationError`` for the first of ``columns`` that ``frame`` lacks."""
    for name in columns:
        if name not in frame.columns:
            raise ConfigurationError(
                f"the table has no column {name!r}.", where=where, hint=nearest(name, frame.columns)
            )


def _schema() -> dict[str, Any]:
    """Return the schema, with the rules of secrecy as source cards define them."""
    schema: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    card = json.loads(CARD_SCHEMA_FILE.read_text(encoding="utf-8"))
    return {**schema, "$defs": {**card["$defs"], **schema["$defs"]}}


def _dimension(document: Document, entry: dict[str, Any]) -> Dimension:
    parents = dict(entry.get("parents", {}))
    if "parents_file" in entry:
        parents = _parents(document.path.parent / entry["parents_file"])
    return Dimension(entry["column"], entry.get("total"), parents, entry.get("repeated", True))


def _tables(
    document: Document, dimensions: Sequence[Dimension], given: Sequence[Sequence[str]]
) -> tuple[frozenset[str], ...]:
    """Return the dimensions of each linked table; those that one lacks have a total, and each is in some."""
    columns = [one.column for one in dimensions]
    for index, table in enumerate(given):
        place = ("microdata", "tables", index)
        for name in table:
            if name not in columns:
                raise document.problem(place, f"{name!r} is not a dimension.", nearest(name, columns))
        for one in dimensions:
            if one.column not in table and one.total is None:
                hint = f"Give {one.column} a total, or cross it in each table."
                raise document.problem(place, f"{one.column} is not in this table, and has no total.", hint)
    for name in columns:
        if given and not any(name in table for table in given):
            raise document.problem(("microdata", "tables"), f"{name!r} is in no table.", "Leave the dimension out.")
    return tuple(frozenset(table) for table in given)


def _parents(path: Path) -> dict[str, str]:
    frame = read_table(path)
    demand_columns(frame, ("code", "parent"), str(path))
    parents: dict[str, str] = {}
    for code, parent in frame.select("code", "parent").iter_rows():
        if not parent:
            continue
        if parents.setdefault(code, parent) != parent:
            what = f"the code {code} has two parents, {parents[code]} and {parent}."
            raise ConfigurationError(what, where=str(path), hint="Give each code one parent.")
    return parents
