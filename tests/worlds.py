"""Small territories for tests that run the whole way: three counters, a few days, hand-written extracts.

The files have the forms and the names of the synthetic territory's, whose declarations are copied, so that a test may
add models of its own. What a test does with a territory belongs in the test.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import yaml

from orchestration.project import SAMPLE_TERRITORY, load_project
from orchestration.run import Run
from orchestration.workspace import Workspace
from raw_sources.errors import HalleError
from raw_sources.territory import FILE_NAME

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 1, 10, 6, tzinfo=UTC)
COUNTERS = ("9001", "9002", "9003")
COUNTS = (
    "Identifiant arc;Libelle;Date et heure de comptage;Débit horaire;Taux d'occupation;Etat trafic;"
    "geo_point_2d;geo_shape"
)
ARCS = "IU_AC;DATE_DEBUT;DATE_FIN;LIBELLE;geo_point_2d;geo_shape"
SITES = (
    "Identifiant;Identifiant CTV;Objet;Voie(s);Date de début;Date de fin;Impact sur la circulation;"
    "Niveau de perturbation;geo_shape;geo_point_2d"
)
OCCUPATIONS = (
    "Référence Chantier;Date début du chantier;Date fin du chantier;Responsable du chantier;Surface (m2);"
    "Encombrement espace public;Identifiant demande CITE;geo_shape;geo_point_2d"
)
THEMES = ("mobility", "territory")
HTML = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>\n"


@dataclass
class World:
    """A territory's folder, the folder of its extracts, and its DATA."""

    root: Path
    now: datetime = NOW
    data: Path = field(init=False)
    extracts: Path = field(init=False)
    territory: Path = field(init=False)

    def __post_init__(self) -> None:
        self.data, self.extracts, self.territory = self.root / "data", self.root / "extracts", self.root / "territory"

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.data)

    def run(self) -> Run:
        """Return a run of the whole way, not started."""
        return Run(load_project(self.territory), self.workspace, extracts=self.extracts, now=self.now)

    def deliver(self, files: Mapping[str, bytes]) -> None:
        """Put files among the extracts, over those of the same name."""
        self.extracts.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (self.extracts / name).write_bytes(content)


def make_world(root: Path) -> World:
    """Return a new world: the synthetic territory's declarations in a folder of its own, and nothing received.

    It enables the sources of traffic, works and geography: those of which the extracts below are.
    """
    world = World(root)
    shutil.copytree(SAMPLE_TERRITORY, world.territory)
    file = world.territory / FILE_NAME
    declared = yaml.safe_load(file.read_text(encoding="utf-8"))
    cards = load_project(SAMPLE_TERRITORY).enabled
    declared["feeds"] = {name: feed for name, feed in declared["feeds"].items() if cards[name].theme in THEMES}
    file.write_text(yaml.safe_dump(declared, allow_unicode=True, sort_keys=False), encoding="utf-8")
    world.extracts.mkdir()
    return world


def without_dagster(run: Run, themes: Iterable[str]) -> None:
    """Take the steps of a run in the order of the job of the whole way; it stands in for ``running._execute``.

    The steps and their commits are the same; Dagster's own records, which cost more than a small territory's data,
    are left out.
    """
    from orchestration import modelling

    # The whole way builds every theme that has a mart: a calendar needs no source.
    for theme in sorted({*themes, *(node.mart.theme for node in run.marts().values())}):
        failed = modelling.failures(run.build(theme))
        if failed:
            run.note(modelling.failure_sentence(failed))
            return
    for mart in run.marts():
        certificate = run.validate(mart)
        if certificate.status != "passed":
            run.note(f"{mart}: {certificate.status} {certificate.names(certificate.status)}")
    for slug in run.project.export_cards:
        try:
            run.release(slug)
        except HalleError as problem:
            run.note(problem)


# --- extracts ---------------------------------------------------------------------------------------------------


def days(first: date, number: int) -> list[date]:
    """Return consecutive days."""
    return [first + timedelta(days=one) for one in range(number)]


