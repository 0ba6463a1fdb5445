"""One run: what it was given, what it has done so far, and how it ended.

The steps that Dagster calls, in terms of the rooms below; each can be called again within the run at no cost. Dagster's
own objects are in ``assets`` and ``checks``, the command line in ``cli``. dbt, Great Expectations and the exports are
imported by the steps that need them: a run that finds nothing to do must not pay for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration import receiving
from orchestration.audiences import audiences_of, notices, today_in
from orchestration.project import Project
from orchestration.receiving import Received
from orchestration.timing import Stopwatch
from orchestration.warehouse import Delivery
from orchestration.workspace import Workspace
from raw_sources.agreements import EVERYTHING, INTERNAL, PUBLIC
from raw_sources.errors import GateClosed, HalleError

if TYPE_CHECKING:
    from expectations.certificate import Certificate
    from exports.card import ExportCard
    from exports.lineage import Lineage, Tracer
    from exports.release import Release
    from orchestration.analysts import View
    from orchestration.dbt_runs import NodeResult
    from orchestration.marts import MartNode


def silent(_message: str) -> None:
    """Report progress to nobody."""


@dataclass
class Run:
    """A run over one territory. ``sources`` and ``themes`` limit what is received and built (None: everything).

    ``heard`` is what the territory's syndicate has already received in this process. ``shared`` and ``kept_in`` are by
    audience and dataset: what was released, and why nothing was; ``notices`` are said, and are nothing wrong.
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
    shared: dict[tuple[str, str], Release] = field(default_factory=dict)
    empty: set[str] = field(default_factory=set)
    kept_in: dict[tuple[str, str], str] = field(default_factory=dict)
    withdrawn: dict[tuple[str, str], str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    _loaded: dict[str, list[Delivery]] = field(default_factory=dict)
    _marts: dict[str, MartNode] | None = None
    _tracer: Tracer | None = None
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
            if self.received[source].erased:
                self.notice(f"erased earlier, and left out: {self.received[source].erased} files of {source}")
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
        from orchestration import modelling

        self.as_of()
        self.report(f"{theme}: building models")
        with self.stopwatch.stage("dbt"):
            results = modelling.build_theme(self.project, self.workspace, theme)
        self._tracer = None  # the models of this theme have just been compiled again
        self.refresh_analysts_copy()
        return results

    def refresh_analysts_copy(self) -> None:
        """Bring the analysts' copy up to date, with what the authority itself may see."""
        from orchestration import analysts

        with self.stopwatch.stage("analysts' copy"):
            analysts.refresh(self.workspace, self.marts().values(), self._internal_view, self._withheld_within())

    def validate(self, mart: str) -> Certificate:
        """Return the certificate of the mart's present content."""
        from orchestration import validating

        self.report(f"{mart}: validating")
        with self.stopwatch.stage("validation"):
            self.certificates[mart] = validating.validate_mart(self.project, self.workspace, self.marts()[mart])
        return self.certificates[mart]

    def release(self, slug: str) -> Release | None:
        """Publish one dataset to each of its audiences; None when nothing may leave, to anybody.

        One that is refused does not stop the others. Raises GateClosed when one was, or the content is not certified.
        """
        from orchestration import releasing

        card = self.project.export_cards[slug]
        node = releasing.mart_of(card, self.marts())
        self.report(f"{slug}: publishing")
        refused: list[HalleError] = []
        for audience in audiences_of(self.project, card, self.today()):
            try:
                self._release(card, node, audience)
            except HalleError as problem:
                refused.append(problem)
        if refused:
            raise refused[0] if len(refused) == 1 else GateClosed(" ".join(map(str, refused)))
        return self.releases.get(slug)

    def _release(self, card: ExportCard, node: MartNode, audience: str) -> None:
        from exports.plan import NothingMayLeave, NothingToRelease, Withdrawn
        from orchestration import releasing

        others = releasing.beside(self.project, self.marts(), card, audience)
        agreed = releasing.terms(self.project, self.lineage(node), audience, self.today(), others)
        agreed = replace(agreed, timed=self.stopwatch.stage)
        with self.stopwatch.stage("export"):
            try:
                released = releasing.release(self.project, self.workspace, card, node, self.as_of(), agreed)
            except NothingMayLeave as withheld:
                self.kept_in[audience, card.slug] = str(withheld)
            except Withdrawn as taken_down:
                self.withdrawn[audience, card.slug] = str(taken_down)
            except NothingToRelease:
                self.empty.add(card.slug)
            else:
                self.shared[audience, card.slug] = released
                self.say_what_it_follows(released)

    def say_what_it_follows(self, released: Release) -> None:
        """Say that the release before a new one was withdrawn: what was wrong may be in the data still."""
        if released.new and released.follows:
            self.notice(
                f"{released.slug} {released.release} comes after {released.previous}, {released.follows}. Look whether "
                "that is mended in it: if not, withdraw it too, or its version (halle withdraw)."
            )

    def lineage(self, node: MartNode) -> Lineage:
        """Return from which raw columns the mart comes; its models have been compiled."""
        from exports.terms import JUDGING

        with self.stopwatch.stage(JUDGING):
            return self.tracer().lineage(node.mart.relation)

    def tracer(self) -> Tracer:
        """Return what traces the relations of the models, as they were compiled last."""
        from orchestration import lineage

        if self._tracer is None:
            self._tracer = lineage.tracer(self.project, self.workspace)
        return self._tracer

    def _withheld_within(self) -> list[str]:
        """Return the sources of which the authority itself may not see everything: an agreement that has ended."""
        enabled = self.project.enabled.items()
        return [name for name, card in enabled if card.agreement.allows(INTERNAL, self.today()) != EVERYTHING]

    def _internal_view(self, node: MartNode) -> View:
        from orchestration import analysts

        withheld = self._withheld_within()
        if not withheld:
            return analysts.whole(node)
        shown = analysts.view_of(node, self.lineage(node), withheld)
        hidden = [column.name for column in node.mart.columns if column.name not in shown.columns]
        if hidden:
            self.notice(
                f"{node.key} is in the analysts' copy without {', '.join(hidden)}: "
                f"the agreements of {', '.join(withheld)} do not let the authority see them."
            )
        return shown

    def settle(self) -> None:
        """Finish what was asked of DATA besides runs, and erase what is past its time; called before receiving."""
        from orchestration.retention import settle

        for sentence in settle(self.project, self.workspace, self.now):
            self.notice(sentence)

    def notice(self, sentence: str) -> None:
        """Keep a sentence to say at the end, once: nothing is wrong."""
        if sentence not in self.notices:
            self.notices.append(sentence)

    @property
    def releases(self) -> dict[str, Release]:
        """The releases of this run by dataset: those to the public, else those to the only or first audience."""
        first = {slug: one for (_, slug), one in reversed(self.shared.items())}
        return first | {slug: one for (audience, slug), one in self.shared.items() if audience == PUBLIC}

    @property
    def withheld(self) -> dict[str, str]:
        """Why nothing of a dataset was released to some audience, by dataset."""
        found: dict[str, list[str]] = {}
        for (_, slug), sentence in self.kept_in.items():
            found.setdefault(slug, []).append(sentence)
        return {slug: " ".join(sentences) for slug, sentences in found.items()}

    def today(self) -> date:
        """Return the day by the wall clock, in the territory's legal time: agreements and decisions end by it."""
        return today_in(self.project.territory, self.now)

    def say_what_ended(self) -> None:
        """Keep a sentence for each agreement and each decision to share that is not in force."""
        for sentence in notices(self.project, self.today()):
            self.notice(sentence)

    def describe_restricted(self) -> None:
        """Write the internal catalogue of what the public does not see."""
        from orchestration import restricted

        restricted.write_catalogue(self.project, self.workspace, self.marts(), self.today())

    def describe_lineage(self) -> None:
        """Write from which raw columns each mart comes, for the authority."""
        from exports.terms import JUDGING
        from orchestration import lineage

        with self.stopwatch.stage(JUDGING):
            traced = {key: self.tracer().lineage(node.mart.relation) for key, node in self.marts().items()}
            lineage.write_lineage(self.workspace, traced)

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
