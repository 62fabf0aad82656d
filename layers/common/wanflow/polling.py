"""When to ask next: the fewest polls for the least delay, in whole seconds.

Asking too late delays the caller, asking too early costs money (three state transitions and a Lambda call). With a
hazard h(t), the chance a second that a task of age t ends now, the spacing that balances both is sqrt(2 c / h(t)),
where c is how many seconds of delay one poll is worth. So polls are laid out such that the integral of sqrt(h / 2c)
between two of them is 1: few while nothing can be expected, many around the typical time, fewer again in the tail.

The distribution is a mixture: most tasks are lognormal around the typical time, some end at any time (a small size, a
quick failure), which is what makes an early end noticed early.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

SIGMA = 0.5
"""Spread of the logarithm of render times around the typical one (performance.md: the main case)."""

_POLL_WORTH_SECONDS = 1.2
_SHARE_AT_ANY_TIME = 0.1
_MAX_WAIT_SECONDS = 60
_FIRST_LOOK_SECONDS = 10


@dataclass(frozen=True, slots=True)
class PollSchedule:
    """The schedule for tasks that typically take `typical_seconds` (the median)."""

    typical_seconds: float

    def wait_seconds(
        self, elapsed_seconds: float, remaining_seconds: float, retry_after_seconds: int | None = None
    ) -> int:
        """How long to wait before the next poll of a task submitted `elapsed_seconds` ago.

        Args:
            remaining_seconds: until the job's deadline, which gets a poll of its own.
            retry_after_seconds: the least wait that the provider asked for.

        Returns:
            Whole seconds, at least 1.
        """
        wait = self._spacing(max(0.0, elapsed_seconds))
        wait = max(wait, retry_after_seconds or 0)
        return max(1, min(wait, math.ceil(remaining_seconds)))

    def progress(self, elapsed_seconds: float) -> int:
        """A guess from 0 to 95 per cent: how many tasks of this kind would have ended by now."""
        return round(95 * (1 - self._survival(max(0.0, elapsed_seconds))))

    def _spacing(self, elapsed: float) -> int:
        limit = _MAX_WAIT_SECONDS if elapsed >= 1 else _FIRST_LOOK_SECONDS
        due = 0.0
        for wait in range(1, limit + 1):
            due += math.sqrt(self._hazard(elapsed + wait - 0.5) / (2 * _POLL_WORTH_SECONDS))
            if due >= 1:
                return wait
        return limit

    def _hazard(self, t: float) -> float:
        return self._density(t) / max(self._survival(t), 1e-9)

    def _density(self, t: float) -> float:
        z = math.log(t / self.typical_seconds) / SIGMA
        lognormal = math.exp(-z * z / 2) / (t * SIGMA * math.sqrt(2 * math.pi))
        mean = self.typical_seconds
        return (1 - _SHARE_AT_ANY_TIME) * lognormal + _SHARE_AT_ANY_TIME * math.exp(-t / mean) / mean

    def _survival(self, t: float) -> float:
        if t <= 0:
            return 1.0
        z = math.log(t / self.typical_seconds) / SIGMA
        lognormal = 0.5 * math.erfc(z / math.sqrt(2))
        return (1 - _SHARE_AT_ANY_TIME) * lognormal + _SHARE_AT_ANY_TIME * math.exp(-t / self.typical_seconds)


def full_jitter(tries: int, random: Callable[[], float], base_seconds: float = 2, cap_seconds: float = 60) -> int:
    """Backoff before try number `tries` + 1: uniform from 1 to base x 2^tries, capped; whole seconds."""
    ceiling = min(cap_seconds, base_seconds * 2.0 ** min(tries, 16))
    return max(1, round(random() * ceiling))