def counts(on: Iterable[date], shift: int = 0, counters: Sequence[str] = COUNTERS) -> bytes:
    """Return a label export of hourly counts; ``shift`` is added to every flow, as a correction does."""
    rows = [
        f"{counter};Rue_{counter};{_hour_end(day, hour)};"
        f"{100 + 7 * hour + int(counter) % 10 + shift}.0;{hour}.25;Fluide;"
        f'{_lat(counter)}, -3.5;"{_line(counter)}"'
        for counter in counters
        for day in on
        for hour in range(24)
    ]
    return _table(COUNTS, rows)


def arcs(counters: Sequence[str] = COUNTERS) -> bytes:
    """Return a referential of the counters' arcs."""
    return _table(
        ARCS, [f'{one};2005-01-01;2030-01-01;Rue_{one};"{_lat(one)}, -3.5";"{_line(one)}"' for one in counters]
    )


def sites(announced: Mapping[str, tuple[date, date]]) -> bytes:
    """Return disruptive works by identifier, each on the first counter's street."""
    rows = [
        f"{site};97{site[-3:]};REFECTION_CHAUSSEE;Rue de {site};{start};{end};RESTREINTE;2;"
        f'"{_square(index)}";{45.49 + index / 10000}, -3.5'
        for index, (site, (start, end)) in enumerate(sorted(announced.items()))
    ]
    return _table(SITES, rows)


def occupations(announced: Mapping[str, tuple[date, date]]) -> bytes:
    """Return occupations of public space, one per CITE request."""
    rows = [
        f"EC{site[-3:]};{start};{end};Opérateurs de réseau (eau);12.5;EMPRISE_CHAUSSEE;97{site[-3:]};"
        f'"{_square(index)}";{45.49 + index / 10000}, -3.5'
        for index, (site, (start, end)) in enumerate(sorted(announced.items()))
    ]
    return _table(OCCUPATIONS, rows)


def occupations_page(announced: Mapping[str, tuple[date, date]]) -> bytes:
    """Return a page of the same as the API gives it: what it lacks has not ended."""
    return json.dumps(
        [
            {
                "num_emprise": f"EC{site[-3:]}",
                "date_debut": str(start),
                "date_fin": str(end),
                "chantier_categorie": "Opérateurs de réseau (eau)",
                "surface": 12.5,
                "localisation_detail": ["EMPRISE_CHAUSSEE"],
                "demande_cite_id": f"97{site[-3:]}",
                "geo_shape": None,
                "geo_point_2d": {"lon": -3.5, "lat": 45.49},
            }
            for site, (start, end) in sorted(announced.items())
        ]
    ).encode()


def _table(header: str, rows: Iterable[str]) -> bytes:
    return ("\ufeff" + "\n".join([header, *rows]) + "\n").encode()


def _hour_end(day: date, hour: int) -> str:
    start = datetime.combine(day, time(hour), PARIS).astimezone(UTC)
    return (start + timedelta(hours=1)).astimezone(PARIS).isoformat()


def _lat(counter: str) -> float:
    return round(45.49 + int(counter) % 10 / 1000, 4)


def _line(counter: str) -> str:
    points = [[-3.501, _lat(counter)], [-3.499, _lat(counter)]]
    return json.dumps({"type": "LineString", "coordinates": points}).replace('"', '""')


def _square(index: int) -> str:
    west, south = -3.5, 45.49 + index / 10000
    ring = [[west, south], [west + 0.0002, south], [west + 0.0002, south + 0.0002], [west, south]]
    return json.dumps({"type": "Polygon", "coordinates": [ring]}).replace('"', '""')


# --- what stands ------------------------------------------------------------------------------------------------


def tree(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below ``folder`` by its path; nothing for a folder that is not there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.exists() else []
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def tables(database: Path, schemas: Sequence[str], leaving_out: Sequence[str] = ()) -> dict[str, list[str]]:
    """Return the rows of every table of the schemas, as sorted text: content, whatever its order."""
    with duckdb.connect(str(database), read_only=True) as connection:
        names = connection.execute(
            "select table_schema || '.' || table_name from information_schema.tables "
            "where list_contains(?, table_schema) order by 1",
            [list(schemas)],
        ).fetchall()
        return {
            name: sorted(map(repr, connection.execute(f"select * from {name}").fetchall()))
            for (name,) in names
            if name not in leaving_out
        }
