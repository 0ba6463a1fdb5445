"""Assembles the dbt project of a territory by copy: the product's models, the territory's own, the declared sources.

The sources are derived from the cards: a card is the one home of a column's meaning. Copied because dbt writes compiled
files over models of an absolute path (pitfall B8). Running dbt belongs to ``dbt_runs``.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from expectations.value_statuses import VALUE_STATUSES as VALUE_STATUS_NAMES
from orchestration.project import card_folders
from orchestration.workspace import PROJECT
from raw_sources.card import Card, load_cards
from raw_sources.database import DuckDBSettings
from raw_sources.documents import nearest, read_document
from raw_sources.errors import ConfigurationError
from raw_sources.files import canonical_json, sha256_text, write_atomically
from raw_sources.mapping import as_example, as_values

DBT_PROJECT = PROJECT / "dbt_project"
COPIED = ("dbt_project.yml", "profiles.yml", "models", "macros", "tests")
OPS_TABLES = (
    "deliveries",
    "build_keys",
    "staging_outcomes",
    "rejects",
    "malformed",
    "ledger",
    "territory",
    "last_release",
    "mart_sources",
    "sources",
    "territory_communes",
)
MEMBERS = Path("macros/_members.sql")
VALUE_STATUSES = Path("macros/_value_statuses.sql")
MAPPINGS = Path("macros/_mappings.sql")
UNIT_TESTS = "_unit_tests.yml"
UNITED = re.compile(rb"\b(?:family|members)\(\s*['\"](\w+)['\"]")
"""How a model names the family whose members it reads."""


def assemble(
    target: Path,
    cards: Iterable[Card],
    own_models: Path | None = None,
    enabled: Collection[str] | None = None,
    themes: Collection[str] | None = None,
) -> str:
    """Write the dbt project under ``target`` and return a digest of its content.

    With ``enabled``, the project is what a run of these sources needs: without the unit tests of the models, and
    without the staging models that nothing reads; with ``themes``, it has the models of these themes alone. Files
    whose content has not changed are left alone, so that dbt's partial parse stays valid. A source without a staging
    model is no member of its family. Raises ConfigurationError for a card of a family that no model reads.
    """
    cards = list(cards)
    wanted = _project_files(own_models)
    chosen = [card for card in cards if enabled is None or card.source in enabled]
    _check_families(chosen, wanted)
    if enabled is not None:
        _leave_out(wanted, [card for card in cards if card not in chosen])
    if themes is not None:
        _leave_out_themes(wanted, themes)
    wanted[Path("models/_raw_sources.yml")] = canonical_json(declared_sources(cards)).encode()
    wanted[MEMBERS] = members_macro([card for card in chosen if staging_file(card) in wanted], wanted).encode()
    wanted[VALUE_STATUSES] = value_statuses_macro().encode()
    wanted[MAPPINGS] = mappings_macro(cards).encode()
    for path, content in wanted.items():
        file = target / path
        if not file.is_file() or file.read_bytes() != content:
            write_atomically(file, content)
    _remove_strangers(target, set(wanted))
    listing = "\n".join(f"{path} {sha256_text(content.decode())}" for path, content in sorted(wanted.items()))
    return sha256_text(listing)


def _project_files(own_models: Path | None) -> dict[Path, bytes]:
    files: dict[Path, bytes] = {}
    for name in COPIED:
        source = DBT_PROJECT / name
        for file in [source] if source.is_file() else sorted(p for p in source.rglob("*") if p.is_file()):
            files[file.relative_to(DBT_PROJECT)] = file.read_bytes()
    if own_models is not None and own_models.is_dir():
        for file in sorted(p for p in own_models.rglob("*") if p.is_file()):
            path = Path("models") / file.relative_to(own_models)
            if path in files:
                raise ConfigurationError(
                    "this model has the name of one that comes with halle.",
                    where=str(file),
                    hint="Rename it: a territory adds models, it does not replace them.",
                )
            files[path] = file.read_bytes()
    return files


def _check_families(cards: Iterable[Card], files: Mapping[Path, bytes]) -> None:
    """Refuse a family of a card that is none: its records would be staged, and in no mart."""
    models = b"\n".join(content for path, content in files.items() if path.suffix == ".sql")
    known = {name.decode() for name in UNITED.findall(models)}
    for card in cards:
        if card.family is not None and card.family not in known:
            document = read_document(card.path)
            index = next(i for i, one in enumerate(document.value["customProperties"]) if one["property"] == "halle")
            raise document.problem(
                ("customProperties", index, "value", "family"),
                f"no model reads the family {card.family!r}.",
                f"{nearest(card.family, known)} Without the line, the source stands alone.",
            )


def _leave_out(files: dict[Path, bytes], idle: Iterable[Card]) -> None:
    """Take out the unit tests, and the models of ``idle`` cards that no other model names: they would stay empty."""
    for path in [path for path in files if path.name.endswith(UNIT_TESTS)]:
        del files[path]
    for card in idle:
        files.pop(parting_model(card), None)
    named = b"\n".join(content for path, content in files.items() if path.suffix == ".sql")
    for card in idle:
        if f"ref('{card.staging_model}')".encode() not in named:
            files.pop(staging_file(card), None)


def _leave_out_themes(files: dict[Path, bytes], kept: Collection[str]) -> None:
    """Take out the models of every theme but those ``kept``."""
    for path in [path for path in files if path.parts[0] == "models" and len(path.parts) > 3]:
        if path.parts[2] not in kept:
            del files[path]


def _remove_strangers(target: Path, wanted: set[Path]) -> None:
    for folder in ("models", "macros", "tests"):
        for file in (target / folder).rglob("*"):
            if file.is_file() and file.relative_to(target) not in wanted:
                file.unlink()


def declared_sources(cards: Iterable[Card]) -> dict[str, Any]:
    """Return dbt's description of ``raw.*`` and ``ops.*``; asset keys are the raw tables'."""
    return {
        "version": 2,
        "sources": [
            {"name": "raw", "schema": "raw", "tables": [_raw_table(card) for card in sorted(cards, key=_source_of)]},
            {"name": "ops", "schema": "ops", "tables": [{"name": name} for name in OPS_TABLES]},
        ],
    }


def staging_file(card: Card) -> Path:
    """Return where the staging model of a source lies."""
    return Path("models/staging") / card.theme / f"{card.staging_model}.sql"


def parting_model(card: Card) -> Path:
    """Return where the model lies that parts each record of a source into rows of its family, if there is one."""
    return Path("models/intermediate") / card.theme / f"int_{card.theme}__{card.source}.sql"


def members_macro(cards: Iterable[Card], files: Collection[Path]) -> str:
    """Return the macro that names the models of a family: a new card joins its family by naming it.

    A source's member is the model that parts its records when ``files`` has one, else its staging model.
    """
    members: dict[str, list[str]] = {}
    for card in sorted(cards, key=_source_of):
        if card.family is not None:
            parting = parting_model(card)
            member = parting.stem if parting in files else card.staging_model
            members.setdefault(card.family, []).append(member)
    listed = json.dumps(members, sort_keys=True)
    return f"{{% macro members(family) %}}{{{{ return({listed}.get(family, [])) }}}}{{% endmacro %}}\n"


def value_statuses_macro() -> str:
    """Return the macro ``value_statuses()``: the one list of ``expectations.value_statuses``, for models."""
    return f"{{% macro value_statuses() %}}{{{{ return({json.dumps(list(VALUE_STATUS_NAMES))}) }}}}{{% endmacro %}}\n"


def mappings_macro(cards: Iterable[Card]) -> str:
    """Return the macro ``mapping_of(source)``: what a territory says of the files whose columns it maps."""
    mappings = {
        card.source: as_values(card.mapping or as_example(card.questions))
        for card in sorted(cards, key=_source_of)
        if card.questions.roles
    }
    return f"{{% macro mapping_of(source) %}}{{{{ return({json.dumps(mappings)}[source]) }}}}{{% endmacro %}}\n"


def _source_of(card: Card) -> str:
    return card.source


def _raw_table(card: Card) -> dict[str, Any]:
    personal = [column.name for column in card.loaded_columns if column.personal_data != "none"]
    return {
        "name": card.raw_table,
        "description": card.title_en,
        "config": {
            "meta": {
                "source": card.source,
                "theme": card.theme,
                "family": card.family,
                "follows": card.follows,
                "personal_columns": personal,
                "dagster": {"asset_key": ["raw", card.raw_table]},
            }
        },
        "columns": [{"name": column.name, "description": column.description_en} for column in card.loaded_columns],
    }


def check() -> int:
    """Assemble the product's own project in a temporary folder and let dbt parse it (used by ``make lint``)."""
    from orchestration.dbt_runs import DbtProject, parse

    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "dbt"
        assemble(project, load_cards(card_folders(None)).values())
        problems = parse(DbtProject(project, Path(folder) / "warehouse.duckdb", DuckDBSettings(), "Europe/Paris"))
    for problem in problems:
        sys.stderr.write(problem + "\n")
    return 1 if problems else 0


def forget(target: Path) -> None:
    """Remove an assembled project, dbt's caches included."""
    shutil.rmtree(target, ignore_errors=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Assemble the dbt project and parse it.")
    parser.add_argument("--check", action="store_true", required=True)
    parser.parse_args()
    sys.exit(check())
