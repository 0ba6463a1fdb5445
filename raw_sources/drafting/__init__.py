"""Drafts of a source card and of a staging model from a file that no card knows (`halle new-source`).

A draft loads as it is written: what the file does not say stands in it as a neutral value under a QUESTION. Nothing of
a column that may hold personal data is written. How a file is read belongs in ``readers``; answering the questions
belongs to a person.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from raw_sources import readers
from raw_sources.card import read_card
from raw_sources.drafting.card_text import card_text
from raw_sources.drafting.feed import feed_for
from raw_sources.drafting.model_text import model_text, model_yaml
from raw_sources.drafting.names import is_name, source_from_file
from raw_sources.drafting.plan import Plan, make_plan
from raw_sources.drafting.yaml_text import QUESTION
from raw_sources.errors import ConfigurationError
from raw_sources.files import write_atomically
from raw_sources.unpacking import Limits, unpack

__all__ = ["Draft", "draft_source", "write_draft"]

MOST_EXPANDED_BYTES = 8 << 30
PRODUCT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Draft:
    """The texts of a draft by path under the folder that takes them, and what it was decided from."""

    plan: Plan
    files: dict[Path, str]

    @property
    def questions(self) -> int:
        """The number of questions that a person has to answer."""
        return sum(len(re.findall(rf"(?:#|--) {QUESTION}:", text)) for text in self.files.values())

    @property
    def feed(self) -> str:
        """The lines to add under ``feeds`` in the territory file."""
        return self.plan.feed.lines(self.plan.source, partial=self.plan.sample.partial)


def draft_source(file: Path, name: str | None = None, theme: str | None = None) -> Draft:
    """Draft a card, a staging model and its YAML from ``file``, which may be compressed.

    ``name`` is the source, ``<producer>_<dataset>``; ``theme`` its folder; both are guessed when None. Raises
    ConfigurationError for a name outside the grammar or a file that cannot be opened, DeliveryRefused for what is no
    data or has no form that halle reads.
    """
    source = _source(name if name is not None else source_from_file(file.name))
    if theme is not None and not is_name(theme):
        raise ConfigurationError(f"{theme!r} is no name of a theme.", hint="Write one word, such as mobility.")
    if not file.is_file():
        raise ConfigurationError("there is no such file.", where=str(file), hint="Give one file, not a folder.")
    with _plain(file) as path:
        plan = make_plan(path, file.name, feed_for(file.name), source, theme)
        draft = Draft(plan, _texts(plan))
        _try(draft, path)
    return draft


def _source(name: str) -> str:
    if not is_name(name) or "_" not in name:
        raise ConfigurationError(
            f"{name!r} is no name of a source.",
            hint="Write <producer>_<dataset> in lower-case letters without accents, digits and single underscores.",
        )
    return name


@contextmanager
def _plain(file: Path) -> Iterator[Path]:
    """Give the file, or what a gzip or zip file holds: of several members the largest."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            parts = unpack(file, file.name, Path(folder), Limits(expanded_bytes=MOST_EXPANDED_BYTES))
        except PermissionError as error:
            raise ConfigurationError("the file may not be read.", where=str(file), hint="Check its rights.") from error
        yield max(parts, key=lambda part: part.path.stat().st_size).path


def _texts(plan: Plan) -> dict[Path, str]:
    models = Path("dbt_project") / "models" / "staging" / plan.theme
    return {
        Path("raw_sources") / plan.theme / f"{plan.source}.yml": card_text(plan),
        models / f"{plan.model}.sql": model_text(plan),
        models / f"_{plan.source}.yml": model_yaml(plan),
    }


def _try(draft: Draft, path: Path) -> None:
    """Read the card as written, and the file by it: a draft that does not load is never given out."""
    with tempfile.TemporaryDirectory() as folder:
        card_path, text = next(iter(draft.files.items()))
        written = Path(folder) / card_path.name
        written.write_text(text, encoding="utf-8")
        readers.inspect(path, read_card(written))


def write_draft(draft: Draft, folder: Path, *, force: bool = False) -> list[Path]:
    """Write the files of a draft under ``folder``, a territory's or the product's; return their paths.

    Raises ConfigurationError, with nothing written, when one of them exists (unless ``force``) or when the product has
    a card of that name elsewhere.
    """
    paths = [folder / path for path in draft.files]
    there = [path for path in paths if path.exists()]
    if there and not force:
        raise ConfigurationError(
            "this file exists already.", where=str(there[0]), hint="Give another --name, or --force to write over it."
        )
    others = [path for path in PRODUCT.glob(f"*/{draft.plan.source}.yml") if path.resolve() != paths[0].resolve()]
    if others:
        raise ConfigurationError(
            f"halle has a card of the source {draft.plan.source!r} already.", where=str(others[0]),
            hint="Enable it in territory.yml, or give another --name.",
        )  # fmt: skip
    for path, text in zip(paths, draft.files.values(), strict=True):
        write_atomically(path, text)
    return paths
