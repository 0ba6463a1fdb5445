"""How large a territory is asked for: from one number to counters, days and the dates of the deliveries.

Only sizes and dates belong here; what happens on those days is in ``traffic`` and ``works``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta

from raw_sources.errors import ConfigurationError

AUTUMN_CHANGE = date(2025, 10, 26)
"""The day of the autumn clock change that every period holds (Europe/Paris)."""

BUNDLED_ARCS = 20
BUNDLED_DAYS = 62
MOST_ARCS = 3500
FEWEST_ARCS = 4
FEWEST_DAYS = 14
ROLLING_DAYS = 396
"""The producer's current export covers about thirteen months; what is older is in the archive."""


@dataclass(frozen=True)
class Plan:
    """The size and the dates of one set of extracts; days are legal days, both ends included."""

    arcs: int
    first_day: date
    last_day: date
    first_label_day: date
    first_snapshot: date
    last_snapshot: date

    @property
    def days(self) -> int:
        """Number of legal days of counts."""
        return (self.last_day - self.first_day).days + 1


def plan_for(scale: float = 1.0, arcs: int | None = None, days: int | None = None) -> Plan:
    """Return the plan of ``scale``: about ``scale`` x 30,000 hourly records.

    Counters grow as ``20 * scale ** 0.75`` up to 3,500, and days so that records stay proportional to ``scale``:
    1 gives 20 counters over 62 days, 100 gives 632 counters over 196 days, 1000 gives 3,500 counters over a year.
    ``arcs`` and ``days`` replace what the scale gives. The period always holds the autumn change of 26 October 2025
    and grows backwards in time, so that no count lies in the future. Raises ``ConfigurationError`` when out of range.
    """
    if not 0 < scale <= 1e5 or not math.isfinite(scale):
        raise ConfigurationError(f"the scale must lie between 0 and 100000, not {scale}", hint="Try 1 or 100.")
    count = arcs if arcs is not None else min(MOST_ARCS, max(FEWEST_ARCS, round(BUNDLED_ARCS * scale**0.75)))
    length = days if days is not None else max(FEWEST_DAYS, round(BUNDLED_ARCS * BUNDLED_DAYS * scale / count))
    _check("counters", count, FEWEST_ARCS, MOST_ARCS)
    _check("days", length, FEWEST_DAYS, 36_500)
    last = AUTUMN_CHANGE + timedelta(days=min(20, length // 3))
    first = last - timedelta(days=length - 1)
    recent = min((length + 1) // 2, ROLLING_DAYS)
    return Plan(
        arcs=count,
        first_day=first,
        last_day=last,
        first_label_day=last - timedelta(days=recent - 1),
        first_snapshot=first + timedelta(days=length // 2),
        last_snapshot=last + timedelta(days=1),
    )


def _check(what: str, value: int, least: int, most: int) -> None:
    """Refuse a size out of range with a sentence."""
    if not least <= value <= most:
        raise ConfigurationError(f"the number of {what} must lie between {least} and {most}, not {value}")
