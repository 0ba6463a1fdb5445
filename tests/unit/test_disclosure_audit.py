"""The audit: intervals worked by hand, each kind of attacker, releases that follow each other, and a plain reference.

The table by activity and region is the example of Fischetti and Salazar (2001).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

import highspy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exports.disclosure import attack
from exports.disclosure.audit import OUTSIDE, Audit, Prior, Release, audit, stacked
from exports.disclosure.likeness import raised_to_totals
from exports.disclosure.rules import Sensitivity
from exports.disclosure.table import Cell, Hierarchy, Table
from raw_sources.errors import ConfigurationError, MachineryError

ACTIVITIES = Hierarchy.flat("activity", ["I", "II", "III"], "T")
REGIONS = Hierarchy.flat("region", "ABC", "T")
VALUES = {
    "I": {"A": 20.0, "B": 50.0, "C": 10.0, "T": 80.0},
    "II": {"A": 8.0, "B": 19.0, "C": 22.0, "T": 49.0},
    "III": {"A": 17.0, "B": 32.0, "C": 12.0, "T": 61.0},
    "T": {"A": 45.0, "B": 101.0, "C": 44.0, "T": 190.0},
}
HIDDEN = ["II A", "II C", "III A", "III C"]
Key = tuple[str, str]


def investments(changes: Mapping[str, dict[str, object]] | None = None) -> Table:
    cells = [Cell((row, column), value, 9) for row, line in VALUES.items() for column, value in line.items()]
    known = {" ".join(cell.codes): cell for cell in cells}
    for name, change in (changes or {}).items():
        known[name] = replace(known[name], **change)  # type: ignore[arg-type]
    return Table.of(known.values(), [ACTIVITIES, REGIONS])


def release(
    table: Table, suppressed: Iterable[str], unsafe: Mapping[str, tuple[float, float]], also: Iterable[str] = ()
) -> Release:
    """A release in which cells, named by their codes, are empty, and unsafe with their levels (upper, lower)."""
    flags = {name: np.zeros(len(table), dtype=np.bool_) for name in ("suppressed", "unsafe")}
    upper, lower = np.zeros(len(table)), np.zeros(len(table))
    for name in [*suppressed, *also]:
        flags["suppressed"][at(table, name)] = True
    for name, levels in unsafe.items():
        flags["unsafe"][at(table, name)] = True
        upper[at(table, name)], lower[at(table, name)] = levels
    return Release(table, flags["suppressed"], Sensitivity(flags["unsafe"], upper, lower))


def at(table: Table, name: str) -> int:
    return table.index[tuple(name.split())]


def bounds(found: Audit, cell: int) -> tuple[float, float]:
    return pytest.approx((float(found.low[cell]), float(found.high[cell])))


def test_the_interval_of_the_example_is_found():
    # IIA = 30 - IIC, IIIA = IIC - 5 and IIIC = 34 - IIC are all at least 0.
    table = investments()
    found = audit(release(table, HIDDEN, {"II C": (8, 17)}), exact=True)
    assert bounds(found, at(table, "II C")) == (5, 30)
    assert bounds(found, at(table, "II A")) == (0, 25)
    assert bounds(found, at(table, "III A")) == (0, 25)
    assert bounds(found, at(table, "III C")) == (4, 29)
    assert found.certain.all()
    assert found.passes
    assert (found.suppressed, found.unsafe, found.needless) == (4, 1, ())


@pytest.mark.parametrize(
    ("levels", "is_safe"), [((8, 17), True), ((8.1, 17), False), ((8, 17.1), False), ((0, 0), True)]
)
def test_both_levels_must_be_met(levels: tuple[float, float], is_safe: bool):
    table = investments()
    found = audit(release(table, HIDDEN, {"II C": levels}))
    assert found.passes is is_safe
    if not is_safe:
        (risk,) = found.risks
        assert (risk.cell, risk.attacker) == (at(table, "II C"), OUTSIDE)
        assert (risk.low, risk.high) == pytest.approx((5, 30))


def test_a_cell_alone_in_its_row_is_recomputed_by_subtraction_without_any_programme():
    table = investments()
    found = audit(release(table, ["II C"], {"II C": (1, 1)}))
    assert [(risk.cell, risk.low, risk.high) for risk in found.risks] == [(at(table, "II C"), 22, 22)]
    assert found.programmes == 0


def test_one_subtraction_leads_to_the_next():
    # IIIB is alone in its column, then IIIA in its row, and so on.
    table = investments()
    found = audit(release(table, ["III B", "III A", "II A", "II C"], {"II C": (0, 0)}))
    assert found.at_risk == (at(table, "II C"),)
    assert found.needless == tuple(sorted(at(table, name) for name in ("III B", "III A", "II A")))


def test_an_unsafe_cell_that_is_shown_is_at_risk():
    table = investments()
    found = audit(release(table, HIDDEN, {"I A": (1, 1)}))
    assert [(risk.cell, risk.low, risk.high) for risk in found.risks] == [(at(table, "I A"), 20, 20)]


def test_zeros_that_add_up_to_zero_are_deduced():
    table = Table.of(
        [Cell((code,), value, 2) for code, value in (("a", 0.0), ("b", 0.0), ("c", 5.0), ("T", 5.0))],
        [Hierarchy.flat("x", "abc", "T")],
    )
    found = audit(release(table, ["a", "b"], {"a": (0, 0)}))
    assert found.at_risk == (0,)
    assert found.needless == (1,)


def test_a_total_that_nothing_bounds_may_be_anything_above_what_is_shown():
    table = Table.of([Cell((code,), 5.0, 2) for code in "a"] + [Cell(("T",), 5.0, 2)], [Hierarchy.flat("x", "a", "T")])
    found = audit(release(table, ["a", "T"], {"a": (1, 1)}), exact=True)
    assert found.passes
    assert bounds(found, 1) == (0, math.inf)


def test_prior_knowledge_makes_intervals_smaller():
    table = investments()
    given = release(table, HIDDEN, {"II C": (4, 4)})
    assert audit(given).passes
    assert audit(given, prior=Prior(50)).passes
    # Half of IIA, the smallest, is 4; a quarter is 2.
    (risk,) = audit(given, prior=Prior(25)).risks
    assert (risk.low, risk.high) == pytest.approx((20, 24))


def test_a_table_that_does_not_add_up_is_not_audited():
    with pytest.raises(ConfigurationError, match="differs by 1"):
        audit(release(investments({"T T": {"value": 191.0}}), HIDDEN, {}))


def test_a_singleton_knows_its_cell():
    alone = {"II A": {"frequency": 1, "contributions": (8.0,), "holders": ("Hector",)}}
    given = release(investments(alone), HIDDEN, {"II C": (1, 1), "II A": (1, 1)})
    assert audit(given).passes
    found = audit(given, inside=True)
    assert found.insiders == 1
    # It knows its own cell already: that is no deduction.
    assert [(risk.cell, risk.attacker, risk.low, risk.high) for risk in found.risks] == [
        (at(given.table, "II C"), "Hector", pytest.approx(22), pytest.approx(22))
    ]
    # With a third cell empty in its row, and what hides that one, it no longer sees through.
    wide = release(given.table, HIDDEN, {"II C": (1, 1)}, also=["II B", "III B"])
    assert audit(wide, inside=True).passes


def test_a_singleton_without_a_name_is_one_too():
    alone = {"II A": {"frequency": 1}}
    found = audit(release(investments(alone), HIDDEN, {"II C": (1, 1)}), inside=True)
    assert found.at_risk
    assert "largest contributor of activity=II, region=A" in found.risks[0].attacker


def test_one_holder_of_two_cells_knows_both():
    def singletons(other: str) -> Release:
        names = {"II A": (8.0, "Hector"), "III B": (32.0, other)}
        cells = {name: {"frequency": 1, "contributions": (x,), "holders": (one,)} for name, (x, one) in names.items()}
        return release(investments(cells), HIDDEN, {"II C": (1, 1)}, also=["II B", "III B"])

    # IIA gives IIIA, but then IIIB is needed for IIIC, and so for IIC.
    apart, together = (audit(singletons(other), inside=True) for other in ("Paris", "Hector"))
    assert (apart.insiders, together.insiders) == (2, 1)
    assert apart.passes
    assert not together.passes


def test_a_large_contributor_knows_that_a_cell_is_no_less_than_its_share():
    # With 7 of 8 in IIA, IIC = 30 - IIA is at most 23: an upper level of 2 is not met, from inside only.
    large = {"II A": {"contributions": (7.0, 1.0), "frequency": 2, "holders": ("Hector", "Paris")}}
    given = release(investments(large), HIDDEN, {"II C": (2, 2)})
    assert audit(given).passes
    found = audit(given, inside=True)
    assert [(risk.attacker, risk.high) for risk in found.risks] == [("Hector", pytest.approx(23))]
    assert audit(release(given.table, HIDDEN, {"II C": (1, 2)}), inside=True).passes


def test_its_own_share_is_no_risk_of_the_cell_where_it_is():
    large = {"II C": {"contributions": (21.0, 1.0), "frequency": 2, "holders": ("Hector", "Paris")}}
    given = release(investments(large), HIDDEN, {"II C": (5, 5)})
    # IIC is at least 21 for Hector, who cannot tell that there is anything beside.
    assert audit(given, inside=True).passes


def test_who_contributes_to_a_part_contributes_to_its_totals():
    # Hector, alone in IIA, makes 8 of the 49 of II: that he knows so much of this total is no deduction.
    alone = {"II A": {"frequency": 1, "contributions": (8.0,), "holders": ("Hector",)}}
    given = release(investments(alone), [*HIDDEN, "II B", "III B", "II T", "III T"], {"II T": (40, 45)})
    assert audit(given).risks == ()
    assert audit(given, inside=True).risks == ()


def test_two_releases_that_are_safe_apart_are_not_together():
    table = investments()
    one = release(table, HIDDEN, {"II C": (1, 1)})
    two = release(table, ["II A", "II C", "I A", "I C"], {"II C": (1, 1)})
    assert audit(one).passes
    assert audit(two).passes
    found = audit(two, previous=[one])
    assert found.at_risk == (at(table, "II C"),)
    assert found.cells == len(table)
    assert audit(one, previous=[one, one]).passes


def test_a_correction_does_not_reveal_what_stays_secret_unless_it_does():
    first = release(investments(), HIDDEN, {"II C": (1, 1)})
    # IB is corrected from 50 to 55, with its totals: nothing is learnt of the rest.
    mended = investments(
        {"I B": {"value": 55.0}, "I T": {"value": 85.0}, "T B": {"value": 106.0}, "T T": {"value": 195.0}}
    )
    found = audit(release(mended, HIDDEN, {"II C": (1, 1)}), previous=[first])
    assert found.passes
    assert found.cells == len(mended) + 4
    # IIA is corrected from 8 to 9 and becomes public: IIC is what is left of its row.
    changed = {"II A": {"value": 9.0}, "II T": {"value": 50.0}, "T A": {"value": 46.0}, "T T": {"value": 191.0}}
    shown = release(investments(changed), ["II B", "II C", "I B", "I C"], {"II C": (1, 1)})
    assert audit(shown).passes
    assert not audit(shown, previous=[first]).passes


def test_the_earlier_figure_of_a_corrected_cell_is_still_a_secret():
    first = release(investments(), HIDDEN, {"II C": (1, 1)})
    # IIC is corrected from 22 to 23 and is no longer secret; IIA, the same as before, is shown: so 22 was 49 - 8 - 19.
    changed = {"II C": {"value": 23.0}, "II T": {"value": 50.0}, "T C": {"value": 45.0}, "T T": {"value": 191.0}}
    later = investments(changed)
    found = audit(release(later, [], {}), previous=[first])
    assert len(found.at_risk) == 1
    assert found.at_risk[0] >= len(later)
    assert found.risks[0].low == pytest.approx(22)


def test_releases_are_stacked_by_the_names_of_their_dimensions():
    table = investments()
    by_region = Table.of([Cell((code,), VALUES["T"][code]) for code in "ABCT"], [REGIONS])
    both = stacked(release(table, ["T A"], {}), [release(by_region, [], {})])
    assert len(both.table) == len(table)
    assert not both.unknown.any()


def test_what_the_producer_hides_is_unknown_and_may_not_be_recomputed():
    hidden = {name: {"value": None} for name in HIDDEN}
    found = audit(release(investments(hidden), [], dict.fromkeys(HIDDEN, (0, 0))), exact=True)
    assert found.passes
    table = investments(hidden)
    assert bounds(found, at(table, "II C")) == (5, 30)
    alone = {"II C": {"value": None}}
    assert audit(release(investments(alone), [], {"II C": (0, 0)})).at_risk == (at(table, "II C"),)


def test_linked_tables_are_attacked_together():
    months = Hierarchy.flat("month", ["m1", "m2"], "year")
    by_month = Table.of(
        [Cell(("A", "m1"), 20.0), Cell(("A", "m2"), 25.0), Cell(("A", "year"), 45.0)], [REGIONS, months]
    )
    table = investments()
    both = Table.linked([table, by_month])
    assert both.names == ("activity", "region", "month")
    empty = ["I A year", "II A year", "T A year", "I C year", "II C year", "T C year"]
    given = release(both, empty, {"II A year": (1, 1)})
    apart = release(table, [name.rsplit(" ", 1)[0] for name in empty], {"II A": (8, 8)})
    assert audit(apart, exact=True).passes
    found = audit(given, exact=True)
    # The months give the total of A, whose uncertainty the first table counts on.
    assert bounds(found, at(both, "T A year")) == (45, 45)
    assert at(both, "T A year") in found.needless


def test_no_figure_is_in_the_repr_of_what_was_found():
    found = audit(release(investments(), ["II C"], {"II C": (7777, 7777)}))
    text = repr(found)
    assert "22" not in text
    assert "7777" not in text


def test_unknown_cells_in_no_equation_have_their_prior_bounds():
    table = Table.of([Cell(("a",), 4.0), Cell(("b",), 4.0)], [Hierarchy.flat("x", "ab")])
    found = audit(release(table, ["a"], {"a": (1, 1)}), exact=True)
    assert found.passes
    assert bounds(found, 0) == (0, math.inf)
    assert not audit(release(table, ["a"], {"a": (1, 1)}), prior=Prior(10)).passes


# -- a plain reference: every cell a variable, nothing reduced, nothing warm


def plain_interval(
    table: Table, unknown: np.ndarray, cell: int, lowest: np.ndarray | float = 0.0
) -> tuple[float, float]:
    ends = []
    for sense in (highspy.ObjSense.kMinimize, highspy.ObjSense.kMaximize):
        highs = highspy.Highs()
        highs.setOptionValue("output_flag", False)
        shown = ~unknown
        highs.addVars(
            len(table), np.where(shown, table.values, lowest), np.where(shown, table.values, highspy.kHighsInf)
        )
        for one in table.equations:
            columns = np.array([one.total, *one.children], dtype=np.int32)
            highs.addRow(0.0, 0.0, len(columns), columns, np.array([-1.0, *[1.0] * len(one.children)]))
        highs.changeColCost(cell, 1.0)
        highs.changeObjectiveSense(sense)
        highs.run()
        is_optimal = highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
        ends.append(highs.getObjectiveValue() if is_optimal else math.inf)
    return ends[0], ends[1]


@st.composite
def releases(draw: st.DrawFn) -> Release:
    """Random tables of two or three dimensions, one of them of two levels, with random empty cells."""
    space = Hierarchy("space", {"n": "T", "s": "T", "n1": "n", "n2": "n", "s1": "s", "s2": "s", "s3": "s"}, "T")
    others = [Hierarchy.flat("b", "123"[: draw(st.integers(2, 3))], "T")]
    if draw(st.booleans()):
        others.append(Hierarchy.flat("c", "xy", "T"))
    axes = [space, *others]
    sums: dict[tuple[str, ...], float] = {}
    leaves = [[code for code in axis.codes if code not in axis.children] for axis in axes]
    for codes in itertools.product(*leaves):
        value = float(draw(st.integers(0, 40)))
        for above in itertools.product(*(upwards(axis, code) for axis, code in zip(axes, codes, strict=True))):
            sums[above] = sums.get(above, 0.0) + value
    table = Table.of([Cell(codes, value, 5) for codes, value in sums.items()], axes)
    share = draw(st.sampled_from([0.2, 0.4, 0.6]))
    dice = np.random.default_rng(draw(st.integers(0, 10**6)))
    suppressed = dice.random(len(table)) < share
    unsafe = suppressed & (dice.random(len(table)) < 0.4)
    level = np.where(unsafe, np.round(table.values * dice.choice([0.0, 0.1, 0.5]), 3), 0.0)
    return Release(table, suppressed, Sensitivity(unsafe, level, level))


def upwards(axis: Hierarchy, code: str) -> list[str]:
    found = [code]
    while code in axis.parents:
        code = axis.parents[code]
        found.append(code)
    return found


@settings(max_examples=30, deadline=None)
@given(releases())
def test_intervals_are_those_of_the_plain_programme(given: Release):
    found = audit(given, exact=True)
    expected = {}
    for cell in np.flatnonzero(given.suppressed):
        expected[int(cell)] = plain_interval(given.table, given.unknown, int(cell))
        assert (found.low[cell], found.high[cell]) == pytest.approx(expected[int(cell)], abs=1e-5)
    levels = given.sensitivity
    risky = {
        cell
        for cell, (low, high) in expected.items()
        if levels.unsafe[cell] and falls_short(given.table.values[cell], low, high, float(levels.upper[cell]))
    }
    assert set(found.at_risk) == risky
    # Left as soon as a cell is uncertain enough, the audit says the same of all cells.
    assert set(audit(given).at_risk) == risky


def falls_short(value: float, low: float, high: float, level: float) -> bool:
    if level == 0:
        return high - low < 1e-6
    return high < value + level - 1e-5 or low > value - level + 1e-5


@settings(max_examples=20, deadline=None)
@given(releases())
def test_how_large_parts_are_solved_changes_nothing(given: Release):
    expected = audit(given).at_risk
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(attack, "LARGE", 0)
        patched.setattr(attack, "NEAR", 2)
        assert audit(given).at_risk == expected


@settings(max_examples=20, deadline=None)
@given(releases(), st.sampled_from([1e-7, 0.1, 1 / 3, 1e9]))
def test_the_unit_of_the_figures_changes_nothing(given: Release, unit: float):
    cells = [replace(cell, value=cell.value * unit) for cell in given.table.cells if cell.value is not None]
    levels = given.sensitivity
    scaled = Sensitivity(levels.unsafe, levels.upper * unit, levels.lower * unit)
    other = Release(Table.of(cells, given.table.hierarchies), given.suppressed, scaled)
    assert audit(other).at_risk == audit(given).at_risk


@settings(max_examples=20, deadline=None)
@given(releases(), st.integers(0, 10**6))
def test_what_an_insider_knows_is_that_its_cells_are_shown(given: Release, seed: int):
    """One holder alone in some cells deduces of others what an outsider does when these cells are shown."""
    dice = np.random.default_rng(seed)
    own = given.suppressed & (given.table.values > 0) & (dice.random(len(given.table)) < 0.1)
    cells = [
        replace(cell, frequency=1, contributions=(cell.value,), holders=("one",)) if own[place] else cell
        for place, cell in enumerate(given.table.cells)
    ]
    table = Table.of(cells, given.table.hierarchies)  # type: ignore[arg-type]
    inside = audit(replace(given, table=table), inside=True)
    shown = replace(given, table=table, suppressed=given.suppressed & ~own)
    # Of totals above its cells it is asked less: see below.
    above = raised_to_totals(table, {int(cell): float(table.values[cell]) for cell in np.flatnonzero(own)})
    expected = set(audit(shown).at_risk) - set(above)
    assert {risk.cell for risk in inside.risks} - set(above) == expected


@settings(max_examples=20, deadline=None)
@given(releases(), st.integers(0, 10**6))
def test_what_a_large_contributor_deduces_is_that_of_the_plain_programme(given: Release, seed: int):
    dice = np.random.default_rng(seed)
    share = np.where(given.suppressed & (dice.random(len(given.table)) < 0.2), 0.75, 0.0)
    cells = [
        replace(cell, frequency=4, contributions=(0.75 * value,), holders=("one",)) if share[place] else cell
        for place, cell in enumerate(given.table.cells)
        if (value := cell.value) is not None
    ]
    table = Table.of(cells, given.table.hierarchies)
    found = audit(replace(given, table=table), inside=True)
    outside = {risk.cell for risk in found.risks if risk.attacker == OUTSIDE}
    told = {int(cell): float(0.75 * table.values[cell]) for cell in np.flatnonzero(share)}
    own = np.zeros(len(table))
    for place, contribution in raised_to_totals(table, told).items():
        own[place] = contribution
    expected = set(outside)
    for cell in np.flatnonzero(given.sensitivity.unsafe & given.suppressed):
        low, high = plain_interval(table, given.unknown, int(cell), own)
        value, level = float(table.values[cell]), float(given.sensitivity.upper[cell])
        below = min(level, value - own[cell]) if own[cell] else level
        if high < value + level - 1e-5 or low > value - below + 1e-5 or (level == 0 and high - low < 1e-6):
            expected.add(int(cell))
    assert set(found.at_risk) == expected


def test_a_witness_is_checked_without_the_solver(monkeypatch: pytest.MonkeyPatch):
    table = investments()
    unknown = release(table, HIDDEN, {}).suppressed
    sums = [(one.total, one.children) for one in table.equations]
    attacked = attack.Attack(sums, table.values, unknown, np.zeros(len(table)), np.full(len(table), np.inf))
    (part,) = attacked.parts
    attacked.credit(part, np.full(len(part.low), part.high.min() + 1.0))
    assert not attacked.reach.up.any()
    assert not attacked.reach.down.any()


def test_a_solver_that_gives_up_is_asked_otherwise_and_then_believed_no_more(monkeypatch: pytest.MonkeyPatch):
    table = investments()
    given = release(table, HIDDEN, {"II C": (8, 17)})
    real, asked = attack._Solver._asked, []

    def astray(solver: attack._Solver, *args: object) -> tuple[str, np.ndarray | None]:
        asked.append(args)
        return ("Infeasible", None) if len(asked) % 3 else real(solver, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(attack._Solver, "_asked", astray)
    assert audit(given).passes
    monkeypatch.setattr(attack._Solver, "_asked", lambda *_: ("Infeasible", None))
    with pytest.raises(MachineryError, match="did not finish: Infeasible"):
        audit(given)
