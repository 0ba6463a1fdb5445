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
from unicodedata import category, normalize

from raw_sources.documents import read_document

RULES = Path(__file__).with_name("door.yml")
# Numbers as cards have them begin with 2 to 6, after the zeros that fill a field; fractions are left out at once. What
# stands before is asked after the first digit: a search for a few characters is many times faster.
SINGLE = re.compile(r"[0-6](?<![0-9].)(?<![0-9]\..)(?:(?<!0)|0*[2-6])[0-9]{12,18}(?![0-9])")
# The same with spaces and dashes between the digits, and no other number beside it.
GAPPED = re.compile(
    r"[2-6](?<![0-9].)(?<![0-9.][ \t-].)(?<![0-9][ \t-]{2}.)(?<![0-9][ \t-]{3}.)(?<![0-9]\..)"
    r"(?:[ \t-]{0,3}+[0-9]){12,18}+(?![ \t-]{0,3}[0-9])"
)
# In groups as on a card, whatever is beside it: four of four digits, or four, six and the rest.
GROUPS = re.compile(
    r"[2-6](?<![0-9].)(?=([0-9]{3}[ \t-](?:[ \t-]{0,2}[0-9]{4}(?:[ \t-]{1,3}[0-9]{4}){2}"
    r"|[ \t-]{0,2}[0-9]{6}[ \t-]{1,3}[0-9]{4,5}))(?![0-9]))"
)
# What stands before such groups when they are within an IBAN.
ACCOUNT = re.compile(r"[A-Za-z]{2}[0-9]{2}(?:[ \t-]{1,3}[0-9]{4})*[ \t-]{1,3}\Z")
# In names and sentences: digits and all that may stand between those of a number.
LOOSE_RUN = re.compile(r"(?<![0-9])[0-9](?:[ \t./_,'-]{0,3}+[0-9]){12,}+(?:[eE]\+?[0-9]+)?")
# In such groups, with the same sign between them, and neither the middle of an IBAN nor of another longer number.
WRITTEN = re.compile(
    r"(?<![0-9])(?<![0-9][ \t./_-])"
    r"[0-9]{4}([ \t]{1,3}|[./_-])(?:[0-9]{4}\1[0-9]{4}\1[0-9]{4}|[0-9]{6}\1[0-9]{5})"
    r"(?![ \t./_-]{0,3}[0-9])"
)
# 4.970101234567890E+15; and 4,970,101,234,567,890 or with other signs between the thousands.
SCIENTIFIC = re.compile(r"(?<![\w.,])([0-9])[.,]([0-9]{12,18})[eE]\+?(1[2-8])(?![\w.,])")
THOUSANDS = re.compile(r"([0-9]{1,3}([,.'\u2019 ])[0-9]{3}(?:\2[0-9]{3}){3,5})(?:[.,]0+)?")
CELL = re.compile(r"([0-9](?:[ \t-]{0,3}[0-9]){12,18})(?:[.,]0+)?")
# What stands before a number of which it is the fraction, and after one that has a fraction.
WHOLE_PART = re.compile(r"([.,]?)([0-9]+),\Z")
FRACTION = re.compile(r"([.,])([0-9]+)(,[0-9])?")
CONTEXT = 40
# More digits than that before a comma, and they are a number of their own; more in all than a double has, as well.
WHOLE_DIGITS, DOUBLE_DIGITS, DECIMALS = 12, 17, 3
# Next to letters (CB…, %B…^), only as many digits as the cards of today have: fewer are too often codes.
GLUED = range(15, 20)
DASHES = re.compile(f"[{''.join(c for c in map(chr, range(0x10000)) if category(c) == 'Pd' and c != '-')}\u2212]")
UNSEEN = re.compile(f"[{''.join(c for c in map(chr, range(0x10000)) if category(c) == 'Cf')}]")
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
    """Say whether a number begins, and is as long, as that of a card; zeros before it fill a field of fixed width.

    One of 14 digits whose first nine check as well is a SIRET: they begin with a SIREN. One of 13 may have lost its
    zero, or be that of an article (EAN), which checks otherwise.
    """
    number = digits.lstrip("0")
    if len(number) in (13, 14) and is_luhn(number.zfill(14)[:9]):
        return False
    if len(number) == 13 and _is_ean(number):
        return False
    return any(scheme.issues(number) for scheme in _schemes())


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
        elif THOUSANDS.fullmatch(normalised(text).strip()):
            plain[text] = {_cell(text)}
        else:
            plain[text] = alone_in(apart(text, ",") if text.lstrip()[:1] in ("[", "{") else text)
    return _judged(plain, chance) | _judged(written, FREQUENT)


