"""Withdrawals: publications taken down for good, what stands at their address instead, and what may not come back.

Where withdrawals are logged is not known here (``orchestration.interventions``). The tree changes by one rename, as for
a release; then the files go from the kept trees and from the candidates too: they are hard links to the same bytes.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from pathlib import Path
from typing import Any

from exports.log import Entry
from exports.tree import LATEST, RELEASE_FILE, Trees, files_below, link_folder, release_folder, sync_file
from raw_sources.boundaries import boundary
from raw_sources.files import canonical_json, read_json

TOMBSTONE, PAGE, NOTE = "WITHDRAWN.json", "WITHDRAWN.html", "WITHDRAWN.txt"
STYLE = "body { font: 1rem/1.5 system-ui, sans-serif; max-width: 45rem; margin: auto; padding: 1rem; }"
FIELDS = (
    "dataset", "title", "title_en", "release", "sequence", "version", "status", "withdrawn_on", "why", "publisher",
    "contact",
)  # fmt: skip


@dataclass(frozen=True)
class Gone:
    """A release that was taken down."""

    release: str
    version: str
    sequence: int


@dataclass(frozen=True)
class Withdrawal:
    """A decision to take down releases of a dataset; ``on`` is an ISO date, ``contact`` who answers for it.

    ``whole``: the dataset is never released again. ``version``: nor is this version of its schema.
    """

    slug: str
    title_fr: str
    title_en: str
    on: str
    why: str
    publisher: str
    contact: str
    whole: bool
    version: str | None
    releases: tuple[Gone, ...]

    @property
    def sentence(self) -> str:
        """When and why, for a summary."""
        return f"withdrawn on {self.on}: {self.why}"


def withdrawn_releases(withdrawals: Iterable[Withdrawal]) -> dict[str, tuple[Withdrawal, Gone]]:
    """Return what was taken down by the name of the release, each with the decision that did it first."""
    found: dict[str, tuple[Withdrawal, Gone]] = {}
    for withdrawal in withdrawals:
        for gone in withdrawal.releases:
            found.setdefault(gone.release, (withdrawal, gone))
    return found


def ban_on_version(withdrawals: Iterable[Withdrawal], version: str) -> Withdrawal | None:
    """Return the decision by which nothing of a dataset is released under this version of its schema."""
    return next((one for one in withdrawals if one.whole or one.version == version), None)


def ban_on_release(withdrawals: Sequence[Withdrawal], entry: Entry, history: Iterable[Entry]) -> Withdrawal | None:
    """Return the decision by which ``entry`` is not released: it would bring back what was taken down.

    It would with the same rows under the same version, whatever else is new: new libraries or a new suite alone make
    another release of the same rows, and are no reason to show them again. Who has mended what was wrong raises the
    version of the export card.
    """
    down = withdrawn_releases(withdrawals)
    repeated = (one for one in history if one.release in down and _repeats(entry, one))
    return next((down[one.release][0] for one in repeated), None)


def _repeats(entry: Entry, gone: Entry) -> bool:
    same_names = [column.name for column in entry.columns] == [column.name for column in gone.columns]
    return entry.version == gone.version and same_names and _same_rows(entry, gone)


def _same_rows(entry: Entry, gone: Entry) -> bool:
    """Tell whether two releases have the same rows; under another engine their hashes do not compare, counts do."""
    if entry.engine == gone.engine:
        return entry.periods == gone.periods
    counts = [{period: facts.rows for period, facts in one.periods.items()} for one in (entry, gone)]
    return counts[0] == counts[1]


# --- what stands at the address -----------------------------------------------------------------------------------


def tombstone(withdrawal: Withdrawal, gone: Gone) -> dict[str, str]:
    """Return the files that stand in the place of a release: for machines, for a browser, for a terminal."""
    facts = {
        "dataset": withdrawal.slug,
        "release": gone.release,
        "sequence": gone.sequence,
        "version": gone.version,
        "status": "withdrawn",
        "whole_dataset": withdrawal.whole,
        "title": withdrawal.title_fr,
        "title_en": withdrawal.title_en,
        "withdrawn_on": withdrawal.on,
        "why": withdrawal.why,
        "publisher": withdrawal.publisher,
        "contact": withdrawal.contact,
    }
    return {TOMBSTONE: canonical_json(facts), PAGE: _page(facts), NOTE: _note(facts)}


def tombstone_problem(folder: Path) -> str | None:
    """Return what is wrong with the tombstone in ``folder``, a release's (its path ends in slug, version, release)."""
    if files_below(folder) != sorted((TOMBSTONE, PAGE, NOTE)):
        return "a withdrawn release has other files than its notice"
    facts = read_json(folder / TOMBSTONE)
    missing = [name for name in FIELDS if not isinstance(facts, dict) or not facts.get(name)]
    if missing:
        return f"{TOMBSTONE} does not say: {', '.join(missing)}"
    place = (facts["dataset"], f"v{facts['version']}", facts["release"])
    if place != folder.parts[-3:]:
        return f"{TOMBSTONE} is of {'/'.join(place)}"
    date.fromisoformat(facts["withdrawn_on"])
    if (folder / PAGE).read_text(encoding="utf-8") != _page(facts):
        return f"{PAGE} does not say what {TOMBSTONE} says"
    if (folder / NOTE).read_text(encoding="utf-8") != _note(facts):
        return f"{NOTE} does not say what {TOMBSTONE} says"
    return None


