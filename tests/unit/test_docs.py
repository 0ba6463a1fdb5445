"""The documents hold: links resolve, commands exist, both READMEs say the same, the example is a valid territory.

What the commands do is tested elsewhere; here only that a reader is not sent to something that does not exist.
"""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from orchestration.cli import app
from orchestration.project import load_project

ROOT = Path(__file__).parents[2]
ENGLISH, FRENCH = ROOT / "README.md", ROOT / "README.fr.md"
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "README.fr.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
MAIN: Any = get_command(app)  # typer's own copy of click, which it does not export

by_name = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def text_of(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def prose(text: str) -> str:
    return FENCE.sub("", text)


def blocks(text: str, language: str) -> list[str]:
    return [body for found, body in FENCE.findall(text) if found == language]


def anchor(heading: str) -> str:
    """Return the anchor that GitHub and GitLab give a heading."""
    kept = "".join(c for c in heading.lower() if c in " -_" or unicodedata.category(c)[0] in "LN")
    return kept.replace(" ", "-")


def anchors(file: Path) -> set[str]:
    return {anchor(title) for _, title in HEADING.findall(prose(text_of(file)))}


def broken_links(document: Path, text: str) -> Iterator[str]:
    for target in LINK.findall(prose(text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        file = document.parent / path if path else document
        if not file.exists() or (fragment and fragment not in anchors(file)):
            yield target


def named_commands(text: str) -> Iterator[str]:
    """Yield what follows ``halle`` in shell blocks and in code spans."""
    lines = [line for body in blocks(text, "sh") for line in body.splitlines()]
    for code in [*lines, *re.findall(r"`([^`\n]+)`", prose(text))]:
        if match := re.match(r"(?:\.venv/bin/)?halle (.+)", code):
            yield match.group(1)


def options_of(command: Any) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts} | {"--help"}


def unknown_words(invocation: str) -> Iterator[str]:
    name, *rest = shlex.split(invocation.replace("\\|", "|").split(" > ")[0])
    if name.startswith("--"):
        if name not in options_of(MAIN) | {"--install-completion", "--show-completion"}:
            yield name
    elif name != "COMMAND":
        if name not in MAIN.commands:
            yield name
        else:
            known = options_of(MAIN.commands[name])
            yield from (word for word in rest if word.startswith("--") and word.partition("=")[0] not in known)


def table_cells(text: str, column: int, after: str) -> list[str]:
    """Return the cells of one column of the first table whose head begins with ``after``."""
    lines = prose(text).splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith(after))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append(re.split(r"(?<!\\)\|", line)[column + 1].strip())
    return rows


@by_name
def test_every_relative_link_resolves(document: Path) -> None:
    assert list(broken_links(document, text_of(document))) == []


def test_a_broken_link_is_seen() -> None:
    text = "[a](README.md) [b](nowhere.md) [c](README.md#none) [d](https://example.org) [e](README.md#commands)"
    assert list(broken_links(ROOT / "x.md", text)) == ["nowhere.md", "README.md#none"]


@by_name
def test_every_command_exists_with_its_options(document: Path) -> None:
    unknown = {named: list(unknown_words(named)) for named in named_commands(text_of(document))}
    assert {named: words for named, words in unknown.items() if words} == {}


@pytest.mark.parametrize(
    ("invocation", "unknown"),
    [
        ("run --data data", []),
        ("run --dat data", ["--dat"]),
        ("walk", ["walk"]),
        ("query 'select 1' --format csv > x.csv", []),
        ("--version", []),
        ("--vision", ["--vision"]),
    ],
)
def test_an_unknown_command_or_option_is_seen(invocation: str, unknown: list[str]) -> None:
    assert list(unknown_words(invocation)) == unknown


def test_the_commands_table_lists_every_command_with_its_options() -> None:
    listed = " ".join(table_cells(text_of(ENGLISH), 0, "| command |"))
    assert set(re.findall(r"`halle ([\w-]+)", listed)) == set(MAIN.commands)
    for form in re.findall(r"`make (\w+)`", listed):
        assert re.search(rf"^{form}:", text_of(ROOT / "Makefile"), re.MULTILINE), form


def test_options_beside_a_command_are_its_own() -> None:
    for document, head in ((ENGLISH, "| command |"), (FRENCH, "| commande |")):
        text = text_of(document)
        for cell, does in zip(table_cells(text, 0, head), table_cells(text, 1, head), strict=True):
            if match := re.match(r"`halle ([\w-]+)", cell):
                assert set(re.findall(r"--[a-z-]+", does)) <= options_of(MAIN.commands[match.group(1)]), cell


def test_both_readmes_have_the_same_sections_commands_and_tables() -> None:
    english, french = text_of(ENGLISH), text_of(FRENCH)
    for language in ("sh", "text", "python"):
        assert blocks(english, language) == blocks(french, language), language
    levels = [[level for level, _ in HEADING.findall(prose(text))] for text in (english, french)]
    assert levels[0] == levels[1]
    assert [without_comments(body) for body in blocks(english, "yaml")] == [
        without_comments(body) for body in blocks(french, "yaml")
    ]
    heads = (("| command |", "| commande |"), ("| path |", "| chemin |"), ("| where |", "| où |"))
    for one, other in heads:
        codes = [re.findall(r"`[^`]+`", " ".join(table_cells(t, 0, h))) for t, h in ((english, one), (french, other))]
        assert codes[0] == codes[1], one
    symptoms = [table_cells(english, 0, "| you see |"), table_cells(french, 0, "| vous voyez |")]
    assert len(symptoms[0]) == len(symptoms[1])
    targets = [{t for t in LINK.findall(prose(text)) if not t.startswith("README")} for text in (english, french)]
    assert targets[0] == targets[1]


def without_comments(yaml: str) -> str:
    return re.sub(r"\s+#.*", "", yaml)


def test_every_path_of_the_path_table_exists() -> None:
    paths = re.findall(r"`([^`]+)`", " ".join(table_cells(text_of(ENGLISH), 0, "| path |")))
    assert len(paths) > 5
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_decision_is_listed() -> None:
    pages = {path.name for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md")}
    listed = set(LINK.findall(text_of(ROOT / "docs" / "decisions" / "README.md")))
    assert pages == listed


def test_the_territory_of_the_readme_is_valid(tmp_path: Path) -> None:
    (body,) = blocks(text_of(ENGLISH), "yaml")
    (tmp_path / "territory.yml").write_text(body, encoding="utf-8")
    assert list(load_project(tmp_path).enabled) == ["paris_comptages_permanents", "paris_fermetures_voirie"]


@pytest.mark.parametrize(
    ("folder", "source", "slug"),
    [
        ("example", "voirie_passages_velos", "passages-velos-journaliers"),
        ("housing-example", "habitat_parc_social", "parc-locatif-social-annuel"),
    ],
)
def test_the_examples_are_complete_territories(folder: str, source: str, slug: str) -> None:
    project = load_project(ROOT / "docs" / folder)
    card = project.cards[source]
    assert list(project.enabled) == [card.source]
    assert (project.territory.models_folder / "staging" / card.theme / f"{card.staging_model}.sql").is_file()
    assert project.export_cards[slug].mart in project.suites
