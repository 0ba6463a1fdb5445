"""Writes the extracts of the invented town: which files, in which order, and the lists that go with them.

The only entry is :func:`generate`. The folder appears whole or not at all: files are written aside and renamed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from raw_sources import files
from raw_sources.errors import ConfigurationError
from raw_sources.sample import (
    BUNDLED_SEED,
    GENERATOR_VERSION,
    MANIFEST_NAME,
    climate,
    energy,
    loads,
    partner_payments,
    payments,
    place,
    town,
    waze,
    works,
    writing,
)
from raw_sources.sample import defects as seeding
from raw_sources.sample.scale import plan_for

CHUNK_ROWS = 250_000
"""Rows simulated and written at a time, which bounds memory (about 200 MB) whatever the period."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class WrittenFile:
    """One extract: its name, its data records (0 when unreadable on purpose) and its size in bytes."""

    name: str
    records: int
    bytes: int


@dataclass(frozen=True)
class Manifest:
    """What was written; ``traffic_rows`` counts the records of the counts, all files together."""

    version: str
    seed: int
    bundled: bool
    defects: bool
    arcs: int
    first_day: str
    last_day: str
    traffic_rows: int
    files: tuple[WrittenFile, ...]


def generate(
    out: Path,
    *,
    scale: float = 1.0,
    seed: int = BUNDLED_SEED,
    defects: bool = False,
    bundled: bool = False,
    arcs: int | None = None,
    days: int | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Write the synthetic extracts into the folder ``out``; same arguments, same bytes.

    ``scale``, ``arcs`` and ``days``: see ``scale.plan_for``. ``defects`` seeds every known defect, listed in
    ``defects.json``; ``bundled`` seeds only those of records, none that refuses a delivery. ``effects.json`` gives by
    how much works change the flow of which counters, ``truths.json`` what is known of energy and payments, which have
    one size at every scale. ``progress`` receives one line per file of counts. Raises ``ConfigurationError`` when
    ``out`` holds anything else than earlier extracts, or when a size is out of range.
    """
    plan = plan_for(scale, arcs, days)
    out = out.resolve()
    _check_folder(out)
    aside = out.with_name(f".{out.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    built = town.build(plan, seed)
    job = _Job(
        built, seeding.Extracts(aside, {}), bundled or defects, defects and not bundled, progress or (lambda _: None)
    )
    traffic_rows = job.write_counts()
    job.write_works()
    place.write(job.extracts, plan)
    job.write_energy_and_payments(aside / "truths.json")
    files.write_json(aside / "effects.json", works.effects_document(built.works, built.network))
    files.write_json(aside / "defects.json", seeding.document(job.found))
    manifest = _manifest(job, bundled, traffic_rows)
    files.write_json(aside / MANIFEST_NAME, asdict(manifest))
    if out.exists():
        shutil.rmtree(out)
    aside.rename(out)
    return manifest


def _manifest(job: _Job, bundled: bool, traffic_rows: int) -> Manifest:
    """Return what was written by ``job``."""
    plan = job.place.plan
    return Manifest(
        version=GENERATOR_VERSION,
        seed=job.place.seed,
        bundled=bundled,
        defects=job.seeded,
        arcs=plan.arcs,
        first_day=plan.first_day.isoformat(),
        last_day=plan.last_day.isoformat(),
        traffic_rows=traffic_rows,
        files=_written_files(job.extracts),
    )


def _written_files(extracts: seeding.Extracts) -> tuple[WrittenFile, ...]:
    """Return the extracts that stand in their folder, by name."""
    found = sorted(extracts.records.items())
    return tuple(WrittenFile(name, records, (extracts.folder / name).stat().st_size) for name, records in found)


def _check_folder(out: Path) -> None:
    """Refuse to replace a folder that is not ours."""
    if out.exists() and not out.is_dir():
        raise ConfigurationError("this is a file, not a folder", where=str(out), hint="Name a new folder.")
    if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST_NAME).is_file():
        hint = "Name a new or empty folder, so that nothing of yours is replaced."
        raise ConfigurationError("this folder holds files that are not synthetic extracts", where=str(out), hint=hint)


@dataclass
class _Job:
    """One generation under way: the town, the files so far, the defects so far."""

    place: town.Town
    extracts: seeding.Extracts
    seeded: bool
    full: bool
    progress: Progress

    def __post_init__(self) -> None:
        """Start with no defect, and with the cells that seeded defects leave out."""
        self.found: list[seeding.Defect] = []
        self.dropped = seeding.dropped_cells(self.place, full=self.full) if self.seeded else {}

    def write_counts(self) -> int:
        """Write archives, label exports, the API page and the defects of the counts; return the number of records."""
        plan = self.place.plan
        for name, days in _by_file(town.days_between(plan.first_day, plan.last_day), self.name_of):
            self._write_days(name, days)
        page = f"comptages-routiers-permanents_api_{plan.last_snapshot:%Y%m%d}.json"
        last = self.place.day(plan.last_day)
        written = writing.write_api_page(self.extracts.folder / page, self.place.network, last, self.place.api_cells())
        self.extracts.records[page] = written
        self.found += seeding.natural(self.place, self.name_of)
        if self.seeded:
            self.found += seeding.seed_counts(self.place, self.extracts, self.name_of, full=self.full)
        return sum(self.extracts.records.values())

    def name_of(self, day: date) -> str:
        """Return the file that holds the hours of a day: a week of the archive, or a month of label exports."""
        plan = self.place.plan
        if day >= plan.first_label_day:
            return f"comptages-routiers-permanents_{day:%Y%m}.csv"
        monday = day - timedelta(days=day.weekday())
        first = max(monday, plan.first_day)
        last = min(monday + timedelta(days=6), plan.first_label_day - timedelta(days=1))
        year, week, _ = day.isocalendar()
        return f"trafic_capteurs_{year}_W{week:02d}_{first:%Y%m%d}_{last:%Y%m%d}.txt"

    def _write_days(self, name: str, days: Sequence[date]) -> None:
        """Write one file of counts, a chunk of days at a time."""
        archive = name.endswith(".txt")
        header = writing.ARCHIVE_HEADER.encode() if archive else writing.BOM + writing.LABEL_HEADER.encode()
        frame_of = writing.archive_frame if archive else writing.label_frame
        step = max(1, CHUNK_ROWS // (24 * self.place.plan.arcs))
        with (self.extracts.folder / name).open("wb") as stream:
            stream.write(header)
            rows = 0
            for start in range(0, len(days), step):
                chunk = [self.place.day(day) for day in days[start : start + step]]
                keeps = [self._kept(day) for day in days[start : start + step]]
                rows += writing.write_rows(frame_of(self.place.network, self.place.texts, chunk, keeps), stream)
        self.extracts.records[name] = rows
        self.progress(f"{name}: {rows:,} records")

    def _kept(self, day: date) -> writing.Cells:
        """Return which cells of a day its regular file holds."""
        kept = np.ones((self.place.plan.arcs, 24), dtype=np.bool_)
        if day == self.place.plan.last_day:
            kept &= ~self.place.api_cells()
        return kept & ~self.dropped[day] if day in self.dropped else kept

    def write_works(self) -> None:
        """Write the referential, and two snapshots of each file of works."""
        plan = self.place.plan
        arcs = writing.referential_records(self.place.network)
        name = f"referentiel-comptages-routiers_{plan.first_day:%Y}0101.csv"
        if self.seeded:
            self.found += seeding.bad_arcs(arcs, name)
        self.extracts.add(name, writing.csv_bytes(arcs, newline="\r\n", encoding="ascii"), len(arcs))
        for day in (plan.first_snapshot, plan.last_snapshot):
            self._write_sites(day)
            self._write_occupations(day)
            self._write_closures(day)

    def write_energy_and_payments(self, truths: Path) -> None:
        """Write the files of energy, temperatures and payments, and what is true of them by construction."""
        weather = climate.build(self.place.seed)
        for part in (climate, energy, loads):
            self.found += part.write(self.extracts, weather, seeded=self.seeded)
        self.found += payments.write(self.extracts, seeded=self.seeded)
        self.found += partner_payments.write(self.extracts, seeded=self.seeded)
        self.found += waze.write(self.extracts, self.place, seeded=self.seeded)
        document = {
            "synthetic": True,
            "climate": climate.truths(weather),
            "energy": energy.truths(weather),
            "loads": loads.truths(weather),
            "payments": payments.truths(),
            "partner_payments": partner_payments.truths(),
            "congestion": waze.truths(self.place),
        }
        files.write_json(truths, document)

    def _write_sites(self, day: date) -> None:
        """Write the disruptive sites announced on a day."""
        records = works.snapshot_sites(self.place.works, self.place.network, day, self.place.plan)
        name = f"chantiers-perturbants_{day:%Y%m%d}.csv"
        if self.seeded and day == self.place.plan.last_snapshot:
            self.found += seeding.bad_sites(records, name)
        self.extracts.add(name, writing.csv_bytes(records), len(records))

    def _write_occupations(self, day: date) -> None:
        """Write the plots announced on a day; the newest five come a day after the last, as an API page only."""
        records = works.snapshot_occupations(self.place.works, self.place.network, day, self.place.plan)
        name = f"chantiers-emprises_{day:%Y%m%d}.csv"
        if day == self.place.plan.last_snapshot:
            page = f"chantiers-emprises_api_{day + timedelta(days=1):%Y%m%d}.json"
            newest, records = records[-5:], records[:-5]
            writing.write_json_line(self.extracts.folder / page, writing.occupations_page(newest))
            self.extracts.records[page] = len(newest)
            if self.seeded:
                self.found += seeding.bad_occupations(records, name)
        self.extracts.add(name, writing.csv_bytes(records), len(records))

    def _write_closures(self, day: date) -> None:
        """Write the closures known on a day."""
        records = works.snapshot_closures(self.place.works, self.place.network, day)
        name = f"fermetures-voirie_{day:%Y%m%d}.csv"
        content = writing.csv_bytes(records)
        if self.seeded and day == self.place.plan.last_snapshot:
            content, defect = seeding.cut_closures(records, name)
            self.found.append(defect)
        elif self.full:
            content, defect = seeding.misencoded_closures(records, name)
            self.found.append(defect)
        self.extracts.add(name, content, len(records))


def _by_file(days: Sequence[date], name_of: Callable[[date], str]) -> Iterator[tuple[str, list[date]]]:
    """Group consecutive days by the file that holds them."""
    name, group = name_of(days[0]), [days[0]]
    for day in days[1:]:
        if name_of(day) != name:
            yield name, group
            name, group = name_of(day), []
        group.append(day)
    yield name, group
