"""Which of several records of a key counts, and what becomes of the others: the `staged` materialisation, run by dbt.

One small warehouse is staged once. What a model decides on a single record is in the models' own unit tests
(dbt_project/models/staging/**/_unit_tests.yml).
"""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration import warehouse
from orchestration.assembly import assemble
from orchestration.dbt_runs import DbtProject, invoke
from orchestration.project import SAMPLE_TERRITORY, load_project
from raw_sources.database import DuckDBSettings, connect

COUNTS, SITES, ENERGY = "paris_comptages_permanents", "paris_chantiers_perturbants", "ore_consommation_commune"
CONSUMED_COLUMNS = (
    *("operateur", "annee", "filiere", "code_categorie_consommation", "code_grand_secteur", "code_commune"),
    *("conso_totale_mwh", "nb_sites", "nombre_mailles_secretisees"),
)
Rows = dict[str, list[tuple[str | None, ...]]]

# delivery: arc, label, flow, occupancy; records are numbered in this order
COUNTED: Rows = {
    "d1": [
        ("a", "2024-01-08T09:00:00+01:00", "10", "12.34389"),
        ("a", "2024-01-08T09:00:00+01:00", "10", "12.3439"),
        ("b", "2024-01-08T09:00:00+01:00", "10", "1.5"),
        ("b", "2024-01-08T09:00:00+01:00", "10", "1.5"),
        ("c", "2024-01-08T09:00:00+01:00", "10", "1.5"),
        ("d", "2024-01-08T09:00:00+01:00", "10", "1.5"),
        ("e", "2024-01-08T09:00:00+01:00", "10", "1.5"),
        ("f", "2024-01-08T09:00:00+01:00", "10", "1.23456"),
        ("g", "2024-01-08T09:00:00+01:00", "ten", "1.5"),
        ("h", "2024-02-08T09:00:00+01:00", "10", "1.5"),
        ("i", "2024-01-08T09:00:00+01:00", "10", "1.5"),
        ("i", "2024-01-08T08:00:00Z", "11", "1.5"),
    ],
    "d2": [
        ("c", "2024-01-08T09:00:00+01:00", "21", "1.5"),
        ("d", "2024-01-08T09:00:00+01:00", "10", "1.5"),
        ("e", "2024-01-08T09:00:00+01:00", "-1", "1.5"),
        ("f", "2024-01-08T09:00:00+01:00", "10", "1.2346"),
        (None, "2024-01-08T09:00:00+01:00", "10", "1.5"),
    ],
}
# delivery: site, start, end, place
ANNOUNCED: Rows = {
    "s1": [
        ("X", "2024-06-01", "2024-06-30", "45.5, -3.5"),
        ("Y", "2024-06-01", "2024-06-30", "45.5, -3.5"),
        ("Z", "2024-06-01", "2024-06-30", "48.8, 2.3"),
        ("U", "2024-06-01", "2024-06-30", "45.5, -3.5"),
    ],
    "s2": [
        ("X", "2024-06-01", "2024-07-31", "45.5, -3.5"),
        ("W", "2024-06-01", "31/09/24", "45.5, -3.5"),
        ("U", "2024-06-01", "31/09/24", "45.5, -3.5"),
    ],
    "s3": [("V", "2024-06-01", "2024-06-30", "45.5, -3.5")],
}
# delivery: operator, year, carrier, category, sector, commune, consumption, points, secret cells
CONSUMED: Rows = {
    "c1": [
        ("Enedis", "2022", "Electricité", "RES", "RESIDENTIEL", "99999", "12.5", "30", "0"),
        ("Enedis", "2022", "Electricité", "RES", "RESIDENTIEL", "35238", "13.5", "30", "0"),
        ("Enedis", "2022", "Electricité", "RES", "RESIDENTIEL", "69123", "much", "30", "0"),
        ("GRDF", "2022", "Gaz", "RES", "RESIDENTIEL", "99999", "much", "30", "0"),
    ],
    "c2": [("Enedis", "2022", "Electricité", "RES", "RESIDENTIEL", "75056", "14.5", "30", "0")],
}
# Deliveries that come after: two snapshots of one day, then one that lists nothing.
FURTHER: Rows = {
    "s4": [("X", "2024-06-01", "2024-07-31", "45.5, -3.5"), ("T", "2024-06-01", "2024-06-30", "45.5, -3.5")],
    "s5": [("X", "2024-06-01", "2024-07-31", "45.5, -3.5")],
    "s6": [],
}
SNAPSHOTS = {
    "s1": ("2024-05-01", False),
    "s2": ("2024-06-01", False),
    "s3": ("2024-06-02", True),
    "s4": ("2024-06-10", False),
    "s5": ("2024-06-10", False),
    "s6": ("2024-06-20", False),
}
SITE_COLUMNS = ("identifiant", "date_debut", "date_fin", "geo_point_2d")


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a warehouse in which the three models were staged by dbt."""
    folder = tmp_path_factory.mktemp("staged")
    project = load_project(SAMPLE_TERRITORY)
    dbt = DbtProject(folder / "dbt", folder / "warehouse.duckdb", DuckDBSettings(), project.territory.time_zone)
    assemble(dbt.folder, project.cards.values())
    with connect(dbt.warehouse, dbt.settings) as connection:
        warehouse.prepare(connection)
        warehouse.record_territory(connection, project.territory, date(2024, 6, 15))
        for card in project.cards.values():
            warehouse.show_raw(connection, card, folder, [])
        deliver(connection, COUNTS, ("iu_ac", "t_1h", "q", "k"), COUNTED)
        deliver(connection, SITES, SITE_COLUMNS, ANNOUNCED)
        deliver(connection, ENERGY, CONSUMED_COLUMNS, CONSUMED)
    models = [f"stg_mobility__{COUNTS}", f"stg_mobility__{SITES}", f"+stg_energy__{ENERGY}"]
    found = invoke(dbt, ["run", "--select", *models]).result.results
    assert {str(one.status) for one in found} == {"success"}, [one.message for one in found]
    return dbt.warehouse


def deliver(connection: duckdb.DuckDBPyConnection, source: str, columns: tuple[str, ...], rows: Rows) -> None:
    """Put records into the raw table of a source, and its deliveries into ops.deliveries."""
    table = raw_table(source)
    connection.execute(f"create temp table shape as select * from {table}")
    connection.execute(f"drop view {table}")
    connection.execute(f"create table {table} as select * from shape")
    connection.execute("drop table shape")
    add(connection, source, columns, rows)


def raw_table(source: str) -> str:
    return f"raw.{source.replace('_', '__', 1)}"


def add(
    connection: duckdb.DuckDBPyConnection, source: str, columns: tuple[str, ...], rows: Rows, first: int = 1
) -> None:
    """Add deliveries to those of a source, numbered from ``first``."""
    for order, (delivery, records) in enumerate(rows.items(), start=first):
        file_date, partial = SNAPSHOTS.get(delivery, (None, False))
        connection.execute(
            "insert into ops.deliveries by name select ? as source, ? as delivery_id, ? as delivery_order, "
            "? as file_name, ? as file_date, ? as is_partial, 'loaded' as status, ? as load_key, "
            "? as records_read, ? as raw_rows, 0 as malformed, ? as received_at",
            [
                *(source, delivery, order, f"{delivery}.csv", file_date, partial, delivery, len(records), len(records)),
                datetime(2024, 6, 15, tzinfo=UTC).isoformat(),
            ],
        )
        for number, record in enumerate(records, start=1):
            connection.execute(
                f"insert into {raw_table(source)} ({', '.join(columns)}, _delivery_id, _record_no) "
                f"values ({', '.join('?' * (len(columns) + 2))})",
                [*record, delivery, number],
            )


def ask(staged: Path, sql: str) -> list[tuple[Any, ...]]:
    with connect(staged, DuckDBSettings()) as connection:
        return connection.execute(sql).fetchall()


def kept(staged: Path, counter: str) -> tuple[Any, ...]:
    """Return delivery, record number, flow, occupancy and number of claims of the one record kept of a counter."""
    (row,) = ask(
        staged,
        "select _delivery_id, _record_no, flow_veh_h, occupancy_pct, _candidates "
        f"from staging.stg_mobility__{COUNTS} where counter_id = '{counter}'",
    )
    return row


def test_within_a_delivery_the_unrounded_record_wins_over_a_later_one(staged: Path):
    assert kept(staged, "a") == ("d1", 1, 10, 12.34389, 2)


def test_of_equal_records_the_last_one_is_kept(staged: Path):
    assert kept(staged, "b") == ("d1", 4, 10, 1.5, 2)


def test_one_instant_written_twice_is_one_key(staged: Path):
    assert kept(staged, "i") == ("d1", 12, 11, 1.5, 2)


def test_a_later_delivery_supersedes(staged: Path):
    assert kept(staged, "c") == ("d2", 1, 21, 1.5, 2)


def test_a_record_delivered_again_is_kept_from_the_later_delivery(staged: Path):
    assert kept(staged, "d") == ("d2", 2, 10, 1.5, 2)


def test_a_refused_record_supersedes_nothing(staged: Path):
    assert kept(staged, "e") == ("d1", 7, 10, 1.5, 1)


def test_a_later_delivery_is_believed_even_when_it_is_rounded(staged: Path):
    assert kept(staged, "f") == ("d2", 4, 10, 1.2346, 2)


def test_each_term_of_the_ledger_counts_its_own_records(staged: Path):
    terms = ask(
        staged,
        "select delivery_id, raw_rows, staged, rejected, superseded, duplicate, out_of_scope "
        "from ops.ledger order by delivery_id",
    )
    assert terms == [
        # Of a national file, what is elsewhere is out of scope whether or not it is well written.
        ("c1", 4, 1, 1, 0, 0, 2),
        ("c2", 1, 0, 0, 0, 0, 1),
        # Superseded: a's rounded record, i's first, c's and f's; duplicate: b's first and d's.
        ("d1", 12, 5, 1, 4, 2, 0),
        ("d2", 5, 3, 2, 0, 0, 0),
        ("s1", 4, 2, 0, 1, 0, 1),
        ("s2", 3, 1, 2, 0, 0, 0),
        ("s3", 1, 1, 0, 0, 0, 0),
    ]


def test_refused_records_keep_their_text_place_and_reason(staged: Path):
    refused = ask(
        staged,
        f"select delivery_id, record_no, reason, record from ops.rejects where source <> '{ENERGY}' order by 1, 2",
    )
    assert [row[:3] for row in refused] == [
        ("d1", 9, "the flow is not a number: ten"),
        ("d2", 3, "negative flow: -1"),
        ("d2", 5, "no arc identifier"),
        ("s2", 2, "the end is not a date: 31/09/24"),
        ("s2", 3, "the end is not a date: 31/09/24"),
    ]
    record = json.loads(refused[0][3])
    assert (record["iu_ac"], record["q"], record["t_1h"]) == ("g", "ten", "2024-01-08T09:00:00+01:00")


def test_announcements_are_kept_in_their_order(staged: Path):
    ((versions,),) = ask(staged, f"select announced_versions from staging.stg_mobility__{SITES} where site_id = 'X'")
    no_hours = {"start_at": None, "end_at": None}
    assert versions == [
        {"snapshot_on": "2024-05-01", "start_on": date(2024, 6, 1), "end_on": date(2024, 6, 30), **no_hours},
        {"snapshot_on": "2024-06-01", "start_on": date(2024, 6, 1), "end_on": date(2024, 7, 31), **no_hours},
    ]


def test_a_site_outside_the_box_is_counted_and_not_kept(staged: Path):
    assert ask(staged, f"select site_id from staging.stg_mobility__{SITES} where site_id = 'Z'") == []


def test_a_national_file_leaves_only_its_count_behind(staged: Path):
    kept_records = ask(staged, f"select distinct zone_code from staging.stg_energy__{ENERGY}__records")
    assert kept_records == [("99999",)]


def test_what_is_out_of_scope_comes_in_when_the_territory_grows(staged: Path, tmp_path: Path):
    shutil.copytree(staged.parent / "dbt", tmp_path / "dbt")
    grown = Path(shutil.copy(staged, tmp_path / staged.name))
    with connect(grown, DuckDBSettings()) as connection:
        connection.execute("insert into ops.territory_communes values (2025, '35238')")
    dbt = DbtProject(tmp_path / "dbt", grown, DuckDBSettings(), "Europe/Paris")
    assert {str(one.status) for one in invoke(dbt, ["run", "--select", f"+stg_energy__{ENERGY}"]).result.results} == {
        "success"
    }
    kept_records = ask(grown, f"select distinct zone_code from staging.stg_energy__{ENERGY} order by all")
    assert kept_records == [("35238",), ("99999",)]
    assert ask(
        grown, "select delivery_id, out_of_scope from ops.ledger where source = 'ore_consommation_commune' order by 1"
    ) == [
        ("c1", 1),
        ("c2", 1),
    ]


def test_a_page_ends_nothing(staged: Path):
    # s2 is the latest complete snapshot: what the page s3 lacks has not ended, what s2 lacks has.
    present = dict(ask(staged, f"select site_id, in_latest_snapshot from staging.stg_mobility__{SITES}"))
    # U is in s2, though its record was refused there: it has not ended either.
    assert present == {"X": True, "V": True, "Y": False, "U": True}


def test_what_left_its_snapshots_did_so_on_the_day_of_the_first_without_it(staged: Path, tmp_path: Path):
    shutil.copytree(staged.parent / "dbt", tmp_path / "dbt")
    later = Path(shutil.copy(staged, tmp_path / staged.name))
    dbt = DbtProject(tmp_path / "dbt", later, DuckDBSettings(), "Europe/Paris")
    absences = f"select site_id, first_absent_on from staging.stg_mobility__{SITES}"

    def after(deliveries: Rows, first: int) -> dict[str, date | None]:
        with connect(later, DuckDBSettings()) as connection:
            add(connection, SITES, SITE_COLUMNS, deliveries, first)
        (outcome,) = invoke(dbt, ["run", "--select", f"stg_mobility__{SITES}"]).result.results
        assert str(outcome.status) == "success", outcome.message
        return dict(ask(later, absences))

    assert dict(ask(staged, absences)) == {"X": None, "V": None, "Y": date(2024, 6, 1), "U": None}
    # U was last in s2, where its record was refused; V in the page s3; T in s4, so that it was there that day.
    known = {"Y": date(2024, 6, 1), "U": date(2024, 6, 10), "V": date(2024, 6, 10), "T": date(2024, 6, 11)}
    assert after({name: FURTHER[name] for name in ("s4", "s5")}, 4) == {"X": None, **known}
    assert after({"s6": FURTHER["s6"]}, 6) == {"X": date(2024, 6, 20), **known}
