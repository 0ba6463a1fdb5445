"""Numbers of payment cards in texts: which look like one, and whether there are more of them than chance gives.

A number looks like a card's when it has the length and the first digits of a scheme (``door.yml``) and its last digit
checks (Luhn, ISO/IEC 7812-1 annex B). One number in ten checks by chance: codes of sixteen digits are no card numbers
because some of them do. Where texts come from, and what is refused, belongs in ``door``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from math import comb
from pathlib import Path
from typing import Any

from raw_sources.documents import read_document

RULES = Path(__file__).with_name("door.yml")
# A whole cell: 13 to 19 digits, spaces (no-break ones too) or dashes between them, and the `.0` of a table of decimals.
CELL = re.compile(r"\s*([0-9](?:[ \u00a0\u202f-]?[0-9]){12,18})(?:\.0+)?\s*")
# Written as on a card, within any text, and neither the middle of an IBAN nor of another longer number.
WRITTEN = re.compile(
    r"(?<![0-9])(?<![0-9][ \u00a0\u2009\u202f./_-])"
    r"[0-9]{4}([ \u00a0\u2009\u202f./_-])(?:[0-9]{4}\1[0-9]{4}\1[0-9]{4}|[0-9]{6}\1[0-9]{5})"
    r"(?![ \u00a0\u2009\u202f./_-]?[0-9])"
)
# Alone among other signs: no decimals, no part of an identifier in letters and digits.
ALONE = re.compile(r"(?<![\w.])(?<![0-9],)[0-9](?:[ \u00a0-]?[0-9]){12,18}(?![\w]|[.,][0-9]*[1-9])")
CHECKED_BY_CHANCE = 0.1
LEAST_SHARE = 0.2
# How often chance alone may refuse a column: once in ten thousand, or once in ten where no such number has any place.
RARE, FREQUENT = 1e-4, 0.1 + 1e-9
# Of more numbers than these, whose share is at least twice that of chance, chance is out of the question.
ENOUGH = 1_000
# A spreadsheet keeps fifteen digits of a number, and the sixteenth of a card's follows from them.
KEPT_BY_SPREADSHEETS = 15
CERTAINLY_CUT = 4
MASK = "[…]"


@dataclass(frozen=True)
class Scheme:
    """A scheme of cards: how its numbers begin (``first`` to ``last``, of as many digits) and how long they are."""

    first: str
    last: str
    lengths: tuple[int, ...]

    def issues(self, digits: str) -> bool:
        """Say whether a number begins, and is as long, as those of the scheme."""
        return len(digits) in self.lengths and self.first <= digits[: len(self.first)] <= self.last


def is_luhn(digits: str) -> bool:
    """Say whether the last digit checks: doubled every second from the right, the digits add up to a multiple of 10."""
    places = [int(digit) for digit in reversed(digits)]
    return sum(places[::2] + [sum(divmod(2 * place, 10)) for place in places[1::2]]) % 10 == 0


def is_issued(digits: str) -> bool:
    """Say whether a number begins, and is as long, as that of a card.

    One of 14 digits whose first nine check as well is a SIRET: they begin with a SIREN.
    """
    if len(digits) == 14 and is_luhn(digits[:9]):
        return False
    return any(scheme.issues(digits) for scheme in _schemes())


def is_card_number(digits: str) -> bool:
    """Say whether a number looks like a card's."""
    return is_issued(digits) and is_luhn(digits)


def is_beyond_chance(found: int, among: int, chance: float) -> bool:
    """Say whether ``found`` card numbers ``among`` distinct numbers that begin as one are no accident.

    They are a fifth of them at least, where one in ten is to be expected, and so many come by chance less often than
    ``chance``: the tail of the binomial law.
    """
    if not found or found < LEAST_SHARE * among:
        return False
    return among > ENOUGH or _tail(found, among) <= chance


def in_cells(texts: Iterable[str], *, chance: float) -> set[str]:
    """Return those of the distinct ``texts`` of a column that hold card numbers, none when they may be there by chance.

    Digits alone are judged by ``chance``; written as on a card, in groups, they are what they look like.
    """
    plain, written = {}, {}
    for text in texts:
        if groups := written_in(text):
            written[text] = groups
        elif cell := CELL.fullmatch(text):
            plain[text] = {_digits(cell[1])}
        else:
            plain[text] = alone_in(text)
    return _judged(plain, chance) | _judged(written, FREQUENT)


def cut_by_spreadsheets(texts: Iterable[str]) -> set[str]:
    """Return the texts of a column of card numbers that lost their last digit: all begin as one, and end in zero."""
    cells = {text: _digits(cell[1]) for text in texts if (cell := CELL.fullmatch(text))}
    long = {text: digits for text, digits in cells.items() if len(digits) == KEPT_BY_SPREADSHEETS + 1}
    is_cut = all(is_issued(digits) and digits.endswith("0") for digits in long.values())
    return set(long) if is_cut and len(set(long.values())) >= CERTAINLY_CUT else set()


def written_in(text: str) -> set[str]:
    """Return the numbers that are written in ``text`` as on a card, and begin as one."""
    return {digits for match in WRITTEN.finditer(text) if is_issued(digits := _digits(match[0]))}


def alone_in(text: str) -> set[str]:
    """Return the numbers in ``text`` that begin as a card's, each alone among other signs."""
    return {digits for match in ALONE.finditer(text) if is_issued(digits := _digits(match[0]))}


def masked(text: str) -> str:
    """Return ``text`` without the card numbers in it: what is said of a file must not repeat what it may not hold."""

    def hidden(match: re.Match[str]) -> str:
        return MASK if is_card_number(_digits(match[0])) else match[0]

    return re.sub(r"[0-9](?:[ \u00a0\u2009\u202f./_-]?[0-9]){12,18}(?![0-9])", hidden, text)


def _judged(texts: dict[str, set[str]], chance: float) -> set[str]:
    issued = {number for numbers in texts.values() for number in numbers if is_issued(number)}
    checked = {number for number in issued if is_luhn(number)}
    if not is_beyond_chance(len(checked), len(issued), chance):
        return set()
    return {text for text, numbers in texts.items() if not checked.isdisjoint(numbers)}


def _tail(found: int, among: int) -> float:
    """Return the probability of at least ``found`` successes ``among`` so many trials."""
    odds, misses = CHECKED_BY_CHANCE, 1 - CHECKED_BY_CHANCE
    return sum(comb(among, hits) * odds**hits * misses ** (among - hits) for hits in range(found, among + 1))


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


@cache
def rules() -> dict[str, Any]:
    """Return what ``door.yml`` says."""
    return read_document(RULES).value


@cache
def _schemes() -> Collection[Scheme]:
    listed = []
    for entry in rules()["schemes"]:
        for prefix in entry["prefixes"]:
            first, _, last = prefix.partition("-")
            listed.append(Scheme(first, last or first, tuple(entry["lengths"])))
    return tuple(listed)
