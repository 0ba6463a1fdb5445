"""The synthetic territory through a whole run: each seeded defect ends as its list says, and everything says synthetic.

Defects are looked for where a user would: in the marts, the ledger and the refused records; never in the readers.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from expectations.value_statuses import PRESENT, VALUE_STATUSES
from exports.schemas import SchemaStore
from exports.verify import verify_tree
from orchestration.inquiry import analysts_copy, read_rejects
from orchestration.workspace import Workspace
from raw_sources.database import DuckDBSettings
from tests.commands import Answer, halle
from tests.integration.conftest import SampleRun

COUNTS = "paris_comptages_permanents"
MARTS = {
    "calendrier",
    "charge-electrique-demi-horaire",
    "chantiers-voirie",
    "communes-millesimes",
    "comptages-chantiers-journaliers",
    "comptages-routiers-horaires",
    "consommation-energie-annuelle",
    "consommation-energie-corrigee-climat",
    "effet-chantiers-trafic",
    "paiements-cartes-etrangeres-mensuels",
    "paiements-cartes-publics",
    "passages-communes",
    "populations-legales",
    "production-energie-annuelle",
    "trafic-moyen-journalier-annuel",
}


@dataclass(frozen=True)
class Town:
    """A synthetic territory that has been run: its DATA and the extracts that it was made from."""

    data: Path
    extracts: Path

    def defects(self, kind: str) -> list[dict[str, Any]]:
        """Return the seeded defects of one kind; there is at least one."""
        every = json.loads((self.extracts / "defects.json").read_text(encoding="utf-8"))["defects"]
        found = [defect for defect in every if defect["kind"] == kind]
        assert found, kind
        return found

    def defect(self, kind: str) -> dict[str, Any]:
        """Return the one seeded defect of a kind."""
        (found,) = self.defects(kind)
        return found

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the analysts' copy."""
        with analysts_copy(Workspace(self.data)) as connection:
            return connection.execute(sql).fetchall()

    def measures(self) -> dict[tuple[str, str], tuple[float | None, float | None]]:
        """Return flow and occupancy by counter and legal start of the hour, offset included."""
        sql = "select counter_id, hour_start_local, flow_veh_h, occupancy_pct from mobility.traffic_hourly"
        return {(counter, start): (flow, occupancy) for counter, start, flow, occupancy in self.ask(sql)}

    def truths(self, theme: str) -> dict[str, Any]:
        """Return what is true by construction of one part of the town."""
        found: dict[str, Any] = json.loads((self.extracts / "truths.json").read_text(encoding="utf-8"))[theme]
        return found

    def ledger(self, term: str) -> Counter[str]:
        """Return one term of the ledger by source."""
        return Counter(dict(self.ask(f"select source, sum({term}) from ops.ledger group by 1")))

    def refused(self, stage: str) -> list[tuple[str, str, dict[str, Any]]]:
        """Return the refused records that `halle rejects` shows: source, reason and record."""
        found = [one for one in read_rejects(Workspace(self.data), None) if one.stage == stage]
        return [(one.source, sample["reason"], sample["record"]) for one in found for sample in one.samples]


@pytest.fixture(scope="module")
def town(sample_data: Path) -> Town:
    return Town(sample_data, sample_data / "sample")


@dataclass(frozen=True)
class FullRun:
    """A run on extracts with every known defect, those that refuse a delivery included."""

    town: Town
    answer: Answer


@pytest.fixture(scope="module")
def full_run(tmp_path_factory: pytest.TempPathFactory) -> FullRun:
    folder = tmp_path_factory.mktemp("full")
    made = halle("sample", "--out", folder / "extracts", "--scale", "0.1", "--defects")
    assert made.status == 0, made.err
    answer = halle("run", "--extracts", folder / "extracts", "--data", folder / "data")
    return FullRun(Town(folder / "data", folder / "extracts"), answer)


def start_of(label: str, offset: str = "+02:00") -> str:
    """Return the legal start of an hour that an archive labels by its end."""
    return (datetime.fromisoformat(label) - timedelta(hours=1)).isoformat() + offset


def rows_of(path: Path, encoding: str = "utf-8-sig") -> list[dict[str, str]]:
    with path.open(encoding=encoding, newline="") as stream:
        return list(csv.DictReader(stream, delimiter=";"))


