"""What the energy releases hide, and what a reader who subtracts finds all the same: nothing.

The marts are written by hand, one case each, and protected as the export cards and the source card say; then those of
the sample, as published. The reader's arithmetic is written here anew: it knows nothing of how cells were chosen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from exports.card import ExportCard, read_export_card
from exports.protection.past import Past
from exports.protection.rows import Protection, protect_rows
from orchestration.workspace import PROJECT, Workspace
from raw_sources.agreements import SecrecyRule
from raw_sources.card import read_card
from raw_sources.sample.energy import FEW

SOURCE = "ore_consommation_commune"
YEARLY = read_export_card(PROJECT / "exports" / "energy" / "consumption_yearly.yml")
CORRECTED = read_export_card(PROJECT / "exports" / "energy" / "consumption_climate_corrected_yearly.yml")
AGREED = read_card(PROJECT / "raw_sources" / "energy" / f"{SOURCE}.yml").agreement.secrecy
TEN = 10
RULES = tuple(replace(one, parameters=one.parameters | {"at_least": TEN}) for one in AGREED)
"""Those of the card, with the number that a stricter agreement asks for."""

COLUMNS = (
    "source VARCHAR, zone_level VARCHAR, zone_code VARCHAR, commune_code VARCHAR, epci_code VARCHAR, "
    "department_code VARCHAR, region_code VARCHAR, year INTEGER, carrier VARCHAR, "
    "sector VARCHAR, heating_value_basis VARCHAR, consumption_mwh DOUBLE, consumption_status VARCHAR, "
    "delivery_points BIGINT, delivery_points_status VARCHAR, measured_share DOUBLE, measured_share_status VARCHAR, "
    "heating_share DOUBLE, heating_share_status VARCHAR, corrected_consumption_mwh DOUBLE, "
    "corrected_consumption_status VARCHAR"
)
FACTOR = 0.8
"""The degree days of reference by those of the year."""

Row = dict[str, Any]
Key = tuple[Any, ...]


def row(zone: str, sector: str, mwh: float | None, points: int | None, **changes: Any) -> Row:
    """Return a row of 2020 of a commune, a district or an IRIS; a quarter of its consumption follows the weather."""
    level = "iris" if len(zone) == 9 else "municipal_district" if zone.startswith("6938") else "commune"
    commune = "69123" if level == "municipal_district" else zone[:5]
    status = "secret" if mwh is None else "measured"
    known = {
        "source": SOURCE, "zone_level": level, "zone_code": zone, "commune_code": commune,
        "epci_code": "200046977" if level == "commune" else None,
        "department_code": "69" if level == "commune" else None,
        "region_code": "84" if level == "commune" else None, "year": 2020,
        "carrier": "electricity", "sector": sector, "heating_value_basis": "not_applicable",
        "consumption_mwh": mwh, "consumption_status": status, "delivery_points": points,
        "delivery_points_status": "measured" if points is not None else status if mwh is None else "not_available",
        "measured_share": None if mwh is None else 0.9,
        "measured_share_status": "not_available" if mwh is None else "measured",
        "heating_share": None if mwh is None else 0.25,
        "heating_share_status": "not_available" if mwh is None else "estimated",
    }  # fmt: skip
    corrected = None if mwh is None else mwh * (0.75 + 0.25 * FACTOR)
    told = {
        "corrected_consumption_mwh": corrected,
        "corrected_consumption_status": "secret" if mwh is None else "estimated",
    }
    return known | told | changes


def commune(zone: str, **sectors: tuple[float, int]) -> list[Row]:
    """Return the sectors of a zone, each with its MWh and delivery points, and their sum."""
    parts = [row(zone, sector, float(mwh), points) for sector, (mwh, points) in sectors.items()]
    mwh, points = (sum(one[place] for one in sectors.values()) for place in (0, 1))
    return [*parts, row(zone, "all", float(mwh), int(points))]


TOWN = commune("69029", residential=(9000, 4000), tertiary=(3000, 200), industry=(700, 4), agriculture=(400, 12))


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


def loaded(connection: duckdb.DuckDBPyConnection, rows: Sequence[Row]) -> str:
    connection.execute(f"CREATE OR REPLACE TABLE mart ({COLUMNS})")
    names = [column.split()[0] for column in COLUMNS.split(", ")]
    connection.executemany(
        f"INSERT INTO mart VALUES ({', '.join('?' * len(names))})", [[one[name] for name in names] for one in rows]
    )
    return "mart"


def protected(
    connection: duckdb.DuckDBPyConnection,
    rows: Sequence[Row],
    card: ExportCard = YEARLY,
    rules: Sequence[SecrecyRule] = RULES,
) -> list[Row]:
    """Return the rows as they would be published."""
    return read(connection, protection(connection, rows, card, rules).relation)


def protection(
    connection: duckdb.DuckDBPyConnection,
    rows: Sequence[Row],
    card: ExportCard = YEARLY,
    rules: Sequence[SecrecyRule] = RULES,
    past: Sequence[Past] = (),
) -> Protection:
    assert card.secrecy is not None
    return protect_rows(connection, loaded(connection, rows), card.secrecy, {SOURCE: rules}, past, "test")


def read(connection: duckdb.DuckDBPyConnection, relation: str) -> list[Row]:
    found = connection.execute(f"SELECT * FROM {relation}")
    names = [one[0] for one in found.description]
    return [dict(zip(names, record, strict=True)) for record in found.fetchall()]


# --- a reader's arithmetic ----------------------------------------------------------------------------------------


def key(one: Row) -> Key:
    names = ("source", "zone_level", "zone_code", "year", "carrier", "heating_value_basis", "sector")
    return tuple(one[name] for name in names)


def sums(rows: Sequence[Row], figure: str) -> list[dict[Key, float]]:
    """Return what adds up to nothing in the mart: each total with minus one, and those of its parts that are known."""
    values = {key(one): one[figure] for one in rows}
    parts: dict[Key, dict[Key, float]] = {}
    for one in rows:
        own = key(one)
        if one[figure] is None:
            continue
        if one["sector"] != "all":
            parts.setdefault((*own[:6], "all"), {})[own] = 1.0
        if one["zone_level"] in ("iris", "municipal_district"):
            city = (own[0], "commune", one["commune_code"], *own[3:])
            parts.setdefault((*city, "zones"), {})[own] = 1.0
    found = [{total[:7]: -1.0, **members} for total, members in parts.items()]
    known = [one for one in found if all(values.get(cell) is not None for cell in one)]
    return [one for one in known if abs(sum(sign * values[cell] for cell, sign in one.items())) < 1e-6]


def deduced(rows: Sequence[Row], released: Sequence[Row], figure: str) -> set[Key]:
    """Return the cells that are empty in what is released, and that its sums give back exactly."""
    truth = {key(one): one[figure] for one in rows if one[figure] is not None}
    hidden = [cell for cell in truth if {key(one): one[figure] for one in released}.get(cell) is None]
    place = {cell: index for index, cell in enumerate(hidden)}
    lines = [{place[cell]: sign for cell, sign in one.items() if cell in place} for one in sums(rows, figure)]
    matrix = np.zeros((len(lines), len(hidden)))
    for number, line in enumerate(lines):
        matrix[number, list(line)] = list(line.values())
    if not matrix.size:
        return set()
    _, sizes, directions = np.linalg.svd(matrix)
    free = directions[int((sizes > 1e-9).sum()) :]
    return {cell for cell, index in place.items() if not (np.abs(free[:, index]) > 1e-9).any()}


def given_away(rows: Sequence[Row], released: Sequence[Row], figure: str, least: int = TEN) -> set[Key]:
    """Return the cells of few delivery points that are shown, or that sums give back."""
    few = {key(one) for one in rows if one["consumption_mwh"] is not None and 0 < (one["delivery_points"] or 0) < least}
    shown = {key(one) for one in released if one[figure] is not None}
    return (few & shown) | deduced(rows, released, figure)


def emptied(rows: Sequence[Row], released: Sequence[Row], figure: str) -> set[str]:
    """Return the zone and sector of the figures that are known and not released."""
    shown = {key(one) for one in released if one[figure] is not None}
    return {f"{one['zone_code']} {one['sector']}" for one in rows if one[figure] is not None and key(one) not in shown}


# --- one case each ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("figure", ["consumption_mwh", "delivery_points"])
def test_few_delivery_points_are_secret_and_cannot_be_subtracted(connection: duckdb.DuckDBPyConnection, figure: str):
    released = protected(connection, TOWN)
    assert given_away(TOWN, released, figure) == set()
    assert emptied(TOWN, released, figure) == {"69029 industry", "69029 agriculture"}
    assert {one[f"{figure.removesuffix('_mwh')}_status"] for one in released if one[figure] is None} == {"secret"}


def test_the_check_is_red_on_a_mart_as_it_is_and_on_primary_secrecy_alone():
    industry = key(TOWN[2])
    assert given_away(TOWN, TOWN, "consumption_mwh") == {industry}
    alone = [one | {"consumption_mwh": None} if key(one) == industry else one for one in TOWN]
    assert given_away(TOWN, alone, "consumption_mwh") == {industry}


def test_the_producers_secret_stays_out_of_reach_of_a_total_that_holds_it(connection: duckdb.DuckDBPyConnection):
    rows = [
        row("69029", "residential", 900.0, 400),
        row("69029", "tertiary", 300.0, 50),
        row("69029", "industry", None, None),
    ]
    whole = [*rows, row("69029", "all", 1240.0, 460)]
    released = protected(connection, whole)
    shown = {one["sector"]: one["consumption_mwh"] for one in released}
    assert shown["industry"] is None
    assert None in (shown["residential"], shown["tertiary"], shown["all"])
    floor = [*rows, row("69029", "all", 1200.0, 450, consumption_status="partial", delivery_points_status="partial")]
    assert emptied(floor, protected(connection, floor), "consumption_mwh") == set()


def test_a_district_is_not_its_city_less_the_others(connection: duckdb.DuckDBPyConnection):
    districts = [
        *commune("69381", residential=(900, 400), industry=(60, 3)),
        *commune("69382", residential=(700, 300), industry=(90, 20)),
        *commune("69383", residential=(800, 350), industry=(80, 30)),
    ]
    rows = [*districts, *commune("69123", residential=(2400, 1050), industry=(230, 53))]
    for figure in ("consumption_mwh", "delivery_points"):
        assert given_away(rows, protected(connection, rows), figure) == set()
    missing = [one for one in rows if one["zone_code"] != "69383"]
    kept = protected(connection, missing)
    assert {one["sector"] for one in kept if one["zone_code"] == "69123" and one["consumption_mwh"]} == {
        "residential", "industry", "all",
    }  # fmt: skip


def test_an_iris_is_not_its_commune_less_the_others(connection: duckdb.DuckDBPyConnection):
    rows = [
        *commune("690290101", residential=(500, 90), tertiary=(80, 2)),
        *commune("690290102", residential=(400, 80), tertiary=(70, 30)),
        *commune("690290103", residential=(300, 70), tertiary=(60, 20)),
        *commune("69029", residential=(1200, 240), tertiary=(210, 52)),
    ]
    released = protected(connection, rows)
    assert "690290101 tertiary" in emptied(rows, released, "consumption_mwh")
    assert given_away(rows, released, "consumption_mwh") == set()


def test_both_datasets_hide_the_same_cells_and_neither_gives_away_the_others(connection: duckdb.DuckDBPyConnection):
    yearly, corrected = protected(connection, TOWN), protected(connection, TOWN, CORRECTED)
    hidden = emptied(TOWN, yearly, "consumption_mwh")
    assert hidden
    for figure in ("consumption_mwh", "corrected_consumption_mwh", "heating_share"):
        assert emptied(TOWN, corrected, figure) == hidden
    assert given_away(TOWN, corrected, "corrected_consumption_mwh") == set()


def from_shares(rows: Sequence[Row], released: Sequence[Row], share: str) -> float:
    """Return industry's MWh by what a share adds to the sums, of two hidden sectors of which shares are shown."""
    shown = {one["sector"]: one for one in released}
    total, others = shown["all"], [shown["residential"], shown["tertiary"]]
    left = total["consumption_mwh"] - sum(one["consumption_mwh"] for one in others)
    part = total["consumption_mwh"] * total[share] - sum(one["consumption_mwh"] * one[share] for one in others)
    own, other = shown["industry"][share], shown["agriculture"][share]
    return float((part - left * other) / (own - other))


