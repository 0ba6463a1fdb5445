"""The yearly energy of the invented town: electricity and gas by commune, heat and cold by IRIS, networks, production.

Amounts are fixed, so that every truth can be told: what homes use is a constant plus a gradient times the degree days
of the year, hence the same in every year once the weather is taken out. Forms are those of Agence ORE, SDES, NaTran,
Enedis and ORCAE. Record are secret in the small communes, as the law would have it. Quarter-hours are in ``loads``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from raw_sources.sample.climate import COLD_YEAR, Climate
from raw_sources.sample.defects import Defect, Extracts
from raw_sources.sample.place import ABSORBED, DIVISION, EPCI, ISLAND, NAMES, NEIGHBOUR, TOWN
from raw_sources.sample.works import Record
from raw_sources.sample.writing import csv_bytes

FIRST_YEAR = 2017
YEARS = range(FIRST_YEAR, COLD_YEAR + 1)
DETAILED_FROM = 2018
"""Before it the producer publishes homes and undivided firms; from it on, small customers apart and activities."""

REGION_NAME, DIVISION_NAME, EPCI_NAME = "Gascogne-Témoin", "Golfe-Témoin", "CA du Golfe-Témoin"
ORE_SOURCE = "ore_consommation_commune"
ORE_NAME = f"consommation-annuelle-d-electricite-et-gaz-par-commune_{COLD_YEAR}.csv"
ORE_HEADER = (
    "OPERATEUR;FILIERE;Année;Code Commune;Nom Commune;Code EPCI;Nom EPCI;Type EPCI;Code Département;Nom Département;"
    "Code Région;Nom Région;CODE CATEGORIE CONSOMMATION;CODE GRAND SECTEUR;CODE SECTEUR NAF2;Nb sites;"
    "Conso totale (MWh);Conso moyenne (MWh);Nombre de mailles secretisées;Part thermosensible (%);"
    "Conso totale à usages thermosensibles (MWh);Conso totale à usages non thermosensibles (MWh);"
    "Thermosensibilité totale (kWh DJU);"
    "Conso totale corrigée de l'aléa climatique à usages thermosensibles (MWh);"
    "Conso moyenne à usages thermosensibles (MWh);Conso moyenne à usages non thermosensibles (MWh);"
    "Thermosensibilité moyenne (kWh DJU);"
    "Conso moyenne corrigée de l'aléa climatique à usages thermosensibles (MWh);DJU à TR;DJU à TN;Nombre d'habitants;"
    "Taux de logements collectifs;Taux de résidences principales;Superficie des logements <30 m2;"
    "Superficie des logements 30 à 40 m2;Superficie des logements 40 à 60 m2;Superficie des logements 60 à 80 m2;"
    "Superficie des logements 80 à 100 m2;Superficie des logements >100 m2;Résidences principales avant 1919;"
    "Résidences principales de 1919 à 1945;Résidences principales de 1946 à 1970;"
    "Résidences principales de 1971 à 1990;Résidences principales de 1991 à 2005;"
    "Résidences principales de 2006 à 2015;Résidences principales après 2016;Taux de chauffage électrique"
).split(";")


@dataclass(frozen=True)
class Use:
    """What one kind of customer of one commune uses a year: ``fixed_mwh``, and ``per_degree_day_mwh`` of heating.

    ``hides`` says what is published: nothing of it ("total"), all but one part ("part"), everything ("").
    """

    commune: str
    carrier: str
    operator: str
    category: str
    sector: str
    activity: str
    sites: int
    fixed_mwh: float
    per_degree_day_mwh: float = 0.0
    hides: str = ""

    def mwh(self, degree_days: float) -> float:
        """Return what is used in a year of so many degree days, everything told."""
        return self.fixed_mwh + self.per_degree_day_mwh * degree_days


HOMES = {TOWN: (20_600, 52_000.0, 34.0), ABSORBED: (410, 1_300.0, 0.9), NEIGHBOUR: (2_500, 7_400.0, 5.2)}
"""Homes with electricity: delivery points, MWh a year without heating, MWh a degree day."""

FEW = 3
"""The delivery points that a published figure has at least."""

SHOWN_SHARE = 0.75
"""What is told of a total of which one part is secret."""


def uses_of(year: int) -> list[Use]:
    """Return what is used in the three communes in a year's way of grouping, the island's homes last."""
    detailed = year >= DETAILED_FROM
    homes = [
        Use(code, "Electricité", "Enedis", "RES", "RESIDENTIEL", "", sites, fixed, gradient)
        for code, (sites, fixed, gradient) in HOMES.items()
    ]
    island = Use(ISLAND, "Electricité", "Enedis", "RES", "RESIDENTIEL", "", 260, 700.0, 0.4)
    return [*homes, *_gas(detailed), *(_firms_apart() if detailed else _firms_together()), island]


def _gas(detailed: bool) -> Iterator[Use]:
    """Yield the uses of gas: of nine homes of the hamlet nothing may be told."""
    yield Use(TOWN, "Gaz", "GRDF", "RES", "RESIDENTIEL", "", 8_900, 21_000.0, 38.0)
    yield Use(NEIGHBOUR, "Gaz", "GRDF", "RES", "RESIDENTIEL", "", 610, 1_900.0, 2.6)
    yield Use(ABSORBED, "Gaz", "GRDF", "RES", "RESIDENTIEL", "", 9, 30.0, 0.04, "total")
    yield Use(TOWN, "Gaz", "NaTran", "ENT", "INDUSTRIE", "20" if detailed else "", 1, 61_000.0)


def _firms_apart() -> Iterator[Use]:
    """Yield the electricity of firms since small customers stand apart."""
    firms = (("TERTIAIRE", 1_900, 15_000.0), ("INDUSTRIE", 160, 900.0), ("INCONNU", 310, 640.0))
    for sector, sites, mwh in firms:
        yield Use(TOWN, "Electricité", "Enedis", "PRO", sector, "", sites, mwh)
        yield Use(ABSORBED, "Electricité", "Enedis", "PRO", sector, "", sites // 60, mwh / 60)
    yield Use(NEIGHBOUR, "Electricité", "Enedis", "PRO", "TERTIAIRE", "", 205, 1_700.0)
    yield Use(NEIGHBOUR, "Electricité", "Enedis", "PRO", "INDUSTRIE", "", 31, 400.0, hides="part")
    yield Use(ABSORBED, "Electricité", "Enedis", "PRO", "AGRICULTURE", "", 4, 120.0, hides="total")
    yield Use(TOWN, "Electricité", "Enedis", "ENT", "TERTIAIRE", "47", 84, 22_400.0)
    yield Use(TOWN, "Electricité", "Enedis", "ENT", "TERTIAIRE", "84", 26, 7_300.0)
    yield Use(TOWN, "Electricité", "RTE", "ENT", "TERTIAIRE", "49", 1, 5_600.0)
    yield Use(TOWN, "Electricité", "Enedis", "ENT", "INDUSTRIE", "10", 12, 9_100.0)
    yield Use(ABSORBED, "Electricité", "Enedis", "ENT", "INDUSTRIE", "10", 1, 830.0, hides="total")


def _firms_together() -> Iterator[Use]:
    """Yield the electricity of firms before that: all of them are ENT."""
    yield Use(TOWN, "Electricité", "Enedis", "ENT", "TERTIAIRE", "", 2_010, 44_700.0)
    yield Use(TOWN, "Electricité", "RTE", "ENT", "TERTIAIRE", "", 1, 5_600.0)
    yield Use(TOWN, "Electricité", "Enedis", "ENT", "INDUSTRIE", "", 172, 10_000.0)
    yield Use(NEIGHBOUR, "Electricité", "Enedis", "ENT", "TERTIAIRE", "", 205, 1_700.0)
    yield Use(ABSORBED, "Electricité", "Enedis", "ENT", "AGRICULTURE", "", 4, 120.0, hides="total")


def write(extracts: Extracts, climate: Climate, *, seeded: bool) -> list[Defect]:
    """Write every yearly and monthly file of energy; with ``seeded``, their bad records too."""
    degree_days = {year: climate.degree_days(year) for year in YEARS}
    normal = climate.normal_degree_days()
    rows = [_ore_row(use, year, degree_days[year], normal) for year in YEARS for use in uses_of(year)]
    found = _bad_communes(rows) if seeded else []
    extracts.add(ORE_NAME, csv_bytes(rows, newline="\r\n"), len(rows))
    for parts in (write_heat, write_networks, write_production):
        found += parts(extracts, seeded=seeded)
    return found + write_gas(extracts, climate, seeded=seeded)


def _ore_row(use: Use, year: int, degree_days: float, normal: float) -> Record:
    """Return one row under the 47 labels; heating is in kWh where the label says MWh or percent, as published."""
    cells = dict.fromkeys(ORE_HEADER, "") | _ore_place(use.commune)
    cells |= {"OPERATEUR": use.operator, "FILIERE": use.carrier, "Année": str(year)}
    cells |= {"CODE CATEGORIE CONSOMMATION": use.category, "CODE GRAND SECTEUR": use.sector}
    cells |= {"CODE SECTEUR NAF2": use.activity, "Nombre de mailles secretisées": str(int(use.hides != ""))}
    if use.hides == "total":
        return cells | {"Conso moyenne (MWh)": "0.0"}
    total = round(use.mwh(degree_days) * (SHOWN_SHARE if use.hides == "part" else 1.0), 3)
    cells |= {"Nb sites": str(use.sites), "Conso totale (MWh)": str(total)}
    cells |= {"Conso moyenne (MWh)": str(round(total / use.sites, 3))}
    if use.carrier == "Electricité" and use.per_degree_day_mwh and year >= DETAILED_FROM:
        cells |= _heating(use, total, degree_days, normal)
    return cells


def _ore_place(code: str) -> Record:
    inside = code != ISLAND
    return {
        "Code Commune": code,
        "Nom Commune": NAMES[code],
        "Code EPCI": EPCI if inside else "ZZZZZZZZZ",
        "Nom EPCI": EPCI_NAME if inside else "Sans objet",
        "Type EPCI": "CA" if inside else "",
        "Code Département": DIVISION,
        "Nom Département": DIVISION_NAME,
        "Code Région": DIVISION,
        "Nom Région": REGION_NAME,
    }


def _heating(use: Use, total_mwh: float, degree_days: float, normal: float) -> Record:
    """Return the cells of heating: the share is per mille, the amounts are kWh."""
    gradient_kwh = use.per_degree_day_mwh * 1000
    heating_kwh = gradient_kwh * degree_days
    return {
        "Part thermosensible (%)": repr(heating_kwh / total_mwh),
        "Conso totale à usages thermosensibles (MWh)": repr(round(heating_kwh, 6)),
        "Conso totale à usages non thermosensibles (MWh)": "0.0",
        "Thermosensibilité totale (kWh DJU)": repr(gradient_kwh),
        "Conso totale corrigée de l'aléa climatique à usages thermosensibles (MWh)": repr(gradient_kwh * normal),
        "DJU à TR": repr(round(degree_days, 3)),
        "DJU à TN": repr(round(normal, 3)),
    }


def _bad_communes(rows: list[Record]) -> list[Defect]:
    """Add homes of the town with a letter in the amount, an impossible year, and a code that a spreadsheet ate."""
    model = next(row for row in rows if row["Code Commune"] == TOWN and row["CODE GRAND SECTEUR"] == "RESIDENTIEL")
    changes = {
        "not_a_number": {"Conso totale (MWh)": "52O00.5", "OPERATEUR": "Régie Témoin A"},
        "impossible_year": {"Année": "20,24", "OPERATEUR": "Régie Témoin B"},
        "eaten_code": {"Code Commune": "1.0E+05", "OPERATEUR": "Régie Témoin C"},
    }
    rows.extend({**model, **change} for change in changes.values())
    return [
        Defect(kind, ORE_SOURCE, ORE_NAME, {"operateur": change["OPERATEUR"]}, 1, "rejected", str(change))
        for kind, change in changes.items()
    ]


# --- heat and cold ----------------------------------------------------------------------------------------------

SDES_SOURCE = "sdes_chaleur_froid_iris"
SDES_STEM = "Donnees-de-consommation-et-de-points-de-livraison-denergie-a-la-maille-IRIS-chaleur-et-froid"
SDES_LABELS = {
    "OPERATEUR": "Nom de l'opérateur",
    "ANNEE": "Millésime des données",
    "FILIERE": "Énergie concernée",
    "IRIS_CODE": "Code de l'IRIS - Code de la zone",
    "IRIS_LIBELLE": "Code de l'IRIS - Libellé de la zone",
    "CODE_GRAND_SECTEUR": "Code du grand secteur",
    "CONSO": "Consommation (en MWh)",
    "PDL": "Nombre de points de livraison",
}
SDES_FORMS = {
    "2020-10": ((2018, 2019), tuple(SDES_LABELS)),
    "2021-12": ((2020,), ("ID", "OPERATEUR", "ANNEE", "IRIS_CODE", "IRIS_LIBELLE", "FILIERE", *tuple(SDES_LABELS)[5:])),
}
"""Months of publication, their years and their columns: an identifier came, and the columns changed places."""

HEAT_CELLS = tuple("ID OPERATEUR FILIERE IRIS_CODE IRIS_LIBELLE CODE_GRAND_SECTEUR CONSO PDL".split())
HEAT = (
    ("9901C", "Chaleur Témoin", "C", f"{TOWN}0101", "Centre", "R", "4120.5", "31"),
    ("9901C", "Chaleur Témoin", "C", f"{TOWN}0101", "Centre", "T", "2210", "12"),
    ("9901C", "Chaleur Témoin", "C", f"{TOWN}0102", "Port", "X", "secret", "secret"),
    ("9901C", "Chaleur Témoin", "C", f"{TOWN}0103", "Remparts", "T", "nd", "nd"),
    ("9901C", "Chaleur Témoin", "C", f"{NEIGHBOUR}0000", "Bourg-du-Large (commune non irisée)", "R", "845.25", ""),
    ("9902F", "Froid Témoin", "F", f"{TOWN}0102", "Port", "T", "613.52", "1"),
    ("9801C", "Chaleur d'Ailleurs", "C", f"{ISLAND}0000", "Île-Lointaine (commune non irisée)", "R", "77", "1"),
)
"""What is delivered, the same every year."""


def write_heat(extracts: Extracts, *, seeded: bool) -> list[Defect]:
    """Write heat and cold by IRIS in the forms of two publications; the first gets an impossible amount if seeded."""
    found = []
    for month, (years, columns) in SDES_FORMS.items():
        rows = [dict(zip(HEAT_CELLS, cells, strict=True)) | {"ANNEE": str(year)} for year in years for cells in HEAT]
        name = f"{SDES_STEM}.{month}.csv"
        if seeded and month == "2020-10":
            rows.append(rows[0] | {"CONSO": "4 I20", "OPERATEUR": "Chaleur Témoin Sud"})
            where = {"operateur": "Chaleur Témoin Sud"}
            found.append(Defect("not_a_number", SDES_SOURCE, name, where, 1, "rejected", "a capital I in an amount"))
        labels = ["index" if column == "ID" else SDES_LABELS[column] for column in columns]
        heads = [";".join(f'"{cell}"' for cell in head) for head in (labels, columns)]
        body = [";".join(_quoted(column, row[column]) for column in columns) for row in rows]
        extracts.add(name, "".join(f"{line}\n" for line in (*heads, *body)).encode(), len(rows))
    return found


def _quoted(column: str, text: str) -> str:
    """Return a cell as written there: numbers bare, text and markers quoted, nothing for nothing."""
    is_number = column in ("CONSO", "PDL") and text.replace(".", "").isdigit()
    return text if is_number or not text else f'"{text}"'


# --- gas by month -----------------------------------------------------------------------------------------------

GAS_SOURCE = "odre_gaz_metropoles"
GAS_NAME = f"conso-gaz-metropole_{COLD_YEAR}.csv"
GAS_HEADER = (
    "Date;Code EPCI Métropole;Nom Métropole;type_epci;Consommation de gaz (en KWh PCS 0°C);geom;centroid".split(";")
)
GAS_FIXED_KWH, GAS_KWH_PER_DEGREE_DAY = 7_000_000, 40_600


def gas_kwh(climate: Climate, year: int, month: int) -> int:
    """Return the gas of a month, kWh of gross heating value."""
    return round(GAS_FIXED_KWH + GAS_KWH_PER_DEGREE_DAY * climate.degree_days_of_month(year, month))


def write_gas(extracts: Extracts, climate: Climate, *, seeded: bool) -> list[Defect]:
    """Write gas by month, the boundary repeated on every row; the month after the last has no amount that is one."""
    ring = [[-3.65, 45.4], [-3.05, 45.4], [-3.05, 45.6], [-3.65, 45.6], [-3.65, 45.4]]
    shape = {"geom": json.dumps({"coordinates": [[ring]], "type": "MultiPolygon"}), "centroid": "45.5, -3.35"}
    fixed = {"Code EPCI Métropole": EPCI, "Nom Métropole": EPCI_NAME, "type_epci": "CA", **shape}
    amounts = {f"{year}-{month:02d}": str(gas_kwh(climate, year, month)) for year in YEARS for month in range(1, 13)}
    if seeded:
        amounts[f"{COLD_YEAR + 1}-01"] = "16 millions"
    rows = [{**fixed, "Date": month, GAS_HEADER[4]: amount} for month, amount in amounts.items()]
    rows = [{column: row[column] for column in GAS_HEADER} for row in rows]
    extracts.add(GAS_NAME, csv_bytes(rows, newline="\r\n"), len(rows))
    where = {"mois": f"{COLD_YEAR + 1}-01"}
    bad = Defect("not_a_number", GAS_SOURCE, GAS_NAME, where, 1, "rejected", "an amount in words")
    return [bad] if seeded else []


# --- heat networks ----------------------------------------------------------------------------------------------

ORCAE_SOURCE = "orcae_reseaux_chaleur"
ORCAE_NAME = f"orcae_production_rdc_communes_99_{COLD_YEAR}-12-09.csv"
ORCAE_HEADER = "année;nom territoire;code insee;nom commune;nom réseau;indicateur;unités;valeur".split(";")
ORCAE_INDICATORS = {
    "niveau de rejet en CO2 des réseaux": "0,08",
    "densité": "3120,5",
    "longueur réseau": "4,2",
    "production autres": "0",
    "production biogaz": "0",
    "production biomasse solide": "6200,4",
    "production chaleur fatale": "1100",
    "production charbon": "0",
    "production chaudiere électrique": "0",
    "production enr hors bois": "0",
    "production gaz naturel": "2450,6",
    "production produits pétroliers ": "49",
    "production totale": "9800",
}
"""What the town's network makes and is, in whatever unit: the column of units says MWh of all of it."""


