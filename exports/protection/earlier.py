"""Earlier releases as the audit of a new one takes them: what they showed, and what they hid.

Where they are read from is in ``past``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from exports.disclosure.audit import Release
from exports.disclosure.likeness import with_known_holders
from exports.disclosure.rules import Sensitivity
from exports.disclosure.table import Codes
from exports.protection.alone import EarlierRows, earlier_rows
from exports.protection.cells import Figures, as_read, cell_of, figures_of
from exports.protection.past import HeldCell, HeldSource, Past
from exports.protection.tables import table_of
from exports.protection.ties import with_ties_of
from exports.secrecy import Secrecy
from raw_sources.errors import GateClosed


@dataclass(frozen=True)
class Earlier:
    """An earlier release of a source: its cells as published, and what is held of those that were empty.

    ``columns`` are those that were published.
    """

    figures: Figures
    held: HeldSource | None
    columns: frozenset[str]

    @classmethod
    def of(cls, past: Past, source: str, now: Figures) -> Earlier:
        """Return what an earlier release told of a source, on the axes of ``now``."""
        secrecy = now.secrecy
        figures = with_ties_of(figures_of(_rows_of(past, source, secrecy), secrecy, past.release), now)
        return cls(figures, past.held.get(source), frozenset(past.rows.columns))

    def tells(self, place: int) -> bool:
        """Tell whether it has the figure at all."""
        return self.figures.secrecy.figures[place].value in self.columns

    def _cells(self, place: int) -> dict[Codes, HeldCell]:
        return self.held.of(self.figures.secrecy.figures[place].value) if self.held else {}

    def still_secret(self, now: Figures, place: int, settings: str) -> set[Codes]:
        """Return what was empty and is the same figure now: what was secret stays so, as long as the rules do."""
        if self.held is None or self.held.settings != settings:
            return set()
        return {codes for codes, held in self._cells(place).items() if _is_same(held, now, place)}

    def release(self, now: Figures, place: int, concerned: set[Codes], filled: Mapping[Codes, float]) -> Release:
        """Return the release as an audit takes it. Of a figure that is the same now, the rules of today judge.

        ``filled`` stand for what the producer hides now, and so for what it hid then.
        """
        held = self._cells(place)
        rows = [self.figures.rows[codes] for codes in sorted(concerned & self.figures.rows.keys())]
        cells = [held[row.codes].cell if row.codes in held else cell_of(row, place) for row in rows]
        cells = [
            replace(cell, value=filled[cell.codes], published=False)
            if cell.value is None and cell.codes in filled
            else cell
            for cell in cells
        ]
        table = with_known_holders(table_of(self.figures, place, cells, is_past=True))
        levels = [held.get(cell.codes) for cell in table.cells]
        sensitivity = Sensitivity(
            np.array([one is not None and one.unsafe and not _is_same(one, now, place) for one in levels], np.bool_),
            np.array([one.upper if one is not None else 0.0 for one in levels]),
            np.array([one.lower if one is not None else 0.0 for one in levels]),
        )
        return Release(table, np.array([one is not None for one in levels], dtype=np.bool_), sensitivity)


def earlier_rows_of(past: Sequence[Past], source: str, secrecy: Secrecy) -> list[EarlierRows]:
    """Return the rows of a source in earlier releases, for rows in no sum."""
    newest = {one.slug: one for one in past}.values()
    return [
        earlier_rows(_rows_of(one, source, secrecy), one.held.get(source), secrecy, is_newest=one in newest)
        for one in past
    ]


def _rows_of(past: Past, source: str, secrecy: Secrecy) -> pl.DataFrame:
    """Return the rows of a source in an earlier release; nobody knows of them what was not published.

    Figures that were rounded are taken for known exactly. Raises ``GateClosed`` where they are not held any more.
    """
    rows = past.rows.filter(pl.col(secrecy.source) == source)
    if past.rounded and len(rows):
        held = past.held.get(source)
        if held is None or held.exact is None:
            raise GateClosed(
                f"the release {past.release} of {past.slug} shows rounded figures of {source}, and what they were is "
                "not held any more: what another release would add to them cannot be audited.",
                hint="Withdraw it (`halle withdraw`).",
            )
        rows = held.exact
    absent = [name for name in secrecy.needed if name not in past.rows.columns or name not in rows.columns]
    return as_read(rows.with_columns(pl.lit(None).alias(name) for name in absent), secrecy)


def _is_same(held: HeldCell, now: Figures, place: int) -> bool:
    return held.codes in now.rows and now.rows[held.codes].values[place] == held.value


def held_cells(release: Release, secret: set[Codes]) -> list[HeldCell]:
    """Return what has to be held of the ``secret`` cells of a release."""
    levels = release.sensitivity
    return [
        HeldCell(cell, bool(levels.unsafe[place]), float(levels.upper[place]), float(levels.lower[place]))
        for place, cell in enumerate(release.table.cells)
        if cell.codes in secret
    ]
