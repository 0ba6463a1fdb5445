"""The theme of geography and calendar, built by dbt from the invented town's files: what it holds, what turns it red.

One small warehouse is built once; each defect runs on a copy. What a model decides on a single record is in the models'
own unit tests.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from expectations import engine
from expectations.suite import Suite, read_suite
from orchestration import modelling
from orchestration.dbt_functions import register
from raw_sources.database import DuckDBSettings, connect
from raw_sources.sample import place
from raw_sources.sample.defects import Extracts
from raw_sources.sample.scale import plan_for
from tests.worlds import World, make_world, sites

SUITES = Path(__file__).parents[2] / "expectations" / "territory"
SETTINGS = DuckDBSettings(memory_limit="1GB", threads=2)
COMMUNES, PASSAGES = "territory.communes", "territory.commune_passages"
POPULATIONS, CALENDAR = "territory.populations_yearly", "territory.calendar"
MARTS = (COMMUNES, PASSAGES, POPULATIONS, CALENDAR)
PARIS = ZoneInfo("Europe/Paris")

# Computus tables of the Gregorian calendar: the earliest and latest of these years among them.
EASTERS = {2000: (4, 23), 2008: (3, 23), 2011: (4, 24), 2019: (4, 21), 2024: (3, 31), 2025: (4, 20), 2027: (3, 28)}


def built(world: World) -> World:
    """Return the world once its theme has been built, every model and test of it."""
    run = world.run()
    run.receive_all()
    assert modelling.failures(run.build("territory")) == []
    return world


@pytest.fixture(scope="module")
def theme(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return a world with the files of reference, and nothing observed."""
    world = make_world(tmp_path_factory.mktemp("theme"))
    place.write(Extracts(world.extracts, {}), plan_for())
    _add_a_city(world.extracts / "v_commune_2024.csv", world.extracts / "v_commune_2025.csv")
    _add_populations(world.extracts / "donnees_communes_2020.csv")
    return built(world)


def _add_a_city(*files: Path) -> None:
    """Add Lyon with a district, and in the later vintage a commune that nothing explains and one that vanished."""
    lines = [
        "COM,69123,84,69,69D,691,0,LYON,Lyon,Lyon,,",
        "ARM,69381,84,69,69D,691,0,LYON 1ER,Lyon 1er,Lyon 1er,,69123",
    ]
    only = ["COM,69002,84,69,69D,691,0,PERDUE,Perdue,Perdue,,", "COM,69003,84,69,69D,691,0,NEUVE,Neuve,Neuve,,"]
    for file, alone in zip(files, only, strict=True):
        with file.open("a", encoding="utf-8") as stream:
            stream.write("".join(f"{line}\n" for line in (*lines, alone)))


def _add_populations(file: Path) -> None:
    with file.open("a", encoding="utf-8") as stream:
        stream.write("84;Auvergne;69;1;00;381;Lyon 1er;30000;782;30782\n")


def ask(world: World, sql: str) -> list[tuple[Any, ...]]:
    with connect(world.workspace.warehouse, SETTINGS) as connection:
        register(connection)
        return connection.execute(sql).fetchall()


# --- geography --------------------------------------------------------------------------------------------------


def test_communes_have_vintages_and_one_row_each(theme: World) -> None:
    found = ask(theme, f"select vintage, commune_type, commune_code from {COMMUNES} where commune_code like '99%'")
    assert sorted(found) == [
        *((2024, "COM", code) for code in ("99996", "99997", "99998", "99999")),
        *((2025, "COM", code) for code in ("99996", "99997", "99999")),
        *((2025, "COMD", code) for code in ("99998", "99999")),
    ]


def test_a_merger_is_followed_by_its_event_and_a_vanished_commune_is_not_guessed(theme: World) -> None:
    passages = dict(ask(theme, f"select passage_id, relation || ' ' || coalesce(evidence, '-') from {PASSAGES}"))
    assert passages == {
        "2024:99999>2025:99999": "merged same_code",
        "2024:99998>2025:99999": "merged movements",
        "2024:99997>2025:99997": "unchanged same_code",
        "2024:99996>2025:99996": "unchanged same_code",
        "2024:69123>2025:69123": "unchanged same_code",
        "2024:69381>2025:69123": "part_of same_code",
        "2024:69002>2025:-": "unknown -",
        "2024:->2025:69003": "created -",
    }


