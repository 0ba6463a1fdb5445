"""The benchmark compares like with like: on a small city, run and script agree, and a difference is seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from raw_sources.files import read_json, write_json
from raw_sources.sample.generate import generate
from tests.benchmarks import floor
from tests.benchmarks.__main__ import Bench, Comparison, Disagreement, Measure, report, shares

ARCS, DAYS = 8, 50


@pytest.mark.slow
def test_run_and_script_make_the_same_marts_and_a_difference_is_seen(tmp_path: Path) -> None:
    manifest = generate(tmp_path / "city", arcs=ARCS, days=DAYS, bundled=True)
    bench = Bench(tmp_path, say=lambda _: None, themes=("mobility",))

    compared = bench.compare(tmp_path / "city")

    assert [one.title for one in compared] == ["first run", "nothing new", "one more month"]
    printed = report(manifest, compared)
    assert f"{manifest.traffic_rows:,} hourly records" in printed
    assert "dbt" in printed
    assert "exports" in printed
    result = read_json(tmp_path / "floor-more" / floor.RESULT_FILE)
    month = max(result["fingerprints"]["traffic_hourly"])
    result["fingerprints"]["traffic_hourly"][month][0] -= 1
    write_json(tmp_path / "seeded.json", result)
    with pytest.raises(Disagreement, match="traffic_hourly"):
        bench._check(read_json(tmp_path / "seeded.json"))


def test_shares_name_the_time_that_no_stage_claims() -> None:
    measure = Measure(wall=10.0, cpu=8.0, peak_mb=100.0, stages={"dbt": 6.0, "export": 1.5})

    lines = shares(measure).splitlines()

    assert [line.split() for line in lines] == [
        ["dbt", "6.0", "s", "60", "%"],
        ["export", "1.5", "s", "15", "%"],
        ["start,", "end", "and", "imports", "2.5", "s", "25", "%"],
    ]


def test_a_run_without_news_is_compared_with_the_script_of_the_first(tmp_path: Path) -> None:
    manifest = generate(tmp_path / "city", arcs=4, days=14)
    script = Measure(wall=4.0, cpu=4.0, peak_mb=50.0, stages={})
    idle = Measure(wall=1.0, cpu=0.5, peak_mb=25.0, stages={})

    printed = report(manifest, [Comparison("first run", script, script), Comparison("nothing new", idle, None)])

    (line,) = (line for line in printed.splitlines() if line.startswith("nothing new"))
    assert line.removeprefix("nothing new").split() == "1.0 4.0 0.25 0.5 4.0 0.12 25 50".split()
