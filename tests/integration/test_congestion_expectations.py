"""Each expectation of the suite of the congestion of streets goes red on a seeded defect.

The mart is written by hand, two hours of three streets; what the models put into it is in their unit tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.seeded import Defect, check_is_sound, check_turns_red, made, spoilt, with_emptied_columns

CONGESTION = "mobility.congestion_street_hourly"

MART_SQL = f"""
create schema mobility;
create schema ops;
create table ops.territory as select 'Europe/Paris' as time_zone, date '2025-11-15' as as_of;
create table ops.ledger as select 'waze_evenements' as source, 20 as staged;
create table ops.last_release as
select '{CONGESTION}' as mart, 'waze_evenements' as source, '2025-11' as period, 4 as "rows"
union all
-- Erased with the lent data, which are kept for thirteen months.
select '{CONGESTION}', 'waze_evenements', '2024-10', 900;
create table {CONGESTION} as
select
    'waze_evenements' as source, street, '99999' as commune_code, 2025 as commune_vintage, 'contour' as commune_origin,
    direction, basis as direction_basis, timestamp '2025-11-15 06:00:00' + to_hours(hour) as hour_start_at,
    '2025-11-15T0' || (7 + hour) || ':00:00+01:00' as hour_start_local,
    case when jams > 0 then 90.0 end::double as delay_s,
    case when jams = 0 then 'not_applicable' when hour = 0 then 'measured' else 'estimated' end as delay_status,
    jams * 45.0::double as delay_per_snapshot_s,
    case when hour = 0 then 'measured' else 'estimated' end as delay_per_snapshot_status,
    jams * 300.0::double as length_jammed_m,
    case when hour = 0 then 'measured' else 'estimated' end as length_status,
    null::double as congestion_hkm,
    case when jams = 0 then 'not_applicable' else 'not_available' end as congestion_status,
    case when jams > 0 then 3 end as level_max,
    jams as events_count, 0 as irregularities_count, alerts as alerts_count, 0 as closures_count,
    case when hour = 0 then 30 else 20 end as snapshots_seen, 30 as snapshots_expected,
    case when hour = 0 then 1 else 0.6667 end::decimal(5, 4) as measured_share, '2025-11' as period_month
from (values
    ('rue A', 'N', 'heading', 0, 1, 0), ('rue A', 'N', 'heading', 1, 1, 1),
    ('rue B', 'place C > ?', 'crossings', 0, 2, 0), ('unknown', 'unknown', 'unknown', 1, 0, 1)
) as listed (street, direction, basis, hour, jams, alerts);
"""


def _first(change: str) -> Defect:
    return Defect(f"update {CONGESTION} set {change} where street = 'rue A' and snapshots_seen = 30")


def _alert(change: str) -> Defect:
    return Defect(f"update {CONGESTION} set {change} where street = 'unknown'")


DEFECTS: dict[str, dict[str, list[Defect]]] = {
    CONGESTION: {
        "key_is_unique": [Defect(f"insert into {CONGESTION} select * from {CONGESTION} where street = 'rue B'")],
        "direction_says_its_basis": [
            _first("direction = 'north'"),
            _first("direction_basis = 'unknown'"),
            Defect(f"update {CONGESTION} set direction = 'place C' where street = 'rue B'"),
        ],
        "an_hour_has_an_event": [_alert("alerts_count = 0")],
        "delay_is_plausible": [_first("delay_s = -1"), _first("delay_s = 90000")],
        "length_is_plausible": [_first("length_jammed_m = -3"), _first("length_jammed_m = 300000")],
        "levels_are_those_of_jams": [_first("level_max = 5")],
        "snapshots_are_of_one_hour": [_first("snapshots_seen = 31"), _first("snapshots_seen = 0")],
        "measured_share_agrees": [_first("measured_share = 0.5")],
        "hours_agree_on_their_snapshots": [_first("snapshots_seen = 29")],
        "an_incomplete_hour_says_so": [_alert("length_status = 'measured'"), _alert("delay_status = 'measured'")],
        "delay_says_its_status": [_first("delay_s = null"), _alert("delay_s = 0")],
        "delay_per_snapshot_says_its_status": [_first("delay_per_snapshot_s = null")],
        "length_says_its_status": [_first("length_jammed_m = null"), _first("length_status = 'ok'")],
        "volume_says_its_status": [_first("congestion_hkm = 0.3"), _first("congestion_status = 'measured'")],
        "hour_is_whole": [_first("hour_start_at = hour_start_at + interval 2 minute")],
        "local_time_agrees_with_utc": [
            _first("hour_start_local = '2025-11-15T07:00:00+02:00'"),
            _first("hour_start_local = '2025-11-15T06:00:00Z'"),
        ],
        "period_is_the_month": [_first("period_month = '2025-10'")],
        "no_more_rows_than_records": [
            Defect("update ops.ledger set staged = 3"),
            Defect(f"update {CONGESTION} set source = 'other' where street = 'rue B'"),
        ],
        "last_release_is_kept": [
            Defect(f"delete from {CONGESTION} where street = 'rue B'"),
            Defect(f"update {CONGESTION} set period_month = '2025-12'"),
        ],
    }
}


def all_defects() -> Iterator[tuple[str, str, Defect]]:
    """Return every seeded defect with its mart and expectation."""
    return with_emptied_columns(DEFECTS, lambda _, column: _first(f"{column} = null"))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("sound"), MART_SQL)


def test_a_sound_mart_passes(sound: Path) -> None:
    check_is_sound(CONGESTION, sound)


@pytest.mark.parametrize(
    ("mart", "name", "defect"),
    [pytest.param(*case, id=f"{case[1]}-{place}") for place, case in enumerate(all_defects())],
)
def test_a_seeded_defect_turns_its_expectation_red(
    sound: Path, tmp_path: Path, mart: str, name: str, defect: Defect
) -> None:
    check_turns_red(mart, name, defect, spoilt(sound, tmp_path, defect.sql))


def test_an_empty_mart_is_no_error(sound: Path, tmp_path: Path) -> None:
    emptied = f"delete from {CONGESTION}; delete from ops.ledger; delete from ops.last_release"
    check_is_sound(CONGESTION, spoilt(sound, tmp_path, emptied))


def test_a_night_without_any_event_is_no_error(sound: Path, tmp_path: Path) -> None:
    """Empty snapshots are staged, and give no row."""
    check_is_sound(CONGESTION, spoilt(sound, tmp_path, f"delete from {CONGESTION}; delete from ops.last_release"))
