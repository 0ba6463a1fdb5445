"""From a file to a protected table: microdata and cells, margins, refusals, attacks that fail, what is written."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from exports.disclosure.audit import Release, audit
from exports.disclosure.protect import SECRET, STATUS, Protected, protect, read_previous, released, write_protected
from exports.disclosure.rules import MinimumFrequency, PPercent, Unjudged, judge
from exports.disclosure.spec import Spec, read_spec, read_table
from exports.disclosure.table import Cell, Hierarchy, Table
from exports.disclosure.tabulate import margin, tabulate
from exports.protection.cells import Row, cell_of
from orchestration.cli import app
from raw_sources.errors import ConfigurationError, GateClosed

SPEC = """\
dimensions:
  - column: department
    total: FR
    parents: {"01": ARA, "69": ARA, "75": IDF, "92": IDF, ARA: FR, IDF: FR}
    repeated: false
  - column: country
    total: W
value: amount
units: merchants
cells: {frequency: merchants, largest: [largest, second]}
rules:
  - {rule: minimum_frequency, of: merchants, at_least: 3}
  - {rule: p_percent, p_pct: 10}
"""
HEAD = "department,country,amount,merchants,largest,second\n"
ROWS = """\
01,DE,20,2,15,5
01,GB,50,9,10,9
01,US,45,8,9,9
69,DE,80,9,12,11
69,GB,190,20,30,20
69,US,100,15,20,15
75,DE,170,30,20,15
75,GB,320,40,30,20
75,US,260,30,20,20
92,DE,60,10,10,9
92,GB,70,10,10,9
92,US,90,12,12,11
"""


def spec_of(folder: Path, text: str = SPEC) -> Spec:
    (folder / "spec.yml").write_text(text, encoding="utf-8")
    return read_spec(folder / "spec.yml")


def frame_of(folder: Path, text: str = HEAD + ROWS) -> pl.DataFrame:
    (folder / "table.csv").write_text(text, encoding="utf-8")
    return read_table(folder / "table.csv")


def shown(protected: Protected) -> dict[tuple[str, str], float]:
    rows = protected.frame.filter(pl.col(STATUS) != SECRET).select("department", "country", "amount").iter_rows()
    return {(department, country): amount for department, country, amount in rows}


def subtract(known: dict[tuple[str, str], float], protected: Protected) -> dict[tuple[str, str], float]:
    """Return what an attacker recomputes with a pencil: in each sum, the one cell that is not shown."""
    table, found = protected.release.table, dict(known)
    while True:
        before = len(found)
        for equation in table.equations:
            cells = [table.cells[cell].codes for cell in (equation.total, *equation.children)]
            missing = [codes for codes in cells if codes not in found]
            if len(missing) == 1:
                parts = sum(found[codes] for codes in cells[1:] if codes in found)
                found[missing[0]] = parts if missing[0] == cells[0] else found[cells[0]] - parts
        if len(found) == before:
            return {codes: value for codes, value in found.items() if codes not in known}


def test_a_table_of_cells_is_protected_with_the_margins_that_it_lacks(tmp_path: Path):
    protected = protect(frame_of(tmp_path), spec_of(tmp_path))
    assert protected.risks == ()
    assert protected.frame.columns == ["department", "country", "amount", STATUS]
    assert protected.frame.height == 7 * 4
    assert shown(protected)["FR", "W"] == 1455
    assert ("01", "DE") not in shown(protected)
    assert protected.choice["unsafe"] == 1
    assert protected.choice["secondary"] == 3
    assert protected.frame.filter(pl.col(STATUS) == SECRET)["amount"].null_count() == 4


def test_subtraction_works_on_primary_suppression_alone_and_fails_on_the_release(tmp_path: Path):
    protected = protect(frame_of(tmp_path), spec_of(tmp_path))
    table, sensitivity = protected.release.table, protected.release.sensitivity
    primary = {cell.codes: cell.value for place, cell in enumerate(table.cells) if not sensitivity.unsafe[place]}
    assert subtract(primary, protected) == {("01", "DE"): 20.0}  # type: ignore[arg-type]
    assert subtract(shown(protected), protected) == {}


def test_contributors_rows_are_grouped_by_holding(tmp_path: Path):
    rows = [("01", "DE", 10, "s1", "h"), ("01", "DE", 10, "s2", "h"), ("01", "DE", 5, "s3", None)]
    rows += [("69", "DE", 10, f"t{one}", None) for one in range(6)]
    rows += [("75", "DE", 11, f"u{one}", None) for one in range(6)]
    rows += [("92", "DE", 12, f"v{one}", None) for one in range(6)]
    frame = pl.DataFrame(rows, ["department", "country", "amount", "siret", "group"], orient="row")
    text = SPEC.replace("cells: {frequency: merchants, largest: [largest, second]}", "microdata: {contributor: siret}")
    table, _ = tabulate(frame, spec_of(tmp_path, text))
    cell = table.cells[table.index["01", "DE"]]
    assert (cell.frequency, cell.contributions) == (3, (10.0, 10.0, 5.0))
    spec = spec_of(tmp_path, text + "  - {rule: holdings, by: group}\n")
    table, _ = tabulate(frame, spec)
    cell = table.cells[table.index["01", "DE"]]
    assert (cell.frequency, cell.contributions, cell.holders) == (2, (20.0, 5.0), ("h", "s3"))
    assert table.cells[table.index["FR", "W"]].frequency == 20
    assert protect(frame, spec).risks == ()


def test_weights_multiply_contributions(tmp_path: Path):
    text = SPEC.replace("cells: {frequency: merchants, largest: [largest, second]}", "microdata: {weight: weight}")
    frame = pl.DataFrame({"department": ["01", "01"], "country": ["DE"] * 2, "amount": [3, 4], "weight": [10, 2]})
    table, _ = tabulate(frame, spec_of(tmp_path, text))
    assert table.cells[table.index["01", "DE"]].contributions == (30.0, 8.0)


def test_a_margin_of_codes_with_the_same_contributors_is_judged_with_caution(tmp_path: Path):
    rows = HEAD + "01,DE,20,2,15,5\n01,GB,50,9,10,9\n"
    table, _ = tabulate(frame_of(tmp_path, rows), spec_of(tmp_path))
    cell = table.cells[table.index["01", "W"]]
    assert (cell.frequency, cell.contributions) == (9, (25.0, 14.0))
    apart = SPEC.replace("    total: W\n", "    total: W\n    repeated: false\n")
    table, _ = tabulate(frame_of(tmp_path, rows), spec_of(tmp_path, apart))
    cell = table.cells[table.index["01", "W"]]
    assert (cell.frequency, cell.contributions) == (11, (15.0, 10.0))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("FR,W,1460,183,30,30\n", "department=FR, country=W differs by 5"),
        ("13,DE,5,4,2,1\n", "The code 13 is not in the hierarchy department"),
        ("ARA,W,-5,4,2,1\n", "has the value -5"),
        ("01,DE,20,2,15,5\n", "Two rows have the codes 01, DE"),
        ("ARA,W,12 000,4,2,1\n", "'12 000' is not a number"),
        ("ARA,DE,100,11,5,12\n", "contributions are not in order"),
    ],
)
def test_a_table_that_cannot_be_judged_is_refused(tmp_path: Path, row: str, words: str):
    with pytest.raises(ConfigurationError, match=words):
        protect(frame_of(tmp_path, HEAD + ROWS + row), spec_of(tmp_path))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("IDF: FR}", "IDF: ARA, ARA: IDF}", "repeated|duplicate|each other's parents"),
        ("ARA: FR, IDF: FR", "ARA: IDF, IDF: ARA", "each other's parents"),
        ("ARA: FR, IDF: FR", "ARA: FR", "The code IDF has no parent"),
        ("column: country", "column: department", "'department' is a dimension already"),
        ("p_pct: 10", "p_pct: 0", "p_pct|percentage"),
        ("value: amount", "value: euros", "the table has no column 'euros'"),
        ("of: merchants", "of: cards", "no count of cards"),
    ],
)
def test_a_specification_that_cannot_be_followed_is_refused(tmp_path: Path, old: str, new: str, words: str):
    with pytest.raises(ConfigurationError, match=words):
        protect(frame_of(tmp_path), spec_of(tmp_path, SPEC.replace(old, new)))


def test_what_the_producer_hides_stays_hidden_and_is_unknown_to_the_audit(tmp_path: Path):
    rows = ROWS.replace("92,US,90,12,12,11", "92,US,,,,") + "IDF,US,350,42,20,20\n"
    protected = protect(frame_of(tmp_path, HEAD + rows), spec_of(tmp_path))
    assert protected.summary["hidden_by_producer"] >= 1
    assert ("92", "US") not in shown(protected)


def test_a_difference_between_two_releases_gives_nothing_away(tmp_path: Path):
    spec = spec_of(tmp_path)
    before = frame_of(tmp_path)
    first = protect(before, spec)
    # 01,GB is corrected, with its totals: what was left empty may not be shown now, nor be the difference of totals.
    after = frame_of(tmp_path, HEAD + ROWS.replace("01,GB,50,9", "01,GB,57,9"))
    again = protect(after, spec, [released(before, first.frame, spec)])
    assert again.risks == ()
    known = {codes: value for codes, value in shown(first).items() if codes[1] != "GB" and codes[1] != "W"}
    both = {**known, **shown(again)}
    assert ("01", "DE") not in both
    assert subtract(both, again) == {}


def test_a_cell_shown_before_cannot_hide_another(tmp_path: Path):
    spec = spec_of(tmp_path)
    frame = frame_of(tmp_path)
    # An earlier release that left nothing but the unsafe cell empty gives it away: nothing mends that today.
    everything = tabulate(frame, spec)[0]
    values = [(*cell.codes, None if cell.codes == ("01", "DE") else cell.value) for cell in everything.cells]
    earlier = pl.DataFrame(values, ["department", "country", "amount"], orient="row")
    again = protect(frame, spec, [released(frame, earlier, spec)])
    assert again.risks
    with pytest.raises(GateClosed, match="can be deduced"):
        again.refuse_risks()
    files = {path.name for path in write_protected(again, tmp_path / "out")}
    assert files == {"audit.json", "summary.md"}


def test_the_command_writes_what_may_leave_and_no_parameter(tmp_path: Path):
    frame_of(tmp_path)
    spec_of(tmp_path, SPEC.replace("at_least: 3", "at_least: 4").replace("p_pct: 10", "p_pct: 17"))
    options = ["--spec", str(tmp_path / "spec.yml"), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, ["protect", str(tmp_path / "table.csv"), *options])
    assert result.exit_code == 0, result.output
    assert "secondary ones of cost" in result.stderr and "secondary" not in result.stdout
    written = {path.name: path for path in (tmp_path / "out").iterdir()}
    assert set(written) == {"protected.csv", "protected.parquet", "audit.json", "summary.md"}
    assert pl.read_parquet(written["protected.parquet"]).height == 28
    told = json.loads(written["audit.json"].read_text(encoding="utf-8"))
    assert told["cells_at_risk"] == 0
    assert told["by_level"]["department 0, country 0"] == {"cells": 1, "secret": 0}
    texts = written["audit.json"].read_text(encoding="utf-8") + written["summary.md"].read_text(encoding="utf-8")
    for word in ("at_least", "p_pct", "p_percent", "minimum_frequency", "17", "secondary", "cost"):
        assert word not in texts.replace('"by_level"', ""), word


def test_earlier_releases_are_read_from_files(tmp_path: Path):
    frame = frame_of(tmp_path)
    spec = spec_of(tmp_path)
    write_protected(protect(frame, spec), tmp_path / "v1")
    later = spec_of(tmp_path, SPEC + "previous: [{table: table.csv, released: v1/protected.csv}]\n")
    again = protect(frame, later, read_previous(later))
    assert again.risks == ()
    assert again.summary["secret"] == 4


def test_nothing_that_is_printed_tells_a_parameter(tmp_path: Path):
    spec = spec_of(tmp_path, SPEC.replace("p_pct: 10", "p_pct: 17.5"))
    protected = protect(frame_of(tmp_path), spec)
    assert "17.5" not in repr(spec)
    assert "17.5" not in repr(protected)


LINKED = """\
dimensions:
  - {column: department, total: FR}
  - {column: month, total: year}
  - {column: country, total: W}