@pytest.mark.parametrize(("card", "share"), [(YEARLY, "measured_share"), (CORRECTED, "heating_share")])
def test_a_share_is_one_more_sum_and_is_hidden_with_its_figure(
    connection: duckdb.DuckDBPyConnection, card: ExportCard, share: str
):
    shares = {"residential": 0.9, "tertiary": 0.7, "industry": 0.5, "agriculture": 0.2}
    rows = [one | {share: shares[one["sector"]]} for one in TOWN if one["sector"] != "all"]
    whole = sum(one["consumption_mwh"] * one[share] for one in rows) / TOWN[-1]["consumption_mwh"]
    rows.append(TOWN[-1] | {share: whole})
    assert card.secrecy is not None
    careless = replace(card, secrecy=replace(card.secrecy, ratios=()))
    assert from_shares(rows, protected(connection, rows, careless), share) == pytest.approx(700)
    released = {one["sector"]: one for one in protected(connection, rows, card)}
    for sector in ("industry", "agriculture"):
        assert (released[sector][share], released[sector][f"{share}_status"]) == (None, "secret")
    assert released["residential"][share] == 0.9


def test_what_the_producer_does_not_count_it_has_controlled_itself(connection: duckdb.DuckDBPyConnection):
    rows = [one | {"delivery_points": None, "delivery_points_status": "not_available"} for one in TOWN]
    assert emptied(rows, protected(connection, rows), "consumption_mwh") == set()
    strict = [SecrecyRule(one.rule, {**one.parameters, "unknown": "secret"}) for one in RULES]
    assert emptied(rows, protected(connection, rows, rules=strict), "consumption_mwh")


