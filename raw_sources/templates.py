"""Empty spreadsheets to fill, one per card (`halle template`): what a producer types in them loads as it is.

The first sheet has the card's headers under a title; the second says what each column means, and the third holds the
closed lists. What is written in a workbook once data have come belongs in ``corrections``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

from xlsxwriter.format import Format
from xlsxwriter.utility import xl_range_abs
from xlsxwriter.worksheet import Worksheet

from raw_sources.card import Card, Code, Column
from raw_sources.drafting.yaml_text import dump
from raw_sources.errors import ConfigurationError
from raw_sources.mapping import FileMapping, Role, as_example
from raw_sources.readers.spreadsheet import layouts_for
from raw_sources.spreadsheets import header_of, new_workbook, sheet_of, styles, write_rows

RECORDS, NOTICE, LISTS = "Données", "Notice", "Listes"
HINT_ROW, HEADER_ROW = 2, 3
ROWS_WITH_LISTS = 20_000
NARROWEST, WIDEST = 14, 40
TYPES_FR = {
    "string": "texte",
    "integer": "nombre entier",
    "number": "nombre",
    "boolean": "VRAI ou FAUX",
    "date": "date (AAAA-MM-JJ)",
    "timestamp": "date et heure (AAAA-MM-JJ HH:MM:SS, heure légale {zone})",
    "object": "objet (GeoJSON)",
}
EXAMPLES = {
    "integer": "12",
    "number": "12,5",
    "boolean": "VRAI",
    "date": "2025-03-31",
    "timestamp": "2025-03-31 14:00:00",
}
MONTH = date(2025, 3, 31)
"""The month of an example, written as a territory declares."""
NOTICE_HEADERS = (
    "Colonne de la feuille", "Nom", "Signification", "Unité", "Type", "Remplissage", "Bornes plausibles", "Exemple",
    "Valeurs possibles",
)  # fmt: skip


def write_template(card: Card, out: Path) -> None:
    """Write the empty spreadsheet of ``card``, never-load columns left out.

    Columns that a territory maps have its headers and, as long as it maps none, the names of their roles.
    Raises ConfigurationError when the card takes no spreadsheet.
    """
    if not layouts_for(card):
        forms = ", ".join(sorted({layout.form for layout in card.layouts}))
        raise ConfigurationError(
            f"the source {card.source!r} takes no table: its form is {forms}.",
            where=str(card.path),
            hint="Add a layout of form spreadsheet to its card, with headers for its columns.",
        )
    card = _as_the_territory_writes(_with_roles_as_headers(card))
    with new_workbook(out) as book:
        named = styles(book)
        records = book.add_worksheet(sheet_of(card, RECORDS))
        _write_records(records, card, named)
        _write_notice(book.add_worksheet(NOTICE), card, named)
        if any(column.codes for column in card.loaded_columns):
            _write_lists(book.add_worksheet(LISTS), records, card, named)


def mapping_to_paste(card: Card) -> str | None:
    """Return the mapping that reads the filled template of ``card``, for its feed in territory.yml.

    None when no column is to be mapped, or the territory maps them already: the template has its headers then.
    """
    if not card.questions.roles or card.mapping is not None:
        return None
    example = as_example(card.questions)
    # Figures typed in a spreadsheet arrive with a point, and nothing between thousands.
    said: dict[str, object] = {"columns": example.columns, "unit": example.unit, "decimal": ".", "thousands": ""}
    if example.base_period is not None:
        said["base_period"] = example.base_period
    return dump({"feeds": {card.source: {"mapping": said}}})


def _with_roles_as_headers(card: Card) -> Card:
    if card.mapping is not None:
        return card
    roles = {role.name for role in card.questions.roles}
    columns = (replace(one, headers=(one.name,)) if one.name in roles else one for one in card.columns)
    return replace(card, columns=tuple(columns))


def _as_the_territory_writes(card: Card) -> Card:
    """Return the card with codes and examples of its roles as its mapping has them written."""
    if card.mapping is None:
        return card
    roles = {role.name: role for role in card.questions.roles}
    columns = (_written(one, roles[one.name], card.mapping) if one.name in roles else one for one in card.columns)
    return replace(card, columns=tuple(columns))


def _written(column: Column, role: Role, mapping: FileMapping) -> Column:
    if role.name in mapping.codes:
        words = tuple(Code(word, code, code) for word, code in mapping.codes[role.name].items())
        return replace(column, codes=words, examples=())
    if role.kind == "period":
        return replace(column, examples=(MONTH.strftime(mapping.period_format),))
    if role.kind == "number":
        return replace(column, examples=tuple(text.replace(".", mapping.decimal) for text in column.examples))
    return column


def _write_records(sheet: Worksheet, card: Card, named: dict[str, Format]) -> None:
    sheet.write_string(0, 0, f"{card.title_fr} – {card.producer_name or card.producer}", named["title"])
    sheet.write_string(
        1,
        0,
        f"Une ligne par enregistrement, à partir de la ligne {HEADER_ROW + 2}. Colonnes foncées : à remplir toujours. "
        f"La feuille « {NOTICE} » explique chaque colonne.",
        named["note"],
    )
    for index, column in enumerate(card.loaded_columns):
        header = header_of(column)
        sheet.set_column(index, index, max(NARROWEST, min(len(header) + 4, WIDEST)), named[_cell_style(column, card)])
        sheet.write_string(HINT_ROW, index, _hint(column, card), named["hint"])
        sheet.write_string(HEADER_ROW, index, header, named["header" if column.nullable else "required"])
        sheet.write_comment(HEADER_ROW, index, _comment(column), {"x_scale": 2, "y_scale": 2})
    sheet.freeze_panes(HEADER_ROW + 1, 0)


def _cell_style(column: Column, card: Card) -> str:
    """Return the style of a column's cells: figures and dates as such, everything else as text.

    A figure of a spreadsheet arrives with a point: those that a territory writes otherwise stay as they are typed.
    """
    if card.mapping is not None and card.mapping.decimal != "." and column.name in card.mapping.columns:
        return "text"
    if column.logical_type in ("integer", "number", "boolean"):
        return "wrapped"
    return "date" if column.logical_type == "date" else "text"


def type_in_french(column: Column, card: Card) -> str:
    """Return what a cell of ``column`` has to be, in French."""
    periods = {role.name for role in card.questions.roles if role.kind == "period"}
    if card.mapping is not None and column.name in periods:
        return f"mois écrit comme {MONTH.strftime(card.mapping.period_format)} (format {card.mapping.period_format})"
    return TYPES_FR.get(column.logical_type, "texte").format(zone=card.time_zone)


def _hint(column: Column, card: Card) -> str:
    told = type_in_french(column, card)
    return column.unit or (told if told != TYPES_FR["string"] else "")


def _comment(column: Column) -> str:
    unit = f"\nUnité : {column.unit}." if column.unit else ""
    example = f"\nExemple : {_example(column)}" if _example(column) else ""
    return f"{column.title_fr}\n{column.description_fr}{unit}{example}"


def _example(column: Column) -> str:
    """Return what the card gives as an example, else a value of its list, else one of its type."""
    if column.examples:
        return column.examples[0]
    return column.codes[0].code if column.codes else EXAMPLES.get(column.logical_type, "")


def _write_notice(sheet: Worksheet, card: Card, named: dict[str, Format]) -> None:
    row = write_rows(sheet, 0, [[card.title_fr]], named["title"])
    about = [
        [card.description_fr],
        [f"Producteur : {card.producer_name or card.producer}. Licence : {card.licence}."],
        [f"Fichier rempli : halle land {card.source} FICHIER.xlsx, puis halle run."],
        [f"À qui demander : {card.steward}, {card.contact.removeprefix('mailto:')}."],
    ]
    row = write_rows(sheet, row, about) + 1
    row = write_rows(sheet, row, [list(NOTICE_HEADERS)], named["header"])
    write_rows(sheet, row, [_notice_row(column, card) for column in card.loaded_columns], named["wrapped"])
    for index, width in enumerate((24, 24, 60, 12, 24, 14, 18, 20, 60)):
        sheet.set_column(index, index, width)


def _notice_row(column: Column, card: Card) -> list[str]:
    bounds = [f"{limit:g}" if limit is not None else "…" for limit in (column.minimum, column.maximum)]
    return [
        header_of(column),
        column.title_fr,
        column.description_fr,
        column.unit or "",
        type_in_french(column, card),
        "facultatif" if column.nullable else "obligatoire",
        "" if bounds == ["…", "…"] else " à ".join(bounds),
        _example(column),
        " ; ".join(f"{one.code} = {one.title_fr}" if one.code != one.title_fr else one.code for one in column.codes),
    ]


def _write_lists(sheet: Worksheet, records: Worksheet, card: Card, named: dict[str, Format]) -> None:
    """Write each closed list in a column of its own, and offer it where the records are typed."""
    place = 0
    for index, column in enumerate(card.loaded_columns):
        if not column.codes:
            continue
        sheet.write_string(0, place, f"Valeurs de {header_of(column)}", named["header"])
        for row, one in enumerate(column.codes, start=1):
            sheet.write_string(row, place, one.code, named["text"])
        listed = f"={LISTS}!{xl_range_abs(1, place, len(column.codes), place)}"
        told = {"error_title": "Valeur inconnue", "error_message": f"Les valeurs sont dans la feuille {LISTS}."}
        if card.mapping is not None and column.name in card.mapping.codes:
            told["error_type"] = "warning"  # a code of ours, which needs no mapping, is right as well
        records.data_validation(
            HEADER_ROW + 1, index, HEADER_ROW + ROWS_WITH_LISTS, index, {"validate": "list", "source": listed, **told}
        )
        sheet.set_column(place, place, WIDEST)
        place += 1
