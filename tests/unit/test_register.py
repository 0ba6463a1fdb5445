"""The register: one record per source with its basis, who sees it, where it goes and until when."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from exports.lineage import Lineage, Origin
from orchestration import lineage, register
from orchestration.interventions import Intervention, record
from orchestration.marts import MartNode
from orchestration.project import Project, load_project
from orchestration.register import SourceRecord, duration_in_french, read_register, write_register
from orchestration.workspace import PROJECT, Workspace
from raw_sources.agreements import Grain, SecrecyRule
from raw_sources.territory import Office
from tests.unit.test_erasing import assemble

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
PERSONAL = {
    "personal_data": True,
    "sensitive": False,
    "reason": "Le nom du demandeur est retiré à l'entrée.",
    "purposes": ["Suivi des chantiers", "Information du public"],
    "legal_basis": "Mission d'intérêt public (RGPD, art. 6.1.e)",
    "categories_of_persons": ["Demandeurs"],
    "categories_of_data": ["Identité"],
    "recipients": ["Service de la voirie"],
    "transfers": [],
    "processors": [],
    "retention": "P2Y",
    "security_measures": ["Accès limité"],
    "service": "Voirie",
    "created_on": "2026-01-05",
    "reviewed_on": "2026-11-20",
}


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(PROJECT / "tests" / "faults" / "small_town")


@pytest.fixture(scope="module")
def lent(project: Project) -> Project:
    """Return the small town with a personal, confidential source and a hostile name."""
    card = project.card("town_sites")
    columns = (replace(card.columns[0], personal_data="direct", never_load=True, key_position=None), *card.columns[1:])
    agreement = replace(
        card.agreement,
        leaves={"internal": "everything", "partner": "aggregates", "public": "nothing"},
        finest=Grain(time="month"),
        secrecy=(SecrecyRule("dominance", {"n": 1, "k_pct": 83}),),
        purpose="Coordination des chantiers",
        until=date(2026, 11, 1),
    )
    personal = replace(
        card, columns=columns, agreement=agreement, gdpr=PERSONAL, retention="P1Y", producer_name="<b>Ville</b>"
    )
    territory = replace(project.territory, dpo=Office("Délégation à la protection des données", "dpo@ville.example"))
    return replace(project, territory=territory, cards={**project.cards, "town_sites": personal})


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "data")


def of(project: Project, workspace: Workspace) -> Mapping[str, SourceRecord]:
    return {one.source: one for one in read_register(project, workspace, NOW).records}


def page(project: Project, workspace: Workspace) -> str:
    [path] = write_register(project, workspace, workspace.data.parent / "out", "html", NOW)
    return path.read_text(encoding="utf-8")


def test_each_source_has_a_record_also_without_personal_data(project: Project, workspace: Workspace) -> None:
    found = of(project, workspace)
    assert set(found) == set(project.enabled)
    assert not found["town_counts"].personal_data
    assert found["town_counts"].reason == "Ni compteur ni chantier n'est une personne."
    assert "Ni compteur ni chantier n&#39;est une personne." in page(project, workspace)


def test_a_personal_source_has_the_fields_of_article_30_and_of_the_cnil(lent: Project, workspace: Workspace) -> None:
    text = page(lent, workspace)
    for value in PERSONAL.values():
        if isinstance(value, list) and value:
            assert all(one.replace("'", "&#39;") in text for one in value)
    for said in (
        "Mission d&#39;intérêt public (RGPD, art. 6.1.e)",
        "2 ans",
        "05/01/2026, 20/11/2026",
        "Responsable du traitement",
        "Petite ville (essai) : contact@petite-ville.example",
        "Délégation à la protection des données : dpo@ville.example",
        "small_town/town_sites",
    ):
        assert said in text, said
    assert text.index("Finalités") < text.index("Purposes"), "French comes first"


def test_what_comes_in_says_the_class_of_each_column_and_what_is_never_stored(
    lent: Project, workspace: Workspace
) -> None:
    first = of(lent, workspace)["town_sites"].columns[0]
    assert (first.name, first.personal_data, first.never_load) == ("site_id", "direct", True)
    assert of(lent, workspace)["town_sites"].never_loaded == ("site_id",)
    assert "personnelle ; retirée avant tout stockage" in page(lent, workspace)


def test_the_agreement_is_told_without_the_parameters_of_secrecy(lent: Project, workspace: Workspace) -> None:
    found = of(lent, workspace)["town_sites"]
    assert (found.until, found.has_ended, found.finest) == ("2026-11-01", True, {"time": "month"})
    assert (found.secrecy, found.deliveries_kept) == (("dominance",), "P1Y")
    for path in write_register(lent, workspace, workspace.data.parent / "out", "all", NOW):
        assert "83" not in path.read_text(encoding="utf-8"), path.name
    assert "terminé, rien ne sort" in page(lent, workspace)


def test_a_name_of_somebody_elses_does_nothing_in_the_page(lent: Project, workspace: Workspace) -> None:
    text = page(lent, workspace)
    assert "<b>Ville</b>" not in text
    assert "&lt;b&gt;Ville&lt;/b&gt;" in text


def test_before_any_run_it_says_that_it_does_not_know_where_data_go(project: Project, workspace: Workspace) -> None:
    assert of(project, workspace)["town_counts"].goes_to is None
    text = page(project, workspace)
    assert "aucune exécution n&#39;a eu lieu" in text
    assert "nobody" not in text, "who sees it is not known either"


def traced(_: Project, __: Workspace, marts: Mapping[str, MartNode]) -> dict[str, Lineage]:
    """Stand in for the lineage of compiled SQL: the day decides which counters there are, and how many vehicles."""
    day = Origin("town_counts", "day", "influence", None, ())
    vehicles = Origin("town_counts", "vehicles", "value", None, ())
    nothing = dict.fromkeys(("source", "day_on"), frozenset[Origin]())
    columns = {**nothing, "counter_id": frozenset({day}), "vehicles": frozenset({day, vehicles})}
    return {key: Lineage(key, columns) for key in marts}


def test_after_a_run_it_says_where_data_go_and_in_which_columns(
    project: Project, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assemble(workspace)
    monkeypatch.setattr(lineage, "lineage_of_all", traced)
    found = of(project, workspace)["town_counts"]
    assert found.goes_to is not None
    [place] = found.goes_to
    assert (place.dataset, place.audiences) == ("comptages-de-la-petite-ville", ("public",))
    # The lineage above does not know period_month: it may hold anything.
    assert (place.columns, place.influenced) == (("vehicles", "period_month"), ("counter_id",))
    assert found.seen_by == ("public",)


def test_nobody_sees_what_the_agreement_keeps_in(
    lent: Project, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assemble(workspace)
    monkeypatch.setattr(lineage, "lineage_of_all", traced)
    assert of(lent, workspace)["town_sites"].seen_by == ()
    assert of(lent, workspace)["town_counts"].seen_by == ("public",)


def test_withdrawals_and_erasures_are_listed(project: Project, workspace: Workspace) -> None:
    what = {"slug": "comptages", "audience": "public", "releases": [{"release": "2025-12-03-aaaaaaaaaaaa"}]}
    record(workspace.data, Intervention("withdrawn", "2026-11-21T08:00:00Z", "Erreur <i>de</i> calcul", "DPO", what))
    text = page(project, workspace)
    assert "21/11/2026" in text
    assert "comptages (public) : 2025-12-03-aaaaaaaaaaaa" in text
    assert "Erreur &lt;i&gt;de&lt;/i&gt; calcul" in text


def test_the_tables_open_in_a_spreadsheet_and_hold_no_formula(lent: Project, workspace: Workspace) -> None:
    card = lent.card("town_sites")
    hostile = replace(lent, cards={**lent.cards, "town_sites": replace(card, attribution='=cmd|"x"')})
    paths = write_register(hostile, workspace, workspace.data.parent / "out", "csv", NOW)
    assert [path.name for path in paths] == [
        "registre.csv",
        "registre-destinations.csv",
        "registre-interventions.csv",
    ]
    text = paths[0].read_text(encoding="utf-8-sig")
    [_, sites] = list(csv.DictReader(text.splitlines(), delimiter=";"))
    assert sites["purposes"] == "Suivi des chantiers | Information du public"
    assert sites["attribution"].startswith("'=")
    assert (sites["personal_columns"], sites["never_load"]) == ("site_id (direct)", "site_id")


def test_the_json_says_the_same(lent: Project, workspace: Workspace) -> None:
    [path] = write_register(lent, workspace, workspace.data.parent / "out", "json", NOW)
    told = json.loads(path.read_text(encoding="utf-8"))
    assert told["dpo"]["contact"] == "dpo@ville.example"
    assert [one["source"] for one in told["records"]] == sorted(lent.enabled)
    assert told["records"][1]["legal_basis"] == PERSONAL["legal_basis"]


@pytest.mark.parametrize(
    ("text", "said"),
    [("P1Y", "1 an"), ("P6M", "6 mois"), ("P30D", "30 jours"), ("P0D", "jamais conservées"), ("P1Y6M", "P1Y6M")],
)
def test_durations_are_said_in_french(text: str, said: str) -> None:
    assert duration_in_french(text) == said


def test_the_bundled_territory_has_a_register() -> None:
    from orchestration.project import SAMPLE_TERRITORY

    project = load_project(SAMPLE_TERRITORY)
    found = register.read_register(project, Workspace(Path("/nonexistent")), NOW)
    assert len(found.records) == len(project.enabled)
