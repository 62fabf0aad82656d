"""The best that any poll schedule can do, by dynamic programming on whole seconds, and what a given one does.

A schedule is judged by two means over all jobs: the polls, and the seconds between the end of a task and the poll that
sees it. Distributions are given as the share of tasks that ended by each whole second.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HORIZON_SECONDS = 3600
"""`JobDeadlineSeconds`: what runs longer ends there."""

Ended = NDArray[np.float64]
"""Element t: the share of tasks that ended within t seconds; 0 to HORIZON_SECONDS."""


@dataclass(frozen=True)
class Mixture:
    """Render times: (share, median in seconds, sigma of the logarithm), each part lognormal."""

    name: str
    parts: tuple[tuple[float, float, float], ...]

    @property
    def ended(self) -> Ended:
        total = np.zeros(HORIZON_SECONDS + 1)
        for share, median, sigma in self.parts:
            z = [math.log(t / median) / (sigma * math.sqrt(2)) for t in range(1, HORIZON_SECONDS + 1)]
            total[1:] += share * np.array([0.5 * math.erfc(-x) for x in z])
        return total


@dataclass(frozen=True)
class Means:
    """What a schedule does to the mean job."""

    polls: float
    delay_seconds: float


def means(ended: Ended, moments: Iterable[float]) -> Means:
    """Of the schedule that asks at these moments, in seconds after the submit, the last one at the deadline."""
    times = np.array([0, *sorted({int(t) for t in moments} | {HORIZON_SECONDS})])
    area = _area(ended)
    before, after = times[:-1], times[1:]
    polls = (1 - ended[before]).sum()
    delay = (area[after] - area[before] - ended[before] * (after - before)).sum()
    return Means(float(polls), float(delay))


def best_moments(ended: Ended, poll_worth_seconds: float) -> list[int]:
    """The moments that make `poll_worth_seconds` x polls + delay least: from the last second back to the submit."""
    area, last = _area(ended), len(ended) - 1
    cost, following = np.zeros(last + 1), np.zeros(last + 1, dtype=int)
    for t in range(last - 1, -1, -1):
        later = np.arange(t + 1, min(last, t + 900) + 1)
        delay = area[later] - area[t] - ended[t] * (later - t)
        costs = poll_worth_seconds * (1 - ended[t]) + delay + cost[later]
        best = int(costs.argmin())
        cost[t], following[t] = costs[best], later[best]
    moments, now = [], 0
    while now < last:
        now = int(following[now])
        moments.append(now)
    return moments


class Optimum:
    """The least mean delay at each mean number of polls, for one distribution."""

    def __init__(self, ended: Ended) -> None:
        worths = np.geomspace(0.01, 40, 70)
        found = sorted((m.polls, m.delay_seconds) for m in (means(ended, best_moments(ended, w)) for w in worths))
        self.polls = np.array([polls for polls, _ in found])
        self.delays = np.array([delay for _, delay in found])

    def delay_seconds(self, polls: float) -> float:
        """Between two computed ones on a straight line in logarithms, where the curve is nearly straight.

        Raises ValueError beyond the computed ones.
        """
        if not self.polls[0] <= polls <= self.polls[-1]:
            raise ValueError(f"{polls} polls: the optimum is known from {self.polls[0]:.1f} to {self.polls[-1]:.1f}")
        return float(np.exp(np.interp(np.log(polls), np.log(self.polls), np.log(self.delays))))

    def ratio(self, reached: Means) -> float:
        """How many times the least delay at the same number of polls."""
        return reached.delay_seconds / self.delay_seconds(reached.polls)


# --- Other schedules ---------------------------------------------------------------------------------------------


def fixed(seconds: int, first: int | None = None) -> list[int]:
    """Every so many seconds, the first time after `first`."""
    return list(range(first or seconds, HORIZON_SECONDS, seconds))


def by_waits(waits: Sequence[int], then: int) -> list[int]:
    """After each of these waits, then every `then` seconds."""
    moments, now = [], 0
    for wait in waits:
        now += wait
        moments.append(now)
    return [*moments, *range(now + then, HORIZON_SECONDS, then)]


def sdk() -> list[int]:
    """The dashscope SDK's: 1, 1, 2, 2, 2, 4, 4, 4, then every 5 seconds (performance baseline)."""
    return by_waits([1, 1, 2, 2, 2, 4, 4, 4], then=5)


def doubling() -> list[int]:
    """1, 2, 4, 8, 16, 32, then every 60 seconds."""
    return by_waits([1, 2, 4, 8, 16, 32], then=60)


def _area(ended: Ended) -> Ended:
    """The integral of `ended`, by trapezoids."""
    return np.concatenate([[0.0], np.cumsum((ended[1:] + ended[:-1]) / 2)])
