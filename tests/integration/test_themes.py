"""A territory's own folder, outside the repository, with a theme of its own; and the independence of themes.

The theme `demo` brings a card, a staging model, a mart with its contract, a suite and an export card. Beside it the
territory enables one source of mobility, and sources of reference where a test needs them. What fails in one theme must
not hold the others back, though mobility borrows models of the theme `territory`.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from exports.schemas import SchemaStore
from exports.verify import verify_tree
from orchestration.building import build_definitions
from orchestration.locking import one_run_at_a_time
from orchestration.project import load_project
from orchestration.resources import fixed_run
from orchestration.run import Run
from orchestration.running import Outcome, run_territory
from orchestration.workspace import PROJECT, Workspace
from raw_sources.database import connect
from tests.commands import Answer, halle

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
      sharing: {leaves: {internal: everything, partner: everything, public: everything}, terms: Open data., until: null}
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
# Sources of reference that the territory only names: their cards say what the files are called.
REFERENCE = "  insee_cog_communes:\n  ign_contours_communes:\n"
REFERENCE_FILES = ("v_commune_2024.csv", "v_commune_2025.csv", "communes-100m_2025.geojson")
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

    def prepared(self) -> Run:
        now = datetime(2025, 11, 20, tzinfo=UTC)
        return Run(load_project(self.folder), self.workspace, extracts=self.extracts, now=now)

    def run(self) -> Outcome:
        return run_territory(self.prepared())

    def published(self) -> set[str]:
        """Return the slugs that a reader of the published tree finds."""
        public = self.workspace.public
        return {path.parent.name for path in public.glob("*/latest")} if public.exists() else set()

    def table(self, slug: str) -> list[dict[str, str]]:
        """Return the rows of a published dataset, as its CSV file gives them."""
        with (self.workspace.public / slug / "latest" / f"{slug}.csv").open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))

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
    assert shore.published() == {"choses", "chantiers-voirie", "calendrier"}
    assert outcome.run.empty == set(outcome.run.project.export_cards) - shore.published()
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
    assert shore.published() == {"chantiers-voirie", "calendrier"}
    assert named in " ".join(outcome.run.problems)
    assert "demo" in " ".join(outcome.run.problems) or "choses" in " ".join(outcome.run.problems)
    shore.assert_sound()


def test_mobility_failing_lets_the_others_publish_and_the_next_run_mends(shore: Shore) -> None:
    unblock = block(shore, "staging.stg_mobility__paris_fermetures_voirie")
    outcome = shore.run()
    assert outcome.status == 1
    assert any(problem.startswith("theme mobility:") for problem in outcome.run.problems)
    assert shore.published() == {"choses", "calendrier"}
    unblock()
    assert shore.run().status == 0
    assert shore.published() == {"choses", "chantiers-voirie", "calendrier"}


def block(shore: Shore, table: str) -> Callable[[], None]:
    """Put a view where a table belongs: dbt cannot build over it. Return what takes it away."""

    def execute(sql: str) -> None:
        with connect(shore.workspace.warehouse, shore.workspace.duckdb) as connection:
            connection.execute(sql)

    shore.workspace.warehouse.parent.mkdir(parents=True)
    execute(f"create schema {table.split('.')[0]}; create view {table} as select 1 as nothing")
    return lambda: execute(f"drop view {table}")


# --- what mobility borrows --------------------------------------------------------------------------------------


@pytest.fixture
def lending_shore(shore: Shore, sample_data: Path) -> Shore:
    """Return the territory with communes and their outlines, which mobility reads from the theme `territory`."""
    shore.write("territory.yml", TERRITORY + REFERENCE)
    for name in REFERENCE_FILES:
        shutil.copy(sample_data / "sample" / name, shore.extracts)
    return shore


THEMES = {"demo", "mobility", "territory"}
IMPOSSIBLE_TEST = """
version: 2
models:
  - name: int_territory__contours
    description: Outlines of communes, held to a vintage that they cannot have.
    columns:
      - {name: vintage, description: Year., data_tests: [{accepted_values: {arguments: {values: [1789]}}}]}
