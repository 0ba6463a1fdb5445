"""The landing once something was erased from it: what is gone, what is remembered, and what may come again."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from raw_sources import boundaries, journal
from raw_sources.errors import MachineryError
from raw_sources.landing import Landed, Landing
from tests.unit.scripted_server import scripted_server, send
from tests.unit.test_landing import BAD, CARD, NOW, QUICK, A, B, accepted, archive, card_of, offer, refused

SOURCE = CARD.source
LATER = NOW + timedelta(days=400)


class Killed(Exception):
    """Stands for a kill: nothing after the boundary is done."""


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "data" / "landing")


def erase_all(landing: Landing) -> None:
    landing.erase(SOURCE, landing.erasable(SOURCE))


def erased(landed: list[Landed]) -> bool:
    return landed == [Landed(None, new=False, refusal=None, erased=True)]


def held(landing: Landing) -> bytes:
    """All that is stored of the source, and not the memory of it."""
    files = (path for path in (landing.root / SOURCE).rglob("*") if path.is_file() and path.name != "erased.jsonl")
    return b"".join(path.read_bytes() for path in files)


def test_bytes_refused_bytes_and_receipts_are_gone_and_remembered_by_their_hash(tmp_path, landing):
    first = accepted(landing.land_file(CARD, offer(tmp_path, A), now=NOW))
    refused(landing.land_file(CARD, offer(tmp_path, BAD, "bad.csv"), now=NOW))
    erase_all(landing)
    assert held(landing) == b""
    assert (landing.receipts(SOURCE), landing.refusals(SOURCE)) == ([], [])
    one, other = landing.erased(SOURCE)
    assert (one.sequence, one.delivery_id, one.file_name) == (1, first.delivery_id, "counts.csv")
    assert first.sha256 in one.digests
    assert (other.sequence, other.file_name) == (None, "bad.csv")
    assert "header" not in (landing.root / SOURCE / "erased.jsonl").read_text(), "a reason may quote the file"


def test_erased_bytes_are_never_received_again_whatever_they_are_called(tmp_path, landing):
    landing.land_file(CARD, offer(tmp_path, A), now=NOW)
    refused(landing.land_file(CARD, offer(tmp_path, BAD, "bad.csv"), now=NOW))
    erase_all(landing)
    assert erased(landing.land_file(CARD, offer(tmp_path, A), now=LATER))
    assert erased(landing.land_file(CARD, offer(tmp_path, A, "renamed.csv"), now=LATER))
    assert erased(landing.land_file(CARD, offer(tmp_path, BAD, "bad.csv"), now=LATER))
    assert erased(landing.land_file(CARD, archive(tmp_path, {"inside.csv": A}), now=LATER))
    assert held(landing) == b""


def test_other_bytes_are_received_under_the_next_number(tmp_path, landing):
    landing.land_file(CARD, offer(tmp_path, A), now=NOW)
    erase_all(landing)
    assert accepted(landing.land_file(CARD, offer(tmp_path, B), now=LATER)).sequence == 2


def test_an_archive_is_known_by_the_hash_of_the_whole(tmp_path, landing):
    file = archive(tmp_path, {"1.csv": A, "2.csv": B})
    landing.land_file(CARD, file, now=NOW)
    erase_all(landing)
    assert erased(landing.land_file(CARD, file, now=LATER))


def test_a_cleaned_file_is_known_by_its_original_and_by_what_was_stored(tmp_path, landing):
    card = card_of(never_load=True)
    landing.land_file(card, offer(tmp_path, A), now=NOW)
    erase_all(landing)
    assert erased(landing.land_file(card, offer(tmp_path, A), now=LATER))
    other_names = A.replace(b"Anne", b"Zoe")  # in the column that is never stored
    assert erased(landing.land_file(card, offer(tmp_path, other_names), now=LATER))


def test_an_address_that_still_shows_erased_bytes_gives_nothing(tmp_path, landing, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with scripted_server() as server:
        server.script = [send(200, A)]
        url = f"{server.url}/counts.csv"
        landing.land_url(CARD, url, now=NOW, options=QUICK)
        erase_all(landing)
        assert erased(landing.land_url(CARD, url, now=LATER, options=QUICK))


def test_past_its_time_a_delivery_goes_and_what_still_lies_there_does_not_come_back(tmp_path, landing):
    landing.land_file(CARD, offer(tmp_path, A, "old.csv"), now=NOW)
    kept = accepted(landing.land_file(CARD, offer(tmp_path, B, "new.csv"), now=LATER))
    landing.erase(SOURCE, landing.erasable(SOURCE, LATER))
    assert landing.receipts(SOURCE) == [kept]
    assert landing.file(kept).read_bytes() == B
    assert erased(landing.land_file(CARD, offer(tmp_path, A, "old.csv"), now=LATER))
    assert erased(landing.land_file(CARD, offer(tmp_path, A, "moved.csv"), now=LATER))


def test_past_its_time_a_producer_who_goes_back_is_heard(tmp_path, landing):
    landing.land_file(CARD, offer(tmp_path, A), now=NOW)
    landing.land_file(CARD, offer(tmp_path, B), now=LATER)
    landing.erase(SOURCE, landing.erasable(SOURCE, LATER))
    assert accepted(landing.land_file(CARD, offer(tmp_path, A), now=LATER)).sequence == 3


def test_bytes_that_a_later_delivery_holds_too_stay_with_it(tmp_path, landing):
    landing.land_file(CARD, offer(tmp_path, A, "one.csv"), now=NOW)
    kept = accepted(landing.land_file(CARD, offer(tmp_path, A, "two.csv"), now=LATER))
    landing.erase(SOURCE, landing.erasable(SOURCE, LATER))
    assert kept.sequence == 2
    assert landing.file(kept).parent.exists()


@pytest.mark.parametrize("at", ["erasing.landing.before", "erasing.landing.after"])
def test_killed_in_the_middle_a_receipt_says_that_it_is_not_done(tmp_path, landing, at, monkeypatch):
    landing.land_file(CARD, offer(tmp_path, A), now=NOW)
    what = landing.erasable(SOURCE)

    def stop(reached: str) -> None:
        if reached == at:
            raise Killed

    monkeypatch.setattr(boundaries, "on_boundary", stop)
    with pytest.raises(Killed):
        landing.erase(SOURCE, what)
    monkeypatch.setattr(boundaries, "on_boundary", None)
    assert bool(Landing(landing.root).erasable(SOURCE)) == at.endswith("before")
    Landing(landing.root).erase(SOURCE, what)
    assert (held(landing), len(landing.erased(SOURCE))) == (b"", 1)


# --- the log itself -----------------------------------------------------------------------------------------------


def test_a_line_cut_by_a_kill_was_never_committed(tmp_path):
    path = tmp_path / "log.jsonl"
    journal.append(path, {"a": 1})
    with path.open("ab") as stream:
        stream.write(b'{"a": 2')
    assert journal.records(path) == [{"a": 1}]
    journal.append(path, {"a": 3})
    assert [json.loads(line) for line in path.read_text().splitlines()] == [{"a": 1}, {"a": 3}]


def test_a_line_is_durable_before_append_returns(tmp_path, monkeypatch):
    synced: list[int] = []
    sync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (synced.append(descriptor), sync(descriptor))[1])
    journal.append(tmp_path / "log.jsonl", {"a": 1})
    assert len(synced) == 2, "the file, then its folder"


def test_a_damaged_line_is_told_by_its_place(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"a": 1}\nnot json\n')
    with pytest.raises(MachineryError, match=r"log\.jsonl:2: this line"):
        journal.records(path)