def test_totals_that_are_not_the_sum_of_their_parts_do_not_stop_a_release(connection: duckdb.DuckDBPyConnection):
    rows = [one | {"consumption_mwh": 20_000.0} if one["sector"] == "all" else one for one in TOWN]
    assert emptied(rows, protected(connection, rows), "consumption_mwh") >= {"69029 industry"}


def test_what_was_released_before_is_released_again_the_same(connection: duckdb.DuckDBPyConnection):
    for rows in (TOWN, commune("69029", residential=(9000, 4000), tertiary=(3000, 200))):
        first = protection(connection, rows)
        published = connection.execute(f"SELECT * FROM {first.relation}").pl()
        again = protection(connection, rows, past=[Past(YEARLY.slug, "2026-01-01", published, first.held)])
        assert connection.execute(f"SELECT * FROM {again.relation}").pl().equals(published)


# --- the sample, as published -------------------------------------------------------------------------------------

CARRIERS = {"Electricité": "electricity", "Gaz": "gas"}
SECTORS = {"RESIDENTIEL": "residential", "INDUSTRIE": "industry", "INCONNU": "unassigned", "TERTIAIRE": "tertiary"}


@pytest.fixture(scope="module")
def marts(sample_data: Path) -> Mapping[str, tuple[list[Row], list[Row]]]:
    """Return the rows of both marts, and those that were published of them."""
    found = {}
    with duckdb.connect(str(Workspace(sample_data).warehouse), read_only=True) as connection:
        for card in (YEARLY, CORRECTED):
            files = sample_data / "public" / card.slug / "latest" / "*.parquet"
            found[card.slug] = (read(connection, card.mart), read(connection, f"read_parquet('{files}')"))
    return found


