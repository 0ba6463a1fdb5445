"""Each expectation of each suite goes red on a seeded defect, and machinery errors are told from bad data.

Great Expectations is imported once for the whole module; each defect runs on a copy of one small warehouse. Other files
of this folder seed the suites of their own subjects: each offers ``all_defects``, and no suite may be without.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import PendingRollbackError
from sqlalchemy.pool import NullPool

from expectations import engine
from expectations.results import Result, Validation
from expectations.suite import Suite, read_suite
from raw_sources.database import connect
from raw_sources.errors import MachineryError
from tests.seeded import SETTINGS, Defect, only

ALL_SUITES = Path(__file__).parents[2] / "expectations"
SUITES = ALL_SUITES / "mobility"
TRAFFIC, WORKS, PAIRS = "mobility.traffic_hourly", "mobility.works_sites", "mobility.counter_works_daily"
YEARLY = "mobility.traffic_yearly"
MARTS = (TRAFFIC, WORKS, PAIRS, YEARLY)

MARTS_SQL = """
create schema mobility;
create schema ops;
create table ops.territory as select
    'sample' as name, 'Europe/Paris' as time_zone, 2.0::double as min_lon, 48.0::double as min_lat,
    3.0::double as max_lon, 49.0::double as max_lat, 500.0::double as reach_m, date '2026-04-30' as as_of,
    true as is_synthetic;
create table mobility.traffic_hourly as
with hours as (
    select range as hour_start_at, timezone('Europe/Paris', range at time zone 'UTC') as local
    from range(timestamp '2026-03-01', timestamp '2026-05-01', interval 1 hour)
),
counted as (select *, extract(hour from hour_start_at) as h, counter from hours, range(2) as counters(counter))
select
    'town_counters' as source, 'c' || counter as counter_id, 'one_way' as direction, 'all' as vehicle_class,
    hour_start_at,
    strftime(local, '%Y-%m-%dT%H:%M:%S+0') || date_diff('hour', hour_start_at, local) || ':00' as hour_start_local,
    case
        when h = 3 then 'none' when h = 4 then 'occupancy' when h = 5 then 'floating_car_speed' when h = 6 then 'speed'
        else 'count'
    end as measure_kind,
    case when h not in (3, 4, 5, 6) then 100.0 + h end::double as flow_veh_h,
    case when h not in (3, 5, 6) then 12.5 end::double as occupancy_pct,
    case when h in (5, 6, 7) then 47.0 end::double as speed_kmh,
    'fluid' as traffic_state, case when h = 3 then 0 else 1 end::decimal(5, 4) as measured_share,
    case when h in (5, 6, 7) then 0.6 else 0 end::decimal(5, 4) as speed_measured_share,
    false as is_barred, 'plausible' as plausibility, 'Rue du Marché' as street,
    case when counter = 0 then 2.5 end::double as lon, case when counter = 0 then 48.5 end::double as lat,
    left(hour_start_local, 7) as period_month
from counted;
update mobility.traffic_hourly set flow_veh_h = 12001, plausibility = 'implausible_flow'
where counter_id = 'c1' and hour_start_at = timestamp '2026-03-15 12:00:00';
alter table mobility.traffic_hourly add column flow_status varchar;
alter table mobility.traffic_hourly add column occupancy_status varchar;
alter table mobility.traffic_hourly add column speed_status varchar;
update mobility.traffic_hourly
set flow_status = case when flow_veh_h is null then 'not_available' else 'measured' end,
    occupancy_status = case when occupancy_pct is null then 'not_available' else 'measured' end,
    speed_status = case when speed_kmh is null then 'not_available' else 'measured' end;
