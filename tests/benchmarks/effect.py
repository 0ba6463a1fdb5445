"""How far the effect of works can be trusted: error, coverage, power, seconds. ``make bench-effect ARGS=…``.

Three proofs, each by the models themselves on traffic of which the truth is known (``effect_bed``):

1. recovery: the synthetic territory with its works, whose effects the generator knows;
2. placebo: windows declared as works in which nothing happens, in towns that keep the generator's assumptions and in
   towns that break them; a 95 % interval must cover zero in 93 to 97 % of them;
3. power: windows in which a known part of the traffic is taken away.

No window serves to set the method: what is printed here is found, not fitted. With ``--hours``, what is measured is
time and memory instead (``effect_size``).
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from raw_sources import geometry
from raw_sources.sample import city, town, traffic, works
from raw_sources.sample.scale import plan_for
from tests.benchmarks.__main__ import table
from tests.benchmarks.effect_bed import Bed, Counts, Floats, Site

REACH_M = 500.0
SHORTEST, LONGEST = 7, 60
LONG = range(61, 92)
"""Days of the longest windows that are estimated (``longest_spell_days``)."""
WINDOWS_PER_COUNTER = 3
ROLES = {"on": "on the block", "near": "within 250 m", "diversion": "diversion", "": "no effect"}
EFFECTS_PCT = (-5, -10, -20, -30)
LENGTHS = (7, 14, 28, 56)

SMALL_COUNTERS, SMALL_DAYS = 20, 120

NO_WORKS = works.Works((), (), ())


@dataclass(frozen=True)
class Broken:
    """How one assumption of the generator is broken: what is added to the logarithm of each day of each counter."""

    title: str
    added: Callable[[np.random.Generator, int, int], Floats]


def autoregressive(rng: np.random.Generator, days: int, counters: int, memory: float | Floats, spread: float) -> Floats:
    """Return (days, counters) of stationary noise in which each day keeps ``memory`` of the day before."""
    burn = 60
    drawn = rng.standard_normal((days + burn, counters))
    noise = np.zeros_like(drawn)
    for day in range(1, len(drawn)):
        noise[day] = memory * noise[day - 1] + np.sqrt(1 - np.square(memory)) * drawn[day]
    return spread * noise[burn:]


def _trend(rng: np.random.Generator, days: int, counters: int) -> Floats:
    return np.arange(days)[:, None] / 365 * rng.normal(0, 0.15, counters)


def _outliers(rng: np.random.Generator, days: int, counters: int) -> Floats:
    return (rng.random((days, counters)) < 0.02) * rng.normal(-0.2, 0.4, (days, counters))


def _missing(rng: np.random.Generator, days: int, counters: int) -> Floats:
    gone = np.where(rng.random((days, counters)) < 0.25, np.nan, 0.0)
    for counter in range(counters):
        for start in rng.integers(0, days, max(1, days // 90)):
            gone[start : start + rng.integers(5, 20), counter] = np.nan
    return gone


def _shocks(rng: np.random.Generator, days: int, counters: int) -> Floats:
    shock = (rng.random(days) < 0.05) * rng.normal(-0.25, 0.2, days)
    return shock[:, None] * rng.normal(1, 0.25, counters)


def _season(rng: np.random.Generator, days: int, counters: int) -> Floats:
    wave = 0.15 * np.sin(2 * np.pi * np.arange(days) / 180 + 1)
    return wave[:, None] * rng.normal(1, 0.4, counters)


def _all(rng: np.random.Generator, days: int, counters: int) -> Floats:
    kinds = (_trend, _outliers, _missing, _shocks)
    return sum((kind(rng, days, counters) for kind in kinds), autoregressive(rng, days, counters, 0.3, 0.06))


def _mixed_memory(rng: np.random.Generator, days: int, counters: int) -> Floats:
    return autoregressive(rng, days, counters, rng.uniform(0, 0.8, counters), 0.06)


SCENARIOS: Mapping[str, Broken] = {
    "sample": Broken("the generator as it is", lambda rng, days, counters: np.zeros((days, counters))),
    "trend": Broken("each counter drifts, 15 % a year (standard deviation)", _trend),
    "outliers": Broken("2 % of days wrong by 40 %", _outliers),
    "missing": Broken("25 % of days missing, and outages of weeks", _missing),
    "memory03": Broken("days correlated by 0.3", lambda r, d, c: autoregressive(r, d, c, 0.3, 0.06)),
    "memory06": Broken("days correlated by 0.6", lambda r, d, c: autoregressive(r, d, c, 0.6, 0.06)),
    "mixed": Broken("days correlated by 0 to 0.8, by counter", _mixed_memory),
    "shocks": Broken("5 % of days at -25 % for all, more or less", _shocks),
    "all": Broken("trend, outliers, missing, correlation 0.3 and shocks at once", _all),
    "season": Broken("a second season of 15 %, which counters share by 1 +- 0.4", _season),
}
OUT_OF_MODEL = frozenset({"season"})
"""Scenarios that no method by one common movement can follow: printed, and not promised."""


@dataclass(frozen=True)
class Window:
    """One declared window: its counter, first day and length, and the change that it truly brings (log)."""

    source: str
    counter: int
    start: int
    length: int
    change: float = 0.0


def quiet_town(name: str, counters: int, days: int, seed: int) -> tuple[Counts, Floats]:
    """Return the traffic of a town without works, with what its scenario adds to each day of each counter (log)."""
    plan = plan_for(1.0, counters, days)
    place = town.build(plan, seed)
    still = replace(place, changes=traffic.changes_of(NO_WORKS))
    counted = [still.day(day) for day in town.days_between(plan.first_day, plan.last_day)]
    scenario = SCENARIOS[name.split(".")[0]]
    added = scenario.added(np.random.default_rng([seed, 1]), plan.days, plan.arcs)
    flow = np.stack([one.flow_veh_h for one in counted])
    occupancy = np.stack([one.occupancy_pct for one in counted])
    return Counts(name, plan.first_day, place.network.arc_id, flow, occupancy), added


def with_added(counts: Counts, added: Floats) -> Counts:
    """Return the counts multiplied by ``exp(added)``, by day and counter; NaN is a day not measured."""
    factor = np.exp(added)[:, :, None]
    occupancy = None if counts.occupancy_pct is None else np.clip(counts.occupancy_pct * factor, 0.0, 100.0)
    return replace(counts, flow_veh_h=np.round(counts.flow_veh_h * factor), occupancy_pct=occupancy)


def draw_windows(counts: Counts, seed: int, lengths: Sequence[int] = ()) -> list[Window]:
    """Draw windows of each counter that do not overlap; of the given lengths in turn, or of 7 to 60 days."""
    rng = np.random.default_rng([seed, 2])
    days, windows = len(counts.flow_veh_h), []
    for counter in range(len(counts.counters)):
        taken = np.zeros(days, dtype=np.bool_)
        for _ in range(WINDOWS_PER_COUNTER):
            length = int(rng.choice(lengths)) if lengths else int(rng.integers(SHORTEST, LONGEST + 1))
            start = int(rng.integers(0, days - length))
            if not taken[start : start + length].any():
                taken[start : start + length] = True
                windows.append(Window(counts.source, counter, start, length))
    return windows


def changed_by(added: Floats, windows: Sequence[Window]) -> Floats:
    """Return ``added`` with the change of each window in its days."""
    changed = added.copy()
    for one in windows:
        changed[one.start : one.start + one.length, one.counter] += one.change
    return changed


def site_of(window: Window, number: int, counts: Counts) -> Site:
    """Return the site that declares a window as works, at the counter itself."""
    first = counts.first_day + timedelta(days=window.start)
    last = first + timedelta(days=window.length - 1)
    near = [(counts.source, counts.counters[window.counter], 20.0, "on")]
    return Site("declared", f"{window.source}-{number}", first, last, near)


def run_windows(bed: Bed, towns: Sequence[Counts], windows: Sequence[Sequence[Window]]) -> dict[str, float]:
    """Fill the warehouse with towns and their windows, run the models; return the seconds of each."""
    sites = [
        site_of(one, number, counts)
        for counts, own in zip(towns, windows, strict=True)
        for number, one in enumerate(own)
    ]
    last = max(counts.first_day + timedelta(days=len(counts.flow_veh_h) - 1) for counts in towns)
    bed.fill(towns, sites, last)
    return bed.run()


ESTIMATES = """
select
    source, measure, spell_days,
    cast(effect_pct as double) as effect_pct, cast(lower_pct as double) as lower_pct,
    cast(upper_pct as double) as upper_pct,
    json_extract_string(sites, '$[0].site_id') as site_id
