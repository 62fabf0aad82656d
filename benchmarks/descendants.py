"""The processes that this one has started, and those that they have: the engine, its function processes, the mock."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def descendants() -> Iterator[Path]:
    """Their folders in /proc. Any of them may end while it is looked at."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            parents[int(folder.name)] = int(stat[1])
        except (OSError, IndexError):
            continue  # no process, or one that has just ended

    def is_ours(pid: int) -> bool:
        while pid in parents:
            pid = parents[pid]
            if pid == os.getpid():
                return True
        return False

    return (Path("/proc") / str(pid) for pid in parents if is_ours(pid))


@contextmanager
def watching(look: Callable[[], None]) -> Iterator[None]:
    """Call `look` twice a second while the block runs, and once more when it has ended."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.5):
            look()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
        look()
