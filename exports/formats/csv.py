"""The canonical CSV: RFC 4180, comma, decimal point, UTF-8 without byte order mark, ASCII headers.

This module only names the form; ``delimited`` writes it and reads it back.
"""

from __future__ import annotations

from exports.formats.delimited import Dialect

CSV = Dialect(
    name="csv",
    suffix=".csv",
    delimiter=",",
    decimal_comma=False,
    bom=False,
    french_titles=False,
    true_word="true",
    false_word="false",
    guard_formulas=False,
)
