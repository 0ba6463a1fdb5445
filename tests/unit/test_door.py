"""The door: card numbers and what is of one merchant, till or person are refused, and nothing of them is kept."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import xlsxwriter

from raw_sources import door
from raw_sources.card import Card, Door, Promise, read_card
from raw_sources.card_numbers import (
    FREQUENT,
    RARE,
    cut_by_spreadsheets,
    in_cells,
    is_card_number,
    is_luhn,
    masked,
    normalised,
    rules,
)
from raw_sources.errors import ConfigurationError
from raw_sources.landing import Landing
from raw_sources.readers import inspect
from tests.unit.readers_support import card, column, layout

NOW = datetime(2026, 3, 1, tzinfo=UTC)
# Numbers that the schemes publish for tests.
TESTS = ("4111111111111111", "5555555555554444", "378282246310005", "6011111111111117", "4012888888881881")
SIRETS = ("21750001600019", "21690123100011", "21130055300016", "21330063500017", "21310555400017")
LENT = Door(Promise("merchants", 2))
COLUMNS = (
    column("period", "mois", required=True),
    column("zone", "zone", required=True),
    column("merchants", "commerces", required=True, logical_type="integer"),
    column("amount", "montant", required=True, logical_type="number"),
)
LAYOUTS = (layout("table"), layout("list", "json_records"))


def lent(**options: object) -> Card:
    """Return the card of lent aggregates."""
    return replace(card(COLUMNS, LAYOUTS, source="partner_payments", observed_column=None), door=LENT, **options)  # type: ignore[arg-type]


def table(*extra: str, rows: int = 8, header: str = "", merchants: int = 7) -> str:
    """Return a table of aggregates, with one more column under ``header`` when there is one."""
    cells = [extra[row % len(extra)] if extra else "" for row in range(rows)]
    head = "mois;zone;commerces;montant" + (f";{header}" if header else "")
    lines = [
        f"2025-{row % 12 + 1:02d};{row % 3 + 1:02d};{merchants};{1_000 + row}" + (f";{cells[row]}" if header else "")
        for row in range(rows)
    ]
    return "\n".join([head, *lines]) + "\n"


def land(folder: Path, of: Card, name: str, content: str | bytes) -> tuple[str | None, str]:
    """Land a file and return the sentence of its refusal, and all that the landing then holds, as text."""
    file = folder / "inbox" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    root = folder / "landing"
    (landed,) = Landing(root).land_file(of, file, now=NOW)
    return landed.refusal, everything(root)


def everything(root: Path) -> str:
    """Return the names and the contents of all files below a folder."""
    return "".join(
        f"{path}\n{path.read_bytes().decode('latin-1')}" for path in sorted(root.rglob("*")) if path.is_file()
    )


# --- numbers ----------------------------------------------------------------------------------------------------


def test_a_card_number_begins_and_checks_as_one():
    assert all(is_card_number(number) for number in TESTS)
    assert is_luhn("9111111111111118") is False
    assert not is_card_number("4111111111111112"), "does not check"
    assert not is_card_number("9999999999999995"), "no scheme begins so"
    assert is_luhn("38012986643097") and not is_card_number("38012986643097"), "a SIRET"


def test_one_code_in_ten_checks_by_chance():
    codes = [f"4970{number:012d}" for number in np.random.default_rng(5).integers(10**12, size=3_000)]
    assert in_cells(codes, chance=FREQUENT) == set()
    true, false = ([code for code in codes if is_luhn(code) is checked] for checked in (True, False))
    assert in_cells([*false[:50], *TESTS], chance=FREQUENT) == set(), "five among fifty: as chance has it"
    assert in_cells(true[:100] + false[:50], chance=RARE) == set(true[:100])
    assert in_cells(TESTS[:1], chance=RARE) == set() and in_cells(TESTS[:1], chance=FREQUENT) == set(TESTS[:1])
    assert in_cells(TESTS, chance=RARE) == set(TESTS)


@pytest.mark.parametrize(
    "text",
    ["4111 1111 1111 1111", "carte 4111-1111-1111-1111 du 3", "4111/1111/1111/1111", "3782 822463 10005"],
)
def test_a_number_written_as_on_a_card_is_one(text: str):
    assert in_cells([text], chance=RARE) == {text}
    assert "1111" not in masked(text) and "10005" not in masked(text)


PLAIN = TESTS[0]
FORMS = {
    "filled with zeros": f"000{PLAIN}",
    "track 1": f"%B{PLAIN}^X^2712",
    "track 2": f"{PLAIN}D27121010000",
    "letters before": f"CB{PLAIN}",
    "two": f"{PLAIN},5555555555554444",
    "in a list": f"1,{PLAIN},2",
    "in JSON": f"[5,{PLAIN}]",
    "beside others": f"12 {PLAIN} 13",
    "with its date": "4111 1111 1111 1111 1227",
    "scientific": "4.111111111111111E+15",
    "decimal": f"{PLAIN},00",
    "thousands": "4,111,111,111,111,111",
    "tabs": "4111\t1111\t1111\t1111",
    "two spaces": "4111  1111  1111  1111",
    "no-break dashes": "4111\u20111111\u20111111\u20111111",
    "en dashes": "4111\u20131111\u20131111\u20131111",
    "thin spaces": "4111\u20091111\u20091111\u20091111",
    "full width": "".join(chr(0xFF10 + int(digit)) for digit in PLAIN),
    "unseen signs": "41111111\u200b11111111",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_card_number_is_found_however_it_is_written(tmp_path: Path, form: str):
    text = FORMS[form]
    assert in_cells([text], chance=FREQUENT) == {text}
    refusal, _ = land(tmp_path, lent(), "p.csv", table(text, header="ref"))
    assert refusal is not None and "numbers of payment cards" in refusal
    if form not in ("in a list", "in JSON", "two"):
        assert "1111" not in normalised(masked(text))


HONEST = {
    "epoch milliseconds": [f"{1_763_200_000_000 + 60_000 * number}" for number in range(400)],
    "timestamps": [f"202511{1 + number % 30:02d}{number % 24:02d}{number % 60:02d}00" for number in range(400)],
    "periods": [f"{1 + number % 30:02d}-11-2025 - {1 + number % 28:02d}-12-2025" for number in range(400)],
    "articles": [f"{45_0123_450_000 + number}" for number in range(400)],
    "SIRET that lost its zero": [f"{45_000_000 + number}" for number in range(400)],
    "decimals": [f"{number % 90},{4_970_000_000_000_000 + 7_919 * number}" for number in range(400)],
    "amounts": [f"{4_970_000_000_000 + 104_729 * number},{number % 90 + 10}" for number in range(400)],
    "lost by a spreadsheet": [f"4,97{number:03d}E+15" for number in range(400)],
    "accounts": [f"FR76 4970 {number:04d} 5210 0112 3456 189" for number in range(400)],
    "telephones": [f"04 91 55 12 {number % 90 + 10} - 06 34 51 {number // 90 + 10} 78" for number in range(400)],
    "hashes": [sha256(str(number).encode()).hexdigest() for number in range(400)],
    "streets": [f"75{number:03d}{4_970_000_000 + number}" for number in range(400)],
}


def checked(kind: str, digits: str) -> str:
    """Return a number with its check digits: of an article (EAN), or of a SIREN and the SIRET of its seat."""
    if kind == "articles":
        places = [int(digit) for digit in reversed(digits)]
        return digits + str(-(3 * sum(places[::2]) + sum(places[1::2])) % 10)
    if kind == "SIRET that lost its zero":
        siren = next(f"0{digits[:7]}{last}" for last in range(10) if is_luhn(f"0{digits[:7]}{last}"))
        return next(f"{siren}0001{last}" for last in range(10) if is_luhn(f"{siren}0001{last}")).lstrip("0")
    return digits


@pytest.mark.parametrize("chance", [RARE, FREQUENT])
@pytest.mark.parametrize("kind", HONEST)
def test_honest_columns_pass(kind: str, chance: float):
    assert in_cells([checked(kind, text) for text in HONEST[kind]], chance=chance) == set()


@pytest.mark.parametrize("text", ["FR76 4111 1111 1111 1111 143", "48.4111111111111111", "2025-01-31", "4 111,5"])
def test_an_account_number_a_decimal_and_a_date_are_none(text: str):
    assert in_cells([text], chance=FREQUENT) == set()


# --- card numbers at the door -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.csv", table(*TESTS, header="ref")),
        ("p.csv", table("4111 1111 1111 1111", header="remarque")),
        ("p.csv", table(f"{TESTS[0]}.0", header="ref")),
        ("p.csv", table(f"'{TESTS[0]} EUR", header="ref")),
        ("p.csv", table().replace("mois;", f"{TESTS[0]};mois;", 1).replace("\n2025", "\n1;2025")),
        ("p.csv", table().replace("2025-01;01", f"2025-01;{TESTS[0]}")),
        ("p.csv", f"Relevé de la carte {TESTS[0]}\n" + table()),
        ("p.csv", table() + f'2025-01;"01;7;{TESTS[0]}\n'),
        ("p.csv.gz", gzip.compress(table(*TESTS, header="ref").encode(), mtime=0)),
        ("p.csv", table(*TESTS, header="ref").encode("utf-16")),
        ("p.json", json.dumps([{"mois": "2025-01", "zone": "01", "commerces": 7, "montant": 5, "ref": int(TESTS[0])}])),
        (
            "p.json",
            json.dumps([{"mois": "2025-01", "zone": "01", "commerces": 7, "montant": 5, "d": {"n": [TESTS[0]]}}]),
        ),
        (f"releve {TESTS[0]}.csv", table()),
        ("p.csv", f"{TESTS[0]};{TESTS[1]};1;2\n"),
    ],
)
def test_a_lent_file_with_a_card_number_leaves_nothing(tmp_path: Path, name: str, content: str | bytes):
    refusal, held = land(tmp_path, lent(), name, content)
    assert refusal is not None
    for text in (refusal, held):
        assert not any(number in text for number in TESTS)
        assert "4111 1111" not in text and "4111\x001\x00" not in text
    assert not list((tmp_path / "landing").rglob("p.*")), "no bytes of it"
    assert sum(path.is_file() for path in (tmp_path / "landing" / ".incoming").rglob("*")) <= 1, "the lock alone"


def test_the_sentence_has_the_column_and_the_rows(tmp_path: Path):
    refusal, _ = land(tmp_path, lent(), "p.csv", table(TESTS[0], "", header="Réf. client"))
    assert refusal is not None
    assert "the column 'Réf. client' holds numbers of payment cards in 4 rows" in refusal
    assert "Nothing of the file is kept" in refusal


def test_numbers_that_a_spreadsheet_cut_are_card_numbers_still(tmp_path: Path):
    cut = [f"{number[:15]}0" for number in TESTS if len(number) == 16]
    assert not any(map(is_card_number, cut[:3]))
    refusal, held = land(tmp_path, lent(), "p.csv", table(*cut, header="ref"))
    assert refusal is not None and "'ref' holds numbers of payment cards in 8 rows" in refusal and cut[0] not in held
    assert cut_by_spreadsheets([*cut, "4111111111111112"]) == set(), "codes, some of which end in zero"


@pytest.mark.parametrize("sheet", ["Données", "Détail"])
def test_a_workbook_is_searched_in_every_sheet(tmp_path: Path, sheet: str):
    path = tmp_path / "inbox" / "p.xlsx"
    path.parent.mkdir()
    with xlsxwriter.Workbook(path) as book:
        records, other = book.add_worksheet("Données"), book.add_worksheet("Détail")
        for row, line in enumerate(table(header="ref").splitlines()):
            records.write_row(row, 0, line.split(";"))
        if sheet == "Données":
            records.write_number(3, 4, int(TESTS[0]))
        else:
            other.write_string(3, 4, TESTS[0])
    (landed,) = Landing(tmp_path / "landing").land_file(lent(), path, now=NOW)
    assert landed.refusal is not None and "payment cards" in landed.refusal
    assert not list((tmp_path / "landing").rglob("*.xlsx"))


def test_any_card_refuses_a_column_of_card_numbers(tmp_path: Path):
    refusal, held = land(tmp_path, replace(lent(), door=None), "p.csv", table(*TESTS, header="ref"))
    assert refusal is not None and "the column 'ref' holds numbers of payment cards in 8 rows" in refusal
    assert TESTS[0] not in held


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
def test_any_card_refuses_them_whatever_stands_between_the_cells(tmp_path: Path, delimiter: str):
    rows = [f"2025-{row % 12 + 1:02d};01;7;{row};{TESTS[row % 5]};{row + 1}" for row in range(40)]
    file = "\n".join(["mois;zone;commerces;montant;ref;qte", *rows]).replace(";", delimiter) + "\n"
    refusal, held = land(tmp_path, replace(lent(), door=None), "p.csv", file)
    assert refusal is not None and "the column 'ref' holds numbers of payment cards in 40 rows" in refusal
    assert TESTS[0] not in held


def test_a_column_of_card_numbers_beside_one_of_codes_is_refused(tmp_path: Path):
    codes = [f"4{number:015d}" for number in np.random.default_rng(3).integers(10**15, size=400)]
    head, *lines = table(*codes, rows=400, header="code").splitlines()
    refs = [*TESTS, *["none"] * 395]
    file = "\n".join([f"{head};ref", *(f"{line};{ref}" for line, ref in zip(lines, refs, strict=True))]) + "\n"
    refusal, _ = land(tmp_path, replace(lent(), door=None), "p.csv", file)
    assert refusal is not None and "'ref' holds numbers of payment cards in 5 rows" in refusal


def test_schemes_begin_with_the_digits_that_are_looked_for():
    assert {prefix[0] for scheme in rules()["schemes"] for prefix in scheme["prefixes"]} <= set("23456")


@pytest.mark.parametrize("is_lent", [True, False])
def test_codes_of_as_many_digits_are_no_card_numbers(tmp_path: Path, is_lent: bool):
    codes = [f"4{number:015d}" for number in np.random.default_rng(3).integers(10**15, size=400)]
    of = lent() if is_lent else replace(lent(), door=None)
    assert land(tmp_path / "codes", of, "p.csv", table(*codes, rows=400, header="montant cumulé"))[0] is None
    amounts = table(rows=400).replace(";1", ";4532015112830")
    assert land(tmp_path / "amounts", of, "p.csv", amounts)[0] is None


def test_open_data_may_give_sirets_and_names(tmp_path: Path):
    of = replace(lent(), door=None)
    assert land(tmp_path, of, "p.csv", table(*SIRETS, header="siret"))[0] is None


# --- the promise of aggregates ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "values", "sentence"),
    [
        ("SIRET", ("x",), "'SIRET' identifies a single merchant in 8 rows"),
        ("Nom du commerçant", ("Chez Léa",), "identifies a single merchant"),
        ("merchantName", ("Lea's",), "identifies a single merchant"),
        ("N° de terminal", ("12",), "identifies a single till"),
        ("Kaarthouder", ("x",), "identifies a single person"),
        ("IBAN", ("x",), "identifies a single account"),
        ("code", SIRETS, "'code' identifies a single merchant in 8 rows"),
        ("ref", ("FR7630006000011234567890189", "BE68539007547034"), "identifies a single account in 8 rows"),
    ],
)
def test_what_identifies_a_merchant_is_refused(tmp_path: Path, header: str, values: tuple[str, ...], sentence: str):
    refusal, held = land(tmp_path, lent(), "p.csv", table(*values, header=header))
    assert refusal is not None and sentence in refusal
    assert not any(value in held for value in values if len(value) > 3)


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("Nombre de terminaux", ("12",)),
        ("Nom de la branche de commerce", ("Restaurants",)),
        ("siren_epci", ("200046977", "246900245")),
        ("producteur", SIRETS[:1]),
        ("territoire", ("Rhône", "Ain")),
    ],
)
def test_what_tells_of_many_is_not(tmp_path: Path, header: str, values: tuple[str, ...]):
    assert land(tmp_path, lent(), "p.csv", table(*values, header=header))[0] is None


def test_a_text_of_its_own_in_every_row_is_refused(tmp_path: Path):
    names = [f"Boutique {chr(65 + number)}" for number in range(26)]
    refusal, held = land(tmp_path, lent(), "p.csv", table(*names, rows=26, header="libelle"))
    assert refusal is not None and "'libelle' has a text of its own in 26 rows" in refusal and "Boutique" not in held
    by_zone = "".join(f"2025-01;Z{number};7;5;{name}\n" for number, name in enumerate(names))
    file = f"mois;zone;commerces;montant;libelle\n{by_zone}"
    assert land(tmp_path / "labels", lent(), "p.csv", file)[0] is None, "the zone tells the rows apart already"
    figures = [f"{number},5" for number in range(26)]
    assert land(tmp_path / "figures", lent(), "p.csv", table(*figures, rows=26, header="panier"))[0] is None


def test_a_list_of_merchants_is_no_table_of_aggregates(tmp_path: Path):
    refusal, _ = land(tmp_path, lent(), "p.csv", table(merchants=1))
    assert refusal is not None and "'commerces' counts fewer than 2 in 8 of 8 rows" in refusal
    assert land(tmp_path, lent(), "q.csv", table().replace(";7;", ";1;", 3))[0] is None, "some cells are small"


def test_a_mapped_code_is_searched_and_a_mapped_figure_is_not(tmp_path: Path):
    of = lent()
    assert door.identified_by("Enseigne") == "merchant" and door.identified_by("Activité du commerce") is None
    file = tmp_path / "p.csv"
    file.write_text(table())
    assert inspect(file, of).mapping["merchants"] == "commerces"


def test_a_promise_counts_a_column_of_the_card(tmp_path: Path):
    source = Path(door.__file__).parent / "economy" / "partenaire_paiements_agreges.yml"
    assert read_card(source).door == LENT
    copy = tmp_path / source.name
    copy.write_text(source.read_text("utf-8").replace("{of: merchants, smallest", "{of: merchant, smallest"), "utf-8")
    with pytest.raises(ConfigurationError, match=r"no column is called 'merchant'.*merchants"):
        read_card(copy)
