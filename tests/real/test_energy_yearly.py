"""The yearly energy marts on the real files of the Métropole de Lyon: what would mislead a council were it otherwise.

What each producer's file means is in test_energy.py; how parts add up, in the unit tests of the models.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.real.conftest import EXAMPLES, Authority

COMMUNES = "from energy.consumption_yearly where source = 'ore_consommation_commune' and zone_level = 'commune'"


@pytest.fixture(scope="module")
def lyon(run_of: Callable[[Path], Authority]) -> Authority:
    return run_of(EXAMPLES / "grand_lyon")


def test_the_city_is_counted_once_in_every_year(lyon: Authority) -> None:
    found = lyon.ask(
        "select year, count(*), bool_and(is_sum_of_districts), "
        f"round(sum(consumption_mwh) / 1e3) {COMMUNES} "
        "and zone_code = '69123' and carrier = 'electricity' and sector = 'all' group by year order by year"
    )
    assert [row[:3] for row in found] == [(year, 1, year < 2018) for year in range(2011, 2024)]
    # 2 712 GWh from nine districts, then 2 666 from the city itself.
    assert [row[3] for row in found if row[0] in (2017, 2018)] == [2712, 2666]


def test_districts_stay_at_their_own_level_and_add_up_to_their_city(lyon: Authority) -> None:
    by_level = (
        "select zone_level, round(sum(consumption_mwh)) as mwh from energy.consumption_yearly where {} "
        "and source = 'ore_consommation_commune' and year = 2016 and carrier = 'gas' and sector = 'all' group by 1"
    )
    ((level, districts),) = lyon.ask(by_level.format("left(zone_code, 4) = '6938'"))
    ((_, city),) = lyon.ask(by_level.format("zone_code = '69123'"))
    assert level == "municipal_district"
    assert districts == city


def test_a_year_without_its_distributor_is_no_year(lyon: Authority) -> None:
    found = lyon.ask(
        "select consumption_status, missing_operators, count(*) "
        f"{COMMUNES} and carrier = 'gas' and year = 2023 and sector = 'all' group by all order by all"
    )
    assert found == [("not_available", "GRDF", 48), ("partial", "GRDF", 10)]
    floors = lyon.ask(
        f"select zone_name {COMMUNES} and carrier = 'electricity' and year = 2011 and sector = 'all' "
        "and missing_operators = 'RTE' and consumption_status <> 'partial'"
    )
    assert floors == []
    assert lyon.value(f"select count(*) {COMMUNES} and missing_operators = 'RTE' and year <> 2011") == 0


def test_households_hold_small_businesses_until_2017(lyon: Authority) -> None:
    found = lyon.ask(
        f"select year < 2018, includes_small_businesses, count(*) > 0 {COMMUNES} "
        "and sector = 'residential' and carrier = 'electricity' group by all order by all desc"
    )
    assert found == [(True, True, True), (False, False, True)]


def test_two_producers_tell_the_same_gas_and_are_never_added(lyon: Authority) -> None:
    found = lyon.ask(
        "select year, sum(consumption_mwh) filter (where zone_level = 'commune') "
        "/ max(consumption_mwh) filter (where source = 'odre_gaz_metropoles') from energy.consumption_yearly "
        "where carrier = 'gas' and sector = 'all' and year between 2017 and 2022 "
        "and (zone_level = 'commune' or source = 'odre_gaz_metropoles') group by year order by year"
    )
    assert len(found) == 6
    assert all(0.98 < ratio < 1.02 for _, ratio in found)


def test_a_merged_commune_is_read_in_its_vintage(lyon: Authority) -> None:
    found = lyon.ask(
        f"select distinct zone_name, zone_vintage < 2024, reference_code {COMMUNES} and zone_code = '69152'"
    )
    assert found == [("Pierre-Bénite", True, "69149")]


def test_only_households_since_2018_have_a_share_that_follows_the_temperature(lyon: Authority) -> None:
    found = lyon.staged(
        "select distinct sector, carrier, min(year), max(year), min(heating_share) > 0.07, max(heating_share) < 0.45 "
        "from intermediate.int_energy__consumption_cells where heating_share is not null "
        "and source = 'ore_consommation_commune' group by sector, carrier"
    )
    assert found == [("residential", "electricity", 2018, 2023, True, True)]


def test_without_temperatures_nothing_is_corrected_nor_released(lyon: Authority) -> None:
    assert lyon.value("select count(*) from energy.consumption_climate_corrected_yearly") == 0
    assert not (lyon.data / "public" / "consommation-energie-corrigee-climat").exists()


def test_no_energy_is_lost_nor_counted_twice_on_the_way(lyon: Authority) -> None:
    (staged,) = lyon.staged(
        "select count(*), sum(cast(consumption_mwh as decimal(18, 6))) "
        "from staging.stg_energy__ore_consommation_commune"
    )
    assert staged[0] == 18_230
    published = "sum(cast(consumption_mwh as decimal(18, 6))) from energy.consumption_yearly "
    told = f"select {published} where source = 'ore_consommation_commune' and not is_sum_of_districts and sector"
    assert abs(lyon.value(f"{told} <> 'all'") - staged[1]) < 1
    assert abs(lyon.value(f"{told} = 'all'") - staged[1]) < 1
