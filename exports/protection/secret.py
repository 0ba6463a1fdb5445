"""Which cells of a source are left empty: those that rules make secret, and those that would give them back.

What is chosen, and what can be deduced all the same, is for ``disclosure``; here it is given the tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from exports.disclosure.audit import Release
from exports.disclosure.hidden import filled_in
from exports.disclosure.likeness import Sets, with_known_holders
from exports.disclosure.protect import SECRET, protect_table
from exports.disclosure.rules import Rules, Sensitivity, rules_of
from exports.disclosure.spec import Dimension, Spec
from exports.disclosure.table import Codes
from exports.protection.cells import Figures, cell_of, hidden_cells
from exports.protection.earlier import Earlier, held_cells
from exports.protection.judging import Levels, levels_of, settings_of, unsafe_cells
from exports.protection.past import HeldSource, Past
from exports.protection.tables import given_away, table_of
from exports.protection.ties import tied_above, untied
from raw_sources.agreements import SecrecyRule


def secret_of(
    figures: Figures, source: str, given: Sequence[SecrecyRule], past: Sequence[Past]
) -> tuple[set[Codes], HeldSource]:
    """Return the cells to leave empty, and what has to be held of them."""
    unsafe = unsafe_cells(figures, rules_of((one.rule, one.parameters) for one in given))
    settings = settings_of(figures.secrecy, given)
    earlier = [Earlier.of(one, source, figures) for one in past]
    newest = {one.slug: told for one, told in zip(past, earlier, strict=True)}.values()
    concerned = _concerned(figures, unsafe, earlier)
    if not concerned:
        return set(), HeldSource(settings, {})
    secret: set[Codes] = set()
    releases: list[Release] = []
    for place in range(len(figures.secrecy.figures)):
        levels = levels_of(figures, unsafe, place)
        kept = secret.union(*(one.still_secret(figures, place, settings) for one in newest))
        release = _protected(figures, place, levels, kept & concerned, concerned, earlier)
        releases.append(release)
        secret |= {cell.codes for cell, empty in zip(release.table.cells, release.suppressed, strict=True) if empty}
    secret = (secret | untied(figures)) & figures.rows.keys()
    cells = {
        figure.value: held_cells(release, {codes for codes in secret if figures.rows[codes].values[place] is not None})
        for place, (figure, release) in enumerate(zip(figures.secrecy.figures, releases, strict=True))
    }
    return secret, HeldSource(settings, cells)


def _concerned(figures: Figures, unsafe: Levels, earlier: Sequence[Earlier]) -> set[Codes]:
    """Return the cells that sums tie to a secret one, of this release or an earlier one: of all others all is told."""
    everything = dict.fromkeys([*figures.rows, *(codes for one in earlier for codes in one.figures.rows)])
    number = {codes: place for place, codes in enumerate(everything)}
    sets = Sets(len(number))
    for codes in everything:
        for each in (figures, *(one.figures for one in earlier)):
            for above in _above(each, codes):
                if above in number:
                    sets.join(number[codes], number[above])
    secret = {
        codes for one in (figures, *(each.figures for each in earlier)) for codes in hidden_cells(one)
    } | unsafe.keys()
    roots = {sets.find(number[codes]) for codes in secret}
    return {codes for codes, place in number.items() if sets.find(place) in roots}


def _above(figures: Figures, codes: Codes) -> Iterator[Codes]:
    """Yield the cells that are sums of a cell and others."""
    for place, one in enumerate(codes):
        yield (*codes[:place], figures.parents[place].get(one, ""), *codes[place + 1 :])
    yield from tied_above(figures, codes)


def _protected(
    figures: Figures, place: int, levels: Levels, kept: set[Codes], concerned: set[Codes], earlier: Sequence[Earlier]
) -> Release:
    rows = [figures.rows[codes] for codes in sorted(concerned & figures.rows.keys())]
    hidden = {row.codes for row in rows if row.values[place] is None and row.statuses[place] == SECRET}
    table = filled_in(table_of(figures, place, [cell_of(row, place) for row in rows]))
    filled = {cell.codes: cell.value or 0.0 for cell in table.cells if cell.codes in hidden}
    levels = levels | given_away(table, hidden)
    unsafe = np.array([cell.codes in levels for cell in table.cells], dtype=np.bool_)
    upper = np.array([levels.get(cell.codes, 0.0) for cell in table.cells])
    sensitivity = Sensitivity(unsafe, upper, np.minimum(upper, table.values))
    empty = np.array([cell.codes in kept for cell in table.cells], dtype=np.bool_)
    dimensions = tuple(Dimension(axis.column) for axis in figures.secrecy.axes)
    spec = Spec(dimensions, figures.secrecy.figures[place].value, Rules(()), cost=figures.secrecy.cost)
    before = [one.release(figures, place, concerned, filled) for one in earlier if one.tells(place)]
    found = protect_table(with_known_holders(table), sensitivity, spec, before, empty)
    found.refuse_risks()
    return found.release