"""


def break_mart_and_data_test(shore: Shore) -> list[str]:
    block(shore, "territory.communes")
    shore.write("dbt_project/models/intermediate/territory/_contours.yml", IMPOSSIBLE_TEST)
    return ["theme territory:", "model communes:", "test accepted_values_int_territory__contours_vintage__1789:"]


def break_expectation(shore: Shore) -> list[str]:
    with (shore.extracts / "v_commune_2025.csv").open("a", encoding="utf-8") as stream:
        stream.write("COMD,99995,99,99,,,0,PERDUE,Perdue,Perdue,,99990\n")
    return ["territory.communes: failed parents_are_communes"]


@pytest.mark.parametrize("damage", [break_mart_and_data_test, break_expectation])
def test_what_fails_in_territory_leaves_mobility_whole(
    lending_shore: Shore, damage: Callable[[Shore], list[str]]
) -> None:
    named = damage(lending_shore)
    outcome = lending_shore.run()
    assert outcome.status == 1
    assert [text for text in named if text not in " ".join(outcome.run.problems)] == []
    assert all("territory" in problem or "communes-millesimes" in problem for problem in outcome.run.problems)
    assert outcome.run.certificates["mobility.works_sites"].status == "passed"
    assert {"chantiers-voirie", "choses"} <= lending_shore.published()
    assert "communes-millesimes" not in lending_shore.published()
    # The borrowed models were there: each site is in the town's outline, by the code of its vintage.
    communes = {
        (row["commune_code"], row["commune_vintage"], row["commune_origin"])
        for row in lending_shore.table("chantiers-voirie")
    }
    assert communes == {("99999", "2025", "contour")}
    lending_shore.assert_sound()


def test_a_borrowed_model_that_cannot_be_built_stops_both_themes_in_words(lending_shore: Shore) -> None:
    shore = lending_shore
    block(shore, "intermediate.int_territory__contours")
    answer = halle("run", "--territory", shore.folder, "--extracts", shore.extracts, "--data", shore.workspace.data)
    assert answer.status == 1
    for theme in ("mobility", "territory"):
        assert f"theme {theme}: model int_territory__contours:" in " ".join((answer.out + answer.err).split())
    assert shore.published() == {"choses"}
    shore.assert_sound()


def test_mobility_alone_builds_what_it_borrows_and_no_more(lending_shore: Shore) -> None:
    run = lending_shore.prepared()
    run.themes = ("mobility",)
    outcome = run_territory(run)
    assert (outcome.status, run.problems) == (0, [])
    assert lending_shore.published() == {"chantiers-voirie"}
    with connect(run.workspace.warehouse, run.workspace.duckdb) as connection:
        found = connection.execute("select schema_name, table_name from duckdb_tables()").fetchall()
    assert ("intermediate", "int_territory__contours") in found
    assert [name for schema, name in found if schema == "territory"] == []


def test_no_edge_joins_two_themes_and_the_metadata_names_what_is_borrowed(lending_shore: Shore) -> None:
    run = lending_shore.prepared()
    definitions = build_definitions(run.project, run.workspace, fixed_run(run))
    graph = definitions.resolve_asset_graph()
    specs = {spec.key: spec for spec in definitions.resolve_all_asset_specs()}
    theme_of = {key: spec.group_name for key, spec in specs.items() if spec.group_name in THEMES}
    assert set(theme_of.values()) == THEMES
    edges = [(parent, key) for key in theme_of for parent in graph.get(key).parent_keys if parent in theme_of]
    assert edges
    assert [edge for edge in edges if theme_of[edge[0]] != theme_of[edge[1]]] == []
    borrowing = {key: names_of_borrowed(spec) for key, spec in specs.items() if names_of_borrowed(spec)}
    assert borrowing[dg.AssetKey(["shore", "mobility", "traffic_yearly"])] == {
        "shore/intermediate/int_territory__calendar"
    }
    places = borrowing[dg.AssetKey(["shore", "intermediate", "int_mobility__works_places"])]
    assert "shore/intermediate/int_territory__contours" in places
    assert {specs[key].group_name for key in borrowing} == {"mobility"}
    # Models of another theme are read before its marts: a mart stands for a promise to reusers, and comes last.
    assert all(name.startswith("shore/intermediate/int_territory__") for names in borrowing.values() for name in names)
    assert readers_of_territory() <= {key.path[2] for key in borrowing}


def names_of_borrowed(spec: dg.AssetSpec) -> set[str]:
    named = str(spec.metadata.get("reads from other themes", ""))
    return set(named.split(", ")) if named else set()


def readers_of_territory() -> set[str]:
    """Return the models of mobility whose text names a model of the theme `territory`."""
    models = (PROJECT / "dbt_project" / "models").glob("*/mobility/*.sql")
    return {path.stem for path in models if "ref('int_territory__" in path.read_text(encoding="utf-8")}


# --- a source of one's own in a family of ours --------------------------------------------------------------------

WORKS_CARD = (
    CARD.replace("town_things", "town_digs")
    .replace("name: things", "name: digs")
    .replace("town__things", "town__digs")
    .replace("domain: demo", "domain: mobility")
    .replace("title_en: Things\n", "title_en: Digs\n      family: works\n")
    .replace("name: weight", "name: closed_until")
    .replace("headers: [weight]", "headers: [closed_until]")
    .replace("logicalType: number", "logicalType: string")
)
WORKS_STAGING = """
{{ config(key=['site_id'], versions=['start_on', 'end_on', 'start_at', 'end_at']) }}

