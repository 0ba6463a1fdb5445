"""Published card payments, the whole way: files whose columns a territory maps, in two forms, from a folder of its own.

Two territories have the same figures, one in French signs with names of departments, one in English signs with codes:
what they say of their files makes the same mart of both. Dagster is left out, as in the fault tests.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from orchestration import modelling, releasing, running
from orchestration.dbt_runs import DbtProject, build
from orchestration.project import load_project
from orchestration.run import Run
from orchestration.running import run_territory
from orchestration.workspace import Workspace
from raw_sources.errors import GateClosed

SOURCE = "bpce_paiements_cartes_etrangeres"
MART = "economy.foreign_card_payments_monthly"
SLUG = "paiements-cartes-etrangeres-mensuels"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
TERRITORY: dict[str, Any] = {
    "title": {"fr": "Rivage", "en": "Shore"},
    "siren": "999999998",
    "communes": {"vintage": 2025, "codes": ["69123"]},
    "time_zone": "Europe/Paris",
    "publisher": {"name": "Rivage"},
    "contact": "contact@rivage.example",
    "base_url": "https://donnees.rivage.example",
}
FRENCH = {
    "columns": {
        "period": "Mois", "territory_code": "Département", "card_country": "Pays", "value_index": "Indice valeur",
        "volume_index": "Indice volume",
    },
    "constants": {"territory_level": "department"},
    "unit": "index",
    "decimal": ",",
    "period_format": "%m/%Y",
    "base_period": "2019",
    "secrecy_marker": "s",
    "codes": {"territory_code": {"Rhône": "69", "Ain": "01"}, "card_country": {"Allemagne": "DE", "Suisse": "CH"}},
}  # fmt: skip
ENGLISH = {
    "columns": {
        "period": "month", "territory_code": "dep", "territory_level": "level", "card_country": "country",
        "value_index": "value", "volume_index": "volume",
    },
    "unit": "index",
    "decimal": ".",
    "thousands": ",",
    "base_period": "2019",
    "secrecy_marker": "hidden",
}  # fmt: skip
FIGURES = [
    ("2018-07", "69", "DE", "80,5", "100"),
    ("2019-07", "69", "DE", "161", "1 100,5"),
    ("2020-07", "69", "DE", "s", ""),
    ("2019-07", "69", "CH", "0", "s"),
    ("2020-07", "69", "CH", "5", "7"),
    ("2019-07", "01", "DE", "90", "90"),
]
EXPECTED = [
    ("2018-07", "DE", 80.5, "measured", 100.0, "measured", None, "not_available"),
    ("2019-07", "CH", 0.0, "measured", None, "secret", None, "not_available"),
    ("2019-07", "DE", 161.0, "measured", 1100.5, "measured", 100.0, "measured"),
    ("2020-07", "CH", 5.0, "measured", 7.0, "measured", None, "not_applicable"),
    ("2020-07", "DE", None, "secret", None, "not_available", None, "secret"),
]


@dataclass(frozen=True)
class Shore:
    """A territory's folder with its DATA, and what the run of it found."""

    root: Path
    run: Run

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(Workspace(self.root / "data").warehouse), read_only=True) as connection:
            return connection.execute(sql).fetchall()


def french() -> str:
    countries, departments = {"DE": "Allemagne", "CH": "Suisse"}, {"69": "Rhône", "01": "Ain"}
    lines = [
        f"{departments[zone]};{month[5:]}/{month[:4]};{countries[country]};{value};{volume}"
        for month, zone, country, value, volume in FIGURES
    ]
    return "\n".join(["Département;Mois;Pays;Indice valeur;Indice volume", *lines, "Rhône;07/2019;France;1;1"]) + "\n"


def english() -> str:
    signs = str.maketrans({",": ".", " ": ","})
    lines = [
        ",".join([month, zone, "department", country, *(f'"{cell.translate(signs)}"' for cell in figures)])
        for month, zone, country, *figures in FIGURES
    ]
    text = "\n".join(["month,dep,level,country,value,volume", *lines, "2019-07,69,department,FR,1,1"]) + "\n"
    return text.replace('"s"', '"hidden"')


def execute(run: Run, _themes: list[str]) -> None:
    """Build and judge this one mart, with what it is made of; release it when it holds."""
    run.as_of()
    workspace = run.workspace
    dbt = DbtProject(
        modelling.dbt_folder(workspace), workspace.warehouse, workspace.duckdb, run.project.territory.time_zone
    )
    built = build(dbt, ["+foreign_card_payments_monthly"])
    assert not modelling.failures(built), modelling.failure_sentence(modelling.failures(built))
    if run.validate(MART).status == "passed":
        run.release(SLUG)


def settle(root: Path, name: str, mapping: dict[str, Any], files: dict[str, str], **feed: object) -> Shore:
    """Run a territory of this mapping over these files, by name; again when it has DATA already."""
    folder, extracts = root / "territory", root / "extracts"
    folder.mkdir(parents=True, exist_ok=True)
    extracts.mkdir(exist_ok=True)
    feeds = {SOURCE: {"files": [{"glob": "paiements_*.csv"}], "mapping": mapping, **feed}}
    document = {"name": name, **TERRITORY, "feeds": feeds}
    (folder / "territory.yml").write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), "utf-8")
    for file, text in files.items():
        (extracts / file).write_text(text, "utf-8")
    run = Run(load_project(folder), Workspace(root / "data"), extracts=extracts, now=NOW, themes=("economy",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "_execute", execute)
        run_territory(run)
    return Shore(root, run)


@pytest.fixture(scope="module")
def shores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shore, Shore]]:
    """Run both: the first keeps its figures, the second has declared a licence."""
    root = tmp_path_factory.mktemp("payments")
    declared = {"spdx": "etalab-2.0", "declared_by": "Direction du tourisme", "declared_on": "2026-02-02"}
    yield (
        settle(root / "french", "shore_fr", FRENCH, {"paiements_2020.csv": french()}),
        settle(root / "english", "shore_en", ENGLISH, {"paiements_2020.csv": english()}, licence=declared),
    )


