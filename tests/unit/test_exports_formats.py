"""Files: the same rows in every form, the same bytes every time, and what French and cautious readers expect."""

from __future__ import annotations

import csv
import json
import random
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow
import pytest

from exports.formats.columns import PublishedColumn, geometry_functions, publish_column
from exports.formats.csv import CSV
from exports.formats.delimited import Dialect, header_line, read_delimited, write_delimited
from exports.formats.excel_fr import EXCEL_FR
from exports.formats.parquet import keep_wkb, write_parquet
from exports.metadata import MartColumn
from raw_sources.database import DuckDBSettings, connect
from raw_sources.errors import ConfigurationError
from tests.exports_world import ROWS, make_world

AWKWARD = ["a", "é", " ", '"', ",", ";", "\r", "\n", "\r\n", "\t", "'", "=", "+", "-", "@", "\\", "0", "\u2028"]


def column(name: str, kind: str, title: str | None = None) -> PublishedColumn:
    about = MartColumn(name, kind, None, title or f"Titre {name}", name, name, name)
    return publish_column(about, geometry=False, required=False, where="card.yml")


@pytest.mark.parametrize("dialect", [CSV, EXCEL_FR], ids=lambda dialect: dialect.name)
def test_awkward_cells_come_back_as_they_were(tmp_path: Path, dialect: Dialect) -> None:
    generator = random.Random(7)  # noqa: S311 (repeatable test data)
    texts = ["".join(generator.choices(AWKWARD, k=generator.randint(1, 6))) for _ in range(20_000)]
    numbers = [generator.choice([None, 1e-300, -0.1, 1e22, 3.0, generator.uniform(-1e6, 1e6)]) for _ in texts]
    columns = [column("n", "BIGINT"), column("label", "VARCHAR", 'Libellé ; "dit"'), column("value", "DOUBLE")]
    parquet, out = tmp_path / "t.parquet", tmp_path / "t.csv"
    with connect(None, DuckDBSettings()) as connection:
        rows = list(zip(range(len(texts)), texts, numbers, strict=True))
        connection.register("given", pyarrow.table({"n": range(len(texts)), "label": texts, "value": numbers}))
        write_parquet(connection, "SELECT * FROM given", ["n"], parquet, {"licence": "ODbL-1.0"})
        write_delimited([parquet], columns, dialect, out)
        with read_delimited(connection, out, columns, dialect) as query:
            assert connection.execute(query).fetchall() == rows
    assert out.read_bytes().startswith(header_line(columns, dialect))


def test_a_cell_of_another_type_is_not_read(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    for kind, cell in [("BIGINT", "1.5x"), ("TIMESTAMP", "2024-01-01T00:00:00"), ("BOOLEAN", "peut-être")]:
        out.write_bytes(f"a,b\r\n{cell},1\r\n".encode())
        columns = [column("a", kind), column("b", "BIGINT")]
        with (
            connect(None, DuckDBSettings()) as connection,
            read_delimited(connection, out, columns, CSV) as query,
            pytest.raises(duckdb.Error),
        ):
            connection.execute(query).fetchall()


def test_the_csv_is_what_the_guides_ask_for(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data")
    raw = (world.folder(world.release()) / "mesures-de-rue.csv").read_bytes()
    text = raw.decode("utf-8")
    records = list(csv.reader(text.splitlines(keepends=True), strict=True))
    assert not raw.startswith(b"\xef\xbb\xbf")
    assert raw.endswith(b"\r\n")
    assert len(records) == len(ROWS) + 1
    by_header = [dict(zip(records[0], record, strict=True)) for record in records[1:]]
    assert by_header[0]["site_id"] == "01004"
    assert by_header[1]["hour_start_at"] == "2024-03-31T00:00:00Z"
    assert by_header[1]["flow_veh_h"] == "1234.5"
    assert by_header[4]["hour_start_at"].endswith(".250Z")
    assert json.loads(by_header[1]["geometry"])["type"] == "Point"


def test_the_excel_csv_is_french_and_runs_no_formula(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data")
    raw = (world.folder(world.release()) / "mesures-de-rue.excel-fr.csv").read_bytes()
    assert raw.startswith("\ufeffTitre de site_id;Titre de hour_start_at;".encode())
    text = raw.decode("utf-8-sig")
    assert ";1234,5;1,0000;3;VRAI;2024-03-31;" in text
    assert """"'=cmd|""x""\"""" in text
    assert ";''tis;" in text
    assert ";-0,1;" in text


def test_parquet_says_what_it_is_and_knows_instants(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data", synthetic=True)
    path = world.folder(world.release()) / "mesures-de-rue.parquet"
    with connect(None, DuckDBSettings()) as connection:
        keep_wkb(connection)
        pairs = connection.execute(f"SELECT key, value FROM parquet_kv_metadata('{path}')").fetchall()
        types = {row[0]: row[1] for row in connection.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()}
        codecs = connection.execute(f"SELECT DISTINCT compression FROM parquet_metadata('{path}')").fetchall()
        first = connection.execute(f"SELECT measured_share FROM '{path}' WHERE site_id = 'a' LIMIT 1").fetchall()
    inside = {key.decode(): value.decode() for key, value in pairs}
    assert inside["licence"] == "ODbL-1.0"
    assert inside["synthetic"] == "true"
    assert inside["title"] == "[SYNTHÉTIQUE] Mesures de rue"
    assert json.loads(inside["geo"])["columns"]["geometry"]["geometry_types"] == ["Point", "Polygon"]
    assert types["hour_start_at"] == "TIMESTAMP WITH TIME ZONE"
    assert codecs == [("ZSTD",)]
    assert first == [(Decimal("1.0000"),)]


def test_geometries_keep_every_digit(tmp_path: Path) -> None:
    import shapely

    world = make_world(tmp_path / "data")
    path = world.folder(world.release()) / "mesures-de-rue.parquet"
    with connect(None, DuckDBSettings()) as connection, geometry_functions(connection):
        keep_wkb(connection)
        found = connection.execute(f"SELECT geometry FROM '{path}' WHERE geometry IS NOT NULL").fetchall()
    coordinates = {point for row in found for point in shapely.get_coordinates(shapely.from_wkb(row[0])).ravel()}
    assert 2.348912345678901 in coordinates
    assert 48.123456789012345 in coordinates


def test_threads_do_not_change_the_bytes(tmp_path: Path) -> None:
    written = []
    for threads in (1, 2, 4):
        with connect(None, DuckDBSettings(threads=threads)) as connection:
            connection.execute("CREATE TABLE t AS SELECT hash(i) AS h, i, i % 7 AS m FROM range(400000) r(i)")
            out = tmp_path / f"{threads}.parquet"
            write_parquet(connection, "SELECT * FROM t", ["h", "i"], out, {"licence": "ODbL-1.0"})
            written.append(out.read_bytes())
    assert written[0] == written[1] == written[2]


@pytest.mark.parametrize("kind", ["TIMESTAMP WITH TIME ZONE", "VARCHAR[]", "STRUCT(a INTEGER)", "INTERVAL"])
def test_a_type_that_no_format_carries_is_refused(kind: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be published"):
        column("a", kind)
