"""What a draft will say: columns with names, types and suspicions, key, order of deliveries, and every open question.

Decided from the file alone. How it is written belongs in ``card_text`` and ``model_text``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from raw_sources.drafting.feed import Feed
from raw_sources.drafting.keys import TIMES, Key, find_key, observed_column
from raw_sources.drafting.meaning import (
    LAT_WORDS,
    LON_WORDS,
    YEAR_WORDS,
    suspicion,
    suspicion_by_name,
    theme_of,
    unit_of,
    words_of,
)
from raw_sources.drafting.names import column_name, once, snake
from raw_sources.drafting.profile import Facts, facts_of
from raw_sources.drafting.sample import SAMPLE_RECORDS, Sample, provisional_card, take_sample
from raw_sources.drafting.shape import Header, Shape, find_shape

ZONE = "Europe/Paris"
TYPED = frozenset((*TIMES, "integer", "number", "boolean", "geometry", "point"))
SUFFIXES = {"date": "on", "instant": "at", "local_time": "at", "epoch_s": "at", "epoch_ms": "at"}


@dataclass(frozen=True)
class Field:
    """One column of the draft: the header in the file, its raw name, and the name that the staging model gives it.

    ``text`` is its name as a text in the model; ``key_position`` counts from 1; ``personal`` is a suspicion
    (classification, why); ``never_load`` keeps it from being stored until somebody has looked.
    """

    header: Header
    name: str
    text: str
    output: str
    facts: Facts
    unit: tuple[str, str] | None
    personal: tuple[str, str] | None
    never_load: bool
    key_position: int | None

    @property
    def kind(self) -> str:
        """The kind of its facts; times that are all midnight are dates."""
        return "date" if self.facts.at_midnight else self.facts.kind

    @property
    def is_typed(self) -> bool:
        """Whether the staging model casts it."""
        return self.kind in TYPED

    @property
    def is_claimed(self) -> bool:
        """Whether the card has a column for it; the others stay in ``_extra``."""
        return self.header.extra is None

    @property
    def is_read(self) -> bool:
        """Whether the staging model reads it."""
        readable = self.is_claimed or re.fullmatch(r"[^\"'{}\\\n]{1,60}", self.header.extra or "") is not None
        hidden = self.never_load or (not self.is_claimed and self.personal is not None)
        return readable and not hidden


@dataclass(frozen=True)
class Plan:
    """Everything that the texts of a draft are made from. ``size`` is that of the plain file, in bytes."""

    source: str
    theme: str
    file_name: str
    size: int
    shape: Shape
    sample: Sample
    fields: tuple[Field, ...]
    key: Key
    observed: str | None
    feed: Feed
    crs: str
    offsets: tuple[str, ...]

    @property
    def producer(self) -> str:
        """The first word of the source."""
        return self.source.partition("_")[0]

    @property
    def dataset(self) -> str:
        """The source without its producer."""
        return self.source.partition("_")[2]

    @property
    def model(self) -> str:
        """The name of the staging model."""
        return f"stg_{self.theme}__{self.source}"

    @property
    def columns(self) -> tuple[Field, ...]:
        """The fields that the card declares."""
        return tuple(field for field in self.fields if field.is_claimed)

    @property
    def key_fields(self) -> tuple[Field, ...]:
        """The fields of the key, in its order."""
        keyed = (field for field in self.fields if field.key_position is not None)
        return tuple(sorted(keyed, key=lambda field: field.key_position or 0))

    @property
    def is_keyed(self) -> bool:
        """Whether the card can declare the key: all of it are columns of the card."""
        return bool(self.key_fields) and all(field.is_claimed for field in self.key_fields)

    @property
    def follows(self) -> str:
        """What a delivery is to those before it, as far as it can be assumed without doing harm."""
        return "upsert" if self.is_keyed else "append"

    @property
    def looked_at(self) -> str:
        """What the guesses rest on, as an English phrase."""
        rows = self.sample.cells.height
        return f"{'the first' if is_cut(self) else 'all'} {rows:,} records of {self.file_name}"


def make_plan(path: Path, file_name: str, feed: Feed, source: str, theme: str | None) -> Plan:
    """Look at a plain file and decide what its draft says. Raises DeliveryRefused when there is nothing to draft."""
    shape = find_shape(path)
    names = _raw_names(shape)
    theme = theme or theme_of([source, *names.values()])
    card = provisional_card(shape, names, theme, source, multiline=True)
    sample = take_sample(path, shape, card, names)
    facts = {name: facts_of(name, sample.counted(name), sample.cells.height) for name in names.values()}
    suspected = {name: _suspicion(name, found) for name, found in facts.items()}
    usable = [name for name in names.values() if (suspected[name] or ("",))[0] != "direct"]
    key = find_key(sample.cells.select(usable), facts)
    fields = _fields(names, facts, suspected, key, headerless=shape.form == "delimited" and not shape.header_line)
    claimed = {field.name: facts[field.name] for field in fields if field.is_claimed and not field.never_load}
    return Plan(
        source=source,
        theme=theme,
        file_name=file_name,
        size=path.stat().st_size,
        shape=shape,
        sample=sample,
        fields=fields,
        key=key,
        observed=observed_column(key.columns, claimed),
        feed=feed,
        crs=_crs(fields),
        offsets=tuple(sorted(_offsets(fields))),
    )


def _raw_names(shape: Shape) -> dict[Header, str]:
    """Return a raw name for each header; of two paths that end alike, the shorter one keeps the short name."""
    found: dict[Header, str] = {}
    places = {header: position for position, header in enumerate(shape.headers, start=1)}
    for header in sorted(places, key=lambda header: (header.text.count("/"), places[header])):
        text = header.extra or header.text
        taken = set(found.values())
        found[header] = (
            once(column_name(text, places[header]), taken)
            if shape.form in ("delimited", "spreadsheet")
            else _path_name(text, places[header], taken)
        )
    return {header: found[header] for header in shape.headers}


# Last steps of a path that say too little alone.
_GENERIC = frozenset("code id type name nom from to x y value start end text libelle label date debut fin".split())


def _path_name(path: str, position: int, taken: set[str]) -> str:
    """Return a name from the last steps of a path: as many as it takes to say something, and to be the only one."""
    steps = [step.replace("..", "parent") for step in path.split("/")]
    last = snake(steps[-1])
    for count in range(2 if last in _GENERIC and len(steps) > 1 else 1, len(steps) + 1):
        name = column_name(" ".join(steps[-count:]), position)
        if name not in taken:
            return name
    return once(column_name(steps[-1], position), taken)


def _suspicion(name: str, facts: Facts) -> tuple[str, str] | None:
    if facts.kind in TYPED:
        return suspicion_by_name(name, len(facts.values))
    return suspicion(name, facts.values.items(), facts.longest)


def _fields(
    names: Mapping[Header, str],
    facts: Mapping[str, Facts],
    suspected: Mapping[str, tuple[str, str] | None],
    key: Key,
    *,
    headerless: bool,
) -> tuple[Field, ...]:
    taken: set[str] = {"record_id", *(f"{name}_iso" for name in names.values())}
    fields = []
    for header, name in names.items():
        found = facts[name]
        unit = unit_of(header.text, header.beside) if found.kind in ("integer", "number") else None
        kind = "date" if found.at_midnight else found.kind
        text = once(f"{name}_text", taken) if kind in TYPED else once(name, taken)
        taken.add(text)
        output = once(_output_name(name, kind, unit), taken) if kind in TYPED else text
        taken |= {output, f"{output}_lon", f"{output}_lat"} if kind == "point" else {output}
        personal = suspected[name]
        fields.append(
            Field(
                header=header,
                name=name,
                text=text,
                output=output,
                facts=found,
                unit=unit,
                personal=personal,
                # Without a header a column cannot be taken out: positions would shift.
                never_load=personal is not None and personal[0] == "direct" and not headerless and header.extra is None,
                key_position=key.columns.index(name) + 1 if name in key.columns else None,
            )
        )
    return tuple(fields)


def _output_name(name: str, kind: str, unit: tuple[str, str] | None) -> str:
    suffix = unit[1] if unit else SUFFIXES.get(kind, "")
    if not suffix or f"_{name}_".find(f"_{suffix}_") >= 0:
        return name
    return f"{name}_{suffix}"


_COORDINATES = re.compile(r'"coordinates"\s*:\s*\[[\s\[]*(-?[\d.]+(?:e-?\d+)?)\s*,\s*(-?[\d.]+(?:e-?\d+)?)')


def _crs(fields: Sequence[Field]) -> str:
    """Return EPSG:2154 when coordinates lie where Lambert-93 puts France, else EPSG:4326."""
    for x, y in _first_coordinates(fields):
        if 90_000 < x < 1_300_000 and 6_000_000 < y < 7_200_000:
            return "EPSG:2154"
    return "EPSG:4326"


def is_projected(fields: Sequence[Field]) -> bool:
    """Say whether the first coordinates found are no degrees."""
    return any(abs(x) > 180 or abs(y) > 90 for x, y in _first_coordinates(fields))


def _first_coordinates(fields: Sequence[Field]) -> Iterator[tuple[float, float]]:
    for field in fields:
        text = next(iter(field.facts.values), "")
        if field.kind == "geometry" and (found := _COORDINATES.search(text)):
            yield float(found[1]), float(found[2])
    numbers = {field.name: field for field in fields if field.kind == "number" and field.facts.filled}
    xs = [field for name, field in numbers.items() if words_of(name) & LON_WORDS]
    ys = [field for name, field in numbers.items() if words_of(name) & LAT_WORDS]
    for east, north in zip(xs[:1], ys[:1], strict=False):
        try:
            x, y = (float(next(iter(one.facts.values)).replace(",", ".")) for one in (east, north))
        except ValueError:
            continue
        yield x, y


def _offsets(fields: Sequence[Field]) -> set[str]:
    found: set[str] = set()
    for field in fields:
        if field.kind in ("instant", "date"):
            found |= {match[0] for text in field.facts.values if (match := re.search(r"(?:Z|[+-]\d\d:\d\d)$", text))}
    return found


def is_year(field: Field) -> bool:
    """Say whether a column holds years."""
    return bool(words_of(field.name) & YEAR_WORDS) and field.kind == "integer"


def is_cut(plan: Plan) -> bool:
    """Say whether the guesses rest on the beginning of the file only."""
    return not plan.sample.whole or plan.sample.read > SAMPLE_RECORDS