def cut_by_spreadsheets(texts: Iterable[str]) -> set[str]:
    """Return the texts of a column of card numbers that lost their last digit: all begin as one, and end in zero."""
    cells = {text: digits for text in texts if (digits := _cell(text))}
    long = {text: digits for text, digits in cells.items() if len(digits) == KEPT_BY_SPREADSHEETS + 1}
    is_cut = all(is_issued(digits) and digits.endswith("0") for digits in long.values())
    return set(long) if is_cut and len(set(long.values())) >= CERTAINLY_CUT else set()


def normalised(text: str) -> str:
    """Return ``text`` with ordinary digits, spaces and dashes for those of other kinds, and without unseen signs."""
    return text if text.isascii() else UNSEEN.sub("", DASHES.sub("-", normalize("NFKC", text)))


def apart(text: str, delimiter: str) -> str:
    """Return ``text`` with its cells, between which ``delimiter`` stands, on lines of their own.

    Where that is a comma, quoted decimals ("48,41") stay together.
    """
    if delimiter == ",":
        text = re.sub(r'"([-+]?[0-9]{1,12}),([0-9]+(?:[eE][-+]?[0-9]+)?)"', r'"\1.\2"', text)
    return text.replace(delimiter, "\n")


def written_in(text: str) -> set[str]:
    """Return the numbers that are written in ``text`` as on a card, and begin as one."""
    return _issued(_digits(match[0]) for match in WRITTEN.finditer(normalised(text)))


def alone_in(text: str) -> set[str]:
    """Return the numbers in ``text`` that begin as a card's, and are no part of a decimal or of a longer number.

    Each stands alone among other signs, next to letters on one side at most, or is written in groups.
    """
    text = normalised(text)
    found = {digits for match in SCIENTIFIC.finditer(text) if (digits := _scientific(match))}
    for pattern in (SINGLE, GAPPED):
        found.update(_digits(match[0]) for match in pattern.finditer(text) if _stands_alone(text, *match.span()))
    for match in GROUPS.finditer(text):
        if not ACCOUNT.search(text[max(0, match.start() - CONTEXT) : match.start()]):
            found.add(_digits(match[0] + match[1]))
    return _issued(found)


def masked(text: str) -> str:
    """Return ``text`` without the card numbers in it: what is said of a file must not repeat what it may not hold."""

    def hidden(match: re.Match[str]) -> str:
        run = match[0]
        numbers = {*re.findall("[0-9]{13,}", run), run, *alone_in(run), *written_in(run)}
        return MASK if any(is_card_number(_digits(number)) for number in numbers) else run

    plain = normalised(text)
    without = LOOSE_RUN.sub(hidden, plain)
    return text if without == plain else without


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Say whether the number from ``start`` to ``end`` is neither part of a decimal nor of a code with letters."""
    before, after = text[max(0, start - CONTEXT) : start], text[end : end + CONTEXT]
    length = len(_digits(text[start:end]).lstrip("0"))
    glued = [side for side in (before[-1:], after[:1]) if side == "_" or side.isalnum()]
    if len(glued) > (length in GLUED):
        return False
    if before.endswith(".") and not before[-2:-1].isalpha():
        return False
    fraction, whole = FRACTION.match(after), WHOLE_PART.search(before)
    if fraction and fraction[1] == "," and (whole or fraction[3]):
        return True  # a list: a decimal has one comma
    if fraction and fraction[2].strip("0"):
        return len(fraction[2]) > DECIMALS and length + len(fraction[2]) > DOUBLE_DIGITS
    return whole is None or bool(whole[1]) or len(whole[2]) > WHOLE_DIGITS


def _cell(text: str) -> str:
    """Return the digits of a cell that is one long number, however it is written; nothing when it is none."""
    plain = normalised(text).strip()
    if match := SCIENTIFIC.fullmatch(plain):
        return _scientific(match)
    match = CELL.fullmatch(plain) or THOUSANDS.fullmatch(plain)
    return _digits(match[1]) if match else ""


def _scientific(match: re.Match[str]) -> str:
    """Return the digits of a number in scientific notation, nothing when it does not have them all.

    Fifteen are what a spreadsheet keeps: the digits that lack are zeros then.
    """
    digits, length = match[1] + match[2], int(match[3]) + 1
    if len(digits) < min(KEPT_BY_SPREADSHEETS, length) or digits[length:].strip("0"):
        return ""
    return digits[:length].ljust(length, "0")


def _issued(numbers: Iterable[str]) -> set[str]:
    return {number.lstrip("0") for number in numbers if is_issued(number)}


def _is_ean(digits: str) -> bool:
    """Say whether the number of an article checks: every second digit from the right counts three times."""
    places = [int(digit) for digit in reversed(digits)]
    return (sum(places[::2]) + 3 * sum(places[1::2])) % 10 == 0


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
    return re.sub("[^0-9]", "", text)


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
