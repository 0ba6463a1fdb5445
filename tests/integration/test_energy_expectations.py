"""Each expectation of the suites of the yearly energy marts goes red on a seeded defect.

The marts are written by hand, one row of each kind; what the models put into them is in the unit tests of the models.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.seeded import Defect, check_is_sound, check_turns_red, made, spoilt, with_emptied_columns

CONSUMPTION, PRODUCTION = "energy.consumption_yearly", "energy.production_yearly"
CORRECTED = "energy.consumption_climate_corrected_yearly"
MARTS = (CONSUMPTION, PRODUCTION, CORRECTED)

MARTS_SQL = """
create schema energy;
create schema ops;
create table energy.consumption_yearly as
select
    'ore' as source, zone_level, zone_code,
    case when zone_level = 'epci' then null when zone_code like '6938_' then '69123' else left(zone_code, 5) end
        as commune_code,
    2020 as zone_vintage, case when zone_level <> 'epci' then '69029' end as reference_code,
    case when zone_level <> 'epci' then 2026 end as reference_vintage, cast(year as integer) as year, carrier, sector,
    case when carrier = 'gas' then 'gross' else 'not_applicable' end as heating_value_basis,
    cast(mwh as double) as consumption_mwh, status as consumption_status,
    cast(case when mwh > 0 then 5 end as bigint) as delivery_points,
    case when mwh > 0 then 'measured' else status end as delivery_points_status,
    case when mwh > 0 then 0.9::double end as measured_share,
    case when mwh > 0 then 'measured' else 'not_available' end as measured_share_status,
    case when status in ('partial', 'secret') then 1 else 0 end as secret_parts, 12 as months_known,
    1 as operators_count, cast(null as varchar) as missing_operators,
    case when sector = 'residential' then true end as includes_small_businesses,
    zone_code = '69123' as is_sum_of_districts, sector = 'all' as is_sum_of_sectors
from (values
    ('commune', '69029', 2017, 'electricity', 'residential', 60, 'measured'),
    ('commune', '69029', 2017, 'electricity', 'tertiary', 40, 'partial'),
    ('commune', '69029', 2017, 'electricity', 'agriculture', null, 'secret'),
    ('commune', '69029', 2017, 'electricity', 'all', 100, 'partial'),
    ('commune', '69123', 2017, 'electricity', 'residential', 30, 'measured'),
    ('commune', '69123', 2017, 'electricity', 'all', 30, 'measured'),
    ('municipal_district', '69381', 2017, 'electricity', 'residential', 10, 'measured'),
    ('municipal_district', '69382', 2017, 'electricity', 'residential', 20, 'measured'),
    ('municipal_district', '69381', 2017, 'electricity', 'all', 10, 'measured'),
    ('municipal_district', '69382', 2017, 'electricity', 'all', 20, 'measured'),
    ('iris', '690290101', 2017, 'heat', 'residential', 5, 'estimated'),
    ('epci', '200046977', 2017, 'gas', 'industry', 9, 'measured')
) as listed (zone_level, zone_code, year, carrier, sector, mwh, status);
create table energy.production_yearly as
select
    'producer' as source, zone_level, zone_code, '69029' as commune_code, 2020 as zone_vintage,
    '69029' as reference_code, 2026 as reference_vintage, 2022 as year, carrier, energy_source, voltage_domain,
    cast(mwh as double) as production_mwh, status as production_status, cast(sites as bigint) as sites,
    case when sites is null then status else 'measured' end as sites_status, 1 as operators_count
from (values
    ('heat_network', '69029 Parilly', 'heat', 'total', 'not_applicable', 100, 'measured', 1),
    ('heat_network', '69029 Parilly', 'heat', 'gas', 'not_applicable', 60, 'measured', 1),
    ('heat_network', '69029 Parilly', 'heat', 'waste', 'not_applicable', 42, 'measured', 1),
    ('iris', '690290101', 'electricity', 'wind', 'HTA', null, 'secret', null)
) as listed (zone_level, zone_code, carrier, energy_source, voltage_domain, mwh, status, sites);
create table energy.consumption_climate_corrected_yearly as
select
    source, zone_level, zone_code, commune_code, zone_vintage, reference_code, reference_vintage, year, carrier, sector,
    heating_value_basis, consumption_mwh, consumption_status,
    case when sector = 'residential' then 0.25::double end as heating_share,
    case when sector = 'residential' then 'estimated' else 'not_available' end as heating_share_status,
    case
        when sector = 'residential' then 'corrected' when consumption_mwh is null then 'no_consumption'
        else 'no_heating_share'
    end as correction_outcome,
    case when sector = 'residential' then consumption_mwh * 0.95 end as corrected_consumption_mwh,
    case
        when sector = 'residential' then 'estimated' when consumption_mwh is null then consumption_status
        else 'not_available'
    end as corrected_consumption_status,
    2500.0::double as degree_days_c_d, 'measured' as degree_days_status, 2000.0::double as reference_degree_days_c_d,
    'estimated' as reference_degree_days_status, 1.25::double as severity_index, 17.0::double as base_temperature_c,
    '1991-2020' as reference_period, 1995 as reference_first_year, 2020 as reference_last_year, 25 as reference_years,
    '69029001' as station_id, 'LYON-BRON' as station_name
