"""The invented town's geography and calendar: codes, events, populations, outlines and school holidays.

Forms are those of INSEE, Etalab, IGN and the Ministry of Education. Department and region 99 are outside the official
code, as the communes 9999x are. The town took in a neighbour on 1 January 2025, so that two vintages differ. Nothing is
drawn at random: the bytes depend on the period alone.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from raw_sources.sample.defects import Extracts
from raw_sources.sample.scale import Plan

TOWN, ABSORBED, NEIGHBOUR, ISLAND = "99999", "99998", "99997", "99996"
NAMES = {TOWN: "Ville-Témoin", ABSORBED: "Hameau-Voisin", NEIGHBOUR: "Bourg-du-Large", ISLAND: "Île-Lointaine"}
MERGED_IN = 2025
"""The first vintage in which the town holds its neighbour."""

DIVISION = "99"
EPCI = "999999980"
OUTLINES = {
    TOWN: (-3.65, 45.40, -3.35, 45.60),
    NEIGHBOUR: (-3.35, 45.40, -3.05, 45.60),
    ISLAND: (-5.10, 45.40, -5.00, 45.50),
}
"""West, south, east, north in degrees: the town's box, a neighbour that shares its edge, and one out of sight."""

COG_HEADER = "TYPECOM,COM,REG,DEP,CTCD,ARR,TNCC,NCC,NCCENR,LIBELLE,CAN,COMPARENT"
EVENTS_HEADER = (
    "MOD,DATE_EFF,TYPECOM_AV,COM_AV,TNCC_AV,NCC_AV,NCCENR_AV,LIBELLE_AV,"
    "TYPECOM_AP,COM_AP,TNCC_AP,NCC_AP,NCCENR_AP,LIBELLE_AP"
)
OLD_POPULATIONS = "CODREG;REG;CODDEP;CODARR;CODCAN;CODCOM;COM;PMUN;PCAP;PTOT"
NEW_POPULATIONS = "REG;Région;DEP;CODARR;CODCAN;CODCOM;COM;Commune;PMUN;PCAP;PTOT"
POPULATIONS = {TOWN: (41_200, 640), ABSORBED: (870, 21), NEIGHBOUR: (5_430, 77), ISLAND: (312, 4)}
"""Municipal population and population counted apart in 2020."""

HOLIDAYS_HEADER = "description;population;start_date;end_date;location;zones;annee_scolaire"
ZONES = {"Zone A": "Académie-Témoin A", "Zone B": "Académie-Témoin B", "Zone C": "Académie-Témoin C"}
PARIS = ZoneInfo("Europe/Paris")


def write(extracts: Extracts, plan: Plan) -> None:
    """Write every file of reference for a period."""
    for vintage in (MERGED_IN - 1, MERGED_IN):
        _add_lines(extracts, f"v_commune_{vintage}.csv", COG_HEADER, _communes(vintage))
    _add_lines(
        extracts,
        f"v_departement_{MERGED_IN}.csv",
        "DEP,REG,CHEFLIEU,TNCC,NCC,NCCENR,LIBELLE",
        [f"{DIVISION},{DIVISION},{TOWN},0,GOLFE TEMOIN,Golfe-Témoin,Golfe-Témoin"],
    )
    _add_lines(
        extracts,
        f"v_region_{MERGED_IN}.csv",
        "REG,CHEFLIEU,TNCC,NCC,NCCENR,LIBELLE",
        [f"{DIVISION},{TOWN},0,GASCOGNE TEMOIN,Gascogne-Témoin,Gascogne-Témoin"],
    )
    _add_lines(extracts, f"v_mvtcommune_{MERGED_IN}.csv", EVENTS_HEADER, _events())
    _add_lines(extracts, "donnees_communes_2020.csv", OLD_POPULATIONS, _old_populations())
    _add_lines(extracts, "donnees_communes_2021.csv", NEW_POPULATIONS, _new_populations())
    _add_json(extracts, f"epci_{MERGED_IN}.json", [_epci()], 1)
    features = [_feature(code, *box) for code, box in OUTLINES.items()]
    outlines = {"type": "FeatureCollection", "features": features}
    _add_json(extracts, f"communes-100m_{MERGED_IN}.geojson", outlines, len(features))
    _add_lines(extracts, "fr-en-calendrier-scolaire.csv", HOLIDAYS_HEADER, list(_holidays(plan)))


def _add_lines(extracts: Extracts, name: str, header: str, lines: Sequence[str]) -> None:
    extracts.add(name, "".join(f"{line}\n" for line in (header, *lines)).encode(), len(lines))


