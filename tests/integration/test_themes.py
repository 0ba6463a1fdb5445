"""A territory's own folder, outside the repository, with a theme of its own; and the independence of themes.

The theme `demo` brings a card, a staging model, a mart with its contract, a suite and an export card. Beside it the
territory enables one source of mobility. What fails in one theme must not hold the other back.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exports.schemas import SchemaStore
from exports.verify import verify_tree
from orchestration.locking import one_run_at_a_time
from orchestration.project import load_project
from orchestration.run import Run
from orchestration.running import Outcome, run_territory
from orchestration.workspace import Workspace
from raw_sources.database import connect
from tests.integration.conftest import Answer, halle

TERRITORY = """
name: shore
title: {fr: "Rivage (essai)", en: "Shore (trial)"}
siren: "999999998"
communes: {vintage: 2025, codes: ["99999"]}
time_zone: Europe/Paris
publisher: {name: "Rivage (essai)", siren: "999999998"}
contact: "contact@rivage.example"
base_url: "https://donnees.rivage.example"
bbox: [-3.65, 45.4, -3.35, 45.6]
reach_m: 500
synthetic: true
feeds:
  paris_fermetures_voirie:
    files:
      - {glob: "fermetures-voirie_*.csv", date: '_(\\d{8})\\.csv$'}
  town_things:
    files:
      - {glob: "things_*.csv", date: '_(\\d{8})\\.csv$'}
"""

CARD = """
apiVersion: v3.1.0
kind: DataContract
id: town_things
version: 1.0.0
status: active
name: Choses
tenant: town
domain: demo
description: {purpose: Les choses de la ville.}
authoritativeDefinitions: [{type: businessDefinition, url: "https://donnees.rivage.example/things"}]
support: [{channel: town, url: "https://donnees.rivage.example", scope: issues}]
team:
  members:
    - {username: things, name: Service des choses, role: owner}
    - {username: stock, name: Magasin, role: steward}
slaProperties: [{property: frequency, value: P1D}, {property: latency, value: P3D}]
schema:
  - name: things
    physicalName: town__things
    logicalType: object
    properties:
      - name: code
        logicalType: string
        required: true
        primaryKey: true
        primaryKeyPosition: 1
        businessName: Code
        description: Code de la chose.
        classification: none
        customProperties: [{property: halle, value: {headers: [code], title_en: Code, description_en: Its code.}}]
      - name: weight
        logicalType: number
        businessName: Poids
        description: Poids en kilogrammes.
        classification: none
        customProperties: [{property: halle, value: {headers: [weight], title_en: Weight, description_en: Kilograms.}}]
customProperties:
  - property: halle
    value:
      title_en: Things
      description_en: The things of the town.
      producer_name: Rivage
      licence: {spdx: ODbL-1.0, attribution: Rivage}
      time_zone: Europe/Paris
      crs: EPSG:4326
      deliveries: {follows: upsert, order: file_date, observed_column: null, max_bytes: 1000000}
      layouts: [{name: csv_with_headers, form: delimited, header: true, delimiter: null, encoding: null}]
      sharing: {audiences: [internal, public], grain: record, terms: Open data., until: null}
      gdpr: {personal_data: false, reason: Des choses., reviewed_on: "2026-11-22"}
"""

STAGING = """
{{ config(key=['thing_id']) }}

select
    _delivery_id,
    _record_no,
    trim(code) as thing_id,
    try_cast(weight as double) as weight_kg,
    0 as _preference,
    false as _out_of_scope,
    case when try_cast(weight as double) is null then 'the weight is not a number: ' || weight end as _reject_reason
from {{ raw('town__things') }}
"""

MART = """
select
    cast('town_things' as varchar) as source,
    thing_id,
    weight_kg
from {{ ref('stg_demo__town_things') }}
"""

CONTRACT = """
version: 2
models:
  - name: stg_demo__town_things
    description: Things, one row each.
    data_tests: [ledger_balances]
  - name: things
    description: The things of the town and what they weigh.
    config: {meta: {description_fr: Les choses de la ville et leur poids., row_sources: [town_things]}}
    columns:
      - {name: source, data_type: varchar, description: Source card.}
      - {name: thing_id, data_type: varchar, description: Code of the thing.}
      - {name: weight_kg, data_type: double, description: Weight., config: {meta: {unit: kg}}}
"""

SUITE = """
mart: demo.things
title_fr: Choses
title_en: Things
expectations:
  - {name: key_is_unique, kind: unique, columns: [source, thing_id], why_fr: Une par chose., why_en: One row each.}
  - name: weight_is_plausible
    kind: between
    column: weight_kg
    min: 0
    max: 1000
    unit: kg
    why_fr: Au-delà, ce n'est plus une chose.
    why_en: Beyond, it is no longer a thing.
"""

EXPORT = """
slug: choses
mart: demo.things
version: 1.0.0
audiences: [public]
title_fr: Choses de la ville
title_en: Things of the town
description_fr: >-
  Les choses de la ville, avec leur code et leur poids en kilogrammes : une ligne par chose recensée, sans autre
  qualité que de servir à l'essai d'un thème propre à un territoire.
description_en: >-
  The things of the town, with their code and their weight in kilograms: one row for each known thing, of no other
  merit than to put a territory's own theme to the test.
