"""A small warehouse whose mart has a column of each kind, and what a release of it needs, for the export tests."""

from __future__ import annotations

import datetime
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from expectations.certificate import issue, save
from expectations.fingerprint import fingerprint
from expectations.results import Result, Validation
from expectations.suite import Suite, read_suite
from exports.candidate import Candidate, build_candidate
from exports.card import ExportCard, read_export_card
from exports.lineage import Lineage, Origin
from exports.log import ReleaseLog
from exports.metadata import Context, Mart, MartColumn, Publisher, SourceNote
from exports.plan import Gate
from exports.release import Release, publish
from exports.schemas import SchemaStore
from exports.terms import Terms
from raw_sources import boundaries
from raw_sources.agreements import AUDIENCES, Agreement, Grain
from raw_sources.database import DuckDBSettings, connect

SOURCE = "ville_mesures"
SETTINGS = DuckDBSettings(memory_limit="500MB")

CARD = """
slug: mesures-de-rue
mart: street.measures
version: {version}
audiences: [public]
title_fr: Mesures de rue
title_en: Street measures
description_fr: >-
  Des mesures relevées dans la rue, heure par heure, avec leur lieu, leur unité et leur emprise, pour éprouver
  la publication.
description_en: >-
  Measures taken in the street, hour by hour, with their place, unit and footprint, so that publishing can be
  put to the test.
keywords: [rue, mesure]
themes: [TRAN]
licence: ODbL-1.0
frequency: DAILY
columns: [{columns}]
order_by: [site_id, hour_start_at]
{extra}
formats: [parquet, csv, excel-fr]
"""

SUITE = """
mart: street.measures
title_fr: Mesures de rue
title_en: Street measures
expectations:
  - name: sites_are_known
    kind: not_null
    columns: [site_id]
    why_fr: Une mesure sans site ne sert à rien.
    why_en: A measure without a site is of no use.
"""

COLUMNS = (
    ("site_id", "VARCHAR", None),
    ("hour_start_at", "TIMESTAMP", None),
    ("hour_start_local", "VARCHAR", None),
    ("flow_veh_h", "DOUBLE", "veh/h"),
    ("measured_share", "DECIMAL(5,4)", "1"),
    ("vehicles", "INTEGER", "veh"),
    ("is_open", "BOOLEAN", None),
    ("seen_on", "DATE", None),
    ("street", "VARCHAR", None),
    ("geometry", "VARCHAR", None),
    ("period_month", "VARCHAR", None),
    ("secret_note", "VARCHAR", None),
)
PUBLISHED = tuple(name for name, _, _ in COLUMNS if name != "secret_note")
PLAIN = tuple(name for name in PUBLISHED if name != "geometry")

ROWS = [
    (
        "a",
        "2024-03-31 00:00:00",
        "2024-03-31T01:00:00+01:00",
        1234.5,
        "1.0000",
        3,
        True,
        "2024-03-31",
        "Rue d'Été; n° 1",
    ),
    ("a", "2024-03-31 01:00:00", "2024-03-31T03:00:00+02:00", 1e-7, "0.5000", -4, False, "2024-03-31", '=cmd|"x"'),
    ("b", "2024-04-01 00:00:00", "2024-04-01T02:00:00+02:00", 1e22, None, None, None, None, "deux\r\nlignes"),
    ("b", "2024-04-01 00:30:00.25", "2024-04-01T02:30:00+02:00", None, "0.0000", 0, True, "2024-04-01", "'tis"),
    ("01004", "2024-05-01 00:00:00", "2024-05-01T02:00:00+02:00", -0.1, "0.3333", 7, False, "2024-05-01", None),
]
POINT = '{"type":"Point","coordinates":[2.348912345678901,48.85]}'
POLYGON = '{"type":"Polygon","coordinates":[[[2.1,48.0],[2.2,48.0],[2.2,48.123456789012345],[2.1,48.0]]]}'


@dataclass
class World:
    """A DATA folder with a warehouse, and the releases made of it."""

    data: Path
    card: ExportCard
    mart: Mart
    context: Context
    suite: Suite
    terms: Terms

    @property
    def database(self) -> Path:
        return self.data / "warehouse" / "warehouse.duckdb"

    @property
    def public(self) -> Path:
        """The tree of the audience that the terms are for."""
        return self.data / self.terms.audience

    @property
    def log(self) -> ReleaseLog:
        return ReleaseLog(self.data / "releases")

    @property
    def gate(self) -> Gate:
        return Gate(self.data / "validation", self.suite)

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        with connect(self.database, SETTINGS) as connection:
            return connection.execute(statement).fetchall()

    def validate(self, status: str = "passed") -> None:
        """Certify the present content of the mart, with the outcome ``status``."""
        with connect(self.database, SETTINGS) as connection:
            names = [column.name for column in self.mart.columns]
            content = fingerprint(connection, self.mart.relation, names, self.mart.period_column)
        results = tuple(
            Result(one.name, one.kind, status, "observed", 0, one.why_fr, one.why_en)  # type: ignore[arg-type]
            for one in self.suite.expectations
        )
        validation = Validation(self.suite.mart, self.suite.digest, len(self.suite.expectations), results)
        save(self.gate.root, issue(self.suite, content, validation))

    def candidate(self) -> Candidate:
        return build_candidate(
            self.card,
            self.mart,
            self.context,
            self.terms,
            self.database,
            SETTINGS,
            self.gate,
            self.data / "staging",
            self.public,
            self.log,
            self.data / "secrets",
        )

    def release(self) -> Release:
        """Validate, build and publish."""
        self.validate()
        return publish(self.candidate(), self.public, self.log)

    def folder(self, release: Release) -> Path:
        return self.public.resolve() / release.folder

    def as_of(self, day: str) -> None:
        self.context = replace(self.context, as_of=datetime.date.fromisoformat(day))


