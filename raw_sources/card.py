"""The source card: the one place that knows a dataset of a producer, as typed, checked values.

A card is an ODCS 3.1 document (Open Data Contract Standard, https://bitol-io.github.io/open-data-contract-standard/);
what ODCS lacks sits in its ``customProperties`` under ``card.schema.json``. Here: reading and checking cards. How a
file is recognised and read by a card belongs in ``readers``; which territory uses which card, in ``territory``.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from raw_sources.agreements import CLOSED, Agreement, agreement_of, check_agreement
from raw_sources.documents import Document, is_time_zone, nearest, read_document
from raw_sources.errors import ConfigurationError
from raw_sources.feeds import Feed, check_date, feed_of
from raw_sources.files import canonical_json, sha256_text
from raw_sources.mapping import FileMapping, Questions, check_licence, questions_from

ODCS = "the Open Data Contract Standard 3.1 (schema of the package open-data-contract-standard)"
OURS = "raw_sources/card.schema.json"
COLUMNS = ("schema", 0, "properties")


@dataclass(frozen=True)
class Code:
    """A value of a closed list, as published, and what it means."""

    code: str
    title_fr: str
    title_en: str


@dataclass(frozen=True)
class Column:
    """One column of the raw table. ``headers`` are the names that layouts give it, as published, preferred first.

    In XML and JSON a header may be a path (``core_details/road_names``). ``required`` says that a delivery without any
    of the headers is refused; ``nullable`` that cells may be empty.
    ``minimum`` and ``maximum`` bound what is plausible, in ``unit``; they refuse nothing by themselves. ``codes`` are
    the values of a closed list to write in the column, and ``examples`` invented values: both for who fills a table.
    """

    name: str
    headers: tuple[str, ...]
    logical_type: str
    required: bool
    key_position: int | None
    unit: str | None
    title_fr: str
    title_en: str
    description_fr: str
    description_en: str
    personal_data: str
    never_load: bool
    multiline: bool
    nullable: bool = True
    minimum: float | None = None
    maximum: float | None = None
    codes: tuple[Code, ...] = ()
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Promise:
    """That every row is a figure over several units: the column ``of`` counts them, ``smallest`` or more."""

    of: str
    smallest: int


@dataclass(frozen=True)
class Door:
    """What the card of a lent dataset says of its rows, beside that no number of a payment card has a place there."""

    aggregates: Promise | None = None


@dataclass(frozen=True)
class Layout:
    """One accepted form of the dataset's files. ``columns`` are raw names by position when there is no header.

    ``delimiter`` and ``encoding`` are None when they are to be detected; a ``partial`` layout is a page of the dataset.
    ``record`` is the local name of the XML element that is one record; ``root`` that (or the xsi:type) of an element
    which makes a document without records an empty delivery. ``header_rows`` is the number of lines that name the
    columns of a delimited file. ``sheet`` is the name, or a pattern of the names, of the sheets of a spreadsheet that
    are read; None: every visible one that has the headers.
    """

    name: str
    form: str
    header: bool
    columns: tuple[str, ...]
    delimiter: str | None
    encoding: str | None
    partial: bool
    record: str | None = None
    root: str | None = None
    sheet: str | None = None
    header_rows: int = 1


@dataclass(frozen=True)
class Card:
    """A source card. Durations are ISO 8601 texts; ``digest`` changes with any part of the content.

    ``family`` names the records that the source unites with those of other producers, None when it stands alone;
    ``repeated_hour`` says whether both hours called 02:00 in autumn are ``published``, or one is ``lost``. The files of
    a ``reference`` (codes, boundaries, calendars) carry the date of their vintage, not of an observation. ``feed`` is
    where the producer's files come from, for territories that name no other place. The files of a ``national`` scope
    cover the whole country. What the card leaves to a territory is in ``questions``, its answer in ``mapping``.
    What may not come in is in ``door``, what may leave in ``agreement``. Landed deliveries are erased after
    ``retention``, None: never.
    """

    source: str
    producer: str
    dataset: str
    theme: str
    path: Path
    version: str
    title_fr: str
    title_en: str
    description_fr: str
    description_en: str
    licence: str
    attribution: str
    homepage: str
    owner: str
    steward: str
    contact: str
    layouts: tuple[Layout, ...]
    columns: tuple[Column, ...]
    follows: str
    order: str
    time_zone: str
    crs: str
    observed_column: str | None
    rhythm: str
    late_after: str
    max_bytes: int
    digest: str
    agreement: Agreement = CLOSED
    producer_name: str = ""
    family: str | None = None
    repeated_hour: str = "published"
    reference: bool = False
    feed: Feed | None = None
    scope: str | None = None
    questions: Questions = field(default_factory=Questions)
    mapping: FileMapping | None = None
    retention: str | None = None
    door: Door | None = None
    gdpr: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def raw_table(self) -> str:
        """Name of the table in schema ``raw``."""
        return f"{self.producer}__{self.dataset}"

    @property
    def staging_model(self) -> str:
        """Name of the dbt model that types this source."""
        return f"stg_{self.theme}__{self.source}"

    @property
    def loaded_columns(self) -> tuple[Column, ...]:
        """The columns of the raw table: all but those that may never be stored."""
        return tuple(column for column in self.columns if not column.never_load)

    @property
    def key(self) -> tuple[str, ...]:
        """Names of the key columns, in the order of the key."""
        keyed = (column for column in self.columns if column.key_position is not None)
        return tuple(column.name for column in sorted(keyed, key=lambda column: column.key_position or 0))

    @property
    def is_national(self) -> bool:
        """Whether the files cover the whole country: they serve any territory, cut to it."""
        return self.scope == "national"

    @property
    def has_personal_data(self) -> bool:
        """Whether a column is classed as personal, be it indirectly."""
        return any(column.personal_data != "none" for column in self.columns)

    @cached_property
    def claims(self) -> dict[str, str]:
        """Normalised header -> raw column name, for every header that the card knows."""
        return {normalise_header(header): column.name for column in self.columns for header in column.headers}

    @cached_property
    def reading_digest(self) -> str:
        """SHA-256 of what reading a file depends on: a better description does not make raw data stale."""
        columns = [
            [column.name, *column.headers, column.required, column.never_load, column.multiline, column.logical_type]
            for column in self.columns
        ]
        layouts = [list(vars(layout).values()) for layout in self.layouts]
        return sha256_text(canonical_json([columns, layouts, self.observed_column, self.has_personal_data]))

    def column(self, name: str) -> Column:
        """Return the column called ``name``; ``KeyError`` when the card has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def late_at(self, last: datetime) -> datetime:
        """Return the instant from which the source is late when ``last`` is its last sign of life."""
        from isodate import parse_duration

        late: datetime = last + parse_duration(self.late_after)
        return late