def lines_of(town: Town, defect: dict[str, Any]) -> list[dict[str, str]]:
    """Return the seeded records; lines of a file are counted from 1, its header included."""
    first, last = defect["where"]["lines"]
    return rows_of(town.extracts / defect["file"])[first - 2 : last - 1]


# --- the run ----------------------------------------------------------------------------------------------------


def test_the_run_ends_well_and_verifies(sample_run: SampleRun):
    assert sample_run.answer.status == 0, sample_run.answer.err + sample_run.answer.out
    public = sample_run.data / "public"
    assert {path.name for path in public.iterdir()} == MARTS
    report = verify_tree(public, SchemaStore.from_environment(online=False), DuckDBSettings())
    assert report.failed == []
    assert len(report.passed) > 20


def test_every_record_is_accounted_for(town: Town):
    demand_that_every_record_is_accounted_for(town, set())


def demand_that_every_record_is_accounted_for(town: Town, refused: set[str]):
    assert (
        town.ask(
            "select * from ops.ledger where records_read <> raw_rows + malformed "
            "or raw_rows <> staged + rejected + superseded + duplicate + out_of_scope"
        )
        == []
    )
    manifest = json.loads((town.extracts / "manifest.json").read_text(encoding="utf-8"))
    read = dict(town.ask("select file_name, records_read from ops.ledger"))
    assert read == {entry["name"]: entry["records"] for entry in manifest["files"] if entry["name"] not in refused}


def test_what_is_refused_is_what_was_seeded_and_nothing_else(town: Town):
    demand_that_only_what_was_seeded_is_refused(town)


def demand_that_only_what_was_seeded_is_refused(town: Town):
    seeded = json.loads((town.extracts / "defects.json").read_text(encoding="utf-8"))["defects"]
    for outcome in ("rejected", "malformed"):
        expected: Counter[str] = Counter()
        for defect in seeded:
            if defect["expected"] == outcome:
                expected[defect["source"]] += defect["count"]
        assert +town.ledger(outcome) == expected


# --- defects of counts ------------------------------------------------------------------------------------------


def test_decimal_commas_are_read_as_numbers(town: Town):
    defect, measures = town.defect("decimal_comma"), town.measures()
    records = lines_of(town, defect)
    assert len(records) == defect["count"]
    for record in records:
        assert "," in record["q"]
        expected = float(record["q"].replace(",", ".")), float(record["k"].replace(",", "."))
        assert measures[record["iu_ac"], start_of(record["t_1h"])] == expected


def test_exact_duplicates_are_counted_and_kept_once(town: Town):
    defect, measures = town.defect("exact_duplicate"), town.measures()
    assert town.ledger("duplicate")[COUNTS] == defect["count"]
    assert all((counter, start_of(label)) in measures for counter, label in defect["where"]["keys"])


def test_of_contradictory_duplicates_one_is_kept_and_the_other_counted(town: Town):
    defect, measures = town.defect("contradictory_duplicate"), town.measures()
    files = sorted(town.extracts.glob("trafic_capteurs_*.txt"))
    candidates = [row for file in files for row in rows_of(file)]
    for counter, label in defect["where"]["keys"]:
        said = {float(row["k"]) for row in candidates if (row["iu_ac"], row["t_1h"]) == (counter, label)}
        assert len(said) == 2
        assert measures[counter, start_of(label)][1] in said
    superseded = defect["count"] + town.defect("correction")["count"]
    assert town.ledger("superseded")[COUNTS] == superseded


def test_a_correction_supersedes_and_the_superseded_stay_countable(town: Town):
    defect, measures = town.defect("correction"), town.measures()
    month = town.extracts / "comptages-routiers-permanents_202510.csv"
    first_said = {
        (row["Identifiant arc"], row["Date et heure de comptage"]): float(row["Débit horaire"])
        for row in rows_of(month)
        if row["Débit horaire"]
    }
    assert len(defect["where"]["keys"]) == defect["count"]
    for counter, label in defect["where"]["keys"]:
        before = first_said[counter, datetime.fromisoformat(label).isoformat() + "+01:00"]
        flow, _ = measures[counter, start_of(label, "+01:00")]
        assert flow == pytest.approx(before + defect["where"]["added_flow_veh_h"])
    ((superseded, staged),) = town.ask(
        "select superseded, staged = records_read - superseded - duplicate from ops.ledger "
        f"where file_name = '{month.name}'"
    )
    assert (superseded, staged) == (defect["count"], True)