def is_tombstone(folder: Path) -> bool:
    """Tell whether a release's folder says that the release was withdrawn."""
    return (folder / TOMBSTONE).is_file()


def _said(facts: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return the notice in French and in English, line by line."""
    named = f"{facts['dataset']}, version {facts['version']}, publication {facts['release']}"
    french = [
        "Ces données ont été retirées.",
        f"{facts['title']} ({named}).",
        f"Retirées le {'/'.join(reversed(facts['withdrawn_on'].split('-')))} par {facts['publisher']}.",
        f"Motif : {facts['why']}",
        "Elles ne seront pas remises en ligne ici.",
        f"Pour toute question : {facts['contact']}",
    ]
    english = [
        "These data have been withdrawn.",
        f"{facts['title_en']} ({named}).",
        f"Withdrawn on {facts['withdrawn_on']} by {facts['publisher']}.",
        f"Reason: {facts['why']}",
        "They will not be put back here.",
        f"Whom to ask: {facts['contact']}",
    ]
    return french, english


def _note(facts: dict[str, Any]) -> str:
    french, english = _said(facts)
    return "\n".join([*french, "", *english]) + "\n"


def _page(facts: dict[str, Any]) -> str:
    french, english = ([escape(line) for line in lines] for lines in _said(facts))
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="fr">',
            '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="robots" content="noindex">',
            f"<title>{french[0]} {escape(facts['dataset'])}</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            "<main>",
            f"<h1>{french[0]}</h1>",
            *(f"<p>{line}</p>" for line in french[1:]),
            '<section lang="en">',
            f"<h2>{english[0]}</h2>",
            *(f"<p>{line}</p>" for line in english[1:]),
            "</section>",
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


# --- taking down --------------------------------------------------------------------------------------------------


def take_down(pointer: Path, candidates: Path, withdrawals: Sequence[Withdrawal], history: Sequence[Entry]) -> bool:
    """Bring the tree behind ``pointer`` in line with the withdrawals of one dataset; tell whether anything was done.

    ``history`` is the dataset's release log, ``candidates`` the folder of the files written aside for its audience.
    What stands already is left as it is, so that a run may call this every time.
    """
    down = withdrawn_releases(withdrawals)
    if not down:
        return False
    slug = withdrawals[0].slug
    kept = [entry for entry in history if entry.release not in down]
    trees = Trees(pointer)
    current = trees.current()
    switched = current is None or not _stands(current, slug, down)
    if switched:
        work = trees.begin()
        _bury(work, slug, down, kept)
        trees.switch(work)
    remains = list(_remains(trees, candidates / slug, slug, down))
    boundary("withdrawal.purge.before")
    for folder in remains:
        shutil.rmtree(folder)
    boundary("withdrawal.purge.after")
    return switched or bool(remains)


def _folder(tree: Path, slug: str, gone: Gone) -> Path:
    return tree / release_folder(slug, gone.version, gone.release)


def _stands(tree: Path, slug: str, down: dict[str, tuple[Withdrawal, Gone]]) -> bool:
    """Tell whether the tree has every tombstone, and shows nothing that was withdrawn as the latest release."""
    buried = all(_holds(_folder(tree, slug, gone), tombstone(withdrawal, gone)) for withdrawal, gone in down.values())
    latest = tree / slug / LATEST
    return buried and (is_tombstone(latest) or _release_in(latest) not in (None, *down))


def _holds(folder: Path, files: dict[str, str]) -> bool:
    same_names = folder.is_dir() and files_below(folder) == sorted(files)
    return same_names and all((folder / name).read_text(encoding="utf-8") == text for name, text in files.items())


def _release_in(folder: Path) -> str | None:
    """Return the name of the release whose files are in ``folder``."""
    path = folder / RELEASE_FILE
    return str(read_json(path)["release"]) if path.is_file() else None


def _newest(tree: Path, slug: str, kept: Sequence[Entry]) -> Path | None:
    """Return the newest release in the tree that was not withdrawn."""
    folders = (tree / release_folder(slug, one.version, one.release) for one in reversed(kept))
    return next((folder for folder in folders if _release_in(folder) is not None), None)


def _bury(tree: Path, slug: str, down: dict[str, tuple[Withdrawal, Gone]], kept: Sequence[Entry]) -> None:
    for withdrawal, gone in down.values():
        folder = _folder(tree, slug, gone)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, text in tombstone(withdrawal, gone).items():
            (folder / name).write_text(text, encoding="utf-8")
            sync_file(folder / name)
    last = max((gone for _, gone in down.values()), key=lambda gone: gone.sequence)
    latest = tree / slug / LATEST
    shutil.rmtree(latest, ignore_errors=True)
    link_folder(_newest(tree, slug, kept) or _folder(tree, slug, last), latest)


def _remains(trees: Trees, candidates: Path, slug: str, down: dict[str, tuple[Withdrawal, Gone]]) -> Iterator[Path]:
    """Yield the folders that still hold files of a withdrawn release: in older trees, and among the candidates."""
    for tree in trees.others():
        for _, gone in down.values():
            if (_folder(tree, slug, gone) / RELEASE_FILE).is_file():
                yield _folder(tree, slug, gone)
        if _release_in(tree / slug / LATEST) in down:
            yield tree / slug / LATEST
    for name in down:
        yield from (path for path in (candidates / name, candidates / f"{name}.partial") if path.is_dir())
