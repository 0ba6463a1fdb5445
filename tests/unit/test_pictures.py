"""The pictures of the marts: what their queries say of tiny relations, and what the SVG shows of it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element  # the type only: what is parsed is parsed by defusedxml

import duckdb
import numpy as np
import pytest
from defusedxml.ElementTree import fromstring

from orchestration.assets.pictures import PICTURES, plots, queries
from orchestration.assets.pictures.drawings import COLOURS, SHADE

TABLES = {
    "traffic_hourly": "source varchar, counter_id varchar, direction varchar, vehicle_class varchar, "
    "hour_start_at timestamp, hour_start_local varchar, measure_kind varchar, flow_veh_h double, "
    "occupancy_pct double, speed_kmh double, is_barred boolean, plausibility varchar",
    "traffic_yearly": "source varchar, counter_id varchar, direction varchar, vehicle_class varchar, year integer, "
    "coverage_status varchar, mean_daily_traffic_veh_d double, street varchar",
    "works_sites": "kind varchar, status varchar",
    "counter_works_daily": "period_month varchar, disruption varchar",
    "works_traffic_effect": "source varchar, counter_id varchar, direction varchar, measure varchar, start_on date, "
    "end_on date, estimate_status varchar, effect_pct decimal(9, 2), lower_pct decimal(9, 2), "
    "upper_pct decimal(9, 2), position varchar, compared_days integer",
    "consumption_yearly": "source varchar, zone_level varchar, year integer, carrier varchar, sector varchar, "
    "consumption_mwh double",
    "load_half_hourly": "source varchar, zone_code varchar, zone_name varchar, start_local varchar, "
    "period_month varchar, consumption_mw double",
    "communes": "vintage integer, commune_type varchar",
    "commune_passages": "from_vintage integer, to_vintage integer, relation varchar, level varchar",
    queries.CALENDAR: "day_on date, is_public_holiday boolean",
    queries.ESTIMATES: "source varchar, counter_id varchar, direction varchar, measure varchar, spell_from_on date, "
    "departure decimal(12, 9), baseline_keys varchar[]",
    queries.SPELLS: "source varchar, counter_id varchar, from_on date, site_keys varchar[]",
    queries.LEVELS: "source varchar, counter_id varchar, direction varchar, measure varchar, day_on date, "
    "day_no integer, weekday integer, spell_from_on date, left_out varchar, day_log decimal(9, 6), "
    "level_log decimal(9, 6)",
}
COUNTED = ("2024-05-02T08:00:00+02:00", "count", 300, None, None, False, "plausible")
FLOW, OTHER = ("counts", "a", "one_way", "flow"), ("counts", "b", "one_way", "flow")
START, END = date(2024, 3, 4), date(2024, 3, 24)
ONE_ROW: dict[str, tuple[Any, ...]] = {
    "traffic_hourly": ("counts", "a", "one_way", "all", "2024-05-02 06:00:00", *COUNTED),
    "traffic_yearly": ("counts", "a", "one_way", "all", 2024, "some_months", 1234.5, "Main street"),
    "works_sites": ("road_works", "ongoing"),
    "counter_works_daily": ("2024-05", "lane_restricted"),
    "works_traffic_effect": (*FLOW, START, END, "estimated", -10, -20, 1, "on", 1),
    "consumption_yearly": ("ore", "commune", 2024, "electricity", "residential", 12.5),
    "load_half_hourly": ("loads", "84", "Region", "2024-05-02T08:30:00+02:00", "2024-05", 900),
    "communes": (2024, "COM"),
    "commune_passages": (2024, 2025, "merged", "commune"),
}


@pytest.fixture
def connection() -> Iterable[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute("create schema intermediate")
        for name, columns in TABLES.items():
            opened.execute(f"create table {name} ({columns})")
        yield opened


def put(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Sequence[Any]]) -> None:
    marks = ", ".join("?" * len(rows[0]))
    connection.executemany(f"insert into {table} values ({marks})", rows)


def hour(counter: str, at: str, kind: str, value: float, **facts: Any) -> tuple[Any, ...]:
    """One hour of legal time, measured in the way of its kind."""
    values = [value if kind == one else None for one in ("count", "occupancy", "speed")]
    barred, plausibility = facts.get("is_barred", False), facts.get("plausibility", "plausible")
    start = ("counts", counter, "one_way", facts.get("vehicle_class", "all"), at.replace("T", " "))
    return (*start, f"{at}+02:00", kind, *values, barred, plausibility)


def said(connection: duckdb.DuckDBPyConnection, mart: str, number: int = 0) -> list[tuple[Any, ...]]:
    """The rows of a mart's picture, as its query gives them."""
    return connection.execute(PICTURES[mart][number].query.format(relation=mart)).fetchall()


