"""The streets of the invented town: crossings, blocks, and the arcs that carry a counter.

A town is a slightly crooked grid in metres around an origin; only ``to_lonlat`` knows where on Earth that is.
Traffic, works and file formats do not belong here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

ORIGIN_LON, ORIGIN_LAT = -3.5, 45.5
"""The middle of the town, in the Bay of Biscay: on purpose where no street can be."""
METRES_PER_DEGREE = 111_320.0
"""Metres per degree of latitude on the sphere (6,378 km); enough for a town that does not exist."""

SPACING_M = 350.0
CROOKEDNESS_M = 40.0
FIRST_ARC_ID, FIRST_NODE_ID = 9001, 8001
CLASSES = ("ring", "boulevard", "street")
CAPACITY_VEH_H = (5200.0, 1500.0, 620.0)
"""Flow at capacity by class, vehicles per hour: an urban ring road, a boulevard of two lanes, a street of one."""

NOUNS = (
    "Tilleuls Platanes Acacias Érables Charmes Noisetiers Cerisiers Pruniers Amandiers Figuiers Marronniers Peupliers "
    "Saules Ormes Frênes Bouleaux Sorbiers Lilas Glycines Mimosas Violettes Pervenches Coquelicots Bleuets Alouettes "
    "Mésanges Hirondelles Chardonnerets Rossignols Fauvettes Tisserands Potiers Tanneurs Drapiers Tonneliers Charrons "
    "Vanniers Meuniers Bateliers Mariniers Lavandières Remparts Moulins Fontaines Jardins Vergers Prairies Horizons"
).split()

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Network:
    """The town. Arrays are parallel over arcs (directed, with a counter), or over blocks (undirected)."""

    arc_id: list[str]
    arc_class: Integers
    arc_block: Integers
    arc_from: Integers
    arc_to: Integers
    capacity_veh_h: Floats
    peak_ratio: Floats
    occupancy_factor: Floats
    counts_flow: npt.NDArray[np.bool_]
    declared_invalid: npt.NDArray[np.bool_]
    node_x_m: Floats
    node_y_m: Floats
    node_street: list[tuple[int, int]]
    block_ends: npt.NDArray[np.int64]
    block_street: Integers
    block_class: Integers
    street_names: list[str]

    def middle_of_arcs(self) -> tuple[Floats, Floats]:
        """Return the middle of every arc, metres east and north of the origin."""
        x, y = self.node_x_m, self.node_y_m
        return (x[self.arc_from] + x[self.arc_to]) / 2, (y[self.arc_from] + y[self.arc_to]) / 2

    def line_of_arc(self, arc: int) -> list[list[float]]:
        """Return an arc as [lon, lat] points, shifted to the right of the block's axis (traffic keeps right)."""
        ends = (int(self.arc_from[arc]), int(self.arc_to[arc]))
        (x0, x1), (y0, y1) = (self.node_x_m[list(ends)], self.node_y_m[list(ends)])
        length = math.hypot(x1 - x0, y1 - y0)
        right_x, right_y = (y1 - y0) / length * 3.5, -(x1 - x0) / length * 3.5
        points = [(x0 + (x1 - x0) * share, y0 + (y1 - y0) * share) for share in (0.04, 0.5, 0.96)]
        return [to_lonlat(px + right_x, py + right_y) for px, py in points]

    def node_label(self, node: int) -> str:
        """Return a crossing as the counters name it: both streets, without accents or blanks."""
        first, second = self.node_street[node]
        return f"{counter_label(self.street_names[first])}-{counter_label(self.street_names[second])}"


def to_lonlat(x_m: float, y_m: float) -> list[float]:
    """Return [lon, lat] in degrees (7 decimals, about a centimetre) of a point in metres."""
    lat = ORIGIN_LAT + y_m / METRES_PER_DEGREE
    lon = ORIGIN_LON + x_m / (METRES_PER_DEGREE * math.cos(math.radians(ORIGIN_LAT)))
    return [round(float(lon), 7), round(float(lat), 7)]


def counter_label(street: str) -> str:
    """Return a street name as counters write it: ``Bd_des_Erables``."""
    short = street.replace("boulevard ", "Bd ").replace("avenue ", "Av ").replace("rue ", "")
    plain = short.translate(str.maketrans("Éàâéèêëîïôûç", "Eaaeeeeiiouc"))
    return (plain[0].upper() + plain[1:]).replace(" ", "_")


