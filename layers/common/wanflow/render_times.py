"""How long tasks take at the provider: a small histogram for each kind of job, mixed with what is documented.

Bins are a quarter of an octave wide (a factor of 1.19), so one histogram serves seconds and hours. Nobody sees a task
end: it ran at one poll and had ended at the next. The count goes to the bins between the two, in proportion to what
was expected there (one step of expectation-maximization).
"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from wanflow.pricing import TIER_OF_SIZE
from wanflow.references import VIDEO_ENDINGS, ending_of

_BINS_PER_OCTAVE = 4
_OCTAVES = 17
EDGES: tuple[float, ...] = (0.0, *(2 ** (i / _BINS_PER_OCTAVE) for i in range(_OCTAVES * _BINS_PER_OCTAVE + 1)))
"""Seconds: bin i reaches from EDGES[i] to EDGES[i + 1]; the last one ends at 36 hours, beyond every deadline."""

BINS = len(EDGES) - 1

PRIOR_JOBS = 1.0
"""How many observed jobs the documented duration counts as much as."""

REMEMBERED_JOBS = 400
"""A new job lets all older ones count 1/400 less, so this is the most that they count together."""

_PRIOR_SIGMA = 0.5
_BROAD_SIGMA = 1.5
_BROAD_SHARE = 0.1
_PASSES_FOR_ONE = 16


class RenderTimes(NamedTuple):
    """The tasks of one kind that were seen ending: `counts` in each bin; all zero for a new kind."""

    counts: tuple[float, ...] = (0.0,) * BINS

    @property
    def jobs(self) -> float:
        """How many jobs they count as, at most REMEMBERED_JOBS."""
        return math.fsum(self.counts)

    def masses(self, typical_seconds: float) -> tuple[float, ...]:
        """The chance of an end in each bin, all together 1: what was seen, and the prior around the typical time."""
        weight = PRIOR_JOBS + self.jobs
        prior = _prior_masses(typical_seconds)
        return tuple((PRIOR_JOBS * p + s) / weight for p, s in zip(prior, _smoothed(self.counts), strict=True))

    def observe(self, after_seconds: float, by_seconds: float, typical_seconds: float) -> "RenderTimes":
        """Count a task that still ran `after_seconds` after its submit and had ended `by_seconds` after it."""
        after = max(0.0, min(after_seconds, by_seconds))
        by = max(by_seconds, after + 0.001)
        shares = [mass * _overlap(i, after, by) for i, mass in enumerate(self.masses(typical_seconds))]
        total = math.fsum(shares)
        if total <= 0:
            # Longer than all bins, or where nothing at all was expected.
            shares = [_overlap(i, after, by) for i in range(BINS - 1)] + [float(by > EDGES[-2])]
            total = math.fsum(shares)
        keep = 1 - 1 / REMEMBERED_JOBS
        return RenderTimes(tuple(c * keep + s / total for c, s in zip(self.counts, shares, strict=True)))

    def as_numbers(self) -> dict[str, float]:
        """The bins that hold anything, by their number, for storage."""
        return {str(i): round(count, 4) for i, count in enumerate(self.counts) if count >= 0.0005}

    @classmethod
    def of_numbers(cls, numbers: Mapping[str, Any]) -> "RenderTimes":
        """What `as_numbers` gave.

        Raises:
            ValueError: these are no counts of bins.
        """
        counts = [0.0] * BINS
        for name, count in numbers.items():
            if not (name.isascii() and name.isdecimal() and len(name) < 4 and int(name) < BINS):
                raise ValueError("a name is no number of a bin")
            if isinstance(count, bool) or not isinstance(count, int | float) or not 0 <= count <= REMEMBERED_JOBS + 1:
                raise ValueError(f"bin {name} holds no count from 0 to {REMEMBERED_JOBS}")
            counts[int(name)] = float(count)
        # More than are ever remembered would take too long to be forgotten.
        scale = min(1.0, REMEMBERED_JOBS / max(1.0, math.fsum(counts)))
        return cls(tuple(count * scale for count in counts))


def kind_of(request: Mapping[str, Any]) -> str:
    """What a job's render time depends on, as far as a job can be told from others: one of twelve words.

    The tier (720P, 1080P), the seconds of video (up to 5, 10 or 15), and whether a reference is a video:
    `720P-5s-images`, `1080P-15s-video`.

    Args:
        request: as the record keeps it, defaults filled in, every reference an URL.
    """
    parameters = request["parameters"]
    seconds = next((most for most in (5, 10) if parameters["duration"] <= most), 15)
    endings = {ending_of(str(url).partition("?")[0]) for url in request["input"]["reference_urls"]}
    return f"{TIER_OF_SIZE[parameters['size']]}-{seconds}s-{'video' if endings & VIDEO_ENDINGS else 'images'}"


def lognormal_masses(median_seconds: float, sigma: float) -> tuple[float, ...]:
    """The masses of a lognormal distribution in the bins; what lies beyond the last one is in the last one."""
    below = [_below(edge, median_seconds, sigma) for edge in EDGES[:-1]] + [1.0]
    return tuple(high - low for low, high in pairwise(below))


def _below(seconds: float, median: float, sigma: float) -> float:
    return 0.5 * math.erfc(-math.log(seconds / median) / (sigma * math.sqrt(2))) if seconds > 0 else 0.0


@lru_cache(maxsize=8)
def _prior_masses(typical_seconds: float) -> tuple[float, ...]:
    """What is expected before anything was seen: most tasks near the typical time, a tenth anywhere around it."""
    near = lognormal_masses(typical_seconds, _PRIOR_SIGMA)
    broad = lognormal_masses(typical_seconds, _BROAD_SIGMA)
    return tuple((1 - _BROAD_SHARE) * n + _BROAD_SHARE * b for n, b in zip(near, broad, strict=True))


def _smoothed(counts: Sequence[float]) -> Sequence[float]:
    """Each pass gives a fifth of each count to either neighbour: the fewer jobs, the less is known between the bins."""
    smooth = list(counts)
    for _ in range(max(1, round(_PASSES_FOR_ONE / (1 + math.fsum(counts) / 4)))):
        padded = [smooth[0], *smooth, smooth[-1]]
        smooth = [(padded[i] + 3 * padded[i + 1] + padded[i + 2]) / 5 for i in range(BINS)]
    return smooth


def _overlap(i: int, after: float, by: float) -> float:
    """How much of a bin lies in the interval, from 0 to 1."""
    low, high = EDGES[i], EDGES[i + 1]
    return max(0.0, min(by, high) - max(after, low)) / (high - low)