def normalise_header(header: str) -> str:
    """Return a header as it is compared: NFC, case folded, runs of spaces as one, without byte order mark."""
    text = unicodedata.normalize("NFC", header.replace("\ufeff", ""))
    return unicodedata.normalize("NFC", " ".join(text.split()).casefold())


def read_card(path: Path) -> Card:
    """Read and check one card; raise ``ConfigurationError`` naming file, line and field."""
    document = read_document(path)
    document.check(_odcs_schema(), ODCS)
    document.check(_our_schema(), OURS)
    card = _card(document)
    _check_identity(document, card)
    _check_words(document, card)
    _check_columns(document, card)
    _check_roles(document, card)
    _check_promise(document, card)
    _check_layouts(document, card)
    check_agreement(document, _ours(document, "sharing"), _halle(document.value)["sharing"])
    _check_record(document, card)
    return card


def as_mapped(card: Card, feed: Feed) -> Card:
    """Return the card as it is with what a territory says of its files: its headers, and the licence it declares.

    A role without a column has no raw column either.
    """
    mapping, declared = feed.mapping, feed.licence
    if mapping is not None:
        columns = tuple(_mapped(column, mapping) for column in card.columns if _is_served(column, card, mapping))
        observed = card.observed_column if card.observed_column in mapping.columns else None
        card = replace(card, columns=columns, observed_column=observed, mapping=mapping)
    if declared is not None:
        terms = f"{declared.spdx}, declared by {declared.declared_by} on {declared.declared_on}."
        card = replace(card, licence=declared.spdx, agreement=card.agreement.opened(terms))
    return card


