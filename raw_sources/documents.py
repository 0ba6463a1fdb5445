"""YAML documents that people write (cards, territories, suites): read strictly, checked by schema, errors with lines.

Here: reading, the place of a field, and the sentences for a document that does not follow its schema. What a document
*means* belongs in the module of its kind (``card``, ``territory``, ...). What programs write is JSON: see ``files``.
"""

from __future__ import annotations

import contextlib
import datetime
import difflib
import json
import math
import re
import zoneinfo
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from raw_sources.errors import ConfigurationError
from raw_sources.files import canonical_json, sha256_text, write_atomically

if TYPE_CHECKING:
    from jsonschema import ValidationError

Field = tuple[str | int, ...]
LONGEST_MESSAGE = 240
PRODUCT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Document:
    """A YAML mapping with its source text; ``value`` holds only JSON values (a bare date is its ISO text).

    ``follows`` are digests of schemas that this very text is known to follow.
    """

    path: Path
    text: str
    value: dict[str, Any]
    follows: frozenset[str] = frozenset()

    @property
    def digest(self) -> str:
        """SHA-256 of the content, whatever its comments, its layout and the order of its keys."""
        return sha256_text(canonical_json(self.value))

    def line(self, field: Sequence[str | int]) -> int:
        """Return the 1-based line of ``field``, or of its nearest parent that is written in the file."""
        return _line(_round_trip(self.text), field)

    def problem(self, field: Sequence[str | int], what: str, hint: str | None = None) -> ConfigurationError:
        """Return the error that names this file, the line and the field; the caller raises it."""
        return _problem(self.path, self.text, tuple(field), what, hint)

    def check(self, schema: Mapping[str, Any], known_as: str) -> None:
        """Raise ``ConfigurationError`` at the first line where the document departs from ``schema``.

        ``known_as`` names the schema in the hint. Further departures are announced by their lines.
        """
        digest = _schema_digest(schema)
        if digest in self.follows:
            return
        errors = _departures(schema, self.value)
        if not errors:
            _remember(self, digest)
            return
        placed = sorted((self.line(_field(error)), index) for index, error in enumerate(errors))
        first = errors[placed[0][1]]
        others = sorted({line for line, _ in placed[1:]} - {placed[0][0]})
        more = f" Other lines to mend: {', '.join(map(str, others))}." if others else ""
        raise self.problem(_field(first), _sentence(first), f"It must follow {known_as}.{more}")


def read_document(path: Path) -> Document:
    """Read a YAML mapping in UTF-8, without aliases nor repeated keys.

    Raises ``ConfigurationError`` with file and line when the file is missing, unreadable or not one mapping.
    """
    text = _text(path)
    known = _recall(path, text)
    if known is not None:
        return Document(path, text, known["value"], frozenset(known["follows"]))
    value = _load(path, text)
    if not isinstance(value, dict):
        raise ConfigurationError(
            f"the document is {_kind(value)}, where 'name: value' lines are expected.", where=f"{path}:1"
        )
    return Document(path, text, _plain(path, text, value, (), set()))


def _memory(path: Path) -> Path | None:
    """Where Python keeps what it compiled: reading and checking forty cards takes seconds, and few change.

    Only for the product's own documents: a run writes nothing beside those of a territory.
    """
    place = path.resolve()
    return place.parent / "__pycache__" / f"{place.stem}.document.json" if place.is_relative_to(PRODUCT) else None


def _recall(path: Path, text: str) -> dict[str, Any] | None:
    memory = _memory(path)
    try:
        known: Any = json.loads(memory.read_text(encoding="utf-8")) if memory else None
    except (OSError, ValueError):
        return None
    return known if isinstance(known, dict) and known.get("text") == sha256_text(text) else None


def _remember(document: Document, followed: str) -> None:
    memory = _memory(document.path)
    if memory is None:
        return
    known = _recall(document.path, document.text) or {"follows": []}
    follows = sorted({*known["follows"], followed})
    entry = {"text": sha256_text(document.text), "value": document.value, "follows": follows}
    with contextlib.suppress(OSError):  # a folder that cannot be written costs time and nothing else
        write_atomically(memory, json.dumps(entry))


_DIGESTS: dict[int, tuple[Mapping[str, Any], str]] = {}


def _schema_digest(schema: Mapping[str, Any]) -> str:
    # A schema is read once per process: its identity stands for it, and holding it keeps that identity its own.
    if id(schema) not in _DIGESTS:
        _DIGESTS[id(schema)] = (schema, sha256_text(canonical_json(schema)))
    return _DIGESTS[id(schema)][1]


def field_name(field: Sequence[str | int]) -> str:
    """Return a field as people write it: ``schema[0].properties[3].logicalType``."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in field)
    return "".join(steps).lstrip(".") or "(document)"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint that names the closest known word, or all of them."""
    words = sorted(known)
    close = difflib.get_close_matches(name, words, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(words) or 'none'}."


