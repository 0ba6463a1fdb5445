"""The weather of the invented town: one station's daily temperatures, and the degree days that heating follows.

The last year written has a cold January and February on purpose. What heating costs is in ``energy`` and ``loads``; the
form is that of Météo-France's daily files (RR-T-Vent), whose empty cells are measures that the station does not make.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

import numpy as np

from raw_sources.sample.defects import Defect, Extracts
from raw_sources.sample.town import days_between

FIRST_YEAR, COLD_YEAR = 1991, 2024
REFERENCE_YEARS = range(1991, 2021)
"""The thirty years whose mean is called normal."""
COLD_MONTHS, COLDER_BY_C = (1, 2), 5.0

HEATING_BASE_C, HEATING_MONTHS = 17.0, (1, 2, 3, 4, 5, 10, 11, 12)
"""Buildings are heated on days of these months whose mean is below the base: the rule of national degree days."""

CLIMATE_STREAM = 3
STATION, STATION_NAME = "99999001", "VILLE-TEMOIN-PHARE"
SOURCE = "meteofrance_temperatures_quotidiennes"
NAME = "Q_99_1991-2024_RR-T-Vent.csv"
HEADER = (
    "NUM_POSTE;NOM_USUEL;LAT;LON;ALTI;AAAAMMJJ;RR;QRR;TN;QTN;HTN;QHTN;TX;QTX;HTX;QHTX;TM;QTM;TNTXM;QTNTXM;TAMPLI;"
    "QTAMPLI;TNSOL;QTNSOL;TN50;QTN50;DG;QDG;FFM;QFFM;FF2M;QFF2M;FXY;QFXY;DXY;QDXY;HXY;QHXY;FXI;QFXI;DXI;QDXI;HXI;"
    "QHXI;FXI2;QFXI2;DXI2;QDXI2;HXI2;QHXI2;FXI3S;QFXI3S;DXI3S;QDXI3S;HXI3S;QHXI3S;DRR;QDRR"
)


@dataclass(frozen=True)
class Climate:
    """Mean temperature (°C, tenths, half the sum of the extremes) and daily range of every day from ``FIRST_YEAR``."""

    days: list[date]
    mean_c: dict[date, float]
    range_c: dict[date, float]

    def degree_days(self, year: int) -> float:
        """Return the heating degree days of a year, in °C.d."""
        return sum(self.lacking(day) for day in self.days if day.year == year)

    def degree_days_of_month(self, year: int, month: int) -> float:
        """Return the heating degree days of a month, in °C.d."""
        return sum(self.lacking(day) for day in self.days if (day.year, day.month) == (year, month))

    def lacking(self, day: date) -> float:
        """Return what the mean of a day lacks to the base of heating, in °C, 0 when it lacks nothing or in summer."""
        return max(0.0, HEATING_BASE_C - self.mean_c[day]) if day.month in HEATING_MONTHS else 0.0

    def normal_degree_days(self) -> float:
        """Return the mean of the degree days over the years of reference."""
        return sum(self.degree_days(year) for year in REFERENCE_YEARS) / len(REFERENCE_YEARS)


def build(seed: int) -> Climate:
    """Return the weather of a seed: a season, spells of several days, and the cold winter."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(CLIMATE_STREAM,))))
    days = days_between(date(FIRST_YEAR, 1, 1), date(COLD_YEAR, 12, 31))
    spell, mean, range_ = 0.0, {}, {}
    for day, shock, width in zip(days, rng.standard_normal(len(days)), rng.uniform(3, 7, len(days)), strict=True):
        spell = 0.8 * spell + 1.5 * float(shock)
        cold = COLDER_BY_C if day.year == COLD_YEAR and day.month in COLD_MONTHS else 0.0
        mean[day] = round(_season_c(day) + spell - cold, 1)
        # The extremes lie evenly around the mean, so that half their sum is the mean exactly.
        range_[day] = 2 * round(float(width), 1)
    return Climate(days, mean, range_)


def _season_c(day: date) -> float:
    """Return the expected mean temperature of a day by the sea: coldest in mid-January."""
    return 12.5 - 7.0 * math.cos(2 * math.pi * (day.timetuple().tm_yday - 16) / 365.25)


def write(extracts: Extracts, climate: Climate, *, seeded: bool) -> list[Defect]:
    """Write the station's file; with ``seeded``, one day whose temperature is not a number is added."""
    lines = [_line(climate, day) for day in climate.days]
    found = []
    if seeded:
        bad = _line(climate, date(COLD_YEAR, 12, 31)).replace(f"{COLD_YEAR}1231", f"{COLD_YEAR + 1}0101").split(";")
        bad[8] = "7,O"
        lines.append(";".join(bad))
        where = {"aaaammjj": f"{COLD_YEAR + 1}0101"}
        found.append(Defect("not_a_number", SOURCE, NAME, where, 1, "rejected", "a letter O in a temperature"))
    content = "".join(f"{line}\n" for line in (HEADER, *lines))
    extracts.add(NAME, content.encode(), len(lines))
    return found


def _line(climate: Climate, day: date) -> str:
    """Return one day of the station; quality codes are 1 where there is a value, and empty elsewhere."""
    half, mean = climate.range_c[day] / 2, climate.mean_c[day]
    cells = dict.fromkeys(HEADER.split(";"), "")
    cells |= {"NUM_POSTE": STATION, "NOM_USUEL": STATION_NAME, "LAT": "45.500000", "LON": "-3.500000", "ALTI": "12"}
    cells |= {"AAAAMMJJ": f"{day:%Y%m%d}", "RR": "0.0", "QRR": "1"}
    values = {"TN": mean - half, "TX": mean + half, "TM": mean, "TNTXM": mean, "TAMPLI": 2 * half}
    for name, value in values.items():
        cells |= {name: f"{value:.1f}", f"Q{name}": "1"}
    return ";".join(cells.values())


def truths(climate: Climate) -> dict[str, object]:
    """Return what ``truths.json`` says of the weather."""
    return {
        "station": STATION,
        "heating_base_c": HEATING_BASE_C,
        "reference_years": [REFERENCE_YEARS.start, REFERENCE_YEARS.stop - 1],
        "cold_year": COLD_YEAR,
        "degree_days": {str(year): round(climate.degree_days(year), 3) for year in range(2017, COLD_YEAR + 1)},
        "normal_degree_days": round(climate.normal_degree_days(), 3),
    }
