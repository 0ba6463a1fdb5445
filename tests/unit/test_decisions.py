"""Decisions to share: what is read of partage.yml, each refusal with its place, and what a day changes."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from orchestration.audiences import audiences_ever, audiences_of, expired_today, notices, today_in
from orchestration.project import SAMPLE_TERRITORY, Project, load_project
from raw_sources.decisions import FILE_NAME, read_decisions
from raw_sources.errors import ConfigurationError

COUNTS = "comptages-routiers-horaires"
WORKS = "chantiers-voirie"
KNOWN = {COUNTS: True, WORKS: False}
DECISIONS = f"""\
decisions:
  - dataset: {COUNTS}
    with: observatoire
    why: Suivi régional.
    decided_by: Conseil municipal
    decided_on: 2025-01-15
    until: 2026-06-30
"""
LATER = f"""\
  - dataset: {COUNTS}
    with: observatoire
    why: Suivi prolongé.
    decided_by: Conseil municipal
    decided_on: 2026-09-01
    until: 2027-06-30
"""


def write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE_NAME).write_text(text, encoding="utf-8")
    return folder


def town(folder: Path, text: str) -> Project:
    shutil.copytree(SAMPLE_TERRITORY, folder)
    return load_project(write(folder, text))


def test_a_decision_gives_its_values_and_its_audience(tmp_path: Path):
    (decision,) = read_decisions(write(tmp_path, DECISIONS), KNOWN)
    assert (decision.dataset, decision.audience) == (COUNTS, "partner-observatoire")
    assert (decision.decided_on, decision.until) == (date(2025, 1, 15), date(2026, 6, 30))
    assert decision.where.endswith("partage.yml: field decisions[0]")


def test_nothing_is_shared_where_there_is_no_file(tmp_path: Path):
    assert read_decisions(tmp_path, KNOWN) == ()


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "message"),
    [
        (COUNTS, "comptages-routiers-horaire", 2, "dataset", f"no export card publishes.*Did you mean '{COUNTS}'"),
        (COUNTS, WORKS, 2, "dataset", f"the export card of '{WORKS}' offers it to no partner"),
        ("observatoire", "L'Observatoire", 3, "with", "does not match"),
        ("Suivi régional.", "' '", 4, "why", "text that is not blank"),
        ("2026-06-30", "2026-06", 7, "until", "is not a 'date'"),
        ("2026-06-30", "2024-06-30", 7, "until", "before it was decided"),
        ("    until: 2026-06-30\n", "", 2, "", "'until'"),
        ("    until", "    beyond: 1\n    until", 7, "beyond", "no such field"),
        ("decisions:", "sharings:", 1, "sharings", "no such field|'decisions'"),
    ],
)
def test_a_refusal_names_file_line_and_field(tmp_path: Path, old: str, new: str, line: int, field: str, message: str):
    with pytest.raises(ConfigurationError, match=message) as refused:
        read_decisions(write(tmp_path, DECISIONS.replace(old, new)), KNOWN)
    assert re.search(rf"partage\.yml:{line}: field .*{field}", str(refused.value)), refused.value


def test_a_date_that_does_not_exist_is_refused(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"partage\.yml"):
        read_decisions(write(tmp_path, DECISIONS.replace("2026-06-30", "2026-02-31")), KNOWN)


def test_two_decisions_of_one_day_are_refused_and_one_that_prolongs_is_not(tmp_path: Path):
    twice = DECISIONS + DECISIONS.removeprefix("decisions:\n")
    with pytest.raises(ConfigurationError, match=r"partage\.yml:8: field decisions\[1\].*two decisions of one day"):
        read_decisions(write(tmp_path, twice), KNOWN)
    assert len(read_decisions(write(tmp_path, DECISIONS + LATER), KNOWN)) == 2


def test_a_project_refuses_a_dataset_that_nobody_publishes(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="no export card publishes 'comptages'"):
        town(tmp_path / "town", DECISIONS.replace(COUNTS, "comptages"))


def test_a_partner_is_an_audience_of_what_was_decided_through_the_last_day(tmp_path: Path):
    project = town(tmp_path / "town", DECISIONS)
    card = project.export_cards[COUNTS]
    expected = {
        date(2025, 1, 14): ["public"],
        date(2025, 1, 15): ["public", "partner-observatoire"],
        date(2026, 6, 30): ["public", "partner-observatoire"],
        date(2026, 7, 1): ["public"],
    }
    assert {day: audiences_of(project, card, day) for day in expected} == expected
    assert audiences_ever(project, card) == ["public", "partner-observatoire"]
    others = {name: one for name, one in project.export_cards.items() if name != COUNTS}
    assert not [name for name, one in others.items() if "partner-observatoire" in audiences_ever(project, one)]


def test_what_a_date_alone_changes_is_told(tmp_path: Path):
    project = town(tmp_path / "town", DECISIONS + LATER)
    assert expired_today(project, date(2026, 6, 30)) == notices(project, date(2026, 6, 30)) == []
    (gap,) = notices(project, date(2026, 7, 1))
    assert f"the decision to share {COUNTS} with observatoire begins on 2026-09-01" in gap
    (ended,) = notices(project, date(2028, 1, 1))
    assert f"the decision to share {COUNTS} with observatoire ended on 2027-06-30" in ended
    assert "partner-observatoire stays as it was" in ended
    words = {tuple(expired_today(project, day)) for day in (date(2026, 6, 30), date(2026, 7, 1))}
    assert len(words) == 2


def test_the_day_is_that_of_the_territory():
    territory = load_project(SAMPLE_TERRITORY).territory
    assert today_in(territory, datetime(2026, 6, 30, 22, 30, tzinfo=UTC)) == date(2026, 7, 1)
