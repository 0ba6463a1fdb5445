"""The kinds of pictures: what rows become. Knows nothing of marts.

Text stays text in the SVG (small, and legible to a search); nothing in it depends on the day or the process.
"""

from __future__ import annotations

import base64
import io
import math
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Rows = Sequence[tuple[Any, ...]]
Drawing = Callable[["Figure", Rows], None]

WIDTH, HEIGHT = 7, 3.2
ROW_HEIGHT = 0.19
TITLE_WIDTH = 96
MOST_PARTS = 200
MOST_LABELS = 12
LONGEST_LABEL = 48
LEGEND_COLUMNS = 5
LONGEST_GAP = timedelta(days=7)
RATIOS_PCT = (-90, -75, -50, -30, -20, -10, -5, -2, -1, 0, 1, 2, 5, 10, 20, 30, 50, 100, 200, 400, 900)
LEAST_SPACE = 0.07
COLOURS = ("#2a6f97", "#e9a03b", "#7a9e7e", "#b5524a", "#8d7cb0", "#9aa5b1", "#d7bfa6")
GREY = "#e3e6ea"
SHADE = "#f8ead3"
# Ids of paths are random without a salt; a dollar in a counter's name is no formula.
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "halle",
    "text.parse_math": False,
    "date.converter": "concise",
    "font.size": 8,
}


def image(title: str, more: str, drawing: Drawing, rows: Rows) -> str:
    """Return the rows drawn, as a Markdown image with its SVG inside; ``more`` goes under the title."""
    from matplotlib import rc_context  # a second to import, needed by nobody who only loads the definitions
    from matplotlib.figure import Figure

    drawn = io.BytesIO()
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        drawing(figure, rows)
        said = "\n".join([title, *textwrap.wrap(more, TITLE_WIDTH)])
        figure.suptitle(said, x=0.01, ha="left", fontsize=9)
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return f"![{title}](data:image/svg+xml;base64,{base64.b64encode(drawn.getvalue()).decode()})"


