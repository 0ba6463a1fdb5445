"""The analysts' copy: marts and ledger in one DuckDB file, replaced by one rename, open to any reader at any time.

An allow-list of tables is copied (copying a whole database would take views and their paths along: pitfall L7). What
has not changed since the last copy is not copied again: each table is taken under its content keys.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import duckdb

from orchestration.marts import MartNode
from orchestration.workspace import Workspace
from raw_sources.boundaries import boundary
from raw_sources.database import connect, identifier, literal

OPS_TABLES = ("ledger", "rejects", "malformed", "deliveries", "territory")
STORAGE_VERSION = "v1.0.0"  # older clients and the browser build can open it


def refresh(workspace: Workspace, marts: Iterable[MartNode]) -> Path:
    """Bring the analysts' copy up to date with the warehouse and return its path."""
    target = workspace.analysts_copy
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.draft")
    draft.unlink(missing_ok=True)
    if target.is_file():
        shutil.copyfile(target, draft)
    with connect(None, workspace.duckdb) as connection:
        connection.execute(f"attach {literal(str(workspace.warehouse))} as warehouse (read_only)")
        connection.execute(f"attach {literal(str(draft))} as analysts (storage_version {literal(STORAGE_VERSION)})")
        changed = _copy_marts(connection, marts)
        changed += _copy_ops(connection)
        connection.execute("detach analysts")
    if changed or not target.is_file():
        boundary("analysts.switch.before")
        draft.replace(target)
        boundary("analysts.switch.after")
    draft.unlink(missing_ok=True)
    return target


def _copy_marts(connection: duckdb.DuckDBPyConnection, marts: Iterable[MartNode]) -> int:
    connection.execute("create schema if not exists analysts.halle")
    connection.execute("create table if not exists analysts.halle.copied (relation varchar, content varchar)")
    copied = dict(connection.execute("select relation, content from analysts.halle.copied").fetchall())
    changed = 0
    for node in marts:
        content = _content(connection, node)
        if content is not None and copied.get(node.key) != content:
            _copy_mart(connection, node)
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


def _copy_mart(connection: duckdb.DuckDBPyConnection, node: MartNode) -> None:
    mart = node.mart
    relation = f"analysts.{identifier(mart.theme)}.{identifier(mart.name)}"
    names = ", ".join(identifier(column.name) for column in mart.columns)
    connection.execute("begin")
    connection.execute(f"create schema if not exists analysts.{identifier(mart.theme)}")
    connection.execute(f"create or replace table {relation} as select {names} from warehouse.{mart.relation}")
    for column in mart.columns:
        unit = f" [{column.unit}]" if column.unit else ""
        comment = f"{column.description_fr} / {column.description_en}{unit}"
        connection.execute(f"comment on column {relation}.{identifier(column.name)} is {literal(comment)}")
    connection.execute("commit")


def _copy_ops(connection: duckdb.DuckDBPyConnection) -> int:
    connection.execute("create schema if not exists analysts.ops")
    changed = 0
    for name in OPS_TABLES:
        ours, theirs = f"analysts.ops.{identifier(name)}", f"warehouse.ops.{identifier(name)}"
        if not _exists(connection, "warehouse", name):
            continue
        same = _exists(connection, "analysts", name) and _digest(connection, ours) == _digest(connection, theirs)
        if not same:
            connection.execute(f"create or replace table {ours} as select * from {theirs}")
            changed += 1
    return changed


def _exists(connection: duckdb.DuckDBPyConnection, catalog: str, name: str) -> bool:
    found = connection.execute(
        "select 1 from information_schema.tables where table_catalog = ? and table_schema = 'ops' and table_name = ?",
        [catalog, name],
    ).fetchone()
    return found is not None


def _digest(connection: duckdb.DuckDBPyConnection, relation: str) -> tuple[object, ...] | None:
    counted = f"select count(*), sum(cast(hash(rows) as hugeint)) from {relation} as rows"
    return connection.execute(counted).fetchone()
