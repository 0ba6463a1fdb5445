"""The traffic of the invented town: flow and occupancy of every counter and hour of one legal day.

A flow is the product of a capacity, a daily shape (by class and kind of day), a season, noise, and the changes that
works cause; occupancy follows from it by a fundamental diagram. How an hour is named in a file, and which hours a
clock change adds or removes, belongs to ``writing``: here a day always has 24 legal hours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from raw_sources.sample.city import Floats, Integers, Network
from raw_sources.sample.works import Closure, Works

HOURS = 24
TRAFFIC_STREAM = 2
STATE_BOUNDS_PCT = (15.0, 30.0, 50.0)
"""Occupancy where fluid ends, pre-saturated ends, saturated ends (measured on the producer's published rows)."""

WORKING_DAY = (8, 5, 4, 4, 8, 22, 48, 82, 98, 90, 76, 74, 76, 76, 77, 80, 88, 98, 100, 90, 66, 44, 30, 18)
SATURDAY = (16, 11, 8, 7, 8, 12, 20, 32, 46, 60, 71, 76, 77, 75, 76, 78, 79, 80, 78, 72, 58, 44, 36, 27)
SUNDAY = (20, 14, 10, 8, 8, 9, 13, 18, 26, 38, 50, 57, 58, 54, 54, 57, 62, 68, 70, 62, 48, 36, 26, 16)
"""Percent of the peak by hour of the day (start of the hour, legal time)."""

MONTHS = (0.94, 0.97, 1.0, 1.0, 0.99, 1.02, 0.93, 0.72, 1.0, 1.02, 1.0, 0.96)
HOLIDAYS = frozenset({(1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)})
"""French public holidays of fixed date (month, day); the movable ones are left out of this town."""
SEASONALITY = (0.6, 1.0, 1.15)
"""How much the season bears on each class: the ring carries traffic that the town's holidays do not stop."""

DAY_NOISE, ARC_DAY_NOISE, HOUR_NOISE = 0.02, 0.03, 0.06
FREE_PCT, JAM_PCT = 16.0, 12.0


@dataclass(frozen=True)
class Day:
    """One legal day. Arrays are (counters, 24), column h being the hour from h:00 to h+1:00; NaN where not measured."""

    day: date
    flow_veh_h: Floats
    occupancy_pct: Floats
    barred: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Changes:
    """What works do to counters, as parallel arrays: day numbers and hours both included."""

    arc: Integers
    first_day: Integers
    last_day: Integers
    first_hour: Integers
    last_hour: Integers
    change: Floats
    bars: npt.NDArray[np.bool_]

    def factors(self, day: date, arcs: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Return what multiplies the flow of each counter and hour of ``day``, and where the street is barred."""
        number = day.toordinal()
        factors = np.ones((arcs, HOURS))
        barred = np.zeros((arcs, HOURS), dtype=np.bool_)
        for entry in np.flatnonzero((self.first_day <= number) & (number <= self.last_day)):
            hours = slice(int(self.first_hour[entry]), int(self.last_hour[entry]) + 1)
            factors[self.arc[entry], hours] *= 1.0 + self.change[entry]
            barred[self.arc[entry], hours] |= self.bars[entry]
        return factors, barred


def changes_of(works: Works) -> Changes:
    """Return the effects of all works as arrays, ready to be looked up by day."""
    rows: list[tuple[int, int, int, int, int, float, bool]] = []
    for site in works.sites:
        span = (site.start.toordinal(), site.end.toordinal(), 0, HOURS - 1)
        rows.extend((e.arc, *span, e.change, e.role == "on" and site.loss >= 0.45) for e in site.effects)
    for closure in works.closures:
        rows.extend(_night(closure))

    def column(place: int) -> Integers:
        return np.asarray([row[place] for row in rows], dtype=np.int64)

    change = np.asarray([row[5] for row in rows], dtype=np.float64)
    return Changes(column(0), column(1), column(2), column(3), column(4), change, column(6).astype(np.bool_))


def _night(closure: Closure) -> list[tuple[int, int, int, int, int, float, bool]]:
    """Return a night closure as two entries per counter: the evening, and the next morning."""
    first = closure.first_night.toordinal()
    evening, morning = (first, first, closure.start.hour, HOURS - 1), (first + 1, first + 1, 0, closure.end.hour - 1)
    return [(e.arc, *span, e.change, True) for e in closure.effects for span in (evening, morning)]


def simulate(network: Network, changes: Changes, day: date, seed: int) -> Day:
    """Return the counts of one legal day; it does not depend on the other days written."""
    rng = np.random.Generator(
        np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(TRAFFIC_STREAM, day.toordinal())))
    )
    arcs = len(network.arc_id)
    factors, barred = changes.factors(day, arcs)
    load = network.peak_ratio[:, None] * _shape(network, day) * _noise(rng, arcs)
    # The known amount bears on the flow, after the diagram: a lane taken away loses flow and fills up all the same.
    flow = np.round(network.capacity_veh_h[:, None] * flow_of_load(load) * factors)
    crowding = np.where(factors >= 1.0, factors, 1.0 + 0.4 * (1.0 - factors))
    filled = network.occupancy_factor[:, None] * occupancy_of_load(load * crowding)
    occupancy = filled.clip(0.05, 99.0).round(5)
    _silence(flow, occupancy, network, rng)
    return Day(day, flow, occupancy, barred)


def flow_of_load(load: Floats) -> Floats:
    """Return flow over capacity from demand over capacity: equal up to 1, then falling as the queue grows."""
    return np.where(load <= 1.0, load, np.maximum(1.0 - 0.35 * (load - 1.0), 0.3))


def occupancy_of_load(load: Floats) -> Floats:
    """Return occupancy in percent from demand over capacity: proportional at first, steep near and past capacity."""
    return FREE_PCT * load + JAM_PCT * load**6


def state_of(occupancy_pct: Floats) -> npt.NDArray[np.int8]:
    """Return the producer's state codes: 0 unknown (no occupancy), 1 fluid, 2 pre-saturated, 3 saturated, 4 blocked."""
    codes = np.searchsorted(np.asarray(STATE_BOUNDS_PCT), occupancy_pct, side="right") + 1
    return np.where(np.isnan(occupancy_pct), 0, codes).astype(np.int8)


def season(day: date) -> float:
    """Return the season of ``day`` between the middles of months, 1 being a working month."""
    middle = day.replace(day=15)
    other = (middle - timedelta(days=30)) if day < middle else (middle + timedelta(days=31))
    weight = min(abs((day - middle).days) / 30.5, 1.0)
    return MONTHS[day.month - 1] * (1 - weight) + MONTHS[other.month - 1] * weight


def _shape(network: Network, day: date) -> Floats:
    """Return the expected load of each counter and hour relative to its peak."""
    quiet = day.weekday() == 6 or (day.month, day.day) in HOLIDAYS
    profile = np.asarray(SUNDAY if quiet else SATURDAY if day.weekday() == 5 else WORKING_DAY) / 100.0
    by_class = np.stack([0.12 + 0.88 * profile, profile, profile**1.15])
    seasonal = 1.0 + np.asarray(SEASONALITY) * (season(day) - 1.0)
    return np.asarray((by_class * seasonal[:, None])[network.arc_class])


def _noise(rng: np.random.Generator, arcs: int) -> Floats:
    """Return multiplicative noise of mean 1: of the town's day, of each counter's day, of each hour."""
    spread = math.sqrt(DAY_NOISE**2 + ARC_DAY_NOISE**2 + HOUR_NOISE**2)
    exponent = rng.standard_normal((arcs, HOURS)) * HOUR_NOISE
    exponent += rng.standard_normal((arcs, 1)) * ARC_DAY_NOISE
    exponent += rng.standard_normal() * DAY_NOISE - spread**2 / 2
    return np.exp(exponent)


def _silence(flow: Floats, occupancy: Floats, network: Network, rng: np.random.Generator) -> None:
    """Blank what was not measured: counters out for a day or an hour, occupancy alone missing, arcs without flow."""
    out = rng.uniform(size=(flow.shape[0], 1)) < 0.008
    draw = rng.uniform(size=flow.shape)
    flow[out | (draw < 0.006) | ~network.counts_flow[:, None]] = np.nan
    occupancy[out | (draw < 0.008)] = np.nan