def test_a_missing_day_is_missing_and_never_filled(town: Town):
    where = town.defect("missing_day")["where"]
    missing = {(counter, where["day"]) for counter in where["counters"]}
    days = "select distinct counter_id, substr(hour_start_local, 1, 10) from mobility.traffic_hourly"
    assert missing.isdisjoint(town.ask(days))
    joined = "select distinct counter_id, cast(day_on as varchar) from mobility.counter_works_daily"
    assert missing.isdisjoint(town.ask(joined))


def test_the_autumn_day_has_the_hours_that_were_published(town: Town):
    longer, shorter = town.defect("day_25_hours")["where"], town.defect("day_23_hours")["where"]
    day = longer["day"]
    hours = dict(
        town.ask(
            "select counter_id, list(hour_start_local order by hour_start_at) from mobility.traffic_hourly "
            f"where substr(hour_start_local, 1, 10) = '{day}' group by 1"
        )
    )
    both = {f"{day}T01:00:00+02:00", f"{day}T02:00:00+02:00"}
    for counter, starts in hours.items():
        if counter in longer["counters"]:
            assert (len(starts), both <= set(starts)) == (25, True)
        elif counter in shorter["counters"]:
            assert (len(starts), both & set(starts)) == (23, set())
        else:
            assert (len(starts), both & set(starts)) == (24, {f"{day}T02:00:00+02:00"})


# --- defects of works and of the referential ----------------------------------------------------------------------

REASONS = {
    "impossible_date": "is not a date: ",
    "end_before_start": "ends before it starts: ",
    "swapped_coordinates": "longitude and latitude look swapped",
}


@pytest.mark.parametrize("kind", sorted(REASONS))
def test_bad_records_are_refused_with_their_reason(town: Town, kind: str):
    refused = [(source, reason, json.loads(record)) for source, reason, record in town.refused("staging")]
    for defect in town.defects(kind):
        assert defect["expected"] == "rejected"
        ((column, key),) = defect["where"].items()
        (reason,) = [
            reason for source, reason, record in refused if source == defect["source"] and record[column] == key
        ]
        assert REASONS[kind] in reason


def test_bad_records_reach_no_mart(town: Town):
    keys = [str(key) for kind in REASONS for one in town.defects(kind) for key in one["where"].values()]
    sites = {site for (site,) in town.ask("select site_id from mobility.works_sites")}
    assert sites.isdisjoint(keys)
    # The occupations refused were all that their CITE request had.
    assert "9899999" not in sites


def test_a_truncated_file_loses_its_last_record_only(town: Town):
    defect = town.defect("truncated_file")
    (found,) = [one for one in town.refused("reading") if one[0] == defect["source"]]
    assert defect["where"]["identifiant"] in found[2]
    ((read, malformed),) = town.ask(
        f"select records_read, malformed from ops.ledger where file_name = '{defect['file']}'"
    )
    assert (read, malformed) == (defect["where"]["record"], defect["count"])


# --- energy and payments ------------------------------------------------------------------------------------------

CARRIERS = {"Electricité": "electricity", "Gaz": "gas"}
SECTORS = {"RESIDENTIEL": "residential", "INDUSTRIE": "industry", "AGRICULTURE": "agriculture"}


def cells_of(town: Town, status: str) -> set[tuple[str, str, str]]:
    """Return the communes' cells of a status in the cold year, sums over sectors apart: commune, carrier, sector."""
    year = town.truths("climate")["cold_year"]
    return set(
        town.ask(
            "select zone_code, carrier, sector from energy.consumption_yearly where zone_level = 'commune' "
            f"and sector <> 'all' and year = {year} and consumption_status = '{status}'"
        )
    )


@pytest.mark.parametrize(("truth", "status"), [("secret", "secret"), ("floors", "partial")])
def test_secret_cells_stay_secret_and_totals_over_them_are_floors(town: Town, truth: str, status: str):
    expected = town.truths("energy")[truth]
    assert cells_of(town, status) == {
        (one["commune"], CARRIERS[one["carrier"]], SECTORS[one["sector"]]) for one in expected
    }


