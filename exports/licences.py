"""How the licences of sources meet: under which licences a dataset made with all of them may be published.

The table is ``licences.yml``. What may leave at all is a matter of agreements, judged in ``judgement``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from itertools import combinations
from pathlib import Path

from raw_sources.documents import read_document

TABLE = Path(__file__).with_name("licences.yml")
NAMED = "exports/licences.yml"


@dataclass(frozen=True)
class Meeting:
    """What licences allow together: ``outputs`` in the order of the table; with none, ``clash`` names the sources.

    ``clash`` has two sources, or the only one there is when its licence alone allows nothing.
    """

    outputs: tuple[str, ...]
    clash: tuple[str, ...] = ()


def outputs_of(licence: str) -> tuple[str, ...]:
    """Return the licences under which a dataset made with a source under ``licence`` may be published."""
    return next((outputs for pattern, outputs in _table() if fnmatchcase(licence, pattern)), ())


def meet(licences: Mapping[str, str]) -> Meeting:
    """Return what the licences of sources, by source, allow together; without a source, all there is."""
    allowed = {source: outputs_of(licence) for source, licence in licences.items()}
    together = tuple(one for one in _every_output() if all(one in outputs for outputs in allowed.values()))
    return Meeting(together) if together else Meeting((), _clash(allowed))


def binding(licences: Mapping[str, str], claimed: str) -> tuple[str, ...]:
    """Return the sources whose licence does not allow ``claimed``, sorted."""
    return tuple(sorted(source for source, licence in licences.items() if claimed not in outputs_of(licence)))


def _clash(allowed: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    pairs = [pair for pair in combinations(sorted(allowed), 2) if not {*allowed[pair[0]]} & {*allowed[pair[1]]}]
    # The pair that leaves least room explains best: a share-alike licence before one that would take any.
    return min(pairs, key=lambda pair: sum(len(allowed[source]) for source in pair), default=tuple(sorted(allowed)))


def _every_output() -> tuple[str, ...]:
    return tuple(dict.fromkeys(output for _, outputs in _table() for output in outputs))


@cache
def _table() -> tuple[tuple[str, tuple[str, ...]], ...]:
    entries = read_document(TABLE).value["licences"]
    return tuple((entry["licence"], tuple(entry["outputs"])) for entry in entries)
