"""Readers by form of file: which layout of a card a file follows, and its records as raw text.

One module per form. Everything reaches raw as text; types, units and refusals of values belong in staging, receipts
and the order of deliveries in ``landing`` and ``loading``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from raw_sources.errors import DeliveryRefused, MachineryError
from raw_sources.readers.match import Match, ReadCount

if TYPE_CHECKING:
    from raw_sources.card import Card, Layout
    from raw_sources.database import DuckDBSettings
    from raw_sources.readers.json_records import Unwrap

__all__ = ["READER_VERSION", "Match", "ReadCount", "clean", "inspect", "read"]

# Raised when the same bytes under the same card would give other rows: loaded deliveries are then read again.
READER_VERSION = "4"
_JSON_FORMS = ("json_records", "geojson")


def inspect(path: Path, card: Card) -> Match:
    """Return the layout of ``card`` that the file follows, and how its columns meet the card's.

    Raises DeliveryRefused, with what was found instead, when it follows none; for a card whose headers are those that a
    territory maps, it says which, and where to mend them.
    """
    try:
        return _inspect(path, card)
    except DeliveryRefused as refusal:
        if card.mapping is None:
            raise
        mapped = ", ".join(f"{role} to {header!r}" for role, header in card.mapping.columns.items())
        hint = f"territory.yml maps {mapped}: write the file's headers under feeds, {card.source}, mapping, columns."
        raise DeliveryRefused(refusal.what, where=refusal.where, hint=hint) from refusal


def _inspect(path: Path, card: Card) -> Match:
    from raw_sources.readers.sniff import kind_of

    kind = kind_of(path)
    if any(layout.form == "waze" for layout in card.layouts):
        from raw_sources.readers.waze import inspect_waze, refuse_xml

        if kind == "xml":
            raise refuse_xml(path)
        return inspect_waze(path, card, [layout for layout in card.layouts if layout.form == "waze"])
    if kind == "json":
        return _inspect_json(path, card)
    if kind == "spreadsheet":
        from raw_sources.readers.spreadsheet import inspect_spreadsheet, layouts_for

        layouts = layouts_for(card) or _layouts(path, card, "spreadsheet", "a spreadsheet")
        return inspect_spreadsheet(path, card, layouts)
    if kind == "xml":
        from raw_sources.readers.xml_records import inspect_xml

        return inspect_xml(path, card, _layouts(path, card, "xml_records", "an XML document"))
    from raw_sources.readers.delimited import inspect_delimited

    return inspect_delimited(path, card, _layouts(path, card, "delimited", "delimited text"))


def _inspect_json(path: Path, card: Card) -> Match:
    from raw_sources.readers.geojson import is_feature, unwrap_feature
    from raw_sources.readers.json_records import inspect_json, probe, unwrap_record

    declared = next((layout.encoding for layout in card.layouts if layout.form in _JSON_FORMS), None)
    found = probe(path, card, declared)
    if found.envelope.container == "features" or any(is_feature(record) for record in found.records[:1]):
        return inspect_json(path, card, _layouts(path, card, "geojson", "GeoJSON"), found, unwrap_feature)
    if found.envelope.container is None:
        return inspect_json(path, card, card.layouts, found, unwrap_record)
    return inspect_json(
        path, card, _layouts(path, card, "json_records", "a list of JSON records"), found, unwrap_record
    )


def _layouts(path: Path, card: Card, form: str, described: str) -> Sequence[Layout]:
    layouts = [layout for layout in card.layouts if layout.form == form]
    if not layouts:
        accepted = ", ".join(sorted({f"{layout.name} ({layout.form})" for layout in card.layouts}))
        raise DeliveryRefused(
            f"the file is {described}, which {card.source} does not accept",
            where=path.name,
            hint=f"Its layouts are: {accepted}.",
        )
    return layouts


def read(
    path: Path, match: Match, card: Card, delivery_id: str, raw_out: Path, malformed_out: Path, settings: DuckDBSettings
) -> ReadCount:
    """Read every record of the file into ``raw_out`` or ``malformed_out`` (Parquet, see ``writer``) and count them.

    Raises DeliveryRefused when the file has records and none of them can be read: to take it for an empty delivery
    would end everything that it does not mention. Raises MachineryError when the counts do not balance.
    """
    count = _read(path, match, card, delivery_id, raw_out, malformed_out, settings)
    if count.records_read != count.raw_rows + count.malformed:
        raise MachineryError(
            f"{count.records_read} records were read, but {count.raw_rows} rows and {count.malformed} malformed kept",
            where=path.name,
            hint="This is a defect of the reader; please report it with the file.",
        )
    if count.records_read and not count.raw_rows:
        from raw_sources.readers.writer import first_malformed

        raise DeliveryRefused(
            f"none of the {count.records_read} records can be read; the first: {first_malformed(malformed_out)}",
            where=path.name,
            hint="Compare the file with the layouts of its card.",
        )
    return count


def _read(
    path: Path, match: Match, card: Card, delivery_id: str, raw_out: Path, malformed_out: Path, settings: DuckDBSettings
) -> ReadCount:
    if match.layout.form == "delimited":
        from raw_sources.readers.delimited import read_delimited

        return read_delimited(path, match, card, delivery_id, raw_out, malformed_out, settings)
    if match.layout.form == "spreadsheet":
        from raw_sources.readers.spreadsheet import read_spreadsheet

        return read_spreadsheet(path, match, card, delivery_id, raw_out, malformed_out)
    if match.layout.form == "xml_records":
        from raw_sources.readers.xml_records import read_xml

        return read_xml(path, match, card, delivery_id, raw_out, malformed_out)
    if match.layout.form == "waze":
        from raw_sources.readers.waze import read_waze

        return read_waze(path, match, card, delivery_id, raw_out, malformed_out)
    from raw_sources.readers.json_records import read_json

    return read_json(path, match, card, delivery_id, raw_out, malformed_out, _unwrap(match))


def _unwrap(match: Match) -> Unwrap:
    from raw_sources.readers.geojson import unwrap_feature
    from raw_sources.readers.json_records import unwrap_record

    return unwrap_feature if match.layout.form == "geojson" else unwrap_record


def clean(path: Path, match: Match, card: Card, out: Path) -> None:
    """Rewrite the file without the card's never-load columns, in the same form, dialect and encoding.

    A record that cannot be parsed may hold them in any place: its text is replaced by a marker, and reading the
    cleaned file counts it as malformed. A spreadsheet becomes XLSX, whatever it was.
    """
    if match.layout.form == "delimited":
        from raw_sources.readers.delimited import clean_delimited

        clean_delimited(path, match, card, out)
        return
    if match.layout.form == "spreadsheet":
        from raw_sources.readers.spreadsheet import clean_spreadsheet

        clean_spreadsheet(path, match, card, out)
        return
    if match.layout.form == "xml_records":
        from raw_sources.readers.xml_records import clean_xml

        clean_xml(path, match, card, out)
        return
    if match.layout.form == "waze":
        from raw_sources.readers.waze import clean_waze

        clean_waze(path, match, card, out)
        return
    from raw_sources.readers.json_records import clean_json

    clean_json(path, match, card, out, _unwrap(match))
