"""Transfers, against a real server on the loopback interface that misbehaves on request."""

import hashlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from raw_sources.errors import DeliveryRefused, Unreachable
from raw_sources.fetching import Fetched, FetchOptions, Validators, fetch, shown
from tests.unit.scripted_server import Server, scripted_server, send

BODY = b"".join(b"%06d;value\n" % number for number in range(20_000))
QUICK = FetchOptions(
    connect_seconds=2, read_seconds=2, total_seconds=20, attempts=4, first_wait_seconds=0.01, longest_wait_seconds=0.05
)


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with scripted_server() as scripted:
        yield scripted


def rest_of(body: bytes, etag: str) -> Callable:
    """Answer a Range request as a server that still holds the state ``etag``; whole otherwise (RFC 9110 §13.1.5)."""

    def step(handler):
        start = int(handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        if start == 0 or handler.headers.get("If-Range") != etag:
            send(200, body, ETag=etag)(handler)
        else:
            where = f"bytes {start}-{len(body) - 1}/{len(body)}"
            send(206, body[start:], ETag=etag, Content_Range=where)(handler)

    return step


def get(server: Server, tmp_path: Path, path="/counts.csv", options=QUICK, **more) -> Fetched | None:
    return fetch(
        server.url + path, tmp_path / "download", max_bytes=more.pop("max_bytes", 10**6), options=options, **more
    )


def same(path: Path, body: bytes) -> bool:
    return hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(body).digest()


def test_a_whole_file_with_its_name_and_validators(server, tmp_path):
    server.script = [send(200, BODY, ETag='"a"', Last_Modified="Thu, 01 Jan 2026 00:00:00 GMT")]
    fetched = get(server, tmp_path, "/data/counts%202026.csv?limit=-1")
    assert same(fetched.path, BODY)
    assert fetched.file_name == "counts 2026.csv"
    assert fetched.validators == Validators('"a"', "Thu, 01 Jan 2026 00:00:00 GMT")
    assert server.seen[0]["user-agent"].startswith("halle/")
    assert server.seen[0]["accept-encoding"] == "identity"
    assert "if-none-match" not in server.seen[0]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('attachment; filename="export 2026.csv"', "export 2026.csv"),
        ("attachment; filename*=UTF-8''donn%C3%A9es.csv", "données.csv"),
        ('attachment; filename="../../etc/passwd"', "_.._etc_passwd"),
        ("inline", "csv"),
    ],
)
def test_the_server_may_name_the_file_but_not_a_path(server, tmp_path, header, expected):
    server.script = [send(200, BODY, Content_Disposition=header)]
    assert get(server, tmp_path, "/exports/csv").file_name == expected


def test_not_modified_brings_nothing(server, tmp_path):
    server.script = [send(304)]
    assert get(server, tmp_path, known=Validators('"a"', "Thu, 01 Jan 2026 00:00:00 GMT")) is None
    assert server.seen[0]["if-none-match"] == '"a"'
    assert server.seen[0]["if-modified-since"] == "Thu, 01 Jan 2026 00:00:00 GMT"


def test_not_modified_without_having_asked_is_no_answer(server, tmp_path):
    server.script = [send(304)]
    with pytest.raises(Unreachable, match="304"):
        get(server, tmp_path)


def test_a_cut_is_resumed_where_it_happened(server, tmp_path):
    server.script = [send(200, BODY[:70_000], length=len(BODY), cut=True, ETag='"a"'), rest_of(BODY, '"a"')]
    fetched = get(server, tmp_path)
    assert same(fetched.path, BODY)
    assert server.seen[1]["range"] == "bytes=70000-"
    assert server.seen[1]["if-range"] == '"a"'
    assert fetched.validators.etag == '"a"'


def test_a_file_changed_since_the_cut_is_fetched_whole(server, tmp_path):
    old = BODY.replace(b"value", b"older")
    server.script = [send(200, old[:70_000], length=len(old), cut=True, ETag='"old"'), rest_of(BODY, '"new"')]
    fetched = get(server, tmp_path)
    assert server.seen[1]["if-range"] == '"old"'
    assert same(fetched.path, BODY)
    assert fetched.validators.etag == '"new"'


