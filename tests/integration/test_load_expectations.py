"""Each expectation of the suites of the electricity load and of card payments goes red on a seeded defect.

The marts are written by hand, a few rows of each kind; what the models put into them is in their unit tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.seeded import Defect, check_is_sound, check_turns_red, made, spoilt, with_emptied_columns

LOAD = "energy.load_half_hourly"
PAYMENTS = "economy.foreign_card_payments_monthly"

MART_SQL = """
create schema energy;
create schema economy;
create schema ops;
create table ops.territory as select 'Europe/Paris' as time_zone, date '2022-04-01' as as_of;
create table ops.sources as
select * from (values ('loads', 'energy_loads'), ('cards', 'foreign_card_payments')) as listed(source, family);
create table ops.mart_sources as
select * from (values
    ('energy.load_half_hourly', 'loads'), ('economy.foreign_card_payments_monthly', 'cards')
) as listed(mart, source);
create table ops.ledger as select 'loads' as source, 8 as staged union all select 'cards', 49;
create table ops.last_release as
select 'energy.load_half_hourly' as mart, 'loads' as source, '2022-03' as period, 4 as "rows"
union all
select 'economy.foreign_card_payments_monthly', 'cards', '2019-07', 2;
create table energy.load_half_hourly as
select
    'loads' as source, 'region' as zone_level, '93' as zone_code, 'Sud' as zone_name,
    cast('2022-03-27 ' || moment as timestamp) as start_at, '2022-03-27T' || legal as start_local,
    case when share is not null then 'real_time' end as nature, case when share is not null then 900 end as step_s,
    case when share > 0 then 4000 end::double as consumption_mw,
    case when share = 1 then 'measured' when share > 0 then 'estimated' else 'not_available' end as consumption_status,
    coalesce(share, 0)::decimal(5, 4) as measured_share,
    case when share > 0 then 2100 end::double as production_mw,
    case when share > 0 then 'measured' else 'not_available' end as production_status,
    case when share > 0 then 100 end::double as thermal_mw, null::double as nuclear_mw,
    case when share > 0 then 2000 end::double as wind_mw, null::double as solar_mw, null::double as hydro_mw,
    null::double as bioenergy_mw, null::double as pumping_mw,
    case when share > 0 then 1900 end::double as physical_exchanges_mw,
    case when share > 0 then 'measured' else 'not_available' end as physical_exchanges_status,
    '2022-03' as period_month
from (values
    ('00:00:00', '01:00:00+01:00', 1), ('00:30:00', '01:30:00+01:00', 0.5), ('01:00:00', '03:00:00+02:00', 0),
    ('01:30:00', '03:30:00+02:00', null)
) as steps(moment, legal, share);
create table economy.foreign_card_payments_monthly as
select
    'cards' as source, zone_level, zone_code, year || '-' || lpad(month_no::varchar, 2, '0') as month,
    'DE' as card_country,
    case when year < 2020 then 50 * (year - 2015) end::double as value_index,
    case when year < 2020 then 'measured' else 'secret' end as value_status,
    100.0::double as volume_index, 'measured' as volume_status, 'index' as unit, '2019' as base_period,
    case when year in (2018, 2019) and zone_level = 'department' then ((year - 2015) / (year - 2016) - 1) * 100 end
        ::double as value_change_1y_pct,
    case
        when year in (2018, 2019) and zone_level = 'department' then 'measured'
        when year = 2020 then 'secret'
        else 'not_available'
    end as value_change_1y_status,
    case when year > 2017 and zone_level = 'department' then 0 end::double as volume_change_1y_pct,
    case when year > 2017 and zone_level = 'department' then 'measured' else 'not_available' end
        as volume_change_1y_status,
    case when year < 2020 and zone_level = 'department' then 1 end::double as value_seasonal_ratio,
    case when year = 2020 then 'secret' when zone_level = 'department' then 'measured' else 'not_available' end
        as value_seasonal_status,
    case when zone_level = 'department' then 1 end::double as volume_seasonal_ratio,
    case when zone_level = 'department' then 'measured' else 'not_available' end as volume_seasonal_status,
    case when zone_level = 'department' then 4 else 0 end as complete_years,
    'face_to_face_foreign_cards_one_bank' as scope, 10 as market_share_min_pct, 15 as market_share_max_pct
