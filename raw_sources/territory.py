"""The territory file: which authority this warehouse serves, which sources it enables, where their files come from.

Here: reading and checking ``territory.yml``, and telling which source a file belongs to. What a source's files look
like belongs in its card (``card``); fetching and receiving them belongs in ``landing``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePath
from typing import Any

from raw_sources.documents import Document, is_time_zone, nearest, read_document
from raw_sources.feeds import Feed, FilePattern, check_date, feed_of
from raw_sources.mapping import Questions, check_declaration, check_mapping

FILE_NAME = "territory.yml"
OURS = "raw_sources/territory.schema.json"
DEFAULT_REACH_M = 500.0
GLOBE = (-180.0, -90.0, 180.0, 90.0)


@dataclass(frozen=True)
class Office:
    """Who answers for something, and the address to write to."""

    name: str
    contact: str


@dataclass(frozen=True)
class Territory:
    """An authority. ``bbox`` is (min_lon, min_lat, max_lon, max_lat) in degrees WGS84, ``reach_m`` is in metres.

    Where the file gives no box it is the globe: no coordinate is judged by where it lies. ``controller`` answers for
    personal data, ``dpo`` is the data protection officer, None where the file names none.
    """

    name: str
    title_fr: str
    title_en: str
    siren: str | None
    communes: tuple[str, ...]
    communes_vintage: int
    time_zone: str
    publisher_name: str
    publisher_siren: str | None
    contact: str
    base_url: str
    bbox: tuple[float, float, float, float]
    reach_m: float
    synthetic: bool
    feeds: dict[str, Feed]
    folder: Path
    digest: str
    controller: Office
    dpo: Office | None = None

    def match(self, relative_path: str | PurePath) -> list[tuple[str, FilePattern]]:
        """Return every enabled source that takes the file, with its pattern; more than one is an ambiguity."""
        found = ((source, feed.pattern_for(relative_path)) for source, feed in self.feeds.items())
        return [(source, pattern) for source, pattern in found if pattern is not None]

    @property
    def has_box(self) -> bool:
        """Whether the file says where the territory lies."""
        return self.bbox != GLOBE

    @property
    def cards_folder(self) -> Path:
        """Where the territory may bring source cards of its own, as ``<theme>/<source>.yml``."""
        return self.folder / "raw_sources"

    @property
    def models_folder(self) -> Path:
        """Where the territory may bring dbt models of its own."""
        return self.folder / "dbt_project" / "models"

    @property
    def suites_folder(self) -> Path:
        """Where the territory may bring suites of its own."""
        return self.folder / "expectations"

    @property
    def exports_folder(self) -> Path:
        """Where the territory may bring export cards of its own."""
        return self.folder / "exports"


def read_territory(
    folder: Path,
    known_sources: Collection[str] | None = None,
    offered: Mapping[str, Feed] | None = None,
    asked: Mapping[str, Questions] | None = None,
) -> Territory:
    """Read and check ``<folder>/territory.yml``; raise ``ConfigurationError`` naming file, line and field.

    ``known_sources`` are the sources that have a card; when given, a feed of any other is refused. ``offered`` are the
    feeds that cards bring with them: a source that is only named takes its own. ``asked`` is what cards leave to the
    territory to say of its files.
    """
    document = read_document(folder / FILE_NAME)
    document.check(_our_schema(), OURS)
    territory = _territory(document, folder, offered or {})
    _check_authority(document, territory)
    _check_place(document, territory)
    _check_feeds(document, territory, known_sources)
    if asked is not None:
        _check_answers(document, territory, asked)
    return territory


def is_siren(text: str) -> bool:
    """Tell whether ``text`` is a SIREN: nine digits, the last one a check digit by Luhn's formula (ISO/IEC 7812-1)."""
    if not re.fullmatch(r"[0-9]{9}", text):
        return False
    doubled = (int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(text)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


@cache
def _our_schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(Path(__file__).with_name("territory.schema.json").read_text(encoding="utf-8"))
    return schema


def _territory(document: Document, folder: Path, offered: Mapping[str, Feed]) -> Territory:
    value = document.value
    west, south, east, north = value.get("bbox", GLOBE)
    return Territory(
        name=value["name"],
        title_fr=value["title"]["fr"],
        title_en=value["title"]["en"],
        siren=value.get("siren"),
        communes=tuple(value["communes"]["codes"]),
        communes_vintage=value["communes"]["vintage"],
        time_zone=value["time_zone"],
        publisher_name=value["publisher"]["name"],
        publisher_siren=value["publisher"].get("siren"),
        contact=value["contact"],
        base_url=value["base_url"],
        bbox=(float(west), float(south), float(east), float(north)),
        reach_m=float(value.get("reach_m", DEFAULT_REACH_M)),
        synthetic=value.get("synthetic", False),
        feeds={source: feed_of(source, entry or {}, offered.get(source)) for source, entry in value["feeds"].items()},
        folder=folder,
        digest=document.digest,
        controller=Office(**value.get("controller", {"name": value["publisher"]["name"], "contact": value["contact"]})),
        dpo=Office(**value["dpo"]) if "dpo" in value else None,
    )


def _check_authority(document: Document, territory: Territory) -> None:
    numbers = {("siren",): territory.siren, ("publisher", "siren"): territory.publisher_siren}
    for place, siren in numbers.items():
        if siren is not None and not is_siren(siren):
            hint = "Look it up on https://annuaire-entreprises.data.gouv.fr, and write its nine digits between quotes."
            raise document.problem(place, f"{siren!r} is not a SIREN: its check digit is wrong.", hint)
    if not is_time_zone(territory.time_zone):
        hint = "Use a name of the IANA database, such as Europe/Paris."
        raise document.problem(("time_zone",), f"no time zone is called {territory.time_zone!r}.", hint)


def _check_place(document: Document, territory: Territory) -> None:
    west, south, east, north = territory.bbox
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        hint = "Write [min_lon, min_lat, max_lon, max_lat] in degrees: longitude comes first."
        raise document.problem(("bbox",), f"{list(territory.bbox)} is not a box on the globe.", hint)


def _check_answers(document: Document, territory: Territory, asked: Mapping[str, Questions]) -> None:
    for source, feed in territory.feeds.items():
        questions = asked.get(source, Questions())
        check_mapping(document, source, questions, feed.mapping)
        check_declaration(document, source, questions, feed.licence)


def _check_feeds(document: Document, territory: Territory, known_sources: Collection[str] | None) -> None:
    for source, feed in territory.feeds.items():
        if known_sources is not None and source not in known_sources:
            raise document.problem(
                ("feeds", source), f"no card describes the source {source!r}.", nearest(source, known_sources)
            )
        for index, pattern in enumerate(feed.files):
            check_date(document, ("feeds", source, "files", index, "date"), pattern.date)
