"""Works that left their producer's snapshots, the whole way: neither mart that joins them to traffic goes on with them.

Three counters, two months of counts and three snapshots, delivered at once; all sites lie on the first counter's
street.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import duckdb
import pytest

from orchestration import modelling
from tests.worlds import World, arcs, counts, days, make_world, sites

pytestmark = pytest.mark.slow

START, LAST, FAR = date(2025, 3, 1), date(2025, 4, 30), date(2026, 12, 31)
LISTED = date(2025, 3, 31)
"""The last day before the snapshot that lists one site alone."""
AS_OF = date(2025, 5, 1)
"""The hours carry their end: the last of 30 April is written as the first instant of May."""
KEPT, GONE, NEVER = "CP100001", "CP100002", "CP100003"
JOINED = ("mobility.works_sites", "mobility.counter_works_daily", "mobility.works_traffic_effect")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return the world once its marts are built and hold: one site went on, one left, one was given up beforehand."""
    made = make_world(tmp_path_factory.mktemp("vanished"))
    every = {KEPT: (START, FAR), GONE: (START, FAR), NEVER: (date(2025, 4, 10), FAR)}
    made.deliver(
        {
            "comptages-routiers-permanents_202503.csv": counts(days(START, 61)),
            "referentiel-comptages-routiers_20250301.csv": arcs(),
            "chantiers-perturbants_20250301.csv": sites(every),
            "chantiers-perturbants_20250401.csv": sites({KEPT: every[KEPT]}),
            "chantiers-perturbants_20250415.csv": sites({KEPT: every[KEPT]}),
        }
    )
    run = made.run()
    run.receive_all()
    assert [modelling.failures(run.build(theme)) for theme in ("territory", "mobility")] == [[], []]
    certificates = {mart: run.validate(mart) for mart in JOINED}
    assert {mart: one.names(one.status) for mart, one in certificates.items() if one.status != "passed"} == {}
    return made


def ask(world: World, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(world.workspace.warehouse), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_their_last_day_is_the_one_before_the_first_snapshot_without_them(world: World) -> None:
    found = ask(world, "select site_id, end_on, last_day_on, status from mobility.works_sites order by site_id")
    assert found == [
        (KEPT, FAR, FAR, "ongoing"),
        (GONE, FAR, LISTED, "ended"),
        (NEVER, FAR, LISTED, "cancelled"),
    ]


def test_no_counter_is_near_them_afterwards(world: World) -> None:
    found = ask(
        world, "select site_id, min(day_on), max(day_on) from mobility.counter_works_daily group by 1 order by 1"
    )
    assert found == [(KEPT, START, LAST), (GONE, START, LISTED)]


def test_no_spell_goes_on_with_them(world: World) -> None:
    found = ask(
        world,
        'select distinct start_on, end_on, is_open, cast(from_json(sites, \'[{"site_id": "VARCHAR"}]\') as varchar) '
        "from mobility.works_traffic_effect order by start_on",
    )
    assert [row[:3] for row in found] == [(START, LISTED, False), (date(2025, 4, 1), AS_OF, True)]
    named = [[site for site in (KEPT, GONE, NEVER) if site in row[3]] for row in found]
    assert named == [[KEPT, GONE], [KEPT]]
