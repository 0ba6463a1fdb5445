"""Taking a publication down for good (`halle withdraw`): from the command to the log, and from the log to the trees.

The log comes first; the trees follow, in the command or at the start of the next run. What a withdrawn address says,
and what may not come back, is in ``exports.withdrawals``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from exports.log import Entry, ReleaseLog
from exports.withdrawals import Gone, Withdrawal, take_down
from orchestration.interventions import WITHDRAWN, Intervention, instant, interventions, record
from orchestration.project import Project
from orchestration.workspace import Workspace
from raw_sources.agreements import PUBLIC
from raw_sources.errors import ConfigurationError


def withdraw(
    project: Project,
    workspace: Workspace,
    slug: str,
    asked: str | None,
    *,
    audience: str = PUBLIC,
    why: str,
    by: str | None,
    now: datetime,
) -> Withdrawal | None:
    """Take down the releases of a dataset that ``asked`` names (a release, a schema version; None: all, and for ever).

    Returns the decision, None when all that was down already. Raises ConfigurationError for what was never released.
    """
    log = release_log(workspace, audience)
    entries = log.entries(slug)
    chosen = _chosen(entries, slug, asked, audience, log)
    line = Intervention(WITHDRAWN, instant(now), why, by, _what(project, slug, asked, audience, chosen))
    decision = _withdrawal(line)
    is_new = not any(_covers(known, decision) for known in log.withdrawals(slug))
    if is_new:
        record(workspace.data, line)
    finish_withdrawals(workspace)
    return decision if is_new else None


def finish_withdrawals(workspace: Workspace) -> None:
    """Bring the trees of all audiences in line with the log, which a kill or a replay may have left behind."""
    for audience in sorted({one.what["audience"] for one in interventions(workspace, (WITHDRAWN,))}):
        log = release_log(workspace, audience)
        for slug in log.slugs():
            take_down(
                workspace.tree_of(audience), workspace.candidates_of(audience), log.withdrawals(slug), log.entries(slug)
            )


def release_log(workspace: Workspace, audience: str = PUBLIC) -> ReleaseLog:
    """Return the release log of an audience, which knows what was withdrawn from it."""
    lines = interventions(workspace, (WITHDRAWN,))
    found = [_withdrawal(one) for one in lines if one.what["audience"] == audience]
    return ReleaseLog(workspace.releases_of(audience), found)


def _chosen(entries: Sequence[Entry], slug: str, asked: str | None, audience: str, log: ReleaseLog) -> Sequence[Entry]:
    if not entries:
        raise ConfigurationError(
            f"nothing called {slug!r} was ever released for the audience {audience!r}.",
            hint=f"What was: {', '.join(log.slugs()) or 'nothing'}.",
        )
    chosen = [one for one in entries if asked is None or asked.removeprefix("v") == one.version or asked == one.release]
    if not chosen:
        known = ", ".join(f"{one.release} (version {one.version})" for one in entries)
        raise ConfigurationError(f"{slug} has neither a release nor a version {asked!r}.", hint=f"It has: {known}.")
    return chosen


def _what(project: Project, slug: str, asked: str | None, audience: str, chosen: Sequence[Entry]) -> dict[str, Any]:
    """Return all that the notices say: they are made from the log alone, so that a replay gives the same."""
    card, territory = project.export_cards.get(slug), project.territory
    version = asked.removeprefix("v") if asked is not None and all(asked != one.release for one in chosen) else None
    return {
        "slug": slug,
        "audience": audience,
        "whole": asked is None,
        "version": version,
        "title_fr": card.title_fr if card else slug,
        "title_en": card.title_en if card else slug,
        "publisher": territory.publisher_name,
        "contact": territory.contact,
        "releases": [asdict(Gone(one.release, one.version, one.sequence)) for one in chosen],
    }


def _withdrawal(line: Intervention) -> Withdrawal:
    facts = {name: value for name, value in line.what.items() if name not in ("audience", "releases")}
    releases = tuple(Gone(**one) for one in line.what["releases"])
    return Withdrawal(on=line.on, why=line.why, releases=releases, **facts)


def _covers(known: Withdrawal, new: Withdrawal) -> bool:
    """Tell whether an earlier decision already does all that a new one would."""
    if known.whole or new.whole:
        return known.whole
    bans = new.version is None or known.version == new.version
    return bans and set(new.releases) <= set(known.releases)