@pytest.mark.parametrize("mart", ["energy.consumption_yearly", "energy.consumption_climate_corrected_yearly"])
def test_what_is_secret_has_no_value_and_what_is_a_floor_has_one(town: Town, mart: str):
    told = "case when count(consumption_mwh) = 0 then 'none' when count(consumption_mwh) = count(*) then 'all' end"
    values = dict(town.ask(f"select consumption_status, {told} from {mart} group by all"))
    assert {"measured", "not_available", "partial", "secret"} <= set(values) <= set(VALUE_STATUSES)
    assert values == {status: "all" if status in PRESENT else "none" for status in values}


def test_a_cold_year_is_brought_to_the_normal_one(town: Town):
    climate, homes = town.truths("climate"), town.truths("energy")["homes_electricity_mwh"]
    found = town.ask(
        "select zone_code, year, consumption_mwh, corrected_consumption_mwh, degree_days_c_d, "
        "reference_degree_days_c_d from energy.consumption_climate_corrected_yearly "
        "where carrier = 'electricity' and sector = 'residential' and zone_level = 'commune' "
        "and corrected_consumption_status = 'estimated'"
    )
    assert {(code, year) for code, year, *_ in found} == {(code, year) for code in homes for year in range(2018, 2025)}
    for code, year, real, corrected, degree_days, normal in found:
        assert real == homes[code][str(year)]
        assert corrected == pytest.approx(homes[code]["corrected"], abs=0.1)
        assert degree_days == pytest.approx(climate["degree_days"][str(year)], abs=0.001)
        assert normal == pytest.approx(climate["normal_degree_days"], abs=0.001)


def test_nothing_is_kept_of_a_commune_that_is_not_the_territorys(town: Town):
    island = town.truths("energy")["out_of_scope_commune"]
    for mart in ("consumption_yearly", "production_yearly"):
        assert town.ask(f"select count(*) from energy.{mart} where starts_with(zone_code, '{island}')") == [(0,)]
    sources = {source for source, count in town.ledger("out_of_scope").items() if count}
    assert {"ore_consommation_commune", "sdes_chaleur_froid_iris", "orcae_reseaux_chaleur"} <= sources


