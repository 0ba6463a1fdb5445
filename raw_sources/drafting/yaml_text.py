"""YAML written as people write it: comments above a field, short lists on one line, long texts folded.

Reading YAML belongs in ``documents``.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH = 120
QUESTION = "QUESTION"
_PLAIN = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿ][\wÀ-ÿ'’(),./;%+-]*(?: [\wÀ-ÿ'’(),./;%+:=-]+)*")
_NOT_TEXT = frozenset("null true false yes no on off y n".split())


@dataclass(frozen=True)
class Noted:
    """A value with comment lines above its field: questions to answer, then plain notes."""

    value: Any
    questions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def asked(value: Any, *questions: str) -> Noted:
    """Return ``value`` with questions above it."""
    return Noted(value, questions)


def dump(value: Mapping[str, Any]) -> str:
    """Return a mapping as a YAML document."""
    return "\n".join(_mapping(value, 0)) + "\n"


def comment(text: str, indent: int, mark: str = "#") -> list[str]:
    """Return ``text`` as comment lines of at most ``WIDTH`` characters."""
    start = " " * indent + mark + " "
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return [start + line for line in _wrapped(flat, WIDTH - len(start), cut=True)]


def _wrapped(text: str, width: int, *, cut: bool = False) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=cut, break_on_hyphens=False)


def _comments(noted: Noted, indent: int) -> list[str]:
    lines = [line for text in noted.questions for line in comment(f"{QUESTION}: {text}", indent)]
    return lines + [line for text in noted.notes for line in comment(text, indent)]


def _mapping(value: Mapping[str, Any], indent: int) -> Iterator[str]:
    for key, member in value.items():
        if isinstance(member, Noted):
            yield from _comments(member, indent)
            member = member.value
        yield from _entry(f"{' ' * indent}{key}:", member, indent)


def _entry(start: str, value: Any, indent: int) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield start
        yield from _mapping(value, indent + 2)
    elif isinstance(value, list | tuple):
        yield from _list(start, value, indent)
    else:
        yield from _scalar_entry(start, value, indent)


def _scalar_entry(start: str, value: Any, indent: int) -> Iterator[str]:
    text = scalar(value)
    if isinstance(value, str) and len(start) + 1 + len(text) > WIDTH and _folds(value):
        yield f"{start} >-"
        margin = " " * (indent + 2)
        yield from (margin + line for line in _wrapped(value, WIDTH - len(margin)))
    else:
        yield f"{start} {text}"


def _folds(text: str) -> bool:
    """Say whether a text survives folding: single spaces between printable words, none at its ends."""
    return text.isprintable() and " ".join(text.split(" ")) == text == text.strip() and "  " not in text


def _list(start: str, value: Sequence[Any], indent: int) -> Iterator[str]:
    if not any(isinstance(member, Mapping | Noted | list | tuple) for member in value):
        line = f"{start} [{', '.join(scalar(member, flow=True) for member in value)}]"
        if len(line) <= WIDTH:
            yield line
            return
    yield start
    for member in value:
        if isinstance(member, Noted):
            yield from _comments(member, indent + 2)
            member = member.value
        if isinstance(member, Mapping):
            first, *others = _mapping(member, indent + 4)
            yield f"{' ' * (indent + 2)}- {first.lstrip()}"
            yield from others
        else:
            yield f"{' ' * (indent + 2)}- {scalar(member)}"


def scalar(value: Any, *, flow: bool = False) -> str:
    """Return a scalar: plain where YAML cannot misread it, else between double quotes."""
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    text = str(value)
    plain = _PLAIN.fullmatch(text) and text.casefold() not in _NOT_TEXT and not text.endswith(":")
    if plain and not (": " in text or " #" in text or (flow and re.search(r"[,\[\]{}]", text))):
        return text
    return '"' + "".join(_quoted(character) for character in text) + '"'


def _quoted(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