keywords: [chose]
themes: [GOVE]
licence: ODbL-1.0
frequency: DAILY
columns: [source, thing_id, weight_kg]
order_by: [source, thing_id]
formats: [parquet, csv]
"""

FILES = {
    "territory.yml": TERRITORY,
    "raw_sources/demo/town_things.yml": CARD,
    "dbt_project/models/staging/demo/stg_demo__town_things.sql": STAGING,
    "dbt_project/models/marts/demo/things.sql": MART,
    "dbt_project/models/marts/demo/_demo.yml": CONTRACT,
    "expectations/demo/things.yml": SUITE,
    "exports/demo/things.yml": EXPORT,
}
THINGS = "code;weight\nanchor;12.5\nbuoy;3\nchart;heavy\n"


@dataclass(frozen=True)
class Shore:
    """A territory's folder, its extracts and its DATA."""

    folder: Path
    extracts: Path
    workspace: Workspace

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text, encoding="utf-8")

    def run(self) -> Outcome:
        now = datetime(2025, 11, 20, tzinfo=UTC)
        return run_territory(Run(load_project(self.folder), self.workspace, extracts=self.extracts, now=now))

    def published(self) -> set[str]:
        """Return the slugs that a reader of the published tree finds."""
        public = self.workspace.public
        return {path.parent.name for path in public.glob("*/latest")} if public.exists() else set()

    def assert_sound(self) -> None:
        report = verify_tree(self.workspace.public, SchemaStore.from_environment(self.workspace.build / "schemas"))
        assert not report.failed


@pytest.fixture
def shore(tmp_path: Path, sample_data: Path) -> Shore:
    """Write the territory's folder, with one file for each theme."""
    made = Shore(tmp_path / "shore", tmp_path / "extracts", Workspace(tmp_path / "data"))
    for name, text in FILES.items():
        made.write(name, text)
    made.extracts.mkdir()
    for path in (sample_data / "sample").glob("fermetures-voirie_*.csv"):
        shutil.copy(path, made.extracts)
    (made.extracts / "things_20251117.csv").write_text(THINGS, encoding="utf-8")
    return made


def test_a_territory_of_ones_own_publishes_its_own_theme_beside_ours(shore: Shore) -> None:
    outcome = shore.run()
    assert outcome.run.problems == []
    assert outcome.status == 0
    assert shore.published() == {"choses", "chantiers-voirie"}
    assert outcome.run.empty == {"comptages-routiers-horaires", "comptages-chantiers-journaliers"}
    assert (shore.workspace.public / "choses/latest/choses.csv").read_text().splitlines()[1:] == [
        "town_things,anchor,12.5",
        "town_things,buoy,3.0",
    ]
    shore.assert_sound()
    read_only_folder_is_left_as_it_was(shore)
    refused = answers_of(shore, "rejects", "town_things")
    assert "the weight is not a number: heavy" in refused.out
    assert answers_of(shore, "query", "from demo.things", "--format", "csv").out.count("town_things") == 2


def read_only_folder_is_left_as_it_was(shore: Shore) -> None:
    found = {str(p.relative_to(shore.folder)): p.read_text() for p in shore.folder.rglob("*") if p.is_file()}
    assert found == FILES


def answers_of(shore: Shore, *arguments: str) -> Answer:
    return halle(*arguments, "--data", shore.workspace.data)


def break_model(shore: Shore) -> str:
    broken = MART.replace("weight_kg\n", "cast(thing_id || ' has no scales' as double) as weight_kg\n")
    shore.write("dbt_project/models/marts/demo/things.sql", broken)
    return "no scales"


def break_suite(shore: Shore) -> str:
    shore.write("expectations/demo/things.yml", SUITE.replace("max: 1000", "max: 10"))
    return "weight_is_plausible"


def break_release(shore: Shore) -> str:
    shore.write("exports/demo/things.yml", EXPORT.replace("thing_id, weight_kg]", "thing_id, colour]"))
    return "colour"


@pytest.mark.parametrize("damage", [break_model, break_suite, break_release])
def test_what_fails_in_a_theme_does_not_hold_the_other_back(shore: Shore, damage: Callable[[Shore], str]) -> None:
    named = damage(shore)
    outcome = shore.run()
    assert outcome.status == 1
    assert shore.published() == {"chantiers-voirie"}
    assert named in " ".join(outcome.run.problems)
    assert "demo" in " ".join(outcome.run.problems) or "choses" in " ".join(outcome.run.problems)
    shore.assert_sound()


def test_mobility_failing_lets_the_other_theme_publish_and_the_next_run_mends(shore: Shore) -> None:
    block_mobility(shore)
    outcome = shore.run()
    assert outcome.status == 1
    assert any(problem.startswith("theme mobility:") for problem in outcome.run.problems)
    assert shore.published() == {"choses"}
    with connect(shore.workspace.warehouse, shore.workspace.duckdb) as connection:
        connection.execute("drop view staging.stg_mobility__paris_fermetures_voirie")
    assert shore.run().status == 0
    assert shore.published() == {"choses", "chantiers-voirie"}


def block_mobility(shore: Shore) -> None:
    """Put a view where a staging table belongs: dbt cannot build over it."""
    shore.workspace.warehouse.parent.mkdir(parents=True)
    with connect(shore.workspace.warehouse, shore.workspace.duckdb) as connection:
        connection.execute("create schema staging")
        connection.execute("create view staging.stg_mobility__paris_fermetures_voirie as select 1 as nothing")


def test_a_model_may_not_take_the_name_of_one_of_ours(shore: Shore) -> None:
    shore.write("dbt_project/models/marts/mobility/works_sites.sql", "select 1 as one")
    answer = halle("run", "--territory", shore.folder, "--extracts", shore.extracts, "--data", shore.workspace.data)
    assert answer.status == 2
    assert "a territory adds models, it does not replace them" in answer.err
    with one_run_at_a_time(shore.workspace.data):
        assert shore.published() == set()
