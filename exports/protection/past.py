"""What earlier releases of a protected dataset showed, and what they hid: for the audit of the next one.

What was shown is read from the published files. What was hidden is held aside, per release and source, in a folder that
no audience sees; without it (the source was erased) an audit knows only what had been shown. Which releases are under
audit: all that were not withdrawn.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from exports.disclosure.table import Cell, Codes
from exports.log import Entry, ReleaseLog
from exports.tree import RELEASE_FILE, release_folder
from exports.withdrawals import withdrawn_releases
from raw_sources.errors import MachineryError
from raw_sources.files import canonical_json, write_atomically

SUFFIX, ALONE, EXACT = ".json.gz", ".parquet", ".exact.parquet"
"""What is held of a source: cells; beside them those that are in no sum, which may be very many, and exact figures."""
CODE, FIGURE, VALUE, UNSAFE = "code {}", "figure", "value", "unsafe"
"""The columns of the latter: a code per axis, then of which figure, its value, and whether it is unsafe by itself."""


@dataclass(frozen=True)
class HeldCell:
    """A cell that was empty: what it is, whether it is unsafe by itself, and the levels by which it is protected."""

    cell: Cell = field(repr=False)
    unsafe: bool
    upper: float = field(repr=False)
    lower: float = field(repr=False)

    @property
    def codes(self) -> Codes:
        """The codes of the cell."""
        return self.cell.codes

    @property
    def value(self) -> float | None:
        """The figure that was hidden."""
        return self.cell.value


@dataclass(frozen=True)
class HeldSource:
    """The hidden cells of one source by figure, and the digest of the ``settings`` by which they were chosen.

    ``alone`` has those that are in no sum, a row each. ``exact`` has the rows as they were before they were rounded, if
    they were.
    """

    settings: str
    cells: Mapping[str, Sequence[HeldCell]]
    alone: pl.DataFrame | None = field(default=None, repr=False, compare=False)
    exact: pl.DataFrame | None = field(default=None, repr=False, compare=False)

    def of(self, figure: str) -> dict[Codes, HeldCell]:
        """Return the hidden cells of a figure by their codes."""
        found = {one.codes: one for one in self.cells.get(figure, ())}
        if self.alone is not None:
            rows = self.alone.filter(pl.col(FIGURE) == figure).drop(FIGURE)
            for *codes, value, unsafe in rows.iter_rows():
                found[tuple(codes)] = HeldCell(Cell(tuple(codes), value), unsafe, 0.0, 0.0)
        return found


def held_rows(cells: Mapping[str, Sequence[HeldCell]], axes: int) -> pl.DataFrame:
    """Return hidden cells of ``axes`` codes as rows, without what sums would ask of them."""
    names = [CODE.format(place) for place in range(axes)]
    schema = {**dict.fromkeys([*names, FIGURE], pl.String), VALUE: pl.Float64, UNSAFE: pl.Boolean}
    rows = [(*one.codes, figure, one.value, one.unsafe) for figure, some in cells.items() for one in some]
    return pl.DataFrame(rows, schema=schema, orient="row")


Held = dict[str, HeldSource]


@dataclass(frozen=True)
class Past:
    """An earlier release: its rows as published, and what is held of each source. ``rounded`` are columns."""

    slug: str
    release: str
    rows: pl.DataFrame
    held: Mapping[str, HeldSource]
    rounded: frozenset[str] = frozenset()


def read_past(public: Path, log: ReleaseLog, slugs: Iterable[str], secrets: Path) -> list[Past]:
    """Read the releases of some datasets that were not withdrawn: of each the oldest first, each content once.

    Raises ``MachineryError`` when the files of one are gone: what it showed cannot be audited.
    """
    found: list[Past] = []
    for slug in slugs:
        gone = withdrawn_releases(log.withdrawals(slug))
        entries = {entry.release: entry for entry in log.entries(slug) if entry.release not in gone}
        found.extend(_read(public, entry, secrets) for entry in entries.values())
    return found


def _read(public: Path, entry: Entry, secrets: Path) -> Past:
    folder = public / release_folder(entry.slug, entry.version, entry.release)
    paths = [folder / name for name in entry.files if name.endswith(".parquet")]
    lost = [path for path in (*paths, folder / RELEASE_FILE) if not path.is_file()]
    if lost:
        raise MachineryError(
            f"the release {entry.release} of {entry.slug} is not in the tree: what it showed cannot be audited.",
            where=str(lost[0]),
            hint="Put the tree back, or withdraw the release (`halle withdraw`).",
        )
    facts = json.loads((folder / RELEASE_FILE).read_text(encoding="utf-8"))
    held = _held(secrets / entry.slug / entry.release)
    rounded = frozenset(facts.get("agreements", {}).get("rounded", ()))
    return Past(entry.slug, entry.release, pl.read_parquet(paths), held, rounded)


def _held(folder: Path) -> Held:
    return {path.name.removesuffix(SUFFIX): _parse(path) for path in sorted(folder.glob(f"*{SUFFIX}"))}


def _parse(path: Path) -> HeldSource:
    try:
        given = json.loads(gzip.decompress(path.read_bytes()))
        alone, exact = (path.with_name(path.name.removesuffix(SUFFIX) + suffix) for suffix in (ALONE, EXACT))
        return HeldSource(
            given["settings"],
            {name: [_cell(one) for one in cells] for name, cells in given["cells"].items()},
            pl.read_parquet(alone) if given.get("alone") else None,
            pl.read_parquet(exact) if given.get("exact") else None,
        )
    except (OSError, EOFError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        hint = "Put the file back from a backup; without it, remove it, and the audit knows only what was shown."
        raise MachineryError("what an earlier release hid cannot be read.", where=str(path), hint=hint) from error


def _cell(given: dict[str, Any]) -> HeldCell:
    told = given["cell"]
    lists = {name: None if told[name] is None else tuple(told[name]) for name in ("codes", "contributions", "holders")}
    return HeldCell(Cell(**{**told, **lists}), given["unsafe"], given["upper"], given["lower"])


def hold(secrets: Path, entry: Entry, held: Held) -> None:
    """Keep what a release hides, before anything of it is public."""
    for source, found in held.items():
        cells = {name: [asdict(one) for one in cells] for name, cells in found.cells.items()}
        folder = secrets / entry.slug / entry.release
        beside = {ALONE: found.alone, EXACT: found.exact}
        for suffix, rows in beside.items():
            if rows is not None:
                rows.write_parquet(written := BytesIO())
                write_atomically(folder / f"{source}{suffix}", written.getvalue())
        told = {"settings": found.settings, "cells": cells, "alone": found.alone is not None}
        if found.exact is not None:
            told["exact"] = True
        write_atomically(folder / f"{source}{SUFFIX}", gzip.compress(canonical_json(told).encode(), mtime=0))


def forget(secrets: Path, source: str) -> None:
    """Remove what is held of a source, for all audiences, datasets and releases."""
    for suffix in (SUFFIX, ALONE, EXACT):
        for path in secrets.glob(f"*/*/*/{source}{suffix}"):
            path.unlink()
