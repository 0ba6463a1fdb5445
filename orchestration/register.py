"""The register (`halle register`): the record of processing of article 30 of the GDPR, and the list of agreements.

One record per enabled source, also where no person is concerned, with the reason: what comes in, on which basis, who
sees it, where it goes, until when; then what was withdrawn and erased. Everything is derived: from the cards, the
territory's folder, the lineage of the marts (once there was a run) and the log of interventions. Parameters of secrecy
rules are left out. How the page is written is in ``register.html.j2``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from exports.card import ExportCard
from orchestration.audiences import audiences_of, today_in
from orchestration.interventions import ERASED, RETENTION, WITHDRAWN, Intervention, instant, interventions
from orchestration.marts import MartNode, read_marts
from orchestration.project import Project
from orchestration.workspace import Workspace
from raw_sources.agreements import NOTHING, Agreement
from raw_sources.card import Card
from raw_sources.decisions import Decision
from raw_sources.files import canonical_json, write_atomically
from raw_sources.territory import Office

SEPARATOR = " | "


@dataclass(frozen=True)
class ColumnRecord:
    """A column that comes in: its class (none, indirect, direct, sensitive), and whether it is removed at the door."""

    name: str
    title_fr: str
    title_en: str
    personal_data: str
    never_load: bool


@dataclass(frozen=True)
class Destination:
    """A dataset that is made with a source: for whom, and with which of its columns.

    ``columns`` are the published columns that hold something of the source, None when the lineage is not known in that
    detail; ``influenced`` those that it only bears on (filters, joins, grouping).
    """

    mart: str
    dataset: str | None
    title_fr: str
    audiences: tuple[str, ...]
    columns: tuple[str, ...] | None
    influenced: tuple[str, ...]


@dataclass(frozen=True)
class SourceRecord:
    """What the register says of a source. Durations are ISO 8601, dates ISO; ``goes_to`` is None before any run."""

    reference: str
    source: str
    title_fr: str
    title_en: str
    producer: str
    homepage: str
    service: str
    personal_data: bool
    sensitive: bool
    reason: str
    purposes: tuple[str, ...]
    legal_basis: str
    categories_of_persons: tuple[str, ...]
    categories_of_data: tuple[str, ...]
    recipients: tuple[str, ...]
    transfers: tuple[str, ...]
    processors: tuple[str, ...]
    retention: str
    retention_note: str
    deliveries_kept: str
    security_measures: tuple[str, ...]
    created_on: str
    reviewed_on: str
    columns: tuple[ColumnRecord, ...]
    licence: str
    attribution: str
    terms: str
    agreement_purpose: str
    leaves: Mapping[str, str]
    finest: Mapping[str, str]
    secrecy: tuple[str, ...]
    until: str
    has_ended: bool
    seen_by: tuple[str, ...]
    goes_to: tuple[Destination, ...] | None

    @property
    def never_loaded(self) -> tuple[str, ...]:
        """Names of the columns that are removed before anything is stored."""
        return tuple(column.name for column in self.columns if column.never_load)


@dataclass(frozen=True)
class Register:
    """The whole register of a territory; ``territory`` is its title in French, ``drawn_up_at`` an instant in UTC."""

    territory: str
    controller: Office
    dpo: Office | None
    software: str
    drawn_up_at: str
    records: tuple[SourceRecord, ...]
    decisions: tuple[Decision, ...]
    interventions: tuple[Intervention, ...]


def write_register(project: Project, workspace: Workspace, out: Path, form: str, now: datetime) -> list[Path]:
    """Write the register below ``out`` as ``html``, ``csv``, ``json`` or ``all`` of them; return the files."""
    found = read_register(project, workspace, now)
    files = {
        "html": {"registre.html": as_html(found, project, today_in(project.territory, now))},
        "json": {"registre.json": _as_json(found)},
        "csv": dict(_as_csv(found)),
    }
    written = {name: text for one, texts in files.items() if form in ("all", one) for name, text in texts.items()}
    for name, text in written.items():
        write_atomically(out / name, text)
    return [out / name for name in written]


def read_register(project: Project, workspace: Workspace, now: datetime) -> Register:
    """Return what the register says today; before any run, where the data go is not known."""
    territory, today = project.territory, today_in(project.territory, now)
    destinations = _Destinations(project, workspace, today)
    return Register(
        territory=territory.title_fr,
        controller=territory.controller,
        dpo=territory.dpo,
        software=f"halle {version('halle')}",
        drawn_up_at=instant(now),
        records=tuple(_record(project, card, destinations, today) for card in project.enabled.values()),
        decisions=project.decisions,
        interventions=tuple(interventions(workspace)),
    )


# --- what it says -------------------------------------------------------------------------------------------------


def _record(project: Project, card: Card, destinations: _Destinations, today: date) -> SourceRecord:
    gdpr, agreement = card.gdpr, card.agreement
    goes_to = destinations.of(card.source)
    return SourceRecord(
        reference=f"{project.territory.name}/{card.source}",
        source=card.source,
        title_fr=card.title_fr,
        title_en=card.title_en,
        producer=card.producer_name or card.producer,
        homepage=card.homepage,
        service=gdpr.get("service", card.owner),
        personal_data=gdpr["personal_data"],
        sensitive=gdpr.get("sensitive", False),
        reason=_one_line(gdpr["reason"]),
        purposes=_several(gdpr, "purposes"),
        legal_basis=_one_line(gdpr.get("legal_basis", "")),
        categories_of_persons=_several(gdpr, "categories_of_persons"),
        categories_of_data=_several(gdpr, "categories_of_data"),
        recipients=_several(gdpr, "recipients"),
        transfers=_several(gdpr, "transfers"),
        processors=_several(gdpr, "processors"),
        retention=gdpr.get("retention", ""),
        retention_note=_one_line(gdpr.get("retention_note", "")),
        deliveries_kept=card.retention or "",
        security_measures=_several(gdpr, "security_measures"),
        created_on=gdpr.get("created_on", ""),
        reviewed_on=gdpr["reviewed_on"],
        columns=tuple(
            ColumnRecord(one.name, one.title_fr, one.title_en, one.personal_data, one.never_load)
            for one in card.columns
        ),
        licence=card.licence,
        attribution=card.attribution,
        terms=agreement.terms,
        agreement_purpose=agreement.purpose or "",
        leaves=agreement.leaves,
        finest={axis: word for axis, word in asdict(agreement.finest).items() if word},
        secrecy=tuple(rule.rule for rule in agreement.secrecy),
        until=str(agreement.until or ""),
        has_ended=agreement.is_expired(today),
        seen_by=_seen_by(agreement, goes_to, today),
        goes_to=goes_to,
    )


def _several(gdpr: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(_one_line(text) for text in gdpr.get(name, ()))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _seen_by(agreement: Agreement, goes_to: Sequence[Destination] | None, today: date) -> tuple[str, ...]:
    """Return the audiences of the datasets made with the source for which its agreement lets something leave."""
    offered = {audience for one in goes_to or () for audience in one.audiences}
    return tuple(sorted(one for one in offered if agreement.allows(one, today) != NOTHING))


class _Destinations:
    """Where the data of each source go, from the marts of the last assembled project; not known before any run."""

    def __init__(self, project: Project, workspace: Workspace, today: date) -> None:
        manifest = workspace.build / "dbt" / "target" / "manifest.json"
        self._known = manifest.is_file()
        self._marts = read_marts(manifest) if self._known else {}
        self._project, self._workspace, self._today = project, workspace, today
        self._origins: dict[str, Mapping[str, Mapping[str, str]]] = {}

    def of(self, source: str) -> tuple[Destination, ...] | None:
        """Return the datasets, and the marts without one, that are made with ``source``."""
        if not self._known:
            return None
        nodes = [node for node in self._marts.values() if source in node.lineage]
        return tuple(one for node in nodes for one in self._from(source, node))

    def _from(self, source: str, node: MartNode) -> Iterator[Destination]:
        cards = [card for card in self._project.export_cards.values() if card.mart == node.key]
        if not cards:
            yield Destination(node.key, None, node.mart.name, (), None, ())
        for card in cards:
            audiences = tuple(audiences_of(self._project, card, self._today))
            held, borne = self._columns(source, node, card)
            yield Destination(node.key, card.slug, card.title_fr, audiences, held, borne)

    def _columns(self, source: str, node: MartNode, card: ExportCard) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
        """Return the published columns that hold something of the source, and those that it bears on.

        A column that the lineage does not know may hold anything.
        """
        origins = self._origins_of(node)
        if not origins:
            return None, ()
        kinds = {name: origins.get(name, {source: "value"}).get(source) for name in card.columns}
        held = tuple(name for name, kind in kinds.items() if kind == "value")
        return held, tuple(name for name, kind in kinds.items() if kind == "influence")

    def _origins_of(self, node: MartNode) -> Mapping[str, Mapping[str, str]]:
        """Return, for each column of a mart, how each source is in it; nothing until the mart was compiled."""
        from orchestration import lineage  # reads all SQL of the project: only once there is any

        if not self._origins:
            for key, traced in lineage.lineage_of_all(self._project, self._workspace, self._marts).items():
                self._origins[key] = {
                    column: dict(sorted(((one.source, one.kind) for one in origins), key=_value_last))
                    for column, origins in traced.columns.items()
                }
        return self._origins[node.key]


def _value_last(origin: tuple[str, str]) -> bool:
    return origin[1] == "value"


# --- how it is written --------------------------------------------------------------------------------------------


def subject_of(one: Intervention) -> str:
    """Return what an intervention was about, in a few words."""
    what = one.what
    if one.kind == WITHDRAWN:
        return f"{what['slug']} ({what['audience']}) : {', '.join(each['release'] for each in what['releases'])}"
    if one.kind in (ERASED, RETENTION):
        return f"{what['source']} : {len(what['erased'])} fichiers / files"
    return SEPARATOR.join(str(value) for value in what.values())


def as_html(found: Register, project: Project, today: date) -> str:
    """Return the register as one page that needs nothing beside it."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"day": _day, "duration": duration_in_french, "subject": subject_of}
    page = environment.get_template("register.html.j2")
    return page.render(register=found, territory=project.territory, today=today)


