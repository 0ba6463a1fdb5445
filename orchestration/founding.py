"""A territory's first folder (``halle init``): its facts from the national references, and the sources open to all.

What a code names is found by ``raw_sources.divisions``; the references come as any source does, by the feeds of their
cards. Nothing is kept of them: the first run receives them for good.
"""

from __future__ import annotations

import json
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from orchestration.project import card_folders, load_project
from orchestration.receiving import land_feed
from raw_sources.card import Card, load_cards
from raw_sources.database import DuckDBSettings
from raw_sources.divisions import COMMUNES, OUTLINES, REFERENCES, SUBSTITUTES, Authority, Box, Divisions
from raw_sources.drafting.names import snake
from raw_sources.errors import ConfigurationError, HalleError
from raw_sources.files import write_atomically
from raw_sources.landing import Landing, Receipt, delivery_order
from raw_sources.loading import load_delivery

# The legal time of the overseas departments and collectivities (IANA database); elsewhere it is that of Paris.
OVERSEAS_TIME = {
    "971": "America/Guadeloupe",
    "972": "America/Martinique",
    "973": "America/Cayenne",
    "974": "Indian/Reunion",
    "975": "America/Miquelon",
    "976": "Indian/Mayotte",
    "977": "America/St_Barthelemy",
    "978": "America/Marigot",
    "986": "Pacific/Wallis",
    "987": "Pacific/Tahiti",
    "988": "Pacific/Noumea",
}
LINE = 110


class NoReferences(HalleError):
    """The national references could not be had (exit status 1)."""


@dataclass(frozen=True)
class Founded:
    """What was found and written: the authority, its vintage, and the files."""

    authority: Authority
    vintage: int
    files: tuple[Path, ...]


def found(code: str, folder: Path, extracts: Path | None, now: datetime, report: Callable[[str], None]) -> Founded:
    """Write the folder of the authority that ``code`` names; ``extracts`` may hold the references' files.

    Raises ConfigurationError for a code that names no authority and for a folder that holds anything, NoReferences when
    neither the extracts nor the network give the references.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError("this folder is not empty.", where=str(folder), hint="Give another --dir.")
    if extracts is not None and not extracts.is_dir():
        raise ConfigurationError("this folder of extracts does not exist.", where=str(extracts))
    cards = load_cards(card_folders(None))
    with tempfile.TemporaryDirectory() as work:
        divisions = read_divisions(cards, Path(work), extracts, now, report)
        authority = divisions.find(code)
        box = divisions.box(authority)
    texts = {
        "territory.yml": territory_text(authority, divisions.vintage, box, national_sources(cards)),
        "README.md": readme_text(authority),
        ".gitignore": "data/\n",
    }
    for name, text in texts.items():
        write_atomically(folder / name, text)
    load_project(folder)  # what was written is read as a run will read it
    return Founded(authority, divisions.vintage, tuple(folder / name for name in texts))


def national_sources(cards: Mapping[str, Card]) -> list[Card]:
    """Return the cards of open sources that serve any territory and say where their files come from, by theme."""
    offered = (one for one in cards.values() if one.is_national and one.feed and one.agreement.is_open)
    return sorted(offered, key=lambda card: (card.theme != "territory", card.theme, card.source))


def read_divisions(
    cards: Mapping[str, Card], work: Path, extracts: Path | None, now: datetime, report: Callable[[str], None]
) -> Divisions:
    """Receive and read the newest file of each reference under ``work``, or of what may stand in for it.

    Raises NoReferences as soon as nothing gives the communes or the departments.
    """
    landing, raw = Landing(work / "landing"), work / "raw"
    files: dict[str, Path] = {}
    vintage = 0
    for reference in (*REFERENCES, OUTLINES):
        if reference == OUTLINES and extracts is None:
            continue  # outlines weigh tens of megabytes, and only serve to draw the box
        reasons: list[str] = []
        for source in filter(None, (reference, SUBSTITUTES.get(reference))):
            receipt = _newest(cards[source], landing, extracts, now, report, reasons)
            if receipt is not None:
                loaded = load_delivery(cards[source], receipt, landing.file(receipt), raw, DuckDBSettings())
                files[source] = raw / cards[source].raw_table / f"{loaded.delivery_id}.parquet"
                vintage = int((receipt.file_date or "0")[:4]) if reference == COMMUNES else vintage
                break
        else:
            if reference in SUBSTITUTES:
                raise _no_reference(cards[reference], reasons)
    return Divisions(files, vintage, DuckDBSettings())


def _newest(
    card: Card,
    landing: Landing,
    extracts: Path | None,
    now: datetime,
    report: Callable[[str], None],
    reasons: list[str],
) -> Receipt | None:
    """Receive a reference and return its newest file; ``reasons`` gains what was refused or not reached."""
    if card.feed is None:
        return None
    received = land_feed(landing, card, card.feed, extracts=extracts, now=now, report=report)
    reasons += [*received.refusals, *received.unreachable]
    return next(iter(reversed(delivery_order(card, landing.receipts(card.source)))), None)


def _no_reference(card: Card, reasons: Iterable[str]) -> NoReferences:
    names = ", ".join(pattern.glob for pattern in (card.feed.files if card.feed else ()))
    return NoReferences(
        " ".join([f"the national reference {card.source} is not at hand.", *reasons]),
        hint=f"Give --extracts a folder that holds its file ({names}), from {card.homepage}.",
    )


# What is written


def territory_text(authority: Authority, vintage: int, box: Box | None, sources: Iterable[Card]) -> str:
    """Return ``territory.yml``, with comments in French for whoever opens it; JSON texts are YAML texts too."""
    title = json.dumps(authority.name, ensure_ascii=False)
    siren = f'siren: "{authority.siren}"' if authority.siren else "# siren: neuf chiffres entre guillemets"
    publisher = f'{{name: {title}, siren: "{authority.siren}"}}' if authority.siren else f"{{name: {title}}}"
    zone = OVERSEAS_TIME.get(authority.department, "Europe/Paris")
    place = (
        f"bbox: [{', '.join(f'{edge:g}' for edge in box)}]"
        if box
        else "# bbox: [lon_min, lat_min, lon_max, lat_max]  # degrés ; sans emprise, aucune coordonnée n'est écartée"
    )
    head = f"""\
