"""The City of Paris on its real extracts: what the producers' files hold is pinned through marts, ledger and rejects.

The facts are those measured on the extracts by hand (PROVENANCE.md beside them); none is derived from our readers.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest
import shapely

from raw_sources import geometry
from tests.real.conftest import Authority, AuthorityRun

ARCHIVE_2010 = "paris_historique_convention_2010.csv"
ARCHIVE_2019 = "paris_historique_convention_2019.csv"
EXPORT_2020 = "paris_comptages_champs_elysees_2020_labels.csv"
EXPORT_2023 = "paris_comptages_champs_elysees_2023-2024_labels_bom.csv"
API_PAGE = "paris_comptages_api_v21_20260621.json"
CONVENTION, CHAMPS_ELYSEES = "5672", "4264"

# file: read, staged, rejected, superseded, duplicate, out of scope
LEDGER = {
    API_PAGE: (100, 100, 0, 0, 0, 0),
    EXPORT_2020: (9452, 9452, 0, 0, 0, 0),
    EXPORT_2023: (9034, 9034, 0, 0, 0, 0),
    # 384 rows repeated by overlapping weekly files, and the hour that the spring change leaves out.
    ARCHIVE_2010: (9144, 8759, 1, 0, 384, 0),
    # 120 keys twice: 116 of them exactly, 4 with an occupancy rounded once.
    ARCHIVE_2019: (8879, 8758, 1, 4, 116, 0),
    "paris_referentiel_comptages_routiers_2019.csv": (3739, 3739, 0, 0, 0, 0),
    # One site, the one without dates, lies outside the territory's box.
    "paris_chantiers_perturbants_2023_labels_bom.csv": (192, 192, 0, 0, 0, 0),
    "paris_chantiers_a_paris_2024_labels.csv": (5175, 5175, 0, 0, 0, 0),
    "paris_chantiers_20260806_api_v21.json": (5, 5, 0, 0, 0, 0),
    "paris_fermetures_voirie_2023.csv": (136, 136, 0, 0, 0, 0),
    "cog_communes_2020.csv": (37_901, 37_901, 0, 0, 0, 0),
    "cog_departements_2020.csv": (101, 101, 0, 0, 0, 0),
    "cog_regions_2020.csv": (18, 18, 0, 0, 0, 0),
    "populations_legales_communes_2020.csv": (34_990, 34_990, 0, 0, 0, 0),
    "etalab_communes_2026.json": (37_590, 37_590, 0, 0, 0, 0),
    "etalab_departements_2026.json": (109, 109, 0, 0, 0, 0),
    "etalab_epci_2026.json": (1_255, 1_255, 0, 0, 0, 0),
    "etalab_ept_2026.json": (11, 11, 0, 0, 0, 0),
    "etalab_regions_2026.json": (26, 26, 0, 0, 0, 0),
}


# --- the run ----------------------------------------------------------------------------------------------------


def test_the_run_ends_well_and_releases_every_mart(paris_run: AuthorityRun):
    assert paris_run.ended.returncode == 0, paris_run.ended.stdout + paris_run.ended.stderr
    assert "Traceback" not in paris_run.ended.stdout + paris_run.ended.stderr
    public = paris_run.authority.data / "public"
    rows = {
        path.parent.parent.name: json.loads(path.read_text())["rows"] for path in public.glob("*/latest/release.json")
    }
    assert rows == {
        "comptages-routiers-horaires": 36_103,
        "chantiers-voirie": 3_472,
        "comptages-chantiers-journaliers": rows["comptages-chantiers-journaliers"],
        "effet-chantiers-trafic": rows["effet-chantiers-trafic"],
        # Convention counted vehicles in 2019, the Champs-Élysées in 2019, 2020, 2023 and 2024, and 52 arcs in 2026.
        "trafic-moyen-journalier-annuel": 1 + 4 + 52,
        # 1990 to the end of the second year after the data: 39 years, ten of them leap years.
        "calendrier": 39 * 365 + 10,
        "communes-millesimes": 37_901 + 37_590,
        # The communes of 2020 and what only 2026 has (tests/real/test_place.py), and 45 municipal districts.
        "passages-communes": 35_069 + 45,
        # The file gives the districts of Paris, Lyon and Marseille; the three cities are their sums.
        "populations-legales": 34_990 + 3,
    }
    assert rows["comptages-chantiers-journaliers"] > 5_000
    assert rows["effet-chantiers-trafic"] > 5_000


def test_nothing_of_it_is_marked_synthetic(paris: Authority):
    for release in (paris.data / "public").glob("*/latest/release.json"):
        assert "SYNTH" not in release.read_text().upper().replace('"SYNTHETIC": FALSE', "")


def test_every_record_is_accounted_for(paris: Authority):
    ledger = paris.ask(
        "select file_name, records_read, staged, rejected, superseded, duplicate, out_of_scope, malformed, raw_rows "
        "from ops.ledger"
    )
    assert {row[0]: row[1:7] for row in ledger} == LEDGER
    assert [row for row in ledger if row[1] != row[7] + row[8] or row[8] != sum(row[2:7])] == []


def test_the_published_tree_verifies(paris: Authority):
    done = paris.halle("verify")
    assert done.returncode == 0, done.stdout
    assert "FAILED" not in done.stdout
    if os.environ.get("HALLE_SCHEMAS"):
        assert "NOT RUN" not in done.stdout


def test_every_refused_record_is_explained(paris: Authority):
    explained = paris.rejects()
    refused = {
        row[0]: row[1] for row in paris.ask("select source, sum(rejected + malformed) from ops.ledger group by 1")
    }
    counted = dict.fromkeys(refused, 0)
    for one in explained:
        counted[one["source"]] += one["count"]
        assert one["reason"]
        assert len(one["samples"]) == min(one["count"], 3)
    assert counted == refused


def test_a_second_run_has_nothing_to_do(paris: Authority):
    before = fingerprints(paris.data / "public")
    done = paris.run()
    assert done.returncode == 0, done.stderr
    assert "nothing new" in done.stdout
    assert fingerprints(paris.data / "public") == before


@pytest.mark.slow
def test_replay_gives_the_same_tree_byte_for_byte(paris: Authority, tmp_path: Path):
    copy = Authority(tmp_path / "data", paris.extracts)
    shutil.copytree(paris.data, copy.data, symlinks=True)
    shutil.rmtree(copy.data / "warehouse")
    done = copy.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing new" not in done.stdout
    assert fingerprints(copy.data / "public") == fingerprints(paris.data / "public")
    assert fingerprints(copy.data / "releases") == fingerprints(paris.data / "releases")
    assert copy.ask("select * from ops.ledger order by all") == paris.ask("select * from ops.ledger order by all")


def fingerprints(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert files
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


# --- counters ---------------------------------------------------------------------------------------------------


def test_every_layout_reaches_the_mart(paris: Authority):
    found = paris.ask(
        "select counter_id, substr(period_month, 1, 4) in ('2023', '2024') as is_recent, count(*), "
        "min(hour_start_local), max(hour_start_local) from mobility.traffic_hourly "
        f"where counter_id = '{CHAMPS_ELYSEES}' group by 1, 2 order by 2"
    )
    assert found == [
        (CHAMPS_ELYSEES, False, 9452, "2019-11-01T03:00:00+01:00", "2020-11-30T23:00:00+01:00"),
        (CHAMPS_ELYSEES, True, 9034, "2023-10-01T04:00:00+02:00", "2024-11-28T03:00:00+01:00"),
    ]
    assert paris.ask(
        "select period_month < '2015', count(*) from mobility.traffic_hourly "
        f"where counter_id = '{CONVENTION}' group by 1 order by 1"
    ) == [(False, 8758), (True, 8759)]


def test_a_page_of_the_api_is_one_hour_of_a_hundred_arcs(paris: Authority):
    assert paris.ask(
        "select hour_start_local, count(*), count(distinct counter_id), count(flow_veh_h), count(occupancy_pct) "
        "from mobility.traffic_hourly where period_month = '2026-06' group by 1"
    ) == [("2026-06-20T23:00:00+02:00", 100, 100, 52, 60)]


def test_hours_are_labelled_by_their_end(paris: Authority):
    first = paris.ask(
        "select hour_start_at, hour_start_local, period_month from mobility.traffic_hourly order by 1 limit 1"
    )
    assert first == [(datetime(2009, 12, 31, 23), "2010-01-01T00:00:00+01:00", "2010-01")]
    last = f"select max(hour_start_local) from mobility.traffic_hourly where counter_id = '{CONVENTION}'"
    assert paris.value(last) == "2019-12-31T23:00:00+01:00"


def test_days_of_the_clock_changes(paris: Authority):
    days = dict(
        paris.ask(
            "select substr(hour_start_local, 1, 10) as day_on, count(*) from mobility.traffic_hourly "
            "where substr(hour_start_local, 1, 10) in ('2010-03-28', '2019-03-31', '2020-03-29', '2024-03-31', "
            "'2010-10-31', '2019-10-27', '2020-10-25', '2023-10-29', '2024-10-27') group by 1 order by 1"
        )
    )
    assert days == {
        "2010-03-28": 23,
        "2010-10-31": 24,
        "2019-03-31": 23,
        "2019-10-27": 24,
        "2020-03-29": 23,
        "2020-10-25": 24,
        "2023-10-29": 24,
        "2024-03-31": 23,
        "2024-10-27": 24,
    }


@pytest.mark.parametrize("day", ["2010-10-31", "2019-10-27", "2020-10-25", "2023-10-29", "2024-10-27"])
def test_the_autumn_day_keeps_the_winter_two_o_clock_only(paris: Authority, day: str):
    labels = paris.ask(
        "select strftime(timezone('Europe/Paris', timezone('UTC', hour_start_at + interval 1 hour)), '%H:%M'), "
        "hour_start_local from mobility.traffic_hourly "
        f"where hour_start_local between '{day}T00' and '{day}T04' order by hour_start_at"
    )
    assert labels == [
        ("01:00", f"{day}T00:00:00+02:00"),
        # The hour labelled 02:00+02:00, which starts at 01:00+02:00, is the one that is published nowhere.
        ("02:00", f"{day}T02:00:00+02:00"),
        ("03:00", f"{day}T02:00:00+01:00"),
        ("04:00", f"{day}T03:00:00+01:00"),
    ]


def test_hours_that_do_not_exist_are_refused_with_a_reason(paris: Authority):
    (found,) = [one for one in paris.rejects() if one["source"] == "paris_comptages_permanents"]
    assert (found["count"], found["stage"]) == (2, "staging")
    assert found["reason"] == "this hour does not exist in legal time (spring change)"
    assert [(one["file"], json.loads(one["record"])["t_1h"]) for one in found["samples"]] == [
        (ARCHIVE_2010, "2010-03-28 02:00:00"),
        (ARCHIVE_2019, "2019-03-31 02:00:00"),
    ]


def test_of_contradictory_duplicates_the_unrounded_occupancy_wins(paris: Authority):
    # The overlapping weekly files say 12.3439 and 12.34389: a rounding of the same measure, not a correction.
    assert paris.ask(
        "select hour_start_local, occupancy_pct from mobility.traffic_hourly "
        f"where counter_id = '{CONVENTION}' and hour_start_local in ('2019-09-26T09:00:00+02:00', "
        "'2019-09-26T17:00:00+02:00', '2019-09-27T17:00:00+02:00', '2019-09-28T16:00:00+02:00') order by 1"
    ) == [
        ("2019-09-26T09:00:00+02:00", 12.34389),
        ("2019-09-26T17:00:00+02:00", 11.44056),
        ("2019-09-27T17:00:00+02:00", 10.44167),
        ("2019-09-28T16:00:00+02:00", 10.43722),
    ]


def test_a_loop_that_gives_no_flow_measures_occupancy(paris: Authority):
    kinds = (
        "select measure_kind, count(*), count(flow_veh_h), count(occupancy_pct) from mobility.traffic_hourly "
        f"where counter_id = '{CONVENTION}' and substr(hour_start_local, 1, 4) = "
    )
    assert paris.ask(f"{kinds} '2010' group by 1 order by 1") == [("none", 122, 0, 0), ("occupancy", 8637, 0, 8637)]
    of_2019 = {kind: rows for kind, rows, _, _ in paris.ask(f"{kinds} '2019' group by 1")}
    assert of_2019 == {"none": 84, "occupancy": 7369, "count": 1305}
    assert round(100 * (of_2019["none"] + of_2019["occupancy"]) / 8758) == 85


def test_kinds_of_measure_are_never_mixed(paris: Authority):
    assert paris.ask(
        "select distinct measure_kind, flow_veh_h is null, occupancy_pct is null and measure_kind <> 'count', "
        "measured_share from mobility.traffic_hourly order by 1"
    ) == [("count", False, False, 1), ("none", True, True, 0), ("occupancy", True, False, 1)]


def test_unknown_states_and_empty_flows_of_the_export_of_2020(paris: Authority):
    assert paris.ask(
        "select count(*) filter (where traffic_state = 'unknown'), count(*) filter (where flow_veh_h is null) "
        f"from mobility.traffic_hourly where counter_id = '{CHAMPS_ELYSEES}' and period_month < '2021'"
    ) == [(85, 77)]


def test_arcs_called_invalid_are_kept(paris: Authority):
    with (paris.extracts / "traffic" / EXPORT_2020).open(encoding="utf-8", newline="") as stream:
        invalid = [row for row in csv.DictReader(stream, delimiter=";") if row["Etat arc"] == "Invalide"]
    assert len(invalid) > 0.98 * 9452
    measured = sum(1 for row in invalid if row["Débit horaire"])
    kept = (
        "select count(flow_veh_h) from mobility.traffic_hourly "
        f"where counter_id = '{CHAMPS_ELYSEES}' and period_month < '2021'"
    )
    assert paris.value(kept) >= measured > 9_000


def test_archives_take_their_place_from_the_referential(paris: Authority):
    (place,) = paris.ask(
        f"select distinct street, lon, lat from mobility.traffic_hourly where counter_id = '{CONVENTION}'"
    )
    assert place[0] == "Convention"
    assert place[1:] == pytest.approx((2.293286, 48.838665), abs=1e-6)
    assert paris.value("select count(*) from mobility.traffic_hourly where lon is null or lat is null") == 0


# --- works ------------------------------------------------------------------------------------------------------


def test_sites_of_each_file(paris: Authority):
    assert paris.ask("select source, count(*), sum(parts_count) from mobility.works_sites group by 1 order by 1") == [
        ("paris_chantiers", 3144, 5180),
        ("paris_chantiers_perturbants", 192, 192),
        ("paris_fermetures_voirie", 136, 136),
    ]


def test_occupations_are_gathered_by_cite_request(paris: Authority):
    with (paris.extracts / "roadworks" / "paris_chantiers_a_paris_2024_labels.csv").open(
        encoding="utf-8-sig", newline=""
    ) as stream:
        requests = [row["Identifiant demande CITE"] for row in csv.DictReader(stream, delimiter=";")]
    sites = paris.ask("select site_id, parts_count from mobility.works_sites where source = 'paris_chantiers'")
    parts = dict(sites)
    assert len(parts) == len(sites)
    assert set(requests) <= set(parts)
    several = max(set(requests), key=requests.count)
    assert parts[several] >= requests.count(several) > 5


def test_a_site_without_dates_is_given_none(paris: Authority):
    undated = paris.ask(
        "select site_id, start_on, end_on, status from mobility.works_sites where start_on is null or end_on is null"
    )
    assert undated == [("CP002436", None, None, "unknown")]


def test_private_building_works_stay_under_their_own_kind(paris: Authority):
    private = paris.value(
        "select sum(parts_count) from mobility.works_sites where source = 'paris_chantiers' "
        "and kind = 'building_works' and purpose = 'Construction ou réhabilitation d''immeuble'"
    )
    assert private == 3020
    assert round(100 * private / 5180) == 58
    assert paris.ask(
        "select kind, sum(parts_count) from mobility.works_sites where source = 'paris_chantiers' group by 1 order by 1"
    ) == [("building_works", 3104), ("network_works", 1703), ("public_space_works", 54), ("road_works", 319)]


def test_two_files_describe_eleven_sites(paris: Authority):
    groups = paris.ask(
        "select site_group_id, count(*), count(*) filter (where is_group_primary), "
        "max(source) filter (where is_group_primary), sum(parts_count) filter (where source = 'paris_chantiers') "
        "from mobility.works_sites group by 1 having count(*) > 1"
    )
    assert len(groups) == 11
    assert {group[1:4] for group in groups} == {(2, 1, "paris_chantiers_perturbants")}
    assert sum(group[4] for group in groups) == 15
    assert paris.value("select count(*) from mobility.works_sites where is_group_primary") == 3472 - 11


def test_matches_rest_on_the_request_and_on_the_place(paris: Authority):
    evidence = [
        json.loads(text)
        for (text,) in paris.ask("select match_evidence from mobility.works_sites where match_evidence is not null")
    ]
    assert len(evidence) == 22
    claims = [claim for claims in evidence for claim in claims]
    assert {claim["rule"] for claim in claims} == {"identifiant_ctv = demande_cite_id"}
    assert max(claim["distance_m"] for claim in claims) <= 60
    places = paris.ask(
        "select one.lon, one.lat, other.lon, other.lat from mobility.works_sites as one "
        "inner join mobility.works_sites as other on one.site_group_id = other.site_group_id "
        "where one.source < other.source"
    )
    left, right = (np.asarray(shapely.points([row[at : at + 2] for row in places]), dtype=object) for at in (0, 2))
    apart = geometry.distances_m(left, right)
    assert len(apart) == 11
    assert 0 < apart.min() < apart.max() < 30


def test_closures_are_believed_by_their_instants(paris: Authority):
    # The text period of the same record says 21:30: it is the UTC hour of 22:30+01:00.
    assert paris.ask(
        "select start_at, end_at, start_on, end_on, period_precision, location_detail, kind, disruption "
        "from mobility.works_sites where source = 'paris_fermetures_voirie' and site_id = '11740'"
    ) == [
        (
            datetime(2023, 11, 14, 21, 30),
            datetime(2023, 11, 15, 6),
            date(2023, 11, 14),
            date(2023, 11, 15),
            "instant",
            "Périphérique intérieur",
            "closure",
            "road_closed",
        )
    ]


def test_closures_cross_midnight_and_say_a_direction_or_none(paris: Authority):
    closures = "from mobility.works_sites where source = 'paris_fermetures_voirie'"
    assert paris.ask(f"select count(*), count(*) filter (where end_on > start_on) {closures}") == [(136, 125)]
    assert dict(paris.ask(f"select location_detail, count(*) {closures} group by 1")) == {
        "De Paris vers province": 29,
        "De province vers Paris": 5,
        "Périphérique intérieur": 13,
        "Périphérique extérieur": 14,
        None: 75,
    }


def test_calendar_dates_are_never_made_into_instants(paris: Authority):
    assert paris.ask(
        "select source, period_precision, count(start_at), count(end_at) from mobility.works_sites "
        "where source <> 'paris_fermetures_voirie' group by 1, 2 order by 1"
    ) == [("paris_chantiers", "date", 0, 0), ("paris_chantiers_perturbants", "date", 0, 0)]


def test_occupations_without_geometry_stay(paris: Authority):
    assert paris.value("select count(*) from mobility.works_sites where geometry is null") == 4


# --- the year, and the place ----------------------------------------------------------------------------------------


def test_only_months_without_a_gap_make_a_mean(paris: Authority):
    # In two months of the extracts alone are all 744 hours counted: January and August 2024.
    assert paris.ask(
        "select counter_id, year, coverage_status, months_kept, days_kept, mean_daily_traffic_veh_d "
        "from mobility.traffic_yearly where coverage_status <> 'no_complete_month'"
    ) == [(CHAMPS_ELYSEES, 2024, "some_months", 2, 62, (636_395 + 379_974) / 62)]


def test_no_outline_of_a_commune_is_at_hand_and_none_is_invented(paris: Authority):
    assert paris.value("select count(commune_code) from mobility.works_sites") == 0
    assert paris.value("select count(commune_code) from mobility.traffic_yearly") == 0


# --- the join ---------------------------------------------------------------------------------------------------


def test_works_near_the_champs_elysees(paris: Authority):
    near = f"from mobility.counter_works_daily where counter_id = '{CHAMPS_ELYSEES}' and day_on >= date '2023-10-01'"
    assert paris.ask(f"select count(distinct day_on), min(day_on), max(day_on) {near}") == [
        (384, date(2023, 10, 1), date(2024, 11, 28))
    ]
    assert dict(paris.ask(f"select works_source, count(distinct site_id) > 0 {near} group by 1")) == {
        "paris_chantiers": True,
        "paris_chantiers_perturbants": True,
    }
    assert paris.ask(f"select min(distance_m) > 40, max(distance_m) <= 500 {near}") == [(True, True)]


def test_the_join_holds_only_active_sites_and_days_heard(paris: Authority):
    assert (
        paris.ask(
            "select near.* from mobility.counter_works_daily as near "
            "inner join mobility.works_sites as sites "
            "on near.works_source = sites.source and near.site_id = sites.site_id "
            "where near.day_on not between sites.start_on and sites.end_on or near.kind <> sites.kind "
            "or near.site_group_id <> sites.site_group_id"
        )
        == []
    )
    heard = (
        "select counter_id, cast(substr(hour_start_local, 1, 10) as date) as day_on, "
        "count(*) filter (where measure_kind <> 'none') as measured from mobility.traffic_hourly group by 1, 2"
    )
    assert paris.ask(
        "select count(*), count(*) filter (where heard.measured = near.measured_hours) "
        f"from mobility.counter_works_daily as near left join ({heard}) as heard using (counter_id, day_on)"
    ) == paris.ask("select count(*), count(*) from mobility.counter_works_daily")
