"""Suites as data stewards write them: the YAML of one mart, checked and made into expectations ready to run.

Reading and meaning only. What a kind means in SQL is in ``rules``, running is in ``engine``, and what came out of a run
is in ``results``.
"""

from __future__ import annotations

import datetime
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from expectations.rules import TOLERANT_KINDS, Tolerance, offending_rows
from raw_sources.documents import Document, nearest, read_document
from raw_sources.files import canonical_json, sha256_text

SCHEMA_PATH = Path(__file__).with_name("suite.schema.json")
SCHEMA_NAME = "expectations/suite.schema.json"
DESCRIPTIVE = ("name", "kind", "why_fr", "why_en")


@dataclass(frozen=True)
class Expectation:
    """One thing that must be true of a mart; every expectation blocks the release.

    ``parameters`` are the fields of the kind as written (``unit`` included); ``query`` returns the offending rows, or
    is None for the kinds that look at one column alone. ``not_null`` over several columns is read as one expectation
    per column, named ``<name>.<column>``.
    """

    name: str
    kind: str
    parameters: Mapping[str, Any]
    query: str | None
    why_fr: str
    why_en: str


@dataclass(frozen=True)
class Suite:
    """What must be true of ``mart`` (``schema.table``); ``digest`` changes with anything that could change a result."""

    mart: str
    title_fr: str
    title_en: str
    expectations: tuple[Expectation, ...]
    tolerances: tuple[Tolerance, ...]
    digest: str


def read_suite(path: Path, overrides: Path | None = None, facts: str = "") -> Suite:
    """Read the suite at ``path``, with the tolerated exceptions of a territory's file ``overrides`` when one is given.

    ``facts`` is a text of what else the expectations judge by, such as the territory's box: it is part of the digest,
    so that a result is not taken for that of other facts.
    Raises ``ConfigurationError`` naming file, line and field: unknown kind or field, repeated name, tolerance of an
    expectation that does not exist or cannot be tolerated, ``overrides`` of another mart or with expectations.
    """
    document = _read(path)
    _require_complete(document)
    mart = document.value["mart"]
    tolerances = _tolerances(document, document)
    if overrides is not None:
        tolerances += _tolerances(_read_overrides(overrides, mart), document)
    expectations = tuple(_expectations(document, tolerances))
    _refuse_repeated_names(document)
    return Suite(
        mart=mart,
        title_fr=document.value["title_fr"],
        title_en=document.value["title_en"],
        expectations=expectations,
        tolerances=tolerances,
        digest=_digest(mart, expectations, tolerances, facts),
    )


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
    return schema


def _read(path: Path) -> Document:
    document = read_document(path)
    document.check(_schema(), SCHEMA_NAME)
    return document


def _require_complete(document: Document) -> None:
    for field in ("title_fr", "title_en", "expectations"):
        if field not in document.value:
            raise document.problem((field,), f"the suite has no '{field}'.", f"It must follow {SCHEMA_NAME}.")
    expected = document.path.stem
    if document.value["mart"].split(".")[1] != expected:
        raise document.problem(
            ("mart",), f"the file is named {expected!r}, another table.", "A suite bears the name of its mart's table."
        )


def _read_overrides(path: Path, mart: str) -> Document:
    document = _read(path)
    if "expectations" in document.value:
        raise document.problem(
            ("expectations",), "a territory's file may only tolerate exceptions.", "Keep 'mart' and 'tolerances' here."
        )
    if document.value["mart"] != mart:
        raise document.problem(("mart",), f"these tolerances are read for {mart}.", f"Write 'mart: {mart}'.")
    return document


def _refuse_repeated_names(document: Document) -> None:
    entries = document.value["expectations"]
    repeated = {name for name, times in Counter(entry["name"] for entry in entries).items() if times > 1}
    for index, entry in reversed(list(enumerate(entries))):
        if entry["name"] in repeated:
            raise document.problem(
                ("expectations", index, "name"), f"the name {entry['name']!r} is taken.", "Give each its own name."
            )


def _tolerances(document: Document, suite: Document) -> tuple[Tolerance, ...]:
    kinds = {entry["name"]: entry["kind"] for entry in suite.value["expectations"]}
    entries = document.value.get("tolerances", [])
    return tuple(_tolerance(document, index, entry, kinds) for index, entry in enumerate(entries))


def _tolerance(document: Document, index: int, entry: dict[str, str], kinds: dict[str, str]) -> Tolerance:
    name = entry["expectation"]
    field = ("tolerances", index, "expectation")
    if name not in kinds:
        raise document.problem(field, f"there is no expectation {name!r}.", nearest(name, kinds))
    if kinds[name] not in TOLERANT_KINDS:
        allowed = [other for other, kind in kinds.items() if kind in TOLERANT_KINDS]
        raise document.problem(
            field, f"{name!r} cannot be tolerated: it says nothing of a source.", nearest(name, allowed)
        )
    if kinds[name] == "matches_ledger" and "period" in entry:
        raise document.problem(
            ("tolerances", index, "period"),
            f"{name!r} has no periods.",
            "Leave 'period' out: the ledger is per source.",
        )
    try:
        datetime.date.fromisoformat(entry["until"])
    except ValueError as error:
        raise document.problem(("tolerances", index, "until"), f"{entry['until']!r} is not a date.") from error
    return Tolerance(name, entry["source"], entry.get("period"), entry["reason"], entry["until"])


def _expectations(document: Document, tolerances: tuple[Tolerance, ...]) -> Iterator[Expectation]:
    for index, entry in enumerate(document.value["expectations"]):
        if entry["kind"] == "between" and entry["min"] > entry["max"]:
            raise document.problem(("expectations", index, "min"), "the minimum is above the maximum.")
        own = [tolerance for tolerance in tolerances if tolerance.expectation == entry["name"]]
        for name, parameters in _named_parameters(entry):
            query = offending_rows(entry["kind"], document.value["mart"], parameters, own)
            yield Expectation(name, entry["kind"], parameters, query, entry["why_fr"], entry["why_en"])


def _named_parameters(entry: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    parameters = {key: value for key, value in entry.items() if key not in DESCRIPTIVE}
    if entry["kind"] != "not_null":
        yield entry["name"], parameters
        return
    for column in parameters["columns"]:
        yield f"{entry['name']}.{column}", {"column": column}


def _digest(mart: str, expectations: tuple[Expectation, ...], tolerances: tuple[Tolerance, ...], facts: str) -> str:
    """Return the digest of what decides a result; titles and reasons for readers (``why``) are left out."""
    checks = [{"name": e.name, "kind": e.kind, "parameters": e.parameters, "query": e.query} for e in expectations]
    judged = {"mart": mart, "expectations": checks, "tolerances": [asdict(item) for item in tolerances]}
    return sha256_text(canonical_json(judged | ({"facts": facts} if facts else {})))
