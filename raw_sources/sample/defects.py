"""The defects seeded on purpose, and the list of them.

A defect is added beside sound records, or takes a few of them out: the sound rest stays what it is without defects, so
that ``effects.json`` holds either way. Only known defects belong here; chance outages of counters are in ``traffic``.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from raw_sources.sample import writing
from raw_sources.sample.scale import AUTUMN_CHANGE
from raw_sources.sample.town import Town, days_between
from raw_sources.sample.traffic import HOURS, Day
from raw_sources.sample.works import Record, json_text
from raw_sources.sample.writing import Cells

MISSING_DAY = AUTUMN_CHANGE + timedelta(days=1)
LOST_DAY = AUTUMN_CHANGE + timedelta(days=2)
CORRECTED_DAY = AUTUMN_CHANGE + timedelta(days=3)
SPRING_CHANGE = date(2025, 3, 30)
CUT_BYTES = 60
"""Bytes taken off the end of a file: less than the last two cells, which are quoted geometry and a point."""


@dataclass(frozen=True)
class Defect:
    """One seeded defect: ``count`` records, or one file, that must end as ``expected`` says.

    ``expected`` is one of rejected, duplicate, superseded, malformed, refused, flagged, accepted; ``where`` gives lines
    (header included, from 1) or keys.
    """

    kind: str
    source: str
    file: str
    where: dict[str, Any]
    count: int
    expected: str
    note: str


@dataclass
class Extracts:
    """The files written so far under ``folder``, with their numbers of data records."""

    folder: Path
    records: dict[str, int]

    def append(self, name: str, lines: Sequence[str]) -> dict[str, Any]:
        """Append whole lines to a file of counts; return where they are."""
        first = self.records[name] + 2
        with (self.folder / name).open("ab") as stream:
            stream.write("".join(f"{line}\n" for line in lines).encode())
        self.records[name] += len(lines)
        return {"lines": [first, first + len(lines) - 1]}

    def add(self, name: str, content: bytes, records: int) -> None:
        """Write a further file."""
        (self.folder / name).write_bytes(content)
        self.records[name] = records


def document(defects: Sequence[Defect]) -> dict[str, Any]:
    """Return what ``defects.json`` says."""
    return {"synthetic": True, "defects": [asdict(defect) for defect in defects]}


# --- taken out before the counts are written --------------------------------------------------------------------


def dropped_cells(town: Town, *, full: bool) -> dict[date, Cells]:
    """Return the cells (counter, hour) that the regular files leave out, by day."""
    arcs = len(town.network.arc_id)
    dropped = {day: np.zeros((arcs, HOURS), dtype=np.bool_) for day in (AUTUMN_CHANGE, MISSING_DAY)}
    dropped[AUTUMN_CHANGE][_twenty_three_hours(town), 1] = True
    dropped[MISSING_DAY][_missing(town), :] = True
    dropped[_comma_day(town)] = _measured(town.day(_comma_day(town)), slice(8, 14), 24)
    if full:
        dropped[LOST_DAY] = np.ones((arcs, HOURS), dtype=np.bool_)
    return dropped


def _twenty_three_hours(town: Town) -> list[int]:
    """The counters whose autumn day has no 02:00 at all."""
    return list(range(len(town.network.arc_id)))[2:3]


def _missing(town: Town) -> list[int]:
    """The counters silent on one whole day."""
    return list(range(len(town.network.arc_id)))[1:4]


def _comma_day(town: Town) -> date:
    """The archived day on which some numbers have decimal commas."""
    return town.plan.first_day + timedelta(days=1)


def _measured(day: Day, hours: slice, most: int) -> Cells:
    """Return up to ``most`` cells of some hours in which flow and occupancy are both measured."""
    wanted = np.zeros(day.flow_veh_h.shape, dtype=np.bool_)
    wanted[:, hours] = True
    wanted &= ~np.isnan(day.flow_veh_h) & ~np.isnan(day.occupancy_pct)
    wanted.ravel()[np.flatnonzero(wanted)[most:]] = False
    return wanted


def _keys(town: Town, day: Day, cells: Cells) -> list[list[str]]:
    """Return [counter, hour as archives write it] of cells."""
    times = writing.archive_times(day.day)
    return [[town.network.arc_id[arc], times[hour]] for arc, hour in zip(*np.nonzero(cells), strict=True)]


# --- added to the counts once they are written ------------------------------------------------------------------


def seed_counts(town: Town, extracts: Extracts, names: Callable[[date], str], *, full: bool) -> list[Defect]:
    """Seed the defects of the counts; ``names`` gives the regular file of a day."""
    found = [
        _decimal_commas(town, extracts, names(_comma_day(town))),
        *_overlap(town, extracts, names(town.plan.first_label_day - timedelta(days=1))),
        _missing_day(town, names(MISSING_DAY)),
        *_autumn(town, extracts, names(AUTUMN_CHANGE)),
        _correction(town, extracts),
    ]
    if full:
        found += [_lost_day(town, names(LOST_DAY)), *_spring(town, extracts), _cut_archive(town, extracts)]
    return found


def _decimal_commas(town: Town, extracts: Extracts, name: str) -> Defect:
    """Write the cells left out for it, with decimal commas."""
    day = town.day(_comma_day(town))
    cells = _measured(day, slice(8, 14), 24)
    rows = [line.split(";") for line in _archive_lines(town, day, cells)]
    lines = [";".join([*row[:7], row[7].replace(".", ","), row[8].replace(".", ","), *row[9:]]) for row in rows]
    where = extracts.append(name, lines)
    note = "flow and occupancy of these archived hours have a decimal comma, as the oldest archives do"
    return Defect("decimal_comma", "paris_comptages_permanents", name, where, len(lines), "accepted", note)


def _overlap(town: Town, extracts: Extracts, name: str) -> list[Defect]:
    """Repeat an archived day in the last archive: exactly, and with occupancy rounded to a whole number."""
    day = town.day(town.plan.first_day + timedelta(days=2))
    exact, rounded = _measured(day, slice(9, 12), 30), _measured(day, slice(15, 16), 4)
    lines = _archive_lines(town, day, exact)
    same = extracts.append(name, lines) | {"keys": _keys(town, day, exact)}
    rows = [line.split(";") for line in _archive_lines(town, day, rounded)]
    other_lines = [";".join([*row[:8], f"{float(row[8]):.0f}.0", *row[9:]]) for row in rows]
    other = extracts.append(name, other_lines) | {"keys": _keys(town, day, rounded)}
    source = "paris_comptages_permanents"
    return [
        Defect("exact_duplicate", source, name, same, len(lines), "duplicate", "hours of an earlier week, repeated"),
        Defect(
            "contradictory_duplicate",
            source,
            name,
            other,
            len(other_lines),
            "superseded",
            "hours of an earlier week, repeated with occupancy rounded: of each pair one record wins",
        ),
    ]


def _missing_day(town: Town, name: str) -> Defect:
    """Say which counters have no row on one day."""
    counters = [town.network.arc_id[arc] for arc in _missing(town)]
    where = {"counters": counters, "day": MISSING_DAY.isoformat()}
    note = "no row from 01:00 to 00:00 of the next day"
    return Defect("missing_day", "paris_comptages_permanents", name, where, HOURS * len(counters), "flagged", note)


def _lost_day(town: Town, name: str) -> Defect:
    """Say that one day is missing for everyone."""
    count = HOURS * len(town.network.arc_id)
    where = {"counters": "all", "day": LOST_DAY.isoformat()}
    return Defect("missing_day", "paris_comptages_permanents", name, where, count, "flagged", "no row of any counter")


def _autumn(town: Town, extracts: Extracts, name: str) -> list[Defect]:
    """Give two counters the first 02:00 of the autumn day too, and say which one has no 02:00 at all."""
    day = town.day(AUTUMN_CHANGE)
    cells = np.zeros(day.flow_veh_h.shape, dtype=np.bool_)
    cells[:2, 0] = True
    lines = [line.replace("T01:00:00+02:00", "T02:00:00+02:00") for line in _label_lines(town, day, cells)]
    where = extracts.append(name, lines) | {"counters": town.network.arc_id[:2], "day": AUTUMN_CHANGE.isoformat()}
    fewer = {"counters": [town.network.arc_id[arc] for arc in _twenty_three_hours(town)], "day": where["day"]}
    source = "paris_comptages_permanents"
    return [
        Defect("day_25_hours", source, name, where, len(lines), "accepted", "both 02:00, at +02:00 and at +01:00"),
        Defect("day_23_hours", source, name, fewer, len(fewer["counters"]), "flagged", "no 02:00: 23 rows, 2 h lost"),
    ]


def _correction(town: Town, extracts: Extracts) -> Defect:
    """Deliver some hours of a day again, later, with other values."""
    day = town.day(CORRECTED_DAY)
    cells = _measured(day, slice(6, 18), 24)
    corrected = Day(day.day, day.flow_veh_h + 11.0, day.occupancy_pct, day.barred)
    lines = _label_lines(town, corrected, cells)
    sent = town.plan.last_snapshot + timedelta(days=2)
    name = f"comptages-routiers-permanents_{CORRECTED_DAY:%Y%m}_correction_{sent:%Y%m%d}.csv"
    content = writing.BOM + "".join([writing.LABEL_HEADER, *(f"{line}\n" for line in lines)]).encode()
    extracts.add(name, content, len(lines))
    where = {"keys": _keys(town, day, cells), "added_flow_veh_h": 11}
    note = "the earlier records of these hours are superseded: the flow is 11 vehicles an hour higher"
    return Defect("correction", "paris_comptages_permanents", name, where, len(lines), "superseded", note)


def natural(town: Town, names: Callable[[date], str]) -> list[Defect]:
    """Return what the producer's archive form itself does wrong: a 02:00 on the spring days it covers."""
    archived = days_between(town.plan.first_day, town.plan.first_label_day - timedelta(days=1))
    note = "an archive has 24 rows on the spring day, one of them at a 02:00 that does not exist"
    count = len(town.network.arc_id)
    return [
        Defect(
            "nonexistent_hour",
            "paris_comptages_permanents",
            names(day),
            {"hour": f"{day} 02:00:00"},
            count,
            "rejected",
            note,
        )
        for day in archived
        if None in writing.label_times(day)
    ]


