"""The synthetic territory: same bytes, producers' forms, clock changes, known effects, known defects."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raw_sources.errors import ConfigurationError
from raw_sources.sample import (
    BUNDLED_SEED,
    TERRITORY_FOLDER,
    bundled_is_current,
    climate,
    energy,
    loads,
    partner_payments,
    payments,
)
from raw_sources.sample.generate import Manifest, generate
from raw_sources.sample.scale import AUTUMN_CHANGE, plan_for
from raw_sources.sample.town import build
from raw_sources.sample.traffic import Changes, occupancy_of_load, season, simulate, state_of
from raw_sources.sample.writing import archive_times, label_times
from raw_sources.territory import read_territory

FLOW, OCCUPANCY, TIME, STATE = "Débit horaire", "Taux d'occupation", "Date et heure de comptage", "Etat trafic"


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("clean") / "sample"
    generate(out)
    return out


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bundled") / "sample"
    generate(out, bundled=True)
    return out


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("full") / "sample"
    generate(out, defects=True)
    return out


def rows_of(path: Path, encoding: str = "utf-8-sig") -> list[dict[str, str]]:
    with path.open(encoding=encoding, newline="") as stream:
        return list(csv.DictReader(stream, delimiter=";", strict=True))


def labels_of(folder: Path) -> list[dict[str, str]]:
    names = sorted(folder.glob("comptages-routiers-permanents_[0-9][0-9][0-9][0-9][0-9][0-9].csv"))
    return [row for name in names for row in rows_of(name)]


def archives_of(folder: Path) -> list[dict[str, str]]:
    return [row for name in sorted(folder.glob("trafic_capteurs_*.txt")) for row in rows_of(name)]


def page_of(folder: Path, stem: str) -> Any:
    (name,) = folder.glob(f"{stem}_api_*.json")
    return json.loads(name.read_text(encoding="utf-8"))


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def listed(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [d for d in json.loads((folder / "defects.json").read_text())["defects"] if d["kind"] == kind]


def flows_of(folder: Path) -> dict[str, dict[date, float]]:
    """Mean measured flow by counter and legal day of the start of the hour, over all forms."""
    hours: dict[str, dict[date, list[float]]] = defaultdict(lambda: defaultdict(list))
    cells = [(row["Identifiant arc"], row[TIME], row[FLOW]) for row in labels_of(folder)]
    cells += [(row["iu_ac"], row["t_1h"], row["q"]) for row in archives_of(folder)]
    cells += [
        (r["iu_ac"], r["t_1h"], str(r["q"] or "")) for r in page_of(folder, "comptages-routiers-permanents")["results"]
    ]
    for counter, end, flow in cells:
        start = datetime.fromisoformat(end).replace(tzinfo=None) - timedelta(hours=1)
        if flow:
            hours[counter][start.date()].append(float(flow))
    return {
        counter: {day: sum(flows) / 24 for day, flows in days.items() if len(flows) >= 24}
        for counter, days in hours.items()
    }


# --- the same bytes -----------------------------------------------------------------------------------------------


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        generate(tmp_path / name, seed=seed, arcs=6, days=14, defects=True)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")
    assert bytes_of(tmp_path / "one") != bytes_of(tmp_path / "three")


def test_bytes_do_not_depend_on_the_size_of_the_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generate(tmp_path / "one", arcs=6, days=20)
    monkeypatch.setattr("raw_sources.sample.generate.CHUNK_ROWS", 300)
    generate(tmp_path / "two", arcs=6, days=20)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")


def test_no_path_and_no_clock_in_the_extracts(bundled: Path) -> None:
    for name, content in bytes_of(bundled).items():
        assert str(bundled).encode() not in content, name
        assert f"{datetime.now(UTC):%Y-%m-%d}".encode() not in content, name


def test_manifest_counts_the_records_of_every_file(clean: Path) -> None:
    manifest = json.loads((clean / "manifest.json").read_text())
    counted = {entry["name"]: entry["records"] for entry in manifest["files"]}
    assert manifest["traffic_rows"] == 20 * 24 * 62
    assert len(labels_of(clean)) + len(archives_of(clean)) + 100 == manifest["traffic_rows"]
    for name in clean.glob("*.csv"):
        heads = 2 if name.name.startswith("Donnees-de-consommation") else 1
        encoding = "cp1252" if name.name.startswith(("eco2mix_metropole", "orcae")) else "utf-8-sig"
        assert counted[name.name] == len(rows_of(name, encoding)) - heads + 1, name.name


def test_bundled_extracts_are_small_and_known_to_be_current(bundled: Path, clean: Path) -> None:
    assert sum(path.stat().st_size for path in bundled.iterdir()) < 10_000_000
    assert bundled_is_current(bundled)
    assert not bundled_is_current(clean)
    assert not bundled_is_current(bundled / "nowhere")


def test_bundled_extracts_with_a_cut_file_are_not_current(tmp_path: Path) -> None:
    generate(tmp_path / "out", bundled=True)
    assert bundled_is_current(tmp_path / "out")
    victim = next((tmp_path / "out").glob("fermetures*"))
    victim.write_bytes(victim.read_bytes()[:-1])
    assert not bundled_is_current(tmp_path / "out")


# --- folders and sizes --------------------------------------------------------------------------------------------


def test_an_earlier_generation_is_replaced_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    generate(out, arcs=5, days=40)
    before = {path.name for path in out.iterdir()}
    generate(out, arcs=5, days=14)
    assert {path.name for path in out.iterdir()} < before | {path.name for path in out.iterdir()}
    assert not (out / "trafic_capteurs_2025_W39_20250926_20250928.txt").exists()
    assert list(tmp_path.iterdir()) == [out]


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(ConfigurationError, match="not synthetic extracts"):
        generate(tmp_path, arcs=5, days=14)
    assert (tmp_path / "thesis.txt").read_text() == "precious"


@pytest.mark.parametrize("options", [{"scale": 0}, {"scale": float("nan")}, {"arcs": 3501}, {"days": 5}])
def test_sizes_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="must lie between"):
        plan_for(**options)


def test_scale_grows_smoothly_and_never_past_the_autumn_of_2025() -> None:
    plans = [plan_for(scale) for scale in (0.2, 1, 2, 10, 100, 1000, 3000)]
    assert (plans[1].arcs, plans[1].first_day, plans[1].last_day) == (20, date(2025, 9, 15), date(2025, 11, 15))
    assert plans[-1].arcs == 3500
    assert plans[-1].days > 1000
    rows = [plan.arcs * 24 * plan.days for plan in plans]
    assert rows == sorted(rows)
    assert rows[4] == pytest.approx(100 * rows[1], rel=0.05)
    for plan in plans:
        assert plan.first_label_day <= AUTUMN_CHANGE < plan.last_day <= date(2025, 11, 15)


# --- forms --------------------------------------------------------------------------------------------------------


def test_label_export_is_as_published(clean: Path) -> None:
    raw = (clean / "comptages-routiers-permanents_202510.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbfIdentifiant arc;Libelle;Date et heure de comptage;")
    assert b"\r" not in raw and raw.endswith(b"\n")
    for row in labels_of(clean):
        shape, (lat, lon) = json.loads(row["geo_shape"]), map(float, row["geo_point_2d"].split(", "))
        assert shape["type"] == "LineString" and 45 < lat < 46 and -4 < lon < -3
        assert (row[STATE] == "Inconnu") == (row[OCCUPANCY] == "")
        assert row[FLOW] == "" or (float(row[FLOW]).is_integer() and row[FLOW].endswith(".0"))
        assert row["Etat arc"] in {"Ouvert", "Barré", "Invalide"}


def test_archive_is_naive_coded_and_has_24_rows_a_day(clean: Path) -> None:
    rows = archives_of(clean)
    assert list(rows[0])[6:] == ["t_1h", "q", "k", "etat_trafic", "etat_barre"]
    assert {row["etat_trafic"] for row in rows} >= {"0", "1", "2", "3"}
    assert {row["etat_barre"] for row in rows} <= {"1", "2", "3"}
    days = Counter((row["iu_ac"], datetime.fromisoformat(row["t_1h"]) - timedelta(hours=1)) for row in rows)
    assert set(days.values()) == {1}
    assert len(rows) % 24 == 0 and rows[0]["t_1h"] == "2025-09-15 01:00:00"


def test_states_follow_from_occupancy(clean: Path) -> None:
    bounds = {"Fluide": (0, 15), "Pré-saturé": (15, 30), "Saturé": (30, 50), "Bloqué": (50, 100)}
    measured = [row for row in labels_of(clean) if row[OCCUPANCY]]
    assert {row[STATE] for row in measured} >= {"Fluide", "Pré-saturé", "Saturé"}
    for row in measured:
        low, high = bounds[row[STATE]]
        assert low <= float(row[OCCUPANCY]) < high
    assert list(state_of(np.asarray([np.nan, 14.99999, 15.0, 30.0, 50.0]))) == [0, 1, 2, 3, 4]


def test_forms_cover_every_hour_once(clean: Path) -> None:
    ends = Counter((row["Identifiant arc"], row[TIME][:19]) for row in labels_of(clean))
    ends.update((row["iu_ac"], row["t_1h"].replace(" ", "T")) for row in archives_of(clean))
    results = page_of(clean, "comptages-routiers-permanents")["results"]
    ends.update((record["iu_ac"], record["t_1h"][:19]) for record in results)
    assert len(results) == 100
    assert set(ends.values()) == {1}
    assert len(ends) == 20 * 24 * 62


def test_api_page_gives_numbers_and_features(clean: Path) -> None:
    page = page_of(clean, "comptages-routiers-permanents")
    assert page["total_count"] == len(page["results"])
    record = next(record for record in page["results"] if record["q"] is not None)
    assert isinstance(record["q"], float)
    assert record["geo_shape"]["type"] == "Feature"
    assert set(record["geo_point_2d"]) == {"lon", "lat"}
    assert max(record["t_1h"] for record in page["results"]) == "2025-11-16T00:00:00+01:00"


def test_referential_is_upper_case_with_crlf_and_holds_every_counter(clean: Path) -> None:
    (path,) = clean.glob("referentiel-*.csv")
    raw = path.read_bytes()
    assert raw.startswith(b"IU_AC;DATE_DEBUT;") and raw.count(b"\r\n") == raw.count(b"\n")
    rows = rows_of(path, "ascii")
    assert {row["IU_AC"] for row in rows} == {row["Identifiant arc"] for row in labels_of(clean)}
    assert len(rows) > 20, "some arcs also have an outdated place"


def test_works_have_several_lines_in_a_cell_and_closed_polygons(clean: Path) -> None:
    rows = [row for path in sorted(clean.glob("chantiers-perturbants_*.csv")) for row in rows_of(path)]
    assert any("\n" in row["Détail de l'impact sur la circulation"] for row in rows)
    assert any('"' in row["Détail de l'impact sur la circulation"] for row in rows)
    for row in rows:
        shape = json.loads(row["geo_shape"])
        assert shape["type"] == "Polygon" and shape["coordinates"][0][0] == shape["coordinates"][0][-1]
        assert date.fromisoformat(row["Date de début"]) <= date.fromisoformat(row["Date de fin"])


def test_ends_slip_between_the_two_snapshots(clean: Path) -> None:
    first, last = (
        {row["Identifiant"]: row["Date de fin"] for row in rows_of(path)}
        for path in sorted(clean.glob("chantiers-perturbants_*.csv"))
    )
    assert any(first[site] < last[site] for site in first.keys() & last.keys())
    assert first.keys() - last.keys(), "some ended and are no longer announced"


def test_both_works_files_share_sites_a_few_metres_apart(clean: Path) -> None:
    sites, plots = (
        {row[key]: row["geo_point_2d"] for row in rows_of(sorted(clean.glob(pattern))[0]) if row[key]}
        for pattern, key in (
            ("chantiers-perturbants_*.csv", "Identifiant CTV"),
            ("chantiers-emprises_*.csv", "Identifiant demande CITE"),
        )
    )
    shared = sites.keys() & plots.keys()
    assert len(shared) >= 3
    for demand in shared:
        (lat, lon), (other_lat, other_lon) = (map(float, places[demand].split(", ")) for places in (sites, plots))
        assert np.hypot((lat - other_lat) * 111_320, (lon - other_lon) * 78_000) < 25


def test_newest_plots_come_by_the_api_only(clean: Path) -> None:
    page = {record["num_emprise"]: record for record in page_of(clean, "chantiers-emprises")}
    exported = {row["Référence Chantier"] for path in clean.glob("chantiers-emprises_*.csv") for row in rows_of(path)}
    assert len(page) == 5 and all(isinstance(record["surface"], float) for record in page.values())
    assert not set(page) <= exported


def test_closures_have_offsets_and_a_period_in_utc(clean: Path) -> None:
    rows = rows_of(sorted(clean.glob("fermetures-voirie_*.csv"))[-1])
    for row in rows:
        start = datetime.fromisoformat(row["Date et heure de début de barrage"])
        assert start.tzinfo is not None and start.hour == 22
        assert f"{start.astimezone(UTC):%d/%m/%Y %H:%M}" in row["Période et plage de fermeture"]
        assert json.loads(row["geo_shape"])["type"] == "MultiLineString"


# --- clock changes ------------------------------------------------------------------------------------------------


def test_hours_on_clock_changes_are_those_of_the_producer() -> None:
    spring, autumn = label_times(date(2025, 3, 30)), label_times(date(2025, 10, 26))
    assert [text for text in spring if text is None] == [None]
    assert spring[:3] == ["2025-03-30T01:00:00+01:00", None, "2025-03-30T03:00:00+02:00"]
    assert autumn[:3] == ["2025-10-26T01:00:00+02:00", "2025-10-26T02:00:00+01:00", "2025-10-26T03:00:00+01:00"]
    assert archive_times(date(2025, 3, 30))[1] == "2025-03-30 02:00:00"
    assert label_times(date(2025, 12, 31))[-1] == "2026-01-01T00:00:00+01:00"


def test_autumn_day_has_24_rows_in_the_export(clean: Path) -> None:
    rows = [row for row in labels_of(clean) if row[TIME].startswith("2025-10-26")]
    assert set(Counter(row["Identifiant arc"] for row in rows).values()) == {24}
    assert {row[TIME] for row in rows if "T02:" in row[TIME]} == {"2025-10-26T02:00:00+01:00"}


def test_spring_day_has_23_rows_in_exports_and_24_in_archives(tmp_path: Path) -> None:
    generate(tmp_path / "export", arcs=4, days=480)
    rows = Counter(
        row["Identifiant arc"] for row in labels_of(tmp_path / "export") if row[TIME].startswith("2025-03-30")
    )
    assert set(rows.values()) == {23}
    generate(tmp_path / "archive", arcs=4, days=300)
    archived = [row for row in archives_of(tmp_path / "archive") if row["t_1h"] == "2025-03-30 02:00:00"]
    assert len(archived) == 4
    (natural,) = listed(tmp_path / "archive", "nonexistent_hour")
    assert natural["count"] == 4 and natural["expected"] == "rejected"


# --- traffic and its known changes --------------------------------------------------------------------------------


def test_traffic_has_a_day_a_week_and_a_season(clean: Path) -> None:
    by_hour: dict[tuple[bool, int], list[float]] = defaultdict(list)
    for row in archives_of(clean):
        start = datetime.fromisoformat(row["t_1h"]) - timedelta(hours=1)
        if row["q"]:
            by_hour[(start.weekday() == 6, start.hour)].append(float(row["q"]))
    mean = {key: np.mean(flows) for key, flows in by_hour.items()}
    assert mean[(False, 8)] > 5 * mean[(False, 3)]
    assert mean[(False, 8)] > 2 * mean[(True, 8)]
    assert season(date(2025, 8, 15)) < 0.8 < season(date(2025, 10, 15))
    assert abs(season(date(2025, 1, 31)) - season(date(2025, 2, 1))) < 0.02


def test_occupancy_grows_with_load_and_flow_stays_under_capacity() -> None:
    loads = np.linspace(0, 1.3, 50)
    assert (np.diff(occupancy_of_load(loads)) > 0).all()
    town = build(plan_for(arcs=40, days=20), BUNDLED_SEED)
    flow = town.day(date(2025, 10, 20)).flow_veh_h
    assert np.nanmax(flow / town.network.capacity_veh_h[:, None]) < 1.5


def test_works_change_the_flow_by_exactly_the_stated_product() -> None:
    town = build(plan_for(arcs=60, days=62), 5)
    day = date(2025, 10, 21)
    expected = np.ones(60)
    for site in town.works.sites:
        for effect in site.effects if site.start <= day <= site.end else ():
            expected[effect.arc] *= 1 + effect.change
    shut = {e.arc for closure in town.works.closures for e in closure.effects}
    quiet = Changes(*(np.empty(0, dtype=kind) for kind in (*("int64",) * 5, "float64", "bool")))
    with_works = town.day(day).flow_veh_h
    without = simulate(town.network, quiet, day, town.seed).flow_veh_h
    assert (expected != 1).sum() >= 10
    for arc in range(60):
        if arc not in shut and not np.isnan(without[arc]).all():
            ratio = np.nansum(with_works[arc]) / np.nansum(without[arc])
            assert ratio == pytest.approx(expected[arc], abs=0.003)


def test_effects_are_recovered_from_the_files_alone(tmp_path: Path) -> None:
    """Difference in differences on single effects, as an analyst would: this counter against the untouched ones."""
    generate(tmp_path / "out", arcs=160, days=90, seed=11)
    network = build(plan_for(arcs=160, days=90), 11).network
    kind = dict(zip(network.arc_id, network.arc_class.tolist(), strict=True))
    flows = flows_of(tmp_path / "out")
    document = json.loads((tmp_path / "out" / "effects.json").read_text())
    touching = defaultdict(list)
    for site in document["sites"]:
        for arc in site["arcs"]:
            touching[arc["counter_id"]].append((site["from"], site["to"], arc["relative_change"]))
    shut = {arc["counter_id"] for closure in document["closures"] for arc in closure["arcs"]}
    untouched = [counter for counter in flows if counter not in touching and counter not in shut]
    errors = []
    for counter, ((start, end, change), *others) in touching.items():
        if others or counter in shut or counter not in flows:
            continue
        inside = {day for day in flows[counter] if start <= day.isoformat() <= end}
        outside = set(flows[counter]) - inside
        if len(inside) >= 14 and len(outside) >= 14:
            controls = [other for other in untouched if kind[other] == kind[counter]]
            errors.append(_ratio(flows, counter, controls, inside, outside) - (1 + change))
    assert len(untouched) >= 5 and len(errors) >= 10
    assert abs(np.mean(errors)) < 0.01
    assert np.max(np.abs(errors)) < 0.05


def _ratio(
    flows: dict[str, dict[date, float]], counter: str, controls: list[str], inside: set[date], outside: set[date]
) -> float:
    """Mean over days of the counter's flow relative to each control's, inside over outside."""

    def level(days: set[date]) -> float:
        return float(
            np.mean(
                [
                    np.mean([np.log(flows[counter][day] / flows[c][day]) for c in controls if day in flows[c]])
                    for day in days
                    if any(day in flows[c] for c in controls)
                ]
            )
        )

    return float(np.exp(level(inside) - level(outside)))


def test_every_effect_is_of_a_site_that_some_file_announces(clean: Path) -> None:
    announced = {row["Identifiant"] for path in clean.glob("chantiers-perturbants_*.csv") for row in rows_of(path)}
    shut = {row["Identifiant interne"] for path in clean.glob("fermetures-voirie_*.csv") for row in rows_of(path)}
    document = json.loads((clean / "effects.json").read_text())
    assert {site["site_id"] for site in document["sites"]} <= announced
    assert {closure["site_id"] for closure in document["closures"]} <= shut
    assert any(arc["relative_change"] <= -0.1 for site in document["sites"] for arc in site["arcs"])


# --- weather, energy and payments -----------------------------------------------------------------------------------


def truths_of(folder: Path) -> dict[str, Any]:
    truths: dict[str, Any] = json.loads((folder / "truths.json").read_text(encoding="utf-8"))
    return truths


def communes_of(folder: Path) -> list[dict[str, str]]:
    return rows_of(folder / energy.ORE_NAME)


def test_one_winter_is_colder_than_all_the_years_of_reference(clean: Path) -> None:
    truths = truths_of(clean)["climate"]
    lacking: dict[int, float] = defaultdict(float)
    for row in rows_of(clean / climate.NAME):
        day = datetime.strptime(row["AAAAMMJJ"], "%Y%m%d")
        if day.month not in (6, 7, 8, 9):
            lacking[day.year] += max(0.0, 17 - (float(row["TN"]) + float(row["TX"])) / 2)
    normal = sum(lacking[year] for year in range(1991, 2021)) / 30
    assert truths["normal_degree_days"] == pytest.approx(normal, abs=0.001)
    assert truths["degree_days"] == {year: pytest.approx(lacking[int(year)]) for year in truths["degree_days"]}
    cold = truths["cold_year"]
    assert lacking[cold] > max(degree_days for year, degree_days in lacking.items() if year != cold) > normal


def test_homes_use_the_same_in_every_year_once_the_weather_is_taken_out(clean: Path) -> None:
    climate_truths, homes = truths_of(clean)["climate"], truths_of(clean)["energy"]["homes_electricity_mwh"]
    rows = [row for row in communes_of(clean) if row["Code Commune"] in homes and row["DJU à TR"]]
    assert len(rows) == 3 * 7
    for row in rows:
        total, truth = float(row["Conso totale (MWh)"]), homes[row["Code Commune"]]
        share = float(row["Part thermosensible (%)"]) / 1000
        normal, real = climate_truths["normal_degree_days"], climate_truths["degree_days"][row["Année"]]
        assert total == truth[row["Année"]]
        assert total * (1 - share) + total * share * normal / real == pytest.approx(truth["corrected"], abs=0.05)
    assert homes["99999"]["2024"] > 1.1 * homes["99999"]["corrected"]


def test_secret_cells_are_empty_and_floors_are_lower_than_the_truth(clean: Path) -> None:
    hidden = [
        row for row in communes_of(clean) if row["Nombre de mailles secretisées"] == "1" and row["Année"] == "2024"
    ]
    empty = {(row["Code Commune"], row["CODE GRAND SECTEUR"]) for row in hidden if not row["Conso totale (MWh)"]}
    assert empty == {("99998", "AGRICULTURE"), ("99998", "INDUSTRIE"), ("99998", "RESIDENTIEL")}
    (floor,) = [row for row in hidden if row["Conso totale (MWh)"]]
    assert (floor["Code Commune"], float(floor["Conso totale (MWh)"])) == ("99997", 300.0)
    truths = truths_of(clean)["energy"]
    assert {one["sector"] for one in truths["secret"]} == {"RESIDENTIEL", "AGRICULTURE"}
    assert {(one["commune"], one["sector"]) for one in truths["floors"]} == {
        ("99997", "INDUSTRIE"),
        ("99998", "INDUSTRIE"),
    }
    few = {(one["commune"], one["carrier"], one["sector"]) for one in truths["few_delivery_points"]}
    assert few == {
        ("99999", "Gaz", "INDUSTRIE"),
        ("99998", "Electricité", "INDUSTRIE"),
    }


def test_heat_has_two_headers_and_three_kinds_of_absence(clean: Path) -> None:
    first, second = (rows_of(path) for path in sorted(clean.glob("Donnees-de-consommation*.csv")))
    assert [next(iter(rows[0].values())) for rows in (first, second)] == ["OPERATEUR", "ID"]
    cells = {(row["Consommation (en MWh)"], row["Nombre de points de livraison"]) for row in first[1:]}
    assert {("secret", "secret"), ("nd", "nd"), ("845.25", "")} <= cells


def test_the_load_has_96_quarters_a_day_and_says_nd(clean: Path) -> None:
    raw = (clean / loads.METROPOLIS_NAME).read_bytes()
    assert raw.startswith("Périmètre;Nature;Date;Heures;Consommation\r\n".encode("cp1252"))
    rows = rows_of(clean / loads.METROPOLIS_NAME, "cp1252")
    assert set(Counter(row["Date"] for row in rows).values()) == {96}
    silent = Counter(row["Date"] for row in rows if row["Consommation"] == "ND")
    assert silent == {"31/03/2024": 4, "21/11/2023": 8}
    means = truths_of(clean)["loads"]["mean_mw_by_day"]
    assert means["2024-01-16"] > means["2023-10-28"] + 10


def test_a_region_gives_its_spring_hour_the_instant_of_the_next(clean: Path) -> None:
    rows = rows_of(clean / loads.REGION_FILE)
    spring = {row["Heure"]: row["Date - Heure"] for row in rows if row["Date"] == "2024-03-31"}
    assert len(spring) == 48
    assert spring["02:00"] == spring["03:00"] == "2024-03-31T03:00:00+02:00"
    assert {row["Nucléaire (MW)"] for row in rows} == {""}


def test_the_festival_raises_two_countries_in_one_month(clean: Path) -> None:
    truths = truths_of(clean)["payments"]
    indices = {
        (row["pays_carte"], row["mois"]): row["indice_valeur"]
        for row in rows_of(clean / payments.NAME)
        if (row["niveau"], row["code_territoire"]) == ("departement", "99")
    }
    for country, name in payments.COUNTRIES.items():
        ratio = float(indices[name, "2024-06"].replace(",", ".")) / float(indices[name, "2023-06"].replace(",", "."))
        festive = country in truths["festival"]["countries"]
        assert ratio == pytest.approx(truths["festival"]["year_on_year"] if festive else 1.02, abs=0.002)
    assert {indices["Chine", f"2022-{month:02d}"] for month in truths["secret"]["months"]} == {"s"}
    assert indices["Allemagne", "2019-03"] == ""
    assert sum(float(indices["Belgique", f"2019-{month:02d}"].replace(",", ".")) for month in range(1, 13)) == 1200


def test_a_partner_lends_amounts_that_the_festival_raises_too(clean: Path) -> None:
    truths = truths_of(clean)["partner_payments"]
    rows = {
        (row["mois"], row["origine"], row["branche"]): row
        for row in rows_of(clean / partner_payments.NAME)
        if (row["niveau"], row["code_territoire"]) == ("departement", "99")
    }

    def euros(cell: dict[str, str], country: str, name: str = "montant_ke") -> float:
        row = rows[cell["month"], partner_payments.ORIGINS[country], cell["activity"]]
        return 1_000 * float(row[name].replace(",", "."))

    festival = truths["festival"]
    for activity, shares in festival["share_pct"].items():
        amounts = {country: euros(festival | {"activity": activity}, country) for country in shares}
        assert sum(amounts.values()) == festival["amount_eur"][activity]
        assert {one: 100 * amount / sum(amounts.values()) for one, amount in amounts.items()} == pytest.approx(shares)
    dominated = truths["dominated"]
    largest = euros(dominated, "CN", "premier_ke") / euros(dominated, "CN")
    assert 100 * largest == pytest.approx(dominated["largest_pct"], abs=0.1)
    two = truths["of_two"]
    assert rows[two["month"], "Chine", two["activity"]]["nb_commercants"] == "2"
    assert euros(two, "CN", "premier_ke") + euros(two, "CN", "deuxieme_ke") == euros(two, "CN")
    assert rows[truths["secret"]["month"], "Chine", truths["secret"]["activity"]]["montant_ke"] == "s"


def test_energy_and_payments_have_one_size_at_every_scale(clean: Path, tmp_path: Path) -> None:
    generate(tmp_path / "small", arcs=4, days=14)
    names = (energy.ORE_NAME, loads.METROPOLIS_NAME, climate.NAME, payments.NAME, partner_payments.NAME)
    for name in names:
        assert (tmp_path / "small" / name).read_bytes() == (clean / name).read_bytes()


# --- defects ------------------------------------------------------------------------------------------------------


def test_clean_extracts_list_no_defect_but_those_of_the_forms(clean: Path) -> None:
    listed_kinds = {one["kind"] for one in json.loads((clean / "defects.json").read_text())["defects"]}
    assert listed_kinds == {"nonexistent_step"}


def test_defects_of_the_bundled_town_never_refuse_a_delivery(bundled: Path, full: Path) -> None:
    def expected(folder: Path) -> set[str]:
        return {d["expected"] for d in json.loads((folder / "defects.json").read_text())["defects"]}

    assert "refused" not in expected(bundled)
    assert expected(full) == {"rejected", "duplicate", "superseded", "malformed", "refused", "flagged", "accepted"}


def test_listed_defects_name_files_that_exist(full: Path) -> None:
    for defect in json.loads((full / "defects.json").read_text())["defects"]:
        assert (full / defect["file"]).is_file(), defect["kind"]
        assert defect["count"] >= 1


def test_decimal_commas_are_at_the_listed_lines(bundled: Path) -> None:
    (defect,) = listed(bundled, "decimal_comma")
    lines = (bundled / defect["file"]).read_text().splitlines()
    first, last = defect["where"]["lines"]
    assert [number for number, line in enumerate(lines, 1) if "," in line] == list(range(first, last + 1))
    assert defect["count"] == last - first + 1


def test_duplicates_are_exact_or_contradict_by_rounding_only(bundled: Path) -> None:
    cells: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for row in archives_of(bundled):
        cells[(row["iu_ac"], row["t_1h"])].append(row)
    (exact,), (rounded,) = listed(bundled, "exact_duplicate"), listed(bundled, "contradictory_duplicate")
    pairs = {key: rows for key, rows in cells.items() if len(rows) > 1}
    assert set(pairs) == {tuple(key) for key in exact["where"]["keys"] + rounded["where"]["keys"]}
    for key in exact["where"]["keys"]:
        assert pairs[tuple(key)][0] == pairs[tuple(key)][1]
    for key in rounded["where"]["keys"]:
        one, two = pairs[tuple(key)]
        assert one["k"] != two["k"] and round(float(one["k"])) == float(two["k"])
        assert {**one, "k": ""} == {**two, "k": ""}


def test_missing_day_and_odd_autumn_days(bundled: Path) -> None:
    rows = Counter((row["Identifiant arc"], row[TIME][:10]) for row in labels_of(bundled))
    (missing,) = listed(bundled, "missing_day")
    for counter in missing["where"]["counters"]:
        assert rows[(counter, missing["where"]["day"])] == 1, "only the 00:00 that ends the day before"
    for kind, count in (("day_25_hours", 25), ("day_23_hours", 23)):
        (defect,) = listed(bundled, kind)
        assert {rows[(counter, "2025-10-26")] for counter in defect["where"]["counters"]} == {count}


def test_correction_gives_new_values_for_hours_already_delivered(bundled: Path) -> None:
    (defect,) = listed(bundled, "correction")
    before = {(row["Identifiant arc"], row[TIME]): float(row[FLOW] or "nan") for row in labels_of(bundled)}
    corrected = rows_of(bundled / defect["file"])
    assert len(corrected) == defect["count"] == 24
    for row in corrected:
        assert float(row[FLOW]) == before[(row["Identifiant arc"], row[TIME])] + 11


def test_truncated_file_loses_its_last_record_only(bundled: Path) -> None:
    (defect,) = listed(bundled, "truncated_file")
    path = bundled / defect["file"]
    with pytest.raises(csv.Error, match="unexpected end of data"):
        rows_of(path)
    whole = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if '""}";' in line]
    assert len(whole) == defect["where"]["record"] - 1


def test_bad_works_are_in_the_last_snapshot(bundled: Path) -> None:
    sites = {row["Identifiant"]: row for row in rows_of(sorted(bundled.glob("chantiers-perturbants_*.csv"))[-1])}
    plots = {row["Référence Chantier"]: row for row in rows_of(sorted(bundled.glob("chantiers-emprises_*.csv"))[-1])}
    assert {sites[d["where"]["identifiant"]]["Date de fin"] for d in listed(bundled, "impossible_date")[:1]} == {
        "31/09/25"
    }
    assert plots["EC1990001"]["Date fin du chantier"] == "2025-02-30"
    assert sites["CP990003"]["Date de fin"] < sites["CP990003"]["Date de début"]
    swapped = json.loads(sites["CP990004"]["geo_shape"])["coordinates"][0]
    assert all(lon > 45 and lat < 0 for lon, lat in swapped)


def test_wrong_encoding_cut_archive_and_spring_day_of_the_full_set(full: Path) -> None:
    (encoded,) = listed(full, "wrong_encoding")
    with pytest.raises(UnicodeDecodeError):
        rows_of(full / encoded["file"])
    assert "Boulevard périphérique" in (full / encoded["file"]).read_text(encoding="cp1252")
    (cut,) = listed(full, "truncated_gzip")
    with pytest.raises(EOFError):
        gzip.decompress((full / cut["file"]).read_bytes())
    (spring,) = listed(full, "nonexistent_hour")
    rows = rows_of(full / spring["file"])
    assert sum(row["t_1h"] == spring["where"]["hour"] for row in rows) == spring["count"]
    (odd,) = [d for d in listed(full, "day_23_hours") if d["expected"] == "accepted"]
    assert Counter(row["Identifiant arc"] for row in rows_of(full / odd["file"])) == dict.fromkeys(
        odd["where"]["counters"], 23
    )


# --- the territory ------------------------------------------------------------------------------------------------


def test_territory_takes_every_extract_and_is_marked_synthetic(bundled: Path, full: Path) -> None:
    territory = read_territory(TERRITORY_FOLDER)
    assert territory.synthetic and "synthétiques" in territory.title_fr
    lists = {"effects.json", "truths.json", "defects.json", "manifest.json"}
    for path in [*bundled.iterdir(), *full.iterdir()]:
        assert len(territory.match(path.name)) == (0 if path.name in lists else 1), path.name


def test_the_largest_city_lies_inside_the_box() -> None:
    territory = read_territory(TERRITORY_FOLDER)
    west, south, east, north = territory.bbox
    town = build(plan_for(arcs=3500, days=14), BUNDLED_SEED)
    for arc in range(0, 3500, 7):
        for lon, lat in town.network.line_of_arc(arc):
            assert west < lon < east and south < lat < north


def test_progress_has_one_line_per_file_of_counts(tmp_path: Path) -> None:
    lines: list[str] = []
    manifest: Manifest = generate(tmp_path / "out", arcs=4, days=14, progress=lines.append)
    assert len(lines) == sum(file.name.startswith(("trafic", "comptages")) for file in manifest.files) - 1