def _add_json(extracts: Extracts, name: str, value: Any, records: int) -> None:
    extracts.add(name, json.dumps(value, ensure_ascii=False).encode() + b"\n", records)


def codes_of(vintage: int) -> list[str]:
    """Return the codes of the whole communes of a vintage."""
    return [code for code in NAMES if code != ABSORBED or vintage < MERGED_IN]


def _communes(vintage: int) -> list[str]:
    lines = [f"COM,{code},{DIVISION},{DIVISION},99D,991,0,{_named(code)},9901," for code in codes_of(vintage)]
    if vintage >= MERGED_IN:
        # Delegated communes have neither department nor region, and one bears the code of the whole.
        lines += [f"COMD,{code},,,,,0,{_named(code)},,{TOWN}" for code in (TOWN, ABSORBED)]
    return lines


def _named(code: str) -> str:
    """Return the three cells of a name: capitals without accent or hyphen, and twice the name itself."""
    plain = unicodedata.normalize("NFD", NAMES[code]).encode("ascii", errors="ignore").decode()
    return f"{plain.upper().replace('-', ' ')},{NAMES[code]},{NAMES[code]}"


def _events() -> list[str]:
    """Return the merger as INSEE writes it: each commune into the whole, and into its delegated commune."""
    ends = [("COM", TOWN, TOWN), ("COM", ABSORBED, TOWN), ("COMD", TOWN, TOWN), ("COMD", ABSORBED, ABSORBED)]
    return [
        f"32,{MERGED_IN}-01-01,COM,{before},0,{_named(before)},{kind},{after},0,{_named(after)}"
        for kind, before, after in ends
    ]


def _old_populations() -> list[str]:
    """Return the populations of 2020, whose codes are in two parts and whose COM is a name."""
    return [
        f"{DIVISION};Gascogne-Témoin;{DIVISION};1;01;{code[2:]};{NAMES[code]};{living};{apart};{living + apart}"
        for code, (living, apart) in POPULATIONS.items()
    ]


def _new_populations() -> list[str]:
    """Return the populations of 2021, half a percent up, whose COM is the code."""
    return [
        f"{DIVISION};Gascogne-Témoin;{DIVISION};1;01;{code[2:]};{code};{NAMES[code]};"
        f"{living + living // 200};{apart};{living + living // 200 + apart}"
        for code, (living, apart) in POPULATIONS.items()
    ]


def _epci() -> dict[str, Any]:
    return {
        "code": EPCI,
        "nom": "CA du Golfe-Témoin",
        "type": "CA",
        "modeFinancement": "FPU",
        "membres": [{"code": code, "nom": NAMES[code]} for code in (TOWN, NEIGHBOUR)],
    }


def _feature(code: str, west: float, south: float, east: float, north: float) -> dict[str, Any]:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        "type": "Feature",
        "properties": {"code": code, "nom": NAMES[code], "departement": DIVISION, "region": DIVISION},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


def _holidays(plan: Plan) -> Iterator[str]:
    """Yield the holidays of the school years of the period, zone by zone, the last summer without its end."""
    years = range(plan.first_day.year - 1, plan.last_day.year + 1)
    for year in years:
        for rank, (zone, academy) in enumerate(ZONES.items()):
            for name, start, end in _year_of_holidays(year, rank):
                if name == "Vacances d'Été" and year == years[-1]:
                    name, end = "Début des Vacances d'Été", start
                stamps = f"{_midnight(start)};{_midnight(end)}"
                yield f"{name};-;{stamps};{academy};{zone};{year}-{year + 1}"


def _year_of_holidays(year: int, rank: int) -> Iterator[tuple[str, date, date]]:
    """Yield name, first day and day of return; winter and spring are a week later from one zone to the next."""
    shift = timedelta(weeks=rank)
    winter = _saturday(date(year + 1, 2, 6)) + shift
    for name, start, days in (
        ("Vacances de la Toussaint", _saturday(date(year, 10, 17)), 16),
        ("Vacances de Noël", _saturday(date(year, 12, 19)), 16),
        ("Vacances d'Hiver", winter, 16),
        ("Vacances de Printemps", winter + timedelta(weeks=8), 16),
        ("Vacances d'Été", _saturday(date(year + 1, 7, 4)), 58),
    ):
        yield name, start, start + timedelta(days=days)


def _saturday(day: date) -> date:
    """Return the first Saturday from ``day`` on."""
    return day + timedelta(days=(5 - day.weekday()) % 7)


def _midnight(day: date) -> str:
    """Return the midnight at which a day begins in Paris as the portal renders it, in UTC."""
    return datetime.combine(day, time(), PARIS).astimezone(ZoneInfo("UTC")).isoformat()