def drawn(connection: duckdb.DuckDBPyConnection, mart: str) -> list[Element]:
    """The SVG images of a mart."""
    markdown = plots(connection, mart, mart) or ""
    images = re.findall(r"!\[.+?\]\(data:image/svg\+xml;base64,([^)]+)\)", markdown)
    return [fromstring(base64.b64decode(one)) for one in images]


def texts(image: Element) -> list[str]:
    return ["".join(one.itertext()).strip() for one in image.iter() if one.tag.endswith("}text")]


def paths(image: Element, style: str) -> list[str]:
    """The outlines of the shapes whose style says so, those of the legend included."""
    return [
        one.get("d", "") for one in image.iter() if one.tag.endswith("}path") and style in one.get("style", "").lower()
    ]


def spans(outlines: Iterable[str], axis: int) -> list[tuple[float, float]]:
    """From where to where each outline goes, across (0) or down (1)."""
    points = [np.array(re.findall(r"(-?[\d.]+) (-?[\d.]+)", one), dtype=float)[:, axis] for one in outlines]
    return [(float(one.min()), float(one.max())) for one in points]


def extents(outlines: Iterable[str], axis: int) -> list[float]:
    """How wide (0) or high (1) each outline is."""
    return [high - low for low, high in spans(outlines, axis)]


@pytest.mark.parametrize("mart", PICTURES)
def test_an_empty_mart_has_no_picture(connection: duckdb.DuckDBPyConnection, mart: str) -> None:
    assert plots(connection, mart, mart) is None