def test_codes_of_any_vintage_reach_the_reference_or_say_nothing(theme: World) -> None:
    passage = "select reference_code from intermediate.int_territory__commune_passage"
    reached = {
        code: ask(theme, f"{passage} where vintage = 2024 and commune_code = '{code}'")
        for code in ("99998", "69381", "69002")
    }
    assert reached == {"99998": [("99999",)], "69381": [("69123",)], "69002": [(None,)]}


def test_what_the_territory_took_in_is_in_it(theme: World) -> None:
    found = ask(theme, f"select vintage, commune_type, commune_code from {COMMUNES} where is_in_territory order by all")
    assert found == [
        (2024, "COM", "99997"),
        (2024, "COM", "99998"),
        (2024, "COM", "99999"),
        (2025, "COM", "99997"),
        (2025, "COM", "99999"),
        (2025, "COMD", "99998"),
        (2025, "COMD", "99999"),
    ]


def test_populations_of_two_years_in_two_forms_count_each_person_once(theme: World) -> None:
    totals = ask(
        theme,
        f"select population_year, sum(municipal_population) from {POPULATIONS} where commune_type = 'COM' "
        "group by 1 order by 1",
    )
    in_2020 = sum(living for living, _ in place.POPULATIONS.values())
    assert totals == [(2020, in_2020 + 30_000), (2021, sum(n + n // 200 for n, _ in place.POPULATIONS.values()))]
    assert ask(theme, f"select total_population from {POPULATIONS} where commune_code = '69123'") == [(None,)]


def test_a_population_is_that_of_the_perimeter_of_the_vintage(theme: World) -> None:
    found = ask(
        theme,
        "select vintage, commune_code, municipal_population, municipal_population_status, population_year "
        f"from {COMMUNES} where commune_type = 'COM' and commune_code like '99%' order by 1, 2",
    )
    in_2021 = {code: living + living // 200 for code, (living, _) in place.POPULATIONS.items()}
    merged = in_2021[place.TOWN] + in_2021[place.ABSORBED]
    assert found == [
        *((2024, code, in_2021[code], "measured", 2021) for code in ("99996", "99997", "99998", "99999")),
        *((2025, code, in_2021[code], "estimated", 2021) for code in ("99996", "99997")),
        (2025, "99999", merged, "estimated", 2021),
    ]


def test_a_point_is_placed_by_envelope_and_outline(theme: World) -> None:
    located = ask(
        theme,
        """
        select points.lon, min(contours.commune_code)
        from (values (-3.5::double, 45.5), (-3.35, 45.5), (-3.2, 45.5), (-2.0, 45.5)) as points(lon, lat)
        left join intermediate.int_territory__contours as contours
            on points.lon between min_lon and max_lon and points.lat between min_lat and max_lat
            and geo_contains(contours.geometry, points.lon, points.lat)
        group by 1 order by 1
        """,
    )
    # On the border both outlines hold the point: the lower code is kept.
    assert located == [(-3.5, "99999"), (-3.35, "99997"), (-3.2, "99997"), (-2.0, None)]


def test_an_outline_far_from_the_box_is_out_of_scope_and_the_ledger_balances(theme: World) -> None:
    ledger = ask(
        theme,
        "select raw_rows, staged, out_of_scope, staged + rejected + superseded + duplicate + out_of_scope "
        "from ops.ledger where source = 'ign_contours_communes'",
    )
    assert ledger == [(3, 2, 1, 3)]


# --- calendar ---------------------------------------------------------------------------------------------------


def test_easter_falls_where_the_tables_say(theme: World) -> None:
    easter_mondays = dict(
        ask(theme, f"select year, day_on from {CALENDAR} where public_holiday_fr like '%Lundi de Pâques%'")
    )
    for year, (month, day) in EASTERS.items():
        assert easter_mondays[year] == date(year, month, day) + timedelta(days=1)


def test_holidays_of_a_year_are_those_of_the_law(theme: World) -> None:
    found = ask(
        theme,
        "select day_on, is_public_holiday, alsace_moselle_holiday_fr "
        f"from {CALENDAR} where year = 2024 and is_public_holiday_alsace_moselle order by 1",
    )
    law = {(1, 1), (4, 1), (5, 1), (5, 8), (5, 9), (5, 20), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)}
    local = {(3, 29), (12, 26)}
    assert {(day.month, day.day) for day, national, _ in found if national} == law
    assert {(day.month, day.day) for day, national, _ in found if not national} == local


def test_two_holidays_on_one_day_make_one_row(theme: World) -> None:
    assert ask(theme, f"select public_holiday_fr from {CALENDAR} where day_on = date '2008-05-01'") == [
        ("Ascension / Fête du Travail",)
    ]


def test_every_day_agrees_with_another_calendar(theme: World) -> None:
    days = ask(theme, f"select day_on, iso_year, iso_week, iso_weekday, duration_hours from {CALENDAR} order by 1")
    assert days[0][0] == date(1990, 1, 1) and days[-1][0] == date(2027, 12, 31)
    for day, *iso, hours in days:
        assert tuple(iso) == tuple(day.isocalendar()), day
        assert hours == _hours(day), day


def _hours(day: date) -> int:
    start, end = (datetime.combine(one, datetime.min.time(), PARIS) for one in (day, day + timedelta(days=1)))
    return round((end.astimezone(UTC) - start.astimezone(UTC)) / timedelta(hours=1))


def test_bridges_are_working_days_between_days_off(theme: World) -> None:
    found = ask(theme, f"select day_on from {CALENDAR} where year = 2024 and is_bridge_day order by 1")
    # Friday after Ascension, and Friday after 15 August.
    assert found == [(date(2024, 5, 10),), (date(2024, 8, 16),)]


def test_school_holidays_run_to_the_day_of_return_and_are_unknown_elsewhere(theme: World) -> None:
    days = dict(ask(theme, f"select day_on, is_school_holiday_zone_a from {CALENDAR}"))
    assert [days[date(2025, 10, day)] for day in (17, 18, 31)] == [False, True, True]
    assert [days[date(2025, 11, day)] for day in (2, 3)] == [True, False]
    # The last summer has no end: it lasts until the school year does.
    assert [days[date(2026, 8, 31)], days[date(2026, 9, 1)], days[date(2020, 8, 1)]] == [True, None, None]


# --- nothing of reference ---------------------------------------------------------------------------------------


def test_without_any_source_there_is_a_calendar_and_empty_geography(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    world.deliver({"chantiers-perturbants_20240501.csv": sites({"CP100001": (date(2024, 5, 1), date(2024, 6, 1))})})
    built(world)
    rows = {mart: ask(world, f"select count(*) from {mart}")[0][0] for mart in MARTS}
    assert rows == {COMMUNES: 0, PASSAGES: 0, POPULATIONS: 0, CALENDAR: 13514}
    assert ask(world, f"select max(day_on), count(is_school_holiday_zone_b) from {CALENDAR}") == [
        (date(2026, 12, 31), 0)
    ]


# --- red --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Defect:
    """SQL that spoils the mart."""

    sql: str


def _set(mart: str, assignment: str, where: str) -> Defect:
    return Defect(f"update {mart} set {assignment} where {where}")


TOWN = "vintage = 2025 and commune_type = 'COM' and commune_code = '99999'"
DELEGATED = "vintage = 2025 and commune_type = 'COMD' and commune_code = '99998'"
MERGED, STAYED = "passage_id = '2024:99998>2025:99999'", "passage_id = '2024:99997>2025:99997'"
LIVING = "population_year = 2021 and commune_code = '99999'"
MAY_DAY, TUESDAY = "day_on = date '2025-05-01'", "day_on = date '2025-05-06'"

DEFECTS: dict[str, dict[str, Defect]] = {
    COMMUNES: {
        "key_is_unique": Defect(f"insert into {COMMUNES} select * from {COMMUNES} where {TOWN}"),
        "type_is_known": _set(COMMUNES, "commune_type = 'commune-actuelle'", TOWN),
        "code_is_a_code": _set(COMMUNES, "commune_code = '9999'", TOWN),
        "vintage_is_in_living_memory": _set(COMMUNES, "vintage = 20250101", TOWN),
        "parts_have_a_parent": _set(COMMUNES, "parent_code = null", DELEGATED),
        "parents_are_communes": _set(COMMUNES, "parent_code = '99990'", DELEGATED),
        "population_is_plausible": _set(COMMUNES, "municipal_population = -1", TOWN),
        "population_says_its_status": _set(COMMUNES, "municipal_population_status = 'not_available'", TOWN),
        "population_has_its_source": _set(COMMUNES, "population_source = null", TOWN),
        "reference_is_one_vintage": _set(COMMUNES, "reference_vintage = 2024", TOWN),
        "reference_codes_exist": _set(COMMUNES, "reference_code = '99990'", TOWN),
        "every_staged_commune_is_here": Defect(f"delete from {COMMUNES} where {DELEGATED}"),
        "last_release_is_kept": Defect(
            "insert into ops.last_release values ('territory.communes', 'insee_cog_communes', '*', 1000)"
        ),
    },
    PASSAGES: {
        "key_is_unique": Defect(f"insert into {PASSAGES} select * from {PASSAGES} where {MERGED}"),
        "relation_is_known": _set(PASSAGES, "relation = 'fusion'", MERGED),
        "evidence_is_known": _set(PASSAGES, "evidence = 'hearsay'", MERGED),
        "level_is_known": _set(PASSAGES, "level = 'department'", MERGED),
        "time_goes_forward": _set(PASSAGES, "to_vintage = 2024", MERGED),
        "nothing_is_guessed": _set(PASSAGES, "to_code = '99999'", "relation = 'unknown'"),
        "unchanged_keeps_code_and_name": _set(PASSAGES, "to_name = 'Bourg'", STAYED),
        "merged_has_several_origins": Defect(f"delete from {PASSAGES} where {MERGED}"),
        "split_has_several_ends": _set(PASSAGES, "relation = 'split'", STAYED),
        "mostly_known": Defect(
            f"insert into {PASSAGES} by name select 'x' || n as passage_id, 2024 as from_vintage, "
            "'x' || n as from_code, 2025 as to_vintage, 'commune' as level, 'unknown' as relation, "
            "'insee_cog_communes' as source from range(100) as t(n)"
        ),
        "last_release_is_kept": Defect(
            "insert into ops.last_release values ('territory.commune_passages', 'insee_cog_communes', '*', 1000)"
        ),
    },
    POPULATIONS: {
        "key_is_unique": Defect(f"insert into {POPULATIONS} select * from {POPULATIONS} where {LIVING}"),
        "type_is_known": _set(POPULATIONS, "commune_type = 'city'", LIVING),
        "code_is_a_code": _set(POPULATIONS, "commune_code = '971105'", LIVING),
        "municipal_population_is_plausible": _set(POPULATIONS, "municipal_population = 66000000", LIVING),
        "total_says_its_status": _set(POPULATIONS, "total_population_status = 'not_applicable'", LIVING),
        "total_is_the_sum": _set(POPULATIONS, "total_population = 1", LIVING),
        "cities_agree_with_their_districts": _set(POPULATIONS, "municipal_population = 1", "commune_code = '69381'"),
        "years_follow_the_law": _set(POPULATIONS, "in_force_year = 2022", LIVING),
        "every_staged_record_is_here": Defect(f"delete from {POPULATIONS} where {LIVING}"),
        "last_release_is_kept": Defect(
            "insert into ops.last_release values "
            "('territory.populations_yearly', 'insee_populations_legales', '*', 1000)"
        ),
    },
    CALENDAR: {
        "key_is_unique": Defect(f"insert into {CALENDAR} select * from {CALENDAR} where {TUESDAY}"),
        "no_day_is_missing": Defect(f"delete from {CALENDAR} where {TUESDAY}"),
        "weekday_is_right": _set(CALENDAR, "iso_weekday = 3", TUESDAY),
        "iso_week_is_right": _set(CALENDAR, "iso_week = 18", TUESDAY),
        "period_is_the_month": _set(CALENDAR, "period_month = '2025-06'", TUESDAY),
        "eleven_holidays_a_year": Defect(
            f"update {CALENDAR} set public_holiday_fr = null, public_holiday_en = null where {MAY_DAY}"
        ),
        "holidays_have_a_name": _set(CALENDAR, "public_holiday_en = null", MAY_DAY),
        "easter_is_a_spring_sunday": _set(CALENDAR, "public_holiday_fr = 'Lundi de Pâques'", TUESDAY),
        "working_days_agree": _set(CALENDAR, "is_working_day = true", MAY_DAY),
        "days_last_as_the_law_says": _set(CALENDAR, "duration_hours = 24", "day_on = date '2025-03-30'"),
    },
}

FURTHER_DEFECTS: list[tuple[str, str, Defect]] = [
    (COMMUNES, "population_is_plausible", _set(COMMUNES, "municipal_population = 66000000", TOWN)),
    (PASSAGES, "nothing_is_guessed", _set(PASSAGES, "evidence = null", MERGED)),
    (PASSAGES, "nothing_is_guessed", _set(PASSAGES, "from_code = '99990'", "relation = 'created'")),
    (POPULATIONS, "total_is_the_sum", _set(POPULATIONS, "total_population = 30782", "is_sum_of_districts")),
    (POPULATIONS, "cities_agree_with_their_districts", Defect(f"delete from {POPULATIONS} where is_sum_of_districts")),
    (CALENDAR, "no_day_is_missing", Defect("update ops.territory set as_of = date '2030-01-01'")),
    (CALENDAR, "weekday_is_right", _set(CALENDAR, "is_weekend = true", TUESDAY)),
    (CALENDAR, "holidays_have_a_name", _set(CALENDAR, "is_public_holiday_alsace_moselle = false", MAY_DAY)),
    (CALENDAR, "working_days_agree", _set(CALENDAR, "is_bridge_day = true", MAY_DAY)),
    (CALENDAR, "days_last_as_the_law_says", _set(CALENDAR, "duration_hours = 48", TUESDAY)),
]


def _suite(mart: str) -> Suite:
    return read_suite(SUITES / f"{mart.split('.')[1]}.yml")


def all_defects() -> Iterator[tuple[str, str, Defect]]:
    for mart, defects in DEFECTS.items():
        yield from ((mart, name, defect) for name, defect in defects.items())
        for name in (one.name for one in _suite(mart).expectations if one.kind == "not_null"):
            column = name.split(".")[1]
            yield mart, name, Defect(f"update {mart} set {column} = null where rowid = (select min(rowid) from {mart})")
    yield from FURTHER_DEFECTS


@pytest.fixture(scope="module")
def sound(theme: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a warehouse that holds the marts and what the suites compare them with."""
    path = tmp_path_factory.mktemp("sound") / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"attach '{theme.workspace.warehouse}' as built (read_only)")
        for schema in ("territory", "ops"):
            connection.execute(f"create schema {schema}")
        for table in (*MARTS, "ops.territory", "ops.mart_sources", "ops.last_release", "ops.ledger", "ops.sources"):
            connection.execute(f"create table {table} as select * from built.{table}")
    return path


@pytest.fixture
def warehouse(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(sound, tmp_path / "warehouse.duckdb"))


@pytest.mark.parametrize("mart", MARTS)
def test_sound_marts_pass(sound: Path, mart: str) -> None:
    validation = engine.validate(_suite(mart), sound, SETTINGS)
    assert [result for result in validation.results if result.status != "passed"] == []


@pytest.mark.parametrize("mart", MARTS)
def test_every_expectation_has_a_seeded_defect(mart: str) -> None:
    written = {one.name for one in _suite(mart).expectations}
    assert {name for other, name, _ in all_defects() if other == mart} == written


@pytest.mark.parametrize(
    ("mart", "name", "defect"), [pytest.param(*case, id=f"{case[0]}-{case[1]}") for case in all_defects()]
)
def test_a_seeded_defect_turns_its_expectation_red(warehouse: Path, mart: str, name: str, defect: Defect) -> None:
    with connect(warehouse, SETTINGS) as connection:
        connection.execute(defect.sql)
    suite = _suite(mart)
    only = replace(suite, expectations=tuple(one for one in suite.expectations if one.name == name))
    (result,) = engine.validate(only, warehouse, SETTINGS).results
    assert result.status == "failed"