def _spring(town: Town, extracts: Extracts) -> list[Defect]:
    """Add a spring day in both forms, for a few counters, when the period itself has none."""
    if town.plan.first_day <= SPRING_CHANGE:
        return []
    day = town.day(SPRING_CHANGE)
    cells = np.zeros(day.flow_veh_h.shape, dtype=np.bool_)
    cells[:2, :] = True
    archive = f"trafic_capteurs_2025_W13_{SPRING_CHANGE:%Y%m%d}_{SPRING_CHANGE:%Y%m%d}.txt"
    lines = _archive_lines(town, day, cells)
    extracts.add(archive, "".join([writing.ARCHIVE_HEADER, *(f"{line}\n" for line in lines)]).encode(), len(lines))
    others = np.roll(cells, 2, axis=0)
    label = f"comptages-routiers-permanents_{SPRING_CHANGE:%Y%m}.csv"
    rows = _label_lines(town, day, others)
    # The second counter writes the instant of 03:00+02:00 with the winter offset: an odd name for the same hour.
    odd = [*rows[:23], *(row.replace("T03:00:00+02:00", "T02:00:00+01:00") for row in rows[23:])]
    content = writing.BOM + "".join([writing.LABEL_HEADER, *(f"{row}\n" for row in odd)]).encode()
    extracts.add(label, content, len(odd))
    source, where = "paris_comptages_permanents", {"hour": f"{SPRING_CHANGE} 02:00:00"}
    counters = {"counters": town.network.arc_id[2:4], "day": SPRING_CHANGE.isoformat()}
    return [
        Defect("nonexistent_hour", source, archive, where, 2, "rejected", "a spring 02:00 that does not exist"),
        Defect("day_23_hours", source, label, counters, len(odd), "accepted", "a spring day has 23 rows"),
    ]


