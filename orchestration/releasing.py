"""From a certified mart to an audience's tree: gathers what a release has to say of its territory and sources.

For whom is decided in ``audiences``; the judgement, files, gates and the switch of the tree belong to ``exports``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from exports.candidate import build_candidate
from exports.card import ExportCard
from exports.lineage import Lineage
from exports.metadata import Context, Publisher, SourceNote
from exports.plan import Gate
from exports.release import Release, publish
from exports.terms import Terms
from orchestration.marts import MartNode
from orchestration.project import Project
from orchestration.withdrawing import release_log
from orchestration.workspace import Workspace
from raw_sources.agreements import PUBLIC
from raw_sources.card import Card
from raw_sources.database import connect
from raw_sources.errors import ConfigurationError, GateClosed


def context(project: Project, node: MartNode, as_of: date, audience: str = PUBLIC) -> Context:
    """Return what a release says besides its rows; synthetic data credit nobody but the generator."""
    territory = project.territory
    notes = [] if territory.synthetic else [source_note(project.cards[name]) for name in _delivering(project, node)]
    return Context(
        territory=territory.name,
        title_fr=territory.title_fr,
        title_en=territory.title_en,
        publisher=Publisher(territory.publisher_name, territory.publisher_siren, territory.contact),
        base_url=territory.base_url if audience == PUBLIC else f"{territory.base_url.rstrip('/')}/{audience}",
        as_of=as_of,
        synthetic=territory.synthetic,
        sources=tuple(notes),
        bbox=territory.bbox if territory.has_box else None,
        time_zone=territory.time_zone,
    )


def terms(
    project: Project,
    lineage: Lineage,
    audience: str,
    today: date,
    others: Mapping[str, Sequence[ExportCard]] | None = None,
) -> Terms:
    """Return what a release is judged by: the agreements of all sources that deliver to the territory.

    All, and not those that dbt's graph names: a model may read what it does not declare. ``others`` are the cards that
    let figures of a source out under secrecy as well (``beside``).
    """
    cards = project.enabled
    return Terms(
        audience=audience,
        today=today,
        lineage=lineage,
        agreements={source: card.agreement for source, card in cards.items()},
        licences={source: card.licence for source, card in cards.items()},
        families={source: card.family for source, card in cards.items()},
        personal={
            (source, column.name): column.personal_data
            for source, card in cards.items()
            for column in card.loaded_columns
            if column.personal_data != "none"
        },
        others=others or {},
    )


def beside(
    project: Project, marts: Mapping[str, MartNode], card: ExportCard, audience: str
) -> dict[str, list[ExportCard]]:
    """Return by source the other datasets of an audience in which figures leave under secrecy."""
    found: dict[str, list[ExportCard]] = {}
    for other in project.export_cards.values():
        if other.slug != card.slug and other.secrecy and audience in other.audiences and other.mart in marts:
            for source in _delivering(project, marts[other.mart]):
                found.setdefault(source, []).append(other)
    return found


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


def release(
    project: Project, workspace: Workspace, card: ExportCard, node: MartNode, as_of: date, agreed: Terms
) -> Release:
    """Publish the mart under its card to the audience of ``agreed``, if it may leave and its content is certified.

    Raises GateClosed when it may not or is not, NothingToRelease when the mart is empty.
    """
    suite = project.suites.get(node.key)
    if suite is None:
        raise GateClosed(f"the mart {node.key} has no suite.", where=str(card.path), hint="Write one in expectations/.")
    if not _is_built(node, workspace):
        raise GateClosed(f"the mart {node.key} has not been built yet.", hint="Run `halle run`.")
    log, tree = release_log(workspace, agreed.audience), workspace.tree_of(agreed.audience)
    candidate = build_candidate(
        card,
        node.mart,
        context(project, node, as_of, agreed.audience),
        agreed,
        workspace.warehouse,
        workspace.duckdb,
        Gate(workspace.validation, suite),
        workspace.candidates_of(agreed.audience),
        tree,
        log,
        workspace.secrets_of(agreed.audience),
    )
    return publish(candidate, tree, log)


def _is_built(node: MartNode, workspace: Workspace) -> bool:
    if not workspace.warehouse.is_file():
        return False
    with connect(workspace.warehouse, workspace.duckdb) as connection:
        found = connection.execute(
            "select 1 from information_schema.tables where table_schema = ? and table_name = ?",
            [node.mart.theme, node.mart.name],
        ).fetchone()
    return found is not None
