"""Erasing what a source delivered, and what was made of it (`halle erase`); retention erases by the same steps.

The line in the log comes first, receipts go last: as long as a delivery of the log has its receipt, its erasure is not
finished, and the next run finishes it. What had been published stays published, and is reported: taking it down is a
decision of its own (``withdrawing``). The landing's part is in ``raw_sources.landing``.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from exports.log import Entry
from exports.protection.past import forget
from exports.withdrawals import withdrawn_releases
from orchestration.audiences import released_to
from orchestration.interventions import (
    ERASED,
    RETENTION,
    Intervention,
    home_of,
    homes,
    instant,
    interventions,
    interventions_in,
    record,
)
from orchestration.marts import read_marts
from orchestration.project import Project
from orchestration.receiving import inbox_files
from orchestration.withdrawing import release_log
from orchestration.workspace import Workspace
from raw_sources.card import Card
from raw_sources.database import connect, literal
from raw_sources.errors import ConfigurationError
from raw_sources.files import read_json, sha256_file, write_json
from raw_sources.landing import Erased, Landing

STORAGE_VERSION = "v1.0.0"  # that of the analysts' copy
COLLECTED = "collect"
NAMES = ("audience", "slug", "release")


@dataclass(frozen=True)
class Published:
    """A release made with a source, still to be had by ``audience``; ``files`` go from path to SHA-256."""

    slug: str
    release: str
    version: str
    audience: str
    mart: str
    rows: int
    files: Mapping[str, str]


@dataclass(frozen=True)
class Erasure:
    """What was erased of a source, and the releases that had been made with it; ``report`` is the file that says so.

    ``refused`` are files that were no deliveries: refused ones, and those that waited in the drop folder.
    """

    source: str
    deliveries: int
    refused: int
    published: tuple[Published, ...]
    report: Path | None


def erasable_card(project: Project, workspace: Workspace, source: str) -> Card:
    """Return the card of a source that may be erased here: enabled or not, and not shared with other territories."""
    if source not in project.cards:
        raise ConfigurationError(
            f"no card describes the source {source!r}.",
            hint="Name it as `halle status` does; its card has to be there.",
        )
    if home_of(workspace, source) != workspace.data:
        raise ConfigurationError(
            f"the deliveries of {source} are shared by the territories of this syndicate.",
            where=str(workspace.landing_of(source)),
            hint="Erasing them for one would erase them for all: take the source out of the feeds of each, "
            "or give this territory files of its own.",
        )
    _check_is_not_collected(workspace.data / COLLECTED / source, source)
    return project.cards[source]


def _check_is_not_collected(folder: Path, source: str) -> None:
    """Refuse to erase beneath a collector at work: it would go on with the hour that it has open."""
    if not (folder / "lock").is_file():
        return
    with (folder / "lock").open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"{source} is being collected.", where=str(folder), hint="Stop `halle collect` first."
            ) from None


def erase_source(workspace: Workspace, card: Card, *, why: str, by: str | None, now: datetime) -> Erasure:
    """Erase all that is held of a source: bytes, refused bytes, raw data, and whatever was built with them.

    The warehouse and the analysts' copy go as a whole; the next run builds them without the source.
    """
    what = [*Landing(workspace.landing).erasable(card.source), *_waiting(workspace, card.source, now)]
    if not what and not (workspace.raw / card.raw_table).exists():
        return Erasure(card.source, 0, 0, (), None)
    published = tuple(published_with(workspace, card.source))
    line = Intervention(ERASED, instant(now), why, by, erasure_of(card, what, published, files=True))
    record(workspace.data, line)
    carry_out(workspace, line)
    _note_cleansed(workspace)
    deliveries = sum(one.sequence is not None for one in what)
    return Erasure(card.source, deliveries, len(what) - deliveries, published, _report_path(workspace, line))


def _waiting(workspace: Workspace, source: str, now: datetime) -> Iterator[Erased]:
    """Yield what lies in the drop folder of a source: refused files, and those that no run has received yet."""
    for path in inbox_files(workspace, source):
        yield Erased(source, path.name, path.name, instant(now), sha256_file(path))


def erasure_of(card: Card, what: Iterable[Erased], published: Iterable[Published], *, files: bool) -> dict[str, Any]:
    """Return what a line of the log says of an erasure: all that carrying it out needs, should the card be gone."""
    listed = [asdict(one) for one in published]
    return {
        "source": card.source,
        "raw_table": card.raw_table,
        "erased": [asdict(one) for one in what],
        "published": listed if files else [{name: one[name] for name in NAMES} for one in listed],
    }


def erased_of(line: Intervention) -> list[Erased]:
    """Return what a line of the log erases."""
    return [Erased(**one) for one in line.what["erased"]]


# --- doing it, and doing it again ---------------------------------------------------------------------------------


def carry_out(home: Workspace, line: Intervention) -> None:
    """Remove what a line of the log of ``home`` says; done again, it does what is left to do."""
    source, raw, what = line.what["source"], home.raw / line.what["raw_table"], erased_of(line)
    if line.kind == ERASED:
        write_json(_report_path(home, line), _report(line))
        _remove_derived(home)
        shutil.rmtree(home.data / COLLECTED / source, ignore_errors=True)
        _remove_inbox(home, source, what)
        shutil.rmtree(raw, ignore_errors=True)
    forget(home.secrets, source)
    for one in what:
        _remove_raw(raw, one)
    Landing(home.landing).erase(source, what)


def finish_erasures(workspace: Workspace) -> list[Intervention]:
    """Carry out the erasures of the log that a kill, or a backup put back, left undone; return them."""
    return [line for data in homes(workspace) for line in _finish(Workspace(data))]


def _finish(home: Workspace) -> Iterator[Intervention]:
    lines = [line for line in interventions_in(home.data) if line.kind in (ERASED, RETENTION)]
    landing, sources = Landing(home.landing), {line.what["source"] for line in lines}
    standing = {one for source in sources for one in landing.erasable(source)}
    known = {one for source in sources for one in landing.erased(source)}
    for line in lines:
        what = erased_of(line)
        if not known.issuperset(what) or any(replace(one, for_good=True) in standing for one in what):
            carry_out(home, line)
            yield line


def _remove_raw(folder: Path, one: Erased) -> None:
    if one.delivery_id is not None:
        for path in (*folder.glob(f"{one.delivery_id}.*"), *folder.glob(f".{one.delivery_id}.*")):
            path.unlink(missing_ok=True)


def _remove_inbox(workspace: Workspace, source: str, what: Collection[Erased]) -> None:
    """Remove from the drop folder the files whose bytes are among those erased."""
    digests = {digest for one in what for digest in one.digests}
    for path in inbox_files(workspace, source):
        if sha256_file(path) in digests:
            path.unlink()


def _remove_derived(workspace: Workspace) -> None:
    """Remove everything that a run made of deliveries and makes again: databases, validations, logs, histories."""
    for pattern in ("*", ".*"):
        for path in workspace.warehouse.parent.glob(pattern):
            _remove(path)
    copy = workspace.analysts_copy
    for path in (*copy.parent.glob(f"{copy.name}*"), *copy.parent.glob(f".{copy.name}*"), copy.parent / "data_docs"):
        _remove(path)
    target = workspace.build / "dbt"
    for path in (workspace.build / "spill", target / "logs", *target.glob("target/*results*"), workspace.dagster_home):
        _remove(path)
    for path in (workspace.validation, workspace.data / "candidates", workspace.state / "crash.txt"):
        _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


# --- what remains in databases ------------------------------------------------------------------------------------


def cleanse(workspace: Workspace) -> None:
    """Write the databases again when something was erased since: a table's deleted rows stay in the file until then.

    To be called once the models have forgotten what was erased.
    """
    if _erasures(workspace) == _cleansed(workspace):
        return
    for path, options in (
        (workspace.warehouse, ""),
        (workspace.analysts_copy, f" (storage_version '{STORAGE_VERSION}')"),
    ):
        if path.is_file():
            _write_again(workspace, path, options)
    _note_cleansed(workspace)


def _write_again(workspace: Workspace, path: Path, options: str) -> None:
    draft = path.with_name(f".{path.name}.cleansed")
    draft.unlink(missing_ok=True)
    with connect(None, workspace.duckdb) as connection:
        connection.execute(f"attach {literal(str(path))} as dirty (read_only)")
        connection.execute(f"attach {literal(str(draft))} as clean{options}")
        connection.execute("copy from database dirty to clean")
        connection.execute("detach clean")
        connection.execute("detach dirty")
    draft.replace(path)


def _erasures(workspace: Workspace) -> int:
    return len(interventions(workspace, (ERASED, RETENTION)))


def _cleansed(workspace: Workspace) -> int:
    path = workspace.state / "cleansed.json"
    return int(read_json(path)["erasures"]) if path.is_file() else 0


def _note_cleansed(workspace: Workspace) -> None:
    write_json(workspace.state / "cleansed.json", {"erasures": _erasures(workspace)})


# --- what had been published --------------------------------------------------------------------------------------


def published_with(workspace: Workspace, source: str) -> Iterator[Published]:
    """Yield the releases of datasets whose mart has the source in its lineage, for every audience.

    A dataset whose lineage cannot be told (its mart is gone, nothing was assembled) is among them.
    """
    manifest = workspace.build / "dbt" / "target" / "manifest.json"
    lineages = {one.mart.relation: one.lineage for one in read_marts(manifest).values()} if manifest.is_file() else {}
    for audience in released_to(workspace):
        log = release_log(workspace, audience)
        for slug in log.slugs():
            down = withdrawn_releases(log.withdrawals(slug))
            for entry in log.entries(slug):
                if entry.release not in down and source in lineages.get(entry.mart, (source,)):
                    yield _published(entry, audience)


def releases_with_erased(workspace: Workspace) -> set[tuple[str, str, str, str]]:
    """Return (audience, slug, release, source) of the releases that hold what was erased of a source since.

    Of these rows nobody expects that the next release keeps them.
    """
    lines = interventions(workspace, (ERASED, RETENTION))
    return {
        (each["audience"], each["slug"], each["release"], one.what["source"])
        for one in lines
        for each in one.what["published"]
    }


def _published(entry: Entry, audience: str) -> Published:
    files = {path: facts.sha256 for path, facts in sorted(entry.files.items())}
    return Published(entry.slug, entry.release, entry.version, audience, entry.mart, entry.rows, files)


def _report_path(workspace: Workspace, line: Intervention) -> Path:
    return workspace.internal / "erased" / f"{line.what['source']}-{line.at.replace(':', '')}.json"


def _report(line: Intervention) -> dict[str, Any]:
    return {"erased_at": line.at, "why": line.why, "by": line.by, **line.what}
