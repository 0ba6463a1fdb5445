"""Attacks on published tables: each works where cells are protected carelessly, and fails on what halle publishes.

The attacker knows what a reader knows: what is published, which codes add up to which, that amounts are not negative;
an insider knows what it contributes besides. It shares no code with what it attacks: sums, subtractions and its own
linear programmes. A careless protection stands beside each careful one, so that an attacker who is of no use is seen.
"""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import duckdb
import highspy
import numpy as np
import polars as pl
import pytest
import yaml

from exports.disclosure.protect import protect
from exports.disclosure.spec import read_spec
from exports.protection.past import Past
from exports.protection.rows import Protection, protect_rows
from exports.secrecy import Axis, Figure, Secrecy
from orchestration import modelling, running
from orchestration.project import load_project
from orchestration.run import Run
from orchestration.running import run_territory
from orchestration.workspace import PROJECT, Workspace
from raw_sources.agreements import SecrecyRule
from raw_sources.errors import GateClosed
from tests.integration.test_partner_payments import HEADER, MAPPING, MART, PROTECTED, SOURCE
from tests.integration.test_payments import NOW, TERRITORY

Key = tuple[str, ...]
Values = Mapping[Key, float | None]
Sum = tuple[Key, tuple[Key, ...]]
"""A total, and its parts."""
CENT = 0.005
DOCUMENT = PROJECT / "docs" / "demonstrations-secret.md"


# --- the attacker -----------------------------------------------------------------------------------------------


def subtracted(shown: Values, sums: Iterable[Sum]) -> dict[Key, float]:
    """Return the empty cells that subtractions give, one after the other, with pencil and paper."""
    values, found = dict(shown), dict[Key, float]()
    going = True
    while going:
        going = False
        for total, parts in sums:
            empty = [one for one in (total, *parts) if values[one] is None]
            if len(empty) == 1:
                known = sum(values[one] or 0.0 for one in parts)
                found[empty[0]] = values[empty[0]] = known if empty[0] == total else (values[total] or 0.0) - known
                going = True
    return found


def bounds(
    shown: Values, sums: Iterable[Sum], asked: Collection[Key], least: Mapping[Key, float] | None = None
) -> dict[Key, tuple[float, float]]:
    """Return between what the cells ``asked`` must be, by two linear programmes each; ``least`` is known of some."""
    empty = [one for one, value in shown.items() if value is None]
    number = {one: place for place, one in enumerate(empty)}
    programme = highspy.Highs()  # type: ignore[no-untyped-call]
    programme.setOptionValue("output_flag", False)
    for one in empty:
        programme.addVar((least or {}).get(one, 0.0), highspy.kHighsInf)
    for total, parts in sums:
        signs = [(number[one], 1.0 if one == total else -1.0) for one in (total, *parts) if one in number]
        known = sum(shown[one] or 0.0 for one in parts) - (shown[total] or 0.0)
        if signs:
            columns = np.array([place for place, _ in signs], dtype=np.int32)
            programme.addRow(known, known, len(signs), columns, np.array([sign for _, sign in signs]))
    hidden = {one: number[one] for one in asked if one in number}
    deduced = {one: (_end(programme, place, 1), _end(programme, place, -1)) for one, place in hidden.items()}
    return {one: deduced.get(one, (shown[one] or 0.0, shown[one] or 0.0)) for one in asked}


def _end(programme: highspy.Highs, column: int, sense: int) -> float:
    """Return the least (1) or the largest (-1) value of a column."""
    programme.changeColCost(column, float(sense))
    programme.run()
    status, end = programme.getModelStatus(), programme.getObjectiveValue()
    programme.changeColCost(column, 0.0)
    if status in (highspy.HighsModelStatus.kUnbounded, highspy.HighsModelStatus.kUnboundedOrInfeasible):
        return -sense * highspy.kHighsInf
    assert status == highspy.HighsModelStatus.kOptimal, status
    return sense * float(end)


def told(found: Mapping[Key, tuple[float, float]], truth: Values) -> set[Key]:
    """Return the cells of which nothing is left to guess, and check that what was found is true."""
    exact = {one for one, (low, high) in found.items() if high - low < CENT}
    assert all(abs(found[one][0] - (truth[one] or 0.0)) < CENT for one in exact if truth[one] is not None)
    return exact


# --- a town that nobody lives in --------------------------------------------------------------------------------

