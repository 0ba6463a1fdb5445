"""The command line: options, progress and exit statuses; what a command does is in the modules it calls.

Heavy imports wait until a command needs them: ``halle --help`` and ``halle status`` answer at once. Exit statuses: 0
all is well, 1 something was refused or failed, 2 usage or configuration.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from raw_sources.errors import ConfigurationError, HalleError

if TYPE_CHECKING:
    from orchestration.project import Project
    from orchestration.run import Run
    from orchestration.workspace import Workspace
    from raw_sources.card import Card

app = typer.Typer(
    name="halle",
    help="A data warehouse for a territory: from producers' raw extracts to verified open data.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Data = Annotated[Path, typer.Option("--data", help="Folder that holds everything a run writes.", envvar="HALLE_DATA")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
DEFAULT_DATA = Path("data")
Result = TypeVar("Result")


class Format(StrEnum):
    """Forms of a query's answer."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


class RejectsFormat(StrEnum):
    """Forms in which refused records are given."""

    table = "table"
    json = "json"
    csv = "csv"
    xlsx = "xlsx"


class RegisterFormat(StrEnum):
    """Forms of the register."""

    all = "all"
    html = "html"
    csv = "csv"
    json = "json"


def main() -> None:
    """Run the command line; errors meant for people are printed as sentences, without a traceback."""
    try:
        app()
    except HalleError as error:
        typer.echo(f"halle: {error}", err=True)
        sys.exit(2 if isinstance(error, ConfigurationError) else 1)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"halle {version('halle')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A data warehouse for a territory."""


@app.command()
def run(
    territory: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of a territory.yml; several times for several territories, each in DATA/<name>."),
    ] = None,
    extracts: Annotated[
        Path | None, typer.Option(help="Take the files from this folder by the territory's patterns, not the network.")
    ] = None,
    data: Data = DEFAULT_DATA,
    theme: Annotated[list[str] | None, typer.Option(help="Only this theme; may be repeated.")] = None,
    source: Annotated[list[str] | None, typer.Option(help="Only this source; may be repeated.")] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Date up to which data are known (default: the latest observation)."),
    ] = None,
) -> None:
    """Take everything new the whole way, from deliveries to published and verified files."""
    from orchestration.sharing import members

    prepare = partial(_prepare, extracts, as_of.date() if as_of else None, tuple(theme or ()), tuple(source or ()))
    folders = territory or list(members(data.resolve()).values())
    if len(folders) > 1:
        raise typer.Exit(_run_several(folders, data.resolve(), prepare))
    raise typer.Exit(_run_one(folders[0] if folders else None, data, prepare))


def _prepare(
    extracts: Path | None,
    as_of: date | None,
    themes: tuple[str, ...],
    sources: tuple[str, ...],
    report: Callable[[str], None],
    project: Project,
    workspace: Workspace,
) -> Run:
    """Return the run that the options ask for on one territory; raises ConfigurationError for a name it lacks."""
    from orchestration.run import Run

    _check_names(project, themes, sources)
    return Run(project, workspace, extracts, as_of, sources=sources or None, themes=themes or None, report=report)


def _run_several(folders: list[Path], data: Path, prepare: Callable[..., Run]) -> int:
    from orchestration.console import Progress, print_members
    from orchestration.interrupts import interruptible
    from orchestration.syndicate import run_syndicate

    with Progress() as progress:
        found = interruptible(partial(run_syndicate, folders, data, partial(prepare, progress.report)))
    print_members(found)
    return max(one.status for one in found)


def _run_one(folder: Path | None, data: Path, prepare: Callable[..., Run]) -> int:
    from orchestration.console import Progress, print_outcome
    from orchestration.interrupts import interruptible
    from orchestration.running import run_territory
    from orchestration.sharing import members, remember_member

    with Progress() as progress:
        asked = prepare(progress.report, *_project(folder, data))
        if members(data.resolve()):
            remember_member(asked.project, data.resolve())
        outcome = interruptible(partial(run_territory, asked))
    print_outcome(outcome)
    return outcome.status


