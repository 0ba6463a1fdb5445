"""Which element of an unknown XML document is a record, and the paths in it that hold values.

The record is the element that is repeated most under one parent and holds more than a text. Reading documents by a
card belongs in ``readers``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, ParseError

from raw_sources.drafting.shape import MOST_PATHS, SAMPLE_RECORDS, Header, Shape, refusal
from raw_sources.readers.encoding import byte_order_mark
from raw_sources.readers.json_stream import Record
from raw_sources.readers.match import normalise
from raw_sources.readers.paths import TEXT
from raw_sources.readers.xml_stream import Element, Survey, XmlForm, is_simple, local, stream_elements

SURVEYED_BYTES = 16 << 20
CHUNK_BYTES = 1 << 16
_SAYS_LITTLE = ("@lang", "@nil", "@schemaLocation", "@modelBaseVersion")


class _Counts:
    """Counts, under each open element, its children by name; remembers the highest count of each name and its depth."""

    def __init__(self) -> None:
        self._open: list[tuple[str, Counter[str]]] = []
        self.most: dict[str, int] = {}
        self.depth: dict[str, int] = {}
        self.holds: Counter[str] = Counter()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Count an opened element under its parent."""
        name = local(tag)
        self.holds[name] = max(self.holds[name], len(attributes))
        self.depth[name] = min(self.depth.get(name, len(self._open)), len(self._open))
        if self._open:
            children = self._open[-1][1]
            children[name] += 1
            self.most[name] = max(self.most.get(name, 0), children[name])
        self._open.append((name, Counter()))

    def end(self, _: str) -> None:
        """Close an element and note how many children it has."""
        name, children = self._open.pop()
        self.holds[name] = max(self.holds[name], children.total())

    def record(self) -> str | None:
        """Return the name of the element that is repeated most and holds several things; the outermost of equals."""
        candidates = [name for name, count in self.most.items() if count > 1 and self.holds[name] > 1]
        return max(candidates, key=lambda name: (self.most[name], -self.depth[name]), default=None)


def xml_shape(path: Path) -> Shape:
    """Return the form of an XML document; DeliveryRefused when no element of it is repeated."""
    record = _record_of(path)
    if record is None:
        raise refusal(path, "no element of the XML document is repeated, so none is a record", "Is it a configuration?")
    paths: dict[str, None] = {}
    above: dict[str, None] = {}

    def note(value: Any, ancestors: Sequence[Element]) -> None:
        paths.update(dict.fromkeys(leaves(value, ())))
        above.update(dict.fromkeys(_known_above(ancestors)))

    form = XmlForm(record=record, root=None, wanted=frozenset(), convert=note)
    found = list(islice(stream_elements(path, "utf-8", form, Survey()), SAMPLE_RECORDS))
    if not any(isinstance(item, Record) for item in found):
        raise refusal(path, f"no element '{record}' can be read", "A draft needs at least one record.")
    kept = list({normalise(text): text for text in reversed([*paths, *above])}.values())[::-1]
    remarks = [f"a record is one element '{record}', the one repeated most. Is that the right one?"]
    if len(kept) > MOST_PATHS:
        remarks.append(
            f"a record holds {len(kept)} different values; the first {MOST_PATHS} are columns. Which matter?"
        )
    return Shape(
        form="xml_records",
        encoding="utf-8",
        marked=byte_order_mark(path)[1] > 0,
        headers=tuple(Header(text) for text in kept[:MOST_PATHS]),
        record=record,
        remarks=tuple(remarks),
    )


def _record_of(path: Path) -> str | None:
    counts = _Counts()
    parser = DefusedXMLParser(target=counts, forbid_dtd=True)
    read = 0
    with path.open("rb") as stream:
        while read < SURVEYED_BYTES and (chunk := stream.read(CHUNK_BYTES)):
            read += len(chunk)
            try:
                parser.feed(chunk)
            except DefusedXmlException as error:
                raise refusal(
                    path, "the XML document declares a document type or entities", "Ask for it without its DOCTYPE."
                ) from error
            except ParseError as error:
                raise refusal(path, f"the XML cannot be read: {error}", "Fetch the file again.") from error
    return counts.record()


def leaves(value: Any, steps: tuple[str, ...]) -> Iterator[str]:
    """Yield the paths of a record that lead to texts, lists walked through; attributes beside a text included."""
    if isinstance(value, list):
        for member in value:
            yield from leaves(member, steps)
    elif isinstance(value, dict):
        if TEXT in value and steps:
            yield "/".join(steps)
        for name, member in value.items():
            if name != TEXT and name not in _SAYS_LITTLE:
                yield from leaves(member, (*steps, name))
    elif value is not None and steps:
        yield "/".join(steps)


def _known_above(ancestors: Sequence[Element]) -> Iterator[str]:
    """Yield the paths of what the two elements around a record say of it: attributes and texts before it."""
    for levels, element in enumerate(list(reversed(ancestors))[:2], start=1):
        for name, value in element.members.items():
            if is_simple(value) and not isinstance(value, list) and value and name not in _SAYS_LITTLE:
                yield "/".join([".."] * levels + [name])
