"""Each expectation of the suite of the effect of works goes red on a seeded defect.

The mart is written by hand, one row of each kind; what the models put into it is in test_effect.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.seeded import Defect, check_is_sound, check_turns_red, made, spoilt, with_emptied_columns

EFFECT = "mobility.works_traffic_effect"

MART_SQL = """
create schema mobility;
create schema ops;
create table ops.territory as select date '2026-04-30' as as_of;
create table mobility.traffic_hourly as select 'counts' as source, 'c1' as counter_id;
create table mobility.works_sites as
select 'works' as source, unnest(['A', 'B', 'N']) as site_id, 'ongoing' as status, date '2026-04-09' as last_day_on;
create table mobility.works_traffic_effect as
select
    'counts' as source, 'c1' as counter_id, 'one_way' as direction, spell_id, measure,
    cast(start_on as date) as start_on,
    cast(start_on as date) + days - 1 as end_on, false as is_open, status as estimate_status,
    case when status = 'estimated' then 'estimated' else 'not_available' end as effect_status,
    case when status = 'estimated' then -20.0 end::decimal(9, 2) as effect_pct,
    case when status = 'estimated' then -23.0 end::decimal(9, 2) as lower_pct,
    case when status = 'estimated' then -16.0 end::decimal(9, 2) as upper_pct,
    case when status = 'estimated' then 10000.0 end::decimal(12, 2) as expected_per_day,
    case when status = 'estimated' then 8000.0 end::decimal(12, 2) as observed_per_day,
    case when status = 'estimated' then baseline end as baseline,
    case when status = 'estimated' then 'site' end as attribution, 'on' as position, 10.0::double as distance_m,
    json_array_length(sites) as sites_count, sites,
    case when status = 'estimated' then '["works/A"]' end as attributed_sites,
    case when status = 'estimated' then baseline_sites end as baseline_sites, days as spell_days,
    case when status = 'too_short' then 0 else days - 2 end as compared_days,
    case when status = 'estimated' then 60 end as baseline_days,
    case when status = 'estimated' then 1800 end as compared_hours,
    (case when status = 'too_short' then 0 else days - 2 end / days)::decimal(5, 4) as coverage_share,
    24 * (days - 1) as measured_hours, 0 as barred_hours, 0 as set_aside_hours,
    case when status = 'estimated' then 9 end as control_counters,
    case when status = 'estimated' then 12.0 end::decimal(9, 1) as effective_days, left(start_on, 7) as period_month
from (values
    ('s1', 'flow', '2026-03-01', 20, 'estimated', 'without_works', '[]', '[{"source": "works", "site_id": "A"}]'),
    ('s1', 'speed', '2026-03-01', 20, 'no_control', null, null, '[{"source": "works", "site_id": "A"}]'),
    ('s2', 'flow', '2026-03-21', 20, 'estimated', 'fewer_works', '["works/B"]',
     '[{"source": "works", "site_id": "A"}, {"source": "works", "site_id": "B"}]'),
    ('s3', 'flow', '2026-03-05', 2, 'too_short', null, null, '[{"source": "works", "site_id": "N"}]')
) as listed(spell_id, measure, start_on, days, status, baseline, baseline_sites, sites);
"""
ONE = "spell_id = 's1' and measure = 'flow'"


def _row(assignment: str, where: str = ONE) -> Defect:
    return Defect(f"update {EFFECT} set {assignment} where {where}")


DEFECTS: dict[str, list[Defect]] = {
    "key_is_unique": [Defect(f"insert into {EFFECT} select * from {EFFECT} where {ONE}")],
    "effect_says_its_status": [_row("effect_pct = null"), _row("effect_status = 'not_available'")],
    "measure_is_known": [_row("measure = 'volume'")],
    "status_is_known": [_row("estimate_status = 'unclear'")],
    "position_is_known": [_row("position = 'north'")],
    "a_reason_or_an_estimate": [
        _row("effect_pct = null"),
        _row("lower_pct = null"),
        _row("upper_pct = null"),
        _row("expected_per_day = null"),
        _row("observed_per_day = null"),
        _row("baseline = null"),
        _row("attribution = null"),
        _row("attributed_sites = null"),
        _row("baseline_sites = null"),
        _row("estimate_status = 'silent'"),
        _row("upper_pct = 3", "measure = 'speed'"),
    ],
    "interval_holds_the_effect": [
        _row("lower_pct = -19.99"),
        _row("upper_pct = -20.01"),
        _row("upper_pct = lower_pct"),
    ],
    "effect_is_a_change": [_row("lower_pct = -100.01")],
    "expected_agrees_with_observed": [_row("observed_per_day = 8003"), _row("expected_per_day = 9996")],
    "estimates_rest_on_enough_days": [
        _row("compared_days = 4"),
        _row("baseline_days = 13"),
        _row("control_counters = 4"),
        _row("compared_hours = 0"),
        _row("effective_days = 0"),
    ],
    "attribution_agrees_with_sites": [
        _row("attribution = 'set'"),
        _row("baseline = 'fewer_works'"),
        _row('attributed_sites = \'["works/A", "works/B"]\''),
        _row("attribution = 'both'"),
    ],
    "sites_are_counted": [_row("sites_count = 2"), _row("sites = '[]', sites_count = 0")],
    "days_fit_the_spell": [
        _row("spell_days = 21"),
        _row("compared_days = 21"),
        _row("coverage_share = 0.5"),
        _row("compared_days = -1"),
    ],
    "hours_fit_the_spell": [_row("measured_hours = 481"), _row("barred_hours = 501"), _row("set_aside_hours = -1")],
    "period_is_the_month": [_row("period_month = '2026-04'")],
    "ends_by_the_last_day_known": [Defect("update ops.territory set as_of = date '2026-04-08'")],
    "spells_do_not_overlap": [_row("end_on = end_on + 1")],
    "estimates_are_of_proven_lengths": [_row("spell_days = 92")],
    "works_are_known": [Defect("delete from mobility.works_sites where site_id = 'N'")],
    "works_are_under_way": [
        Defect("update mobility.works_sites set last_day_on = date '2026-04-08' where site_id = 'B'"),
        Defect(
            f"update {EFFECT} set is_open = true where spell_id = 's3'; "
            "update mobility.works_sites set status = 'ended' where site_id = 'N'"
        ),
    ],
    "counter_is_known": [Defect("update mobility.traffic_hourly set counter_id = 'c2'")],
}


def all_defects() -> Iterator[tuple[str, str, Defect]]:
    """Return every seeded defect with its mart and expectation."""
    return with_emptied_columns({EFFECT: DEFECTS}, lambda _, column: _row(f"{column} = null"))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("sound"), MART_SQL)


@pytest.mark.parametrize("mart", [EFFECT])
def test_a_sound_mart_passes(sound: Path, mart: str) -> None:
    check_is_sound(mart, sound)


@pytest.mark.parametrize(
    ("mart", "name", "defect"),
    [pytest.param(*case, id=f"{case[0]}-{case[1]}-{place}") for place, case in enumerate(all_defects())],
)
def test_a_seeded_defect_turns_its_expectation_red(
    sound: Path, tmp_path: Path, mart: str, name: str, defect: Defect
) -> None:
    check_turns_red(mart, name, defect, spoilt(sound, tmp_path, defect.sql))


@pytest.mark.parametrize("mart", [EFFECT])
def test_an_empty_mart_is_no_error(sound: Path, tmp_path: Path, mart: str) -> None:
    emptied = f"delete from {mart};"
    check_is_sound(mart, spoilt(sound, tmp_path, emptied))
