"""The CSV that a French Excel opens by a double click: semicolon, decimal comma, byte order mark, French headers.

Excel runs a cell that begins with = + - @ (tab and CR lead to them) as a formula: such a *text* cell, and one that
begins with an apostrophe, gets one leading apostrophe, so that taking one away gives the text back. Excel shows
1,048,576 rows at most and cuts without a word: at a million rows or more this form is not written.
"""

from __future__ import annotations

from exports.formats.delimited import Dialect

ROWS_BELOW = 1_000_000

EXCEL_FR = Dialect(
    name="excel-fr",
    suffix=".excel-fr.csv",
    delimiter=";",
    decimal_comma=True,
    bom=True,
    french_titles=True,
    true_word="VRAI",
    false_word="FAUX",
    guard_formulas=True,
)