def test_the_load_has_every_half_hour_and_says_which_are_not_known(town: Town):
    truths = town.truths("loads")
    load = "from energy.load_half_hourly where source = 'rte_eco2mix_metropoles'"
    unknown = {start for (start,) in town.ask(f"select start_local {load} and consumption_status = 'not_available'")}
    silent = (
        datetime.fromisoformat(truths["not_measured"]["day"])
        + timedelta(minutes=15) * truths["not_measured"]["first_step"]
    )
    lost = {f"{truths['lost_hour_on']}T02:{minute}:00+02:00" for minute in ("00", "30")}
    steps = range(truths["not_measured"]["steps"] // 2)
    assert unknown == lost | {(silent + timedelta(minutes=30) * step).isoformat() + "+01:00" for step in steps}
    spring = town.ask(f"select count(*) {load} and start_local like '{truths['nonexistent_hour_on']}%'")
    assert spring == [(46,)]
    for day, mean in truths["mean_mw_by_day"].items():
        ((found,),) = town.ask(f"select avg(consumption_mw) {load} and start_local like '{day}%'")
        assert found == pytest.approx(mean, abs=0.001)


PAYMENTS = "from economy.foreign_card_payments_monthly where zone_level = 'department'"


def test_the_festival_shows_in_its_month_and_countries_only(town: Town):
    truths, usual = town.truths("payments")["festival"], town.truths("payments")["other_year_on_year"]
    changes = town.ask(
        f"select card_country, value_change_1y_pct, value_change_1y_status {PAYMENTS} and month = '{truths['month']}'"
    )
    assert {country for country, *_ in changes} == {"BE", "CN", "DE", "GB", "US"}
    for country, change, status in changes:
        expected = truths["year_on_year"] if country in truths["countries"] else usual
        assert status == "measured"
        assert change == pytest.approx(100 * (expected - 1), abs=0.1)


def test_payments_say_what_is_secret_and_what_was_not_delivered(town: Town):
    secret, unknown = (town.truths("payments")[status] for status in ("secret", "not_available"))
    hidden = town.ask(f"select card_country, month, value_index, volume_index {PAYMENTS} and value_status = 'secret'")
    months = {f"{year}-{month:02d}" for year in range(2018, 2025) for month in secret["months"]}
    assert set(hidden) == {(secret["country"], month, None, None) for month in months}
    missing = town.ask(f"select card_country, month, value_index {PAYMENTS} and value_status = 'not_available'")
    assert missing == [(unknown["country"], unknown["month"], None)]


LENT = "from economy.card_payments_monthly where zone_code = '99'"


def test_the_partner_lends_what_the_festival_raised(town: Town):
    truths = town.truths("partner_payments")
    festival = truths["festival"]
    for activity, shares in festival["share_pct"].items():
        june = f"and month = '{festival['month']}' and activity = '{activity}'"
        for level, aggregation in (("department", "delivered"), ("region", "summed")):
            found = town.ask(
                f"select card_country, amount_eur::double, share_pct {LENT} {june} and card_country <> 'all' "
                f"and zone_level = '{level}' and aggregation = '{aggregation}'"
            )
            assert {country: share for country, _, share in found} == pytest.approx(shares, abs=1e-5)
            assert sum(amount for _, amount, _ in found) == festival["amount_eur"][activity]
    ((delivered_until,),) = town.ask(
        f"select max(month) {LENT} and zone_level = 'region' and aggregation = 'delivered'"
    )
    assert delivered_until == truths["region_delivered_until"]


def test_cells_that_tell_of_a_merchant_are_there_for_the_authority_alone(town: Town):
    truths = town.truths("partner_payments")

    def cell(name: str, columns: str) -> list[tuple[Any, ...]]:
        where = " and ".join(f"{key} = '{truths[name][key]}'" for key in ("month", "card_country", "activity"))
        return town.ask(f"select {columns} {LENT} and zone_level = 'department' and {where}")

    ((share,),) = cell("dominated", "(100 * largest_merchant_eur / amount_eur)::double")
    assert share == pytest.approx(truths["dominated"]["largest_pct"], abs=0.1)
    assert cell("of_two", "merchants, siren_groups") == [(2, 2)]
    assert cell("secret", "amount_eur, amount_eur_status, share_status") == [(None, "secret", "secret")]
    assert not (town.data / "public" / "paiements-cartes-mensuels").exists()


def test_they_are_secret_for_everybody_else_and_no_subtraction_gives_them(town: Town):
    truths = town.truths("partner_payments")
    folder = town.data / "public" / "paiements-cartes-publics" / "latest"
    rows = duckdb.sql(
        "select month, card_country, activity, amount_eur::double, amount_eur_status, transactions_status "
        f"from '{folder}/*.parquet' where zone_level = 'department'"
    ).fetchall()
    amounts = {row[:3]: row[3] for row in rows}
    secret = {row[:3] for row in rows if row[4] == "secret"}
    assert secret == {row[:3] for row in rows if row[5] == "secret"}
    for name in ("dominated", "of_two", "secret"):
        month, country, activity = (truths[name][key] for key in ("month", "card_country", "activity"))
        assert amounts[month, country, activity] is None and (month, country, activity) in secret
        other = next(one for one in ("Restauration", "Hébergement") if one != activity)
        whole = amounts[month, country, "all"]
        assert whole is None or amounts[month, country, other] is None, "its total less the other activity gives it"
    assert 3 < len(secret) < len(rows) / 10


def test_the_certificate_counts_what_is_secret_and_tells_no_parameter(town: Town):
    folder = town.data / "public" / "paiements-cartes-publics" / "latest"
    document = json.loads((folder / "release.json").read_text(encoding="utf-8"))
    (counted,) = document["agreements"]["secrecy"].values()
    query = f"select count(*) from '{folder}/*.parquet' where amount_eur_status = 'secret'"
    assert sum(one["secret"]["amount_eur"] for one in counted) == duckdb.sql(query).fetchall()[0][0] > 0
    assert {one["level"]["zone_code"] for one in counted} == {"department", "region"}
    assert not {"at_least", "k_pct", "p_pct"} & set((folder / "release.json").read_text(encoding="utf-8").split('"'))


# --- marked synthetic -------------------------------------------------------------------------------------------


def test_everything_published_says_synthetic(town: Town):
    for dataset in MARTS:
        latest = town.data / "public" / dataset / "latest"
        assert json.loads((latest / "release.json").read_text(encoding="utf-8"))["synthetic"] is True
        package = json.loads((latest / "datapackage.json").read_text(encoding="utf-8"))
        assert package["synthetic"] is True
        assert package["title"].startswith("[SYNTHÉTIQUE]")
        assert package["title_en"].startswith("[SYNTHETIC]")
        files = sorted(latest.rglob("*.parquet"))
        assert files
        for file in files:
            metadata = pq.read_metadata(file).metadata
            assert metadata[b"synthetic"] == b"true"
            assert metadata[b"title"].decode().startswith("[SYNTHÉTIQUE]")
            assert metadata[b"title_en"].startswith(b"[SYNTHETIC]")
    assert town.ask("select is_synthetic from ops.territory") == [(True,)]


# --- with the defects that refuse a delivery ----------------------------------------------------------------------


@pytest.mark.slow
def test_a_refused_delivery_is_named_and_the_rest_is_published(full_run: FullRun):
    refused = full_run.town.defect("truncated_gzip")
    said = full_run.answer.out + full_run.answer.err
    assert full_run.answer.status == 1, said
    assert refused["file"] in said.replace("\n", "")
    assert {path.name for path in (full_run.town.data / "public").iterdir()} == MARTS
    report = verify_tree(full_run.town.data / "public", SchemaStore.from_environment(online=False), DuckDBSettings())
    assert report.failed == []


@pytest.mark.slow
def test_of_the_accepted_deliveries_every_record_is_accounted_for(full_run: FullRun):
    demand_that_every_record_is_accounted_for(full_run.town, {full_run.town.defect("truncated_gzip")["file"]})


@pytest.mark.slow
def test_of_the_accepted_deliveries_only_what_was_seeded_is_refused(full_run: FullRun):
    demand_that_only_what_was_seeded_is_refused(full_run.town)


@pytest.mark.slow
def test_a_day_lost_for_everyone_is_not_filled(full_run: FullRun):
    lost = {one["where"]["day"] for one in full_run.town.defects("missing_day") if one["where"]["counters"] == "all"}
    days = {
        day
        for (day,) in full_run.town.ask("select distinct substr(hour_start_local, 1, 10) from mobility.traffic_hourly")
    }
    assert lost
    assert lost.isdisjoint(days)


@pytest.mark.slow
def test_a_spring_day_has_the_hours_that_exist(full_run: FullRun):
    (labelled,) = [one for one in full_run.town.defects("day_23_hours") if one["expected"] == "accepted"]
    where, missing = labelled["where"], full_run.town.defect("nonexistent_hour")["where"]["hour"]
    refused = [reason for _, reason, _ in full_run.town.refused("staging") if reason.endswith(missing)]
    assert len(refused) == full_run.town.defect("nonexistent_hour")["count"]
    hours = dict(
        full_run.town.ask(
            "select counter_id, list(substr(hour_start_local, 12) order by hour_start_at) from mobility.traffic_hourly "
            f"where substr(hour_start_local, 1, 10) = '{where['day']}' group by 1"
        )
    )
    # Both forms give the same 23 hours: the archive's 03:00 is the one that starts at 01:00 in winter time, and so is
    # the odd 02:00 that one counter labels with the winter offset.
    assert set(where["counters"]) < set(hours)
    assert {tuple(starts[:4]) for starts in hours.values()} == {
        ("00:00:00+01:00", "01:00:00+01:00", "03:00:00+02:00", "04:00:00+02:00")
    }
    assert {len(starts) for starts in hours.values()} == {23}


@pytest.mark.slow
def test_windows_1252_is_read_with_its_accents(full_run: FullRun):
    defect = full_run.town.defect("wrong_encoding")
    with pytest.raises(UnicodeDecodeError):
        (full_run.town.extracts / defect["file"]).read_bytes().decode("utf-8")
    # Headers with accents were recognised, every one of them; so were the records. The geometry comes as a column in
    # GeoJSON exports only.
    assert full_run.town.ask(
        "select ledger.records_read, ledger.rejected, ledger.malformed, extra_columns, missing_columns "
        "from ops.ledger as ledger inner join ops.deliveries using (source, delivery_id) "
        f"where ledger.file_name = '{defect['file']}'"
    ) == [(defect["count"], 0, 0, None, "geometry")]
