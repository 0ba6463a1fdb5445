"""The cards of the counting sources on small invented files: every form that their producers are known to publish.

What the staging models make of the records is in the models' own unit tests.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestration.workspace import PROJECT
from raw_sources.card import Card, load_cards
from raw_sources.errors import DeliveryRefused
from tests.unit.readers_support import Read, read_bytes

LINE = {"type": "LineString", "coordinates": [[-1.6, 48.1], [-1.5, 48.1]]}
OPERATOR_HEADER = (
    "datetime;predefinedLocationReference;averageVehicleSpeed;travelTime;travelTimeReliability;trafficStatus"
)
DATEX = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<d2LogicalModel modelBaseVersion="2" xmlns="http://datex2.eu/schema/2/2_0">
  <exchange><supplierIdentification><country>fr</country></supplierIdentification></exchange>
  <payloadPublication xsi:type="MeasuredDataPublication" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
    <publicationTime>2026-08-31T21:54:00.000+02:00</publicationTime>
    <siteMeasurements>
      <measurementSiteReference targetClass="MeasurementSiteRecord" id="#MXo57.2" version="1.0"/>
      <measurementTimeDefault>2026-08-31T22:00:00.000+02:00</measurementTimeDefault>
      <measuredValue index="0"><measuredValue><basicData xsi:type="TrafficFlow">
        <vehicleFlow numberOfInputValuesUsed="11"><vehicleFlowRate>110</vehicleFlowRate></vehicleFlow>
      </basicData></measuredValue></measuredValue>
      <measuredValue index="0"><measuredValue><basicData xsi:type="TrafficSpeed">
        <averageVehicleSpeed numberOfInputValuesUsed="7"><dataError>true</dataError><speed>108.0</speed>
        </averageVehicleSpeed>
      </basicData></measuredValue></measuredValue>
    </siteMeasurements>
    <siteMeasurements>
      <measurementSiteReference targetClass="MeasurementSiteRecord" id="MXX76.h1" version="1.0"/>
      <measurementTimeDefault>2026-08-31T22:00:00.000+02:00</measurementTimeDefault>
    </siteMeasurements>
  </payloadPublication>
</d2LogicalModel>
"""


@pytest.fixture(scope="module")
def cards() -> dict[str, Card]:
    return load_cards([PROJECT / "raw_sources"])


def read_text(card: Card, folder: Path, name: str, text: str) -> Read:
    """Read a file of this text, none of whose records is malformed."""
    found = read_bytes(text, folder, card, name)
    assert found.malformed == []
    return found


def test_the_operators_own_file_has_a_comment_before_its_header(cards: dict[str, Card], tmp_path: Path):
    text = f"# snapshot of the operator\n{OPERATOR_HEADER}\n2022-03-04T17:24:00+01:00;10273_D;71;10;60;freeFlow\n"
    found = read_text(cards["rennes_etat_trafic"], tmp_path, "TP_FCD_AT.csv", text)
    assert (found.match.header_line, found.count.records_read) == (2, 1)
    assert found.values("predefinedlocationreference") == ["10273_D"]
    assert found.values("trafficstatus") == ["freeFlow"]


@pytest.mark.parametrize("header", [OPERATOR_HEADER, OPERATOR_HEADER.lower()])
def test_headers_of_exports_are_labels_or_identifiers(cards: dict[str, Card], tmp_path: Path, header: str):
    text = f"\ufeff{header};func_class\n2022-05-04T17:24:00+02:00;10273_D;71;10;60;freeFlow;4\n"
    found = read_text(cards["rennes_etat_trafic"], tmp_path, "export.csv", text)
    assert (found.values("averagevehiclespeed"), found.values("func_class")) == (["71"], ["4"])
    assert found.values("_extra") == [None]


def test_travel_times_by_the_api_and_in_geojson(cards: dict[str, Card], tmp_path: Path):
    card = cards["rennes_etat_trafic"]
    fields = {
        "datetime": "2025-11-04T16:24:00+00:00",
        "predefinedlocationreference": "9_D",
        "averagevehiclespeed": 40,
        "traveltimereliability": 60,
    }
    page = json.dumps({"total_count": 2, "results": [fields | {"geo_shape": LINE}]})
    feature = {"type": "Feature", "geometry": LINE, "properties": fields}
    collection = json.dumps({"type": "FeatureCollection", "features": [feature]})
    by_api = read_text(card, tmp_path, "page.json", page)
    in_geojson = read_text(card, tmp_path, "export.geojson", collection)
    assert by_api.match.partial
    assert not in_geojson.match.partial
    for found in (by_api, in_geojson):
        assert found.values("averagevehiclespeed") == ["40"]
        assert json.loads(found.values("geo_shape")[0]) == LINE


def test_a_document_of_measures_is_one_record_per_site(cards: dict[str, Card], tmp_path: Path):
    found = read_text(cards["bisonfute_qtv"], tmp_path, "qtvDir.xml", DATEX)
    measured, silent = found.rows
    assert (measured["site_id"], measured["measurement_time"]) == ("#MXo57.2", "2026-08-31T22:00:00.000+02:00")
    assert (measured["flow"], measured["flow_values"], measured["flow_error"]) == ("110", "11", None)
    assert (measured["speed"], measured["speed_values"], measured["speed_error"]) == ("108.0", "7", "true")
    assert measured["publication_time"] == silent["publication_time"] == "2026-08-31T21:54:00.000+02:00"
    assert (silent["site_id"], silent["flow"], silent["speed"]) == ("MXX76.h1", None, None)


def test_a_table_without_what_a_measure_needs_is_refused(cards: dict[str, Card], tmp_path: Path):
    with pytest.raises(DeliveryRefused, match="'debit'"):
        read_text(
            cards["cerema_rrn_horaire"], tmp_path, "hours.csv", "code_pme;horodate\nMXX42.E1;2020-02-04 19:00:00\n"
        )


def test_the_source_of_hours_says_that_an_hour_is_lost(cards: dict[str, Card]):
    assert cards["cerema_rrn_horaire"].repeated_hour == "lost"
    assert {cards[one].repeated_hour for one in ("bisonfute_qtv", "rennes_etat_trafic")} == {"published"}


def test_what_has_no_date_or_is_no_measure_joins_no_family(cards: dict[str, Card]):
    staged_only = ("dirmed_siredo_profil_6min", "cerema_indices_trafic", "rennes_stations_comptage")
    assert {cards[one].family for one in staged_only} == {None}
