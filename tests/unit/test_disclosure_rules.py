"""Primary rules: each on cells computed by hand, with its protection level."""

from __future__ import annotations

import numpy as np
import pytest

from exports.disclosure.rules import (
    Dominance,
    MinimumFrequency,
    PPercent,
    PriorPosterior,
    Rule,
    Rules,
    grouped,
    judge,
    rules_of,
)
from exports.disclosure.table import Cell, Hierarchy, Table
from raw_sources.errors import ConfigurationError

FLAT = Hierarchy.flat("x", ["a", "b", "c", "d"])


def cell(*contributions: float, frequency: int | None = None) -> Cell:
    return Cell(("a",), sum(contributions), frequency or len(contributions), contributions)


@pytest.mark.parametrize(
    ("rule", "contributions", "level"),
    [
        # Fewer than 3: a tenth of the value, unless another share is asked for.
        (MinimumFrequency(3), (60.0, 40.0), 10.0),
        (MinimumFrequency(3, margin_pct=0), (60.0, 40.0), 0.0),
        (MinimumFrequency(3), (60.0, 30.0, 10.0), None),
        # 100/85 · 86 - 100; at the limit itself the cell is safe.
        (Dominance(1, 85), (86.0, 7.0, 7.0), 1.176470588),
        (Dominance(1, 85), (85.0, 8.0, 7.0), None),
        # 100/90 · 95 - 100
        (Dominance(2, 90), (60.0, 35.0, 5.0), 5.555555556),
        (Dominance(2, 95), (60.0, 35.0, 5.0), None),
        (Dominance(3, 90), (60.0, 40.0), 11.11111111),
        # 10/100 · 60 - (100 - 60 - 35)
        (PPercent(10), (60.0, 35.0, 5.0), 1.0),
        (PPercent(10), (50.0, 45.0, 5.0), None),
        (PPercent(10), (60.0,), 6.0),
        # 10/50 · 60 - 5
        (PriorPosterior(10, 50), (60.0, 35.0, 5.0), 7.0),
        (PriorPosterior(10, 50), (50.0, 40.0, 10.0), None),
    ],
)
def test_rule_and_level(rule: Rule, contributions: tuple[float, ...], level: float | None):
    assert rule.level(cell(*contributions)) == (None if level is None else pytest.approx(level))


def test_nobody_is_protected_where_there_is_nobody_or_nothing():
    assert MinimumFrequency(3).level(Cell(("a",), 0.0, 0, ())) is None
    assert MinimumFrequency(3).level(Cell(("a",), 0.0, 1, (0.0,))) == 0
    for rule in (Dominance(1, 85), PPercent(10), PriorPosterior(10, 50)):
        assert rule.level(Cell(("a",), 0.0, 1, (0.0,))) is None


def test_the_largest_contributions_are_enough():
    assert PPercent(10).level(Cell(("a",), 100.0, 40, (60.0, 35.0))) == pytest.approx(1.0)
    assert Dominance(1, 85).level(Cell(("a",), 100.0, 1)) == pytest.approx(100 / 85 * 100 - 100)


def test_a_count_that_is_not_told_may_be_left_to_the_producer():
    (rule,) = rules_of([("minimum_frequency", {"of": "points", "at_least": 3, "unknown": "shown"})]).rules
    assert rule.level(Cell(("a",), 50.0)) is None
    assert rule.level(Cell(("a",), 50.0, 2)) == pytest.approx(5.0)
    (strict,) = rules_of([("minimum_frequency", {"of": "points", "at_least": 3})]).rules
    with pytest.raises(ConfigurationError, match="lacks the count of points"):
        strict.level(Cell(("a",), 50.0))


