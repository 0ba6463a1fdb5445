"""One run: what it was given, what it has done so far, and how it ended.

The steps that Dagster calls, in terms of the rooms below; each can be called again within the run at no cost. Dagster's
own objects are in ``assets`` and ``checks``, the command line in ``cli``. dbt, Great Expectations and the exports are
imported by the steps that need them: a run that finds nothing to do must not pay for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration import receiving
from orchestration.project import Project
from orchestration.receiving import Received
from orchestration.timing import Stopwatch
from orchestration.warehouse import Delivery
from orchestration.workspace import Workspace
from raw_sources.errors import HalleError

if TYPE_CHECKING:
    from expectations.certificate import Certificate
    from exports.release import Release
    from orchestration.dbt_runs import NodeResult
    from orchestration.marts import MartNode


def silent(_message: str) -> None:
    """Report progress to nobody."""


@dataclass
class Run:
    """A run over one territory. ``sources`` and ``themes`` limit what is received and built (None: everything).

    ``heard`` is what the territory's syndicate has already received in this process.
    """

    project: Project
    workspace: Workspace
    extracts: Path | None = None
    asked_as_of: date | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    sources: tuple[str, ...] | None = None
    themes: tuple[str, ...] | None = None
    report: Callable[[str], None] = silent
    heard: Mapping[str, Received] = field(default_factory=dict)
    received: dict[str, Received] = field(default_factory=dict)
    certificates: dict[str, Certificate] = field(default_factory=dict)
    releases: dict[str, Release] = field(default_factory=dict)
    empty: set[str] = field(default_factory=set)
    withheld: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    _loaded: dict[str, list[Delivery]] = field(default_factory=dict)
    _marts: dict[str, MartNode] | None = None
    _as_of: date | None = None

    def chosen_sources(self) -> list[str]:
        """Return the enabled sources that this run receives.

        With themes, also those of the themes that these read: what is out of the territory cannot be told without its
        communes.
        """
        enabled = self.project.enabled
        named = enabled if self.sources is None else self.sources
        themes = None if self.themes is None else self.project.themes_read_by(self.themes)
        return [source for source in named if themes is None or enabled[source].theme in themes]

    def chosen_themes(self) -> list[str]:
        """Return the themes that this run builds: those asked for, or those of the sources asked for."""
        if self.themes is not None:
            return sorted(self.themes)
        return sorted({self.project.enabled[source].theme for source in self.chosen_sources()})

    def receive(self, source: str) -> tuple[Received, list[Delivery]]:
        """Land and read what is new of one source; return what was received and all its deliveries.

        A source that this run leaves out receives nothing: its models are built with those of its theme all the same.
        """
        if source not in self._loaded:
            self.received[source] = self._land(source)
            with self.stopwatch.stage("loading"):
                self._loaded[source] = receiving.load(self.project, self.workspace, source, self.report)
        return self.received[source], self._loaded[source]

    def _land(self, source: str) -> Received:
        if source not in self.chosen_sources():
            return Received(source)
        with self.stopwatch.stage("landing"):
            return receiving.receive(
                self.project,
                self.workspace,
                source,
                extracts=self.extracts,
                now=self.now,
                report=self.report,
                heard=self.heard.get(source),
            )

    def receive_all(self) -> None:
        """Land and read what is new of every source of this run."""
        for source in self.chosen_sources():
            self.receive(source)

    def marts(self) -> dict[str, MartNode]:
        """Return the marts of the assembled project, by ``theme.name``."""
        if self._marts is None:
            from orchestration import modelling

            with self.stopwatch.stage("dbt parse"):
                self._marts = modelling.prepare_project(self.project, self.workspace)
        return self._marts

    def as_of(self) -> date:
        """Return the date up to which data are known, with the warehouse prepared for dbt.

        Every source is received first: the date of one theme must not depend on the order in which themes are built.
        """
        if self._as_of is None:
            from orchestration import modelling

            self.receive_all()
            with self.stopwatch.stage("warehouse"):
                self._as_of = modelling.prepare_warehouse(self.project, self.workspace, self.marts(), self.asked_as_of)
        return self._as_of

    def build(self, theme: str) -> list[NodeResult]:
        """Build the models of one theme and refresh the analysts' copy, whatever came out."""
        from orchestration import analysts, modelling

        self.as_of()
        self.report(f"{theme}: building models")
        with self.stopwatch.stage("dbt"):
            results = modelling.build_theme(self.project, self.workspace, theme)
        with self.stopwatch.stage("analysts' copy"):
            analysts.refresh(self.workspace, self.marts().values())
        return results

    def validate(self, mart: str) -> Certificate:
        """Return the certificate of the mart's present content."""
        from orchestration import validating

        self.report(f"{mart}: validating")
        with self.stopwatch.stage("validation"):
            self.certificates[mart] = validating.validate_mart(self.project, self.workspace, self.marts()[mart])
        return self.certificates[mart]

    def release(self, slug: str) -> Release | None:
        """Publish one dataset; None when nothing may leave. Raises GateClosed when its content is not certified."""
        from exports.plan import NothingMayLeave, NothingToRelease
        from orchestration import releasing

        card = self.project.export_cards[slug]
        node = releasing.mart_of(card, self.marts())
        self.report(f"{slug}: publishing")
        with self.stopwatch.stage("export"):
            try:
                self.releases[slug] = releasing.release(self.project, self.workspace, card, node, self.as_of())
            except NothingMayLeave as withheld:
                self.withheld[slug] = str(withheld)
                return None
            except NothingToRelease:
                self.empty.add(slug)
                return None
        return self.releases[slug]

    def note(self, problem: HalleError | str) -> None:
        """Keep a problem for the summary, once."""
        sentence = str(problem)
        if sentence not in self.problems:
            self.problems.append(sentence)

    def refusals(self) -> list[str]:
        """Return the sentences of what could not be received: refused files and deliveries, unreachable addresses."""
        sentences = [s for one in self.received.values() for s in (*one.refusals, *one.unreachable)]
        return sentences + [s for loaded in self._loaded.values() for s in receiving.standing_refusals(loaded)]

    def status(self) -> int:
        """Return the exit status: 0 when everything was published, 1 when anything was refused or failed."""
        return 1 if self.problems or self.refusals() else 0
