"""Documents that were read and checked once are not parsed again, and nothing else is believed of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from raw_sources import documents
from raw_sources.documents import read_document
from raw_sources.errors import ConfigurationError

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"size": {"type": "integer"}}}
STRICTER: dict[str, Any] = {"type": "object", "properties": {"size": {"type": "integer", "maximum": 3}}}


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(documents, "PRODUCT", tmp_path)
    path = tmp_path / "card.yml"
    path.write_text("size: 5\nsince: 2024-01-01\n", encoding="utf-8")
    return path


def no_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(*_: object) -> object:
        raise AssertionError("parsed again")

    monkeypatch.setattr(documents, "_load", parse)
    monkeypatch.setattr(documents, "_departures", parse)


def test_a_checked_document_is_not_parsed_again(card: Path, monkeypatch: pytest.MonkeyPatch):
    first = read_document(card)
    first.check(SCHEMA, "the schema")
    no_parsing(monkeypatch)
    again = read_document(card)
    again.check(dict(SCHEMA), "the schema")
    assert again.value == first.value == {"size": 5, "since": "2024-01-01"}
    assert again.digest == first.digest


def test_nothing_is_written_beside_the_documents_of_a_territory(card: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(documents, "PRODUCT", card.parent / "product")
    read_document(card).check(SCHEMA, "the schema")
    assert [path.name for path in card.parent.iterdir()] == ["card.yml"]


def test_one_memory_is_kept_of_a_document_that_changes(card: Path):
    for size in (5, 6):
        card.write_text(f"size: {size}\n", encoding="utf-8")
        read_document(card).check(SCHEMA, "the schema")
        assert read_document(card).value["size"] == size
    assert len(list((card.parent / "__pycache__").iterdir())) == 1


def test_another_schema_is_checked(card: Path):
    read_document(card).check(SCHEMA, "the schema")
    with pytest.raises(ConfigurationError, match=r"card\.yml:1"):
        read_document(card).check(STRICTER, "the stricter schema")
    with pytest.raises(ConfigurationError):
        read_document(card).check(STRICTER, "the stricter schema")


def test_another_text_is_read(card: Path):
    read_document(card).check(SCHEMA, "the schema")
    card.write_text("size: six\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"card\.yml:1"):
        read_document(card).check(SCHEMA, "the schema")


def test_a_memory_that_cannot_be_read_or_written_is_done_without(card: Path):
    (card.parent / "__pycache__").write_text("in the way", encoding="utf-8")
    read_document(card).check(SCHEMA, "the schema")
    assert read_document(card).value["size"] == 5


def test_a_damaged_memory_is_done_without(card: Path):
    read_document(card).check(SCHEMA, "the schema")
    (memory,) = (card.parent / "__pycache__").iterdir()
    memory.write_text('{"value": {"size"', encoding="utf-8")
    assert read_document(card).value["size"] == 5
