"""`halle new-source`: what it drafts passes the linters, is parsed and tested by dbt, and loads with a balanced ledger.

One territory is drafted from an invented file of each form. What is recognised is in tests/unit/test_drafting.py.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration import modelling
from orchestration.dbt_runs import DbtProject, invoke
from raw_sources.database import connect
from raw_sources.documents import read_document
from tests.commands import halle
from tests.drafted_world import TERRITORY, THEME, Counted, DraftedWorld, draft_world, lint
from tests.integration.test_cli import HEAVIER, imported

SQUARE = {"type": "Polygon", "coordinates": [[[1.5, 45.5], [1.6, 45.5], [1.5, 45.6], [1.5, 45.5]]]}


def lines(*rows: str) -> bytes:
    return ("\n".join(rows) + "\n").encode()


def energy() -> bytes:
    """Return a Windows-1252 table with decimal commas, words for no value, and one count that is none."""
    head = "Année;Code INSEE;Secteur;Conso totale (MWh);Nb sites;Chauffé"
    cells = [
        f"2024;{n:05};{'RTA'[n % 3]};{f'{n},25' if n % 9 else 'secret'};{n if n != 150 else 'x'};{('N', 'O')[n % 2]}"
        for n in range(300)
    ]
    return ("\n".join([head, *cells]) + "\n").encode("cp1252")


def air() -> bytes:
    """Return a wide table with three header lines, the first of which is dropped, and an unnamed first column."""
    rows = [f"2025-01-{day:02} {hour:02}:00:00Z,{hour}.5,{day}" for day in range(1, 9) for hour in range(24)]
    return lines(",A1,B2", ",Rue du Port,Rue du Pré", ",µg/m3,µg/m3", *rows)


def meters() -> bytes:
    """Return legal times without offset over the spring change, of one meter: the hour that it leaves out is there."""
    rows = [f"m1|{day:02}/03/2025 {hour:02}:00|{hour}" for day in (29, 30, 31) for hour in range(24)]
    return lines("compteur_id|horodate|index_kwh", *rows)


def bins() -> bytes:
    """Return records without a header, one of them twice."""
    rows = [f"{7000 + n}\t2025-01-{1 + n % 28:02}\t{n}.5\tok" for n in range(60)]
    return lines(*rows, rows[7])


def works() -> bytes:
    """Return a GeoJSON export with nested members, times at midnight, and contacts."""
    features = [
        {
            "type": "Feature",
            "geometry": SQUARE if n else None,
            "properties": {
                "ref": f"W{n}",
                "debut": f"{1 + n:02}.02.2025 00:00",
                "phases": [{"n": n}],
                "contact": "Mme Zoe Martin, 06 98 76 54 32",
                "order": n,
            },
        }
        for n in range(20)
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def stations() -> bytes:
    """Return a page of an API: points as objects, instants with offsets, epochs."""
    records = [
        {
            "station_id": f"{n:04}",
            "geo_point": {"lon": 1.5 + n / 100, "lat": 45.5},
            "updated": f"2025-03-30T{n % 24:02}:00:00+01:00",
            "last_reported": 1743292800 + n,
            "is_open": n % 2 == 0,
            "name": "a 'quoted' \"name\" {{ x }}",
        }
        for n in range(30)
    ]
    return json.dumps({"total_count": 99, "results": records}).encode()


def flows() -> bytes:
    """Return XML with namespaces, attributes and what surrounds the records."""
    sites = "".join(
        f'<m:site id="s{n}" version="1"><m:at>2025-01-01T0{n}:00:00Z</m:at>'
        f'<m:value index="0"><m:flow>{n * 60}</m:flow></m:value>'
        f'<m:value index="1"><m:speed>{n}.5</m:speed></m:value></m:site>'
        for n in range(9)
    )
    return f'<m:feed xmlns:m="urn:m"><m:made>2025-01-01T09:00:00Z</m:made>{sites}</m:feed>'.encode()


def people() -> bytes:
    """Return records of persons, packed, without anything to know one by."""
    rows = [f"Zoe;Martin;zoe.martin{n % 3}@mairie.example;12 rue des Noisetiers;{n % 4}" for n in range(50)]
    return gzip.compress(lines("prenom;nom;courriel;adresse;nombre", *rows))


def counts() -> bytes:
    """Return a counting file whose headers are words of the libraries, one of them twice, and identifiers too long."""
    rows = [f"{10**18 + n};{n};{n % 7};0{1 + n % 9}/01/2025;{n};{n}" for n in range(90)]
    return lines("index;Count;len;literal;value;Value", *rows)


# file: what makes it, and the counts that its delivery has in the ledger
FILES: dict[str, tuple[Callable[[], bytes], Counted]] = {
    "town_energy_2024.csv": (energy, Counted(300, 0, 299, 1, 0, 0)),
    "town_air.csv": (air, Counted(193, 0, 192, 1, 0, 0)),
    "town_meters_20250401.txt": (meters, Counted(72, 0, 71, 1, 0, 0)),
    "town_bins.tsv": (bins, Counted(61, 0, 60, 0, 0, 1)),
    "town_works.geojson": (works, Counted(20, 0, 20, 0, 0, 0)),
    "town_stations.json": (stations, Counted(30, 0, 30, 0, 0, 0)),
    "town_flows.xml": (flows, Counted(9, 0, 9, 0, 0, 0)),
    "town_people.csv.gz": (people, Counted(50, 0, 50, 0, 0, 0)),
    "town_counts.csv": (counts, Counted(90, 0, 90, 0, 0, 0)),
}


def source_of(file_name: str) -> str:
    return "_".join(file_name.partition(".")[0].split("_")[:2])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> DraftedWorld:
    """Return a territory drafted from one file of each form, with its models built."""
    root = tmp_path_factory.mktemp("drafted")
    folder = root / "found"
    folder.mkdir()
    for name, (make, _) in FILES.items():
        (folder / name).write_bytes(make())
    made = draft_world(root, {source_of(name): folder / name for name in FILES})
    assert made.build() == []
    return made


@pytest.mark.parametrize("file_name", FILES)
def test_a_draft_loads_and_its_ledger_balances(world: DraftedWorld, file_name: str) -> None:
    counted = world.ledger()[source_of(file_name)]
    assert counted == FILES[file_name][1]
    assert counted.balances
    assert world.run.refusals() == []


def test_drafted_sql_passes_the_linter(world: DraftedWorld) -> None:
    assert lint(world.territory / "dbt_project") == ""


def test_the_linter_sees_a_fault_in_a_draft(world: DraftedWorld, tmp_path: Path) -> None:
    draft = world.drafts["town_air"]
    sql = next(text for path, text in draft.files.items() if path.suffix == ".sql")
    (tmp_path / "a.sql").write_text(sql.replace("texts as (", "TEXTS as("), encoding="utf-8")
    assert "L:" in lint(tmp_path)


def test_the_unit_tests_of_drafts_hold(world: DraftedWorld) -> None:
    workspace = world.run.workspace
    dbt = DbtProject(modelling.dbt_folder(workspace), workspace.warehouse, workspace.duckdb, "Europe/Paris")
    models = [draft.plan.model for draft in world.drafts.values()]
    found = invoke(dbt, ["test", "--select", *models, "--exclude-resource-type", "test"]).result.results
    outcomes = {one.node.name: (str(one.status), str(one.message or "")) for one in found}
    assert len(outcomes) == len(FILES)
    assert {name: outcome for name, outcome in outcomes.items() if outcome[0] != "pass"} == {}


def test_what_was_refused_is_named_and_persons_are_not(world: DraftedWorld) -> None:
    workspace = world.run.workspace
    with connect(workspace.warehouse, workspace.duckdb) as connection:
        reasons = dict(connection.execute("select source, min(reason) from ops.rejects group by 1").fetchall())
        columns = connection.execute("select column_name from duckdb_columns() where table_name like '%town__people%'")
        stored = {row[0] for row in columns.fetchall()}
    assert reasons == {
        "town_energy": "nb_sites is not a whole number: x",
        "town_air": "no unnamed",
        "town_meters": "horodate does not exist in legal time: 30/03/2025 02:00",
    }
    assert {"adresse", "nombre"} <= stored
    assert not stored & {"prenom", "courriel"}
    for file in world.territory.rglob("*"):
        if file.is_file():
            assert "Zoe" not in file.read_text(encoding="utf-8")


def test_a_page_is_declared_partial(world: DraftedWorld) -> None:
    assert "partial: true" in world.drafts["town_stations"].feed
    assert "partial" not in world.drafts["town_works"].feed


@pytest.mark.slow
def test_the_command_drafts_says_so_and_the_draft_runs(tmp_path: Path) -> None:
    (tmp_path / "extracts").mkdir()
    file = tmp_path / "extracts" / "town_energy_2024.csv"
    file.write_bytes(energy())
    (tmp_path / "territory").mkdir()
    answer = halle("new-source", file, "--theme", THEME, "--out", tmp_path / "territory")
    assert answer.status == 0, answer.err
    for said in ("town_energy: delimited, 6 columns", "Key: code_insee.", "QUESTION", 'glob: "town_energy_*.csv"'):
        assert said in answer.out
    again = halle("new-source", file, "--theme", THEME, "--out", tmp_path / "territory")
    assert (again.status, "exists already" in again.err) == (2, True)
    feed = answer.out.partition("in territory.yml:\n\n")[2]
    (tmp_path / "territory" / "territory.yml").write_text(TERRITORY + feed, encoding="utf-8")
    data = tmp_path / "data"
    ran = halle("run", "--territory", tmp_path / "territory", "--extracts", tmp_path / "extracts", "--data", data)
    assert ran.status == 0, ran.out + ran.err
    card = read_document(tmp_path / "territory" / "raw_sources" / THEME / "town_energy.yml")
    assert card.value["status"] == "draft"


def test_the_command_refuses_what_is_no_data(tmp_path: Path) -> None:
    (tmp_path / "a_b.csv").write_text("<!DOCTYPE html><html><title>Bad gateway</title></html>", encoding="utf-8")
    page = halle("new-source", tmp_path / "a_b.csv", "--out", tmp_path)
    assert (page.status, "a page of HTML entitled 'Bad gateway'" in page.err) == (1, True)
    assert halle("new-source", tmp_path / "nowhere.csv").status == 2
    assert halle("new-source", tmp_path / "a_b.csv", "--name", "Été").status == 2
    assert not (tmp_path / "raw_sources").exists()


def test_the_command_imports_neither_dagster_nor_dbt(tmp_path: Path) -> None:
    (tmp_path / "a_b.csv").write_bytes(lines("code;n", "a;1", "b;2"))
    assert imported(HEAVIER, "new-source", tmp_path / "a_b.csv", "--out", tmp_path) == (0, set())