insert into mobility.traffic_hourly
select * replace ('town_loops' as source, null as lon, null as lat) from mobility.traffic_hourly
where counter_id = 'c0' and hour_start_at::date = date '2026-03-20';
create table mobility.works_sites as
select * from (values
    ('town_works', 'w1', 'g1', true, null, 'road_works', 'lane_restricted', 2, 'date', 'ended', 1, 1, null, null),
    ('town_works', 'w2', 'g2', true, null, 'network_works', 'road_closed', 1, 'date', 'planned', 2, 3, null, null),
    ('town_permits', 'p1', 'g1', false, '{"key": "K1", "distance_m": 12}', 'network_works', 'parking', null, 'instant',
     'ended', 1, 1, timestamp '2026-03-10 07:00:00', timestamp '2026-04-10 17:00:00'),
    ('town_works', 'w3', 'g3', true, null, 'project', 'unknown', null, 'text', 'unknown', 1, 1, null, null)
) as works(
    source, site_id, site_group_id, is_group_primary, match_evidence, kind, disruption, disruption_level,
    period_precision, status, version_count, parts_count, start_at, end_at
);
alter table mobility.works_sites add column start_on date default '2026-03-10';
alter table mobility.works_sites add column end_on date default '2026-04-10';
alter table mobility.works_sites add column last_day_on date default '2026-04-10';
alter table mobility.works_sites add column first_announced_end_on date default '2026-04-01';
alter table mobility.works_sites add column end_slippage_days integer default 9;
alter table mobility.works_sites add column announced_versions varchar default '[{"end_on": "2026-04-10"}]';
alter table mobility.works_sites add column surface_m2 double default 40;
alter table mobility.works_sites add column surface_status varchar default 'measured';
alter table mobility.works_sites add column geometry varchar default '{"type": "Point", "coordinates": [2.5, 48.5]}';
alter table mobility.works_sites add column lon double default 2.5;
alter table mobility.works_sites add column lat double default 48.5;
alter table mobility.works_sites add column occupies_carriageway boolean default true;
alter table mobility.works_sites add column stated_phase varchar;
alter table mobility.works_sites add column phase_contradicts_dates boolean default false;
alter table mobility.works_sites add column direction varchar default 'both';
alter table mobility.works_sites add column lanes_closed integer default 1;
alter table mobility.works_sites add column commune_code varchar default '2A004';
alter table mobility.works_sites add column commune_vintage integer default 2025;
alter table mobility.works_sites add column commune_origin varchar default 'contour';
update mobility.works_sites set announced_versions = '[{"end_on": "2026-04-01"}, {"end_on": "2026-04-10"}]'
where site_id = 'w2';
update mobility.works_sites set stated_phase = 'ended', phase_contradicts_dates = true where site_id = 'w2';
update mobility.works_sites set commune_code = null, commune_vintage = null, commune_origin = null where site_id = 'p1';
update mobility.works_sites
set start_on = null, end_on = null, last_day_on = null, first_announced_end_on = null, end_slippage_days = null,
    stated_phase = 'ongoing', geometry = null, lon = null, lat = null
where site_id = 'w3';
create table mobility.counter_works_daily as
select
    'town_counters' as source, 'c0' as counter_id, works.source as works_source, works.site_id, works.site_group_id,
    cast(day_on as date) as day_on, 120.0::double as distance_m, 'upstream' as position, works.kind,
    works.disruption, works.disruption_level, 23 as measured_hours, strftime(day_on, '%Y-%m') as period_month
from mobility.works_sites as works, range(date '2026-03-10', date '2026-04-11', interval 1 day) as days(day_on)
where works.start_on is not null;
create table mobility.traffic_yearly as
select
    'town_counters' as source, counter_id, 'one_way' as direction, 'all' as vehicle_class, year, coverage_status,
    months_kept, days_kept, working_days_kept, complete_days, days_in_year, mean as mean_daily_traffic_veh_d,
    mean * 1.1 as mean_working_day_traffic_veh_d, length_m as section_length_m,
    mean * length_m / 1000 as traffic_volume_veh_km_d,
    case when mean is null then 'not_available' else 'measured' end as mean_daily_traffic_status,
    mean_daily_traffic_status as mean_working_day_traffic_status,
    case when length_m is null then 'not_available' else 'estimated' end as section_length_status,
    case when mean * length_m is null then 'not_available' else 'estimated' end as traffic_volume_status,
    '75056' as commune_code, 2025 as commune_vintage,
    2.5::double as lon, 48.5::double as lat
from (values
    ('c0', 2024, 'complete_year', 12, 366, 254, 366, 366, 2400.0::double, 250.0::double),
    ('c0', 2026, 'some_months', 1, 31, 22, 60, 365, 2500.0, 250.0),
    ('c1', 2025, 'no_complete_month', 0, 0, 0, 12, 365, null, 250.0),
    ('c1', 2026, 'some_months', 1, 31, 22, 31, 365, 1200.0, null)
) as years(
    counter_id, year, coverage_status, months_kept, days_kept, working_days_kept, complete_days, days_in_year, mean,
    length_m
);
create table ops.mart_sources as select * from (values
    ('mobility.traffic_hourly', 'town_counters'), ('mobility.traffic_hourly', 'town_loops'),
    ('mobility.works_sites', 'town_works'),
    ('mobility.works_sites', 'town_permits'), ('mobility.works_sites', 'town_closures')
) as feeds(mart, source);
create table ops.sources as select * from (values
    ('town_counters', 'traffic_hours'), ('town_loops', 'traffic_samples'), ('town_works', 'works')
) as cards(source, family);
create table ops.ledger as
select source, '000001-abc' as delivery_id, count(*) * case source when 'town_loops' then 10 else 1 end as staged
from mobility.traffic_hourly group by source
union all values ('town_works', '000001-def', 3), ('town_works', '000002-def', 1), ('town_permits', '000001-ghi', 1),
    ('town_closures', '000001-jkl', 0);
