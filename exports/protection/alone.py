"""Secret rows where nothing adds up: each is judged by how many are behind it, all at once.

A figure that is in no sum can be deduced from nothing but itself, so that no table has to be made of it: it is empty
where too few are behind it, stays empty as long as it is the same figure under the same rules, and may not have been
shown by an earlier release. Rules by the largest contributions, and figures that add up, are for ``protection``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from exports.disclosure.protect import SECRET, refuse
from exports.protection.cells import code_names, codes_of
from exports.protection.past import FIGURE, UNSAFE, VALUE, HeldSource, held_rows
from exports.secrecy import Secrecy
from raw_sources.agreements import SecrecyRule

ROW = "row"
NEAR = 1e-9
"""The share of a value by which two releases may differ and still show the same figure."""


@dataclass(frozen=True)
class EarlierRows:
    """The rows of a source in an earlier release, what is held of those that were empty; is it the newest?"""

    rows: pl.DataFrame
    held: HeldSource | None
    is_newest: bool


def is_alone(rows: pl.DataFrame, secrecy: Secrecy, rules: Iterable[SecrecyRule]) -> bool:
    """Tell whether each row is a cell of its own that nothing adds up with, judged by how many are behind it."""
    adds_up = any(axis.adds_up for axis in secrecy.axes)
    counts = all(one.rule == "minimum_frequency" for one in rules)
    return not adds_up and counts and not rows.select(codes_of(secrecy)).is_duplicated().any()


def secret_alone(
    rows: pl.DataFrame,
    secrecy: Secrecy,
    rules: Sequence[SecrecyRule],
    settings: str,
    earlier: Sequence[EarlierRows],
) -> tuple[pl.Series, HeldSource]:
    """Tell which rows are secret, and what has to be held of them; ``settings`` are those of today's rules.

    Raises ``GateClosed`` for a row with too few behind it of which an earlier release shows the same figure.
    """
    judged = rows.with_columns(_is_unsafe(secrecy, rules))
    _refuse_shown(judged, secrecy, earlier)
    figures = _figures(judged, secrecy)
    kept = [
        one.held.alone
        for one in earlier
        if one.is_newest and one.held is not None and one.held.settings == settings and one.held.alone is not None
    ]
    unsafe = figures.filter(pl.col(UNSAFE))
    same = [figures.join(one, on=[*code_names(secrecy), FIGURE, VALUE], how="semi") for one in kept]
    secret = pl.concat([unsafe, *same]).select(ROW).unique()
    hidden = figures.join(secret, on=ROW, how="semi").filter(pl.col(VALUE).is_not_null()).drop(ROW)
    numbers = pl.int_range(len(rows), eager=True)
    return numbers.is_in(secret[ROW].implode()), HeldSource(settings, {}, hidden)


def counted_alone(rows: pl.DataFrame, secrecy: Secrecy, secret: pl.Series) -> list[dict[str, Any]]:
    """Return how many rows each level has, and how many of its figures are secret. No parameter can be told from it."""
    levels = {axis.column: axis.level for axis in secrecy.axes if axis.level}
    told = [pl.col(level).fill_null("None").alias(f"level {name}") for name, level in levels.items()]
    hidden = [
        ((pl.col(one.status) == SECRET).fill_null(value=False) | (pl.col(ROW) & pl.col(one.value).is_not_null()))
        .sum()
        .alias(one.value)
        for one in secrecy.figures
    ]
    rows = rows.with_columns(secret.alias(ROW))
    grouped = rows.group_by(told) if told else rows.group_by(pl.lit(0).alias("level"))
    counted = grouped.agg(pl.len().alias("cells"), *hidden).sort(pl.all())
    return [
        {
            "level": {name: one[f"level {name}"] for name in levels},
            "cells": one["cells"],
            "secret": {figure.value: one[figure.value] for figure in secrecy.figures},
        }
        for one in counted.iter_rows(named=True)
    ]


def _is_unsafe(secrecy: Secrecy, rules: Sequence[SecrecyRule]) -> pl.Expr:
    """Return where too few are behind a row; one without any has nobody to protect."""
    columns = {secrecy.contributors: secrecy.frequency, **secrecy.counts}
    few = [_is_few(pl.col(columns[one.parameters["of"]]), one) for one in rules]
    return pl.any_horizontal(few).alias(UNSAFE)


def _is_few(count: pl.Expr, rule: SecrecyRule) -> pl.Expr:
    few = count.is_between(0, rule.parameters["at_least"], closed="none")
    return few.fill_null(value=rule.parameters.get("unknown") != "shown")


def _figures(rows: pl.DataFrame, secrecy: Secrecy) -> pl.DataFrame:
    """Return one row per cell and figure: its number among ``rows``, codes, figure, value, whether it is unsafe."""
    numbered = rows.with_row_index(ROW)
    return pl.concat(
        numbered.select(
            pl.col(ROW).cast(pl.Int64),
            *codes_of(secrecy),
            pl.lit(one.value).alias(FIGURE),
            pl.col(one.value).alias(VALUE),
            pl.col(UNSAFE),
        )
        for one in secrecy.figures
    )


def _refuse_shown(rows: pl.DataFrame, secrecy: Secrecy, earlier: Sequence[EarlierRows]) -> None:
    """Raise ``GateClosed`` where an earlier release shows a figure that is unsafe now, and still the same."""
    names, values = code_names(secrecy), [one.value for one in secrecy.figures]
    unsafe = rows.filter(pl.col(UNSAFE)).select(*codes_of(secrecy), *values)
    risks: dict[str, None] = {}
    for one in earlier:
        shown = one.rows.select(*codes_of(secrecy), *(pl.col(name).alias(f"{name} shown") for name in values))
        both = unsafe.join(shown, on=names).filter(pl.any_horizontal(map(_is_same, values)))
        for codes in both.select(names).iter_rows():
            pairs = zip(secrecy.axes, codes, strict=True)
            risks[", ".join(f"{axis.column}={code}" for axis, code in pairs)] = None
    refuse(list(risks))


def _is_same(name: str) -> pl.Expr:
    now, shown = pl.col(name), pl.col(f"{name} shown")
    return (now - shown).abs() <= NEAR * pl.max_horizontal(now.abs(), shown.abs())


def earlier_rows(rows: pl.DataFrame, held: HeldSource | None, secrecy: Secrecy, *, is_newest: bool) -> EarlierRows:
    """Return an earlier release with what is held of it in one form, whichever it was held in."""
    if held is not None and held.alone is None:
        held = HeldSource(held.settings, {}, held_rows(held.cells, len(secrecy.axes)))
    return EarlierRows(rows, held, is_newest)
