"""The door: what may not come in at all, looked for in a delivery before anything of it is stored.

Numbers of payment cards, in any delivery; and in those whose card promises aggregates (property ``door``) whatever is
of one merchant, one till or one person. What is found is told by its column and its rows, never by its values. How a
card's number is told from a code is in ``card_numbers``, the words of headers in ``door.yml``; ``landing`` refuses.
"""

from __future__ import annotations

import re
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING

from raw_sources import card_numbers
from raw_sources.database import DuckDBSettings, connect, identifier, literal
from raw_sources.errors import DeliveryForbidden, DeliveryRefused
from raw_sources.office import workbook_form

if TYPE_CHECKING:
    import duckdb

    from raw_sources.card import Card, Promise
    from raw_sources.readers import Match

# Of a delivery whose card says nothing of the door, so much is looked at before all of it is read for card numbers.
HEAD_BYTES = 1 << 20
CHUNK = 1 << 20
OVERLAP = 128
MOST_DISTINCT = 100_000
LEAST_LENGTH = 13
FEW_ROWS = 20
NEARLY_ALL = 0.95
DIGIT = r"[0-9\x{FF10}-\x{FF19}]"
ALMOST_A_NUMBER = rf"{DIGIT}([\s\p{{Z}}\p{{Pd}}\p{{Cf}}\x{{2212}}\x{{2019}}./_,']{{0,3}}{DIGIT}){{12}}"
# Where no delimiter was found: what stands between the values of a document in JSON.
JSON_FORMS, BETWEEN_VALUES = ("json_records", "geojson", "waze"), ","
SIRET = r"\s*[0-9]{3}[ \x{00A0}]?[0-9]{3}[ \x{00A0}]?[0-9]{3}[ \x{00A0}]?[0-9]{5}(\.0+)?\s*"
IBAN = r"\s*[A-Z]{2}[0-9]{2}( ?[A-Z0-9]){11,30}\s*"
FIGURE = r"\s*[-+]?[0-9][0-9 \x{00A0}\x{202F}.,'/:T+Z%-]*\s*"
KEPT = "Nothing of the file is kept: destroy it where it lies"
HINT = f"{KEPT}, and have the producer send figures over several merchants, without this column."


@dataclass(frozen=True)
class _Seen:
    """A column of the delivery: the header that people know it by, the SQL of its texts, and what the card says of it.

    ``logical_type`` is None when the card does not know the column.
    """

    header: str
    sql: str
    is_figure: bool = False
    logical_type: str | None = None


def check(path: Path, match: Match, card: Card, stored: Path, work: Path) -> None:
    """Raise ``DeliveryForbidden`` when the delivery at ``path`` holds what may not come in; ``stored`` would be kept.

    ``work`` is a private folder on whose emptying the caller can rely.
    """
    if card.door is None and not _may_hold_card_numbers(path, match):
        return
    with ExitStack() as stack:
        try:
            rows = stack.enter_context(_rows(path, match, card, work))
        except DeliveryRefused:
            if card.door is None:
                return  # loading says what cannot be read, and keeps it
            raise
        seen = _columns(rows, match, card)
        _check_card_numbers(rows, seen, match, card, path.name)
        if card.door is not None and card.door.aggregates is not None:
            _check_headers(rows, seen, path.name)
            _check_identifiers(rows, seen, path.name)
            _check_promise(rows, card.door.aggregates, match, path.name)
    if card.door is not None:
        _check_outside(stored, match)


def check_name(card: Card, *names: str) -> None:
    """Raise ``DeliveryForbidden`` when the name of a lent file holds a card number."""
    if card.door is not None and any(card_numbers.masked(name) != name for name in names):
        hint = f"{KEPT}, or give it another name."
        raise DeliveryForbidden("the name of the file holds a card number.", where=told(card, names[0]), hint=hint)


def told(card: Card, text: str) -> str:
    """Return what may be said and kept of a lent file: ``text`` without the card numbers in it."""
    return text if card.door is None else card_numbers.masked(text)