@pytest.mark.slow
def test_two_forms_of_one_file_make_the_same_mart(shores: tuple[Shore, Shore]):
    for shore in shores:
        assert (
            shore.ask(
                "select month, card_country, value_index, value_status, volume_index, volume_status, "
                f"value_change_1y_pct, value_change_1y_status from {MART} order by month, card_country"
            )
            == EXPECTED
        )
        assert shore.ask(f"select distinct zone_level, zone_code, unit, base_period from {MART}") == [
            ("department", "69", "index", "2019")
        ]


@pytest.mark.slow
def test_every_record_is_accounted_for(shores: tuple[Shore, Shore]):
    for shore in shores:
        assert shore.ask("select records_read, staged, rejected, out_of_scope from ops.ledger") == [(7, 5, 1, 1)]
    assert shores[0].ask("select reason from ops.rejects") == [("this country has no code in the mapping: France",)]
    assert shores[1].ask("select reason from ops.rejects") == [("a French card is not a foreign one",)]


@pytest.mark.slow
def test_nothing_leaves_before_a_licence_is_declared(shores: tuple[Shore, Shore]):
    internal, declared = shores
    assert internal.run.releases == {} and internal.run.problems == []
    assert "no row of economy.foreign_card_payments_monthly may leave" in internal.run.withheld[SLUG]
    assert not (internal.root / "data" / "public" / SLUG).exists()
    assert declared.run.releases[SLUG].rows == 5
    (source,) = [releasing.source_note(card) for source, card in declared.run.project.cards.items() if source == SOURCE]
    assert source.licence == "etalab-2.0"


@pytest.mark.slow
def test_a_month_that_was_released_may_not_vanish(shores: tuple[Shore, Shore], tmp_path: Path):
    _, declared = shores
    data = Path(shutil.copytree(declared.root / "data", tmp_path / "data", symlinks=True))
    shutil.rmtree(data / "validation")
    later = Run(declared.run.project, Workspace(data), now=NOW, themes=("economy",))
    later.as_of()
    released = "select period from ops.last_release order by period"
    with duckdb.connect(str(later.workspace.warehouse)) as connection:
        assert connection.execute(released).fetchall() == [("2018-07",), ("2019-07",), ("2020-07",)]
        connection.execute(f"insert into ops.last_release values ('{MART}', '{SOURCE}', '2021-07', 5)")
    assert later.validate(MART).names("failed") == ("last_release_is_kept",)

    # Once that release is taken down, nothing is lost any more: what failed is judged again.
    with duckdb.connect(str(later.workspace.warehouse)) as connection:
        connection.execute("delete from ops.last_release where period = '2021-07'")
    assert later.validate(MART).status == "passed"


@pytest.mark.slow
def test_a_producer_that_changes_its_base_changes_nothing_received_before(tmp_path: Path):
    head = "Département;Mois;Pays;Indice valeur;Indice volume\n"
    old = {"paiements_1.csv": head + "Rhône;07/2019;Allemagne;100;100\nRhône;07/2020;Allemagne;120;110\n"}
    new = {"paiements_2.csv": head + "Rhône;07/2021;Allemagne;90;0\n"}
    told = "month, base_period, value_change_1y_pct, value_change_1y_status, volume_change_1y_status"
    asked = f"select {told} from {MART} order by month"
    before = [
        ("2019-07", "2019", None, "not_available", "not_available"),
        ("2020-07", "2019", 20.0, "measured", "measured"),
    ]
    shore = settle(tmp_path, "shore", FRENCH, old)
    assert [(*row[:2], row[2] and round(row[2], 6), *row[3:]) for row in shore.ask(asked)] == before

    # The territory says nothing of the files received before: they are of no base, and the gate stays closed.
    rebased = FRENCH | {"base_period": "2020"}
    shore = settle(tmp_path, "shore", rebased, new)
    assert shore.run.validate(MART).names("failed") == ("base_is_known.base_period",)
    assert shore.ask(asked) == [
        ("2019-07", None, None, "not_available", "not_available"),
        ("2020-07", None, None, "not_applicable", "not_applicable"),
        ("2021-07", "2020", None, "not_applicable", "not_applicable"),
    ]

    shore = settle(tmp_path, "shore", rebased | {"earlier_bases": {"paiements_1*": "2019"}}, new)
    assert shore.run.validate(MART).status == "passed"
    rows = [(*row[:2], row[2] and round(row[2], 6), *row[3:]) for row in shore.ask(asked)]
    assert rows == [*before, ("2021-07", "2020", None, "not_applicable", "not_applicable")]


@pytest.mark.slow
def test_a_licence_withdrawn_after_a_release_is_no_silence(shores: tuple[Shore, Shore]):
    _, declared = shores
    file = declared.root / "territory" / "territory.yml"
    document = yaml.safe_load(file.read_text("utf-8"))
    del document["feeds"][SOURCE]["licence"]
    file.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), "utf-8")
    later = Run(load_project(file.parent), declared.run.workspace, now=NOW, themes=("economy",))
    with pytest.raises(GateClosed, match=rf"no row of {re.escape(MART)} may leave"):
        later.release(SLUG)
