"""Landing: what is kept, what is refused, what a repetition, a crash or a rival process changes."""

import gzip
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from raw_sources import boundaries
from raw_sources.card import Card, Column, Layout
from raw_sources.errors import ConfigurationError, MachineryError, Unreachable
from raw_sources.feeds import FilePattern
from raw_sources.fetching import FetchOptions
from raw_sources.landing import Landed, Landing, Receipt, delivery_order
from tests.unit.scripted_server import Server, scripted_server, send

NOW = datetime(2026, 8, 20, 6, 30, tzinfo=UTC)
A = b"id;value;name\n1;10;Anne\n2;20;Paul\n"
B = A + b"3;30;Zoe\n"
BAD = b"nothing;of;this\n1;2;3\n"
PAGE = b"\xef\xbb\xbf\n<!-- gateway -->\n<!DOCTYPE html>\n<html><body>Maintenance</body></html>"
QUICK = FetchOptions(read_seconds=2, attempts=2, first_wait_seconds=0.01, longest_wait_seconds=0.01)
WRITES = ["landing.file.before", "landing.file.after", "landing.receipt.before", "landing.receipt.after"]


def column(name: str, *, required: bool = True, never_load: bool = False) -> Column:
    return Column(
        name=name,
        headers=(name,),
        logical_type="string",
        required=required,
        key_position=1 if name == "id" else None,
        unit=None,
        title_fr=name,
        title_en=name,
        description_fr=name,
        description_en=name,
        personal_data="direct" if never_load else "none",
        never_load=never_load,
        multiline=False,
    )


def card_of(*, order: str = "receipt", never_load: bool = False, partial: bool = False, max_bytes: int = 10**6) -> Card:
    layout = Layout("labels", "delimited", True, (), ";", None, partial)
    return Card(
        source="town_counts",
        producer="town",
        dataset="counts",
        theme="mobility",
        path=Path("town_counts.yml"),
        version="1.2.0",
        title_fr="Comptages",
        title_en="Counts",
        description_fr="Comptages",
        description_en="Counts",
        licence="etalab-2.0",
        attribution="Town",
        homepage="https://example.org",
        owner="owner",
        steward="steward",
        contact="data@example.org",
        layouts=(layout,),
        columns=(column("id"), column("value"), column("name", required=False, never_load=never_load)),
        follows="upsert",
        order=order,
        time_zone="Europe/Paris",
        crs="EPSG:4326",
        observed_column=None,
        rhythm="P1D",
        late_after="P3D",
        max_bytes=max_bytes,
        digest="0" * 64,
    )


CARD = card_of()


@pytest.fixture
def landing(tmp_path) -> Landing:
    return Landing(tmp_path / "data" / "landing")


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with scripted_server() as scripted:
        yield scripted


def offer(tmp_path: Path, content: bytes, name: str = "counts.csv") -> Path:
    folder = tmp_path / "offered"
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    return path


def archive(tmp_path: Path, members: dict[str, bytes], name: str = "year.zip", moment=(2026, 1, 1, 0, 0, 0)) -> Path:
    path = offer(tmp_path, b"", name)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as writer:
        for member, content in members.items():
            writer.writestr(zipfile.ZipInfo(member, moment), content)
    return path


def accepted(landed: list[Landed]) -> Receipt:
    [result] = landed
    assert result.refusal is None, result.refusal
    return result.receipt


def refused(landed: list[Landed]) -> str:
    [result] = landed
    assert (result.receipt, result.new) == (None, False)
    return result.refusal


