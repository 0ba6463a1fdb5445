"""The page to a producer (`halle report`): what was received, what was refused and why, what to correct, whom to ask.

One Markdown text, and the same as a page of HTML that needs nothing beside it. In French, reasons too where ``reasons``
knows them. No personal column is shown. Refused records are read in ``refusals``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from orchestration.inquiry import analysts_copy
from orchestration.project import Project
from orchestration.reasons import read_reasons
from orchestration.receiving import loaded_deliveries
from orchestration.refusals import Refusals, read_refusals
from orchestration.warehouse import Delivery
from orchestration.workspace import Workspace
from raw_sources.card import Card, Column
from raw_sources.corrections import Place, RefusedRow, UnreadRow, shown_columns, suspect, told
from raw_sources.files import write_atomically
from raw_sources.landing import Landing, Receipt
from raw_sources.spreadsheets import header_of
from raw_sources.templates import type_in_french

EXAMPLES = 5
DELIVERIES_SHOWN = 20
CELLS_SHOWN = 8
CELL_LENGTH = 80
NOTHING = Refusals([], [], [], 0)
THIN_SPACE = "\u202f"
# What Markdown or HTML could take for a mark; an underscore within a word is none.
SPECIAL = re.compile(r"[\\`*\[\]<>|~&]|(?<!\w)_|_(?!\w)")

LEDGER = """
select delivery_id, records_read, staged, rejected, superseded, duplicate, out_of_scope, malformed
from ops.ledger
where source = ?
"""


@dataclass(frozen=True)
class Counts:
    """What became of the records of one delivery, or of all; ``read`` is the sum of the others."""

    read: int = 0
    staged: int = 0
    rejected: int = 0
    superseded: int = 0
    duplicate: int = 0
    out_of_scope: int = 0
    malformed: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True)
class Reception:
    """A delivery as the page tells it: ``counts`` is None while no run has read it."""

    received_on: str
    file: str
    content_on: str
    counts: Counts | None


@dataclass(frozen=True)
class Example:
    """A refused record: where it is, why, and what is in it."""

    place: str
    reason: str
    excerpt: str


@dataclass(frozen=True)
class Reason:
    """Records refused for one reason; ``column`` is the one to look at, when it can be told.

    ``is_quoted`` says that the reason is not known in French, and stands as recorded.
    """

    text: str
    count: int
    is_unread: bool
    examples: Sequence[Example]
    column: Column | None
    is_quoted: bool


def write_report(
    project: Project, workspace: Workspace, card: Card, out: Path, now: datetime | None = None
) -> list[Path]:
    """Write ``retour_<source>`` as Markdown and as HTML under ``out``; return their paths."""
    text = _template("report.md.j2").render(_contents(project, workspace, card, now or datetime.now(UTC)))
    page = _template("report.html.j2").render(title=f"Retour sur vos données : {card.title_fr}", body=as_html(text))
    paths = [out / f"retour_{card.source}.md", out / f"retour_{card.source}.html"]
    for path, content in zip(paths, (text, page), strict=True):
        write_atomically(path, content)
    return paths


# --- what the page says -----------------------------------------------------------------------------------------


def _contents(project: Project, workspace: Workspace, card: Card, now: datetime) -> dict[str, Any]:
    landing = Landing(workspace.landing_of(card.source))
    receipts = sorted(landing.receipts(card.source), key=lambda receipt: receipt.sequence, reverse=True)
    counts = _counts(workspace, card)
    own = [one for one in loaded_deliveries(project, workspace) if one.receipt.source == card.source]
    found = read_refusals(workspace, card, read_reasons(project.territory), each=EXAMPLES) if counts else NOTHING
    return {
        "card": card,
        "territory": project.territory,
        "today": now.date().isoformat(),
        "received": len(receipts),
        "total": sum(counts.values(), Counts()),
        "receptions": [_reception(receipt, counts) for receipt in receipts[:DELIVERIES_SHOWN]],
        "refusals": _refusals(landing, card, own),
        "reasons": list(_reasons(found, card)),
        "corrected": found.corrected,
        "last": max(own, key=lambda one: one.receipt.sequence, default=None),
    }


def _counts(workspace: Workspace, card: Card) -> dict[str, Counts]:
    """Return what became of each delivery that a run has read; none before the first run."""
    if not workspace.analysts_copy.is_file():
        return {}
    with analysts_copy(workspace) as connection:
        return {row[0]: Counts(*row[1:]) for row in connection.execute(LEDGER, [card.source]).fetchall()}


def _reception(receipt: Receipt, counts: Mapping[str, Counts]) -> Reception:
    return Reception(
        receipt.received_at[:10], receipt.file_name, receipt.file_date or "", counts.get(receipt.delivery_id)
    )


def _refusals(landing: Landing, card: Card, own: Sequence[Delivery]) -> list[tuple[str, str, str]]:
    """Return the files refused whole: the day, the name, the reason."""
    at_landing = [(one.received_at[:10], one.file_name, one.reason) for one in landing.refusals(card.source)]
    at_reading = [
        (one.receipt.received_at[:10], one.receipt.file_name, one.loaded.reason or "")
        for one in own
        if one.loaded.status == "refused"
    ]
    return [*at_landing, *at_reading]


def _reasons(found: Refusals, card: Card) -> Iterator[Reason]:
    """Yield the reasons for which records stand refused, most frequent first, with the latest examples of each."""
    columns = shown_columns(card)
    for group in found.reasons:
        rows: list[RefusedRow | UnreadRow] = [
            row
            for row in (found.unread if group.is_unread else found.refused)
            if row.reason.partition(": ")[0] == group.head
        ]
        suspects = {suspect(row, columns) for row in rows if isinstance(row, RefusedRow)}
        examples = [Example(place_in_french(row.place), told(card, row), _excerpt(row, columns)) for row in rows]
        column = suspects.pop() if len(suspects) == 1 else None
        quoted = group.head_fr is None
        yield Reason(group.head_fr or group.head, group.records, group.is_unread, examples, column, quoted)


def place_in_french(place: Place) -> str:
    """Return a place as a phrase: file, sheet, row."""
    sheet = f", feuille « {place.sheet} »" if place.sheet else ""
    row = f", ligne {place.row}" if place.row.isdecimal() else f", {place.row}"
    return f"{place.file}{sheet}{row}"


def _excerpt(row: RefusedRow | UnreadRow, columns: Sequence[Column]) -> str:
    """Return what the first filled cells of a record say, or the beginning of a text that could not be read."""
    if isinstance(row, UnreadRow):
        return _short(row.text or "(texte retiré : la source a des colonnes personnelles)")
    cells = [(header_of(column), row.cells.get(column.name)) for column in columns]
    return " ; ".join([f"{header} = {_short(text)}" for header, text in cells if text][:CELLS_SHOWN])


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= CELL_LENGTH else f"{line[:CELL_LENGTH]}…"


# --- how it is written ------------------------------------------------------------------------------------------


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        # Markdown is escaped by the filter `said`.
        autoescape=select_autoescape(["html.j2"]),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"said": said, "day": _day, "figure": _figure, "header": header_of, "type": type_in_french}
    return environment


def _template(name: str) -> Any:
    return _environment().get_template(name)


def said(text: object) -> str:
    """Return a text of somebody else's as Markdown that shows it and does nothing: one line, every mark escaped."""
    line = " ".join(str(text).split())
    return SPECIAL.sub(lambda mark: f"&#{ord(mark[0])};", line)


def _day(iso: str) -> str:
    """Return an ISO date as it is written in French, anything else as it is."""
    parts = iso.split("-")
    return "/".join(reversed(parts)) if len(parts) == 3 else iso


def _figure(number: int) -> str:
    return f"{number:,}".replace(",", THIN_SPACE)


def as_html(text: str) -> str:
    """Return Markdown as HTML in which raw HTML is text and the headers of tables say what they head."""
    renderer = MarkdownIt("commonmark", {"html": False}).enable("table")
    renderer.add_render_rule("th_open", _column_header)
    html: str = renderer.render(text)
    return html


def _column_header(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, environment: EnvType
) -> str:
    tokens[index].attrSet("scope", "col")
    return renderer.renderToken(tokens, index, options, environment)
