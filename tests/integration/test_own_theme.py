"""The worked example of docs/own-theme.md: a theme that halle has nothing of, run whole from outside the repository."""

from __future__ import annotations

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from expectations import engine
from expectations.suite import read_suite
from orchestration.workspace import PROJECT
from raw_sources.database import DuckDBSettings, connect
from tests.commands import halle

EXAMPLE = PROJECT / "docs" / "housing-example"
SLUG = "parc-locatif-social-annuel"
SETTINGS = DuckDBSettings(memory_limit="1GB", threads=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the example where it has been copied to; return its DATA."""
    folder = tmp_path_factory.mktemp("elsewhere") / "my housing"
    shutil.copytree(EXAMPLE, folder)
    run = ["run", "--territory", folder, "--extracts", folder / "extracts", "--data", folder / "data"]
    answer = halle(*run, "--theme", "housing")
    assert answer.status == 0, answer.out + answer.err
    assert "does not match" not in answer.out + answer.err  # a theme needs no model of each layer
    again = halle(*run, "--theme", "housing")  # DATA lies in the territory's own folder, and is no declaration
    assert "nothing new, nothing to do" in again.out
    return folder / "data"


@pytest.mark.slow
def test_the_theme_is_published_and_verified(data: Path) -> None:
    release = data / "public" / SLUG / "latest"
    rows = list(csv.reader(io.StringIO((release / f"{SLUG}.csv").read_text(encoding="utf-8"))))
    assert rows[1:] == [
        ["habitat_parc_social", "99998", "Petite-Rive", "2023", "", "secret", "", "secret"],
        ["habitat_parc_social", "99998", "Petite-Rive", "2024", "", "secret", "", "secret"],
        ["habitat_parc_social", "99999", "Ville-Témoin", "2023", "1204", "measured", "31", "measured"],
        ["habitat_parc_social", "99999", "Ville-Témoin", "2024", "1219", "measured", "28", "measured"],
        ["habitat_parc_social", "99999", "Ville-Témoin", "2025", "1230", "measured", "25", "measured"],
    ]
    package = json.loads((release / "datapackage.json").read_text(encoding="utf-8"))
    assert package["title"].startswith("[SYNTHÉTIQUE]")
    assert "bbox" not in package  # the territory says none, and none is made up
    assert {path.parent.name for path in (data / "public").glob("*/latest")} == {SLUG}
    verified = halle("verify", "--data", data)
    assert " 0 failed" in verified.out, verified.out


@pytest.mark.slow
def test_what_is_not_the_territorys_is_counted_and_what_is_wrong_is_told(data: Path) -> None:
    sql = "select sum(records_read), sum(staged), sum(rejected), sum(superseded), sum(duplicate), sum(out_of_scope)"
    answer = halle("query", f"{sql} from ops.ledger", "--data", data, "--format", "csv")
    assert answer.out.splitlines()[1] == "12,5,1,1,1,4"
    assert "the dwellings are not a number: douze" in halle("rejects", "--data", data).out


MART = "housing.social_dwellings_yearly"
DEFECTS = {
    "key_is_unique": f"insert into {MART} select * from {MART} where year = 2025",
    "dwellings_have_a_status": f"update {MART} set dwellings = 0 where dwellings_status = 'secret'",
    "vacant_dwellings_have_a_status": f"update {MART} set vacant_dwellings = null where year = 2025",
    "vacant_dwellings_are_dwellings": f"update {MART} set vacant_dwellings = 9999 where year = 2025",
    "agrees_with_the_ledger": f"delete from {MART} where year = 2025",
}


@pytest.mark.slow
def test_each_expectation_of_its_suite_turns_red(data: Path, tmp_path: Path) -> None:
    """A defect of each kind, one after another on copies of the warehouse, turns its expectation red."""
    suite = read_suite(EXAMPLE / "expectations" / "housing" / "social_dwellings_yearly.yml")
    assert {one.name for one in suite.expectations} == set(DEFECTS)
    for name, defect in DEFECTS.items():
        warehouse = Path(shutil.copy(data / "warehouse" / "warehouse.duckdb", tmp_path / "warehouse.duckdb"))
        with connect(warehouse, SETTINGS) as connection:
            connection.execute(defect)
        only = replace(suite, expectations=tuple(one for one in suite.expectations if one.name == name))
        (result,) = engine.validate(only, warehouse, SETTINGS).results
        assert result.status == "failed", name
