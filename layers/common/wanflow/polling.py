"""When to ask next: the fewest polls for the least delay, in whole seconds (docs/polling.md derives it).

Asking too late delays the caller, asking too early costs money (three state transitions and a Lambda call). With a
hazard h(t), the chance a second that a task of age t ends now, the spacing that balances both is sqrt(2 c / h(t)),
where c is how many seconds of delay one poll is worth. So polls are laid out such that the integral of sqrt(h / 2c)
between two of them is 1: few while nothing can be expected, many around the typical time, fewer again in the tail.

The moments of the polls depend on the statistics and on the job's id alone, not on when somebody asks for them. So
delays do not add up, and the API knows when the workflow will ask.
"""

import math
import zlib
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import cached_property

from wanflow.render_times import BINS, EDGES, RenderTimes

POLL_WORTH_SECONDS = 0.95
"""c: seconds of delay that one poll is worth. A quarter of it would halve the delay and double the polls."""

EARLY_LOOK_SECONDS = (11, 14)
"""The first poll comes between these unless the kind is known not to end so early: a quick failure is told quickly."""

MAX_WAIT_SECONDS = 120
"""No wait is longer, however sure the statistics are."""

TAIL = 0.04
TAIL_SHARE = 0.06
"""Where fewer than TAIL of all tasks still run, the spacing is at least this share of the time already waited: the
statistics say little there, and whoever has waited for so long does not mind."""

_JITTER = 0.25
_EARLY_LOOK_SHARE = 0.05
_WELL_KNOWN_JOBS = 100
_WELL_KNOWN_EARLY = 0.005
_SETTLE_SECONDS = 3


class PollSchedule:
    """The schedule for the tasks of one kind.

    Args:
        typical_seconds: the median that is documented; what counts while nothing was seen.
        times: how long tasks of this kind took.
    """

    def __init__(self, typical_seconds: float, times: RenderTimes | None = None) -> None:
        self._typical_seconds = typical_seconds
        self._times = times or RenderTimes()

    def wait_seconds(
        self,
        elapsed_seconds: float,
        remaining_seconds: float,
        retry_after_seconds: int | None = None,
        *,
        phase: float = 0.5,
    ) -> int:
        """How long to wait before the next poll of a task submitted `elapsed_seconds` ago.

        Args:
            remaining_seconds: until the job's deadline, which gets a poll of its own.
            retry_after_seconds: the least wait that the provider asked for.
            phase: the job's own, from 0 to 1: it keeps jobs that began together from being asked for together.

        Returns:
            Whole seconds, at least 1.
        """
        elapsed = max(0.0, elapsed_seconds)
        # The poll that was just made came a little late; what is left until the next may be half a spacing.
        wait = round(min(MAX_WAIT_SECONDS, self._next_poll(elapsed, phase, least_spacing=0.5) - elapsed))
        wait = max(wait, retry_after_seconds or 0)
        return max(1, min(wait, math.ceil(remaining_seconds)))

    def news_in_seconds(self, elapsed_seconds: float, *, phase: float = 0.5) -> int:
        """How long it is, at any moment between two polls, until the next one can have told something; at least 1.

        A caller that asks at the moment of the poll itself would miss what follows it and come back one spacing later.
        """
        elapsed = max(0.0, elapsed_seconds)
        last = max(0.0, elapsed - _SETTLE_SECONDS)
        news = self._next_poll(last, phase, least_spacing=0) + _SETTLE_SECONDS
        return max(1, round(min(MAX_WAIT_SECONDS, news - elapsed)))

    def progress(self, elapsed_seconds: float) -> int:
        """A guess from 0 to 95 per cent: how many tasks of this kind would have ended by now."""
        return round(95 * (1 - self._survival(max(0.0, elapsed_seconds))))

    def _next_poll(self, elapsed: float, phase: float, least_spacing: float) -> float:
        """The next moment in seconds after the submit, at least so many spacings away."""
        shift = _JITTER * (phase - 0.5)
        number = max(1, math.floor(self._due(elapsed) + shift + least_spacing) + 1)
        regular = self._moment(number - shift)
        early = EARLY_LOOK_SECONDS[0] + phase * (EARLY_LOOK_SECONDS[1] - EARLY_LOOK_SECONDS[0])
        if elapsed < early - 1 and early < regular and self._looks_early(phase):
            return early
        return regular

    def _looks_early(self, phase: float) -> bool:
        """Always, until many jobs were seen and none of them ended early; then one in twenty keeps watch."""
        return not self._never_ends_early or phase < _EARLY_LOOK_SHARE

    @cached_property
    def _never_ends_early(self) -> bool:
        if self._times.jobs < _WELL_KNOWN_JOBS:
            return False
        last = bisect_right(EDGES, EARLY_LOOK_SECONDS[1]) - 1
        return math.fsum(self._times.counts[: last + 1]) < _WELL_KNOWN_EARLY * self._times.jobs

    # --- The distribution, laid out once over the bins -------------------------------------------------------------

    @cached_property
    def _survivals(self) -> list[float]:
        """The chance to run longer than each of EDGES."""
        left = [1.0]
        for mass in self._times.masses(self._typical_seconds):
            left.append(max(0.0, left[-1] - mass))
        return left

    @cached_property
    def _dues(self) -> list[float]:
        """The integral of sqrt(h / 2c) from 0 to each of EDGES: how many polls are due by then."""
        dues = [0.0]
        for i in range(BINS):
            dues.append(dues[-1] + self._due_within(i))
        return dues

    def _due_within(self, i: int) -> float:
        """The integral over bin i, in which tasks end evenly: of sqrt(d / S), where dS = -d dt."""
        width, high, low = EDGES[i + 1] - EDGES[i], self._survivals[i], self._survivals[i + 1]
        if high <= low:
            return 0.0
        due = math.sqrt(2 * width / (POLL_WORTH_SECONDS * (high - low))) * (math.sqrt(high) - math.sqrt(low))
        return min(due, width / EDGES[i] / TAIL_SHARE) if i > 0 and high < TAIL else due

    def _survival(self, t: float) -> float:
        return _between(t, EDGES, self._survivals)

    def _due(self, t: float) -> float:
        return _between(t, EDGES, self._dues)

    def _moment(self, due: float) -> float:
        """The time at which the integral reaches `due`; infinite when it never does."""
        return _between(due, self._dues, EDGES) if due < self._dues[-1] else math.inf


def _between(x: float, xs: Sequence[float], ys: Sequence[float]) -> float:
    """The value at `x` on the straight lines through the points; `xs` never falls, `x` is at least its first."""
    i = min(bisect_right(xs, x), len(xs) - 1)
    low, high = xs[i - 1], xs[i]
    share = min(1.0, (x - low) / (high - low)) if high > low else 1.0
    return ys[i - 1] + share * (ys[i] - ys[i - 1])


def phase_of(job_id: str) -> float:
    """A number from 0 to 1 that is the job's own."""
    return zlib.crc32(job_id.encode()) / 2**32


def full_jitter(tries: int, random: Callable[[], float], base_seconds: float = 2, cap_seconds: float = 60) -> int:
    """Backoff before try number `tries` + 1: uniform from 1 to base x 2^tries, capped; whole seconds."""
    ceiling = min(cap_seconds, base_seconds * 2.0 ** min(tries, 16))
    return max(1, round(random() * ceiling))