def _day(iso: str) -> str:
    """Return an ISO date as it is written in French, anything else as it is."""
    parts = iso[:10].split("-")
    return "/".join(reversed(parts)) if len(parts) == 3 else iso


def duration_in_french(text: str) -> str:
    """Return a duration of years, months and days in French, any other as it is written."""
    words = {"Y": ("an", "ans"), "M": ("mois", "mois"), "W": ("semaine", "semaines"), "D": ("jour", "jours")}
    if text == "P0D":
        return "jamais conservées"
    number, unit = text[1:-1], text[-1:]
    if not (text.startswith("P") and number.isdecimal() and unit in words):
        return text
    return f"{number} {words[unit][int(number) > 1]}"


def _as_json(found: Register) -> str:
    decisions = [{**asdict(one), "decided_on": str(one.decided_on), "until": str(one.until)} for one in found.decisions]
    return canonical_json({**asdict(found), "decisions": decisions})


def _as_csv(found: Register) -> Iterator[tuple[str, str]]:
    """Yield the tables of the register for a spreadsheet in French: sources, destinations, interventions."""
    names = [field.name for field in fields(SourceRecord) if field.name not in ("columns", "goes_to")]
    rows = [[*(getattr(one, name) for name in names), one.never_loaded, _classes(one)] for one in found.records]
    yield "registre.csv", _table([*names, "never_load", "personal_columns"], rows)
    destinations = [(record.source, one) for record in found.records for one in record.goes_to or ()]
    headers = [field.name for field in fields(Destination)]
    rows = [[source, *(getattr(one, name) for name in headers)] for source, one in destinations]
    yield "registre-destinations.csv", _table(["source", *headers], rows)
    rows = [[one.kind, one.at, one.why, one.by, subject_of(one)] for one in found.interventions]
    yield "registre-interventions.csv", _table(["kind", "at", "why", "by", "subject"], rows)


def _classes(record: SourceRecord) -> tuple[str, ...]:
    personal = (one for one in record.columns if one.personal_data != "none")
    return tuple(f"{one.name} ({one.personal_data})" for one in personal)


def _table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(headers)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return "\ufeff" + text.getvalue()


def _cell(value: object) -> str:
    """Return a cell as text that no spreadsheet takes for a formula."""
    if isinstance(value, Mapping):
        value = tuple(f"{name}: {word}" for name, word in value.items())
    text = SEPARATOR.join(map(str, value)) if isinstance(value, tuple) else "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text
