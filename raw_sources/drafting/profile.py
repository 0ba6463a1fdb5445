"""What the cells of a sample show of each column: type, missing markers, bounds, frequent values, uniqueness.

Types are judged by the expressions that the staging macros understand, so that what is called a number here is read as
one there. Values stay in memory: what may be written of them is decided in ``plan``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from raw_sources.drafting.meaning import (
    COUNT_WORDS,
    LAT_WORDS,
    LON_WORDS,
    TIME_WORDS,
    YEAR_WORDS,
    sounds_like_code,
    words_of,
)
from raw_sources.drafting.shape import is_marker

# A column keeps its type when one record in a hundred does not fit, or a single one of at least five.
MISFITS = 0.01
LEAST_RECORDS = 5
PROBED = 40
FEW_VALUES = 12
# Digits that a bigint always holds; a longer number would lose its last ones, and is an identifier.
LONGEST_INTEGER = 18
_INTEGER = re.compile(rf"[+-]?\d{{1,{LONGEST_INTEGER}}}")
_WHOLE = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(?:\d+|\d{1,3}(?:[ \u00a0\u202f]\d{3})+|(?=[.,]\d))(?:[.,]\d*)?(?:[eE][+-]?\d+)?")
_CODE = re.compile(r"(?=.*\d)[0-9A-Z]+")
_LEADING_ZERO = re.compile(r"[+-]?0\d+")
_OFFSET = re.compile(r"(\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?) ?(Z|[+-]\d{2}:\d{2})")
_POINT = re.compile(r"\[?-?\d{1,3}\.\d+, ?-?\d{1,3}\.\d+\]?")
_WKT = re.compile(r"(?i)(?:srid=\d+;)?(?:multi)?(?:point|linestring|polygon)\s*z?m?\s*\(")
_TWO_PARTS_FIRST = re.compile(r"(\d{2})[/.-]\d{2}[/.-]")
_LISTED_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+")

# Python's strptime formats; those of MACRO are what the macros parse_date and parse_instant read by themselves.
DATE_FORMATS = ("%Y-%m-%d", "%d/%m/%Y", "%d/%m/%y", "%Y%m%d", "%Y/%m/%d", "%d.%m.%Y", "%d-%m-%Y")
# ISO 8601 with fractions of a second, of any length.
ISO_FRACTION = "iso"
TIME_FORMATS = (
    "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", ISO_FRACTION, "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M", "%d/%m/%y %H:%M:%S", "%d/%m/%y %H:%M", "%Y%m%d%H%M%S", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M",
    "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d-%m-%Y %H:%M:%S", "%d-%m-%Y %H:%M",
)  # fmt: skip
MACRO = frozenset({*DATE_FORMATS[:4], *TIME_FORMATS[:10]})
BOOLEANS = (("true", "false"), ("oui", "non"), ("yes", "no"), ("vrai", "faux"), ("t", "f"), ("o", "n"), ("y", "n"))


@dataclass(frozen=True)
class Facts:
    """What a sample shows of one column.

    ``kind`` is text, code, integer, number, date, instant (with an offset), local_time (without), epoch_s, epoch_ms,
    boolean, geometry, wkt, point or json; ``formats`` are those of its dates beyond the macros' own. ``misfits`` counts
    records that are not of that kind, ``markers`` are the words found for "no value". ``day_or_month_first`` says that
    its dates would be dates too if the month came first: none has a day above 12.
    """

    records: int
    filled: int
    cells: Counter[str]
    longest: int
    multiline: bool
    kind: str
    formats: tuple[str, ...] = ()
    markers: tuple[str, ...] = ()
    misfits: int = 0
    at_midnight: bool = False
    thousands_by_comma: bool = False
    day_or_month_first: bool = False

    @property
    def values(self) -> Counter[str]:
        """The distinct values without the missing markers."""
        return Counter({text: count for text, count in self.cells.items() if text not in self.markers})

    @property
    def is_filled(self) -> bool:
        """Whether every record of the sample has a value."""
        return self.filled == self.records

    @property
    def few_values(self) -> tuple[str, ...]:
        """The values when they are few and come again and again, else nothing."""
        values = self.values
        repeated = len(values) <= FEW_VALUES and self.filled >= 3 * len(values) and self.longest <= 60
        return tuple(sorted(values)) if repeated and self.kind in ("text", "code", "integer", "boolean") else ()


Test = Callable[[str], bool]


def facts_of(name: str, cells: Counter[str], records: int) -> Facts:
    """Return what the ``cells`` (distinct texts, blanks around them cut) of the column ``name`` show."""
    multiline = any("\n" in text or "\r" in text for text in cells)
    markers = tuple(sorted(text for text in cells if is_marker(text)))
    values = Counter({text: count for text, count in cells.items() if text not in markers})
    filled = values.total()
    kind, formats, misfits = _kind(name, values) if filled else ("text", (), 0)
    if kind in ("text", "code", "json", "geometry", "wkt"):
        # "NC" or "-" may be words of the producer in a text; a bare NULL is always a database's.
        markers = tuple(text for text in markers if text.casefold() in ("null", "n/a", "#n/a", "nan"))
        filled = cells.total() - sum(cells[text] for text in markers)
    return Facts(
        records=records,
        filled=filled,
        cells=cells,
        longest=max(map(len, cells), default=0),
        multiline=multiline,
        kind=kind,
        formats=formats,
        markers=markers,
        misfits=misfits,
        at_midnight=kind == "local_time" and all(_is_midnight(text) for text in values),
        thousands_by_comma=kind == "number" and bool(values) and all(map(_LISTED_THOUSANDS.fullmatch, values)),
        day_or_month_first=kind in ("date", "local_time") and _is_order_open(values),
    )


def _kind(name: str, values: Counter[str]) -> tuple[str, tuple[str, ...], int]:
    total = values.total()

    def misfits(fits: Test) -> int:
        return sum(count for text, count in values.items() if not fits(text))

    for kind, fits in _structured().items():
        if (missed := misfits(fits)) <= _tolerated(total):
            return kind, (), missed
    found = _time_kind(name, values)
    if found is not None:
        return found
    pair = _boolean(name, values)
    if pair:
        return "boolean", (), 0
    return _number_kind(name, values, misfits)


def _tolerated(records: int) -> float:
    return max(MISFITS * records, 1) if records >= LEAST_RECORDS else 0


def _structured() -> Mapping[str, Test]:
    return {
        "geometry": lambda text: text.startswith("{") and '"coordinates"' in text,
        "point": lambda text: bool(_POINT.fullmatch(text)) or (text.startswith("{") and '"lon"' in text),
        "wkt": lambda text: bool(_WKT.match(text)),
        "json": lambda text: text.startswith(("{", "[{", '["', "[[")),
    }


def _number_kind(name: str, values: Counter[str], misfits: Callable[[Test], int]) -> tuple[str, tuple[str, ...], int]:
    bound = _tolerated(values.total())
    words = words_of(name)
    if any(_LEADING_ZERO.fullmatch(text) for text in values) and misfits(_is_digits) <= bound:
        return "code", (), 0
    whole = misfits(_is_integer)
    if whole <= bound:
        if _among_codes(values):
            return "code", (), 0
        if words & YEAR_WORDS or (
            not sounds_like_code(name) and not any(len(text) > LONGEST_INTEGER for text in values)
        ):
            return "integer", (), whole
        return "code", (), 0
    if any(len(text) > LONGEST_INTEGER for text in values) and misfits(_is_whole) <= bound:
        return "code", (), 0
    number = misfits(is_number)
    if number <= bound and not (sounds_like_code(name) and not words & (COUNT_WORDS | LON_WORDS | LAT_WORDS)):
        return "number", (), number
    is_code = sounds_like_code(name) and max(map(len, values)) <= 60
    return ("code" if is_code else "text"), (), 0


def _among_codes(values: Counter[str]) -> bool:
    """Say whether what is no number among whole numbers is a code of the same length: 2A004 among 01053."""
    lengths = {len(text) for text in values if _is_integer(text)}
    return any(len(text) in lengths and _CODE.fullmatch(text) for text in values if not _is_integer(text))


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _is_integer(text: str) -> bool:
    return _INTEGER.fullmatch(text) is not None


def _is_whole(text: str) -> bool:
    return _WHOLE.fullmatch(text) is not None


def is_number(text: str) -> bool:
    """Say whether the macro parse_number reads ``text``: decimal comma or dot, thousands set apart by spaces."""
    return _NUMBER.fullmatch(text) is not None and any(c.isdigit() for c in text)


def _boolean(name: str, values: Counter[str]) -> bool:
    found = {text.casefold() for text in values}
    if found <= {"0", "1"}:
        return bool(words_of(name) & {"is", "has", "est", "bool"}) and len(found) == 2
    return any(found <= set(pair) and (len(found) == 2 or len(pair[0]) > 1) for pair in BOOLEANS)


# --- dates ------------------------------------------------------------------------------------------------------


def _time_kind(name: str, values: Counter[str]) -> tuple[str, tuple[str, ...], int] | None:
    sounds = bool(words_of(name) & TIME_WORDS)
    if all(_is_digits(text) for text in values):
        return _time_of_digits(values, sounds)
    total = values.total()
    # Most columns hold no time at all, and trying every format on every cell is slow.
    first = list(islice(values, PROBED))
    if not any(map(_time_format, first)):
        return None
    kinds = {text: _time_format(text) for text in values}
    fits = sum(count for text, count in values.items() if kinds[text])
    if total - fits > _tolerated(total):
        return None
    found = {kind for kind in kinds.values() if kind}
    dates = any(kind in DATE_FORMATS for kind in found)
    kind = "date" if dates else "instant" if found == {"offset"} else "local_time"
    formats = tuple(sorted(one for one in found if one != "offset" and one not in MACRO))
    return kind, formats, total - fits


def _time_of_digits(values: Counter[str], sounds: bool) -> tuple[str, tuple[str, ...], int] | None:
    lengths = {len(text) for text in values}
    if lengths == {8} and all(_parses(text, "%Y%m%d") and "1900" < text < "2100" for text in values):
        return "date", (), 0
    if lengths == {14} and all(_parses(text, "%Y%m%d%H%M%S") for text in values):
        return "local_time", (), 0
    # Seconds or milliseconds since 1970, between 2001 and 2033.
    if sounds and lengths == {10} and all("1" <= text[0] <= "1" for text in values):
        return "epoch_s", (), 0
    if sounds and lengths == {13} and all(text[0] == "1" for text in values):
        return "epoch_ms", (), 0
    return None


def _time_format(text: str) -> str | None:
    """Return the format of a date or time, ``offset`` for an instant with its offset, None for anything else."""
    if len(text) < 6 or len(text) > 40 or not text[0].isdigit():
        return None
    if found := _OFFSET.fullmatch(text):
        return "offset" if _iso_time(found[1]) else None
    for form in _FORMATS_OF_WIDTH.get(len(text), ()):
        if _parses(text, form):
            return form
    return ISO_FRACTION if len(text) > 19 and _iso_time(text) else None


def _iso_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text[:19])
    except ValueError:
        return False
    return re.fullmatch(r"(?:\.\d+)?", text[19:]) is not None


def _width(form: str) -> int:
    """Return the length of a text in this format: strptime itself takes one digit where two are meant."""
    return sum(4 if part == "%Y" else 2 for part in re.findall(r"%.", form)) + len(re.sub(r"%.", "", form))


_FORMATS_OF_WIDTH = {
    width: tuple(form for form in (*DATE_FORMATS, *TIME_FORMATS) if _width(form) == width) for width in range(6, 24)
}


def _parses(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)
    except ValueError:
        return False
    return True


def _is_order_open(values: Counter[str]) -> bool:
    """Say whether no date with the year last tells the day from the month."""
    firsts = [int(found[1]) for text in values if (found := _TWO_PARTS_FIRST.match(text))]
    return bool(firsts) and max(firsts) <= 12


def _is_midnight(text: str) -> bool:
    return re.search(r"[T ]00:00(?::00(?:\.0+)?)?$", text) is not None


def bounds(facts: Facts) -> tuple[str, str] | None:
    """Return the smallest and the largest value of a column of numbers or ISO dates, as texts; None of any other."""
    if facts.kind in ("integer", "number"):
        numbers = [_as_number(text) for text in facts.values if is_number(text)]
        return (f"{min(numbers):.10g}", f"{max(numbers):.10g}") if numbers else None
    if facts.kind in ("date", "instant", "local_time"):
        texts = [text[:10] for text in facts.values if re.match(r"\d{4}-\d{2}-\d{2}", text)]
        return (min(texts), max(texts)) if texts else None
    return None


def _as_number(text: str) -> float:
    return float(re.sub(r"[ \u00a0\u202f]", "", text).replace(",", "."))
