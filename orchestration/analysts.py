"""The analysts' copy: marts and ledger in one DuckDB file, replaced by one rename, open to any reader at any time.

An allow-list of tables is copied (copying a whole database would take views and their paths along: pitfall L7). What
has not changed since the last copy is not copied again: each table is taken under its content keys. The copy belongs to
the internal audience: what a source does not let the authority see (any more) is in it neither as rows, nor as columns,
nor as refused records, nor in blocks of the file that tables have left.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from exports.lineage import Lineage
from exports.terms import rows_without
from orchestration.marts import MartNode
from orchestration.workspace import Workspace
from raw_sources.boundaries import boundary
from raw_sources.database import connect, identifier, literal

OPS_TABLES = ("ledger", "rejects", "malformed", "deliveries", "territory")
OPS_RECORDS = ("rejects", "malformed")  # those that hold records of sources, and not only counts
STORAGE_VERSION = "v1.0.0"  # older clients and the browser build can open it


@dataclass(frozen=True)
class View:
    """A mart as the authority may see it: its columns, and the sources whose rows are left out by which columns."""

    columns: tuple[str, ...]
    withheld: tuple[tuple[str, tuple[str, ...]], ...] = ()


def whole(node: MartNode) -> View:
    """Return the view of a mart that nothing is left out of."""
    return View(tuple(column.name for column in node.mart.columns))


def view_of(node: MartNode, lineage: Lineage, withheld: Collection[str]) -> View:
    """Return the view of a mart without what the sources ``withheld`` bear on.

    Their rows are left out where a column tells which they are; a column on which they bear otherwise, or of which
    nothing is known, is hidden.
    """
    names = [column.name for column in node.mart.columns]
    origins = {name: [one for one in lineage.columns.get(name, ()) if one.source in withheld] for name in names}
    hidden = {name for name, found in origins.items() if any(one.teller not in names for one in found)}
    tellers: dict[str, set[str]] = {}
    for one in (one for found in origins.values() for one in found if one.teller in names):
        tellers.setdefault(one.source, set()).add(str(one.teller))
    shown = tuple(name for name in names if name in lineage.columns and name not in hidden)
    return View(shown, tuple((source, tuple(sorted(found))) for source, found in sorted(tellers.items())))


def refresh(
    workspace: Workspace,
    marts: Iterable[MartNode],
    view: Callable[[MartNode], View] = whole,
    withheld: Collection[str] = (),
) -> Path:
    """Bring the analysts' copy up to date with the warehouse and return its path.

    ``view`` is asked of marts that are built, once each; of the sources ``withheld`` no refused record is copied.
    """
    target = workspace.analysts_copy
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.draft")
    draft.unlink(missing_ok=True)
    if target.is_file():
        shutil.copyfile(target, draft)
    with connect(None, workspace.duckdb) as connection:
        connection.execute(f"attach {literal(str(workspace.warehouse))} as warehouse (read_only)")
        _open_draft(connection, draft, sorted(withheld))
        changed = _copy_marts(connection, marts, view)
        changed += _copy_ops(connection, withheld)
        connection.execute("detach analysts")
    if changed or not target.is_file():
        boundary("analysts.switch.before")
        draft.replace(target)
        boundary("analysts.switch.after")
    draft.unlink(missing_ok=True)
    return target


def _open_draft(connection: duckdb.DuckDBPyConnection, draft: Path, withheld: list[str]) -> None:
    """Attach the draft as ``analysts``; a copy made while other sources were withheld is begun anew.

    Dropping tables would leave their rows in the file.
    """
    attach = f"attach {literal(str(draft))} as analysts (storage_version {literal(STORAGE_VERSION)})"
    connection.execute(attach)
    if _withheld_before(connection) != withheld:
        connection.execute("detach analysts")
        draft.unlink()
        connection.execute(attach)
    connection.execute("create schema if not exists analysts.halle")
    connection.execute("create table if not exists analysts.halle.copied (relation varchar, content varchar)")
    connection.execute("create table if not exists analysts.halle.withheld (source varchar)")
    if _withheld_before(connection) != withheld:
        connection.execute("insert into analysts.halle.withheld select unnest(?)", [withheld])


def _withheld_before(connection: duckdb.DuckDBPyConnection) -> list[str]:
    if not _exists(connection, "analysts", "withheld", schema="halle"):
        return []
    return [row[0] for row in connection.execute("select source from analysts.halle.withheld order by 1").fetchall()]


def _copy_marts(
    connection: duckdb.DuckDBPyConnection, marts: Iterable[MartNode], view: Callable[[MartNode], View]
) -> int:
    copied = dict(connection.execute("select relation, content from analysts.halle.copied").fetchall())
    changed = 0
    for node in marts:
        content = _content(connection, node)
        if content is None:
            continue
        shown = view(node)
        content += "" if shown == whole(node) else f" {shown}"
        if copied.get(node.key) != content:
            _copy_mart(connection, node, shown)
            connection.execute("delete from analysts.halle.copied where relation = ?", [node.key])
            connection.execute("insert into analysts.halle.copied values (?, ?)", [node.key, content])
            changed += 1
    return changed


def _content(connection: duckdb.DuckDBPyConnection, node: MartNode) -> str | None:
    found = connection.execute(
        "select md5(string_agg(concat(part, ' ', code_key, ' ', content_key), '|' order by part)) "
        "from warehouse.ops.build_keys where model = ?",
        [node.mart.name],
    ).fetchone()
    return None if found is None else found[0]


def _copy_mart(connection: duckdb.DuckDBPyConnection, node: MartNode, shown: View) -> None:
    mart = node.mart
    relation = f"analysts.{identifier(mart.theme)}.{identifier(mart.name)}"
    names = ", ".join(map(identifier, shown.columns))
    source = rows_without(f"warehouse.{mart.relation}", shown.withheld)
    connection.execute("begin")
    connection.execute(f"create schema if not exists analysts.{identifier(mart.theme)}")
    connection.execute(f"drop table if exists {relation}")
    if shown.columns:
        connection.execute(f"create table {relation} as select {names} from {source}")
    for column in (column for column in mart.columns if column.name in shown.columns):
        unit = f" [{column.unit}]" if column.unit else ""
        comment = f"{column.description_fr} / {column.description_en}{unit}"
        connection.execute(f"comment on column {relation}.{identifier(column.name)} is {literal(comment)}")
    connection.execute("commit")


def _copy_ops(connection: duckdb.DuckDBPyConnection, withheld: Collection[str]) -> int:
    connection.execute("create schema if not exists analysts.ops")
    changed = 0
    for name in OPS_TABLES:
        if not _exists(connection, "warehouse", name):
            continue
        ours, theirs = f"analysts.ops.{identifier(name)}", f"warehouse.ops.{identifier(name)}"
        if name in OPS_RECORDS:
            theirs = rows_without(theirs, [(source, ("source",)) for source in withheld])
        same = _exists(connection, "analysts", name) and _digest(connection, ours) == _digest(connection, theirs)
        if not same:
            connection.execute(f"create or replace table {ours} as select * from {theirs}")
            changed += 1
    return changed


def _exists(connection: duckdb.DuckDBPyConnection, catalog: str, name: str, schema: str = "ops") -> bool:
    found = connection.execute(
        "select 1 from information_schema.tables where table_catalog = ? and table_schema = ? and table_name = ?",
        [catalog, schema, name],
    ).fetchone()
    return found is not None


def _digest(connection: duckdb.DuckDBPyConnection, relation: str) -> tuple[object, ...] | None:
    counted = f"select count(*), sum(cast(hash(rows) as hugeint)) from {relation} as rows"
    return connection.execute(counted).fetchone()