def _cut_archive(town: Town, extracts: Extracts) -> Defect:
    """Add a compressed file of which the second half was lost."""
    day = town.day(town.plan.first_day)
    lines = _label_lines(town, day, np.ones(day.flow_veh_h.shape, dtype=np.bool_))
    whole = gzip.compress(writing.BOM + "".join([writing.LABEL_HEADER, *lines]).encode(), mtime=0)
    name = f"comptages-routiers-permanents_{town.plan.first_day:%Y%m}_cut.csv.gz"
    extracts.add(name, whole[: len(whole) // 2], 0)
    note = "a compressed file cut in the middle: the delivery cannot be accepted"
    return Defect("truncated_gzip", "paris_comptages_permanents", name, {}, 1, "refused", note)


def _label_lines(town: Town, day: Day, cells: Cells) -> list[str]:
    """Return some cells of a day as lines of a label export."""
    return writing.rows_text(writing.label_frame(town.network, town.texts, [day], [cells]))


def _archive_lines(town: Town, day: Day, cells: Cells) -> list[str]:
    """Return some cells of a day as lines of an archive."""
    return writing.rows_text(writing.archive_frame(town.network, town.texts, [day], [cells]))


# --- works and referential --------------------------------------------------------------------------------------


def bad_sites(records: list[Record], name: str) -> list[Defect]:
    """Add disruptive sites with impossible dates, an end before the start, and swapped coordinates, to ``records``."""
    year = int(name.rsplit("_", 1)[1][:4])
    changes = {
        "CP990001": ("impossible_date", {"Date de fin": f"31/09/{year % 100:02d}"}),
        "CP990002": ("impossible_date", {"Date de début": f"{year}-09-31"}),
        "CP990003": ("end_before_start", {"Date de début": f"{year}-10-15", "Date de fin": f"{year}-10-01"}),
        "CP990004": ("swapped_coordinates", _swapped(records[0])),
    }
    model = records[0]
    for identifier, (_, change) in changes.items():
        records.append({**model, "Identifiant": identifier, "Identifiant CTV": "", **change})
    return [
        Defect(kind, "paris_chantiers_perturbants", name, {"identifiant": identifier}, 1, "rejected", str(change))
        for identifier, (kind, change) in changes.items()
    ]


def bad_occupations(records: list[Record], name: str) -> list[Defect]:
    """Add plots with an impossible date and with an end before the start to ``records``."""
    year = int(name.rsplit("_", 1)[1][:4])
    start, end = "Date début du chantier", "Date fin du chantier"
    changes = {
        "EC1990001": ("impossible_date", {end: f"{year}-02-30"}),
        "EC1990002": ("end_before_start", {start: f"{year}-11-03", end: f"{year}-03-11"}),
    }
    model = {**records[-1], "Identifiant demande CITE": "9899999", "Identifiant Chantier CITE": "9399999"}
    records.extend({**model, "Référence Chantier": key, **change} for key, (_, change) in changes.items())
    return [
        Defect(kind, "paris_chantiers", name, {"num_emprise": identifier}, 1, "rejected", str(change))
        for identifier, (kind, change) in changes.items()
    ]


def bad_arcs(records: list[Record], name: str) -> list[Defect]:
    """Add an arc that nothing counts and whose coordinates are swapped to the referential ``records``."""
    identifier = "19001"
    records.append({**records[0], "IU_AC": identifier, **_swapped(records[0])})
    where = {"iu_ac": identifier}
    note = "latitude and longitude exchanged in both geometry cells"
    return [Defect("swapped_coordinates", "paris_referentiel_comptages", name, where, 1, "rejected", note)]


def _swapped(record: Record) -> Record:
    """Return the two geometry cells of a record with latitude and longitude exchanged."""
    shape = json.loads(record["geo_shape"])
    pairs = shape["coordinates"] if shape["type"] == "LineString" else shape["coordinates"][0]
    for pair in pairs:
        pair.reverse()
    lat, lon = (text.strip() for text in record["geo_point_2d"].split(","))
    separator = ", " if ", " in record["geo_point_2d"] else ","
    return {"geo_shape": json_text(shape), "geo_point_2d": f"{lon}{separator}{lat}"}


def cut_closures(records: list[Record], name: str) -> tuple[bytes, Defect]:
    """Return the file of closures with one more record, cut within its quoted geometry."""
    records.append({**records[-1], "Identifiant interne": "99999"})
    whole = writing.csv_bytes(records)
    where = {"record": len(records), "identifiant": "99999"}
    note = "the file ends within a quoted cell of its last record; the records before it are whole"
    return whole[:-CUT_BYTES], Defect("truncated_file", "paris_fermetures_voirie", name, where, 1, "malformed", note)


def misencoded_closures(records: list[Record], name: str) -> tuple[bytes, Defect]:
    """Return the file of closures in Windows-1252, without a mark."""
    note = "Windows-1252 where UTF-8 is usual: accents must survive"
    defect = Defect("wrong_encoding", "paris_fermetures_voirie", name, {}, len(records), "accepted", note)
    return writing.csv_bytes(records, encoding="cp1252"), defect
