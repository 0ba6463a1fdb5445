"""The analysts' copy belongs to the internal audience: what the authority may not see is not in it, in no form."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from exports.lineage import Lineage, Origin
from exports.metadata import Mart, MartColumn
from orchestration import analysts
from orchestration.analysts import View, view_of, whole
from orchestration.marts import MartNode
from orchestration.workspace import Workspace
from raw_sources.database import connect

NAMES = ("source", "street", "flow", "speed")
STREET = "RUE-DU-SECRET-BIEN-GARDE"
LENT = ("lent",)


@pytest.fixture
def node() -> MartNode:
    columns = tuple(MartColumn(name, "varchar", None, name, name, name, name) for name in NAMES)
    return MartNode(Mart("mobility", "passages", "mobility.passages", columns, None), "model", (), ("lent", "open"))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "data")
    made.warehouse.parent.mkdir(parents=True)
    with connect(made.warehouse, made.duckdb) as connection:
        connection.execute("create schema mobility; create schema ops")
        connection.execute("create table mobility.passages (source varchar, street varchar, flow int, speed int)")
        connection.execute("insert into mobility.passages values ('open', 'Rue', 1, 2), ('lent', ?, 3, 4)", [STREET])
        connection.execute("create table ops.build_keys (model varchar, part varchar, code_key int, content_key int)")
        connection.execute("insert into ops.build_keys values ('passages', '*', 1, 1)")
        connection.execute("create table ops.rejects (source varchar, record varchar)")
        connection.execute("insert into ops.rejects values ('open', 'a'), ('lent', ?)", [STREET])
        connection.execute("create table ops.ledger (source varchar, records_read int)")
        connection.execute("insert into ops.ledger values ('open', 2), ('lent', 2)")
    return made


def lineage(**tellers: str | None) -> Lineage:
    """Return a lineage in which both sources bear on the columns named, the lent one told by their tellers."""
    origins = {
        name: frozenset({Origin("open", name, "value", "source", ()), Origin("lent", name, "value", teller, ())})
        for name, teller in tellers.items()
    }
    return Lineage("mobility.passages", origins)


def ask(workspace: Workspace, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(workspace.analysts_copy), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_rows_are_left_out_where_a_column_tells_them(node: MartNode):
    told = lineage(source="source", street="source", flow="source", speed="source")
    assert view_of(node, told, LENT) == View(NAMES, (("lent", ("source",)),))
    assert view_of(node, told, ()) == whole(node)


def test_a_column_that_cannot_be_told_apart_is_hidden(node: MartNode):
    assert view_of(node, lineage(source="source", street="source", flow=None, speed="tellerless"), LENT) == View(
        ("source", "street"), (("lent", ("source",)),)
    )
    assert view_of(node, lineage(source="source", street="source"), LENT).columns == ("source", "street")


def test_nothing_of_a_withheld_source_stays_in_the_file(node: MartNode, workspace: Workspace):
    analysts.refresh(workspace, [node])
    assert ask(workspace, "select count(*) from mobility.passages") == [(2,)]
    assert STREET.encode() in workspace.analysts_copy.read_bytes()
    shown = view_of(node, lineage(source="source", street="source", flow="source", speed=None), LENT)
    analysts.refresh(workspace, [node], lambda _: shown, LENT)
    assert ask(workspace, "select * from mobility.passages") == [("open", "Rue", 1)]
    assert ask(workspace, "select * from ops.rejects") == [("open", "a")]
    assert len(ask(workspace, "select * from ops.ledger")) == 2
    assert STREET.encode() not in workspace.analysts_copy.read_bytes()


def test_a_mart_without_a_column_to_show_is_left_out_and_comes_back(node: MartNode, workspace: Workspace):
    analysts.refresh(workspace, [node], lambda _: View(()), LENT)
    tables = "select table_name from information_schema.tables where table_schema = 'mobility'"
    assert ask(workspace, tables) == []
    analysts.refresh(workspace, [node])
    assert ask(workspace, tables) == [("passages",)]


def test_a_copy_under_the_same_terms_is_not_made_again(node: MartNode, workspace: Workspace):
    shown = View(("source", "street"), (("lent", ("source",)),))
    analysts.refresh(workspace, [node], lambda _: shown, LENT)
    before = workspace.analysts_copy.stat().st_mtime_ns
    analysts.refresh(workspace, [node], lambda _: shown, LENT)
    assert workspace.analysts_copy.stat().st_mtime_ns == before
