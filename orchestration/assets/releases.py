"""One asset per published dataset.

The gate, the files and the switch of the tree belong to ``exports``; a blocking check protects only the run that it
belongs to (pitfall D1), so each release looks for its own certificate.
"""

from collections.abc import Iterator

import dagster as dg

from exports.card import ExportCard
from orchestration.assets.names import mart_key, owner, release_key
from orchestration.marts import MartNode
from orchestration.project import Project
from orchestration.releasing import mart_of
from orchestration.run import Run
from raw_sources.errors import HalleError


def release_assets(project: Project, marts: dict[str, MartNode]) -> list[dg.AssetsDefinition]:
    """Return the release assets of the export cards."""
    return [_release_asset(project, card, mart_of(card, marts)) for card in project.export_cards.values()]


def _release_asset(project: Project, card: ExportCard, node: MartNode) -> dg.AssetsDefinition:
    @dg.asset(
        key=release_key(project.territory.name, card),
        deps=[mart_key(project.territory.name, node)],
        group_name=node.mart.theme,
        owners=[owner(project.territory.publisher_name)],
        kinds={"parquet", "csv"},
        description=f"{card.title_fr}.\n\n{card.description_en}",
        metadata={"licence": card.licence, "frequency": card.frequency, "audiences": ", ".join(card.audiences)},
        output_required=False,
    )
    def publish(context: dg.AssetExecutionContext, run: dg.ResourceParam[Run]) -> Iterator[dg.MaterializeResult[None]]:
        try:
            released = run.release(card.slug)
        except HalleError as problem:
            run.note(f"{card.slug}: {problem}")
            raise dg.Failure(description=str(problem), allow_retries=False) from None
        if released is None:
            context.log.info("%s: the mart is empty, or withheld: nothing is released", card.slug)
            return
        yield dg.MaterializeResult(
            metadata={
                "dagster/row_count": released.rows,
                "release": released.release,
                "schema version": released.version,
                "previous release": released.previous or "none",
                "new": released.new,
                "folder": f"public/{released.folder}",
            },
            data_version=dg.DataVersion(released.release),
        )

    return publish