def build(arcs: int, rng: np.random.Generator) -> Network:
    """Return a town in which ``arcs`` directed arcs carry a counter; same ``rng`` state, same town."""
    side = _side(arcs)
    node_x, node_y = _nodes(side, rng)
    ends, street = _blocks(side)
    street_class = np.tile(_line_classes(side), 2)
    block_class = street_class[street]
    block = _equip(len(ends), arcs, rng)
    reverse = block >= len(ends)
    block = block % len(ends)
    arc_class = block_class[block]
    return Network(
        arc_id=[str(FIRST_ARC_ID + number) for number in range(arcs)],
        arc_class=arc_class,
        arc_block=block,
        arc_from=np.where(reverse, ends[block, 1], ends[block, 0]),
        arc_to=np.where(reverse, ends[block, 0], ends[block, 1]),
        node_x_m=node_x,
        node_y_m=node_y,
        node_street=[(row, side + column) for row in range(side) for column in range(side)],
        block_ends=ends,
        block_street=street,
        block_class=block_class,
        street_names=_street_names(side, street_class),
        **_habits(arc_class, rng),
    )


def _side(arcs: int) -> int:
    """Return the number of streets each way: a small town has few counters, a city most of its arcs."""
    side = 2
    while 4 * side * (side - 1) < 2 * arcs + 80:
        side += 1
    return side


def _nodes(side: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the crossings, row by row, in metres from the middle of the town."""
    steps = (np.arange(side) - (side - 1) / 2) * SPACING_M
    x, y = np.meshgrid(steps, steps)
    crooked = rng.uniform(-CROOKEDNESS_M, CROOKEDNESS_M, size=(2, side * side))
    return x.ravel() + crooked[0], y.ravel() + crooked[1]


def _blocks(side: int) -> tuple[npt.NDArray[np.int64], Integers]:
    """Return the two crossings and the street of every block: rows first, then columns."""
    node = np.arange(side * side).reshape(side, side)
    rows = np.column_stack([node[:, :-1].ravel(), node[:, 1:].ravel()])
    columns = np.column_stack([node[:-1, :].T.ravel(), node[1:, :].T.ravel()])
    street = np.concatenate([np.repeat(np.arange(side), side - 1), np.repeat(np.arange(side) + side, side - 1)])
    return np.concatenate([rows, columns]), street


def _line_classes(side: int) -> Integers:
    """Return the class of each street of one direction: the outer two a ring, every third a boulevard."""
    classes = np.full(side, CLASSES.index("street"))
    classes[1::3] = CLASSES.index("boulevard")
    classes[[0, side - 1]] = CLASSES.index("ring")
    return classes


def _equip(blocks: int, arcs: int, rng: np.random.Generator) -> Integers:
    """Choose the arcs that carry a counter; numbers from ``blocks`` on are the opposite directions."""
    return np.sort(rng.permutation(2 * blocks)[:arcs])


def _habits(arc_class: Integers, rng: np.random.Generator) -> dict[str, Any]:
    """Return what distinguishes one counter from its class: size, load, calibration, and what it measures."""
    count = len(arc_class)
    flow = rng.uniform(size=count) >= 0.05
    flow[0] = True
    return {
        "capacity_veh_h": np.asarray(CAPACITY_VEH_H)[arc_class] * rng.uniform(0.75, 1.25, size=count),
        "peak_ratio": rng.uniform(0.62, 1.02, size=count),
        "occupancy_factor": rng.uniform(0.85, 1.2, size=count),
        "counts_flow": flow,
        "declared_invalid": rng.uniform(size=count) < 0.3,
    }


def _street_names(side: int, street_class: Integers) -> list[str]:
    """Return one name per street, all different; a second round of the nouns becomes lanes of the ``Clos``."""
    kinds = ("boulevard", "avenue", "rue")
    names = []
    for number in range(2 * side):
        round_, rest = divmod(number, len(NOUNS))
        names.append(f"{kinds[street_class[number]]} {'du Clos ' * round_}des {NOUNS[rest]}")
    return names
