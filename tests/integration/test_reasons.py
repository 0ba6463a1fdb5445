"""Every reason for which a staging model refuses a record has its French, told from the SQL that dbt compiles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from orchestration import warehouse
from orchestration.assembly import assemble, staging_file
from orchestration.dbt_runs import DbtProject, invoke
from orchestration.project import Project, card_folders, load_project
from orchestration.reasons import Reasons, read_reasons
from orchestration.workspace import PROJECT
from raw_sources.card import load_cards
from raw_sources.database import DuckDBSettings, connect

pytestmark = pytest.mark.slow

CARDS = load_cards(card_folders(None))
EXAMPLES = [load_project(PROJECT / "docs" / name) for name in ("example", "housing-example")]


def said(reason: exp.Expression) -> str:
    """Return a reason with ``x`` in the place of what is not fixed."""
    reason = reason.unnest()
    if isinstance(reason, exp.DPipe):
        return said(reason.left) + said(reason.right)
    return reason.this if isinstance(reason, exp.Literal) else "x"


def branches(expression: exp.Expression) -> Iterator[exp.Expression]:
    """Yield what a CASE may give, those within it too, but for NULL."""
    expression = expression.unnest()
    if isinstance(expression, exp.Case):
        for one in (*(when.args["true"] for when in expression.args["ifs"]), expression.args.get("default")):
            if one is not None:
                yield from branches(one)
    elif not isinstance(expression, exp.Null):
        yield expression


def reasons_of(sql: str) -> Iterator[str]:
    """Yield the reasons that a staging model may give; a reason taken from another column is followed to it."""
    meant: dict[str, list[exp.Expression]] = {}
    for alias in sqlglot.parse_one(sql, dialect="duckdb").find_all(exp.Alias):
        meant.setdefault(alias.alias, []).append(alias.this)
    waiting, seen = ["_reject_reason"], set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for reason in (one for expression in meant.get(name, ()) for one in branches(expression)):
            if isinstance(reason, exp.Column):
                waiting.append(reason.name)
            else:
                yield said(reason)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the compiled staging models: halle's, and those of both examples."""
    folder = tmp_path_factory.mktemp("reasons")
    own = folder / "own"
    for project in EXAMPLES:
        for file in project.territory.models_folder.glob("staging/*/*.sql"):
            copied = own / file.relative_to(project.territory.models_folder)
            copied.parent.mkdir(parents=True)
            copied.write_bytes(file.read_bytes())
    cards = CARDS | {source: card for project in EXAMPLES for source, card in project.enabled.items()}
    dbt = DbtProject(folder / "dbt", folder / "warehouse.duckdb", DuckDBSettings(), "Europe/Paris")
    assemble(dbt.folder, cards.values(), own)
    with connect(dbt.warehouse, dbt.settings) as connection:
        warehouse.prepare(connection)
    assert invoke(dbt, ["compile", "--select", "fqn:halle.staging,resource_type:model"]).success
    return dbt.folder / "target" / "compiled" / "halle"


def written() -> Reasons:
    """Return halle's table and that of an example, without what is there for drafted models: it fits too much."""
    table = read_reasons(EXAMPLES[0].territory).table
    return Reasons({head: phrase for head, phrase in table.items() if head != "no *" and not head.startswith("* ")})


def test_every_reason_of_the_staging_models_has_its_french(compiled: Path) -> None:
    reasons = written()
    found = {card.source: list(reasons_of((compiled / staging_file(card)).read_text())) for card in CARDS.values()}
    assert [source for source, heads in found.items() if not heads] == []
    untold = {reason for heads in found.values() for reason in heads if reasons.of(reason) is None}
    assert untold == set()


@pytest.mark.parametrize("project", EXAMPLES, ids=lambda project: project.territory.name)
def test_the_examples_show_how_a_territory_adds_its_own(project: Project, compiled: Path) -> None:
    reasons = read_reasons(project.territory)
    for card in project.enabled.values():
        found = list(reasons_of((compiled / staging_file(card)).read_text()))
        assert found
        assert [reason for reason in found if reasons.of(reason) is None] == []


def test_a_reason_without_its_french_is_found() -> None:
    sql = "with a as (select case when k then 'no sheep: ' || w else u end as why) select why as _reject_reason from a"
    assert "no sheep: x" in list(reasons_of(sql))
    assert written().of("no sheep: x") is None