value: amount
units: merchants
microdata: {contributor: shop, tables: [[department, month], [department, country]]}
rules:
  - {rule: minimum_frequency, of: merchants, at_least: 3}
"""


def payments() -> pl.DataFrame:
    """Return payments to three shops of a department each time, but to two in D0.

    By month D1 hides D0 at the least cost, by country D2: each table would show the department that the other hides.
    """
    paid = [
        ("D0", "M0", "C0", [10, 10]),
        *(("D1", *one) for one in [("M0", "C1", [4] * 3), ("M1", "C0", [300] * 3), ("M1", "C1", [30] * 3)]),
        *(("D2", *one) for one in [("M1", "C0", [4] * 3), ("M0", "C1", [300] * 3), ("M1", "C1", [30] * 3)]),
    ]
    rows = [(f"{place[0]} {shop}", *place, amount) for *place, some in paid for shop, amount in enumerate(some)]
    return pl.DataFrame(rows, schema=["shop", "department", "month", "country", "amount"], orient="row")


def hidden(protected: Protected) -> set[tuple[str, ...]]:
    rows = protected.frame.filter(pl.col(STATUS) == SECRET)
    return set(rows.select("department", "month", "country").iter_rows())


def test_linked_tables_are_protected_together_and_apart_they_give_each_other_away(tmp_path: Path):
    frame, spec = payments(), spec_of(tmp_path, LINKED)
    together = protect(frame, spec)
    table, sensitivity = together.release.table, together.release.sensitivity
    assert not together.risks
    codes = set(together.frame.select("month", "country").iter_rows())
    assert {("M0", "W"), ("year", "C0"), ("year", "W")} <= codes
    assert all("year" in one or "W" in one for one in codes), "what no table crosses is not published"
    apart = [protect(frame, replace(spec, tables=(one,))) for one in spec.tables]
    assert not any(one.risks for one in apart)
    whole = [{cell.codes for cell in one.release.table.cells} - hidden(one) for one in apart]
    told = np.array([cell.codes in whole[0] | whole[1] for cell in table.cells], dtype=np.bool_)
    at_risk = {table.cells[cell].codes for cell in audit(Release(table, ~told, sensitivity)).at_risk}
    assert ("D0", "year", "W") in at_risk


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[department, country]]", "[department, land]]", "'land' is not a dimension"),
        ("[department, country]]", "[department]]", "'country' is in no table"),
        (", total: year", "", "month is not in this table, and has no total"),
        ("[department, month], ", "[], ", r"microdata.tables\[0\]"),
    ],
)
def test_linked_tables_are_said_whole(tmp_path: Path, old: str, new: str, words: str):
    with pytest.raises(ConfigurationError, match=words):
        spec_of(tmp_path, LINKED.replace(old, new))


def test_linked_tables_of_cells_are_one_file_in_which_what_is_not_crossed_is_at_its_total(tmp_path: Path):
    rows, _ = tabulate(payments(), spec_of(tmp_path, LINKED))
    cells = pl.DataFrame(
        [(*cell.codes, cell.value, cell.frequency) for cell in rows.cells],
        schema=["department", "month", "country", "amount", "merchants"],
        orient="row",
    )
    spec = spec_of(tmp_path, re.sub(r"microdata: .*", "cells: {frequency: merchants}", LINKED))
    table, _ = tabulate(cells, spec)
    assert table.equations == rows.equations and [cell.codes for cell in table.cells] == [c.codes for c in rows.cells]


FLAT = """\
dimensions: [{column: department, total: FR, repeated: false}]
value: amount
units: merchants
cells: {frequency: merchants}
rules: [{rule: minimum_frequency, of: merchants, at_least: 3}]
insiders: false
"""


def test_nothing_that_is_written_beside_the_table_is_one_equation_more(tmp_path: Path):
    # The cost would be the value of A or of B, and their sum is told: both are 5.
    rows = "department,amount,merchants\nA,5,2\nB,5,4\nC,50,9\nD,60,9\n"
    protected = protect(frame_of(tmp_path, rows), spec_of(tmp_path, FLAT))
    assert (protected.choice["unsafe"], protected.choice["secondary"], protected.choice["cost"]) == (1, 1, 5)
    assert "choice" not in repr(protected)
    write_protected(protected, tmp_path / "out")
    told = json.loads((tmp_path / "out" / "audit.json").read_text(encoding="utf-8"))
    counts = {"cells", "secret", "hidden_by_producer", "cells_at_risk"}
    assert set(told) == {*counts, "audited_from_inside", "by_level", "at_risk"}
    summary = (tmp_path / "out" / "summary.md").read_text(encoding="utf-8")
    assert "5 cells, 2 left empty" in summary
    assert not re.search("unsafe|recomputed|cost", summary)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("A,3", "A ,3", "the earlier table has no cell 'A '"),
        ("FR,120", "FRA,120", "the earlier table has no cell 'FRA'"),
        ("B,7\n", "", "the cell B of the earlier table is lacking"),
        ("C,50", "C,51", "the cell 'C' shows 51, the earlier table has 50"),
        ("E,", "E,9", "the cell 'E' shows 9, the earlier table hides it"),
        ("C,50", "B,7", "Two rows have the codes B"),
    ],
)
def test_an_earlier_release_that_is_not_that_of_its_table_is_refused(tmp_path: Path, old: str, new: str, words: str):
    head = "department,amount,merchants\n"
    rows = "A,3,2\nB,7,4\nC,50,9\nD,60,9\nE,,9\nFR,120,33\n"
    (tmp_path / "then.csv").write_text(head + rows, encoding="utf-8")
    shown_then = "department,amount\nA,3\nB,7\nC,50\nD,60\nE,\nFR,120\n"
    assert old in shown_then
    (tmp_path / "out.csv").write_text(shown_then, encoding="utf-8")
    spec = spec_of(tmp_path, FLAT + "previous: [{table: then.csv, released: out.csv}]\n")
    assert read_previous(spec)[0].suppressed.tolist() == [False, False, False, False, True, False]
    (tmp_path / "out.csv").write_text(shown_then.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=rf"out\.csv: .*{words}"):
        read_previous(spec)


@pytest.mark.parametrize(
    ("columns", "rule", "words"),
    [
        ("{contributor: siret}", "", "row 2: a row has no 'siret'"),
        ("{contributor: siret}", "  - {rule: holdings, by: group}\n", "row 2: a row has no 'group' and no 'siret'"),
        ("{}", "  - {rule: holdings, by: group}\n", "row 1: a row has no 'group'"),
    ],
)
def test_a_row_that_names_nobody_is_refused(tmp_path: Path, columns: str, rule: str, words: str):
    text = SPEC.replace("{frequency: merchants, largest: [largest, second]}", columns).replace("cells:", "microdata:")
    frame = frame_of(tmp_path, "department,country,amount,siret,group\n01,DE,10,s1,\n01,DE,10, ,\n01,DE,10,s3,h\n")
    with pytest.raises(ConfigurationError, match=words):
        tabulate(frame, spec_of(tmp_path, text + rule))


def test_a_row_is_of_its_holding_where_its_contributor_is_not_named(tmp_path: Path):
    text = SPEC.replace("cells: {frequency: merchants, largest: [largest, second]}", "microdata: {contributor: siret}")
    frame = frame_of(tmp_path, "department,country,amount,siret,group\n01,DE,10,s1,\n01,DE,10,,h\n01,DE,10,s3,h\n")
    table, _ = tabulate(frame, spec_of(tmp_path, text + "  - {rule: holdings, by: group}\n"))
    cell = table.cells[table.index["01", "DE"]]
    assert (cell.contributions, cell.holders) == ((20.0, 10.0), ("h", "s1"))


CARDS = """\
dimensions: [{column: department, total: FR, repeated: false}, {column: month, total: year}]
value: amount
INPUT
counts: {cards: CARDS}
rules: [{rule: minimum_frequency, of: cards, at_least: 11}]
"""


@pytest.mark.parametrize("given", ["cells: {}", "microdata: {}"])
@pytest.mark.parametrize(
    ("cards", "month", "year", "everything"),
    [("cards", 8, 8, 40), ("{column: cards, repeated: false}", 8, 16, 96)],
)
def test_other_units_are_added_up_only_where_none_is_in_two_rows(
    tmp_path: Path, given: str, cards: str, month: int, year: int, everything: int
):
    rows = "department,month,amount,cards\nA,01,100,8\nA,02,100,8\nB,01,100,40\nB,02,100,40\n"
    text = CARDS.replace("INPUT", given).replace("CARDS", cards)
    table, counts = tabulate(frame_of(tmp_path, rows), spec_of(tmp_path, text))
    found = {codes: counts["cards"][place] for codes, place in table.index.items()}
    assert (found["A", "01"], found["A", "year"], found["FR", "year"]) == (month, year, everything)


def test_the_cards_of_merchants_of_one_cell_may_be_the_same(tmp_path: Path):
    rows = "department,month,amount,cards\n" + "A,01,100,4\n" * 3
    for cards, count in (("cards", 4), ("{column: cards, repeated: false}", 12)):
        text = CARDS.replace("INPUT", "microdata: {}").replace("CARDS", cards)
        table, counts = tabulate(frame_of(tmp_path, rows), spec_of(tmp_path, text))
        assert counts["cards"][table.index["A", "01"]] == count


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("01,DE,20,0,,\n", "department=01, country=DE has a value, and a count of 0 contributors"),
        ("01,DE,20,-1,,\n", "merchants, row 1: -1 is no count"),
        ("01,DE,20,0.5,,\n", "merchants, row 1: 0.5 is no count"),
        ("01,DE,20,0,15,5\n", "row 1: there are more contributions than contributors"),
        ("01,DE,20,1,15,5\n", "row 1: there are more contributions than contributors"),
        ("01,DE,20,2,15,6\n", r"row 1: the largest contributions are together more than the value \(21 and 20\)"),
        ("01,DE,20,4,15,-5\n", r"row 1: a contribution is negative \(-5\)"),
    ],
)
def test_counts_and_contributions_that_cannot_be_those_of_a_value_are_refused(tmp_path: Path, row: str, words: str):
    with pytest.raises(ConfigurationError, match=words):
        protect(frame_of(tmp_path, HEAD + row), spec_of(tmp_path))


def test_a_cell_of_nothing_may_have_nobody(tmp_path: Path):
    table, _ = tabulate(frame_of(tmp_path, HEAD + "01,DE,0,0,,\n69,DE,0,4,,\n75,DE,9,1,9,0\n"), spec_of(tmp_path))
    assert table.cells[table.index["FR", "W"]].contributions == (9.0, 0.0)


def test_what_is_told_of_a_release_with_a_count_of_nobody_is_not_judged():
    row = Row(("A",), (100.0,), ("measured",), 0, (60.0, 40.0), {}, ("",))
    for count in (0, -1):
        table = Table.of([cell_of(replace(row, frequency=count), 0)], [Hierarchy.flat("x", ["A"])])
        for rule in (MinimumFrequency(3), PPercent(10)):
            assert judge(table, [rule], strict=False).unsafe.tolist() == [True]
            with pytest.raises(Unjudged, match="lacks the"):
                judge(table, [rule])


SUMS = """\
dimensions: [{column: department, total: FR, PARENTS repeated: false}]
value: amount
units: merchants
cells: {frequency: merchants}
rules: [{rule: minimum_frequency, of: merchants, at_least: 3}]
"""


def test_a_hidden_total_of_one_part_takes_the_part_with_it(tmp_path: Path):
    spec = spec_of(tmp_path, SUMS.replace("PARENTS", "parents: {A: G, G: FR},"))
    protected = protect(frame_of(tmp_path, "department,amount,merchants\nFR,,5\nG,317,5\nA,317,5\n"), spec)
    assert protected.risks == ()
    assert protected.summary["secret"] == 3


def test_what_sums_leave_of_a_hidden_cell_is_hidden_with_another(tmp_path: Path):
    spec = spec_of(tmp_path, SUMS.replace("PARENTS", ""))
    rows = "department,amount,merchants\nA,,9\nB,20,9\nC,70,9\nFR,130,27\n"
    protected = protect(frame_of(tmp_path, rows), spec)
    assert protected.risks == ()
    empty = set(protected.frame.filter(pl.col(STATUS) == SECRET)["department"])
    assert empty == {"A", "B"}, "one other cell, and the cheapest"
    assert protected.choice["cost"] == 20


def test_whoever_is_alone_does_not_recompute_a_hidden_cell(tmp_path: Path):
    # Outside, B makes A uncertain; the only contributor of B would know A.
    spec = spec_of(tmp_path, SUMS.replace("PARENTS", ""))
    rows = "department,amount,merchants\nA,,9\nB,20,1\nC,70,9\nD,80,9\nFR,200,28\n"
    protected = protect(frame_of(tmp_path, rows), spec)
    assert protected.risks == ()
    assert protected.summary["secret"] == 3


def test_what_is_hidden_in_two_releases_may_have_been_corrected(tmp_path: Path):
    spec = spec_of(tmp_path, SUMS.replace("PARENTS", ""))
    head = "department,amount,merchants\n"
    before = frame_of(tmp_path, head + "A,,9\nB,,9\nC,70,9\nFR,130,27\n")
    first = protect(before, spec)
    assert first.risks == ()
    # Nothing but A and B together can have become 70; that A and B are what they were cannot be.
    again = protect(frame_of(tmp_path, head + "A,,9\nB,,9\nC,70,9\nFR,140,27\n"), spec, [first.release])
    assert again.risks == ()
    assert set(again.frame.filter(pl.col(STATUS) == SECRET)["department"]) == {"A", "B"}


SQUARE = """\
dimensions:
  - {column: department, total: T, repeated: false}
  - {column: month, total: T, repeated: false}
