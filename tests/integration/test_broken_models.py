"""A territory's own models that do not run: each is told with its file, and the other themes are published."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from orchestration.assembly import MEMBERS, assemble, staging_file
from orchestration.project import card_folders, load_project
from orchestration.workspace import PROJECT
from raw_sources.card import Card, load_cards
from raw_sources.errors import ConfigurationError
from tests.commands import Answer, halle

EXAMPLE, HOUSING = PROJECT / "docs" / "example", PROJECT / "docs" / "housing-example"
SOURCE = "voirie_passages_velos"
CONFIG = "{{ config(key=['counter_id', 'day_on'], period='period_month') }}"
BROKEN = {
    "cycling": (CONFIG, ""),
    "skating": (CONFIG, "{{ config(key='counter_id') }}"),
    "walking": ("select *", "select"),
}
UNWRITTEN = "rolling"


def add_theme(territory: Path, theme: str, change: tuple[str, str] | None) -> None:
    """Add the dataset of the example as a theme of its own; ``change`` breaks its staging model, None leaves it out."""
    source = f"voirie_{theme}"
    card = (EXAMPLE / "raw_sources" / "mobility" / f"{SOURCE}.yml").read_text(encoding="utf-8")
    card = card.replace(SOURCE, source).replace("passages_velos", theme).replace("domain: mobility", f"domain: {theme}")
    folder = territory / "raw_sources" / theme
    folder.mkdir()
    (folder / f"{source}.yml").write_text(card, encoding="utf-8")
    with (territory / "territory.yml").open("a", encoding="utf-8") as file:
        file.write(f"  {source}:\n    files:\n      - {{glob: 'passages_velos_*.csv'}}\n")
    if change is not None:
        model = EXAMPLE / "dbt_project" / "models" / "staging" / "mobility" / f"stg_mobility__{SOURCE}.sql"
        text = model.read_text(encoding="utf-8").replace("voirie__passages_velos", f"voirie__{theme}")
        assert change[0] in text
        folder = territory / "dbt_project" / "models" / "staging" / theme
        folder.mkdir()
        (folder / f"stg_{theme}__{source}.sql").write_text(text.replace(*change, 1), encoding="utf-8")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Answer]:
    """Run the example of housing with four broken themes beside it."""
    territory = tmp_path_factory.mktemp("broken") / "territory"
    shutil.copytree(HOUSING, territory)
    shutil.copy(EXAMPLE / "extracts" / "passages_velos_202509.csv", territory / "extracts")
    for theme, change in BROKEN.items():
        add_theme(territory, theme, change)
    add_theme(territory, UNWRITTEN, None)
    extracts, data = territory / "extracts", territory / "data"
    return territory, halle("run", "--territory", territory, "--extracts", extracts, "--data", data)


@pytest.mark.slow
def test_the_other_themes_are_published(run: tuple[Path, Answer]) -> None:
    territory, answer = run
    assert answer.status == 1
    assert (territory / "data" / "public" / "parc-locatif-social-annuel" / "latest").is_dir()
    for theme in ("housing", "territory"):
        assert f"theme {theme}:" not in answer.out + answer.err


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["cycling", "skating"])
def test_a_model_without_a_key_is_told_with_its_file(theme: str, run: tuple[Path, Answer]) -> None:
    territory, answer = run
    said = " ".join((answer.out + answer.err).split())
    file = territory / "dbt_project" / "models" / "staging" / theme / f"stg_{theme}__voirie_{theme}.sql"
    assert f"{file.name}: the staging model declares no key, or one that is no list." in said.replace("- ", "-")
    assert "config(key=" in said


@pytest.mark.slow
def test_a_model_that_is_no_sql_is_told_with_its_file(run: tuple[Path, Answer]) -> None:
    said = " ".join((run[1].out + run[1].err).split())
    assert "(models/staging/walking/stg_walking__voirie_walking.sql)" in said
    assert "Parser Error" in said


@pytest.mark.slow
def test_a_source_that_no_model_stages_is_told_with_the_file_to_write(run: tuple[Path, Answer]) -> None:
    said = " ".join((run[1].out + run[1].err).split())
    assert f"voirie_{UNWRITTEN}: no model stages its records. Write" in said
    assert f"stg_{UNWRITTEN}__voirie_{UNWRITTEN}.sql" in said


# --- families ---------------------------------------------------------------------------------------------------


def example_card() -> Card:
    return load_project(EXAMPLE).cards[SOURCE]


def test_a_family_that_no_model_reads_is_refused_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / f"{SOURCE}.yml"
    text = example_card().path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("      title_en: Bicycle", "      family: counter\n      title_en: Bicycle"), encoding="utf-8"
    )
    card = replace(example_card(), path=path, family="counter")
    line = path.read_text(encoding="utf-8").splitlines().index("      family: counter") + 1
    with pytest.raises(ConfigurationError, match=rf"{SOURCE}\.yml:{line}: .*the family 'counter'.*mean 'counters'"):
        assemble(tmp_path / "dbt", [card], enabled=[card.source])


def test_a_source_without_a_staging_model_is_no_member_of_its_family(tmp_path: Path) -> None:
    cards = load_cards(card_folders(None))
    lone = replace(example_card(), family="counters")
    assemble(tmp_path, [*cards.values(), lone])
    members = (tmp_path / MEMBERS).read_text(encoding="utf-8")
    assert lone.staging_model not in members
    assert staging_file(cards["toulouse_chantiers"]).stem in members