@pytest.mark.parametrize(
    ("rule", "one", "words"),
    [
        (MinimumFrequency(3, "cards"), Cell(("a",), 1.0), "lacks the count of cards"),
        (Dominance(1, 85), Cell(("a",), 1.0, 4), "lacks the largest contributions"),
        (Dominance(3, 85), Cell(("a",), 100.0, 4, (60.0, 35.0)), "lacks the largest contributions"),
        (PPercent(10), Cell(("a",), 100.0, 4, (60.0,)), "lacks the largest contributions"),
    ],
)
def test_what_a_rule_cannot_judge_is_refused_without_its_parameters(rule: Rule, one: Cell, words: str):
    with pytest.raises(ConfigurationError, match=words) as refused:
        rule.level(one)
    assert not any(character in str(refused.value) for character in "0123456789")


def test_a_cell_is_unsafe_by_any_rule_and_protected_as_by_all():
    cells = [
        Cell(("a",), 100.0, 3, (86.0, 7.0, 7.0)),
        Cell(("b",), 100.0, 2, (86.0, 14.0)),
        Cell(("c",), 100.0, 3, (40.0, 30.0, 30.0)),
        Cell(("d",), None),
    ]
    found = judge(Table.of(cells, [FLAT]), [MinimumFrequency(3), Dominance(1, 85), PPercent(10)])
    assert found.unsafe.tolist() == [True, True, False, True]
    # p%: 8.6 - 7, then frequency: 10; nothing is asked for what is safe, or hidden by the producer.
    assert found.upper == pytest.approx([1.6, 10.0, 0.0, 0.0])
    assert found.lower == pytest.approx([1.6, 10.0, 0.0, 0.0])
    assert found.count == 3


def test_the_lower_level_is_no_more_than_the_value():
    found = judge(Table.of([Cell(("a",), 100.0, 1)], [FLAT]), [Dominance(1, 20)])
    assert (found.upper[0], found.lower[0]) == (400.0, 100.0)


def test_other_units_than_the_contributors_are_counted():
    table = Table.of([Cell(("a",), 100.0, 9), Cell(("b",), 100.0, 9)], [FLAT])
    rule = MinimumFrequency(11, "cards")
    found = judge(table, [MinimumFrequency(3, "merchants"), rule], {"cards": [50, 10]}, "merchants")
    assert found.unsafe.tolist() == [False, True]
    with pytest.raises(ConfigurationError, match="no count of cards"):
        judge(table, [rule], contributors="merchants")


def test_holdings_group_contributors_before_a_rule_judges():
    value, frequency, contributions, holders = grouped([40.0, 30.0, 20.0, 10.0], ["x", "y", "x", "y"])
    assert (value, frequency, contributions, holders) == (100.0, 2, (60.0, 40.0), ("x", "y"))
    assert grouped([10.0, 30.0]) == (40.0, 2, (30.0, 10.0), None)
    # X̂ - w1·x1 - w2·x2: the largest is the largest once weighted.
    assert grouped([10.0, 30.0], ["x", "y"], [5.0, 1.0]) == (80.0, 2, (50.0, 30.0), ("x", "y"))


def test_rules_are_read_from_the_block_of_a_card():
    entries = [
        ("minimum_frequency", {"of": "merchants", "at_least": 3}),
        ("dominance", {"n": 1, "k_pct": 85}),
        ("p_percent", {"p_pct": 10}),
        ("pq", {"p_pct": 10, "q_pct": 50}),
        ("holdings", {"by": "siren_group"}),
    ]
    assert rules_of(entries) == Rules(
        (MinimumFrequency(3, "merchants"), Dominance(1, 85.0), PPercent(10.0), PriorPosterior(10.0, 50.0)),
        "siren_group",
    )
    with pytest.raises(ConfigurationError, match="no rule magic"):
        rules_of([("magic", {})])


def test_no_parameter_nor_level_is_in_a_repr():
    rules = rules_of([("minimum_frequency", {"at_least": 37}), ("dominance", {"n": 47, "k_pct": 57})])
    more = rules_of([("p_percent", {"p_pct": 67}), ("pq", {"p_pct": 77, "q_pct": 87})])
    found = judge(Table.of([Cell(("a",), 100.0, 1)], [FLAT]), rules.rules)
    text = repr((rules, more, found))
    assert not any(digit in text for digit in "0123456789")
    assert isinstance(found.unsafe, np.ndarray)
