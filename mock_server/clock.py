"""The mock's own time: real, scaled, or standing still until it is told to move.

Everything that ages (tasks, links, rate windows) reads this clock, so that 24 hours can pass in one call.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache


class VirtualClock:
    """Virtual seconds since the epoch, UTC.

    `speed` is virtual seconds per real second: 1 is real time, 60 makes a minute of every second, 0 is a manual clock.
    """

    def __init__(
        self,
        speed: float = 1.0,
        *,
        start_at: float | None = None,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._elapsed = elapsed
        self._first_speed = speed
        self._start_at = start_at
        self.reset()

    def reset(self) -> None:
        """Back to the wall clock (or `start_at`) and to the first speed."""
        self.speed = self._first_speed
        self._base = time.time() if self._start_at is None else self._start_at
        self._anchor = self._elapsed()

    def now(self) -> float:
        """The virtual time in seconds since the epoch."""
        return self._base + (self._elapsed() - self._anchor) * self.speed

    def advance(self, seconds: float) -> None:
        """Jump ahead. A clock that ran backwards would undo what clients have already seen."""
        if seconds < 0:
            raise ValueError("the clock only moves forward")
        self._rebase(self.now() + seconds)

    def move_to(self, moment: float) -> None:
        """Jump to a moment (seconds since the epoch) that is not in the past."""
        self.advance(moment - self.now())

    def set_speed(self, speed: float) -> None:
        """From now on `speed` virtual seconds pass in a real one; 0 stops the clock."""
        if speed < 0:
            raise ValueError("the speed is 0 or more")
        self._rebase(self.now())
        self.speed = speed

    def _rebase(self, moment: float) -> None:
        self._base = moment
        self._anchor = self._elapsed()


def iso(moment: float) -> str:
    """Seconds since the epoch as `2026-01-31T12:00:00.000Z`."""
    second = math.floor(moment)
    return _to_the_second(second) + _MILLISECONDS[int((moment - second) * 1000)]


_MILLISECONDS = [f".{number:03}Z" for number in range(1000)]


@lru_cache(maxsize=1024)
def _to_the_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat().removesuffix("+00:00")
