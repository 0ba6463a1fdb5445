"""What a producer hides: nobody here knows it, and sums may not give it back.

Here: values that stand for it, so that it can be moved like what we empty, and by how much it has to stay uncertain.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from exports.disclosure.attack import Flags, Floats, completed
from exports.disclosure.audit import Release, audit, nearly_known
from exports.disclosure.rules import FREQUENCY_MARGIN_PCT, Sensitivity
from exports.disclosure.table import Table


def filled_in(table: Table, at_least: Floats | None = None) -> Table:
    """Return the table with some values, among those that sums allow, for what nobody here knows; it stays unseen.

    ``at_least`` is what each cell is known to have (0 without it). Raises ``ConfigurationError`` when sums allow none.
    """
    if not np.isnan(table.values).any():
        return table
    sums = [(one.total, one.children) for one in table.equations]
    least, everything = np.zeros(len(table)) if at_least is None else at_least, np.full(len(table), np.inf)
    values = completed(sums, table.values, least, everything, table.rounding / 2)
    cells = [
        replace(cell, value=float(value), published=False) if cell.value is None else cell
        for cell, value in zip(table.cells, values, strict=True)
    ]
    return replace(table, cells=tuple(cells), values=values)


def given_away(table: Table, hidden: Flags) -> dict[int, float]:
    """Return the levels of those ``hidden`` cells that the sums of all that could be shown would give away.

    ``table`` is filled in. Where the sums leave a value little room, it is what they leave.
    """
    if not hidden.any():
        return {}
    nothing = np.zeros(len(table))
    found = audit(Release(table, hidden, Sensitivity(np.zeros_like(hidden), nothing, nothing)), exact=True)
    margin = margin_of(table)
    lacking = found.high - found.low < np.maximum(2 * margin, nearly_known(table.values))
    return {place: float(margin[place]) for place in np.flatnonzero(hidden & lacking).tolist()}


def margin_of(table: Table) -> Floats:
    """Return by how much each cell stays uncertain where no rule gives a level."""
    margin: Floats = FREQUENCY_MARGIN_PCT / 100 * table.values
    return margin