@app.command()
def init(
    code: Annotated[str, typer.Argument(help="INSEE code of a commune, SIREN of a grouping, or code of a department.")],
    folder: Annotated[Path, typer.Option("--dir", help="Folder to write; it must not exist or be empty.")],
    extracts: Annotated[
        Path | None, typer.Option(help="Take the national references from this folder, not the network.")
    ] = None,
) -> None:
    """Write the folder of a territory, with the open national sources that serve any."""
    from orchestration.console import Progress, print_founded
    from orchestration.founding import found

    with Progress() as progress:
        founded = found(code, folder, extracts, datetime.now(UTC), progress.report)
    print_founded(founded, folder, extracts)


@app.command()
def land(
    source: Annotated[str, typer.Argument(help="Name of a source: the stem of its card.")],
    files: Annotated[list[Path], typer.Argument(help="Files to receive.")],
    data: Data = DEFAULT_DATA,
    territory: Annotated[Path | None, typer.Option(help="Folder of a territory.yml (before the first run).")] = None,
) -> None:
    """Receive files for one source; the next run loads and publishes them."""
    from orchestration.locking import alone_at_work
    from orchestration.staleness import remember_territory
    from raw_sources.landing import Landing

    project, workspace = _project(territory, data)
    card, feed = project.card(source), project.territory.feeds[source]
    refused = False
    with alone_at_work(workspace):
        remember_territory(project, workspace)
        for path in files:
            pattern = feed.pattern_for(path.name)
            landing = Landing(workspace.landing_of(source))
            for landed in landing.land_file(card, path, now=datetime.now(UTC), pattern=pattern):
                refused |= landed.refusal is not None
                if landed.refusal is not None:
                    typer.echo(f"{path.name}: refused. {landed.refusal}", err=True)
                elif landed.receipt is not None:
                    word = "received" if landed.new else "already known"
                    typer.echo(f"{path.name}: {word}, delivery {landed.receipt.delivery_id}.")
                elif landed.erased:
                    typer.echo(f"{path.name}: erased before, not received again.")
    raise typer.Exit(1 if refused else 0)


@app.command()
def collect(
    source: Annotated[str, typer.Argument(help="Name of a polled source: the stem of its card.")],
    once: Annotated[bool, typer.Option("--once", help="Poll once and end.")] = False,
    every: Annotated[int | None, typer.Option(help="Seconds between two polls (default: the card's rhythm).")] = None,
    lasting: Annotated[
        str | None, typer.Option("--for", help="End after this ISO 8601 duration, such as PT8H (default: never).")
    ] = None,
    data: Data = DEFAULT_DATA,
    territory: Annotated[Path | None, typer.Option(help="Folder of a territory.yml (before the first run).")] = None,
) -> None:
    """Collect a polled feed, one bundle per hour; the next run takes the closed ones over."""
    from orchestration.collecting import collect_source

    say = partial(typer.echo, err=True)
    raise typer.Exit(collect_source(territory, data, source, once=once, every=every, lasting=lasting, say=say))