def is_time_zone(name: str) -> bool:
    """Tell whether ``name`` is a time zone of the IANA database (https://www.iana.org/time-zones)."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False  # OSError: the name of a region such as 'Europe' is a folder of the database
    return True


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigurationError(f"the file cannot be read ({reason}).", where=str(path)) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigurationError(
            "the file is not in UTF-8.", where=f"{path}:{line}", hint="Save it again as UTF-8."
        ) from error


def _load(path: Path, text: str) -> object:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return YAML(typ="safe").load(StringIO(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        _refuse_yaml(path, mark.line + 1 if mark else 1, str(error.problem or error.context), error)
    except (YAMLError, ValueError) as error:
        # ValueError: a scalar that looks like a date or a number and is none, such as 2026-02-31
        _refuse_yaml(path, _line_of_control_character(text), str(error).splitlines()[0], error)
    except RecursionError as error:
        _refuse_yaml(path, 1, "it is nested too deeply", error)


def _refuse_yaml(path: Path, line: int, problem: str, cause: Exception) -> NoReturn:
    raise ConfigurationError(
        f"the YAML cannot be read: {problem.strip().rstrip('.')}.",
        where=f"{path}:{line}",
        hint="Check indentation, quotes and repeated keys there.",
    ) from cause


def _line_of_control_character(text: str) -> int:
    found = re.search(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)
    return text.count("\n", 0, found.start()) + 1 if found else 1


def _plain(path: Path, text: str, value: object, field: Field, seen: set[int]) -> Any:
    """Return ``value`` as JSON values; refuse aliases (other tools read them differently, and they may loop)."""
    if isinstance(value, dict | list):
        if id(value) in seen:
            raise _problem(path, text, field, "an alias repeats another part of the file.", "Write it out in full.")
        seen.add(id(value))
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise _problem(path, text, (*field, key), f"the key {key!r} is not text.", "Write it between quotes.")
        return {key: _plain(path, text, item, (*field, key), seen) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(path, text, item, (*field, index), seen) for index, item in enumerate(value)]
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        raise _problem(path, text, field, f"{value} is not a number that can be written.", None)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise _problem(path, text, field, f"{_kind(value)} has no place here.", "Write text, a number or a list.")


def _problem(path: Path, text: str, field: Field, what: str, hint: str | None) -> ConfigurationError:
    line = _line(_round_trip(text), field)
    return ConfigurationError(what, where=f"{path}:{line}: field {field_name(field)}", hint=hint)


@cache
def _round_trip(text: str) -> Any:
    # Only this loader knows lines, and it is slower: it runs only when there is an error to place.
    from ruamel.yaml import YAML

    return YAML(typ="rt").load(StringIO(text))


def _line(node: Any, field: Sequence[str | int]) -> int:
    line = node.lc.line
    for step in field:
        try:
            line = (node.lc.item if isinstance(step, int) else node.lc.key)(step)[0]
            node = node[step]
        except (KeyError, IndexError, TypeError, AttributeError):
            break  # the field is absent: its parent's line is the place to write it
    return int(line) + 1


def _departures(schema: Mapping[str, Any], value: dict[str, Any]) -> list[ValidationError]:
    from jsonschema import validators
    from jsonschema.exceptions import best_match

    kind = validators.validator_for(schema)
    found = [best_match([error]) for error in kind(schema, format_checker=kind.FORMAT_CHECKER).iter_errors(value)]
    precise = [error for error in found if error.validator != "unevaluatedProperties"]
    # A wrong value makes its whole object count as unevaluated: the precise error says it better.
    vague = [
        error
        for error in found
        if error.validator == "unevaluatedProperties"
        and not any(
            tuple(other.absolute_path)[: len(error.absolute_path)] == tuple(error.absolute_path) for other in precise
        )
    ]
    return precise + vague


def _field(error: Any) -> Field:
    field = tuple(error.absolute_path)
    unknown = _unknown_keys(error)
    return (*field, unknown[0]) if unknown else field


def _unknown_keys(error: Any) -> list[str]:
    if error.validator not in ("additionalProperties", "unevaluatedProperties"):
        return []
    return [name for name in re.findall(r"'([^']+)'", error.message) if name in error.instance]


def _sentence(error: Any) -> str:
    meaning = error.schema.get("description") if isinstance(error.schema, dict) else None
    unknown = _unknown_keys(error)
    if unknown:
        return f"no such field is known here: {', '.join(unknown)}."
    if error.validator == "not":
        return "the field has no place here."
    if error.validator == "required":
        return f"a field is missing: {error.message.split(' is a required')[0]}."
    if error.validator in ("contains", "maxContains"):
        return f"an entry is missing or repeated; expected: {meaning or error.message}."
    if error.validator == "type":
        return f"{_kind(error.instance)} stands here, where {_expected(error.validator_value)} is expected."
    message = error.message
    if len(message) > LONGEST_MESSAGE:
        message = f"{message[: LONGEST_MESSAGE // 2]} ... {message[-LONGEST_MESSAGE // 2 :]}"
    return f"{message} ({meaning})." if meaning else f"{message}."


def _expected(types: str | list[str]) -> str:
    return types if isinstance(types, str) else " or ".join(types)


def _kind(value: object) -> str:
    names = {dict: "a mapping", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return "nothing" if value is None else names.get(type(value), f"a {type(value).__name__}")
