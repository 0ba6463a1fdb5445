"""Damaged real extracts, taken the whole way: each is refused with a sentence, or every record of it is accounted for.

One run over one DATA receives every real extract under every damage; what readers alone make of damaged files is in
``tests/unit/test_mutations``, where the damages come from. Nobody is asked to publish such data: the suites may close
the gate, but nothing may fail otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from orchestration import running
from orchestration.run import Run
from orchestration.running import Outcome
from tests.unit.test_mutations import MUTATIONS, RARE, REAL, columns_changed, seeded
from tests.worlds import World, without_dagster

pytestmark = [pytest.mark.slow, pytest.mark.real]

LARGEST = 60_000
"""Bytes of each extract that are damaged: some hundred records."""

TERRITORY = """
name: damaged
title: {fr: "Fichiers abîmés (essai)", en: "Damaged files (trial)"}
siren: "999999998"
communes: {vintage: 2025, codes: ["99999"]}
time_zone: Europe/Paris
publisher: {name: "Fichiers abîmés (essai)", siren: "999999998"}
contact: "contact@essai.example"
base_url: "https://donnees.essai.example"
bbox: [2.20, 48.79, 2.48, 48.92]
reach_m: 500
synthetic: true
feeds:
"""
FEED = "  {source}: {{files: [{{glob: '{source}-*'}}]}}\n"


@dataclass(frozen=True)
class Aftermath:
    """A run over damaged files, how it ended, and its warehouse."""

    files: dict[str, bytes]
    run: Run
    outcome: Outcome
    warehouse: Path


@pytest.fixture(scope="module")
def aftermath(real_extracts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aftermath]:
    world = World(tmp_path_factory.mktemp("damaged"), now=datetime(2026, 12, 1, tzinfo=UTC))
    world.territory.mkdir()
    sources = sorted({source for source, _ in REAL.values()})
    declared = TERRITORY + "".join(FEED.format(source=source) for source in sources)
    (world.territory / "territory.yml").write_text(declared, encoding="utf-8")
    files = dict(damaged_files(real_extracts))
    world.deliver(files)
    run = world.run()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "_execute", without_dagster)
        outcome = running.run_territory(run)
    yield Aftermath(files, run, outcome, world.workspace.warehouse)


def damaged_files(extracts: Path) -> Iterator[tuple[str, bytes]]:
    """Yield each extract whole and under every damage, under a name that says which."""
    for name, (source, _) in REAL.items():
        path = Path(name)
        content = beginning(extracts / name)
        yield f"{source}-{path.stem}-intact{path.suffix}", content
        for damage in [*MUTATIONS, *RARE]:
            if damage is not columns_changed or path.suffix == ".csv":
                said = f"{source}-{path.stem}-{damage.__name__}{path.suffix}"
                yield said, damage(content, seeded(name, damage.__name__))


def beginning(path: Path) -> bytes:
    """Return the first whole lines of a table, and the whole of a page of JSON."""
    content = path.read_bytes()
    if path.suffix != ".csv" or len(content) <= LARGEST:
        return content
    return content[: content.rindex(b"\n", 0, LARGEST) + 1]


def ask(aftermath: Aftermath, question: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(aftermath.warehouse), read_only=True) as connection:
        return connection.execute(question).fetchall()


def test_every_file_is_loaded_or_refused_with_a_sentence(aftermath: Aftermath) -> None:
    landed = [one for received in aftermath.run.received.values() for one in received.landed]
    assert len(landed) == len(aftermath.files)
    reasons = [one.refusal for one in landed if one.refusal is not None]
    reasons += [
        str(reason) for (reason,) in ask(aftermath, "select reason from ops.deliveries where status = 'refused'")
    ]
    accepted = ask(aftermath, "select file_name from ops.ledger")
    assert len(reasons) + len(accepted) == len(aftermath.files)
    assert len(reasons) > 20
    for reason in reasons:
        assert len(reason) > 40
        assert reason.rstrip().endswith(".")
        assert "Error" not in reason


def test_intact_files_are_loaded(aftermath: Aftermath) -> None:
    loaded = {name for (name,) in ask(aftermath, "select file_name from ops.ledger where malformed = 0")}
    assert {name for name in aftermath.files if "-intact." in name} <= loaded


def test_every_record_is_accounted_for(aftermath: Aftermath) -> None:
    unbalanced = ask(
        aftermath,
        "select * from ops.ledger where records_read <> raw_rows + malformed "
        "or raw_rows <> staged + rejected + superseded + duplicate + out_of_scope",
    )
    assert unbalanced == []


@pytest.mark.parametrize(("term", "kept"), [("rejected", "ops.rejects"), ("malformed", "ops.malformed")])
def test_what_was_refused_can_be_read(aftermath: Aftermath, term: str, kept: str) -> None:
    counted = ask(aftermath, f"select source, delivery_id, {term} from ops.ledger where {term} > 0 order by all")
    held = ask(aftermath, f"select source, delivery_id, count(*) from {kept} group by all order by all")
    assert counted == held
    assert counted != []
    assert ask(aftermath, f"select * from {kept} where coalesce(reason, '') = ''") == []


def test_models_build_whatever_the_data(aftermath: Aftermath) -> None:
    """The suites may refuse such data; no model, test or step may break on them."""
    assert aftermath.outcome.status == 1
    for problem in aftermath.run.problems:
        assert "model " not in problem
        assert "test " not in problem
        assert "error" not in problem