from (
    select 'department' as zone_level, '69' as zone_code, y.year, m.month_no
    from generate_series(2017, 2020) as y(year) cross join generate_series(1, 12) as m(month_no)
    union all
    select 'region', '84', 2019, 7
);
"""


def _half_hour(assignment: str, at: str = "00:00", count: int = 1) -> Defect:
    return Defect(f"update {LOAD} set {assignment} where start_at = timestamp '2022-03-27 {at}:00'", count)


def _month(assignment: str, month: str = "2019-07", count: int = 1) -> Defect:
    where = f"month = '{month}' and zone_level = 'department'"
    return Defect(f"update {PAYMENTS} set {assignment} where {where}", count)


DEFECTS: dict[str, dict[str, list[Defect]]] = {
    LOAD: {
        "key_is_unique": [Defect(f"insert into {LOAD} select * from {LOAD} where measured_share = 1")],
        "zone_level_is_known": [_half_hour("zone_level = 'commune'")],
        "nature_is_known": [_half_hour("nature = 'forecast'")],
        "consumption_has_a_reason": [
            _half_hour("consumption_mw = null"),
            _half_hour("consumption_mw = 0", "01:00"),
            _half_hour("consumption_status = 'unclear'"),
        ],
        "production_has_a_reason": [_half_hour("production_mw = null"), _half_hour("production_mw = 0", "01:00")],
        "exchanges_have_a_reason": [
            _half_hour("physical_exchanges_status = 'secret'"),
            _half_hour("physical_exchanges_mw = 0", "01:00"),
        ],
        "status_agrees_with_share": [
            _half_hour("consumption_status = 'partial'", "00:30"),
            _half_hour("consumption_status = 'measured'", "00:30"),
            _half_hour("measured_share = 0.5"),
        ],
        "a_figure_has_a_nature": [_half_hour("nature = null"), _half_hour("step_s = 600")],
        "consumption_is_plausible": [_half_hour("consumption_mw = -1"), _half_hour("consumption_mw = 110001")],
        "production_is_plausible": [_half_hour("production_mw = 150001"), _half_hour("production_mw = -5001")],
        "sources_are_within_the_production": [_half_hour("wind_mw = 2004"), _half_hour("solar_mw = -4")],
        "half_hour_is_whole": [_half_hour("start_at = start_at + interval 15 minute")],
        "local_time_agrees_with_utc": [
            _half_hour("start_local = '2022-03-27T02:00:00+02:00'"),
            _half_hour("start_local = '2022-03-27T01:00:00'"),
        ],
        "period_is_the_month": [_half_hour("period_month = '2022-04'")],
        "every_half_hour_is_stated": [Defect(f"delete from {LOAD} where measured_share = 0.5")],
        "one_level_per_zone": [_half_hour("zone_level = 'national'"), _half_hour("zone_name = 'Nord'")],
        "every_source_is_here": [Defect(f"update {LOAD} set source = 'other'")],
        "last_release_is_kept": [Defect(f"update {LOAD} set period_month = '2022-04'")],
    },
    PAYMENTS: {
        "key_is_unique": [Defect(f"insert into {PAYMENTS} select * from {PAYMENTS} where zone_level = 'region'")],
        "value_index_has_a_reason": [_month("value_index = null"), _month("value_index = 0", "2020-07")],
        "volume_index_has_a_reason": [_month("volume_status = 'secret'")],
        "value_change_1y_pct_has_a_reason": [
            _month("value_change_1y_pct = null"),
            _month("value_change_1y_status = 's'"),
        ],
        "volume_change_1y_pct_has_a_reason": [_month("volume_change_1y_pct = null")],
        "value_seasonal_ratio_has_a_reason": [_month("value_seasonal_ratio = 1", "2020-07")],
        "volume_seasonal_ratio_has_a_reason": [_month("volume_seasonal_ratio = null")],
        "unit_is_an_index": [_month("unit = 'eur'")],
        "zone_level_is_known": [_month("zone_level = 'commune'")],
        "country_is_foreign": [_month("card_country = 'FR'"), _month("card_country = 'Allemagne'")],
        "month_is_a_month": [_month("month = '2019-13'")],
        "index_is_plausible": [_month("value_index = -1"), _month("volume_index = 100000")],
        "bases_follow_one_another": [_month("base_period = '2017'")],
        "change_agrees_with_indices": [
            _month("value_change_1y_pct = 12"),
            _month("volume_change_1y_pct = null"),
            Defect(f"update {PAYMENTS} set value_change_1y_pct = 5 where zone_level = 'region'"),
        ],
        "season_rests_on_whole_years": [_month("complete_years = 2"), _month("value_seasonal_ratio = 12.1")],
        "coverage_is_stated": [_month("market_share_min_pct = 16")],
        "every_staged_record_is_here": [
            # A row that sums two zones is one that no record stands for.
            Defect(f"insert into {PAYMENTS} select * replace ('total' as zone_code) from {PAYMENTS} limit 1"),
            Defect(f"delete from {PAYMENTS} where zone_level = 'region'"),
        ],
        "last_release_is_kept": [Defect(f"delete from {PAYMENTS} where month = '2019-07'")],
    },
}


def all_defects() -> Iterator[tuple[str, str, Defect]]:
    """Return every seeded defect with its mart and expectation."""

    def emptied(mart: str, column: str) -> Defect:
        return _half_hour(f"{column} = null") if mart == LOAD else _month(f"{column} = null")

    return with_emptied_columns(DEFECTS, emptied)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("sound"), MART_SQL)


@pytest.mark.parametrize("mart", DEFECTS)
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


@pytest.mark.parametrize("mart", DEFECTS)
def test_an_empty_mart_is_no_error(sound: Path, tmp_path: Path, mart: str) -> None:
    emptied = f"delete from {mart}; delete from ops.ledger; delete from ops.last_release"
    check_is_sound(mart, spoilt(sound, tmp_path, emptied))