REGIONS = {"A": ("01", "02", "03", "04"), "B": ("05", "06", "07", "08")}
MONTHS = ("01", "02", "03", "04", "05", "06")
COUNTRIES = ("BE", "CH", "CN", "DE", "FR", "GB")
RULES = (
    SecrecyRule("minimum_frequency", {"of": "merchants", "at_least": 3}),
    SecrecyRule("p_percent", {"p_pct": 10}),
)
PRIMARY = "merchants < 3 or amount - largest - second < 0.1 * largest"
"""The same rules, as the attacker's own arithmetic has them."""
LEVEL = "greatest(0, 0.1 * largest - (amount - largest - second))"
"""By how much p% leaves the amount uncertain."""
SECRECY = Secrecy(
    source="source",
    axes=(
        Axis("zone", level="level", parent="region", parent_level="region", repeated=False),
        Axis("month", above="year"),
        Axis("country", above="all"),
    ),
    figures=(Figure("amount", "amount_status"),),
    contributors="merchants",
    frequency="merchants",
    largest=("largest", "second"),
)


@pytest.fixture(scope="module")
def merchants() -> pl.DataFrame:
    """Return what each of a hundred and sixty merchants took, by department, month and country of the card."""
    draw = random.Random(20240601)  # noqa: S311 - a drawing that is the same each time
    rows = []
    for number in range(160):
        region = draw.choice("AB")
        zone, size = draw.choice(REGIONS[region]), draw.paretovariate(1.1)
        for country in draw.sample(COUNTRIES, draw.choice((1, 2, 3, 4))):
            for month in draw.sample(MONTHS, draw.randint(1, 6)):
                amount = round(size * draw.uniform(50, 400), 2)
                rows.append((f"m{number:03}", region, zone, month, country, amount))
    return pl.DataFrame(rows, schema=["merchant", "region", "zone", "month", "country", "amount"], orient="row")


@pytest.fixture(scope="module")
def town(merchants: pl.DataFrame) -> duckdb.DuckDBPyConnection:
    """Return the table of all cells and totals, with who is behind each."""
    connection = duckdb.connect()
    connection.register("merchants", merchants.to_arrow())
    connection.execute("""
        create table behind as
        select
            if(grouping(zone) = 0, 'department', 'region') as level, coalesce(zone, region) as zone,
            if(grouping(zone) = 0, region, null) as region, coalesce(month, 'year') as month,
            coalesce(country, 'all') as country, merchant, sum(amount) as taken
        from merchants
        group by cube (zone, month, country), region, merchant
    """)
    connection.execute("""
        create table town as
        select
            'bank' as source, level, zone, region, month, country, round(sum(taken), 2) as amount,
            'measured' as amount_status, count(*) as merchants, max(taken) as largest,
            coalesce(list_sort(list(taken), 'desc')[2], 0) as second
        from behind group by all
    """)
    return connection


def keyed(rows: Iterable[tuple[Any, ...]]) -> dict[Key, float | None]:
    return {tuple(map(str, row[:-1])): None if row[-1] is None else float(row[-1]) for row in rows}


def cells(connection: duckdb.DuckDBPyConnection, relation: str, value: str = "amount") -> dict[Key, float | None]:
    return keyed(connection.execute(f"select level, zone, month, country, {value} from {relation}").fetchall())


def sums_of(keys: Collection[Key], regions: Mapping[str, Sequence[str]] = REGIONS) -> list[Sum]:
    """Return what a reader adds up: departments to their region, months to the year, countries to all of them."""
    found: list[Sum] = []
    for level, zone, month, country in keys:
        below = [("department", one, month, country) for one in regions[zone]] if level == "region" else []
        years = [(level, zone, one, country) for one in MONTHS] if month == "year" else []
        all_of_them = [(level, zone, month, one) for one in COUNTRIES] if country == "all" else []
        for parts in (below, years, all_of_them):
            present = tuple(one for one in parts if one in keys)
            if present:
                found.append(((level, zone, month, country), present))
    return found


def test_what_is_drawn_adds_up(town: duckdb.DuckDBPyConnection) -> None:
    truth = cells(town, "town")
    sums = sums_of(truth)
    assert len(truth) > 250 and len(sums) > 150
    for total, parts in sums:
        assert abs((truth[total] or 0.0) - sum(truth[one] or 0.0 for one in parts)) < CENT


# --- subtraction ------------------------------------------------------------------------------------------------


