"""The works of the invented town, and by how much each changes the flow of the counters around it.

Sites and closures are drawn once for the whole period; ``snapshot_*`` functions say what a producer's file of a given
day would announce of them, as records under the producers' own headers. Writing them is in ``writing``.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from raw_sources.sample.city import Network, counter_label, to_lonlat
from raw_sources.sample.scale import Plan

ZONE = ZoneInfo("Europe/Paris")
NEAR_M = 250.0
"""Counters of other blocks whose middle lies this near a disruptive site lose half of what its own block loses."""
DIVERSION_M = 900.0
MOST_DIVERSIONS = 3
NO_CARRIAGEWAY = "EMPRISE_TROTTOIR"

Record = dict[str, str]

IMPACTS = (
    ("RESTREINTE", 0.6, (0.10, 0.30), "Maintien d'une file de circulation ; largeur réduite à 3,00 m."),
    ("SENS_UNIQUE", 0.25, (0.30, 0.45), "Mise à sens unique.\nDéviation par les rues voisines."),
    ("BARRAGE_TOTAL", 0.15, (0.45, 0.60), 'Rue barrée "sauf riverains".\nDéviation fléchée.\nAccès pompiers maintenu.'),
)
"""Impact on traffic, share of the sites, range of the relative loss of flow, words."""

PURPOSES = (
    ("REAMENAGEMENT_VOIRIE", "Ville-Témoin", "Aménagement d'une piste cyclable"),
    ("CREATION_RESEAUX", "Chaleur Témoin", "Création d'un réseau de chaleur ;\nterrassement puis remblai"),
    ("ENTRETIEN_RESEAU", "Eau Témoin", "Renouvellement de la conduite d'eau"),
    ("REFECTION_CHAUSSEE", "Ville-Témoin", "Réfection du tapis"),
    ("RACCORDEMENT_RESEAU", "Électricité Témoin", "Raccordement client"),
)

CITY = "Ville de Paris (Tvx sur espace ou édifice public)"
NETWORKS = "Opérateurs de réseau (gaz-électricité-RATP-etc)"
PRIVATE = "Tiers (travaux sur bâtiment)"
"""The three values of the responsible party are codes of the form, kept as the producer writes them."""

KINDS = (
    (PRIVATE, "Propriétés - Co-propriétés publiques et privées", "Construction ou réhabilitation d'immeuble", 0.55),
    (NETWORKS, "Électricité Témoin", "Travaux sur réseau électrique", 0.2),
    (NETWORKS, "Gaz Témoin", "Travaux sur réseau de gaz", 0.1),
    (CITY, "Direction de la voirie (Ville-Témoin)", "Aménagement de voirie (VdP*)", 0.15),
)


@dataclass(frozen=True)
class Effect:
    """What one site does to one counter: ``change`` is relative (-0.3 = 30 % less) on every hour it is active."""

    arc: int
    change: float
    role: str


@dataclass(frozen=True)
class Site:
    """A disruptive site; days are legal days, both included; ``announced_end`` is what was first promised."""

    identifier: str
    ctv: str
    block: int
    announced_on: date
    start: date
    announced_end: date
    end: date
    impact: int
    loss: float
    purpose: int
    share: float
    effects: tuple[Effect, ...]


@dataclass(frozen=True)
class Occupation:
    """A plot of public space (``emprise``) occupied by works; ``demand`` is shared with a disruptive site if any."""

    identifier: str
    demand: str
    worksite: str
    kind: int
    block: int
    share: float
    offset_m: float
    width_m: float
    announced_on: date
    start: date
    announced_end: date
    end: date
    occupies: str
    parking: str


@dataclass(frozen=True)
class Closure:
    """A night closure of the ring road, on whole hours of legal time: ``first_night`` 22:00 to 06:00 the next day."""

    identifier: str
    blocks: tuple[int, ...]
    first_night: date
    effects: tuple[Effect, ...]

    @property
    def start(self) -> datetime:
        """First instant of the closure."""
        return datetime.combine(self.first_night, time(22), ZONE)

    @property
    def end(self) -> datetime:
        """Last instant of the closure."""
        return datetime.combine(self.first_night + timedelta(days=1), time(6), ZONE)


@dataclass(frozen=True)
class Works:
    """Everything that is dug up or shut in the period."""

    sites: tuple[Site, ...]
    occupations: tuple[Occupation, ...]
    closures: tuple[Closure, ...]


def draw(network: Network, plan: Plan, rng: np.random.Generator) -> Works:
    """Return the works of the period; same network, plan and ``rng`` state, same works."""
    count = max(6, round(7 + 0.15 * plan.arcs * math.sqrt(plan.days / 62)))
    sites = tuple(_draw_site(number, network, plan, rng) for number in range(count))
    occupations = [plot for site in sites if site.ctv for plot in _plots_of(site, rng)]
    for number in range(4 * count):
        occupations.extend(_draw_occupations(number, network, plan, rng))
    nights = max(4, round(plan.days / 10))
    closures = tuple(_draw_closure(number, network, plan, rng) for number in range(nights))
    return Works(sites, tuple(occupations), closures)


def _draw_site(number: int, network: Network, plan: Plan, rng: np.random.Generator) -> Site:
    """Draw one disruptive site: four in five on a block that is counted."""
    counted = rng.uniform() < 0.8
    block = int(rng.choice(network.arc_block)) if counted else int(rng.integers(len(network.block_ends)))
    impact = int(rng.choice(len(IMPACTS), p=[share for _, share, _, _ in IMPACTS]))
    loss = round(float(rng.uniform(*IMPACTS[impact][2])), 2)
    start = plan.first_day + timedelta(days=int(rng.integers(-5, max(1, plan.days - 5))))
    announced_end = start + timedelta(days=int(np.clip(rng.lognormal(3.0, 0.5), 7, 90)))
    slips = rng.uniform() < 0.35
    end = announced_end + timedelta(days=int(rng.integers(3, 28))) if slips else announced_end
    return Site(
        identifier=f"CP{900001 + number}",
        ctv=str(9_700_001 + number) if number % 3 != 2 else "",
        block=block,
        announced_on=start - timedelta(days=int(rng.integers(5, 40))),
        start=start,
        announced_end=announced_end,
        end=end,
        impact=impact,
        loss=loss,
        purpose=int(rng.integers(len(PURPOSES))),
        share=float(rng.uniform(0.3, 0.7)),
        effects=_effects_of_site(network, block, loss),
    )


def _effects_of_site(network: Network, block: int, loss: float) -> tuple[Effect, ...]:
    """Return the changes around a block: its arcs lose ``loss``, near ones half, three parallel ones gain a quarter."""
    x, y = network.middle_of_arcs()
    ends = network.block_ends[block]
    distance = np.hypot(x - network.node_x_m[ends].mean(), y - network.node_y_m[ends].mean())
    own = network.arc_block == block
    near = ~own & (distance <= NEAR_M)
    half = len(network.street_names) // 2
    parallel = (network.block_street[network.arc_block] < half) == bool(network.block_street[block] < half)
    candidates = np.flatnonzero(~own & ~near & parallel & (distance <= DIVERSION_M))
    gaining = candidates[np.argsort(distance[candidates], kind="stable")][:MOST_DIVERSIONS]
    return (
        *(Effect(int(arc), -loss, "on") for arc in np.flatnonzero(own)),
        *(Effect(int(arc), -round(loss / 2, 3), "near") for arc in np.flatnonzero(near)),
        *(Effect(int(arc), round(loss / 4, 3), "diversion") for arc in gaining),
    )


def _plots_of(site: Site, rng: np.random.Generator) -> list[Occupation]:
    """Return the one to three plots by which the other producer's file describes a disruptive site."""
    kind = 3 if PURPOSES[site.purpose][1] == "Ville-Témoin" else 1
    return [
        Occupation(
            identifier=f"EC{900000 + 10 * (int(site.ctv) - 9_700_000) + part}",
            demand=site.ctv,
            worksite=str(int(site.ctv) - 600_000),
            kind=kind,
            block=site.block,
            share=site.share + 0.02 * part,
            offset_m=float(rng.uniform(1, 6)),
            width_m=float(rng.uniform(2, 5)),
            announced_on=site.announced_on,
            start=site.start,
            announced_end=site.announced_end,
            end=site.end,
            occupies="EMPRISE_CHAUSSEE,EMPRISE_TROTTOIR" if part == 0 else "EMPRISE_CHAUSSEE",
            parking="STATIONNEMENT_PAYANT" if part == 0 else "",
        )
        for part in range(int(rng.integers(1, 4)))
    ]


