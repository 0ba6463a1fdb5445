"""The schema's version, the change log, and the release log that carries them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from exports.changes import check_version, describe_changes
from exports.log import ColumnFacts, Entry, FileFacts, PeriodFacts, ReleaseLog
from raw_sources.errors import ConfigurationError, MachineryError

ID = ColumnFacts("id", "VARCHAR", None)
FLOW = ColumnFacts("flow", "DOUBLE", "veh/h")
ENTRY = Entry(
    slug="mesures",
    mart="street.measures",
    sequence=1,
    release="2024-05-01-0123456789ab",
    as_of="2024-05-01",
    version="1.2.0",
    previous=None,
    content="0123456789ab",
    recipe="r",
    engine="duckdb-1.5",
    certificate="c",
    partitioned=False,
    columns=(ID, FLOW),
    periods={"2024-04": PeriodFacts(2, "20"), "2024-05": PeriodFacts(3, "30")},
    files={"mesures.parquet": FileFacts("00", 4, 5)},
)


@pytest.mark.parametrize(
    ("columns", "too_low", "enough"),
    [
        ((ID,), "1.9.0", "2.0.0"),
        ((ID, ColumnFacts("debit", "DOUBLE", "veh/h")), "1.3.0", "2.0.0"),
        ((ID, ColumnFacts("flow", "INTEGER", "veh/h")), "1.3.0", "2.0.0"),
        ((ID, ColumnFacts("flow", "DOUBLE", "veh/d")), "1.3.0", "2.0.0"),
        ((ID, FLOW, ColumnFacts("speed", "DOUBLE", "km/h")), "1.2.9", "1.3.0"),
        ((FLOW, ID), "1.2.1", "1.3.0"),
        ((ID, FLOW), "1.1.9", "1.2.0"),
    ],
)
def test_the_version_must_announce_the_change(columns: tuple[ColumnFacts, ...], too_low: str, enough: str) -> None:
    with pytest.raises(ConfigurationError, match=f"Set the version to {enough.replace('.', '[.]')} or later"):
        check_version(ENTRY, too_low, columns, "card.yml")
    check_version(ENTRY, enough, columns, "card.yml")


def test_changes_name_rows_periods_and_columns() -> None:
    periods = {"2024-05": PeriodFacts(3, "31"), "2024-06": PeriodFacts(7, "70")}
    changes = describe_changes(ENTRY, "2.0.0", (ID,), periods, "duckdb-1.5")
    assert changes["rows"] == {"before": 5, "after": 10, "difference": 5}
    assert changes["periods"] == {
        "added": ["2024-06"],
        "removed": ["2024-04"],
        "revised": [{"period": "2024-05", "rows_before": 3, "rows_after": 3}],
    }
    assert changes["schema"]["removed"] == ["flow"]


def test_hashes_of_another_engine_are_not_compared() -> None:
    periods = {"2024-04": PeriodFacts(2, "99"), "2024-05": PeriodFacts(4, "99")}
    changes = describe_changes(ENTRY, "1.2.0", (ID, FLOW), periods, "duckdb-2.0")
    assert changes["comparison"] == "rows"
    assert [one["period"] for one in changes["periods"]["revised"]] == ["2024-05"]


def test_the_log_gives_back_what_was_appended(tmp_path: Path) -> None:
    log = ReleaseLog(tmp_path / "releases")
    assert log.last("mesures") is None
    second = replace(ENTRY, sequence=2, previous=ENTRY.release)
    log.append(ENTRY)
    log.append(second)
    assert log.entries("mesures") == [ENTRY, second]
    assert log.slugs() == ["mesures"]


def test_a_line_cut_by_a_kill_was_never_committed(tmp_path: Path) -> None:
    log = ReleaseLog(tmp_path)
    log.append(ENTRY)
    path = tmp_path / "mesures.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:50])
    assert log.entries("mesures") == [ENTRY]
    log.append(ENTRY)
    assert path.read_bytes() == whole + whole


def test_a_damaged_log_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "mesures.jsonl").write_text('{"slug": "mesures"}\n')
    with pytest.raises(MachineryError, match=r"mesures\.jsonl:1"):
        ReleaseLog(tmp_path).last("mesures")
