"""Congestion from snapshots, the whole way: what is true of the sample town, what is kept, and who sees it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from isodate import parse_duration

from exports.card import ExportCard
from exports.judgement import judge
from orchestration.lineage import lineage_of
from orchestration.marts import read_marts
from orchestration.modelling import dbt_folder
from orchestration.project import SAMPLE_TERRITORY, card_folders, load_project
from orchestration.releasing import terms
from orchestration.workspace import PROJECT, Workspace
from raw_sources.agreements import Grain
from raw_sources.card import load_cards
from raw_sources.database import DuckDBSettings, connect
from tests.integration.conftest import SampleRun
from tests.integration.test_sample_run import Town

SOURCE, SLUG, PUBLIC_SLUG = "waze_evenements", "congestion-rues-horaire", "congestion-rues-publique"
MART = "from mobility.congestion_street_hourly"


@pytest.fixture(scope="module")
def town(sample_data: Path) -> Town:
    return Town(sample_data, sample_data / "sample")


@pytest.fixture(scope="module")
def truths(town: Town) -> dict[str, Any]:
    return town.truths("congestion")


def built(town: Town, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query on the warehouse, where the models between raw and marts are."""
    with connect(Workspace(town.data).warehouse, DuckDBSettings()) as connection:
        return connection.execute(sql).fetchall()


def test_delays_and_lengths_are_means_over_the_snapshots_seen(town: Town, truths: dict[str, Any]) -> None:
    found = town.ask(
        f"select delay_s, delay_per_snapshot_s, length_jammed_m, events_count, delay_status, direction_basis {MART} "
        f"where street = '{truths['street']}' and events_count > 0 order by hour_start_at"
    )
    names = ("delay_s", "delay_per_snapshot_s", "length_jammed_m", "jams")
    assert [row[:4] for row in found] == list(zip(*(truths[name] for name in names), strict=True))
    assert [row[4:] for row in found] == [("measured", "heading"), ("estimated", "heading")]


def test_every_hour_says_how_much_of_it_was_seen(town: Town, truths: dict[str, Any]) -> None:
    found = town.ask(f"select distinct hour_start_at::varchar, snapshots_seen, snapshots_expected {MART} order by 1")
    expected = [truths["snapshots_expected"]] * len(truths["hours"])
    assert found == list(zip(truths["hours"], truths["snapshots_seen"], expected, strict=True))


def test_a_closed_road_is_one_closure_and_no_jam(town: Town, truths: dict[str, Any]) -> None:
    found = town.ask(
        f"select sum(closures_count), sum(events_count), sum(length_jammed_m) {MART} "
        f"where street = '{truths['closed_street']}'"
    )
    assert found == [(1, 0, 0.0)]


def test_an_alert_without_a_jam_has_a_row_and_a_commune(town: Town, truths: dict[str, Any]) -> None:
    alert = truths["alert_on"]
    found = town.ask(
        f"select alerts_count, events_count, delay_status, commune_code, commune_origin {MART} "
        f"where street = '{alert['street']}' and hour_start_at = timestamp '{alert['hour']}'"
    )
    assert found == [(1, 0, "not_applicable", "99999", "contour")]


def test_no_volume_is_told_where_lanes_are_not_known(town: Town) -> None:
    assert town.ask(f"select count(congestion_hkm), count(*) filter (where congestion_status = 'measured') {MART}") == [
        (0, 0)
    ]


def test_an_event_has_a_history_across_its_snapshots(town: Town, truths: dict[str, Any]) -> None:
    jam = truths["jam"]
    found = built(
        town,
        "select first_seen_at::varchar, last_seen_at::varchar, snapshots_seen, delay_s, length_max_m, is_over "
        f"from intermediate.int_mobility__road_events where event_id = '{jam['event_id']}'",
    )
    names = ("first_seen_at", "last_seen_at", "snapshots_seen", "delay_s", "length_max_m")
    assert found == [(*(jam[name] for name in names), True)]


def test_units_are_made_one(town: Town, truths: dict[str, Any]) -> None:
    jam = truths["jam"]["event_id"]
    staged = f"from staging.stg_mobility__{SOURCE}"
    speeds = f"select distinct speed_kmh {staged} where event_id = '{jam}' or record_type = 'irregularity'"
    assert [speed for (speed,) in built(town, speeds)] == [pytest.approx(truths["speed_kmh"])]
    assert built(town, f"select count(*) {staged} where record_type = 'failed_poll'") == [(truths["failed_polls"],)]


