"""One asset per published dataset, with its releases to all of its audiences.

The gate, the files and the switch of the tree belong to ``exports``; a blocking check protects only the run that it
belongs to (pitfall D1), so each release looks for its own certificate.
"""

from collections.abc import Iterator

import dagster as dg

from exports.card import ExportCard
from orchestration.assets.names import mart_key, owner, release_key
from orchestration.assets.origins import origins_table
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
                "releases": dg.MetadataValue.md(_by_audience(run, card)),
                "origins": origins_table(run.lineage(node), card.columns),
            },
            data_version=dg.DataVersion(released.release),
        )

    return publish


def _by_audience(run: Run, card: ExportCard) -> str:
    """Return a table of what was released to whom; the folder is that of DATA."""
    lines = [
        f"| {audience} | {one.rows} | {one.release} | {_folder(run, audience)}/{one.folder} |"
        for (audience, slug), one in run.shared.items()
        if slug == card.slug
    ]
    return "\n".join(["| audience | rows | release | folder |", "|---|---|---|---|", *lines])


def _folder(run: Run, audience: str) -> str:
    return run.workspace.tree_of(audience).relative_to(run.workspace.data).as_posix()
