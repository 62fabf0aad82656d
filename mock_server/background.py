"""Slow work off the event loop, in daemon threads: unlike an executor's they never keep a process from ending."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

WORKERS = 2

_Job = tuple[Callable[[], Any], Callable[[Any], object], Callable[[], object]]


class Background:
    """At most `WORKERS` threads, started when there is work for the first time."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def run(self, work: Callable[[], Any], done: Callable[[Any], object], failed: Callable[[], object]) -> None:
        """Call `work` in a thread and then, still there, `done` with its result, or `failed` inside its `except`."""
        self._jobs.put((work, done, failed))
        if len(self._threads) < WORKERS:
            thread = threading.Thread(target=self._work, name="mock-background", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Let the threads end when they have nothing more to do."""
        for _ in self._threads:
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, done, failed = job
            try:
                result = work()
            except Exception:
                failed()
            else:
                done(result)