def write_networks(extracts: Extracts, *, seeded: bool) -> list[Defect]:
    """Write the heat network of the town and that of the island, in Latin-1; a total in words when seeded."""
    rows = [
        [str(year), DIVISION_NAME, code, NAMES[code], network, indicator, "MWh", value]
        for year in (COLD_YEAR - 2, COLD_YEAR - 1)
        for code, network in ((TOWN, "Réseau du Port"), (ISLAND, "Réseau de l'Île"))
        for indicator, value in ORCAE_INDICATORS.items()
    ]
    if seeded:
        rows.append([*rows[0][:4], "Réseau Témoin", "production totale", "MWh", "1 2O0,5"])
    lines = [";".join([*(f'"{cell}"' for cell in row[:7]), row[7]]) for row in rows]
    head = ";".join(f'"{cell}"' for cell in ORCAE_HEADER)
    content = "".join(f"{line}\r\n" for line in (head, *lines))
    extracts.add(ORCAE_NAME, content.encode("latin-1"), len(rows))
    where = {"nom_reseau": "Réseau Témoin"}
    bad = Defect("not_a_number", ORCAE_SOURCE, ORCAE_NAME, where, 1, "rejected", "a letter O in an amount")
    return [bad] if seeded else []


# --- production -------------------------------------------------------------------------------------------------

