"""Card payments in aggregate, as a partner lends them for the invented town's department and region, in confidence.

The form is invented, and the territory says by its mapping how to read it: thousands of euros, two lines of business.
The festival that raises the indices of ``payments`` raises these amounts by the same factor. One cell is nearly all one
merchant's and one counts two merchants: nobody may learn them from what will be published.
"""

from __future__ import annotations

from raw_sources.sample.climate import COLD_YEAR
from raw_sources.sample.defects import Defect, Extracts
from raw_sources.sample.payments import FESTIVAL_COUNTRIES, FESTIVAL_MONTH, FESTIVAL_UPLIFT, HIDDEN, SEASON
from raw_sources.sample.place import DIVISION

SOURCE = "partenaire_paiements_agreges"
NAME = f"paiements-partenaire_{COLD_YEAR}12.csv"
HEADER = (
    "mois;niveau;code_territoire;territoire;origine;branche;nb_commercants;nb_cartes;nb_operations;montant_ke;"
    "premier_ke;deuxieme_ke;nb_entreprises;part_marche_pct"
)
YEARS = (COLD_YEAR - 1, COLD_YEAR)
ORIGINS = {"FR": "France", "BE": "Belgique", "DE": "Allemagne", "GB": "Royaume-Uni", "CN": "Chine"}
AMOUNTS = {"FR": 1_200_000, "BE": 90_000, "DE": 120_000, "GB": 60_000, "CN": 15_000}
"""Euros of a mean month in the department, both lines of business together."""

ACTIVITIES = {"Restauration": (0.6, 25), "Hébergement": (0.4, 80)}
"""Share of the amount, and euros of a mean payment."""

TOWN, WHOLE = ("departement", DIVISION, "Golfe-Témoin"), ("region", DIVISION, "Gascogne-Témoin")
ELSEWHERE = ("departement", "33", "Gironde")
REGION_YEAR = YEARS[0]
"""The only year of which the partner gives the region: afterwards it has to be summed from its one department."""

MARKET_SHARE = "22,5"
"""Percent of the card payments of a zone that the partner deems to cover."""

DOMINATED = (f"{COLD_YEAR}-08", "CN", "Hébergement", 92)
"""A cell of which one merchant takes so many hundredths."""
OF_TWO = (f"{COLD_YEAR}-11", "CN", "Hébergement")
"""A cell of two merchants."""
SECRET = (f"{COLD_YEAR}-01", "CN", "Restauration")
"""A cell whose amounts the partner hides."""


def amount_of(country: str, activity: str, year: int, month: int) -> int:
    """Return the euros of a cell of the department."""
    uplift = FESTIVAL_UPLIFT if country in FESTIVAL_COUNTRIES and f"{year}-{month:02d}" == FESTIVAL_MONTH else 1.0
    return round(AMOUNTS[country] * ACTIVITIES[activity][0] * SEASON[month - 1] * uplift)


def write(extracts: Extracts, *, seeded: bool) -> list[Defect]:
    """Write the file; with ``seeded``, a largest merchant above the whole, and a country that nobody maps."""
    lines = [
        _line(zone, f"{year}-{month:02d}", country, activity, amount_of(country, activity, year, month))
        for year in YEARS
        for month in range(1, 13)
        for zone in (TOWN, ELSEWHERE, *((WHOLE,) if year == REGION_YEAR else ()))
        for country in ORIGINS
        for activity in ACTIVITIES
    ]
    start = f"{COLD_YEAR + 1}-01;departement;{DIVISION};Golfe-Témoin"
    bad = {
        "more_than_the_whole": f"{start};Belgique;Restauration;40;900;1100;30,000;31,000;1,000;35;{MARKET_SHARE}",
        "unknown_country": f"{start};Atlantide;Restauration;40;900;1100;30,000;5,000;1,000;35;{MARKET_SHARE}",
    }
    lines.extend(bad.values() if seeded else ())
    extracts.add(NAME, "".join(f"{line}\n" for line in (HEADER, *lines)).encode(), len(lines))
    if not seeded:
        return []
    return [Defect(kind, SOURCE, NAME, {"period": line[:7]}, 1, "rejected", line) for kind, line in bad.items()]


def _line(zone: tuple[str, ...], month: str, country: str, activity: str, amount: int) -> str:
    """Return one line: the largest merchant takes a fifth, the second an eighth, but in the cells that stand out."""
    cell = (month, country, activity)
    is_dominated, is_of_two = cell == DOMINATED[:3], cell == OF_TWO
    transactions = max(amount // ACTIVITIES[activity][1], 12)
    merchants = 2 if is_of_two else max(4, amount // 9_000)
    largest = amount * DOMINATED[3] // 100 if is_dominated else amount * (60 if is_of_two else 20) // 100
    eighth = min(amount - largest, amount // 8) // (4 if is_dominated else 1)
    second = amount - largest if is_of_two else eighth
    counts = (merchants, transactions * 4 // 5, transactions)
    amounts = [HIDDEN] * 3 if cell == SECRET else [_thousands(euros) for euros in (amount, largest, second)]
    companies = max(2, merchants * 9 // 10)
    named = (month, *zone, ORIGINS[country], activity)
    return ";".join([*named, *map(str, counts), *amounts, str(companies), MARKET_SHARE])


def _thousands(euros: int) -> str:
    """Return euros in thousands, with a decimal comma."""
    return f"{euros / 1_000:.3f}".replace(".", ",")


def truths() -> dict[str, object]:
    """Return what ``truths.json`` says of the partner's payments."""
    year, month = (int(part) for part in FESTIVAL_MONTH.split("-"))
    whole = {activity: sum(amount_of(one, activity, year, month) for one in ORIGINS) for activity in ACTIVITIES}
    shares = {
        activity: {one: round(100 * amount_of(one, activity, year, month) / total, 6) for one in ORIGINS}
        for activity, total in whole.items()
    }
    return {
        "festival": {"month": FESTIVAL_MONTH, "zone_code": DIVISION, "amount_eur": whole, "share_pct": shares},
        "dominated": {
            "month": DOMINATED[0], "card_country": DOMINATED[1], "activity": DOMINATED[2], "largest_pct": DOMINATED[3],
        },
        "of_two": {"month": OF_TWO[0], "card_country": OF_TWO[1], "activity": OF_TWO[2]},
        "secret": {"month": SECRET[0], "card_country": SECRET[1], "activity": SECRET[2]},
        "region_delivered_until": f"{REGION_YEAR}-12",
    }  # fmt: skip
