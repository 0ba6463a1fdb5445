"""The invented town as a whole: plan, network, works and traffic of one seed, drawn once.

It only puts the parts together; each part has its own module, and ``generate`` writes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from raw_sources.sample import city, traffic, works, writing
from raw_sources.sample.scale import Plan

NETWORK_STREAM, WORKS_STREAM = 0, 1


@dataclass(frozen=True)
class Town:
    """Everything that is drawn before the first row is written; days are simulated when asked for."""

    plan: Plan
    seed: int
    network: city.Network
    works: works.Works
    changes: traffic.Changes
    texts: writing.Texts

    def day(self, day: date) -> traffic.Day:
        """Return the counts of one legal day."""
        return traffic.simulate(self.network, self.changes, day, self.seed)

    def api_cells(self) -> writing.Cells:
        """Return which cells of the last day are given by an API page only: up to 100 records, the last hours."""
        arcs = len(self.network.arc_id)
        hours = max(1, min(6, 100 // arcs))
        cells = np.zeros((arcs, traffic.HOURS), dtype=np.bool_)
        cells[:100, -hours:] = True
        return cells


def build(plan: Plan, seed: int) -> Town:
    """Return the town of a plan and a seed."""
    network = city.build(plan.arcs, _generator(seed, NETWORK_STREAM))
    drawn = works.draw(network, plan, _generator(seed, WORKS_STREAM))
    return Town(plan, seed, network, drawn, traffic.changes_of(drawn), writing.texts_of(network))


def days_between(first: date, last: date) -> list[date]:
    """Return the days from ``first`` to ``last``, both included."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _generator(seed: int, stream: int) -> np.random.Generator:
    """Return the random numbers of one part of the town, independent of the other parts."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(stream,))))