@pytest.mark.parametrize("header", [{"ETag": 'W/"a"'}, {}, {"ETag": 'W/"a"', "Last_Modified": "now"}])
def test_a_cut_without_a_strong_validator_restarts(server, tmp_path, header):
    server.script = [send(200, BODY[:70_000], length=len(BODY), cut=True, **header), send(200, BODY)]
    assert same(get(server, tmp_path).path, BODY)
    assert "range" not in server.seen[1]


@pytest.mark.parametrize(("age", "resumed"), [(timedelta(hours=1), True), (timedelta(seconds=5), False)])
def test_a_modification_date_resumes_only_when_it_is_old_enough_to_be_strong(server, tmp_path, age, resumed):
    modified = format_datetime(datetime.now(UTC) - age, usegmt=True)
    cut = send(200, BODY[:70_000], length=len(BODY), cut=True, Last_Modified=modified)
    server.script = [cut, rest_of(BODY, modified)]
    assert same(get(server, tmp_path).path, BODY)
    assert server.seen[1].get("if-range") == (modified if resumed else None)


def test_a_continuation_from_the_wrong_place_is_thrown_away(server, tmp_path):
    wrong = send(206, BODY[60_000:], ETag='"a"', Content_Range=f"bytes 60000-{len(BODY) - 1}/{len(BODY)}")
    server.script = [send(200, BODY[:70_000], length=len(BODY), cut=True, ETag='"a"'), wrong, send(200, BODY)]
    assert same(get(server, tmp_path).path, BODY)
    assert "range" not in server.seen[2]


def test_a_continuation_of_another_file_is_thrown_away(server, tmp_path):
    other = send(206, BODY[70_000:], ETag='"b"', Content_Range=f"bytes 70000-{len(BODY) - 1}/{len(BODY)}")
    server.script = [send(200, BODY[:70_000], length=len(BODY), cut=True, ETag='"a"'), other, send(200, BODY)]
    assert same(get(server, tmp_path).path, BODY)


def test_a_range_that_no_longer_exists_restarts(server, tmp_path):
    server.script = [send(200, BODY[:70_000], length=len(BODY), cut=True, ETag='"a"'), send(416), send(200, BODY)]
    assert same(get(server, tmp_path).path, BODY)


def test_cuts_for_ever_end_in_a_sentence(server, tmp_path):
    server.script = [send(200, BODY[:70_000], length=len(BODY), cut=True)]
    with pytest.raises(Unreachable) as caught:
        get(server, tmp_path)
    assert "in 4 attempts" in str(caught.value)
    assert f"{server.url}/counts.csv" in str(caught.value)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_error_is_asked_again(server, tmp_path, status):
    server.script = [send(status, b"<html>busy</html>"), send(200, BODY)]
    assert same(get(server, tmp_path).path, BODY)


def test_a_lasting_failure_names_the_address_and_the_last_reason(server, tmp_path):
    server.script = [send(500), send(503)]
    with pytest.raises(Unreachable) as caught:
        get(server, tmp_path)
    assert len(server.seen) == 4
    assert f"{server.url}/counts.csv" in str(caught.value)
    assert "503 Service Unavailable" in str(caught.value)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 204, 206])
def test_an_answer_that_will_not_change_is_not_asked_again(server, tmp_path, status):
    server.script = [send(status)]
    with pytest.raises(Unreachable, match=str(status)):
        get(server, tmp_path)
    assert len(server.seen) == 1


def test_the_pause_that_the_server_asks_for_is_kept(server, tmp_path):
    server.script = [send(429, Retry_After="1"), send(200, BODY)]
    get(server, tmp_path)
    assert server.times[1] - server.times[0] >= 1


def test_the_pause_may_be_given_as_a_date(server, tmp_path):
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    server.script = [send(503, Retry_After=until), send(200, BODY)]
    get(server, tmp_path)
    assert server.times[1] - server.times[0] >= 0.9  # the header has whole seconds


