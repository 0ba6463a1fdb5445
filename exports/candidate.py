"""The candidate: a release's files written aside from the very content that was validated, and checked again as files.

What may leave, and under which name, is decided in ``plan``; making a candidate public is ``release``; what files look
like is ``formats``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from exports.card import ExportCard
from exports.changes import describe_changes
from exports.formats import datapackage
from exports.formats.columns import PublishedColumn, geometry_functions, select_sql
from exports.formats.csv import CSV
from exports.formats.delimited import Dialect, header_line, line_breaks_in_cells_sql, write_delimited
from exports.formats.excel_fr import EXCEL_FR, ROWS_BELOW
from exports.formats.parquet import GEO_KEY, geo_metadata, keep_wkb, parquet_relation, write_parquet
from exports.log import Entry, FileFacts, ReleaseLog
from exports.metadata import Context, Mart
from exports.plan import Gate, Plan, inside_parquet, make_plan, published_fingerprint
from exports.protection.past import hold
from exports.terms import Terms
from exports.tree import LATEST, RELEASE_FILE, files_below, link_file, release_folder, sync_file
from raw_sources.boundaries import boundary
from raw_sources.database import DuckDBSettings, connect, identifier, literal
from raw_sources.errors import ConfigurationError, GateClosed, MachineryError
from raw_sources.files import CHUNK_BYTES, canonical_json, sha256_file, sync_folder

SUMS_FILE = "SHA256SUMS"
DELIMITED_FORMS = (CSV, EXCEL_FR)


@dataclass(frozen=True)
class Candidate:
    """A release ready to be published. ``folder`` holds its files; ``new`` is False when they are public already."""

    entry: Entry
    folder: Path
    new: bool


def build_candidate(
    card: ExportCard,
    mart: Mart,
    context: Context,
    terms: Terms,
    database: Path,
    settings: DuckDBSettings,
    gate: Gate,
    staging_root: Path,
    public: Path,
    log: ReleaseLog,
    secrets: Path,
) -> Candidate:
    """Write the files of the next release of ``card`` aside, in ``staging_root``, and check them.

    ``public`` is the tree that the audience of ``terms`` sees: unchanged files are hard links to it, and an unchanged
    release is returned as it is there. What a release hides is kept in ``secrets`` before anything of it is public.
    Raises ``ConfigurationError`` (card, mart and version do not fit), ``NothingToRelease`` (empty mart), ``GateClosed``
    (a broken agreement, a secret that can be deduced, no passing certificate for this content, or written files that
    differ from it), ``MachineryError`` (a replay that gives other bytes, an earlier release that cannot be audited).
    """
    with ExitStack() as stack:
        connection = stack.enter_context(connect(database, settings))
        stack.enter_context(geometry_functions(connection))
        plan = make_plan(connection, card, mart, context, terms, gate, public, log, secrets)
        hold(secrets, plan.entry, plan.held)
        current = public / release_folder(card.slug, card.version, plan.entry.release)
        if plan.entry == _newest_if_same(plan.entry, log) and is_published(public, plan.entry, thorough=True):
            return Candidate(plan.entry, current, new=False)
        return _write(connection, plan, settings, staging_root / card.slug)


def is_published(public: Path, entry: Entry, *, thorough: bool = False) -> bool:
    """Tell whether the release of ``entry`` is in the tree ``public``, whole, also as ``latest``.

    Sizes are compared, and with ``thorough`` the SHA-256 of every file.
    """
    release = public / release_folder(entry.slug, entry.version, entry.release)
    latest = public / entry.slug / LATEST
    names = sorted([*entry.files, SUMS_FILE])
    if not entry.files or files_below(release) != names or files_below(latest) != names:
        return False
    sums = _sums(entry.files)
    if any((folder / SUMS_FILE).read_text(encoding="utf-8") != sums for folder in (release, latest)):
        return False
    return all(
        _is_intact(folder / name, facts, thorough)
        for folder in (release, latest)
        for name, facts in entry.files.items()
    )


def _is_intact(path: Path, facts: FileFacts, thorough: bool) -> bool:
    return path.stat().st_size == facts.bytes and (not thorough or sha256_file(path) == facts.sha256)


def _newest_if_same(entry: Entry, log: ReleaseLog) -> Entry | None:
    """Return the newest log entry when it is this very release (``entry`` then carries its files), else None."""
    last = log.last(entry.slug)
    return last if last is not None and last.release == entry.release else None


def _write(connection: duckdb.DuckDBPyConnection, plan: Plan, settings: DuckDBSettings, staging: Path) -> Candidate:
    work = staging / f"{plan.entry.release}.partial"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    files = _write_data(connection, plan, settings, work)
    everything = {path: facts for facts_by_path in files.values() for path, facts in facts_by_path.items()}
    package = datapackage.describe_package(plan.card, plan.context, plan.columns, plan.entry.release, files)
    everything[datapackage.FILE_NAME] = _write_document(work / datapackage.FILE_NAME, package)
    everything[RELEASE_FILE] = _write_document(work / RELEASE_FILE, _release_document(plan, everything))
    (work / SUMS_FILE).write_text(_sums(everything), encoding="utf-8")
    _sync(work)
    entry = replace(plan.entry, files=dict(sorted(everything.items())))
    if plan.entry.files and plan.entry.files != entry.files:
        raise MachineryError(
            f"release {entry.release} of {entry.slug} was written again with other bytes than the release log says.",
            hint="The same release must give the same files: report this with the versions of the libraries.",
        )
    folder = staging / entry.release
    shutil.rmtree(folder, ignore_errors=True)
    boundary("release.candidate.before")
    work.rename(folder)
    sync_folder(staging)
    boundary("release.candidate.after")
    return Candidate(entry, folder, new=True)


def _write_data(
    connection: duckdb.DuckDBPyConnection, plan: Plan, settings: DuckDBSettings, work: Path
) -> dict[str, dict[str, FileFacts]]:
    """Write (or link) the data files; return their facts by form, after the checks on what was written."""
    files: dict[str, dict[str, FileFacts]] = {"parquet": {}}
    for stem, periods in plan.parquet_files.items():
        path = f"{stem}.parquet"
        write = _parquet_writer(connection, plan, periods, work / path)
        files["parquet"][path] = _link_or_write(plan, path, periods, work, write)
    with ExitStack() as stack:
        memory = stack.enter_context(connect(None, settings))
        keep_wkb(memory)
        _check_parquet(memory, plan, [work / path for path in files["parquet"]])
        for dialect in DELIMITED_FORMS:
            if dialect.name in plan.card.formats and (dialect is CSV or plan.content.rows < ROWS_BELOW):
                files[dialect.name] = _write_dialect(memory, plan, dialect, work)
    return files


def _parquet_writer(
    connection: duckdb.DuckDBPyConnection, plan: Plan, periods: Sequence[str], out: Path
) -> Callable[[], None]:
    def write() -> None:
        query = f"SELECT * FROM {plan.relation}"
        if plan.entry.partitioned and plan.mart.period_column is not None:
            source = f"{plan.rows} WHERE {identifier(plan.mart.period_column)} = {literal(periods[0])}"
            query = select_sql(plan.columns, source)
        _check_order_key(connection, plan, query)
        metadata = inside_parquet(plan.card, plan.context)
        if plan.card.geometry is not None:
            metadata[GEO_KEY] = geo_metadata(connection, query, plan.card.geometry)
        write_parquet(connection, query, plan.card.order_by, out, metadata)

    return write


def _check_order_key(connection: duckdb.DuckDBPyConnection, plan: Plan, query: str) -> None:
    keys = ", ".join(map(identifier, plan.card.order_by))
    repeated = connection.execute(f"SELECT 1 FROM ({query}) GROUP BY {keys} HAVING count(*) > 1 LIMIT 1").fetchall()
    if repeated:
        raise ConfigurationError(
            "order_by does not identify a row, so the order of the files would be left to chance.",
            where=f"{plan.card.path}: field order_by",
            hint="Name the mart's whole key.",
        )


def _write_dialect(memory: duckdb.DuckDBPyConnection, plan: Plan, dialect: Dialect, work: Path) -> dict[str, FileFacts]:
    stems = plan.parquet_files
    if dialect is EXCEL_FR:
        stems = {plan.card.slug: tuple(plan.content.periods)}
    files = {}
    for stem, periods in stems.items():
        path = f"{stem}{dialect.suffix}"
        inputs = [work / f"{name}.parquet" for name, held in plan.parquet_files.items() if set(held) <= set(periods)]
        facts = _link_or_write(plan, path, periods, work, _delimited_writer(inputs, plan.columns, dialect, work / path))
        _check_delimited(memory, plan, dialect, inputs, work / path, facts)
        files[path] = facts
    return files


def _delimited_writer(
    inputs: Sequence[Path], columns: Sequence[PublishedColumn], dialect: Dialect, out: Path
) -> Callable[[], None]:
    return lambda: write_delimited(inputs, columns, dialect, out)


def _link_or_write(plan: Plan, path: str, periods: Sequence[str], work: Path, write: Callable[[], None]) -> FileFacts:
    """Link the predecessor's file when its content is the same and its bytes are what the log says, else write it."""
    target = work / path
    known = _unchanged(plan, path, periods)
    if known is not None and plan.previous is not None:
        folder = plan.public / release_folder(plan.card.slug, plan.previous.version, plan.previous.release)
        source = folder / path
        if source.is_file() and _is_intact(source, known, thorough=True):
            link_file(source, target)
            return known
    target.parent.mkdir(parents=True, exist_ok=True)
    write()
    sync_file(target)
    rows = sum(plan.content.periods[period].rows for period in periods)
    return FileFacts(sha256_file(target), target.stat().st_size, rows)


