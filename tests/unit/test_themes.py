"""Which themes a run builds: nobody pays for the marts of a theme of which no source is enabled."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.assembly import assemble
from orchestration.project import load_project
from orchestration.themes import active_themes
from orchestration.workspace import PROJECT

MODELS = {
    "staging/housing/stg_housing__permits.sql": "select 1",
    "marts/housing/permits_yearly.sql": "select * from {{ ref('stg_housing__permits') }} join {{ ref('communes') }}",
    "marts/geography/communes.sql": "select * from {{ ref('stg_geography__codes') }}",
    "staging/geography/stg_geography__codes.sql": "select * from {{ outlines_of('x') }}",
    "intermediate/shapes/int_shapes__outlines.sql": "select 1",
    "marts/water/leaks.sql": "select 1",
}
MACRO = "{% macro outlines_of(points) -%} (select * from {{ ref('int_shapes__outlines') }}) {%- endmacro %}"


@pytest.fixture
def written(tmp_path: Path) -> Path:
    for path, text in MODELS.items():
        file = tmp_path / "models" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    (tmp_path / "macros").mkdir()
    (tmp_path / "macros" / "outlines.sql").write_text(MACRO, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("enabled", "active"),
    [
        ({"housing"}, {"housing", "geography", "shapes"}),
        ({"shapes"}, {"shapes"}),
        ({"water"}, {"water"}),
        (set(), set()),
    ],
)
def test_themes_are_those_enabled_and_those_they_read(written: Path, enabled: set[str], active: set[str]):
    assert active_themes(enabled, [written / "models"], written / "macros") == active


def test_a_theme_without_sources_is_not_assembled(tmp_path: Path):
    project = load_project(PROJECT / "raw_sources" / "territories" / "paris")
    assert "energy" not in project.active_themes
    assemble(tmp_path, project.cards.values(), None, project.enabled, project.active_themes)
    assert {path.name for path in (tmp_path / "models" / "marts").iterdir()} == set(project.active_themes)
    assert {mart.partition(".")[0] for mart in project.suites} == set(project.active_themes)
    assert {card.mart.partition(".")[0] for card in project.export_cards.values()} == set(project.active_themes)