def test_the_agreed_number_is_that_of_the_card_and_heat_is_as_its_producer_judged():
    assert [one.parameters["at_least"] for one in AGREED] == [FEW]
    heat = read_card(PROJECT / "raw_sources" / "energy" / "sdes_chaleur_froid_iris.yml").agreement.secrecy
    assert [(one.rule, one.parameters) for one in heat] == [("as_delivered", {})]


def test_what_a_producer_judged_stays_hidden_and_nothing_else_is(connection: duckdb.DuckDBPyConnection):
    rows = [*commune("69029", residential=(1200, 240), tertiary=(210, 1)), row("69029", "industry", None, None)]
    rows[2] |= {"consumption_mwh": 1500.0, "delivery_points": 250}
    released = protected(connection, rows, rules=[SecrecyRule("as_delivered", {})])
    told = {one["sector"]: one["consumption_mwh"] for one in released}
    assert told["industry"] is None
    assert None in {told["residential"], told["tertiary"], told["all"]}, "the total less the other sectors gives it"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("card", "figure"),
    [
        (YEARLY, "consumption_mwh"), (YEARLY, "delivery_points"),
        (CORRECTED, "consumption_mwh"), (CORRECTED, "corrected_consumption_mwh"),
    ],
)  # fmt: skip
def test_nothing_of_the_sample_can_be_subtracted(
    marts: Mapping[str, tuple[list[Row], list[Row]]], card: ExportCard, figure: str
):
    rows, released = ([one for one in some if one["source"] == SOURCE] for some in marts[card.slug])
    assert len(rows) == len(released) > 0
    assert given_away(rows, released, figure, FEW) == set()
    careless = [one | {figure: None} if 0 < (one["delivery_points"] or 0) < FEW else one for one in rows]
    if figure != "corrected_consumption_mwh":  # no sector of few points has a share that follows the weather
        assert given_away(rows, rows, figure, FEW)
        assert deduced(rows, careless, figure)