# --- reading ----------------------------------------------------------------------------------------------------


def _may_hold_card_numbers(path: Path, match: Match) -> bool:
    """Say whether the beginning of a delivery holds more numbers like a card's than chance gives."""
    if workbook_form(path) is not None:
        texts = _texts(path, match, HEAD_BYTES)
    else:
        with path.open(encoding=match.encoding, errors="replace") as stream:
            texts = _head_columns(stream.read(HEAD_BYTES), match)
    return any(
        _is_suspect(card_numbers.written_in(text), card_numbers.FREQUENT)
        or _is_suspect(card_numbers.alone_in(text), card_numbers.RARE)
        for text in texts
    )


def _head_columns(text: str, match: Match) -> Iterator[str]:
    """Yield the head of a file, a cell in each line, then each of its columns; nothing if no card number is in it."""
    cells = _cells(text, match)
    if not _numbers_in(cells):
        return
    yield cells
    columns: dict[int, list[str]] = {}
    for line in text.splitlines() if match.delimiter is not None else ():
        for place, cell in enumerate(line.split(match.delimiter)):
            if len(cell) >= LEAST_LENGTH:
                columns.setdefault(place, []).append(cell)
    yield from map("\n".join, columns.values())


def _cells(text: str, match: Match) -> str:
    """Return a piece of a file with its cells, or the values of a document in JSON, on lines of their own."""
    between = match.delimiter or (BETWEEN_VALUES if match.layout.form in JSON_FORMS else None)
    return text if between is None else card_numbers.apart(text, between)


def _numbers_in(text: str) -> set[str]:
    return card_numbers.alone_in(text) | card_numbers.written_in(text)


def _is_suspect(numbers: set[str], chance: float = card_numbers.FREQUENT) -> bool:
    found = sum(card_numbers.is_luhn(number) for number in numbers)
    return card_numbers.is_beyond_chance(found, len(numbers), chance)


