"""The tasks of the simulated provider and their lives, moved on lazily by the clock: no timer per task.

queued -> processing -> completed
                     -> failed
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from .directives import Fault
from .errors import ERROR_CODES
from .ledger import Account
from .render_times import Schedule
from .rules import Draft

LIFETIME_SECONDS = 24 * 3600.0
"""Task ids and result links live this long (upstream: 24 h), in virtual time."""

QUEUED, PROCESSING, COMPLETED, FAILED = "queued", "processing", "completed", "failed"
STATUSES = (QUEUED, PROCESSING, COMPLETED, FAILED)


class Failure(NamedTuple):
    """Why a task failed: one of the nine codes, and words."""

    code: str
    message: str


@dataclass(slots=True, eq=False)
class Task:
    """One video being made. Moments are virtual seconds since the epoch; `cost_usd` is due only when it completes.

    `doom` is what the references did to it (it fails as soon as it starts), `faults` what its prompt asks for,
    `strikes` how often each of these struck. `digests` name its reference media in the media store, by
    index.
    """

    id: str
    account: Account
    draft: Draft
    faults: tuple[Fault, ...]
    created_at: float
    schedule: Schedule
    link_token: str
    seed: int
    cost_usd: Decimal
    digests: dict[int, str] = field(default_factory=dict)
    audio_digest: str | None = None
    doom: Failure | None = None
    status: str = QUEUED
    failure: Failure | None = None
    ended_at: float | None = None
    reads: int = 0
    expired: bool = False
    strikes: dict[int, int] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        return self.ended_at is not None


class TaskBook:
    """All tasks, and what is due. `reads` > 0 ends a task at its n-th read, not by time.

    Ends are drawn, so they wait in a heap. Time never runs backwards, so tasks expire in the order in which they were
    added and are forgotten in the order in which they ended: two queues.
    """

    def __init__(self, reads: int = 0) -> None:
        self._reads = reads
        self._tasks: dict[str, Task] = {}
        self._by_link: dict[str, Task] = {}
        self._to_end: list[tuple[float, int, Task]] = []
        self._to_expire: deque[Task] = deque()
        self._to_forget: deque[tuple[float, Task]] = deque()
        self._added = 0

    def __len__(self) -> int:
        return len(self._tasks)

    def newest(self, limit: int) -> list[Task]:
        """At most `limit` tasks, the newest first."""
        return [task for task, _ in zip(reversed(self._tasks.values()), range(limit), strict=False)]

    def add(self, task: Task) -> None:
        """Take a new task into the books."""
        self._tasks[task.id] = task
        self._by_link[task.link_token] = task
        task.account.created += 1
        task.account.running += 1
        self._added += 1
        if task.doom is not None:
            heapq.heappush(self._to_end, (task.schedule.starts_at, self._added, task))
        elif not self._reads:
            heapq.heappush(self._to_end, (task.schedule.ends_at, self._added, task))
        self._to_expire.append(task)

    def get(self, task_id: str) -> Task | None:
        """The task, unless its id is unknown or has expired."""
        task = self._tasks.get(task_id)
        return None if task is None or task.expired else task

    def by_link(self, token: str) -> Task | None:
        """The task whose video link has this token, as long as the link lives."""
        return self._by_link.get(token)

    def advance(self, now: float) -> None:
        """Let everything happen that is due by `now`."""
        to_end, to_expire, to_forget = self._to_end, self._to_expire, self._to_forget
        while to_end and to_end[0][0] <= now:
            moment, _, task = heapq.heappop(to_end)
            self._end_by_itself(task, moment)
        while to_expire and to_expire[0].created_at + LIFETIME_SECONDS <= now:
            self._expire(to_expire.popleft())
        while to_forget and to_forget[0][0] + LIFETIME_SECONDS <= now:
            self._forget(to_forget.popleft()[1])

    def read(self, task: Task, now: float) -> str:
        """Count one poll, and tell the status that it shows."""
        task.reads += 1
        if self._reads and not task.ended:
            if task.reads >= self._reads:
                self._end_by_itself(task, now)
            elif task.reads > 1:
                task.status = PROCESSING
        return self.status_at(task, now)

    def status_at(self, task: Task, now: float) -> str:
        """The status at `now`, without counting a read."""
        waiting = task.status == QUEUED and not self._reads
        return PROCESSING if waiting and now >= task.schedule.starts_at else task.status

    def fail(self, task: Task, failure: Failure, now: float) -> None:
        """The task is over and costs nothing, whatever it was before."""
        if task.status == FAILED:
            return
        if task.status == COMPLETED:
            task.account.completed -= 1
            task.account.billed_usd -= task.cost_usd
        else:
            task.account.running -= 1
        task.account.failed += 1
        task.failure = failure
        self._end(task, FAILED, now)

    def _end_by_itself(self, task: Task, moment: float) -> None:
        if task.ended:
            return
        failure = task.doom or _failure_asked_for(task)
        if failure is not None:
            self.fail(task, failure, moment)
            return
        task.account.running -= 1
        task.account.completed += 1
        task.account.billed_usd += task.cost_usd
        self._end(task, COMPLETED, moment)

    def _end(self, task: Task, status: str, moment: float) -> None:
        task.status = status
        task.ended_at = moment
        self._to_forget.append((moment, task))

    def _expire(self, task: Task) -> None:
        task.expired = True
        task.account.expired += 1

    def _forget(self, task: Task) -> None:
        """Id and link are both dead: nothing can ask for the task any more."""
        self._tasks.pop(task.id, None)
        self._by_link.pop(task.link_token, None)


def _failure_asked_for(task: Task) -> Failure | None:
    """A code that ends the task and waits in its prompt strikes even if nobody ever polls."""
    for index, fault in enumerate(task.faults):
        if fault.ends_task and (fault.times is None or task.strikes.get(index, 0) < fault.times):
            return failure_of(fault.code)
    return None


def failure_of(code: str) -> Failure:
    """A code that was asked for, in the provider's words."""
    return Failure(code, f"{ERROR_CODES[code].description} (asked for)")