def test_a_pause_longer_than_the_patience_left_ends_at_once(server, tmp_path):
    server.script = [send(503, Retry_After="3600")]
    with pytest.raises(Unreachable, match="1 attempt;"):
        get(server, tmp_path)
    assert len(server.seen) == 1


def test_an_announced_size_beyond_the_limit_is_refused_before_the_body(server, tmp_path):
    server.script = [send(200, BODY[:10], length=10**9, cut=True)]
    with pytest.raises(DeliveryRefused, match="1000 bytes"):
        get(server, tmp_path, max_bytes=1000)
    assert (tmp_path / "download").stat().st_size == 0


def test_a_size_that_was_not_announced_is_cut_off_at_the_limit(server, tmp_path):
    def unannounced(handler):
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(BODY)
        handler.close_connection = True

    server.script = [unannounced]
    with pytest.raises(DeliveryRefused, match="max_bytes"):
        get(server, tmp_path, max_bytes=len(BODY) - 1)
    assert same(get(server, tmp_path, max_bytes=len(BODY)).path, BODY)


def test_a_server_that_falls_silent_is_left(server, tmp_path):
    server.script = [send(200, BODY[:100], length=len(BODY), pause=1.0)]
    options = FetchOptions(read_seconds=0.1, attempts=2, first_wait_seconds=0.01, longest_wait_seconds=0.01)
    with pytest.raises(Unreachable, match="no byte for"):
        get(server, tmp_path, options=options)
    assert len(server.seen) == 2


def test_a_trickle_ends_with_the_total_time(server, tmp_path):
    def trickle(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        for _ in range(40):
            handler.wfile.write(b"x")
            time.sleep(0.05)
        handler.close_connection = True

    server.script = [trickle]
    started = time.monotonic()
    with pytest.raises(Unreachable, match="too slow"):
        get(server, tmp_path, options=FetchOptions(read_seconds=1, total_seconds=0.5, attempts=3))
    assert time.monotonic() - started < 1.5


def test_redirects_are_followed_and_the_last_address_names_the_file(server, tmp_path):
    server.script = [send(302, Location="/files/traffic_2026.csv"), send(200, BODY)]
    assert get(server, tmp_path, "/latest").file_name == "traffic_2026.csv"


def test_a_redirect_loop_is_left(server, tmp_path):
    server.script = [send(302, Location="/again")]
    with pytest.raises(Unreachable, match="redirects more than 5 times"):
        get(server, tmp_path)
    assert len(server.seen) == 6


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/data.csv"])
def test_a_redirect_out_of_http_is_not_followed(server, tmp_path, target):
    server.script = [send(302, Location=target)]
    with pytest.raises(Unreachable, match="other than an http"):
        get(server, tmp_path)
    assert len(server.seen) == 1


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/data.csv", "file:///etc/passwd", "data.csv", "http://host:port/", ""])
def test_only_http_addresses_are_asked(tmp_path, url):
    with pytest.raises(Unreachable, match="other than an http"):
        fetch(url, tmp_path / "download", max_bytes=1000, options=QUICK)


def test_nobody_listening_is_a_sentence(tmp_path, server):
    options = FetchOptions(connect_seconds=1, attempts=2, first_wait_seconds=0.01)
    with pytest.raises(Unreachable, match=r"2 attempts.*refused"):
        fetch("http://127.0.0.1:9/data.csv", tmp_path / "download", max_bytes=1000, options=options)


def test_bytes_in_an_encoding_that_was_not_asked_for_are_not_taken(server, tmp_path):
    server.script = [send(200, b"\x0b\x02\x80", Content_Encoding="br")]
    with pytest.raises(Unreachable, match="'br'"):
        get(server, tmp_path)


def test_secrets_of_the_address_are_not_shown(tmp_path, server):
    assert shown("https://user:secret@example.org/a.csv?b=1#c") == "https://example.org/a.csv?b=1"
    with pytest.raises(Unreachable) as caught:
        fetch(
            "http://user:secret@127.0.0.1:9/data.csv",
            tmp_path / "download",
            max_bytes=1000,
            options=FetchOptions(connect_seconds=1, attempts=1),
        )
    assert "secret" not in str(caught.value)
