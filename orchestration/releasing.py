"""From a certified mart to the published tree: gathers what a release has to say of its territory and sources.

Files, gates and the switch of the tree belong to ``exports``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from exports.candidate import build_candidate
from exports.card import ExportCard
from exports.log import ReleaseLog
from exports.metadata import Context, Publisher, SourceNote
from exports.plan import Gate
from exports.release import Release, publish
from orchestration.marts import MartNode
from orchestration.project import Project
from orchestration.workspace import Workspace
from raw_sources.card import Card
from raw_sources.database import connect
from raw_sources.errors import ConfigurationError, GateClosed


def context(project: Project, node: MartNode, as_of: date) -> Context:
    """Return what a release says besides its rows; synthetic data credit nobody but the generator."""
    territory = project.territory
    credited = [name for name in _delivering(project, node) if may_leave(project.cards[name])]
    notes = [] if territory.synthetic else [source_note(project.cards[name]) for name in credited]
    return Context(
        territory=territory.name,
        title_fr=territory.title_fr,
        title_en=territory.title_en,
        publisher=Publisher(territory.publisher_name, territory.publisher_siren, territory.contact),
        base_url=territory.base_url,
        as_of=as_of,
        synthetic=territory.synthetic,
        sources=tuple(notes),
        bbox=territory.bbox if territory.has_box else None,
        time_zone=territory.time_zone,
        withheld=tuple(
            (name, name in node.row_sources)
            for name in _delivering(project, node)
            if not may_leave(project.cards[name])
        ),
    )


def may_leave(card: Card) -> bool:
    """Tell whether single records of a source may be published: its card names the public, and that grain."""
    return "public" in card.sharing["audiences"] and card.sharing["grain"] == "record"


def _delivering(project: Project, node: MartNode) -> list[str]:
    return [source for source in node.lineage if source in project.territory.feeds]


def source_note(card: Card) -> SourceNote:
    """Return the credit that a source asks for."""
    return SourceNote(card.source, card.title_fr, card.producer, card.licence, card.attribution, card.homepage)


def mart_of(card: ExportCard, marts: Mapping[str, MartNode]) -> MartNode:
    """Return the mart that an export card publishes; raises ConfigurationError when no model builds it."""
    if card.mart not in marts:
        raise ConfigurationError(
            f"no model builds the mart {card.mart!r}.",
            where=str(card.path),
            hint=f"Marts: {', '.join(sorted(marts))}.",
        )
    return marts[card.mart]


def release(project: Project, workspace: Workspace, card: ExportCard, node: MartNode, as_of: date) -> Release:
    """Publish the mart under its card if its present content is certified.

    Raises GateClosed when it is not, NothingToRelease when the mart is empty.
    """
    suite = project.suites.get(node.key)
    if suite is None:
        raise GateClosed(f"the mart {node.key} has no suite.", where=str(card.path), hint="Write one in expectations/.")
    if not _is_built(node, workspace):
        raise GateClosed(f"the mart {node.key} has not been built yet.", hint="Run `halle run`.")
    log = ReleaseLog(workspace.releases)
    candidate = build_candidate(
        card,
        node.mart,
        context(project, node, as_of),
        workspace.warehouse,
        workspace.duckdb,
        Gate(workspace.validation, suite),
        workspace.data / "candidates",
        workspace.public,
        log,
    )
    return publish(candidate, workspace.public, log)


def _is_built(node: MartNode, workspace: Workspace) -> bool:
    if not workspace.warehouse.is_file():
        return False
    with connect(workspace.warehouse, workspace.duckdb) as connection:
        found = connection.execute(
            "select 1 from information_schema.tables where table_schema = ? and table_name = ?",
            [node.mart.theme, node.mart.name],
        ).fetchone()
    return found is not None
