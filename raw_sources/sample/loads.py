"""The electric load of the invented town: quarter-hours of the agglomeration, half-hours of its region.

Load is a daily shape plus heating, which follows the weather of ``climate``. The forms are those of éCO2mix: as many
rows on every day, whatever the season, so that a spring hour is written that does not exist and an autumn one is lost.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from raw_sources.sample.climate import COLD_YEAR, Climate
from raw_sources.sample.defects import Defect, Extracts
from raw_sources.sample.place import DIVISION
from raw_sources.sample.town import days_between

PARIS = ZoneInfo("Europe/Paris")
FIRST_DAY, LAST_DAY = date(COLD_YEAR - 1, 10, 16), date(COLD_YEAR, 4, 14)
AUTUMN, SPRING = date(COLD_YEAR - 1, 10, 29), date(COLD_YEAR, 3, 31)
SILENT_DAY = date(COLD_YEAR - 1, 11, 21)
SILENT_STEPS = range(52, 60)
"""From 13:00 to 14:45 of that day nothing was measured: ND."""

AGGLOMERATION, REGION_NAME = "Golfe-Témoin", "Gascogne-Témoin"
METROPOLIS_SOURCE, REGION_SOURCE = "rte_eco2mix_metropoles", "rte_eco2mix_regional"
METROPOLIS_NAME = f"eco2mix_metropole_{FIRST_DAY:%Y%m%d}_{LAST_DAY:%Y%m%d}.csv"
REGION_FILE = f"eco2mix-regional_{COLD_YEAR}.csv"
REAL_TIME, FINAL = "Données temps réel", "Données définitives"

SHAPE_MW = (30, 27, 25, 24, 25, 28, 34, 40, 43, 43, 42, 42, 43, 41, 40, 40, 41, 44, 47, 47, 44, 40, 37, 33)
"""Load by hour of the day (start of the hour, legal time) without heating, megawatts."""
HEATING_MW_PER_C = 1.4
WEEKEND_SHARE = 0.88

NEIGHBOURS = (
    "Grand-Est;Auvergne-Rhône-Alpes;Nouvelle-Aquitaine;Bourgogne-Franche-Comté;Bretagne;Centre-Val de Loire;"
    "Ile-de-France;Occitanie;Hauts-de-France;Normandie;Pays-de-la-Loire;PACA;Espagne;Suisse;Royaume-Uni;Italie;"
    "Allemagne;Belgique;Luxembourg"
).split(";")
SOURCES = ("Thermique", "Nucléaire", "Eolien", "Solaire", "Hydraulique", "Bioénergies")


def load_mw(climate: Climate, day: date, step: int) -> int:
    """Return the agglomeration's mean load over a quarter-hour of a day, whole megawatts."""
    base = SHAPE_MW[step // 4] * (WEEKEND_SHARE if day.weekday() >= 5 else 1.0)
    return round(base + HEATING_MW_PER_C * climate.lacking(day))


def write(extracts: Extracts, climate: Climate, *, seeded: bool) -> list[Defect]:
    """Write both files; with ``seeded``, a load that is no number and a day that no calendar has."""
    lines = [
        f"{AGGLOMERATION};{REAL_TIME};{day:%d/%m/%Y};{step // 4:02d}:{step % 4 * 15:02d};{_metered(climate, day, step)}"
        for day in days_between(FIRST_DAY, LAST_DAY)
        for step in range(96)
    ]
    found = _spring_steps()
    if seeded:
        bad = {"not_a_number": (f"15/04/{COLD_YEAR}", "3I"), "impossible_day": (f"30/02/{COLD_YEAR}", "41")}
        for kind, (day, load) in bad.items():
            lines.append(f"{AGGLOMERATION};{REAL_TIME};{day};00:00;{load}")
            where, note = {"date": day}, f"{day}: {load} MW"
            found.append(Defect(kind, METROPOLIS_SOURCE, METROPOLIS_NAME, where, 1, "rejected", note))
    head = "Périmètre;Nature;Date;Heures;Consommation"
    content = "".join(f"{line}\r\n" for line in (head, *lines))
    extracts.add(METROPOLIS_NAME, content.encode("cp1252"), len(lines))
    _write_region(extracts, climate)
    return found


def _spring_steps() -> list[Defect]:
    """Say which rows the forms themselves have at times that do not exist."""
    note = "every day has the same rows: those of the spring hour are at a time that never was"
    files = ((METROPOLIS_SOURCE, METROPOLIS_NAME, 4), (REGION_SOURCE, REGION_FILE, 2))
    where = {"hour": f"{SPRING} 02:00:00"}
    return [Defect("nonexistent_step", source, name, where, steps, "rejected", note) for source, name, steps in files]


def _metered(climate: Climate, day: date, step: int) -> str:
    """Return the cell of a quarter-hour: ND in the spring hour that does not exist, and where nothing was measured."""
    silent = (day == SPRING and 8 <= step < 12) or (day == SILENT_DAY and step in SILENT_STEPS)
    return "ND" if silent else str(load_mw(climate, day, step))


def _write_region(extracts: Extracts, climate: Climate) -> None:
    """Write the region's half-hours around the spring change, without nuclear power, and the last two hours empty."""
    flows = [f"{way} {name}" for way in ("Import", "Export") for name in NEIGHBOURS]
    rates = [f"{rate} {name} (%)" for name in SOURCES for rate in ("TCO", "TCH")]
    measures = [f"{name} (MW)" for name in ("Consommation", *SOURCES[:5], "Pompage", SOURCES[5], "Ech. physiques")]
    head = ["Code INSEE région", "Région", "Nature", "Date", "Heure", "Date - Heure", *measures, *flows, *rates]
    days = days_between(SPRING - timedelta(days=1), SPRING + timedelta(days=1))
    rows = []
    for day in days:
        for step in range(48):
            local = time(step // 2, step % 2 * 30)
            # The hour that does not exist bears the instant of the one after it, as the producer's does.
            instant = datetime.combine(day, local, PARIS).astimezone(ZoneInfo("UTC")).astimezone(PARIS)
            known = day < days[-1] or step < 44
            cells = _half_hour(climate, day, step) if known else [""] * (len(measures) + len(flows) + len(rates))
            place = [DIVISION, REGION_NAME, FINAL, day.isoformat(), f"{local:%H:%M}", instant.isoformat()]
            rows.append(";".join([*place, *cells, ""]))
    content = "".join(f"{line}\n" for line in (";".join([*head, "Column 64"]), *rows))
    extracts.add(REGION_FILE, content.encode(), len(rows))


def _half_hour(climate: Climate, day: date, step: int) -> list[str]:
    """Return the cells of a half-hour of the region: ten times the agglomeration, made by wind, sun and water."""
    load = 10 * load_mw(climate, day, 2 * step)
    solar = max(0, 90 - 12 * abs(step - 27))
    made = {"Thermique": 40, "Nucléaire": None, "Eolien": 60, "Solaire": solar, "Hydraulique": 25, "Bioénergies": 11}
    exchanged = load - sum(amount or 0 for amount in made.values()) + 4
    amounts = [load, *(made[name] for name in SOURCES[:5]), -4, made["Bioénergies"], exchanged]
    rates = [None if share is None else round(100 * share / load, 2) for share in made.values()]
    cells = ["" if amount is None else str(amount) for amount in amounts]
    flows = ["-"] * (2 * len(NEIGHBOURS))
    return cells + flows + ["" if rate is None else str(rate) for rate in rates for _ in ("TCO", "TCH")]


def truths(climate: Climate) -> dict[str, object]:
    """Return what ``truths.json`` says of the load."""
    return {
        "zone": AGGLOMERATION,
        "first_day": FIRST_DAY.isoformat(),
        "last_day": LAST_DAY.isoformat(),
        "heating_mw_per_degree": HEATING_MW_PER_C,
        "lost_hour_on": AUTUMN.isoformat(),
        "nonexistent_hour_on": SPRING.isoformat(),
        "not_measured": {"day": SILENT_DAY.isoformat(), "first_step": SILENT_STEPS.start, "steps": len(SILENT_STEPS)},
        "mean_mw_by_day": {
            day.isoformat(): round(sum(load_mw(climate, day, step) for step in range(96)) / 96, 4)
            for day in (AUTUMN - timedelta(days=1), date(COLD_YEAR, 1, 16))
        },
    }