from mobility.works_traffic_effect
where estimate_status = 'estimated' and sites_count = 1
order by source, counter_id, start_on, measure
"""


# --- placebo --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """Estimates of windows, as parallel arrays; ``at_an_end`` has less than 14 days of counts on one of its sides."""

    scenario: npt.NDArray[np.str_]
    measure: npt.NDArray[np.str_]
    length: npt.NDArray[np.int64]
    at_an_end: npt.NDArray[np.bool_]
    columns: Mapping[str, npt.NDArray[Any]]


def placebo(
    bed: Bed,
    counters: int,
    days: int,
    towns: int,
    seed: int,
    scenarios: Sequence[str],
    lengths: Sequence[int] = (),
) -> Found:
    """Return the estimates of windows in which nothing happens, drawn anew for each scenario."""
    made, windows = [], []
    for name in scenarios:
        for number in range(towns):
            own_seed = seed + 1000 * list(SCENARIOS).index(name) + number
            counts, added = quiet_town(f"{name}.{number}", counters, days, own_seed)
            made.append(with_added(counts, added))
            windows.append(draw_windows(counts, own_seed, lengths))
    run_windows(bed, made, windows)
    drawn = {f"{one.source}-{number}": one for own in windows for number, one in enumerate(own)}
    columns = bed.columns(ESTIMATES)
    own = [drawn[str(site)] for site in columns["site_id"]]
    return Found(
        scenario=np.asarray([one.source.split(".")[0] for one in own]),
        measure=columns["measure"],
        length=np.asarray([one.length for one in own]),
        at_an_end=np.asarray([min(one.start, days - one.start - one.length) < 14 for one in own]),
        columns=columns,
    )


def placebo_tables(found: Sequence[Found]) -> tuple[list[list[str]], list[list[str]]]:
    """Return lines by scenario and measure, and lines by length and place of the window over what is promised."""
    head = ["windows", "covered %", "+- 2 se", "mean error %", "half-width %"]
    rows, every = [["scenario", "measure", *head]], _joined(found)
    for name in dict.fromkeys(every.scenario.tolist()):
        for measure in ("flow", "occupancy"):
            chosen = (every.scenario == name) & (every.measure == measure)
            rows.append([name, measure, *covered(every.columns, chosen)])
    promised = ~np.isin(every.scenario, list(OUT_OF_MODEL))
    bounds = ((SHORTEST, 14), (14, 30), (30, LONGEST + 1))
    kinds = [
        (f"{low} to {high - 1} days", promised & (every.length >= low) & (every.length < high)) for low, high in bounds
    ]
    kinds.append(("at an end of the counts", promised & every.at_an_end))
    return rows, [["windows of", *head], *([title, *covered(every.columns, chosen)] for title, chosen in kinds)]


def _joined(found: Sequence[Found]) -> Found:
    return Found(
        scenario=np.concatenate([one.scenario for one in found]),
        measure=np.concatenate([one.measure for one in found]),
        length=np.concatenate([one.length for one in found]),
        at_an_end=np.concatenate([one.at_an_end for one in found]),
        columns={name: np.concatenate([one.columns[name] for one in found]) for name in found[0].columns},
    )


def covered(found: Mapping[str, npt.NDArray[Any]], chosen: npt.NDArray[np.bool_], truth: float = 0.0) -> list[str]:
    """Return N, the share of intervals that hold the truth with its sampling error, mean error and half-width."""
    lower, upper, effect = (np.asarray(found[name][chosen]) for name in ("lower_pct", "upper_pct", "effect_pct"))
    if not len(effect):
        return ["0", "", "", "", ""]
    share = float(np.mean((lower <= truth) & (upper >= truth)))
    error = 2 * np.sqrt(share * (1 - share) / len(effect))
    half = float(np.median(upper - lower)) / 2
    return [
        str(len(effect)),
        f"{100 * share:.1f}",
        f"{100 * error:.1f}",
        f"{np.mean(effect - truth):+.2f}",
        f"{half:.1f}",
    ]


# --- power ----------------------------------------------------------------------------------------------------------


def power(bed: Bed, counters: int, days: int, towns: int, seed: int, scenarios: Sequence[str]) -> list[list[str]]:
    """Return, by scenario and length of spell, the share of windows of each true effect that the intervals detect."""
    made, windows = [], []
    for place, name in enumerate(scenarios):
        for number in range(towns):
            own_seed = seed + 5000 + 100 * place + number
            counts, added = quiet_town(f"{name}.{number}", counters, days, own_seed)
            drawn = [
                replace(one, change=float(np.log1p(EFFECTS_PCT[count % len(EFFECTS_PCT)] / 100)))
                for count, one in enumerate(draw_windows(counts, own_seed, LENGTHS))
            ]
            made.append(with_added(counts, changed_by(added, drawn)))
            windows.append(drawn)
    run_windows(bed, made, windows)
    truth = {
        f"{one.source}-{number}": (one.length, round(100 * np.expm1(one.change)))
        for own in windows
        for number, one in enumerate(own)
    }
    found = [row for row in bed.ask(ESTIMATES) if row[1] == "flow"]
    rows = [["scenario", "days of spell", *(f"{effect} %" for effect in EFFECTS_PCT), "windows", "covered %"]]
    for name in scenarios:
        for length in LENGTHS:
            own = [(row, truth[row[6]][1]) for row in found if row[0].startswith(name) and truth[row[6]][0] == length]
            rows.append([name, str(length), *_detected(own)])
    return rows


def _detected(found: Sequence[tuple[tuple[Any, ...], int]]) -> list[str]:
    shares = []
    for effect in EFFECTS_PCT:
        own = [row for row, truth in found if truth == effect]
        shares.append(f"{100 * np.mean([row[5] < 0 for row in own]):.0f}" if own else "")
    held = [row[4] <= truth <= row[5] for row, truth in found]
    return [*shares, str(len(held)), f"{100 * np.mean(held):.1f}" if held else ""]


# --- recovery -------------------------------------------------------------------------------------------------------


def town_with_works(counters: int, days: int, seed: int, reach_m: float) -> tuple[town.Town, Counts, list[Site]]:
    """Return a synthetic town, its counts, and its works with the counters within ``reach_m`` of them."""
    plan = plan_for(1.0, counters, days)
    place = town.build(plan, seed)
    counted = [place.day(day) for day in town.days_between(plan.first_day, plan.last_day)]
    flow = np.stack([one.flow_veh_h for one in counted])
    barred = np.stack([one.barred for one in counted])
    counts = Counts(f"town.{seed}", plan.first_day, place.network.arc_id, flow, None, None, barred)
    lines = [works.json_text({"type": "LineString", "coordinates": line}) for line in _lines(place.network)]
    sites = []
    for one in place.works.sites:
        shape, _ = works.rectangle(place.network, one.block, one.share, 0.0, 9.0)
        sites.append(Site("sites", one.identifier, one.start, one.end, _near(counts, lines, shape, reach_m)))
    for closure in place.works.closures:
        axes = [works._axis(place.network, block) for block in closure.blocks]
        shape = works.json_text({"type": "MultiLineString", "coordinates": axes})
        near = _near(counts, lines, shape, reach_m)
        night = closure.first_night
        start, end = (at.astimezone(UTC).replace(tzinfo=None) for at in (closure.start, closure.end))
        sites.append(Site("closures", closure.identifier, night, night + timedelta(days=1), near, start, end))
    return place, counts, sites


def _lines(network: city.Network) -> list[list[list[float]]]:
    return [network.line_of_arc(arc) for arc in range(len(network.arc_id))]


def _near(counts: Counts, lines: Sequence[str], shape: str, reach_m: float) -> list[tuple[str, str, float, str]]:
    """Return the counters within reach of a shape, as the warehouse measures them."""
    arcs, others = geometry.parse(lines), geometry.parse([shape] * len(lines))
    distances, positions = geometry.distances_m(arcs, others), geometry.positions(arcs, others)
    return [
        (counts.source, counts.counters[place], float(distances[place]), str(positions[place]))
        for place in np.flatnonzero(distances <= reach_m).tolist()
    ]


RECOVERED = """
select
    source, counter_id, cast(effect_pct as double), cast(lower_pct as double), cast(upper_pct as double), position,
    attribution, attributed_sites
