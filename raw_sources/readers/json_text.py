"""JSON values as text: numbers as the document writes them, nested values without blanks.

How a document is walked is in ``json_stream``. This module stays light: the collector needs it, and no engine.
"""

from __future__ import annotations

import json
from json.encoder import encode_basestring
from typing import Any


class Number(str):
    """A number as the document writes it: ``524.0`` stays ``524.0``."""

    __slots__ = ()


DECODER = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=Number)


def compact(value: Any) -> str:
    """Return ``value`` as JSON without blanks, characters beyond ASCII as they are, numbers as written."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{encode_basestring(key)}:{compact(member)}" for key, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(compact, value)) + "]"
    return "null" if value is None else "true" if value is True else "false"


def as_text(value: Any) -> str | None:
    """Return a member as the text of a raw cell: texts and numbers as they are, nested values as compact JSON."""
    if value is None or isinstance(value, str):
        return value
    return compact(value)
