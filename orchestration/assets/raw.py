"""One asset per raw table, built from the cards: receives what is new and shows what the source holds.

How files are received and read is in ``orchestration.receiving``.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from orchestration.assets.names import owner, raw_key
from orchestration.project import Project
from orchestration.receiving import standing_refusals
from orchestration.run import Run
from orchestration.warehouse import Delivery
from raw_sources.card import Card
from raw_sources.files import sha256_text

ACCEPTED = "deliveries_accepted"
IN_TIME = "delivered_in_time"
KINDS = {"delimited": "csv", "json_records": "json", "geojson": "json"}


def raw_assets(project: Project) -> list[dg.AssetsDefinition]:
    """Return the raw assets of the enabled sources."""
    return [_raw_asset(project, card) for card in project.enabled.values()]


def _raw_asset(project: Project, card: Card) -> dg.AssetsDefinition:
    @dg.asset(
        key=raw_key(project.territory.name, card),
        group_name=card.theme,
        owners=sorted({owner(card.owner), owner(card.steward)}),
        kinds={"parquet", KINDS.get(card.layouts[0].form, card.layouts[0].form)},
        description=f"{card.title_fr} ({card.producer_name}).\n\n{card.description_en}",
        metadata={"card": card.source, "licence": card.licence, "homepage": dg.MetadataValue.url(card.homepage)},
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=_window(card)),
        check_specs=[
            dg.AssetCheckSpec(
                ACCEPTED,
                asset=raw_key(project.territory.name, card),
                description="No file was refused, and every address answered.",
            ),
            dg.AssetCheckSpec(
                IN_TIME,
                asset=raw_key(project.territory.name, card),
                description=f"The last delivery is not older than {card.late_after}, as the card expects.",
            ),
        ],
    )
    def receive(run: dg.ResourceParam[Run]) -> Iterator[dg.MaterializeResult[None]]:
        received, deliveries = run.receive(card.source)
        problems = [*received.refusals, *received.unreachable, *standing_refusals(deliveries)]
        yield dg.MaterializeResult(
            metadata=_metadata(card, deliveries, received.new),
            data_version=dg.DataVersion(_version(deliveries)),
            check_results=[
                dg.AssetCheckResult(
                    check_name=ACCEPTED, passed=not problems, metadata={"problems": "\n\n".join(problems) or "none"}
                ),
                _in_time(card, deliveries, run.now),
            ],
        )

    return receive


def _in_time(card: Card, deliveries: list[Delivery], now: datetime) -> dg.AssetCheckResult:
    """Judge the last delivery: the freshness policy only knows when a run last looked, not what it found."""
    last = max((one.receipt.received_at for one in deliveries), default=None)
    return dg.AssetCheckResult(
        check_name=IN_TIME,
        passed=last is None or now <= card.late_at(datetime.fromisoformat(last)),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"last delivery": last or "never", "late after": card.late_after},
    )


def _window(card: Card) -> timedelta:
    some_day = datetime(2000, 1, 1, tzinfo=UTC)
    return card.late_at(some_day) - some_day


def _version(deliveries: list[Delivery]) -> str:
    return sha256_text("\n".join(f"{one.receipt.delivery_id} {one.loaded.key}" for one in deliveries))[:16]


def _metadata(card: Card, deliveries: list[Delivery], new: int) -> dict[str, dg.MetadataValue | int | str]:
    loaded = [one for one in deliveries if one.loaded.status == "loaded"]
    columns = [dg.TableColumn(column.name, "text", description=column.description_en) for column in card.loaded_columns]
    return {
        "dagster/row_count": sum(one.loaded.raw_rows for one in loaded),
        "dagster/column_schema": dg.MetadataValue.table_schema(dg.TableSchema(columns)),
        "deliveries": len(loaded),
        "new deliveries": new,
        "records read": sum(one.loaded.records_read for one in loaded),
        "malformed records": sum(one.loaded.malformed for one in loaded),
        "size (bytes)": sum(one.receipt.bytes for one in loaded),
        "extra columns": ", ".join(sorted({name for one in loaded for name in one.loaded.extra})) or "none",
        "last deliveries": dg.MetadataValue.md(_table(deliveries[-10:])),
    }


def _table(deliveries: list[Delivery]) -> str:
    lines = ["| delivery | file | received | records | malformed |", "|---|---|---|---|---|"]
    for one in reversed(deliveries):
        receipt, loaded = one.receipt, one.loaded
        lines.append(
            f"| {receipt.delivery_id} | {receipt.file_name} | {receipt.received_at} "
            f"| {loaded.records_read} | {loaded.malformed} |"
        )
    return "\n".join(lines)
