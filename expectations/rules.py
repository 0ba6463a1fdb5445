"""The closed vocabulary of kinds: what each kind of expectation means, as SQL that returns the offending rows.

Pure text: no connection, no Great Expectations. Kinds that look at one column alone (``COLUMN_KINDS``) have no query
here, because the engine runs all of them in one scan; every other kind is one query over ``mart``, the name under which
the engine shows the mart's rows. A query compares with ``is not true`` wherever a missing reference (no territory, no
bound) must turn the expectation red instead of letting it pass unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from expectations.value_statuses import ABSENT, PRESENT
from raw_sources.database import identifier, literal

MART_PLACEHOLDER = "{mart}"
MART_NAME = "mart"
WHOLE_MART = "*"
COLUMN_KINDS = frozenset({"not_null", "between", "in_set"})
TOLERANT_KINDS = frozenset({"matches_ledger", "keeps_last_release"})


@dataclass(frozen=True)
class Tolerance:
    """An exception that a territory accepts, with its reason, while the data's date is not after ``until``.

    ``period`` is None for every period of the source. The date compared is ``ops.territory.as_of``: no clock.
    """

    expectation: str
    source: str
    period: str | None
    reason: str
    until: str


Parameters = Mapping[str, Any]
Tolerances = Sequence[Tolerance]


def offending_rows(kind: str, mart: str, parameters: Parameters, tolerances: Tolerances = ()) -> str | None:
    """Return the query of the rows that break an expectation, or None for a kind of ``COLUMN_KINDS``.

    ``mart`` is ``schema.table``, as ``ops.mart_sources`` and ``ops.last_release`` write it.
    """
    if kind in COLUMN_KINDS:
        return None
    return _QUERIES[kind](mart, parameters, tolerances)


def _unique(_mart: str, parameters: Parameters, _tolerances: Tolerances) -> str:
    columns = ", ".join(identifier(column) for column in parameters["columns"])
    return f"select {columns} from {MART_NAME} group by {columns} having count(*) > 1"


def _matches(_mart: str, parameters: Parameters, _tolerances: Tolerances) -> str:
    column = identifier(parameters["column"])
    return f"select {column} from {MART_NAME} where not regexp_full_match({column}, {literal(parameters['pattern'])})"


def _every_row(_mart: str, parameters: Parameters, _tolerances: Tolerances) -> str:
    return f"select 1 as offending from {MART_NAME} where ({parameters['condition'].strip()}) is not true"


def _no_rows(_mart: str, parameters: Parameters, _tolerances: Tolerances) -> str:
    query: str = parameters["query"]
    return query.replace(MART_PLACEHOLDER, MART_NAME).strip().rstrip(";")


def _value_status(_mart: str, parameters: Parameters, _tolerances: Tolerances) -> str:
    value, status = identifier(parameters["value"]), identifier(parameters["status"])
    present, absent = (", ".join(literal(name) for name in names) for names in (PRESENT, ABSENT))
    agrees = f"case when {value} is null then {status} in ({absent}) else {status} in ({present}) end"
    return f"select {value}, {status} from {MART_NAME} where ({agrees}) is not true"


def _inside_box(_mart: str, parameters: Parameters, _tolerances: Tolerances) -> str:
    lon, lat = identifier(parameters["lon"]), identifier(parameters["lat"])
    inside = (
        f"{lon} between (select min_lon from ops.territory) and (select max_lon from ops.territory)"
        f" and {lat} between (select min_lat from ops.territory) and (select max_lat from ops.territory)"
    )
    half = f"({lon} is null) <> ({lat} is null)"
    return f"select {lon}, {lat} from {MART_NAME} where {half} or ({lon} is not null and ({inside}) is not true)"


def _matches_ledger(mart: str, parameters: Parameters, tolerances: Tolerances) -> str:
    staged, found = "coalesce(ledger.staged, 0)", "coalesce(observed.found, 0)"
    at_most = f"{found} > {staged} or ({found} = 0 and {staged} > 0)"
    gathered = ", ".join(literal(family) for family in parameters.get("gathered", ())) or "null"
    broken = {
        "equal": f"case when sources.family in ({gathered}) then {at_most} else {found} <> {staged} end",
        "at_most": at_most,
    }
    return f"""
with ledger as (
    select mart_sources.source, sum(deliveries.staged) as staged
    from ops.mart_sources as mart_sources
    left join ops.ledger as deliveries on deliveries.source = mart_sources.source
    where mart_sources.mart = {literal(mart)}
    group by mart_sources.source
),
observed as (select source, count(*) as found from {MART_NAME} group by source)
select coalesce(ledger.source, observed.source) as source
from ledger full join observed on observed.source = ledger.source
left join ops.sources as sources on sources.source = coalesce(ledger.source, observed.source)
where ({broken[parameters["rows"]]}){_tolerated("coalesce(ledger.source, observed.source)", None, tolerances)}
""".strip()


def _keeps_last_release(mart: str, parameters: Parameters, tolerances: Tolerances) -> str:
    kept_pct = 100 - int(parameters["max_loss_pct"])
    period = f"cast({identifier(parameters['period'])} as varchar)" if "period" in parameters else literal(WHOLE_MART)
    return f"""
with released as (
    select source, period, sum("rows") as before
    from ops.last_release where mart = {literal(mart)} group by source, period
),
observed as (select source, {period} as period, count(*) as found from {MART_NAME} group by 1, 2)
select released.source, released.period
from released
left join observed on observed.source = released.source and observed.period = released.period
where coalesce(observed.found, 0) * 100 < released.before * {kept_pct}\
{_tolerated("released.source", "released.period", tolerances)}
""".strip()


def _tolerated(source: str, period: str | None, tolerances: Tolerances) -> str:
    """Return the conditions that take tolerated (source, period) pairs out of the offending rows."""
    return "".join(f"\n  and ({_exception(source, period, tolerance)}) is not true" for tolerance in tolerances)


def _exception(source: str, period: str | None, tolerance: Tolerance) -> str:
    conditions = [
        f"{source} = {literal(tolerance.source)}",
        f"(select as_of from ops.territory) <= cast({literal(tolerance.until)} as date)",
    ]
    if tolerance.period is not None and period is not None:
        conditions.append(f"{period} = {literal(tolerance.period)}")
    return " and ".join(conditions)


_QUERIES: dict[str, Callable[[str, Parameters, Tolerances], str]] = {
    "unique": _unique,
    "matches": _matches,
    "every_row": _every_row,
    "no_rows": _no_rows,
    "inside_box": _inside_box,
    "value_status": _value_status,
    "matches_ledger": _matches_ledger,
    "keeps_last_release": _keeps_last_release,
}