from mobility.works_traffic_effect
where estimate_status = 'estimated' and measure = 'flow'
order by source, counter_id, start_on
"""


def recovery(bed: Bed, counters: int, days: int, towns: int, seed: int) -> tuple[list[list[str]], list[list[str]]]:
    """Return lines by what the generator did to the counter, and the number of rows by status."""
    built = [town_with_works(counters, days, seed + 900 + number, REACH_M) for number in range(towns)]
    sites = [
        replace(one, site_id=f"{counts.source}-{one.site_id}") for _, counts, own in built for one in own if one.near
    ]
    bed.fill([counts for _, counts, _ in built], sites, max(place.plan.last_day for place, *_ in built))
    bed.run()
    truth = {counts.source: _known_changes(place, counts.source) for place, counts, _ in built}
    errors: dict[str, list[tuple[float, float, float, float]]] = {}
    for source, counter, effect, lower, upper, _, attribution, attributed in bed.ask(RECOVERED):
        roles, change = _truth_of(truth[source], counter, json.loads(attributed))
        role = ROLES[roles[0]] if attribution == "site" else "several sites"
        errors.setdefault(role, []).append((effect, lower, upper, 100 * float(np.expm1(change))))
    rows = [["effect of the generator", "spells", "true %", "mean error %", "rms error %", "covered %"]]
    rows += [[role, *_errors(errors.get(role, []))] for role in (*ROLES.values(), "several sites")]
    counted = bed.ask(
        "select estimate_status, count(*) from mobility.works_traffic_effect group by all order by 2 desc"
    )
    return rows, [["status", "rows"], *([status, str(number)] for status, number in counted)]


def _known_changes(place: town.Town, source: str) -> dict[tuple[str, str], tuple[str, float]]:
    """Return role and change (log) by site and counter, as effects.json has them."""
    return {
        (f"sites/{source}-{one.identifier}", place.network.arc_id[effect.arc]): (effect.role, np.log1p(effect.change))
        for one in place.works.sites
        for effect in one.effects
    }


def _truth_of(
    known: Mapping[tuple[str, str], tuple[str, float]], counter: str, attributed: Sequence[str]
) -> tuple[list[str], float]:
    """Return roles and summed change (log) of the sites that a departure is attributed to."""
    found = [known.get((site, counter), ("", 0.0)) for site in attributed]
    return [role for role, _ in found], sum(change for _, change in found)


def _errors(found: Sequence[tuple[float, float, float, float]]) -> list[str]:
    if not found:
        return ["0", "", "", "", ""]
    effect, lower, upper, truth = np.asarray(found).T
    error, held = effect - truth, (lower <= truth) & (truth <= upper)
    return [
        str(len(found)),
        f"{np.mean(truth):+.1f}",
        f"{np.mean(error):+.2f}",
        f"{np.sqrt(np.mean(error**2)):.2f}",
        f"{100 * np.mean(held):.1f}",
    ]


# --- the command ----------------------------------------------------------------------------------------------------


def report(folder: Path, counters: int, days: int, towns: int, seed: int, say: Callable[[str], None]) -> str:
    """Run the three proofs in ``folder``; return their figures."""
    size = f"{counters} counters, {days} days, {towns} towns a scenario, seed {seed}"
    say("recovery: the territory with its works")
    recovered, statuses = recovery(Bed(folder / "recovery"), counters, days, towns, seed)
    found, long = [], []
    for name in SCENARIOS:
        say(f"placebo: {name}")
        for kind, lengths in ((found, ()), (long, LONG)):
            kind.append(placebo(Bed(folder / name), counters, days, towns, seed, [name], lengths))
            shutil.rmtree(folder / name)
    zero, kinds = placebo_tables(found)
    say("placebo: small towns")
    small = placebo(
        Bed(folder / "small"), SMALL_COUNTERS, SMALL_DAYS, 8 * towns, seed, ["sample", "memory06", "shocks"]
    )
    say("power")
    strong = power(Bed(folder / "power"), counters, days, towns, seed, ["sample", "memory06"])
    scenarios = "\n".join(f"  {name:9} {one.title}" for name, one in SCENARIOS.items())
    parts = [
        f"{size}; spells of {SHORTEST} to {LONGEST} days, reach {REACH_M:.0f} m",
        "1. Recovery of the generator's effects on flow, over spells that could be estimated",
        table(recovered),
        table(statuses),
        "2. Placebo: share of 95 % intervals that cover zero; 93 to 97 is asked for, within +- 2 standard errors\n"
        + f"{scenarios}\n  (not promised: {', '.join(sorted(OUT_OF_MODEL))})",
        table(zero),
        table(kinds),
        f"The same, windows of {LONG[0]} to {LONG[-1]} days",
        table(placebo_tables(long)[0]),
        f"The same in towns of {SMALL_COUNTERS} counters followed {SMALL_DAYS} days: about ten controls a day",
        table(placebo_tables([small])[0]),
        "3. Power: share of true effects on flow whose interval lies below zero, %",
        table(strong),
    ]
    return "\n\n".join(parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the options, run the proofs in a temporary folder, print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.effect", description=__doc__)
    parser.add_argument("--counters", type=int, default=150, help="counters of a town (150)")
    parser.add_argument("--days", type=int, default=365, help="days of counts (365)")
    parser.add_argument("--towns", type=int, default=3, help="towns a scenario (3): about 380 windows each")
    parser.add_argument("--seed", type=int, default=1, help="seed of the towns (1)")
    parser.add_argument("--hours", type=int, help="time the models on about this many hours instead, such as 30000000")
    chosen = parser.parse_args(arguments)

    def say(message: str) -> None:
        sys.stderr.write(f"{message}\n")

    with tempfile.TemporaryDirectory(prefix="halle-bench-") as folder:
        if chosen.hours:
            from tests.benchmarks.effect_size import size_report  # which builds on this module

            text = size_report(Path(folder), chosen.hours, say)
        else:
            text = report(Path(folder), chosen.counters, chosen.days, chosen.towns, chosen.seed, say)
    sys.stdout.write(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
