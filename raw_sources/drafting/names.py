"""Names for what a file calls otherwise: snake_case, ASCII, never a word of SQL, each one once.

What the columns mean belongs in ``meaning``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container

LONGEST = 28
GRAMMAR = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_SPELLED = str.maketrans({"œ": "oe", "Œ": "Oe", "æ": "ae", "Æ": "Ae", "ß": "ss", "ø": "o", "Ø": "O", "ł": "l"})
_SIGNS = (("%", " pct "), ("€", " eur "), ("µ", "u"), ("μ", "u"), ("°", " "))
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ONE_WORD = re.compile(r"(?i)(?<![a-z])[kmgt]wh(?![a-z])")
# Words that DuckDB or the SQL linter does not take for a bare name of a column (tests/unit/test_drafting.py tries all).
SQL_WORDS = frozenset(
    """
    all analyse analyze and anti any array as asc asof asymmetric at authorization binary both by case cast check
    collate collation column commutator concurrently connect constraint create cross current_catalog current_date
    current_role current_schema current_time current_timestamp default deferrable desc describe distinct do else end
    except false fetch for foreign freeze from full glob grant group hashes having ilike in initially inner intersect
    into is isnull join lambda lateral leading left like limit localtime localtimestamp merges natural negator not
    notnull null offset on only or order outer overlaps pivot pivot_longer pivot_wider placing positional primary
    qualify references returning right rightarg select semi session_user show similar some summarize symmetric table
    tablesample then to trailing true union unique unpack unpivot using variadic verbose when where window with
    """.split()
)


def snake(text: str) -> str:
    """Return ``text`` as ``snake_case`` in ASCII, at most 28 characters; empty when nothing of it can be written so.

    ``Conso totale (MWh)`` gives ``conso_totale_mwh``, ``averageVehicleSpeed`` gives ``average_vehicle_speed``.
    """
    for sign, spelled in _SIGNS:
        text = text.replace(sign, spelled)
    text = unicodedata.normalize("NFKD", text.translate(_SPELLED))
    ascii_text = "".join(c for c in text if not unicodedata.combining(c))
    ascii_text = _ONE_WORD.sub(lambda found: found[0].lower(), ascii_text)
    words = re.findall(r"[A-Za-z0-9]+", _CAMEL.sub(" ", ascii_text))
    name = "_".join(words).lower()
    if len(name) > LONGEST:
        name = name[:LONGEST].rpartition("_")[0] or name[:LONGEST]
    return name


def column_name(text: str, position: int) -> str:
    """Return the raw name of the column headed ``text``; ``position`` (from 1) names one without a usable header."""
    name = snake(text)
    if not name:
        return f"column_{position}"
    if not name[0].isalpha():
        name = f"column_{name}"
    return f"{name}_value" if name in SQL_WORDS else name


def once(name: str, taken: Container[str]) -> str:
    """Return ``name``, numbered when it is taken: ``name``, ``name_2``, ``name_3``, ..."""
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name}_{number}"
    return candidate


def is_name(text: str) -> bool:
    """Say whether ``text`` follows the grammar of identifiers."""
    return GRAMMAR.fullmatch(text) is not None


def source_from_file(file_name: str) -> str:
    """Return a source name from a file's name, without dates and extensions: ``<producer>_<dataset>``."""
    stem = re.sub(r"(\.[A-Za-z][A-Za-z0-9]{1,7})+$", "", file_name)
    words = [word for word in snake(stem).split("_") if not word.isdigit()]
    while words and not words[0][0].isalpha():
        words.pop(0)
    if not words:
        return "unknown_dataset"
    return "_".join(words) if len(words) > 1 else f"unknown_{words[0]}"
