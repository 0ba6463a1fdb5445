"""The effect of works by the models themselves: what they estimate, what they refuse to, and that their intervals hold.

One warehouse is filled and run once; a test that changes a model works on a copy. Thousands of windows, and broken
assumptions one by one, are for ``make bench-effect``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.benchmarks.effect import (
    ESTIMATES,
    SCENARIOS,
    Window,
    changed_by,
    covered,
    draw_windows,
    quiet_town,
    site_of,
    with_added,
)
from tests.benchmarks.effect_bed import Bed, Counts, Site

COUNTERS, DAYS = 60, 240
CASES, CASE_DAYS = 20, 160
WORKS = "declared"
MEMORY = "memory06.0"


def town() -> tuple[Counts, list[Site]]:
    """Return a town whose days hang together, and windows in which nothing happens."""
    counts, added = quiet_town(MEMORY, COUNTERS, DAYS, 5)
    windows = draw_windows(counts, 5)
    return with_added(counts, added), [site_of(one, number, counts) for number, one in enumerate(windows)]


class Cases:
    """Counters of one quiet source, each with works of its own kind; the last ones are left as controls."""

    def __init__(self) -> None:
        counts, added = quiet_town("sample.cases", CASES, CASE_DAYS, 8)
        self.counts, self.added = replace(counts, source="cases"), added
        self.sites: list[Site] = []
        self.changes: list[Window] = []

    def site(self, name: str, counter: int, start: int, length: int, change: float = 0.0, **facts: Any) -> None:
        """Declare works at a counter, and change its traffic for as long (log)."""
        first = self.counts.first_day + timedelta(days=start)
        near = [("cases", self.counts.counters[counter], 30.0, facts.pop("position", "on"))]
        self.sites.append(Site(WORKS, name, first, first + timedelta(days=length - 1), near, **facts))
        if change:
            self.changes.append(Window("cases", counter, start, length, change))

    def counted(self) -> Counts:
        """Return the traffic with what the works changed."""
        flow = np.where(np.isnan(self.counts.flow_veh_h), 300.0, self.counts.flow_veh_h)
        whole = replace(self.counts, flow_veh_h=flow)
        return with_added(whole, changed_by(self.added, self.changes))


def cases() -> tuple[list[Counts], list[Site]]:
    """Return one counter for each thing that may happen, and their works."""
    made = Cases()
    first = made.counts.first_day
    made.site("single", 0, 60, 30, np.log(0.8), position="upstream")
    made.site("long", 1, 30, 90)
    made.site("within", 1, 60, 30, np.log(0.7))
    made.site("always", 2, 0, CASE_DAYS)
    made.site("added", 2, 60, 30, np.log(0.7), position="beside")
    made.site("closing", 3, 60, 30)
    made.site("muting", 4, 60, 30)
    night = datetime(first.year, first.month, first.day, 20) + timedelta(days=70)
    made.site("around", 5, 60, 30, np.log(0.8))
    made.site("night", 5, 70, 2, start_at=night, end_at=night + timedelta(hours=8))
    made.site("days", 6, 60, 3)
    made.site("unending", 7, 0, CASE_DAYS)
    made.site("given_up", 8, 60, 30, status="cancelled")
    made.site("pavement", 8, 60, 30, on_carriageway=False)
    made.site("one", 9, 60, 30, group="both")
    made.site("two", 9, 62, 20, group="both", primary=False)
    made.site("lasting", 10, 30, 92)
    made.site("quarter", 11, 30, 91)
    made.site("gone", 12, 60, 60, np.log(0.8), last_day_on=first + timedelta(days=89))
    counts = made.counted()
    spell = slice(60, 90)
    barred = np.zeros(counts.flow_veh_h.shape, dtype=np.bool_)
    barred[spell, 3, :] = True
    for counter in (3, 4):
        counts.flow_veh_h[spell, counter, :] = 0.0
        assert counts.occupancy_pct is not None
        counts.occupancy_pct[spell, counter, :] = 0.0
    lonely = replace(
        counts, source="lonely", counters=counts.counters[:1], flow_veh_h=counts.flow_veh_h[:, :1], occupancy_pct=None
    )
    ended = replace(lonely, source="ended", flow_veh_h=lonely.flow_veh_h[:40])
    own = [
        Site(
            WORKS, f"at_{source}", first + timedelta(days=60), first + timedelta(days=89), [(source, place, 5.0, "on")]
        )
        for source, place in (("lonely", counts.counters[0]), ("ended", counts.counters[0]))
    ]
    return [replace(counts, barred=barred), lonely, ended], [*made.sites, *own]


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Bed:
    """Return the warehouse with the town and the cases, once the models have run."""
    counts, sites = town()
    further, works = cases()
    last = max(one.first_day + timedelta(days=len(one.flow_veh_h) - 1) for one in (counts, *further))
    filled = Bed(tmp_path_factory.mktemp("effect"))
    filled.fill([counts, *further], [*sites, *works], last)
    filled.run()
    return filled


def spell(bed: Bed, *sites: str, measure: str = "flow") -> dict[str, Any]:
    """Return the one row whose spell has exactly these sites."""
    rows = bed.ask(
        "select estimate_status, cast(effect_pct as double), cast(lower_pct as double), cast(upper_pct as double), "
        "baseline, attribution, attributed_sites, position, spell_days, compared_days, barred_hours, set_aside_hours, "
        "sites, cast(expected_per_day as double), cast(observed_per_day as double) "
        f"from mobility.works_traffic_effect where measure = '{measure}' order by start_on"
    )
    names = (
        "status effect lower upper baseline attribution attributed position spell_days compared_days barred_hours "
        "set_aside_hours sites expected observed"
    )
    found = [dict(zip(names.split(), row, strict=True)) for row in rows]
    own = [row for row in found if [site["site_id"] for site in json.loads(row["sites"])] == sorted(sites)]
    assert own, sites
    return own[0]


# --- what is estimated ------------------------------------------------------------------------------------------


def test_a_fall_of_a_fifth_is_found_and_attributed_to_its_site(bed: Bed) -> None:
    row = spell(bed, "single")
    assert (row["status"], row["baseline"], row["attribution"]) == ("estimated", "without_works", "site")
    assert row["lower"] < -20 < row["upper"]
    assert row["upper"] < 0
    assert row["position"] == "upstream"
    assert row["observed"] == pytest.approx(0.8 * row["expected"], rel=0.03)


def test_works_of_several_sites_are_attributed_to_the_set(bed: Bed) -> None:
    row = spell(bed, "long", "within")
    assert (row["status"], row["baseline"], row["attribution"]) == ("estimated", "without_works", "set")
    assert json.loads(row["attributed"]) == [f"{WORKS}/long", f"{WORKS}/within"]
    assert row["lower"] < -30 < row["upper"]


def test_a_site_beside_one_that_never_ends_is_told_from_it(bed: Bed) -> None:
    row = spell(bed, "added", "always")
    assert (row["status"], row["baseline"], row["attribution"]) == ("estimated", "fewer_works", "site")
    assert json.loads(row["attributed"]) == [f"{WORKS}/added"]
    assert row["position"] == "beside"
    assert row["lower"] < -30 < row["upper"]


def test_a_night_closure_neither_parts_a_spell_nor_counts_in_it(bed: Bed) -> None:
    around, night = spell(bed, "around"), spell(bed, "night")
    assert (around["status"], around["spell_days"], around["set_aside_hours"]) == ("estimated", 30, 8)
    assert around["lower"] < -20 < around["upper"]
    assert (night["status"], night["effect"]) == ("too_short", None)


def test_one_site_told_by_two_files_is_one(bed: Bed) -> None:
    assert spell(bed, "one")["spell_days"] == 30


def test_works_of_a_quarter_are_estimated(bed: Bed) -> None:
    row = spell(bed, "quarter")
    assert (row["status"], row["spell_days"]) == ("estimated", 91)


def test_works_that_left_their_snapshot_close_the_street_no_longer(bed: Bed) -> None:
    ((end_on, days, is_open),) = bed.ask(
        "select distinct end_on, spell_days, is_open from mobility.works_traffic_effect where sites like '%\"gone\"%'"
    )
    first = bed.ask("select min(start_on) from mobility.works_sites where site_id = 'gone'")[0][0]
    assert (end_on, days, is_open) == (first + timedelta(days=29), 30, False)


def test_occupancy_is_measured_on_its_own(bed: Bed) -> None:
    row = spell(bed, "single", measure="occupancy")
    assert row["status"] == "estimated"
    assert 0 < row["observed"] < 100


# --- what is not ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("site", "reason"),
    [
        ("closing", "barred"),
        ("muting", "silent"),
        ("days", "too_short"),
        ("unending", "no_comparable_days"),
        ("lasting", "too_long"),
        ("at_lonely", "no_control"),
        ("at_ended", "not_measured"),
    ],
)
def test_without_grounds_there_is_a_reason_and_no_figure(bed: Bed, site: str, reason: str) -> None:
    row = spell(bed, site)
    assert (row["status"], row["effect"], row["lower"], row["upper"]) == (reason, None, None, None)


def test_barred_hours_are_counted(bed: Bed) -> None:
    ((hours,),) = bed.ask("select count(*) from mobility.traffic_hourly where source = 'cases' and is_barred")
    assert spell(bed, "closing")["barred_hours"] == hours > 24 * 29


@pytest.mark.parametrize("site", ["given_up", "pavement", "two"])
def test_what_does_not_take_from_the_carriageway_makes_no_spell(bed: Bed, site: str) -> None:
    ((rows,),) = bed.ask(f"select count(*) from mobility.works_traffic_effect where sites like '%\"{site}\"%'")
    assert rows == 0


# --- the intervals ----------------------------------------------------------------------------------------------


def coverage(bed: Bed) -> tuple[int, float]:
    """Return windows of the town and the share of them whose interval covers zero, in percent."""
    found = bed.columns(ESTIMATES)
    windows, share, *_ = covered(found, found["source"] == MEMORY)
    return int(windows), float(share)


def test_windows_in_which_nothing_happens_cover_zero(bed: Bed) -> None:
    assert SCENARIOS["memory06"].title == "days correlated by 0.6"
    windows, share = coverage(bed)
    assert windows > 250
    # Flow and occupancy share their noise: about 150 windows of their own, a standard error of 1.8 %.
    assert 90 <= share <= 99


def spoilt(bed: Bed, folder: Path, model: str, old: str, new: str) -> Bed:
    """Return a copy of the warehouse, run again with a model that says something else."""
    shutil.copytree(bed.folder, folder / "copy")
    other = Bed(folder / "copy", bed.settings)
    (file,) = other.dbt.folder.glob(f"models/**/{model}.sql")
    sql = file.read_text(encoding="utf-8")
    assert old in sql
    file.write_text(sql.replace(old, new), encoding="utf-8")
    other.run()
    return other


def test_days_taken_for_independent_would_be_noticed(bed: Bed, tmp_path: Path) -> None:
    kept, none = "cast(correlation as decimal(7, 6))", "cast(0 * correlation as decimal(7, 6))"
    _, share = coverage(spoilt(bed, tmp_path, "int_mobility__counter_noise", kept, none))
    assert share < 86


def fingerprint(bed: Bed) -> list[tuple[Any, ...]]:
    """Return row count and sum of hashes of each month of the mart."""
    return bed.ask(
        "select period_month, count(*), sum(cast(hash(effects) as hugeint)) "
        "from mobility.works_traffic_effect as effects group by 1 order by 1"
    )


def test_the_same_data_give_the_same_bytes(bed: Bed, tmp_path: Path) -> None:
    shutil.copytree(bed.folder, tmp_path / "copy")
    again = Bed(tmp_path / "copy", bed.settings)
    again.change("delete from ops.build_keys")
    again.run()
    assert fingerprint(again) == fingerprint(bed)


def test_days_off_in_alsace_and_moselle_are_set_aside_there_alone(bed: Bed, tmp_path: Path) -> None:
    heard = (
        "select distinct counter_id from intermediate.int_mobility__counter_day_levels "
        f"where source = '{MEMORY}' and day_on = date '2025-04-18' order by counter_id"
    )
    counter, *others = [name for (name,) in bed.ask(heard)]
    assert others
    shutil.copytree(bed.folder, tmp_path / "copy")
    other = Bed(tmp_path / "copy", bed.settings)
    other.change(f"insert into intermediate.int_mobility__counter_holidays values ('{MEMORY}', '{counter}', true)")
    other.run()
    assert [name for (name,) in other.ask(heard)] == others


def names_of(models: Sequence[tuple[Any, ...]]) -> set[str]:
    return {str(name) for name, *_ in models}


def test_new_works_rebuild_only_what_they_touch(bed: Bed, tmp_path: Path) -> None:
    shutil.copytree(bed.folder, tmp_path / "copy")
    other = Bed(tmp_path / "copy", bed.settings)
    before = names_of(other.ask("select model || part || content_key from ops.build_keys where part <> '*'"))
    other.change("update mobility.works_sites set last_day_on = end_on - 2 where site_id = 'single'")
    other.run()
    after = names_of(other.ask("select model || part || content_key from ops.build_keys where part <> '*'"))
    changed = {name for name in after - before if "counter_day_measures" in name}
    assert changed == set()
    assert spell(other, "single")["spell_days"] == 28
