"""The model of tables: hierarchies, equations, sums that must hold, tables that share cells."""

from __future__ import annotations

import math

import pytest

from exports.disclosure.table import Cell, Equation, Hierarchy, Table
from raw_sources.errors import ConfigurationError

SPACE = Hierarchy("space", {"north": "all", "south": "all", "01": "north", "02": "north", "03": "south"}, "all")
MONTHS = Hierarchy.flat("month", ["m1", "m2"], "year")


def square(**changes: float | None) -> Table:
    """Two rows and two columns with their totals."""
    values = {"a1": 1.0, "a2": 2.0, "aT": 3.0, "b1": 3.0, "b2": 4.0, "bT": 7.0, "T1": 4.0, "T2": 6.0, "TT": 10.0}
    cells = [Cell((key[0], key[1]), value) for key, value in {**values, **changes}.items()]
    return Table.of(cells, [Hierarchy.flat("row", "ab", "T"), Hierarchy.flat("column", "12", "T")])


def test_a_hierarchy_knows_levels_and_children():
    assert SPACE.codes[0] == "all"
    assert SPACE.levels == {"all": 0, "north": 1, "south": 1, "01": 2, "02": 2, "03": 2}
    assert SPACE.children["north"] == ("01", "02")
    assert Hierarchy.flat("x", ["b", "a", "b"]).codes == ("b", "a")
    assert Hierarchy.flat("x", ["a"]).children == {}


@pytest.mark.parametrize(
    ("parents", "total", "words"),
    [
        ({"a": "b", "b": "c", "c": "b"}, None, "b → c → b are each other's parents"),
        ({"a": "a"}, None, "a → a"),
        ({"a": "all", "b": "c"}, "all", "code c has no parent"),
        ({"a": "all", "all": "world"}, "all", "has (a|no) parent"),
    ],
)
def test_a_hierarchy_that_is_none_is_refused(parents: dict[str, str], total: str | None, words: str):
    with pytest.raises(ConfigurationError, match=words):
        Hierarchy("space", parents, total)


def test_each_total_has_one_equation_per_dimension_with_its_complete_children():
    table = square()
    named = {
        (table.cells[one.total].codes, tuple(table.cells[c].codes for c in one.children)) for one in table.equations
    }
    assert len(named) == len(table.equations) == 6
    assert (("T", "1"), (("a", "1"), ("b", "1"))) in named
    assert (("T", "T"), (("T", "1"), ("T", "2"))) in named
    assert (("T", "T"), (("a", "T"), ("b", "T"))) in named
    assert all(table.equations_of[table.index["a", "1"]].count(place) == 1 for place in table.equations_of[0])
    assert len(table.equations_of[table.index["T", "T"]]) == 2


def test_a_total_that_is_not_published_gives_no_equation_and_an_absent_child_is_zero():
    cells = [Cell(("north", "m1"), 5.0), Cell(("01", "m1"), 5.0), Cell(("03", "m1"), 2.0)]
    table = Table.of(cells, [SPACE, MONTHS])
    assert table.equations == (Equation(0, (1,)),)
    table.refuse_differences()


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([Cell(("04", "m1"), 1.0)], "04 is not in the hierarchy space"),
        ([Cell(("01",), 1.0)], "1 codes for 2 dimensions"),
        ([Cell(("01", "m1"), 1.0), Cell(("01", "m1"), 1.0)], "Two cells have the codes 01, m1"),
        ([Cell(("01", "m1"), -1.0)], "has the value -1"),
        ([Cell(("01", "m1"), math.nan)], "has the value nan"),
        ([Cell(("01", "m1"), math.inf)], "has the value inf"),
    ],
)
def test_cells_that_fit_no_table_are_refused(cells: list[Cell], words: str):
    with pytest.raises(ConfigurationError, match=words):
        Table.of(cells, [SPACE, MONTHS])


def test_a_table_that_does_not_add_up_is_refused_with_the_total_and_the_difference():
    square().refuse_differences()
    square(TT=10.0 + 1e-9).refuse_differences()
    with pytest.raises(ConfigurationError, match=r"total row=T, column=1 differs by 0.5"):
        square(T1=4.5, TT=10.5).refuse_differences()


def test_hidden_values_are_unknown_and_their_total_is_no_less_than_what_is_known():
    table = square(a1=None)
    assert table.unknown[table.index["a", "1"]]
    assert table.unknown.sum() == 1
    table.refuse_differences()
    with pytest.raises(ConfigurationError, match="row=T, column=1 differs by -1"):
        square(a1=None, b1=5.0, bT=9.0, TT=12.0).refuse_differences()


def test_a_cell_that_is_not_published_is_unknown():
    table = Table.of([Cell(("01", "m1"), 1.0, published=False)], [SPACE, MONTHS])
    assert table.unknown.all()


def test_linked_tables_share_the_cells_that_are_the_same():
    by_month = Table.of(
        [Cell(("all", month), value) for month, value in (("m1", 4.0), ("m2", 6.0), ("year", 10.0))], [SPACE, MONTHS]
    )
    by_region = Table.of(
        [Cell((code,), value, 9) for code, value in (("north", 7.0), ("south", 3.0), ("all", 10.0))], [SPACE]
    )
    table = Table.linked([by_month, by_region])
    assert table.names == ("space", "month")
    assert len(table) == 5
    total = table.index["all", "year"]
    assert table.frequencies[total] == 9
    assert [equation.total for equation in table.equations] == [total, total]
    table.refuse_differences()
    assert len(Table.linked([table, table]).equations) == 2


def test_linked_tables_that_disagree_are_refused():
    one, other = (Table.of([Cell(("all",), value)], [SPACE]) for value in (10.0, 11.0))
    with pytest.raises(ConfigurationError, match="give 10 and 11"):
        Table.linked([one, other])
    flat = Table.of([Cell(("all",), 10.0)], [Hierarchy.flat("space", ["01"], "all")])
    with pytest.raises(ConfigurationError, match="different hierarchies space"):
        Table.linked([one, flat])


def test_what_either_of_linked_tables_knows_is_kept():
    hidden = Table.of([Cell(("all",), None)], [SPACE])
    known = Table.of([Cell(("all",), 10.0, 2, (6.0, 4.0), holders=("x", "y"))], [SPACE])
    cell = Table.linked([hidden, known]).cells[0]
    assert (cell.value, cell.frequency, cell.contributions, cell.holders) == (10.0, 2, (6.0, 4.0), ("x", "y"))
    assert "holders" not in repr(cell)
