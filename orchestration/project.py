"""What a run is about: the territory, its cards, suites and export cards, found in the product and in its own folder.

Reads declarations only; nothing here receives, builds or publishes. Heavy libraries stay out: the command line loads
this before it knows whether there is anything to do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from expectations.suite import Suite, read_suite
from exports.card import ExportCard, load_export_cards
from orchestration.themes import active_themes
from orchestration.workspace import PROJECT
from raw_sources.agreements import PARTNER
from raw_sources.card import Card, as_mapped, load_cards
from raw_sources.decisions import Decision, has_decisions, read_decisions
from raw_sources.errors import ConfigurationError
from raw_sources.files import canonical_json
from raw_sources.territory import Territory, read_territory

SAMPLE_TERRITORY = PROJECT / "raw_sources" / "sample" / "territory"
TOLERANCES = "tolerances"


@dataclass(frozen=True)
class Project:
    """A territory with every declaration that applies to it."""

    territory: Territory
    cards: dict[str, Card]

    @property
    def enabled(self) -> dict[str, Card]:
        """The cards of the sources that the territory enables, by source."""
        return {source: self.cards[source] for source in sorted(self.territory.feeds)}

    @property
    def themes(self) -> list[str]:
        """The themes of the enabled sources."""
        return sorted({card.theme for card in self.enabled.values()})

    @cached_property
    def active_themes(self) -> frozenset[str]:
        """The themes that a run builds: those of the enabled sources, and those whose models these read."""
        return self.themes_read_by(self.themes)

    def themes_read_by(self, themes: Collection[str]) -> frozenset[str]:
        """Return ``themes`` and those whose models theirs read."""
        folders = [PROJECT / "dbt_project" / "models", self.territory.models_folder]
        return active_themes(themes, folders, PROJECT / "dbt_project" / "macros")

    @cached_property
    def suites(self) -> dict[str, Suite]:
        """The suites of the active themes, by mart (``theme.name``)."""
        paths = declared(PROJECT / "expectations", self.territory.suites_folder)
        paths = [path for path in paths if path.parent.name in self.active_themes]
        suites: dict[str, Suite] = {}
        for path in paths:
            suite = read_suite(path, self._tolerances(path), self._facts())
            if suite.mart in suites:
                raise ConfigurationError(
                    f"the mart {suite.mart} has a suite already.",
                    where=str(path),
                    hint="A territory adds marts with their suites; exceptions to a suite go into its tolerances/.",
                )
            suites[suite.mart] = suite
        return suites

    def _facts(self) -> str:
        """Return what the suites judge by besides the data: the box, the reach and the legal time of the territory."""
        territory = self.territory
        return canonical_json([*territory.bbox, territory.reach_m, territory.time_zone])

    def _tolerances(self, suite: Path) -> Path | None:
        """Return the territory's tolerated exceptions to a suite: ``tolerances/<theme>/<mart>.yml`` in its folder."""
        path = self.territory.folder / TOLERANCES / suite.parent.name / suite.name
        return path if path.is_file() else None

    @cached_property
    def export_cards(self) -> dict[str, ExportCard]:
        """The export cards of the active themes, by slug."""
        cards = self._all_export_cards
        return {slug: card for slug, card in cards.items() if card.mart.partition(".")[0] in self.active_themes}

    @cached_property
    def _all_export_cards(self) -> dict[str, ExportCard]:
        return load_export_cards(_existing([PROJECT / "exports", self.territory.exports_folder]))

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """The authority's decisions to share datasets with partners.

        Raises ConfigurationError (file, line, field) for a dataset that nobody publishes, or that no partner may have.
        """
        if not has_decisions(self.territory.folder):
            return ()
        offered = {slug: PARTNER in card.audiences for slug, card in self._all_export_cards.items()}
        return read_decisions(self.territory.folder, offered)

    def card(self, source: str) -> Card:
        """Return the card of an enabled source; raises ConfigurationError for any other name."""
        if source not in self.territory.feeds:
            known = ", ".join(sorted(self.territory.feeds))
            raise ConfigurationError(
                f"the territory {self.territory.name!r} has no source {source!r}.", hint=f"Its sources: {known}."
            )
        return self.cards[source]


def declared(*folders: Path) -> list[Path]:
    """Return the declarations ``<folder>/<theme>/*.yml`` of several rooms, sorted within each."""
    return [path for folder in folders for path in sorted(folder.glob("*/*.yml"))]


def card_folders(territory: Territory | None) -> list[Path]:
    """Return the folders that hold cards: the product's, then the territory's own."""
    own = [territory.cards_folder] if territory is not None else []
    return _existing([PROJECT / "raw_sources", *own])


def _existing(folders: Iterable[Path]) -> list[Path]:
    return [folder for folder in folders if folder.is_dir()]


def load_project(folder: Path) -> Project:
    """Read the territory in ``folder`` and its cards; raises ConfigurationError naming file, line and field."""
    if not (folder / "territory.yml").is_file():
        raise ConfigurationError(
            "there is no territory.yml here.",
            where=str(folder),
            hint="Give --territory a folder that holds one; raw_sources/territories/paris is an example.",
        )
    territory = read_territory(folder)
    cards = load_cards(card_folders(territory))
    offered = {source: card.feed for source, card in cards.items() if card.feed is not None}
    asked = {source: card.questions for source, card in cards.items()}
    territory = read_territory(folder, known_sources=cards, offered=offered, asked=asked)
    mapped = {source: as_mapped(cards[source], feed) for source, feed in territory.feeds.items()}
    project = Project(territory, cards | mapped)
    _ = project.decisions  # one that cannot be used is told before anything is received
    return project


def known_themes(projects: Sequence[Project]) -> list[str]:
    """Return the themes of several projects, without repetition."""
    return sorted({theme for project in projects for theme in project.themes})