def _draw_occupations(number: int, network: Network, plan: Plan, rng: np.random.Generator) -> list[Occupation]:
    """Draw the plots of one ordinary demand: on the pavement mostly, without effect on traffic."""
    start = plan.first_day + timedelta(days=int(rng.integers(-40, plan.days)))
    announced_end = start + timedelta(days=int(np.clip(rng.lognormal(3.4, 0.8), 3, 500)))
    slips = rng.uniform() < 0.25
    kind = int(rng.choice(len(KINDS), p=[share for *_, share in KINDS]))
    block = int(rng.integers(len(network.block_ends)))
    share = float(rng.uniform(0.15, 0.75))
    return [
        Occupation(
            identifier=f"EC{1_200_000 + 10 * number + part}",
            demand=str(9_800_001 + number),
            worksite=str(9_300_001 + number),
            kind=kind,
            block=block,
            share=share + 0.03 * part,
            offset_m=float(rng.uniform(8, 11)),
            width_m=float(rng.uniform(1, 3)),
            announced_on=start - timedelta(days=7),
            start=start,
            announced_end=announced_end,
            end=announced_end + timedelta(days=14) if slips else announced_end,
            occupies=NO_CARRIAGEWAY if part == 0 else "",
            parking=str(rng.choice(["", "", "STATIONNEMENT_PAYANT", "DEUX_ROUES,ZONE_LIVRAISON"])),
        )
        for part in range(1 + int(rng.uniform() < 0.3))
    ]


