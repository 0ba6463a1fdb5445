"""Suites are read strictly: what a steward writes wrong is refused with its file, line and field."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from expectations.rules import offending_rows
from expectations.suite import Suite, read_suite
from raw_sources.errors import ConfigurationError

SUITES = Path(__file__).parents[2] / "expectations"
GOOD = """\
mart: mobility.counts
title_fr: Comptages
title_en: Counts
expectations:
  - name: is_present
    kind: not_null
    columns: [source, counter_id]
    why_fr: Pas de clé vide.
    why_en: No empty key.
  - name: flow
    kind: between
    column: flow_veh_h
    min: 0
    max: 20000
    unit: veh/h
    why_fr: Débit vraisemblable.
    why_en: Plausible flow.
  - name: kept
    kind: keeps_last_release
    period: period_month
    max_loss_pct: 5
    why_fr: Rien ne disparaît.
    why_en: Nothing vanishes.
  - name: ledger
    kind: matches_ledger
    rows: equal
    why_fr: Rien ne se perd.
    why_en: Nothing is lost.
"""
TOLERANCES = """\
mart: mobility.counts
tolerances:
  - expectation: kept
    source: town_counters
    period: "2026-04"
    reason: the producer withdrew April
    until: 2026-12-31
"""


def _read(folder: Path, text: str, overrides: str | None = None) -> Suite:
    path = folder / "counts.yml"
    path.write_text(text, encoding="utf-8")
    if overrides is None:
        return read_suite(path)
    (folder / "overrides.yml").write_text(overrides, encoding="utf-8")
    return read_suite(path, folder / "overrides.yml")


def _refusal(folder: Path, text: str, overrides: str | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        _read(folder, text, overrides)
    return str(caught.value)


def test_not_null_is_read_as_one_expectation_per_column(tmp_path: Path) -> None:
    suite = _read(tmp_path, GOOD)
    names = ["is_present.source", "is_present.counter_id", "flow", "kept", "ledger"]
    assert [one.name for one in suite.expectations] == names
    assert suite.expectations[0].parameters == {"column": "source"}
    assert suite.expectations[2].parameters["unit"] == "veh/h"
    assert [one.query is None for one in suite.expectations] == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("kind: between", "kind: betwen", 11, "betwen"),
        ("    unit: veh/h\n", "", 10, "unit"),
        ("rows: equal", "rows: equal\n    period: month", 27, "period"),
        ("min: 0", "min: low", 13, "number"),
        ("min: 0", "min: 30000", 13, "above the maximum"),
        ("name: flow", "name: kept", 18, "taken"),
        ("columns: [source, counter_id]", "columns: []", 7, "columns"),
        ("rows: equal", "rows: some", 26, "some"),
        ("rows: equal", "rows: equal\n    gathered: samples", 27, "gathered"),
        ("max_loss_pct: 5", "max_loss_pct: 100", 21, "max_loss_pct"),
        ("title_fr: Comptages\n", "", 1, "title_fr"),
        ("mart: mobility.counts", "mart: counts", 1, "mart"),
        ("mart: mobility.counts", "mart: mobility.works", 1, "counts"),
        ("    why_en: No empty key.\n", "", 5, "why_en"),
    ],
)
def test_a_mistake_is_refused_with_its_line(tmp_path: Path, old: str, new: str, line: int, words: str) -> None:
    assert old in GOOD
    message = _refusal(tmp_path, GOOD.replace(old, new, 1))
    assert f"counts.yml:{line}:" in message
    assert words in message


def test_a_query_must_look_at_the_mart(tmp_path: Path) -> None:
    entry = "  - {name: free, kind: no_rows, query: select 1, why_fr: essai, why_en: trial}\n"
    assert "{mart}" in _refusal(tmp_path, GOOD + entry).replace("\\", "")


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("expectation: kept", "expectation: kpt", 3, "Did you mean 'kept'?"),
        ("expectation: kept", "expectation: flow", 3, "cannot be tolerated"),
        ("expectation: kept", "expectation: ledger", 5, "no periods"),
        ("    reason: the producer withdrew April\n", "", 3, "reason"),
        ("until: 2026-12-31", "until: next year", 7, "next year"),
        ("until: 2026-12-31", 'until: "2026-02-31"', 7, "2026-02-31"),
        ("mart: mobility.counts", "mart: mobility.works", 1, "mobility.counts"),
    ],
)
def test_a_wrong_tolerance_is_refused(tmp_path: Path, old: str, new: str, line: int, words: str) -> None:
    assert old in TOLERANCES
    message = _refusal(tmp_path, GOOD, TOLERANCES.replace(old, new, 1))
    assert f"overrides.yml:{line}:" in message
    assert words in message


def test_a_territory_may_tolerate_but_not_expect(tmp_path: Path) -> None:
    assert "may only tolerate" in _refusal(tmp_path, GOOD, GOOD)


def test_a_tolerance_is_part_of_the_suite(tmp_path: Path) -> None:
    plain, tolerant = _read(tmp_path, GOOD), _read(tmp_path, GOOD, TOLERANCES)
    assert plain.digest != tolerant.digest
    assert [(one.source, one.period, one.until) for one in tolerant.tolerances] == [
        ("town_counters", "2026-04", "2026-12-31")
    ]
    changed = [a.name for a, b in zip(plain.expectations, tolerant.expectations, strict=True) if a.query != b.query]
    assert changed == ["kept"]


def test_the_digest_follows_meaning_only(tmp_path: Path) -> None:
    digest = _read(tmp_path, GOOD).digest
    assert _read(tmp_path, "# a comment\n" + GOOD.replace("Plausible flow.", "A plausible flow.")).digest == digest
    assert _read(tmp_path, GOOD.replace("max: 20000", "max: 20001")).digest != digest
    assert _read(tmp_path, GOOD.replace("max_loss_pct: 5", "max_loss_pct: 6")).digest != digest


# Rows of the mart against records kept by the ledger, for one source of each kind.
COUNTED = """
create schema ops;
create table ops.sources as select * from (
    values ('hours', 'traffic_hours'), ('samples', 'traffic_samples'), ('lone', null)
) as cards(source, family);
create table ops.mart_sources as select 'm.t' as mart, unnest(['hours', 'samples', 'lone']) as source;
create table ops.ledger as select * from (values ('hours', 3), ('hours', 1), ('samples', 40), ('lone', 4))
    as deliveries(source, staged);
