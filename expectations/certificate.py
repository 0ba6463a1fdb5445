"""The durable gate: a certificate binds a mart's very content, the suite that judged it, and the outcome.

A release asks :func:`require` for the certificate of the content that it is about to publish, in whichever run or
process it happens; nothing else opens the gate. Certificates of failed validations are kept as well, because they say
why the gate is closed. How a suite runs is in ``engine``; what leaves with a release is in ``exports``. No clock and no
path is written: the same content under the same suite gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from expectations.fingerprint import Fingerprint
from expectations.results import Result, Status, Validation, overall
from expectations.rules import Tolerance
from expectations.suite import Suite
from raw_sources.boundaries import boundary
from raw_sources.errors import GateClosed, MachineryError
from raw_sources.files import canonical_json, read_json, sha256_text, write_json

LATEST = "latest.json"
KEY_LENGTH = 32


@dataclass(frozen=True)
class Certificate:
    """The outcome of ``suite_digest`` on the content ``fingerprint`` of ``mart``."""

    mart: str
    fingerprint: Fingerprint
    suite_digest: str
    expected: int
    results: tuple[Result, ...]
    tolerances: tuple[Tolerance, ...]

    @property
    def key(self) -> str:
        """Name of the certificate: what it binds, not what it says."""
        return certificate_key(self.fingerprint.digest, self.suite_digest)

    @property
    def status(self) -> Status:
        """``passed``, ``failed``, or ``error`` when an expectation was not evaluated."""
        return overall(self.expected, self.results)

    def names(self, status: Status) -> tuple[str, ...]:
        """Return the names of the expectations with this status."""
        return tuple(result.name for result in self.results if result.status == status)

    def to_json(self) -> dict[str, Any]:
        """Return the certificate as JSON values, with its counts and its status."""
        passed, failed = len(self.names("passed")), len(self.names("failed"))
        return {
            "mart": self.mart,
            "status": self.status,
            "fingerprint": self.fingerprint.to_json(),
            "suite_digest": self.suite_digest,
            "expected": self.expected,
            "evaluated": passed + failed,
            "passed": passed,
            "failed": failed,
            "errored": self.expected - passed - failed,
            "results": [asdict(result) for result in self.results],
            "tolerances": [asdict(tolerance) for tolerance in self.tolerances],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Certificate:
        """Return the certificate that :meth:`to_json` wrote; counts and status are computed again from the results."""
        return cls(
            mart=value["mart"],
            fingerprint=Fingerprint.from_json(value["fingerprint"]),
            suite_digest=value["suite_digest"],
            expected=value["expected"],
            results=tuple(Result(**result) for result in value["results"]),
            tolerances=tuple(Tolerance(**tolerance) for tolerance in value["tolerances"]),
        )


def certificate_key(fingerprint_digest: str, suite_digest: str) -> str:
    """Return the name under which the certificate of this content and this suite is kept."""
    return sha256_text(f"{fingerprint_digest} {suite_digest}")[:KEY_LENGTH]


def issue(suite: Suite, fingerprint: Fingerprint, validation: Validation) -> Certificate:
    """Return the certificate of ``validation``, whatever its outcome.

    ``fingerprint`` must have been taken of the content that was validated, in the same run and under the same lock.
    Raises ``MachineryError`` when the validation is of another suite.
    """
    if (validation.mart, validation.suite_digest) != (suite.mart, suite.digest):
        raise MachineryError(
            f"the validation of {validation.mart} was made with another suite than the one to certify.",
            hint="Validate again with the present suite.",
        )
    return Certificate(
        mart=suite.mart,
        fingerprint=fingerprint,
        suite_digest=suite.digest,
        expected=len(suite.expectations),
        results=validation.results,
        tolerances=suite.tolerances,
    )


def save(root: Path, certificate: Certificate) -> Path:
    """Keep ``certificate`` as ``root/<mart>/<key>.json`` and make it the mart's latest; again changes nothing."""
    folder = root / certificate.mart
    path = folder / f"{certificate.key}.json"
    content = certificate.to_json()
    boundary("validation.certificate.before")
    # The pointer goes first: a run killed in between finds no certificate, validates again and repairs both.
    write_json(folder / LATEST, {"key": certificate.key})
    write_json(path, {**content, "digest": sha256_text(canonical_json(content))})
    boundary("validation.certificate.after")
    return path


def find(root: Path, mart: str, fingerprint_digest: str, suite_digest: str) -> Certificate | None:
    """Return the certificate of this content under this suite, or None when it was never validated.

    Raises ``MachineryError`` when the file was altered or cannot be read.
    """
    path = root / mart / f"{certificate_key(fingerprint_digest, suite_digest)}.json"
    if not path.is_file():
        return None
    certificate = _read(path)
    bound = (certificate.mart, certificate.fingerprint.digest, certificate.suite_digest)
    if bound != (mart, fingerprint_digest, suite_digest):
        raise _altered(path, "it is the certificate of something else")
    return certificate


def latest(root: Path, mart: str) -> Certificate | None:
    """Return the certificate saved last for ``mart`` (for display, never for the gate), or None.

    Raises ``MachineryError`` as :func:`find` does.
    """
    pointer = root / mart / LATEST
    if not pointer.is_file():
        return None
    path = root / mart / f"{_key(pointer)}.json"
    return _read(path) if path.is_file() else None


def require(root: Path, mart: str, fingerprint: Fingerprint, suite: Suite) -> Certificate:
    """Return the passing certificate of this very content, or raise.

    Raises ``GateClosed`` naming the expectations that failed or were not evaluated, or saying that this content was
    never validated; ``MachineryError`` when the certificate was altered.
    """
    certificate = find(root, mart, fingerprint.digest, suite.digest)
    if certificate is None:
        raise GateClosed(
            f"the present content of {mart} was never validated by the present suite, so it is not released.",
            hint="Run 'halle run' so that it is validated first.",
        )
    if certificate.status == "passed":
        return certificate
    raise GateClosed(_refusal(certificate), hint=_advice(certificate))


def _refusal(certificate: Certificate) -> str:
    failed, errored = certificate.names("failed"), certificate.names("error")
    reasons = []
    if failed:
        reasons.append(f"expectations failed: {', '.join(failed)}")
    if errored or certificate.status == "error":
        reasons.append(f"expectations could not be evaluated: {', '.join(errored) or 'the counts do not agree'}")
    return f"{certificate.mart} is not released, because {'; '.join(reasons)}."


def _advice(certificate: Certificate) -> str:
    if certificate.status == "failed":
        return "The suite says why each matters: correct the data, or tolerate the exception with its reason."
    return "A check that did not run says nothing about the data: mend the suite or the mart's columns, then run again."


def _read(path: Path) -> Certificate:
    content = _content(path)
    digest = content.pop("digest", None)
    if digest != sha256_text(canonical_json(content)):
        raise _altered(path, "its content does not match its own digest")
    try:
        return Certificate.from_json(content)
    except (KeyError, TypeError) as error:
        raise _altered(path, "it has not the fields of a certificate") from error


def _content(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise _altered(path, "it cannot be read as JSON") from error
    if not isinstance(content, dict):
        raise _altered(path, "it is not a JSON object")
    return content


def _key(pointer: Path) -> str:
    key = _content(pointer).get("key")
    if not isinstance(key, str) or not key.isalnum():
        raise _altered(pointer, "it names no certificate")
    return key


def _altered(path: Path, what: str) -> MachineryError:
    return MachineryError(
        f"the certificate was altered or damaged: {what}.",
        where=f"{path.parent.name}/{path.name}",
        hint="Delete this file and run again: the mart will be validated anew.",
    )