PRODUCTION_SOURCE = "enedis_production_filiere"
PRODUCTION_STEM = "production-electrique-par-filiere-a-la-maille"
PRODUCTION_SOURCES = ("photovoltaique", "eolien", "hydraulique", "bio_energie", "cogeneration", "autres_filieres")
PRODUCTION_MEASURES = tuple(
    measure
    for name in PRODUCTION_SOURCES
    for measure in (f"nb_sites_{name}_enedis", f"energie_produite_annuelle_{name}_enedis_mwh")
)
"""Sites and MWh a year of each source; empty is secret, 0 is none."""

IRIS_PRODUCTION = (
    (f"{TOWN}0101", "Centre", "BT <= 36 kVA", ("61", "310.2", *("0",) * 10)),
    (f"{TOWN}0102", "Port", "BT > 36 kVA", ("12", "880", *("0",) * 6, "", "", "0", "0")),
    (f"{NEIGHBOUR}0000", "Bourg-du-Large", "BT <= 36 kVA", ("24", "118.4", *("0",) * 10)),
    (f"{NEIGHBOUR}0000", "Bourg-du-Large", "HTA", ("", "", "1", "9800.5", *("0",) * 8)),
    (f"{ISLAND}0000", "Île-Lointaine", "BT <= 36 kVA", ("3", "9.5", *("0",) * 10)),
)
DIVISION_PRODUCTION = (
    ("BT <= 36 kVA", ("88", "438.1", *("0",) * 10)),
    ("HTA", ("4", "5200", "1", "9800.5", "2", "640", *("0",) * 4, "", "")),
)