def _unchanged(plan: Plan, path: str, periods: Sequence[str]) -> FileFacts | None:
    before = plan.previous
    if before is None or before.recipe != plan.entry.recipe or before.engine != plan.entry.engine:
        return None
    same = all(before.periods.get(period) == plan.entry.periods[period] for period in periods)
    whole = before.partitioned == plan.entry.partitioned if "/" in path else set(before.periods) == set(periods)
    return before.files.get(path) if same and whole else None


def _check_parquet(memory: duckdb.DuckDBPyConnection, plan: Plan, paths: Sequence[Path]) -> None:
    """Raise ``GateClosed`` unless the written Parquet files hold exactly the content that was certified."""
    written = published_fingerprint(memory, parquet_relation(paths), plan.card.columns, plan.mart.period_column)
    if written != plan.content:
        raise GateClosed(
            f"the Parquet files written for {plan.card.slug} do not hold what was validated in {plan.mart.relation}.",
            hint="Nothing was published. Run again; if it recurs, the disk or the writer is at fault.",
        )


def _check_delimited(
    memory: duckdb.DuckDBPyConnection,
    plan: Plan,
    dialect: Dialect,
    inputs: Sequence[Path],
    path: Path,
    facts: FileFacts,
) -> None:
    """Raise ``GateClosed`` unless ``path`` has its header and as many line ends as rows, header and text cells make."""
    header = header_line(plan.columns, dialect)
    query = line_breaks_in_cells_sql(plan.columns, parquet_relation(inputs))
    inside = int(memory.execute(query).fetchall()[0][0])
    with path.open("rb") as stream:
        begins_well = stream.read(len(header)) == header
    if not begins_well or _line_feeds(path) != (facts.rows or 0) + header.count(b"\n") + inside:
        raise GateClosed(
            f"the file {path.name} has not the header and the {facts.rows} rows of the Parquet it was made from.",
            hint="Nothing was published. Run again; if it recurs, the disk or the writer is at fault.",
        )


