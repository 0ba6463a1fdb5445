"""The effect of works on the real extracts of Paris: two counters with series, in different years, allow no estimate.

A counter alone has no counters out of reach to correct by; a series of other years has nothing to say of the works.
"""

from __future__ import annotations

from tests.real.conftest import Authority

EFFECT = "mobility.works_traffic_effect"


def test_every_row_holds_a_reason_and_no_estimate(paris: Authority) -> None:
    assert paris.value(f"select count(*) from {EFFECT}") > 1_000
    statuses = {status for (status,) in paris.ask(f"select distinct estimate_status from {EFFECT}")}
    assert "estimated" not in statuses
    assert statuses <= {"too_short", "not_measured", "no_control", "silent", "set_aside", "barred"}
    assert (
        paris.value(f"select count(*) from {EFFECT} where coalesce(effect_pct, lower_pct, upper_pct) is not null") == 0
    )


def test_a_measured_spell_lacks_counters_to_correct_by(paris: Authority) -> None:
    measured = paris.ask(
        f"select distinct estimate_status from {EFFECT} where measured_hours >= 24 * 10 and spell_days >= 10"
    )
    assert measured == [("no_control",)]


def test_works_of_years_without_counts_are_not_measured(paris: Authority) -> None:
    unheard = paris.ask(f"select distinct estimate_status from {EFFECT} where measured_hours = 0 and spell_days >= 5")
    assert ("not_measured",) in unheard
    assert {status for (status,) in unheard} <= {"not_measured", "silent"}
