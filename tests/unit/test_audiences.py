"""A release for an audience: nothing is written that may not leave, and the proof of the rest is kept with it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from exports.card import Declassification
from exports.plan import NothingMayLeave
from exports.terms import Terms, agreement_digest
from exports.verify import verify_tree
from orchestration.audiences import expired_today, notices
from orchestration.project import SAMPLE_TERRITORY, Project, load_project
from orchestration.workspace import Workspace
from raw_sources.agreements import Agreement, Grain, SecrecyRule
from raw_sources.errors import ConfigurationError, GateClosed
from raw_sources.files import sha256_file
from tests.exports_world import COLUMNS, PLAIN, SOURCE, World, make_terms, make_world, offline_schemas

PARTNER = "partner-observatoire"


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = make_world(tmp_path / "data", columns=PLAIN)
    made.card = replace(made.card, audiences=("public", "partner", "internal"))
    return made


def agreement(world: World, **changes: object) -> Terms:
    """Return the world's terms with the one agreement changed."""
    return replace(world.terms, agreements={SOURCE: replace(world.terms.agreements[SOURCE], **changes)})


def written(world: World) -> list[Path]:
    folders = (world.data / name for name in ("staging", "releases", "public", ".trees"))
    return [path for folder in folders for path in folder.rglob("*") if path.is_file()]


def facts(world: World) -> dict:
    text = (world.public / "mesures-de-rue" / "latest" / "release.json").read_text(encoding="utf-8")
    return json.loads(text)


# --- what may not leave -----------------------------------------------------------------------------------------


def test_a_breach_is_refused_before_a_byte_is_written(world: World):
    world.terms = make_terms(leaves="nothing")
    with pytest.raises(GateClosed, match="mesures-de-rue may not leave for the public") as refused:
        world.release()
    told = str(refused.value)
    assert told.count("lets nothing leave") == 3 and f"And {len(PLAIN) - 3} more of the kind" in told
    assert f"{SOURCE}.site_id" in told and "sharing.leaves.public" in told and "Nothing was written" in told
    assert written(world) == []


def test_an_agreement_that_has_ended_is_refused_by_its_clause(world: World):
    world.terms = agreement(world, until=date(2024, 5, 2))
    assert world.release().new  # the last day counts
    before = written(world)
    world.terms = replace(world.terms, today=date(2024, 5, 3))
    with pytest.raises(GateClosed, match=r"ended on 2024-05-02.*sharing\.until"):
        world.release()
    assert written(world) == before


def test_nothing_that_leaves_depends_on_what_stays_in(world: World):
    # A hash of hidden values would let anybody try guesses until one fits.
    first = world.release()
    (kept,) = world.log.entries("mesures-de-rue")
    said = (world.folder(first) / "release.json").read_text(encoding="utf-8")
    (own,) = [path.stem for path in (world.gate.root / "street.measures").glob("*.json") if path.stem != "latest"]
    assert kept.certificate == own, "the log, which stays in, has the mart's certificate"
    assert own not in said and json.loads(said)["certificate"].get("fingerprint") is None
    world.sql("update street.measures set secret_note = 'another'")
    again = world.release()
    assert (again.release, again.new) == (first.release, False)
    assert world.log.entries("mesures-de-rue") == [kept]


def test_an_audience_that_the_card_does_not_name_is_refused(world: World):
    world.card = replace(world.card, audiences=("internal",))
    for audience in ("public", PARTNER):
        world.terms = make_terms(audience)
        with pytest.raises(ConfigurationError, match="offers mesures-de-rue to others than the p"):
            world.release()
    assert written(world) == []


def test_where_no_row_may_leave_nothing_is_released_and_later_that_is_wrong(world: World):
    told = make_terms(leaves="nothing", teller="site_id")
    world.sql(f"update street.measures set site_id = '{SOURCE}'")
    world.terms = told
    clause = rf"for the public: {SOURCE}, whose agreement lets nothing leave for public \(sharing\.leaves\.public in "
    with pytest.raises(NothingMayLeave, match=f"no row of street.measures may leave {clause}"):
        world.release()
    assert written(world) == []
    world.terms = make_terms()
    world.release()
    world.terms = told
    with pytest.raises(GateClosed, match=r"no row of street\.measures may leave"):
        world.release()


# --- what is kept with a release --------------------------------------------------------------------------------


def test_the_proof_is_in_the_release_and_makes_its_name(world: World):
    first = world.release()
    proof = facts(world)["agreements"]
    assert facts(world)["audience"] == proof["audience"] == "public"
    assert proof["licence"] == "ODbL-1.0" and proof["declassified"] == []
    digest = agreement_digest(world.terms.agreements[SOURCE])
    assert proof["sources"] == [{"source": SOURCE, "licence": "ODbL-1.0", "allows": "everything", "agreement": digest}]
    world.terms = agreement(world, terms="Other words.")
    second = world.release()
    assert second.new and second.release != first.release and second.rows == first.rows
    world.terms = replace(world.terms, today=date(2025, 1, 1))
    assert not world.release().new  # a day alone is no new content


