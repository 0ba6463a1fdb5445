"""The look at tracked files finds what it is there to find, and nothing in this repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.tracked_files import offences, tracked

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "line",
    [
        "--index-" + "url https://packages.example/simple",
        "see https://py" + "pi.org/project/x",
        "url: https://www.npm" + "js.com/package/x",
        'DATA = "/ho' + 'me/someone/data"',
        "cd /wo" + "rk/main",
    ],
)
def test_forbidden_text_is_found_with_its_place(tmp_path: Path, line: str) -> None:
    file = tmp_path / "notes.txt"
    file.write_text(f"first\n{line}\n")
    assert [found.startswith(f"{file}:2: ") for found in offences([file])] == [True]


@pytest.mark.parametrize(
    "line", ["https://example.org/work/page", "resume ./home/page", "DATA/public/latest", "#!/bin/sh"]
)
def test_ordinary_text_passes(tmp_path: Path, line: str) -> None:
    file = tmp_path / "notes.txt"
    file.write_text(line)
    assert list(offences([file])) == []


def test_bytes_that_are_not_text_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "picture.bin"
    file.write_bytes(b"\xff\xfe\x00/ho" + b"me/someone")
    assert list(offences([file])) == []


def test_this_repository_holds_none() -> None:
    inside = subprocess.run(["git", "rev-parse"], cwd=ROOT, capture_output=True, check=False)
    if inside.returncode:
        pytest.skip("not a git working tree: what is tracked cannot be told")
    assert list(offences(tracked(ROOT))) == []