def _is_served(column: Column, card: Card, mapping: FileMapping) -> bool:
    return column.name in mapping.columns or column.name not in {role.name for role in card.questions.roles}


def _mapped(column: Column, mapping: FileMapping) -> Column:
    header = mapping.columns.get(column.name)
    return column if header is None else replace(column, headers=(header,), required=True)


def load_cards(folders: Sequence[Path]) -> dict[str, Card]:
    """Read every ``<folder>/<theme>/<source>.yml``, sorted by source. A folder that does not exist has no card.

    Raises ``ConfigurationError`` for a bad card, a source declared twice, or a card in another theme's folder.
    """
    cards: dict[str, Card] = {}
    for path in (path for folder in folders for path in sorted(folder.glob("*/*.y*ml"))):
        if path.stem == "territory":
            continue
        if path.suffix != ".yml":
            raise ConfigurationError("a card's file name ends in .yml.", where=str(path), hint="Rename the file.")
        card = read_card(path)
        if card.theme != path.parent.name:
            hint = f"Move the file to {card.theme}/, or mend the domain."
            raise read_document(path).problem(("domain",), f"the card lies in the folder {path.parent.name!r}.", hint)
        if card.source in cards:
            hint = f"Keep one of them; the other is {cards[card.source].path}."
            raise ConfigurationError(f"the source {card.source!r} has two cards.", where=str(path), hint=hint)
        cards[card.source] = card
    return dict(sorted(cards.items()))


