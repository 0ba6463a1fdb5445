"""The internal catalogue of restricted datasets: that they exist, how reliable, whom to ask, why; never content."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from expectations.certificate import issue, save
from expectations.fingerprint import Fingerprint, PeriodFingerprint
from expectations.results import Result, Validation
from exports.metadata import Mart
from orchestration.marts import MartNode
from orchestration.project import SAMPLE_TERRITORY, Project, load_project
from orchestration.restricted import write_catalogue
from orchestration.workspace import Workspace
from raw_sources.agreements import Agreement, SecrecyRule

COUNTS, WORKS = "paris_comptages_permanents", "paris_chantiers"
ROWS, OBSERVED, LEAST = 40417, "a value that was observed", 31337
DAY = date(2026, 1, 10)


def lent(agreement: Agreement, **changes: Any) -> Agreement:
    leaves = {"internal": "everything", "partner": "nothing", "public": "nothing"}
    rule = SecrecyRule("minimum_frequency", {"of": "merchants", "at_least": LEAST})
    return replace(agreement, leaves=leaves, secrecy=(rule,), **changes)


def project(changed: dict[str, Agreement]) -> Project:
    known = load_project(SAMPLE_TERRITORY)
    cards = {name: replace(known.cards[name], agreement=agreement) for name, agreement in changed.items()}
    return Project(known.territory, known.cards | cards)


def node(theme: str, name: str, *sources: str) -> MartNode:
    return MartNode(Mart(theme, name, f"{theme}.{name}", (), None), name, sources, sources)


MARTS = {
    "mobility.traffic_hourly": node("mobility", "traffic_hourly", COUNTS),
    "mobility.works_sites": node("mobility", "works_sites", WORKS),
    "mobility.counts_by_street": node("mobility", "counts_by_street", COUNTS),
}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Return a DATA in which every mart is certified, and nothing was released yet."""
    made = Workspace(tmp_path / "data")
    known = load_project(SAMPLE_TERRITORY)
    content = Fingerprint("duckdb", ("a",), {"*": PeriodFingerprint(ROWS, "7")})
    for key in MARTS:
        suite = replace(known.suites["mobility.traffic_hourly"], mart=key)
        results = tuple(
            Result(one.name, one.kind, "passed", OBSERVED, 0, one.why_fr, one.why_en) for one in suite.expectations
        )
        save(made.validation, issue(suite, content, Validation(key, suite.digest, len(results), results)))
    return made


def test_what_the_public_does_not_see_is_listed_with_whom_to_ask(workspace: Workspace):
    town = project({COUNTS: lent(load_project(SAMPLE_TERRITORY).cards[COUNTS].agreement)})
    found = {one.mart: one for one in write_catalogue(town, workspace, MARTS, DAY)}
    hourly = found["mobility.traffic_hourly"]
    assert (hourly.dataset, hourly.public_sees) == ("comptages-routiers-horaires", "nothing")
    assert (hourly.certificate, hourly.sources) == ("passed", (COUNTS,))
    card = town.cards[COUNTS]
    assert (hourly.owners, hourly.whom_to_ask) == ((card.owner,), (card.steward,))
    assert hourly.why_restricted == (f"nothing of {COUNTS} may leave for the public",)
    assert found["mobility.counts_by_street"].why_restricted[0] == "no export card publishes it"


def test_what_the_public_sees_whole_is_not_listed(workspace: Workspace):
    log = workspace.releases / "chantiers-voirie.jsonl"
    log.parent.mkdir()
    entry = {"slug": "chantiers-voirie", "mart": "mobility.works_sites", "sequence": 1, "release": "r", "as_of": "2026"}
    facts = dict.fromkeys(("version", "content", "recipe", "engine", "certificate"), "1")
    more = {"previous": None, "partitioned": False, "columns": [], "periods": {}, "files": {}}
    log.write_text(json.dumps({**entry, **facts, **more}) + "\n", encoding="utf-8")
    open_ones = load_project(SAMPLE_TERRITORY)
    assert "mobility.works_sites" not in {one.mart for one in write_catalogue(open_ones, workspace, MARTS, DAY)}
    ended = project({WORKS: replace(open_ones.cards[WORKS].agreement, until=date(2025, 12, 31))})
    found = {one.mart: one for one in write_catalogue(ended, workspace, MARTS, DAY)}["mobility.works_sites"]
    assert (found.public_sees, found.why_restricted) == ("part", (f"the agreement of {WORKS} ended on 2025-12-31",))


def test_it_tells_no_content_and_no_parameter(workspace: Workspace):
    write_catalogue(
        project({COUNTS: lent(load_project(SAMPLE_TERRITORY).cards[COUNTS].agreement)}), workspace, MARTS, DAY
    )
    texts = [workspace.restricted.read_text("utf-8"), workspace.restricted.with_suffix(".csv").read_text("utf-8")]
    assert not [word for word in (str(ROWS), OBSERVED, str(LEAST)) for text in texts if word in text]
    listed = list(csv.DictReader(texts[1].splitlines()))
    assert [one["mart"] for one in listed] == [one["mart"] for one in json.loads(texts[0])] == sorted(MARTS)
