"""The poll schedule against the best possible and against others: `.venv/bin/python -m benchmarks.polling`.

The optimum is found by dynamic programming, at the same mean number of polls. The learned schedules learn as the
pipeline does: job by job, from nothing but what their own polls saw. Deterministic; about a minute.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Iterable, Iterator
from random import Random

from benchmarks.poll_optimum import HORIZON_SECONDS, Means, Mixture, Optimum, doubling, fixed, means, sdk
from benchmarks.results import Row, command, save
from wanflow.polling import PollSchedule
from wanflow.render_times import BINS, REMEMBERED_JOBS, RenderTimes, lognormal_masses

TYPICAL_SECONDS = 150
"""`TypicalRenderSeconds`, the documented median."""

# Medians are 150 s, where no other is named; each part of a mixture has sigma 0.25, of the sharper one 0.15.
MAIN = Mixture("sigma 0.5", ((1, 150, 0.5),))
OTHERS = (
    Mixture("sigma 0.25", ((1, 150, 0.25),)),
    Mixture("sigma 0.9", ((1, 150, 0.9),)),
    Mixture("60/300 s mixture", ((0.5, 60, 0.25), (0.5, 300, 0.25))),
)
SHARPER = (
    Mixture("60/300 s mixture, 4 to 1", ((0.8, 60, 0.25), (0.2, 300, 0.25))),
    Mixture("60/300 s mixture, sharper", ((0.5, 60, 0.15), (0.5, 300, 0.15))),
)
LEARNED_JOBS = 50
PHASES = tuple((i + 0.5) / 20 for i in range(20))
_COMMAND = command("polling")


def moments(schedule: PollSchedule, phase: float, until: float = HORIZON_SECONDS) -> list[int]:
    """When a task is asked for, up to the first poll at or after `until`."""
    found = [schedule.wait_seconds(0, HORIZON_SECONDS, phase=phase)]
    while found[-1] < until:
        found.append(found[-1] + schedule.wait_seconds(found[-1], HORIZON_SECONDS - found[-1], phase=phase))
    return found


def judge(mixture: Mixture, schedule: PollSchedule) -> Means:
    """The means over jobs of all phases."""
    ended = mixture.ended
    each = [means(ended, moments(schedule, phase)) for phase in PHASES]
    return Means(statistics.fmean(m.polls for m in each), statistics.fmean(m.delay_seconds for m in each))


def known(mixture: Mixture) -> RenderTimes:
    """As if so many jobs had been seen that nothing is left to learn."""
    counts = [0.0] * BINS
    for share, median, sigma in mixture.parts:
        for i, mass in enumerate(lognormal_masses(median, sigma)):
            counts[i] += share * mass * 1e6
    return RenderTimes(tuple(counts))


def learning(mixture: Mixture, seed: int) -> Iterator[RenderTimes]:
    """What is known before any job, after one, after two...: each is polled by the schedule of its moment."""
    random, times = Random(seed), RenderTimes()
    while True:
        yield times
        task, schedule = _draw(mixture, random), PollSchedule(TYPICAL_SECONDS, times)
        polls = [0, *moments(schedule, random.random(), until=min(task, HORIZON_SECONDS))]
        if polls[-1] >= task:
            times = times.observe(polls[-2], polls[-1], TYPICAL_SECONDS)


def after(jobs: int, mixture: Mixture, seed: int) -> RenderTimes:
    return next(times for n, times in enumerate(learning(mixture, seed)) if n == jobs)


def _draw(mixture: Mixture, random: Random) -> float:
    shares = [share for share, _, _ in mixture.parts]
    _, median, sigma = random.choices(mixture.parts, shares)[0]
    return median * math.exp(random.gauss(0, sigma))


# --- The rows ----------------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100, help="how often each is learned anew (%(default)s)")
    seeds = range(parser.parse_args().seeds)
    learned = {m.name: [after(LEARNED_JOBS, m, seed) for seed in seeds] for m in (MAIN, *OTHERS, *SHARPER)}
    rows = main_case()
    for mixture in (MAIN, *OTHERS, *SHARPER):
        rows += learned_case(mixture, learned[mixture.name], seeds)
    rows += promises([RenderTimes(), *(times for each in learned.values() for times in each)])
    save("polling", rows)


def main_case() -> list[Row]:
    """Where the distribution is known; and what others do there."""
    best, ended = Optimum(MAIN.ended), MAIN.ended
    ours = judge(MAIN, PollSchedule(TYPICAL_SECONDS, known(MAIN)))
    others = {
        "every 15 s": fixed(15),
        "dashscope SDK": sdk(),
        "2^n up to 60 s": doubling(),
        "5% quantile, then every 15 s": fixed(15, first=round(150 * math.exp(-1.645 * 0.5))),
    }
    _tell_head(f"{MAIN.name}, known")
    _tell("ours", ours, best)
    at_optimum = "delay of the optimum at as many polls"
    rows = [
        Row("polls, sigma 0.5, known", best.ratio(ours), 1.10, "lower", at_optimum, _COMMAND),
        Row("polls, sigma 0.5, known: polls", ours.polls / 9, 1.0, "lower", "9 polls", _COMMAND),
        Row("polls, sigma 0.5, known: delay", ours.delay_seconds / 8, 1.0, "lower", "8 s", _COMMAND),
    ]
    for name, when in others.items():
        theirs = means(ended, when)
        _tell(name, theirs, best)
        rows.append(Row(f"polls, sigma 0.5, {name}", best.ratio(theirs), None, "lower", at_optimum, _COMMAND))
    return rows


def learned_case(mixture: Mixture, learned: list[RenderTimes], seeds: Iterable[int]) -> list[Row]:
    """Before anything was learned, after 50 jobs, after all that is remembered."""
    best = Optimum(mixture.ended)
    _tell_head(mixture.name)
    new = judge(mixture, PollSchedule(TYPICAL_SECONDS))
    _tell("nothing seen", new, best)
    after_50 = [judge(mixture, PollSchedule(TYPICAL_SECONDS, times)) for times in learned]
    ratios = [best.ratio(reached) for reached in after_50]
    _tell(f"{LEARNED_JOBS} jobs seen, mean of {len(ratios)}", _mean(after_50), best, statistics.fmean(ratios))
    worst = max(range(len(ratios)), key=ratios.__getitem__)
    _tell(f"{LEARNED_JOBS} jobs seen, worst of {len(ratios)}", after_50[worst], best)
    long = [after(REMEMBERED_JOBS, mixture, seed) for seed in list(seeds)[:5]]
    after_400 = [judge(mixture, PollSchedule(TYPICAL_SECONDS, times)) for times in long]
    later = statistics.fmean(best.ratio(reached) for reached in after_400)
    _tell(f"{REMEMBERED_JOBS} jobs seen, mean of {len(long)}", _mean(after_400), best, later)
    target = 1.30 if mixture in OTHERS else None
    at_optimum = "delay of the optimum at as many polls"
    return [
        Row(f"polls, {mixture.name}, nothing seen", best.ratio(new), None, "lower", at_optimum, _COMMAND),
        Row(f"polls, {mixture.name}, 50 jobs seen", statistics.fmean(ratios), target, "lower", at_optimum, _COMMAND),
        Row(f"polls, {mixture.name}, the same, worst", max(ratios), None, "lower", at_optimum, _COMMAND),
        Row(f"polls, {mixture.name}, 400 jobs seen", later, None, "lower", at_optimum, _COMMAND),
    ]


def promises(all_times: list[RenderTimes]) -> list[Row]:
    """The worst of everything that was learned above, and of every phase."""
    schedules = [(PollSchedule(TYPICAL_SECONDS, times), phase) for times in all_times for phase in PHASES]
    early = max(moments(schedule, phase, until=5)[-1] - 5 for schedule, phase in schedules)
    ten_minutes = max(len(moments(schedule, phase, until=600)) for schedule, phase in schedules)
    hour = max(len(moments(schedule, phase, until=3600)) for schedule, phase in schedules)
    print(f"\nworst of {len(schedules)}: 5 s noticed after {early} s; 600 s takes {ten_minutes} polls, an hour {hour}")
    return [
        Row("polls: a task of 5 s is noticed within", early / 10, 1.0, "lower", "10 s", _COMMAND),
        Row("polls: a task of 600 s takes", ten_minutes / 40, 1.0, "lower", "40 polls", _COMMAND),
        Row("polls: a task of an hour takes", hour / len(fixed(15)), None, "lower", "every 15 s", _COMMAND),
    ]


def _mean(each: list[Means]) -> Means:
    return Means(statistics.fmean(m.polls for m in each), statistics.fmean(m.delay_seconds for m in each))


def _tell_head(title: str) -> None:
    print(f"\n{title:44}{'polls':>8}{'delay, s':>10}{'optimum, s':>12}{'ratio':>8}")


def _tell(name: str, reached: Means, best: Optimum, ratio: float | None = None) -> None:
    least = best.delay_seconds(reached.polls)
    shown = best.ratio(reached) if ratio is None else ratio
    print(f"  {name:42}{reached.polls:8.2f}{reached.delay_seconds:10.2f}{least:12.2f}{shown:8.3f}")


if __name__ == "__main__":
    main()