def test_a_mart_of_a_territory_has_no_picture(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create table own_mart as select 1 as figure")
    assert plots(connection, "own_mart", "own_mart") is None


@pytest.mark.parametrize("mart", PICTURES)
def test_one_row_is_drawn(connection: duckdb.DuckDBPyConnection, mart: str) -> None:
    put(connection, mart, [ONE_ROW[mart]])
    titles = [one.title for one in PICTURES[mart]]
    shown = [title for image in drawn(connection, mart) for title in titles if title in texts(image)]
    # A spell is not drawn without its days, nor the reasons where there is an estimate.
    assert shown == (titles[1:2] if mart == "works_traffic_effect" else titles)


def test_the_same_rows_give_the_same_picture(connection: duckdb.DuckDBPyConnection) -> None:
    put(connection, "traffic_hourly", [ONE_ROW["traffic_hourly"]])
    first = plots(connection, "traffic_hourly", "traffic_hourly")
    assert first == plots(connection, "traffic_hourly", "traffic_hourly")
    assert not [one.tag for image in drawn(connection, "traffic_hourly") for one in image.iter("{*}date")]


def test_what_a_picture_reads_may_be_missing(connection: duckdb.DuckDBPyConnection) -> None:
    put(connection, "traffic_hourly", [ONE_ROW["traffic_hourly"]])
    connection.execute(f"drop table {queries.CALENDAR}")
    (one,) = drawn(connection, "traffic_hourly")
    assert "Hours measured, by day and kind of measure" in texts(one)


@pytest.mark.parametrize(("days", "label"), [(200, "2024-05-02"), (300, "2024-05"), (3000, "2024")])
def test_a_picture_stays_light_over_years(connection: duckdb.DuckDBPyConnection, days: int, label: str) -> None:
    put(connection, "traffic_hourly", [ONE_ROW["traffic_hourly"]])
    connection.execute(
        "insert into traffic_hourly select t.* replace (hour_start_at + interval 1 day * n as hour_start_at, "
        f"['count', 'occupancy', 'speed'][n % 3 + 1] as measure_kind) from traffic_hourly as t, range({days}) as r(n)"
    )
    markdown = plots(connection, "traffic_hourly", "traffic_hourly") or ""
    assert all(len(base64.b64decode(one)) < 60_000 for one in re.findall(r"base64,([^)]+)", markdown))
    assert label in texts(drawn(connection, "traffic_hourly")[0])


def test_names_are_shown_as_they_are(connection: duckdb.DuckDBPyConnection) -> None:
    put(connection, "traffic_hourly", [hour("$a_b$ <c> ]", "2024-05-02T08:00:00", "count", 300)])
    assert "counter $a_b$ <c> ] of counts, 2024-05-02 to 2024-05-02" in texts(drawn(connection, "traffic_hourly")[1])


def test_stacked_bars_are_as_high_as_their_counts(connection: duckdb.DuckDBPyConnection) -> None:
    rows = [("road_works", "ended")] * 2 + [("road_works", "ongoing")] * 3 + [("event", "ended")]
    put(connection, "works_sites", rows)
    (image,) = drawn(connection, "works_sites")
    event, works, _ = extents(paths(image, COLOURS[0]), axis=1)
    (ongoing, _) = extents(paths(image, COLOURS[1]), axis=1)
    assert works == pytest.approx(2 * event, rel=1e-3)
    assert ongoing == pytest.approx(3 * event, rel=1e-3)
    (_, works_ended, _), (works_ongoing, _) = (spans(paths(image, COLOURS[n]), axis=1) for n in (0, 1))
    assert works_ongoing[1] == pytest.approx(works_ended[0])  # one stands on the other; down is more
    assert {"event", "road works", "ended", "ongoing"} <= set(texts(image))


def test_a_profile_is_that_of_the_counter_counted_most(connection: duckdb.DuckDBPyConnection) -> None:
    put(
        connection,
        "traffic_hourly",
        [
            hour("a", "2024-05-02T08:00:00", "count", 300),
            hour("a", "2024-05-03T08:00:00", "count", 500),
            hour("a", "2024-05-03T09:00:00", "count", 100),
            hour("a", "2024-05-04T08:00:00", "count", 50),
            hour("a", "2024-05-05T08:00:00", "count", 20),
            hour("a", "2024-05-01T08:00:00", "count", 40),
            hour("a", "2024-05-06T08:00:00", "count", 7000, is_barred=True),
            hour("a", "2024-05-06T08:00:00", "count", 7000, plausibility="implausible_flow"),
            hour("a", "2024-05-06T08:00:00", "count", 7000, vehicle_class="truck"),
            hour("b", "2024-05-02T08:00:00", "count", 900),
            *(hour("c", f"2024-05-{day:02}T08:00:00", "occupancy", 5) for day in range(1, 20)),
        ],
    )
    put(connection, queries.CALENDAR, [(date(2024, 5, day), day == 1) for day in range(1, 20)])
    title = "counter a of counts, 2024-05-01 to 2024-05-05"
    assert said(connection, "traffic_hourly", 1) == [
        (title, "working days", 8, 400, "vehicles an hour"),
        (title, "working days", 9, 100, "vehicles an hour"),
        (title, "Saturdays", 8, 50, "vehicles an hour"),
        (title, "Sundays and public holidays", 8, 30, "vehicles an hour"),
    ]
    image = drawn(connection, "traffic_hourly")[1]
    assert {title, "working days", "Saturdays", "Sundays and public holidays", "vehicles an hour"} <= set(texts(image))
    shown, _ = paths(image, f"stroke: {COLOURS[0]}; stroke-width: 1.5")
    assert len(re.findall(r"[ML]", shown)) == 2


def test_a_profile_tells_occupancy_where_nothing_is_counted(connection: duckdb.DuckDBPyConnection) -> None:
    rows = [hour("a", f"2024-05-0{day}T08:00:00", "speed", 30) for day in (2, 3)]
    put(connection, "traffic_hourly", [*rows, hour("b", "2024-05-02T08:00:00", "occupancy", 12.5)])
    title = "counter b of counts, 2024-05-02 to 2024-05-02"
    assert said(connection, "traffic_hourly", 1) == [(title, "working days", 8, 12.5, "occupancy, %")]


def test_consumption_adds_neither_sources_nor_levels_nor_totals(connection: duckdb.DuckDBPyConnection) -> None:
    put(
        connection,
        "consumption_yearly",
        [
            ("ore", "commune", 2023, "electricity", "residential", 10.5),
            ("ore", "commune", 2023, "electricity", "residential", 20.5),
            ("ore", "commune", 2023, "electricity", "industry", None),
            ("ore", "commune", 2023, "electricity", "all", 31),
            ("ore", "commune", 2023, "gas", "residential", 70),
            ("ore", "municipal_district", 2023, "electricity", "residential", 20.5),
            ("enedis", "department", 2023, "electricity", "residential", 500),
            ("ore", "commune", 2022, "electricity", "residential", 9),
        ],
    )
    assert said(connection, "consumption_yearly") == [
        ("MWh, ore, commune", "2022", "residential", 9),
        ("MWh, ore, commune", "2023", "residential", 31),
    ]


def test_a_load_is_that_of_the_zone_known_best_by_season(connection: duckdb.DuckDBPyConnection) -> None:
    region, city = ("loads", "84", "Region"), ("loads", "200", "City")
    put(
        connection,
        "load_half_hourly",
        [
            (*region, "2024-07-02T08:00:00+02:00", "2024-07", 900),
            (*region, "2024-07-02T08:30:00+02:00", "2024-07", 700),
            (*region, "2024-01-02T08:00:00+01:00", "2024-01", 1500),
            (*city, "2024-01-02T08:00:00+01:00", "2024-01", 100),
            *((*city, f"2024-01-02T0{hour}:00:00+01:00", "2024-01", None) for hour in range(9)),
        ],
    )
    assert said(connection, "load_half_hourly") == [
        ("Region, loads", "winter", 8, 1500, "MW"),
        ("Region, loads", "summer", 8, 800, "MW"),
    ]


def test_the_busiest_counters_are_those_of_the_last_year(connection: duckdb.DuckDBPyConnection) -> None:
    put(
        connection,
        "traffic_yearly",
        [
            *(("counts", f"c{n:02}", "one_way", "all", 2024, "some_months", 1000 + n, None) for n in range(40)),
            ("counts", "no_1", "both", "all", 2024, "complete_year", 2000, "Main street " * 4),
            ("counts", "truck", "both", "truck", 2024, "complete_year", 9000, None),
            ("counts", "before", "both", "all", 2023, "complete_year", 9000, None),
            ("counts", "after", "both", "all", 2025, "no_complete_month", None, None),
        ],
    )
    rows = said(connection, "traffic_yearly")
    assert rows[0] == (
        "2024, vehicles a day of the complete months; counts",
        "no_1 · both · " + "Main street " * 4,
        "complete_year",
        2000,
    )
    assert [label for _, label, *_ in rows[1:]] == [f"c{n:02}" for n in range(39, 10, -1)]
    (image,) = drawn(connection, "traffic_yearly")
    assert {"no_1 · both · Main street Main street Main stre…", "2,000", "1,011", "some months"} <= set(texts(image))
    widths = extents(paths(image, COLOURS[1]), axis=0)
    assert widths[0] / widths[28] == pytest.approx(1039 / 1011, rel=1e-3)


def test_lying_bars_add_up_their_kinds(connection: duckdb.DuckDBPyConnection) -> None:
    kinds = [("unchanged", "commune")] * 4 + [("merged", "commune")] * 2 + [("merged", "district")]
    put(connection, "commune_passages", [(2023 + (level == "district"), 2025, kind, level) for kind, level in kinds])
    assert said(connection, "commune_passages")[0] == ("2023 to 2025", "unchanged", "commune", 4)
    (image,) = drawn(connection, "commune_passages")
    unchanged, merged, _ = extents(paths(image, COLOURS[0]), axis=0)
    assert unchanged == pytest.approx(2 * merged, rel=1e-3)
    assert {"4", "3", "district"} <= set(texts(image))


def test_communes_are_told_by_vintage_and_type(connection: duckdb.DuckDBPyConnection) -> None:
    put(connection, "communes", [(2024, "COM"), (2025, "COM"), (2025, "COMD"), (2025, "COM")])
    assert said(connection, "communes") == [("", "2024", "COM", 1), ("", "2025", "COM", 2), ("", "2025", "COMD", 1)]


def estimate(counter: str, width: float, **facts: Any) -> tuple[Any, ...]:
    """One row of works_traffic_effect: an effect of -10 % with an interval as wide as asked, or none."""
    status, effect = facts.get("status", "estimated"), facts.get("effect", -10)
    told = (effect, effect - width, effect + width) if status == "estimated" else (None, None, None)
    where = ("counts", counter, "one_way", facts.get("measure", "flow"))
    return (*where, START, END, status, *told, facts.get("position", "on"), facts.get("days", 20))


def test_the_narrowest_intervals_are_drawn_in_order(connection: duckdb.DuckDBPyConnection) -> None:
    wide = [estimate(f"wide{n}", 80) for n in range(5)]
    narrow = [estimate(f"n{n:02}", 5, effect=n - 20, position="upstream") for n in range(40)]
    others = [estimate("o", 1, measure="occupancy"), estimate("none", 1, status="silent")]
    put(connection, "works_traffic_effect", [*wide, *narrow, *others])
    rows = said(connection, "works_traffic_effect", 1)
    assert rows[0][0] == "flow, by counter, first day of the spell and position of the works; the 40 narrowest of 45"
    assert [row[1] for row in rows] == [f"n{n:02} · 2024-03-04" for n in range(39, -1, -1)]
    (image,) = drawn(connection, "works_traffic_effect")
    assert {"n39 · 2024-03-04", "upstream", "0 %", "-10 %"} <= set(texts(image))
    assert len(paths(image, f"stroke: {COLOURS[0]}; stroke-width: 1.5")) == 40


def test_a_fall_is_as_wide_as_the_rise_that_undoes_it(connection: duckdb.DuckDBPyConnection) -> None:
    rows = [(*FLOW, START, END, "estimated", 0, -50, 100, "on", 9), (*FLOW, END, END, "estimated", 0, 0, 100, "on", 9)]
    put(connection, "works_traffic_effect", rows)
    (image,) = drawn(connection, "works_traffic_effect")
    both, rise = extents(paths(image, f"stroke: {COLOURS[0]}; stroke-width: 1.5"), axis=0)
    assert both == pytest.approx(2 * rise, rel=1e-3)


def test_reasons_are_told_while_nothing_is_estimated(connection: duckdb.DuckDBPyConnection) -> None:
    without = [estimate(str(n), 0, status="too_short") for n in range(3)] + [estimate("s", 0, status="silent")]
    put(connection, "works_traffic_effect", without)
    assert [row[1:] for row in said(connection, "works_traffic_effect", 2)] == [
        ("too short", "flow", 3),
        ("silent", "flow", 1),
    ]
    (image,) = drawn(connection, "works_traffic_effect")
    assert {"No estimate yet: the reasons", "too short", "silent", "3", "1"} <= set(texts(image))
    put(connection, "works_traffic_effect", [estimate("e", 5)])
    assert said(connection, "works_traffic_effect", 2) == []


class Spell:
    """Days about a spell of works, their common movement, and the departure that least squares find."""

    def __init__(self, departure: float) -> None:
        random = np.random.default_rng(4)
        self.days = [START + timedelta(days=n) for n in range(-60, 80) if n % 11]
        self.inside = np.array([START <= day <= END for day in self.days], dtype=float)
        weekday = np.array([day.isoweekday() for day in self.days])
        time = np.array([(day - START).days for day in self.days], dtype=float)
        self.common = np.round(random.normal(0, 0.05, len(time)), 6)
        level = 9 + 0.1 * (weekday < 6) + 0.002 * time + departure * self.inside + random.normal(0, 0.03, len(time))
        self.level = np.round(level, 6)
        parts = np.column_stack([weekday == n for n in range(1, 8)] + [time, self.inside]).astype(float)
        found = np.linalg.lstsq(parts, self.level, rcond=None)[0]
        self.departure = round(float(found[-1]), 9)
        self.expected = np.exp(parts[:, :-1] @ found[:-1] + self.common)
        self.observed = np.exp(self.level + self.common)

    def fill(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Put the days and the estimate; beside them days that were not compared, which are not to be shown."""
        after = END + timedelta(days=1)
        starts = [date(1900, 1, 1) if day < START else START if day <= END else after for day in self.days]
        numbers = [(day - date(2000, 1, 1)).days for day in self.days]
        levels = [
            (*FLOW, day, number, day.isoweekday(), start, None, level + common, level)
            for day, number, start, level, common in zip(
                self.days, numbers, starts, self.level.tolist(), self.common.tolist(), strict=True
            )
        ]
        left_out = (*FLOW, START, numbers[60], 1, START, "exceptional", 1, None)
        far = (*FLOW, END + timedelta(days=92), 0, 1, after, None, 1, 1)
        other = (*FLOW, END + timedelta(days=90), 0, 1, END + timedelta(days=85), None, 1, 1)
        put(connection, queries.LEVELS, [*levels, left_out, far, other])
        sites = [(date(1900, 1, 1), []), (START, ["w/1"]), (after, []), (END + timedelta(days=85), ["w/2"])]
        put(connection, queries.SPELLS, [("counts", "a", start, keys) for start, keys in sites])
        put(connection, queries.ESTIMATES, [(*FLOW, START, self.departure, []), (*OTHER, START, 0, [])])
        put(connection, "works_traffic_effect", [estimate("a", 5, days=20), estimate("b", 5, days=19)])


def test_a_spell_shows_what_was_observed_and_expected(connection: duckdb.DuckDBPyConnection) -> None:
    spell = Spell(-0.2)
    spell.fill(connection)
    rows = said(connection, "works_traffic_effect")
    assert [row[1] for row in rows] == spell.days
    np.testing.assert_allclose([row[2] for row in rows], spell.observed, rtol=1e-6)
    np.testing.assert_allclose([row[3] for row in rows], spell.expected, rtol=1e-5)
    inside = spell.inside == 1
    departures = np.log(spell.observed / np.array([row[3] for row in rows]))
    assert departures[inside].mean() == pytest.approx(spell.departure, abs=1e-6)
    assert departures[~inside].mean() == pytest.approx(0, abs=1e-6)


def test_the_days_of_the_spell_are_shaded(connection: duckdb.DuckDBPyConnection) -> None:
    spell = Spell(-0.2)
    spell.fill(connection)
    image = drawn(connection, "works_traffic_effect")[0]
    title = "-10.0 % [-15.0; -5.0]: counter a of counts, 2024-03-04 to 2024-03-24"
    assert {title, "observed", "expected", "spell of works", "vehicles a day"} <= set(texts(image))
    shaded, _ = extents(paths(image, f"fill: {SHADE}"), axis=0)
    observed, _ = extents(paths(image, f"stroke: {COLOURS[0]}"), axis=0)
    assert shaded / observed == pytest.approx(21 / (spell.days[-1] - spell.days[0]).days, rel=1e-3)


def test_a_line_is_broken_where_days_are_missing(connection: duckdb.DuckDBPyConnection) -> None:
    Spell(-0.2).fill(connection)
    connection.execute(f"delete from {queries.LEVELS} where day_on between ? and ?", [START - timedelta(20), START])
    image = drawn(connection, "works_traffic_effect")[0]
    assert len(paths(image, f"stroke: {COLOURS[0]}")) == 3  # two stretches, and the legend's own
    assert texts(image).count("observed") == 1


def test_comparable_days_are_looked_for_as_far_as_the_models_do() -> None:
    macros = (Path(__file__).parents[2] / "dbt_project/macros/statistics.sql").read_text(encoding="utf-8")
    assert f"'season_days': {queries.SEASON_DAYS}," in macros