@pytest.mark.slow
def test_the_cells_that_the_sample_says_are_secret_in_both_releases(
    sample_data: Path, marts: Mapping[str, tuple[list[Row], list[Row]]]
):
    truths = json.loads((sample_data / "sample" / "truths.json").read_text("utf-8"))
    few = {
        (one["commune"], CARRIERS[one["carrier"]], SECTORS[one["sector"]])
        for one in truths["energy"]["few_delivery_points"]
    }
    assert len(few) == 2
    hidden = {}
    for slug, (rows, released) in marts.items():
        told = {
            (one["zone_code"], one["carrier"], one["sector"]): (one["consumption_mwh"], one["consumption_status"])
            for one in released
            if one["year"] == truths["climate"]["cold_year"] and one["source"] == SOURCE
        }
        assert {told[cell] for cell in few} == {(None, "secret")}
        hidden[slug] = emptied(rows, released, "consumption_mwh")
    assert hidden[YEARLY.slug] == hidden[CORRECTED.slug] != set()


@pytest.mark.slow
def test_a_release_says_how_much_is_secret_and_no_parameter(sample_data: Path):
    for card in (YEARLY, CORRECTED):
        folder = sample_data / "public" / card.slug / "latest"
        told = json.loads((folder / "release.json").read_text("utf-8"))["agreements"]["secrecy"][SOURCE]
        assert any(level["secret"]["consumption_mwh"] for level in told)
        written = json.dumps(told)
        assert "at_least" not in written and "minimum" not in written