def write_production(extracts: Extracts, *, seeded: bool) -> list[Defect]:
    """Write what Enedis takes in, by IRIS and by department; when seeded, a number of sites in letters."""
    iris = [
        {
            "annee": str(year),
            "code_iris": zone,
            "nom_iris": name,
            "code_commune": zone[:5],
            "nom_commune": NAMES[zone[:5]],
        }
        | {"domaine_de_tension": domain}
        | dict(zip(PRODUCTION_MEASURES, cells, strict=True))
        for year in YEARS[-3:]
        for zone, name, domain, cells in IRIS_PRODUCTION
    ]
    division = [
        {"annee": str(year), "code_departement": DIVISION, "nom_departement": DIVISION_NAME}
        | {"domaine_de_tension": domain}
        | dict(zip(PRODUCTION_MEASURES, cells, strict=True))
        for year in YEARS[-3:]
        for domain, cells in DIVISION_PRODUCTION
    ]
    if seeded:
        iris.append({**iris[0], "code_iris": f"{TOWN}0104", PRODUCTION_MEASURES[0]: "six"})
    names = {level: f"{PRODUCTION_STEM}-{level}_{COLD_YEAR}.csv" for level in ("iris", "departement")}
    for level, rows in (("iris", iris), ("departement", division)):
        extracts.add(names[level], csv_bytes(rows, newline="\r\n", encoding="utf-8"), len(rows))
    where = {"code_iris": f"{TOWN}0104"}
    bad = Defect("not_a_number", PRODUCTION_SOURCE, names["iris"], where, 1, "rejected", "a number of sites in words")
    return [bad] if seeded else []


