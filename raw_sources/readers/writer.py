"""The two Parquet files of a delivery: raw rows and malformed records, written in batches of bounded size.

How records are found does not belong here. The columns are those of DESIGN §2: the card's loaded columns as text,
``_extra``, ``_delivery_id`` and ``_record_no`` for raw rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from raw_sources.card import Card

ROW_GROUP_ROWS = 122_880
ROW_GROUP_BYTES = 64 << 20
MAX_TEXT = 1 << 20
TEXT = pa.large_string()

_MALFORMED = pa.schema(
    [
        ("_delivery_id", pa.string()),
        ("_record_no", pa.int64()),
        ("line_no", pa.int64()),
        ("byte_offset", pa.int64()),
        ("text", pa.string()),
        ("reason", pa.string()),
    ]
)

Cells = Sequence[str | None]


def raw_columns(card: Card) -> list[str]:
    """Return the names of the card's columns that reach raw, in the card's order."""
    return [column.name for column in card.loaded_columns]


def shown(raw: bytes, encoding: str, length: int | None = None) -> str:
    """Return landed bytes as text for people: undecodable bytes and NULs as escapes, cut after ``MAX_TEXT`` bytes.

    ``length`` is the true length in bytes when ``raw`` is only the beginning.
    """
    total = len(raw) if length is None else length
    text = raw[:MAX_TEXT].decode(encoding, errors="backslashreplace").replace("\0", "\\x00")
    return text if total <= MAX_TEXT else f"{text}… [cut: {total} bytes]"


class RawWriter:
    """Writes raw rows and malformed records; use it as a context manager, nothing is complete before its end."""

    def __init__(self, card: Card, delivery_id: str, raw_out: Path, malformed_out: Path) -> None:
        self._delivery_id = delivery_id
        # A text that cannot be parsed cannot be shown without its personal columns: it is withheld whole.
        self._withheld = card.has_personal_data
        self._schema = pa.schema(
            [(name, TEXT) for name in raw_columns(card)]
            + [("_extra", TEXT), ("_delivery_id", TEXT), ("_record_no", pa.int64())]
        )
        self._raw_out = raw_out
        self._malformed_out = malformed_out
        self._waiting: list[pa.Table] = []
        self._waiting_bytes = 0
        self._bad: dict[str, list[object]] = {name: [] for name in _MALFORMED.names}
        self._bad_bytes = 0
        self.rows = 0
        self.malformed = 0

    def __enter__(self) -> RawWriter:
        self._raw = pq.ParquetWriter(self._raw_out, self._schema, compression="zstd", store_schema=False)
        self._malformed = pq.ParquetWriter(self._malformed_out, _MALFORMED, compression="zstd")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush_rows()
            self._flush_malformed()
        self._raw.close()
        self._malformed.close()

    def add(self, record_nos: Sequence[int], columns: Sequence[Cells | None], extra: Cells | None) -> None:
        """Add raw rows: one sequence per loaded column (None when the file lacks it), ``extra`` as JSON texts.

        An empty text becomes NULL.
        """
        if not record_nos:
            return
        count = len(record_nos)
        arrays = [_text(cells, count) for cells in columns] + [_text(extra, count)]
        arrays += [pa.repeat(pa.scalar(self._delivery_id, TEXT), count), pa.array(record_nos, pa.int64())]
        table = pa.Table.from_arrays(arrays, schema=self._schema)
        self._waiting.append(table)
        self._waiting_bytes += table.nbytes
        self.rows += count
        if sum(len(table) for table in self._waiting) >= ROW_GROUP_ROWS or self._waiting_bytes >= ROW_GROUP_BYTES:
            self._flush_rows()

    def add_malformed(self, record_no: int, line_no: int, byte_offset: int, text: str, reason: str) -> None:
        """Add a record that cannot be parsed: its first line (from 1), its place in bytes (from 0), text and reason."""
        kept = None if self._withheld else text
        values = (self._delivery_id, record_no, line_no, byte_offset, kept, reason)
        for name, value in zip(_MALFORMED.names, values, strict=True):
            self._bad[name].append(value)
        self.malformed += 1
        self._bad_bytes += len(text)
        if len(self._bad["text"]) >= ROW_GROUP_ROWS or self._bad_bytes >= ROW_GROUP_BYTES:
            self._flush_malformed()

    def _flush_rows(self) -> None:
        if self._waiting:
            self._raw.write_table(pa.concat_tables(self._waiting), row_group_size=ROW_GROUP_ROWS)
        self._waiting, self._waiting_bytes = [], 0

    def _flush_malformed(self) -> None:
        self._malformed.write_table(pa.table(self._bad, schema=_MALFORMED))
        self._bad, self._bad_bytes = {name: [] for name in _MALFORMED.names}, 0


def _text(cells: Cells | None, count: int) -> pa.Array:
    if cells is None:
        return pa.nulls(count, TEXT)
    # Polars makes columns of Python texts several times faster than pyarrow does.
    texts = pl.Series(cells, dtype=pl.String).to_arrow().cast(TEXT)
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, TEXT), texts)


def write_empty_malformed(path: Path) -> None:
    """Write a malformed file without records."""
    pq.write_table(_MALFORMED.empty_table(), path, compression="zstd")


def first_malformed(path: Path) -> str:
    """Return the place and the reason of the first record of a malformed file."""
    record = pq.read_table(path, columns=["line_no", "reason"]).slice(0, 1).to_pylist()[0]
    return f"line {record['line_no']}: {record['reason']}"