def test_a_snapshot_polled_twice_is_a_duplicate(town: Town) -> None:
    assert town.ledger("duplicate")[SOURCE] == town.defect("repeated_snapshot")["count"]


def test_what_may_not_be_kept_is_in_no_file_that_the_run_wrote(town: Town, truths: dict[str, Any]) -> None:
    never = truths["never_kept"].encode()
    assert any(never in path.read_bytes() for path in town.extracts.glob(f"{SOURCE}_*"))
    written = [path for path in town.data.rglob("*") if path.is_file() and not path.is_relative_to(town.extracts)]
    assert [path for path in written if never in path.read_bytes()] == []
    # Parquet and DuckDB pack their texts: what is in them is asked of them.
    columns = built(town, "select column_name from duckdb_columns() where table_name = 'waze__evenements'")
    texts = " || ".join(f"coalesce({name}, '')" for (name,) in columns if name != "_record_no")
    assert built(town, f"select count(*) from raw.waze__evenements where contains({texts}, '{never.decode()}')") == [
        (0,)
    ]


def test_the_authority_sees_all_and_the_public_nothing_where_jams_are_too_few(
    town: Town, sample_run: SampleRun
) -> None:
    assert list((town.data / "internal").rglob(f"{SLUG}/latest/release.json"))
    assert not list(town.data.glob(f"partner-*/**/{SLUG}"))
    for slug in (SLUG, PUBLIC_SLUG):
        assert not (town.data / "public" / slug).exists()
    assert re.search(rf"^{PUBLIC_SLUG} +public +0 +withheld", sample_run.answer.out, re.MULTILINE)


def as_it_is(card: ExportCard) -> ExportCard:
    return card


def without_a_declassification(card: ExportCard) -> ExportCard:
    return replace(card, declassify=())


def with_a_coarser_grain_than_the_mart(card: ExportCard) -> ExportCard:
    return replace(card, declassify=(replace(card.declassify[0], grain=Grain(time="day", space="street")),))


def without_saying_what_is_secret(card: ExportCard) -> ExportCard:
    return replace(card, secrecy=None)


def without_counting_jams(card: ExportCard) -> ExportCard:
    assert card.secrecy is not None
    return replace(card, secrecy=replace(card.secrecy, contributors="alerts", frequency="alerts_count"))


@pytest.mark.parametrize(
    ("change", "clause"),
    [
        (as_it_is, None),
        (without_a_declassification, "sharing.leaves.public"),
        (with_a_coarser_grain_than_the_mart, "declassify.grain.time"),
        (without_saying_what_is_secret, "secrecy"),
        (without_counting_jams, "secrecy"),
    ],
)
def test_the_public_sees_it_declassified_and_under_secrecy_only(
    town: Town, change: Callable[[ExportCard], ExportCard], clause: str | None
) -> None:
    project, workspace = load_project(SAMPLE_TERRITORY), Workspace(town.data)
    card = change(project.export_cards[PUBLIC_SLUG])
    node = read_marts(dbt_folder(workspace) / "target" / "manifest.json")[card.mart]
    lineage = lineage_of(project, workspace, node)
    judged = terms(project, lineage, "public", date(2026, 11, 22))
    verdict = judge(
        card,
        node.mart,
        lineage,
        judged.agreements,
        judged.licences,
        judged.personal,
        judged.audience,
        judged.today,
        judged.families,
    )
    assert lineage.untraced == ()
    assert (clause in {breach.clause for breach in verdict.breaches}) if clause else verdict.breaches == ()


def test_the_rhythm_of_the_models_is_that_of_the_cards() -> None:
    macro = (PROJECT / "dbt_project" / "macros" / "congestion.sql").read_text(encoding="utf-8")
    (seconds,) = re.findall(r"macro snapshot_rhythm_s\(\) -%}\s*(\d+)", macro)
    cards = [card for card in load_cards(card_folders(None)).values() if card.family == "road_events"]
    assert cards
    assert {parse_duration(card.rhythm).total_seconds() for card in cards} == {float(seconds)}


# --- the real feed ----------------------------------------------------------------------------------------------

