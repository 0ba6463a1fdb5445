"""The reasons of refusal in French, from the tables beside the models: ``dbt_project/reasons_fr.yml``.

A reason is a sentence in English, and often ``: `` and the value that it is about. Here: the sentence as an office
reads it. Who shows it is ``reporting`` and ``raw_sources.corrections``; why a record is refused is its staging model's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from orchestration.workspace import PROJECT
from raw_sources.documents import read_document
from raw_sources.territory import Territory

TABLE = "reasons_fr.yml"
ANY = "*"
"""In a reason, one word or one name between quotes; in its translation, the same as it stands."""
ANYTHING = r"('[^']*'|[^\s()]+)"


@dataclass(frozen=True)
class Reasons:
    """The French of each head of a reason; heads with ``*`` are asked after those that are whole."""

    table: Mapping[str, str]

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], str]]:
        return [
            (re.compile(ANYTHING.join(map(re.escape, head.split(ANY)))), phrase)
            for head, phrase in self.table.items()
            if ANY in head
        ]

    def of(self, reason: str) -> str | None:
        """Return the French of what a reason says before ``: `` and its value; None when none is known."""
        head = reason.partition(": ")[0]
        if head in self.table:
            return self.table[head]
        for pattern, phrase in self._patterns:
            if found := pattern.fullmatch(head):
                said = iter(found.groups())
                return "".join(next(said, "") if part == ANY else part for part in re.split(r"(\*)", phrase))
        return None


def read_reasons(territory: Territory) -> Reasons:
    """Return the reasons of halle's models and of the territory's own, which may say one otherwise.

    Raises ConfigurationError naming the file and the line when a phrase is no text.
    """
    own = territory.models_folder.parent / TABLE
    tables = [PROJECT / "dbt_project" / TABLE, *([own] if own.is_file() else [])]
    return Reasons({head: phrase for table in tables for head, phrase in _read(table).items()})


def _read(path: Path) -> dict[str, str]:
    document = read_document(path)
    for head, phrase in document.value.items():
        if not isinstance(phrase, str):
            hint = "Write the reason, a colon, and its French, both between quotes."
            raise document.problem((head,), f"the French of {head!r} is no text.", hint)
    return document.value
