"""The files of reference as INSEE and Etalab published them: vintages 2020 and 2026, whole France.

The figures are those measured on the extracts by hand (PROVENANCE.md beside them); none is derived from our readers.
"""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from orchestration import modelling
from orchestration.project import SAMPLE_TERRITORY
from raw_sources.database import connect
from tests.worlds import World

FEEDS = {
    "insee_cog_communes": "cog_communes_*.csv",
    "insee_cog_departements": "cog_departements_*.csv",
    "insee_cog_regions": "cog_regions_*.csv",
    "insee_populations_legales": "populations_legales_*.csv",
    "etalab_communes": "etalab_communes_*.json",
    "etalab_departements": "etalab_departements_*.json",
    "etalab_regions": "etalab_regions_*.json",
    "etalab_epci": "etalab_epci_*.json",
    "etalab_ept": "etalab_ept_*.json",
}
READ = {
    "insee_cog_communes": 37_901,
    "insee_cog_departements": 101,
    "insee_cog_regions": 18,
    "insee_populations_legales": 34_990,
    "etalab_communes": 37_590,
    "etalab_departements": 109,
    "etalab_regions": 26,
    "etalab_epci": 1_255,
    "etalab_ept": 11,
}


@pytest.fixture(scope="module")
def france(real_extracts: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return a world of the reference files, its theme built; the territory is Paris in the vintage 2026."""
    world = World(tmp_path_factory.mktemp("france"))
    world.territory.mkdir()
    declared = (SAMPLE_TERRITORY / "territory.yml").read_text(encoding="utf-8")
    head = declared.split("feeds:")[0].replace("vintage: 2025", "vintage: 2026").replace('"99999"', '"75056"')
    feeds = "".join(
        f"  {source}:\n    files:\n      - glob: '{glob}'\n        date: '_(\\d{{4}})\\.'\n"
        for source, glob in FEEDS.items()
    )
    (world.territory / "territory.yml").write_text(f"{head}feeds:\n{feeds}", encoding="utf-8")
    shutil.copytree(real_extracts / "reference_insee", world.extracts)
    run = world.run()
    run.receive_all()
    assert modelling.failures(run.build("territory")) == []
    return world


def ask(world: World, sql: str) -> list[tuple[Any, ...]]:
    with connect(world.workspace.warehouse, world.workspace.duckdb) as connection:
        return connection.execute(sql).fetchall()


def test_every_record_is_kept_and_the_ledger_balances(france: World) -> None:
    ledger = ask(france, "select source, records_read, staged, rejected + superseded + duplicate from ops.ledger")
    assert {source: (read, staged, lost) for source, read, staged, lost in ledger} == {
        source: (read, read, 0) for source, read in READ.items()
    }


def test_communes_of_both_vintages_by_type(france: World) -> None:
    counted = ask(france, "select vintage, commune_type, count(*) from territory.communes group by 1, 2 order by 1, 2")
    assert counted == [
        (2020, "ARM", 45),
        (2020, "COM", 34_968),
        (2020, "COMA", 546),
        (2020, "COMD", 2_342),
        (2026, "ARM", 45),
        (2026, "COM", 34_969),
        (2026, "COMA", 471),
        (2026, "COMD", 2_105),
    ]


def test_every_commune_of_2020_is_found_in_2026(france: World) -> None:
    relations = dict(
        ask(france, "select relation, count(*) from territory.commune_passages where level = 'commune' group by 1")
    )
    # 88 of the communes that disappeared are a delegated or associated commune of another, 16 a former code of another;
    # 94 overseas collectivities are in Etalab's file alone.
    assert relations == {"unchanged": 34_712, "renamed": 73, "recoded": 4, "merged": 176, "split": 10, "not_listed": 94}


@pytest.mark.parametrize(
    ("code", "reference", "relation"),
    [
        ("69159", "69114", "recoded"),  # Porte des Pierres Dorées changed its seat
        ("85084", None, "split"),  # Essarts en Bocage gave back two communes in 2024
        ("75101", "75056", "unchanged"),
        ("16238", "16023", "merged"),
        ("97105", "97105", "unchanged"),
    ],
)
def test_passages_of_known_communes(france: World, code: str, reference: str | None, relation: str) -> None:
    found = ask(
        france,
        "select reference_code, relation from intermediate.int_territory__commune_passage "
        f"where vintage = 2020 and commune_code = '{code}'",
    )
    assert found == [(reference, relation)]


def test_populations_are_neither_lost_nor_counted_twice(france: World) -> None:
    # The name of the extract says 2020, and so does the mart; its figures and its 34,948 communes outside Mayotte are
    # those that INSEE published for 2019 (boundaries of 2021). No content of the file tells its year.
    total = ask(france, "select sum(municipal_population) from territory.populations_yearly where commune_type = 'COM'")
    published = ask(france, "select sum(cast(pmun as integer)) from raw.insee__populations_legales")
    assert total == published == [(66_988_403,)]
    codes = ask(
        france,
        "select commune_code, municipal_population from territory.populations_yearly "
        "where commune_code in ('97105', '2A004', '01001', '75056') order by 1",
    )
    assert codes == [("01001", 779), ("2A004", 71_361), ("75056", 2_165_423), ("97105", 9_861)]


def test_a_population_of_2020_is_not_that_of_a_commune_merged_since(france: World) -> None:
    empty = ask(
        france,
        "select communes.commune_code from territory.communes "
        "inner join territory.commune_passages as passages on passages.from_vintage = communes.vintage "
        "and passages.from_code = communes.commune_code and passages.level = 'commune' "
        "where communes.vintage = 2020 and communes.commune_type = 'COM' "
        "and municipal_population_status = 'not_available' and passages.relation <> 'not_listed' "
        "and communes.department_code <> '976' order by 1",
    )
    # Mosnac and Saint-Simeux, and the three of Vimartin-sur-Orthe, merged before the figures were made; Les Trois Lacs
    # is listed under no code that either vintage gives it.
    assert empty == [("16233",), ("16351",), ("27676",), ("53239",), ("53249",), ("53274",)]
    apart = ask(
        france,
        "select commune_code, municipal_population from territory.communes "
        "where vintage = 2020 and commune_type = 'COM' and commune_code in ('69149', '69152', '85084') order by 1",
    )
    # These merged or were split only after: the list of their year still has each, and no offshoot.
    assert apart == [("69149", 26_553), ("69152", 10_397), ("85084", 9_174)]


def test_intermunicipalities_cover_the_communes_of_their_vintage(france: World) -> None:
    counted = ask(
        france,
        "select vintage, count(*) filter (where epci_code is null), count(ept_code), count(distinct epci_code) "
        "from territory.communes where commune_type = 'COM' and department_code not like '98%' "
        "and department_code not in ('975', '977', '978') group by 1 order by 1",
    )
    # Four islands of 2026 belong to no intermunicipality; the eleven EPT list 129 communes.
    assert counted == [(2020, 34_968, 0, 0), (2026, 4, 129, 1_255)]


def test_a_vintage_alone_dates_the_run(france: World) -> None:
    assert ask(france, "select as_of from ops.territory") == [(date(2026, 1, 1),)]


def test_the_territory_is_paris_with_its_districts(france: World) -> None:
    counted = ask(
        france,
        "select vintage, commune_type, count(*) from territory.communes where is_in_territory "
        "group by 1, 2 order by 1, 2",
    )
    assert counted == [(2020, "ARM", 20), (2020, "COM", 1), (2026, "ARM", 20), (2026, "COM", 1)]
