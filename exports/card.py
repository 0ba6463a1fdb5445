"""The export card: what is published of one mart. Reading it, checking it, and refusing what it does not allow.

A card names the columns that leave (default deny), their order and the formats. What a column means is in the dbt
model, how files are written in ``formats``, and whether they may leave at all in ``candidate``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exports.metadata import Mart, MartColumn
from exports.secrecy import Secrecy, secrecy_of
from raw_sources.agreements import Grain
from raw_sources.documents import Document, nearest, read_document
from raw_sources.errors import ConfigurationError

SCHEMA_FILE = Path(__file__).with_name("card.schema.json")


@dataclass(frozen=True)
class Declassification:
    """The way down for ``sources``, or all of a ``family``: the mart is as coarse as ``grain``, and ``rules`` hold.

    Each rule has ``rule``: minimum, with ``column`` of the mart and ``at_least``, or secrecy.
    """

    sources: tuple[str, ...]
    family: str | None
    grain: Grain
    rules: tuple[dict[str, Any], ...]
    why_fr: str
    why_en: str

    def names(self, source: str, family: str | None) -> bool:
        """Tell whether the entry is about this source, of that family."""
        return source in self.sources or (family is not None and family == self.family)


@dataclass(frozen=True)
class ExportCard:
    """A read export card. ``partition_above`` is the row count beyond which files are monthly (None: never).

    ``declassify`` are the only ways in which figures leave that are made with sources of which aggregates may;
    ``secrecy`` says how figures that are under secrecy do.
    """

    slug: str
    mart: str
    version: str
    audiences: tuple[str, ...]
    title_fr: str
    title_en: str
    description_fr: str
    description_en: str
    keywords: tuple[str, ...]
    themes: tuple[str, ...]
    licence: str
    frequency: str
    columns: tuple[str, ...]
    order_by: tuple[str, ...]
    geometry: str | None
    partition_above: int | None
    formats: tuple[str, ...]
    path: Path
    digest: str
    declassify: tuple[Declassification, ...] = ()
    secrecy: Secrecy | None = None


def read_export_card(path: Path) -> ExportCard:
    """Read the export card at ``path``.

    Raises ``ConfigurationError`` that names file, line and field when the card departs from ``card.schema.json``, sorts
    by a column that it does not publish, or names such a geometry.
    """
    document = read_document(path)
    document.check(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")), "exports/card.schema.json")
    value = document.value
    for index, name in enumerate(value["order_by"]):
        _demand_published(document, ("order_by", index), name)
    if "geometry" in value:
        _demand_published(document, ("geometry",), value["geometry"])
    return _card(document)


def load_export_cards(folders: Sequence[Path]) -> dict[str, ExportCard]:
    """Read every ``<folder>/<theme>/*.yml``; return the cards by slug, sorted. Two cards for one slug are refused."""
    cards: dict[str, ExportCard] = {}
    for path in (path for folder in folders for path in sorted(folder.glob("*/*.yml"))):
        card = read_export_card(path)
        if card.slug in cards:
            raise ConfigurationError(
                f"the slug {card.slug!r} is already that of {cards[card.slug].path}.",
                where=str(path),
                hint="A slug is a permanent address: give each dataset its own.",
            )
        cards[card.slug] = card
    return dict(sorted(cards.items()))


def published_columns(card: ExportCard, mart: Mart) -> tuple[MartColumn, ...]:
    """Return the columns of ``mart`` that ``card`` lets out, in the card's order.

    Raises ``ConfigurationError`` for a card of another mart, an unknown column, or a period that stays hidden.
    """
    if card.mart != f"{mart.theme}.{mart.name}":
        raise ConfigurationError(f"the card is for {card.mart}, not {mart.theme}.{mart.name}.", where=str(card.path))
    if mart.period_column is not None and mart.period_column not in card.columns:
        raise ConfigurationError(
            f"the period column {mart.period_column!r} is not among the columns.",
            where=str(card.path),
            hint="Publish it: each month of the files is compared with the warehouse by it.",
        )
    return tuple(_known(card, mart, name) for name in card.columns)


def _known(card: ExportCard, mart: Mart, name: str) -> MartColumn:
    column = mart.column(name)
    if column is None:
        raise ConfigurationError(
            f"{mart.relation} has no column {name!r}.",
            where=str(card.path),
            hint=nearest(name, [known.name for known in mart.columns]),
        )
    return column


def _demand_published(document: Document, field: tuple[str | int, ...], name: str) -> None:
    if name not in document.value["columns"]:
        raise document.problem(field, f"{name!r} is not among the columns.", "Name a column that the card publishes.")


def _card(document: Document) -> ExportCard:
    value: dict[str, Any] = document.value
    return ExportCard(
        slug=value["slug"],
        mart=value["mart"],
        version=value["version"],
        audiences=tuple(value["audiences"]),
        title_fr=value["title_fr"],
        title_en=value["title_en"],
        description_fr=" ".join(value["description_fr"].split()),
        description_en=" ".join(value["description_en"].split()),
        keywords=tuple(value["keywords"]),
        themes=tuple(value["themes"]),
        licence=value["licence"],
        frequency=value["frequency"],
        columns=tuple(value["columns"]),
        order_by=tuple(value["order_by"]),
        geometry=value.get("geometry"),
        partition_above=value["partition"]["above_rows"] if "partition" in value else None,
        formats=tuple(value["formats"]),
        path=document.path,
        digest=document.digest,
        declassify=tuple(_declassification(entry) for entry in value.get("declassify", ())),
        secrecy=secrecy_of(document),
    )


def _declassification(entry: dict[str, Any]) -> Declassification:
    return Declassification(
        sources=tuple(entry.get("sources", ())),
        family=entry.get("family"),
        grain=Grain(**entry["grain"]),
        rules=tuple(entry["rules"]),
        why_fr=" ".join(entry["why_fr"].split()),
        why_en=" ".join(entry["why_en"].split()),
    )
