"""The draft of a staging model and of its YAML: casts, why a record does not fit, the key.

What the columns mean is in the card. Texts that come from the file reach the SQL only as names or as quoted literals.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from raw_sources.drafting.plan import ZONE, Field, Plan
from raw_sources.drafting.profile import BOOLEANS
from raw_sources.drafting.yaml_text import asked, comment, dump

RECORD_KEY = "record_id"
INDENT = "    "


def model_text(plan: Plan) -> str:
    """Return the model as dbt SQL."""
    fields = [field for field in plan.fields if field.is_read]
    ctes = [_published(plan), _texts(fields), *_dated(fields), _typed(fields)]
    head = [f"{{{{ config(key=[{', '.join(map(repr, _key(plan)))}]) }}}}", "", *_opening(plan, fields)]
    return "\n".join(head) + "\n" + "with " + ",\n\n".join(ctes) + "\n\n" + _final(plan, fields) + "\n"


def _key(plan: Plan) -> list[str]:
    return [field.output for field in plan.key_fields] or [RECORD_KEY]


def _opening(plan: Plan, fields: Sequence[Field]) -> Iterator[str]:
    yield from comment(
        f"Drafted from {plan.looked_at}. A QUESTION marks what the file does not say; the card has those on columns.",
        0,
        "--",
    )
    if not plan.key_fields:
        yield from comment(
            "QUESTION: no key was found, so every record is kept under a number of its own, and a corrected delivery "
            "does not replace anything. By which columns is a record known?",
            0,
            "--",
        )
    if any(field.kind == "local_time" for field in fields):
        yield from comment(
            f"QUESTION: times without offset are read as legal time of {ZONE}; one that does not exist (spring change) "
            "is refused. Are they?",
            0,
            "--",
        )
    if any(field.kind in ("geometry", "point") for field in fields):
        yield from comment(
            "QUESTION: do records outside the territory come with this file? place_in_box tells them apart.", 0, "--"
        )


def _cte(name: str, lines: Sequence[str]) -> str:
    return f"{name} as (\n" + "\n".join(f"{INDENT}{line}" if line else line for line in lines) + "\n)"


def _published(plan: Plan) -> str:
    return _cte("published", [f"select * from {{{{ raw('{plan.producer}__{plan.dataset}') }}}}"])


def _select(columns: Sequence[Sequence[str]], source: str) -> list[str]:
    """Return the lines of a select; each column is one or several lines."""
    lines = ["select"]
    for number, column in enumerate(columns):
        *before, last = column
        lines += [INDENT + line for line in before]
        lines.append(f"{INDENT}{last}{',' if number < len(columns) - 1 else ''}")
    return [*lines, f"from {source}"]


def _texts(fields: Sequence[Field]) -> str:
    columns = [["_delivery_id"], ["_record_no"], *(_text(field) for field in fields)]
    return _cte("texts", _select(columns, "published"))


def _text(field: Field) -> list[str]:
    """Return the column as text: blanks around it cut, NULL when it is empty or says that it is missing."""
    cell = field.name
    if not field.is_claimed:
        path = '$."' + (field.header.extra or "").replace("'", "''") + '"'
        cell = f"json_extract_string(_extra, '{path}')"
    if field.facts.markers:
        words = ", ".join("'" + text.replace("'", "''") + "'" for text in ("", *field.facts.markers))
        when = f"{INDENT}when trim({cell}) not in ({words})"
        return ["case", when, f"{INDENT * 2}then trim({cell})", f"end as {field.text}"]
    if not field.is_claimed:
        return ["nullif(", f"{INDENT}trim({cell}), ''", f") as {field.text}"]
    return [f"nullif(trim({cell}), '') as {field.text}"]


def _dated(fields: Sequence[Field]) -> Iterator[str]:
    """Yield the step that rewrites, as ISO 8601, dates in forms that the macros do not read."""
    columns = [_iso(field) for field in fields if field.facts.formats]
    if columns:
        yield _cte("dated", _select([["*"], *columns], "texts"))


def _iso(field: Field) -> list[str]:
    forms = ", ".join(f"'{form}'" for form in field.facts.formats)
    return [
        "coalesce(",
        f"{INDENT}strftime(try_strptime({field.text}, [{forms}]), '%Y-%m-%dT%H:%M:%S'),",
        f"{INDENT}{field.text}",
        f") as {field.name}_iso",
    ]


def _typed(fields: Sequence[Field]) -> str:
    source = "dated" if any(field.facts.formats for field in fields) else "texts"
    columns = [column for field in fields if field.is_typed for column in _casts(field)]
    return _cte("typed", _select([["*"], *columns], source))


def _when(field: Field) -> str:
    return f"{field.name}_iso" if field.facts.formats else field.text


def _casts(field: Field) -> list[list[str]]:
    """Return the typed columns of a field; a point gives two."""
    text, output = field.text, field.output
    if field.kind == "point":
        return [
            [f"{{{{ point_lon('{text}') }}}} as {output}_lon"],
            [f"{{{{ point_lat('{text}') }}}} as {output}_lat"],
        ]
    if field.kind == "boolean":
        return [_boolean(field)]
    if field.kind == "integer":
        return [_whole(text, f"try_cast({text} as bigint)", output)]
    if field.kind in ("epoch_s", "epoch_ms"):
        factor = 1_000_000 if field.kind == "epoch_s" else 1_000
        return [_whole(text, f"make_timestamp(try_cast({text} as bigint) * {factor})", output)]
    call = {
        "number": f"parse_number('{text}')",
        "date": f"parse_date('{_when(field)}', '{ZONE}')",
        "instant": f"parse_instant('{_when(field)}', '{ZONE}')",
        "local_time": f"parse_instant('{_when(field)}', '{ZONE}')",
        "geometry": f"geojson_geometry('{text}')",
    }[field.kind]
    return [[f"{{{{ {call} }}}} as {output}"]]


def _whole(text: str, value: str, output: str) -> list[str]:
    return [
        "case",
        f"{INDENT}when regexp_full_match({text}, '[+-]?[0-9]{{1,18}}')",
        f"{INDENT * 2}then {value}",
        f"end as {output}",
    ]


def _boolean(field: Field) -> list[str]:
    found = {text.casefold() for text in field.facts.values}
    yes, no = ("1", "0") if found <= {"0", "1"} else next(pair for pair in BOOLEANS if found <= set(pair))
    return [
        f"case lower({field.text})",
        f"{INDENT}when '{yes}' then true",
        f"{INDENT}when '{no}' then false",
        f"end as {field.output}",
    ]


def _final(plan: Plan, fields: Sequence[Field]) -> str:
    columns: list[list[str]] = [["_delivery_id"], ["_record_no"]]
    if not plan.key_fields:
        columns.append([f"concat(_delivery_id, ' ', _record_no) as {RECORD_KEY}"])
    for field in fields:
        columns += [[name] for name in outputs(field)]
    columns += [["0 as _preference"], ["false as _out_of_scope"], _reasons(plan, fields)]
    return "\n".join(_select(columns, "typed"))


def outputs(field: Field) -> list[str]:
    """Return the names that a field has in the staging model."""
    return [f"{field.output}_lon", f"{field.output}_lat"] if field.kind == "point" else [field.output]


def _reasons(plan: Plan, fields: Sequence[Field]) -> list[str]:
    """Return the column that says why a record does not fit, with its text unless it may be personal."""
    whens = [line for field in plan.key_fields for line in _empty_key(field)]
    whens += [line for field in fields for line in _misfit(field)]
    if not whens:
        return ["cast(null as varchar) as _reject_reason"]
    return ["case", *(INDENT + line for line in whens), "end as _reject_reason"]


def _empty_key(field: Field) -> list[str]:
    return [f"when {field.text} is null then 'no {field.name}'"]


_MEANT = {
    "number": "a number",
    "integer": "a whole number",
    "date": "a date",
    "instant": "a time",
    "local_time": "a time",
    "epoch_s": "a time",
    "epoch_ms": "a time",
    "boolean": "yes or no",
    "point": "a point",
}


def _reason(field: Field) -> str:
    """Return why a record with such a cell is refused, without the cell."""
    meant = "a GeoJSON geometry" if field.kind == "geometry" else _MEANT[field.kind]
    return f"{field.name} is not {meant}"


def _misfit(field: Field) -> list[str]:
    text, output = field.text, field.output
    if not field.is_typed:
        return []
    if field.kind == "geometry":
        return [f"when {{{{ is_bad_geometry('{text}') }}}}", f"{INDENT}then '{_reason(field)}'"]
    said = _said(field, _reason(field))
    if field.kind == "number":
        return [f"when {{{{ is_not_a_number('{text}') }}}}", f"{INDENT}then {said}"]
    if field.kind == "point":
        return [
            f"when {text} is not null",
            f"{INDENT}and ({output}_lon is null or {output}_lat is null)",
            f"{INDENT}then {said}",
        ]
    lines = [f"when {text} is not null and {output} is null", f"{INDENT}then {said}"]
    if field.kind == "local_time":
        lines += [
            f"when {{{{ is_missing_local_time('{_when(field)}', '{ZONE}') }}}}",
            f"{INDENT}then {_said(field, f'{field.name} does not exist in legal time')}",
        ]
    return lines


def _said(field: Field, what: str) -> str:
    """Return the SQL of a reason, which names the value unless it may be personal."""
    return f"'{what}'" if field.personal else f"'{what}: ' || {field.text}"


def model_yaml(plan: Plan) -> str:
    """Return the YAML that describes and tests the model: the ledger balances, the key is there and unique."""
    key = _key(plan)
    columns = [
        {
            "name": name,
            "description": "Part of the key." if plan.key_fields else "The delivery, and the record's number in it.",
            "data_tests": ["not_null", "unique"] if len(key) == 1 else ["not_null"],
        }
        for name in key
    ]
    model = {
        "name": plan.model,
        "description": asked("To be completed.", "what is one row of the model?"),
        "data_tests": ["ledger_balances"],
        "columns": columns,
    }
    tests = _unit_test(plan)
    return dump({"version": 2, "models": [model]} | ({"unit_tests": [tests]} if tests else {}))


_EXAMPLES = {
    "number": "1,5",
    "integer": "1",
    "date": "2025-01-31",
    "instant": "2025-01-31T12:00:00Z",
    "local_time": "2025-01-31T12:00:00",
    "epoch_s": "1738324800",
    "epoch_ms": "1738324800000",
}
NO_VALUE_OF_ANY_TYPE = "not so"


def _unit_test(plan: Plan) -> dict[str, Any] | None:
    """Return a dbt unit test on invented records: one that fits, and one refused for a column of each type."""
    shown: dict[str, Field] = {}
    for field in plan.fields:
        if field.is_read and field.is_typed:
            shown.setdefault(field.kind, field)
    if not shown:
        return None
    fits = {field.name: _EXAMPLES.get(field.kind, "A1") for field in plan.key_fields if field.kind != "boolean"}
    given = [_given(plan, 1, fits)]
    expected: list[dict[str, Any]] = [{"_record_no": 1, "_reject_reason": None}]
    for number, field in enumerate(shown.values(), start=2):
        given.append(_given(plan, number, {**fits, field.name: NO_VALUE_OF_ANY_TYPE}))
        reason = _reason(field) + ("" if field.personal or field.kind == "geometry" else f": {NO_VALUE_OF_ANY_TYPE}")
        expected.append({"_record_no": number, "_reject_reason": reason})
    return {
        "name": f"{plan.source}_refuses_what_does_not_fit",
        "description": "A record with its key fits; a cell that is not of its type refuses the record, and is named.",
        "model": plan.model,
        "given": [{"input": f"source('raw', '{plan.producer}__{plan.dataset}')", "rows": given}],
        "expect": {"rows": expected},
    }


def _given(plan: Plan, number: int, cells: Mapping[str, str]) -> dict[str, Any]:
    """Return one invented raw record; cells that the card cannot claim lie in ``_extra``."""
    row: dict[str, Any] = {"_record_no": number}
    row |= {field.name: cells[field.name] for field in plan.columns if field.name in cells}
    extra = {
        field.header.extra: cells[field.name] for field in plan.fields if field.name in cells and not field.is_claimed
    }
    return row | ({"_extra": json.dumps(extra, ensure_ascii=False)} if extra else {})
