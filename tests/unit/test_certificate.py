"""The gate opens only for the very content and the very suite that passed, and says why when it stays closed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from expectations.certificate import Certificate, find, issue, latest, require, save
from expectations.fingerprint import Fingerprint, PeriodFingerprint
from expectations.results import Result, Status, Validation
from expectations.rules import Tolerance
from expectations.suite import Expectation, Suite
from raw_sources import boundaries
from raw_sources.errors import GateClosed, MachineryError

MART = "mobility.counts"
NAMES = ("key_is_unique", "flow_is_plausible", "ledger")
SUITE = Suite(
    mart=MART,
    title_fr="Comptages",
    title_en="Counts",
    expectations=tuple(Expectation(name, "every_row", {}, "select 1", "Parce que.", "Because.") for name in NAMES),
    tolerances=(Tolerance("ledger", "town_counters", None, "known loss of one hour", "2026-12-31"),),
    digest="5" * 64,
)
CONTENT = Fingerprint("duckdb-1.5", ("a", "b"), {"2026-01": PeriodFingerprint(10, "123456789012345678901234567890")})
OTHER_CONTENT = replace(CONTENT, periods={"2026-01": PeriodFingerprint(10, "7")})


def _validation(*statuses: Status) -> Validation:
    results = tuple(
        Result(name, "every_row", status, "2 offending", 2, "Parce que.", "Because.")
        for name, status in zip(NAMES, statuses, strict=False)
    )
    return Validation(MART, SUITE.digest, len(NAMES), results)


def _saved(root: Path, *statuses: Status, content: Fingerprint = CONTENT) -> Certificate:
    certificate = issue(SUITE, content, _validation(*statuses))
    save(root, certificate)
    return certificate


def test_a_passing_certificate_opens_the_gate(tmp_path: Path) -> None:
    certificate = _saved(tmp_path, "passed", "passed", "passed")
    assert require(tmp_path, MART, CONTENT, SUITE) == certificate
    assert certificate.status == "passed"


def test_a_closed_gate_names_the_failed_expectations(tmp_path: Path) -> None:
    _saved(tmp_path, "passed", "failed", "failed")
    with pytest.raises(GateClosed, match="expectations failed: flow_is_plausible, ledger"):
        require(tmp_path, MART, CONTENT, SUITE)


def test_a_check_that_did_not_run_is_no_failure_of_the_data(tmp_path: Path) -> None:
    _saved(tmp_path, "passed", "error", "failed")
    with pytest.raises(GateClosed, match=r"failed: ledger; expectations could not be evaluated: flow_is_plausible\."):
        require(tmp_path, MART, CONTENT, SUITE)


def test_a_result_that_is_missing_keeps_the_gate_closed(tmp_path: Path) -> None:
    certificate = _saved(tmp_path, "passed", "passed")
    assert (certificate.status, certificate.to_json()["errored"]) == ("error", 1)
    with pytest.raises(GateClosed, match="could not be evaluated"):
        require(tmp_path, MART, CONTENT, SUITE)


def test_no_result_at_all_is_an_error() -> None:
    assert Validation(MART, SUITE.digest, 0, ()).status == "error"


def test_other_content_or_another_suite_was_never_validated(tmp_path: Path) -> None:
    _saved(tmp_path, "passed", "passed", "passed")
    for content, suite in ((OTHER_CONTENT, SUITE), (CONTENT, replace(SUITE, digest="6" * 64))):
        with pytest.raises(GateClosed, match="never validated") as caught:
            require(tmp_path, MART, content, suite)
        assert caught.value.hint
        assert find(tmp_path, MART, content.digest, suite.digest) is None


def test_the_same_outcome_gives_the_same_bytes(tmp_path: Path) -> None:
    first = save(tmp_path / "a", issue(SUITE, CONTENT, _validation("passed", "failed", "passed")))
    second = save(tmp_path / "b", issue(SUITE, CONTENT, _validation("passed", "failed", "passed")))
    assert first.relative_to(tmp_path / "a") == second.relative_to(tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()
    assert first.parent.name == MART


def test_the_file_says_what_was_checked(tmp_path: Path) -> None:
    content = json.loads(save(tmp_path, issue(SUITE, CONTENT, _validation("passed", "failed", "error"))).read_text())
    counts = {name: content[name] for name in ("expected", "evaluated", "passed", "failed", "errored", "status")}
    assert counts == {"expected": 3, "evaluated": 2, "passed": 1, "failed": 1, "errored": 1, "status": "error"}
    assert content["results"][1]["name"] == "flow_is_plausible"
    assert content["tolerances"][0]["reason"] == "known loss of one hour"
    assert content["fingerprint"] == CONTENT.to_json()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"status": "failed"', '"status": "passed"'),
        ('"rows": 10', '"rows": 11'),
        ("key_is_unique", "key_is_uniqve"),
        ("{", "["),
        ('"digest"', '"digist"'),
    ],
)
def test_a_certificate_that_was_altered_is_refused(tmp_path: Path, old: str, new: str) -> None:
    path = save(tmp_path, issue(SUITE, CONTENT, _validation("failed", "failed", "failed")))
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(MachineryError, match="altered or damaged") as caught:
        require(tmp_path, MART, CONTENT, SUITE)
    assert caught.value.hint
    assert str(tmp_path) not in str(caught.value)


def test_a_certificate_put_under_another_key_is_refused(tmp_path: Path) -> None:
    passing = save(tmp_path, issue(SUITE, CONTENT, _validation("passed", "passed", "passed")))
    other = issue(SUITE, OTHER_CONTENT, _validation("failed", "failed", "failed"))
    passing.rename(passing.with_name(f"{other.key}.json"))
    with pytest.raises(MachineryError, match="something else"):
        require(tmp_path, MART, OTHER_CONTENT, SUITE)


def test_a_validation_of_another_suite_is_not_certified() -> None:
    with pytest.raises(MachineryError, match="another suite"):
        issue(replace(SUITE, digest="6" * 64), CONTENT, _validation("passed", "passed", "passed"))


def test_the_latest_is_the_one_saved_last(tmp_path: Path) -> None:
    assert latest(tmp_path, MART) is None
    first = _saved(tmp_path, "failed", "passed", "passed")
    second = _saved(tmp_path, "passed", "passed", "passed", content=OTHER_CONTENT)
    assert latest(tmp_path, MART) == second
    save(tmp_path, first)
    assert latest(tmp_path, MART) == first


def test_boundaries_surround_the_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = issue(SUITE, CONTENT, _validation("passed", "passed", "passed"))
    seen: list[tuple[str, bool]] = []
    found = lambda: find(tmp_path, MART, CONTENT.digest, SUITE.digest) is not None  # noqa: E731
    monkeypatch.setattr(boundaries, "on_boundary", lambda name: seen.append((name, found())))
    save(tmp_path, certificate)
    assert seen == [("validation.certificate.before", False), ("validation.certificate.after", True)]