def _draw_closure(number: int, network: Network, plan: Plan, rng: np.random.Generator) -> Closure:
    """Draw one night closure of two consecutive blocks of the ring: most begin on a block that is counted."""
    ring = np.flatnonzero(network.block_class == 0)
    counted = np.flatnonzero(np.isin(ring[:-1], network.arc_block))
    choice = counted if len(counted) and rng.uniform() < 0.7 else np.arange(len(ring) - 1)
    place = int(rng.choice(choice))
    blocks = tuple(int(block) for block in ring[place : place + 2])
    night = plan.first_day + timedelta(days=int(rng.integers(1, plan.days - 1)))
    shut = np.flatnonzero(np.isin(network.arc_block, blocks))
    return Closure(str(90_001 + number), blocks, night, tuple(Effect(int(arc), -0.9, "on") for arc in shut))


# --- what the producers' files announce -------------------------------------------------------------------------


def snapshot_sites(works: Works, network: Network, day: date, plan: Plan) -> list[Record]:
    """Return the disruptive sites as announced on ``day``: the last snapshot drops those ended long before."""
    return [
        _site_record(site, network, day)
        for site in works.sites
        if site.announced_on <= day and (day < plan.last_snapshot or site.end >= plan.first_snapshot)
    ]


def _site_record(site: Site, network: Network, day: date) -> Record:
    """Return one disruptive site under the label headers of its producer's export."""
    impact, _, _, words = IMPACTS[site.impact]
    purpose, owner, description = PURPOSES[site.purpose]
    street = network.street_names[int(network.block_street[site.block])]
    shape, point = rectangle(network, site.block, site.share, 0.0, 9.0)
    return {
        "Identifiant": site.identifier,
        "Identifiant CTV": site.ctv,
        "Code postal de l'arrondissement": district(network, site.block),
        "Numéro de STV": "99",
        "Typologie": str(1 + site.purpose % 3),
        "Maitre d'ouvrage": owner,
        "Objet": purpose,
        "Description": description,
        "Voie(s)": street,
        "Précisions de localisation": _between(network, site.block),
        "Date de début": site.start.isoformat(),
        "Date de fin": end_announced(site, day).isoformat(),
        "Impact sur la circulation": impact,
        "Détail de l'impact sur la circulation": words,
        "Niveau de perturbation": "1" if impact == "BARRAGE_TOTAL" else "2",
        "Statut": _status(site, day),
        "URL LettreInfoChantier": "",
        "geo_shape": shape,
        "geo_point_2d": point,
    }


