"""For which audiences a territory's datasets are released, by the day: export cards, decisions to share, agreements.

Audiences are ``public``, ``internal`` and ``partner-<name>``. What may leave for one of them is judged in ``exports``,
where its tree lies is in ``workspace``. The instant is given: no clock is read here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from zoneinfo import ZoneInfo

from exports.card import ExportCard
from exports.log import ReleaseLog
from orchestration.project import Project
from orchestration.workspace import Workspace
from raw_sources.agreements import INTERNAL, PARTNER, PUBLIC
from raw_sources.card import Card
from raw_sources.decisions import Decision
from raw_sources.territory import Territory


def today_in(territory: Territory, now: datetime) -> date:
    """Return the day by the territory's legal time: agreements and decisions end with a day."""
    return now.astimezone(ZoneInfo(territory.time_zone)).date()


def audiences_of(project: Project, card: ExportCard, today: date) -> list[str]:
    """Return the audiences that the dataset is released for: the public first, then the authority, then partners."""
    named = [audience for audience in (PUBLIC, INTERNAL) if audience in card.audiences]
    if PARTNER not in card.audiences:
        return named
    partners = {one.audience for one in _decisions(project, card.slug) if one.is_in_force(today)}
    return named + sorted(partners)


def audiences_ever(project: Project, card: ExportCard) -> list[str]:
    """Return the same with the partners whose decision has ended or is to come: their trees stay as they are."""
    partners = {one.audience for one in _decisions(project, card.slug)} if PARTNER in card.audiences else set()
    return [audience for audience in (PUBLIC, INTERNAL) if audience in card.audiences] + sorted(partners)


def audiences_of_territory(project: Project) -> list[str]:
    """Return every audience that some dataset of the territory is or was released for."""
    found = {audience for card in project.export_cards.values() for audience in audiences_ever(project, card)}
    return [name for name in (PUBLIC, INTERNAL) if name in found] + sorted(found - {PUBLIC, INTERNAL})


def released_to(workspace: Workspace) -> list[str]:
    """Return the audiences that anything was ever released to, as the release logs say."""
    folders = [path.name for path in sorted(workspace.releases.glob("*")) if path.is_dir()]
    return [name for name in (PUBLIC, *folders) if ReleaseLog(workspace.releases_of(name)).slugs()]


def notices(project: Project, today: date) -> list[str]:
    """Return a sentence for each agreement and each sharing that is not in force: what it stops is nothing wrong."""
    agreements = [
        f"the agreement of {card.source} ended on {card.agreement.until}: nothing of it leaves, for anybody "
        f"({card.path})."
        for card in _expired(project, today)
    ]
    return agreements + [_sentence(one, today) for one in _not_in_force(project, today)]


def expired_today(project: Project, today: date) -> list[str]:
    """Return the agreements and decisions that are not in force today, as words: what a date alone changes."""
    agreements = [f"agreement {card.source} until {card.agreement.until}" for card in _expired(project, today)]
    decisions = [
        f"decision {one.dataset} {one.audience} {one.decided_on} {one.until}" for one in _not_in_force(project, today)
    ]
    return [*agreements, *sorted(decisions)]


def _expired(project: Project, today: date) -> list[Card]:
    return [card for card in project.enabled.values() if card.agreement.is_expired(today)]


def _decisions(project: Project, slug: str) -> list[Decision]:
    return [one for one in project.decisions if one.dataset == slug]


def _not_in_force(project: Project, today: date) -> Iterator[Decision]:
    """Yield the last decision on each sharing of which none is in force."""
    sharings: dict[tuple[str, str], list[Decision]] = {}
    for one in project.decisions:
        sharings.setdefault((one.dataset, one.partner), []).append(one)
    for said in sharings.values():
        if not any(one.is_in_force(today) for one in said):
            yield max(said, key=lambda one: one.until)


def _sentence(decision: Decision, today: date) -> str:
    subject = f"the decision to share {decision.dataset} with {decision.partner}"
    if decision.has_ended(today):
        rest = f"ended on {decision.until}: nothing more is released for it, and {decision.audience} stays as it was"
    else:
        rest = f"begins on {decision.decided_on}: nothing is released for it before"
    return f"{subject} {rest} ({decision.where})."
