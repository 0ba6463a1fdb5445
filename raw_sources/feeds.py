"""Where the files of a source come from: addresses, and patterns of file names.

A card may bring the feed of its producer, a territory may give its own. Reading those documents belongs to ``card`` and
``territory``, fetching and receiving to ``landing``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import PurePath, PurePosixPath
from typing import Any

from raw_sources.documents import Document
from raw_sources.mapping import FileMapping, LicenceDeclaration, mapping_from


@dataclass(frozen=True)
class FilePattern:
    """Names of a source's files. ``partial`` files are pages or extracts: what they lack has not ended.

    ``date`` is a regular expression with one group, searched in the file name, that gives YYYYMMDD, YYYY-MM-DD, YYYYMM
    or YYYY: the date of the file's content.
    """

    glob: str
    partial: bool = False
    date: str | None = None

    def fits(self, relative_path: str | PurePath) -> bool:
        """Tell whether the glob fits the file name, or the relative path; case and a final ``.gz`` are ignored."""
        path = PurePosixPath(*PurePath(relative_path).parts)
        glob = self.glob.casefold()
        names = (path.name.casefold(), str(path).casefold())
        return any(fnmatchcase(candidate, glob) for name in names for candidate in (name, name.removesuffix(".gz")))


@dataclass(frozen=True)
class Feed:
    """An enabled source: addresses to fetch, and patterns of the files that a folder may hold.

    ``mapping`` and ``licence`` are what the territory says of files that their card cannot know (``mapping``).
    """

    source: str
    urls: tuple[str, ...]
    files: tuple[FilePattern, ...]
    mapping: FileMapping | None = None
    licence: LicenceDeclaration | None = None

    def pattern_for(self, relative_path: str | PurePath) -> FilePattern | None:
        """Return the first pattern that fits, in the order of the file; None when the file is of another source."""
        return next((pattern for pattern in self.files if pattern.fits(relative_path)), None)


def feed_of(source: str, entry: dict[str, Any], offered: Feed | None = None) -> Feed:
    """Return the feed that ``entry`` describes; one without ``urls`` and ``files`` takes those that are ``offered``."""
    files = (FilePattern(file["glob"], file.get("partial", False), file.get("date")) for file in entry.get("files", ()))
    known = Feed(source, tuple(entry.get("urls", ())), tuple(files))
    if offered is not None and not {"urls", "files"} & set(entry):
        known = offered
    return replace(
        known,
        mapping=mapping_from(entry["mapping"]) if "mapping" in entry else None,
        licence=LicenceDeclaration(**entry["licence"]) if "licence" in entry else None,
    )


def check_date(document: Document, place: tuple[str | int, ...], expression: str | None) -> None:
    """Refuse the expression of a pattern's date that is none, or that has not one group."""
    hint = r"For instance '_(\d{8})'."
    try:
        groups = re.compile(expression or "()").groups
    except re.error as error:
        raise document.problem(place, f"{expression!r} is not a regular expression: {error}.", hint) from error
    if groups != 1:
        raise document.problem(place, f"{expression!r} has {groups} groups, where one gives the date.", hint)