# --- truths -----------------------------------------------------------------------------------------------------


def truths(climate: Climate) -> dict[str, object]:
    """Return what ``truths.json`` says of yearly energy."""
    normal = climate.normal_degree_days()
    last = [use for use in uses_of(COLD_YEAR) if use.commune != ISLAND]
    homes = [use for use in last if use.sector == "RESIDENTIEL" and use.carrier == "Electricité"]
    return {
        "homes_electricity_mwh": {
            use.commune: {
                "corrected": round(use.mwh(normal), 3),
                **{str(year): round(use.mwh(climate.degree_days(year)), 3) for year in YEARS},
            }
            for use in homes
        },
        "secret": [_cell(use) for use in last if use.hides == "total" and _alone(use, last)],
        "floors": [_cell(use) for use in last if use.hides and not _alone(use, last)],
        "few_delivery_points": _few(last),
        "out_of_scope_commune": ISLAND,
    }


def _few(uses: Sequence[Use]) -> list[Record]:
    """Return the cells that the producer tells although they have few delivery points."""
    sites: dict[tuple[str, str, str], int] = {}
    for use in uses:
        if use.hides != "total":
            key = (use.commune, use.carrier, use.sector)
            sites[key] = sites.get(key, 0) + use.sites
    return [dict(zip(("commune", "carrier", "sector"), key, strict=True)) for key, told in sites.items() if told < FEW]


def _alone(use: Use, others: Sequence[Use]) -> bool:
    """Whether nothing of a use's commune, carrier and sector is published: no other part of it, nor any of itself."""
    same = [one for one in others if (one.commune, one.carrier, one.sector) == (use.commune, use.carrier, use.sector)]
    return use.hides == "total" and len(same) == 1


def _cell(use: Use) -> Record:
    return {"commune": use.commune, "carrier": use.carrier, "sector": use.sector}
