"""What the exports must be told about a mart and its territory: names, titles, units, licences, the date of the run.

Facts only, as frozen values; where they come from (dbt's manifest, source cards, the territory file) is the caller's
business, and nothing here reads a file or a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from raw_sources.agreements import UNSAID, Grain

SYNTHETIC_MARK = "[SYNTHÉTIQUE] "
SYNTHETIC_MARK_EN = "[SYNTHETIC] "


@dataclass(frozen=True)
class MartColumn:
    """A column of a mart as its dbt contract declares it; ``data_type`` is a DuckDB type, ``unit`` a symbol or None."""

    name: str
    data_type: str
    unit: str | None
    title_fr: str
    title_en: str
    description_fr: str
    description_en: str


@dataclass(frozen=True)
class Mart:
    """A mart: ``relation`` is its name in the warehouse, ``period_column`` holds ``YYYY-MM`` (None: one period).

    ``grain`` is how fine its rows are, for the agreements that bound it.
    """

    theme: str
    name: str
    relation: str
    columns: tuple[MartColumn, ...]
    period_column: str | None
    grain: Grain = UNSAID

    def column(self, name: str) -> MartColumn | None:
        """Return the column called ``name``, or None."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True)
class SourceNote:
    """A source to credit: SPDX identifier of its licence, the attribution it asks for, its page."""

    source: str
    title: str
    producer: str
    licence: str
    attribution: str
    homepage: str


@dataclass(frozen=True)
class Publisher:
    """Who publishes: name, SIREN (None when the territory does not say) and an address to write to."""

    name: str
    siren: str | None
    contact: str


@dataclass(frozen=True)
class Context:
    """Of which territory, by whom, from what, and as of when.

    ``as_of`` is the latest observation date of the deliveries, given by the run. ``bbox`` is min longitude, min
    latitude, max longitude, max latitude in degrees (WGS 84), None where the territory gives none.
    ``base_url`` is where the audience's tree is served. ``sources`` are those of the mart: of these, what stays in is
    not credited.
    """

    territory: str
    title_fr: str
    title_en: str
    publisher: Publisher
    base_url: str
    as_of: date
    synthetic: bool
    sources: tuple[SourceNote, ...]
    bbox: tuple[float, float, float, float] | None
    time_zone: str

    def mark_fr(self, title: str) -> str:
        """Return a French title, marked when the data are synthetic."""
        return f"{SYNTHETIC_MARK}{title}" if self.synthetic else title

    def mark_en(self, title: str) -> str:
        """Return an English title, marked when the data are synthetic."""
        return f"{SYNTHETIC_MARK_EN}{title}" if self.synthetic else title