value: amount
units: merchants
cells: {frequency: merchants}
rules: [{rule: minimum_frequency, of: merchants, at_least: 3}]
insiders: false
"""


@pytest.mark.parametrize("given", ["A,T,30,10\n", "T,1,40,10\n", "A,T,30,10\nT,2,60,10\n", "T,T,100,20\n"])
def test_margins_may_be_given_in_part(tmp_path: Path, given: str):
    rows = "department,month,amount,merchants\nA,1,10,5\nA,2,20,5\nB,1,30,5\nB,2,40,5\n"
    spec = spec_of(tmp_path, SQUARE)
    whole = tabulate(frame_of(tmp_path, rows), spec)[0]
    partly = tabulate(frame_of(tmp_path, rows + given), spec)[0]
    assert {cell.codes: cell for cell in partly.cells} == {cell.codes: cell for cell in whole.cells}


def test_a_margin_that_is_given_does_not_hide_more(tmp_path: Path):
    rows = "department,month,amount,merchants\nA,1,10,5\nA,2,20,5\nB,1,,5\nB,2,,5\n"
    spec = spec_of(tmp_path, SQUARE)
    tables = [protect(frame_of(tmp_path, rows + given), spec) for given in ("", "A,T,30,10\n")]
    assert not any(one.risks for one in tables)
    assert tables[0].frame.equals(tables[1].frame)
    told = tables[0].frame.filter(pl.col(STATUS) != SECRET).select("department", "month").rows()
    assert told == [("A", "1"), ("A", "2"), ("A", "T")]


def test_a_margin_over_hidden_parts_is_told_by_its_other_parts(tmp_path: Path):
    rows = "department,month,amount,merchants\nA,1,,5\nA,2,,5\nA,T,30,10\nB,1,30,5\nB,2,40,5\n"
    table, _ = tabulate(frame_of(tmp_path, rows), spec_of(tmp_path, SQUARE))
    assert table.cells[table.index["T", "T"]].value == 100


def test_all_contributions_to_a_margin_of_singletons_are_known(tmp_path: Path):
    spec = spec_of(
        tmp_path,
        SPEC.replace("second]", "second, third]").replace("p_percent, p_pct: 10", "dominance, n: 3, k_pct: 90"),
    )
    head = "department,country,amount,merchants,largest,second,third\n"
    rows = "01,W,10,1,10,,\n69,W,20,2,15,5,\n75,W,300,9,90,80,70\n92,W,5,1,,,\n"
    table, _ = tabulate(frame_of(tmp_path, head + rows), spec)
    told = {cell.codes[0]: cell.contributions for cell in table.cells}
    assert told["ARA"] == (15.0, 10.0, 5.0)
    assert told["IDF"] == (90.0, 80.0, 70.0), "the fourth of 75 may be larger than the only one of 92"
    judge(table, spec.rules.rules)


def test_of_parts_that_tell_more_and_less_a_margin_tells_what_is_certain():
    cells = [Cell(("a",), 100.0, 9, (10.0,)), Cell(("b",), 100.0, 9, (9.0, 8.0)), Cell(("c",), 7.0, 1, (7.0,))]
    assert margin(("t",), cells, repeated=False).contributions == (10.0,)
    assert margin(("t",), cells, repeated=True).contributions == (26.0,)