@contextmanager
def _rows(path: Path, match: Match, card: Card, work: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give the rows of a delivery as the view ``raw``, and what could not be read as ``malformed``."""
    from raw_sources.readers import read

    settings = DuckDBSettings(temp_directory=work)
    raw, malformed = work / "door.parquet", work / "door.malformed.parquet"
    try:
        read(path, match, card, "", raw, malformed, settings)
        with connect(None, settings) as connection:
            for name, file in (("raw", raw), ("malformed", malformed)):
                connection.execute(f"create view {name} as select * from read_parquet({literal(str(file))})")
            yield connection
    finally:
        raw.unlink(missing_ok=True)
        malformed.unlink(missing_ok=True)


def _columns(rows: duckdb.DuckDBPyConnection, match: Match, card: Card) -> list[_Seen]:
    """Return the columns of a delivery that would be stored: those of the card, and those that it does not know."""
    figures = {role.name for role in card.questions.roles if role.kind in ("number", "count", "period")}
    known = [
        _Seen(header, identifier(name), name in figures, card.column(name).logical_type)
        for name, header in match.mapping.items()
        if not card.column(name).never_load
    ]
    listed = rows.execute("select distinct unnest(json_keys(_extra)) as key from raw order by key").fetchall()
    return known + [_Seen(key, f"json_extract_string(_extra, {literal(_json_path(key))})") for (key,) in listed]


def _json_path(key: str) -> str:
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'$."{escaped}"'


def _texts(path: Path, match: Match, most: int | None = None) -> Iterator[str]:
    """Yield the text of a file, or of every document within a workbook, in pieces that overlap; ``most`` of each."""
    if workbook_form(path) is None:
        with path.open("rb") as stream:
            yield from _pieces(stream, match.encoding, most)
        return
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            with archive.open(member) as stream:
                yield from _pieces(stream, "utf-8", most)


def _pieces(stream: IO[bytes], encoding: str, most: int | None) -> Iterator[str]:
    import codecs

    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    kept, read = "", 0
    while (most is None or read < most) and (piece := stream.read(CHUNK)):
        read += len(piece)
        text = kept + decoder.decode(piece)
        yield text
        kept = text[-OVERLAP:]


# --- card numbers -----------------------------------------------------------------------------------------------


def _check_card_numbers(
    rows: duckdb.DuckDBPyConnection, seen: Sequence[_Seen], match: Match, card: Card, name: str
) -> None:
    chance = card_numbers.RARE if card.door is None else card_numbers.FREQUENT
    for column in seen:
        found = _texts_like(rows, "raw", column.sql, ALMOST_A_NUMBER)
        refused = card_numbers.in_cells(found, chance=chance)
        if card.door is not None and not column.is_figure:
            refused |= card_numbers.cut_by_spreadsheets(found)
        if refused:
            raise _forbidden(name, f"holds numbers of payment cards in {_number(found, refused)}", column.header)
    unread = _texts_like(rows, "malformed", "text", ALMOST_A_NUMBER)
    numbers = {text: _numbers_in(_cells(text, match)) for text in unread}
    if _is_suspect(set().union(*numbers.values())):
        held = {text for text, found in numbers.items() if any(map(card_numbers.is_luhn, found))}
        what = f"records that cannot be read hold numbers of payment cards: {_number(unread, held)}."
        raise DeliveryForbidden(what, where=name, hint=f"{KEPT}, and have it sent without them.")


def _texts_like(rows: duckdb.DuckDBPyConnection, relation: str, sql: str, pattern: str) -> dict[str, int]:
    """Return the distinct texts of a column in which ``pattern`` is found, and in how many rows each stands."""
    query = (
        f"select text, count(*) from (select {sql} as text from {relation}) "
        f"where regexp_matches(text, {literal(pattern)}) group by text limit {MOST_DISTINCT}"
    )
    return dict(rows.execute(query).fetchall())


def _check_outside(stored: Path, match: Match) -> None:
    """Refuse a lent file that holds card numbers beside its rows: above the header, in another sheet, in a comment."""
    numbers: set[str] = set()
    for text in _texts(stored, match):
        numbers |= _numbers_in(_cells(text, match))
    if _is_suspect(numbers):
        hint = f"{KEPT}. They may stand above the header, in other sheets, in comments."
        what = f"beside its rows the file holds numbers of payment cards: {sum(map(card_numbers.is_luhn, numbers))}."
        raise DeliveryForbidden(what, where=card_numbers.masked(stored.name), hint=hint)


# --- the promise of aggregates ----------------------------------------------------------------------------------


def _check_headers(rows: duckdb.DuckDBPyConnection, seen: Sequence[_Seen], name: str) -> None:
    for column in seen:
        kind = None if column.is_figure else identified_by(column.header)
        if kind is not None:
            raise _forbidden(name, f"identifies a single {kind} in {_filled(rows, column)} rows", column.header)


def identified_by(header: str) -> str | None:
    """Return what a header says that its column identifies (merchant, till, person, ...), None when it does not."""
    words = _words(header)
    if set(words) & _kinds() or any(words[: len(begin)] == begin for begin in _counts()):
        return None
    return next((kind for kind, wanted in _identifiers() if wanted <= set(words)), None)


def _check_identifiers(rows: duckdb.DuckDBPyConnection, seen: Sequence[_Seen], name: str) -> None:
    """Refuse columns whose values identify merchants or accounts, or every single row, whatever they are called.

    Rows that a code of the card tells apart already (one zone and month, by activity) may have a label each.
    """
    codes = [column for column in seen if not column.is_figure]
    is_told = any(_tells_rows_apart(rows, column, "true") for column in codes if column.logical_type == "string")
    for column in codes:
        for kind, pattern, holds in (("merchant", SIRET, _is_siret), ("account", IBAN, _is_iban)):
            found = _texts_like(rows, "raw", column.sql, f"^{pattern}$")
            held = {text for text in found if holds(text)}
            filled = _filled(rows, column)
            if len(held) > 1 and 2 * sum(found[text] for text in held) >= filled:
                raise _forbidden(name, f"identifies a single {kind} in {_number(found, held)}", column.header)
        no_figure = f"not regexp_full_match(text, {literal(FIGURE)})"
        if column.logical_type is None and not is_told and _tells_rows_apart(rows, column, no_figure):
            raise _forbidden(name, f"has a text of its own in {_filled(rows, column)} rows", column.header)


def _tells_rows_apart(rows: duckdb.DuckDBPyConnection, column: _Seen, where: str) -> bool:
    """Say whether a column has, row by row, another text, among those texts for which the SQL ``where`` holds."""
    query = f"select count(text), count(distinct text) from (select {column.sql} as text from raw) where {where}"
    filled, distinct = rows.execute(query).fetchall()[0]
    return bool(filled >= FEW_ROWS and distinct >= NEARLY_ALL * filled)


def _check_promise(rows: duckdb.DuckDBPyConnection, promise: Promise, match: Match, name: str) -> None:
    """Refuse a list of merchants given as aggregates: most rows count fewer of them than the smallest aggregate."""
    if promise.of not in match.mapping:
        return
    number = f"try_cast(regexp_extract(regexp_replace({identifier(promise.of)}, '\\s', '', 'g'), '^[0-9]+') as bigint)"
    few, counted = rows.execute(
        f"select count(*) filter (where number < {promise.smallest}), count(number) from (select {number} as number "
        "from raw) where number > 0"
    ).fetchall()[0]
    if 2 * few > counted:
        header = card_numbers.masked(match.mapping[promise.of])
        found = f"counts fewer than {promise.smallest} in {few} of {counted} rows"
        what = f"the column {header!r} {found}: this is a list, not aggregates."
        raise DeliveryForbidden(what, where=card_numbers.masked(name), hint=HINT)


def _filled(rows: duckdb.DuckDBPyConnection, column: _Seen) -> int:
    return int(rows.execute(f"select count({column.sql}) from raw").fetchall()[0][0])


def _number(found: dict[str, int], held: set[str]) -> str:
    """Return the number of rows that hold some texts, for a sentence."""
    rows = sum(found[text] for text in held)
    return f"at least {rows} rows" if len(found) == MOST_DISTINCT else f"{rows} rows"


def _forbidden(name: str, what: str, header: str) -> DeliveryForbidden:
    """Return the refusal of a column, by names in which no card number is left."""
    sentence = f"the column {card_numbers.masked(header)!r} {what}."
    return DeliveryForbidden(sentence, where=card_numbers.masked(name), hint=HINT)


def _is_siret(text: str) -> bool:
    digits = re.sub(r"\D", "", text.split(".")[0])
    return card_numbers.is_luhn(digits) and card_numbers.is_luhn(digits[:9])


def _is_iban(text: str) -> bool:
    """Say whether an account number checks: ISO 13616, the remainder of 97 is 1."""
    packed = re.sub(r"\s", "", text)
    return int("".join(str(int(sign, 36)) for sign in packed[4:] + packed[:4])) % 97 == 1


def _words(text: str) -> list[str]:
    """Return the words of a header, without accents or case, each in the singular."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    plain = unicodedata.normalize("NFKD", apart).encode("ascii", errors="ignore").decode().lower()
    return [word[:-1] if len(word) > 3 and word[-1] in "sx" else word for word in re.findall(r"[a-z0-9]+", plain)]


@cache
def _kinds() -> set[str]:
    return {word for entry in card_numbers.rules()["kinds"] for word in _words(entry)}


@cache
def _counts() -> list[list[str]]:
    return [_words(entry) for entry in card_numbers.rules()["counts"]]


@cache
def _identifiers() -> list[tuple[str, set[str]]]:
    listed = card_numbers.rules()["identifiers"].items()
    return [(kind, set(_words(entry))) for kind, entries in listed for entry in entries]
