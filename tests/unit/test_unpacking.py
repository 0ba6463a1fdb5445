"""Archives: what is opened, and each way in which one may try to do harm."""

import gzip
import io
import os
import resource
import stat
import zipfile
from pathlib import Path

import pytest

from raw_sources.errors import DeliveryRefused
from raw_sources.unpacking import Limits, Part, member_names, packing, safe_name, unpack

LIMITS = Limits(expanded_bytes=10_000_000)
DATA = b"iu_ac;t_1h;q;k\n1;2019-01-01 01:00:00;10;2.5\n"


def write_zip(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def refused(path: Path, tmp_path: Path, limits: Limits = LIMITS) -> str:
    with pytest.raises(DeliveryRefused) as caught:
        unpack(path, path.name, tmp_path / "out", limits)
    outside = [file for file in tmp_path.rglob("*") if file.is_file() and tmp_path / "out" not in file.parents]
    assert outside == [path], "something was written outside the folder of the parts"
    return str(caught.value)


def test_a_plain_file_is_its_own_part_whatever_its_name(tmp_path):
    path = tmp_path / "plain.csv.gz"
    path.write_bytes(DATA)
    assert unpack(path, path.name, tmp_path / "out", LIMITS) == [Part(path, "plain.csv.gz", None)]


def test_gzip_is_known_by_its_first_bytes_and_loses_its_suffix(tmp_path):
    for name, expected in (("counts.csv.GZ", "counts.csv"), ("counts", "counts")):
        path = tmp_path / name
        path.write_bytes(gzip.compress(DATA))
        [part] = unpack(path, name, tmp_path / f"out-{name}", LIMITS)
        assert (part.file_name, part.member, part.path.read_bytes()) == (expected, None, DATA)


def test_gzip_of_several_streams_is_one_file(tmp_path):
    path = tmp_path / "two.gz"
    path.write_bytes(gzip.compress(DATA) + gzip.compress(DATA))
    [part] = unpack(path, "two.gz", tmp_path / "out", LIMITS)
    assert part.path.read_bytes() == DATA + DATA


def test_zip_members_come_sorted_without_the_leavings_of_a_desktop(tmp_path):
    members = {"w2.txt": b"2", "a/w1.txt": b"1", "__MACOSX/._w2.txt": b"x", ".DS_Store": b"x", "a/.hidden/f": b"x"}
    path = write_zip(tmp_path / "year", members)
    with zipfile.ZipFile(path, "a") as archive:
        archive.mkdir("empty")
    parts = unpack(path, "year", tmp_path / "out", LIMITS)
    assert [(part.member, part.file_name, part.path.read_bytes()) for part in parts] == [
        ("a/w1.txt", "w1.txt", b"1"),
        ("w2.txt", "w2.txt", b"2"),
    ]
    assert member_names(path, "year", LIMITS) == ["a/w1.txt", "w2.txt"]


@pytest.mark.parametrize(
    "name", ["../evil.csv", "a/../../evil.csv", "/etc/evil.csv", "C:\\evil.csv", "..\\evil.csv", "\\\\host\\evil.csv"]
)
def test_a_member_whose_path_leads_out_is_refused(tmp_path, name):
    path = write_zip(tmp_path / "slip.zip", {"good.csv": DATA, name: DATA})
    assert "leads out" in refused(path, tmp_path)


def test_a_bad_path_among_ignored_members_is_refused_too(tmp_path):
    path = write_zip(tmp_path / "slip.zip", {"good.csv": DATA, "__MACOSX/../../evil": DATA})
    assert "leads out" in refused(path, tmp_path)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(tmp_path, kind):
    path = tmp_path / "link.zip"
    with zipfile.ZipFile(path, "w") as archive:
        entry = zipfile.ZipInfo("link.csv")
        entry.external_attr = (kind | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    assert "link or a device" in refused(path, tmp_path)


def test_an_encrypted_member_is_refused(tmp_path):
    path = write_zip(tmp_path / "secret.zip", {"data.csv": DATA})
    content = bytearray(path.read_bytes())
    content[6] |= 1  # the flag of the local header
    content[content.index(b"PK\x01\x02") + 8] |= 1  # and of the directory
    path.write_bytes(content)
    assert "encrypted" in refused(path, tmp_path)


def test_a_zip_that_declares_too_much_is_refused_before_it_expands(tmp_path):
    path = write_zip(tmp_path / "big.zip", {"a.csv": os.urandom(600), "b.csv": os.urandom(600)})
    assert "beyond the size" in refused(path, tmp_path, Limits(expanded_bytes=1000))
    assert not (tmp_path / "out").exists()


def test_a_zip_that_lies_about_its_size_gives_no_more_than_it_declared(tmp_path):
    path = write_zip(tmp_path / "liar.zip", {"a.csv": os.urandom(5000)})
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    for place in (22, directory + 24):
        content[place : place + 4] = (10).to_bytes(4, "little")
    path.write_bytes(content)
    assert "damaged" in refused(path, tmp_path, Limits(expanded_bytes=1000))


def test_a_zip_bomb_is_refused_by_its_ratio(tmp_path):
    path = write_zip(tmp_path / "bomb.zip", {"zeros.csv": bytes(8_000_000)})
    assert "200 times" in refused(path, tmp_path)


def test_the_budget_is_common_to_all_members(tmp_path):
    path = write_zip(tmp_path / "many.zip", {f"{n}.csv": os.urandom(400) for n in range(5)})
    assert len(unpack(path, path.name, tmp_path / "enough", Limits(expanded_bytes=2000))) == 5
    with pytest.raises(DeliveryRefused, match="beyond the size"):
        unpack(path, path.name, tmp_path / "out", Limits(expanded_bytes=1999))


def test_a_gzip_bomb_is_refused_by_its_ratio_and_by_its_size(tmp_path):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(9_000_000)))
    assert "200 times" in refused(path, tmp_path)
    with pytest.raises(DeliveryRefused, match="beyond the size"):
        unpack(path, path.name, tmp_path / "size", Limits(expanded_bytes=2_000_000, ratio=10_000))
    assert sum(file.stat().st_size for file in (tmp_path / "size").rglob("*") if file.is_file()) <= 2_000_000


