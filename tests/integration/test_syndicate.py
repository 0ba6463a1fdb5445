"""Several territories in one process: one landing of what is open to all, and nothing that fails spreads.

Four folders are run together, two of them written by `halle init`: one whose files are all good, one with a source of
its own that is refused, one whose file cannot be read, and one that crashes. Dagster is left out, as in the fault
tests: what it does is tested elsewhere.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration import modelling, running, syndicate
from orchestration.founding import found
from orchestration.locking import one_run_at_a_time
from orchestration.project import Project, load_project
from orchestration.receiving import loaded_deliveries
from orchestration.run import Run
from orchestration.running import Outcome
from orchestration.sharing import common_sources, members, open_territory
from orchestration.syndicate import Member, run_syndicate
from orchestration.workspace import Workspace
from raw_sources.errors import ConfigurationError
from tests.commands import halle
from tests.integration.test_themes import CARD, STAGING
from tests.references import references
from tests.worlds import HTML

NOW = datetime(2026, 11, 22, tzinfo=UTC)
REFERENCES = {f"etalab_{name}" for name in ("communes", "departements", "epci", "ept", "regions")}


@dataclass
class Syndicate:
    """The folders of four territories, their extracts and their DATA; ``said`` is the progress of the runs."""

    root: Path
    said: list[str] = field(default_factory=list)

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def folders(self) -> list[Path]:
        return [self.root / name for name in ("good", "refused", "unreadable", "crashing")]

    def prepare(self, project: Project, workspace: Workspace) -> Run:
        extracts = self.root / "extracts"
        return Run(project, workspace, extracts=extracts, now=NOW, themes=("territory",), report=self.said.append)

    def run(self) -> dict[str, Member]:
        self.said.clear()
        return {one.folder.name: one for one in run_syndicate(self.folders, self.data, self.prepare)}

    def landed(self, *folders: str) -> set[str]:
        return {path.parent.name for path in self.data.joinpath(*folders, "landing").glob("*/receipts")}


def execute(run: Run, themes: list[str]) -> None:
    """Take the steps of the themes asked for, or crash."""
    if run.project.territory.name == "acoua":
        raise RuntimeError("nobody foresaw this")
    for theme in themes:
        assert modelling.failures(run.build(theme)) == []
    for mart in (name for name in run.marts() if name.split(".")[0] in themes):
        assert run.validate(mart).status == "passed"
    for slug, card in run.project.export_cards.items():
        if card.mart.split(".")[0] in themes:
            run.release(slug)


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Syndicate]:
    """Write the folders and the files, with the crash of one territory in place of Dagster."""
    made = Syndicate(tmp_path_factory.mktemp("syndicate"))
    extracts = made.root / "extracts"
    references(extracts, 2026)
    for name, code in (("good", "01001"), ("refused", "01002"), ("crashing", "97601")):
        found(code, made.root / name, extracts, NOW, lambda _: None)
    bring_own_source(made.root / "refused")
    (extracts / "things_20261101.csv").write_bytes(HTML)
    (made.root / "unreadable").mkdir()
    (made.root / "unreadable" / "territory.yml").write_text("name: [")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "_execute", execute)
        yield made


def bring_own_source(folder: Path) -> None:
    """Give a territory a source of its own, with a card and a staging model in its folder."""
    files = {
        "raw_sources/territory/town_things.yml": CARD.replace("domain: demo", "domain: territory"),
        "dbt_project/models/staging/territory/stg_territory__town_things.sql": STAGING,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    with (folder / "territory.yml").open("a", encoding="utf-8") as stream:
        stream.write("  town_things:\n    files: [{glob: \"things_*.csv\", date: '_(\\d{8})'}]\n")


@pytest.fixture(scope="module")
def first(together: Syndicate) -> tuple[dict[str, Member], list[str]]:
    """Run the four; return how each ended and what was said."""
    return together.run(), list(together.said)


@pytest.mark.slow
def test_one_territorys_failure_does_not_touch_another(
    together: Syndicate, first: tuple[dict[str, Member], list[str]]
) -> None:
    ended, _ = first
    assert {name: one.status for name, one in ended.items()} == {
        "good": 0,
        "refused": 1,
        "unreadable": 2,
        "crashing": 1,
    }
    assert "territory.yml" in str(ended["unreadable"].problem)
    assert "RuntimeError: nobody foresaw this" in str(ended["crashing"].problem)
    assert "nobody foresaw this" in (together.data / "acoua" / "state" / "crash.txt").read_text()
    outcome = ended["refused"].outcome
    assert outcome is not None
    assert "this is a web page" in " ".join(outcome.run.refusals())
    for name in ("l_hay_du_marais", "saint_aubin_01002"):
        workspace = Workspace(together.data / name)
        assert workspace.warehouse.is_file()
        assert (workspace.public / "communes-millesimes" / "latest").is_dir()


@pytest.mark.slow
def test_open_national_sources_are_received_and_read_once(
    together: Syndicate, first: tuple[dict[str, Member], list[str]]
) -> None:
    _, said = first
    for source in REFERENCES:
        assert said.count(f"{source}: receiving") == 1
        assert len([line for line in said if line.startswith(f"{source}: reading")]) == 1
    assert together.landed("shared") == REFERENCES
    assert together.landed("l_hay_du_marais") == together.landed("saint_aubin_01002") == set()
    # What it refused is its own, and lies in its own landing.
    assert (together.data / "saint_aubin_01002" / "landing" / "town_things" / "refused").is_dir()
    project, workspace = open_territory(None, together.data / "l_hay_du_marais")
    with one_run_at_a_time(workspace.shared), pytest.raises(ConfigurationError, match="another run is at work"):
        running.run_territory(together.prepare(project, workspace))


@pytest.mark.slow
def test_a_member_alone_finds_what_is_shared(together: Syndicate, first: tuple[dict[str, Member], list[str]]) -> None:
    good = together.data / "l_hay_du_marais"
    project, workspace = open_territory(None, good)
    assert {one.receipt.source for one in loaded_deliveries(project, workspace)} == REFERENCES
    assert running.run_territory(together.prepare(project, workspace)).nothing_new
    assert together.landed("l_hay_du_marais") == set()
    # Named by its folder, in the DATA of all, it is the same.
    assert open_territory(together.folders[0], together.data)[1] == workspace
    landed = halle("land", "etalab_epci", together.root / "extracts" / "etalab_epci_2026.json", "--data", good)
    assert "already known, delivery 000001" in landed.out


@pytest.mark.slow
def test_the_next_run_does_only_what_is_left(together: Syndicate, first: tuple[dict[str, Member], list[str]]) -> None:
    ended = together.run()
    assert {name: one.status for name, one in ended.items()} == {
        "good": 0,
        "refused": 1,
        "unreadable": 2,
        "crashing": 1,
    }
    outcome = ended["good"].outcome
    assert outcome is not None
    assert outcome.nothing_new
    assert not [line for line in together.said if ": reading" in line]


@pytest.mark.slow
def test_status_shows_all_and_the_other_commands_ask_which(
    together: Syndicate, first: tuple[dict[str, Member], list[str]]
) -> None:
    shown = halle("status", "--data", together.data)
    assert shown.status == 1
    assert "l_hay_du_marais: last run published" in shown.out
    assert "saint_aubin_01002: last run failed" in shown.out
    told = json.loads(halle("status", "--data", together.data, "--json").out)
    assert [one["territory"] for one in told["territories"]] == ["acoua", "l_hay_du_marais", "saint_aubin_01002"]
    assert told["healthy"] is False
    for command in (["rejects"], ["verify"], ["query", "select 1"]):
        answer = halle(*command, "--data", together.data)
        assert answer.status == 2
        assert "this folder holds several territories: acoua, l_hay_du_marais, saint_aubin_01002" in answer.err


def test_a_namesake_and_the_data_of_one_territory_are_refused(
    together: Syndicate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syndicate, "run_territory", lambda run: Outcome(run, 0, nothing_new=True))
    twin = Path(shutil.copytree(together.folders[0], tmp_path / "twin"))
    first, second = run_syndicate([together.folders[0], twin], tmp_path / "data", together.prepare)
    assert (first.status, second.status) == (0, 2)
    assert "the name 'l_hay_du_marais' is taken in this DATA" in str(second.problem)
    assert members(tmp_path / "data") == {"l_hay_du_marais": together.folders[0]}
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "territory.json").write_text('{"name": "alone", "folder": "somewhere"}')
    with pytest.raises(ConfigurationError, match="holds the data of one territory"):
        run_syndicate(together.folders, tmp_path, together.prepare)


def test_a_source_of_its_own_is_never_shared(together: Syndicate, tmp_path: Path) -> None:
    """Own files, an own card, what was received before, and synthetic territories stay apart."""
    folder = together.folders[0]
    text = (folder / "territory.yml").read_text(encoding="utf-8")

    def common(text: str, own: Path = tmp_path / "data" / "l_hay_du_marais") -> frozenset[str]:
        (tmp_path / "territory.yml").write_text(text, encoding="utf-8")
        return common_sources(load_project(tmp_path), own)

    assert common(text) >= REFERENCES
    assert "etalab_epci" not in common(text.replace("  etalab_epci:", '  etalab_epci: {files: [{glob: "x*"}]}'))
    assert common(text.replace("time_zone:", "synthetic: true\ntime_zone:")) == frozenset()
    (tmp_path / "data" / "l_hay_du_marais" / "landing" / "etalab_epci").mkdir(parents=True)
    assert "etalab_epci" not in common(text)