def end_announced(site: Site | Occupation, day: date) -> date:
    """Return the end announced on ``day``: a delay becomes known a week before the end first promised."""
    return site.end if day > site.announced_end - timedelta(days=7) else site.announced_end


def _status(site: Site, day: date) -> str:
    """Return the producer's code: 1 to come, 2 ongoing, 4 prolonged, 5 ended."""
    if day < site.start:
        return "1"
    if day > site.end:
        return "5"
    return "4" if end_announced(site, day) != site.announced_end else "2"


def snapshot_occupations(works: Works, network: Network, day: date, plan: Plan) -> list[Record]:
    """Return the plots as announced on ``day``, those of the last snapshot without what ended before the first."""
    return [
        _occupation_record(plot, network, day)
        for plot in works.occupations
        if plot.announced_on <= day and (day < plan.last_snapshot or plot.end >= plan.first_snapshot)
    ]


def _occupation_record(plot: Occupation, network: Network, day: date) -> Record:
    """Return one plot under the label headers of its producer's export."""
    category, owner, nature, _ = KINDS[plot.kind]
    length = 20.0
    shape, point = rectangle(network, plot.block, plot.share, plot.offset_m, plot.width_m, length)
    return {
        "Référence Chantier": plot.identifier,
        "Code postal arrondissement - Commune": district(network, plot.block),
        "Date début du chantier": plot.start.isoformat(),
        "Date fin du chantier": end_announced(plot, day).isoformat(),
        "Responsable du chantier": category,
        "Maîtrise d'ouvrage principale": owner,
        "Surface (m2)": str(round(length * plot.width_m, 2)),
        "Synthèse - Nature du chantier": nature,
        "Encombrement espace public": plot.occupies,
        "Impact stationnement": plot.parking,
        "Identifiant demande CITE": plot.demand,
        "Identifiant Chantier CITE": plot.worksite,
        "geo_shape": shape,
        "geo_point_2d": point,
    }


def snapshot_closures(works: Works, network: Network, day: date) -> list[Record]:
    """Return the closures known on ``day`` (two months ahead), under the producer's headers."""
    return [
        _closure_record(closure, network, day)
        for closure in works.closures
        if closure.first_night <= day + timedelta(days=60)
    ]


def _closure_record(closure: Closure, network: Network, day: date) -> Record:
    """Return one closure; as in the real files the period in words is in UTC, and so an hour or two early."""
    lines = [_axis(network, block) for block in closure.blocks]
    first, last = closure.start.astimezone(UTC), closure.end.astimezone(UTC)
    middle = lines[0][1]
    return {
        "Identifiant interne": closure.identifier,
        "Type de fermeture": "Boulevard périphérique",
        "Localisation": " - ".join(
            counter_label(network.street_names[int(network.block_street[block])]).replace("_", " ").upper()
            for block in closure.blocks
        ),
        "Date et heure de début de barrage": closure.start.isoformat(),
        "Date et heure de fin de barrage": closure.end.isoformat(),
        "Période et plage de fermeture": f"Du {_in_words(first)} au {_in_words(last)}",
        "Sens de la fermeture": "",
        "État de la fermeture": "Terminé" if closure.end.date() <= day else "Planifié",
        "geo_shape": json_text({"coordinates": lines, "type": "MultiLineString"}),
        "geo_point_2d": f"{middle[1]}, {middle[0]}",
    }


