"""The published tree on disk: where things are, hard-linked copies, and the one rename that makes a tree public.

``DATA/public`` is a symbolic link to ``.trees/public-<n>``. Nothing here knows what a release contains.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from pathlib import Path

from raw_sources.boundaries import boundary
from raw_sources.files import sync_folder

TREES_FOLDER = ".trees"
LATEST = "latest"
RELEASE_FILE = "release.json"
"""Where a release says what it is: in its folder."""

KEPT_TREES = 8
"""A run switches once per dataset, and a reader may take longer than a run; links cost next to nothing."""

NO_HARD_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP}


def release_folder(slug: str, version: str, release: str) -> Path:
    """Return the immutable folder of a release, relative to the tree."""
    return Path(slug) / f"v{version}" / release


def files_below(folder: Path) -> list[str]:
    """Return the files below ``folder`` as sorted POSIX paths relative to it (symbolic links included)."""
    found = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted(path.relative_to(folder).as_posix() for path in found)


def link_file(source: Path, target: Path) -> None:
    """Make ``target`` the same file as ``source``: a hard link, or a copy where the file system has none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in NO_HARD_LINK:
            raise
        shutil.copyfile(source, target)
        sync_file(target)


def link_folder(source: Path, target: Path) -> None:
    """Link every file below ``source`` at the same place below ``target``."""
    for name in files_below(source):
        link_file(source / name, target / name)


def sync_file(path: Path) -> None:
    """Make the bytes of ``path`` durable."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


class Trees:
    """The numbered trees behind one public pointer (``DATA/public`` and ``DATA/.trees``)."""

    def __init__(self, pointer: Path) -> None:
        self.pointer = pointer
        self.folder = pointer.parent / TREES_FOLDER

    def current(self) -> Path | None:
        """Return the tree that readers see now, or None before the first release."""
        return self.pointer.resolve() if self.pointer.is_dir() else None

    def others(self) -> list[Path]:
        """Return the trees that are kept beside the current one, oldest first."""
        current = self.current()
        trees = [self.folder / f"{self.pointer.name}-{number}" for number in sorted(self._numbers())]
        return [tree for tree in trees if tree.is_dir() and (current is None or tree.resolve() != current)]

    def begin(self) -> Path:
        """Return a new tree under a working name, holding links to all files of the current one."""
        number = max(self._numbers(), default=0) + 1
        work = self.folder / f"{self.pointer.name}-{number}.partial"
        self._remove_partial()
        work.mkdir(parents=True)
        current = self.current()
        if current is not None:
            link_folder(current, work)
        return work

    def switch(self, work: Path) -> Path:
        """Make the tree ``work`` public by one rename, drop the oldest trees, return the tree."""
        tree = work.with_suffix("")
        for folder in sorted((path for path in work.rglob("*") if path.is_dir()), reverse=True):
            sync_folder(folder)
        sync_folder(work)
        work.rename(tree)
        sync_folder(self.folder)
        pointer = self.folder / f"{self.pointer.name}.pointer"
        pointer.unlink(missing_ok=True)
        pointer.symlink_to(tree.relative_to(self.pointer.parent))
        boundary("release.switch.before")
        pointer.replace(self.pointer)
        sync_folder(self.pointer.parent)
        boundary("release.switch.after")
        self._prune()
        return tree

    def _numbers(self) -> list[int]:
        pattern = re.compile(re.escape(self.pointer.name) + r"-(\d+)(\.partial)?")
        names = [path.name for path in self.folder.glob("*")] if self.folder.is_dir() else []
        return [int(match[1]) for match in map(pattern.fullmatch, names) if match]

    def _remove_partial(self) -> None:
        for leftover in self.folder.glob(f"{self.pointer.name}-*.partial"):
            shutil.rmtree(leftover)

    def _prune(self) -> None:
        """Drop all but the newest trees, for readers that resolved the pointer before a switch are still at work."""
        for number in sorted(self._numbers())[:-KEPT_TREES]:
            shutil.rmtree(self.folder / f"{self.pointer.name}-{number}")
