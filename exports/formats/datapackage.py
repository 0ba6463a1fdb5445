"""``datapackage.json``: the Data Package 2.0 descriptor of a release (https://datapackage.org, profile 2.0).

One resource per form of the table; a table split by month is one resource with several paths, whose sizes and hashes
are in its ``files``. French first, English in ``…_en``. Built from given facts; nothing is read or measured here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from exports.card import ExportCard
from exports.formats.columns import PublishedColumn
from exports.formats.csv import CSV
from exports.formats.delimited import Dialect
from exports.formats.excel_fr import EXCEL_FR
from exports.log import FileFacts
from exports.metadata import Context

FILE_NAME = "datapackage.json"
PROFILES = "https://datapackage.org/profiles/2.0/"
LICENCE_TITLES = {
    "ODbL-1.0": "Open Data Commons Open Database License v1.0",
    "etalab-2.0": "Licence Ouverte 2.0",
    "LicenseRef-internal": "Usage interne : ne peut être rediffusé",
    "LicenseRef-partner": "Usage du partenaire : ne peut être rediffusé",
}
DIALECTS: dict[str, Dialect] = {CSV.name: CSV, EXCEL_FR.name: EXCEL_FR}
RESOURCE_TITLES = {
    "parquet": ("Parquet, pour l'analyse", "Parquet, for analysis"),
    "csv": ("CSV, virgule et point décimal", "CSV, comma and decimal point"),
    "excel-fr": (
        "CSV pour un Excel français : point-virgule, virgule décimale ; une apostrophe protège les textes "
        "qu'un tableur prendrait pour une formule",
        "CSV for a French Excel: semicolon, decimal comma; an apostrophe guards texts that a spreadsheet would run",
    ),
}


def licence_note(identifier: str) -> dict[str, str]:
    """Return a licence as Data Package names it, from its SPDX identifier; terms of our own have no page."""
    title = LICENCE_TITLES.get(identifier, identifier)
    if identifier.startswith("LicenseRef-"):
        return {"name": identifier, "title": title}
    return {"name": identifier, "path": f"https://spdx.org/licenses/{identifier}.html", "title": title}


def describe_package(
    card: ExportCard,
    context: Context,
    columns: Sequence[PublishedColumn],
    release: str,
    files: Mapping[str, Mapping[str, FileFacts]],
) -> dict[str, Any]:
    """Return the descriptor. ``files`` maps each form (parquet, csv, excel-fr) to its files by relative path."""
    return {
        "$schema": f"{PROFILES}datapackage.json",
        "name": card.slug,
        "id": f"{context.base_url.rstrip('/')}/{card.slug}",
        "title": context.mark_fr(card.title_fr),
        "title_en": context.mark_en(card.title_en),
        "description": card.description_fr,
        "description_en": card.description_en,
        "homepage": f"{context.base_url.rstrip('/')}/{card.slug}/latest/",
        "version": card.version,
        "release": release,
        "keywords": list(card.keywords),
        "themes": list(card.themes),
        "frequency": card.frequency,
        "synthetic": context.synthetic,
        "territory": {"name": context.territory, "title": context.title_fr, "title_en": context.title_en},
        **({"bbox": list(context.bbox)} if context.bbox else {}),
        "time_zone": context.time_zone,
        "licenses": [licence_note(card.licence)],
        "contributors": [_publisher(context)],
        "sources": [_source(context, index) for index in range(len(context.sources))],
        "resources": [_resource(card, columns, form, facts) for form, facts in files.items()],
    }


def field_names(columns: Sequence[PublishedColumn], form: str) -> list[str]:
    """Return the names of the fields in ``form``: headers of the file."""
    dialect = DIALECTS.get(form)
    return [dialect.header(column) if dialect else column.name for column in columns]


def _publisher(context: Context) -> dict[str, Any]:
    publisher: dict[str, Any] = {"title": context.publisher.name, "roles": ["publisher"]}
    if context.publisher.siren:
        publisher["siren"] = context.publisher.siren
    if "@" in context.publisher.contact:
        publisher["email"] = context.publisher.contact.removeprefix("mailto:")
    elif context.publisher.contact.startswith(("http://", "https://")):
        publisher["path"] = context.publisher.contact
    else:
        publisher["contact"] = context.publisher.contact
    return publisher


def _source(context: Context, index: int) -> dict[str, str]:
    note = context.sources[index]
    described = {
        "title": f"{context.mark_fr(note.title)} ({note.producer})",
        "path": note.homepage,
        "name": note.source,
        "licence": note.licence,
        "attribution": note.attribution,
    }
    return {key: value for key, value in described.items() if value}


def _resource(
    card: ExportCard, columns: Sequence[PublishedColumn], form: str, files: Mapping[str, FileFacts]
) -> dict[str, Any]:
    paths = list(files)
    title_fr, title_en = RESOURCE_TITLES[form]
    resource: dict[str, Any] = {
        "name": f"{card.slug}-{form}",
        "path": paths[0] if len(paths) == 1 else paths,
        "title": title_fr,
        "title_en": title_en,
        "type": "table",
        "format": "parquet" if form == "parquet" else "csv",
        "mediatype": "application/vnd.apache.parquet" if form == "parquet" else "text/csv",
        "encoding": "utf-8",
        "bytes": sum(facts.bytes for facts in files.values()),
        "rows": sum(facts.rows or 0 for facts in files.values()),
        "schema": _schema(card, columns, form),
    }
    if len(paths) == 1:
        resource["hash"] = f"sha256:{files[paths[0]].sha256}"
    else:
        resource["files"] = [_file(path, facts) for path, facts in files.items()]
    if form in DIALECTS:
        resource["dialect"] = {"$schema": f"{PROFILES}tabledialect.json", **DIALECTS[form].descriptor()}
    return resource


def _file(path: str, facts: FileFacts) -> dict[str, Any]:
    return {"path": path, "hash": f"sha256:{facts.sha256}", "bytes": facts.bytes, "rows": facts.rows}


def _schema(card: ExportCard, columns: Sequence[PublishedColumn], form: str) -> dict[str, Any]:
    names = dict(zip((column.name for column in columns), field_names(columns, form), strict=True))
    return {
        "$schema": f"{PROFILES}tableschema.json",
        "fields": [_field(column, names[column.name], form) for column in columns],
        "fieldsMatch": ["exact"],
        "primaryKey": [names[key] for key in card.order_by],
        "missingValues": [""],
    }


def _field(column: PublishedColumn, name: str, form: str) -> dict[str, Any]:
    about = column.about
    field: dict[str, Any] = {
        "name": name,
        "column": column.name,
        "type": column.field_type,
        "title": about.title_fr,
        "title_en": about.title_en,
        "description": about.description_fr,
        "description_en": about.description_en,
        "duckdb_type": column.type,
    }
    if about.unit:
        field["unit"] = about.unit
    if column.required:
        field["constraints"] = {"required": True}
    dialect = DIALECTS.get(form)
    if dialect and column.kind == "boolean":
        field.update(trueValues=[dialect.true_word], falseValues=[dialect.false_word])
    if dialect and dialect.decimal_comma and column.field_type == "number":
        field["decimalChar"] = ","
    return field
