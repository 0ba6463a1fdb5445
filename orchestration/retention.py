"""What a run does before it receives anything: finishes interventions, erases what is past its time, notes what ended.

By the wall clock, and logged: what time changes is an input of the run. Retention is absolute: it spares neither the
only delivery of a reference nor the latest snapshot. How erasing is done is in ``erasing``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from isodate import parse_duration

from orchestration.audiences import today_in
from orchestration.erasing import carry_out, erasure_of, finish_erasures, published_with
from orchestration.interventions import (
    EXPIRED,
    RETENTION,
    Intervention,
    home_of,
    instant,
    interventions,
    record,
)
from orchestration.project import Project
from orchestration.withdrawing import finish_withdrawals
from orchestration.workspace import Workspace
from raw_sources.card import Card
from raw_sources.landing import Landing


def settle(project: Project, workspace: Workspace, now: datetime) -> list[str]:
    """Bring DATA in line with the log and the wall clock; return what there is to say, as sentences.

    Agreements and decisions to share end by the territory's legal time.
    """
    said = [f"the erasure of {line.what['source']} of {line.on} is now finished" for line in finish_erasures(workspace)]
    finish_withdrawals(workspace)
    said += [sentence for card in project.cards.values() for sentence in _apply(workspace, card, now)]
    _log_ended(project, workspace, now)
    return said


def _apply(workspace: Workspace, card: Card, now: datetime) -> Iterator[str]:
    """Erase the deliveries of a source that were received longer ago than its card keeps them."""
    home = Workspace(home_of(workspace, card.source))
    if card.retention is None or not (home.landing / card.source).is_dir():
        return
    what = Landing(home.landing).erasable(card.source, now - parse_duration(card.retention))
    if not what:
        return
    why = f"deliveries.retention of the card: {card.retention}"
    standing = {(one.audience, one.slug): one for one in published_with(workspace, card.source)}  # the newest of each
    line = Intervention(RETENTION, instant(now), why, None, erasure_of(card, what, standing.values(), files=False))
    record(home.data, line)
    carry_out(home, line)
    yield f"erased, because older than {card.retention}: {len(what)} deliveries or refused files of {card.source}"


def _log_ended(project: Project, workspace: Workspace, now: datetime) -> None:
    """Log each agreement and each decision to share that has ended, once."""
    known = [one.what for one in interventions(workspace, (EXPIRED,))]
    for what, sentence in _ended(project, today_in(project.territory, now)):
        if what not in known:
            record(workspace.data, Intervention(EXPIRED, instant(now), sentence, None, what))


def _ended(project: Project, today: date) -> Iterator[tuple[Mapping[str, Any], str]]:
    for source, card in project.enabled.items():
        if card.agreement.is_expired(today):
            until = str(card.agreement.until)
            yield {"source": source, "until": until}, f"the agreement of {source} ended on {until}"
    for one in project.decisions:
        if one.has_ended(today):
            what = {"dataset": one.dataset, "partner": one.partner, "until": str(one.until)}
            yield what, f"the decision to share {one.dataset} with {one.partner} ended on {one.until}"
