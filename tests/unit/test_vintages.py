"""Files of reference: their date is that of a vintage, which they must have and which is no observation."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from orchestration.project import SAMPLE_TERRITORY, load_project
from orchestration.receiving import as_of
from orchestration.warehouse import Delivery
from raw_sources.card import Card
from raw_sources.feeds import FilePattern
from raw_sources.landing import Landing, Receipt
from raw_sources.loading import Loaded

NOW = datetime(2026, 1, 10, tzinfo=UTC)
CODES, WORKS = "insee_cog_communes", "paris_chantiers_perturbants"
CONTENT = "TYPECOM,COM,LIBELLE\nCOM,35238,Rennes\n"


@pytest.fixture(scope="module")
def cards() -> dict[str, Card]:
    return load_project(SAMPLE_TERRITORY).cards


def landed(cards: dict[str, Card], folder: Path, name: str, expression: str | None) -> tuple[str | None, str | None]:
    """Return file date and refusal of a file of codes whose name is read by an expression."""
    (folder / name).write_text(CONTENT, encoding="utf-8")
    pattern = FilePattern("*.csv", date=expression)
    (one,) = Landing(folder / "landing").land_file(cards[CODES], folder / name, now=NOW, pattern=pattern)
    return (one.receipt.file_date if one.receipt else None, one.refusal)


def test_a_file_of_codes_takes_the_vintage_of_its_name(cards: dict[str, Card], tmp_path: Path) -> None:
    assert landed(cards, tmp_path, "v_commune_2024.csv", r"_(\d{4})") == ("2024-01-01", None)


@pytest.mark.parametrize("expression", [None, r"_(\d{4})"])
def test_a_file_of_codes_without_a_vintage_is_refused(
    cards: dict[str, Card], tmp_path: Path, expression: str | None
) -> None:
    file_date, refusal = landed(cards, tmp_path, "v_commune.csv", expression)
    assert file_date is None
    assert refusal is not None and "does not say of which year" in refusal and "v_commune.csv" in refusal


def delivery(source: str, file_date: str | None, status: str = "loaded") -> Delivery:
    receipt = Receipt(
        source=source,
        sequence=1,
        delivery_id="000001-a",
        origin="file.csv",
        file_name="file.csv",
        sha256="a",
        original_sha256="a",
        bytes=1,
        received_at="2026-01-10T00:00:00Z",
        card_version="1.0.0",
        partial=False,
        file_date=file_date,
        cleaned=False,
        etag=None,
        last_modified=None,
    )
    return Delivery(1, receipt, Loaded("000001-a", source, status, None, 1, 1, 0, "csv", (), (), "fast", None, "key"))


def test_a_vintage_does_not_move_the_date_of_observations(cards: dict[str, Card]) -> None:
    deliveries = [delivery(WORKS, "2025-11-16"), delivery(CODES, "2026-01-01")]
    assert as_of(deliveries, cards) == date(2025, 11, 16)


def test_a_vintage_counts_where_nothing_is_observed(cards: dict[str, Card]) -> None:
    refused = delivery(WORKS, "2027-01-01", status="refused")
    assert as_of([delivery(CODES, "2024-01-01"), delivery(CODES, "2026-01-01"), refused], cards) == date(2026, 1, 1)
    assert as_of([refused], cards) is None
