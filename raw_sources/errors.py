"""Errors meant for people: one sentence, the place, what to do next.

Every refusal that a user can cause or mend is one of these; the command line prints them without a traceback.
Programming errors stay ordinary exceptions and do not belong here.
"""

from __future__ import annotations


class HalleError(Exception):
    """A sentence for a user.

    ``what`` says what is wrong, ``where`` names the file, line, column or card, ``hint`` says what to do next.
    """

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        self.what = what
        self.where = where
        self.hint = hint
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" {self.hint}" if self.hint else ""
        return f"{place}{self.what}{advice}"


class ConfigurationError(HalleError):
    """A card, a territory file, a suite, an export card or an option that cannot be used (exit status 2)."""


class DeliveryRefused(HalleError):
    """A file that cannot be accepted as a delivery of its source; its bytes are kept aside (exit status 1)."""


class DeliveryForbidden(DeliveryRefused):
    """A file that holds what may not be stored: its bytes are not kept aside either, and no value of it is told."""


class Unreachable(HalleError):
    """An address that gave nothing after bounded retries; the last delivery stays in use (exit status 1)."""


class GateClosed(HalleError):
    """A release refused because its mart has no passing certificate for this very content (exit status 1)."""


class MachineryError(HalleError):
    """A check that could not run: neither a pass nor a failure of the data (exit status 1)."""
