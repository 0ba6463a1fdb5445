"""An authority's decisions to share: which dataset goes to which partner, decided by whom, why, until when.

They are ``partage.yml`` in the territory's folder. Here: reading and checking it, and whether a decision is in force on
a day. Whether the dataset exists is known to ``orchestration.project``; what its sources allow is in ``agreements``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from raw_sources.documents import Document, field_name, nearest, read_document

FILE_NAME = "partage.yml"
OURS = "raw_sources/decisions.schema.json"


@dataclass(frozen=True)
class Decision:
    """A dataset (its slug) shared with a partner from ``decided_on`` through ``until``; ``where`` is for messages."""

    dataset: str
    partner: str
    why: str
    decided_by: str
    decided_on: date
    until: date
    where: str

    @property
    def audience(self) -> str:
        """The audience that the partner is."""
        return f"partner-{self.partner}"

    def is_in_force(self, today: date) -> bool:
        """Tell whether the dataset is shared on this day."""
        return self.decided_on <= today <= self.until

    def has_ended(self, today: date) -> bool:
        """Tell whether the last day of sharing has passed."""
        return today > self.until


def has_decisions(folder: Path) -> bool:
    """Tell whether the territory in ``folder`` shares anything with anybody."""
    return (folder / FILE_NAME).is_file()


def read_decisions(folder: Path, known: Mapping[str, bool]) -> tuple[Decision, ...]:
    """Read ``<folder>/partage.yml``, in its order; nothing is shared where there is none.

    ``known`` are the datasets, each with whether its export card offers it to partners. Raises ``ConfigurationError``
    that names file, line and field.
    """
    if not has_decisions(folder):
        return ()
    document = read_document(folder / FILE_NAME)
    document.check(_schema(), OURS)
    entries = document.value["decisions"]
    for index, entry in enumerate(entries):
        _check_dataset(document, index, entry["dataset"], known)
        _check_dates(document, index, entry)
        _check_repeated(document, index)
    return tuple(_decision(document, index, entry) for index, entry in enumerate(entries))


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(Path(__file__).with_name("decisions.schema.json").read_text(encoding="utf-8"))
    return schema


def _check_dataset(document: Document, index: int, slug: str, known: Mapping[str, bool]) -> None:
    place = ("decisions", index, "dataset")
    if slug not in known:
        raise document.problem(place, f"no export card publishes {slug!r}.", nearest(slug, known))
    if not known[slug]:
        hint = "Add partner to the audiences of its export card, or take the decision out."
        raise document.problem(place, f"the export card of {slug!r} offers it to no partner.", hint)


def _check_dates(document: Document, index: int, entry: Mapping[str, str]) -> None:
    if entry["until"] < entry["decided_on"]:
        what = f"sharing ends on {entry['until']}, before it was decided ({entry['decided_on']})."
        raise document.problem(("decisions", index, "until"), what, "Give the last day of sharing.")


def _check_repeated(document: Document, index: int) -> None:
    """Refuse two decisions of one day on one sharing; a later one that prolongs it stands beside the first."""
    entries = document.value["decisions"]
    said = [tuple(entry[name] for name in ("dataset", "with", "decided_on")) for entry in entries]
    if said.index(said[index]) != index:
        what = f"{entries[index]['dataset']} is shared with {entries[index]['with']} by two decisions of one day."
        raise document.problem(("decisions", index, "dataset"), what, "Keep one of them.")


def _decision(document: Document, index: int, entry: Mapping[str, str]) -> Decision:
    return Decision(
        dataset=entry["dataset"],
        partner=entry["with"],
        why=" ".join(entry["why"].split()),
        decided_by=" ".join(entry["decided_by"].split()),
        decided_on=date.fromisoformat(entry["decided_on"]),
        until=date.fromisoformat(entry["until"]),
        where=f"{document.path}: field {field_name(('decisions', index))}",
    )