@app.command()
def status(data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Show sources and their freshness, marts and their certificates, releases."""
    from orchestration.sharing import members
    from orchestration.status import read_status

    if members(data.resolve()):
        _status_of_all(data.resolve(), as_json)
    found = _remembered(data, lambda project, workspace: read_status(project, workspace))
    if as_json:
        typer.echo(json.dumps(found.to_json(), ensure_ascii=False, indent=2))
    else:
        from orchestration.console import print_status

        print_status(found)
    raise typer.Exit(0 if found.is_healthy else 1)


def _status_of_all(data: Path, as_json: bool) -> None:
    """Show the territories of a syndicate one after another, and end with one exit status."""
    from orchestration.status import read_status
    from orchestration.syndicate import standings, to_json

    found = standings(data, read_status)
    if as_json:
        typer.echo(json.dumps(to_json(found), ensure_ascii=False, indent=2))
    else:
        from orchestration.console import print_standings

        print_standings(found)
    raise typer.Exit(0 if all(one.is_healthy for one in found) else 1)


@app.command()
def rejects(
    source: Annotated[str | None, typer.Argument(help="Name of a source (default: all).")] = None,
    data: Data = DEFAULT_DATA,
    form: Annotated[
        RejectsFormat,
        typer.Option("--format", help="table and json: by reason, with samples; csv: every record; xlsx: to correct."),
    ] = RejectsFormat.table,
    as_json: AsJson = False,
    out: Annotated[Path | None, typer.Option(help="File to write (xlsx; default: rejets_SOURCE.xlsx here).")] = None,
) -> None:
    """Show what was refused, by reason, with samples; or give the rows back as a spreadsheet, to be corrected."""
    from orchestration.console import print_rejects
    from orchestration.inquiry import read_rejects

    project, workspace = _project(None, data)
    card = project.card(source) if source is not None else None
    if form is RejectsFormat.xlsx:
        _give_back(project, workspace, card, out)
    elif form is RejectsFormat.csv:
        from orchestration.refusals import listed

        typer.echo(listed(workspace, source).write_csv(), nl=False)
    elif as_json or form is RejectsFormat.json:
        found = read_rejects(workspace, source)
        typer.echo(json.dumps([one.to_json() for one in found], ensure_ascii=False, indent=2))
    else:
        print_rejects(read_rejects(workspace, source))


def _give_back(project: Project, workspace: Workspace, card: Card | None, out: Path | None) -> None:
    from orchestration.reasons import read_reasons
    from orchestration.refusals import read_refusals
    from raw_sources.corrections import write_corrections

    if card is None:
        raise ConfigurationError("a spreadsheet to correct is made for one source.", hint="Name the source.")
    found = read_refusals(workspace, card, read_reasons(project.territory))
    left_out = f"{found.corrected} corrected since are left out." if found.corrected else ""
    if not (found.refused or found.unread):
        typer.echo(f"No record stands refused. {left_out}".rstrip())
        return
    path = out or Path(f"rejets_{card.source}.xlsx")
    write_corrections(card, found.refused, found.unread, path)
    typer.echo(f"{len(found.refused)} rows to correct, {len(found.unread)} that could not be read: {path}")
    if left_out:
        typer.echo(left_out)


@app.command()
def template(
    source: Annotated[str, typer.Argument(help="Name of a source: the stem of its card.")],
    out: Annotated[Path | None, typer.Option(help="File to write (default: SOURCE.xlsx here).")] = None,
    data: Data = DEFAULT_DATA,
    territory: Annotated[Path | None, typer.Option(help="Folder of a territory.yml (before the first run).")] = None,
) -> None:
    """Write an empty spreadsheet with the columns of a source, which loads once it is filled."""
    from raw_sources.templates import mapping_to_paste, write_template

    project, _ = _project(territory, data)
    path = out or Path(f"{source}.xlsx")
    # A table is asked of a producer before his source is enabled.
    card = project.cards.get(source) or project.card(source)
    write_template(card, path)
    if mapping := mapping_to_paste(card):
        typer.echo(f"In territory.yml, unless the file has other headers:\n\n{mapping}")
    typer.echo(f"{path}: fill it, then `halle land {source} {path}`.")


@app.command()
def report(
    source: Annotated[str, typer.Argument(help="Name of a source: the stem of its card.")],
    out: Annotated[Path, typer.Option(help="Folder for the page, as HTML and as Markdown.")] = Path(),
    data: Data = DEFAULT_DATA,
    territory: Annotated[Path | None, typer.Option(help="Folder of a territory.yml (before the first run).")] = None,
) -> None:
    """Write the page that tells a producer, in French, what was received, what was refused and why."""
    from orchestration.reporting import write_report

    project, workspace = _project(territory, data)
    for path in write_report(project, workspace, project.card(source), out):
        typer.echo(str(path))


@app.command()
def withdraw(
    slug: Annotated[str, typer.Argument(help="Name of a dataset.")],
    why: Annotated[str, typer.Option(help="The reason; it stands at the address for everybody to read.")],
    version: Annotated[
        str | None, typer.Argument(help="A release (2026-…) or a schema version (1.2.0); none: the whole dataset.")
    ] = None,
    audience: Annotated[str, typer.Option(help="public, internal or partner-NAME.")] = "public",
    by: Annotated[str | None, typer.Option(help="Who decided: a service or a role, for the log.")] = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Take a publication down for good; the address says so, and no later run brings it back."""
    from orchestration.governance_console import print_withdrawn
    from orchestration.locking import alone_at_work
    from orchestration.withdrawing import withdraw as take_down

    project, workspace = _project(None, data)
    with alone_at_work(workspace):
        now = datetime.now(UTC)
        found = take_down(project, workspace, slug, version, audience=audience, why=why, by=by, now=now)
    print_withdrawn(found, slug, workspace.tree_of(audience))


@app.command()
def erase(
    source: Annotated[str, typer.Argument(help="Name of a source: the stem of its card.")],
    why: Annotated[str, typer.Option(help="The reason, for the log.")],
    by: Annotated[str | None, typer.Option(help="Who decided: a service or a role, for the log.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Erase for good what a source delivered and what was built with it; report what had been published."""
    from orchestration.erasing import erasable_card, erase_source
    from orchestration.governance_console import print_erased
    from orchestration.locking import alone_at_work

    project, workspace = _project(None, data)
    card = erasable_card(project, workspace, source)
    if not yes:
        typer.confirm(f"Erase all that {source} delivered to {workspace.data}? This cannot be undone.", abort=True)
    with alone_at_work(workspace):
        print_erased(erase_source(workspace, card, why=why, by=by, now=datetime.now(UTC)))


@app.command()
def register(
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path(),
    form: Annotated[RegisterFormat, typer.Option("--format", help="Form of the register.")] = RegisterFormat.all,
    data: Data = DEFAULT_DATA,
    territory: Annotated[Path | None, typer.Option(help="Folder of a territory.yml (before the first run).")] = None,
) -> None:
    """Write the record of processing (GDPR, article 30) and the list of agreements."""
    from orchestration.register import write_register

    project, workspace = _project(territory, data)
    for path in write_register(project, workspace, out, form.value, datetime.now(UTC)):
        typer.echo(str(path))


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="A read-only query on the analysts' copy.")],
    data: Data = DEFAULT_DATA,
    form: Annotated[Format, typer.Option("--format", help="Form of the answer.")] = Format.table,
) -> None:
    """Run read-only SQL on the analysts' copy."""
    from orchestration.console import print_rows
    from orchestration.inquiry import answer

    _, workspace = _project(None, data)
    answer(workspace, sql, form.value, sys.stdout, print_rows)


@app.command()
def verify(
    folder: Annotated[Path | None, typer.Argument(help="A published tree (default: DATA/public).")] = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Check a published tree: checksums, schemas, certificates, equality of forms."""
    from exports.schemas import SchemaStore
    from exports.verify import verify_tree
    from orchestration.console import print_verification
    from orchestration.sharing import check_is_one
    from orchestration.workspace import Workspace

    workspace = Workspace(data.resolve())
    if folder is None:
        check_is_one(workspace.data)
    root = folder or workspace.public
    if not root.exists():
        raise ConfigurationError("there is no published tree here.", where=str(root), hint="Run `halle run` first.")
    report = verify_tree(root, SchemaStore.from_environment(workspace.build / "schemas"), workspace.duckdb)
    print_verification(report)
    raise typer.Exit(0 if report.ok else 1)


@app.command()
def protect(
    table: Annotated[Path, typer.Argument(help="A CSV or Parquet file: contributors' rows, or cells.")],
    spec: Annotated[Path, typer.Option(help="What its columns, hierarchies and rules of secrecy are (YAML).")],
    out: Annotated[Path, typer.Option(help="Folder for the protected table, the audit and a summary.")],
) -> None:
    """Empty the cells of a table that would tell of somebody, and prove that sums do not give them back."""
    from exports.disclosure.protect import protect as protect_frame
    from exports.disclosure.protect import read_previous, write_protected
    from exports.disclosure.spec import read_spec, read_table

    rules = read_spec(spec)
    protected = protect_frame(read_table(table), rules, read_previous(rules))
    for path in write_protected(protected, out):
        typer.echo(str(path))
    typer.echo(protected.said_aside, err=True)
    protected.refuse_risks()


@app.command()
def sample(
    out: Annotated[Path, typer.Option(help="Folder to write; it must not exist or be empty.")],
    scale: Annotated[
        float, typer.Option(help="1 is a town of 20 counters over two months; a city is in the hundreds.")
    ] = 1.0,
    defects: Annotated[
        bool, typer.Option("--defects", help="Seed known defects and list them in defects.json.")
    ] = False,
) -> None:
    """Write synthetic extracts in the producers' own formats."""
    from orchestration.console import Progress
    from raw_sources.sample.generate import generate

    with Progress() as progress:
        manifest = generate(out, scale=scale, defects=defects, progress=progress.report)
    typer.echo(f"{manifest.traffic_rows:,} counts of {manifest.arcs} counters, {len(manifest.files)} files in {out}.")


@app.command()
def new_source(
    file: Annotated[Path, typer.Argument(help="A file that no card knows yet, compressed or not.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the source, PRODUCER_DATASET (default: from the file's name).")
    ] = None,
    theme: Annotated[str | None, typer.Option(help="Theme, such as mobility (default: from the columns).")] = None,
    out: Annotated[Path, typer.Option(help="Folder of a territory, or halle's own.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Write over an earlier draft.")] = False,
) -> None:
    """Draft a source card and a staging model from an unknown file, with what it does not say as questions."""
    from orchestration.console import print_draft
    from raw_sources.drafting import draft_source, write_draft

    draft = draft_source(file, name, theme)
    print_draft(draft, write_draft(draft, out, force=force))


@app.command()
def ui(
    data: Data = DEFAULT_DATA,
    territory: Annotated[Path | None, typer.Option(help="Folder of a territory.yml (before the first run).")] = None,
    extracts: Annotated[
        Path | None, typer.Option(help="Folder of files that runs take instead of the network.")
    ] = None,
    port: Annotated[int, typer.Option(help="Port on the loopback interface.")] = 3000,
) -> None:
    """Open the Dagster user interface on this machine (schedules and the drop-folder sensor included)."""
    from orchestration.ui import serve

    project, workspace = _project(territory, data)
    raise typer.Exit(serve(project, workspace, extracts, port))


def _project(territory: Path | None, data: Path) -> tuple[Project, Workspace]:
    """Return the territory named, else the one that DATA remembers, else the synthetic one."""
    from orchestration.sharing import open_territory

    return open_territory(territory, data)


def _remembered(data: Path, read: Callable[[Project, Workspace], Result]) -> Result:
    return read(*_project(None, data))


def _check_names(project: Project, themes: Sequence[str], sources: Sequence[str]) -> None:
    for name in sources:
        project.card(name)
    for name in themes:
        if name not in project.themes:
            raise ConfigurationError(
                f"the territory {project.territory.name!r} has no theme {name!r}.",
                hint=f"Its themes: {', '.join(project.themes)}.",
            )


if __name__ == "__main__":
    main()
