"""Snapshots of Waze for Cities over three hours of the last day, in bundles of the collector, with known truths.

A jam that lasts, a closed road with its alert, an irregularity, a stretch that was not polled, and snapshots in which
nothing happens. Texts of road users stand in them that nobody may keep. It has one size at every scale; which streets
are meant depends on the town.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from raw_sources.sample.city import Network
from raw_sources.sample.defects import Defect, Extracts
from raw_sources.sample.town import Town

SOURCE = "waze_evenements"
FIRST_HOUR, HOURS, PER_HOUR = 6, 3, 30
RHYTHM = timedelta(minutes=2)
NEVER_KEPT = "jamais-garde"
"""Part of every text, image and pseudonym of the snapshots: it may be in no file that a run writes."""

JAM, SHORT_JAM, CLOSED_JAM, UNUSUAL = 1458712744, 1458712745, 1458712746, 123480250
CLOSING, CRASH = "99e1db21-d53b-371a-805e-f01e211c1169", "ac9f4f0c-07b5-369c-b1f3-f786f14beb46"
JAMMED = range(18, 40)
"""Snapshots of the jam, by number from the start of the first hour: the end of it, and the beginning of the next."""
CLOSED = range(30, 60)
NOT_POLLED = range(40, 50)
FAILED_POLLS = (41, 42)
CRASHED = range(75, 90)
UNUSUAL_SEEN = range(20, 30)
DELAY_S, LENGTH_M, LEVEL, SPEED_M_S = 120, 600, 3, 3.5
SHORT_DELAY_S, SHORT_LENGTH_M = 30, 120
REPEATED = 20

Event = dict[str, Any]


@dataclass(frozen=True)
class Streets:
    """The street of the jam and that of the closure: names, and lines in the direction of travel."""

    jammed: str
    closed: str
    jammed_line: list[dict[str, float]]
    closed_line: list[dict[str, float]]


def streets_of(network: Network) -> Streets:
    """Return the streets of the first counter, and of the first one on another street."""
    names = [network.street_names[int(network.block_street[block])] for block in network.arc_block]
    other = next(arc for arc, name in enumerate(names) if name != names[0])
    first, second = ([{"x": lon, "y": lat} for lon, lat in network.line_of_arc(arc)] for arc in (0, other))
    return Streets(names[0], names[other], first, second)


def start_of(town: Town, number: int) -> datetime:
    """Return the start of the window of a snapshot, by its number."""
    return datetime.combine(town.plan.last_day, time(FIRST_HOUR), UTC) + number * RHYTHM


def write(extracts: Extracts, town: Town, *, seeded: bool) -> list[Defect]:
    """Write one bundle per hour; with ``seeded``, events that cannot be, a snapshot twice and half a line."""
    streets = streets_of(town.network)
    found: list[Defect] = []
    for hour in range(HOURS):
        numbers = range(hour * PER_HOUR, (hour + 1) * PER_HOUR)
        polls = [poll for number in numbers for poll in _polls(town, streets, number)]
        name = f"{SOURCE}_{start_of(town, numbers[0]):%Y%m%dT%H}.jsonl"
        tail = ""
        if seeded and hour == 0:
            found += _seed_events(polls, name)
        if seeded and hour == HOURS - 1:
            tail = _line(polls[-1])[:200]
            note = "the last line was being written when the power went"
            found.append(Defect("half_written_poll", SOURCE, name, {"line": len(polls) + 1}, 1, "malformed", note))
        content = "".join(map(_line, polls)) + tail
        extracts.add(name, content.encode(), sum(map(_records, polls)) + bool(tail))
    return found


def _line(poll: Event) -> str:
    return json.dumps(poll, ensure_ascii=False, separators=(",", ":")) + "\n"


def _records(poll: Event) -> int:
    snapshot = poll.get("snapshot", {})
    return 1 + sum(len(snapshot.get(name, ())) for name in ("alerts", "jams", "irregularities"))


def _polls(town: Town, streets: Streets, number: int) -> Iterator[Event]:
    """Yield the line of a poll: none while nobody polled, a failure while the network was down."""
    start = start_of(town, number)
    polled_at = f"{start + timedelta(seconds=70):%Y-%m-%dT%H:%M:%SZ}"
    if number in FAILED_POLLS:
        yield {"polled_at": polled_at, "failed": "Unreachable"}
    elif number not in NOT_POLLED:
        yield {"polled_at": polled_at, "snapshot": _snapshot(start, streets, number)}


def _snapshot(start: datetime, streets: Streets, number: int) -> Event:
    end = start + timedelta(minutes=1)
    lists = {
        "alerts": list(_alerts(start, streets, number)),
        "jams": list(_jams(start, streets, number)),
        "irregularities": list(_irregularities(start, streets, number)),
    }
    window = {
        "startTimeMillis": _millis(start),
        "endTimeMillis": _millis(end),
        "startTime": f"{start:%Y-%m-%d %H:%M:%S}:000",
        "endTime": f"{end:%Y-%m-%d %H:%M:%S}:000",
    }
    # As in the feed, what there is none of is not there.
    return window | {name: events for name, events in lists.items() if events}


def _millis(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)


def _alerts(start: datetime, streets: Streets, number: int) -> Iterator[Event]:
    person = {
        "reportDescription": f"texte libre {NEVER_KEPT}",
        "reportBy": f"pseudonyme-{NEVER_KEPT}",
        "imageUrl": f"https://images.example/{NEVER_KEPT}.jpg",
        "comments": [{"text": f"commentaire {NEVER_KEPT}"}],
        "unknownToTheCard": NEVER_KEPT,
    }
    common = {"country": "FR", "city": "Ville-Témoin", "reliability": 7, "reportByMunicipalityUser": "false", **person}
    if number in CLOSED:
        place = streets.closed_line[1]
        closing = {"uuid": CLOSING, "type": "ROAD_CLOSED", "subtype": "ROAD_CLOSED_EVENT", "street": streets.closed}
        yield {**closing, "location": place, "magvar": 0, "pubMillis": _millis(start), **common}
    if number in CRASHED:
        place = streets.jammed_line[1]
        crash = {"uuid": CRASH, "type": "ACCIDENT", "subtype": "", "street": streets.jammed, "nThumbsUp": 2}
        yield {**crash, "location": place, "magvar": 0, "pubMillis": _millis(start), **common}


def _jams(start: datetime, streets: Streets, number: int) -> Iterator[Event]:
    common = {"country": "FR", "city": "Ville-Témoin", "turnType": "NONE", "segments": [{}], "roadType": 2}
    published = {"pubMillis": _millis(start)}
    if number in JAMMED:
        jam = {"uuid": JAM, "street": streets.jammed, "line": streets.jammed_line, "speed": SPEED_M_S}
        yield {**jam, "delay": DELAY_S, "length": LENGTH_M, "level": LEVEL, **common, **published}
        short = {"uuid": SHORT_JAM, "street": streets.jammed, "line": streets.jammed_line, "speed": SPEED_M_S}
        if number < PER_HOUR:
            yield {**short, "delay": SHORT_DELAY_S, "length": SHORT_LENGTH_M, "level": 1, **common, **published}
    if number in CLOSED:
        closed = {"uuid": CLOSED_JAM, "street": streets.closed, "line": streets.closed_line, "speed": 0}
        closed |= {"delay": -1, "length": 300, "level": 5, "blockingAlertUuid": CLOSING}
        yield {**closed, **common, **published}


def _irregularities(start: datetime, streets: Streets, number: int) -> Iterator[Event]:
    if number in UNUSUAL_SEEN:
        inner = {"uuid": CRASH, "type": "JAM", "reportDescription": f"texte libre {NEVER_KEPT}", "nearBy": NEVER_KEPT}
        yield {
            "id": UNUSUAL,
            "type": "Medium",
            "street": streets.jammed,
            "line": streets.jammed_line,
            "speed": 12.6,
            "regularSpeed": 31.2,
            "seconds": 171,
            "delaySeconds": 102,
            "length": LENGTH_M,
            "jamLevel": LEVEL,
            "severity": 2,
            "trend": 1,
            "detectionDateMillis": _millis(start),
            "detectionDate": f"{start:%a %b %d %H:%M:%S +0000 %Y}",
            "updateDateMillis": _millis(start),
            "highway": False,
            "alerts": [inner],
        }


def _seed_events(polls: list[Event], name: str) -> list[Defect]:
    """Add two events that cannot be to the first snapshot, and write a snapshot twice."""
    jam = {"street": "rue sans identifiant", "delay": 10, "length": 50, "level": 1}
    polls[0]["snapshot"]["jams"] = [jam, {**jam, "uuid": 1, "level": 9}]
    twice = polls[REPEATED]
    polls.insert(REPEATED + 1, {**twice, "polled_at": twice["polled_at"].replace("10Z", "40Z")})
    return [
        Defect("event_without_identifier", SOURCE, name, {"line": 1}, 1, "rejected", "a jam without uuid or id"),
        Defect("impossible_level", SOURCE, name, {"line": 1, "uuid": 1}, 1, "rejected", "a level beyond 5"),
        Defect(
            "repeated_snapshot",
            SOURCE,
            name,
            {"line": REPEATED + 2},
            _records(twice),
            "duplicate",
            "the same snapshot polled twice",
        ),
    ]


def truths(town: Town) -> dict[str, object]:
    """Return what ``truths.json`` says of congestion; instants are starts of hours in UTC."""
    streets = streets_of(town.network)
    hours = [f"{start_of(town, hour * PER_HOUR):%Y-%m-%d %H:%M:%S}" for hour in range(HOURS)]
    in_first = [number for number in JAMMED if number < PER_HOUR]
    in_second = [number for number in JAMMED if number >= PER_HOUR]
    seen = PER_HOUR - len(NOT_POLLED)
    return {
        "street": streets.jammed,
        "closed_street": streets.closed,
        "hours": hours,
        "snapshots_seen": [PER_HOUR, seen, PER_HOUR],
        "snapshots_expected": PER_HOUR,
        "failed_polls": len(FAILED_POLLS),
        "delay_s": [(DELAY_S + SHORT_DELAY_S) / 2, float(DELAY_S)],
        "delay_per_snapshot_s": [
            len(in_first) * (DELAY_S + SHORT_DELAY_S) / PER_HOUR,
            len(in_second) * DELAY_S / seen,
        ],
        "length_jammed_m": [
            len(in_first) * (LENGTH_M + SHORT_LENGTH_M) / PER_HOUR,
            len(in_second) * LENGTH_M / seen,
        ],
        "jams": [2, 1],
        "speed_kmh": SPEED_M_S * 3.6,
        "jam": {
            "event_id": str(JAM),
            "first_seen_at": f"{start_of(town, JAMMED[0]):%Y-%m-%d %H:%M:%S}",
            "last_seen_at": f"{start_of(town, JAMMED[-1]):%Y-%m-%d %H:%M:%S}",
            "snapshots_seen": len(JAMMED),
            "delay_s": float(DELAY_S),
            "length_max_m": float(LENGTH_M),
        },
        "alert_on": {"hour": hours[2], "street": streets.jammed},
        "never_kept": NEVER_KEPT,
    }