RECOMPUTED = (51, 51, 489)
"""How many of how many secret cells, of how many in all, a subtraction gives where nothing else is empty."""


@pytest.fixture(scope="module")
def careless(town: duckdb.DuckDBPyConnection) -> dict[Key, float | None]:
    """Return the town with unsafe cells left empty, and nothing else."""
    return cells(town, f"(select * replace (if({PRIMARY}, null, amount) as amount) from town)")


def empty(shown: Values) -> set[Key]:
    return {one for one, value in shown.items() if value is None}


def test_a_subtraction_gives_cells_that_are_left_empty_alone(
    town: duckdb.DuckDBPyConnection, careless: dict[Key, float | None]
) -> None:
    truth, sums, secret = cells(town, "town"), sums_of(careless), empty(careless)
    given = subtracted(careless, sums)
    assert all(abs(value - (truth[one] or 0.0)) < CENT for one, value in given.items())
    assert (len(given), len(secret), len(truth)) == RECOMPUTED
    assert told(bounds(careless, sums, secret), truth) == given.keys()


def test_no_subtraction_gives_a_cell_that_halle_leaves_empty(
    town: duckdb.DuckDBPyConnection, careless: dict[Key, float | None]
) -> None:
    truth, levels = cells(town, "town"), cells(town, "town", LEVEL)
    protection = protect_rows(town, "town", SECRECY, {"bank": RULES}, (), "the card")
    careful = cells(town, protection.relation)
    assert empty(careless) < empty(careful)
    assert {one: value for one, value in careful.items() if value is not None}.items() <= truth.items()
    assert subtracted(careful, sums_of(careful)) == {}
    found = bounds(careful, sums_of(careful), empty(careful))
    assert told(found, truth) == set()
    close = [one for one in empty(careless) if found[one][1] < (truth[one] or 0.0) + (levels[one] or 0.0) - CENT]
    assert close == [], "the largest merchant of a cell is not known to within what the rule says"


# --- the payments of the sample ---------------------------------------------------------------------------------

OF_THE_SAMPLE = (5, 5, 864)
"""The same of the payments that a partner lends the sample town."""
AGREED = """
merchants < 3 or cards < 11 or largest_merchant_eur > 0.85 * amount_eur
or amount_eur - largest_merchant_eur - second_merchant_eur < 0.1 * largest_merchant_eur
"""