def stacked_bars(figure: Figure, rows: Rows) -> None:
    """Draw (place, kind, count): an upright bar for each place, in which the kinds stand on each other."""
    axes = figure.subplots()
    counts = _no_more_than_fit(rows)
    places = sorted({place for place, _ in counts})
    for kind, at, below, heights in _stacked(places, sorted({kind for _, kind in counts}), counts):
        axes.bar(at, heights, bottom=below, width=0.85, **kind)
    step = max(1, -(-len(places) // MOST_LABELS))
    labels = [_words(place) for place in places[::step]]
    axes.set_xticks(range(0, len(places), step), labels, rotation=30, ha="right")
    _whole_numbers(axes, "y")
    _plain(axes, "y")
    figure.legend(frameon=False, loc="outside right upper")


def _no_more_than_fit(rows: Rows) -> Mapping[tuple[str, str], int]:
    """Sum days into months, and months into years, where they are more than a light picture can show."""
    sums: Counter[tuple[str, str]] = Counter()
    for length in (None, len("2024-01"), len("2024")):
        sums = Counter()
        for place, kind, count in rows:
            sums[place[:length], kind] += count
        if len(sums) <= MOST_PARTS:
            break
    return sums


def bars(figure: Figure, rows: Rows) -> None:
    """Draw (label, kind, value): a lying bar for each label from the top down, and its total."""
    axes = figure.subplots()
    labels = _in_order(label for label, _, _ in rows)
    values = {(label, kind): float(value) for label, kind, value in rows}
    for kind, at, left, widths in _stacked(labels, _in_order(kind for _, kind, _ in rows), values):
        axes.barh(at, widths, left=left, height=0.7, **kind)
    for number, label in enumerate(labels):
        total = sum(value for (one, _), value in values.items() if one == label)
        axes.annotate(f"{total:,.0f}", (total, number), xytext=(3, 0), textcoords="offset points", va="center")
    axes.margins(x=0.1)
    _whole_numbers(axes, "x")
    _from_the_top(figure, axes, labels)
    _legend(figure)


def _stacked(
    places: Sequence[str], kinds: Sequence[str], values: Mapping[tuple[str, str], float]
) -> Iterator[tuple[dict[str, Any], list[int], list[float], list[float]]]:
    """Yield each kind (label and colour), the places that have it, where its bars start there, how long they are."""
    ends = [0.0] * len(places)
    for index, kind in enumerate(kinds):
        at = [number for number, place in enumerate(places) if (place, kind) in values]
        starts, lengths = [ends[number] for number in at], [values[places[number], kind] for number in at]
        yield {"label": _words(kind), "color": _colour(index)}, at, starts, lengths
        for number, length in zip(at, lengths, strict=True):
            ends[number] += length


def profile(figure: Figure, rows: Rows) -> None:
    """Draw (kind, hour of the clock, mean, unit): a line for each kind, from nought."""
    axes = figure.subplots()
    for index, kind in enumerate(_in_order(kind for kind, *_ in rows)):
        means = {hour: float(mean) for one, hour, mean, _ in rows if one == kind}
        points = [means.get(hour, float("nan")) for hour in range(24)]
        axes.plot(range(24), points, label=kind, color=_colour(index), marker="o", markersize=2.5)
    axes.set_xticks(range(0, 24, 3), [f"{hour:02}:00" for hour in range(0, 24, 3)])
    _upward(axes, rows[0][-1])
    _legend(figure)


def spell(figure: Figure, rows: Rows) -> None:
    """Draw (day, observed, expected, start of the spell, its end, unit): two lines, the spell's days shaded."""
    axes = figure.subplots()
    start, end, unit = rows[0][3:]
    axes.axvspan(start, end, color=SHADE, linewidth=0, label="spell of works")
    days = [row[0] for row in rows]
    _daily(axes, days, [row[1] for row in rows], "observed", color=COLOURS[0])
    _daily(axes, days, [row[2] for row in rows], "expected", color=COLOURS[3], linestyle="--")
    _upward(axes, unit)
    _legend(figure)


def _daily(axes: Axes, days: Sequence[Any], values: Sequence[float], label: str, **style: Any) -> None:
    """Draw a line that is broken where days are long missing; a day on its own is a dot."""
    ends = [0, *(at for at in range(1, len(days)) if days[at] - days[at - 1] > LONGEST_GAP), len(days)]
    for start, end in pairwise(ends):
        marker = "o" if end - start == 1 else None
        axes.plot(
            days[start:end], values[start:end], label=label, marker=marker, markersize=2.5, linewidth=1.2, **style
        )
        label = ""


def intervals(figure: Figure, rows: Rows) -> None:
    """Draw (label, kind, estimate, lower, upper) in percent, from the top down, on a scale of ratios."""
    axes = figure.subplots()
    ratios = [[1 + float(value) / 100 for value in row[2:]] for row in rows]
    for index, kind in enumerate(sorted({row[1] for row in rows})):
        at = [place for place, row in enumerate(rows) if row[1] == kind]
        axes.hlines(at, [ratios[i][1] for i in at], [ratios[i][2] for i in at], color=_colour(index), linewidth=1.5)
        axes.plot([ratios[i][0] for i in at], at, "o", markersize=4, color=_colour(index), label=_words(kind))
    axes.axvline(1, color="#555555", linewidth=0.8, zorder=0)
    axes.set_xscale("log")
    _percent(axes)
    _from_the_top(figure, axes, [row[0] for row in rows])
    _legend(figure)


def _percent(axes: Axes) -> None:
    """Mark round percentages, no change first, then outward as far as there is space for each."""
    low, high = axes.get_xlim()
    space = LEAST_SPACE * math.log(high / low)
    shown: list[int] = []
    for pct in sorted(RATIOS_PCT, key=abs):
        ratio = 1 + pct / 100
        if low <= ratio <= high and all(abs(math.log(ratio / (1 + one / 100))) >= space for one in shown):
            shown.append(pct)
    axes.set_xticks([1 + pct / 100 for pct in shown], [f"{pct:+d} %" if pct else "0 %" for pct in shown])
    axes.minorticks_off()


def _from_the_top(figure: Figure, axes: Axes, labels: Sequence[str]) -> None:
    """Name the rows, the first on top, in a picture as high as they need."""
    axes.set_yticks(range(len(labels)), [_short(label) for label in labels])
    axes.set_ylim(len(labels) - 0.4, -0.6)
    figure.set_figheight(1.1 + ROW_HEIGHT * len(labels))
    _plain(axes, "x")


def _upward(axes: Axes, unit: str) -> None:
    axes.set_ylim(bottom=0)
    axes.set_ylabel(unit)
    axes.yaxis.set_major_formatter("{x:,g}")
    _plain(axes, "y")


def _whole_numbers(axes: Axes, along: Literal["x", "y"]) -> None:
    axes.locator_params(axis=along, integer=True)
    (axes.xaxis if along == "x" else axes.yaxis).set_major_formatter("{x:,.0f}")


def _plain(axes: Axes, grid: Literal["x", "y"]) -> None:
    axes.tick_params(length=0)
    axes.grid(axis=grid, color=GREY, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _legend(figure: Figure) -> None:
    figure.legend(frameon=False, loc="outside lower left", ncols=LEGEND_COLUMNS)


def _in_order(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _short(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…"


def _colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]
