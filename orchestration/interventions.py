"""The log of interventions: what was withdrawn or erased, and which agreements ended; one line each, never changed.

It lies beside the release log and is an input of every later run (``staleness.inputs_digest``): a replay from landing
and logs leaves out what is told here. A line is written before anything is removed, so that the next run finishes what
a kill left undone. Here: the lines and reading them. What they do is in ``withdrawing``, ``erasing``, ``retention``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestration.workspace import Workspace
from raw_sources import journal
from raw_sources.boundaries import boundary
from raw_sources.files import sha256_text

FILE_NAME = "interventions.jsonl"
WITHDRAWN, ERASED, RETENTION, EXPIRED = KINDS = ("withdrawn", "erased", "retention", "expired")


@dataclass(frozen=True)
class Intervention:
    """One line. ``at`` is an ISO 8601 instant in UTC; ``by`` is as its author gave it, None where he gave none.

    The name of the account that typed the command is not recorded: it would be personal data itself.
    """

    kind: str
    at: str
    why: str
    by: str | None
    what: Mapping[str, Any]

    @property
    def on(self) -> str:
        """The day (UTC), as an ISO date."""
        return self.at[:10]


def log_of(data: Path) -> Path:
    """Return the log of a DATA folder, a territory's or that which territories share."""
    return data / FILE_NAME


def home_of(workspace: Workspace, source: str) -> Path:
    """Return the DATA folder in which the deliveries of ``source`` lie."""
    return workspace.landing_of(source).parent


def homes(workspace: Workspace) -> list[Path]:
    """Return the DATA folders that a territory's runs read: its own, then the one that it shares with others."""
    return [workspace.data, *([workspace.shared] if workspace.shared is not None else [])]


def record(data: Path, intervention: Intervention) -> None:
    """Append a line durably: from then on it holds, whatever happens to this process."""
    boundary("interventions.log.before")
    journal.append(log_of(data), asdict(intervention))
    boundary("interventions.log.after")


def interventions(workspace: Workspace, kinds: Collection[str] = KINDS) -> list[Intervention]:
    """Return the interventions of these kinds that bear on a territory, by its own log first, oldest first in each."""
    return [one for data in homes(workspace) for one in interventions_in(data) if one.kind in kinds]


def interventions_in(data: Path) -> list[Intervention]:
    """Return the interventions of one log. Raises ``MachineryError`` for a line that is none."""
    path = log_of(data)
    return [_intervention(line, path, number) for number, line in enumerate(journal.records(path), start=1)]


def _intervention(line: dict[str, Any], path: Path, number: int) -> Intervention:
    try:
        return Intervention(**line)
    except TypeError as error:
        raise journal.unreadable(path, number) from error


def interventions_digest(workspace: Workspace) -> str:
    """Return the digest of all that was intervened, as an input of a run."""
    return sha256_text("\n".join(line.decode() for data in homes(workspace) for line in journal.lines(log_of(data))))


def instant(now: datetime) -> str:
    """Return ``now`` as the log writes it."""
    return now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
