"""Loading a delivery: once per bytes, card and reader; whole or not at all; refused deliveries are outcomes."""

from __future__ import annotations

import dataclasses
import os
import signal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from raw_sources import boundaries, loading
from raw_sources.card import Card
from raw_sources.files import sha256_file
from raw_sources.landing import Receipt
from raw_sources.loading import Loaded, load_delivery, outcome
from tests.unit.readers_support import COLUMNS, SETTINGS, card, column

TEXT = "site;rue;debut;autre\n1;A;2024-01-02T01:00:00+01:00;x\n2;B;2999-01-01;y\n3;C;bientôt;z\nbad\n"
OF = card()


def receipt_of(file: Path, sequence: int = 1) -> Receipt:
    digest = sha256_file(file)
    return Receipt(
        source="town_works",
        sequence=sequence,
        delivery_id=f"{sequence:06d}-{digest[:12]}",
        origin=file.name,
        file_name=file.name,
        sha256=digest,
        original_sha256=digest,
        bytes=file.stat().st_size,
        received_at="2024-01-05T10:00:00+00:00",
        card_version="1.0.0",
        partial=False,
        file_date=None,
        cleaned=False,
        etag=None,
        last_modified=None,
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "works.csv"
    path.write_text(TEXT)
    return path


def load(file: Path, of: Card = OF, root: str = "raw") -> Loaded:
    return load_delivery(of, receipt_of(file), file, file.parent / root, SETTINGS)


def state(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_a_delivery_is_loaded_with_its_outcome(file: Path) -> None:
    loaded = load(file)
    assert (loaded.status, loaded.records_read, loaded.raw_rows, loaded.malformed) == ("loaded", 4, 3, 1)
    assert (loaded.layout, loaded.extra, loaded.missing) == ("table", ("autre",), ("note", "geometry"))
    folder = file.parent / "raw" / "town__works"
    name = loaded.delivery_id
    assert sorted(path.name for path in folder.iterdir()) == [
        f"{name}.json",
        f"{name}.malformed.parquet",
        f"{name}.parquet",
    ]
    assert pq.read_table(folder / f"{name}.parquet").column("_delivery_id").to_pylist() == [name] * 3
    assert outcome(OF, receipt_of(file), file.parent / "raw") == loaded


def test_the_last_observed_day_is_no_planned_one(file: Path) -> None:
    assert load(file).observed_on == "2024-01-02"
    assert load(file, card(observed_column=None), "other").observed_on is None


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        ("31/12/2023 23:45", "2023-12-31"),
        ("20231130", "2023-11-30"),
        ("2023-02", "2023-02-28"),
        ("02/2023", "2023-02-28"),
        ("13/2023", None),
        ("2023", "2023-12-31"),
        ("2024", None),  # a year that is not over when the file comes has not been observed to its end
        ("2024-01", None),
        ("12345678", None),
        ("1234", None),
        ("31/02/2023", None),
    ],
)
def test_a_cell_is_about_its_day_or_the_last_of_its_month_or_year(tmp_path: Path, cell: str, day: str | None) -> None:
    path = tmp_path / "works.csv"
    path.write_text(f"site;rue;debut;autre\n1;A;{cell};x\n")
    assert load(path).observed_on == day


def test_loading_again_does_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(file)
    before = state(file.parent / "raw")
    monkeypatch.setattr(loading, "read", None)
    assert load(file) == first
    assert state(file.parent / "raw") == before


def test_the_same_bytes_give_the_same_files(file: Path) -> None:
    load(file)
    load(file, root="again")
    assert state(file.parent / "raw") == state(file.parent / "again")


def test_another_card_or_reader_loads_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(file)
    wider = load(file, card(columns=(*COLUMNS, column("other", "autre"))))
    assert wider.key != first.key
    assert wider.extra == ()
    path = file.parent / "raw" / "town__works" / f"{wider.delivery_id}.parquet"
    assert pq.read_table(path).column("other").to_pylist() == ["x", "y", "z"]
    monkeypatch.setattr(loading, "READER_VERSION", "next")
    assert load(file).key not in (first.key, wider.key)
    assert "other" not in pq.read_schema(path).names


def test_a_lost_file_is_loaded_again(file: Path) -> None:
    loaded = load(file)
    path = file.parent / "raw" / "town__works" / f"{loaded.delivery_id}.parquet"
    path.unlink()
    assert outcome(OF, receipt_of(file), file.parent / "raw") is None
    load(file)
    assert path.exists()


def test_what_cannot_be_read_is_a_refused_outcome(file: Path) -> None:
    load(file)
    stricter = card(columns=[dataclasses.replace(item, required=True) for item in COLUMNS])
    refused = load(file, stricter)
    assert (refused.status, refused.records_read, refused.observed_on) == ("refused", 0, None)
    assert "'note', 'geometry' have no header" in (refused.reason or "")
    assert [path.suffix for path in (file.parent / "raw" / "town__works").iterdir()] == [".json"]
    assert load(file, stricter) == refused
    assert load(file).status == "loaded"


BOUNDARIES = [f"loading.{what}.{when}" for what in ("raw", "outcome") for when in ("before", "after")]


def killed_at(name: str, file: Path, of: Card) -> None:
    """Load in a forked process that is killed at a boundary."""
    child = os.fork()
    if child == 0:
        boundaries.on_boundary = lambda passed: os.kill(os.getpid(), signal.SIGKILL) if passed == name else None
        load(file, of)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"the boundary {name} was not passed"


@pytest.mark.parametrize("name", BOUNDARIES)
@pytest.mark.parametrize("already", [False, True])
def test_a_killed_load_is_whole_or_done_again(file: Path, name: str, already: bool) -> None:
    wider = card(columns=(*COLUMNS, column("other", "autre")))
    load(file, wider, "undisturbed")
    if already:
        load(file)
    killed_at(name, file, wider)
    known = outcome(wider, receipt_of(file), file.parent / "raw")
    assert known is None or known.status == "loaded"
    if name != "loading.outcome.after" and known is not None:
        assert known.key == loading.load_key(OF, receipt_of(file))
    load(file, wider)
    assert state(file.parent / "raw") == state(file.parent / "undisturbed")
