"""A territory's own models try to take out what was lent for the authority alone: each release is refused in words.

The small town of the fault tests: its counts are open, its sites are lent to the authority alone. Every model below is
built by dbt in earnest; its release is asked for, and must be stopped before a byte is written.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.modelling import failures
from orchestration.project import load_project
from orchestration.run import Run
from raw_sources.errors import GateClosed
from tests.worlds import World, days

NOW = datetime(2026, 1, 10, 6, tzinfo=UTC)
FILES = {
    "town_counts_202511.csv": b"counter_id,day,vehicles\n"
    + b"".join(f"a,{day},{day.day}\n".encode() for day in days(date(2025, 11, 3), 3)),
    "town_sites_20251101.csv": b"site_id,start_on,end_on\n1,2025-11-01,2025-12-24\n2,2025-11-03,2025-12-24\n"
    b"a,2025-11-09,2025-12-24\n",
}
OPEN = "{{ ref('stg_counting__town_counts') }}"
LENT = "{{ ref('stg_digging__town_sites') }}"
TRICKS = {
    "alias": f"select site_id as label from {LENT}",
    "case_of": f"select case when site_id = '1' then 'one' else 'more' end as label from {LENT}",
    "union_of": f"select counter_id as label from {OPEN} union all select site_id from {LENT}",
    "by_window": f"select max(site_id) over (order by start_on) as label from {LENT}",
    "in_struct": f"select (packed).held as label from (select struct_pack(held := site_id) as packed from {LENT})",
    "whole_row": f"select cast(lent as varchar) as label from {LENT} as lent",
    "by_join_key": f"select counts.counter_id as label from {OPEN} as counts inner join {LENT} as lent "
    "on counts.day_on = lent.start_on",
    "by_filter": f"select counter_id as label from {OPEN} where day_on in (select start_on from {LENT})",
    "by_count": f"select cast(count(*) as varchar) as label from {LENT} group by start_on",
    "by_macro": f"select {{{{ dbt.concat(['site_id', 'site_id']) }}}} as label from {LENT}",
    "star": f"select * from (select site_id as label from {LENT})",
    "under_a_false_name": f"select label from (select 'town_counts' as source, site_id as label from {LENT})",
    "behind_dbt": "select site_id as label from raw.town__sites",
}
KEYS = {
    "key_on": f"select counts.counter_id as label from {OPEN} as counts inner join {LENT} as lent "
    "on counts.counter_id = lent.site_id",
    "key_using": f"select label from (select counter_id as label from {OPEN}) as counts "
    f"inner join (select site_id as label from {LENT}) as lent using (label)",
    "key_where": f"select counts.counter_id as label from {OPEN} as counts, {LENT} as lent "
    "where counts.counter_id = lent.site_id",
    "key_of_constants": f"select guess.label from (values ('1'), ('9')) as guess(label) inner join {LENT} as lent "
    "on guess.label = lent.site_id",
}
MARKED = f"(select 'town_sites' as src, site_id from {LENT})"
GAPS = {
    "by_gap": f"select lent.src as source, counts.counter_id as label, counts.day_on from {OPEN} as counts "
    f"left join {MARKED} as lent on counts.counter_id = lent.site_id",
    "by_gap_renamed": "select coalesce(lent.src, 'town_counts') as source, counts.counter_id as label, counts.day_on "
    f"from {OPEN} as counts left join {MARKED} as lent on counts.counter_id = lent.site_id",
    "by_gap_of_both": "select lent.src as source, counts.counter_id as label, counts.day_on "
    f"from {MARKED} as lent full join {OPEN} as counts on counts.counter_id = lent.site_id",
}
BY_DAY = TRICKS["by_join_key"]
ROWS = {"source": "varchar", "label": "varchar", "day_on": "date"}
HONEST = f"select 'town_counts' as source, counter_id as label, day_on from {OPEN}"
TEXT = "Essai de sortie : une ligne par unité, sans autre qualité que de mettre à l'épreuve ce qui peut sortir."


def slug_of(name: str) -> str:
    return name.replace("_", "-")


def write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(value, allow_unicode=True, sort_keys=False), "utf-8")


def add_mart(folder: Path, name: str, sql: str, columns: dict[str, str]) -> None:
    """Write a mart of the theme digging with its YAML, a suite, and an export card that would publish all of it."""
    models = folder / "dbt_project" / "models" / "marts" / "digging"
    (models / f"{name}.sql").write_text(f"{sql}\n", "utf-8")
    described = [{"name": key, "data_type": kind, "description": key} for key, kind in columns.items()]
    meta = {"row_sources": ["town_counts"], "grain": {"time": "day", "space": "point", "category": "record"}}
    model = {"name": name, "description": name, "config": {"meta": meta}, "columns": described}
    write(models / f"_{name}.yml", {"version": 2, "models": [model]})
    why = {"why_fr": "Une.", "why_en": "One."}
    unique = {"name": "key_is_unique", "kind": "unique", "columns": list(columns), **why}
    suite = {"mart": f"digging.{name}", "title_fr": name, "title_en": name, "expectations": [unique]}
    write(folder / "expectations" / "digging" / f"{name}.yml", suite)
    card = yaml.safe_load((folder / "exports" / "digging" / "sites.yml").read_text("utf-8"))
    said = {"slug": slug_of(name), "mart": f"digging.{name}", "description_fr": TEXT, "description_en": TEXT}
    card |= {**said, "columns": list(columns), "order_by": list(columns)}
    write(folder / "exports" / "digging" / f"{name}.yml", card)


def change_card(folder: Path, card: str, change: Callable[[dict[str, Any]], None]) -> None:
    (path,) = folder.glob(f"raw_sources/*/{card}.yml")
    document = yaml.safe_load(path.read_text("utf-8"))
    change(document["customProperties"][0]["value"])
    write(path, document)


def keep(ours: dict[str, Any]) -> None:
    leaves = {"internal": "everything", "partner": "nothing", "public": "nothing"}
    ours["sharing"] = {"leaves": leaves, "purpose": "Essai.", "terms": "Prêt.", "until": None}


def make_personal(folder: Path, card: str, column: str) -> None:
    """Class a raw column as personal, of a source of which all else may leave."""
    (path,) = folder.glob(f"raw_sources/*/{card}.yml")
    document = yaml.safe_load(path.read_text("utf-8"))
    (described,) = [one for one in document["schema"][0]["properties"] if one["name"] == column]
    described["classification"] = "direct"
    ours = document["customProperties"][0]["value"]
    leaves = dict.fromkeys(("internal", "partner", "public"), "everything")
    ours["sharing"] = {"leaves": leaves, "terms": "Essai.", "until": None}
    ours["deliveries"]["retention"] = "P100Y"
    listed = "purposes categories_of_persons categories_of_data recipients security_measures".split()
    said = {"reason": "Essai.", "legal_basis": "Essai.", "service": "Essai.", "retention": "P100Y"}
    said |= {"transfers": [], "processors": []}
    said |= {"personal_data": True, "sensitive": False, "created_on": "2026-01-01", "reviewed_on": "2026-01-01"}
    ours["gdpr"] = said | {name: ["Essai."] for name in listed}
    write(path, document)


@dataclass
class Lent:
    """The town, built once."""

    world: World
    run: Run

    def refusal(self, name: str, run: Run | None = None) -> str:
        """Return why a release is refused, and see that nothing of it was written."""
        with pytest.raises(GateClosed) as refused:
            (run or self.run).release(slug_of(name))
        written = [path for path in self.world.data.rglob("*") if slug_of(name) in path.parts]
        assert not [path for path in written if "public" in path.parts or "candidates" in path.parts], written
        assert not (self.world.workspace.releases / f"{slug_of(name)}.jsonl").exists()
        return str(refused.value)

    def under(self, change: Callable[[dict[str, Any]], None], folder: Path) -> Run:
        """Return a run of the same warehouse where the card of the counts says something else."""
        shutil.copytree(self.world.territory, folder)
        change_card(folder, "town_counts", change)
        return replace(self.run, project=load_project(folder), shared={}, problems=[])


@pytest.fixture(scope="module")
def lent(tmp_path_factory: pytest.TempPathFactory) -> Lent:
    world = World(tmp_path_factory.mktemp("smuggling"), now=NOW)
    shutil.copytree(Path(__file__).parent.parent / "faults" / "small_town", world.territory)
    for name, sql in {**TRICKS, **KEYS, "by_day": BY_DAY}.items():
        add_mart(world.territory, name, sql, {"label": "varchar"})
    for name, sql in {**GAPS, "honest": HONEST}.items():
        add_mart(world.territory, name, sql, ROWS)
    change_card(world.territory, "town_sites", keep)
    world.deliver(FILES)
    run = world.run()
    run.as_of()
    for theme in ("counting", "digging"):
        assert not failures(run.build(theme))
    return Lent(world, run)


@pytest.mark.parametrize("trick", [*TRICKS, *KEYS, *GAPS])
def test_what_was_lent_does_not_leave_under_another_name(lent: Lent, trick: str) -> None:
    said = lent.refusal(trick)
    assert f"{slug_of(trick)}: the column label may not leave for public" in said
    assert f"digging.{trick}" in said and "raw.town__sites" in said
    assert "sharing.leaves.public in" in said and "town_sites.yml" in said


@pytest.fixture(scope="module")
def personal(lent: Lent, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run of the same warehouse where all may leave but a column of the sites that is personal."""
    folder = tmp_path_factory.mktemp("personal") / "territory"
    shutil.copytree(lent.world.territory, folder)
    make_personal(folder, "town_sites", "site_id")
    return replace(lent.run, project=load_project(folder), shared={}, problems=[])