# {authority.name} ({authority.code}) : écrit par `halle init`, d'après le découpage administratif de {vintage}.
name: {territory_name(authority)}
title: {{fr: {title}, en: {title}}}
{siren}
{_communes(authority.communes, vintage)}
time_zone: {zone}
publisher: {publisher}
contact: contact@a-remplacer.example        # à remplacer : à qui écrire au sujet des données publiées
base_url: https://donnees.a-remplacer.example   # à remplacer : adresse où sera servi le dossier public
{place}

# Sources nationales ouvertes, réduites au territoire : adresses et noms de fichiers sont ceux de leur fiche.
# Une ligne retirée désactive la source ; d'autres s'ajoutent ici, avec leur fiche si elles sont à vous.
feeds:
"""
    return head + "".join(f"  {card.source}:  # {card.title_fr}\n" for card in sources)


def territory_name(authority: Authority) -> str:
    """Return the name of the territory in snake_case; a homonym's ends with its code."""
    name = snake(authority.name)
    return f"{name}_{authority.code.lower()}" if authority.is_homonym else name


def _communes(codes: Sequence[str], vintage: int) -> str:
    listed = ", ".join(f'"{code}"' for code in codes)
    if len(codes) == 1:
        return f"communes: {{vintage: {vintage}, codes: [{listed}]}}"
    wrapped = textwrap.fill(f"[{listed}]", LINE, initial_indent="    ", subsequent_indent="     ")
    return f"communes:\n  vintage: {vintage}\n  codes:\n{wrapped}"


def readme_text(authority: Authority) -> str:
    """Return the folder's README, in French."""
    return f"""\
# {authority.name}

Ce dossier est un territoire de halle : `territory.yml` dit qui il est et quelles sources il suit.

## Commencer

```sh
halle run --territory . --data data                      # va chercher les fichiers à leurs adresses
halle run --territory . --extracts FICHIERS --data data  # ou les prend dans un dossier
halle status --data data
```

Dans `territory.yml`, remplacez `contact` et `base_url` avant de publier `data/public`.

## Ajouter une source à vous

`halle new-source FICHIER --out .` écrit une fiche et un modèle d'après un fichier. Ce dossier a les mêmes pièces que
halle : `raw_sources/<thème>/`, `dbt_project/models/`, `expectations/<thème>/`, `exports/<thème>/`. Rien de halle n'est
à modifier.
"""