def test_small_regular_files_may_compress_beyond_the_ratio(tmp_path):
    path = tmp_path / "regular.gz"
    path.write_bytes(gzip.compress(b"0;0;0\n" * 100_000))
    assert path.stat().st_size * 200 < 600_000
    assert unpack(path, path.name, tmp_path / "out", LIMITS)[0].path.stat().st_size == 600_000


def test_too_many_members_are_refused(tmp_path):
    path = write_zip(tmp_path / "many.zip", {f"{n}.csv": b"x" for n in range(11)})
    assert "11 entries" in refused(path, tmp_path, Limits(expanded_bytes=1000, members=10))


def test_archives_inside_archives_are_refused(tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("a.csv", DATA)
    for content in (inner.getvalue(), gzip.compress(DATA)):
        path = write_zip(tmp_path / "outer.zip", {"inner.dat": content})
        assert "another compressed file" in refused(path, tmp_path)
        path.unlink()
        for file in (tmp_path / "out").rglob("*.dat"):
            file.unlink()
        (tmp_path / "out" / "000000").rmdir()
    path = tmp_path / "outer.gz"
    path.write_bytes(gzip.compress(inner.getvalue()))
    assert "another compressed file (zip)" in refused(path, tmp_path)


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (b"7z\xbc\xaf\x27\x1c" + bytes(20), "7z"),
        (b"\xfd7zXZ\x00" + bytes(20), "xz"),
        (b"BZh91AY&SY" + bytes(20), "bzip2"),
        (b"data.csv".ljust(257, b"\0") + b"ustar\x0000", "tar"),
    ],
)
def test_other_archives_are_named_and_refused(tmp_path, content, form):
    path = tmp_path / "other"
    path.write_bytes(content)
    assert f"this is a {form} file" in refused(path, tmp_path)


def test_a_text_that_begins_like_an_archive_is_a_text(tmp_path):
    path = tmp_path / "text.csv"
    path.write_bytes(b"BZh;Rar;PK\n1;2;3\n")
    assert packing(path) is None


def test_cut_or_altered_archives_are_damaged(tmp_path):
    whole = gzip.compress(os.urandom(5000))
    for name, content in (("cut.gz", whole[:3000]), ("crc.gz", whole[:-8] + bytes(8)), ("head.gz", whole[:5])):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(DeliveryRefused, match="damaged"):
            unpack(path, name, tmp_path / f"out-{name}", LIMITS)
    path = write_zip(tmp_path / "ok.zip", {"a.csv": os.urandom(5000)}, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    for name, damage in (("cut.zip", content[:3000]), ("flip.zip", content[:100] + b"xxxx" + content[104:])):
        other = tmp_path / name
        other.write_bytes(damage)
        with pytest.raises(DeliveryRefused, match="damaged"):
            unpack(other, name, tmp_path / f"out-{name}", LIMITS)


def test_an_unknown_method_of_compression_is_a_refusal(tmp_path):
    path = write_zip(tmp_path / "deflate64.zip", {"a.csv": DATA})
    content = bytearray(path.read_bytes())
    content[8] = content[content.index(b"PK\x01\x02") + 10] = 9
    path.write_bytes(content)
    assert "compression method" in refused(path, tmp_path)


def test_empty_and_ambiguous_archives_are_refused(tmp_path):
    path = write_zip(tmp_path / "empty.zip", {".DS_Store": b"x"})
    assert "holds no file" in refused(path, tmp_path)
    path.unlink()
    with zipfile.ZipFile(path := tmp_path / "twice.zip", "w") as archive:
        archive.writestr("a.csv", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.csv", b"2")
    assert "same name" in refused(path, tmp_path)


def test_an_office_document_is_told_from_an_archive(tmp_path):
    path = write_zip(tmp_path / "table.csv", {"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<w/>"})
    assert "Send a spreadsheet as .xlsx or .ods" in refused(path, tmp_path)


def test_a_workbook_is_one_file_and_not_an_archive(tmp_path):
    members = {"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<w/>"}
    path = write_zip(tmp_path / "table.csv", members)
    assert packing(path) is None
    assert [part.path for part in unpack(path, path.name, tmp_path / "out", LIMITS)] == [path]
    archive = write_zip(tmp_path / "tables.zip", {"a/table.xlsx": path.read_bytes()})
    assert [part.member for part in unpack(archive, archive.name, tmp_path / "out", LIMITS)] == ["a/table.xlsx"]


def test_a_disk_that_takes_no_more_is_not_blamed_on_the_archive(tmp_path):
    path = tmp_path / "data.gz"
    path.write_bytes(gzip.compress(DATA * 10_000))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            unpack(path, path.name, tmp_path / "out", LIMITS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("comptages 2024.csv", "comptages 2024.csv"),
        ("../../etc/passwd", "_.._etc_passwd"),
        (".hidden", "hidden"),
        ("a\x00b\nc.csv", "a_b_c.csv"),
        ("", "delivery"),
        ("...", "delivery"),
        ("é" * 300 + "_2024.csv", "é" * 95 + "_2024.csv"),
    ],
)
def test_names_are_made_harmless(name, expected):
    assert safe_name(name) == expected
