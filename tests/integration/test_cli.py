"""The command line as a user meets it: sentences, exit statuses, forms of output, and what it must not import.

Every call is a process of its own, piped; ``conftest.halle`` demands that none shows a traceback.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from orchestration.locking import one_run_at_a_time
from orchestration.project import SAMPLE_TERRITORY
from orchestration.workspace import PROJECT
from tests.commands import HALLE, halle
from tests.integration.conftest import SampleRun

HEAVY = ("dagster", "dbt", "great_expectations", "polars", "numpy", "pandas", "matplotlib")
HEAVIER = ("dagster", "dbt", "great_expectations")
SLUGS = {
    "calendrier",
    "chantiers-voirie",
    "charge-electrique-demi-horaire",
    "communes-millesimes",
    "comptages-chantiers-journaliers",
    "comptages-routiers-horaires",
    "consommation-energie-annuelle",
    "consommation-energie-corrigee-climat",
    "effet-chantiers-trafic",
    "paiements-cartes-etrangeres-mensuels",
    "paiements-cartes-publics",
    "passages-communes",
    "populations-legales",
    "production-energie-annuelle",
    "trafic-moyen-journalier-annuel",
}
Copy = Callable[[], Path]


def imported(names: tuple[str, ...], *arguments: object) -> tuple[int, set[str]]:
    """Run the command line and return its exit status with those of ``names`` that it has imported."""
    program = (
        "import sys; from orchestration.cli import main\n"
        f"sys.argv = ['halle', *{[str(one) for one in arguments]!r}]\n"
        "try:\n    main()\n"
        "finally:\n    print('imported:', *(set(sys.modules) & set(" + repr(names) + ")), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("imported:"), done.stderr
    return done.returncode, set(last.split()[1:])


def test_the_first_run_publishes_everything_and_says_so(sample_run: SampleRun) -> None:
    answer = sample_run.answer
    assert answer.status == 0, answer.err
    for slug in SLUGS:
        assert slug in answer.out
    for said in ("Sources of Ville-Témoin", "paris_comptages_permanents", "mobility.traffic_hourly", "hold", "new"):
        assert said in answer.out
    assert answer.out.strip().splitlines()[-1].startswith("Everything is published")


def test_piped_the_run_prints_plain_lines_and_nobodys_warnings(sample_run: SampleRun) -> None:
    answer = sample_run.answer
    assert "\x1b" not in answer.out + answer.err
    assert "\r" not in answer.out + answer.err
    assert "mobility: building models" in answer.err.splitlines()
    assert "mobility.works_sites: validating" in answer.err.splitlines()
    for word in ("Warning", "warnings.warn", "DAGSTER", "beta", "preview"):
        assert word not in answer.err
    assert all(line == line.rstrip() for line in answer.err.splitlines())


def test_a_second_run_does_nothing_says_so_and_imports_nothing_heavy(sample_data: Path) -> None:
    tree = (sample_data / "public").resolve()
    answer = halle("run", "--data", sample_data)
    assert answer.status == 0
    assert "nothing new, nothing to do" in answer.out
    assert (sample_data / "public").resolve() == tree
    assert imported(HEAVIER, "run", "--data", sample_data) == (0, set())


def test_help_status_and_refusals_are_light(sample_data: Path) -> None:
    assert imported((*HEAVY, "duckdb"), "--help") == (0, set())
    assert imported((*HEAVY, "duckdb"), "run", "--help") == (0, set())
    assert imported(HEAVY, "status", "--data", sample_data)[1] == set()
    assert imported(HEAVY, "run", "--data", sample_data, "--theme", "astrology") == (2, set())


def test_help_names_every_command() -> None:
    out = halle("--help").out
    for command in (
        "run",
        "land",
        "status",
        "rejects",
        "template",
        "report",
        "query",
        "verify",
        "sample",
        "new-source",
        "ui",
    ):
        assert f"  {command} " in out
    assert halle("--version").out.startswith("halle 0.")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--source", "paris_nothing"], "has no source 'paris_nothing'"),
        (["run", "--theme", "astrology"], "Its themes: economy, energy, mobility, territory."),
        (["run", "--territory", "nowhere"], "there is no territory.yml here."),
        (["run", "--extracts", "nowhere"], "this folder of extracts does not exist."),
        (["run", "--as-of", "yesterday"], "--as-of"),
        (["land", "paris_nothing", "file.csv"], "has no source 'paris_nothing'"),
        (["land", "paris_fermetures_voirie", "nowhere.csv"], "nowhere.csv"),
        (["rejects", "paris_nothing"], "has no source 'paris_nothing'"),
        (["query", "select 1", "--format", "xml"], "--format"),
        (["fly"], "No such command 'fly'"),
        (["ui", "--port", "1", "--territory", "nowhere"], "there is no territory.yml here."),
    ],
)
def test_what_cannot_be_meant_ends_2_with_a_sentence(sample_data: Path, arguments: list[str], said: str) -> None:
    takes_data = [] if arguments == ["fly"] else ["--data", sample_data]
    answer = halle(*arguments, *takes_data)
    assert answer.status == 2, answer.err
    assert said in answer.err


@pytest.mark.parametrize("arguments", [["query", "select 1"], ["rejects"], ["verify"]])
def test_before_the_first_run_there_is_nothing_to_ask(tmp_path: Path, arguments: list[str]) -> None:
    answer = halle(*arguments, "--data", tmp_path)
    assert answer.status == 2
    assert "Run `halle run` first." in answer.err


def test_another_territory_on_the_same_data_is_refused(sample_data: Path) -> None:
    answer = halle("run", "--data", sample_data, "--territory", PROJECT / "raw_sources/territories/paris")
    assert answer.status == 2
    assert "holds the data of the territory 'sample', not of 'paris'" in answer.err


def test_a_second_process_is_told_to_wait(sample_data: Path) -> None:
    with one_run_at_a_time(sample_data):
        answer = halle("run", "--data", sample_data)
        assert halle("status", "--data", sample_data).status == 0
        assert halle("query", "select 1", "--data", sample_data).status == 0
    assert answer.status == 2
    assert "another run is at work here" in answer.err


def test_land_receives_once_and_refuses_with_the_reason(copy_of_sample: Copy, tmp_path: Path) -> None:
    data = copy_of_sample()
    good = next((data / "sample").glob("fermetures-voirie_*.csv"))
    newer = tmp_path / "fermetures-voirie_20251120.csv"
    shutil.copy(good, newer)
    first = halle("land", "paris_fermetures_voirie", newer, "--data", data)
    again = halle("land", "paris_fermetures_voirie", newer, "--data", data)
    assert (first.status, again.status) == (0, 0)
    assert "received, delivery 000003-" in first.out
    assert "already known, delivery 000003-" in again.out
    page = tmp_path / "error.csv"
    page.write_text("<!doctype html><html><body>503 Service Unavailable</body></html>")
    refused = halle("land", "paris_fermetures_voirie", page, "--data", data)
    assert refused.status == 1
    assert refused.err.startswith("error.csv: refused. ")
    status = halle("status", "--data", data)
    assert status.status == 1
    assert "! paris_fermetures_voirie: " in status.out


def test_status_as_json_has_the_names_that_others_rely_on(sample_data: Path) -> None:
    answer = halle("status", "--json", "--data", sample_data)
    assert answer.status == 0
    found = json.loads(answer.out)
    assert {one["name"] for one in found["sources"]} >= {"paris_chantiers", "paris_comptages_permanents"}
    assert {one["state"] for one in found["sources"]} == {"fresh"}
    assert {one["name"] for one in found["marts"]} >= {"mobility.traffic_hourly", "mobility.works_sites"}
    assert {one["certificate"] for one in found["marts"]} == {"passed"}
    never = [one for one in found["releases"] if one["state"] == "never"]
    assert [one["dataset"] for one in never] == ["congestion-rues-publique"], "all of its figures are secret"
    found["releases"] = [one for one in found["releases"] if one not in never]
    assert {one["dataset"] for one in found["releases"] if one["audience"] == "public"} == SLUGS
    assert {one["audience"] for one in found["releases"]} == {"public", "internal", "partner-observatoire-regional"}
    assert {one["state"] for one in found["releases"]} == {"published"}
    assert found["healthy"] is True
    assert all(one["owner"] and one["steward"] for one in found["sources"])


def test_status_of_an_empty_folder_is_calm(tmp_path: Path) -> None:
    answer = halle("status", "--data", tmp_path)
    assert answer.status == 0
    assert "last run never" in answer.out


def test_status_turns_red_for_an_orphan_and_a_missing_release(copy_of_sample: Copy) -> None:
    data = copy_of_sample()
    shutil.copytree(data / "landing/paris_chantiers", data / "landing/paris_forgotten")
    orphaned = halle("status", "--data", data)
    assert orphaned.status == 1
    assert "! source paris_forgotten: nothing declares it any more." in orphaned.out
    shutil.rmtree(data / "landing/paris_forgotten")
    shutil.rmtree(next((data / "public/chantiers-voirie/v1.3.0").iterdir()))
    missing = json.loads(halle("status", "--json", "--data", data).out)
    assert {one["dataset"] for one in missing["releases"] if one["state"] == "missing"} == {"chantiers-voirie"}
    assert missing["healthy"] is False


def test_rejects_gives_reasons_and_samples(sample_data: Path) -> None:
    found = json.loads(halle("rejects", "--json", "--data", sample_data).out)
    assert {one["stage"] for one in found} == {"reading", "staging"}
    assert all(one["count"] >= len(one["samples"]) >= 1 for one in found)
    one = halle("rejects", "paris_fermetures_voirie", "--data", sample_data)
    assert one.status == 0
    assert "paris_fermetures_voirie" in one.out
    assert "paris_chantiers_perturbants" not in one.out


def test_query_answers_in_four_forms(sample_data: Path, tmp_path: Path) -> None:
    sql = "select source, count(*) as sites from mobility.works_sites group by source order by source"
    table = halle("query", sql, "--data", sample_data)
    as_csv = halle("query", sql, "--data", sample_data, "--format", "csv")
    as_json = halle("query", sql, "--data", sample_data, "--format", "json")
    rows = list(csv.DictReader(io.StringIO(as_csv.out)))
    assert "paris_chantiers" in table.out
    assert [row["source"] for row in rows] == [row["source"] for row in json.loads(as_json.out)]
    command = [*HALLE, "query", sql, "--data", str(sample_data), "--format", "parquet"]
    parquet = subprocess.run(command, capture_output=True, check=True).stdout
    assert pl.read_parquet(parquet).height == len(rows) > 1


@pytest.mark.parametrize(
    "sql",
    [
        "create table mine (one integer)",
        "drop table mobility.works_sites",
        "delete from mobility.works_sites",
        "copy (select 1) to '{folder}/stolen.csv'",
        "select * from read_csv('/etc/passwd')",
        "from '/etc/passwd'",
        "attach '{folder}/other.db'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "select getenv('HOME')",
        "select 1; create table mine (one integer)",
        "selec",
        "",
        "select * from nothing_of_the_kind",
    ],
)
def test_query_reads_and_reaches_nothing_else(sample_data: Path, tmp_path: Path, sql: str) -> None:
    answer = halle("query", sql.format(folder=tmp_path), "--data", sample_data)
    assert answer.status == 1, answer.out
    assert answer.err.startswith("halle: ")
    assert list(tmp_path.iterdir()) == []


def test_verify_passes_what_was_published_and_finds_what_was_touched(copy_of_sample: Copy) -> None:
    data = copy_of_sample()
    assert halle("verify", "--data", data).status == 0
    file = data / "public/chantiers-voirie/latest/chantiers-voirie.csv"
    file.chmod(0o644)
    file.write_bytes(file.read_bytes().replace(b"ended", b"begun", 1))
    touched = halle("verify", data / "public", "--data", data)
    assert touched.status == 1
    assert "FAILED" in touched.out
    assert "chantiers-voirie.csv" in touched.out


def test_sample_writes_extracts_and_refuses_a_folder_in_use(tmp_path: Path) -> None:
    answer = halle("sample", "--out", tmp_path / "town", "--scale", "0.1", "--defects")
    assert answer.status == 0
    assert (tmp_path / "town/defects.json").is_file()
    (tmp_path / "mine.txt").write_text("not a synthetic town")
    assert halle("sample", "--out", tmp_path).status == 2
    assert (tmp_path / "mine.txt").is_file()


def test_one_theme_or_one_source_of_what_is_new(copy_of_sample: Copy, tmp_path: Path) -> None:
    data = copy_of_sample()
    extracts = tmp_path / "extracts"
    extracts.mkdir()
    closures = sorted((data / "sample").glob("fermetures-voirie_*.csv"))[-1]
    newer = extracts / "fermetures-voirie_20251119.csv"
    newer.write_text(closures.read_text(encoding="utf-8-sig").replace("Tunnel", "Tunnels", 1), encoding="utf-8")
    shutil.copy(next((data / "sample").glob("referentiel-comptages-routiers_*.csv")), extracts)
    answer = halle("run", "--data", data, "--extracts", extracts, "--source", "paris_fermetures_voirie")
    assert answer.status == 0, answer.err
    assert f"paris_fermetures_voirie: reading {newer.name}" in answer.err.splitlines()
    assert "paris_referentiel_comptages: " not in answer.err
    counted = halle("query", "select count(*) as n from ops.deliveries where source = 'paris_fermetures_voirie'",
                    "--data", data, "--format", "csv")  # fmt: skip
    assert counted.out.split() == ["n", "3"]
    assert "nothing to do" in halle("run", "--data", data, "--extracts", extracts, "--theme", "mobility").out


def test_several_territories_lie_side_by_side(sample_data: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin"
    twin.mkdir()
    text = (SAMPLE_TERRITORY / "territory.yml").read_text(encoding="utf-8")
    closures = text[text.index("  paris_fermetures_voirie:") : text.index("  insee_cog_communes:")]
    closures_alone = text[: text.index("feeds:")] + "feeds:\n" + closures
    (twin / "territory.yml").write_text(closures_alone.replace("name: sample", "name: twin", 1), encoding="utf-8")
    data = tmp_path / "data"
    shutil.copytree(sample_data, data / "sample", symlinks=True)
    both = ["run", "--territory", SAMPLE_TERRITORY, "--territory", twin, "--extracts", sample_data / "sample"]
    answer = halle(*both, "--data", data)
    assert answer.status == 0, answer.err
    assert "nothing new, nothing to do" in answer.out
    assert json.loads(halle("status", "--json", "--data", data / "twin").out)["territory"] == "twin"
    # The calendar needs no source.
    published = {path.parent.name for path in (data / "twin/public").glob("*/latest")}
    assert published == {"calendrier", "chantiers-voirie"}
