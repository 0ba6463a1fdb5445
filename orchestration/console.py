"""What the command line prints: progress, summary tables, sentences. Rich draws on a terminal, plain lines elsewhere.

Words and layout only; figures come from the callers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import Progress as Live
from rich.progress import SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from pathlib import Path

    from exports.release import Release
    from exports.verify import VerifyReport
    from orchestration.founding import Founded
    from orchestration.inquiry import Rejects
    from orchestration.run import Run
    from orchestration.running import Outcome
    from orchestration.status import Status
    from orchestration.syndicate import Member, Standing
    from raw_sources.drafting import Draft

PLAIN_WIDTH = 160
LEDGER = (
    "source", "deliveries", "read", "malformed", "staged", "rejected", "superseded", "duplicate", "out of scope",
)  # fmt: skip


def console(*, errors: bool = False) -> Console:
    """Return a console on standard output (or error): as wide as the terminal, or wide enough for a table in a file."""
    stream = sys.stderr if errors else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else PLAIN_WIDTH, highlight=False)


class Progress:
    """Says what is being done: one moving line on a terminal, one line per step elsewhere, on standard error."""

    def __init__(self) -> None:
        self._console = console(errors=True)
        self._line: Live | None = None
        self._task = TaskID(0)

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
            self._line = Live(*columns, console=self._console, transient=True)
            self._task = self._line.add_task("starting", total=None)
            self._line.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._line is not None:
            self._line.stop()

    def report(self, message: str) -> None:
        """Say what is being done now."""
        if self._line is not None:
            self._line.update(self._task, description=message)
        else:
            self._console.print(message, markup=False)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Return a table; numbers are set to the right."""
    listed = [["" if value is None else value for value in row] for row in rows]
    drawn = Table(title=title or None, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for index, name in enumerate(columns):
        numeric = bool(listed) and all(isinstance(row[index], int | float) for row in listed)
        drawn.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in listed:
        drawn.add_row(*(f"{value:,}" if isinstance(value, int) else str(value) for value in row))
    return drawn


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print the answer of a query."""
    console().print(table("", columns, rows), markup=False)


def print_outcome(outcome: Outcome) -> None:
    """Print the summary of a run: sources, marts, releases, time by stage, problems."""
    out = console()
    run = outcome.run
    title = run.project.territory.title_fr
    if outcome.nothing_new:
        out.print(f"{title}: nothing new, nothing to do ({outcome.seconds:.1f} s).", markup=False)
        _print_notices(run)
        return
    out.print(table(f"Sources of {title}, as of {run.as_of()}", LEDGER, [_numbers(row) for row in outcome.ledger]))
    out.print()
    out.print(table("Marts", ("mart", "rows", "certificate", "expectations"), _mart_rows(outcome)))
    out.print()
    out.print(table("Releases", ("dataset", "audience", "rows", "release", "state"), _release_rows(outcome)))
    out.print()
    out.print(table("Time", ("stage", "seconds"), [(s, round(t, 1)) for s, t in _slowest_first(run.stopwatch.seconds)]))
    _print_notices(run)
    for problem in [*run.refusals(), *run.problems]:
        out.print(f"\n! {problem}", markup=False)
    words = {0: "everything is published", 1: "something was refused: see above"}
    out.print(
        f"\n{words[outcome.status].capitalize()}, in {outcome.seconds:.0f} s: {run.workspace.public}", markup=False
    )


def _print_notices(run: Run) -> None:
    """Print what is good to know and nothing wrong, such as a sharing that has ended."""
    for notice in run.notices:
        console().print(f"\n- {notice[:1].upper()}{notice[1:]}", markup=False)


def print_members(found: Sequence[Member]) -> None:
    """Print the one summary of several territories: how each ended, then what was wrong, territory by territory."""
    out = console()
    headers = ("territory", "state", "sources", "marts", "releases", "problems")
    out.print(table("Territories", headers, [_member_row(one) for one in found]))
    for one in found:
        for notice in one.run.notices if one.run is not None else ():
            out.print(f"\n- {one.name}: {notice}", markup=False)
        for problem in _member_problems(one):
            out.print(f"\n! {one.name}: {problem}", markup=False)
    words = {0: "everything is published", 1: "something was refused", 2: "a territory could not be run"}
    out.print(f"\n{words[max(one.status for one in found)].capitalize()}.", markup=False)


def _member_row(member: Member) -> tuple[object, ...]:
    outcome, problems = member.outcome, len(_member_problems(member))
    if outcome is None:
        return (member.name, "not run" if member.status == 2 else "failed", "", "", "", problems)
    run = outcome.run
    if outcome.nothing_new:
        return (member.name, "nothing new, nothing to do", "", "", "", problems)
    passed = sum(one.status == "passed" for one in run.certificates.values())
    new = sum(one.new for one in run.shared.values())
    return (
        member.name,
        "published" if member.status == 0 else "refused",
        f"{len(outcome.ledger)} of {len(run.chosen_sources())} delivered",
        f"{passed} of {len(run.certificates)} passed",
        f"{new} new, {len(run.shared) - new} unchanged, {len(run.empty)} empty",
        problems,
    )


def _member_problems(member: Member) -> list[str]:
    found = [member.problem] if member.problem is not None else []
    return found if member.run is None else [*found, *member.run.refusals(), *member.run.problems]


def _numbers(row: Sequence[object]) -> list[object]:
    return [row[0], *(int(str(value)) for value in row[1:])]


def _mart_rows(outcome: Outcome) -> list[tuple[object, ...]]:
    found = sorted(outcome.run.certificates.items())
    return [(n, c.fingerprint.rows, c.status, f"{len(c.names('passed'))} of {c.expected} hold") for n, c in found]


def _release_rows(outcome: Outcome) -> list[tuple[object, ...]]:
    """Return the releases by audience, the public's first, then what was not released."""
    run = outcome.run
    listed = sorted(run.shared.items(), key=lambda item: (_rank(item[0][0]), item[0]))
    rows: list[tuple[object, ...]] = [
        (slug, audience, one.rows, f"v{one.version} {one.release}", _state(run, one))
        for (audience, slug), one in listed
    ]
    rows += [(slug, "", 0, "", "empty, not released") for slug in sorted(run.empty)]
    down = sorted(run.withdrawn.items(), key=lambda item: (_rank(item[0][0]), item[0]))
    rows += [(slug, audience, 0, "", sentence.partition(" was ")[2]) for (audience, slug), sentence in down]
    kept = sorted(run.kept_in, key=lambda key: (_rank(key[0]), key))
    return rows + [(slug, audience, 0, "", "withheld: nothing of it may leave") for audience, slug in kept]


def _rank(audience: str) -> int:
    return {"public": 0, "internal": 1}.get(audience, 2)


def _state(run: Run, released: Release) -> str:
    """Say whether a release is new, and how many rows of the mart may not leave for its audience."""
    certificate = run.certificates.get(run.project.export_cards[released.slug].mart)
    rows = certificate.fingerprint.rows - released.rows if certificate else 0
    return ("new" if released.new else "unchanged") + (f", {rows:,} rows may not leave" if rows else "")


def _slowest_first(seconds: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(seconds.items(), key=lambda item: -item[1])


def print_status(status: Status) -> None:
    """Print ``halle status``."""
    out = console()
    out.print(f"{status.territory}: last run {status.last_run}, data as of {status.as_of or 'never'}\n", markup=False)
    sources = [
        (s.name, s.state, s.deliveries, s.last_delivery, s.observed_on, f"{s.steward} ({s.owner})")
        for s in status.sources
    ]
    headers = ("source", "state", "deliveries", "last delivery", "observed on", "whom to ask")
    out.print(table("Sources", headers, sources))
    marts = [(m.name, m.rows, m.certificate, ", ".join(m.failed)) for m in status.marts]
    out.print(table("\nMarts", ("mart", "rows", "certificate", "failed"), marts))
    releases = [(r.dataset, r.audience, r.state, r.rows, r.version, r.release) for r in status.releases]
    out.print(table("\nReleases", ("dataset", "audience", "state", "rows", "version", "release"), releases))
    for source in status.sources:
        for refusal in source.refusals:
            out.print(f"\n! {source.name}: {refusal}", markup=False)
    for orphan in status.orphans:
        out.print(f"\n! {orphan}: nothing declares it any more.", markup=False)


def print_standings(found: Sequence[Standing]) -> None:
    """Print ``halle status`` of several territories, one after another."""
    for index, one in enumerate(found):
        if index:
            console().print()
        if one.status is not None:
            print_status(one.status)
        else:
            console().print(f"{one.name}: cannot be read. {one.problem}", markup=False)


def print_rejects(found: Sequence[Rejects]) -> None:
    """Print ``halle rejects``: a table by reason, then a few records of each."""
    out = console()
    if not found:
        out.print("No record was refused.")
        return
    rows = [(one.source, one.stage, one.count, one.reason) for one in found]
    out.print(table("Refused records", ("source", "stage", "records", "reason"), rows))
    for one in found:
        out.print(f"\n{one.source}: {one.reason}", markup=False)
        for record in one.samples:
            out.print(f"  {_place(record)}: {record['reason']}", markup=False)
            out.print(f"    {record['record'] or '(text withheld: the source has personal columns)'}", markup=False)


def _place(record: dict[str, Any]) -> str:
    """Return where a refused record is: its number in the file, or its row in a sheet."""
    if not str(record["file"]).lower().endswith((".xlsx", ".ods")):
        return f"{record['file']}, record {record['record_no']}"
    from raw_sources.readers.spreadsheet import place_of

    sheet, row = place_of(record["record_no"])
    return f"{record['file']}, sheet {sheet + 1}, row {row}"


def print_verification(report: VerifyReport) -> None:
    """Print ``halle verify``: what failed, what could not be checked, and how much holds."""
    out = console()
    for check in report.failed:
        out.print(f"FAILED   {check.name} {check.place}: {check.sentence}", markup=False)
    for check in report.not_run:
        out.print(f"NOT RUN  {check.name} {check.place}: {check.sentence}", markup=False)
    failed, missing = len(report.failed), len(report.not_run)
    out.print(f"{len(report.passed)} checks passed, {failed} failed, {missing} did not run.", markup=False)


def print_founded(founded: Founded, folder: Path, extracts: Path | None) -> None:
    """Print what ``halle init`` found and wrote, and the command that comes next."""
    out = console()
    authority, communes = founded.authority, len(founded.authority.communes)
    counted = f"{communes} commune{'s' if communes > 1 else ''} of {founded.vintage}"
    out.print(f"{authority.name} ({authority.code}): {counted}.\n", markup=False)
    for path in founded.files:
        out.print(f"  {path}", markup=False, soft_wrap=True)
    files = f" --extracts {extracts}" if extracts else ""
    out.print(f"\nNext: halle run --territory {folder}{files} --data {folder / 'data'}", markup=False, soft_wrap=True)


def print_draft(draft: Draft, written: Sequence[Path]) -> None:
    """Print what ``halle new-source`` found and wrote, and the lines that enable the source."""
    out = console()
    plan = draft.plan
    key = ", ".join(field.name for field in plan.key_fields) or "none found: every record is kept"
    out.print(
        f"{plan.source}: {plan.shape.form}, {len(plan.fields)} columns, judged by {plan.looked_at}.", markup=False
    )
    out.print(f"Key: {key}.\n", markup=False)
    for path in written:
        out.print(f"  {path}", markup=False, soft_wrap=True)
    suspected = [field.name for field in plan.fields if field.personal]
    if suspected:
        out.print(f"\nPerhaps personal: {', '.join(suspected)}.", markup=False)
    out.print(
        f"\n{draft.questions} questions to answer: look for QUESTION. Under `feeds` in territory.yml:\n", markup=False
    )
    out.print(draft.feed, markup=False, soft_wrap=True)
