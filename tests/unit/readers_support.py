"""Cards and helpers of the readers' tests: a small works-like dataset in every form, and reading a file to the end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from raw_sources.card import Card, Column, Layout
from raw_sources.database import DuckDBSettings
from raw_sources.readers import Match, ReadCount, inspect, read

SETTINGS = DuckDBSettings(memory_limit="500MB", threads=1)


def column(name: str, *headers: str, **options: Any) -> Column:
    defaults: dict[str, Any] = {
        "logical_type": "string",
        "required": False,
        "key_position": None,
        "unit": None,
        "personal_data": "none",
        "never_load": False,
        "multiline": False,
    }
    titles = {"title_fr": name, "title_en": name, "description_fr": name, "description_en": name}
    return Column(name=name, headers=headers or (name,), **(defaults | titles | options))


def layout(name: str, form: str = "delimited", **options: Any) -> Layout:
    defaults: dict[str, Any] = {"header": True, "columns": (), "delimiter": None, "encoding": None, "partial": False}
    return Layout(name=name, form=form, **(defaults | options))


COLUMNS = (
    column("site", "site", "Référence chantier", required=True),
    column("street", "rue", "Voie(s)", required=True),
    column("note", "note", "Détail de l'impact", multiline=True),
    column("start_on", "debut", "Date de début"),
    column("geometry", "geometry", "geo_shape"),
)
LAYOUTS = (
    layout("table"),
    layout("page", "json_records", partial=True),
    layout("export", "json_records"),
    layout("map", "geojson"),
)


def card(columns: Sequence[Column] = COLUMNS, layouts: Sequence[Layout] = LAYOUTS, **options: Any) -> Card:
    texts = (
        "version",
        "title_fr",
        "title_en",
        "description_fr",
        "description_en",
        "licence",
        "attribution",
        "homepage",
    )
    values: dict[str, Any] = dict.fromkeys((*texts, "owner", "steward", "contact"), "x")
    values |= {
        "source": "town_works",
        "producer": "town",
        "dataset": "works",
        "theme": "mobility",
        "path": Path("town_works.yml"),
        "layouts": tuple(layouts),
        "columns": tuple(columns),
        "follows": "snapshot",
        "order": "receipt",
        "time_zone": "Europe/Paris",
        "crs": "EPSG:4326",
        "observed_column": "start_on",
        "rhythm": "P1D",
        "late_after": "P2D",
        "max_bytes": 1 << 30,
        "digest": "d",
    }
    return Card(**(values | options))


@dataclass(frozen=True)
class Read:
    match: Match
    count: ReadCount
    rows: list[dict[str, Any]]
    malformed: list[dict[str, Any]]

    def values(self, name: str) -> list[Any]:
        return [row[name] for row in self.rows]

    def reasons(self) -> list[str]:
        return [record["reason"] for record in self.malformed]


def read_file(path: Path, of: Card, folder: Path) -> Read:
    """Inspect and read a file, and check that every record is accounted for once."""
    raw, malformed = folder / "out.parquet", folder / "out.malformed.parquet"
    match = inspect(path, of)
    count = read(path, match, of, "000001-abc", raw, malformed, SETTINGS)
    rows, bad = pq.read_table(raw).to_pylist(), pq.read_table(malformed).to_pylist()
    assert (len(rows), len(bad)) == (count.raw_rows, count.malformed)
    numbers = sorted(row["_record_no"] for row in rows + bad)
    assert numbers == list(range(1, count.records_read + 1))
    assert list(rows[0] if rows else pq.read_schema(raw).names) == [
        *(column.name for column in of.loaded_columns),
        "_extra",
        "_delivery_id",
        "_record_no",
    ]
    return Read(match, count, rows, bad)


def read_bytes(content: bytes | str, folder: Path, of: Card | None = None, name: str = "file.csv") -> Read:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_file(path, of or card(), folder)


def as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