from energy.consumption_yearly;
create table ops.mart_sources as
select 'energy.consumption_yearly' as mart, 'ore' as source
union all select 'energy.consumption_yearly', 'silent'
union all select 'energy.production_yearly', 'producer';
create table ops.ledger as select * from (values ('ore', 9), ('silent', 0), ('producer', 4)) as kept (source, staged);
create table ops.territory as select date '2026-04-30' as as_of;
create table ops.last_release as
select 'energy.consumption_yearly' as mart, source, '*' as period, count(*) as "rows"
from energy.consumption_yearly group by source
union all select 'energy.production_yearly', source, '*', count(*) from energy.production_yearly group by source
union all select 'energy.consumption_climate_corrected_yearly', source, '*', count(*)
from energy.consumption_climate_corrected_yearly group by source;
"""
HOUSEHOLDS = "zone_code = '69029' and sector = 'residential'"
TOTAL = "zone_code = '69029' and sector = 'all'"
HIDDEN = "zone_code = '69029' and sector = 'agriculture'"
CITY = "zone_code = '69123' and sector = 'residential'"
GAS = "carrier = 'gas'"
MISREAD = (
    ("commune", "69381"), ("commune", "1001"), ("municipal_district", "69123"), ("iris", "69029"), ("epci", "69"),
    ("department", "690"), ("region", "ARA"),
)  # fmt: skip
WHOLE_NETWORK, WIND = "energy_source = 'total'", "energy_source = 'wind'"


def _consumption(assignment: str, where: str = HOUSEHOLDS, count: int = 1) -> Defect:
    return Defect(f"update {CONSUMPTION} set {assignment} where {where}", count)


def _production(assignment: str, where: str = WHOLE_NETWORK, count: int = 1) -> Defect:
    return Defect(f"update {PRODUCTION} set {assignment} where {where}", count)


def _corrected(assignment: str, where: str = HOUSEHOLDS, count: int = 1) -> Defect:
    return Defect(f"update {CORRECTED} set {assignment} where {where}", count)


def _zones(mart: str, where: str, misread: Sequence[tuple[str, str]] = MISREAD[:1]) -> dict[str, list[Defect]]:
    """Return the defects of what every yearly mart says of its zones; ``misread`` codes do not fit their level."""
    row = f"update {mart} set {{}} where {where}"
    return {
        "key_is_unique": [Defect(f"insert into {mart} select * from {mart} where {where}")],
        "level_is_known": [Defect(row.format("zone_level = 'quartier'"))],
        "carrier_is_known": [Defect(row.format("carrier = 'steam'"))],
        "codes_fit_their_level": [
            Defect(row.format(f"zone_level = '{level}', zone_code = '{code}'")) for level, code in misread
        ],
        "year_is_in_living_memory": [Defect(row.format("year = 17"))],
        "codes_have_their_vintage": [
            Defect(row.format("reference_vintage = null")),
            Defect(row.format("zone_vintage = null")),
            Defect(row.format("commune_code = '1001'")),
        ],
        "last_release_is_kept": [Defect(f"delete from {mart} where {where}")],
    }


DEFECTS: dict[str, dict[str, list[Defect]]] = {
    CONSUMPTION: {
        **_zones(CONSUMPTION, HOUSEHOLDS, MISREAD),
        "sector_is_known": [_consumption("sector = 'R'")],
        "heating_value_is_named": [
            _consumption("heating_value_basis = 'not_applicable'", GAS),
            _consumption("heating_value_basis = 'gross'"),
        ],
        "consumption_says_its_status": [
            _consumption("consumption_mwh = 0", HIDDEN),
            _consumption("consumption_mwh = null"),
            _consumption("consumption_status = 'not_applicable'"),
            _consumption("consumption_status = 'unknown'"),
        ],
        "delivery_points_say_their_status": [_consumption("delivery_points = null")],
        "measured_share_says_its_status": [_consumption("measured_share = null")],
        "consumption_is_plausible": [_consumption("consumption_mwh = -1"), _consumption("consumption_mwh = 6e8")],
        "delivery_points_are_plausible": [_consumption("delivery_points = -1")],
        "measured_share_is_a_share": [_consumption("measured_share = 90")],
        "sums_are_whole": [
            _consumption("is_sum_of_sectors = true"),
            _consumption("is_sum_of_districts = true"),
            _consumption("secret_parts = -1"),
            _consumption("operators_count = -1"),
            _consumption("months_known = 13"),
        ],
        "floors_are_told": [
            _consumption("secret_parts = 1"),
            _consumption("missing_operators = 'GRDF'"),
            _consumption("months_known = 11"),
        ],
        "small_businesses_are_told_of_households_only": [_consumption("includes_small_businesses = true", GAS)],
        "cities_agree_with_their_districts": [
            _consumption("consumption_mwh = 31", CITY),
            _consumption("consumption_mwh = 11", "zone_code = '69381' and sector = 'residential'"),
            _consumption("consumption_mwh = null, consumption_status = 'secret'", CITY),
        ],
        "totals_agree_with_their_sectors": [
            _consumption("consumption_mwh = 101", TOTAL),
            _consumption("consumption_mwh = 61"),
            _consumption("consumption_status = 'measured', secret_parts = 0", TOTAL),
        ],
        "every_source_is_here": [Defect("update ops.ledger set staged = 1 where source = 'silent'")],
    },
    PRODUCTION: {
        **_zones(PRODUCTION, WHOLE_NETWORK),
        "energy_source_is_known": [_production("energy_source = 'solaire'")],
        "voltage_fits_the_carrier": [_production("voltage_domain = 'HTA'"), _production("carrier = 'electricity'")],
        "production_says_its_status": [
            _production("production_mwh = 0", WIND),
            _production("production_mwh = null"),
        ],
        "sites_say_their_status": [_production("sites = 0", WIND)],
        "production_is_plausible": [_production("production_mwh = -1"), _production("production_mwh = 7e8")],
        "sites_are_plausible": [_production("sites = -1")],
        "parts_do_not_exceed_their_total": [_production("production_mwh = 98")],
        "every_source_is_here": [Defect(f"update {PRODUCTION} set source = 'other'")],
    },
    CORRECTED: {
        **_zones(CORRECTED, HOUSEHOLDS),
        "sector_is_known": [_corrected("sector = 'R'")],
        "heating_value_is_named": [_corrected("heating_value_basis = 'not_applicable'", GAS)],
        "consumption_says_its_status": [_corrected("consumption_mwh = 0", HIDDEN)],
        "correction_says_its_status": [_corrected("corrected_consumption_mwh = 0", HIDDEN)],
        "heating_share_says_its_status": [_corrected("heating_share = 0", GAS)],
        "degree_days_say_their_status": [_corrected("degree_days_c_d = null", GAS)],
        "reference_says_its_status": [_corrected("reference_degree_days_status = 'not_available'", GAS)],
        "outcome_is_known": [_corrected("correction_outcome = 'too_warm'", GAS)],
        "a_reason_or_a_figure": [
            _corrected("corrected_consumption_mwh = null"),
            _corrected("correction_outcome = 'days_missing'"),
            _corrected("corrected_consumption_mwh = 9", GAS),
        ],
        "a_corrected_figure_is_never_measured": [
            _corrected("corrected_consumption_status = 'measured'"),
            _corrected("consumption_status = 'partial'"),
            _corrected("corrected_consumption_status = 'not_available'", HIDDEN),
        ],
        "correction_is_its_formula": [
            _corrected("corrected_consumption_mwh = 60"),
            _corrected("heating_share = 25"),
            _corrected("degree_days_c_d = 2000"),
            _corrected("reference_degree_days_c_d = null"),
        ],
        "degree_days_are_plausible": [
            _corrected("degree_days_c_d = -5", GAS),
            _corrected("reference_degree_days_c_d = 20000", GAS),
            _corrected("severity_index = 0.8", GAS),
            _corrected("base_temperature_c = 18", GAS),
        ],
        "reference_is_told": [
            _corrected("reference_first_year = 1981", GAS),
            _corrected("reference_last_year = 2024", GAS),
            _corrected("reference_years = 27", GAS),
            _corrected("reference_years = 9", GAS),
            _corrected("reference_first_year = null", GAS),
            _corrected("reference_degree_days_status = 'measured'", GAS),
        ],
        "one_station_for_all": [
            _corrected("station_id = '69299001'"),
            _corrected("reference_degree_days_c_d = 2001"),
        ],
        "consumption_is_that_published": [
            _corrected("consumption_mwh = 61"),
            Defect(f"delete from {CONSUMPTION} where {HOUSEHOLDS}"),
        ],
    },
}


def all_defects() -> Iterator[tuple[str, str, Defect]]:
    """Return every seeded defect with its mart and expectation."""
    return with_emptied_columns(
        DEFECTS, lambda mart, column: Defect(f"update {mart} set {column} = null where rowid = 0")
    )


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("sound"), MARTS_SQL)


@pytest.mark.parametrize("mart", MARTS)
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


@pytest.mark.parametrize("mart", MARTS)
def test_an_empty_mart_is_no_error(sound: Path, tmp_path: Path, mart: str) -> None:
    emptied = f"delete from {mart}; delete from ops.ledger; delete from ops.last_release"
    check_is_sound(mart, spoilt(sound, tmp_path, emptied))