def _line_feeds(path: Path) -> int:
    found = 0
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            found += chunk.count(b"\n")
    return found


def _release_document(plan: Plan, files: Mapping[str, FileFacts]) -> dict[str, Any]:
    entry, context = plan.entry, plan.context
    return {
        "dataset": entry.slug,
        "audience": plan.proof["audience"],
        "release": entry.release,
        "sequence": entry.sequence,
        "version": entry.version,
        "as_of": entry.as_of,
        "mart": entry.mart,
        "title": context.mark_fr(plan.card.title_fr),
        "title_en": context.mark_en(plan.card.title_en),
        "synthetic": context.synthetic,
        "licence": datapackage.licence_note(plan.card.licence),
        "sources": [asdict(note) for note in context.sources],
        "rows": entry.rows,
        "order_by": list(plan.card.order_by),
        "period_column": plan.mart.period_column,
        "geometry": plan.card.geometry,
        "columns": [asdict(column) for column in entry.columns],
        "agreements": plan.proof,
        "content": plan.identity,
        "fingerprint": plan.content.to_json(),
        "certificate": _certificate_document(plan),
        "changes": describe_changes(plan.previous, entry.version, entry.columns, entry.periods, entry.engine),
        "files": {path: asdict(facts) for path, facts in sorted(files.items())},
    }


def _certificate_document(plan: Plan) -> dict[str, Any]:
    """Return the certificate as it leaves: bound to the published rows, and without what tells of others.

    Observations may tell of one warehouse's past, and the fingerprint of the mart of rows and figures that stay in.
    """
    document = plan.certificate.to_json()
    del document["fingerprint"]
    kept = ("name", "kind", "status", "why_fr", "why_en")
    results = [{key: result[key] for key in kept} for result in document["results"]]
    return {**document, "key": plan.identity["certificate"], "results": results}


def _write_document(path: Path, value: Any) -> FileFacts:
    path.write_text(canonical_json(value), encoding="utf-8")
    return FileFacts(sha256_file(path), path.stat().st_size, None)


def _sums(files: Mapping[str, FileFacts]) -> str:
    """Return the text that ``sha256sum -c`` reads, in the order of paths."""
    return "".join(f"{facts.sha256}  {path}\n" for path, facts in sorted(files.items()))


def _sync(folder: Path) -> None:
    for name in (RELEASE_FILE, datapackage.FILE_NAME, SUMS_FILE):
        sync_file(folder / name)
    for inner in (path for path in folder.rglob("*") if path.is_dir()):
        sync_folder(inner)
    sync_folder(folder)
