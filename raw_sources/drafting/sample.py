"""The first records of an unknown file, read by the reader that will read its deliveries.

A provisional card, all text and without a key, is enough for that. What the cells show belongs in ``profile``.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from raw_sources import readers
from raw_sources.card import Card, Column, Layout
from raw_sources.database import DuckDBSettings
from raw_sources.drafting.shape import Header, Shape
from raw_sources.readers.encoding import is_wide

# Types are judged by so many records, taken at the beginning; the reader is given no more than so many bytes.
SAMPLE_RECORDS = 20_000
SAMPLE_BYTES = 32 << 20
DELIVERY = "000001-sample"


@dataclass(frozen=True)
class Sample:
    """The first records as texts, blanks around them cut and empty ones NULL: one column per header of the file.

    ``read`` and ``malformed`` count the records of the bytes looked at; ``whole`` says that they are the whole file.
    """

    cells: pl.DataFrame
    read: int
    malformed: int
    whole: bool
    partial: bool

    def counted(self, name: str) -> Counter[str]:
        """Return the distinct values of a column with their number of records, NULL left out."""
        return Counter(self.cells[name].drop_nulls().to_list())


def provisional_card(shape: Shape, names: Mapping[Header, str], theme: str, source: str, multiline: bool) -> Card:
    """Return a card under which every column is an optional text."""
    columns = tuple(
        _text_column(name, header, multiline=multiline) for header, name in names.items() if header.extra is None
    )
    return Card(
        source=source,
        producer=source.partition("_")[0],
        dataset=source.partition("_")[2],
        theme=theme,
        path=Path(f"{source}.yml"),
        version="0.0.0",
        title_fr=source,
        title_en=source,
        description_fr=source,
        description_en=source,
        licence="",
        attribution="",
        homepage="",
        owner="",
        steward="",
        contact="",
        layouts=(layout_of(shape, [column.name for column in columns]),),
        columns=columns,
        follows="append",
        order="receipt",
        time_zone="UTC",
        crs="EPSG:4326",
        observed_column=None,
        rhythm="P1D",
        late_after="P1D",
        max_bytes=1 << 40,
        digest="",
    )


def _text_column(name: str, header: Header, *, multiline: bool) -> Column:
    return Column(
        name=name,
        headers=(header.text,),
        logical_type="string",
        required=False,
        key_position=None,
        unit=None,
        title_fr=name,
        title_en=name,
        description_fr=name,
        description_en=name,
        personal_data="none",
        never_load=False,
        multiline=multiline,
    )


def layout_of(shape: Shape, columns: Sequence[str]) -> Layout:
    """Return the layout of files of this shape, its raw columns by position when they have no header."""
    headerless = shape.form == "delimited" and shape.header_line == 0
    return Layout(
        name=layout_name(shape),
        form=shape.form,
        header=not headerless,
        columns=tuple(columns) if headerless else (),
        delimiter=shape.delimiter if headerless else None,
        encoding=None,
        partial=False,
        record=shape.record,
    )


def layout_name(shape: Shape) -> str:
    """Return the name of the layout that a draft declares."""
    if shape.form == "delimited":
        return "csv_with_headers" if shape.header_line else "csv_without_header"
    return shape.form


def take_sample(path: Path, shape: Shape, card: Card, names: Mapping[Header, str]) -> Sample:
    """Read the first records of ``path`` as the reader gives them. Raises DeliveryRefused when it cannot."""
    with tempfile.TemporaryDirectory() as folder:
        part, whole = _beginning(path, shape, Path(folder))
        match = readers.inspect(part, card)
        raw, malformed = Path(folder) / "raw.parquet", Path(folder) / "malformed.parquet"
        count = readers.read(part, match, card, DELIVERY, raw, malformed, DuckDBSettings())
        frame = pl.scan_parquet(raw).filter(pl.col("_record_no") > shape.skipped).head(SAMPLE_RECORDS).collect()
    extra = [json.loads(text) if text else {} for text in frame["_extra"]]
    columns = [
        frame[name].alias(name)
        if header.extra is None
        else pl.Series(name, [_text_of(members.get(header.extra)) for members in extra], dtype=pl.String)
        for header, name in names.items()
    ]
    cells = pl.DataFrame(columns).with_columns(pl.all().str.strip_chars(" "))
    cells = cells.with_columns(pl.when(pl.all() != "").then(pl.all()).name.keep())
    return Sample(
        cells=cells,
        read=count.records_read,
        malformed=count.malformed if whole else 0,
        whole=whole,
        partial=whole and match.partial,
    )


def _text_of(member: Any) -> str | None:
    """Return a member of ``_extra`` as the staging model reads it: JSON unless it is a text."""
    if member is None or isinstance(member, str):
        return member
    return json.dumps(member, ensure_ascii=False, separators=(",", ":"))


def _beginning(path: Path, shape: Shape, folder: Path) -> tuple[Path, bool]:
    """Return the file, or a copy of its first bytes up to a line's end when it is longer; and whether it is whole."""
    if path.stat().st_size <= SAMPLE_BYTES:
        return path, True
    with path.open("rb") as stream:
        data = stream.read(SAMPLE_BYTES)
    if shape.form == "delimited" and not is_wide(shape.encoding):
        data = data[: data.rfind(b"\n") + 1] or data
    part = folder / path.name
    part.write_bytes(data)
    return part, False