def _in_words(instant: datetime) -> str:
    """Return an instant as ``mardi 14/11/2023 21:30``."""
    days = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
    return f"{days[instant.weekday()]} {instant:%d/%m/%Y %H:%M}"


def _between(network: Network, block: int) -> str:
    """Say between which crossing streets a block lies."""
    crossing = [set(network.node_street[int(node)]) for node in network.block_ends[block]]
    names = [network.street_names[min(streets - {int(network.block_street[block])})] for streets in crossing]
    return f"Entre {names[0]} et {names[1]}"


def district(network: Network, block: int) -> str:
    """Return the postal code of the quarter of a block: 99001 to 99004, which no place bears."""
    ends = network.block_ends[block]
    east, north = network.node_x_m[ends].mean() > 0, network.node_y_m[ends].mean() > 0
    return f"9900{1 + int(east) + 2 * int(north)}"


def _axis(network: Network, block: int) -> list[list[float]]:
    """Return the axis of a block as [lon, lat] points: both crossings and the middle."""
    (x0, x1), (y0, y1) = network.node_x_m[network.block_ends[block]], network.node_y_m[network.block_ends[block]]
    return [to_lonlat(x0 + (x1 - x0) * share, y0 + (y1 - y0) * share) for share in (0.0, 0.5, 1.0)]


def rectangle(
    network: Network, block: int, share: float, offset_m: float, width_m: float, length_m: float = 40.0
) -> tuple[str, str]:
    """Return a plot along a block as the producers write it: GeoJSON text of a Polygon, and ``lat, lon`` of its middle.

    ``share`` places its middle along the block, ``offset_m`` to the left of the axis; sizes in metres.
    """
    (x0, x1), (y0, y1) = network.node_x_m[network.block_ends[block]], network.node_y_m[network.block_ends[block]]
    whole = math.hypot(x1 - x0, y1 - y0)
    along: npt.NDArray[np.float64] = np.array([(x1 - x0) / whole, (y1 - y0) / whole])
    left = np.array([-along[1], along[0]])
    middle = np.array([x0, y0]) + along * whole * share + left * offset_m
    corners = [(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]
    points = [middle + along * length_m / 2 * a + left * width_m / 2 * b for a, b in corners]
    ring = [to_lonlat(float(x), float(y)) for x, y in points]
    lon, lat = to_lonlat(float(middle[0]), float(middle[1]))
    return json_text({"coordinates": [ring], "type": "Polygon"}), f"{lat}, {lon}"


def json_text(value: Any) -> str:
    """Return JSON as the portal writes it in a cell: one line, blanks after commas and colons, keys as given."""
    return json.dumps(value, ensure_ascii=False)


# --- the known amounts ------------------------------------------------------------------------------------------


def effects_document(works: Works, network: Network) -> dict[str, Any]:
    """Return what ``effects.json`` says: for every site and closure, its counters and their relative change of flow."""
    return {
        "synthetic": True,
        "composition": "changes of several sites on one counter multiply: (1 + a) * (1 + b)",
        "hours": "legal days of the start of the hour, both included; closures between their two instants",
        "sites": [
            {
                "source": "paris_chantiers_perturbants",
                "site_id": site.identifier,
                "demand": site.ctv or None,
                "impact": IMPACTS[site.impact][0],
                "from": site.start.isoformat(),
                "to": site.end.isoformat(),
                "arcs": _arcs_of(site.effects, network),
            }
            for site in works.sites
        ],
        "closures": [
            {
                "source": "paris_fermetures_voirie",
                "site_id": closure.identifier,
                "from": closure.start.isoformat(),
                "to": closure.end.isoformat(),
                "arcs": _arcs_of(closure.effects, network),
            }
            for closure in works.closures
        ],
    }


def _arcs_of(effects: tuple[Effect, ...], network: Network) -> list[dict[str, Any]]:
    """Return the changes by counter identifier."""
    return [
        {"counter_id": network.arc_id[effect.arc], "relative_change": effect.change, "role": effect.role}
        for effect in effects
    ]