select
    _delivery_id,
    _record_no,
    trim(code) as site_id,
    'road_works' as kind,
    'road_closed' as disruption,
    true as occupies_carriageway,
    cast('2025-11-01' as date) as start_on,
    {{ parse_date('closed_until', 'Europe/Paris') }} as end_on,
    cast(null as timestamp) as start_at,
    cast(null as timestamp) as end_at,
    'date' as period_precision,
    cast(-3.5 as double) as lon,
    cast(45.5 as double) as lat,
    0 as _preference,
    false as _out_of_scope,
    case when {{ parse_date('closed_until', 'Europe/Paris') }} is null then 'not a date: ' || closed_until end
        as _reject_reason
from {{ raw('town__digs') }}
"""
WORKS_FEED = """  town_digs:
    files:
      - {glob: "digs_*.csv", date: '_(\\d{8})'}
"""


def test_works_of_ones_own_join_ours_by_their_card_and_their_model(shore: Shore) -> None:
    shore.write("territory.yml", TERRITORY + WORKS_FEED)
    shore.write("raw_sources/mobility/town_digs.yml", WORKS_CARD)
    shore.write("dbt_project/models/staging/mobility/stg_mobility__town_digs.sql", WORKS_STAGING)
    digs = "code;closed_until\ntrench;2025-12-24\nwell;2025-11-10\nburrow;soon\n"
    (shore.extracts / "digs_20251117.csv").write_text(digs, encoding="utf-8")
    outcome = shore.run()
    assert outcome.run.problems == []
    assert outcome.status == 0
    assert "town_digs" in outcome.run.marts()["mobility.works_sites"].row_sources
    assert outcome.run.certificates["mobility.works_sites"].status == "passed"
    released = shore.table("chantiers-voirie")
    own = {row["site_id"]: (row["end_on"], row["status"]) for row in released if row["source"] == "town_digs"}
    assert own == {"trench": ("2025-12-24", "ongoing"), "well": ("2025-11-10", "ended")}
    assert {row["source"] for row in released} == {"town_digs", "paris_fermetures_voirie"}
    assert "not a date: soon" in answers_of(shore, "rejects", "town_digs").out
    shore.assert_sound()


def test_a_model_may_not_take_the_name_of_one_of_ours(shore: Shore) -> None:
    shore.write("dbt_project/models/marts/mobility/works_sites.sql", "select 1 as one")
    answer = halle("run", "--territory", shore.folder, "--extracts", shore.extracts, "--data", shore.workspace.data)
    assert answer.status == 2
    assert "a territory adds models, it does not replace them" in answer.err
    with one_run_at_a_time(shore.workspace.data):
        assert shore.published() == set()
