"""How long the simulated provider takes: queueing, then rendering, from a seeded distribution."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from random import Random

from .rules import Parameters
from .settings import Settings

QUEUED_SHARE = 0.1
"""The part of a task's time that it is `queued` even when a worker is free."""

_AVERAGE_SECONDS = 5
_AVERAGE_PIXELS = 1280 * 720


@dataclass(slots=True)
class Schedule:
    """The virtual moments (seconds since the epoch) at which a task starts rendering and ends."""

    starts_at: float
    ends_at: float


class RenderTimes:
    """Draws a schedule for each new task. With `workers` set, a task waits until one of them is free."""

    def __init__(self, settings: Settings, randomness: Random) -> None:
        self._settings = settings
        self._randomness = randomness
        self._free_at = [0.0] * settings.workers

    def schedule(self, parameters: Parameters, now: float) -> Schedule:
        """When a task that was created at `now` starts and ends."""
        seconds = self._seconds(parameters)
        begins = now
        if self._free_at:
            begins = max(now, self._free_at[0])
            heapq.heapreplace(self._free_at, begins + seconds)
        return Schedule(begins + seconds * QUEUED_SHARE, begins + seconds)

    def _seconds(self, parameters: Parameters) -> float:
        seconds = self._settings.render_seconds
        if self._settings.render_distribution == "lognormal":
            seconds *= math.exp(self._settings.render_sigma * self._randomness.gauss())
        if self._settings.render_by_size:
            width, height = map(int, parameters.size.split("*"))
            seconds *= (parameters.duration / _AVERAGE_SECONDS) * (width * height / _AVERAGE_PIXELS)
        return seconds
