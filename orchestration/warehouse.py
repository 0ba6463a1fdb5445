"""The warehouse's own tables: schemas, the views over raw Parquet, deliveries, the territory's facts, build keys.

What dbt makes of them is in ``dbt_project``; this module prepares what dbt reads and never touches a model's table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from orchestration.workspace import Workspace
from raw_sources.card import Card
from raw_sources.database import identifier, literal
from raw_sources.landing import Receipt
from raw_sources.loading import Loaded
from raw_sources.territory import Territory

SCHEMAS = ("raw", "ops", "staging", "intermediate")

TABLES = Path(__file__).with_name("warehouse.sql")


@dataclass(frozen=True)
class Delivery:
    """A landed delivery, its place in the order of its source and what reading it gave."""

    order: int
    receipt: Receipt
    loaded: Loaded


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the schemas and the tables that dbt reads, where they do not exist yet."""
    for schema in SCHEMAS:
        connection.execute(f"create schema if not exists {identifier(schema)}")
    connection.execute(TABLES.read_text(encoding="utf-8"))


def show_raw(connection: duckdb.DuckDBPyConnection, card: Card, raw_root: Path, deliveries: Iterable[Delivery]) -> None:
    """Point the view ``raw.<table>`` at the loaded deliveries, or at an empty relation with the card's columns."""
    files = [
        raw_root / card.raw_table / f"{delivery.receipt.delivery_id}.parquet"
        for delivery in deliveries
        if delivery.loaded.status == "loaded"
    ]
    columns = [*(column.name for column in card.loaded_columns), "_extra", "_delivery_id", "_record_no"]
    chosen = ", ".join(identifier(name) for name in columns)
    if files:
        listed = ", ".join(literal(str(file)) for file in files)
        body = f"select {chosen} from read_parquet([{listed}])"
    else:
        types = {name: "bigint" if name == "_record_no" else "varchar" for name in columns}
        body = "select " + ", ".join(f"cast(null as {types[n]}) as {identifier(n)}" for n in columns) + " where false"
    connection.execute(f"create or replace view raw.{identifier(card.raw_table)} as {body}")


def show_malformed(
    connection: duckdb.DuckDBPyConnection,
    cards: Mapping[str, Card],
    workspace: Workspace,
    deliveries: Iterable[Delivery],
) -> None:
    """Bring ``ops.malformed`` in line with the loaded deliveries."""
    connection.execute(
        "create or replace table ops.malformed (source varchar, delivery_id varchar, record_no bigint, "
        "line_no bigint, byte_offset bigint, reason varchar, text varchar)"
    )
    for delivery in deliveries:
        if delivery.loaded.malformed:
            source, delivery_id = delivery.receipt.source, delivery.receipt.delivery_id
            file = workspace.raw_of(source) / cards[source].raw_table / f"{delivery_id}.malformed.parquet"
            connection.execute(
                "insert into ops.malformed select ?, _delivery_id, _record_no, line_no, byte_offset, reason, text "
                "from read_parquet(?)",
                [source, str(file)],
            )


def record_deliveries(connection: duckdb.DuckDBPyConnection, deliveries: Iterable[Delivery]) -> None:
    """Replace ``ops.deliveries`` by the state of the landing."""
    rows = [_delivery_row(delivery) for delivery in deliveries]
    connection.execute("delete from ops.deliveries")
    if rows:
        marks = ", ".join("?" for _ in rows[0])
        connection.executemany(f"insert into ops.deliveries values ({marks})", rows)


def _is_partial(delivery: Delivery) -> bool:
    """Tell whether what the delivery lacks may still be there: it is a page, or some of its records were unreadable."""
    return delivery.receipt.partial or delivery.loaded.malformed > 0


def _delivery_row(delivery: Delivery) -> list[object]:
    receipt, loaded = delivery.receipt, delivery.loaded
    return [
        receipt.source,
        receipt.delivery_id,
        delivery.order,
        receipt.file_name,
        receipt.sha256,
        receipt.received_at,
        receipt.file_date,
        _is_partial(delivery),
        loaded.status,
        loaded.reason,
        loaded.layout,
        loaded.key,
        loaded.records_read,
        loaded.raw_rows,
        loaded.malformed,
        ", ".join(loaded.extra) or None,
        ", ".join(loaded.missing) or None,
    ]


def record_territory(connection: duckdb.DuckDBPyConnection, territory: Territory, as_of: date) -> None:
    """Replace the one row of ``ops.territory``, and the communes of ``ops.territory_communes``."""
    min_lon, min_lat, max_lon, max_lat = territory.bbox
    connection.execute("delete from ops.territory")
    connection.execute(
        "insert into ops.territory values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            territory.name,
            territory.siren,
            territory.time_zone,
            min_lon,
            min_lat,
            max_lon,
            max_lat,
            territory.reach_m,
            as_of,
            territory.synthetic,
        ],
    )
    connection.execute("delete from ops.territory_communes")
    for code in territory.communes:
        connection.execute("insert into ops.territory_communes values (?, ?)", [territory.communes_vintage, code])


def record_sources(connection: duckdb.DuckDBPyConnection, cards: Iterable[Card], enabled: Iterable[str]) -> None:
    """Replace ``ops.sources``: what the cards say of each source."""
    chosen = set(enabled)
    connection.execute("delete from ops.sources")
    for card in cards:
        connection.execute(
            "insert into ops.sources values (?, ?, ?, ?, ?, ?)",
            [card.source, card.theme, card.family, card.time_zone, card.repeated_hour, card.source in chosen],
        )


def record_mart_sources(connection: duckdb.DuckDBPyConnection, sources: Mapping[str, Iterable[str]]) -> None:
    """Replace ``ops.mart_sources``: for each mart, the sources in its lineage."""
    connection.execute("delete from ops.mart_sources")
    for mart, names in sources.items():
        for name in names:
            connection.execute("insert into ops.mart_sources values (?, ?)", [mart, name])


def record_last_release(connection: duckdb.DuckDBPyConnection, rows: Iterable[tuple[str, str, str, int]]) -> None:
    """Replace ``ops.last_release``: (mart, source, period, rows) of the releases that stand."""
    connection.execute("delete from ops.last_release")
    for row in rows:
        connection.execute("insert into ops.last_release values (?, ?, ?, ?)", list(row))
