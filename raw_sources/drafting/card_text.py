"""The draft of a source card: valid as it stands, with a question above each field that the file alone cannot fill.

Fields that nobody has answered hold a neutral value: shared with nobody, never late, no licence claimed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from raw_sources.agreements import EVERYTHING, INTERNAL, NOTHING, PARTNER, PUBLIC
from raw_sources.drafting.meaning import sounds_like_code
from raw_sources.drafting.plan import ZONE, Field, Plan, is_cut, is_projected, is_year
from raw_sources.drafting.profile import bounds
from raw_sources.drafting.sample import layout_of
from raw_sources.drafting.yaml_text import Noted, asked, dump

UNKNOWN_ADDRESS = "https://source.invalid/"
TO_COMPLETE_FR, TO_COMPLETE_EN = "À compléter.", "To be completed."
UNKNOWN_LICENCE = "LicenseRef-unknown"
NEVER = "1900-01-01"
LEAST_BYTES = 64 << 20
SHOWN = 40
LOGICAL_TYPES = {
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "date": "date",
    "instant": "timestamp",
    "local_time": "timestamp",
    "geometry": "object",
}

Properties = dict[str, Any]


def card_text(plan: Plan) -> str:
    """Return the card as YAML."""
    head = [
        f"# Source card, drafted from {plan.looked_at}.",
        "# A QUESTION marks what the file does not say: answer it, delete its comment, then set the status to active.",
        "# Open Data Contract Standard 3.1; the custom property `halle` follows raw_sources/card.schema.json.",
    ]
    return "\n".join(head) + "\n" + dump(_document(plan))


def _document(plan: Plan) -> Properties:
    table: Properties = {
        "name": plan.dataset,
        "physicalName": f"{plan.producer}__{plan.dataset}",
        "logicalType": "object",
        "dataGranularityDescription": asked("À compléter / to be completed", "what is one record?"),
        "properties": [_column(field, plan) for field in plan.columns],
    }
    return {
        **_identity(plan),
        **_relations(),
        "schema": [table],
        "customProperties": [{"property": "halle", "value": _ours(plan)}],
    }


def _identity(plan: Plan) -> Properties:
    title = plan.dataset.replace("_", " ").capitalize()
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": plan.source,
        "version": "0.1.0",
        "status": asked("draft", *_general_questions(plan)),
        "name": asked(title, "what is the dataset called, in French?"),
        "tenant": asked(plan.producer, "is this the producer's short name? It begins the id and the file's name."),
        "domain": asked(plan.theme, "is this the right theme? It is the folder of the card and of the model."),
        "description": {"purpose": asked(TO_COMPLETE_FR, "what does the dataset hold, and what does it leave out?")},
    }


def _relations() -> Properties:
    """Return where the dataset comes from, who looks after it and how often it comes: nothing of it is in a file."""
    return {
        "authoritativeDefinitions": [
            asked(
                {"type": "businessDefinition", "url": UNKNOWN_ADDRESS}, "at which address does the producer publish it?"
            )
        ],
        "support": [
            asked(
                {"channel": "producer", "url": UNKNOWN_ADDRESS, "scope": "issues"}, "whom to write to when it is wrong?"
            )
        ],
        "team": Noted(
            {
                "members": [
                    {"username": "owner", "name": "À désigner / to be named", "role": "owner"},
                    {"username": "steward", "name": "À désigner / to be named", "role": "steward"},
                ]
            },
            ("which service of the authority owns this source, and which one looks after it?",),
            ("Roles, not persons: this file is public, and a name would be personal data.",),
        ),
        "slaProperties": [
            asked({"property": "frequency", "value": "P1Y"}, "how often is it updated? (PT1H, P1D, P1M, P1Y)"),
            asked(
                {"property": "latency", "value": "P10Y"},
                "from which age of the last delivery is it late? Ten years stand for never.",
            ),
        ],
    }


def _general_questions(plan: Plan) -> Iterator[str]:
    yield from plan.shape.remarks
    if is_cut(plan):
        yield (
            "types, values and key were judged by the beginning of the file only, which is longer. Do they hold for "
            "the rest? A run says which records are refused."
        )
    if plan.sample.malformed:
        yield f"{plan.sample.malformed} records have another number of cells, and are malformed. Is the file complete?"
    if plan.sample.partial:
        yield "the file announces more records than it holds: it is a page. Does the producer offer the whole dataset?"
    for field in plan.fields:
        if not field.is_claimed:
            yield (
                f"column {plan.fields.index(field) + 1} has no name of its own; no column of the card can claim it, "
                f"and the staging model reads it from _extra as '{field.name}'. Can the producer name it?"
            )
        if not field.is_claimed and field.personal:
            yield f"the column '{field.name}' cannot be left out when loading, and {field.personal[1]}. Is it personal?"


def _column(field: Field, plan: Plan) -> Noted:
    properties: Properties = {"name": field.name, "logicalType": _logical_type(field)}
    if plan.is_keyed and field.key_position is not None:
        properties |= {"required": True, "primaryKey": True, "primaryKeyPosition": field.key_position}
    described = "; ".join(field.header.beside)[:300]
    beside_fr = f" Autres lignes d'en-tête : {described}." if described else ""
    beside_en = f" Other header lines: {described}." if described else ""
    classification = field.personal[0] if field.personal else "none"
    properties |= {
        "businessName": _label(field),
        "description": TO_COMPLETE_FR + beside_fr,
        "classification": asked(classification, *_questions_on_persons(field)) if field.personal else classification,
        "customProperties": [{"property": "halle", "value": _our_column(field, plan, TO_COMPLETE_EN + beside_en)}],
    }
    return Noted(properties, tuple(_questions_on(field)), tuple(_seen(field)))


def _our_column(field: Field, plan: Plan, description: str) -> Properties:
    value: Properties = {
        "headers": [field.header.text],
        "title_en": _label(field),
        "description_en": description,
    }
    if field.unit:
        value["unit"] = asked(field.unit[0], f"is the unit {field.unit[0]}, as the header suggests?")
    if field.name in _required_without_key(plan):
        value["required_header"] = True
    if field.never_load and field.personal:
        value["never_load"] = asked(
            True, "may it be stored? Until then it is removed before anything is kept, and the model does not see it."
        )
        value["never_load_reason"] = f"Nobody has looked at it yet, and {field.personal[1]}."
    if field.facts.multiline:
        value["multiline"] = True
    return value


def _required_without_key(plan: Plan) -> tuple[str, ...]:
    """Return columns by which a file is known to be of this source when no key says so."""
    if plan.is_keyed:
        return ()
    usual = [field.name for field in plan.columns if field.facts.is_filled and not field.never_load]
    return tuple(usual[:3])


def _logical_type(field: Field) -> str:
    return LOGICAL_TYPES.get(field.kind, "string")


def _label(field: Field) -> str:
    text = " ".join(field.header.text.split())
    return text if text and len(text) <= 100 else field.name


def _questions_on(field: Field) -> Iterator[str]:
    facts = field.facts
    yield "what does this column mean?"
    if facts.filled == 0:
        yield "it is empty in the sample. Of what type is it?"
    if facts.markers:
        told = " Is 'secret' statistical secrecy? The model makes it NULL." if "secret" in facts.markers else ""
        yield f"{', '.join(map(repr, facts.markers))} stand for a missing value, it seems. Do they?{told}"
    if facts.misfits:
        yield f"{facts.misfits} records of the sample are no {field.kind}; the model refuses them. Is that the type?"
    if facts.thousands_by_comma:
        yield "do commas separate thousands? The model reads them as decimal commas."
    if field.kind in ("integer", "number") and field.unit is None and not is_year(field) and facts.filled:
        yield "in which unit?"
    if facts.at_midnight:
        yield "every time is midnight, so it is read as a date. Is it one?"
    if facts.day_or_month_first:
        yield (
            "no date has a number above 12 before its year, so that 03/04 may be 3 April or 4 March. The model reads "
            "the day first. Is that the order?"
        )
    if field.kind == "local_time":
        yield "times have no offset. Are they legal time of the card's time_zone, and do they start or end an interval?"
    if field.kind in ("epoch_s", "epoch_ms"):
        unit = "seconds" if field.kind == "epoch_s" else "milliseconds"
        yield f"it is read as {unit} since 1970 in UTC. Is it?"
    if field.kind == "point":
        yield "it is read as latitude, then longitude. Is that the order?"
    if field.kind == "wkt":
        yield "it is a geometry in WKT, kept as text. In which coordinate system?"
    if field.kind == "integer" and sounds_like_code(field.name) and not is_year(field):
        yield "is it a code? Then it is text."


def _questions_on_persons(field: Field) -> Iterator[str]:
    if field.personal:
        classification, why = field.personal
        yield f"{why}. Is it personal data ({classification}), and is it needed?"


def _seen(field: Field) -> Iterator[str]:
    """Yield what the sample shows of a column, nothing of one that may be personal."""
    facts = field.facts
    if field.personal:
        return
    found = []
    if field.facts.few_values:
        found.append(", ".join(_shown(text) for text in facts.few_values))
    elif (limits := bounds(facts)) is not None:
        found.append(f"from {limits[0]} to {limits[1]}")
    if facts.filled < facts.records:
        found.append(f"{facts.records - facts.filled:,} of {facts.records:,} empty")
    if found:
        yield f"Seen: {'; '.join(found)}."


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _ours(plan: Plan) -> Properties:
    layout = layout_of(plan.shape, [field.name for field in plan.columns])
    declared: Properties = {"name": layout.name, "form": layout.form}
    if layout.form == "delimited":
        declared |= {"header": layout.header}
        declared |= {"columns": list(layout.columns), "delimiter": layout.delimiter} if layout.columns else {}
    if layout.record:
        declared["record"] = layout.record
    declared["note"] = _note(plan)
    return {
        "title_en": asked(plan.dataset.replace("_", " ").capitalize(), "what is the dataset called, in English?"),
        "description_en": TO_COMPLETE_EN,
        "producer_name": asked("À compléter", "what is the producer's full name?"),
        "licence": asked(
            {"spdx": UNKNOWN_LICENCE, "attribution": "À compléter / to be completed"},
            "under which licence does the producer give it, and how is he named? (etalab-2.0, ODbL-1.0, CC-BY-4.0)",
        ),
        "time_zone": asked(ZONE, *_questions_on_zone(plan)),
        "crs": asked(plan.crs, *_questions_on_crs(plan)),
        "deliveries": _deliveries(plan),
        "layouts": [declared],
        "sharing": asked(
            _closed(),
            "what may leave the authority (nothing, aggregates, everything), for partners, for all? For now nothing.",
            "at the finest by hour, street or activity, under which secrecy, and until when? See docs/accords.md.",
        ),
        "gdpr": _gdpr(plan),
    }


def _closed() -> Properties:
    return {
        "leaves": {INTERNAL: EVERYTHING, PARTNER: NOTHING, PUBLIC: NOTHING},
        "purpose": "À compléter / to be completed",
        "terms": "Non précisé / not stated.",
        "until": None,
    }


def _note(plan: Plan) -> str:
    if plan.shape.form == "spreadsheet":
        return "Every visible sheet that has these headers is read, whatever stands above them."
    marked = " with a byte order mark" if plan.shape.marked else ""
    written = f"The file drafted from is in {plan.shape.encoding}{marked}"
    names = {";": "semicolon", ",": "comma", "\t": "tab", "|": "bar"}
    if plan.shape.delimiter:
        written += f", with {names[plan.shape.delimiter]} as delimiter"
    return f"{written}. What is not declared is detected."


def _questions_on_zone(plan: Plan) -> Iterator[str]:
    if plan.offsets:
        found = ", ".join(plan.offsets)
        yield f"times are written with the offsets {found}. In which legal time do the producer's days begin?"
    else:
        yield "in which time zone are dates and times written?"


def _questions_on_crs(plan: Plan) -> Iterator[str]:
    if is_projected(plan.fields):
        yield "coordinates are no degrees. In which coordinate system are they?"
    elif any(field.kind in ("geometry", "point", "wkt") for field in plan.fields):
        yield "coordinates look like degrees. Are they WGS84?"
    else:
        yield "no geometry was found. If there is one, in which coordinate system?"


def _deliveries(plan: Plan) -> Properties:
    keyed = ", ".join(field.name for field in plan.key_fields)
    return {
        "follows": asked(plan.follows, *_questions_on_follows(plan, keyed)),
        "order": asked(
            "file_date" if plan.feed.date else "receipt",
            "does the date in the file's name say which file is newer?"
            if plan.feed.date
            else "files follow one another as they are received. Does their name or content say better?",
        ),
        "observed_column": asked(
            plan.observed,
            f"is {plan.observed} the time of an observation, never a planned one?"
            if plan.observed
            else "which column says up to when something was observed? None was recognised.",
        ),
        "max_bytes": Noted(
            max(LEAST_BYTES, 1 << (10 * plan.size).bit_length()), notes=("At least ten times the file drafted from.",)
        ),
    }


def _questions_on_follows(plan: Plan, keyed: str) -> Iterator[str]:
    key = plan.key
    if plan.key_fields:
        yield f"is a record known by {keyed}? The values are unique in {plan.looked_at}."
        yield (
            "what is a delivery to those before it: `upsert` (it corrects them, what it lacks stays), `snapshot` (what "
            "it lacks has ended), `append` or `events`?"
        )
    else:
        yield (
            "by which columns is a record known? No three of them are unique and filled in the sample, so every record "
            "of every delivery is kept. With a key, `upsert` or `snapshot` may be right."
        )
    if key.nearly:
        yield f"{', '.join(key.nearly)} would be a key but for {key.contradictions} records. Which of two is right?"
    if key.repeats:
        yield f"{key.repeats} records repeat another one entirely. Do they mean anything?"


def _record() -> Properties:
    """Return the rest of a record of processing, to be completed; nobody has said that persons are well protected."""
    texts = ("purposes", "categories_of_persons", "categories_of_data", "security_measures")
    return {
        "sensitive": False,
        **{name: ["À compléter / to be completed"] for name in texts},
        **dict.fromkeys(("legal_basis", "service"), "À compléter / to be completed"),
        **{name: [] for name in ("recipients", "transfers", "processors")},
        "retention": "P0D",
        "created_on": NEVER,
    }


def _gdpr(plan: Plan) -> Noted:
    suspected = [f"{field.name}: {field.personal[1]}" for field in plan.fields if field.personal]
    declared = any(field.personal for field in plan.columns)
    value: Properties = {
        "personal_data": declared,
        "reason": f"Non examiné / not examined. {'; '.join(suspected)}".strip() if suspected else (
            "Non examiné : rien de personnel n'a été reconnu / not examined: nothing personal was recognised."
        ),
        "reviewed_on": asked(NEVER, "who examined it, and when? This date stands for never."),
    }  # fmt: skip
    if declared:
        value |= _record()
    question = (
        "what are the columns classified above for, on which legal basis, who sees them, and how long are they kept?"
        if declared
        else "does the dataset hold nothing about persons, even indirectly?"
    )
    return asked(value, question)
