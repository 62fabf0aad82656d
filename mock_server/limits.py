"""Requests a second per API key, over a sliding window of one virtual second."""

from __future__ import annotations

import math
from collections import deque

from .errors import TooManyRequestsError

WINDOW_SECONDS = 1.0


class RateLimit:
    """At most `per_second` requests of one key in any second; 0 = no limit. `what` names them in the refusal."""

    def __init__(self, per_second: int, what: str) -> None:
        self._per_second = per_second
        self._what = what
        self._taken: dict[str, deque[float]] = {}

    def take(self, account: str, now: float, speed: float) -> None:
        """Count one request; raises TooManyRequestsError. `speed` turns virtual waiting into real seconds."""
        if not self._per_second:
            return
        taken = self._taken.setdefault(account, deque())
        while taken and taken[0] <= now - WINDOW_SECONDS:
            taken.popleft()
        if len(taken) >= self._per_second:
            raise TooManyRequestsError(
                f"at most {self._per_second} {self._what} a second",
                retry_after_seconds=real_seconds(taken[0] + WINDOW_SECONDS - now, speed),
            )
        taken.append(now)


def real_seconds(virtual_seconds: float, speed: float) -> int:
    """Whole real seconds for a Retry-After, at least 1; a clock that stands still is taken for real time."""
    return max(1, math.ceil(virtual_seconds / (speed or 1.0)))
