"""Official schemas that are not ours to commit: from a folder, else from their address and cached, else not available.

A check whose schema is not available did not run; it never passed. Nothing here validates: see ``verify``.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raw_sources.errors import MachineryError
from raw_sources.files import write_atomically

ENVIRONMENT_VARIABLE = "HALLE_SCHEMAS"
TIMEOUT_SECONDS = 10.0
LARGEST_BYTES = 4_000_000

DATA_PACKAGE = "datapackage-2.0/datapackage.json"
GEOPARQUET = "geoparquet-1.1.0/schema.json"

ADDRESSES = {
    DATA_PACKAGE: "https://datapackage.org/profiles/2.0/datapackage.json",
    GEOPARQUET: "https://geoparquet.org/releases/v1.1.0/schema.json",
}


@dataclass(frozen=True)
class SchemaStore:
    """Where official schemas are looked for: ``folder`` first, then ``cache``, then (if ``online``) their address."""

    folder: Path | None
    cache: Path | None
    online: bool = True

    @staticmethod
    def from_environment(cache: Path | None = None, *, online: bool = True) -> SchemaStore:
        """Return the store over the folder that ``HALLE_SCHEMAS`` names, if any, and the given cache."""
        folder = os.environ.get(ENVIRONMENT_VARIABLE)
        return SchemaStore(Path(folder) if folder else None, cache, online)

    def find(self, name: str) -> dict[str, Any] | None:
        """Return the JSON Schema called ``name`` (``standard/file``), or None when it is not to be had.

        Raises ``MachineryError`` when a file that is there is not a JSON object.
        """
        for root in (self.folder, self.cache):
            if root is not None and (root / name).is_file():
                return _parse((root / name).read_bytes(), str(root / name))
        content = _download(ADDRESSES[name]) if self.online and name in ADDRESSES else None
        if content is None:
            return None
        schema = _parse(content, ADDRESSES[name])
        if self.cache is not None:
            write_atomically(self.cache / name, content)
        return schema


def _parse(content: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except ValueError as error:
        raise MachineryError("the official schema is not JSON.", where=where, hint="Fetch it again.") from error
    if not isinstance(value, dict):
        raise MachineryError("the official schema is not a JSON object.", where=where, hint="Fetch it again.")
    return value


def _download(address: str) -> bytes | None:
    import httpx

    try:
        answer = httpx.get(address, timeout=TIMEOUT_SECONDS, follow_redirects=True)
    except httpx.HTTPError:
        return None  # no network is an ordinary state: the caller reports that the check did not run
    usable = answer.status_code == httpx.codes.OK and len(answer.content) <= LARGEST_BYTES
    return answer.content if usable and answer.content.lstrip()[:1] == b"{" else None
