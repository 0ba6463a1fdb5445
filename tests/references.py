"""Small invented files in the forms of the administrative division: a few communes with every case of a code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from raw_sources.territory import is_siren


def siren(start: str) -> str:
    """Return nine digits that begin so and pass the check of a SIREN."""
    padded = start.ljust(8, "0")
    return next(padded + digit for digit in "0123456789" if is_siren(padded + digit))


EPCI, EPT = siren("20001"), siren("20002")


def commune(code: str, name: str, department: str, **more: Any) -> dict[str, Any]:
    """Return a commune of today, as the reference writes it."""
    place = {"arrondissement": "011", "departement": department, "region": "84", "zone": "metro"}
    return {"code": code, "nom": name, "typeLiaison": 0, "type": "commune-actuelle", **place, **more}


COMMUNES = [
    commune("01001", "L'Haÿ-du-Marais", "01", siren=siren("2101001"), population=3700),
    commune("01002", "Saint-Aubin", "01", siren=siren("2101002"), population=420),
    commune("38001", "Saint-Aubin", "38", siren=siren("2138001"), population=99),
    commune("69123", "Lyon", "69", siren=siren("2169123"), anciensCodes=["01099"], population=500000),
    commune("2A004", "Ajaccio", "2A", siren=siren("2120004"), population=70000),
    commune("97601", "Acoua", "976", siren=siren("2197601"), population=5000),
    {**commune("69381", "Lyon 1er Arrondissement", "69", commune="69123"), "type": "arrondissement-municipal"},
    {**commune("01003", "Vieux-Bourg", "01", chefLieu="01001"), "type": "commune-deleguee"},
]


def _grouping(code: str, name: str, kind: str, members: list[str]) -> dict[str, Any]:
    listed = [{"code": one, "siren": siren(f"21{one}"), "nom": one} for one in members]
    return {"code": code, "nom": name, "type": kind, "modeFinancement": "FPU", "membres": listed}


def references(folder: Path, year: int) -> None:
    """Write the five files of the division of one year into ``folder``."""
    departments = (("01", "Ain"), ("38", "Isère"), ("69", "Rhône"), ("2A", "Corse-du-Sud"), ("976", "Mayotte"))
    tables = {
        "communes": COMMUNES,
        "epci": [_grouping(EPCI, "CC du Marais", "CC", ["01001", "01002"])],
        "ept": [_grouping(EPT, "La Ronde", "EPT", ["69123"])],
        "departements": [
            {"code": code, "region": "84", "chefLieu": "01001", "nom": name, "typeLiaison": 0, "zone": "metro"}
            for code, name in departments
        ],
        "regions": [{"code": "84", "chefLieu": "69123", "nom": "Région-Témoin", "typeLiaison": 0, "zone": "metro"}],
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        (folder / f"etalab_{name}_{year}.json").write_text(json.dumps(rows), encoding="utf-8")