def payments(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[Key, float | None]:
    """Return amounts by zone, month, origin and activity; a region that is delivered and summed is one figure."""
    codes = "zone_level, zone_code, month, card_country, activity"
    return keyed(connection.execute(f"select {codes}, max(amount_eur)::double from {relation} group by all").fetchall())


def sums_of_payments(keys: Collection[Key]) -> list[Sum]:
    """Return the sums over activities, and that of the region's one department; not all origins are listed."""
    found: list[Sum] = []
    for level, zone, month, country, activity in keys:
        parts = [(level, zone, month, country, one) for one in ("Hébergement", "Restauration")]
        if activity == "all":
            found.append(((level, zone, month, country, activity), tuple(parts)))
        if level == "region":
            part = ("department", zone, month, country, activity)
            found.append(((level, zone, month, country, activity), (part,)))
    return found


def test_the_sample_publishes_no_payment_that_a_subtraction_gives(sample_data: Path) -> None:
    """Five of five, where only what the rules say and what the partner hides are empty; none as halle publishes it."""
    with duckdb.connect(str(sample_data / "internal" / "marts.duckdb"), read_only=True) as connection:
        mart = "economy.card_payments_monthly"
        truth = payments(connection, mart)
        naive = payments(connection, f"(select * replace (if({AGREED}, null, amount_eur) as amount_eur) from {mart})")
        files = sample_data / "public" / PROTECTED / "latest" / "*.parquet"
        careful = payments(connection, f"read_parquet('{files}')")
    sums, secret = sums_of_payments(naive), empty(naive)
    given = subtracted(naive, sums)
    assert all(abs(value - (truth[one] or 0.0)) < CENT for one, value in given.items() if truth[one] is not None)
    assert (len(given), len(secret), len(truth)) == OF_THE_SAMPLE
    assert secret < empty(careful) and careful.keys() == naive.keys()
    assert subtracted(careful, sums) == {}
    assert told(bounds(careful, sums, empty(careful)), truth) == set()


# --- differences ------------------------------------------------------------------------------------------------

SMALL = {"A": ("01", "02", "03")}
AMOUNTS: dict[tuple[str, str], float] = {
    ("01", "CN"): 200, ("01", "DE"): 800, ("01", "FR"): 1000,
    ("02", "CN"): 900, ("02", "DE"): 700, ("02", "FR"): 1500,
    ("03", "CN"): 500, ("03", "DE"): 400, ("03", "FR"): 600,
}  # fmt: skip
"""What ten merchants took in each cell, but for Chinese cards in department 01."""
OF_TWO, OF_THREE = (150.0, 50.0), (150.0, 145.0, 50.0)
TARGET: Key = ("department", "01", "06", "CN")


@dataclass(frozen=True)
class Issue:
    """What is to be published at one time, and what of it was."""

    connection: duckdb.DuckDBPyConnection
    truth: dict[Key, float | None]

    @classmethod
    def of(cls, merchants: Sequence[float], **corrected: float) -> Issue:
        """Return an issue with the ``merchants`` of the target; ``corrected`` are amounts by country and department."""
        amounts = AMOUNTS | {("01", "CN"): sum(merchants)}
        amounts |= {(name[2:], name[:2]): amount for name, amount in corrected.items()}
        parts = pl.DataFrame(
            [
                (zone, country, amount, *((len(merchants), *merchants[:2]) if (zone, country) == ("01", "CN") else
                 (10, amount / 5, amount / 8)))
                for (zone, country), amount in amounts.items()
            ],
            schema=["zone", "country", "amount", "merchants", "largest", "second"],
            orient="row",
        )  # fmt: skip
        connection = duckdb.connect()
        connection.register("parts", parts.to_arrow())
        connection.execute("""
            create table issue as select
                'bank' as source, if(zone is null, 'region', 'department') as level, coalesce(zone, 'A') as zone,
                if(zone is null, null, 'A') as region, '06' as month, coalesce(country, 'all') as country,
                sum(amount) as amount, 'measured' as amount_status, sum(merchants) as merchants,
                max(largest) as largest, max(second) as second
            from parts group by cube (zone, country)
        """)
        return cls(connection, cells(connection, "issue"))

    def protect(self, past: Sequence[Past] = ()) -> Protection:
        return protect_rows(self.connection, "issue", SECRECY, {"bank": RULES}, past, "the card")

    def shown(self, protection: Protection) -> dict[Key, float | None]:
        return cells(self.connection, protection.relation)

    def past(self, protection: Protection) -> Past:
        rows = self.connection.execute(
            f"select source, level, zone, region, month, country, amount, amount_status from {protection.relation}"
        ).pl()
        return Past("payments", "first", rows, protection.held)


def small_sums(keys: Collection[Key]) -> list[Sum]:
    return sums_of(keys, SMALL)


def together(
    issues: Sequence[Values], truths: Sequence[Values], summed: Callable[[Collection[Key]], list[Sum]]
) -> tuple[dict[Key, float | None], list[Sum], Values]:
    """Return several issues as one: a figure that was not corrected is the same one in all, and shown if once it was.

    Which were corrected is announced. Cells come with the number of the issue, 0 for all of them.
    """
    corrected = {one for one in truths[0] if len({truth[one] for truth in truths}) > 1}
    shown: dict[Key, float | None] = {}
    true: dict[Key, float | None] = {}
    sums: list[Sum] = []
    for number, (issue, truth) in enumerate(zip(issues, truths, strict=True), start=1):
        name = {one: (str(number) if one in corrected else "0", *one) for one in issue}
        for one, value in issue.items():
            shown[name[one]] = value if value is not None else shown.get(name[one])
            true[name[one]] = truth[one]
        sums += [(name[total], tuple(name[one] for one in parts)) for total, parts in summed(issue)]
    return shown, sums, true


SCENARIOS = {
    "a figure corrected": (Issue.of(OF_TWO), Issue.of(OF_TWO, DE03=1200)),
    "a total corrected while a part is secret": (Issue.of(OF_TWO), Issue.of(OF_TWO, DE01=1300)),
    "a merchant added": (Issue.of(OF_TWO), Issue.of(OF_THREE)),
}


def given_together(issues: Sequence[Values], truths: Sequence[Values]) -> set[Key]:
    """Return the cells that are empty in all issues in which they are, and that all of them together give."""
    shown, sums, truth = together(issues, truths, small_sums)
    return told(bounds(shown, sums, empty(shown)), truth)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_two_releases_together_give_what_neither_does_unless_the_second_minds_the_first(scenario: str) -> None:
    first, second = SCENARIOS[scenario]
    before = first.protect()
    shown = first.shown(before)
    truths = (first.truth, second.truth)
    naive = second.shown(second.protect())
    for issue, truth in ((shown, first.truth), (naive, second.truth)):
        assert told(bounds(issue, small_sums(issue), empty(issue)), truth) == set(), "each alone gives nothing"
    assert {one[1:] for one in given_together((shown, naive), truths)} >= {TARGET}
    careful = second.shown(second.protect([first.past(before)]))
    assert given_together((shown, careful), truths) == set()
    assert empty(careful) - empty(naive), "it hides more, or others"


def test_a_figure_shown_earlier_is_refused_as_a_secret() -> None:
    """Of three merchants one turns out to be counted twice: the same amount is of two."""
    first, second = Issue.of((90.0, 60.0, 50.0)), Issue.of(OF_TWO)
    before = first.protect()
    shown = first.shown(before)
    naive = second.shown(second.protect())
    assert (shown[TARGET], naive[TARGET]) == (200, None)
    assert together((shown, naive), (first.truth, second.truth), small_sums)[0]["0", *TARGET] == 200
    with pytest.raises(GateClosed, match="zone=department 01, month=06, country=CN") as refused:
        second.protect([first.past(before)])
    assert "200" not in str(refused.value)


# --- an insider -------------------------------------------------------------------------------------------------

SPEC = """
microdata: {contributor: merchant}
dimensions:
  - column: zone
    parents: {"01": A, "02": A, "03": A, "04": A, "05": B, "06": B, "07": B, "08": B}
    repeated: false
  - {column: month, total: year}
  - {column: country, total: all}
value: amount
units: merchants
rules:
  - {rule: minimum_frequency, of: merchants, at_least: 3}
  - {rule: p_percent, p_pct: 10}
"""


def protected(merchants: pl.DataFrame, folder: Path, *, insiders: bool) -> dict[Key, float | None]:
    """Return what would be published of the town, protected against those who contribute or not."""
    spec = folder / "spec.yml"
    spec.write_text(f"{SPEC}insiders: {str(insiders).lower()}\n", "utf-8")
    found = protect(merchants, read_spec(spec))
    found.refuse_risks()
    rows = found.frame.select("zone", "month", "country", "amount").rows()
    return {("region" if row[0] in REGIONS else "department", *row[:3]): row[3] for row in rows}


def contributions(town: duckdb.DuckDBPyConnection, shown: Values) -> dict[str, dict[Key, float]]:
    """Return by merchant what it takes in each empty cell, of those alone in one or making half of it."""
    rows = town.execute("""
        select merchant, level, zone, month, country, taken
        from behind join town using (level, zone, month, country)
        qualify max(taken / amount) over (partition by merchant) >= 0.5
    """).fetchall()
    found: dict[str, dict[Key, float]] = {}
    for merchant, *cell, taken in rows:
        if shown[tuple(cell)] is None:
            found.setdefault(merchant, {})[tuple(cell)] = float(taken)
    return found


def learnt(town: duckdb.DuckDBPyConnection, shown: Values, asked: Collection[Key]) -> dict[str, set[Key]]:
    """Return by merchant the cells ``asked`` of which it learns more than the rules allow, its own left out."""
    truth, levels = cells(town, "town"), cells(town, "town", LEVEL)
    alone = {one for one, count in cells(town, "town", "merchants").items() if count == 1}
    sums = sums_of(shown)
    found: dict[str, set[Key]] = {}
    for merchant, own in contributions(town, shown).items():
        known = dict(shown) | {one: taken for one, taken in own.items() if one in alone}
        others = [one for one in asked if known[one] is None]
        deduced = bounds(known, sums, others, own)
        exact = told(deduced, truth)
        close = {one for one in others if deduced[one][1] < (truth[one] or 0.0) + (levels[one] or 0.0) - CENT}
        if exact | close:
            found[merchant] = exact | close
    return found


LEARNT = (12, 41, 17)
"""How many of how many merchants learn how many cells of others, where only those who take no part are minded."""


def test_who_takes_part_learns_of_others_where_outsiders_alone_are_minded(
    town: duckdb.DuckDBPyConnection, merchants: pl.DataFrame, careless: dict[Key, float | None], tmp_path: Path
) -> None:
    shown = protected(merchants, tmp_path, insiders=False)
    truth, sums = cells(town, "town"), sums_of(shown)
    assert shown.keys() == truth.keys()
    assert told(bounds(shown, sums, empty(shown)), truth) == set(), "who takes no part learns nothing"
    found, taking_part = learnt(town, shown, empty(careless)), contributions(town, shown)
    assert (len(found), len(taking_part), len(set[Key]().union(*found.values()))) == LEARNT
    alone = {one for one, count in cells(town, "town", "merchants").items() if count == 1}
    single = {merchant for merchant in found if taking_part[merchant].keys() & alone}
    assert single and found.keys() - single, "some are alone in a cell, some make most of one"


def test_who_takes_part_learns_nothing_of_others_from_what_halle_publishes(
    town: duckdb.DuckDBPyConnection, merchants: pl.DataFrame, careless: dict[Key, float | None], tmp_path: Path
) -> None:
    shown = protected(merchants, tmp_path, insiders=True)
    assert len(contributions(town, shown)) >= LEARNT[1]
    assert learnt(town, shown, empty(careless)) == {}


# --- the whole way: two deliveries, two releases, their files ---------------------------------------------------

NAMES = {"France": "FR", "Allemagne": "DE", "Belgique": "BE", "Toutes": "all"}
LENT_TARGET: Key = ("2B", "DE")
LENT = {
    ("2A", "FR"): 75, ("2A", "DE"): 20, ("2A", "BE"): 30,
    ("2B", "FR"): 60, ("2B", "DE"): 15, ("2B", "BE"): 25,
}  # fmt: skip
"""Thousands of euros; German cards in Haute-Corse are of two merchants."""


def delivery(of_two: Collection[Key] = (LENT_TARGET,), **corrected: int) -> str:
    """Return a partner's file; ``corrected`` are amounts by country and department."""
    amounts = LENT | {(name[2:], name[:2]): amount for name, amount in corrected.items()}
    for zone in ("2A", "2B"):
        amounts[zone, "all"] = sum(amounts[zone, country] for country in ("FR", "DE", "BE"))
    lines = [HEADER]
    for zone, (name, country) in product(("2A", "2B"), NAMES.items()):
        merchants, amount = 2 if (zone, country) in of_two else 30, amounts[zone, country]
        figures = f"{merchants};200;{amount * 20};{amount};{amount / 5};{amount / 8}"
        lines.append(f"06/2024;{zone};{name};{figures.replace('.', ',')}")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Corsica:
    """A territory that a partner lends payments to; it has several DATA, to try what may become of one."""

    root: Path

    def run(self, data: str, extracts: Path | None = None) -> Run:
        home = Workspace(self.root / data)
        return Run(load_project(self.root / "territory"), home, extracts=extracts, now=NOW, themes=("economy",))

    def receive(self, data: str, text: str) -> None:
        """Receive a file and build the mart of it, as far as it may be released."""
        extracts = self.root / f"{data} {hashlib.sha256(text.encode()).hexdigest()[:8]}"
        extracts.mkdir()
        (extracts / "paiements_2024.csv").write_text(text, "utf-8")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(running, "_execute", built)
            run_territory(self.run(data, extracts))

    def copy(self, data: str, name: str) -> str:
        shutil.copytree(self.root / data, self.root / name, symlinks=True)
        return name

    def forget(self, data: str) -> None:
        """Remove what releases hid, as when the source is erased."""
        shutil.rmtree(Workspace(self.root / data).secrets)

    def held(self, data: str) -> list[Path]:
        return sorted(Workspace(self.root / data).secrets_of("public").rglob(f"{SOURCE}.json.gz"))

    def release(self, data: str) -> Seen:
        """Release what is built, and return it as a reader reads the file, with what is true."""
        self.run(data).release(PROTECTED)
        files = self.root / data / "public" / PROTECTED / "latest" / "*.parquet"
        shown = keyed(duckdb.sql(f"select zone_code, card_country, amount_eur from '{files}'").fetchall())
        with duckdb.connect(str(Workspace(self.root / data).warehouse), read_only=True) as connection:
            truth = keyed(connection.execute(f"select zone_code, card_country, amount_eur from {MART}").fetchall())
        return Seen(shown, truth)


@dataclass(frozen=True)
class Seen:
    """A release as a reader has it, and what is true."""

    shown: dict[Key, float | None]
    truth: dict[Key, float | None]

    def gives(self, *others: Seen) -> set[Key]:
        """Return the cells that it gives together with others, in any of them."""
        issues = (self, *others)
        shown, sums, truth = together([one.shown for one in issues], [one.truth for one in issues], sums_of_corsica)
        return {one[1:] for one in told(bounds(shown, sums, empty(shown)), truth)}


def built(run: Run, _themes: list[str]) -> None:
    assert not modelling.failures(run.build("economy"))
    certificate = run.validate(MART)
    assert certificate.status == "passed", certificate.names("failed")


def sums_of_corsica(keys: Collection[Key]) -> list[Sum]:
    found: list[Sum] = []
    for zone, country in keys:
        if country == "all":
            found.append(((zone, country), tuple((zone, one) for one in ("FR", "DE", "BE"))))
        if zone == "94":
            found.append(((zone, country), (("2A", country), ("2B", country))))
    return found


@pytest.fixture(scope="module")
def corsica(tmp_path_factory: pytest.TempPathFactory) -> Corsica:
    """Return a territory with a first delivery, not released; its DATA is ``first``."""
    found = Corsica(tmp_path_factory.mktemp("corsica"))
    mapping = MAPPING | {"codes": {"card_country": NAMES}}
    feeds = {SOURCE: {"files": [{"glob": "paiements_*.csv"}], "mapping": mapping}}
    document = {"name": "corsica", **TERRITORY, "communes": {"vintage": 2025, "codes": ["2A004"]}, "feeds": feeds}
    (found.root / "territory").mkdir()
    (found.root / "territory" / "territory.yml").write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")
    found.receive("first", delivery())
    return found


@pytest.fixture(scope="module")
def published(corsica: Corsica) -> Seen:
    """Return the first release."""
    return corsica.release("first")


@pytest.mark.slow
def test_the_files_of_one_release_give_no_secret(published: Seen) -> None:
    primary = {one: None if one == LENT_TARGET else value for one, value in published.truth.items()}
    assert Seen(primary, published.truth).gives() == {LENT_TARGET}
    assert published.shown[LENT_TARGET] is None
    assert published.gives() == set()


@pytest.mark.slow
def test_the_files_of_two_releases_give_no_secret_as_the_second_minds_the_first(
    corsica: Corsica, published: Seen
) -> None:
    """Belgian cards in Haute-Corse are corrected: by itself the second release would hide others than the first."""
    corsica.receive(corsica.copy("first", "careful"), delivery(BE2B=200))
    careless, forgetful = corsica.copy("careful", "careless"), corsica.copy("careful", "forgetful")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("exports.plan.read_past", lambda *_: [])
        assert LENT_TARGET in published.gives(corsica.release(careless))
    assert published.gives(corsica.release("careful")) == set()
    assert len(corsica.held("careful")) == 2, "what either release hid is kept for the audit of the next"
    corsica.forget(forgetful)
    assert published.gives(corsica.release(forgetful)) == set(), "what had been shown is in the files"
    assert len(corsica.held(forgetful)) == 1


@pytest.mark.slow
def test_what_a_release_hid_is_minded_as_long_as_it_is_held(corsica: Corsica, published: Seen) -> None:
    """The German cards turn out to be of thirty merchants: what was told of two is a secret still, of the past."""
    corsica.receive(corsica.copy("first", "grown"), delivery(of_two=(), DE2B=40))
    forgetful = corsica.copy("grown", "grown and forgotten")
    corsica.forget(forgetful)
    grown, forgotten = corsica.release("grown"), corsica.release(forgetful)
    assert empty(forgotten.shown) == set(), "nothing of today is secret"
    assert LENT_TARGET in published.gives(forgotten)
    assert published.gives(grown) == set() and empty(grown.shown)


def test_the_document_says_what_was_measured() -> None:
    text = DOCUMENT.read_text("utf-8")
    recomputed, secret, every = RECOMPUTED
    learning, taking_part, others = LEARNT
    for said in (
        f"{recomputed} des {secret} cases secrètes, sur {every}",
        f"{OF_THE_SAMPLE[0]} des {OF_THE_SAMPLE[1]} cases secrètes, sur {OF_THE_SAMPLE[2]}",
        f"{learning} des {taking_part} contributeurs apprennent {others} cases",
    ):
        assert said in " ".join(text.split()), said