def tree(landing: Landing) -> dict[str, tuple[bytes, int]]:
    """Every file of the landing with its bytes and its time of change."""
    return {
        str(path.relative_to(landing.root)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in landing.root.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# What is kept


def test_a_delivery_is_kept_as_received_with_its_receipt(landing, tmp_path):
    receipt = accepted(landing.land_file(CARD, offer(tmp_path, A), now=NOW))
    assert receipt == Receipt(
        source="town_counts",
        sequence=1,
        delivery_id=f"000001-{digest(A)[:12]}",
        origin="counts.csv",
        file_name="counts.csv",
        sha256=digest(A),
        original_sha256=digest(A),
        bytes=len(A),
        received_at="2026-08-20T06:30:00Z",
        card_version="1.2.0",
        partial=False,
        file_date=None,
        cleaned=False,
        etag=None,
        last_modified=None,
    )
    assert landing.file(receipt) == landing.root / "town_counts" / "files" / digest(A) / "counts.csv"
    assert landing.file(receipt).read_bytes() == A
    assert Landing(landing.root).receipts("town_counts") == [receipt]
    for path in (landing.file(receipt), landing.root / "town_counts" / "receipts" / "000001.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o444


def test_the_offered_file_is_left_alone_and_nothing_temporary_stays(landing, tmp_path):
    path = offer(tmp_path, A)
    landing.land_file(CARD, path, now=NOW)
    assert path.read_bytes() == A
    assert [entry.name for entry in (landing.root / ".incoming").iterdir()] == [".lock"]


def test_instants_are_written_in_utc_and_naive_ones_are_a_mistake_of_the_caller(landing, tmp_path):
    paris = datetime(2026, 8, 20, 8, 30, tzinfo=timezone(timedelta(hours=2)))
    assert accepted(landing.land_file(CARD, offer(tmp_path, A), now=paris)).received_at == "2026-08-20T06:30:00Z"
    with pytest.raises(ValueError, match="time zone"):
        landing.land_file(CARD, offer(tmp_path, B), now=datetime(2026, 8, 20))


def test_nothing_is_known_of_a_source_that_never_delivered(landing):
    assert landing.receipts("town_counts") == []
    assert landing.refusals("town_counts") == []


# Idempotence


def test_the_same_bytes_again_change_nothing(landing, tmp_path):
    first = accepted(landing.land_file(CARD, offer(tmp_path, A), now=NOW))
    before = tree(landing)
    [again] = landing.land_file(CARD, offer(tmp_path, A), now=NOW + timedelta(days=1))
    assert again == Landed(first, new=False, refusal=None)
    assert tree(landing) == before


def test_a_producer_who_goes_back_is_heard(landing, tmp_path):
    landed = [landing.land_file(CARD, offer(tmp_path, content), now=NOW)[0] for content in (A, B, A)]
    assert [result.new for result in landed] == [True, True, True]
    assert [receipt.sha256 for receipt in landing.receipts("town_counts")] == [digest(A), digest(B), digest(A)]
    assert len(list((landing.root / "town_counts" / "files").iterdir())) == 2


def test_each_origin_has_its_own_last_delivery(landing, tmp_path):
    for name in ("one.csv", "two.csv", "one.csv", "two.csv"):
        landing.land_file(CARD, offer(tmp_path, A, name), now=NOW)
    assert [receipt.origin for receipt in landing.receipts("town_counts")] == ["one.csv", "two.csv"]


def test_sources_do_not_share_sequences(landing, tmp_path):
    landing.land_file(CARD, offer(tmp_path, A), now=NOW)
    other = replace(CARD, source="city_counts")
    assert accepted(landing.land_file(other, offer(tmp_path, A), now=NOW)).sequence == 1


# Compressed files


def test_a_gzip_lands_expanded_and_keeps_the_hash_of_what_came(landing, tmp_path):
    packed = gzip.compress(A, mtime=0)
    path = offer(tmp_path, packed, "counts.csv.gz")
    receipt = accepted(landing.land_file(CARD, path, now=NOW))
    assert (receipt.origin, receipt.file_name) == ("counts.csv.gz", "counts.csv")
    assert (receipt.sha256, receipt.original_sha256, receipt.bytes) == (digest(A), digest(packed), len(A))
    assert landing.land_file(CARD, path, now=NOW)[0].new is False


def test_members_of_a_zip_are_deliveries_in_the_order_of_their_names(landing, tmp_path):
    path = archive(tmp_path, {"w2.csv": B, "w1.csv": A, "__MACOSX/._w1.csv": b"x"})
    landed = landing.land_file(CARD, path, now=NOW)
    assert [(result.receipt.sequence, result.receipt.origin, result.receipt.file_name) for result in landed] == [
        (1, "year.zip!w1.csv", "w1.csv"),
        (2, "year.zip!w2.csv", "w2.csv"),
    ]
    assert {result.receipt.original_sha256 for result in landed} == {digest(path.read_bytes())}
    before = tree(landing)
    assert [result.new for result in landing.land_file(CARD, path, now=NOW)] == [False, False]
    assert tree(landing) == before


def test_an_archive_made_again_of_the_same_members_changes_nothing(landing, tmp_path):
    landing.land_file(CARD, archive(tmp_path, {"w1.csv": A, "w2.csv": B}), now=NOW)
    again = archive(tmp_path, {"w1.csv": A, "w2.csv": A}, moment=(2026, 2, 2, 0, 0, 0))
    assert [result.new for result in landing.land_file(CARD, again, now=NOW)] == [False, True]


def test_a_bad_archive_is_refused_whole_and_its_bytes_kept(landing, tmp_path):
    path = archive(tmp_path, {"a.csv": A, "../../slip.csv": A})
    assert "leads out" in refused(landing.land_file(CARD, path, now=NOW))
    [refusal] = landing.refusals("town_counts")
    assert (refusal.origin, refusal.sha256) == ("year.zip", digest(path.read_bytes()))
    assert (landing.root / "town_counts" / "refused" / refusal.sha256 / "year.zip").read_bytes() == path.read_bytes()
    assert landing.receipts("town_counts") == []
    assert not list(tmp_path.rglob("*slip*"))


def test_a_bomb_is_refused_by_the_limit_of_the_card(landing, tmp_path):
    for path in (archive(tmp_path, {"a.csv": bytes(2_000_000)}), offer(tmp_path, gzip.compress(bytes(2_000_000)))):
        assert "max_bytes" in refused(landing.land_file(CARD, path, now=NOW))


def test_a_bad_member_does_not_hold_back_the_others(landing, tmp_path):
    landed = landing.land_file(CARD, archive(tmp_path, {"a.csv": A, "b.csv": BAD}), now=NOW)
    assert [result.refusal is None for result in landed] == [True, False]
    assert [refusal.origin for refusal in landing.refusals("town_counts")] == ["year.zip!b.csv"]
    landing.land_file(CARD, archive(tmp_path, {"a.csv": A, "b.csv": BAD}), now=NOW)
    assert [refusal.origin for refusal in landing.refusals("town_counts")] == ["year.zip!b.csv"]
    landing.land_file(CARD, archive(tmp_path, {"a.csv": A}), now=NOW)
    assert landing.refusals("town_counts") == []


# Refusals


@pytest.mark.parametrize("content", [BAD, PAGE, b"", b"\xef\xbb\xbf", b"\r\n \r\n", b"<?xml version='1.0'?><html/>"])
def test_what_is_no_data_is_refused_and_kept(landing, tmp_path, content):
    reason = refused(landing.land_file(CARD, offer(tmp_path, content), now=NOW))
    assert "counts.csv" in reason
    assert str(tmp_path) not in reason
    [refusal] = landing.refusals("town_counts")
    assert (refusal.reason, refusal.origin, refusal.file_name) == (reason, "counts.csv", "counts.csv")
    assert (refusal.sha256, refusal.received_at) == (digest(content), "2026-08-20T06:30:00Z")
    folder = landing.root / "town_counts" / "refused" / digest(content)
    assert (folder / "counts.csv").read_bytes() == content
    assert json.loads((folder / "refusal.json").read_text())["refusals"][0]["reason"] == reason
    assert landing.receipts("town_counts") == []


def test_a_web_page_is_named_as_such(landing, tmp_path):
    assert "web page" in refused(landing.land_file(CARD, offer(tmp_path, PAGE), now=NOW))


def test_refused_again_it_is_not_kept_twice(landing, tmp_path):
    first = refused(landing.land_file(CARD, offer(tmp_path, BAD), now=NOW))
    before = tree(landing)
    assert refused(landing.land_file(CARD, offer(tmp_path, BAD), now=NOW + timedelta(days=1))) == first
    assert tree(landing) == before
    assert len(landing.refusals("town_counts")) == 1


def test_the_same_page_at_two_origins_is_two_refusals(landing, tmp_path):
    for name in ("one.csv", "two.csv"):
        landing.land_file(CARD, offer(tmp_path, PAGE, name), now=NOW)
    assert [refusal.origin for refusal in landing.refusals("town_counts")] == ["one.csv", "two.csv"]
    landing.land_file(CARD, offer(tmp_path, A, "one.csv"), now=NOW)
    assert [refusal.origin for refusal in landing.refusals("town_counts")] == ["two.csv"]


def test_a_refusal_stands_until_its_origin_is_heard(landing, tmp_path):
    landing.land_file(CARD, offer(tmp_path, A), now=NOW)
    landing.land_file(CARD, offer(tmp_path, BAD), now=NOW)
    assert len(landing.refusals("town_counts")) == 1
    landing.land_file(CARD, offer(tmp_path, B, "other.csv"), now=NOW)
    assert len(landing.refusals("town_counts")) == 1
    landing.land_file(CARD, offer(tmp_path, B), now=NOW)
    assert landing.refusals("town_counts") == []
    landing.land_file(CARD, offer(tmp_path, BAD), now=NOW)
    assert len(landing.refusals("town_counts")) == 1


def test_putting_the_good_file_back_settles_a_refusal(landing, tmp_path):
    for content in (A, BAD, A):
        landing.land_file(CARD, offer(tmp_path, content), now=NOW)
    assert landing.refusals("town_counts") == []
    assert len(landing.receipts("town_counts")) == 1


def test_a_corrected_card_accepts_what_was_refused(landing, tmp_path):
    landing.land_file(CARD, offer(tmp_path, BAD), now=NOW)
    wider = replace(CARD, columns=(replace(CARD.columns[0], name="nothing", headers=("nothing",)),))
    assert accepted(landing.land_file(wider, offer(tmp_path, BAD), now=NOW)).sequence == 1
    assert landing.refusals("town_counts") == []


def test_a_file_beyond_the_limit_is_refused_without_keeping_it(landing, tmp_path):
    small = replace(CARD, max_bytes=10)
    assert "max_bytes" in refused(landing.land_file(small, offer(tmp_path, A), now=NOW))
    [refusal] = landing.refusals("town_counts")
    assert (refusal.sha256, refusal.kept) == (None, False)
    assert [path.name for path in (landing.root / "town_counts").rglob("*") if path.is_file()] == ["refusal.json"]
    landing.land_file(CARD, offer(tmp_path, A), now=NOW)
    assert landing.refusals("town_counts") == []


def test_a_file_that_changes_while_it_is_copied_is_left_for_later(landing, tmp_path, monkeypatch):
    path = offer(tmp_path, A)
    copyfile = shutil.copyfile

    def copy_while_it_grows(source, target):
        copyfile(source, target)
        path.write_bytes(B)

    monkeypatch.setattr(shutil, "copyfile", copy_while_it_grows)
    assert "still being written" in refused(landing.land_file(CARD, path, now=NOW))
    monkeypatch.undo()
    assert accepted(landing.land_file(CARD, path, now=NOW)).sha256 == digest(B)
    assert landing.refusals("town_counts") == []


def test_what_is_not_there_or_no_file_is_a_mistake_of_the_command(landing, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "absent.csv", tmp_path, tmp_path / "pipe"):
        with pytest.raises(ConfigurationError, match=path.name):
            landing.land_file(CARD, path, now=NOW)
    assert not landing.root.exists()


def test_a_damaged_receipt_is_an_error_of_the_machinery(landing, tmp_path):
    receipt = accepted(landing.land_file(CARD, offer(tmp_path, A), now=NOW))
    path = landing.root / receipt.source / "receipts" / "000001.json"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(MachineryError, match="000001"):
        Landing(landing.root).receipts("town_counts")


# Names, dates, order


@pytest.mark.parametrize(
    ("name", "date", "expected"),
    [
        ("traffic_20191229.csv", r"_(\d{8})", "2019-12-29"),
        ("traffic_2019-12-29.csv", r"_(\d{4}-\d\d-\d\d)", "2019-12-29"),
        ("traffic_201912.csv", r"_(\d{6})\.", "2019-12-01"),
        ("traffic_2019-12.csv", r"_(\d{4}-\d\d)\.", "2019-12-01"),
        ("traffic_2019.csv", r"_(\d{4})", "2019-01-01"),
        ("traffic.csv", r"_(\d{4})", None),
        ("traffic_2019.csv", None, None),
    ],
)
def test_the_date_of_a_file_is_read_from_its_name(landing, tmp_path, name, date, expected):
    pattern = FilePattern("*.csv", False, date)
    receipt = accepted(landing.land_file(CARD, offer(tmp_path, A, name), now=NOW, pattern=pattern))
    assert receipt.file_date == expected


@pytest.mark.parametrize(("name", "date"), [("t_20191329.csv", r"_(\d{8})"), ("t_29122019x.csv", r"_(\d+x)")])
def test_digits_that_are_no_date_are_refused(landing, tmp_path, name, date):
    pattern = FilePattern("*.csv", False, date)
    assert "is not a date" in refused(landing.land_file(CARD, offer(tmp_path, A, name), now=NOW, pattern=pattern))


def test_a_member_without_a_date_takes_that_of_its_archive(landing, tmp_path):
    path = archive(tmp_path, {"a_2021.csv": A, "b.csv": B}, "year_2019.zip")
    landed = landing.land_file(CARD, path, now=NOW, pattern=FilePattern("*.zip", False, r"_(\d{4})"))
    assert [result.receipt.file_date for result in landed] == ["2021-01-01", "2019-01-01"]


@pytest.mark.parametrize(
    ("by_layout", "by_pattern", "expected"), [(False, False, False), (True, False, True), (False, True, True)]
)
def test_partial_by_its_layout_or_by_the_pattern(landing, tmp_path, by_layout, by_pattern, expected):
    pattern = FilePattern("*.csv", by_pattern, None)
    receipt = accepted(landing.land_file(card_of(partial=by_layout), offer(tmp_path, A), now=NOW, pattern=pattern))
    assert receipt.partial is expected


@pytest.mark.parametrize(
    ("order", "expected"), [("receipt", [1, 2, 3, 4]), ("file_name", [3, 2, 1, 4]), ("file_date", [3, 2, 1, 4])]
)
def test_the_order_in_which_deliveries_follow_one_another(landing, tmp_path, order, expected):
    pattern = FilePattern("*.csv", False, r"(\d{4})")
    for name, content in (("c_2021.csv", A), ("b_2020.csv", A), ("a_2019.csv", A), ("d.csv", A)):
        landing.land_file(CARD, offer(tmp_path, content, name), now=NOW, pattern=pattern)
    receipts = reversed(landing.receipts("town_counts"))
    assert [receipt.sequence for receipt in delivery_order(card_of(order=order), receipts)] == expected


def test_deliveries_of_one_name_or_date_follow_by_sequence(landing, tmp_path):
    for content in (B, A):
        landing.land_file(CARD, offer(tmp_path, content), now=NOW)
    for order in ("file_name", "file_date"):
        ordered = delivery_order(card_of(order=order), reversed(landing.receipts("town_counts")))
        assert [receipt.sequence for receipt in ordered] == [1, 2]


def test_an_unknown_order_is_a_mistake_of_the_card():
    with pytest.raises(ConfigurationError, match="'size'"):
        delivery_order(card_of(order="size"), [])


# Never-load columns


def test_a_column_that_may_not_be_stored_is_removed_first(landing, tmp_path):
    card = card_of(never_load=True)
    receipt = accepted(landing.land_file(card, offer(tmp_path, A), now=NOW))
    assert (receipt.cleaned, receipt.original_sha256) == (True, digest(A))
    assert receipt.sha256 == digest(landing.file(receipt).read_bytes()) != digest(A)
    assert receipt.bytes == landing.file(receipt).stat().st_size
    assert landing.land_file(card, offer(tmp_path, A), now=NOW)[0].new is False
    assert not any(b"Anne" in content for content, _ in tree(landing).values())


def test_what_could_not_be_cleaned_is_refused_without_keeping_it(landing, tmp_path):
    card = card_of(never_load=True)
    refused(landing.land_file(card, offer(tmp_path, BAD + b"Anne;;\n"), now=NOW))
    [refusal] = landing.refusals("town_counts")
    assert refusal.kept is False
    assert refusal.sha256 == digest(BAD + b"Anne;;\n")
    assert not any(b"Anne" in content for content, _ in tree(landing).values())


def test_a_column_barred_later_makes_a_cleaned_delivery_of_the_same_bytes(landing, tmp_path):
    landing.land_file(CARD, offer(tmp_path, A), now=NOW)
    receipt = accepted(landing.land_file(card_of(never_load=True), offer(tmp_path, A), now=NOW))
    assert (receipt.sequence, receipt.cleaned) == (2, True)


def test_a_column_no_longer_barred_makes_a_whole_delivery_of_the_same_bytes(landing, tmp_path):
    landing.land_file(card_of(never_load=True), offer(tmp_path, A), now=NOW)
    receipt = accepted(landing.land_file(CARD, offer(tmp_path, A), now=NOW))
    assert (receipt.sequence, receipt.cleaned, receipt.sha256) == (2, False, digest(A))


# Interruptions and rivals


class Stopped(BaseException):
    """Stands for the death of the process where an exception can be caught by nobody."""


def stop_at(monkeypatch, name: str, on_pass: int = 1) -> None:
    passes = []

    def stop(reached: str) -> None:
        passes.append(reached)
        if passes.count(name) == on_pass:
            raise Stopped(name)

    monkeypatch.setattr(boundaries, "on_boundary", stop)


@pytest.mark.parametrize("name", WRITES)
def test_stopped_at_any_boundary_the_next_landing_finishes(landing, tmp_path, monkeypatch, name):
    path = offer(tmp_path, A)
    stop_at(monkeypatch, name)
    with pytest.raises(Stopped):
        landing.land_file(CARD, path, now=NOW)
    monkeypatch.undo()
    committed = name == "landing.receipt.after"
    assert len(landing.receipts("town_counts")) == int(committed)
    [result] = landing.land_file(CARD, path, now=NOW)
    assert result.new is not committed
    assert [receipt.sequence for receipt in landing.receipts("town_counts")] == [1]
    assert landing.file(result.receipt).read_bytes() == A
    assert sorted(tree(landing)) == [
        f"town_counts/files/{digest(A)}/counts.csv",
        "town_counts/receipts/000001.json",
    ]


def test_an_orphan_is_taken_over_as_it_is_and_an_altered_one_replaced(landing, tmp_path, monkeypatch):
    path = offer(tmp_path, A)
    stop_at(monkeypatch, "landing.receipt.before")
    with pytest.raises(Stopped):
        landing.land_file(CARD, path, now=NOW)
    monkeypatch.undo()
    orphan = landing.root / "town_counts" / "files" / digest(A) / "counts.csv"
    inode = orphan.stat().st_ino
    receipt = accepted(landing.land_file(CARD, path, now=NOW))
    assert landing.file(receipt).stat().st_ino == inode
    shutil.rmtree(landing.root / "town_counts" / "receipts")
    orphan.chmod(0o644)
    orphan.write_bytes(A[:10])
    assert landing.file(accepted(Landing(landing.root).land_file(CARD, path, now=NOW))).read_bytes() == A


@pytest.mark.parametrize("name", WRITES)
def test_an_archive_stopped_midway_is_finished_without_repeating(landing, tmp_path, monkeypatch, name):
    path = archive(tmp_path, {"a.csv": A, "b.csv": B})
    stop_at(monkeypatch, name, on_pass=2)
    with pytest.raises(Stopped):
        landing.land_file(CARD, path, now=NOW)
    monkeypatch.undo()
    landing.land_file(CARD, path, now=NOW)
    assert [receipt.origin for receipt in landing.receipts("town_counts")] == ["year.zip!a.csv", "year.zip!b.csv"]


@pytest.mark.parametrize("name", ["landing.refusal.before", "landing.refusal.after"])
def test_a_refusal_stopped_midway_is_finished(landing, tmp_path, monkeypatch, name):
    stop_at(monkeypatch, name)
    with pytest.raises(Stopped):
        landing.land_file(CARD, offer(tmp_path, BAD), now=NOW)
    monkeypatch.undo()
    refused(landing.land_file(CARD, offer(tmp_path, BAD), now=NOW))
    assert len(landing.refusals("town_counts")) == 1


def _land_and_die(root: Path, path: Path, name: str) -> None:
    def die(reached: str) -> None:
        if reached == name:
            os.kill(os.getpid(), signal.SIGKILL)

    boundaries.on_boundary = die
    Landing(root).land_file(card_of(never_load=True), path, now=NOW)


@pytest.mark.parametrize("name", WRITES)
def test_a_killed_process_leaves_nothing_barred_after_the_next_landing(landing, tmp_path, name):
    path = offer(tmp_path, A)
    child = multiprocessing.get_context("fork").Process(target=_land_and_die, args=(landing.root, path, name))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert any(b"Anne" in content for content, _ in tree(landing).values()), "the test would prove nothing"
    landing.land_file(card_of(never_load=True), path, now=NOW)
    assert not any(b"Anne" in content for content, _ in tree(landing).values())
    assert len(landing.receipts("town_counts")) == 1


def _land_many(root: Path, folder: Path, names: list[str]) -> None:
    for name in names:
        Landing(root).land_file(CARD, folder / name, now=NOW)


def test_processes_landing_at_once_do_not_disturb_each_other(landing, tmp_path):
    names = [f"{number:02d}.csv" for number in range(12)]
    for number, name in enumerate(names):
        offer(tmp_path, A + b"%d;0;x\n" % number, name)
    context = multiprocessing.get_context("fork")
    orders = (names, names[::-1], names)
    rivals = [context.Process(target=_land_many, args=(landing.root, tmp_path / "offered", order)) for order in orders]
    for rival in rivals:
        rival.start()
    for rival in rivals:
        rival.join()
    assert [rival.exitcode for rival in rivals] == [0, 0, 0]
    receipts = landing.receipts("town_counts")
    assert [receipt.sequence for receipt in receipts] == list(range(1, 13))
    assert sorted(receipt.origin for receipt in receipts) == names
    assert all(digest(landing.file(receipt).read_bytes()) == receipt.sha256 for receipt in receipts)


def test_a_number_taken_meanwhile_is_not_overwritten(landing, tmp_path, monkeypatch):
    rival = Landing(landing.root)

    def overtake(reached: str) -> None:
        if reached == "landing.receipt.before":
            monkeypatch.setattr(boundaries, "on_boundary", None)
            rival.land_file(CARD, offer(tmp_path, B, "rival.csv"), now=NOW)

    monkeypatch.setattr(boundaries, "on_boundary", overtake)
    assert accepted(landing.land_file(CARD, offer(tmp_path, A), now=NOW)).sequence == 2
    assert [receipt.origin for receipt in landing.receipts("town_counts")] == ["rival.csv", "counts.csv"]


# Addresses


def land(landing: Landing, server: Server, card: Card = CARD, path: str = "/counts.csv") -> list[Landed]:
    return landing.land_url(card, server.url + path, now=NOW, options=QUICK)


def test_an_address_is_an_origin_and_its_answer_a_delivery(landing, server):
    server.script = [send(200, A, ETag='"a"', Last_Modified="Thu, 01 Jan 2026 00:00:00 GMT")]
    receipt = accepted(land(landing, server, path="/counts.csv?limit=-1"))
    assert (receipt.origin, receipt.file_name) == (f"{server.url}/counts.csv?limit=-1", "counts.csv")
    assert (receipt.etag, receipt.last_modified) == ('"a"', "Thu, 01 Jan 2026 00:00:00 GMT")
    assert landing.file(receipt).read_bytes() == A
    assert [entry.name for entry in (landing.root / ".incoming").iterdir()] == [".lock"]


def test_an_unchanged_address_is_asked_and_sends_nothing(landing, server):
    server.script = [send(200, A, ETag='"a"'), send(304)]
    receipt = accepted(land(landing, server))
    before = tree(landing)
    assert land(landing, server) == [Landed(receipt, new=False, refusal=None)]
    assert server.seen[1]["if-none-match"] == '"a"'
    assert tree(landing) == before


def test_the_same_bytes_under_a_new_etag_are_no_delivery_and_the_new_etag_is_asked_by(landing, server):
    server.script = [send(200, A, ETag='"a"'), send(200, A, ETag='"b"'), send(304)]
    assert [land(landing, server)[0].new for _ in range(3)] == [True, False, False]
    assert [seen.get("if-none-match") for seen in server.seen] == [None, '"a"', '"b"']


def test_an_archive_behind_an_address_is_spared_only_when_all_of_it_landed(landing, server, tmp_path, monkeypatch):
    packed = archive(tmp_path, {"a.csv": A, "b.csv": B}).read_bytes()
    server.script = [send(200, packed, ETag='"a"'), send(200, packed, ETag='"a"'), send(304)]
    stop_at(monkeypatch, "landing.receipt.after")
    with pytest.raises(Stopped):
        land(landing, server)
    monkeypatch.setattr(boundaries, "on_boundary", None)
    assert [result.new for result in land(landing, server)] == [False, True]
    assert "if-none-match" not in server.seen[1]
    assert [result.new for result in land(landing, server)] == [False, False]
    assert server.seen[2]["if-none-match"] == '"a"'


def test_a_page_instead_of_data_replaces_nothing(landing, server):
    server.script = [send(200, A, ETag='"a"'), send(200, PAGE, ETag='"page"'), send(304)]
    receipt = accepted(land(landing, server))
    assert "web page" in refused(land(landing, server))
    assert landing.receipts("town_counts") == [receipt]
    assert [refusal.origin for refusal in landing.refusals("town_counts")] == [f"{server.url}/counts.csv"]
    land(landing, server)
    assert server.seen[2]["if-none-match"] == '"a"', "the refused answer's ETag must not be asked by"
    assert landing.refusals("town_counts") == []


def test_an_address_that_fails_changes_nothing(landing, server):
    server.script = [send(200, A, ETag='"a"'), send(503)]
    land(landing, server)
    before = tree(landing)
    with pytest.raises(Unreachable, match="503"):
        land(landing, server)
    assert tree(landing) == before


def test_an_answer_beyond_the_limit_is_a_refusal(landing, server):
    server.script = [send(200, A)]
    assert "max_bytes" in refused(land(landing, server, replace(CARD, max_bytes=10)))
    [refusal] = landing.refusals("town_counts")
    assert (refusal.sha256, refusal.kept) == (None, False)
    accepted(land(landing, server))
    assert landing.refusals("town_counts") == []


def test_an_answer_packed_on_its_way_lands_expanded(landing, server):
    server.script = [send(200, gzip.compress(A), Content_Encoding="gzip")]
    assert landing.file(accepted(land(landing, server))).read_bytes() == A


def test_a_lost_memory_of_answers_costs_a_transfer_and_no_more(landing, server):
    server.script = [send(200, A, ETag='"a"')]
    land(landing, server)
    shutil.rmtree(landing.root / "town_counts" / "answers")
    assert [result.new for result in land(landing, server)] == [False]
    assert "if-none-match" not in server.seen[1]


def test_an_answer_whose_receipts_are_gone_is_asked_for_again(landing, server):
    server.script = [send(200, A, ETag='"a"')]
    land(landing, server)
    shutil.rmtree(landing.root / "town_counts" / "receipts")
    assert (
        accepted(Landing(landing.root).land_url(CARD, server.url + "/counts.csv", now=NOW, options=QUICK)).sequence == 1
    )
    assert "if-none-match" not in server.seen[1]
