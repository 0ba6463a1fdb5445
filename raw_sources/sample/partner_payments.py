"""Card payments in aggregate, as a partner lends them for the invented town's department and region, in confidence.

The form is invented, and the territory says by its mapping how to read it: thousands of euros, two lines of business
and their total (an empty one), five origins of cards and the total of all, which holds some that are not listed.
The festival that raises the indices of ``payments`` raises these amounts by the same factor. One cell is nearly all one
merchant's and one counts two merchants: nobody may learn them from what will be published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

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


UNLISTED_PCT = 7
"""Hundredths of the French cards' payments that cards of other origins make: in the total only."""


@dataclass(frozen=True)
class Figures:
    """A cell: merchants, transactions, and euros: of all merchants, of the largest, of the second."""

    merchants: int
    transactions: int
    amount: int
    largest: int
    second: int


def amount_of(country: str, activity: str, year: int, month: int) -> int:
    """Return the euros of a cell of the department."""
    uplift = FESTIVAL_UPLIFT if country in FESTIVAL_COUNTRIES and f"{year}-{month:02d}" == FESTIVAL_MONTH else 1.0
    return round(AMOUNTS[country] * ACTIVITIES[activity][0] * SEASON[month - 1] * uplift)


def write(extracts: Extracts, *, seeded: bool) -> list[Defect]:
    """Write the file; with ``seeded``, a largest merchant above the whole, and a country that nobody maps."""
    lines = [
        _line(zone, f"{year}-{month:02d}", *cell)
        for year in YEARS
        for month in range(1, 13)
        for zone in (TOWN, ELSEWHERE, *((WHOLE,) if year == REGION_YEAR else ()))
        for cell in _cells(year, month)
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


def _cells(year: int, month: int) -> list[tuple[str, str, Figures]]:
    """Return the cells of a month with their totals: of each origin over activities, then of all origins."""
    parts = {
        (country, activity): _figures(country, activity, year, month) for country in ORIGINS for activity in ACTIVITIES
    }
    cells = [(country, activity, one) for (country, activity), one in parts.items()]
    listed = {one: [parts[country, one] for country in ORIGINS] for one in ACTIVITIES}
    whole = {one: _total([*figures, _share(figures[0], UNLISTED_PCT)]) for one, figures in listed.items()}
    cells += [(country, "", _total([parts[country, one] for one in ACTIVITIES])) for country in ORIGINS]
    return [*cells, *(("all", one, figures) for one, figures in whole.items()), ("all", "", _total([*whole.values()]))]


def _figures(country: str, activity: str, year: int, month: int) -> Figures:
    """Return one cell: the largest merchant takes a fifth, the second an eighth, but in the cells that stand out."""
    amount = amount_of(country, activity, year, month)
    cell = (f"{year}-{month:02d}", country, activity)
    is_dominated, is_of_two = cell == DOMINATED[:3], cell == OF_TWO
    merchants = 2 if is_of_two else max(4, amount // 9_000)
    largest = amount * DOMINATED[3] // 100 if is_dominated else amount * (60 if is_of_two else 20) // 100
    eighth = min(amount - largest, amount // 8) // (4 if is_dominated else 1)
    second = amount - largest if is_of_two else eighth
    return Figures(merchants, max(amount // ACTIVITIES[activity][1], 12), amount, largest, second)


def _share(figures: Figures, hundredths: int) -> Figures:
    return Figures(*(figure * hundredths // 100 for figure in astuple(figures)))


def _total(parts: Sequence[Figures]) -> Figures:
    """Return a total: its two largest merchants are the largest of its parts."""
    ranked = sorted((one for part in parts for one in (part.largest, part.second)), reverse=True)
    merchants, transactions, amount = (sum(one) for one in [*zip(*map(astuple, parts), strict=True)][:3])
    return Figures(merchants, transactions, amount, ranked[0], ranked[1])


def _line(zone: tuple[str, ...], month: str, country: str, activity: str, figures: Figures) -> str:
    counts = (figures.merchants, figures.transactions * 4 // 5, figures.transactions)
    amounts = [_thousands(euros) for euros in (figures.amount, figures.largest, figures.second)]
    if (month, country, activity) == SECRET:
        amounts = [HIDDEN] * 3
    companies = max(2, figures.merchants * 9 // 10)
    named = (month, *zone, ORIGINS.get(country, "Total"), activity)
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