JAKARTA = """
name: far
title: {fr: "Ville lointaine", en: "Far town"}
siren: "999999998"
communes: {vintage: 2025, codes: ["99999"]}
time_zone: Asia/Jakarta
publisher: {name: "Essai"}
contact: "contact@ville.example"
base_url: "https://donnees.ville.example"
bbox: [106.4, -6.6, 107.2, -5.9]
feeds:
  waze_evenements: {files: [{glob: "waze_ccp_*.json"}]}
"""


@pytest.fixture(scope="module")
def far(real_extracts: Path, tmp_path_factory: pytest.TempPathFactory) -> Town:
    """Return a territory that received the real feed, with its models built and released."""
    from orchestration import modelling
    from orchestration.run import Run

    folder = tmp_path_factory.mktemp("far")
    (folder / "territory.yml").write_text(JAKARTA, encoding="utf-8")
    run = Run(load_project(folder), Workspace(folder / "data"), extracts=real_extracts / "waze")
    assert run.as_of().isoformat() == "2017-05-03"
    assert modelling.failures(modelling.build_theme(run.project, run.workspace, "mobility")) == []
    assert run.validate("mobility.congestion_street_hourly").status == "passed"
    run.release(PUBLIC_SLUG)
    return Town(folder / "data", folder)


def test_the_real_feed_is_staged_whole(far: Town) -> None:
    ledger = built(far, "select records_read, malformed, staged, rejected, out_of_scope from ops.ledger")
    assert ledger == [(1288, 0, 1288, 0, 0)]
    staged = "from staging.stg_mobility__waze_evenements"
    # 38 jams at level 5, delay -1: measured on the file.
    assert built(far, f"select count(*), count(delay_s) {staged} where record_type = 'jam' and is_closed") == [(38, 0)]
    assert built(far, f"select count(*) {staged} where record_type = 'jam' and delay_s is null") == [(38,)]
    window = built(far, f"select distinct snapshot_start_at {staged}")
    assert window == [(datetime(2017, 5, 3, 5, 25),)]
    assert built(far, f"select count(*) {staged} where event_type = 'WEATHERHAZARD'") == [(0,)]


def test_the_real_feed_gives_every_jam_a_street_and_an_hour(far: Town) -> None:
    found = built(far, f"select sum(events_count), sum(irregularities_count), sum(alerts_count) {MART}")
    assert found == [(965 - 38, 37, 285)]
    assert built(
        far, f"select distinct hour_start_local, snapshots_seen, delay_status {MART} where events_count > 0"
    ) == [("2017-05-03T12:00:00+07:00", 1, "estimated")]


def test_the_public_sees_the_real_streets_of_which_enough_jams_tell(far: Town) -> None:
    """Of 919 streets 829 have a jam or none: they make no row. 67 have two, and 23 have more: measured on the file."""
    (folder,) = (far.data / "public" / PUBLIC_SLUG).glob("v1.0.0/*")
    published = pl.read_parquet(folder / f"{PUBLIC_SLUG}.parquet")
    assert not {name for name in published.columns if name.endswith(("_count", "_max", "_basis"))}
    status = published["delay_status"].to_list()
    assert (len(published), status.count("secret")) == (90, 67)
    empty = published.filter(pl.col("delay_status") == "secret")
    for value in ("delay_s", "delay_per_snapshot_s", "length_jammed_m", "congestion_hkm"):
        assert empty[value].null_count() == len(empty)
    counted_jams = built(far, f"select street, commune_code, direction, events_count {MART}")
    jams = {cell[:3]: cell[3] for cell in counted_jams}
    cells = published.select("street", "commune_code", "direction", "delay_s").rows()
    assert {jams[cell[:3]] >= 3 for cell in cells if cell[3] is not None} == {True}
    assert {jams[cell[:3]] for cell in cells if cell[3] is None} == {2}
    proof = json.loads((folder / "release.json").read_text(encoding="utf-8"))["agreements"]
    assert proof["declassified"][0]["rows_left_out"] == 829
    (counted,) = proof["secrecy"][SOURCE]
    assert (counted["cells"], counted["secret"]["delay_s"]) == (90, 67)
    # Two are the least that a minimum can ask; what the agreement asks is nowhere.
    assert '"at_least": 3' not in (folder / "release.json").read_text(encoding="utf-8")


def test_the_sample_enables_the_source() -> None:
    assert SOURCE in load_project(SAMPLE_TERRITORY).enabled
