"""Looks through the repository's files for what ties a clone to one machine or one package registry.

A lock file that names an index, or a file that names a folder of its author's, works for its author alone. Run as
``python -m tests.tracked_files`` by ``make lint``; exit status 1 names each place.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

# Written with brackets, so that this file does not find itself.
FORBIDDEN = {
    "address of a package registry": re.compile(
        r"pypi[.]org|files[.]pythonhosted|npmjs[.](?:org|com)|deb[.]debian[.]org|index-url[ =]\W?\w+://",
        re.IGNORECASE,
    ),
    "absolute path of one machine": re.compile(r"(?<![\w./:-])/(?:work|root|home|Users|tm[p]/w)/[\w.-]+"),
}


def tracked(root: Path) -> list[Path]:
    """Return the files of the working tree that git tracks or would track."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True).stdout.decode()
    return [root / name for name in listed.split("\0") if name and (root / name).is_file()]


def offences(files: Iterable[Path]) -> Iterator[str]:
    """Yield ``file:line: what`` for each forbidden text; files that are not UTF-8 text hold none to read."""
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(lines, start=1):
            for what, pattern in FORBIDDEN.items():
                if found := pattern.search(line):
                    yield f"{file}:{number}: {what}: {found.group()}"


def main() -> int:
    """Print the offences of this repository; return 1 if there is any."""
    found = list(offences(tracked(Path.cwd())))
    for line in found:
        sys.stdout.write(f"{line}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