create table mart as select unnest(repeat(['hours', 'samples', 'lone'], 4)) as source;
"""


def _differing(rows: str, gathered: list[str], change: str = "select 1") -> set[str]:
    query = offending_rows("matches_ledger", "m.t", {"rows": rows, "gathered": gathered})
    with duckdb.connect() as connection:
        connection.execute(COUNTED).execute(change)
        return {source for (source,) in connection.execute(str(query)).fetchall()}


@pytest.mark.parametrize(
    ("change", "differing"),
    [
        ("select 1", set()),
        ("delete from mart where source = 'samples'", {"samples"}),
        ("insert into mart select 'samples' from range(37)", {"samples"}),
        ("insert into mart select 'samples' from range(36)", set()),
        ("update ops.ledger set staged = 0 where source = 'samples'", {"samples"}),
        ("delete from ops.ledger where source = 'samples'", {"samples"}),
        ("delete from ops.mart_sources where source = 'samples'", {"samples"}),
        ("update ops.ledger set staged = 2 where staged = 1", {"hours"}),
        ("insert into mart values ('hours')", {"hours"}),
        ("delete from mart where source = 'lone'", {"lone"}),
        ("update ops.ledger set staged = 5 where source = 'lone'", {"lone"}),
        ("insert into mart values ('stranger')", {"stranger"}),
        ("delete from mart", {"hours", "samples", "lone"}),
        ("delete from ops.sources", {"samples"}),
    ],
)
def test_gathered_records_make_at_most_as_many_rows_and_others_exactly(change: str, differing: set[str]) -> None:
    assert _differing("equal", ["traffic_samples"], change) == differing


def test_rows_are_gathered_only_where_the_suite_says_so() -> None:
    assert _differing("equal", []) == {"samples"}
    assert _differing("equal", ["traffic_hours"]) == {"samples"}
    assert _differing("at_most", []) == set()


def test_values_of_a_suite_are_quoted_in_sql() -> None:
    query = offending_rows("matches", "m.t", {"column": 'a"b', "pattern": "it's"})
    assert query == 'select "a""b" from mart where not regexp_full_match("a""b", \'it\'\'s\')'


@pytest.mark.parametrize("path", sorted(SUITES.glob("*/*.yml")), ids=lambda path: path.stem)
def test_the_suites_in_place_are_sound(path: Path) -> None:
    suite = read_suite(path)
    assert suite.mart == f"{path.parent.name}.{path.stem}"
    assert all(one.why_fr != one.why_en for one in suite.expectations)


def test_reading_a_suite_does_not_import_great_expectations() -> None:
    code = (
        "import sys, expectations.suite, expectations.certificate;"
        " sys.exit('great_expectations' in sys.modules or 'pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_result_is_bound_to_the_facts_that_it_judges_by(tmp_path: Path) -> None:
    path = Path(__file__).parents[2] / "expectations" / "mobility" / "works_sites.yml"
    digests = {read_suite(path, facts=facts).digest for facts in ("", "[2.2, 48.8]", "[2.3, 48.8]")}
    assert len(digests) == 3
    assert read_suite(path, facts="[2.3, 48.8]").digest in digests


@pytest.mark.parametrize(
    ("value", "status", "agrees"),
    [
        ("12.5", "'measured'", True),
        ("0", "'partial'", True),
        ("null", "'secret'", True),
        ("null", "'not_applicable'", True),
        ("0", "'secret'", False),
        ("12.5", "'not_available'", False),
        ("null", "'measured'", False),
        ("null", "null", False),
        ("12.5", "null", False),
        ("12.5", "'guessed'", False),
    ],
)
def test_a_value_is_there_or_says_why_it_is_not(value: str, status: str, agrees: bool):
    query = offending_rows("value_status", "energy.t", {"value": "consumption_mwh", "status": "consumption_status"})
    with duckdb.connect() as connection:
        connection.execute(
            f"create table mart as select {value} as consumption_mwh, {status}::varchar as consumption_status"
        )
        assert (connection.execute(str(query)).fetchall() == []) is agrees