create table ops.last_release as
select 'mobility.traffic_hourly' as mart, source, period_month as period, count(*) as "rows"
from mobility.traffic_hourly group by all
union all select 'mobility.works_sites', source, '*', count(*) from mobility.works_sites group by all
union all select 'mobility.traffic_yearly', source, '*', count(*) from mobility.traffic_yearly group by all
union all select 'mobility.counter_works_daily', source, period_month, count(*)
from mobility.counter_works_daily group by all;
"""

ONE_HOUR = "counter_id = 'c0' and hour_start_at = timestamp '2026-03-15 12:00:00'"
ONE_PAIR = "site_id = 'w1' and day_on = date '2026-03-15'"
ONE_YEAR = "counter_id = 'c0' and year = 2026"
WITHOUT_MONTH, WITHOUT_LENGTH = "counter_id = 'c1' and year = 2025", "counter_id = 'c1' and year = 2026"


def _hour(assignment: str) -> Defect:
    return Defect(f"update {TRAFFIC} set {assignment} where {ONE_HOUR}")


def _site(assignment: str, site: str = "w1") -> Defect:
    return Defect(f"update {WORKS} set {assignment} where site_id = '{site}'")


def _pair(assignment: str) -> Defect:
    return Defect(f"update {PAIRS} set {assignment} where {ONE_PAIR}")


def _year(assignment: str, where: str = ONE_YEAR) -> Defect:
    return Defect(f"update {YEARLY} set {assignment} where {where}")


DEFECTS: dict[str, dict[str, Defect]] = {
    TRAFFIC: {
        "key_is_unique": Defect(f"insert into {TRAFFIC} select * from {TRAFFIC} where {ONE_HOUR}"),
        "flow_is_plausible": _hour("flow_veh_h = 20001"),
        "occupancy_is_a_percentage": _hour("occupancy_pct = 100.5"),
        "speed_is_plausible": _hour("speed_kmh = 252"),
        "flow_says_its_status": _hour("flow_veh_h = null"),
        "occupancy_says_its_status": _hour("occupancy_status = 'not_applicable'"),
        "speed_says_its_status": _hour("speed_status = null"),
        "measured_share_is_a_share": _hour("measured_share = 1.0001"),
        "speed_measured_share_is_a_share": _hour("speed_measured_share = 1.0001"),
        "measure_kind_is_known": _hour("measure_kind = 'estimate'"),
        "traffic_state_is_known": _hour("traffic_state = 'Fluide'"),
        "plausibility_is_a_word": _hour("plausibility = 'Looks odd.'"),
        "hour_is_whole": _hour("hour_start_at = hour_start_at + interval 20 minute"),
        "local_time_is_iso": _hour("hour_start_local = '15/03/2026 13:00'"),
        "local_time_agrees_with_utc": _hour("hour_start_local = '2026-03-15T14:00:00+02:00'"),
        "period_is_the_month": _hour("period_month = '2026-04'"),
        "period_is_in_living_memory": _hour("period_month = '0219-03'"),
        "measure_kind_agrees_with_measures": _hour("flow_veh_h = null"),
        "nothing_measured_means_no_share": _hour("measured_share = 0"),
        "no_speed_means_no_share_of_it": _hour("speed_measured_share = 0.1"),
        "months_are_measured": Defect(
            f"update {TRAFFIC} set measure_kind = 'none', measured_share = 0 where period_month = '2026-03'"
        ),
        "counters_are_inside_the_territory": _hour("lon = 48.5, lat = 2.5"),
        "every_staged_record_is_here": Defect(f"delete from {TRAFFIC} where {ONE_HOUR}"),
        "last_release_is_kept": Defect(f"delete from {TRAFFIC} where period_month = '2026-04'"),
    },
    WORKS: {
        "key_is_unique": Defect(f"insert into {WORKS} select * from {WORKS} where site_id = 'w1'"),
        "kind_is_known": _site("kind = 'ASSAINISSEMENT'"),
        "disruption_is_known": _site("disruption = 'BARRAGE_TOTAL'"),
        "disruption_level_is_a_level": _site("disruption_level = 75010"),
        "status_is_known": _site("status = '3'"),
        "stated_phase_is_known": _site("stated_phase = 'en cours'"),
        "contradicted_phase_is_flagged": _site("stated_phase = 'planned'"),
        "words_without_dates_have_no_period": _site("period_precision = 'text'"),
        "direction_is_known": _site("direction = 'vers le nord'"),
        "lanes_closed_are_plausible": _site("lanes_closed = 13"),
        "period_precision_is_known": _site("period_precision = 'hour'"),
        "instants_only_where_given": _site("start_at = timestamp '2026-03-10 00:00:00'"),
        "starts_before_it_ends": _site("end_on = date '2026-03-09'"),
        "last_day_is_by_the_announced_end": _site("last_day_on = date '2026-04-11'"),
        "what_is_over_is_not_ongoing": _site("status = 'ongoing'"),
        "dates_are_in_living_memory": _site("start_on = date '0219-03-10'"),
        "group_has_one_primary": _site("is_group_primary = true", "p1"),
        "shared_group_has_evidence": _site("match_evidence = null", "p1"),
        "shared_group_is_in_one_place": _site("lat = 48.52", "p1"),
        "evidence_is_json": _site("match_evidence = 'same key'", "p1"),
        "announced_versions_are_counted": _site("announced_versions = '[' || announced_versions"),
        "a_site_has_versions_and_parts": _site("parts_count = 0"),
        "slippage_agrees_with_dates": _site("end_slippage_days = 8"),
        "commune_code_has_its_vintage": _site("commune_vintage = null"),
        "commune_code_is_a_code": _site("commune_code = '1004'"),
        "commune_origin_is_known": _site("commune_origin = 'guessed'"),
        "surface_is_plausible": _site("surface_m2 = -1"),
        "surface_says_its_status": _site("surface_m2 = null"),
        "geometry_is_geojson": _site("geometry = 'POINT (2.5 48.5)'"),
        "sites_are_inside_the_territory": _site("lon = null"),
        "every_source_is_here": Defect("update ops.ledger set staged = 4 where source = 'town_closures'"),
        "last_release_is_kept": Defect(f"delete from {WORKS} where source = 'town_permits'"),
    },
    PAIRS: {
        "key_is_unique": Defect(f"insert into {PAIRS} select * from {PAIRS} where {ONE_PAIR}"),
        "distance_is_within_reach": _pair("distance_m = 500.1"),
        "position_is_known": _pair("position = 'north'"),
        "measured_hours_fit_a_day": _pair("measured_hours = 26"),
        "period_is_the_month": _pair("period_month = '2026-04'"),
        "counter_is_known": _pair("counter_id = 'c9'"),
        "works_are_known_and_under_way": _pair("day_on = date '2026-03-09'"),
        "works_are_described_alike": _pair("kind = 'closure'"),
        "last_release_is_kept": Defect(f"delete from {PAIRS} where period_month = '2026-04'"),
    },
    YEARLY: {
        "key_is_unique": Defect(f"insert into {YEARLY} select * from {YEARLY} where {ONE_YEAR}"),
        "coverage_agrees_with_months": _year("coverage_status = 'complete_year'"),
        "mean_rests_on_complete_months": _year("mean_daily_traffic_veh_d = null"),
        "days_fit_their_months": _year("days_kept = 27"),
        "traffic_is_plausible": _year("mean_daily_traffic_veh_d = 288001"),
        "working_day_traffic_is_plausible": _year("mean_working_day_traffic_veh_d = -1"),
        "volume_is_traffic_times_length": _year("section_length_m = 2500"),
        "mean_says_its_status": _year("mean_daily_traffic_status = 'secret'"),
        "working_day_mean_says_its_status": _year("mean_working_day_traffic_veh_d = null"),
        "length_says_its_status": _year("section_length_status = 'known'"),
        "volume_says_its_status": _year("traffic_volume_status = 'not_available'"),
        "year_is_in_living_memory": _year("year = 219"),
        "commune_code_has_its_vintage": _year("commune_vintage = null"),
        "commune_code_is_a_code": _year("commune_code = '75 056'"),
        "counter_is_known": _year("counter_id = 'c9'"),
        "counters_are_inside_the_territory": _year("lon = 48.5, lat = 2.5"),
        "last_release_is_kept": Defect(f"delete from {YEARLY} where {ONE_YEAR}"),
    },
}

# The same expectation may have several ways to fail; these defects come beside the first of each.
FURTHER_DEFECTS: list[tuple[str, str, Defect]] = [
    (TRAFFIC, "flow_is_plausible", _hour("flow_veh_h = -1")),
    (TRAFFIC, "flow_is_plausible", _hour("flow_veh_h = 'nan'::double")),
    (TRAFFIC, "flow_is_plausible", _hour("flow_veh_h = 'inf'::double, plausibility = 'implausible_flow'")),
    (TRAFFIC, "local_time_agrees_with_utc", _hour("hour_start_local = '2026-03-15T12:00:00+00:00'")),
    (TRAFFIC, "local_time_agrees_with_utc", _hour("hour_start_local = '2026-02-30T12:00:00+01:00'")),
    (TRAFFIC, "counters_are_inside_the_territory", _hour("lat = null")),
    (TRAFFIC, "counters_are_inside_the_territory", Defect("delete from ops.territory", 1464)),
    (TRAFFIC, "every_staged_record_is_here", Defect("delete from ops.mart_sources", 2)),
    # Samples are gathered, several into one hour: none at all, or more hours than samples, is still wrong.
    (TRAFFIC, "every_staged_record_is_here", Defect(f"delete from {TRAFFIC} where source = 'town_loops'")),
    (TRAFFIC, "every_staged_record_is_here", Defect("update ops.ledger set staged = 23 where source = 'town_loops'")),
    # Only a card that names the family of samples may have fewer hours than records.
    (TRAFFIC, "every_staged_record_is_here", Defect("update ops.sources set family = 'traffic_hours'")),
    (TRAFFIC, "every_staged_record_is_here", Defect("delete from ops.sources")),
    (TRAFFIC, "last_release_is_kept", Defect(f"delete from {TRAFFIC} where hour_start_at < timestamp '2026-03-03'")),
    (TRAFFIC, "measure_kind_agrees_with_measures", _hour("measure_kind = 'speed', speed_kmh = 30")),
    (TRAFFIC, "measure_kind_agrees_with_measures", _hour("measure_kind = 'floating_car_speed', speed_kmh = 30")),
    (TRAFFIC, "measure_kind_agrees_with_measures", _hour("measure_kind = 'occupancy'")),
    (TRAFFIC, "measure_kind_agrees_with_measures", _hour("measure_kind = 'none'")),
    (WORKS, "contradicted_phase_is_flagged", _site("phase_contradicts_dates = false", "w2")),
    (WORKS, "contradicted_phase_is_flagged", _site("phase_contradicts_dates = true")),
    (WORKS, "contradicted_phase_is_flagged", _site("phase_contradicts_dates = true", "w3")),
    (WORKS, "words_without_dates_have_no_period", _site("end_on = date '2026-12-31'", "w3")),
    (WORKS, "instants_only_where_given", _site("end_at = timestamp '2026-12-31 00:00:00'", "w3")),
    (WORKS, "last_day_is_by_the_announced_end", _site("last_day_on = null")),
    (WORKS, "lanes_closed_are_plausible", _site("lanes_closed = -1")),
    (WORKS, "commune_code_has_its_vintage", _site("commune_vintage = 2025", "p1")),
    (WORKS, "commune_code_is_a_code", _site("commune_code = '210040'")),
    (WORKS, "announced_versions_are_counted", _site("version_count = 2")),
    (WORKS, "announced_versions_are_counted", _site("announced_versions = '{}'")),
    (WORKS, "geometry_is_geojson", _site('geometry = \'{"type": "Point"}\'')),
    (WORKS, "group_has_one_primary", _site("is_group_primary = false")),
    (WORKS, "instants_only_where_given", _site("start_at = null, end_at = null", "p1")),
    (WORKS, "starts_before_it_ends", _site("end_at = timestamp '2026-03-10 06:00:00'", "p1")),
    (WORKS, "every_source_is_here", Defect("update ops.ledger set staged = 0 where source = 'town_permits'")),
    (PAIRS, "distance_is_within_reach", _pair("distance_m = -0.5")),
    (PAIRS, "distance_is_within_reach", Defect("delete from ops.territory", 96)),
    (PAIRS, "works_are_known_and_under_way", _pair("site_id = 'w9'")),
    (PAIRS, "works_are_known_and_under_way", _site("last_day_on = date '2026-04-09'")),
    (PAIRS, "works_are_described_alike", _pair("disruption_level = null")),
    (YEARLY, "coverage_agrees_with_months", _year("months_kept = 13")),
    (YEARLY, "mean_rests_on_complete_months", _year("mean_daily_traffic_veh_d = 0", WITHOUT_MONTH)),
    (YEARLY, "days_fit_their_months", _year("days_kept = 32")),
    (YEARLY, "days_fit_their_months", _year("complete_days = 30")),
    (YEARLY, "days_fit_their_months", _year("complete_days = 366")),
    (YEARLY, "days_fit_their_months", _year("working_days_kept = 32")),
    (YEARLY, "days_fit_their_months", _year("days_in_year = 367")),
    (YEARLY, "volume_is_traffic_times_length", _year("traffic_volume_veh_km_d = null")),
    (YEARLY, "volume_is_traffic_times_length", _year("traffic_volume_veh_km_d = 300", WITHOUT_LENGTH)),
    (YEARLY, "volume_is_traffic_times_length", _year("traffic_volume_veh_km_d = 0", WITHOUT_MONTH)),
    (YEARLY, "counter_is_known", _year("source = 'town_loops'", WITHOUT_MONTH)),
]


def _suite(mart: str) -> Suite:
    return read_suite(SUITES / f"{mart.split('.')[1]}.yml")


def all_defects() -> Iterator[tuple[str, str, Defect]]:
    """Yield mart, expectation and defect; a column that may not be missing is emptied."""
    for mart, defects in DEFECTS.items():
        yield from ((mart, name, defect) for name, defect in defects.items())
        for name in (one.name for one in _suite(mart).expectations if one.kind == "not_null"):
            column = name.split(".")[1]
            sql = f"update {mart} set {column} = null where rowid = (select max(rowid) from {mart})"
            yield mart, name, Defect(sql)
    yield from FURTHER_DEFECTS


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "warehouse.duckdb"
    with connect(path, SETTINGS) as connection:
        connection.execute(MARTS_SQL)
    return path


@pytest.fixture
def warehouse(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(sound, tmp_path / "warehouse.duckdb"))


def _spoil(path: Path, sql: str) -> None:
    with connect(path, SETTINGS) as connection:
        connection.execute(sql)


def _result(validation: Validation, name: str) -> Result:
    return next(result for result in validation.results if result.name == name)


def _statuses(validation: Validation) -> dict[str, str]:
    return {result.name: result.status for result in validation.results}


def _write_suite(folder: Path, expectations: str) -> Suite:
    path = folder / "traffic_hourly.yml"
    head = f"mart: {TRAFFIC}\ntitle_fr: Essai\ntitle_en: Trial\nexpectations:\n"
    path.write_text(head + expectations, encoding="utf-8")
    return read_suite(path)


def _no_rows(query: str) -> str:
    return f"  - name: trial\n    kind: no_rows\n    why_fr: essai\n    why_en: trial\n    query: |\n      {query}\n"


@pytest.mark.parametrize("mart", MARTS)
def test_sound_marts_pass(sound: Path, mart: str) -> None:
    suite = _suite(mart)
    validation = engine.validate(suite, sound, SETTINGS)
    assert [result for result in validation.results if result.status != "passed"] == []
    assert validation.status == "passed"
    assert validation.expected == validation.evaluated == len(suite.expectations)


@cache
def _seeded_anywhere() -> set[tuple[str, str]]:
    """Return the marts and expectations that the files of this folder seed a defect for."""
    files = [path for path in Path(__file__).parent.glob("test_*.py") if "def all_defects(" in path.read_text("utf-8")]
    modules = [importlib.import_module(f"{__package__}.{path.stem}") for path in files]
    return {(mart, name) for module in modules for mart, name, _ in module.all_defects()}


@pytest.mark.parametrize("path", sorted(ALL_SUITES.glob("*/*.yml")), ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_every_expectation_of_every_suite_has_a_seeded_defect(path: Path) -> None:
    suite = read_suite(path)
    assert {name for mart, name in _seeded_anywhere() if mart == suite.mart} == {one.name for one in suite.expectations}


@pytest.mark.parametrize(
    ("mart", "name", "defect"), [pytest.param(*case, id=f"{case[0]}-{case[1]}") for case in all_defects()]
)
def test_a_seeded_defect_turns_its_expectation_red(warehouse: Path, mart: str, name: str, defect: Defect) -> None:
    _spoil(warehouse, defect.sql)
    result = _result(engine.validate(only(_suite(mart), name), warehouse, SETTINGS), name)
    assert (result.status, result.unexpected_count) == ("failed", defect.count), result.observed


def test_one_defect_leaves_the_other_expectations_green(warehouse: Path) -> None:
    _spoil(warehouse, DEFECTS[TRAFFIC]["flow_is_plausible"].sql)
    validation = engine.validate(_suite(TRAFFIC), warehouse, SETTINGS)
    assert validation.status == "failed"
    assert [name for name, status in _statuses(validation).items() if status != "passed"] == ["flow_is_plausible"]


@pytest.mark.parametrize("mart", MARTS)
def test_an_empty_territory_is_no_error(warehouse: Path, mart: str) -> None:
    tables = [*MARTS, "ops.ledger", "ops.mart_sources", "ops.last_release", "ops.sources"]
    _spoil(warehouse, ";".join(f"delete from {table}" for table in tables))
    assert engine.validate(_suite(mart), warehouse, SETTINGS).status == "passed"


def test_a_missing_column_is_an_error_of_the_machinery(warehouse: Path) -> None:
    _spoil(warehouse, f"alter table {TRAFFIC} drop column flow_veh_h")
    validation = engine.validate(_suite(TRAFFIC), warehouse, SETTINGS)
    statuses = _statuses(validation)
    assert validation.status == "error"
    assert statuses["flow_is_plausible"] == statuses["measure_kind_agrees_with_measures"] == "error"
    assert statuses["occupancy_is_a_percentage"] == statuses["key_is_unique"] == "passed"
    assert (validation.count("failed"), validation.count("error")) == (0, 3)
    assert "flow_veh_h" in (_result(validation, "flow_is_plausible").observed or "")


def test_an_error_wins_over_a_failure(warehouse: Path) -> None:
    _spoil(warehouse, f"alter table {TRAFFIC} drop column speed_kmh")
    _spoil(warehouse, DEFECTS[TRAFFIC]["flow_is_plausible"].sql)
    validation = engine.validate(only(_suite(TRAFFIC), "flow_is_plausible", "speed_is_plausible"), warehouse, SETTINGS)
    assert _statuses(validation) == {"flow_is_plausible": "failed", "speed_is_plausible": "error"}
    assert validation.status == "error"


def test_a_missing_ops_table_is_an_error(warehouse: Path) -> None:
    _spoil(warehouse, "drop table ops.ledger")
    validation = engine.validate(only(_suite(TRAFFIC), "every_staged_record_is_here"), warehouse, SETTINGS)
    assert validation.status == "error"


@pytest.mark.parametrize(
    "query",
    [
        "select nope from {mart}",
        "selec 1 from {mart}",
        "select 1 from {mart} where error('stop')",
        "select {x} from {mart}",
    ],
)
def test_a_broken_query_is_an_error(sound: Path, tmp_path: Path, query: str) -> None:
    suite = _write_suite(tmp_path, _no_rows(query))
    result = _result(engine.validate(suite, sound, SETTINGS), "trial")
    assert (result.status, result.unexpected_count) == ("error", None)
    assert result.observed


def test_sql_keeps_its_braces_colons_and_percents(sound: Path, tmp_path: Path) -> None:
    condition = "regexp_full_match(hour_start_local, '.{19}[+]02:00|.*\\+01:00') and street not like '%:name%{batch}%'"
    suite = _write_suite(tmp_path, _no_rows(f"select 1 from {{mart}} where not ({condition})"))
    assert engine.validate(suite, sound, SETTINGS).status == "passed"


def test_equal_checks_under_two_names_are_both_evaluated(sound: Path, tmp_path: Path) -> None:
    check = "{{name: {0}, kind: between, column: flow_veh_h, min: 0, max: 1, unit: u, why_fr: essai, why_en: trial}}"
    suite = _write_suite(tmp_path, f"  - {check.format('one')}\n  - {check.format('two')}\n")
    validation = engine.validate(suite, sound, SETTINGS)
    assert (validation.status, validation.evaluated) == ("failed", 2)


def test_an_answer_that_is_missing_is_an_error(sound: Path) -> None:
    suite = only(_suite(TRAFFIC), "speed_is_plausible")
    asked = replace(suite, expectations=(*suite.expectations, replace(suite.expectations[0], name="never_asked")))
    with connect(sound, SETTINGS) as connection:
        outcome = engine._run(suite, ["speed_kmh"], connection, None)
    results = engine._results(asked, outcome)
    assert [result.status for result in results] == ["passed", "error"]
    assert Validation(TRAFFIC, asked.digest, 2, results).status == "error"


@pytest.mark.parametrize(
    ("info", "message"),
    [
        ({"raised_exception": False, "exception_message": None}, None),
        ({}, None),
        (None, None),
        ({"raised_exception": True, "exception_message": "no column"}, "no column"),
        ({"metric": {"raised_exception": True, "exception_message": "no column"}}, "no column"),
        (
            {"a": {"raised_exception": False}, "b": {"raised_exception": True, "exception_message": ""}},
            "an exception without a message",
        ),
    ],
)
def test_both_shapes_of_exception_info_are_read(info: dict[str, object] | None, message: str | None) -> None:
    assert engine.raised(info) == message


def test_a_tolerated_loss_passes_while_it_lasts(warehouse: Path, tmp_path: Path) -> None:
    _spoil(warehouse, DEFECTS[TRAFFIC]["last_release_is_kept"].sql)

    def status(**changes: str) -> str:
        fields = {"expectation": "last_release_is_kept", "source": "town_counters", "period": "'2026-04'",
                  "reason": "the producer withdrew April", "until": "2026-04-30"} | changes  # fmt: skip
        path = tmp_path / "tolerances.yml"
        lines = "".join(f"    {key}: {value}\n" for key, value in fields.items())
        path.write_text(f"mart: {TRAFFIC}\ntolerances:\n  -\n{lines}", encoding="utf-8")
        suite = read_suite(SUITES / "traffic_hourly.yml", path)
        return engine.validate(only(suite, "last_release_is_kept"), warehouse, SETTINGS).status

    assert status() == "passed"
    assert status(until="2026-04-29") == "failed"
    assert status(period="'2026-03'") == "failed"
    assert status(source="other_counters") == "failed"


def test_a_tolerated_source_may_differ_from_the_ledger(warehouse: Path, tmp_path: Path) -> None:
    _spoil(warehouse, DEFECTS[TRAFFIC]["every_staged_record_is_here"].sql)
    path = tmp_path / "tolerances.yml"
    path.write_text(
        f"mart: {TRAFFIC}\ntolerances:\n  - {{expectation: every_staged_record_is_here, source: town_counters,"
        " reason: known loss of one hour, until: 2026-12-31}\n",
        encoding="utf-8",
    )
    suite = only(read_suite(SUITES / "traffic_hourly.yml", path), "every_staged_record_is_here")
    assert engine.validate(suite, warehouse, SETTINGS).status == "passed"


def test_an_open_write_connection_may_coexist_and_a_writer_may_follow(warehouse: Path) -> None:
    suite = only(_suite(TRAFFIC), "flow_is_plausible")
    with connect(warehouse, SETTINGS) as connection:
        connection.execute(DEFECTS[TRAFFIC]["flow_is_plausible"].sql)
        assert engine.validate(suite, warehouse, SETTINGS).status == "failed"
        connection.execute(f"update {TRAFFIC} set flow_veh_h = 1 where {ONE_HOUR}")
        assert engine.validate(suite, warehouse, SETTINGS).status == "passed"
    with duckdb.connect(str(warehouse)) as other:  # another configuration: the file is free again
        assert other.sql("select 1").fetchone() == (1,)


def test_no_value_of_a_mart_leaves_with_the_results_or_the_docs(warehouse: Path, tmp_path: Path) -> None:
    _spoil(warehouse, f"update {TRAFFIC} set traffic_state = 'SECRET-VALUE', plausibility = 'SECRET-VALUE'")
    docs = tmp_path / "docs"
    validation = engine.validate(_suite(TRAFFIC), warehouse, SETTINGS, docs)
    assert _result(validation, "traffic_state_is_known").unexpected_count == 2952
    assert "SECRET-VALUE" not in repr(validation)
    pages = list((docs / TRAFFIC).rglob("*.html"))
    assert docs / TRAFFIC / "index.html" in pages
    assert any("12,000 vehicles" in page.read_text(encoding="utf-8") for page in pages)
    assert not any("SECRET-VALUE" in page.read_text(encoding="utf-8") for page in pages)


def test_no_value_of_a_mart_leaves_with_an_error(warehouse: Path, tmp_path: Path) -> None:
    _spoil(warehouse, f"update {TRAFFIC} set street = 'SECRET-VALUE'")
    suite = _write_suite(tmp_path, _no_rows("select 1 from {mart} where cast(street as integer) = 1"))
    result = _result(engine.validate(suite, warehouse, SETTINGS, tmp_path / "docs"), "trial")
    assert (result.status, result.unexpected_count) == ("error", None)
    assert "SECRET-VALUE" not in (result.observed or "")
    assert "Conversion Error" in (result.observed or "")
    assert not (tmp_path / "docs" / TRAFFIC).exists()


def test_docs_built_again_replace_the_former_ones(sound: Path, tmp_path: Path) -> None:
    suite = only(_suite(PAIRS), "position_is_known")
    counts = []
    for _ in range(2):
        engine.validate(suite, sound, SETTINGS, tmp_path)
        counts.append(len(list((tmp_path / PAIRS).rglob("*.html"))))
    assert counts[0] == counts[1] > 0


@pytest.mark.parametrize("broken", ["absent", "no_mart", "no_database", "locked"])
def test_a_warehouse_that_cannot_be_read_is_a_machinery_error(warehouse: Path, broken: str) -> None:
    settings = SETTINGS
    if broken == "absent":
        warehouse.unlink()
    elif broken == "no_mart":
        _spoil(warehouse, f"drop table {TRAFFIC}")
    elif broken == "no_database":
        warehouse.write_text("not a database", encoding="utf-8")
    with (
        duckdb.connect() if broken != "locked" else duckdb.connect(str(warehouse)),
        pytest.raises(MachineryError) as caught,
    ):
        engine.validate(_suite(TRAFFIC), warehouse, settings)
    assert str(warehouse.parent) not in (caught.value.where or "")
    assert caught.value.hint


def test_rows_outlive_the_connection_that_read_them(sound: Path) -> None:
    duckdb_engine = engine.DuckDBEngine(
        connection_string=f"duckdb:///{sound}", create_temp_table=False, poolclass=NullPool
    )
    result = duckdb_engine.execute_query(sa.text("select range as n from range(300) order by n"))
    assert result.fetchmany(200)[-1] == (199,)
    assert len(result.fetchall()) == 100


def test_an_invalid_transaction_is_recovered() -> None:
    # GX's private helper, on which DuckDBEngine relies: a change of its behaviour must be seen here first.
    database = sa.create_engine("duckdb:///:memory:")
    with database.connect() as connection:
        connection.execute(sa.text("select 1"))
        connection.invalidate()
        with pytest.raises(PendingRollbackError):
            connection.execute(sa.text("select 2"))
        assert engine.DuckDBEngine._execute_query_with_recovery(connection, sa.text("select 3")).scalar() == 3
