"""Payments by foreign cards in the invented town's department and region: indices by country and month.

No published file is known, so the form is invented too: the territory says by its mapping how to read it. A festival
held for the first time in one month raises the payments of two countries by a known factor; the months in which too
few cards of a far country came are secret.
"""

from __future__ import annotations

from raw_sources.sample.climate import COLD_YEAR
from raw_sources.sample.defects import Defect, Extracts
from raw_sources.sample.place import DIVISION

SOURCE = "bpce_paiements_cartes_etrangeres"
NAME = f"paiements-cartes-etrangeres_{COLD_YEAR}12.csv"
HEADER = "mois;niveau;code_territoire;territoire;pays_carte;indice_valeur;indice_volume"
YEARS = range(2018, COLD_YEAR + 1)
BASE_YEAR = 2019
"""The mean of its twelve months is 100, in value as in volume."""

COUNTRIES = {"DE": "Allemagne", "BE": "Belgique", "GB": "Royaume-Uni", "US": "États-Unis", "CN": "Chine"}
SEASON = (0.5, 0.55, 0.7, 0.9, 1.1, 1.3, 1.9, 2.1, 1.2, 0.75, 0.5, 0.5)
"""Share of the mean month, January first; the twelve add up to twelve."""
GROWTH = 1.02
FESTIVAL_MONTH, FESTIVAL_COUNTRIES, FESTIVAL_UPLIFT = f"{COLD_YEAR}-06", ("BE", "GB"), 1.6
SECRET_COUNTRY, SECRET_MONTHS, HIDDEN = "CN", (11, 12, 1, 2), "s"
ZONES = (
    ("departement", DIVISION, "Golfe-Témoin"),
    ("region", DIVISION, "Gascogne-Témoin"),
    ("departement", "33", "Gironde"),
)
UNKNOWN_MONTH = f"{BASE_YEAR}-03"
"""A month that was never delivered for the German cards of the department: its cells are empty."""


def index_of(country: str, year: int, month: int) -> float:
    """Return the index of a month in value; the volume's is the same without growth."""
    uplift = FESTIVAL_UPLIFT if country in FESTIVAL_COUNTRIES and f"{year}-{month:02d}" == FESTIVAL_MONTH else 1.0
    return 100 * SEASON[month - 1] * GROWTH ** (year - BASE_YEAR) * uplift


def write(extracts: Extracts, *, seeded: bool) -> list[Defect]:
    """Write the file; with ``seeded``, an index in letters, a thirteenth month and a country that nobody maps."""
    lines = [
        ";".join([f"{year}-{month:02d}", *zone, COUNTRIES[country], *_indices(zone, country, year, month)])
        for year in YEARS
        for month in range(1, 13)
        for zone in ZONES
        for country in COUNTRIES
    ]
    bad = {
        "not_a_number": f"{COLD_YEAR + 1}-01;departement;{DIVISION};Golfe-Témoin;Belgique;5I,3;52,0",
        "impossible_month": f"{COLD_YEAR}-13;departement;{DIVISION};Golfe-Témoin;Belgique;51,3;52,0",
        "unknown_country": f"{COLD_YEAR + 1}-02;departement;{DIVISION};Golfe-Témoin;Atlantide;51,3;52,0",
    }
    lines.extend(bad.values() if seeded else ())
    extracts.add(NAME, "".join(f"{line}\n" for line in (HEADER, *lines)).encode(), len(lines))
    if not seeded:
        return []
    return [Defect(kind, SOURCE, NAME, {"period": line[:7]}, 1, "rejected", line) for kind, line in bad.items()]


def _indices(zone: tuple[str, ...], country: str, year: int, month: int) -> tuple[str, str]:
    """Return the two cells of a month: comma and one decimal, or the marker of secrecy, or nothing."""
    in_department = zone[:2] == ("departement", DIVISION)
    if in_department and country == SECRET_COUNTRY and month in SECRET_MONTHS:
        return HIDDEN, HIDDEN
    if in_department and country == "DE" and f"{year}-{month:02d}" == UNKNOWN_MONTH:
        return "", ""
    value = index_of(country, year, month)
    volume = value / GROWTH ** (year - BASE_YEAR)
    return f"{value:.1f}".replace(".", ","), f"{volume:.1f}".replace(".", ",")


def truths() -> dict[str, object]:
    """Return what ``truths.json`` says of payments."""
    return {
        "festival": {
            "month": FESTIVAL_MONTH,
            "countries": list(FESTIVAL_COUNTRIES),
            "zone_code": DIVISION,
            "year_on_year": round(FESTIVAL_UPLIFT * GROWTH, 4),
        },
        "other_year_on_year": GROWTH,
        "secret": {"zone_code": DIVISION, "country": SECRET_COUNTRY, "months": sorted(SECRET_MONTHS)},
        "not_available": {"zone_code": DIVISION, "country": "DE", "month": UNKNOWN_MONTH},
    }
