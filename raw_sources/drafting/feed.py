"""The line of a territory file that finds the files of a drafted source: a pattern of names, and the date in them.

Reading territory files belongs in ``territory``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date

# The forms that a pattern's date may have (see ``landing``), the most precise first.
_DATES = (r"\d{8}", r"\d{4}-\d{2}-\d{2}", r"\d{6}", r"\d{4}")
_DATED = re.compile(r"(?<![A-Za-z0-9])\d{4,8}(?:[-_]\d{2,8})*(?![A-Za-z0-9])")


@dataclass(frozen=True)
class Feed:
    """A pattern of file names; ``date`` is a regular expression with one group, None when the name has no date."""

    glob: str
    date: str | None

    def lines(self, source: str, *, partial: bool) -> str:
        """Return the entry of ``source`` for the ``feeds`` of a territory file."""
        members = [f"glob: {json.dumps(self.glob, ensure_ascii=False)}"]
        members += ["partial: true"] if partial else []
        members += [f"date: '{self.date}'"] if self.date else []
        return f"  {source}:\n    files:\n      - {{{', '.join(members)}}}\n"


def feed_for(file_name: str) -> Feed:
    """Return the pattern of the files called like ``file_name`` but for their dates."""
    escaped = re.sub(r"([\[?*])", r"[\1]", file_name)
    return Feed(_DATED.sub(_star, escaped), _date_in(file_name))


def _star(found: re.Match[str]) -> str:
    return "*" if any(_is_date(part) for part in re.split("[-_]", found[0])) else found[0]


def _date_in(name: str) -> str | None:
    for form in _DATES:
        for found in reversed(list(re.finditer(rf"(?<!\d){form}(?!\d)", name))):
            if _is_date(found[0]):
                before = _escaped(name[found.start() - 1]) if found.start() else "^"
                after = _escaped(name[found.end()]) if found.end() < len(name) else "$"
                return f"{before}({form}){after}"
    return None


def _escaped(character: str) -> str:
    """Return a character as a regular expression that a YAML text between single quotes can hold."""
    return character if character.isalnum() or character in "_-" else "\\." if character == "." else "."


def _is_date(text: str) -> bool:
    digits = text.replace("-", "")
    if len(digits) not in (4, 6, 8):
        return False
    try:
        day = date(int(digits[:4]), int(digits[4:6] or 1), int(digits[6:] or 1))
    except ValueError:
        return False
    return 1950 <= day.year <= 2099
