"""Publishing a candidate: the release log first, then a complete tree beside the current one, then one rename.

A run killed at any instant leaves readers the old tree or the new one; the next run finds in the log what was committed
and finishes. What is in a release is decided in ``candidate``.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from exports.candidate import SUMS_FILE, Candidate
from exports.log import Entry, ReleaseLog
from exports.tree import LATEST, Trees, files_below, link_folder, release_folder
from exports.withdrawals import withdrawn_releases
from raw_sources.files import sha256_file


@dataclass(frozen=True)
class Release:
    """A published release; ``new`` is False when it was public already. ``folder`` is relative to the tree.

    ``follows`` says that the release before was withdrawn, and why, where that is so.
    """

    slug: str
    release: str
    version: str
    rows: int
    previous: str | None
    folder: Path
    new: bool
    follows: str | None = None


def publish(candidate: Candidate, public: Path, log: ReleaseLog) -> Release:
    """Make ``candidate`` public under the pointer ``public`` (``DATA/public``) and return the release.

    Nothing is written for a candidate that is public already. Releases that a killed run committed to the log without
    publishing them are added from their candidates, when those are still whole.
    """
    entry = candidate.entry
    if candidate.new:
        if log.last(entry.slug) != entry:
            log.append(entry)
        _switch(candidate, public, log)
        shutil.rmtree(candidate.folder.parent)
    return Release(
        slug=entry.slug,
        release=entry.release,
        version=entry.version,
        rows=entry.rows,
        previous=entry.previous,
        folder=release_folder(entry.slug, entry.version, entry.release),
        new=candidate.new,
        follows=_withdrawn_before(entry, log),
    )


def _withdrawn_before(entry: Entry, log: ReleaseLog) -> str | None:
    down = withdrawn_releases(log.withdrawals(entry.slug))
    return down[entry.previous][0].sentence if entry.previous in down else None


def _switch(candidate: Candidate, public: Path, log: ReleaseLog) -> None:
    trees = Trees(public)
    work = trees.begin()
    down = withdrawn_releases(log.withdrawals(candidate.entry.slug))
    for entry in log.entries(candidate.entry.slug):
        folder = candidate.folder.parent / entry.release
        target = work / release_folder(entry.slug, entry.version, entry.release)
        wanted = folder != candidate.folder and entry.release not in down
        if wanted and not target.exists() and _is_whole(folder, entry):
            link_folder(folder, target)
    entry = candidate.entry
    # Either may be there already: latest of the last release, and a release that was damaged in the published tree.
    for place in (release_folder(entry.slug, entry.version, entry.release), Path(entry.slug) / LATEST):
        if (work / place).exists():
            shutil.rmtree(work / place)
        link_folder(candidate.folder, work / place)
    trees.switch(work)


def _is_whole(folder: Path, entry: Entry) -> bool:
    if files_below(folder) != sorted([*entry.files, SUMS_FILE]):
        return False
    return all(sha256_file(folder / name) == facts.sha256 for name, facts in entry.files.items())
