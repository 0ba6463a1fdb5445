"""The producers' own formats: label exports, historical archives, API pages, the arc referential, the works files.

Headers, separators, number and date forms follow files the producers published; the notable ones are said beside each
form. What the cells contain comes from ``traffic`` and ``works``. Counts are written by Polars from columns, a chunk of
days at a time, so that memory does not grow with the period.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from raw_sources.sample.city import FIRST_NODE_ID, Network, counter_label
from raw_sources.sample.traffic import HOURS, Day, state_of
from raw_sources.sample.works import Record, json_text

ZONE = ZoneInfo("Europe/Paris")
BOM = b"\xef\xbb\xbf"

LABEL_HEADER = (
    "Identifiant arc;Libelle;Date et heure de comptage;Débit horaire;Taux d'occupation;Etat trafic;"
    "Identifiant noeud amont;Libelle noeud amont;Identifiant noeud aval;Libelle noeud aval;Etat arc;"
    "Date debut dispo data;Date fin dispo data;geo_point_2d;geo_shape\n"
)
ARCHIVE_HEADER = (
    "iu_ac;libelle;iu_nd_amont;libelle_nd_amont;iu_nd_aval;libelle_nd_aval;t_1h;q;k;etat_trafic;etat_barre\n"
)
REFERENTIAL_HEADER = (
    "IU_AC;DATE_DEBUT;DATE_FIN;LIBELLE;IU_ND_AVAL;IU_ND_AMONT;LIBELLE_ND_AMONT;LIBELLE_ND_AVAL;"
    "geo_point_2d;geo_shape;SHAPE.LEN"
)
STATES = ("Inconnu", "Fluide", "Pré-saturé", "Saturé", "Bloqué")
BARRIERS = ("Inconnu", "Ouvert", "Barré", "Invalide")
AVAILABLE_FROM, AVAILABLE_TO = "2012-03-01", "2023-01-01"
"""As in the real exports, the dates of availability end before the counts they come with."""

Cells = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Texts:
    """The cells of each counter that do not change from hour to hour, quoted as the form wants them."""

    label_head: pl.Series
    label_nodes: pl.Series
    label_tail: pl.Series
    archive_head: pl.Series


def texts_of(network: Network) -> Texts:
    """Return the constant cells of every counter."""
    parts = [_arc_parts(network, arc) for arc in range(len(network.arc_id))]
    nodes = [";".join(part["nodes"]) for part in parts]
    head = [f"{part['id']};{part['label']}" for part in parts]
    return Texts(
        label_head=pl.Series(head),
        label_nodes=pl.Series(nodes),
        label_tail=pl.Series([_label_tail(part) for part in parts]),
        archive_head=pl.Series([f"{first};{second}" for first, second in zip(head, nodes, strict=True)]),
    )


def _arc_parts(network: Network, arc: int) -> dict[str, Any]:
    """Return the identity and the place of one counter."""
    street = network.street_names[int(network.block_street[int(network.arc_block[arc])])]
    ends = (int(network.arc_from[arc]), int(network.arc_to[arc]))
    return {
        "id": network.arc_id[arc],
        "label": counter_label(street),
        "nodes": [text for node in ends for text in (str(FIRST_NODE_ID + node), network.node_label(node))],
        "line": network.line_of_arc(arc),
    }


def _label_tail(part: dict[str, Any]) -> str:
    """Return the last four cells of a label export; the point is ``lat, lon``, the shape is quoted JSON."""
    lon, lat = part["line"][1]
    shape = json_text({"coordinates": part["line"], "type": "LineString"}).replace('"', '""')
    return f'{AVAILABLE_FROM};{AVAILABLE_TO};{lat}, {lon};"{shape}"'


# --- hours ------------------------------------------------------------------------------------------------------


def archive_times(day: date) -> list[str]:
    """Return the 24 hours of a day as archives write them: naive legal time at the END of the hour.

    Like the producer's, an archive has 24 rows on every day: in spring a 02:00 that does not exist, in autumn a single
    02:00.
    """
    midnight = datetime.combine(day, time(0))
    return [(midnight + timedelta(hours=hour + 1)).isoformat(sep=" ") for hour in range(HOURS)]


def label_times(day: date) -> list[str | None]:
    """Return the 24 hours of a day as exports write them: the END of the hour with its offset.

    Like the producer's: None for the spring 02:00, which does not exist (23 rows); in autumn the only 02:00 is the
    second one, at +01:00 (24 rows, one hour of the year is lost).
    """
    midnight = datetime.combine(day, time(0))
    return [_with_offset(midnight + timedelta(hours=hour + 1)) for hour in range(HOURS)]


def _with_offset(naive: datetime) -> str | None:
    """Return a naive legal time with its offset, the later one when ambiguous; None when it does not exist."""
    first, second = (naive.replace(tzinfo=ZONE, fold=fold) for fold in (0, 1))
    # Python gives a skipped time the offset before the change at fold 0, and the one after it at fold 1.
    skipped = (first.utcoffset() or timedelta()) < (second.utcoffset() or timedelta())
    return None if skipped else second.isoformat()


# --- counts -----------------------------------------------------------------------------------------------------


def label_frame(network: Network, texts: Texts, days: Sequence[Day], keeps: Sequence[Cells]) -> pl.DataFrame:
    """Return the rows of a label export, one column per group of cells; ``keeps`` says which cells to write."""
    times = [label_times(day.day) for day in days]
    exists = [keep & np.asarray([text is not None for text in row]) for keep, row in zip(keeps, times, strict=True)]
    columns = _columns(network, days, exists)
    arc, moment = columns["arc"], columns["moment"]
    return pl.DataFrame(
        {
            "head": texts.label_head.gather(arc),
            "time": pl.Series([text for row in times for text in row], dtype=pl.String).gather(moment),
            "flow": columns["flow"],
            "occupancy": columns["occupancy"],
            "state": pl.Series(STATES).gather(columns["state"]),
            "nodes": texts.label_nodes.gather(arc),
            "barrier": pl.Series(BARRIERS).gather(columns["barrier"]),
            "tail": texts.label_tail.gather(arc),
        }
    )


def archive_frame(network: Network, texts: Texts, days: Sequence[Day], keeps: Sequence[Cells]) -> pl.DataFrame:
    """Return the rows of a historical archive: naive hours and coded states, no place."""
    columns = _columns(network, days, keeps)
    times = pl.Series([text for day in days for text in archive_times(day.day)])
    return pl.DataFrame(
        {
            "head": texts.archive_head.gather(columns["arc"]),
            "time": times.gather(columns["moment"]),
            "flow": columns["flow"],
            "occupancy": columns["occupancy"],
            "state": columns["state"],
            "barrier": columns["barrier"],
        }
    )


def _columns(network: Network, days: Sequence[Day], keeps: Sequence[Cells]) -> dict[str, Any]:
    """Return the cells kept of several days as flat columns: day by day, counter by counter, hour by hour."""
    kept = [np.nonzero(keep) for keep in keeps]
    occupancy = np.concatenate([day.occupancy_pct[cells] for day, cells in zip(days, kept, strict=True)])
    flow = np.concatenate([day.flow_veh_h[cells] for day, cells in zip(days, kept, strict=True)])
    barriers = [barrier_codes(network, day)[cells] for day, cells in zip(days, kept, strict=True)]
    return {
        "arc": np.concatenate([arcs for arcs, _ in kept]),
        "moment": np.concatenate([number * HOURS + hours for number, (_, hours) in enumerate(kept)]),
        "flow": pl.Series(flow).fill_nan(None),
        "occupancy": pl.Series(occupancy).fill_nan(None),
        "state": state_of(occupancy),
        "barrier": np.concatenate(barriers),
    }


def barrier_codes(network: Network, day: Day) -> npt.NDArray[np.int8]:
    """Return the state of the arc itself, 1 open, 2 barred, 3 declared invalid though it measures, by hour."""
    normal = np.where(network.declared_invalid, 3, 1)[:, None]
    return np.where(day.barred, 2, normal).astype(np.int8)


def write_rows(frame: pl.DataFrame, stream: BinaryIO) -> int:
    """Append rows to an open binary stream, cells being quoted already; return how many."""
    frame.write_csv(stream, include_header=False, separator=";", quote_style="never")
    return frame.height


def rows_text(frame: pl.DataFrame) -> list[str]:
    """Return rows as lines of text without their end, for the few that are altered by hand."""
    buffer = io.BytesIO()
    write_rows(frame, buffer)
    return buffer.getvalue().decode().splitlines()


def write_api_page(path: Path, network: Network, day: Day, cells: Cells) -> int:
    """Write the chosen cells of a day as a page of the Explore v2.1 API; return how many records."""
    arcs, hours = np.nonzero(cells)
    results = [_api_record(network, day, int(arc), int(hour)) for arc, hour in zip(arcs, hours, strict=True)]
    write_json_line(path, {"total_count": len(results), "results": results})
    return len(results)


def _api_record(network: Network, day: Day, arc: int, hour: int) -> dict[str, Any]:
    """Return one hour of one counter as the API gives it: numbers as numbers, geometry as a Feature."""
    part = _arc_parts(network, arc)
    flow, occupancy = float(day.flow_veh_h[arc, hour]), float(day.occupancy_pct[arc, hour])
    lon, lat = part["line"][1]
    upstream, upstream_label, downstream, downstream_label = part["nodes"]
    return {
        "iu_ac": part["id"],
        "libelle": part["label"],
        "t_1h": label_times(day.day)[hour],
        "q": None if np.isnan(flow) else flow,
        "k": None if np.isnan(occupancy) else occupancy,
        "etat_trafic": STATES[int(state_of(np.asarray([occupancy]))[0])],
        "iu_nd_amont": upstream,
        "libelle_nd_amont": upstream_label,
        "iu_nd_aval": downstream,
        "libelle_nd_aval": downstream_label,
        "etat_barre": BARRIERS[int(barrier_codes(network, day)[arc, hour])],
        "date_debut": AVAILABLE_FROM,
        "date_fin": AVAILABLE_TO,
        "geo_point_2d": {"lon": lon, "lat": lat},
        "geo_shape": {
            "type": "Feature",
            "geometry": {"coordinates": part["line"], "type": "LineString"},
            "properties": {},
        },
    }


def write_json_line(path: Path, value: Any) -> None:
    """Write JSON on one line with escapes, as the portal does."""
    path.write_bytes(json.dumps(value).encode() + b"\n")


# --- referential and works --------------------------------------------------------------------------------------


def referential_records(network: Network) -> list[Record]:
    """Return the arc referential: one record per counter, and for one in ten the outdated place it had before."""
    records = [_referential_record(network, arc, "2019-06-01T04:00:00+02:00") for arc in range(len(network.arc_id))]
    older = range(3, len(network.arc_id), 10)
    records.extend(_referential_record(network, arc, "2013-01-28T02:00:00+01:00", moved=0.0002) for arc in older)
    return records


def _referential_record(network: Network, arc: int, until: str, moved: float = 0.0) -> Record:
    """Return one arc under the upper-case headers; ``moved`` shifts it, in degrees; the shape has ``type`` first."""
    part = _arc_parts(network, arc)
    line = [[round(lon + moved, 7), lat] for lon, lat in part["line"]]
    upstream, upstream_label, downstream, downstream_label = part["nodes"]
    cells = [
        part["id"],
        "2005-01-01T02:00:00+01:00",
        until,
        part["label"],
        downstream,
        upstream,
        upstream_label,
        downstream_label,
        f"{line[1][1]},{line[1][0]}",
        json_text({"type": "LineString", "coordinates": line}),
        "0.0",
    ]
    return dict(zip(REFERENTIAL_HEADER.split(";"), cells, strict=True))


def csv_bytes(records: Sequence[Record], *, newline: str = "\n", encoding: str = "utf-8-sig") -> bytes:
    """Return records as ``;`` separated text: quotes where needed, BOM by default, line breaks kept inside cells."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, fieldnames=list(records[0]), delimiter=";", lineterminator=newline)
    writer.writeheader()
    writer.writerows(records)
    return buffer.getvalue().encode(encoding)


def occupations_page(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Return works plots as the current API gives them: identifiers for names, lists, numbers, a Feature."""
    return [_occupation_of_api(record) for record in records]


def _occupation_of_api(record: Record) -> dict[str, Any]:
    """Return one plot of the label export under the identifiers of the API."""
    cells = list(record.values())
    lat, lon = (float(text) for text in cells[13].split(", "))
    return {
        "num_emprise": cells[0],
        "cp_arrondissement": cells[1],
        "date_debut": cells[2],
        "date_fin": cells[3],
        "chantier_categorie": cells[4],
        "moa_principal": cells[5],
        "surface": float(cells[6]),
        "chantier_synthese": cells[7],
        "localisation_detail": cells[8].split(",") if cells[8] else None,
        "localisation_stationnement": cells[9].split(",") if cells[9] else None,
        "demande_cite_id": cells[10],
        "chantier_cite_id": cells[11],
        "geo_shape": {"type": "Feature", "geometry": json.loads(cells[12]), "properties": {}},
        "geo_point_2d": {"lon": lon, "lat": lat},
    }
