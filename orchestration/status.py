"""What stands in a DATA folder: deliveries and their freshness, marts and their certificates, releases.

Reads receipts, outcomes, certificates and the release log; opens no warehouse, so that it answers during a run.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

from expectations import certificate as certificates
from exports.card import ExportCard
from exports.tree import release_folder
from exports.withdrawals import withdrawn_releases
from orchestration.audiences import audiences_ever, audiences_of, audiences_of_territory, released_to, today_in
from orchestration.project import Project
from orchestration.receiving import loaded_deliveries, standing_refusals
from orchestration.staleness import last_run
from orchestration.withdrawing import release_log
from orchestration.workspace import Workspace
from raw_sources.landing import Landing


@dataclass(frozen=True)
class SourceStatus:
    """``state`` is fresh, late, refused or never (nothing received yet)."""

    name: str
    title: str
    deliveries: int
    last_delivery: str | None
    last_file: str | None
    observed_on: str | None
    late_after: str
    state: str
    refusals: list[str]
    owner: str
    steward: str


@dataclass(frozen=True)
class MartStatus:
    """``certificate`` is passed, failed, error or none."""

    name: str
    rows: int | None
    certificate: str
    failed: list[str]


@dataclass(frozen=True)
class ReleaseStatus:
    """``version`` is the schema's; ``audience`` is public, internal or partner-<name>.

    ``state`` is published, missing (in the log but not in the tree), withdrawn (taken down for good), never, or ended
    (no decision to share it is in force: what was released stays).
    """

    dataset: str
    audience: str
    mart: str
    version: str | None
    release: str | None
    rows: int | None
    state: str


@dataclass(frozen=True)
class Status:
    """Everything ``halle status`` says."""

    territory: str
    as_of: str | None
    last_run: str
    sources: list[SourceStatus]
    marts: list[MartStatus]
    releases: list[ReleaseStatus]
    orphans: list[str]

    @property
    def is_healthy(self) -> bool:
        """True when nothing is late, refused, failed, missing or orphaned."""
        return (
            not self.orphans
            and all(one.state in ("fresh", "never") for one in self.sources)
            and all(one.certificate in ("passed", "none") for one in self.marts)
            and all(one.state != "missing" for one in self.releases)
            and self.last_run != "failed"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the status as JSON values."""
        return {**asdict(self), "healthy": self.is_healthy}


def read_status(project: Project, workspace: Workspace, now: datetime | None = None) -> Status:
    """Return what stands in ``workspace``."""
    last = last_run(workspace)
    now = now or datetime.now(UTC)
    return Status(
        territory=project.territory.name,
        as_of=last.as_of if last else None,
        last_run="never" if last is None else ("published" if last.status == 0 else "failed"),
        sources=_sources(project, workspace, now),
        marts=[_mart(name, workspace) for name in sorted(project.suites)],
        releases=_releases(project, workspace, today_in(project.territory, now)),
        orphans=_orphans(project, workspace),
    )


def _sources(project: Project, workspace: Workspace, now: datetime) -> list[SourceStatus]:
    deliveries = loaded_deliveries(project, workspace)
    statuses = []
    for source, card in project.enabled.items():
        landing = Landing(workspace.landing_of(source))
        receipts = landing.receipts(source)
        own = [one for one in deliveries if one.receipt.source == source]
        refusals = [*(one.reason for one in landing.refusals(source)), *standing_refusals(own)]
        last = max(receipts, key=lambda receipt: receipt.sequence, default=None)
        late = last is not None and now > card.late_at(datetime.fromisoformat(last.received_at))
        statuses.append(
            SourceStatus(
                name=source,
                title=card.title_fr,
                deliveries=len(receipts),
                last_delivery=last.received_at if last else None,
                last_file=last.file_name if last else None,
                observed_on=max((one.loaded.observed_on for one in own if one.loaded.observed_on), default=None),
                late_after=card.late_after,
                state="refused" if refusals else "never" if last is None else "late" if late else "fresh",
                refusals=refusals,
                owner=card.owner,
                steward=card.steward,
            )
        )
    return statuses


def _mart(name: str, workspace: Workspace) -> MartStatus:
    known = certificates.latest(workspace.validation, name)
    if known is None:
        return MartStatus(name, None, "none", [])
    return MartStatus(name, known.fingerprint.rows, known.status, [*known.names("failed"), *known.names("error")])


def _releases(project: Project, workspace: Workspace, today: date) -> list[ReleaseStatus]:
    """Return the releases by audience, the public's first."""
    return [
        _release(card, audience, workspace, ended=audience not in audiences_of(project, card, today))
        for audience in audiences_of_territory(project)
        for card in project.export_cards.values()
        if audience in audiences_ever(project, card)
    ]


def _release(card: ExportCard, audience: str, workspace: Workspace, *, ended: bool) -> ReleaseStatus:
    log = release_log(workspace, audience)
    entry = log.last(card.slug)
    if entry is None:
        return ReleaseStatus(card.slug, audience, card.mart, None, None, None, "ended" if ended else "never")
    folder = workspace.tree_of(audience) / release_folder(card.slug, entry.version, entry.release)
    state = "missing" if not folder.is_dir() else "ended" if ended else "published"
    if entry.release in withdrawn_releases(log.withdrawals(card.slug)):
        state = "withdrawn"
    return ReleaseStatus(card.slug, audience, card.mart, entry.version, entry.release, entry.rows, state)


def _orphans(project: Project, workspace: Workspace) -> list[str]:
    """Sources that were received and are no longer enabled, and datasets whose export card is gone."""
    landed = (
        {path.parent.name for path in workspace.landing.glob("*/receipts")} if workspace.landing.is_dir() else set()
    )
    sources = [f"source {name}" for name in sorted(landed - set(project.territory.feeds))]
    datasets = [f"dataset {slug}" for slug in _released_slugs(workspace) if slug not in project.export_cards]
    return [*sources, *datasets]


def _released_slugs(workspace: Workspace) -> list[str]:
    """Return the datasets that were ever released to some audience, and not withdrawn whole from it."""
    logs = [release_log(workspace, audience) for audience in released_to(workspace)]
    return sorted({slug for log in logs for slug in log.slugs() if not any(one.whole for one in log.withdrawals(slug))})