@pytest.mark.parametrize("trick", ["alias", *KEYS])
def test_what_is_personal_does_not_leave_as_what_it_is_equal_to(lent: Lent, personal: Run, trick: str) -> None:
    said = lent.refusal(trick, personal)
    assert f"{slug_of(trick)}: the column label may not leave for public: it comes from town_sites.site_id" in said
    assert "personal data (direct) (classification in" in said


def test_what_only_shares_a_day_with_a_person_leaves(personal: Run) -> None:
    assert personal.validate("digging.by_day").status == "passed"
    released = personal.release(slug_of("by_day"))
    assert released is not None


def test_what_is_open_leaves_from_the_same_models(lent: Lent) -> None:
    assert lent.run.validate("digging.honest").status == "passed"
    released = lent.run.release("honest")
    assert released is not None and released.rows == 3


@pytest.mark.parametrize(
    ("change", "clause"),
    [
        (lambda ours: ours["sharing"].update(until="2025-12-31"), "sharing.until"),
        (lambda ours: ours["sharing"].update(finest={"time": "month"}), "sharing.finest.time"),
        (lambda ours: ours.update(licence={"spdx": "CC-BY-NC-4.0", "attribution": "Ville"}), "licence"),
    ],
)
def test_an_agreement_that_ended_a_grain_too_fine_and_a_licence_are_named(
    lent: Lent, tmp_path: Path, change: Callable[[dict[str, Any]], None], clause: str
) -> None:
    with pytest.raises(GateClosed) as refused:
        lent.under(change, tmp_path / "territory").release("honest")
    assert clause in str(refused.value) and "town_counts" in str(refused.value)
