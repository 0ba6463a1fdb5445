"""Headers as paths into nested records, of XML and of JSON: what they lead to, and records without it.

A path is names with "/" between them; lists are walked through. XML names are compared exactly; JSON names in a form
that a ``fold`` gives to both sides. What a record is made of belongs in ``xml_stream`` and ``json_stream``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from raw_sources.readers.json_text import as_text, compact

UP = ".."
TEXT = "#text"

Steps = tuple[str, ...]
Fold = Callable[[str], str]


@dataclass(frozen=True)
class Header:
    """One header of a column as a path: how many levels up it starts, and the names from there."""

    text: str
    levels: int
    steps: Steps

    @classmethod
    def of(cls, text: str) -> Header:
        """Read a header such as ``source/@id`` or ``../../publicationTime``."""
        steps = tuple(text.split("/"))
        levels = next((index for index, step in enumerate(steps) if step != UP), len(steps))
        return cls(text, levels, steps[levels:])

    def folded(self, fold: Fold) -> Steps:
        """Return the names of the path in the form under which they are compared."""
        return tuple(map(fold, self.steps))


def walk(steps: Steps, node: Any, fold: Fold | None = None) -> list[Any]:
    """Return all that a path leads to below ``node``; an element that is empty counts, as None."""
    nodes = [node]
    for step in steps:
        reached: list[Any] = []
        for parent in nodes:
            for member in _called(step, parent, fold):
                if isinstance(member, list):
                    reached += member
                else:
                    reached.append(member)
        if not reached:
            return reached
        nodes = reached
    return nodes


def _called(step: str, node: Any, fold: Fold | None) -> Sequence[Any]:
    """Return the members of that name; a plain text is its own ``#text``."""
    if isinstance(node, dict):
        if fold is not None:
            return [member for name, member in node.items() if fold(name) == step]
        return (node[step],) if step in node else ()
    if isinstance(node, list):
        return [member for item in node for member in _called(step, item, fold)]
    return (node,) if step == TEXT and isinstance(node, str) else ()


def cell(values: Sequence[Any]) -> str | None:
    """Return the text of one match, or the JSON array of several."""
    if all(value is None for value in values):
        return None
    return as_text(values[0]) if len(values) == 1 else compact(list(values))


def without(value: Any, hidden: Sequence[Steps], fold: Fold | None = None) -> Any:
    """Return a value without what the ``hidden`` paths lead to; what becomes empty by it is None, as in XML."""
    if not hidden:
        return value
    if isinstance(value, list):
        return [without(item, hidden, fold) for item in value]
    if not isinstance(value, dict):
        return None if (TEXT,) in hidden else value
    gone = {steps[0] for steps in hidden if len(steps) == 1}
    kept = {
        name: without(member, [steps[1:] for steps in hidden if steps[0] == step and len(steps) > 1], fold)
        for name, member in value.items()
        if (step := fold(name) if fold else name) not in gone
    }
    return kept[TEXT] if set(kept) == {TEXT} else kept or None