def make_world(
    data: Path,
    *,
    columns: Sequence[str] = PUBLISHED,
    version: str = "1.0.0",
    monthly_above: int | None = None,
    synthetic: bool = False,
) -> World:
    """Write a warehouse and its card and suite below ``data``; geometry is published when it is among ``columns``."""
    data.mkdir(parents=True, exist_ok=True)
    suite_path = data / "measures.yml"
    suite_path.write_text(SUITE, encoding="utf-8")
    mart = Mart("street", "measures", "street.measures", tuple(_column(*one) for one in COLUMNS), "period_month")
    card = write_card(data / "card.yml", columns, version, monthly_above)
    world = World(data, card, mart, make_context(synthetic), read_suite(suite_path), make_terms())
    world.database.parent.mkdir()
    with connect(world.database, SETTINGS) as connection:
        fill(connection)
    return world


def write_card(
    path: Path, columns: Sequence[str], version: str = "1.0.0", monthly_above: int | None = None
) -> ExportCard:
    """Write and read an export card of the mart."""
    extra = "geometry: geometry\n" if "geometry" in columns else ""
    if monthly_above is not None:
        extra += f"partition: {{by: month, above_rows: {monthly_above}}}\n"
    path.write_text(CARD.format(version=version, columns=", ".join(columns), extra=extra), encoding="utf-8")
    return read_export_card(path)


def make_context(synthetic: bool = False) -> Context:
    """Return the context of an invented town."""
    note = SourceNote(SOURCE, "Mesures", "Ville", "ODbL-1.0", "Ville de Test", "https://example.org/mesures")
    return Context(
        territory="testville",
        title_fr="Testville",
        title_en="Testville",
        publisher=Publisher("Ville de Testville", "213800000", "opendata@example.org"),
        base_url="https://example.org/data",
        as_of=datetime.date(2024, 5, 1),
        synthetic=synthetic,
        sources=(note,),
        bbox=(2.0, 48.0, 3.0, 49.0),
        time_zone="Europe/Paris",
    )


def make_terms(audience: str = "public", leaves: str = "everything", teller: str | None = None) -> Terms:
    """Return terms under which every column comes from the one source, of which ``leaves`` leaves for anybody."""
    origin = {name: frozenset({Origin(SOURCE, name, "value", teller, (f"raw.{name}", name))}) for name, _, _ in COLUMNS}
    agreement = Agreement(dict.fromkeys(AUDIENCES, leaves), Grain(), (), None, "Open data.", None, "the card")
    return Terms(
        audience=audience,
        today=datetime.date(2024, 5, 2),
        lineage=Lineage("street.measures", origin),
        agreements={SOURCE: agreement},
        licences={SOURCE: "ODbL-1.0"},
        personal={},
    )


def fill(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the mart with its few rows."""
    declared = ", ".join(f"{name} {kind}" for name, kind, _ in COLUMNS)
    connection.execute(f"CREATE SCHEMA street; CREATE TABLE street.measures ({declared})")
    marks = ", ".join("?" for _ in COLUMNS)
    shapes = (POINT, POLYGON, None, POINT, POLYGON)
    for row, shape in zip(ROWS, shapes, strict=True):
        connection.execute(f"INSERT INTO street.measures VALUES ({marks})", [*row, shape, row[1][:7], "confidential"])


def publish_until(name: str, world: World) -> None:
    """Publish, and kill this process when it reaches the boundary ``name``."""
    boundaries.on_boundary = lambda reached: os.kill(os.getpid(), signal.SIGKILL) if reached == name else None
    publish(world.candidate(), world.public, world.log)


def offline_schemas(folder: Path | None) -> SchemaStore:
    """Return a store that never asks the network."""
    return SchemaStore(folder, None, online=False)


def _column(name: str, kind: str, unit: str | None) -> MartColumn:
    return MartColumn(name, kind, unit, f"Titre de {name}", f"Title of {name}", f"Sens de {name}", f"Meaning of {name}")