@cache
def _odcs_schema() -> dict[str, Any]:
    # Found without importing the package, whose models would cost every command a third of a second.
    spec = find_spec("open_data_contract_standard")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError(
            "the package open-data-contract-standard is not installed.", hint="Install the locked requirements again."
        )
    text = (Path(spec.submodule_search_locations[0]) / "schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


@cache
def _our_schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(Path(__file__).with_name("card.schema.json").read_text(encoding="utf-8"))
    return schema


def _halle_index(properties: list[dict[str, Any]]) -> int:
    return next(index for index, entry in enumerate(properties) if entry["property"] == "halle")


def _halle(element: dict[str, Any]) -> dict[str, Any]:
    properties = element["customProperties"]
    value: dict[str, Any] = properties[_halle_index(properties)]["value"]
    return value


def _named(entries: list[dict[str, Any]], key: str, name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry.get(key) == name)


def _card(document: Document) -> Card:
    value = document.value
    ours = _halle(value)
    schema = value["schema"][0]
    members = value["team"]["members"]
    columns = tuple(_column(properties) for properties in schema["properties"])
    return Card(
        source=value["id"],
        producer=value["tenant"],
        dataset=schema["name"],
        theme=value["domain"],
        path=document.path,
        version=value["version"],
        title_fr=value["name"],
        title_en=ours["title_en"],
        description_fr=_one_line(value["description"]["purpose"]),
        description_en=_one_line(ours["description_en"]),
        licence=ours["licence"]["spdx"],
        attribution=ours["licence"]["attribution"],
        homepage=_named(value["authoritativeDefinitions"], "type", "businessDefinition")["url"],
        owner=_named(members, "role", "owner")["name"],
        steward=_named(members, "role", "steward")["name"],
        contact=value["support"][0]["url"],
        layouts=tuple(_layout(entry) for entry in ours["layouts"]),
        columns=columns,
        follows=ours["deliveries"]["follows"],
        order=ours["deliveries"]["order"],
        time_zone=ours["time_zone"],
        crs=ours["crs"],
        observed_column=ours["deliveries"]["observed_column"],
        rhythm=_named(value["slaProperties"], "property", "frequency")["value"],
        late_after=_named(value["slaProperties"], "property", "latency")["value"],
        max_bytes=ours["deliveries"]["max_bytes"],
        digest=document.digest,
        agreement=agreement_of(ours["sharing"], str(document.path)),
        producer_name=ours["producer_name"],
        family=ours.get("family"),
        repeated_hour=ours.get("repeated_hour", "published"),
        reference=ours["deliveries"].get("reference", False),
        feed=feed_of(value["id"], ours["feed"]) if "feed" in ours else None,
        scope=ours.get("scope"),
        questions=questions_from(ours),
        retention=ours["deliveries"].get("retention"),
        door=_door(ours["door"]) if "door" in ours else None,
        gdpr=ours["gdpr"],
    )


def _door(entry: dict[str, Any]) -> Door:
    promise = entry.get("aggregates")
    return Door(Promise(promise["of"], promise["smallest"]) if promise else None)


def _column(properties: dict[str, Any]) -> Column:
    ours = _halle(properties)
    options = properties.get("logicalTypeOptions", {})
    filled = properties.get("required", False)
    return Column(
        name=properties["name"],
        headers=tuple(ours["headers"]),
        logical_type=properties["logicalType"],
        required=ours.get("required_header", filled),
        key_position=properties["primaryKeyPosition"] if properties.get("primaryKey") else None,
        unit=ours.get("unit"),
        title_fr=properties["businessName"],
        title_en=ours["title_en"],
        description_fr=_one_line(properties["description"]),
        description_en=_one_line(ours["description_en"]),
        personal_data=properties["classification"],
        never_load=ours.get("never_load", False),
        multiline=ours.get("multiline", False),
        nullable=not filled,
        minimum=options.get("minimum"),
        maximum=options.get("maximum"),
        codes=tuple(Code(entry["code"], entry["fr"], entry["en"]) for entry in ours.get("codes", ())),
        examples=tuple(str(value) for value in properties.get("examples", ())),
    )


def _layout(entry: dict[str, Any]) -> Layout:
    return Layout(
        name=entry["name"],
        form=entry["form"],
        header=entry.get("header", True),
        columns=tuple(entry.get("columns", ())),
        delimiter=entry.get("delimiter"),
        encoding=entry.get("encoding"),
        partial=entry.get("partial", False),
        record=entry.get("record"),
        root=entry.get("root"),
        sheet=entry.get("sheet"),
        header_rows=entry.get("header_rows", 1),
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _ours(document: Document, *steps: str | int) -> tuple[str | int, ...]:
    return ("customProperties", _halle_index(document.value["customProperties"]), "value", *steps)


def _ours_of_column(document: Document, index: int, *steps: str | int) -> tuple[str | int, ...]:
    entries = document.value["schema"][0]["properties"][index]["customProperties"]
    return (*COLUMNS, index, "customProperties", _halle_index(entries), "value", *steps)


def _check_identity(document: Document, card: Card) -> None:
    if card.source != document.path.stem:
        hint = "The file is called <id>.yml."
        raise document.problem(("id",), f"the id {card.source!r} differs from the file's name.", hint)
    if card.source != f"{card.producer}_{card.dataset}":
        hint = f"Write {card.source.removeprefix(card.producer + '_')!r}, or mend tenant and id."
        raise document.problem(("schema", 0, "name"), f"<tenant>_<name> does not give the id {card.source!r}.", hint)


def _check_words(document: Document, card: Card) -> None:
    """Check what a schema cannot: time zone, encodings, durations and licence exist in their registers."""
    if not is_time_zone(card.time_zone):
        hint = "Use a name of the IANA database, such as Europe/Paris."
        raise document.problem(_ours(document, "time_zone"), f"no time zone is called {card.time_zone!r}.", hint)
    for index, entry in enumerate(document.value["slaProperties"]):
        if entry["property"] in ("frequency", "latency"):
            _check_duration(document, ("slaProperties", index, "value"), entry["value"])
    check_licence(document, _ours(document, "licence", "spdx"), card.licence)
    for index, pattern in enumerate(card.feed.files if card.feed else ()):
        check_date(document, _ours(document, "feed", "files", index, "date"), pattern.date)
    if card.retention is not None:
        _check_duration(document, _ours(document, "deliveries", "retention"), card.retention)
    for index, layout in enumerate(card.layouts):
        _check_encoding(document, _ours(document, "layouts", index, "encoding"), layout.encoding)


def _check_duration(document: Document, place: tuple[str | int, ...], text: str, *, none: bool = False) -> None:
    from isodate import ISO8601Error, parse_duration

    start = datetime(2000, 1, 1)
    try:
        end = start + parse_duration(text)
        positive = end > start or (none and end == start)
    except (ISO8601Error, OverflowError, ValueError):
        positive = False
    if not positive:
        hint = "Write one such as PT6H, P1D or P1M."
        raise document.problem(place, f"{text!r} is not a positive ISO 8601 duration.", hint)


def _check_encoding(document: Document, place: tuple[str | int, ...], encoding: str | None) -> None:
    try:
        "x".encode(encoding or "utf-8")
    except LookupError:
        hint = "Use a name such as utf-8 or windows-1252, or null to detect it."
        raise document.problem(place, f"no text encoding is called {encoding!r}.", hint) from None


def _check_columns(document: Document, card: Card) -> None:
    names: set[str] = set()
    owner_of: dict[str, str] = {}
    for index, column in enumerate(card.columns):
        if column.name in names:
            raise document.problem((*COLUMNS, index, "name"), f"two columns are called {column.name!r}.")
        names.add(column.name)
        for position, header in enumerate(column.headers):
            claimed_by = owner_of.setdefault(normalise_header(header), column.name)
            if claimed_by != column.name:
                place = _ours_of_column(document, index, "headers", position)
                hint = "A header belongs to one column; spaces and case do not distinguish headers."
                raise document.problem(place, f"the column {claimed_by!r} already claims {header!r}.", hint)
        _check_column(document, index, column, observed=column.name == card.observed_column)
    _check_key(document, card)
    if card.observed_column is not None and card.observed_column not in names:
        place = _ours(document, "deliveries", "observed_column")
        raise document.problem(
            place, f"no column is called {card.observed_column!r}.", nearest(card.observed_column, names)
        )


def _check_column(document: Document, index: int, column: Column, *, observed: bool) -> None:
    if column.never_load and (column.key_position is not None or column.required or observed):
        role = "a key column" if column.key_position is not None else "the observed column" if observed else "required"
        place = _ours_of_column(document, index, "never_load")
        raise document.problem(place, f"{column.name!r} is never loaded, and is {role}.", "Give up one of the two.")
    if not column.nullable and not column.required:
        place = _ours_of_column(document, index, "required_header")
        raise document.problem(place, f"{column.name!r} is never empty, so its header is required.")
    if column.minimum is not None and column.maximum is not None and column.minimum > column.maximum:
        raise document.problem((*COLUMNS, index, "logicalTypeOptions", "minimum"), "the minimum exceeds the maximum.")


def _check_key(document: Document, card: Card) -> None:
    positions: dict[int, str] = {}
    for index, column in enumerate(card.columns):
        if column.key_position is None:
            continue
        if column.nullable:
            hint = "Write required: true, or take the column out of the key."
            raise document.problem((*COLUMNS, index), f"the key column {column.name!r} may be empty.", hint)
        if column.key_position in positions:
            other = positions[column.key_position]
            raise document.problem(
                (*COLUMNS, index, "primaryKeyPosition"),
                f"{other!r} already has position {column.key_position} in the key.",
            )
        positions[column.key_position] = column.name
    if sorted(positions) != list(range(1, len(positions) + 1)):
        raise document.problem(COLUMNS, "the key positions are not 1, 2, 3, ...", "Number them without a gap.")
    if not positions and card.follows in ("snapshot", "upsert"):
        place = _ours(document, "deliveries", "follows")
        hint = "Give columns primaryKey and primaryKeyPosition, or declare append or events."
        raise document.problem(place, f"{card.follows!r} needs a key, and no column is in one.", hint)


def _check_roles(document: Document, card: Card) -> None:
    names = {column.name for column in card.columns}
    for index, role in enumerate(card.questions.roles):
        if role.name not in names:
            place = _ours(document, "mapping", "roles", index, "name")
            raise document.problem(place, f"no column is called {role.name!r}.", nearest(role.name, names))


def _check_promise(document: Document, card: Card) -> None:
    """Check that a column counts the units of the aggregates that the card promises."""
    promise = card.door.aggregates if card.door else None
    names = [column.name for column in card.columns]
    if promise is not None and promise.of not in names:
        place = _ours(document, "door", "aggregates", "of")
        raise document.problem(place, f"no column is called {promise.of!r}.", nearest(promise.of, names))


def _check_record(document: Document, card: Card) -> None:
    """Check that the record of processing agrees with the classes of the columns."""
    personal = [column.name for column in card.columns if column.personal_data != "none"]
    if personal and not card.gdpr["personal_data"]:
        place = _ours(document, "gdpr", "personal_data")
        what = f"the record denies personal data, and {', '.join(personal)} is classed as such."
        hint = "Write true, with purposes, legal_basis, retention and what else the record asks for, or class it none."
        raise document.problem(place, what, hint)
    sensitive = [column.name for column in card.columns if column.personal_data == "sensitive"]
    if sensitive and not card.gdpr["sensitive"]:
        place = _ours(document, "gdpr", "sensitive")
        what = f"the record denies sensitive data, and {', '.join(sensitive)} is classed as such."
        raise document.problem(place, what, "Write true, or give the column another class.")
    if "retention" in card.gdpr:
        _check_duration(document, _ours(document, "gdpr", "retention"), card.gdpr["retention"], none=True)
    stored = [column.name for column in card.loaded_columns if column.personal_data != "none"]
    if stored and document.value["status"] == "active" and not _is_erased_in_time(card):
        place = _ours(document, "deliveries", "retention")
        kept = f"for {card.retention}" if card.retention else "without end"
        what = f"the record erases personal data after {card.gdpr['retention']}, and deliveries are kept {kept}."
        hint = f"Write a retention as short, or never_load: {', '.join(stored)}."
        raise document.problem(place, what, hint)


def _is_erased_in_time(card: Card) -> bool:
    from isodate import parse_duration

    start = datetime(2000, 1, 1)
    promised: datetime = start + parse_duration(card.gdpr["retention"])
    return card.retention is not None and start + parse_duration(card.retention) <= promised


def _check_layouts(document: Document, card: Card) -> None:
    names = {column.name for column in card.columns}
    seen: set[str] = set()
    for index, layout in enumerate(card.layouts):
        place = _ours(document, "layouts", index)
        if layout.name in seen:
            raise document.problem((*place, "name"), f"two layouts are called {layout.name!r}.")
        seen.add(layout.name)
        for position, name in enumerate(layout.columns):
            if name not in names:
                raise document.problem(
                    (*place, "columns", position), f"no column is called {name!r}.", nearest(name, names)
                )
        if not layout.header:
            _check_headerless(document, (*place, "columns"), card, layout)


def _check_headerless(document: Document, place: tuple[str | int, ...], card: Card, layout: Layout) -> None:
    missing = [column.name for column in card.columns if column.required and column.name not in layout.columns]
    if missing:
        raise document.problem(place, f"a file without header lacks the required {', '.join(missing)}.")
    hidden = [column.name for column in card.columns if column.never_load and column.name in layout.columns]
    if hidden:
        hint = "Positions would shift once it is removed; ask the producer for a file with headers."
        raise document.problem(
            place, f"{', '.join(hidden)} may never be loaded, and has no header to be found by.", hint
        )
