"""What came out of a validation: one result per expectation, and the status of the whole.

Light on purpose: certificates, the command line and exports read results without importing Great Expectations. No
sample value of a mart is ever kept here, only counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Status = Literal["passed", "failed", "error"]


@dataclass(frozen=True)
class Result:
    """The outcome of one expectation: ``error`` means that it could not be evaluated, which says nothing of the data.

    ``unexpected_count`` counts offending rows (for the kinds that look at groups: duplicated keys, or sources and
    periods); ``observed`` is a short sentence.
    """

    name: str
    kind: str
    status: Status
    observed: str | None
    unexpected_count: int | None
    why_fr: str
    why_en: str


@dataclass(frozen=True)
class Validation:
    """The outcome of one suite on one mart: ``expected`` is the number of expectations that the suite holds."""

    mart: str
    suite_digest: str
    expected: int
    results: tuple[Result, ...]

    @property
    def evaluated(self) -> int:
        """Number of expectations that gave an answer about the data."""
        return self.count("passed") + self.count("failed")

    @property
    def status(self) -> Status:
        """``error`` when any expectation was not evaluated, else ``failed`` when any failed, else ``passed``."""
        return overall(self.expected, self.results)

    def count(self, status: Status) -> int:
        """Return the number of results with this status."""
        return sum(result.status == status for result in self.results)


def overall(expected: int, results: Iterable[Result]) -> Status:
    """Return the status of a whole suite: a check that did not run is not a pass, and none at all is an error."""
    statuses = [result.status for result in results]
    if not statuses or len(statuses) != expected or "error" in statuses:
        return "error"
    return "failed" if "failed" in statuses else "passed"
