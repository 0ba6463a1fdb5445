"""Yearly and monthly energy as the producers published it, staged for a territory and, uncut, for everybody.

The figures are those counted on the extracts by hand, with the csv module; none is derived from our readers. The runs
are those of test_territories.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.real.conftest import EXAMPLES, OTHERS, Authority


@pytest.fixture(scope="module")
def lyon(run_of: Callable[[Path], Authority]) -> Authority:
    return run_of(EXAMPLES / "grand_lyon")


@pytest.fixture(scope="module")
def uncut(run_of: Callable[[Path], Authority]) -> Authority:
    return run_of(OTHERS)


def outcome(authority: Authority, source: str) -> list[tuple[int, ...]]:
    """Return records read, staged and out of scope of each delivery; nothing else became of them."""
    ledger = authority.ask(
        "select records_read, staged, out_of_scope, malformed + rejected + superseded + duplicate from ops.ledger "
        f"where source = '{source}' order by delivery_id"
    )
    assert {row[3] for row in ledger} == {0}
    return [row[:3] for row in ledger]


# --- electricity and gas by commune (Agence ORE) ------------------------------------------------------------------


def test_totals_over_secret_cells_are_secret_or_floors(lyon: Authority):
    assert outcome(lyon, "ore_consommation_commune") == [(18_230, 18_230, 0)]
    found = lyon.staged(
        "select consumption_status, count(*), count(consumption_mwh), sum(secret_parts) > 0 "
        "from staging.stg_energy__ore_consommation_commune group by all order by 1"
    )
    assert found == [
        ("measured", 16_971, 16_971, False),
        ("not_available", 6, 0, False),
        ("partial", 756, 756, True),
        ("secret", 497, 0, True),
    ]


def test_zeros_and_impossible_shares(lyon: Authority):
    ((zeros, zeros_status, shares),) = lyon.staged(
        "select count(*) filter (where consumption_mwh = 0), "
        "max(consumption_status) filter (where consumption_mwh = 0), max(heating_share) "
        "from staging.stg_energy__ore_consommation_commune"
    )
    assert (zeros, zeros_status) == (13, "measured")
    assert shares <= 1


def test_lyon_is_nine_districts_then_one_commune(lyon: Authority):
    found = lyon.staged(
        "select zone_level, min(year), max(year), count(*), count(distinct zone_code) "
        "from staging.stg_energy__ore_consommation_commune where commune_code = '69123' group by all order by 2"
    )
    assert found == [("municipal_district", 2011, 2017, 479, 9), ("commune", 2018, 2023, 697, 1)]
    homes = lyon.staged(
        "select year, sum(consumption_mwh) from staging.stg_energy__ore_consommation_commune "
        "where commune_code = '69123' and carrier = 'electricity' and sector = 'residential' and year in (2017, 2018) "
        "group by year order by year"
    )
    assert [year for year, _ in homes] == [2017, 2018]
    assert [mwh for _, mwh in homes] == pytest.approx([1_406_490.12, 911_900.5043475372])


def test_an_operator_of_elsewhere_stays_what_the_producer_says(lyon: Authority):
    found = lyon.staged(
        "select operator, year, zone_code, consumption_status, secret_parts "
        "from staging.stg_energy__ore_consommation_commune "
        "where operator not in ('Enedis', 'GRDF', 'RTE', 'GRT Gaz')"
    )
    assert found == [("Régie d'électricité du syndicat du sud de La Réole", 2022, "69260", "secret", 1)]


def test_gas_is_by_gross_calorific_value(lyon: Authority):
    found = lyon.staged(
        "select distinct carrier, heating_value_basis from staging.stg_energy__ore_consommation_commune order by 1"
    )
    assert found == [("electricity", "not_applicable"), ("gas", "gross")]


# --- by activity and region (Agence ORE) --------------------------------------------------------------------------


def test_a_zero_beside_secret_cells_is_no_zero(lyon: Authority, uncut: Authority):
    statuses = (
        "select consumption_status, count(*), count(*) filter (where consumption_mwh = 0) "
        "from staging.stg_energy__ore_consommation_naf_region group by all order by 1"
    )
    assert outcome(uncut, "ore_consommation_naf_region") == [(18_128, 18_128, 0)]
    assert uncut.staged(statuses) == [("measured", 17_653, 285), ("partial", 319, 0), ("secret", 156, 0)]
    assert outcome(lyon, "ore_consommation_naf_region") == [(18_128, 2_346, 15_782)]
    assert lyon.staged(statuses) == [("measured", 2_296, 128), ("partial", 25, 0), ("secret", 25, 0)]


def test_points_that_are_not_known_and_shares_that_are_none(uncut: Authority):
    found = uncut.staged(
        "select count(*) filter (where delivery_points_status = 'not_available'), count(measured_share), "
        "max(measured_share), count(naf_code) from staging.stg_energy__ore_consommation_naf_region"
    )
    assert found == [(37, 12_339, 1.0, 11_143)]


# --- heat and cold by IRIS (SDES) ---------------------------------------------------------------------------------


def test_every_part_of_a_network_counts_and_no_secret_is_zero(uncut: Authority):
    assert outcome(uncut, "sdes_chaleur_froid_iris") == [(16_864, 16_864, 0), (5_059, 5_059, 0)]
    found = uncut.staged(
        "select year, count(*), count(*) filter (where consumption_status = 'secret'), max(part_no), "
        "count(*) filter (where consumption_mwh = 0), sum(consumption_mwh) "
        "from staging.stg_energy__sdes_chaleur_froid_iris group by year order by year"
    )
    assert [row[:5] for row in found] == [(2018, 16_864, 5_383, 213, 0), (2020, 5_059, 447, 1, 0)]
    assert [row[5] for row in found] == pytest.approx([18_119_053.145289563, 14_530_841.126122072])


def test_the_identical_records_are_parts_too(uncut: Authority):
    ((records, contents),) = uncut.staged(
        "select count(*), count(distinct (operator, carrier, zone_code, sector, consumption_mwh, consumption_status, "
        "delivery_points)) from staging.stg_energy__sdes_chaleur_froid_iris where year = 2018"
    )
    assert records - contents == 3_433


def test_points_have_absences_of_their_own(uncut: Authority):
    found = uncut.staged(
        "select delivery_points_status, count(*) from staging.stg_energy__sdes_chaleur_froid_iris "
        "where year = 2018 group by all order by 1"
    )
    assert found == [("measured", 11_386), ("not_available", 95), ("secret", 5_383)]


def test_the_districts_of_lyon_are_in_the_territory(lyon: Authority):
    found = lyon.staged(
        "select year, count(*), count(*) filter (where consumption_status = 'secret'), sum(consumption_mwh) "
        "from staging.stg_energy__sdes_chaleur_froid_iris where commune_code = '69123' group by year order by year"
    )
    assert found == [(2018, 446, 274, 358_407.0), (2020, 222, 21, 350_423.0)]


# --- the others ---------------------------------------------------------------------------------------------------


def test_a_department_of_a_wide_file(lyon: Authority):
    assert outcome(lyon, "enedis_consommation_secteur") == [(658, 7, 651)]
    found = lyon.staged(
        "select zone_level, zone_code, zone_name, sites_residentiel, energy_residentiel_mwh, sites_industrie, "
        "energy_secteur_non_affecte_mwh from staging.stg_energy__enedis_consommation_secteur where year = 2017"
    )
    assert found == [("department", "69", "Rhône", 900_502, 3_784_439.727, 3_088, 16.352977857553)]


def test_months_of_gas_in_megawatt_hours(lyon: Authority):
    found = lyon.staged(
        "select year, count(*), sum(cast(consumption_mwh as decimal(18, 3))) "
        "from staging.stg_energy__odre_gaz_metropoles group by year order by year"
    )
    assert [row[:2] for row in found] == [*((year, 12) for year in range(2017, 2024)), (2024, 6)]
    assert [float(row[2]) for row in found][-2:] == [8_079_562.408, 4_549_061.534]


def test_outlines_are_neither_landed_nor_loaded(lyon: Authority):
    for source in ("odre_gaz_metropoles", "enedis_consommation_secteur"):
        files = [path for path in (lyon.data / "landing" / source).rglob("*") if path.is_file()]
        assert files
        assert sum(path.stat().st_size for path in files) < 600_000
        assert not any(b"coordinates" in path.read_bytes() for path in files)


def test_thirteen_indicators_of_twenty_networks_over_ninety_nine_years(lyon: Authority, uncut: Authority):
    assert outcome(lyon, "orcae_reseaux_chaleur") == [(1_287, 0, 1_287)]  # none lies in the Métropole
    assert outcome(uncut, "orcae_reseaux_chaleur") == [(1_287, 1_287, 0)]
    found = uncut.staged(
        "select unit, count(distinct indicator), count(*), count(energy_source) "
        "from staging.stg_energy__orcae_reseaux_chaleur group by unit order by unit"
    )
    assert found == [("MWh", 10, 990, 990), ("MWh/km", 1, 99, 0), ("kg/kWh", 1, 99, 0), ("km", 1, 99, 0)]
    network = uncut.staged(
        "select indicator, value from staging.stg_energy__orcae_reseaux_chaleur "
        "where network_name = 'Quartier Mermoz Sud' and year = 2023 and value > 0 order by 1"
    )
    assert network == [
        ("density", 5_624.44),
        ("length", 1.8),
        ("production", 10_124.0),
        ("production_gas", 10_012.76),
        ("production_oil", 111.24),
    ]
