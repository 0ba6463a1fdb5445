"""Secrets in addresses: where a feed's token comes from, and what of an address may be shown.

A token may stand in the address, or in an environment variable that the address names (``${WAZE_TOKEN}``): territory
files are shared and kept under version control. Receipts, logs and messages show neither. Fetching is in ``fetching``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from raw_sources.errors import Unreachable

MASK = "***"
# What is shorter is no secret, and would be masked in words that merely hold it.
SHORTEST = 4
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
# A partner's number and its token are segments of the path of a Waze feed.
_SEGMENT = re.compile(r"(?<=/waze-feeds/)[^/?#]+|(?<=/partners/)[^/?#]+(?=/waze-feeds/)")
_PARAMETER = re.compile(
    r"(?i)(?<=[?&])(token|tk|key|apikey|api[_-]key|access[_-]token|auth|signature|sig|secret|password)=([^&#]*)"
)


@dataclass(frozen=True)
class Address:
    """An address in full, which is never shown, and its ``secrets``."""

    full: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    def hide(self, text: str) -> str:
        """Return ``text`` with each secret of the address masked."""
        for secret in self.secrets:
            text = text.replace(secret, MASK)
        return text

    def tells(self, text: str) -> bool:
        """Say whether ``text`` holds a secret of the address."""
        return self.hide(text) != text


def address_of(written: str, environment: Mapping[str, str] = os.environ) -> Address:
    """Return the address as it is asked; raises Unreachable for an environment variable that is not set."""
    values = [_value(name, written, environment) for name in _VARIABLE.findall(written)]
    full = _VARIABLE.sub(lambda found: environment[found[1]].strip(), written)
    found = [*values, *_SEGMENT.findall(full), *(value for _, value in _PARAMETER.findall(full))]
    secrets = {secret for text in found if len(text) >= SHORTEST for secret in (text, unquote(text))}
    return Address(full, tuple(sorted(secrets, key=lambda secret: (-len(secret), secret))))


def _value(name: str, written: str, environment: Mapping[str, str]) -> str:
    value = environment.get(name, "").strip()
    if not value:
        hint = "Set it where the command runs; it is not written into any file."
        raise Unreachable(
            f"the address needs the environment variable {name}, which is not set.", where=masked(written), hint=hint
        )
    return value


def masked(written: str) -> str:
    """Return an address as it may be shown: tokens and variables masked."""
    text = _VARIABLE.sub(MASK, written)
    return _PARAMETER.sub(lambda found: f"{found[1]}={MASK}", _SEGMENT.sub(MASK, text))