def test_the_proof_tells_no_parameter_of_a_secrecy_rule():
    known = make_terms().agreements[SOURCE]
    three, four = (
        replace(known, secrecy=(SecrecyRule("minimum_frequency", {"of": "merchants", "at_least": least}),))
        for least in (3, 4)
    )
    assert agreement_digest(three) == agreement_digest(four) != agreement_digest(known)


def test_rows_left_out_by_a_declassification_are_counted_in_the_proof(world: World):
    rule = {"rule": "minimum", "column": "vehicles", "at_least": 2}
    entry = Declassification((SOURCE,), None, Grain(time="hour"), (rule,), "Des agrégats.", "Aggregates.")
    world.card = replace(world.card, declassify=(entry,))
    world.mart = replace(world.mart, grain=Grain(time="hour"))
    world.terms = make_terms(leaves="aggregates")
    released = world.release()
    (proof,) = facts(world)["agreements"]["declassified"]
    kept, found = world.sql("select count(*) filter (vehicles >= 2), count(*) from street.measures")[0]
    assert (released.rows, released.rows + proof["rows_left_out"]) == (kept, found) == (2, 5)


def test_a_restricted_copy_claims_no_open_licence_and_verifies(world: World):
    lent = replace(world.terms, licences={SOURCE: "LicenseRef-partenaire"}, audience="internal")
    world.terms = lent
    world.release()
    assert facts(world)["licence"]["name"] == "LicenseRef-internal"
    assert verify_tree(world.public, offline_schemas(None)).failed == []


def test_a_release_in_the_tree_of_another_audience_is_found(world: World):
    world.terms = replace(world.terms, audience=PARTNER)
    world.release()
    assert verify_tree(world.public, offline_schemas(None)).failed == []
    (world.data / "public").symlink_to(world.public.resolve())
    (found,) = verify_tree(world.data / "public", offline_schemas(None)).failed
    assert (found.name, found.sentence) == ("audience", f"There are releases for {PARTNER} here.")


def test_altered_agreements_are_found(world: World):
    released = world.release()
    path = world.folder(released) / "release.json"
    altered = facts(world)
    altered["agreements"]["sources"][0]["allows"] = "nothing"
    path.unlink()
    path.write_text(json.dumps(altered), encoding="utf-8")
    sums = path.with_name("SHA256SUMS")
    lines = [line for line in sums.read_text("utf-8").splitlines() if not line.endswith("release.json")]
    sums.unlink()
    sums.write_text("\n".join(sorted([*lines, f"{sha256_file(path)}  release.json"])) + "\n", encoding="utf-8")
    found = {check.name for check in verify_tree(world.public, offline_schemas(None)).failed}
    assert "agreements" in found and "checksums" not in found


# --- trees ------------------------------------------------------------------------------------------------------


def test_each_audience_has_a_tree_a_log_and_candidates_of_its_own(tmp_path: Path):
    workspace = Workspace(tmp_path)
    audiences = ("public", "internal", PARTNER, "partner-observatoire-2")
    for place in (workspace.tree_of, workspace.releases_of, workspace.candidates_of):
        assert len({place(audience) for audience in audiences}) == len(audiences)
    assert workspace.tree_of("public") == tmp_path / "public"
    assert workspace.tree_of("internal") == tmp_path / "internal" / "tree"
    assert workspace.tree_of(PARTNER) == tmp_path / PARTNER
    assert workspace.releases_of("public") == tmp_path / "releases"
    assert workspace.releases_of(PARTNER) == tmp_path / "releases" / PARTNER


def test_an_expired_agreement_is_among_what_a_date_changes():
    project = load_project(SAMPLE_TERRITORY)
    card = project.cards["paris_comptages_permanents"]
    ending: Agreement = replace(card.agreement, until=date(2026, 1, 31))
    project = Project(project.territory, {**project.cards, card.source: replace(card, agreement=ending)})
    assert expired_today(project, date(2026, 1, 31)) == []
    assert expired_today(project, date(2026, 2, 1)) == ["agreement paris_comptages_permanents until 2026-01-31"]
    (said,) = notices(project, date(2026, 2, 1))
    assert said.startswith("the agreement of paris_comptages_permanents ended on 2026-01-31: nothing of it leaves")


def test_the_world_of_these_tests_knows_every_column():
    assert set(make_terms().lineage.columns) == {name for name, _, _ in COLUMNS}
