"""Several territories in one process: what they share is received once, then each is run, whatever befalls the others.

What is shared is decided in ``sharing``; the run of one territory is in ``running``. Nothing here prints.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration import receiving, sharing
from orchestration.locking import one_run_at_a_time
from orchestration.project import Project, load_project
from orchestration.receiving import Received
from orchestration.run import Run
from orchestration.running import Outcome, run_territory
from orchestration.staleness import remembered_folder
from orchestration.workspace import Workspace
from raw_sources.errors import ConfigurationError, HalleError
from raw_sources.files import write_atomically
from raw_sources.landing import Landing

if TYPE_CHECKING:
    from orchestration.status import Status

Prepare = Callable[[Project, Workspace], Run]


@dataclass
class Member:
    """A territory of the syndicate: its folder, its run once it could be prepared, and how that ended.

    ``problem`` says why there is no outcome; ``status`` is an exit status.
    """

    folder: Path
    run: Run | None = None
    outcome: Outcome | None = None
    problem: str | None = None
    status: int = 0

    @property
    def name(self) -> str:
        """The territory's name, or that of its folder while it could not be read."""
        return self.run.project.territory.name if self.run else self.folder.name

    def fail(self, error: Exception) -> None:
        """Keep why the territory was not run to the end; what nobody foresaw is written to its DATA whole."""
        self.status = 2 if isinstance(error, ConfigurationError) else 1
        self.problem = str(error) if isinstance(error, HalleError) else f"{type(error).__name__}: {error}"
        if not isinstance(error, HalleError) and self.run is not None:
            trace = self.run.workspace.state / "crash.txt"
            write_atomically(trace, "".join(traceback.format_exception(error)))
            self.problem += f" (its trace is in {trace})"


@dataclass(frozen=True)
class Standing:
    """What stands in a territory of the syndicate, or why that cannot be said."""

    name: str
    status: Status | None
    problem: str | None = None

    @property
    def is_healthy(self) -> bool:
        """True when the territory can be read and nothing is wrong in it."""
        return self.status is not None and self.status.is_healthy


def run_syndicate(folders: Sequence[Path], data: Path, prepare: Prepare) -> list[Member]:
    """Run the territories in ``folders`` one after another under ``data``; none of them stops another.

    ``prepare`` makes the run of a territory, and may refuse it. Raises ConfigurationError when ``data`` cannot hold
    several territories, or when another run is at work on what they share.
    """
    lone = remembered_folder(Workspace(data))
    if lone is not None:
        raise ConfigurationError(
            "this folder holds the data of one territory, and several are asked for.",
            where=str(data),
            hint="Give another --data: each of them gets a folder there.",
        )
    found = [_member(folder, data, prepare) for folder in folders]
    _refuse_namesakes(found)
    runs = [one.run for one in found if one.run is not None and one.problem is None]
    for run in runs:
        sharing.remember_member(run.project, data)
    heard = _receive_common(runs, data / sharing.SHARED)
    for member in found:
        if member.run is not None and member.problem is None:
            member.run.heard = heard
            _run(member, member.run)
    return found


def _member(folder: Path, data: Path, prepare: Prepare) -> Member:
    member = Member(folder)
    try:
        project = load_project(folder)
        member.run = prepare(project, sharing.member_workspace(project, data))
    except Exception as error:  # whatever is wrong with one folder, the others are run
        member.fail(error)
    return member


def _refuse_namesakes(found: Sequence[Member]) -> None:
    """Two territories of one name would share a DATA; the first keeps it, and no territory takes the shared folder."""
    taken = {sharing.SHARED, "state"}
    for member in found:
        if member.run is None:
            continue
        if member.name in taken:
            member.fail(
                ConfigurationError(
                    f"the name {member.name!r} is taken in this DATA.",
                    where=str(member.folder / "territory.yml"),
                    hint="Give the territory another name.",
                )
            )
        taken.add(member.name)


def _receive_common(runs: Sequence[Run], shared: Path) -> dict[str, Received]:
    """Land and read what is new of the sources that territories take from the shared folder, once each.

    A source that fails here is left out: each territory meets the failure again in its own run, and says it.
    """
    heard: dict[str, Received] = {}
    first = {source: run for run in reversed(runs) for source in run.chosen_sources() if source in run.workspace.common}
    if not first:
        return heard
    with one_run_at_a_time(shared):
        for source, run in sorted(first.items()):
            # Not through a member's drop folders: what lies there is received when that member is run.
            landing = Landing(run.workspace.landing_of(source))
            card, feed = run.project.card(source), run.project.territory.feeds[source]
            with suppress(Exception):
                received = receiving.land_feed(
                    landing, card, feed, extracts=run.extracts, now=run.now, report=run.report
                )
                receiving.load(run.project, run.workspace, source, run.report)
                heard[source] = received
    return heard


def _run(member: Member, run: Run) -> None:
    try:
        member.outcome = run_territory(run)
        member.status = member.outcome.status
    except Exception as error:  # a territory that crashes is told, and the next one is run
        member.fail(error)


def standings(data: Path, read: Callable[[Project, Workspace], Status]) -> list[Standing]:
    """Return what stands in each territory that ``data`` holds, by name."""
    return [_standing(name, folder, data, read) for name, folder in sorted(sharing.members(data).items())]


def _standing(name: str, folder: Path, data: Path, read: Callable[[Project, Workspace], Status]) -> Standing:
    try:
        project = load_project(folder)
        return Standing(name, read(project, sharing.member_workspace(project, data)))
    except HalleError as error:
        return Standing(name, None, str(error))


def to_json(found: Sequence[Standing]) -> Mapping[str, object]:
    """Return what stands in the territories as JSON values."""
    listed = [
        one.status.to_json() if one.status is not None else {"territory": one.name, "problem": one.problem}
        for one in found
    ]
    return {"territories": listed, "healthy": all(one.is_healthy for one in found)}
